//! Credentials of the targets: where they come from, how they are sealed, and how a session gets one.
//!
//! - [`config`]: what a role's configuration says: [`RoleConfig`], [`SecretRef`]
//! - [`key`]: the master key, its file and its checks
//! - [`sealed`]: [`SealedStore`], secrets encrypted at rest; they can be set, listed and removed, never shown
//! - [`leases`]: [`Leases`], which opens a role's credential for one session; implements `gate::ports::Secrets`; [`client_secret`] opens the
//!   secret of the gateway's own client elsewhere
//!
//! # What is on disk
//! `keys/master.key` holds the master key (32 bytes, base64, mode 0600), unless `SALLYPORT_MASTER_KEY` gives it. Each secret is one
//! file `secrets/NAME.json`: its value encrypted by a data key of its own, and that data key encrypted by the master key, both
//! with AES-256-GCM and a random nonce. Name, version and time are authenticated with both, so no file can be renamed to another
//! secret and no ciphertext moved between them. Whoever can write the directory can put an older copy of a file back: that is an
//! older password of the same role, and it is not noticed.
//!
//! Values are [`gate::Secret`]s: no `Debug`, no `Display`, no `Serialize`, wiped when dropped. No error text holds any part of one.

pub mod config;
mod files;
pub mod key;
pub mod leases;
pub mod sealed;

pub use config::{CertificateConfig, RoleConfig, SecretRef, SshCertificateConfig};
pub use key::{KeySource, MasterKey};
pub use leases::{Leases, Roles, client_secret};
pub use sealed::{SealError, SealedStore, SecretInfo};
