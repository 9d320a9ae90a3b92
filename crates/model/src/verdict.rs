//! What was decided about a command, and what applies to its results.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Allow, hold or deny, mildest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It may run.
    Allow,
    /// It waits for a human.
    Hold,
    /// It may not run.
    Deny,
}

impl Outcome {
    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

/// How a masked value looks, weakest first: of two masks, the one that reveals less wins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaskStyle {
    /// Parts stay readable, by type: first six and last four of a card.
    Partial,
    /// A deterministic stand-in, so that equality still works.
    Token,
    /// A keyed hash.
    Hash,
    /// A fixed text of the same type.
    Redact,
    /// The same value for everything.
    Fixed,
    /// NULL.
    Null,
}

impl MaskStyle {
    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Token => "token",
            Self::Hash => "hash",
            Self::Redact => "redact",
            Self::Fixed => "fixed",
            Self::Null => "null",
        }
    }
}

/// What a content detector looks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetectorName {
    /// Payment card numbers.
    Card,
    /// IBANs.
    Iban,
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// US social security numbers.
    Ssn,
    /// IP addresses.
    Ip,
    /// JSON web tokens.
    Jwt,
    /// AWS keys.
    Aws,
    /// GitHub tokens.
    Github,
    /// PEM private keys.
    Pem,
    /// All kinds of keys and tokens.
    Secret,
}

impl DetectorName {
    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Ssn => "ssn",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::Aws => "aws",
            Self::Github => "github",
            Self::Pem => "pem",
            Self::Secret => "secret",
        }
    }
}

/// What happens when a masked column is used other than by returning it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Predicates {
    /// Permitted.
    #[default]
    Allow,
    /// Permitted where the column, as it is, is only compared for being equal; anything else is refused.
    Equality,
    /// Waits for a human.
    Hold,
    /// Refused.
    Deny,
}

impl Predicates {
    /// Whether what it does not permit is refused, rather than held.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::Equality | Self::Deny => true,
            Self::Allow | Self::Hold => false,
        }
    }
}

/// What happens to messages of other sessions, of which nobody knows what they are made of (NOTIFY).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notifications {
    /// They are let through, without what detectors find.
    Allow,
    /// Only that there was one is told.
    #[default]
    Withhold,
}

/// What of a masked column a statistic of many rows shows: a sum, a mean, a variance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregates {
    /// The number, as the target computes it.
    Allow,
    /// No more than anything else that is made of the column.
    #[default]
    Mask,
}

/// One mask rule that applies to a session's results.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MaskRule {
    /// The rule's name.
    pub name: String,
    /// Column patterns, `schema.table.column` with `*` in place of any part or its ending; `*.ssn` is any relation's `ssn`.
    pub columns: Vec<String>,
    /// What to look for in the content.
    pub detect: Vec<DetectorName>,
    /// How it looks.
    pub style: MaskStyle,
    /// What a masked column in a predicate means.
    pub predicates: Predicates,
    /// What becomes of messages of other sessions.
    pub notifications: Notifications,
    /// What statistics of a masked column show.
    pub aggregates: Aggregates,
    /// Who may let one command show its columns in clear; `None`: nobody.
    pub unmask: Option<ApprovalTerms>,
}

/// How much of a result is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordLevel {
    /// Nothing of it.
    None,
    /// The count and the digest.
    Digest,
    /// The first rows, the count and the digest of all.
    #[default]
    Head,
    /// All of it.
    Full,
}

/// The most of something, and the limit of the policy that says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Most {
    /// How much at most.
    pub most: u64,
    /// The limit's name.
    pub rule: Arc<str>,
}

/// Limits that apply to a session; `None` is no limit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Limits {
    /// Rows that one command may return.
    pub rows_returned: Option<Most>,
    /// Bytes that one command may return.
    pub bytes_returned: Option<Most>,
    /// Rows that one command may change; checked before the change is committed.
    pub rows_affected: Option<Most>,
    /// Commands in any minute, of all sessions of one token.
    pub commands_per_minute: Option<Most>,
    /// Seconds that one command may take on the target.
    pub statement_seconds: Option<Most>,
    /// Seconds that a transaction may stay open without a command.
    pub idle_in_transaction_seconds: Option<Most>,
    /// What all commands of one token may use together.
    pub total: Totals,
}

/// What all commands of one token may use together, in all of its sessions; `None` is no limit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
    /// Rows returned.
    pub rows_returned: Option<Most>,
    /// Bytes returned.
    pub bytes_returned: Option<Most>,
    /// Rows changed.
    pub rows_affected: Option<Most>,
    /// Commands.
    pub commands: Option<Most>,
}

impl Limits {
    /// The smaller of both, limit by limit.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            rows_returned: least(self.rows_returned, &other.rows_returned),
            bytes_returned: least(self.bytes_returned, &other.bytes_returned),
            rows_affected: least(self.rows_affected, &other.rows_affected),
            commands_per_minute: least(self.commands_per_minute, &other.commands_per_minute),
            statement_seconds: least(self.statement_seconds, &other.statement_seconds),
            idle_in_transaction_seconds: least(self.idle_in_transaction_seconds, &other.idle_in_transaction_seconds),
            total: Totals {
                rows_returned: least(self.total.rows_returned, &other.total.rows_returned),
                bytes_returned: least(self.total.bytes_returned, &other.total.bytes_returned),
                rows_affected: least(self.total.rows_affected, &other.total.rows_affected),
                commands: least(self.total.commands, &other.total.commands),
            },
        }
    }

    /// Whether a change must not be committed before what it did is known.
    #[must_use]
    pub const fn bound_changes(&self) -> bool {
        self.rows_affected.is_some()
            || self.total.rows_affected.is_some()
            || self.rows_returned.is_some()
            || self.bytes_returned.is_some()
            || self.total.rows_returned.is_some()
            || self.total.bytes_returned.is_some()
    }
}

/// The smaller one; of equals the first, so that names do not depend on an order.
fn least(one: Option<Most>, other: &Option<Most>) -> Option<Most> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.most < one.most { other.clone() } else { one }),
        (one, other) => one.or_else(|| other.clone()),
    }
}

/// Who may approve, how many, and for how long one may wait.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ApprovalTerms {
    /// Subjects who may approve.
    pub users: Vec<String>,
    /// Groups whose members may approve.
    pub groups: Vec<String>,
    /// How many distinct humans.
    pub quorum: u32,
    /// Seconds until the request expires.
    pub expires_seconds: u64,
    /// Whether the approver must give a reason.
    pub reason_required: bool,
    /// Whether the command may be run and undone beforehand, to show what it would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// The decision about one command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Allow, hold or deny.
    pub outcome: Outcome,
    /// Names of the rules that decided, sorted. Empty when nothing matched (default deny).
    pub rules: Vec<String>,
    /// What the deciding rule says to the client, if anything.
    pub message: Option<String>,
    /// Why, for a person: which action was not covered, which condition failed.
    pub reasons: Vec<String>,
    /// The terms, when held.
    pub approval: Option<ApprovalTerms>,
    /// Rules in shadow mode that would have changed the outcome: (rule, what it would have been).
    pub shadow: Vec<(String, Outcome)>,
    /// How much of the result is recorded.
    pub record: RecordLevel,
    /// Whether the same intent from the same identity gets the same verdict while the policy stays: no time and no value was looked at.
    pub cacheable: bool,
}

/// Verdicts are shared between executions.
pub type SharedVerdict = Arc<Verdict>;
