//! A server, the gateway before it, and stock clients that go to either.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::sshd::{Sshd, user};
use tempfile::TempDir;

use crate::rate::mib;
use crate::usage;

/// Everything is allowed, judged, recorded, and looked through for secrets.
const POLICY: &str = "rules:\n  - { name: all, who: { groups: [agents] }, do: [connect, session, read, write, create, delete, destroy, alter, admin, execute, unknown], then: allow }\nmasks:\n  - { name: secrets, who: any, detect: [email, card, secret], with: redact }\n";

/// The ways, the direct one first.
pub(crate) const WAYS: [&str; 2] = ["direct", "gateway"];

pub(crate) struct World {
    gateway: Gateway,
    home: TempDir,
    server: Sshd,
}

impl World {
    pub(crate) fn start() -> Result<Self> {
        let server = Sshd::start()?;
        let mut options = Options::new(1, "none", POLICY);
        options.targets = server.target("web-1")?;
        options.env = vec![("SSH_KEY".to_owned(), server.user_key()?)];
        let gateway = Gateway::start(&options)?;
        // In memory where there is such a place: a disk is not what is measured.
        let shared = Path::new("/dev/shm");
        let home =
            if shared.is_dir() { TempDir::new_in(shared) } else { TempDir::new() }.context("make a directory")?;
        let world = Self { gateway, home, server };
        world.set_up()?;
        Ok(world)
    }

    fn set_up(&self) -> Result<()> {
        let token = self.gateway.token_for(&Who::agent("bench"), "web-1")?;
        let ask = self.file("askpass");
        fs::write(&ask, format!("#!/bin/sh\necho {token}\n"))?;
        fs::set_permissions(&ask, fs::Permissions::from_mode(0o700))?;
        let key = self.file("key");
        fs::write(&key, self.server.user_key()?)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let common = "  HostName 127.0.0.1\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  IdentitiesOnly yes\n";
        let config = format!(
            "Host direct\n{common}  Port {}\n  User {}\n  IdentityFile {}\nHost gateway\n{common}  Port {}\n  User web-1\n  PubkeyAuthentication no\n",
            self.server.port(),
            user()?,
            key.display(),
            self.gateway.ssh()?,
        );
        fs::write(self.file("config"), config).context("write the clients' configuration")
    }

    /// A file of the benchmark's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A stock client.
    pub(crate) fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-F").arg(self.file("config"));
        command.env("SSH_ASKPASS", self.file("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        command
    }

    /// The gateway's CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.gateway.id())
    }

    /// The gateway's peak of resident memory so far, in MiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        Ok(mib(usage::memory(self.gateway.id(), "VmHWM")?))
    }

    /// The gateway's resident memory now, in KiB.
    pub(crate) fn resident(&self) -> Result<u64> {
        usage::memory(self.gateway.id(), "VmRSS")
    }
}
