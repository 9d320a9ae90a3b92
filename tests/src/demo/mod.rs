//! `cargo xtask demo`: a real PostgreSQL, the gateway, an agent and a human; a walk through what happens, each command
//! printed as anyone would type it and its real output behind it. Then it stays up, to be tried by hand.
//!
//! Every step checks what it claims: a demo that shows something else than it says ends with an error.
//!
//! - `stage`: the server with its data, the gateway with its policy, the two tokens
//! - `shell`: runs the lines that are printed
//! - `walk`: the steps
//! - `ssh`: the same for SSH

mod shell;
mod ssh;
mod stage;
mod walk;

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::kit::args::Args;
use stage::Stage;

/// What `suite demo --help` prints.
pub const HELP: &str = "\
suite demo [ssh] [--once]

Starts a throwaway PostgreSQL with made-up customers and orders, and the gateway in front of it; walks through a masked read,
a denied DROP, a DELETE that a human approves, and the recordings; then stays up until Ctrl-C and prints what to type.
`demo ssh` does the same with a throwaway OpenSSH server: a masked log, denied commands and files, a change that a human approves.

  --once    end after the walk; status 0 only when every step behaved as it should";

/// Runs `suite demo` and gives the status to exit with.
///
/// # Errors
/// When server or gateway do not start, or a step does not behave as it claims.
pub fn main(mut args: Args) -> Result<i32> {
    let once = args.flag("--once");
    let ssh = args.flag("ssh");
    args.finish()?;
    let stop = Stop::listen()?;
    if ssh {
        return ssh::main(once, &stop);
    }
    println!("Starting a PostgreSQL of our own, and the gateway in front of it ...");
    let stage = Stage::start()?;
    if let Err(error) = walk::walk(&stage, &stop) {
        return Err(error.context(format!(
            "the demo did not behave as it says; the gateway's log ends with:\n{}",
            stage.log_end()
        )));
    }
    if !once {
        stage.invite();
        stop.wait();
        println!("\nStopping; everything of this demo is removed.");
    }
    Ok(0)
}

/// Ctrl-C, `kill` and a closed terminal: so that server and gateway are stopped and their data removed.
struct Stop(Receiver<()>);

impl Stop {
    fn listen() -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().context("make a runtime for signals")?;
        let (asked, stop) = channel();
        let signals = {
            let _inside = runtime.enter();
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let signals: std::io::Result<Vec<_>> = kinds.into_iter().map(signal).collect();
            signals.context("listen to signals")?
        };
        std::thread::spawn(move || {
            runtime.block_on(async move {
                for mut signal in signals {
                    let asked = asked.clone();
                    tokio::spawn(async move { while signal.recv().await.is_some() && asked.send(()).is_ok() {} });
                }
                std::future::pending::<()>().await;
            });
        });
        Ok(Self(stop))
    }

    /// Fails once it was asked for.
    fn check(&self) -> Result<()> {
        match self.0.try_recv() {
            Ok(()) | Err(TryRecvError::Disconnected) => bail!("interrupted"),
            Err(TryRecvError::Empty) => Ok(()),
        }
    }

    fn wait(&self) {
        // An error would mean that nobody listens any more: as good as a signal.
        let _asked = self.0.recv();
    }
}
