//! The master key: what all secrets are sealed with, and where it is kept.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::files;
use crate::sealed::SealError;

/// Bytes of a master key.
pub const KEY_BYTES: usize = 32;
/// The environment variable that gives the master key, base64; it goes before the file.
pub const KEY_VARIABLE: &str = "SALLYPORT_MASTER_KEY";
/// A key file holds 44 characters and a line break.
const FILE_LIMIT: usize = 256;

/// The key that wraps every secret's own key. Not printable; wiped when dropped.
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

impl MasterKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`SealError::Random`] when the system gives no random bytes.
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::Random)?;
        Ok(Self::from_bytes(bytes))
    }

    /// Reads base64 of 32 bytes, white space around it allowed. `origin` says in the error where the text was found.
    ///
    /// # Errors
    /// [`SealError::KeyMalformed`].
    pub fn from_base64(text: &[u8], origin: &str) -> Result<Self, SealError> {
        let malformed = || SealError::KeyMalformed { origin: origin.to_owned() };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        // One byte more than a key, so that a longer text is an error and not cut.
        let mut decoded = Zeroizing::new([0; KEY_BYTES + 4]);
        let length = STANDARD.decode_slice(text.trim_ascii(), decoded.as_mut_slice()).map_err(|_| malformed())?;
        if length != KEY_BYTES {
            return Err(malformed());
        }
        bytes.copy_from_slice(decoded.get(..KEY_BYTES).ok_or_else(malformed)?);
        Ok(Self::from_bytes(bytes))
    }

    /// Reads a key file that only its owner can read.
    ///
    /// # Errors
    /// [`SealError::KeyOpenToOthers`], [`SealError::KeyMissing`], [`SealError::KeyMalformed`] or [`SealError::File`].
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        let unreadable = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => SealError::KeyMissing { path: path.to_path_buf() },
            _ => SealError::file("read", path, &error),
        };
        // The open file is asked, not the path: what was checked is what is read.
        let file = File::open(path).map_err(unreadable)?;
        let meta = file.metadata().map_err(unreadable)?;
        let owner = meta.uid();
        let user = rustix::process::geteuid().as_raw();
        if meta.mode() & 0o077 != 0 || (owner != user && owner != 0) {
            return Err(SealError::KeyOpenToOthers { path: path.to_path_buf(), mode: meta.mode() & 0o7777 });
        }
        let text = files::read_open(file, FILE_LIMIT).map_err(unreadable)?;
        Self::from_base64(&text, &path.display().to_string())
    }

    /// Which key it is: 16 hex digits of a hash of it. Not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// The content of a key file.
    pub(crate) fn file_text(&self) -> Zeroizing<Vec<u8>> {
        // 44 characters of base64 and the line break.
        let mut text = Zeroizing::new(vec![0; 45]);
        let length = STANDARD.encode_slice(self.bytes.as_slice(), text.as_mut_slice()).unwrap_or(0);
        if let Some(end) = text.get_mut(length) {
            *end = b'\n';
        }
        text
    }

    fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"sallyport master key id 1");
        context.update(bytes.as_slice());
        let hash = context.finish();
        let id = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes, id }
    }
}

/// Where the master key comes from.
pub enum KeySource {
    /// `keys/master.key` of this data directory; made when there is neither a key nor any secret.
    File(PathBuf),
    /// Given from outside; rotation leaves it to whoever gives it.
    Given(MasterKey),
}

impl KeySource {
    /// The environment's key if `SALLYPORT_MASTER_KEY` is set, else the data directory's file.
    ///
    /// # Errors
    /// [`SealError::KeyMalformed`] when the variable holds no key.
    pub fn from_environment(data_dir: &Path) -> Result<Self, SealError> {
        match std::env::var_os(KEY_VARIABLE) {
            Some(value) => {
                let value = Zeroizing::new(value.into_encoded_bytes());
                MasterKey::from_base64(&value, &format!("environment variable {KEY_VARIABLE}")).map(Self::Given)
            }
            None => Ok(Self::File(data_dir.join("keys").join("master.key"))),
        }
    }
}

#[cfg(test)]
mod tests;
