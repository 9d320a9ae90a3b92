//! One session's end of the recorder: appends to its shard of the spool.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use gate::ports::{RecordFailure, Recorder};
use record::limits::MAX_EVENT;
use record::{Event, Micros};

use super::shared::{Shared, now};
use super::spool::{Full, ring};

/// Threads that have opened a recording.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's number among them.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// The shard of the thread that opens a recording, which is the worker that its session stays on: no two workers share a lock
/// while there are as many shards as workers.
fn own_shard(shards: usize) -> usize {
    THREAD.with(|number| number % shards.max(1))
}

/// The recorder of one session. Dropped without a seal, it seals.
pub(super) struct SpoolRecorder {
    shared: Arc<Shared>,
    shard: usize,
    session: [u8; 16],
    number: u64,
    faults: u64,
    /// What the last refused event needs.
    need: usize,
    last: Micros,
    sealed: bool,
}

impl SpoolRecorder {
    pub(super) fn new(shared: &Arc<Shared>, session: [u8; 16]) -> Self {
        Self {
            shard: own_shard(shared.shards.len()),
            session,
            number: 0,
            faults: shared.faults.load(Ordering::SeqCst),
            need: 0,
            last: Micros(0),
            sealed: false,
            shared: Arc::clone(shared),
        }
    }

    fn broken(&self) -> RecordFailure {
        let text = self.shared.fault();
        RecordFailure::Broken(
            text.unwrap_or_else(|| "the recorder failed or stopped while this session was open".to_owned()),
        )
    }

    fn is_broken(&self) -> bool {
        self.faults != self.shared.faults.load(Ordering::Relaxed)
    }
}

impl Recorder for SpoolRecorder {
    fn append(&mut self, at: Micros, event: &Event<'_>) -> Result<(), RecordFailure> {
        if self.sealed {
            return Err(RecordFailure::Broken("the recording is sealed".to_owned()));
        }
        let Some(shard) = self.shared.shards.get(self.shard) else {
            return Err(self.broken());
        };
        let mut ring = shard.lock();
        // Looked at under the lock: what is taken before the scribe's last look is written by it, and nothing is taken after.
        if self.is_broken() {
            drop(ring);
            return Err(self.broken());
        }
        let before = ring.unread;
        match ring.append(self.session, self.number, at, event) {
            Ok(entries) => {
                self.shared.written(&mut ring, before);
                self.number += entries;
                self.last = at;
                self.need = 0;
                Ok(())
            }
            Err(Full::Behind(need)) => {
                self.need = need;
                if ring.asleep {
                    ring.asleep = false;
                    self.shared.wake_scribe();
                }
                Err(RecordFailure::Behind)
            }
            Err(Full::Event(error)) => Err(RecordFailure::Broken(error.to_string())),
            Err(Full::Io(error)) => Err(RecordFailure::Broken(format!("the spool cannot be mapped: {error}"))),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RecordFailure>> {
        if self.is_broken() {
            return Poll::Ready(Err(self.broken()));
        }
        let Some(shard) = self.shared.shards.get(self.shard) else {
            return Poll::Ready(Err(self.broken()));
        };
        let need = if self.need == 0 { ring::need(MAX_EVENT) } else { self.need };
        let mut ring = shard.lock();
        if ring.room() >= need {
            return Poll::Ready(Ok(()));
        }
        ring.wait(cx.waker(), need);
        drop(ring);
        self.shared.wake_scribe();
        // A fault that came between the check above and the registration woke nobody.
        if self.is_broken() {
            return Poll::Ready(Err(self.broken()));
        }
        Poll::Pending
    }

    fn seal(&mut self) {
        if self.sealed {
            return;
        }
        self.sealed = true;
        let at = if self.last.0 == 0 { now() } else { self.last };
        if let Some(shard) = self.shared.shards.get(self.shard) {
            let mut ring = shard.lock();
            let before = ring.unread;
            ring.seal(self.session, self.number, at);
            self.shared.written(&mut ring, before);
        }
    }
}

impl Drop for SpoolRecorder {
    fn drop(&mut self) {
        self.seal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_shard_and_others_have_theirs() {
        let shards = 1 << 16;
        let mine = own_shard(shards);
        assert_eq!(own_shard(shards), mine);
        let others: Vec<_> = (0..2).map(|_| std::thread::spawn(move || own_shard(shards)).join().unwrap()).collect();
        assert!(!others.contains(&mine) && others[0] != others[1], "{mine} {others:?}");
        assert_eq!(own_shard(0), 0);
    }
}
