//! What can be wrong with the sealed store, and what to do about it. No text holds a value or a key.

use std::path::{Path, PathBuf};

/// Why the sealed store, or one secret in it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Secrets are there and the key is not.
    #[error("{path}: the master key is missing; put the file back from your backup, or set SALLYPORT_MASTER_KEY", path = .path.display())]
    KeyMissing {
        /// The key file.
        path: PathBuf,
    },
    /// Others can read the key.
    #[error("{path}: others can read the master key (mode {mode:04o}, or another owner); make it yours alone: chmod 600", path = .path.display())]
    KeyOpenToOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// No key in it.
    #[error("{origin}: not a master key; it must be 32 bytes in base64 (44 characters)")]
    KeyMalformed {
        /// The file or the environment variable.
        origin: String,
    },
    /// The secret was sealed with another key.
    #[error(
        "secret {name} was sealed with master key {wanted}, and this is {have}; bring that key back, or set the secret again: sallyport secrets set {name}"
    )]
    WrongKey {
        /// The secret.
        name: String,
        /// The key that sealed it.
        wanted: String,
        /// The key at hand.
        have: String,
    },
    /// The file is not what was written.
    #[error("secret {name} was changed or damaged on disk; set it again: sallyport secrets set {name}")]
    Tampered {
        /// The secret.
        name: String,
    },
    /// A secret of a newer Sallyport.
    #[error("secret {name} was written by a newer version of Sallyport; run that version")]
    Newer {
        /// The secret.
        name: String,
    },
    /// Not a name.
    #[error("{}", super::NAME_RULE)]
    BadName,
    /// Nothing to keep.
    #[error("the secret is empty; nothing was stored")]
    Empty,
    /// Too much to keep.
    #[error("the secret is longer than {limit} bytes; nothing was stored")]
    TooLong {
        /// The most bytes that a secret may have.
        limit: usize,
    },
    /// No random bytes, or the cipher refused.
    #[error("the system's cryptography does not work; nothing was stored")]
    Random,
    /// The file system refused.
    #[error("{path}: cannot {doing} it: {reason}", path = .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// `read`, `write`, …
        doing: &'static str,
        /// The operating system's word.
        reason: String,
    },
}

impl SealError {
    pub(crate) fn file(doing: &'static str, path: &Path, error: &std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), doing, reason: error.kind().to_string() }
    }
}
