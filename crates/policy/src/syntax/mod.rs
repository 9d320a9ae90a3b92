//! The YAML form of a policy, exactly as it is written: strict, with the place of everything that later checks may
//! find fault with.
//!
//! - [`values`]: values with a place, `any`, one-or-many
//! - [`load`]: text → this form, within bounds
//! - [`schema`]: the closed sets of words, for the JSON schema

pub(crate) mod load;
mod schema;
pub(crate) mod values;

use std::collections::BTreeMap;

use model::{Aggregates, DetectorName, IdentityKind, MaskStyle, Notifications, Predicates, RecordLevel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use schema::{Effects, OneEffect};
use values::{Any, AnyNone, At, OneOrMany, WordOr, list, present, present_list};

/// One document: any of its sections may be absent.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Sallyport policy")]
pub(crate) struct RawPolicy {
    /// Who may do what where; default deny.
    #[serde(default, deserialize_with = "list")]
    pub(crate) rules: Vec<At<RawRule>>,
    /// What clients see of what they may read.
    #[serde(default, deserialize_with = "list")]
    pub(crate) masks: Vec<At<RawMask>>,
    /// How much they may read and change.
    #[serde(default, deserialize_with = "list")]
    pub(crate) limits: Vec<At<RawLimit>>,
    /// How much of results is recorded; `head` where none applies.
    #[serde(default, deserialize_with = "list")]
    pub(crate) records: Vec<At<RawRecord>>,
    /// What programs of targets do, beside those that the gateway knows.
    #[serde(default, deserialize_with = "list")]
    pub(crate) tools: Vec<At<RawTool>>,
}

/// One rule.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRule {
    /// Unique in the whole policy.
    pub(crate) name: At<String>,
    /// Whom it means.
    pub(crate) who: At<RawWho>,
    /// Where it holds; absent: everywhere.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<At<RawOn>>,
    /// Effects.
    #[serde(rename = "do")]
    pub(crate) effects: At<WordOr<Any, Effects>>,
    /// Objects, `[kind:]name` with `*`; absent: any.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) objects: Option<Vec<At<String>>>,
    /// Commands, word by word, with `*`: `kubectl get *`; with `objects`, either fits.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) commands: Option<Vec<At<String>>>,
    /// Typed conditions.
    #[serde(default, rename = "if", deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) conditions: Option<At<RawIf>>,
    /// A condition in CEL.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<At<String>>,
    /// What follows.
    pub(crate) then: RawThen,
    /// Who approves; with `then: approve` only.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<At<RawApproval>>,
    /// What the client is told when this rule decides.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<At<String>>,
    /// `shadow`: judged and recorded, not enforced.
    #[serde(default)]
    pub(crate) mode: RawMode,
}

/// What follows when a rule matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawThen {
    /// It may run.
    Allow,
    /// A human decides.
    Approve,
    /// It may not run, whatever else says so.
    Deny,
}

/// Whether a rule counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawMode {
    /// It does.
    #[default]
    Enforce,
    /// It is only judged.
    Shadow,
}

/// `any`, or keys that must all fit.
pub(crate) type RawWho = WordOr<Any, RawWhoMap>;

/// Whom it means: lists are alternatives, keys must all fit.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWhoMap {
    /// Subjects, with `*`.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) users: Option<Vec<At<String>>>,
    /// Groups.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<Vec<At<String>>>,
    /// Kinds of identity.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::identity_kinds")]
    pub(crate) kinds: Option<Vec<IdentityKind>>,
    /// Issuers, with `*`.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) issuers: Option<Vec<At<String>>>,
    /// Claims and the values that fit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<BTreeMap<String, At<OneOrMany>>>,
    /// For whom it acts: one of these at any distance, `any`, or `none`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) on_behalf_of: Option<At<WordOr<AnyNone, Vec<At<String>>>>>,
}

/// Where it holds: lists are alternatives, keys must all fit.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOn {
    /// Names of targets, with `*`.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) targets: Option<Vec<At<String>>>,
    /// Labels of targets and the values that fit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) labels: Option<BTreeMap<String, At<OneOrMany>>>,
    /// Names of roles, with `*`.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) roles: Option<Vec<At<String>>>,
    /// Kinds of target, such as `postgres`.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) kinds: Option<Vec<At<String>>>,
}

/// Typed conditions; all must hold.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawIf {
    /// Whether it changes all rows or a whole collection.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) unbounded: Option<At<bool>>,
    /// Whether the message has more than one statement.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) multi: Option<At<bool>>,
    /// Whether the client has a transaction open.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) in_transaction: Option<At<bool>>,
    /// A daily window: `08:00-18:00 Europe/Berlin`, `Mon-Fri 22:00-06:00 UTC`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) hours: Option<At<String>>,
    /// Networks that the client's address is in.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Vec<At<String>>>,
}

/// Conditions of masks and limits: those that do not look at a command.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSessionIf {
    /// A daily window: `08:00-18:00 Europe/Berlin`, `Mon-Fri 22:00-06:00 UTC`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) hours: Option<At<String>>,
    /// Networks that the client's address is in.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Vec<At<String>>>,
}

/// Who may approve, how many, for how long.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawApproval {
    /// Who may approve.
    pub(crate) by: At<RawBy>,
    /// How many distinct humans; 1 if absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) quorum: Option<At<u32>>,
    /// How long one may wait: `90s`, `15m`, `4h`, `1d`; 15m if absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<At<String>>,
    /// Whether approvers must say why; optional if absent.
    #[serde(default)]
    pub(crate) reason: RawReason,
    /// What approvers are shown of what it would change; `estimate` if absent.
    #[serde(default)]
    pub(crate) preview: RawPreview,
}

/// What approvers are shown of what a command would change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawPreview {
    /// What the target's planner thinks.
    #[default]
    Estimate,
    /// What it changes when it is run and undone: it takes locks for a moment, and what is not undone by a rollback stays.
    DryRun,
}

/// Who may approve: one of the users, or a member of one of the groups.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBy {
    /// Subjects, exactly.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) users: Option<Vec<At<String>>>,
    /// Groups, exactly.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<Vec<At<String>>>,
}

/// Whether approvers must say why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawReason {
    /// They must.
    Required,
    /// They may.
    #[default]
    Optional,
}

/// One mask.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMask {
    /// Unique in the whole policy.
    pub(crate) name: At<String>,
    /// Whom it means.
    pub(crate) who: At<RawWho>,
    /// Where it holds; absent: everywhere.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<At<RawOn>>,
    /// Typed conditions.
    #[serde(default, rename = "if", deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) conditions: Option<At<RawSessionIf>>,
    /// A condition in CEL.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<At<String>>,
    /// Columns: `schema.table.column` with `*`.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<Vec<At<String>>>,
    /// What to look for in the content of all columns.
    #[serde(default, deserialize_with = "present_list", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::detectors")]
    pub(crate) detect: Option<Vec<DetectorName>>,
    /// What a masked value looks like.
    #[serde(deserialize_with = "style")]
    #[schemars(schema_with = "schema::styles")]
    pub(crate) with: MaskStyle,
    /// What a masked column in a condition, a join or an order means.
    #[serde(default)]
    #[schemars(schema_with = "schema::predicates")]
    pub(crate) predicates: Predicates,
    /// What becomes of other sessions' messages (NOTIFY); `withhold` if absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::notifications")]
    pub(crate) notifications: Option<Notifications>,
    /// What sums, means and other statistics of a masked column show.
    #[serde(default)]
    #[schemars(schema_with = "schema::aggregates")]
    pub(crate) aggregates: Aggregates,
    /// Who approves; with `predicates: hold` only.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<At<RawApproval>>,
    /// Who may let one command show the columns in clear; absent: nobody.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) unmask: Option<At<RawApproval>>,
}

/// One set of limits. Where several apply, the smallest of each wins.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLimit {
    /// Unique in the whole policy.
    pub(crate) name: At<String>,
    /// Whom it means.
    pub(crate) who: At<RawWho>,
    /// Where it holds; absent: everywhere.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<At<RawOn>>,
    /// Typed conditions.
    #[serde(default, rename = "if", deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) conditions: Option<At<RawSessionIf>>,
    /// A condition in CEL.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<At<String>>,
    /// Rows that one command may return.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) rows_returned: Option<u64>,
    /// Bytes that one command may return.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_returned: Option<u64>,
    /// Rows that one command may change, those included that triggers, cascades and functions change for it. Checked before the commit.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) rows_affected: Option<u64>,
    /// Commands in any minute, of all sessions of one token.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) commands_per_minute: Option<u32>,
    /// How long one command may take on the target: `30s`, `5m`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) statement_time: Option<At<String>>,
    /// How long a transaction may stay open without a command: `5m`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) idle_in_transaction: Option<At<String>>,
    /// What all commands of one token may use together.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<At<RawTotals>>,
}

/// What all commands of one token may use together, in all of its sessions.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTotals {
    /// Rows returned.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) rows_returned: Option<u64>,
    /// Bytes returned.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_returned: Option<u64>,
    /// Rows changed.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) rows_affected: Option<u64>,
    /// Commands.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) commands: Option<u64>,
}

/// How much of results is recorded. Where several apply, the most recorded wins.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRecord {
    /// Unique in the whole policy.
    pub(crate) name: At<String>,
    /// Whom it means.
    pub(crate) who: At<RawWho>,
    /// Where it holds; absent: everywhere.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) on: Option<At<RawOn>>,
    /// How much.
    #[schemars(schema_with = "schema::levels")]
    pub(crate) results: RecordLevel,
}

/// What one program does, or some of its subcommands.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTool {
    /// The program and its subcommands: `deployctl status`; `|` stands between alternatives: `deployctl stop|restart`.
    pub(crate) command: At<String>,
    /// One effect, or a list of them.
    pub(crate) does: At<WordOr<OneEffect, Effects>>,
    /// The options that it has: `-v -n: --env= --prune!delete`, or `any` when none does harm. Others make it `execute`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) options: Option<At<String>>,
    /// Why, for approvers and `policy explain`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<At<String>>,
}

/// A mask style; `null` is a word here, though YAML reads it as no value.
fn style<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<MaskStyle, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(MaskStyle::Null))
}
