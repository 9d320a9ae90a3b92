//! Cancel keys of our own. A client's CancelRequest finds its session by them; the target's keys never leave the gateway.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use subtle::ConstantTimeEq;

use futures_util::task::AtomicWaker;

/// Bytes of a key in protocol 3.2.
const LONG_KEY: usize = 32;
/// Bytes of a key in protocol 3.0.
const SHORT_KEY: usize = 4;

/// The keys of all live sessions.
#[derive(Debug, Default)]
pub(crate) struct Cancels {
    /// By process number, which two targets may have in common.
    map: Mutex<HashMap<i32, Vec<(Vec<u8>, Arc<Wanted>)>>>,
}

/// One session's key, forgotten when dropped.
#[derive(Debug)]
pub(crate) struct CancelKey {
    cancels: Arc<Cancels>,
    pub(crate) pid: i32,
    pub(crate) key: Vec<u8>,
    wanted: Arc<Wanted>,
}

impl Cancels {
    /// A key for a session; `long` for protocol 3.2. `pid` is the target's, because clients compare it with what `pg_backend_pid()` and
    /// notifications say; the key is ours. `None` when the system gives no random bytes.
    pub(crate) fn issue(self: &Arc<Self>, pid: i32, long: bool) -> Option<CancelKey> {
        let random = SystemRandom::new();
        let mut key = vec![0; if long { LONG_KEY } else { SHORT_KEY }];
        random.fill(&mut key).ok()?;
        let wanted = Arc::new(Wanted::default());
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.entry(pid).or_default().push((key.clone(), Arc::clone(&wanted)));
        Some(CancelKey { cancels: Arc::clone(self), pid, key, wanted })
    }

    /// A client's request. Whether it fitted is not told to anyone.
    pub(crate) fn request(&self, pid: i32, key: &[u8]) -> bool {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fits = false;
        for (known, wanted) in map.get(&pid).into_iter().flatten() {
            if known.len() == key.len() && bool::from(known.ct_eq(key)) {
                wanted.flag.store(true, Ordering::Release);
                wanted.waker.wake();
                fits = true;
            }
        }
        fits
    }
}

#[derive(Debug, Default)]
struct Wanted {
    flag: AtomicBool,
    waker: AtomicWaker,
}

impl CancelKey {
    /// Whether the client wants to cancel; asked again it says no until the client says so again. The task is woken when it does.
    pub(crate) fn take(&self, cx: &Context<'_>) -> bool {
        self.wanted.waker.register(cx.waker());
        self.wanted.flag.swap(false, Ordering::AcqRel)
    }
}

impl Drop for CancelKey {
    fn drop(&mut self) {
        let mut map = self.cancels.map.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = map.get_mut(&self.pid) {
            keys.retain(|(_, wanted)| !Arc::ptr_eq(wanted, &self.wanted));
            if keys.is_empty() {
                map.remove(&self.pid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_key_cancels_and_only_while_the_session_lives() {
        let cancels = Arc::new(Cancels::default());
        // Two targets may number their processes alike.
        let one = cancels.issue(77, false).unwrap();
        let other = cancels.issue(77, true).unwrap();
        assert_eq!((one.key.len(), other.key.len()), (4, 32));
        assert!(cancels.request(one.pid, &one.key));
        assert!(!cancels.request(78, &one.key));
        assert!(!cancels.request(one.pid, &[]));
        let (pid, key) = (one.pid, one.key.clone());
        drop(one);
        assert!(!cancels.request(pid, &key));
        assert!(cancels.request(other.pid, &other.key));
        drop(other);
        assert!(cancels.map.lock().unwrap().is_empty());
    }
}
