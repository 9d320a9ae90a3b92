//! Host keys that somebody has looked at and accepted with `targets trust`: one file for each target in a directory of the gateway's, lines as in
//! `known_hosts` without the name. They count beside those of the configuration.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::HostKey;

/// Largest file that is read.
const MAX: u64 = 64 * 1024;

/// The directory.
#[derive(Debug, Clone)]
pub struct KnownKeys {
    directory: PathBuf,
}

impl KnownKeys {
    /// In this directory, which need not exist.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn file(&self, target: &str) -> PathBuf {
        self.directory.join(format!("{target}.keys"))
    }

    /// The accepted keys of a target.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else: a key that is passed over would be asked for again.
    pub fn of(&self, target: &str) -> Result<Vec<HostKey>, String> {
        let path = self.file(target);
        let wrong = |why: &str| format!("{}: {why}", path.display());
        match std::fs::metadata(&path) {
            Ok(meta) if meta.len() <= MAX => {}
            Ok(_) => return Err(wrong("too large")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(&error.kind().to_string())),
        }
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error.kind().to_string()))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| HostKey::parse(line).ok_or_else(|| wrong("a line that is no public key"))).collect()
    }

    /// Accepts this key, and no other that was accepted before.
    ///
    /// # Errors
    /// What the system reports.
    pub fn put(&self, target: &str, key: &HostKey) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.directory)?;
        let fresh = tempfile_in(&self.directory, target);
        let mut file = std::fs::File::create(&fresh)?;
        writeln!(file, "{}", key.line())?;
        file.sync_all()?;
        std::fs::rename(&fresh, self.file(target))
    }
}

fn tempfile_in(directory: &Path, target: &str) -> PathBuf {
    directory.join(format!("{target}.new-{}", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn an_accepted_key_is_there_and_slips_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let known = KnownKeys::new(dir.path().join("hosts"));
        assert_eq!(known.of("web-1"), Ok(Vec::new()));
        let key = HostKey::parse(LINE).unwrap();
        known.put("web-1", &key).unwrap();
        known.put("web-1", &key).unwrap();
        assert_eq!(known.of("web-1"), Ok(vec![key]));
        assert_eq!(known.of("web-2"), Ok(Vec::new()));
        std::fs::write(dir.path().join("hosts/web-1.keys"), "web-1 ssh-ed25519 AAAA\n").unwrap();
        assert!(known.of("web-1").unwrap_err().contains("web-1.keys"));
    }
}
