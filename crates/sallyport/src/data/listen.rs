//! `listen.json`: where the running gateway listens, for the other commands and for scripts.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Where a gateway listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listen {
    /// For PostgreSQL clients, `address:port`.
    pub(crate) postgres: String,
    /// For SSH clients, `address:port`, when any target is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ssh: Option<String>,
    /// The API, `address:port`.
    pub(crate) api: String,
    /// The API as a URL.
    pub(crate) api_url: String,
    /// The gateway's process.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
}

impl Listen {
    /// Reads the file of a running gateway; `None` when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{}: not a file of Sallyport", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{}: read it", path.display())),
        }
    }
}

/// The file while the gateway runs; removed when dropped.
#[derive(Debug)]
pub(crate) struct Written {
    path: PathBuf,
}

impl Written {
    /// Writes the file at once: a reader sees all of it or nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(path: &Path, listen: &Listen) -> Result<Self> {
        let fresh = path.with_extension("json.new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .with_context(|| format!("{}: write where the gateway listens", fresh.display()))?;
        let text = serde_json::to_string_pretty(listen).context("describe the addresses")?;
        writeln!(file, "{text}").with_context(|| format!("{}: write it", fresh.display()))?;
        std::fs::rename(&fresh, path).with_context(|| format!("{}: put it in place", path.display()))?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(file = %self.path.display(), %error, "could not be removed");
        }
    }
}
