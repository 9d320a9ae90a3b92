//! The scribe's loop. It sleeps when nothing is written, and is not woken per event: the first event after a quiet time wakes
//! it, then it looks every [`TICK`] until everything is written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::thread::{Builder, JoinHandle, park, park_timeout};
use std::time::{Duration, Instant};

use super::book::{Pen, Place, Taken};
use super::sync::Syncer;
use crate::recordings::shared::{Shared, lock};
use crate::recordings::spool::Span;
use crate::recordings::spool::frame::{self, Frame, HEAD, Head};
use crate::recordings::spool::segment::SEGMENT;

/// How long events gather in the spool.
const TICK: Duration = Duration::from_millis(20);
/// How often recordings are brought onto the disk.
const SYNC: Duration = Duration::from_secs(1);
/// How often the scribe looks whether something is to be signed, and whether a fault is over.
const SLOW: Duration = Duration::from_secs(1);
/// Bytes of a shard in use above which blocks are written before they are full or old.
const PRESSED: u64 = 2 * SEGMENT as u64;
/// Bytes read from the spool at once.
const CHUNK: usize = 256 * 1024;

/// The thread.
#[derive(Debug)]
pub(in crate::recordings) struct Scribe {
    thread: Option<JoinHandle<()>>,
}

struct Loop {
    shared: Arc<Shared>,
    syncer: Syncer,
    /// Up to where each shard was read: generation and offset.
    cursors: Vec<(u64, u64)>,
    chunk: Vec<u8>,
    synced: Instant,
    unsynced: bool,
}

impl Scribe {
    pub(in crate::recordings) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let mut state = Loop {
            shared: Arc::clone(shared),
            syncer: Syncer::start(shared)?,
            cursors: vec![(0, 0); shared.shards.len()],
            chunk: Vec::new(),
            synced: Instant::now(),
            unsynced: true,
        };
        let thread = Builder::new().name("recordings".to_owned()).spawn(move || state.run())?;
        // Set once, before any recorder exists.
        let _ = shared.scribe.set(thread.thread().clone());
        Ok(Self { thread: Some(thread) })
    }

    /// Writes everything that is in the spool and waits until it is on the disk.
    pub(in crate::recordings) fn stop(&mut self, shared: &Shared) {
        if self.thread.is_some() {
            shared.end();
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes recordings failed");
        }
    }
}

impl Loop {
    fn run(&mut self) {
        loop {
            let stop = self.shared.stop.load(Ordering::SeqCst);
            let result = self.round(stop);
            match &result {
                Ok(()) => {
                    if self.shared.fault().is_some() && self.probe() {
                        self.shared.clear_fault();
                    }
                }
                Err(error) => self.shared.set_fault(&format!("recordings cannot be written: {error}")),
            }
            if stop {
                self.syncer.finish();
                return;
            }
            self.rest(result.is_err());
        }
    }

    /// Reads what is new, writes what is due, frees what is written.
    fn round(&mut self, all: bool) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let pen = Pen { layout: &shared.layout, key: &shared.key };
        let mut result = Ok(());
        for shard in 0..self.cursors.len() {
            result = result.and(self.drain(shard, pen));
        }
        let pressed: Vec<bool> = shared.shards.iter().map(|shard| shard.lock().held() > PRESSED).collect();
        let swept = lock(&shared.book).sweep(pen, &pressed, all);
        self.free();
        self.sync(all);
        result.and(swept)
    }

    fn drain(&mut self, shard: usize, pen: Pen<'_>) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let (Some(ring), Some(cursor)) = (shared.shards.get(shard), self.cursors.get_mut(shard)) else {
            return Ok(());
        };
        let (spans, seals) = {
            let mut ring = ring.lock();
            (ring.spans(*cursor), std::mem::take(&mut ring.seals))
        };
        for span in &spans {
            let mut book = lock(&shared.book);
            let end = read_span(span, &mut self.chunk, |frame, offset| {
                let place = Place { shard, generation: span.generation, offset };
                let taken = book.take(pen, frame, place)?;
                if matches!(taken, Taken::Unknown | Taken::Gap) {
                    tracing::error!(?taken, "an event in the spool belongs to no open recording");
                }
                *cursor = (span.generation, offset + frame.size as u64);
                Ok(())
            })?;
            if end < span.to {
                return Err(io::Error::other("the spool was changed by someone else"));
            }
        }
        for (session, number, at) in seals {
            let part = record::Part::WHOLE;
            let head = Head { session, number, at, part, seal: true, tally: frame::Tally::None };
            let frame = Frame { head, bytes: &[], size: 0 };
            let place = Place { shard, generation: cursor.0, offset: cursor.1 };
            lock(&shared.book).take(pen, &frame, place)?;
        }
        Ok(())
    }

    fn free(&self) {
        let mut ready: Vec<Waker> = Vec::new();
        for (shard, (ring, cursor)) in self.shared.shards.iter().zip(&self.cursors).enumerate() {
            let needed = lock(&self.shared.book).needed(shard);
            let place = needed.map_or(*cursor, |place| (*cursor).min((place.generation, place.offset)));
            ready.extend(ring.lock().free_before(place));
        }
        ready.into_iter().for_each(Waker::wake);
    }

    fn sync(&mut self, all: bool) {
        let due = all || self.synced.elapsed() >= SYNC;
        let mut book = lock(&self.shared.book);
        let closing = !book.work.closing.is_empty();
        if !due && !closing {
            return;
        }
        let work = book.take_work();
        drop(book);
        let index = lock(&self.shared.heads).unsigned() || self.shared.fault().is_some();
        self.unsynced = !self.syncer.submit(work, index);
        self.synced = Instant::now();
    }

    /// Whether there is room on the disk again: a fault ends when a test file can be written and synced.
    fn probe(&self) -> bool {
        let path = self.shared.layout.recordings().join(".probe");
        let probe = || -> io::Result<()> {
            let file = File::create(&path)?;
            file.write_all_at(&[0; 64 * 1024], 0)?;
            file.sync_all()?;
            std::fs::remove_file(&path)
        };
        probe().is_ok()
    }

    /// Sleeps as long as nothing is to be done.
    fn rest(&mut self, failed: bool) {
        if failed || self.shared.fault().is_some() {
            return park_timeout(SLOW);
        }
        let (waiting, unsigned) = {
            let book = lock(&self.shared.book);
            (book.is_waiting(), book.is_unsigned() || !book.work.is_empty())
        };
        if waiting {
            return park_timeout(TICK);
        }
        if !self.all_read() {
            return park_timeout(TICK);
        }
        // Each shard's next event wakes the scribe; events then gather for a tick.
        if unsigned || self.unsynced || lock(&self.shared.heads).unsigned() {
            park_timeout(SLOW);
        } else {
            park();
        }
        if !self.shared.stop.load(Ordering::SeqCst) {
            park_timeout(TICK);
        }
    }

    /// Whether nothing is new; then each shard is told to wake the scribe at its next event.
    fn all_read(&self) -> bool {
        let mut all = true;
        for shard in &self.shared.shards {
            let mut ring = shard.lock();
            ring.asleep = ring.unread == 0 && ring.seals.is_empty();
            all &= ring.asleep;
        }
        all
    }
}

/// Reads the frames of a span one after another, and returns where the last whole one ended.
///
/// The file is read, not the mapping: what was written through the mapping before the span was handed out is what the file
/// says, and no memory is shared with the threads that write.
pub(in crate::recordings) fn read_span(
    span: &Span,
    chunk: &mut Vec<u8>,
    mut each: impl FnMut(&Frame<'_>, u64) -> io::Result<()>,
) -> io::Result<u64> {
    let mut at = span.from;
    while at < span.to {
        let want = usize::try_from(span.to - at).unwrap_or(CHUNK).min(CHUNK);
        chunk.resize(want, 0);
        span.file.read_exact_at(chunk, at)?;
        let mut used = 0;
        while let Some(rest) = chunk.get(used..).filter(|rest| rest.len() >= HEAD) {
            let offset = at + used as u64;
            let Some(frame) = frame::read(rest, span.generation, offset) else {
                break;
            };
            each(&frame, offset)?;
            used += frame.size;
        }
        if used == 0 {
            return Ok(at);
        }
        at += used as u64;
    }
    // The padding of the last frame may lie beyond the segment's end.
    Ok(at.min(span.to))
}
