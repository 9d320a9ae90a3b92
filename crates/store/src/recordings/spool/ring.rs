//! The segments of one shard in turn: filled by the sessions of one worker thread, emptied by the scribe.
//!
//! The lowest free segment is always taken next, so that a light load stays in the same few pages. An event that needs more
//! than one frame is written only when all of it fits: there is never a part of an event without the rest.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::Waker;

use record::limits::{MAX_EVENT, MAX_PART};
use record::{Event, EventError, Micros, Part, encode_into, encode_to};

use super::frame::{self, HEAD, Head, Tally};
use super::segment::{SEGMENT, START, Segment};
use crate::recordings::error::StartError;

/// The smallest part that an event is cut into; less room than that at a segment's end is left unused.
const MIN_PART: usize = 4096;
/// Segments that stay mapped when they are free.
const KEEP: usize = 2;
/// An emptied segment is used again from its start when more than this was written to it.
const REWIND: u64 = 256 * 1024;
/// Room for encoding large events that is kept between them.
const KEEP_SCRATCH: usize = 256 * 1024;

/// Why an entry was not taken.
#[derive(Debug)]
pub(in crate::recordings) enum Full {
    /// No room now for so many bytes.
    Behind(usize),
    /// It can never be taken.
    Event(EventError),
    /// A segment could not be mapped.
    Io(io::Error),
}

/// A stretch of a segment for the scribe to read.
#[derive(Debug)]
pub(in crate::recordings) struct Span {
    pub(in crate::recordings) file: Arc<File>,
    pub(in crate::recordings) generation: u64,
    pub(in crate::recordings) from: u64,
    pub(in crate::recordings) to: u64,
}

#[derive(Debug)]
struct Use {
    slot: usize,
    generation: u64,
    written: u64,
}

/// One shard's segments and who waits for room in them.
#[derive(Debug)]
pub(in crate::recordings) struct Ring {
    segments: Vec<Segment>,
    free: BTreeSet<usize>,
    used: VecDeque<Use>,
    generation: u64,
    scratch: Vec<u8>,
    waiters: Vec<(Waker, usize)>,
    /// Seals for which there was no room: (session, number, time).
    pub(in crate::recordings) seals: Vec<([u8; 16], u64, Micros)>,
    /// The scribe sleeps until it is woken.
    pub(in crate::recordings) asleep: bool,
    /// Bytes written since the scribe looked.
    pub(in crate::recordings) unread: u64,
}

/// Bytes of room that an event of this length needs at most, however the segments lie.
pub(in crate::recordings) const fn need(length: usize) -> usize {
    let segments = length / (SEGMENT / 2) + 2;
    let parts = length / MAX_PART + 2 + 2 * segments;
    length + parts * (HEAD + 8) + segments * (MIN_PART + HEAD + START)
}

impl Ring {
    /// Allocates the segments `name.0`, `name.1`, … of a shard in a directory.
    pub(in crate::recordings) fn create(dir: &Path, name: &str, bytes: u64) -> Result<Self, StartError> {
        let least = need(MAX_EVENT).next_multiple_of(SEGMENT) + SEGMENT;
        let count = usize::try_from(bytes).unwrap_or(usize::MAX) / SEGMENT;
        if count.saturating_mul(SEGMENT) < least {
            let least = least as u64;
            return Err(StartError::SpoolTooSmall { bytes, least });
        }
        let mut segments = Vec::with_capacity(count);
        for slot in 0..count {
            let path = dir.join(format!("{name}.{slot:02}"));
            let segment = Segment::create(&path).map_err(|error| {
                let path = dir.to_owned();
                StartError::NoSpace { path, bytes, error }
            })?;
            segments.push(segment);
        }
        Ok(Self {
            free: (0..segments.len()).collect(),
            segments,
            used: VecDeque::new(),
            generation: 0,
            scratch: Vec::new(),
            waiters: Vec::new(),
            seals: Vec::new(),
            asleep: false,
            unread: 0,
        })
    }

    /// Puts an event into the spool and returns how many entries it took. Nothing is written unless all of it is.
    #[inline]
    pub(in crate::recordings) fn append(
        &mut self,
        session: [u8; 16],
        number: u64,
        at: Micros,
        event: &Event<'_>,
    ) -> Result<u64, Full> {
        let head = Head { session, number, at, part: Part::WHOLE, seal: false, tally: Tally::of(event) };
        if let Some((start, space)) = self.space(MAX_PART)
            && let Some(entry) = space.get_mut(HEAD..)
            && let Ok(length) = encode_into(event, entry)
        {
            self.publish(start, length, &head);
            return Ok(1);
        }
        self.append_large(head, event)
    }

    /// Puts a seal into the spool; there is always a place for it.
    pub(in crate::recordings) fn seal(&mut self, session: [u8; 16], number: u64, at: Micros) {
        let head = Head { session, number, at, part: Part::WHOLE, seal: true, tally: Tally::None };
        if self.room() >= need(0)
            && self.turn(HEAD).is_ok()
            && let Some((start, _)) = self.space(0)
        {
            self.publish(start, 0, &head);
        } else {
            self.seals.push((session, number, at));
        }
    }

    /// The event did not fit where the current segment stands: encode it aside, make sure of the room, then cut it up.
    #[cold]
    fn append_large(&mut self, head: Head, event: &Event<'_>) -> Result<u64, Full> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let done = match encode_to(event, &mut bytes) {
            Ok(()) => self.append_parts(head, &bytes),
            Err(error) => Err(Full::Event(error)),
        };
        if bytes.capacity() <= KEEP_SCRATCH {
            self.scratch = bytes;
        }
        done
    }

    fn append_parts(&mut self, mut head: Head, bytes: &[u8]) -> Result<u64, Full> {
        let need = need(bytes.len());
        if self.room() < need {
            return Err(Full::Behind(need));
        }
        self.premap(need).map_err(Full::Io)?;
        let first = head.number;
        let mut rest = bytes;
        loop {
            self.turn(HEAD + rest.len().min(MIN_PART)).map_err(Full::Io)?;
            let Some((start, space)) = self.space(rest.len().min(MAX_PART)) else {
                return Err(Full::Behind(need));
            };
            let length = rest.len().min(space.len() - HEAD);
            let (part, after) = rest.split_at(length);
            if let Some(place) = space.get_mut(HEAD..HEAD + length) {
                place.copy_from_slice(part);
            }
            head.part = Part { more: !after.is_empty(), first: head.number == first };
            self.publish(start, length, &head);
            head.number += 1;
            rest = after;
            if rest.is_empty() {
                return Ok(head.number - first);
            }
        }
    }

    /// The place for the next frame with an entry of up to `most` bytes: less where the segment ends.
    fn space(&mut self, most: usize) -> Option<(usize, &mut [u8])> {
        let current = self.used.back()?;
        let start = usize::try_from(current.written).ok()?;
        let end = SEGMENT.min(start + HEAD + most);
        let segment = self.segments.get_mut(current.slot)?;
        let space = segment.bytes(start, end)?;
        (space.len() >= HEAD).then_some((start, space))
    }

    fn publish(&mut self, start: usize, length: usize, head: &Head) {
        let Some(current) = self.used.back_mut() else {
            return;
        };
        let Some(segment) = self.segments.get_mut(current.slot) else {
            return;
        };
        if let Some(space) = segment.bytes(start, start + HEAD + length) {
            let offset = u32::try_from(start).unwrap_or(u32::MAX);
            frame::seal_head(space, head, current.generation, offset);
        }
        let size = frame::size(length) as u64;
        current.written = (current.written + size).min(SEGMENT as u64);
        self.unread += size;
    }

    /// Makes sure that the current segment has room for so many bytes, by turning to the next one.
    fn turn(&mut self, bytes: usize) -> io::Result<()> {
        if let Some(current) = self.used.back()
            && current.written + bytes as u64 <= SEGMENT as u64
        {
            return Ok(());
        }
        let slot = self.free.first().copied().ok_or(io::ErrorKind::StorageFull)?;
        let segment = self.segments.get_mut(slot).ok_or(io::ErrorKind::NotFound)?;
        segment.map()?;
        self.generation += 1;
        segment.begin(self.generation);
        self.free.remove(&slot);
        self.used.push_back(Use { slot, generation: self.generation, written: START as u64 });
        Ok(())
    }

    /// Maps the free segments that so many bytes may need, so that no mapping fails half way through an event.
    fn premap(&mut self, bytes: usize) -> io::Result<()> {
        let count = bytes / SEGMENT + 2;
        for slot in self.free.iter().take(count) {
            if let Some(segment) = self.segments.get_mut(*slot) {
                segment.map()?;
            }
        }
        Ok(())
    }

    /// Bytes that can be written now.
    pub(in crate::recordings) fn room(&self) -> usize {
        let left = self.used.back().map_or(0, |current| SEGMENT as u64 - current.written);
        self.free.len() * (SEGMENT - START) + usize::try_from(left).unwrap_or(0)
    }

    /// What was written at or after a place, oldest first; marks it as seen.
    pub(in crate::recordings) fn spans(&mut self, from: (u64, u64)) -> Vec<Span> {
        self.unread = 0;
        let spans = self.used.iter().filter(|used| used.generation >= from.0);
        let spans = spans.filter_map(|used| {
            let start = if used.generation == from.0 { from.1 } else { START as u64 };
            let file = self.segments.get(used.slot)?.file();
            (start < used.written).then_some(Span { file, generation: used.generation, from: start, to: used.written })
        });
        spans.collect()
    }

    /// Frees what lies before a place that the scribe has read up to and no longer needs. Returns who may go on.
    pub(in crate::recordings) fn free_before(&mut self, place: (u64, u64)) -> Vec<Waker> {
        while let Some(oldest) = self.used.front() {
            let done = (oldest.generation, oldest.written) <= place;
            let current = self.used.len() == 1;
            if !done || (current && oldest.written <= REWIND) {
                break;
            }
            let slot = oldest.slot;
            self.used.pop_front();
            self.free.insert(slot);
            if slot >= KEEP
                && let Some(segment) = self.segments.get_mut(slot)
            {
                segment.unmap();
            }
        }
        let room = self.room();
        let (ready, waiting) = self.waiters.drain(..).partition(|(_, need)| *need <= room);
        self.waiters = waiting;
        Vec::into_iter(ready).map(|(waker, _)| waker).collect()
    }

    /// Bytes of segments that are not free.
    pub(in crate::recordings) fn held(&self) -> u64 {
        self.used.iter().map(|used| used.written).sum()
    }

    /// Registers who is to be woken when there is room for so many bytes.
    pub(in crate::recordings) fn wait(&mut self, waker: &Waker, need: usize) {
        let known = self.waiters.iter_mut().find(|(other, _)| other.will_wake(waker));
        match known {
            Some((_, before)) => *before = need.min(*before),
            None => self.waiters.push((waker.clone(), need)),
        }
    }

    /// Everyone who waits, to be told that there will be no room.
    pub(in crate::recordings) fn wake_all(&mut self) -> Vec<Waker> {
        self.waiters.drain(..).map(|(waker, _)| waker).collect()
    }
}
