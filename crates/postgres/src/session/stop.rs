//! Results and commands that pass a limit while they run: what is shown ends there, the target is told to stop, and the client gets the
//! refusal where the end would have been. The session goes on.

use gate::{Flow, Refusal};

use super::target::Owner;
use super::{End, Relay, Step};
use crate::answer;
use crate::wire::TransactionStatus;

/// What a session is being slow about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// The target is at a command.
    Working,
    /// A transaction is open, and the client asks for nothing.
    Idle,
    /// Neither.
    Resting,
}

impl Relay {
    /// What time is counted for.
    pub(crate) fn pace(&self) -> Pace {
        if self.queue.is_busy() && self.copy_in.is_none() {
            Pace::Working
        } else if self.queue.is_empty() && self.status != TransactionStatus::Idle {
            Pace::Idle
        } else {
            Pace::Resting
        }
    }

    /// The command at hand takes too long; false when it was told to stop before.
    pub(crate) fn too_slow(&mut self) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        if let Some(ticket) = self.queue.ticket() {
            self.stopped = Some(self.session.too_slow(&ticket));
            self.stop_wanted = true;
        }
        true
    }

    /// Whether a limit was passed and the command has not ended yet.
    pub(crate) const fn is_stopping(&self) -> bool {
        self.stopped.is_some()
    }

    /// Looks whether a row passed a limit.
    pub(super) fn look_at_limits(&mut self, flow: &Flow) {
        if self.stopped.is_none()
            && let Some(refusal) = flow.cut()
        {
            self.stopped = Some(Box::new(refusal.clone()));
            self.stop_wanted = true;
        }
    }

    pub(super) fn finish_refused(&mut self, owner: &Owner, refusal: &Refusal) -> Result<(), Step> {
        let text = format!("{}; {}", refusal.headline(), refusal.detail());
        self.finish(owner, "", Some((answer::sqlstate(refusal.kind), &text)))
    }

    /// A command that passed a limit completed before the target heard that it should stop.
    pub(super) fn stopped_late(&mut self, owner: &Owner, refusal: &Refusal) -> Step {
        if let Err(step) = self.finish_refused(owner, refusal) {
            return step;
        }
        let alone = match owner {
            Owner::Run(run) => self.active.index + 1 == run.text.analysis.statements.len(),
            Owner::Portal(_) => self.queue.only_sync_follows(),
        };
        if !alone {
            // More of the same message follows, and no client expects anything after an error.
            return Step::End(End::Refused(Box::new(refusal.clone())));
        }
        if matches!(owner, Owner::Portal(_)) {
            self.queue.pop();
            self.skipping |= !self.queue.has_sync();
        }
        self.scratch.clear();
        answer::refuse(&mut self.scratch, refusal, false);
        let released = self.session.release(std::mem::take(&mut self.scratch));
        self.to_client.push(released);
        Step::Go
    }
}
