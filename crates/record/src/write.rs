//! Writes a recording: [`Chain`] is the state of one, small enough to keep thousands of; [`Writer`] drives one into a sink.

use std::io::{self, Write};

use crate::entry::{self, Block, EventError};
use crate::event::{Event, Micros};
use crate::frame::{self, Hash, Kind};
use crate::header::{FileKind, HEADER, Header};
use crate::limits::{BLOCK_TARGET, MAX_BLOCK, SEGMENT};
use crate::sign::{KeyError, SIGNATURE, SigningKey};

/// What a signature stands at the end of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A segment: more may follow.
    Segment,
    /// A recording that was closed in order.
    Closed,
    /// A recording that was completed after a crash.
    Recovered,
}

impl Mark {
    /// The byte in the signature's body.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Segment => 0,
            Self::Closed => 1,
            Self::Recovered => 2,
        }
    }

    /// Reads the byte.
    #[must_use]
    pub const fn read(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Segment),
            1 => Some(Self::Closed),
            2 => Some(Self::Recovered),
            _ => None,
        }
    }
}

/// Bytes of a signature frame's body: mark, 7 zero, entries, offset, raw bytes, time, signature.
pub(crate) const SIGNATURE_BODY: usize = 40 + SIGNATURE;
const CONTEXT: &[u8] = b"sallyport recording signature v1\n";

/// What an Ed25519 signature of a recording covers: a context string, the session, the key, the chain's head, and the first
/// 40 bytes of the signature frame's body.
pub(crate) fn signed_message(header: &Header, chain: &Hash, body: &[u8]) -> Vec<u8> {
    [CONTEXT, &header.session, &header.key.0, chain, body].concat()
}

/// Where a recording stands: everything needed to add the next frame. About 120 bytes, no heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain {
    header: Header,
    hash: Hash,
    size: u64,
    entries: u64,
    raw: u64,
    signed_raw: u64,
}

impl Chain {
    /// A new recording and the bytes of its header.
    #[must_use]
    pub fn new(header: Header) -> (Self, [u8; HEADER]) {
        let bytes = header.encode(FileKind::Recording);
        let chain = Self {
            header,
            hash: *blake3::hash(&bytes).as_bytes(),
            size: HEADER as u64,
            entries: 0,
            raw: 0,
            signed_raw: 0,
        };
        (chain, bytes)
    }

    /// The state after frames that were read.
    pub(crate) const fn resumed(
        header: Header,
        hash: Hash,
        (size, entries): (u64, u64),
        (raw, signed_raw): (u64, u64),
    ) -> Self {
        Self { header, hash, size, entries, raw, signed_raw }
    }

    /// The header that it began with.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The hash of the last frame.
    #[must_use]
    pub const fn head(&self) -> &Hash {
        &self.hash
    }

    /// Bytes of the file so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Entries so far; the next one has this number.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Whether something follows the last signature.
    #[must_use]
    pub const fn unsigned(&self) -> bool {
        self.raw > self.signed_raw
    }

    /// Whether a segment is full, so that a signature is due.
    #[must_use]
    pub const fn due(&self) -> bool {
        self.raw - self.signed_raw >= SEGMENT
    }

    /// Appends the frame of a block to `out`. An empty block adds nothing.
    ///
    /// # Errors
    /// The compressor's own error; the chain is then unchanged.
    pub fn block(&mut self, block: &Block, packer: &mut Packer, out: &mut Vec<u8>) -> io::Result<()> {
        if block.entries() == 0 {
            return Ok(());
        }
        let raw = block.raw();
        let size = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        let (kind, body) = packer.pack(raw)?;
        let numbers = (self.entries, block.entries(), size);
        let before = out.len();
        self.hash = frame::write(out, kind, numbers, &self.hash, body);
        self.size += (out.len() - before) as u64;
        self.entries += u64::from(block.entries());
        self.raw += u64::from(size);
        Ok(())
    }

    /// Appends a signature over everything so far to `out`.
    ///
    /// # Errors
    /// [`KeyError::Sign`]; the chain is then unchanged.
    pub fn sign(&mut self, key: &SigningKey, mark: Mark, at: Micros, out: &mut Vec<u8>) -> Result<(), KeyError> {
        let mut body = Vec::with_capacity(SIGNATURE_BODY);
        body.extend_from_slice(&[mark.code(), 0, 0, 0, 0, 0, 0, 0]);
        body.extend_from_slice(&self.entries.to_le_bytes());
        body.extend_from_slice(&self.size.to_le_bytes());
        body.extend_from_slice(&self.raw.to_le_bytes());
        body.extend_from_slice(&at.0.to_le_bytes());
        let signature = key.sign(&signed_message(&self.header, &self.hash, &body))?;
        body.extend_from_slice(&signature);
        let before = out.len();
        self.hash = frame::write(out, Kind::Signature, (self.entries, 0, 0), &self.hash, &body);
        self.size += (out.len() - before) as u64;
        self.signed_raw = self.raw;
        Ok(())
    }
}

/// Compresses blocks, with zstd at level 1. One serves all recordings of a thread.
pub struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// A compressor.
    ///
    /// # Errors
    /// No memory for it.
    pub fn new() -> io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(1)?, packed: vec![0; MAX_BLOCK] })
    }

    /// The smaller of the two forms. Compression that would not fit into the raw size is the stored form.
    fn pack<'a>(&'a mut self, raw: &'a [u8]) -> io::Result<(Kind, &'a [u8])> {
        let room = raw.len().saturating_sub(1).min(self.packed.len());
        let Some(space) = self.packed.get_mut(..room) else {
            return Ok((Kind::Stored, raw));
        };
        match self.compressor.compress_to_buffer(raw, space) {
            Ok(length) => Ok((Kind::Compressed, self.packed.get(..length).unwrap_or_default())),
            Err(_) => Ok((Kind::Stored, raw)),
        }
    }
}

/// Why an event was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The sink's own error.
    #[error("the recording could not be written: {0}")]
    Io(#[from] io::Error),
    /// The event cannot be stored.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It could not be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Writes one recording into a sink.
#[derive(Debug)]
pub struct Writer<W> {
    sink: W,
    chain: Chain,
    block: Block,
    packer: Packer,
    scratch: Vec<u8>,
    out: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a recording: writes the header.
    ///
    /// # Errors
    /// The sink's own.
    pub fn new(mut sink: W, header: Header) -> Result<Self, WriteError> {
        let (chain, bytes) = Chain::new(header);
        sink.write_all(&bytes)?;
        Ok(Self { sink, chain, block: Block::default(), packer: Packer::new()?, scratch: Vec::new(), out: Vec::new() })
    }

    /// Adds an event; full blocks and due signatures are written.
    ///
    /// # Errors
    /// [`EventError::TooLarge`] (nothing was added), or the sink's own.
    pub fn event(&mut self, at: Micros, event: &Event<'_>, key: &SigningKey) -> Result<(), WriteError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let encoded = entry::encode_to(event, &mut scratch);
        let added = match encoded {
            Ok(()) => self.add(at, &scratch, key),
            Err(error) => Err(error.into()),
        };
        self.scratch = scratch;
        added
    }

    fn add(&mut self, at: Micros, bytes: &[u8], key: &SigningKey) -> Result<(), WriteError> {
        for (bytes, part) in entry::parts(bytes) {
            self.block.push(at, bytes, part);
            if self.block.raw().len() >= BLOCK_TARGET {
                self.flush()?;
                if self.chain.due() {
                    self.sign(key, Mark::Segment, at)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what is held back as a block.
    ///
    /// # Errors
    /// The sink's own.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.out.clear();
        self.chain.block(&self.block, &mut self.packer, &mut self.out)?;
        self.block.clear();
        self.sink.write_all(&self.out)?;
        Ok(())
    }

    fn sign(&mut self, key: &SigningKey, mark: Mark, at: Micros) -> Result<(), WriteError> {
        self.out.clear();
        self.chain.sign(key, mark, at, &mut self.out)?;
        self.sink.write_all(&self.out)?;
        Ok(())
    }

    /// Ends the recording and returns the sink and the final state.
    ///
    /// # Errors
    /// The sink's own.
    pub fn seal(mut self, at: Micros, mark: Mark, key: &SigningKey) -> Result<(W, Chain), WriteError> {
        self.flush()?;
        self.sign(key, mark, at)?;
        self.sink.flush()?;
        Ok((self.sink, self.chain))
    }
}
