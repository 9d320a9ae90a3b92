//! Keys and signatures: the gateway's own, and those of targets and clients.
//!
//! - [`own`]: keys that sign for the gateway
//! - [`verify`]: signatures of others
//! - [`certificate`]: OpenSSH's certificates

pub mod certificate;
pub mod own;
mod verify;

pub use verify::{SignatureError, algorithms_of, verify};

/// Signature algorithms that are accepted, the preferred first. SHA-1 is not among them.
pub const ALGORITHMS: &str =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";
