//! Sallyport tokens: short-lived, bound to targets, hashed at rest, revocable at once.
//!
//! `text` is the token's form, `request` what may be asked for, `scram` the keys. Issuing and revoking write their own audit
//! entry (`token.issue`, `token.exchange`, `token.revoke`) in the same transaction: the caller writes none.
//!
//! # What a SCRAM login costs
//! The client does not say which token it holds, so its proof is tried against each: one HMAC and one hash per live token, about
//! 0.6 µs, with the keys kept in memory and read again only when a token was issued or revoked. At most [`LIVE_LIMIT`] live tokens
//! are tried, newest first; older ones still work as a password, inside TLS.

pub mod request;
mod scram;
pub mod text;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::rand;
use gate::Micros;
use gate::ports::{AuditEntry, AuthFailure, Clock, Proven, ScramAttempt, ScramParameters, StoreAway};
use model::{Identity, TokenId};
use store::{Candidate, Revoked, Store, TokenRow};
use uuid::Uuid;

pub use request::{IssueError, IssueRequest, Issued, TokenSettings};
pub use scram::ITERATIONS;
pub use text::TokenText;

/// Most tokens that a SCRAM proof is tried against.
pub const LIVE_LIMIT: u32 = 8192;
/// Most tokens, of other targets or no longer good, that are tried only to say what is wrong with them.
const EXPLAIN_LIMIT: usize = 1024;
/// For so long after its end a token is still recognised by SCRAM, to say that it expired.
const REMEMBER: Duration = Duration::from_secs(3600);
/// For so long after its end a token is kept at all.
const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// More candidates than this are not tried on the thread that serves sessions.
const INLINE_CANDIDATES: usize = 512;

/// Issues and verifies Sallyport tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: TokenSettings,
    clock: Arc<dyn Clock>,
    salt: Vec<u8>,
    index: ArcSwap<Index>,
    loading: tokio::sync::Mutex<()>,
}

/// The tokens that SCRAM may try, as of one generation of the store.
struct Index {
    generation: Option<u64>,
    candidates: Arc<[Candidate]>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Tokens {
    /// The tokens of this store.
    ///
    /// # Errors
    /// When the store cannot give or keep the gateway's salt.
    pub async fn open(store: Store, settings: TokenSettings, clock: Arc<dyn Clock>) -> Result<Self, StoreAway> {
        let mut fresh = vec![0; 16];
        rand::fill(&mut fresh).map_err(|_| StoreAway("the system gives no random numbers".to_owned()))?;
        let salt = store.value_once("scram_salt", fresh).await?;
        let index = ArcSwap::from_pointee(Index { generation: None, candidates: Arc::new([]) });
        let loading = tokio::sync::Mutex::new(());
        Ok(Self { inner: Arc::new(Inner { store, settings, clock, salt, index, loading }) })
    }

    /// Issues a token; `actor` is who asked for it, for the audit log. Whether they may was decided before.
    ///
    /// # Errors
    /// [`IssueError`]: nothing was issued.
    pub async fn issue(&self, request: &IssueRequest, actor: &str) -> Result<Issued, IssueError> {
        let identity = request.identity()?;
        let targets = request::targets(request.targets.as_ref())?;
        let created = self.inner.clock.now();
        let lifetime = request::lifetime(request.ttl, &self.inner.settings)?;
        let expires = Micros(created.0.saturating_add(lifetime));
        self.create(identity, targets, created, expires, ("token.issue", actor)).await
    }

    /// Exchanges an issuer's proof for a token (RFC 8693): the same identity, never longer than the proof and never for more targets.
    ///
    /// # Errors
    /// [`IssueError`]: nothing was issued.
    pub async fn exchange(
        &self,
        proven: &Proven,
        targets: Option<Vec<String>>,
        ttl: Option<Duration>,
    ) -> Result<Issued, IssueError> {
        if proven.token.is_some() {
            // The new token would outlive the revocation of the old one.
            return Err(request::invalid(
                "a Sallyport token cannot be exchanged; come with the identity provider's own",
            ));
        }
        let asked = request::targets(targets.as_ref())?;
        let targets = narrower(asked, proven.targets.as_ref())?;
        let created = self.inner.clock.now();
        let lifetime = request::lifetime(ttl, &self.inner.settings)?;
        let expires = Micros(created.0.saturating_add(lifetime).min(proven.expires.0));
        if expires <= created {
            return Err(request::invalid("the proof has expired"));
        }
        let actor = proven.identity.subject.clone();
        self.create(proven.identity.clone(), targets, created, expires, ("token.exchange", &actor)).await
    }

    /// Revokes a token, with an audit entry. From when this returns nobody gets in with it; whoever closes the sessions that it
    /// opened hears of it by [`Store::watch_revocations`], also when another process revoked it.
    ///
    /// # Errors
    /// When the store cannot write it.
    pub async fn revoke(&self, id: TokenId, actor: &str) -> Result<Revoked, StoreAway> {
        let at = self.inner.clock.now();
        let entry = AuditEntry {
            at,
            actor: actor.to_owned(),
            action: "token.revoke",
            object: id.to_string(),
            detail: String::new(),
        };
        self.inner.store.revoke_token(id, at, &entry).await
    }

    /// Tokens, newest first, without what proves them; `live` only those that are good now. At most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ls(&self, live: bool, limit: u32) -> Result<Vec<TokenRow>, StoreAway> {
        self.inner.store.list_tokens(live, self.inner.clock.now(), limit).await
    }

    /// Forgets tokens that ended a week ago. For a timer.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn purge(&self) -> Result<u64, StoreAway> {
        self.inner.store.purge_tokens(earlier(self.inner.clock.now(), KEEP)).await
    }

    /// The identity that a token proves for a target.
    ///
    /// # Errors
    /// [`AuthFailure`].
    pub async fn verify(&self, token: &str, target: &str) -> Result<Proven, AuthFailure> {
        if !text::is_well_formed(token) {
            return Err(AuthFailure::Unknown);
        }
        let found = self.inner.store.find_token_by_hash(scram::sha256(token.as_bytes())).await;
        let row = found.map_err(|_| AuthFailure::Unavailable)?.ok_or(AuthFailure::Unknown)?;
        prove(row, target, self.inner.clock.now())
    }

    /// The parameters for every SCRAM login.
    #[must_use]
    pub fn scram_parameters(&self) -> ScramParameters {
        ScramParameters { salt: self.inner.salt.clone(), iterations: ITERATIONS }
    }

    /// The identity that a SCRAM proof proves for a target, and the gateway's proof for the client.
    ///
    /// # Errors
    /// [`AuthFailure`].
    pub async fn verify_scram(&self, attempt: &ScramAttempt, target: &str) -> Result<(Proven, [u8; 32]), AuthFailure> {
        let candidates = self.candidates().await.map_err(|_| AuthFailure::Unavailable)?;
        let now = self.inner.clock.now();
        let found = if candidates.len() <= INLINE_CANDIDATES {
            find(&candidates, attempt, target, now)
        } else {
            let (attempt, target) = (attempt.clone(), target.to_owned());
            let search = move || find(&candidates, &attempt, &target, now);
            let searching = self.inner.store.control().spawn_blocking(search);
            searching.await.map_err(|_| AuthFailure::Unavailable)?
        };
        let candidate = found.ok_or(AuthFailure::Unknown)?;
        // The row again, not the memory of it: a revocation counts from the moment it is stored.
        let row = self.inner.store.find_token(candidate.id).await.map_err(|_| AuthFailure::Unavailable)?;
        let proven = prove(row.ok_or(AuthFailure::Unknown)?, target, now)?;
        Ok((proven, scram::server_signature(&candidate, attempt)))
    }

    async fn create(
        &self,
        identity: Identity,
        targets: Option<Vec<String>>,
        created: Micros,
        expires: Micros,
        (action, actor): (&'static str, &str),
    ) -> Result<Issued, IssueError> {
        let token = TokenText::generate()?;
        let keys = scram::keys(token.reveal(), &self.inner.salt);
        let id = TokenId(Uuid::now_v7());
        let scope = targets.as_ref().map_or_else(|| "every target".to_owned(), |targets| targets.join(", "));
        let seconds = expires.0.saturating_sub(created.0) / 1_000_000;
        let entry = AuditEntry {
            at: created,
            actor: actor.to_owned(),
            action,
            object: id.to_string(),
            detail: format!("{} {} for {scope}, {seconds} s", identity.kind, identity.display()),
        };
        let row = TokenRow {
            id,
            identity,
            targets,
            issued_by: actor.to_owned(),
            created,
            expires,
            revoked: None,
            revoked_by: None,
        };
        self.inner.store.create_token(&row, &keys, &entry).await?;
        Ok(Issued { token, id, expires })
    }

    /// What SCRAM may try now: from memory, unless a token was issued or revoked since, by whatever process.
    async fn candidates(&self) -> Result<Arc<[Candidate]>, StoreAway> {
        let generation = self.inner.store.token_generation().await?;
        if let Some(candidates) = self.indexed(generation) {
            return Ok(candidates);
        }
        // One reads, the others wait for it.
        let _turn = self.inner.loading.lock().await;
        let generation = self.inner.store.token_generation().await?;
        if let Some(candidates) = self.indexed(generation) {
            return Ok(candidates);
        }
        let after = earlier(self.inner.clock.now(), REMEMBER);
        let candidates: Arc<[Candidate]> = self.inner.store.scram_candidates(after, LIVE_LIMIT).await?.into();
        if u32::try_from(candidates.len()).unwrap_or(u32::MAX) >= LIVE_LIMIT {
            tracing::warn!(
                limit = LIVE_LIMIT,
                "more live tokens than SCRAM logins try; the oldest work as a password only"
            );
        }
        let index = Index { generation: Some(generation), candidates: Arc::clone(&candidates) };
        self.inner.index.store(Arc::new(index));
        Ok(candidates)
    }

    fn indexed(&self, generation: u64) -> Option<Arc<[Candidate]>> {
        let index = self.inner.index.load();
        (index.generation == Some(generation)).then(|| Arc::clone(&index.candidates))
    }
}

/// The token that an attempt was made with: among those that are good for the target, else among the others, so that their
/// holder can be told what is wrong.
fn find(candidates: &[Candidate], attempt: &ScramAttempt, target: &str, now: Micros) -> Option<Candidate> {
    let good = |candidate: &&Candidate| {
        !candidate.revoked && candidate.expires > now && covers(candidate.targets.as_ref(), target)
    };
    let others = candidates.iter().filter(|candidate| !good(candidate)).take(EXPLAIN_LIMIT);
    candidates.iter().filter(good).chain(others).find(|candidate| scram::proves(candidate, attempt)).cloned()
}

fn prove(row: TokenRow, target: &str, now: Micros) -> Result<Proven, AuthFailure> {
    if row.revoked.is_some() {
        return Err(AuthFailure::Revoked);
    }
    if row.expires <= now {
        return Err(AuthFailure::Expired);
    }
    if !covers(row.targets.as_ref(), target) {
        return Err(AuthFailure::WrongTarget);
    }
    Ok(Proven { identity: row.identity, expires: row.expires, token: Some(row.id), targets: row.targets })
}

/// Whether a list of targets, or its absence, covers one.
pub(crate) fn covers(targets: Option<&Vec<String>>, target: &str) -> bool {
    targets.is_none_or(|targets| targets.iter().any(|name| name == target))
}

/// The targets asked for, if the proof covers them all; those of the proof when none were asked for.
fn narrower(asked: Option<Vec<String>>, proven: Option<&Vec<String>>) -> Result<Option<Vec<String>>, IssueError> {
    match (asked, proven) {
        (None, proven) => Ok(proven.cloned()),
        (Some(asked), None) => Ok(Some(asked)),
        (Some(asked), Some(proven)) => {
            let proven: BTreeSet<&String> = proven.iter().collect();
            if asked.iter().all(|target| proven.contains(target)) {
                Ok(Some(asked))
            } else {
                Err(request::invalid("the proof is not good for all of these targets"))
            }
        }
    }
}

fn earlier(now: Micros, by: Duration) -> Micros {
    Micros(now.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests;
