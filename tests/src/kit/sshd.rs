//! An OpenSSH server with its own keys and port, for the user that runs the tests.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Running, free_port, output, tail, wait_for};

/// Where Debian's OpenSSH has its server; it wants to be called by its whole path.
const SSHD: &str = "/usr/sbin/sshd";

/// A running server. Dropping it stops it and removes its keys.
pub struct Sshd {
    running: Running,
    home: TempDir,
    port: u16,
}

impl Sshd {
    /// Makes keys and starts the server on a free port of loopback.
    ///
    /// # Errors
    /// When it is not installed or does not come up; the message carries the end of its log.
    pub fn start() -> Result<Self> {
        let home = tempfile::Builder::new().prefix("sallyport-sshd-").tempdir().context("make a directory")?;
        for name in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.path().join(name));
            output(&mut keygen, "ssh-keygen")?;
        }
        // As root, sshd separates its privileges and wants this directory.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
        }
        let port = free_port()?;
        fs::write(home.path().join("config"), config(home.path(), port))?;
        let mut command = Command::new(SSHD);
        command.arg("-D").arg("-e").arg("-f").arg(home.path().join("config"));
        let log = home.path().join("sshd.log");
        let mut running = Running::start(command, &log, Signal::TERM, "sshd")?;
        wait_for("sshd", Duration::from_secs(10), || {
            if let Some(status) = running.ended()? {
                let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
                bail!("sshd ended at once with {status}:\n{}", tail(&text, 10));
            }
            Ok(listens(port))
        })?;
        Ok(Self { running, home, port })
    }

    /// Its port on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A directory for files of the tests; nobody else looks into it.
    pub fn files(&self) -> PathBuf {
        self.home.path().join("files")
    }

    /// A directory of programs that its users' shells find first.
    pub fn programs(&self) -> PathBuf {
        self.home.path().join("bin")
    }

    /// What it logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(self.home.path().join("sshd.log")).context("read sshd's log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The private key that it lets in, in OpenSSH's format.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn user_key(&self) -> Result<String> {
        fs::read_to_string(self.home.path().join("user")).context("read the user's key")
    }

    /// Lets in whoever has this key, too.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn authorize(&self, public_line: &str) -> Result<()> {
        let path = self.home.path().join("user.pub");
        let known = fs::read_to_string(&path).context("read the keys")?;
        fs::write(path, format!("{}\n{public_line}\n", known.trim_end())).context("write the keys")
    }

    /// Proves itself with the key of this file from here on.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn prove_by(&self, key: &str) -> Result<()> {
        let path = self.home.path().join("config");
        let text = fs::read_to_string(&path).context("read sshd's configuration")?;
        let known = format!("HostKey {}/host\n", self.home.path().display());
        fs::write(path, text.replace(&known, &format!("HostKey {key}\n"))).context("write sshd's configuration")?;
        self.running.signal(Signal::HUP)?;
        // It closes its socket and executes itself again.
        std::thread::sleep(Duration::from_millis(300));
        wait_for("sshd", Duration::from_secs(10), || Ok(listens(self.port)))
    }

    /// Its public host key, as one line.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn host_key(&self) -> Result<String> {
        Ok(fs::read_to_string(self.home.path().join("host.pub")).context("read the host key")?.trim().to_owned())
    }

    /// Lets in whom this authority certifies.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn trust(&self, authority: &str) -> Result<()> {
        fs::write(self.home.path().join("user_ca.pub"), format!("{authority}\n")).context("write the authority")
    }

    /// A target of the gateway's configuration: this server, known by its key, with one role whose key is in `SSH_KEY`.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn target(&self, name: &str) -> Result<String> {
        let key = fs::read_to_string(self.home.path().join("host.pub")).context("read the host key")?;
        Ok(format!(
            "  - name: {name}\n    kind: ssh\n    address: 127.0.0.1:{}\n    host_keys: [\"{}\"]\n    labels: {{ env: prod }}\n    \
             roles:\n      ops: {{ user: {}, password: {{ env: SSH_KEY }} }}\n",
            self.port,
            key.trim(),
            user()?,
        ))
    }
}

#[expect(clippy::disallowed_methods, reason = "a server of the tests, which no grant is for")]
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The user that runs the tests.
///
/// # Errors
/// When the system cannot say.
pub fn user() -> Result<String> {
    Ok(output(Command::new("id").arg("-un"), "id")?.trim().to_owned())
}

fn config(home: &Path, port: u16) -> String {
    let _made = (fs::create_dir(home.join("files")), fs::create_dir(home.join("bin")));
    let home = home.display();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nUsePAM no\nPermitRootLogin \
         prohibit-password\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\nAcceptEnv LANG LC_*\nMaxSessions 100\nMaxStartups \
         200:30:400\nLogLevel VERBOSE\nTrustedUserCAKeys {home}/user_ca.pub\nSetEnv HOME={home} \
         PATH={home}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n"
    )
}
