//! Why recordings cannot be written or read.

use std::io;
use std::path::{Path, PathBuf};

use model::SessionId;
use record::{Damage, ExportError, KeyError, ReadError};

/// Why the recorder did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another gateway uses the directory.
    #[error("another gateway is running on {}: stop it, or give this one its own `data_dir`", .0.display())]
    InUse(PathBuf),
    /// A file or directory cannot be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The spool cannot be allocated.
    #[error("the spool needs {bytes} bytes in {}: {error}", path.display())]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// How much.
        bytes: u64,
        /// Why.
        error: io::Error,
    },
    /// The spool is too small for the largest event.
    #[error("a spool of {bytes} bytes per thread is too small; give it at least {least}")]
    SpoolTooSmall {
        /// What was asked for.
        bytes: u64,
        /// What is needed.
        least: u64,
    },
    /// The signing key cannot be used.
    #[error("the signing key {}: {error}", path.display())]
    Key {
        /// Where.
        path: PathBuf,
        /// Why.
        error: KeyError,
    },
    /// The signing key can be read by others.
    #[error("the signing key {} can be read by others: run `chmod 600` on it", .0.display())]
    KeyExposed(PathBuf),
    /// The index is damaged.
    #[error("{}: {damage}. Recordings would no longer prove anything; keep the directory as evidence, and start with an empty `recordings`", path.display())]
    Index {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        damage: Damage,
    },
    /// There are recordings without an index.
    #[error("{} is missing although there are recordings: restore it, or move the directory away", .0.display())]
    IndexMissing(PathBuf),
}

impl StartError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

/// Why recordings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The index does not know the session.
    #[error("no recording of {0}")]
    Unknown(SessionId),
    /// It was deleted on purpose.
    #[error("the recording of {0} was deleted: {1}")]
    Removed(SessionId, String),
    /// It is not where it must be.
    #[error("the recording of {0} is missing; run `sallyport sessions verify`")]
    Missing(SessionId),
    /// A file is damaged or cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: ReadError,
    },
    /// The export stopped.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// There is no key to verify with.
    #[error("no public key in {}; give one", .0.display())]
    NoKey(PathBuf),
    /// A key cannot be used.
    #[error("{}: {error}", path.display())]
    Key {
        /// Where.
        path: PathBuf,
        /// Why.
        error: KeyError,
    },
    /// A change needs the directory for itself.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl LibraryError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Read { path, error: error.into() }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(ReadError) -> Self {
        let path = path.to_owned();
        move |error| Self::Read { path, error }
    }
}
