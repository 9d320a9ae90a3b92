//! The signing key: made at the first start, kept for the owner alone; the public half beside the recordings.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use record::{PublicKey, SigningKey};

use super::error::{LibraryError, StartError};
use super::layout::{Layout, private_file};

/// The key of a data directory; made if there is none.
pub(super) fn open(layout: &Layout) -> Result<SigningKey, StartError> {
    let path = layout.private_keys().join("recording.pk8");
    let key = match fs::read(&path) {
        Ok(bytes) => {
            let mode = fs::metadata(&path).map_err(StartError::io(&path))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(StartError::KeyExposed(path));
            }
            SigningKey::from_pkcs8(&bytes)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = SigningKey::generate().and_then(|key| Ok((key.to_pkcs8()?, key)));
            let (bytes, key) = key.map_err(|error| StartError::Key { path: path.clone(), error })?;
            write_new(&path, &bytes)?;
            Ok(key)
        }
        Err(error) => return Err(StartError::Io { path, error }),
    };
    let key = key.map_err(|error| StartError::Key { path, error })?;
    publish(layout, key.public())?;
    Ok(key)
}

/// Writes beside and renames, so that a crash leaves no half key.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StartError> {
    let beside = path.with_extension("new");
    let written = private_file(&beside, false).and_then(|mut file| {
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
    });
    written.map_err(StartError::io(path))
}

fn publish(layout: &Layout, key: &PublicKey) -> Result<(), StartError> {
    let path = layout.public_keys().join(format!("{}.pem", key.id()));
    if path.exists() {
        return Ok(());
    }
    write_new(&path, key.to_pem().as_bytes())
}

/// Every public key beside the recordings.
pub(super) fn public_keys(layout: &Layout) -> Result<Vec<PublicKey>, LibraryError> {
    let dir = layout.public_keys();
    let mut keys = Vec::new();
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(LibraryError::NoKey(dir)),
        Err(error) => return Err(LibraryError::io(&dir)(error)),
    };
    for entry in entries {
        let path = entry.map_err(LibraryError::io(&dir))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            let text = fs::read_to_string(&path).map_err(LibraryError::io(&path))?;
            let key = PublicKey::parse(&text).map_err(|error| LibraryError::Key { path: path.clone(), error })?;
            keys.push(key);
        }
    }
    if keys.is_empty() { Err(LibraryError::NoKey(dir)) } else { Ok(keys) }
}
