//! `policy test`: cases in YAML beside the rules.
//!
//! ```yaml
//! cases:
//!   - name: agents cannot drop tables
//!     as: { subject: agent-7, kind: agent, groups: [agents] }
//!     target: orders-db
//!     role: readonly
//!     command: { sql: "DROP TABLE orders" }          # of a database; exec: "rm -r /srv" of an SSH target
//!     expect: deny
//!     rule: never
//! ```
//!
//! - [`run()`]: judges them
//!
//! What SQL does is not known here: whoever runs the cases says so.

mod run;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use model::{Action, ColumnRef, Effect, Flags, Identity, IdentityKind, Object, ObjectKind, Outcome};
use serde::Deserialize;

pub use run::{CaseResult, run};

use crate::error::{Errors, Place, PolicyError, Source};
use crate::syntax::load::load;
use crate::syntax::values::{At, list, present};

/// The time of a case without `at`: a Thursday, noon UTC. Fixed, so that a case gives the same answer every day.
const DEFAULT_AT: &str = "2026-01-15T12:00:00Z";

/// One command with what policy is expected to say to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The file it is in.
    pub file: String,
    /// The line it starts at.
    pub line: u32,
    /// Who asks.
    pub identity: Identity,
    /// The target's name.
    pub target: String,
    /// The role; the target's default where absent.
    pub role: Option<String>,
    /// When; noon UTC of a Thursday where absent.
    pub at: Timestamp,
    /// From where.
    pub from: Option<IpAddr>,
    /// What is asked.
    pub command: CaseCommand,
    /// Whether a transaction is open.
    pub in_transaction: bool,
    /// What is expected.
    pub expect: Outcome,
    /// A rule or mask that must be among those that decide.
    pub rule: Option<String>,
}

/// What a case asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaseCommand {
    /// SQL text, to be read by whoever runs the cases.
    Sql(String),
    /// A command line for a shell, likewise.
    Exec(String),
    /// Effects and objects as they are.
    Actions {
        /// What it would do.
        actions: Vec<Action>,
        /// What is remarkable about it.
        flags: Flags,
        /// Columns used in conditions.
        predicates: Vec<ColumnRef>,
        /// Whether it reads what cannot be told.
        reads_unknown: bool,
        /// Columns that it asks for in clear.
        unmask: Vec<ColumnRef>,
    },
}

/// Reads cases from one or more files.
///
/// # Errors
///
/// All that is wrong, with file, line and column: unknown keys, words that are no effect, a command that is none of or
/// several of SQL, a shell's line and actions, a name that is used twice.
pub fn parse(sources: &[Source<'_>]) -> Result<Vec<Case>, Vec<PolicyError>> {
    let mut errors = Errors::new(sources);
    let mut cases: Vec<Case> = Vec::new();
    for (file, source) in (0_u32..).zip(sources) {
        for document in load::<RawFile>(source, file, &mut errors) {
            for raw in document.cases {
                let place = Place { file, ..raw.place };
                match case(source.name, place, raw.value) {
                    Ok(case) if cases.iter().any(|other| other.name == case.name) => {
                        errors.add(place, format!("there are two cases named \"{}\": rename one", case.name));
                    }
                    Ok(case) => cases.push(case),
                    Err((at, message)) => errors.add(Place { file, ..at }, message),
                }
            }
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors.finish()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(deserialize_with = "list")]
    cases: Vec<At<RawCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    #[serde(rename = "as")]
    identity: RawIdentity,
    target: String,
    #[serde(default, deserialize_with = "present")]
    role: Option<String>,
    #[serde(default, deserialize_with = "present")]
    at: Option<At<String>>,
    #[serde(default, deserialize_with = "present")]
    from: Option<At<String>>,
    command: At<RawCommand>,
    expect: Outcome,
    #[serde(default, deserialize_with = "present")]
    rule: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    subject: String,
    kind: IdentityKind,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    issuer: Option<String>,
    #[serde(default)]
    claims: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    on_behalf_of: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    task: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    #[serde(default, deserialize_with = "present")]
    sql: Option<String>,
    #[serde(default, deserialize_with = "present")]
    exec: Option<String>,
    #[serde(default, deserialize_with = "present")]
    actions: Option<Vec<RawAction>>,
    #[serde(default, deserialize_with = "present")]
    unbounded: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    multi: Option<bool>,
    #[serde(default)]
    in_transaction: bool,
    #[serde(default, deserialize_with = "present")]
    predicates: Option<Vec<At<String>>>,
    #[serde(default, deserialize_with = "present")]
    reads_unknown: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    unmask: Option<Vec<At<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    effect: Effect,
    #[serde(default, deserialize_with = "present")]
    object: Option<String>,
}

fn case(file: &str, place: Place, raw: RawCase) -> Result<Case, (Place, String)> {
    let at = match &raw.at {
        Some(at) => at.value.parse().map_err(|_| {
            let message = "`at` is not a time: write it as 2026-01-15T12:00:00Z or with an offset".to_owned();
            (at.place, message)
        })?,
        None => DEFAULT_AT.parse().unwrap_or(Timestamp::UNIX_EPOCH),
    };
    let from = match &raw.from {
        Some(from) => {
            let address =
                from.value.parse().map_err(|_| (from.place, "`from` is not an address such as 10.1.2.3".to_owned()))?;
            Some(address)
        }
        None => None,
    };
    let mut groups = raw.identity.groups;
    groups.sort_unstable();
    let in_transaction = raw.command.value.in_transaction;
    Ok(Case {
        name: raw.name,
        file: file.to_owned(),
        line: place.line,
        identity: Identity {
            subject: raw.identity.subject,
            issuer: raw.identity.issuer.unwrap_or_else(|| "sallyport".to_owned()),
            groups,
            kind: raw.identity.kind,
            on_behalf_of: raw.identity.on_behalf_of,
            task: raw.identity.task,
            claims: raw.identity.claims,
        },
        target: raw.target,
        role: raw.role,
        at,
        from,
        command: command(raw.command)?,
        in_transaction,
        expect: raw.expect,
        rule: raw.rule,
    })
}

const HAS: &str = "a command has one of `sql`, `exec` and `actions`";

fn command(raw: At<RawCommand>) -> Result<CaseCommand, (Place, String)> {
    let At { value: raw, place } = raw;
    if let (Some(_), Some(_)) = (&raw.sql, &raw.exec) {
        return Err((place, HAS.to_owned()));
    }
    let text = raw.sql.map(CaseCommand::Sql).or(raw.exec.map(CaseCommand::Exec));
    match (text, raw.actions) {
        (Some(text), None) => {
            let said = raw.unbounded.is_some() || raw.multi.is_some() || raw.reads_unknown.is_some();
            if said || raw.predicates.is_some() || raw.unmask.is_some() {
                let message =
                    "unbounded, multi, predicates, reads_unknown and unmask follow from the text: remove them"
                        .to_owned();
                return Err((place, message));
            }
            Ok(text)
        }
        (None, Some(actions)) => Ok(CaseCommand::Actions {
            actions: actions
                .into_iter()
                .map(|action| Action { effect: action.effect, object: action.object.map(|text| object(&text)) })
                .collect(),
            flags: Flags { unbounded: raw.unbounded.unwrap_or_default(), multi: raw.multi.unwrap_or_default() },
            predicates: columns(raw.predicates)?,
            reads_unknown: raw.reads_unknown.unwrap_or_default(),
            unmask: columns(raw.unmask)?,
        }),
        (Some(_), Some(_)) | (None, None) => Err((place, HAS.to_owned())),
    }
}

/// `[kind:]name`, a relation where no kind is given.
fn object(text: &str) -> Object {
    let named = text.split_once(':').and_then(|(kind, name)| Some((ObjectKind::parse(kind)?, name)));
    let (kind, name) = named.unwrap_or((ObjectKind::Relation, text));
    Object::new(kind, name)
}

fn columns(texts: Option<Vec<At<String>>>) -> Result<Vec<ColumnRef>, (Place, String)> {
    texts.unwrap_or_default().iter().map(column).collect()
}

/// `schema.table.column`.
fn column(text: &At<String>) -> Result<ColumnRef, (Place, String)> {
    match text.value.rsplit_once('.') {
        Some((relation, column)) if !relation.is_empty() && !column.is_empty() => {
            Ok(ColumnRef { relation: relation.to_owned(), column: column.to_owned() })
        }
        Some(_) | None => Err((text.place, "a column is written schema.table.column".to_owned())),
    }
}

#[cfg(test)]
mod tests;
