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
    map: Mutex<HashMap<i32, (Vec<u8>, Arc<Wanted>)>>,
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
    /// A key for a session; `long` for protocol 3.2. `None` when the system gives no random bytes.
    pub(crate) fn issue(self: &Arc<Self>, long: bool) -> Option<CancelKey> {
        let random = SystemRandom::new();
        let mut key = vec![0; if long { LONG_KEY } else { SHORT_KEY }];
        random.fill(&mut key).ok()?;
        let wanted = Arc::new(Wanted::default());
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..64 {
            let mut pid = [0; 4];
            random.fill(&mut pid).ok()?;
            // Clients print it as a process number: positive.
            let pid = i32::from_be_bytes(pid) & i32::MAX;
            if pid != 0 && !map.contains_key(&pid) {
                map.insert(pid, (key.clone(), Arc::clone(&wanted)));
                return Some(CancelKey { cancels: Arc::clone(self), pid, key, wanted });
            }
        }
        None
    }

    /// A client's request. Whether it fitted is not told to anyone.
    pub(crate) fn request(&self, pid: i32, key: &[u8]) -> bool {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = map.get(&pid).is_some_and(|(known, _)| known.len() == key.len() && bool::from(known.ct_eq(key)));
        if fits && let Some((_, wanted)) = map.get(&pid) {
            wanted.flag.store(true, Ordering::Release);
            wanted.waker.wake();
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
        self.cancels.map.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_key_cancels_and_only_while_the_session_lives() {
        let cancels = Arc::new(Cancels::default());
        let one = cancels.issue(false).unwrap();
        let other = cancels.issue(true).unwrap();
        assert_eq!((one.key.len(), other.key.len()), (4, 32));
        assert!(cancels.request(one.pid, &one.key));
        assert!(!cancels.request(one.pid, &other.key));
        assert!(!cancels.request(one.pid, &[]));
        let (pid, key) = (one.pid, one.key.clone());
        drop(one);
        assert!(!cancels.request(pid, &key));
    }
}
