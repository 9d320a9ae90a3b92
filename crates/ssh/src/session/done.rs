//! What is recorded of operations on files when they are over.

use gate::FileDone;

use super::files::Approved;
use super::{End, Relay, Step};
use crate::sftp::packet::Answer;
use crate::sftp::{Open, Operated, Pending, State};

impl Relay {
    /// Something that was open is closed, or was not opened.
    pub(super) fn closed(&mut self, mut open: Open, outcome: &str) {
        let outcome = &open.outcome(outcome);
        let Some(flow) = open.flow.take() else { return };
        let mut recorded = Ok(());
        for (operation, passed) in open.done() {
            let (size, digest) = (passed.size, passed.digest());
            let done = FileDone { operation, path: &open.path, to: None, size, digest, outcome };
            recorded = recorded.and_then(|()| self.session.file(open.number, &done));
        }
        if let Err(refusal) = recorded.and_then(|()| self.session.finish(flow, outcome, None)) {
            self.failed = Some(refusal);
        }
    }

    /// What is known of an open file was changed.
    pub(super) fn resized_file(&mut self, number: u64, path: &str, size: u64, outcome: &str) -> Step {
        let done = FileDone { operation: "setstat", path, to: None, size, digest: None, outcome };
        self.session.file(number, &done).map_err(End::refused)
    }

    /// An operation that opens nothing has ended.
    pub(super) fn operated(&mut self, operated: Operated, outcome: &str) {
        let Operated { word, path, to, number, flow } = operated;
        let done = FileDone { operation: word, path: &path, to: to.as_deref(), size: 0, digest: None, outcome };
        let recorded = self.session.file(number, &done).and_then(|()| self.session.finish(flow, outcome, None));
        if let Err(refusal) = recorded {
            self.failed = Some(refusal);
        }
    }

    /// The transfer is over: what was under way is recorded as cut.
    pub(super) fn finish_files(&mut self, mut state: State, approved: Option<Box<Approved>>) {
        if let Some(approved) = approved {
            let flow = self.session.begin(&approved.ticket, &approved.asked.intent);
            if let Err(refusal) = self.session.finish(flow, "cut", None) {
                self.failed = Some(refusal);
            }
        }
        let (open, pending) = state.drain();
        for open in open {
            self.closed(open, "cut");
        }
        for pending in pending {
            match pending {
                Pending::Open(open) | Pending::Close { open, .. } => self.closed(*open, "cut"),
                Pending::Operation(operation) => self.operated(*operation, "cut"),
                Pending::Changed { number, path, size } => {
                    if let Err(End::Refused(refusal)) = self.resized_file(number, &path, size, "cut") {
                        self.failed = Some(*refusal);
                    }
                }
                Pending::Where | Pending::Read { .. } | Pending::Write { .. } | Pending::Quiet => {}
            }
        }
    }
}

/// How a request ended, for the recording.
pub(super) fn outcome(answer: &Answer<'_>) -> String {
    match answer {
        Answer::Status { code: 0, .. } => "ok".to_owned(),
        Answer::Status { code: 2, .. } => "no such file".to_owned(),
        Answer::Status { code: 3, .. } => "permission denied".to_owned(),
        Answer::Status { code, .. } => format!("failed with {code}"),
        _ => "ok".to_owned(),
    }
}
