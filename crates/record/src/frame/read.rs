//! Reads frames one after another and checks each: whole, unchanged, and following the one before it.

use std::io::{self, Read};

use super::{Damage, HEAD, HEAD_COVERED, Hash, Head, Reason, locate, u32_at};
use crate::limits::MAX_BODY;

/// A frame that was read and found whole.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Its number in the file, from 0.
    pub number: u64,
    /// The byte at which it starts.
    pub offset: u64,
    /// The numbers in front of its body.
    pub head: Head,
    /// Its body.
    pub body: &'a [u8],
    /// Its hash.
    pub hash: Hash,
}

/// Reads frames after a file's header. Memory: one frame.
#[derive(Debug)]
pub struct FrameReader<R> {
    source: R,
    offset: u64,
    number: u64,
    chain: Hash,
    buffer: Vec<u8>,
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is damaged.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// The file could not be read.
    #[error("the recording could not be read: {0}")]
    Io(#[from] io::Error),
}

impl<R: Read> FrameReader<R> {
    /// Starts after a header that ends at `offset` and has the hash `chain`.
    pub(crate) fn new(source: R, offset: u64, chain: Hash) -> Self {
        Self { source, offset, number: 0, chain, buffer: Vec::new() }
    }

    /// The byte after the last whole frame.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many frames were read.
    pub fn frames(&self) -> u64 {
        self.number
    }

    /// The hash of the last whole frame, or of the header.
    pub fn chain(&self) -> &Hash {
        &self.chain
    }

    /// The source, to seek in after an error.
    pub(crate) fn source_mut(&mut self) -> &mut R {
        &mut self.source
    }

    /// The next frame; `None` at the end of the file.
    ///
    /// After [`Reason::Truncated`] the reader stands where the cut frame starts, so a growing file can be sought back to
    /// [`FrameReader::offset`] and read again.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] names the first bad byte; [`ReadError::Io`] is the source's own error.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        self.buffer.resize(HEAD, 0);
        let got = fill(&mut self.source, &mut self.buffer)?;
        if got == 0 {
            return Ok(None);
        }
        if got < HEAD {
            return Err(self.truncated(got).into());
        }
        let head = self.check_head()?;
        let body = usize::try_from(head.length).unwrap_or(usize::MAX);
        if body > MAX_BODY {
            return Err(self.whole(Reason::TooLong, HEAD).into());
        }
        let length = HEAD + body + 32;
        self.buffer.resize(length, 0);
        let rest = self.buffer.get_mut(HEAD..).unwrap_or_default();
        let got = HEAD + fill(&mut self.source, rest)?;
        if got < length {
            return Err(self.truncated(got).into());
        }
        let hash = self.check_body(&head, body)?;
        if head.previous != self.chain {
            return Err(self.whole(Reason::OutOfPlace, length).into());
        }
        let frame = Frame {
            number: self.number,
            offset: self.offset,
            head,
            body: self.buffer.get(HEAD..HEAD + body).unwrap_or_default(),
            hash,
        };
        self.number += 1;
        self.offset += length as u64;
        self.chain = hash;
        Ok(Some(frame))
    }

    fn check_head(&self) -> Result<Head, Damage> {
        let covered = self.buffer.get(..HEAD_COVERED).unwrap_or_default();
        let stored = u32_at(&self.buffer, HEAD_COVERED).unwrap_or_default();
        if stored != crc32fast::hash(covered) {
            return Err(self.changed(locate::single(covered, stored), HEAD));
        }
        <&[u8; HEAD]>::try_from(self.buffer.as_slice())
            .ok()
            .and_then(Head::read)
            .ok_or_else(|| self.whole(Reason::Kind, HEAD))
    }

    fn check_body(&mut self, head: &Head, body: usize) -> Result<Hash, Damage> {
        let end = HEAD + body;
        let stored = self.buffer.get(end..).unwrap_or_default();
        let covered = self.buffer.get(..end).unwrap_or_default();
        let computed = *blake3::hash(covered).as_bytes();
        if stored == computed {
            return Ok(computed);
        }
        let bytes = self.buffer.get(HEAD..end).unwrap_or_default();
        if crc32fast::hash(bytes) == head.body_crc {
            let differs = stored.iter().zip(computed).position(|(a, b)| *a != b);
            return Err(self.changed(differs.map(|at| end + at), end + 32));
        }
        let stored: Hash = stored.try_into().unwrap_or_default();
        let fixes: Vec<(usize, u8)> = locate::candidates(bytes, head.body_crc).take(8).collect();
        let at = fixes
            .into_iter()
            .find(|(at, change)| self.would_fit(end, HEAD + at, *change, &stored))
            .map(|(at, _)| HEAD + at);
        Err(self.changed(at, end + 32))
    }

    /// Whether the frame's hash is right with one byte changed back.
    fn would_fit(&mut self, end: usize, at: usize, change: u8, stored: &Hash) -> bool {
        if let Some(byte) = self.buffer.get_mut(at) {
            *byte ^= change;
        }
        let fits = blake3::hash(self.buffer.get(..end).unwrap_or_default()).as_bytes() == stored;
        if let Some(byte) = self.buffer.get_mut(at) {
            *byte ^= change;
        }
        fits
    }

    fn changed(&self, at: Option<usize>, length: usize) -> Damage {
        let mut damage = self.whole(Reason::Changed, length);
        if let Some(at) = at {
            damage.offset = self.offset + at as u64;
            damage.exact = true;
        }
        damage
    }

    fn truncated(&self, got: usize) -> Damage {
        let end = self.offset + got as u64;
        Damage { offset: end, exact: true, end, frame: Some(self.number), reason: Reason::Truncated }
    }

    fn whole(&self, reason: Reason, length: usize) -> Damage {
        Damage { offset: self.offset, exact: false, end: self.offset + length as u64, frame: Some(self.number), reason }
    }
}

/// Reads until the buffer is full or the source ends; returns how much was read.
pub(crate) fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
