//! Where each open recording stands. An idle one takes about 250 bytes: no buffer, no open file.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use model::SessionId;
use record::index::IndexEntry;
use record::limits::BLOCK_TARGET;
use record::{Block, Chain, Event, Header, KeyId, Mark, Micros, Packer, Part, SigningKey};
use uuid::Uuid;

use super::files::Files;
use super::sync::{Closing, Work};
use crate::recordings::layout::Layout;
use crate::recordings::spool::frame::{Frame, Tally};

/// The longest that an entry waits for its block to fill: a follower of a live session sees it within a second.
const BLOCK_AGE: Duration = Duration::from_millis(500);
/// Entries written this long ago are signed although their segment is not full.
const SIGN_QUIET: Duration = Duration::from_secs(3);
/// The longest that written entries stay unsigned.
const SIGN_AGE: Duration = Duration::from_secs(10);
/// Buffers kept for the next blocks.
const SPARE: usize = 8;

/// A place in a shard's spool: shard, generation of the segment, offset in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::recordings) struct Place {
    pub(in crate::recordings) shard: usize,
    pub(in crate::recordings) generation: u64,
    pub(in crate::recordings) offset: u64,
}

/// What a session's summary counts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::recordings) struct Counts {
    pub(in crate::recordings) commands: u64,
    pub(in crate::recordings) denied: u64,
    pub(in crate::recordings) held: u64,
    pub(in crate::recordings) bytes: (u64, u64),
}

impl Counts {
    pub(in crate::recordings) fn add(&mut self, tally: Tally) {
        let (commands, denied, held) = match tally {
            Tally::None | Tally::Closed => (0, 0, 0),
            Tally::Allowed => (1, 0, 0),
            Tally::Denied => (1, 1, 0),
            Tally::Held => (1, 0, 1),
        };
        self.commands += commands;
        self.denied += denied;
        self.held += held;
    }
}

/// What writing needs beside the book.
#[derive(Clone, Copy, Debug)]
pub(in crate::recordings) struct Pen<'a> {
    pub(in crate::recordings) layout: &'a Layout,
    pub(in crate::recordings) key: &'a SigningKey,
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::recordings) enum Taken {
    /// It is in its recording, or in the block that will be.
    Yes,
    /// It was there already.
    Already,
    /// Its session is not open here.
    Unknown,
    /// Entries are missing before it.
    Gap,
}

#[derive(Debug)]
struct Pending {
    block: Block,
    first: Place,
    since: Instant,
}

#[derive(Debug)]
struct Session {
    chain: Chain,
    next: u64,
    opened: Micros,
    last: Micros,
    counts: Counts,
    reason: Option<Box<str>>,
    pending: Option<Box<Pending>>,
    written: Instant,
    signed: Instant,
    created: bool,
    sealed: bool,
}

/// A recording that was closed and is to be entered into the index once it is on the disk.
#[derive(Debug)]
pub(in crate::recordings) struct Done {
    pub(in crate::recordings) chain: Chain,
    pub(in crate::recordings) at: Micros,
    pub(in crate::recordings) recovered: bool,
    pub(in crate::recordings) counts: Counts,
    pub(in crate::recordings) reason: Box<str>,
}

/// Every open recording.
#[derive(Debug)]
pub(in crate::recordings) struct Book {
    sessions: HashMap<[u8; 16], Box<Session>>,
    files: Files,
    packer: Packer,
    out: Vec<u8>,
    spare: Vec<Block>,
    /// Sessions with a block that is not written.
    waiting: HashSet<[u8; 16]>,
    /// Sessions with something written and not signed.
    unsigned: HashSet<[u8; 16]>,
    /// What the disk has not been told to keep.
    pub(super) work: Work,
}

impl Book {
    pub(in crate::recordings) fn new() -> io::Result<Self> {
        Ok(Self {
            sessions: HashMap::new(),
            files: Files::default(),
            packer: Packer::new()?,
            out: Vec::new(),
            spare: Vec::new(),
            waiting: HashSet::new(),
            unsigned: HashSet::new(),
            work: Work::default(),
        })
    }

    /// Begins a recording.
    pub(in crate::recordings) fn begin(&mut self, session: [u8; 16], opened: Micros, key: KeyId) {
        let header = Header { session, key, opened };
        let (chain, _) = Chain::new(header);
        self.resume(chain, Counts::default(), false);
    }

    /// Goes on with a recording; `created` when its file is there.
    pub(in crate::recordings) fn resume(&mut self, chain: Chain, counts: Counts, created: bool) {
        let now = Instant::now();
        let session = Session {
            next: chain.entries(),
            opened: chain.header().opened,
            last: chain.header().opened,
            chain,
            counts,
            reason: None,
            pending: None,
            written: now,
            signed: now,
            created,
            sealed: false,
        };
        let id = chain.header().session;
        self.sessions.insert(id, Box::new(session));
        if chain.unsigned() {
            self.unsigned.insert(id);
        }
    }

    /// Takes a frame of the spool. After an error it was not taken.
    pub(in crate::recordings) fn take(&mut self, pen: Pen<'_>, frame: &Frame<'_>, place: Place) -> io::Result<Taken> {
        let id = frame.head.session;
        let Some(session) = self.sessions.get_mut(&id) else {
            if frame.head.number != 0 || frame.head.seal {
                return Ok(Taken::Unknown);
            }
            self.begin(id, frame.head.at, pen.key.public().id());
            return self.take(pen, frame, place);
        };
        if frame.head.number < session.next || session.sealed {
            return Ok(Taken::Already);
        }
        if frame.head.number > session.next {
            return Ok(Taken::Gap);
        }
        if session.full() {
            self.flush(pen, id)?;
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(Taken::Unknown);
        };
        if frame.head.seal {
            session.sealed = true;
            self.waiting.insert(id);
            // An error is seen again, and told, when the seal is due.
            let _ = self.close(pen, id, Mark::Closed);
            return Ok(Taken::Yes);
        }
        session.note(frame);
        let pending = session.pending.get_or_insert_with(|| {
            Box::new(Pending { block: self.spare.pop().unwrap_or_default(), first: place, since: Instant::now() })
        });
        pending.block.push(frame.head.at, frame.bytes, frame.head.part);
        session.next += 1;
        session.last = frame.head.at;
        let full = session.full();
        self.waiting.insert(id);
        if full {
            // The entry was taken: an error comes back with the next one.
            let _ = self.flush(pen, id);
        }
        Ok(Taken::Yes)
    }

    /// Adds an event that recovery writes itself.
    pub(in crate::recordings) fn add(
        &mut self,
        pen: Pen<'_>,
        id: [u8; 16],
        at: Micros,
        event: &Event<'_>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        record::encode_to(event, &mut bytes).map_err(io::Error::other)?;
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let pending = session.pending.get_or_insert_with(|| {
            let place = Place { shard: 0, generation: 0, offset: 0 };
            Box::new(Pending { block: Block::default(), first: place, since: Instant::now() })
        });
        pending.block.push(at, &bytes, Part::WHOLE);
        session.next += 1;
        session.last = at;
        self.flush(pen, id)
    }

    /// The number that the next entry of a session must have.
    pub(in crate::recordings) fn next(&self, id: [u8; 16]) -> Option<u64> {
        self.sessions.get(&id).map(|session| session.next)
    }

    /// After a gap: what comes next is taken as the next entry.
    pub(in crate::recordings) fn skip_to(&mut self, id: [u8; 16], number: u64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.next = number;
        }
    }

    /// Writes a session's block.
    fn flush(&mut self, pen: Pen<'_>, id: [u8; 16]) -> io::Result<()> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let Some(pending) = session.pending.as_ref() else {
            return Ok(());
        };
        let mut chain = session.chain;
        self.out.clear();
        chain.block(&pending.block, &mut self.packer, &mut self.out)?;
        if chain.due() {
            chain.sign(pen.key, Mark::Segment, session.last, &mut self.out).map_err(io::Error::other)?;
            session.signed = Instant::now();
        }
        self.write(pen, id, chain)?;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.written = Instant::now();
            if let Some(mut pending) = session.pending.take()
                && self.spare.len() < SPARE
            {
                pending.block.clear();
                self.spare.push(pending.block);
            }
            if chain.unsigned() {
                self.unsigned.insert(id);
            }
            if !session.sealed {
                self.waiting.remove(&id);
            }
        }
        Ok(())
    }

    /// Signs what was written.
    fn sign(&mut self, pen: Pen<'_>, id: [u8; 16], mark: Mark) -> io::Result<()> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let mut chain = session.chain;
        self.out.clear();
        chain.sign(pen.key, mark, session.last, &mut self.out).map_err(io::Error::other)?;
        self.write(pen, id, chain)?;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.signed = Instant::now();
        }
        self.unsigned.remove(&id);
        Ok(())
    }

    /// Writes `out` where the recording stands, and moves it on. A failed write is repeated over what came of it.
    fn write(&mut self, pen: Pen<'_>, id: [u8; 16], chain: Chain) -> io::Result<()> {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Ok(());
        };
        let path = pen.layout.session(SessionId(Uuid::from_bytes(id)), session.opened);
        let file = match self.files.get(id, &path, !session.created) {
            Err(error) if session.created && error.kind() == io::ErrorKind::NotFound => return Err(self.lose(id)),
            other => other?,
        };
        if !session.created {
            session.created = true;
            self.work.day(path.parent());
        }
        if session.chain.size() == record::header::HEADER as u64 {
            let (_, header) = Chain::new(*chain.header());
            file.write_all_at(&header, 0)?;
        }
        file.write_all_at(&self.out, session.chain.size())?;
        session.chain = chain;
        self.work.file(file);
        Ok(())
    }

    /// Someone deleted the file of a live recording.
    fn lose(&mut self, id: [u8; 16]) -> io::Error {
        self.sessions.remove(&id);
        self.waiting.remove(&id);
        self.unsigned.remove(&id);
        self.work.close(Closing::lost(id, "deleted while the session was live"));
        let id = SessionId(Uuid::from_bytes(id));
        io::Error::new(io::ErrorKind::NotFound, format!("the recording of {id} was deleted while it was live"))
    }

    /// Ends a recording: writes, signs, and leaves the rest to the disk's thread.
    pub(in crate::recordings) fn close(&mut self, pen: Pen<'_>, id: [u8; 16], mark: Mark) -> io::Result<()> {
        self.flush(pen, id)?;
        self.sign(pen, id, mark)?;
        self.waiting.remove(&id);
        self.files.close(id);
        if let Some(session) = self.sessions.remove(&id) {
            self.work.close(Closing::new(&Done {
                chain: session.chain,
                at: session.last,
                recovered: mark == Mark::Recovered,
                counts: session.counts,
                reason: session.reason.unwrap_or_default(),
            }));
        }
        Ok(())
    }

    /// Writes blocks that have waited long enough (all of a shard's when it is short of room), seals what is to be sealed,
    /// and signs what has been unsigned for long enough. The first error ends it; the rest is due again next time.
    pub(super) fn sweep(&mut self, pen: Pen<'_>, pressed: &[bool], all: bool) -> io::Result<()> {
        let now = Instant::now();
        let due: Vec<([u8; 16], bool)> = self
            .waiting
            .iter()
            .filter_map(|id| {
                let session = self.sessions.get(id)?;
                let old = session.pending.as_ref().is_some_and(|pending| {
                    let pressed = pressed.get(pending.first.shard).copied().unwrap_or(false);
                    pressed || now.duration_since(pending.since) >= BLOCK_AGE
                });
                (all || old || session.sealed).then_some((*id, session.sealed))
            })
            .collect();
        for (id, sealed) in due {
            if sealed { self.close(pen, id, Mark::Closed)? } else { self.flush(pen, id)? }
        }
        let quiet: Vec<[u8; 16]> = self
            .unsigned
            .iter()
            .filter(|id| {
                self.sessions.get(*id).is_some_and(|session| {
                    session.chain.unsigned()
                        && (all
                            || now.duration_since(session.written) >= SIGN_QUIET
                            || now.duration_since(session.signed) >= SIGN_AGE)
                })
            })
            .copied()
            .collect();
        for id in quiet {
            self.sign(pen, id, Mark::Segment)?;
        }
        let sessions = &self.sessions;
        self.unsigned.retain(|id| sessions.get(id).is_some_and(|session| session.chain.unsigned()));
        Ok(())
    }

    /// The oldest place of a shard that is still needed.
    pub(super) fn needed(&self, shard: usize) -> Option<Place> {
        let pending = self.waiting.iter().filter_map(|id| self.sessions.get(id)?.pending.as_ref());
        pending.map(|pending| pending.first).filter(|place| place.shard == shard).min()
    }

    /// Whether a block waits to be written.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether something written waits to be signed.
    pub(super) fn is_unsigned(&self) -> bool {
        !self.unsigned.is_empty()
    }

    /// Open recordings.
    pub(in crate::recordings) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// What a live session's summary says: counts, last event, bytes of the file.
    pub(in crate::recordings) fn live(&self, id: [u8; 16]) -> Option<(Counts, Micros, u64)> {
        let session = self.sessions.get(&id)?;
        Some((session.counts, session.last, session.chain.size()))
    }

    /// What is to be brought onto the disk.
    pub(in crate::recordings) fn take_work(&mut self) -> Work {
        std::mem::take(&mut self.work)
    }

    /// Enters a recording into the index that was found complete.
    pub(in crate::recordings) fn finished(&mut self, done: &Done) {
        self.work.close(Closing::new(done));
    }

    /// Enters into the index, when that works again, that a recording began.
    pub(in crate::recordings) fn opened(&mut self, entry: IndexEntry<'static>) {
        self.work.close(Closing::opened(entry));
    }

    /// Enters into the index that not all of a recording is there.
    pub(in crate::recordings) fn lost(&mut self, id: [u8; 16], reason: &str) {
        self.work.close(Closing::lost(id, reason));
    }
}

impl Session {
    fn full(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.block.raw().len() >= BLOCK_TARGET)
    }

    /// Counts an entry; the session's own last words tell the bytes and the reason.
    fn note(&mut self, frame: &Frame<'_>) {
        self.counts.add(frame.head.tally);
        if frame.head.tally == Tally::Closed
            && let Ok(Event::Closed { reason, bytes, .. }) = record::decode(frame.bytes)
        {
            self.counts.bytes = bytes;
            self.reason = Some(reason.into());
        }
    }
}
