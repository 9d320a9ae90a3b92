//! What each command does.
//!
//! - [`config`], [`policy`], [`targets`], [`ca`], [`ssh_config`]: read files and try things; [`backtest`]: policies against recorded sessions
//! - [`tokens`], [`secrets`], [`approvals`], [`sessions`], [`files`], [`audit`]: the state, through a running gateway or directly

mod approvals;
mod audit;
mod backtest;
mod ca;
mod config;
mod files;
mod policy;
mod secrets;
mod sessions;
mod ssh_config;
mod targets;
mod tokens;

use std::future::Future;

use anyhow::{Context, Result};

use crate::cli::{Cli, Command};
use crate::output;

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Well.
    Done,
    /// It found what it looked for: problems, a failed case, a changed recording.
    Bad,
    /// It could not look, where that is told apart from what it would have found.
    Unable,
}

impl Outcome {
    /// [`Outcome::Done`] when all is well.
    pub(crate) const fn of(good: bool) -> Self {
        if good { Self::Done } else { Self::Bad }
    }
}

/// Runs one command.
///
/// # Errors
/// What went wrong, where, and what to do.
pub(crate) fn run(cli: Cli) -> Result<Outcome> {
    let global = cli.global;
    match cli.command {
        Command::Serve => crate::serve::run(&global),
        Command::Config(command) => config::run(&global, command),
        Command::Token(token) => wait(tokens::issue(&global, token)),
        Command::Tokens(command) => wait(tokens::run(&global, command)),
        Command::Secrets(command) => wait(secrets::run(&global, command)),
        Command::Targets(command) => wait(targets::run(&global, command)),
        Command::Approvals(command) => wait(approvals::run(&global, command)),
        Command::Sessions(command) => wait(sessions::run(&global, command)),
        Command::Policy(command) => policy::run(&global, command),
        Command::Audit(command) => wait(audit::run(&global, command)),
        Command::Ca(ca) => ca::run(&global, &ca),
        Command::SshConfig(ssh) => ssh_config::run(&global, &ssh),
        Command::Version { json } => version(json),
    }
}

/// Runs a future to its end on a small runtime of its own.
fn wait(future: impl Future<Output = Result<Outcome>>) -> Result<Outcome> {
    runtime()?.block_on(future)
}

/// A small runtime for a command.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().context("start the runtime")
}

fn version(json: bool) -> Result<Outcome> {
    if json {
        output::json(&serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "protocols": crate::protocols::ALL.iter().map(|protocol| protocol.id.0).collect::<Vec<_>>(),
        }))?;
    } else {
        output::line(concat!("sallyport ", env!("CARGO_PKG_VERSION")))?;
    }
    Ok(Outcome::Done)
}
