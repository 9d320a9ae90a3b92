//! The sealed store: secrets encrypted at rest, one file each.
//!
//! A running gateway and the command line may use it at once: files are replaced whole, writers take turns by a lock file, and
//! a reader that meets a secret under a key it does not know reads the key file again.

mod envelope;
mod error;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use gate::Secret;

use crate::files;
use crate::key::{KeySource, MasterKey};
use envelope::Envelope;

pub use error::SealError;

/// Most bytes of one secret: a private key with its comments fits many times.
pub const VALUE_LIMIT: usize = 64 * 1024;
/// A value of that size in base64, with its frame.
const FILE_LIMIT: usize = VALUE_LIMIT * 2;
/// What a secret may be called.
pub(crate) const NAME_RULE: &str =
    "a secret's name has 1 to 64 letters, digits, dots, dashes and underscores, and starts with a letter or digit";
/// How often a reader looks for a key that is just being replaced.
const KEY_TRIES: usize = 3;

/// What can be said of a secret without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// How often it was set.
    pub version: u64,
    /// When it was last set, microseconds since 1970.
    pub set: i64,
    /// The master key that seals it.
    pub key: String,
}

/// Secrets sealed at rest. There is no way to ask for one but a lease, or for the gateway's own client elsewhere.
pub struct SealedStore {
    directory: PathBuf,
    /// The key file; `None` when the key was given from outside.
    key_file: Option<PathBuf>,
    keys: RwLock<Keys>,
}

/// The key in force, and while a rotation is under way the one that follows.
#[derive(Clone)]
struct Keys {
    current: Arc<MasterKey>,
    next: Option<Arc<MasterKey>>,
}

impl Keys {
    fn find(&self, id: &str) -> Option<Arc<MasterKey>> {
        [Some(&self.current), self.next.as_ref()].into_iter().flatten().find(|key| key.id() == id).cloned()
    }
}

impl std::fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedStore").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl SealedStore {
    /// Opens the store of a data directory with the key from the environment or the key file. The first time, makes both.
    ///
    /// # Errors
    /// [`SealError`]: the key is missing although there are secrets, is readable by others, is malformed, or a file cannot be used.
    pub fn open(data_dir: &Path) -> Result<Self, SealError> {
        Self::open_with(data_dir, KeySource::from_environment(data_dir)?)
    }

    /// [`SealedStore::open`] with the key from elsewhere.
    ///
    /// # Errors
    /// As [`SealedStore::open`].
    pub fn open_with(data_dir: &Path, source: KeySource) -> Result<Self, SealError> {
        let directory = data_dir.join("secrets");
        files::private_directory(&directory).map_err(|error| SealError::file("make", &directory, &error))?;
        let (keys, key_file) = match source {
            KeySource::Given(key) => (Keys { current: Arc::new(key), next: None }, None),
            KeySource::File(path) => (first_keys(&directory, &path)?, Some(path)),
        };
        let store = Self { directory, key_file, keys: RwLock::new(keys) };
        store.sweep()?;
        Ok(store)
    }

    /// Seals a value under a name, in place of an older one.
    ///
    /// # Errors
    /// [`SealError::BadName`], [`SealError::Empty`], [`SealError::TooLong`], or what the file system says; the older value then stays.
    pub fn set(&self, name: &str, value: &Secret) -> Result<SecretInfo, SealError> {
        if !is_name(name) {
            return Err(SealError::BadName);
        }
        match value.expose().len() {
            0 => return Err(SealError::Empty),
            length if length > VALUE_LIMIT => {
                return Err(SealError::TooLong { limit: VALUE_LIMIT });
            }
            _ => {}
        }
        let _turn = self.lock()?;
        self.reload_keys()?;
        // A damaged older file must not stand in the way of the cure.
        let version = match self.read(name) {
            Ok(Some(older)) => older.version.saturating_add(1),
            Ok(None) | Err(SealError::Tampered { .. }) => 1,
            Err(error) => return Err(error),
        };
        let keys = self.keys();
        let envelope = Envelope::seal(name, version, now(), value, keys.next.as_ref().unwrap_or(&keys.current))?;
        self.write(&envelope)?;
        Ok(info(&envelope))
    }

    /// What is there, by name. Nothing is opened; a damaged file is an error that names it.
    ///
    /// # Errors
    /// [`SealError::Tampered`], [`SealError::Newer`] or [`SealError::File`].
    pub fn ls(&self) -> Result<Vec<SecretInfo>, SealError> {
        let mut found = Vec::new();
        for name in names(&self.directory)? {
            // A secret removed between the two steps is not there any more.
            found.extend(self.read(&name)?.as_ref().map(info));
        }
        Ok(found)
    }

    /// Removes a secret; whether there was one.
    ///
    /// # Errors
    /// [`SealError::BadName`] or [`SealError::File`].
    pub fn rm(&self, name: &str) -> Result<bool, SealError> {
        if !is_name(name) {
            return Err(SealError::BadName);
        }
        let _turn = self.lock()?;
        let path = self.path(name);
        match std::fs::remove_file(&path).and_then(|()| files::sync_directory(&self.directory)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SealError::file("remove", &path, &error)),
        }
    }

    /// Puts every secret under a new master key; how many there are. With a key file, the file is replaced last, and a rotation
    /// that was cut short is finished first; with a given key, the caller gives the new one from now on.
    ///
    /// # Errors
    /// [`SealError`]; what was rotated stays readable with the new key, the rest with the old one, and a further call goes on.
    pub fn rotate(&self, new: MasterKey) -> Result<usize, SealError> {
        let _turn = self.lock()?;
        self.reload_keys()?;
        if let Some(unfinished) = self.keys().next {
            self.rewrap_all(&unfinished)?;
            self.adopt(unfinished)?;
        }
        let new = Arc::new(new);
        if let Some(key_file) = &self.key_file {
            let path = next_file(key_file);
            files::write_whole(&path, &new.file_text()).map_err(|error| SealError::file("write", &path, &error))?;
        }
        self.set_keys(Keys { current: self.keys().current, next: Some(Arc::clone(&new)) });
        let count = self.rewrap_all(&new)?;
        self.adopt(new)?;
        Ok(count)
    }

    /// Which master key is in force.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.keys().current.id().to_owned()
    }

    /// Opens a secret for a lease; `None` when there is none of that name.
    pub(crate) fn open_value(&self, name: &str) -> Result<Option<Secret>, SealError> {
        if !is_name(name) {
            return Err(SealError::BadName);
        }
        match self.read(name)? {
            Some(envelope) => envelope.open(name, &*self.key_for(&envelope)?).map(Some),
            None => Ok(None),
        }
    }

    fn key_for(&self, envelope: &Envelope) -> Result<Arc<MasterKey>, SealError> {
        for _ in 0..KEY_TRIES {
            if let Some(key) = self.keys().find(&envelope.key) {
                return Ok(key);
            }
            // Another process may have rotated; between its last two steps the key is in neither file that we read.
            self.reload_keys()?;
        }
        self.keys().find(&envelope.key).ok_or_else(|| SealError::WrongKey {
            name: envelope.name.clone(),
            wanted: envelope.key.clone(),
            have: self.key_id(),
        })
    }

    fn rewrap_all(&self, new: &MasterKey) -> Result<usize, SealError> {
        let mut count: usize = 0;
        for name in names(&self.directory)? {
            let Some(envelope) = self.read(&name)? else {
                continue;
            };
            if envelope.key != new.id() {
                let old = self.key_for(&envelope)?;
                self.write(&envelope.rewrap(&name, &old, new)?)?;
            }
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    /// The key file's last step of a rotation: from here on the old key opens nothing.
    fn adopt(&self, new: Arc<MasterKey>) -> Result<(), SealError> {
        if let Some(key_file) = &self.key_file {
            let directory = key_file.parent().unwrap_or(Path::new("."));
            std::fs::rename(next_file(key_file), key_file)
                .and_then(|()| files::sync_directory(directory))
                .map_err(|error| SealError::file("replace", key_file, &error))?;
        }
        self.set_keys(Keys { current: new, next: None });
        Ok(())
    }

    fn reload_keys(&self) -> Result<(), SealError> {
        if let Some(key_file) = &self.key_file {
            self.set_keys(load_keys(key_file)?);
        }
        Ok(())
    }

    fn keys(&self) -> Keys {
        // Keys are replaced whole, so a panic elsewhere cannot have left half of them.
        self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set_keys(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = keys;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    fn read(&self, name: &str) -> Result<Option<Envelope>, SealError> {
        let path = self.path(name);
        let content = match files::read_bounded(&path, FILE_LIMIT) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(SealError::Tampered { name: name.to_owned() });
            }
            Err(error) => return Err(SealError::file("read", &path, &error)),
        };
        let envelope: Envelope =
            serde_json::from_slice(&content).map_err(|_| SealError::Tampered { name: name.to_owned() })?;
        if !envelope.known() {
            return Err(SealError::Newer { name: name.to_owned() });
        }
        if envelope.name != name {
            return Err(SealError::Tampered { name: name.to_owned() });
        }
        Ok(Some(envelope))
    }

    fn write(&self, envelope: &Envelope) -> Result<(), SealError> {
        let path = self.path(&envelope.name);
        let mut text = serde_json::to_vec(envelope).map_err(|_| SealError::Random)?;
        text.push(b'\n');
        files::write_whole(&path, &text).map_err(|error| SealError::file("write", &path, &error))
    }

    /// Writers take turns, across processes; the lock goes with the file.
    fn lock(&self) -> Result<File, SealError> {
        let path = self.directory.join(".lock");
        let failed = |error: std::io::Error| SealError::file("lock", &path, &error);
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        Ok(file)
    }

    /// Removes what a write left that was cut short.
    fn sweep(&self) -> Result<(), SealError> {
        let _turn = self.lock()?;
        for entry in entries(&self.directory)? {
            if entry.starts_with(files::TEMPORARY) {
                std::fs::remove_file(self.directory.join(entry)).ok();
            }
        }
        Ok(())
    }
}

/// Whether this may be a secret's name. No name leaves the directory, and none is hidden.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=64).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain)
}

/// The keys at a start: makes the key file when there is none and nothing was sealed with a lost one.
fn first_keys(directory: &Path, key_file: &Path) -> Result<Keys, SealError> {
    match load_keys(key_file) {
        Err(SealError::KeyMissing { .. }) if names(directory)?.is_empty() => {
            let parent = key_file.parent().unwrap_or(Path::new("."));
            files::private_directory(parent).map_err(|error| SealError::file("make", parent, &error))?;
            match files::write_once(key_file, &MasterKey::generate()?.file_text()) {
                // Another process was first: its key is the one.
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    Err(SealError::file("write", key_file, &error))
                }
                Ok(()) | Err(_) => load_keys(key_file),
            }
        }
        loaded => loaded,
    }
}

fn load_keys(key_file: &Path) -> Result<Keys, SealError> {
    // The next key first: if a rotation ends between the two reads, the second read finds it in its new place.
    let next = match MasterKey::from_file(&next_file(key_file)) {
        Ok(key) => Some(Arc::new(key)),
        Err(SealError::KeyMissing { .. }) => None,
        Err(error) => return Err(error),
    };
    let current = Arc::new(MasterKey::from_file(key_file)?);
    Ok(Keys { current, next })
}

fn next_file(key_file: &Path) -> PathBuf {
    key_file.with_extension("key.next")
}

fn names(directory: &Path) -> Result<Vec<String>, SealError> {
    let mut names: Vec<String> = entries(directory)?
        .iter()
        .filter_map(|entry| entry.strip_suffix(".json"))
        .filter(|name| is_name(name))
        .map(str::to_owned)
        .collect();
    names.sort();
    Ok(names)
}

fn entries(directory: &Path) -> Result<Vec<String>, SealError> {
    let failed = |error: std::io::Error| SealError::file("list", directory, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        // A name that is not UTF-8 is none of ours.
        found.extend(entry.map_err(failed)?.file_name().into_string().ok());
    }
    Ok(found)
}

fn info(envelope: &Envelope) -> SecretInfo {
    SecretInfo { name: envelope.name.clone(), version: envelope.version, set: envelope.set, key: envelope.key.clone() }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
