//! Changes that are not committed before their limits are checked.
//!
//! | the client sends | the gateway |
//! |---|---|
//! | a simple query outside of a transaction | sends BEGIN before it; keeps its end back; then COMMIT, or ROLLBACK and the refusal |
//! | a simple query in a transaction | keeps its end back; where a limit is passed the target's transaction is failed |
//! | Execute | keeps its end and whatever follows back, Sync above all; where a limit is passed the target is made to skip to Sync |
//!
//! How many rows changed: what the completion tags say, or, where triggers, cascades, functions or parts of a statement change more than
//! those tell, the target's own counters of this transaction, before and after.

use gate::{Asked, Flow, Refusal};

use super::expect::{Expect, Own};
use super::target::Owner;
use super::{End, Relay, Step};
use crate::answer;
use crate::classify::Text;
use crate::wire::frontend::Subject;
use crate::wire::{Backend, Frame, TransactionStatus, encode};

/// Rows inserted, updated and deleted by the transaction so far, in all tables that are not the server's own. Every name has its schema: the
/// session's path is the client's to set.
const COUNT: &str = "SELECT COALESCE(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) \
     OPERATOR(pg_catalog.+) pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) \
     OPERATOR(pg_catalog.+) pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)), 0)::pg_catalog.int8 \
     FROM pg_catalog.pg_class c WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog.\"char\"[]) \
     AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid";
/// A name for the question between a client's own statements and portals, which no client chooses.
const QUESTION: &str = "sallyport count";
/// What the client is told when the counters cannot be read.
const UNCOUNTED: &str = "the rows that it changes cannot be counted";

/// A change on its way.
#[derive(Default)]
pub(super) struct Guard {
    /// The gateway opened the transaction, so it ends it.
    began: bool,
    /// It came as Execute.
    extended: bool,
    /// The target's counters are asked, not the completion tags alone.
    counts: bool,
    before: Option<u64>,
    after: Option<u64>,
    /// Rows by completion tags.
    tagged: u64,
    /// Whose change it is, and what the client is not told yet.
    end: Option<Kept>,
    /// The command failed by itself: the client knows.
    failed: bool,
    /// What the client is told in place of the end.
    refusal: Option<Box<Refusal>>,
    /// COMMIT failed; the client knows.
    not_committed: bool,
}

/// The end of a command, kept back.
struct Kept {
    owner: Owner,
    flow: Option<Flow>,
    tag: String,
    frame: Vec<u8>,
    /// The number of the Execute.
    seq: u64,
}

impl Relay {
    /// Whether the client's message has to wait for what a guarded change came to. The data of its COPY goes on.
    pub(super) fn waits_for_guard(&self, tag: u8) -> bool {
        if self.guard.is_none() {
            return false;
        }
        match tag {
            b'd' | b'c' | b'f' | b'X' => false,
            b'S' => !self.copy_accepted,
            _ => true,
        }
    }

    /// Why a text cannot be guarded.
    pub(super) fn unguarded(&self, text: &Text) -> Option<&'static str> {
        if text.analysis.problem.is_some() {
            return Some("a limit on changed rows cannot be checked for what is not understood");
        }
        (text.controls && text.analysis.statements.len() > 1).then_some(
            "a limit on changed rows cannot be checked where one message changes rows and begins or ends a transaction: send them one by one",
        )
    }

    /// Before a guarded simple query is sent.
    pub(super) fn guard_query(&mut self, counted: bool) {
        let began = self.status == TransactionStatus::Idle;
        self.guard = Some(Box::new(Guard { began, counts: !counted, ..Guard::default() }));
        if began {
            self.own_query("BEGIN", Own::Begin);
        }
        if !counted {
            self.own_query(COUNT, Own::Count { after: false, left: 0 });
        }
    }

    /// Before a guarded Execute is sent.
    pub(super) fn guard_execute(&mut self, counted: bool) {
        self.guard = Some(Box::new(Guard { extended: true, counts: !counted, ..Guard::default() }));
        if !counted {
            self.own_count(false);
        }
    }

    fn own_query(&mut self, text: &str, own: Own) {
        let mut message = Vec::new();
        encode::query(&mut message, text);
        self.own_message(message);
        self.queue.push(Expect::Own(own));
    }

    /// Asks for the counters in the middle of the client's extended protocol, under names of the gateway's own.
    fn own_count(&mut self, after: bool) {
        let mut message = Vec::new();
        encode::parse(&mut message, QUESTION, COUNT, &[]);
        encode::bind(&mut message, QUESTION, QUESTION, &[], &[], &[]);
        encode::execute(&mut message, QUESTION, 0);
        encode::close(&mut message, Subject::Portal, QUESTION);
        encode::close(&mut message, Subject::Statement, QUESTION);
        if after {
            encode::flush(&mut message);
        }
        self.own_message(message);
        self.queue.push(Expect::Own(Own::Count { after, left: 2 }));
    }

    fn own_message(&mut self, message: Vec<u8>) {
        // A session that is over ends at the next turn.
        if let Asked::Allow(permitted, _) = self.session.ask_control(message) {
            self.to_target.push(permitted);
        }
    }

    /// One message of the target that answers the gateway's own question; `None` when it is something else.
    pub(super) fn own_answer(&mut self, frame: Frame<'_>) -> Option<Step> {
        let Some(Expect::Own(own)) = self.queue.head() else {
            return None;
        };
        let own = *own;
        match Backend::parse(frame.tag, frame.body) {
            Ok(Backend::DataRow(row)) => {
                let text = row.cells().next().and_then(Result::ok).flatten();
                let count = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                if let (Some(guard), Own::Count { after, .. }) = (&mut self.guard, own) {
                    *(if after { &mut guard.after } else { &mut guard.before }) = count;
                }
                Some(Step::Go)
            }
            Ok(Backend::Error(fields)) => {
                let fatal = fields.severity().is_some_and(|severity| matches!(severity.0, b"FATAL" | b"PANIC"));
                if fatal {
                    return None;
                }
                if own == Own::Commit {
                    if let Some(guard) = &mut self.guard {
                        guard.not_committed = true;
                    }
                    return Some(self.commit_failed(&fields));
                }
                Some(self.own_failed())
            }
            Ok(Backend::Ready(status)) => {
                self.status = status;
                self.queue.pop();
                Some(match own {
                    Own::Begin | Own::Count { after: false, .. } => Step::Go,
                    Own::Count { after: true, .. } => self.decide(),
                    Own::Commit | Own::Rollback => self.conclude(),
                })
            }
            Ok(Backend::CloseComplete) => {
                let last = self.queue.own_closed();
                Some(match (last, own) {
                    (true, Own::Count { after: true, .. }) => self.decide(),
                    _ => Step::Go,
                })
            }
            Ok(
                Backend::RowDescription(_)
                | Backend::CommandComplete(_)
                | Backend::ParseComplete
                | Backend::BindComplete,
            ) => Some(Step::Go),
            Ok(_) | Err(_) => None,
        }
    }

    /// The counters could not be read: what cannot be counted is not committed, and the session ends.
    fn own_failed(&mut self) -> Step {
        let owner = self.guard.as_ref().and_then(|guard| guard.end.as_ref()).map(|kept| &kept.owner);
        let ticket = owner.map(|owner| owner.ticket().clone()).or_else(|| self.queue.ticket());
        match ticket {
            Some(ticket) => Step::End(End::Refused(self.session.uncounted(&ticket, UNCOUNTED))),
            None => Step::End(End::Broken("the target refused the gateway's own question")),
        }
    }

    /// A guarded command completed. `None` when its end is kept back.
    pub(super) fn guarded_end(&mut self, owner: Owner, tag: &str, whole: &[u8]) -> Option<Owner> {
        let Some(guard) = &mut self.guard else {
            return Some(owner);
        };
        guard.tagged = guard.tagged.saturating_add(changed(tag));
        if let Owner::Run(run) = &owner
            && self.active.index + 1 < run.text.analysis.statements.len()
        {
            return Some(owner);
        }
        guard.refusal = self.stopped.take();
        let flow = self.active.flow.take();
        guard.end = Some(Kept { owner, flow, tag: tag.to_owned(), frame: whole.to_vec(), seq: 0 });
        None
    }

    /// After [`guarded_end`](Self::guarded_end) of an Execute.
    pub(super) fn guarded_execute(&mut self) -> Step {
        if let (Some(Expect::Execute { seq, .. }), Some(guard)) = (self.queue.pop(), &mut self.guard)
            && let Some(kept) = &mut guard.end
        {
            kept.seq = seq;
        }
        self.active.copy = None;
        self.copy_accepted = false;
        if self.guard.as_ref().is_some_and(|guard| guard.counts && guard.refusal.is_none()) {
            self.own_count(true);
            return Step::Go;
        }
        self.decide()
    }

    /// A guarded command failed.
    pub(super) fn guarded_failure(&mut self) {
        if let Some(guard) = &mut self.guard {
            guard.failed = true;
            if guard.extended {
                self.guard = None;
            }
        }
    }

    /// The target is ready after a guarded simple query.
    pub(super) fn guarded_ready(&mut self, status: TransactionStatus) -> Step {
        self.status = status;
        match &self.guard {
            Some(guard) if guard.counts && !guard.failed && guard.refusal.is_none() => {
                self.own_query(COUNT, Own::Count { after: true, left: 0 });
                Step::Go
            }
            _ => self.decide(),
        }
    }

    /// Everything is known: on with it, or undone.
    fn decide(&mut self) -> Step {
        let Some(guard) = &mut self.guard else {
            return Step::End(End::Broken("a change without a guard"));
        };
        if !guard.failed && guard.refusal.is_none() {
            let Some(kept) = &guard.end else {
                return Step::End(End::Broken("the target did not end a command"));
            };
            let counted = match (guard.counts, guard.before, guard.after) {
                (false, _, _) => Some(guard.tagged),
                (true, Some(before), Some(after)) => Some(after.saturating_sub(before).max(guard.tagged)),
                (true, _, _) => None,
            };
            guard.refusal = match counted {
                Some(rows) => self.session.affected(kept.owner.ticket(), rows).err(),
                None => Some(self.session.uncounted(kept.owner.ticket(), UNCOUNTED)),
            };
        }
        let undo = guard.failed || guard.refusal.is_some();
        match (guard.began, undo) {
            (true, false) => self.own_query("COMMIT", Own::Commit),
            (true, true) => self.own_query("ROLLBACK", Own::Rollback),
            (false, _) => return self.conclude(),
        }
        Step::Go
    }

    /// The change is committed or undone, or its transaction goes on: the client is told.
    fn conclude(&mut self) -> Step {
        let Some(guard) = self.guard.take() else {
            return Step::End(End::Broken("a change without a guard"));
        };
        let Guard { began, extended, end, failed, refusal, not_committed, .. } = *guard;
        if let Some(Kept { owner, flow, tag, frame, seq }) = end {
            self.active.flow = flow;
            if let Some(refusal) = refusal {
                if let Err(step) = self.finish_refused(&owner, &refusal) {
                    return step;
                }
                // The client's own transaction is failed on the target; of its own, the gateway has undone it.
                if !began {
                    return if extended { self.refuse_extended(&refusal) } else { self.refuse_simple(&refusal) };
                }
                self.scratch.clear();
                answer::refuse(&mut self.scratch, &refusal, false);
                let released = self.session.release(std::mem::take(&mut self.scratch));
                self.to_client.push(released);
            } else if !failed && !not_committed {
                if let Err(step) = self.finish(&owner, &tag, None) {
                    return step;
                }
                self.settle_end(&owner, seq);
                if let Step::End(end) = self.forward(&frame) {
                    return Step::End(end);
                }
            }
        }
        if extended {
            return Step::Go;
        }
        let mut ready = Vec::new();
        encode::ready(&mut ready, self.status);
        self.is_ready(&ready)
    }
}

/// Rows that a completion tag says were changed.
fn changed(tag: &str) -> u64 {
    let mut words = tag.split(' ');
    match words.next() {
        Some("INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY") => {
            words.next_back().and_then(|count| count.parse().ok()).unwrap_or(0)
        }
        Some(_) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn tags_say_how_many_rows_changed() {
        for (tag, rows) in [
            ("INSERT 0 5", 5),
            ("UPDATE 12", 12),
            ("DELETE 0", 0),
            ("MERGE 3", 3),
            ("COPY 7", 7),
            ("SELECT 9", 0),
            ("FETCH 4", 0),
            ("CREATE TABLE AS", 0),
            ("", 0),
        ] {
            assert_eq!(changed(tag), rows, "{tag}");
        }
    }
}
