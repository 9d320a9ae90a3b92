//! Reads a recording: the walk over its frames with every check, and [`Reader`], which yields events.

use std::io::{self, Read};

use crate::entry::{self, Cursor};
use crate::event::{Event, Micros};
use crate::frame::{Damage, Frame, FrameReader, Hash, Kind, ReadError, Reason, u64_at};
use crate::header::{FileKind, HEADER, Header};
use crate::limits::{MAX_BLOCK, MAX_EVENT, MAX_UNSIGNED};
use crate::sign::PublicKey;
use crate::write::{Chain, Mark, SIGNATURE_BODY, signed_message};

/// How a recording ends, as far as it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No final signature: the session is live, or the rest was cut off.
    Open,
    /// Closed in order.
    Closed,
    /// Completed after a crash.
    Recovered,
}

impl State {
    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Recovered => "recovered",
        }
    }
}

/// One event of a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry<'a> {
    /// The number of the entry that it begins in, from 0.
    pub number: u64,
    /// When it happened.
    pub at: Micros,
    /// What happened.
    pub event: Event<'a>,
}

/// What a step of the walk found.
pub(crate) enum Step {
    /// A block, unpacked.
    Block,
    /// A signature.
    Signature,
}

/// Walks the frames of a recording: chain, numbers, limits, and signatures when a key is given.
pub(crate) struct Walk<R> {
    frames: FrameReader<R>,
    header: Header,
    key: Option<PublicKey>,
    unpacker: zstd::bulk::Decompressor<'static>,
    block: Vec<u8>,
    expected: u32,
    pub(crate) entries: u64,
    raw: u64,
    pub(crate) signed_raw: u64,
    pub(crate) signed_entries: u64,
    pub(crate) signed_at: Option<Micros>,
    pub(crate) state: State,
}

impl<R: Read> Walk<R> {
    pub(crate) fn new(mut source: R, key: Option<PublicKey>) -> Result<Self, ReadError> {
        let (header, hash) = Header::read(&mut source, FileKind::Recording)?;
        if let Some(key) = key.filter(|key| key.id() != header.key) {
            let reason = Reason::WrongKey { found: header.key.to_string(), expected: key.id().to_string() };
            let (offset, end) = (32, 48);
            return Err(ReadError::Damaged(Damage { offset, exact: false, end, frame: None, reason }));
        }
        Ok(Self {
            frames: FrameReader::new(source, HEADER as u64, hash),
            header,
            key,
            unpacker: zstd::bulk::Decompressor::new()?,
            block: Vec::new(),
            expected: 0,
            entries: 0,
            raw: 0,
            signed_raw: 0,
            signed_entries: 0,
            signed_at: None,
            state: State::Open,
        })
    }

    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) const fn frames(&self) -> &FrameReader<R> {
        &self.frames
    }

    /// The last block, unpacked.
    pub(crate) fn block(&self) -> &[u8] {
        &self.block
    }

    /// Entries that the last block says it holds.
    pub(crate) const fn expected(&self) -> u32 {
        self.expected
    }

    /// Where the recording stands, to be continued.
    pub(crate) fn chain(&self) -> Chain {
        let position = (self.frames.offset(), self.entries);
        Chain::resumed(self.header, *self.frames.chain(), position, (self.raw, self.signed_raw))
    }

    pub(crate) fn step(&mut self) -> Result<Option<Step>, ReadError> {
        let chain = *self.frames.chain();
        let Some(frame) = self.frames.next_frame()? else {
            return Ok(None);
        };
        if self.state != State::Open {
            return Err(at(&frame, Reason::AfterEnd).into());
        }
        if frame.head.first != self.entries {
            return Err(at(&frame, Reason::Numbers).into());
        }
        match frame.head.kind {
            Kind::Compressed | Kind::Stored => {
                unpack(&mut self.unpacker, &frame, &mut self.block).map_err(|reason| at(&frame, reason))?;
                let head = frame.head;
                self.raw += u64::from(head.raw);
                if self.raw - self.signed_raw > MAX_UNSIGNED {
                    return Err(at(&frame, Reason::MissingSignature).into());
                }
                self.entries += u64::from(head.entries);
                self.expected = head.entries;
                Ok(Some(Step::Block))
            }
            Kind::Signature => {
                let by = (&self.header, self.key.as_ref());
                let (mark, time) =
                    signature(&frame, by, &chain, (self.entries, self.raw)).map_err(|reason| at(&frame, reason))?;
                self.state = match mark {
                    Mark::Segment => State::Open,
                    Mark::Closed => State::Closed,
                    Mark::Recovered => State::Recovered,
                };
                self.signed_at = Some(time);
                self.signed_raw = self.raw;
                self.signed_entries = self.entries;
                Ok(Some(Step::Signature))
            }
            Kind::IndexEntry | Kind::TreeHead => Err(at(&frame, Reason::Kind).into()),
        }
    }
}

/// Checks a signature frame: its counts, and its signature when a key is given.
fn signature(
    frame: &Frame<'_>,
    (header, key): (&Header, Option<&PublicKey>),
    chain: &Hash,
    (entries, raw): (u64, u64),
) -> Result<(Mark, Micros), Reason> {
    if frame.head.entries != 0 || frame.head.raw != 0 || frame.body.len() != SIGNATURE_BODY {
        return Err(Reason::Content("a signature of another size"));
    }
    let (covered, signature) = frame.body.split_at(SIGNATURE_BODY - 64);
    let zero = covered.get(1..8).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    let mark = covered.first().copied().and_then(Mark::read).filter(|_| zero);
    let mark = mark.ok_or(Reason::Content("an unknown mark of a signature"))?;
    let counts = [u64_at(covered, 8), u64_at(covered, 16), u64_at(covered, 24)];
    if counts != [Some(entries), Some(frame.offset), Some(raw)] {
        return Err(Reason::Numbers);
    }
    if let Some(key) = key
        && !key.verify(&signed_message(header, chain, covered), signature)
    {
        return Err(Reason::Signature);
    }
    let time = u64_at(covered, 32).unwrap_or_default().cast_signed();
    Ok((mark, Micros(time)))
}

/// Damage that is a whole frame.
pub(crate) fn at(frame: &Frame<'_>, reason: Reason) -> Damage {
    Damage {
        offset: frame.offset,
        exact: false,
        end: frame.offset + (crate::frame::OVERHEAD + frame.body.len()) as u64,
        frame: Some(frame.number),
        reason,
    }
}

fn unpack(
    unpacker: &mut zstd::bulk::Decompressor<'static>,
    frame: &Frame<'_>,
    block: &mut Vec<u8>,
) -> Result<(), Reason> {
    let raw = usize::try_from(frame.head.raw).unwrap_or(usize::MAX);
    if raw > MAX_BLOCK {
        return Err(Reason::TooLong);
    }
    block.clear();
    if frame.head.kind == Kind::Stored {
        block.extend_from_slice(frame.body);
    } else {
        block.resize(raw, 0);
        let length = unpacker
            .decompress_to_buffer(frame.body, block.as_mut_slice())
            .map_err(|_| Reason::Content("a block that cannot be unpacked"))?;
        block.truncate(length);
    }
    if block.len() == raw { Ok(()) } else { Err(Reason::Content("a block of another size than it says")) }
}

/// Reads the events of a recording one after another. Memory: one block, and one event if that is larger.
pub struct Reader<R> {
    walk: Walk<R>,
    cursor: Option<Cursor>,
    taken: u32,
    number: u64,
    begun: Option<u64>,
    joined: Vec<u8>,
    found: Option<(Found, u64, Micros)>,
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("header", &self.walk.header).finish_non_exhaustive()
    }
}

/// Where the bytes of the next event are.
enum Found {
    Block(std::ops::Range<usize>),
    Joined,
}

impl<R: Read> Reader<R> {
    /// Opens a recording. Frames and the chain between them are checked; signatures are not: see [`Reader::verifying`].
    ///
    /// # Errors
    /// A damaged header, or the source's own error.
    pub fn new(source: R) -> Result<Self, ReadError> {
        Self::with(source, None)
    }

    /// Opens a recording and checks its signatures too, as they are passed.
    ///
    /// # Errors
    /// As [`Reader::new`], and [`Reason::WrongKey`].
    pub fn verifying(source: R, key: PublicKey) -> Result<Self, ReadError> {
        Self::with(source, Some(key))
    }

    fn with(source: R, key: Option<PublicKey>) -> Result<Self, ReadError> {
        Ok(Self {
            walk: Walk::new(source, key)?,
            cursor: None,
            taken: 0,
            number: 0,
            begun: None,
            joined: Vec::new(),
            found: None,
        })
    }

    /// What the recording says of itself.
    pub const fn header(&self) -> &Header {
        self.walk.header()
    }

    /// How it ends, as far as it was read.
    pub const fn state(&self) -> State {
        self.walk.state
    }

    /// The byte after the last whole frame that was read.
    pub fn offset(&self) -> u64 {
        self.walk.frames().offset()
    }

    /// The number of the entry that comes next.
    pub const fn entries(&self) -> u64 {
        self.number
    }

    /// Where the recording stands after everything that was read, to be continued by a [`Chain`].
    pub fn chain(&self) -> Chain {
        self.walk.chain()
    }

    /// The number of the entry in which an event began whose last part was not read.
    pub const fn begun(&self) -> Option<u64> {
        self.begun
    }

    /// The next event; `None` at the end of what is there. A live recording can be asked again later.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] names the first bad byte.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_>>, ReadError> {
        if self.advance()? { self.entry().map(Some) } else { Ok(None) }
    }

    /// Moves to the next event; `false` at the end of what is there. [`Reader::entry`] then reads it.
    ///
    /// # Errors
    /// As [`Reader::next_entry`].
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        self.found = self.find()?;
        Ok(self.found.is_some())
    }

    /// The event that [`Reader::advance`] moved to.
    ///
    /// # Errors
    /// It cannot be read, or there is none.
    pub fn entry(&self) -> Result<Entry<'_>, ReadError> {
        let unknown = || self.bad(Reason::Content("an event that this version does not know"));
        let (found, number, at) = self.found.as_ref().ok_or_else(unknown)?;
        let bytes = match found {
            Found::Block(range) => self.walk.block().get(range.clone()).unwrap_or_default(),
            Found::Joined => &self.joined,
        };
        let event = entry::decode(bytes).map_err(|_| unknown())?;
        Ok(Entry { number: *number, at: *at, event })
    }

    /// Finds the bytes of the next event, joining its parts.
    fn find(&mut self) -> Result<Option<(Found, u64, Micros)>, ReadError> {
        loop {
            let Some(mut cursor) = self.cursor.take() else {
                match self.walk.step()? {
                    None => return Ok(None),
                    Some(Step::Signature) => {}
                    Some(Step::Block) => {
                        self.cursor = Some(Cursor::default());
                        self.taken = 0;
                    }
                }
                continue;
            };
            let block = self.walk.block();
            let Some(next) = cursor.next(block).map_err(|text| self.bad(Reason::Content(text)))? else {
                if self.taken != self.walk.expected() {
                    return Err(self.bad(Reason::Numbers).into());
                }
                continue;
            };
            let range = cursor.position() - next.bytes.len()..cursor.position();
            let (more, time) = (next.part.more, next.at);
            if next.part.first {
                self.begun = None;
                self.joined.clear();
            } else if self.begun.is_none() {
                return Err(self.bad(Reason::Content("a part of an event without its beginning")).into());
            }
            let joins = more || self.begun.is_some();
            if joins {
                if self.joined.len() + range.len() > MAX_EVENT {
                    return Err(self.bad(Reason::TooLong).into());
                }
                self.joined.extend_from_slice(next.bytes);
            }
            self.cursor = Some(cursor);
            let first = self.begun.unwrap_or(self.number);
            self.begun = more.then_some(first);
            self.taken += 1;
            self.number += 1;
            if !more {
                let found = if joins { Found::Joined } else { Found::Block(range) };
                return Ok(Some((found, first, time)));
            }
        }
    }

    fn bad(&self, reason: Reason) -> Damage {
        let offset = self.walk.frames().offset();
        Damage { offset, exact: false, end: offset, frame: self.walk.frames().frames().checked_sub(1), reason }
    }
}

impl Reader<&[u8]> {
    /// Reads everything from bytes, whatever they are, through every reader of this crate, and returns how many events were
    /// found: for fuzzing. It neither panics nor uses more memory than the limits allow.
    #[must_use]
    pub fn scan_all(data: &[u8]) -> u64 {
        let mut events = 0;
        if let Ok(mut reader) = Reader::new(data) {
            while let Ok(Some(_)) = reader.next_entry() {
                events += 1;
            }
        }
        let key = PublicKey::new([0; 32]);
        let _ = crate::verify::verify(data, &key);
        let _ = crate::index::scan(data);
        let _ = crate::export::json_lines(data, &mut io::sink());
        let _ = crate::export::ocsf(data, &mut io::sink());
        if let Ok(Some(number)) = crate::export::pick_command(data) {
            let version = if events % 2 == 0 { crate::CastVersion::V2 } else { crate::CastVersion::V3 };
            let _ = crate::export::asciicast(data, version, number, &mut io::sink());
        }
        let _ = crate::render::render(data, &crate::render::Options::default(), &mut io::sink());
        events
    }
}
