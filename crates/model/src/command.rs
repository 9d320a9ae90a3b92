//! One thing asked inside a session, and what it would do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Effect, Object, ObjectKind};

/// A 128-bit name of an [`Intent`]: equal ids mean equal intents, so decisions may be cached by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct IntentId(pub u128);

/// One effect on one object. `object` is `None` where the effect has none (`BEGIN`, `SELECT 1`).
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Action {
    /// What it would do.
    pub effect: Effect,
    /// To what.
    pub object: Option<Object>,
}

impl Action {
    /// An effect on an object.
    #[must_use]
    pub const fn on(effect: Effect, object: Object) -> Self {
        Self { effect, object: Some(object) }
    }

    /// Whether rows of a table may change by it. What is done to a whole object is not meant.
    #[must_use]
    pub fn changes_rows(&self) -> bool {
        match self.effect {
            Effect::Write | Effect::Delete => {
                self.object.as_ref().is_none_or(|object| object.kind == ObjectKind::Relation)
            }
            Effect::Execute | Effect::Unknown => true,
            Effect::Connect
            | Effect::Session
            | Effect::Read
            | Effect::Create
            | Effect::Alter
            | Effect::Destroy
            | Effect::Grant
            | Effect::Admin
            | Effect::Export
            | Effect::Import
            | Effect::Tunnel => false,
        }
    }

    /// An effect without an object.
    #[must_use]
    pub const fn bare(effect: Effect) -> Self {
        Self { effect, object: None }
    }
}

/// A column of a relation, resolved: `public.customers` and `email`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ColumnRef {
    /// Schema and name of the relation.
    pub relation: String,
    /// The column; `*` stands for all of them.
    pub column: String,
}

/// A column that a value is made of. A list may name one twice; for the value holds whatever the worse of them says.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SourceColumn {
    /// The column.
    pub column: ColumnRef,
    /// Only a statistic of many rows carries it: a sum, a mean, a variance.
    pub aggregated: bool,
}

impl From<ColumnRef> for SourceColumn {
    /// In any way.
    fn from(column: ColumnRef) -> Self {
        Self { column, aggregated: false }
    }
}

impl std::fmt::Display for ColumnRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.relation, self.column)
    }
}

/// A masked column that somebody wants to see in clear, in the result of one command.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Unmask {
    /// The column.
    pub column: ColumnRef,
    /// What else its values are called, so that a mask may mean them by it: columns below a view, parents and children of a table.
    pub names: Vec<ColumnRef>,
}

impl Unmask {
    /// Every name that its values have, its own first.
    pub fn all_names(&self) -> impl Iterator<Item = &ColumnRef> {
        std::iter::once(&self.column).chain(&self.names)
    }
}

impl From<ColumnRef> for Unmask {
    /// A column of which no other name is known.
    fn from(column: ColumnRef) -> Self {
        Self { column, names: Vec::new() }
    }
}

/// A column that a command uses other than by returning it, and how.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Predicate {
    /// Schema and name of the relation.
    pub relation: String,
    /// The column; `*` stands for all of them.
    pub column: String,
    /// Only compared, as it is, for being equal: `=`, `<>`, `IN`, `IS NULL`, a join by it, GROUP BY, DISTINCT.
    pub equality: bool,
}

impl From<ColumnRef> for Predicate {
    /// Used in any way.
    fn from(column: ColumnRef) -> Self {
        Self { relation: column.relation, column: column.column, equality: false }
    }
}

/// A value that a command takes from one place and puts into another.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move {
    /// The column that it comes from, or is made of.
    pub from: ColumnRef,
    /// The column that it goes to; `None` for what is no column that exists: a new table, a channel, a setting, a file.
    pub to: Option<ColumnRef>,
    /// Whether it arrives as something made of the value, rather than as the value itself.
    pub made: bool,
}

/// What is remarkable about a command, beside its effects.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Flags {
    /// Changes all rows or a whole collection: no WHERE, or one that is always true.
    pub unbounded: bool,
    /// More than one statement in one message.
    pub multi: bool,
}

/// What a command would do, as far as its text tells; shared by all executions of the same text shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intent {
    /// Its name for caches.
    pub id: IntentId,
    /// One word for people and logs: `SELECT`, `DELETE`, `exec`.
    pub label: String,
    /// Everything it would do; each must be permitted. Sorted, without duplicates, never empty.
    pub actions: Vec<Action>,
    /// Its flags.
    pub flags: Flags,
    /// Columns that it uses other than by returning them: WHERE, JOIN, GROUP BY, ORDER BY, CASE conditions and the like.
    pub predicates: Vec<Predicate>,
    /// Relations whose data can reach the client, a message or another place by this command, views included and expanded.
    pub reads: Vec<Object>,
    /// Whether some data it reads comes from where the text does not tell (an unresolved view, a function): masked whole when any mask could apply.
    pub reads_unknown: bool,
    /// Values that it puts into other places than they come from. Sorted, without duplicates.
    pub moves: Vec<Move>,
    /// Whether it puts values somewhere whose origin the text does not tell.
    pub moves_unknown: bool,
    /// Short reasons for surprising effects, for denials and `explain`: `function public.f is not known to be harmless`.
    pub reasons: Vec<String>,
}

impl Intent {
    /// An intent with one action and nothing remarkable, for control messages and tests.
    #[must_use]
    pub fn simple(id: u128, label: &str, action: Action) -> Self {
        Self {
            id: IntentId(id),
            label: label.to_owned(),
            actions: vec![action],
            flags: Flags::default(),
            predicates: Vec::new(),
            reads: Vec::new(),
            reads_unknown: false,
            moves: Vec::new(),
            moves_unknown: false,
            reasons: Vec::new(),
        }
    }
}

/// One command: an intent with the exact words and values of this execution.
#[derive(Clone, Debug)]
pub struct Command<'a> {
    /// What it would do.
    pub intent: &'a Arc<Intent>,
    /// The exact text, as the client sent it.
    pub text: &'a str,
    /// Bind values in text or, where a type has no text form at hand, hexadecimal with a `\x` prefix. `None` is NULL.
    pub values: &'a [Option<String>],
    /// Whether a transaction of the client is open.
    pub in_transaction: bool,
    /// Masked columns that are asked for in clear.
    pub unmask: &'a [Unmask],
}
