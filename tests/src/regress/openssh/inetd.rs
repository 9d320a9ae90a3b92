//! A port behind which every connection gets a server of its own, as the suite's proxy commands do.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

/// Listens until it is dropped.
pub(super) struct Inetd {
    port: u16,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Inetd {
    /// `obj` is the folder of the suite; what its `sshd_proxy` says when a client comes is what counts.
    pub(super) fn start(obj: &Path) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("bind a free port")?;
        let port = listener.local_addr()?.port();
        let ended = Arc::new(AtomicBool::new(false));
        let (obj, flag) = (obj.to_owned(), Arc::clone(&ended));
        let thread = std::thread::spawn(move || accept(&listener, &obj, &flag));
        Ok(Self { port, ended, thread: Some(thread) })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Inetd {
    #[expect(clippy::disallowed_methods, reason = "wakes the listener of the tests, which no grant is for")]
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, obj: &Path, ended: &AtomicBool) {
    for stream in listener.incoming() {
        if ended.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let obj = obj.to_owned();
        // The thread ends with its server, and that with its connection.
        std::thread::spawn(move || serve(stream, &obj));
    }
}

/// The words of test-exec.sh's `proxycommand`.
fn serve(stream: TcpStream, obj: &Path) {
    let Ok(input) = stream.try_clone() else { return };
    let mut command = Command::new("sh");
    let file = |name: &str| -> PathBuf { obj.join(name) };
    command.arg(file("sshd-log-wrapper.sh")).arg(file("sshd.log")).arg("/usr/sbin/sshd").arg("-i").arg("-f");
    command.arg(file("sshd_proxy")).env("SSH_SK_HELPER", "");
    command.stdin(OwnedFd::from(input)).stdout(OwnedFd::from(stream)).stderr(Stdio::null());
    let _status = command.status();
}
