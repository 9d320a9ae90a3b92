//! A query over the wire: every protocol as messages, many queries in one batch, and the answers apart again.

use std::time::Duration;

use anyhow::{Result, bail};

use super::grammar::Query;
use crate::kit::message::{self, Message};
use crate::kit::wire::Wire;

/// How long a batch may take.
const LIMIT: Duration = Duration::from_secs(180);

/// How a query is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mode {
    /// What people call it.
    pub(super) name: &'static str,
    extended: bool,
    binary: bool,
    described: bool,
}

/// Every way to ask. The first one is what outcomes are counted by.
pub(super) const MODES: [Mode; 5] = [
    Mode { name: "simple", extended: false, binary: false, described: true },
    Mode { name: "extended, text, described", extended: true, binary: false, described: true },
    Mode { name: "extended, binary, described", extended: true, binary: true, described: true },
    Mode { name: "extended, text, not described", extended: true, binary: false, described: false },
    Mode { name: "extended, binary, not described", extended: true, binary: true, described: false },
];

impl Mode {
    /// Whether values come as texts.
    pub(super) const fn is_text(self) -> bool {
        !self.binary
    }

    fn body(self, query: &Query, out: &mut Vec<u8>) {
        if !self.extended {
            out.extend(message::query(query.body.as_bytes()));
            return;
        }
        out.extend(message::parse("", query.body.as_bytes(), &[]));
        let by_statement = query.number.is_multiple_of(2);
        if self.described && by_statement {
            out.extend(message::named(b'D', b'S', ""));
        }
        out.extend(message::bind("", "", &[], 0, u16::from(self.binary)));
        if self.described && !by_statement {
            out.extend(message::named(b'D', b'P', ""));
        }
        out.extend(message::execute("", 0));
        out.extend(message::sync());
    }

    fn send(self, query: &Query, out: &mut Vec<u8>) {
        for text in &query.setup {
            out.extend(message::query(text.as_bytes()));
        }
        self.body(query, out);
        for text in &query.teardown {
            out.extend(message::query(text.as_bytes()));
        }
    }
}

/// What came back for one query in one mode.
#[derive(Default)]
pub(super) struct Answer {
    /// Everything, also of what stands before and after it.
    pub(super) all: Vec<Message>,
    /// Where the query's own answer is in it.
    own: std::ops::Range<usize>,
}

impl Answer {
    /// The messages of the query itself.
    pub(super) fn own(&self) -> &[Message] {
        self.all.get(self.own.clone()).unwrap_or_default()
    }

    /// The first error, be it of the query or of what stands before it.
    pub(super) fn error(&self) -> Option<&Message> {
        self.all.get(..self.own.end).unwrap_or_default().iter().find(|message| message.tag == b'E')
    }
}

/// Sends the queries of `batch` in each of `modes`, all at once.
///
/// # Errors
/// When the socket fails.
pub(super) fn send(wire: &mut Wire, batch: &[(&Query, &[Mode])]) -> Result<()> {
    let mut bytes = Vec::new();
    for (query, modes) in batch {
        for mode in *modes {
            mode.send(query, &mut bytes);
        }
    }
    wire.send(&bytes)
}

/// The answer to one query, in the order in which it was sent.
///
/// # Errors
/// When the connection ends before it, or it takes too long.
pub(super) fn receive(wire: &mut Wire, query: &Query) -> Result<Answer> {
    let mut answer = Answer::default();
    let steps = query.setup.len() + 1 + query.teardown.len();
    for step in 0..steps {
        let start = answer.all.len();
        let said = wire.until_ready(LIMIT)?;
        let ended = said.last().is_none_or(|last| last.tag != b'Z');
        answer.all.extend(said);
        if step == query.setup.len() {
            answer.own = start..answer.all.len();
        }
        if ended {
            let last = answer.all.last().map(Message::describe).unwrap_or_default();
            bail!("the connection ended: {last}");
        }
    }
    wire.forget();
    Ok(answer)
}
