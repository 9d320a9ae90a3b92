//! Sessions that run now, and how they are ended.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::task::AtomicWaker;
use model::{Identity, SessionId, Target, TokenId};
use record::Micros;

/// A live session as the API and the CLI show it.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Its id.
    pub id: SessionId,
    /// Who.
    pub identity: Arc<Identity>,
    /// The target's name.
    pub target: String,
    /// The role.
    pub role: String,
    /// The protocol.
    pub protocol: &'static str,
    /// When it was opened.
    pub opened: Micros,
    /// Where the client is.
    pub from: Option<IpAddr>,
    /// Commands judged so far.
    pub commands: u64,
    /// When the identity's proof ends.
    pub expires: Micros,
}

/// What the gate keeps of one live session.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) identity: Arc<Identity>,
    pub(crate) target: Arc<Target>,
    pub(crate) role: String,
    pub(crate) protocol: &'static str,
    pub(crate) opened: Micros,
    pub(crate) from: Option<IpAddr>,
    pub(crate) expires: Micros,
    pub(crate) token: Option<TokenId>,
    pub(crate) commands: AtomicU64,
    pub(crate) signal: Signal,
}

/// What others tell a session: one flag each, one waker, so that looking costs a session next to nothing.
#[derive(Default)]
pub(crate) struct Signal {
    over: AtomicBool,
    drain: AtomicBool,
    reason: Mutex<Option<Arc<str>>>,
    pub(crate) waker: AtomicWaker,
}

impl Signal {
    /// Why the session must end, if it must.
    pub(crate) fn over(&self) -> Option<Arc<str>> {
        if !self.over.load(Ordering::Acquire) {
            return None;
        }
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the gateway is stopping.
    pub(crate) fn draining(&self) -> bool {
        self.drain.load(Ordering::Acquire)
    }
}

impl Live {
    pub(crate) fn end(&self, reason: &str) {
        let mut slot = self.signal.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(Arc::from(reason));
        }
        drop(slot);
        self.signal.over.store(true, Ordering::Release);
        self.signal.waker.wake();
    }

    pub(crate) fn drain(&self) {
        self.signal.drain.store(true, Ordering::Release);
        self.signal.waker.wake();
    }

    fn show(&self) -> LiveSession {
        LiveSession {
            id: self.id,
            identity: Arc::clone(&self.identity),
            target: self.target.name.clone(),
            role: self.role.clone(),
            protocol: self.protocol,
            opened: self.opened,
            from: self.from,
            commands: self.commands.load(Ordering::Relaxed),
            expires: self.expires,
        }
    }
}

const REVOKED_REASON: &str = "the token was revoked";
/// Revoked tokens that are remembered for sessions that are being opened while it happens.
const REVOKED: usize = 4096;

/// All live sessions.
#[derive(Default)]
pub(crate) struct Registry {
    map: Mutex<HashMap<SessionId, Arc<Live>>>,
    revoked: Mutex<VecDeque<TokenId>>,
    draining: AtomicBool,
}

impl Registry {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<SessionId, Arc<Live>>) -> T) -> T {
        f(&mut self.map.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a session. What ended or drained all others while it was being opened ends or drains it too.
    pub(crate) fn add(&self, live: &Arc<Live>) {
        self.with(|map| map.insert(live.id, Arc::clone(live)));
        if self.draining.load(Ordering::SeqCst) {
            live.drain();
        }
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        if live.token.is_some_and(|token| revoked.contains(&token)) {
            live.end(REVOKED_REASON);
        }
    }

    /// Ends the sessions of a token, those that are being opened included; how many there were.
    pub(crate) fn end_token(&self, token: TokenId) -> usize {
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        if revoked.len() >= REVOKED {
            revoked.pop_front();
        }
        revoked.push_back(token);
        drop(revoked);
        self.end_where(REVOKED_REASON, |live| live.token == Some(token))
    }

    /// Tells every session, also those to come, that the gateway is stopping.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        for live in self.all() {
            live.drain();
        }
    }

    pub(crate) fn remove(&self, id: SessionId) {
        self.with(|map| map.remove(&id));
    }

    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.with(|map| map.values().cloned().collect())
    }

    pub(crate) fn list(&self) -> Vec<LiveSession> {
        let mut list: Vec<_> = self.with(|map| map.values().map(|live| live.show()).collect());
        list.sort_by_key(|live: &LiveSession| live.id);
        list
    }

    pub(crate) fn end(&self, id: SessionId, reason: &str) -> bool {
        self.with(|map| map.get(&id).cloned()).map(|live| live.end(reason)).is_some()
    }

    pub(crate) fn end_where(&self, reason: &str, which: impl Fn(&Live) -> bool) -> usize {
        let chosen: Vec<_> = self.with(|map| map.values().filter(|live| which(live)).cloned().collect());
        for live in &chosen {
            live.end(reason);
        }
        chosen.len()
    }
}
