//! What can go wrong with the database, in words for whoever runs the gateway. No text carries a stored value.

use std::path::PathBuf;

use gate::ports::StoreAway;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or the file cannot be written.
    #[error("{path}: cannot be written ({reason}); give this user write permission, or name another data directory", path = .path.display())]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's word.
        reason: String,
    },
    /// Another process holds the database exclusively.
    #[error("{path}: locked by another process; stop it, or wait until it is done", path = .path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// No room.
    #[error("{path}: the disk is full; make room and start again", path = .path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// The file is damaged, or is no database.
    #[error("{path}: damaged, or not a database ({reason}); restore it from a backup, or move it away to start with an empty one", path = .path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// Which check failed.
        reason: String,
    },
    /// A database of another program.
    #[error("{path}: a database of another program; name another data directory", path = .path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// Written by a newer Sallyport.
    #[error("{path}: has schema {found}, and this binary knows up to {known}; run the newer binary, or restore a backup", path = .path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The schema in the file.
        found: i64,
        /// The newest schema that this binary knows.
        known: i64,
    },
    /// Anything else.
    #[error("{path}: {reason}", path = .path.display())]
    Other {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
}

/// What failed inside one operation.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database.
    Sql(sqlx::Error),
    /// A row that this binary cannot have written.
    Row(&'static str),
    /// The caller asked for what cannot be.
    Refused(&'static str),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Fault> for StoreAway {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => Self(Class::of(&error).text()),
            Fault::Row(what) => {
                Self(format!("a stored {what} cannot be read; the database was changed by hand or is damaged"))
            }
            Fault::Refused(why) => Self(why.to_owned()),
        }
    }
}

/// Database errors by what a person can do about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    Locked,
    Full,
    ReadOnly,
    Damaged,
    NotDatabase,
    Io(String),
    Busy,
    Other(String),
}

impl Class {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(inner) => Self::of_code(inner.code().and_then(|code| code.parse::<i32>().ok())),
            sqlx::Error::Io(inner) => Self::Io(inner.kind().to_string()),
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed => Self::Other("the store is closed".to_owned()),
            other => Self::Other(kind(other).to_owned()),
        }
    }

    /// The low byte of SQLite's extended result code is the primary one (sqlite.org/rescode.html).
    fn of_code(code: Option<i32>) -> Self {
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(10) => Self::Io("disk I/O error".to_owned()),
            Some(11) => Self::Damaged,
            Some(13) => Self::Full,
            Some(14) => Self::ReadOnly,
            Some(26) => Self::NotDatabase,
            Some(other) => Self::Other(format!("database error {other}")),
            None => Self::Other("database error".to_owned()),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Locked => "the database is locked by another process".to_owned(),
            Self::Full => "the disk is full".to_owned(),
            Self::ReadOnly => "the database cannot be written".to_owned(),
            Self::Damaged => "the database is damaged".to_owned(),
            Self::NotDatabase => "the file is not a database".to_owned(),
            Self::Io(kind) => format!("the database file cannot be used: {kind}"),
            Self::Busy => "the database is too busy".to_owned(),
            Self::Other(what) => what.clone(),
        }
    }

    pub(crate) fn open_error(self, path: PathBuf) -> OpenError {
        let reason = self.text();
        match self {
            Self::Locked | Self::Busy => OpenError::Locked { path },
            Self::Full => OpenError::DiskFull { path },
            Self::ReadOnly => OpenError::ReadOnly { path, reason },
            Self::Damaged | Self::NotDatabase => OpenError::Corrupt { path, reason },
            Self::Io(_) | Self::Other(_) => OpenError::Other { path, reason },
        }
    }
}

/// A name for what the driver said, without its text: that may quote values.
fn kind(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::RowNotFound => "a row that must be there is missing",
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => "a stored value has the wrong type",
        sqlx::Error::WorkerCrashed => "the database thread has stopped",
        _ => "the database driver failed",
    }
}
