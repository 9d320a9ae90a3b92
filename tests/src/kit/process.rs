//! Child processes: found, started as an ordinary user, watched against a deadline, and ended with their owner.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// The polite request to end.
pub const TERM: Signal = Signal::TERM;

/// A running child. Dropping it ends it: a polite signal, then, after [`GRACE`], SIGKILL.
pub struct Running {
    child: Child,
    stop: Signal,
    what: String,
}

/// How long a child may take to end by itself when its owner goes.
pub const GRACE: Duration = Duration::from_secs(10);

impl Running {
    /// Starts `command` with its output going to `log`. `stop` is the signal that asks it to end.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(mut command: Command, log: &Path, stop: Signal, what: &str) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("open the log of {what}: {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {what}: {:?}", command.get_program()))?;
        Ok(Self { child, stop, what: what.to_owned() })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says whether it still runs, and with which status it ended if not.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("ask whether {} runs", self.what))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_pid(self.child.id(), signal).with_context(|| format!("signal {}", self.what))
    }

    /// Kills it as a power cut would (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// When it is gone already or cannot be waited for.
    pub fn kill9(mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("kill {}", self.what))?;
        self.child.wait().with_context(|| format!("wait for {}", self.what))?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = signal_pid(self.child.id(), self.stop);
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process by its id.
///
/// # Errors
/// When there is no such process or it is not ours.
pub fn signal_pid(id: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(id).context("a process id beyond i32")?;
    let pid = Pid::from_raw(raw).context("process id 0")?;
    Ok(kill_process(pid, signal)?)
}

/// Runs a command to its end and gives its standard output.
///
/// # Errors
/// When it cannot be started or fails; the message carries the end of its output.
pub fn output(command: &mut Command, what: &str) -> Result<String> {
    let out = command.output().with_context(|| format!("start {what}: {:?}", command.get_program()))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        let err = String::from_utf8_lossy(&out.stderr);
        bail!("{what} ended with {}:\n{}{}", out.status, tail(&text, 20), tail(&err, 20));
    }
    Ok(text)
}

/// Runs a command to its end, but no longer than `limit`, with both outputs in one text.
///
/// # Errors
/// When it cannot be started or watched. A command that ran out of time is killed and gives `None` as its status.
pub fn bounded(command: &mut Command, limit: Duration, what: &str) -> Result<(Option<ExitStatus>, String)> {
    let mut log = tempfile::tempfile().context("make a file for output")?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("start {what}: {:?}", command.get_program()))?;
    let until = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(0))?;
    log.read_to_end(&mut bytes)?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// Waits until `ready` says yes.
///
/// # Errors
/// When `limit` passes first, or `ready` itself fails.
pub fn wait_for(what: &str, limit: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let until = Instant::now() + limit;
    loop {
        if ready()? {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("{what} was not ready within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A TCP port of loopback that was free a moment ago.
///
/// # Errors
/// When no port can be bound.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).context("bind a free port")?.local_addr()?.port())
}

/// Finds a program: first in `places`, then in PATH.
pub fn find(program: &str, places: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.iter().cloned().chain(std::env::split_paths(&path)).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The last `lines` lines of a text, for error messages.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let start = all.len().saturating_sub(lines);
    let mut out = all.get(start..).unwrap_or_default().join("\n");
    out.push('\n');
    out
}

/// An ordinary user of this machine, for servers that refuse to run as root.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Account {
    /// `None` when this process is not root already; else `postgres`, or `nobody`.
    ///
    /// # Errors
    /// When root has neither user to fall back to.
    pub fn for_servers() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").context("read the users of this machine")?;
        for name in ["postgres", "nobody"] {
            let line = passwd.lines().find(|line| line.split(':').next() == Some(name));
            let mut fields = line.unwrap_or_default().split(':').skip(2);
            let uid = fields.next().and_then(|text| text.parse().ok());
            let gid = fields.next().and_then(|text| text.parse().ok());
            if let (Some(uid), Some(gid)) = (uid, gid) {
                return Ok(Some(Self { uid, gid }));
            }
        }
        bail!("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")
    }

    /// A command for `program` that runs as `account`, or as this process when there is none.
    pub fn command(account: Option<Self>, program: &Path) -> Command {
        let Some(Self { uid, gid }) = account else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            .arg("--clear-groups")
            .arg("--")
            .arg(program);
        command
    }

    /// Gives a file or directory to `account`.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn give(account: Option<Self>, path: &Path) -> Result<()> {
        if let Some(Self { uid, gid }) = account {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .with_context(|| format!("give away {}", path.display()))?;
        }
        Ok(())
    }
}
