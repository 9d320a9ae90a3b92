//! Held commands: what they ask to see in clear, and how they go on when the wait is over.

use std::rc::Rc;
use std::sync::Arc;

use gate::{Asked, Ended, Refusal, RefusalKind};
use model::{ApprovalId, Command, Intent, Unmask};

use super::client::Bound;
use super::prepared::Prepared;
use super::{End, Parked, Relay, Step, Then};
use crate::classify::{self, Text};
use crate::unmask::{self, Unreadable};

impl Relay {
    /// The columns that a text asks for in clear. Where nothing is masked, they only have to be readable.
    pub(super) fn in_clear(&self, sql: &str) -> Result<Vec<Unmask>, Unreadable> {
        let named = unmask::asked(sql)?;
        if named.is_empty() || !self.session.masks_apply() {
            return Ok(Vec::new());
        }
        // While a human thinks about it, nobody could tell what names stand for then.
        if self.own_view.is_some() || !self.fresh.is_empty() {
            return Err(unmask::in_doubt());
        }
        unmask::resolve(named, &self.names.catalog)
    }

    /// The same for a statement that was prepared. What SQL PREPARE named says nothing for the message that runs it.
    pub(super) fn prepared_in_clear(&self, prepared: &Prepared) -> Result<Vec<Unmask>, Unreadable> {
        if prepared.by_sql { Ok(Vec::new()) } else { self.in_clear(&prepared.sql) }
    }

    /// Refuses a message whose columns cannot be told.
    pub(super) fn refuse_unmask(&mut self, why: &Unreadable, simple: bool) -> Step {
        let why = why.to_string();
        if let Err(refusal) = self.session.control_note("unmask", &why) {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        let refusal = Refusal::of(RefusalKind::Unmask).because(why);
        if simple { self.refuse_simple(&refusal) } else { self.refuse_extended(&refusal) }
    }

    /// Whether what names stand for is to be looked up before a command that was approved goes on: the approver read it as it was meant
    /// then. A transaction that sees names of its own is not asked again.
    pub(crate) const fn is_behind(&self) -> bool {
        self.own_view.is_none()
    }

    /// The wait for a held command is over. One that was approved is analysed by the names of this moment: if that makes it another
    /// command, the approval does not fit.
    pub(crate) fn resume(&mut self, parked: Parked, ended: &Ended) -> Step {
        self.looked_again = false;
        let approved = matches!(ended, Ended::Approved { .. });
        let Parked { held, then } = parked;
        let in_transaction = self.in_transaction();
        match then {
            Then::Query { sql, text, intent } => {
                let (text, intent) = if approved { self.query_now(&sql, text) } else { (text, intent) };
                let spelt = self.spelt_out(&sql, &text);
                // What cannot be told any more is not lifted, and so not what was approved.
                let unmask = self.in_clear(&sql).unwrap_or_default();
                let command = Command { intent: &intent, text: &spelt, values: &[], in_transaction, unmask: &unmask };
                match self.session.resume(held, &command, ended) {
                    Asked::Allow(permitted, ticket) => self.send_query(permitted, ticket, &sql, text, intent),
                    Asked::Deny(refusal) => self.refuse_simple(&refusal),
                    Asked::Hold(_) => Step::End(End::Broken("a hold did not end")),
                    Asked::Close(refusal) => Step::End(End::Refused(refusal)),
                }
            }
            Then::Bind(bound) => {
                let bound = if approved { self.bound_now(bound) } else { bound };
                let (prepared, text, ..) = bound.parts();
                let spelt = self.spelt_out(&prepared.sql, text).into_owned();
                let unmask = self.prepared_in_clear(prepared).unwrap_or_default();
                let command = bound.command(&spelt, in_transaction, &unmask);
                match self.session.resume(held, &command, ended) {
                    Asked::Allow(permitted, ticket) => self.send_bind(permitted, ticket, bound),
                    Asked::Deny(refusal) => self.refuse_extended(&refusal),
                    Asked::Hold(_) => Step::End(End::Broken("a hold did not end")),
                    Asked::Close(refusal) => Step::End(End::Refused(refusal)),
                }
            }
        }
    }

    fn query_now(&self, sql: &str, text: Rc<Text>) -> (Rc<Text>, Arc<Intent>) {
        let now = if text.names == self.names.id { Some(Rc::clone(&text)) } else { self.known_text(sql) };
        match now {
            Some(now) => {
                let intent = self.resolve(&now);
                (now, intent)
            }
            None => (text, classify::unknown_name(LONG)),
        }
    }

    fn bound_now(&self, bound: Bound) -> Bound {
        let (prepared, text, _, values) = bound.parts();
        if text.names == self.names.id {
            let (text, intent) = (Rc::clone(text), self.bound_intent(text, values));
            return bound.renewed(text, intent);
        }
        match self.text_now(prepared) {
            Some(text) => {
                let intent = self.bound_intent(&text, values);
                bound.renewed(text, intent)
            }
            None => {
                let text = Rc::clone(text);
                bound.renewed(text, classify::unknown_name(LONG))
            }
        }
    }

    /// The client cancelled a held command.
    pub(crate) fn cancel_held(&mut self, parked: Parked) -> (Step, ApprovalId) {
        let simple = matches!(parked.then, Then::Query { .. });
        let (refusal, id) = self.session.abandon(parked.held, false);
        let step = if simple { self.refuse_simple(&refusal) } else { self.refuse_extended(&refusal) };
        (step, id)
    }
}

/// A text that is analysed apart is not waited for again: under other names it counts as another command.
const LONG: &str = "a long statement";
