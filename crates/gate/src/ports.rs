//! What the gate needs from the outside, as traits: identities, secrets, approvals, recordings, audit, time.
//!
//! No signature here names a runtime. `identity`, `secrets` and `store` implement them; tests use doubles.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use model::{ApprovalId, ApprovalTerms, Identity, SessionId, TokenId};
use record::{Event, Micros};

use crate::secret::Secret;

/// A future that may cross threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An identity, proven, with how long the proof holds.
#[derive(Clone, Debug)]
pub struct Proven {
    /// Who.
    pub identity: Identity,
    /// Until when; sessions close then.
    pub expires: Micros,
    /// The Sallyport token that proved it, if one did: revoking it closes the session.
    pub token: Option<TokenId>,
    /// Target names for which the proof is good; `None` is every target that policy permits.
    pub targets: Option<Vec<String>>,
}

/// Why an identity was not proven. The texts are for the client: nothing of the credential is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// Not a token of this gateway, nor of a configured issuer.
    #[error("the token is not known here; get one with `sallyport token` or from your identity provider")]
    Unknown,
    /// It was good until a while ago.
    #[error("the token has expired; get a new one")]
    Expired,
    /// It was taken back.
    #[error("the token has been revoked; ask whoever issued it")]
    Revoked,
    /// Good, but for other targets.
    #[error("the token is not good for this target; get one that names it")]
    WrongTarget,
    /// An issuer's token that fails a check: signature, audience, algorithm, time.
    #[error("the identity provider's token was not accepted: {0}")]
    Refused(&'static str),
    /// Not a key of anybody here, nor one that a known authority certifies.
    #[error("the key is not known here; use a token as password, or have the key added under `ssh.keys`")]
    UnknownKey,
    /// A security key that nobody touched, where a touch is wanted.
    #[error(
        "the security key was not touched; make the key without `-O no-touch-required`, or have `touch: false` put beside it"
    )]
    Untouched,
    /// A certificate that fails a check: time, type, source address.
    #[error("the certificate was not accepted: {0}")]
    Certificate(&'static str),
    /// A login with the browser that came to nothing.
    #[error("the login with the browser did not succeed: {0}")]
    Browser(&'static str),
    /// The store or the identity provider cannot be asked now.
    #[error("identities cannot be checked right now; try again shortly")]
    Unavailable,
}

/// A public key with which a client proves itself, in SSH's encoding (RFC 4253, section 6.6).
#[derive(Clone, Copy, Debug)]
pub enum ClientKey<'a> {
    /// The key by itself.
    Plain(&'a [u8]),
    /// A key that an authority has certified; its signature and the address were checked, the time was not.
    Certified(&'a CertifiedKey),
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedKey {
    /// The authority's public key.
    pub authority: Vec<u8>,
    /// What the authority calls it, for logs.
    pub key_id: String,
    /// Its number.
    pub serial: u64,
    /// The names that it is good for.
    pub principals: Vec<String>,
    /// Names of its extensions, such as `permit-pty`.
    pub extensions: Vec<String>,
    /// The first moment at which it is good, in seconds since 1970.
    pub after: u64,
    /// The first moment at which it is no longer.
    pub before: u64,
}

/// The parameters of SCRAM-SHA-256, the same for every token: tokens have 128 random bits, so a shared salt takes nothing away,
/// and the gateway can find the token by the proof alone.
#[derive(Clone, Debug)]
pub struct ScramParameters {
    /// The salt.
    pub salt: Vec<u8>,
    /// PBKDF2 rounds.
    pub iterations: u32,
}

/// A client's SCRAM proof (RFC 5802, section 3).
#[derive(Clone, Debug)]
pub struct ScramAttempt {
    /// client-first-bare, server-first and client-final-without-proof, joined by commas.
    pub auth_message: Vec<u8>,
    /// ClientProof.
    pub proof: [u8; 32],
}

/// What a person needs in order to log in with the browser (RFC 8628, section 3.2). All texts are printable ASCII, as short as a terminal
/// wants them; nothing in them proves anything by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPrompt {
    /// The identity provider's page.
    pub url: String,
    /// The same page with the code filled in.
    pub complete_url: Option<String>,
    /// The code that the page asks for, or shows.
    pub code: String,
    /// When it was asked for.
    pub begun: Micros,
    /// How long the code is good from then on.
    pub good_for: Duration,
}

/// A login with the browser that has begun. Dropping it gives it up.
pub trait BrowserLogin: Send {
    /// What the person has to be told.
    fn prompt(&self) -> &LoginPrompt;
    /// Waits until the person has logged in, has said no, or the code is no longer good. Dropping the future gives the login up.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Proven, AuthFailure>>;
}

/// Proves identities.
pub trait Identities: Send + Sync + 'static {
    /// A secret presented as a password or bearer: a Sallyport token or an issuer's JWT. `target` scopes it.
    fn verify<'a>(&'a self, secret: &'a str, target: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>>;
    /// The parameters to offer for SCRAM.
    fn scram_parameters(&self) -> ScramParameters;
    /// A SCRAM proof; the answer carries ServerSignature.
    fn verify_scram<'a>(
        &'a self,
        attempt: &'a ScramAttempt,
        target: &'a str,
    ) -> BoxFuture<'a, Result<(Proven, [u8; 32]), AuthFailure>>;
    /// A key that the client holds, or says that it does. Whoever calls checks its signature before it relies on the answer.
    fn verify_key<'a>(&'a self, key: ClientKey<'a>, target: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        let _none = (key, target);
        Box::pin(std::future::ready(Err(AuthFailure::UnknownKey)))
    }
    /// Whether a security key's signature counts for this key without a touch: never, unless somebody has said so.
    fn may_be_untouched(&self, key: ClientKey<'_>) -> bool {
        let _none = key;
        false
    }
    /// Whether any key is known, so that clients are asked for theirs.
    fn knows_keys(&self) -> bool {
        false
    }
    /// Whether people may log in with the browser to use this target.
    fn offers_login(&self, target: &str) -> bool {
        let _none = target;
        false
    }
    /// Begins such a login for a client at this address; takes seconds at most. The identity provider is asked, so this is only for a client that
    /// wants it.
    fn begin_login<'a>(
        &'a self,
        target: &'a str,
        from: IpAddr,
    ) -> BoxFuture<'a, Result<Box<dyn BrowserLogin>, AuthFailure>> {
        let _none = (target, from);
        Box::pin(std::future::ready(Err(AuthFailure::Browser("it is not offered here"))))
    }
    /// The issuer's URL and the scope to name in OAUTHBEARER's discovery answer, if an issuer is configured.
    fn bearer_discovery(&self) -> Option<(String, String)>;
}

/// A credential for one session, as the target wants it.
pub struct Lease {
    /// The target's user name.
    pub user: String,
    /// The password or the like.
    pub password: Option<Secret>,
    /// A client certificate chain and its key, PEM.
    pub certificate: Option<(Vec<u8>, Secret)>,
    /// An authority that certifies a key of this session's own.
    pub authority: Option<Authority>,
}

/// An authority and what it may certify for one session.
pub struct Authority {
    /// Its private key.
    pub key: Secret,
    /// The names that the certificate is good for.
    pub principals: Vec<String>,
    /// How long it is good.
    pub seconds: u64,
    /// Networks from which it may be used; absent: the gateway's own address, as the connection has it.
    pub sources: Option<Vec<String>>,
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The role names a secret that is not there.
    #[error("the secret for role {role} of {target} is not set; run `sallyport secrets set {name}`")]
    Missing {
        /// The target.
        target: String,
        /// The role.
        role: String,
        /// The secret's name, or the environment variable's.
        name: String,
    },
    /// It is there and cannot be opened.
    #[error("the secret store cannot be opened: {0}")]
    Sealed(String),
}

/// Opens credentials.
pub trait Secrets: Send + Sync + 'static {
    /// The credential of a role for one session.
    fn lease<'a>(
        &'a self,
        target: &'a str,
        role: &'a str,
        session: SessionId,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>>;
    /// The session is over; whatever dies by our hand dies now.
    fn release<'a>(&'a self, target: &'a str, role: &'a str, session: SessionId) -> BoxFuture<'a, ()>;
}

/// A store that cannot answer now.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store is away: {0}")]
pub struct StoreAway(pub String);

/// A held command as approvers see it.
#[derive(Clone, Debug)]
pub struct ApprovalRequest {
    /// Its id.
    pub id: ApprovalId,
    /// Digest of identity, target, role, command, values and policy version.
    pub digest: [u8; 32],
    /// The session that waits.
    pub session: SessionId,
    /// The command's number in it.
    pub number: u64,
    /// Who asks.
    pub identity: Identity,
    /// The target's name.
    pub target: String,
    /// The role.
    pub role: String,
    /// The command's exact text.
    pub text: String,
    /// Its bind values.
    pub values: Vec<Option<String>>,
    /// What it would do, as `effect object` lines.
    pub actions: Vec<String>,
    /// What it would change, as far as the target could be asked.
    pub preview: Vec<String>,
    /// Why it is held.
    pub reasons: Vec<String>,
    /// The rules that held it.
    pub rules: Vec<String>,
    /// The policy's version.
    pub policy: String,
    /// Who may approve.
    pub terms: ApprovalTerms,
    /// When it was asked.
    pub created: Micros,
    /// When it expires.
    pub expires: Micros,
}

/// Where an approval request stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApprovalState {
    /// Nobody, or not enough, answered.
    Pending,
    /// Enough said yes; not used yet.
    Approved,
    /// Someone said no.
    Denied,
    /// Too late.
    Expired,
    /// The requester went away or cancelled.
    Cancelled,
    /// Approved and used.
    Used,
}

impl ApprovalState {
    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Used => "used",
        }
    }
}

/// One human's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who.
    pub by: String,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Micros,
}

/// A stored request with its answers.
#[derive(Clone, Debug)]
pub struct StoredApproval {
    /// The request.
    pub request: ApprovalRequest,
    /// Where it stands.
    pub state: ApprovalState,
    /// The answers so far.
    pub answers: Vec<Answer>,
    /// What came of it, once it ran: the target's completion tag, or an error's code.
    pub outcome: Option<String>,
}

impl StoredApproval {
    /// Who approved, or who denied, with reasons.
    #[must_use]
    pub fn answered(&self, approve: bool) -> Vec<(String, String)> {
        let answers = self.answers.iter().filter(|answer| answer.approve == approve);
        answers.map(|answer| (answer.by.clone(), answer.reason.clone())).collect()
    }
}

/// Keeps approval requests. Every change of state is atomic.
pub trait Approvals: Send + Sync + 'static {
    /// Stores a request.
    fn create<'a>(&'a self, request: &'a ApprovalRequest) -> BoxFuture<'a, Result<(), StoreAway>>;
    /// Reads one.
    fn get(&self, id: ApprovalId) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>>;
    /// Lists the newest first; `pending` only those that wait.
    fn list(&self, pending: bool, limit: u32) -> BoxFuture<'_, Result<Vec<StoredApproval>, StoreAway>>;
    /// Adds an answer to a pending request and returns it with its new state; one answer per person, the first counts. The
    /// answer is among those that are returned only if it was taken. Whether the person may answer was decided before.
    fn answer<'a>(
        &'a self,
        id: ApprovalId,
        answer: &'a Answer,
    ) -> BoxFuture<'a, Result<Option<StoredApproval>, StoreAway>>;
    /// An approved, unused and unexpired request with this digest.
    fn granted(&self, digest: [u8; 32], now: Micros) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>>;
    /// Uses an approved and unexpired request: true exactly once.
    fn consume(&self, id: ApprovalId, now: Micros) -> BoxFuture<'_, Result<bool, StoreAway>>;
    /// Says what came of an approved command. A request that is gone by then is left alone.
    fn report<'a>(&'a self, id: ApprovalId, outcome: &'a str) -> BoxFuture<'a, Result<(), StoreAway>>;
    /// Ends a pending request.
    fn end(&self, id: ApprovalId, state: ApprovalState) -> BoxFuture<'_, Result<(), StoreAway>>;
}

/// Why an event was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordFailure {
    /// No room right now: wait for [`Recorder::poll_ready`] and append again.
    #[error("the recorder is behind")]
    Behind,
    /// It is broken: the session must close.
    #[error("the recording cannot be written: {0}")]
    Broken(String),
}

/// One session's recording, written by that session alone.
pub trait Recorder: Send {
    /// Puts one event into the operating system's hands: after `Ok` a `kill -9` of the gateway does not lose it.
    ///
    /// # Errors
    /// [`RecordFailure::Behind`] when there is no room now (nothing was written), [`RecordFailure::Broken`] for good.
    fn append(&mut self, at: Micros, event: &Event<'_>) -> Result<(), RecordFailure>;
    /// Ready when there is room for at least one event of the largest size.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RecordFailure>>;
    /// Seals the recording: no event follows.
    fn seal(&mut self);
}

/// Opens recordings.
pub trait Recordings: Send + Sync + 'static {
    /// A new recording whose first event is `opened`; it is stored before this returns.
    fn open<'a>(
        &'a self,
        session: SessionId,
        at: Micros,
        opened: &'a record::Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>>;
    /// Whether recordings can be written now; `Err` says why not.
    fn healthy(&self) -> Result<(), String>;
}

/// One entry of the gateway's own log of admin actions.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When.
    pub at: Micros,
    /// Who: a subject, or `gateway`.
    pub actor: String,
    /// What: `token.issue`, `approval.answer`, `policy.reload`, `session.kill`, …
    pub action: &'static str,
    /// To what.
    pub object: String,
    /// Details, without secrets.
    pub detail: String,
}

/// Keeps audit events.
pub trait Audit: Send + Sync + 'static {
    /// Writes one; an admin action whose entry cannot be written does not happen.
    fn write<'a>(&'a self, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreAway>>;
}

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now, UTC.
    fn now(&self) -> Micros;
}
