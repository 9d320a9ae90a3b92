//! One client's use of one target as a state machine: messages in, messages out, no IO.
//!
//! - [`client`]: what the client sends, judged message by message
//! - [`target`]: what the target answers, matched to what was asked
//! - [`rows`]: rows and COPY data on their way to the client
//! - [`refuse`]: how a refusal reaches the client in order, with the target in the state that a real error would leave
//! - [`held`]: commands that wait for a human, and what they ask to see in clear
//! - [`guard`]: changes that are not committed before their limits are checked
//! - [`stop`]: results and commands that pass a limit while they run
//! - [`look`]: what names stand for, and how the gateway finds out
//! - [`columns`]: where a result's values come from
//! - [`tokens`]: values in place of tokens that a client sends back
//! - [`words`]: what an error's or a notice's text may still say
//! - [`resolve`]: what names of prepared statements and cursors stand for
//! - [`expect`], [`prepared`]: what is outstanding, what a name was given to
//!
//! A refused message is replaced by one that the target's parser refuses, so that the target itself fails the transaction, skips to
//! Sync and says ReadyForQuery; its error is replaced by the refusal. Order and transaction state are right without being simulated.

pub(crate) mod client;
pub(crate) mod columns;
pub(crate) mod expect;
pub(crate) mod guard;
pub(crate) mod held;
pub(crate) mod look;
pub(crate) mod prepared;
pub(crate) mod refuse;
pub(crate) mod resolve;
pub(crate) mod rows;
pub(crate) mod stop;
pub(crate) mod target;
mod tokens;
pub(crate) mod words;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use gate::{Flow, Held, Outbox, Refusal, Session, ToClient, ToTarget};
use model::Intent;

use crate::catalogue::Keeper;
use crate::classify::{self, Text};
use crate::names::Names;
use crate::preview::Wanted;
use crate::wire::TransactionStatus;
use expect::Queue;
use prepared::{Portal, Prepared};

/// The state of one session.
pub(crate) struct Relay {
    pub(crate) session: Session,
    pub(crate) to_target: Outbox<ToTarget>,
    pub(crate) to_client: Outbox<ToClient>,
    pub(crate) keeper: Arc<Keeper>,
    /// The target's user, for `"$user"` in a path.
    user: String,
    /// The target's number of this session.
    pid: i32,
    /// Code of unknown effect ran in this session: what it says may be made of anything.
    ran_code: bool,
    names: classify::Names,
    queue: Queue,
    status: TransactionStatus,
    /// A transaction may be open: BEGIN was sent, and the target has not said that none is.
    maybe_open: bool,
    /// Something of the extended protocol was sent since the last Sync.
    unsynced: bool,
    /// A message of the extended protocol was refused: everything up to Sync is dropped, as the target would.
    skipping: bool,
    /// Names changed in the transaction that is open.
    renamed: bool,
    /// Names that changed since the snapshot was taken, and that it does not show.
    fresh: Arc<sql::Fresh>,
    /// The session's path held too many schemas to keep them in mind.
    path_lost: bool,
    /// The snapshot is of the open transaction's own view, asked for then.
    own_view: Option<Instant>,
    /// The own view could not be had; nothing is asked again until names change once more.
    own_failed: bool,
    /// It is time to compare the shared snapshot with the database.
    pub(crate) ageing: bool,
    /// The own view is being asked for.
    look: Option<Box<look::Look>>,
    /// The analysis of this very message found names missing, and the catalogue was refreshed for it.
    looked_again: bool,
    /// The text that was analysed apart, for the message that waits for it.
    apart: Option<(String, Rc<Text>)>,
    /// Numbers the client's messages.
    seq: u64,
    /// The last message at which the target stops skipping.
    batch: u64,
    statements: Names<Rc<Prepared>>,
    portals: Names<Rc<Portal>>,
    active: Active,
    /// A change that is not committed before its limits are checked.
    guard: Option<Box<guard::Guard>>,
    /// The command that is being answered passed a limit: its end is replaced by this.
    stopped: Option<Box<Refusal>>,
    /// The target is to be told to stop what it does.
    pub(crate) stop_wanted: bool,
    /// Counts what was sent and what came to an end, to tell how long the target has been at one thing.
    pub(crate) progress: u64,
    /// The command that COPY data from the client belongs to.
    copy_in: Option<CopyIn>,
    /// The target takes COPY data right now, and ignores Sync.
    copy_accepted: bool,
    scratch: Vec<u8>,
}

/// COPY … FROM STDIN under way or to come.
#[derive(Debug)]
struct CopyIn {
    /// The command's number.
    number: u64,
    /// How many of its statements still take data.
    left: usize,
}

impl CopyIn {
    fn new(number: u64, left: usize) -> Option<Self> {
        (left > 0).then_some(Self { number, left })
    }
}

/// The result that is being received.
#[derive(Default)]
struct Active {
    flow: Option<Flow>,
    /// Which statement of a simple query.
    index: usize,
    copy_first: bool,
    copy: Option<sql::CopyFormat>,
    /// An oversized message is being passed on in pieces: bytes left.
    streaming: usize,
}

/// What the driver does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// On to the next message.
    Go,
    /// Refresh the catalogue, then give the same message again.
    Refresh,
    /// Analyse this text apart, then give the same message again.
    Analyze(String),
    /// Too much is outstanding: give the same message again when the target has answered.
    Wait,
    /// A command waits for a human.
    Park(Box<Parked>),
    /// The session is over.
    End(End),
}

/// How a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client said good-bye.
    Client,
    /// The client is told why.
    Refused(Box<Refusal>),
    /// A peer broke the protocol.
    Broken(&'static str),
}

/// A held command with all that is needed to go on.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) held: Held<Vec<u8>>,
    pub(crate) then: Then,
}

/// What a held message was.
#[derive(Debug)]
pub(crate) enum Then {
    Query { sql: Rc<str>, text: Rc<Text>, intent: Arc<Intent> },
    Bind(client::Bound),
}

impl Relay {
    /// Of a session whose path holds nothing yet: see [`widen_path`](Self::widen_path).
    pub(crate) fn new(session: Session, keeper: Arc<Keeper>, user: String, pid: i32) -> Self {
        let names = keeper.names().changed(Arc::default(), Arc::default());
        Self {
            session,
            to_target: Outbox::default(),
            to_client: Outbox::default(),
            keeper,
            user,
            pid,
            ran_code: false,
            names,
            queue: Queue::default(),
            status: TransactionStatus::Idle,
            maybe_open: false,
            unsynced: false,
            skipping: false,
            renamed: false,
            fresh: Arc::default(),
            path_lost: false,
            own_view: None,
            own_failed: false,
            ageing: false,
            look: None,
            looked_again: false,
            apart: None,
            seq: 0,
            batch: 0,
            statements: Names::default(),
            portals: Names::default(),
            active: Active::default(),
            guard: None,
            stopped: None,
            stop_wanted: false,
            progress: 0,
            copy_in: None,
            copy_accepted: false,
            scratch: Vec::new(),
        }
    }

    /// Takes over the analysis of a long text.
    pub(crate) fn analyzed(&mut self, sql: String, text: Rc<Text>) {
        self.session.gate().metrics().analysis_cache.count(false);
        self.apart = Some((sql, text));
    }

    /// An analysis made apart, or by the worker itself; `None` when the text is long and not analysed yet.
    fn known_text(&self, sql: &str) -> Option<Rc<Text>> {
        match &self.apart {
            Some((known, text)) if known == sql && text.names == self.names.id => Some(Rc::clone(text)),
            _ => {
                let (text, found) = classify::look_up(sql, &self.names)?;
                self.session.gate().metrics().analysis_cache.count(found);
                Some(text)
            }
        }
    }

    /// What names stand for now, for analysing a text apart.
    pub(crate) fn current_names(&self) -> classify::Names {
        self.names.clone()
    }

    /// What is asked about a held command before it is decided, or why nothing is.
    pub(crate) fn preview(&mut self, parked: &Parked) -> Result<Result<Wanted, &'static str>, Refusal> {
        let (sql, text, intent, values, types) = match &parked.then {
            Then::Query { sql, text, intent } => (sql, text, intent, Vec::new(), Vec::new()),
            Then::Bind(bound) => {
                let (prepared, text, intent, values) = bound.parts();
                let values = self.values_restored(prepared, text, intent, values);
                (&prepared.sql, text, intent, values, prepared.types.borrow().clone())
            }
        };
        let [statement] = text.analysis.statements.as_slice() else {
            return Ok(Err("the message has more than one statement"));
        };
        if !matches!(statement.kind, sql::Kind::Dml | sql::Kind::Query) {
            return Ok(Err("not for this sort of statement"));
        }
        let dry_run = match self.session.preview(&parked.held, intent)? {
            Ok(dry_run) => dry_run,
            Err(why) => return Ok(Err(why)),
        };
        let as_sent = || sql.get(statement.start..statement.start + statement.len).unwrap_or(sql).to_owned();
        Ok(Ok(Wanted {
            sql: self.with_values(sql, text, intent).unwrap_or_else(as_sent),
            types,
            values,
            path: Arc::clone(&self.names.path),
            dry_run,
            in_transaction: self.in_transaction(),
        }))
    }

    /// Whether the target still has something to answer.
    pub(crate) fn is_owed(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether nothing is outstanding and no transaction is open.
    pub(crate) fn quiet(&self) -> bool {
        self.queue.is_empty() && !self.unsynced && self.status == TransactionStatus::Idle
    }

    fn in_transaction(&self) -> bool {
        self.maybe_open || self.status != TransactionStatus::Idle
    }

    /// Gives memory back when nothing is going on.
    pub(crate) fn rest(&mut self) {
        self.to_client.rest();
        self.to_target.rest();
        self.queue.rest();
        if self.scratch.capacity() > 256 {
            self.scratch = Vec::new();
        }
    }
}
