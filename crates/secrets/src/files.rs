//! Files that others may not read, written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use zeroize::Zeroizing;

/// Makes a directory and its parents, for this user alone.
pub(crate) fn private_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file, mode 0600, so that a reader sees the old content or the new, also after a power cut.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let (directory, temporary) = beside(path)?;
    let written = write_new(&temporary, content).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The error that matters is the first one; a leftover is swept when the directory is opened next.
        std::fs::remove_file(&temporary).ok();
    }
    written.and_then(|()| sync_directory(directory))
}

/// Like [`write_whole`], and never over an existing file.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when there is one.
pub(crate) fn write_once(path: &Path, content: &[u8]) -> Result<(), Error> {
    let (directory, temporary) = beside(path)?;
    // A hard link does not replace, so of two processes that make the same file one wins and the other hears of it.
    let written = write_new(&temporary, content).and_then(|()| std::fs::hard_link(&temporary, path));
    std::fs::remove_file(&temporary).ok();
    written.and_then(|()| sync_directory(directory))
}

/// Makes a rename or a removal in this directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path)?.sync_all()
}

/// Reads at most `limit` bytes; a longer file is [`ErrorKind::FileTooLarge`], anything but a regular file an error.
pub(crate) fn read_bounded(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = File::open(path)?;
    read_open(file, limit)
}

/// [`read_bounded`] of an open file.
pub(crate) fn read_open(file: File, limit: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    if meta.len() > most {
        return Err(ErrorKind::FileTooLarge.into());
    }
    // All room at once: growing would leave copies behind that nothing wipes.
    let mut content = Zeroizing::new(Vec::with_capacity(limit.saturating_add(1)));
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > limit { Err(ErrorKind::FileTooLarge.into()) } else { Ok(content) }
}

/// Marks unfinished files in a directory.
pub(crate) const TEMPORARY: &str = ".unfinished-";

fn beside(path: &Path) -> Result<(&Path, PathBuf), Error> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    Ok((directory, directory.join(format!("{TEMPORARY}{}-{number}", std::process::id()))))
}

fn write_new(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
