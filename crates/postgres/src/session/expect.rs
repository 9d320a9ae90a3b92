//! What the target still owes an answer to, in the order in which it was asked.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use gate::Ticket;
use model::Intent;

use super::prepared::{Portal, Prepared};
use crate::classify::Text;

/// A simple query on its way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) ticket: Ticket,
    pub(crate) text: Rc<Text>,
    /// The text's own intent, or with that of the names it refers to.
    pub(crate) intent: Arc<Intent>,
    /// The number under which its names were added.
    pub(crate) seq: u64,
    /// The client's words, to tell them from data in an error's text. Kept only where masks apply.
    pub(crate) words: Option<Rc<str>>,
}

/// One thing that was asked.
#[derive(Debug)]
pub(crate) enum Expect {
    /// A simple query: results, then ReadyForQuery.
    Query(Rc<Run>),
    /// ParseComplete.
    Parse { name: Rc<str>, seq: u64, words: Option<Rc<str>>, intent: Arc<Intent> },
    /// BindComplete.
    Bind { portal: Rc<Portal>, name: Rc<str>, seq: u64 },
    /// ParameterDescription, then RowDescription or NoData.
    DescribeStatement(Option<Rc<Prepared>>),
    /// RowDescription or NoData.
    DescribePortal(Option<Rc<Portal>>),
    /// A result.
    Execute { portal: Rc<Portal>, seq: u64 },
    /// CloseComplete.
    Close { statement: bool, name: Rc<str>, seq: u64 },
    /// ReadyForQuery.
    Sync,
    /// The client ended its COPY data: the target says nothing to that.
    CopyEnd,
    /// A query of the gateway's own about the catalogue: rows, then ReadyForQuery. The client sees nothing of it.
    Names { query: &'static str, last: bool },
    /// A question of the gateway's own around a guarded change. The client sees nothing of it but an error of COMMIT.
    Own(Own),
    /// An error that we provoked; the client sees this one in its place.
    Refused { answer: Vec<u8>, simple: bool },
}

/// A question of the gateway's own around a guarded change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Own {
    Begin,
    /// How many rows the transaction has changed; inside the extended protocol it ends with so many CloseComplete.
    Count {
        after: bool,
        left: u8,
    },
    Commit,
    Rollback,
}

/// Outstanding questions.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    queue: VecDeque<Expect>,
}

/// Questions that may be outstanding before the client has to wait for answers.
pub(crate) const OUTSTANDING: usize = 8192;

impl Queue {
    pub(crate) fn push(&mut self, expect: Expect) {
        self.queue.push_back(expect);
    }

    /// What the next answer is to.
    pub(crate) fn head(&mut self) -> Option<&Expect> {
        while matches!(self.queue.front(), Some(Expect::CopyEnd)) {
            self.queue.pop_front();
        }
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Expect> {
        self.head()?;
        self.queue.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.iter().all(|expect| matches!(expect, Expect::CopyEnd))
    }

    /// Whether a command is outstanding.
    pub(crate) fn is_busy(&self) -> bool {
        self.queue
            .iter()
            .any(|expect| matches!(expect, Expect::Query(_) | Expect::Execute { .. } | Expect::Bind { .. }))
    }

    /// Whether something is outstanding and the last of it ends with ReadyForQuery.
    pub(crate) fn ends_synced(&self) -> bool {
        matches!(
            self.queue.back(),
            Some(
                Expect::Query(_)
                    | Expect::Sync
                    | Expect::Names { .. }
                    | Expect::Own(_)
                    | Expect::Refused { simple: true, .. }
            )
        )
    }

    /// A CloseComplete for the gateway's own question: whether it was the last, and the question is done.
    pub(crate) fn own_closed(&mut self) -> bool {
        let Some(Expect::Own(Own::Count { left, .. })) = self.queue.front_mut() else {
            return false;
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        self.queue.pop_front();
        true
    }

    /// What the first command that is outstanding was allowed for.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.queue.iter().find_map(|expect| match expect {
            Expect::Query(run) => Some(run.ticket.clone()),
            Expect::Execute { portal, .. } | Expect::Bind { portal, .. } => Some(portal.ticket.clone()),
            Expect::Parse { .. }
            | Expect::DescribeStatement(_)
            | Expect::DescribePortal(_)
            | Expect::Close { .. }
            | Expect::Sync
            | Expect::CopyEnd
            | Expect::Names { .. }
            | Expect::Own(_)
            | Expect::Refused { .. } => None,
        })
    }

    /// Whether nothing but Sync follows the head.
    pub(crate) fn only_sync_follows(&self) -> bool {
        let mut commands = self.queue.iter().filter(|expect| !matches!(expect, Expect::CopyEnd));
        commands.next();
        commands.all(|expect| matches!(expect, Expect::Sync))
    }

    /// Whether a Sync is outstanding.
    pub(crate) fn has_sync(&self) -> bool {
        self.queue.iter().any(|expect| matches!(expect, Expect::Sync))
    }

    /// After an error the target skips to Sync: everything before it is taken off and handed over.
    pub(crate) fn skip_to_sync(&mut self) -> Vec<Expect> {
        let end = self.queue.iter().position(|expect| matches!(expect, Expect::Sync)).unwrap_or(self.queue.len());
        self.queue.drain(..end).collect()
    }

    /// While the target takes COPY data it ignores Sync: those sent before the data ended get no answer.
    pub(crate) fn forget_syncs_before_copy_end(&mut self) {
        let end = self.queue.iter().position(|expect| matches!(expect, Expect::CopyEnd)).unwrap_or(self.queue.len());
        let mut index = 0;
        self.queue.retain(|expect| {
            let keep = index >= end || !matches!(expect, Expect::Sync);
            index += 1;
            keep
        });
    }

    /// Whether the client has ended its COPY data already.
    pub(crate) fn copy_ended(&self) -> bool {
        self.queue.iter().any(|expect| matches!(expect, Expect::CopyEnd))
    }

    /// Gives memory back when nothing is outstanding.
    pub(crate) fn rest(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }
}
