//! Keys and signatures: the gateway's own, and those of targets and clients.
//!
//! - [`own`]: keys that sign for the gateway; `private` their files, `remainder` what an RSA key's file leaves out
//! - [`public`]: public keys as lines and fingerprints
//! - [`verify`]: signatures of others
//! - [`certificate`]: OpenSSH's certificates

pub mod certificate;
pub mod own;
mod private;
pub mod public;
mod remainder;
mod verify;

pub use verify::{Presence, SignatureError, algorithms_of, verify};

/// Signature algorithms that are accepted, the preferred first. SHA-1 is not among them.
pub const ALGORITHMS: &str =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";

/// What clients may sign with: the same, and security keys (OpenSSH, PROTOCOL.u2f).
pub const OF_CLIENTS: &str = "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,\
                              sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";
