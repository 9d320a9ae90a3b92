//! Where the suite runs: a copy of its files, programs of ours before its own, and, for a run through the gateway, what it dials.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::inetd::Inetd;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::process::{free_port, output};
use crate::kit::sshd::user;

/// Where Debian's package `openssh-tests` puts the suite.
const SUITE: &str = "/usr/lib/openssh/regress";
/// What stands in for programs of the suite.
const PROGRAMS: [(&str, &str); 4] = [
    ("ssh", include_str!("programs/ssh.sh")),
    ("sshd", include_str!("programs/sshd.sh")),
    ("sftp", include_str!("programs/files.sh")),
    ("scp", include_str!("programs/files.sh")),
];
/// What the gateway speaks, for the tests that ask the client for everything that it knows.
const KEX: &str =
    "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521";
const CIPHERS: &str = "aes256-gcm@openssh.com aes128-gcm@openssh.com chacha20-poly1305@openssh.com";
const MACS: &str = "hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com";
/// Everything is allowed, tunnels to and from everywhere too.
const POLICY: &str = "\
rules:
  - { name: everything, who: { groups: [agents] }, do: any, then: allow }
  - { name: tunnels, who: { groups: [agents] }, do: [tunnel], objects: [\"host:*\", \"path:/*\", \"path:listen:*\"], then: allow }
";

/// Before a line that says what a test tries.
pub(super) const TRIED: &str = "TRIED: ";
/// Before a line that says what failed.
pub(super) const FAILED: &str = "FAILED: ";

/// A folder in which the suite can run. Dropping it ends what it dials and removes it.
pub(super) struct Place {
    home: TempDir,
    port: u16,
    through: Option<Through>,
}

struct Through {
    _gateway: Gateway,
    _proxied: Inetd,
    behind: u16,
}

impl Place {
    /// Copies the suite, and starts the gateway unless the run is to be a direct one.
    pub(super) fn make(direct: bool) -> Result<Self> {
        if !Path::new(SUITE).join("test-exec.sh").is_file() {
            bail!("OpenSSH's tests are missing: `cargo xtask ensure regress` (Debian: openssh-tests)");
        }
        let home = tempfile::Builder::new().prefix("sallyport-openssh-").tempdir().context("make a directory")?;
        let obj = home.path().join("regress");
        output(Command::new("cp").arg("-a").arg(SUITE).arg(&obj), "copy the suite")?;
        mark(&obj.join("test-exec.sh"))?;
        let bin = home.path().join("bin");
        fs::create_dir(&bin)?;
        for (name, text) in PROGRAMS {
            program(&bin.join(name), text)?;
        }
        // The suite makes a key of each kind where there is none, and uses them both as users' and as hosts' keys.
        let key = obj.join("ssh-ed25519");
        output(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key), "ssh-keygen")?;
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
        }
        let mut place = Self { home, port: free_port()?, through: None };
        if !direct {
            place.before_gateway(&key)?;
        }
        Ok(place)
    }

    /// The folder of the suite, in which it also works.
    pub(super) fn obj(&self) -> PathBuf {
        self.home.path().join("regress")
    }

    /// Two targets: servers that a test starts as a daemon, and those that it starts for one connection.
    fn before_gateway(&mut self, key: &Path) -> Result<()> {
        let proxied = Inetd::start(&self.obj())?;
        let behind = free_port()?;
        let public = fs::read_to_string(key.with_extension("pub")).context("read the key")?;
        let mut options = gateway::Options::new(1, "none", POLICY);
        for (name, port) in [("daemon", behind), ("proxied", proxied.port())] {
            options.targets.push_str(&format!(
                "  - name: {name}\n    kind: ssh\n    address: 127.0.0.1:{port}\n    host_keys: [\"{}\"]\n    roles: {{ ops: {{ user: {}, \
                 password: {{ env: SSH_KEY }} }} }}\n",
                public.trim(),
                user()?,
            ));
        }
        options.env = vec![("SSH_KEY".to_owned(), fs::read_to_string(key).context("read the key")?)];
        let gateway = Gateway::start(&options)?;
        let tokens = ["daemon", "proxied"].map(|target| gateway.token_for(&Who::agent("regress"), target));
        let [daemon, through] = tokens;
        // The question that ssh asks names the user, and so the target.
        let ask = format!("#!/bin/sh\ncase \"$1\" in daemon@*) echo {} ;; *) echo {} ;; esac\n", daemon?, through?);
        program(&self.askpass(), &ask)?;
        self.port = gateway.ssh()?;
        self.through = Some(Through { _gateway: gateway, _proxied: proxied, behind });
        Ok(())
    }

    fn askpass(&self) -> PathBuf {
        self.home.path().join("askpass")
    }

    /// The command line of one test.
    pub(super) fn command(&self, test: &str) -> Command {
        let (obj, bin) = (self.obj(), self.home.path().join("bin"));
        let mut command = Command::new("sh");
        command.arg("test-exec.sh").arg(&obj).arg(obj.join(format!("{test}.sh"))).current_dir(&obj);
        command.env("OBJ", &obj).env("BUILDDIR", &obj).env("TEST_SHELL", "sh").env("SUDO", "");
        command.env("TEST_SSH_PORT", self.port.to_string()).env("TEST_SSH_UNSAFE_PERMISSIONS", "1");
        command.env("TEST_SSH_SFTPSERVER", "/usr/lib/openssh/sftp-server").env("SUITE_OBJ", &obj);
        command.env("TEST_SSH_SFTP", bin.join("sftp")).env("TEST_SSH_SCP", bin.join("scp"));
        if let Some(through) = &self.through {
            command.env("TEST_SSH_SSH", bin.join("ssh")).env("TEST_SSH_SSHD", bin.join("sshd"));
            command.env("SUITE_ASKPASS", self.askpass()).env("SUITE_PORT", self.port.to_string());
            command.env("SUITE_BEHIND", through.behind.to_string());
            command.env("SUITE_KEX", KEX).env("SUITE_CIPHERS", CIPHERS).env("SUITE_MACS", MACS);
        }
        command
    }

    /// Ends a server that a test left behind.
    pub(super) fn sweep(&self) {
        let Ok(text) = fs::read_to_string(self.obj().join("pidfile")) else { return };
        if let Ok(id) = text.trim().parse() {
            let _gone = crate::kit::process::signal_pid(id, crate::kit::process::TERM);
        }
        let _removed = fs::remove_file(self.obj().join("pidfile"));
    }
}

/// The suite prints attempts and failures alike; marked, they can be told apart.
fn mark(script: &Path) -> Result<()> {
    let text = fs::read_to_string(script).context("read the suite's script")?;
    let marked = text
        .replace("\"Xyes\" ]; then\n\t\techo \"$@\"", &format!("\"Xyes\" ]; then\n\t\techo \"{TRIED}$@\""))
        .replace("RESULT=1\n\techo \"$@\"", &format!("RESULT=1\n\techo \"{FAILED}$@\""));
    if marked.matches(TRIED).count() != 2 || marked.matches(FAILED).count() != 1 {
        bail!("the suite's test-exec.sh is another than is known here");
    }
    fs::write(script, marked).context("mark the suite's lines")
}

fn program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("make {} a program", path.display()))
}
