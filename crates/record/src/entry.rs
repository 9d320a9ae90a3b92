//! Events as bytes, and entries inside a block.
//!
//! A block, before compression:
//!
//! ```text
//!  0  8   time of the first entry, microseconds since the Unix epoch, signed, little-endian
//!  8  …   entries: varint (length << 2 | part), zigzag varint of the microseconds since the entry before it, then the bytes
//! ```
//!
//! The bytes are [`Event`] in postcard's stable encoding. An event longer than [`MAX_PART`] is several entries, which may
//! lie in different blocks. `part` has bit 0 set when more parts follow, and bit 1 set in the first part. A first part that
//! comes while more parts of another event were to follow ends that event unfinished: only recovery after a power failure
//! writes such.

use crate::event::{Event, Micros};
use crate::limits::{MAX_EVENT, MAX_PART};

/// An event that cannot be stored or read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EventError {
    /// It needs more room than there is in the buffer.
    #[error("the event does not fit into the buffer")]
    NoRoom,
    /// It is larger than [`MAX_EVENT`].
    #[error("an event of more than {MAX_EVENT} bytes cannot be recorded")]
    TooLarge,
    /// Its bytes are not those of an event.
    #[error("not an event that this version of Sallyport knows")]
    Unreadable,
}

/// Encodes an event into a buffer and returns its length. Allocates nothing.
///
/// # Errors
/// [`EventError::NoRoom`]: what was written so far has no meaning.
pub fn encode_into(event: &Event<'_>, buffer: &mut [u8]) -> Result<usize, EventError> {
    postcard::to_slice(event, buffer).map(|written| written.len()).map_err(|_| EventError::NoRoom)
}

/// Appends an encoded event to a vector.
///
/// # Errors
/// [`EventError::TooLarge`]: the vector then holds a part of it.
pub fn encode_to(event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), EventError> {
    let before = out.len();
    postcard::serialize_with_flavor(event, Bounded { out, before }).map_err(|_| EventError::TooLarge)
}

/// Reads an event; trailing bytes are an error.
///
/// # Errors
/// [`EventError::Unreadable`].
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, EventError> {
    match postcard::take_from_bytes(bytes) {
        Ok((event, [])) => Ok(event),
        _ => Err(EventError::Unreadable),
    }
}

/// Which part of an event an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Whether more parts follow.
    pub more: bool,
    /// Whether it is the first.
    pub first: bool,
}

impl Part {
    /// An event in one part.
    pub const WHOLE: Self = Self { more: false, first: true };

    fn bits(self) -> u64 {
        u64::from(self.more) | u64::from(self.first) << 1
    }

    const fn read(bits: u64) -> Self {
        Self { more: bits & 1 != 0, first: bits & 2 != 0 }
    }
}

/// Cuts an encoded event into parts; every event has at least one.
pub fn parts(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Part)> {
    let count = bytes.len().div_ceil(MAX_PART).max(1);
    (0..count).map(move |index| {
        let start = index * MAX_PART;
        let end = bytes.len().min(start + MAX_PART);
        let part = Part { more: index + 1 < count, first: index == 0 };
        (bytes.get(start..end).unwrap_or_default(), part)
    })
}

struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    before: usize,
}

impl Bounded<'_> {
    fn room_for(&self, more: usize) -> postcard::Result<()> {
        if self.out.len() - self.before + more > MAX_EVENT { Err(postcard::Error::SerializeBufferFull) } else { Ok(()) }
    }
}

impl postcard::ser_flavors::Flavor for Bounded<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.room_for(data.len())?;
        self.out.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.room_for(1)?;
        self.out.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// A block being filled.
#[derive(Clone, Debug, Default)]
pub struct Block {
    raw: Vec<u8>,
    entries: u32,
    last: i64,
}

impl Block {
    /// Adds one entry of at most [`MAX_PART`] bytes.
    pub fn push(&mut self, at: Micros, bytes: &[u8], part: Part) {
        if self.raw.is_empty() {
            self.raw.extend_from_slice(&at.0.to_le_bytes());
            self.last = at.0;
        }
        put_varint(&mut self.raw, (bytes.len() as u64) << 2 | part.bits());
        put_varint(&mut self.raw, zigzag(at.0.wrapping_sub(self.last)));
        self.raw.extend_from_slice(bytes);
        self.last = at.0;
        self.entries += 1;
    }

    /// Its bytes before compression.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// How many entries it holds.
    #[must_use]
    pub const fn entries(&self) -> u32 {
        self.entries
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.raw.clear();
        self.entries = 0;
    }
}

/// One entry of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RawEntry<'a> {
    pub(crate) at: Micros,
    pub(crate) part: Part,
    pub(crate) bytes: &'a [u8],
}

/// Walks a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    at: usize,
    time: i64,
}

impl Cursor {
    /// The byte after the last entry.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    /// The next entry; `None` at the end, an error where the bytes are not an entry.
    pub(crate) fn next<'a>(&mut self, raw: &'a [u8]) -> Result<Option<RawEntry<'a>>, &'static str> {
        if self.at == 0 {
            let time = crate::frame::u64_at(raw, 0).ok_or("a block without a time")?;
            self.time = time.cast_signed();
            self.at = 8;
        }
        if self.at == raw.len() {
            return Ok(None);
        }
        let length = take_varint(raw, &mut self.at).ok_or("a bad entry length")?;
        let delta = take_varint(raw, &mut self.at).ok_or("a bad entry time")?;
        self.time = self.time.wrapping_add(unzigzag(delta));
        let size = usize::try_from(length >> 2).unwrap_or(usize::MAX);
        if size > MAX_PART {
            return Err("an entry longer than the limit");
        }
        let bytes = raw.get(self.at..self.at + size).ok_or("an entry longer than its block")?;
        self.at += size;
        Ok(Some(RawEntry { at: Micros(self.time), part: Part::read(length), bytes }))
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

fn take_varint(raw: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *raw.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_round_trip(value: u64, signed: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut at = 0;
            prop_assert_eq!(take_varint(&out, &mut at), Some(value));
            prop_assert_eq!(at, out.len());
            prop_assert_eq!(unzigzag(zigzag(signed)), signed);
        }

        #[test]
        fn blocks_round_trip(entries in proptest::collection::vec((any::<i64>(), any::<(bool, bool)>(), proptest::collection::vec(any::<u8>(), 0..300)), 1..20)) {
            let mut block = Block::default();
            for (at, (more, first), bytes) in &entries {
                block.push(Micros(*at), bytes, Part { more: *more, first: *first });
            }
            let mut cursor = Cursor::default();
            for (at, (more, first), bytes) in &entries {
                let entry = cursor.next(block.raw()).unwrap().unwrap();
                prop_assert_eq!(entry, RawEntry { at: Micros(*at), part: Part { more: *more, first: *first }, bytes });
            }
            prop_assert_eq!(cursor.next(block.raw()), Ok(None));
        }
    }

    #[test]
    fn parts_cover_all_bytes() {
        for size in [0, 1, MAX_PART, MAX_PART + 1, 3 * MAX_PART] {
            let bytes = vec![7; size];
            let joined: Vec<u8> = parts(&bytes).flat_map(|(part, _)| part.to_vec()).collect();
            assert_eq!(joined, bytes);
            assert_eq!(parts(&bytes).filter(|(_, part)| !part.more).count(), 1);
        }
    }
}
