//! What recorders, the scribe and the library share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::thread::Thread;
use std::time::{SystemTime, UNIX_EPOCH};

use record::{Micros, SigningKey};

use super::heads::Heads;
use super::layout::Layout;
use super::scribe::Book;
use super::spool::Ring;

/// Bytes in a shard after which the scribe is woken before its time: 1 MiB.
const HIGH_WATER: u64 = 1024 * 1024;

/// One worker thread's spool. The alignment keeps two threads' locks out of one cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard(Mutex<Ring>);

impl Shard {
    pub(super) const fn new(ring: Ring) -> Self {
        Self(Mutex::new(ring))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Ring> {
        lock(&self.0)
    }
}

/// Everything behind [`super::FileRecordings`].
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) layout: Layout,
    pub(super) key: SigningKey,
    pub(super) shards: Vec<Shard>,
    pub(super) heads: Mutex<Heads>,
    pub(super) book: Mutex<Book>,
    /// Counts faults: a recorder that was opened before the last one is broken for good.
    pub(super) faults: AtomicU64,
    fault: Mutex<Option<String>>,
    pub(super) stop: AtomicBool,
    pub(super) scribe: OnceLock<Thread>,
}

impl Shared {
    pub(super) fn new(layout: Layout, key: SigningKey, rings: Vec<Ring>, heads: Heads, book: Book) -> Self {
        Self {
            layout,
            key,
            shards: rings.into_iter().map(Shard::new).collect(),
            heads: Mutex::new(heads),
            book: Mutex::new(book),
            faults: AtomicU64::new(0),
            fault: Mutex::new(None),
            stop: AtomicBool::new(false),
            scribe: OnceLock::new(),
        }
    }

    /// The current fault.
    pub(super) fn fault(&self) -> Option<String> {
        lock(&self.fault).clone()
    }

    /// Recordings cannot be written: every recorder that is open now is broken, and no new one opens until this is over.
    pub(super) fn set_fault(&self, text: &str) {
        let mut fault = lock(&self.fault);
        if fault.is_some() {
            return;
        }
        *fault = Some(text.to_owned());
        self.faults.fetch_add(1, Ordering::SeqCst);
        drop(fault);
        tracing::error!(reason = text, "recordings cannot be written; sessions are being closed");
        let waiting: Vec<Waker> = self.shards.iter().flat_map(|shard| shard.lock().wake_all()).collect();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The gateway stops: no recorder takes anything any more.
    pub(super) fn end(&self) {
        self.faults.fetch_add(1, Ordering::SeqCst);
        self.stop.store(true, Ordering::SeqCst);
        self.wake_scribe();
    }

    /// The fault is over.
    pub(super) fn clear_fault(&self) {
        if lock(&self.fault).take().is_some() {
            tracing::warn!("recordings can be written again");
        }
    }

    /// Wakes the scribe.
    pub(super) fn wake_scribe(&self) {
        if let Some(scribe) = self.scribe.get() {
            scribe.unpark();
        }
    }

    /// After something was written to a shard: wakes the scribe when it sleeps, or once when much is waiting.
    #[inline]
    pub(super) fn written(&self, ring: &mut Ring, before: u64) {
        let crossed = before < HIGH_WATER && ring.unread >= HIGH_WATER;
        if ring.asleep || crossed {
            ring.asleep = false;
            self.wake_scribe();
        }
    }
}

/// Locks; a thread that panicked while it held the lock does not stop the others.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now.
pub(super) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
