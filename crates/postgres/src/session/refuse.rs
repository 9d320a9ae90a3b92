//! How a refusal reaches the client: in order, and with the target in the state that a real error would leave.

use gate::{Asked, Refusal};

use super::expect::Expect;
use super::{End, Relay, Step};
use crate::answer;
use crate::wire::{TransactionStatus, encode};

/// No grammar accepts this text, in any state of a transaction; it tells the target's log what happened.
const NEVER_PARSES: &str = "refused by sallyport";
/// The statement name of a refused Parse. It never comes to exist.
const NEVER_EXISTS: &str = "sallyport refused";

impl Relay {
    /// Refuses a simple query.
    pub(super) fn refuse_simple(&mut self, refusal: &Refusal) -> Step {
        self.scratch.clear();
        answer::refuse(&mut self.scratch, refusal, false);
        self.answer_simple()
    }

    /// Answers a simple query with the error in `scratch`.
    pub(super) fn answer_simple(&mut self) -> Step {
        let mut error = std::mem::take(&mut self.scratch);
        if self.quiet() {
            encode::ready(&mut error, TransactionStatus::Idle);
            let released = self.session.release(error);
            self.to_client.push(released);
            return Step::Go;
        }
        let mut message = Vec::new();
        encode::query(&mut message, NEVER_PARSES);
        self.provoke(message, Expect::Refused { answer: error, simple: true })
    }

    /// Refuses a message of the extended protocol: it and everything up to Sync does not happen.
    pub(super) fn refuse_extended(&mut self, refusal: &Refusal) -> Step {
        self.scratch.clear();
        answer::refuse(&mut self.scratch, refusal, false);
        self.answer_extended()
    }

    /// An error that the target itself would have given to a message of the extended protocol.
    pub(super) fn error_extended(&mut self, sqlstate: &str, message: &str) -> Step {
        self.scratch.clear();
        answer::error(&mut self.scratch, sqlstate, message);
        self.answer_extended()
    }

    fn answer_extended(&mut self) -> Step {
        let answer = std::mem::take(&mut self.scratch);
        let mut message = Vec::new();
        encode::parse(&mut message, NEVER_EXISTS, NEVER_PARSES, &[]);
        self.skipping = true;
        self.unsynced = true;
        self.provoke(message, Expect::Refused { answer, simple: false })
    }

    fn provoke(&mut self, message: Vec<u8>, expect: Expect) -> Step {
        match self.session.ask_control(message) {
            Asked::Allow(permitted, _) => {
                self.to_target.push(permitted);
                self.queue.push(expect);
                Step::Go
            }
            Asked::Deny(refusal) | Asked::Close(refusal) => Step::End(End::Refused(refusal)),
            Asked::Hold(_) => Step::End(End::Broken("a control message was held")),
        }
    }

    /// Passes a message that asks for nothing by itself.
    pub(super) fn pass(&mut self, whole: &[u8], expect: Option<Expect>) -> Step {
        match self.session.ask_control(whole) {
            Asked::Allow(permitted, _) => {
                self.to_target.push(permitted);
                if let Some(expect) = expect {
                    self.queue.push(expect);
                }
                Step::Go
            }
            Asked::Deny(refusal) | Asked::Close(refusal) => Step::End(End::Refused(refusal)),
            Asked::Hold(_) => Step::End(End::Broken("a control message was held")),
        }
    }

    /// Asks the target to send the answers it has, so that a long pipeline without Sync cannot stand still.
    pub(crate) fn ask_to_flush(&mut self) {
        let mut flush = Vec::new();
        encode::flush(&mut flush);
        if let Asked::Allow(permitted, _) = self.session.ask_control(flush) {
            self.to_target.push(permitted);
        }
    }

    /// Tells the target that the session is over.
    pub(crate) fn say_goodbye(&mut self) {
        let mut bye = Vec::new();
        encode::terminate(&mut bye);
        if let Asked::Allow(permitted, _) = self.session.ask_control(bye) {
            self.to_target.push(permitted);
        }
    }
}
