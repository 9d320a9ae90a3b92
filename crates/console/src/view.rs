//! The JSON of the API: what callers see of sessions, approvals, targets, tokens and the policy.

use std::collections::BTreeMap;

use gate::ports::StoredApproval;
use model::{Identity, IdentityKind};
use record::Micros;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A point in time as RFC 3339 in UTC, to the microsecond.
#[must_use]
pub fn rfc3339(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |time| time.to_string())
}

/// Who is asking, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityView {
    /// The stable name within the issuer.
    pub subject: String,
    /// The issuer's URL, `sallyport`, or `local` for the operator of this machine.
    pub issuer: String,
    /// `human`, `agent`, `ci` or `service`.
    pub kind: String,
    /// Groups, sorted.
    pub groups: Vec<String>,
    /// For whom it acts, nearest first.
    pub on_behalf_of: Vec<String>,
    /// What it says it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

impl From<&Identity> for IdentityView {
    fn from(identity: &Identity) -> Self {
        Self {
            subject: identity.subject.clone(),
            issuer: identity.issuer.clone(),
            kind: identity.kind.as_str().to_owned(),
            groups: identity.groups.clone(),
            on_behalf_of: identity.on_behalf_of.clone(),
            task: identity.task.clone(),
        }
    }
}

/// One session, live or recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// `live`, `closed`, `recovered` (cut by a crash), or for a live one what it does now.
    pub state: String,
    /// Who, as one line: `agent-7 for alice`.
    pub identity: String,
    /// Who, without the chain.
    pub subject: String,
    /// The target.
    pub target: String,
    /// The role.
    pub role: String,
    /// The protocol.
    pub protocol: String,
    /// Where the client connected from.
    pub from: String,
    /// When it was opened, RFC 3339.
    pub opened: String,
    /// When it was closed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Why it was closed, or its recording deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Commands judged.
    pub commands: u64,
    /// Of these, denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<u64>,
    /// Of these, held for a human.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// Size of the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Who may answer a held command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TermsView {
    /// Subjects who may.
    pub users: Vec<String>,
    /// Groups whose members may.
    pub groups: Vec<String>,
    /// How many distinct humans must approve.
    pub quorum: u32,
    /// Whether an answer needs a reason.
    pub reason_required: bool,
}

/// One human's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerView {
    /// Who.
    pub by: String,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

/// One held command and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Its id.
    pub id: String,
    /// `pending`, `approved`, `denied`, `expired`, `cancelled` or `used`.
    pub state: String,
    /// The session that waits.
    pub session: String,
    /// The command's number in it.
    pub number: u64,
    /// Who asks.
    pub identity: IdentityView,
    /// The target.
    pub target: String,
    /// The role.
    pub role: String,
    /// The command's exact text.
    pub command: String,
    /// Its bind values; `null` is NULL.
    pub values: Vec<Option<String>>,
    /// What it would do.
    pub actions: Vec<String>,
    /// What it would change, as far as the target could be asked.
    pub preview: Vec<String>,
    /// Why it is held.
    pub reasons: Vec<String>,
    /// The rules that held it.
    pub rules: Vec<String>,
    /// The version of the policy that held it.
    pub policy: String,
    /// Who may answer.
    pub by: TermsView,
    /// When it was asked, RFC 3339.
    pub created: String,
    /// Until when it can be answered, RFC 3339.
    pub expires: String,
    /// The answers so far.
    pub answers: Vec<AnswerView>,
    /// What came of it, once it ran: the target's completion tag, or an error's code.
    pub outcome: Option<String>,
}

impl From<&StoredApproval> for ApprovalView {
    fn from(stored: &StoredApproval) -> Self {
        let request = &stored.request;
        Self {
            id: request.id.to_string(),
            state: stored.state.as_str().to_owned(),
            session: request.session.to_string(),
            number: request.number,
            identity: (&request.identity).into(),
            target: request.target.clone(),
            role: request.role.clone(),
            command: request.text.clone(),
            values: request.values.clone(),
            actions: request.actions.clone(),
            preview: request.preview.clone(),
            outcome: stored.outcome.clone(),
            reasons: request.reasons.clone(),
            rules: request.rules.clone(),
            policy: request.policy.clone(),
            by: TermsView {
                users: request.terms.users.clone(),
                groups: request.terms.groups.clone(),
                quorum: request.terms.quorum,
                reason_required: request.terms.reason_required,
            },
            created: rfc3339(request.created),
            expires: rfc3339(request.expires),
            answers: stored
                .answers
                .iter()
                .map(|answer| AnswerView {
                    by: answer.by.clone(),
                    approve: answer.approve,
                    reason: answer.reason.clone(),
                    at: rfc3339(answer.at),
                })
                .collect(),
        }
    }
}

/// One protected resource. Addresses and credentials are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// The name that clients use.
    pub name: String,
    /// The protocol.
    pub kind: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Roles.
    pub roles: Vec<String>,
    /// The role of a session that names none.
    pub default_role: String,
}

/// One token, never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// `live`, `expired` or `revoked`.
    pub state: String,
    /// For whom.
    pub subject: String,
    /// `human`, `agent`, `ci` or `service`.
    pub kind: String,
    /// Groups.
    pub groups: Vec<String>,
    /// For whom it acts, nearest first.
    pub on_behalf_of: Vec<String>,
    /// What it says it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Targets for which it is good; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// Who issued it.
    pub issued_by: String,
    /// When, RFC 3339.
    pub created: String,
    /// Until when it is good, RFC 3339.
    pub expires: String,
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Its version: 16 hexadecimal digits of a digest of its content.
    pub version: String,
    /// How many rules it has.
    pub rules: usize,
    /// When it came into force, RFC 3339.
    pub since: String,
    /// What is wrong with the files on disk, when a later edit was refused and this older policy stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Asks for a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenOrder {
    /// For whom.
    pub subject: String,
    /// `human`, `agent`, `ci` or `service`; `agent` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// For whom it acts, nearest first.
    #[serde(default)]
    pub on_behalf_of: Vec<String>,
    /// What it says it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Targets for which it shall be good; absent is every target that policy permits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// How long it shall live, in seconds; the gateway's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// A fresh token. It is shown once and stored as a hash.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TokenGiven {
    /// The token: the password of stock clients, or a bearer.
    pub token: String,
    /// Its id, for `tokens revoke`.
    pub id: String,
    /// Until when it is good, RFC 3339.
    pub expires: String,
    /// For whom.
    pub subject: String,
    /// Targets for which it is good; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
}

/// An answer to a held command, or the reason of another change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What a revocation or a kill did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// Sessions that were ended by it.
    pub sessions: usize,
}

/// Who the caller is to the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// The identity.
    pub identity: IdentityView,
    /// Whether it is the local operator of this machine.
    pub operator: bool,
    /// Until when the proof is good, RFC 3339; absent for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Whether the gateway can do its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether every part works.
    pub ready: bool,
    /// Each part.
    pub checks: Vec<crate::ports::Check>,
}

/// Reads the word of an identity's kind.
///
/// # Errors
/// A text that names the words that exist.
pub fn kind(word: Option<&str>) -> Result<IdentityKind, String> {
    let Some(word) = word else {
        return Ok(IdentityKind::Agent);
    };
    IdentityKind::parse(word).ok_or_else(|| "`kind` must be one of human, agent, ci, service".to_owned())
}
