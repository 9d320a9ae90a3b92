//! One gateway per data directory: a lock that the system gives back when the process ends, however it ends.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

/// The lock of the running gateway. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// When another gateway holds it, or the file cannot be made.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("{}: open the lock file", path.display()))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // Only for the message; a lock without a number is a lock all the same.
            file.read_to_string(&mut holder).ok();
            let who = match holder.trim().parse::<u32>() {
                Ok(id) => format!("process {id}"),
                Err(_) => "another process".to_owned(),
            };
            bail!(
                "{}: a gateway already runs on this data directory ({who}); stop it, or start this one with another --data-dir",
                path.parent().unwrap_or(path).display()
            );
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("{}: write the lock file", path.display()))?;
        Ok(Self { _file: file })
    }
}

/// Whether a gateway holds the lock now.
pub(crate) fn is_held(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.lock");
        assert!(!is_held(&path));
        let first = Lock::take(&path).unwrap();
        assert!(is_held(&path));
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        assert!(!is_held(&path));
        Lock::take(&path).unwrap();
    }
}
