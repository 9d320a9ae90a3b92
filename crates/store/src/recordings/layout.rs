//! Where everything is, below the data directory.
//!
//! ```text
//! recordings/YYYY/MM/DD/ses_….spr   one recording per session, by the day it was opened, UTC
//! recordings/heads.log              the index with its signed tree heads
//! recordings/keys/<id>.pem          public keys that signed anything here
//! keys/recording.pk8                the private key: 0600, in a directory of 0700
//! spool/                            events on their way; empty after an orderly stop
//! ```

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::SessionId;
use record::Micros;

use super::error::StartError;

/// Paths below a data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    data: PathBuf,
}

impl Layout {
    /// The layout of a data directory.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// Makes the directories, for the owner alone.
    pub(super) fn create(&self) -> Result<(), StartError> {
        for path in [self.recordings(), self.public_keys(), self.private_keys(), self.spool()] {
            make_dir(&path).map_err(StartError::io(&path))?;
        }
        Ok(())
    }

    /// Locks the directory for one writer; the lock is free when the file is closed, by a crash too.
    pub(super) fn lock(&self) -> Result<File, StartError> {
        let path = self.spool().join("lock");
        let file = private_file(&path, false).map_err(StartError::io(&path))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // A reader that looks whether a gateway runs holds the lock for an instant.
                Err(TryLockError::WouldBlock) if tries < 5 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(StartError::InUse(self.data.clone())),
                Err(TryLockError::Error(error)) => return Err(StartError::Io { path, error }),
            }
        }
    }

    /// Whether nobody writes: [`StartError::InUse`] when somebody does.
    pub(super) fn lock_shared(&self) -> Result<(), StartError> {
        let path = self.spool().join("lock");
        let file = File::open(&path).map_err(StartError::io(&path))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(StartError::InUse(self.data.clone())),
            Err(TryLockError::Error(error)) => Err(StartError::Io { path, error }),
        }
    }

    /// The directory of recordings.
    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.data.join("recordings")
    }

    /// The index.
    #[must_use]
    pub fn heads(&self) -> PathBuf {
        self.recordings().join("heads.log")
    }

    /// The public keys.
    #[must_use]
    pub fn public_keys(&self) -> PathBuf {
        self.recordings().join("keys")
    }

    /// The private key's directory.
    #[must_use]
    pub fn private_keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// The spool.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.data.join("spool")
    }

    /// The directory of the day on which a session was opened.
    #[must_use]
    pub fn day(&self, opened: Micros) -> PathBuf {
        let at = jiff::Timestamp::from_microsecond(opened.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.recordings().join(at.strftime("%Y/%m/%d").to_string())
    }

    /// The recording of a session that was opened at this time.
    #[must_use]
    pub fn session(&self, session: SessionId, opened: Micros) -> PathBuf {
        self.day(opened).join(format!("{session}.spr"))
    }
}

/// Makes a directory and its parents, for the owner alone.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file to read and write, for the owner alone; `new` refuses one that is there.
pub(super) fn private_file(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    if new {
        options.create_new(true);
    } else {
        options.create(true).truncate(false);
    }
    options.open(path)
}
