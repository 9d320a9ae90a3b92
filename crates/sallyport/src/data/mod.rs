//! The data directory: what lies where, who may read it, and which gateway runs on it.
//!
//! - [`Layout`]: the places
//! - [`lock`]: one gateway at a time
//! - [`listen`]: where a running gateway listens
//! - [`key`]: small secret files: made once, refused when others can read them

pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod lock;

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Places in the data directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of a directory, which need not exist.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("sallyport.db")
    }

    /// Keys: master key, operator credential, mask key.
    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The credential of the local operator.
    pub(crate) fn operator(&self) -> PathBuf {
        self.keys().join("operator.token")
    }

    /// The key of deterministic masks.
    pub(crate) fn mask_key(&self) -> PathBuf {
        self.keys().join("mask.key")
    }

    /// The key with which the gateway proves itself to SSH clients.
    pub(crate) fn ssh_host_key(&self) -> PathBuf {
        self.keys().join("ssh_host_ed25519_key")
    }

    /// The public key of the authority that certifies the gateway's keys for SSH targets.
    pub(crate) fn ssh_authority(&self) -> PathBuf {
        self.keys().join("ssh_ca.pub")
    }

    /// Host keys of SSH targets that somebody has accepted.
    pub(crate) fn ssh_known(&self) -> ssh::known::KnownKeys {
        ssh::known::KnownKeys::new(self.root.join("ssh_known"))
    }

    /// The gateway's own certificate and its authority.
    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The authority's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.tls().join("ca.pem")
    }

    /// Where a running gateway says where it listens.
    pub(crate) fn listen(&self) -> PathBuf {
        self.root.join("listen.json")
    }

    /// Held by the running gateway.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("gateway.lock")
    }

    /// Makes the directory and those below it for this user alone, and refuses one that others can enter.
    ///
    /// # Errors
    /// When it cannot be made, cannot be written, or is open to others.
    pub(crate) fn prepare(&self) -> Result<()> {
        make_private(&self.root)?;
        make_private(&self.keys())?;
        let probe = self.root.join(format!(".probe-{}", std::process::id()));
        std::fs::write(&probe, b"").map_err(|error| anyhow::anyhow!("{}", cannot_write(&self.root, &error)))?;
        std::fs::remove_file(&probe).with_context(|| format!("{}: remove a probe file", probe.display()))
    }

    /// Refuses a data directory that is not there, for commands that only read.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn require(&self) -> Result<()> {
        if self.root.is_dir() {
            return Ok(());
        }
        bail!(
            "{}: there is no data directory here; pass --data-dir DIR or --config FILE, or start the gateway once with `sallyport serve`",
            self.root.display()
        )
    }
}

/// Makes a directory with mode 0700; an existing one must be ours and closed to others.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| anyhow::anyhow!("{}", cannot_write(path, &error)))?;
    let meta = std::fs::metadata(path).with_context(|| format!("{}: look at the directory", path.display()))?;
    let user = rustix::process::geteuid();
    if meta.uid() != user.as_raw() && !user.is_root() {
        bail!("{}: belongs to another user; run as that user, or name another data directory", path.display());
    }
    if meta.permissions().mode() & 0o022 != 0 {
        bail!("{}: others can write to it; run `chmod 700 {}`", path.display(), path.display());
    }
    if meta.permissions().mode() & 0o055 != 0 {
        // Made by hand, as by `mkdir`: the files in it are private anyway, and closing it surprises nobody.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .map_err(|error| anyhow::anyhow!("{}", cannot_write(path, &error)))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> String {
    let what = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "this user may not write here",
        std::io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        std::io::ErrorKind::StorageFull => "the disk is full",
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => "a file of this name is in the way",
        _ => {
            return format!(
                "{}: cannot be written: {error}; name another data directory with --data-dir",
                path.display()
            );
        }
    };
    format!(
        "{}: cannot be written: {what}; change that, or name another data directory with --data-dir",
        path.display()
    )
}
