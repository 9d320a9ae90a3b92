//! The SSH cases of the corpus: a real sshd on a host of its own, stock `ssh` where it can say what a case says, a raw client elsewhere.
//!
//! - [`host`]: the server and its files, restored before each case; what reached it is asked of itself.
//! - [`files`]: what is on the host: what cases read, what they are after, stand-ins for programs.
//! - [`play`](mod@play): a case's steps by the raw client; [`sftp`]: those about files.
//! - [`stock`]: the same by OpenSSH's client.
//! - [`judge`]: from what happened to an outcome.

pub mod files;
pub mod host;
pub mod judge;
pub mod play;
pub mod sftp;
pub mod stock;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use super::case::Case;
use super::judge::{Judged, Outcome};
use crate::kit::gateway::{Gateway, Options, Who};
use host::{Host, PASSWORD, USER};
use judge::Facts;
use play::{What, play};

/// The target's name, and so the user's name for clients.
const TARGET: &str = "web-1";

/// The world of the SSH cases.
pub struct World {
    host: Host,
    gateway: Option<(Gateway, String)>,
}

impl World {
    /// Starts the host.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start() -> Result<Self> {
        Ok(Self { host: Host::start()?, gateway: None })
    }

    /// From now on cases are played against the bare server.
    pub fn behind_nothing(&mut self) {
        self.gateway = None;
    }

    /// From now on cases are played through a gateway with this policy.
    ///
    /// # Errors
    /// When the gateway does not start or gives no token.
    pub fn behind(&mut self, policy: &str) -> Result<()> {
        self.gateway = None;
        let mut options = Options::new(1, "none", policy);
        options.targets = self.host.target(TARGET)?;
        options.env = vec![("SSH_KEY".to_owned(), self.host.user_key()?)];
        let gateway = Gateway::start(&options)?;
        let token = gateway.token_for(&Who::agent("agent-7"), TARGET)?;
        self.gateway = Some((gateway, token));
        Ok(())
    }

    /// Plays one case on a restored host and judges it.
    ///
    /// # Errors
    /// When the case cannot be played at all.
    pub fn run(&mut self, case: &Case) -> Result<Judged> {
        let set_up = &case.conditions;
        if set_up.superuser || !set_up.inside.is_empty() || set_up.startup_options.is_some() || set_up.copy_in.is_some()
        {
            bail!("a condition that SSH cases do not have");
        }
        self.host.restore()?;
        let from = self.host.log_length()?;
        let (port, user, password) = match &self.gateway {
            Some((gateway, token)) => (gateway.ssh()?, TARGET, token.as_str()),
            None => (self.host.port(), USER, PASSWORD),
        };
        let mut played = match stock::line(case) {
            Some(line) => stock::play(&line, port, user, password)?,
            None => play(case, port, user, password)?,
        };
        let facts = self.facts(case, from)?;
        facts.correct(&mut played);
        let mut judged = judge::judge(case, &played, &facts)?;
        // What sshd refuses by itself proves nothing about an oracle.
        judged.oracle &= self.gateway.is_some() || judged.outcome != Outcome::Refused;
        Ok(judged)
    }

    fn facts(&self, case: &Case, from: usize) -> Result<Facts> {
        let ran = self.host.ran()?;
        let log = self.host.log_from(from)?;
        let query = case.oracle.true_after_bypass.as_ref();
        let file = case.oracle.file_written.as_ref();
        let file = file.map(|path| self.host.holds(&format!("test -e '{}'", path.replace('\'', "'\\''"))));
        Ok(Facts {
            ran,
            requests: requests(&log),
            log,
            changes: self.host.changes()?,
            query: query.map(|command| self.host.holds(command)).transpose().context("the oracle")?,
            file: file.transpose().context("the oracle's file")?.unwrap_or(false),
        })
    }
}

/// The requests and channels that sshd's log says came, by their kind.
fn requests(log: &str) -> BTreeSet<String> {
    let after = |line: &str, mark: &str| {
        let rest = line.split_once(mark)?.1;
        Some(rest.split_whitespace().next().unwrap_or_default().to_owned())
    };
    let marks = ["server_input_global_request: rtype ", "server_input_channel_open: ctype ", " req "];
    log.lines().flat_map(|line| marks.iter().filter_map(move |mark| after(line, mark))).collect()
}

impl Facts {
    /// What a client was not told and the host knows: whether a variable came.
    fn correct(&self, played: &mut play::Played) {
        for step in &mut played.steps {
            if let What::Env(name, value) = &step.what
                && step.answer == play::Answer::Nothing
                && !self.has_env(name, value)
            {
                step.answer = play::Answer::Refused(format!("{name} did not reach the host"));
            }
        }
    }
}
