//! What the console needs from the rest of the gateway, as traits. [`crate::adapter`] implements [`Gateway`] for the real
//! gate; the binary implements the others over its stores; tests use doubles.

use std::net::IpAddr;

use bytes::Bytes;
use gate::ports::{BoxFuture, StoreAway, StoredApproval};
use model::{ApprovalId, Effect, Identity, IdentityKind, SessionId, TokenId};
use record::Micros;

use crate::view::{PolicyView, SessionView, TargetView, TokenView};

/// A call that policy does not permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The deny rules that matched; empty when no rule covers the call (default deny).
    pub rules: Vec<String>,
    /// Why, for a person.
    pub reasons: Vec<String>,
}

/// Why an answer to an approval request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefused {
    /// There is no such request.
    #[error("there is no approval request with this id")]
    NotFound,
    /// Somebody's answer was taken before: whose, and where the request stands.
    #[error("already answered by {0}; the request is {1}")]
    Answered(String, &'static str),
    /// It was cancelled, or it expired.
    #[error("this request no longer waits for an answer: it is {0}")]
    Over(&'static str),
    /// This identity may not answer it; the text says why.
    #[error("{0}")]
    NotApprover(String),
    /// The rule wants a reason.
    #[error("the rule that held this command requires a reason; give one")]
    ReasonRequired,
    /// The store cannot be asked now.
    #[error("the store is away; try again shortly")]
    StoreAway,
}

/// What the running gateway does for the console.
pub trait Gateway: Send + Sync + 'static {
    /// Sessions that are open now.
    fn live(&self) -> Vec<SessionView>;
    /// Ends one; `false` when it is not open. The client is told `reason`.
    fn kill(&self, id: SessionId, reason: &str) -> bool;
    /// Ends all sessions that a token opened and says how many.
    fn kill_token(&self, id: TokenId) -> usize;
    /// Judges one call of the API by the policy, as `effect` on the path.
    ///
    /// # Errors
    /// When policy does not permit it.
    fn authorize(&self, identity: &Identity, effect: Effect, path: &str, from: Option<IpAddr>) -> Result<(), Refused>;
    /// One human's answer to a held command; the rule's terms decide whether it counts.
    fn answer<'a>(
        &'a self,
        id: ApprovalId,
        approver: &'a Identity,
        approve: bool,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<StoredApproval, AnswerRefused>>;
    /// All metrics as OpenMetrics text.
    fn metrics(&self) -> String;
}

/// Who shall get a token, for what, for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The subject.
    pub subject: String,
    /// What sort of caller.
    pub kind: IdentityKind,
    /// Its groups.
    pub groups: Vec<String>,
    /// For whom it acts, nearest first.
    pub on_behalf_of: Vec<String>,
    /// What it says it is doing.
    pub task: Option<String>,
    /// Names of the targets for which it is good; `None` is every target that policy permits.
    pub targets: Option<Vec<String>>,
    /// How long it lives, in seconds; `None` is the default.
    pub ttl_seconds: Option<u64>,
    /// It must not live longer than this, whatever `ttl_seconds` says.
    pub not_after: Option<Micros>,
}

/// A token, shown once. No `Debug`: it holds the secret.
pub struct IssuedToken {
    /// The token itself.
    pub token: String,
    /// Its id, for revoking.
    pub id: TokenId,
    /// Until when it is good.
    pub expires: Micros,
}

/// Why a token was not issued or revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// The request does not make sense; the text says what to change.
    #[error("{0}")]
    Invalid(String),
    /// The store cannot be asked now.
    #[error("the store is away; try again shortly")]
    StoreAway,
}

/// Issues, lists and revokes Sallyport tokens. Implementations audit each change before they make it.
pub trait Tokens: Send + Sync + 'static {
    /// Issues one in the name of `actor`.
    fn issue<'a>(
        &'a self,
        request: &'a TokenRequest,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<IssuedToken, TokenRefused>>;
    /// All that are stored, newest first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenView>, StoreAway>>;
    /// Revokes one; `false` when there is none with this id.
    fn revoke<'a>(&'a self, id: TokenId, actor: &'a str) -> BoxFuture<'a, Result<bool, StoreAway>>;
}

/// Which recordings to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only of this subject.
    pub subject: Option<String>,
    /// Only of this target.
    pub target: Option<String>,
    /// Only opened at or after this time.
    pub since: Option<Micros>,
    /// At most this many, newest first.
    pub limit: usize,
}

/// How the events of a recording are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object per event and line.
    #[default]
    Jsonl,
    /// As a person reads it.
    Text,
    /// OCSF events, one JSON object per line.
    Ocsf,
    /// One command's terminal or output with its timing: asciicast v2.
    Asciicast,
    /// The same as asciicast v3.
    #[serde(rename = "asciicast-v3")]
    AsciicastV3,
}

impl Format {
    /// The word of the API and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Text => "text",
            Self::Ocsf => "ocsf",
            Self::Asciicast => "asciicast",
            Self::AsciicastV3 => "asciicast-v3",
        }
    }
}

/// What of a recording to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// In which form.
    pub format: Format,
    /// Whether to go on with what a live session does next, until it closes.
    pub follow: bool,
    /// Rows shown per result in the text form.
    pub rows: usize,
    /// Whether the text form has colours.
    pub color: bool,
    /// The command that an asciicast is of; the first with a terminal, or else with output, when absent.
    pub command: Option<u64>,
}

/// Why a recording cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFailure {
    /// There is none with this id.
    #[error("there is no recording of this session")]
    NotFound,
    /// It is there and cannot be read; the text names the place, never content.
    #[error("the recording cannot be read: {0}")]
    Damaged(String),
    /// An asciicast was asked for, and no command of the session had a terminal or output so far.
    #[error("no command of this session had a terminal or output")]
    NothingShown,
}

/// Parts of a recording in the order of the file; an error ends it.
pub type Parts = tokio::sync::mpsc::Receiver<Result<Bytes, ReadFailure>>;

/// Reads recordings.
pub trait Library: Send + Sync + 'static {
    /// Sessions that have a recording, newest first.
    fn list<'a>(&'a self, filter: &'a SessionFilter) -> BoxFuture<'a, Result<Vec<SessionView>, ReadFailure>>;
    /// One session, by its id.
    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<SessionView, ReadFailure>>;
    /// One session's recording. Dropping the receiver stops the reading.
    fn read(&self, id: SessionId, reading: Reading) -> BoxFuture<'_, Result<Parts, ReadFailure>>;
}

/// One part of the gateway and whether it works now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// `store`, `recorder`, `policy`, `keys`, `accepting`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// What is wrong and what to do, or a word on its state; fixed words for callers that are not proven.
    pub detail: String,
    /// What callers that are not proven read as `detail`: fixed words, with nothing of files, addresses or other programs' errors in them.
    #[serde(skip)]
    pub public: &'static str,
}

impl Check {
    /// The check as whoever is not proven may see it.
    #[must_use]
    pub fn for_strangers(self) -> Self {
        Self { detail: self.public.to_owned(), ..self }
    }
}

/// What the binary knows about itself.
pub trait Runtime: Send + Sync + 'static {
    /// Whether each part works now.
    fn checks(&self) -> BoxFuture<'_, Vec<Check>>;
    /// The configured targets, by name.
    fn targets(&self) -> Vec<TargetView>;
    /// The policy in force.
    fn policy(&self) -> PolicyView;
}
