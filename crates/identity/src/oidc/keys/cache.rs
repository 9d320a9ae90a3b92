//! An issuer's keys, kept for a while.
//!
//! ```text
//! age   0 ──────── fresh ─────────────────── hard ─────────►
//!       used as is │ used, renewed beside it │ renewed first, or nobody gets in
//! ```
//! A token with an unknown key id makes the cache look for new keys at once, but not more often than every `pause`, so that made-up
//! key ids are no way to make the gateway flood an issuer. Whatever the reason, one request is under way at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::KeySet;
use super::fetch::{Endpoints, Source};

/// How long keys are kept and how often they are asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::oidc) struct Timing {
    /// Used without asking: how long a withdrawn key still counts.
    pub(in crate::oidc) fresh: Duration,
    /// Used while the issuer does not answer: no longer than its tokens usually live.
    pub(in crate::oidc) hard: Duration,
    /// Between two requests while there are usable keys.
    pub(in crate::oidc) pause: Duration,
    /// Between two requests while there are none: nobody gets in until one succeeds.
    pub(in crate::oidc) pause_without: Duration,
    /// For discovery and keys together; below the time that a client has to log in.
    pub(in crate::oidc) timeout: Duration,
    /// A second, as an issuer means it that says how often it may be asked.
    pub(in crate::oidc) second: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(5 * 60),
            hard: Duration::from_secs(60 * 60),
            pause: Duration::from_secs(30),
            pause_without: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            second: Duration::from_secs(1),
        }
    }
}

/// The keys of one issuer. Cheap to clone.
#[derive(Clone)]
pub(in crate::oidc) struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    source: Arc<Source>,
    timing: Timing,
    control: Handle,
    state: Mutex<State>,
    /// Held while a request is under way.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// Where logins with the browser are asked for, of the same time as the keys.
    endpoints: Option<Result<Endpoints, &'static str>>,
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    /// Requests so far, to see that one was made while waiting for a turn.
    attempts: u64,
    problem: Option<&'static str>,
}

impl Cache {
    /// An empty cache; requests run on `control`.
    pub(in crate::oidc) fn new(issuer: String, source: Arc<Source>, timing: Timing, control: Handle) -> Self {
        let (state, turn) = (Mutex::default(), tokio::sync::Mutex::new(()));
        Self { inner: Arc::new(Inner { issuer, source, timing, control, state, turn }) }
    }

    /// The keys, as long as they may be used; `None` when the issuer has to answer first and does not.
    pub(in crate::oidc) async fn keys(&self) -> Option<Arc<KeySet>> {
        let (keys, age) = self.inner.held();
        match (keys, age) {
            (Some(keys), Some(age)) if age < self.inner.timing.fresh => Some(keys),
            (Some(keys), Some(age)) if age < self.inner.timing.hard => {
                self.renew_beside();
                Some(keys)
            }
            _ => {
                self.renew().await;
                self.inner.usable()
            }
        }
    }

    /// Keys newer than `seen`, for a token whose key is not among them; `None` when there are none now.
    pub(in crate::oidc) async fn newer_than(&self, seen: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        let newer = |keys: Arc<KeySet>| (!Arc::ptr_eq(&keys, seen)).then_some(keys);
        if let Some(keys) = self.inner.usable().and_then(newer) {
            return Some(keys);
        }
        self.renew().await;
        self.inner.usable().and_then(newer)
    }

    /// Where logins with the browser are asked for; like the keys, this is asked for when it is not known.
    ///
    /// # Errors
    /// Why they cannot be, for the log.
    pub(in crate::oidc) async fn endpoints(&self) -> Result<Endpoints, &'static str> {
        self.keys().await.ok_or("its keys cannot be had, and without them nothing proves who logs in")?;
        self.inner.lock().endpoints.clone().unwrap_or(Err("its discovery document is not known yet"))
    }

    /// Why there are no usable keys, or why they could not be renewed; `None` when all is well.
    pub(in crate::oidc) fn problem(&self) -> Option<&'static str> {
        let usable = self.inner.usable().is_some();
        let state = self.inner.lock();
        match (usable, state.problem) {
            (_, Some(problem)) => Some(problem),
            (false, None) if state.attempts > 0 => Some("its keys are too old"),
            (_, None) => None,
        }
    }

    /// Whether there are keys that may be used now.
    pub(in crate::oidc) fn is_usable(&self) -> bool {
        self.inner.usable().is_some()
    }

    /// Asks now if it may, and waits for the answer. A caller that goes away does not end the request for the others.
    pub(in crate::oidc) async fn renew(&self) {
        let inner = Arc::clone(&self.inner);
        let seen = inner.lock().attempts;
        let renewing = self.inner.control.spawn(async move { inner.take_turn(seen).await });
        // A runtime that stops leaves the keys as they are.
        renewing.await.ok();
    }

    fn renew_beside(&self) {
        let inner = Arc::clone(&self.inner);
        let seen = {
            let state = inner.lock();
            if !inner.may_ask(&state) {
                return;
            }
            state.attempts
        };
        self.inner.control.spawn(async move { inner.take_turn(seen).await });
    }
}

impl Inner {
    async fn take_turn(&self, seen: u64) {
        let _turn = self.turn.lock().await;
        {
            let mut state = self.lock();
            // Whoever waited while another asked has that answer.
            if state.attempts != seen || !self.may_ask(&state) {
                return;
            }
            state.attempts = state.attempts.wrapping_add(1);
            state.attempted = Some(Instant::now());
        }
        let answer = self.source.fetch().await;
        let mut state = self.lock();
        match answer {
            Ok(found) => {
                tracing::debug!(issuer = %self.issuer, "issuer keys renewed");
                state.keys = Some(Arc::new(found.keys));
                state.endpoints = Some(found.endpoints);
                state.fetched = Some(Instant::now());
                state.problem = None;
            }
            Err(problem) => {
                tracing::warn!(issuer = %self.issuer, problem, "issuer keys could not be renewed");
                state.problem = Some(problem);
            }
        }
    }

    fn may_ask(&self, state: &State) -> bool {
        let usable = state.keys.is_some() && state.fetched.is_some_and(|at| at.elapsed() < self.timing.hard);
        let pause = if usable { self.timing.pause } else { self.timing.pause_without };
        state.attempted.is_none_or(|at| at.elapsed() >= pause)
    }

    fn usable(&self) -> Option<Arc<KeySet>> {
        let (keys, age) = self.held();
        keys.filter(|_| age.is_some_and(|age| age < self.timing.hard))
    }

    fn held(&self) -> (Option<Arc<KeySet>>, Option<Duration>) {
        let state = self.lock();
        (state.keys.clone(), state.fetched.map(|at| at.elapsed()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every field is replaced whole; a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
