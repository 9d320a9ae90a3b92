//! Small secret files: made once with mode 0600, refused when others can read them.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use ssh::keys::own::SigningKey;

/// Largest key file that is read.
const MAX: u64 = 4096;

/// The content of a key file, made from `fresh` when it is not there.
///
/// # Errors
/// When it cannot be made or read, or others can read it.
pub(crate) fn once(path: &Path, fresh: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    match read(path)? {
        Some(bytes) => Ok(bytes),
        None => {
            let bytes = fresh()?;
            write_new(path, &bytes)?;
            // Another process may have made it at the same moment: what is in the file counts.
            read(path)?.with_context(|| format!("{}: vanished while it was made", path.display()))
        }
    }
}

/// The content of a key file, or `None` when there is none.
///
/// # Errors
/// When it cannot be read, others can read it, or it is too large to be a key.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("{}: look at the key file", path.display()));
        }
    };
    private(path, &meta)?;
    if meta.len() == 0 || meta.len() > MAX {
        bail!("{}: not a key file of Sallyport ({} bytes); restore it from a backup", path.display(), meta.len());
    }
    std::fs::read(path).map(Some).with_context(|| format!("{}: read the key file", path.display()))
}

/// Refuses a file that other users can read or write, or that belongs to someone else.
///
/// # Errors
/// When it is not private.
pub(crate) fn private(path: &Path, meta: &std::fs::Metadata) -> Result<()> {
    let shown = path.display();
    if meta.permissions().mode() & 0o077 != 0 {
        bail!(
            "{shown}: other users can read this key (mode {:o}); run `chmod 600 {shown}`, and replace the key if they may have",
            meta.permissions().mode() & 0o777
        );
    }
    let user = rustix::process::geteuid();
    if meta.uid() != user.as_raw() && !user.is_root() {
        bail!("{shown}: this key belongs to another user; run as that user");
    }
    Ok(())
}

/// The key with which the gateway proves itself to SSH clients, made at the first start.
///
/// # Errors
/// As [`once`], and when the file is no such key.
pub(crate) fn ssh_host(path: &Path) -> Result<SigningKey> {
    let fresh = || {
        let (_, text) = SigningKey::generate("sallyport")?;
        Ok(text.as_bytes().to_vec())
    };
    SigningKey::read(&once(path, fresh)?).with_context(|| format!("{}: read the SSH host key", path.display()))
}

/// 256 random bits as 64 hexadecimal digits.
///
/// # Errors
/// When the system gives no randomness.
pub(crate) fn random_hex() -> Result<Vec<u8>> {
    let mut bytes = [0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    let mut text = Vec::with_capacity(64);
    for byte in bytes {
        write!(text, "{byte:02x}").context("write to memory")?;
    }
    Ok(text)
}

/// 32 random bytes.
///
/// # Errors
/// When the system gives no randomness.
pub(crate) fn random_bytes() -> Result<Vec<u8>> {
    let mut bytes = vec![0u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(|| format!("{}: make a key file", fresh.display()))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{}: write the key", fresh.display()))?;
    // A link fails when the name is taken, where a rename would replace a key that is in use.
    match std::fs::hard_link(&fresh, path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            std::fs::remove_file(&fresh).ok();
            return Err(error).with_context(|| format!("{}: put the key in place", path.display()));
        }
    }
    std::fs::remove_file(&fresh).with_context(|| format!("{}: remove the temporary name", fresh.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_refused_when_others_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        let first = once(&path, random_hex).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(once(&path, random_hex).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = once(&path, random_hex).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_empty_key_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        write_new(&path, b"").unwrap();
        assert!(read(&path).is_err());
    }
}
