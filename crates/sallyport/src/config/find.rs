//! Which configuration and which data directory a command means.
//!
//! The configuration: `--config`, SALLYPORT_CONFIG, `./sallyport.yaml`, `/etc/sallyport`. The data directory: `--data-dir`,
//! SALLYPORT_DATA_DIR, the configuration's `data_dir`, then the place where a user of this system expects state.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Config;

/// The options that every command takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// `--config` or SALLYPORT_CONFIG.
    pub(crate) config: Option<PathBuf>,
    /// `--data-dir` or SALLYPORT_DATA_DIR.
    pub(crate) data_dir: Option<PathBuf>,
}

/// What to write when there is no configuration at all.
const WHAT_TO_WRITE: &str = "no configuration: pass --config FILE, set SALLYPORT_CONFIG, or write ./sallyport.yaml:
  targets:
    - { name: orders-db, kind: postgres, address: 'db.internal:5432', database: app, roles: { app: { user: app, password: { secret: app-pw } } } }
  policy: policy.yaml      # rules: [{ name: agents read, who: { kinds: [agent] }, do: [connect, session, read], then: allow }]
then `sallyport secrets set app-pw`, `sallyport config check`, `sallyport serve`.";

impl Places {
    /// The configuration's path.
    ///
    /// # Errors
    /// When there is none anywhere, with what to write.
    pub(crate) fn config_path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.config {
            return Ok(path.clone());
        }
        match default_config() {
            Some(path) => Ok(path),
            None => bail!(WHAT_TO_WRITE),
        }
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// When there is none or it has problems.
    pub(crate) fn config(&self) -> Result<Config> {
        Ok(Config::load(&self.config_path()?)?)
    }

    /// The configuration if one is there: commands on the data directory alone do not need it, but a broken one that was
    /// named is an error.
    ///
    /// # Errors
    /// When a configuration is there and has problems.
    pub(crate) fn config_if_any(&self) -> Result<Option<Config>> {
        match (&self.config, &self.data_dir) {
            (Some(path), _) => Ok(Some(Config::load(path)?)),
            // A data directory that was named is enough; an unrelated ./sallyport.yaml must not get in the way.
            (None, Some(_)) => Ok(None),
            (None, None) => default_config().map(|path| Config::load(&path)).transpose().map_err(Into::into),
        }
    }

    /// The data directory, without reading a configuration that was not named when a directory was.
    ///
    /// # Errors
    /// When a configuration must be read for it and has problems.
    pub(crate) fn data_dir(&self) -> Result<PathBuf> {
        let config = if self.data_dir.is_some() { None } else { self.config_if_any()? };
        self.data_dir_of(config.as_ref())
    }

    /// The data directory for a configuration that was read.
    ///
    /// # Errors
    /// When no place can be found.
    pub(crate) fn data_dir_of(&self, config: Option<&Config>) -> Result<PathBuf> {
        let named = self.data_dir.clone().or_else(|| config.and_then(|config| config.data_dir.clone()));
        let path = named.map_or_else(usual_data_dir, Ok)?;
        // Absolute, so that what is printed can be used from anywhere.
        std::path::absolute(&path).with_context(|| format!("{}: find it", path.display()))
    }
}

fn default_config() -> Option<PathBuf> {
    [Path::new("sallyport.yaml"), Path::new("/etc/sallyport")]
        .into_iter()
        .find(|path| path.exists())
        .map(Path::to_owned)
}

fn usual_data_dir() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/sallyport"));
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(state) = set("XDG_STATE_HOME") {
        return Ok(state.join("sallyport"));
    }
    match set("HOME") {
        Some(home) => Ok(home.join(".local/state/sallyport")),
        None => bail!(
            "no data directory: pass --data-dir DIR, set SALLYPORT_DATA_DIR, or write `data_dir:` in the configuration"
        ),
    }
}
