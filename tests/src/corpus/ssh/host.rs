//! The host of the SSH cases: a real sshd among files of its own.
//!
//! The cases delete, plant keys and write start-up files, so the server lives in a mount and process namespace in which `/srv`, `/home`,
//! `/root`, `/etc`, `/tmp`, `/var/log` and `/var/spool/cron` are copies that belong to the test. Its login shell notes what it is asked to
//! run and with which environment, then hands over to bash; sshd's log says which requests came. So what reached the host is known from
//! the host itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use super::files;
use crate::kit::process::{Running, free_port, output, tail, wait_for};

/// The password of the host's user, for clients that come without a gateway.
pub const PASSWORD: &str = "corpus";
/// The host's user.
pub const USER: &str = "root";
/// Where a directory of the world appears on the host.
const PLACES: [(&str, &str); 7] = [
    ("srv", "/srv"),
    ("home", "/home"),
    ("root", "/root"),
    ("etc", "/etc"),
    ("log", "/var/log"),
    ("cron", "/var/spool/cron"),
    ("tmp", "/tmp"),
];

/// One program that a login shell was asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// The text behind `-c`; `None` for a shell without one.
    pub text: Option<Vec<u8>>,
    /// `NAME=VALUE` of its environment.
    pub env: Vec<Vec<u8>>,
}

/// The running host.
pub struct Host {
    running: Running,
    home: TempDir,
    port: u16,
    before: BTreeMap<PathBuf, String>,
}

impl Host {
    /// Makes the world and starts the server in it.
    ///
    /// # Errors
    /// Without the right to make namespaces (root), or when the server does not come up.
    #[expect(clippy::disallowed_methods, reason = "a server of the tests, which no grant is for")]
    pub fn start() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("the SSH cases need a host of their own, and so the right to make a mount namespace: run as root");
        }
        let home = tempfile::Builder::new().prefix("sallyport-host-").tempdir().context("make a directory")?;
        let port = free_port()?;
        prepare(home.path(), port)?;
        restore(home.path())?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-e"]);
        command.arg(home.path().join("enter"));
        let log = home.path().join("sshd.log");
        let mut running = Running::start(command, &log, Signal::KILL, "the host's sshd")?;
        wait_for("the host's sshd", Duration::from_secs(10), || {
            if let Some(status) = running.ended()? {
                let text = fs::read_to_string(&log).unwrap_or_default();
                bail!("the host ended at once with {status}:\n{}", tail(&text, 10));
            }
            Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        let mut host = Self { running, home, port, before: BTreeMap::new() };
        host.before = host.state()?;
        Ok(host)
    }

    /// Its port on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The private key that it lets in.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn user_key(&self) -> Result<String> {
        fs::read_to_string(self.home.path().join("user")).context("read the user's key")
    }

    /// A target of the gateway's configuration, whose key is in `SSH_KEY`.
    ///
    /// # Errors
    /// When the host key cannot be read.
    pub fn target(&self, name: &str) -> Result<String> {
        let key = fs::read_to_string(self.home.path().join("host.pub")).context("read the host key")?;
        Ok(format!(
            "  - name: {name}\n    kind: ssh\n    address: 127.0.0.1:{}\n    host_keys: [\"{}\"]\n    labels: {{ env: prod }}\n    roles:\n      \
             ops: {{ user: {USER}, password: {{ env: SSH_KEY }} }}\n",
            self.port,
            key.trim()
        ))
    }

    /// The world as it was at the start; what the shell noted is forgotten.
    ///
    /// # Errors
    /// When files cannot be copied.
    pub fn restore(&self) -> Result<()> {
        restore(self.home.path())
    }

    /// Whether the world is as it was at the start, and if not, what is different.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn changes(&self) -> Result<Vec<String>> {
        let now = self.state()?;
        let gone =
            self.before.keys().filter(|path| !now.contains_key(*path)).map(|path| format!("gone: {}", shown(path)));
        let other = now.iter().filter(|(path, state)| self.before.get(*path) != Some(*state));
        Ok(gone.chain(other.map(|(path, _)| format!("made or changed: {}", shown(path)))).collect())
    }

    /// Every program that a login shell was asked to run since the last [`Host::restore`].
    ///
    /// # Errors
    /// When the notes cannot be read.
    pub fn ran(&self) -> Result<Vec<Ran>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.home.path().join("ran"))? {
            let path = entry?.path();
            if path.extension().is_none_or(|end| end != "env") {
                continue;
            }
            let words = |path: &Path| -> Result<Vec<Vec<u8>>> {
                Ok(fs::read(path)?.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
            };
            let args = words(&path.with_extension("args"))?;
            let text = (args.first().map(Vec::as_slice) == Some(b"-c")).then(|| args.get(1).cloned()).flatten();
            all.push(Ran { text, env: words(&path)? });
        }
        Ok(all)
    }

    /// How long sshd's log is now, for [`Host::log_from`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log_length(&self) -> Result<usize> {
        Ok(self.log_from(0)?.len())
    }

    /// The log of sshd and of its SFTP server behind a length.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log_from(&self, from: usize) -> Result<String> {
        let bytes = fs::read(self.home.path().join("sshd.log")).context("read sshd's log")?;
        Ok(String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned())
    }

    /// Whether a command of the oracle succeeds on the host.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn holds(&self, command: &str) -> Result<bool> {
        let id = self.running.id();
        let children =
            fs::read_to_string(format!("/proc/{id}/task/{id}/children")).context("find the host's process")?;
        let child = children.split_whitespace().next().context("the host has no process")?;
        let mut enter = Command::new("nsenter");
        enter.args(["--target", child, "--mount", "--pid", "/bin/sh", "-c", command]);
        Ok(enter.output().context("nsenter")?.status.success())
    }

    fn state(&self) -> Result<BTreeMap<PathBuf, String>> {
        let root = self.home.path().join("world");
        let mut all = BTreeMap::new();
        walk(&root, &root, &mut all)?;
        Ok(all)
    }
}

fn restore(home: &Path) -> Result<()> {
    let mut copy = Command::new("rsync");
    copy.args(["-a", "--delete", "--checksum", "--exclude=/tmp/sallyport-host-*"]);
    copy.arg(format!("{}/template/", home.display())).arg(format!("{}/world/", home.display()));
    output(&mut copy, "rsync")?;
    let noted = home.join("ran");
    fs::remove_dir_all(&noted)?;
    fs::create_dir(&noted).context("forget what ran")
}

/// A path of the world as the host has it.
fn shown(path: &Path) -> String {
    let mut parts = path.components();
    let first = parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    let place = PLACES.iter().find(|(name, _)| *name == first).map_or("?", |(_, place)| place);
    Path::new(place).join(parts.as_path()).display().to_string()
}

/// What sshd, git and the mounts keep for themselves.
fn is_noise(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["lastlog", "wtmp", "btmp"].contains(&&*name) || name.starts_with("sallyport-host-") || path.ends_with(".git/index")
}

fn walk(root: &Path, at: &Path, all: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(at).with_context(|| format!("read {}", at.display()))? {
        let path = entry?.path();
        if is_noise(&path) {
            continue;
        }
        let meta = fs::symlink_metadata(&path)?;
        let mode = meta.permissions().mode();
        let what = if meta.is_symlink() {
            format!("link {}", fs::read_link(&path)?.display())
        } else if meta.is_dir() {
            walk(root, &path, all)?;
            format!("directory {mode:o}")
        } else if meta.is_file() {
            format!("file {mode:o} {:?}", fs::read(&path)?)
        } else {
            format!("other {mode:o}")
        };
        all.insert(path.strip_prefix(root).unwrap_or(&path).to_owned(), what);
    }
    Ok(())
}

/// Keys, configuration, the template of the world, and the script that enters it.
fn prepare(home: &Path, port: u16) -> Result<()> {
    for name in ["host", "user"] {
        let mut keygen = Command::new("ssh-keygen");
        output(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.join(name)), "ssh-keygen")?;
    }
    fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
    for directory in ["ran", "world", "template"] {
        fs::create_dir(home.join(directory))?;
    }
    for (name, _) in PLACES {
        fs::create_dir(home.join("world").join(name))?;
        fs::create_dir(home.join("template").join(name))?;
    }
    let template = home.join("template");
    output(Command::new("cp").arg("-a").arg("/etc/.").arg(template.join("etc")), "copy /etc")?;
    accounts(home, &template.join("etc"))?;
    files::plant(&template)?;
    symlink("/etc/shadow", template.join("log/link-to-shadow"))?;
    fs::set_permissions(template.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::write(home.join("config"), config(home, port))?;
    fs::write(home.join("enter"), enter(home))?;
    Ok(())
}

/// The user's password, and the login shell that notes what it runs.
fn accounts(home: &Path, etc: &Path) -> Result<()> {
    let shell = format!(
        "#!/bin/sh\nnote=$(/usr/bin/mktemp {0}/ran/XXXXXXXX)\nprintf '%s\\0' \"$@\" > \"$note.args\"\n/bin/cat /proc/$$/environ > \"$note.env\"\nexec /bin/bash \"$@\"\n",
        home.display()
    );
    let path = etc.join("noting-shell");
    fs::write(&path, shell)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let hash = output(Command::new("openssl").args(["passwd", "-6", PASSWORD]), "openssl")?;
    let edit = |file: &str, field: usize, value: &str| -> Result<()> {
        let text = fs::read_to_string(etc.join(file))?;
        let lines = text.lines().map(|line| {
            let mut fields: Vec<&str> = line.split(':').collect();
            if fields.first() == Some(&USER)
                && let Some(field) = fields.get_mut(field)
            {
                *field = value;
            }
            fields.join(":") + "\n"
        });
        fs::write(etc.join(file), lines.collect::<String>()).with_context(|| format!("change {file}"))
    };
    edit("passwd", 6, "/etc/noting-shell")?;
    edit("shadow", 1, hash.trim())
}

/// The mounts, then the server. `/tmp` comes last: the directory of the test is probably below it.
fn enter(home: &Path) -> String {
    let home = home.display();
    let mut text = format!("mount --make-rprivate /\nmount --bind {home} /mnt\nmkdir -p /var/spool/cron\n");
    for (name, place) in PLACES {
        text.push_str(&format!("mount --bind /mnt/world/{name} {place}\n"));
    }
    text.push_str(&format!("mkdir -p {home}\nmount --bind /mnt {home}\nexec /usr/sbin/sshd -D -e -f {home}/config\n"));
    text
}

fn config(home: &Path, port: u16) -> String {
    let home = home.display();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nUsePAM no\nPermitRootLogin yes\n\
         PasswordAuthentication yes\nStrictModes no\nPidFile none\nAcceptEnv *\nPermitTunnel yes\nGatewayPorts yes\nAllowStreamLocalForwarding yes\nX11Forwarding yes\nMaxStartups 200:30:400\n\
         LogLevel DEBUG2\nPrintMotd no\nPrintLastLog no\nSetEnv PATH=/etc/stand-ins:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n\
         Subsystem sftp /usr/lib/openssh/sftp-server -l DEBUG3 -e 2>>{home}/sshd.log\n"
    )
}
