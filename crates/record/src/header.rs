//! The first 64 bytes of a recording and of a directory's index.
//!
//! ```text
//! offset size
//!  0      8   89 53 50 52 0D 0A 1A 0A (recording) or 89 53 50 49 0D 0A 1A 0A (index): broken by any text conversion
//!  8      2   format version: 1
//! 10      6   zero
//! 16     16   session id (recording) or zero (index)
//! 32     16   key id: the first half of the public key's BLAKE3
//! 48      8   opened, microseconds since the Unix epoch, signed
//! 56      4   zero
//! 60      4   CRC-32 of the 60 bytes above
//! ```

use std::io::Read;

use crate::event::Micros;
use crate::frame::{Damage, Hash, ReadError, Reason, bad_byte, fill, u32_at, u64_at};
use crate::sign::KeyId;

/// Bytes of a header.
pub const HEADER: usize = 64;
/// The format that is written.
pub const VERSION: u16 = 1;

/// What sort of file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// The recording of one session.
    Recording,
    /// The index of a directory of recordings.
    Index,
}

impl FileKind {
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Recording => *b"\x89SPR\r\n\x1a\n",
            Self::Index => *b"\x89SPI\r\n\x1a\n",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Index => "recordings index",
        }
    }
}

/// What a file says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The session's id as 16 bytes; zero in an index.
    pub session: [u8; 16],
    /// The key that signs the file.
    pub key: KeyId,
    /// When it was opened.
    pub opened: Micros,
}

impl Header {
    /// The bytes of the header.
    #[must_use]
    pub fn encode(&self, kind: FileKind) -> [u8; HEADER] {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(&kind.magic());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.session);
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&self.opened.0.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut header = [0; HEADER];
        header.copy_from_slice(&out);
        header
    }

    /// Reads a header and returns it with its hash, which the first frame continues.
    ///
    /// # Errors
    /// [`Reason::NotOurs`], [`Reason::Truncated`], [`Reason::Changed`] or [`Reason::Version`], or the source's own error.
    pub fn read(source: &mut impl Read, kind: FileKind) -> Result<(Self, Hash), ReadError> {
        let mut bytes = [0; HEADER];
        let got = fill(source, &mut bytes)?;
        let magic = kind.magic();
        let differs = bytes.iter().zip(magic).take(got).position(|(a, b)| *a != b);
        if let Some(at) = differs {
            return Err(damage(at, at + 1, Reason::NotOurs(kind.word())).into());
        }
        if got < HEADER {
            return Err(damage(got, got, Reason::Truncated).into());
        }
        let header = Self::decode(&bytes)?;
        Ok((header, *blake3::hash(&bytes).as_bytes()))
    }

    fn decode(bytes: &[u8; HEADER]) -> Result<Self, Damage> {
        let covered = bytes.get(..60).unwrap_or_default();
        let stored = u32_at(bytes, 60).unwrap_or_default();
        if stored != crc32fast::hash(covered) {
            let (at, end) = bad_byte(covered, stored).map_or((8, HEADER), |at| (at, at + 1));
            return Err(damage(at, end, Reason::Changed));
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(damage(8, 10, Reason::Version(version)));
        }
        // Nothing may ride along in bytes that mean nothing.
        if let Some(at) = (10..16).chain(56..60).find(|at| bytes.get(*at).is_some_and(|byte| *byte != 0)) {
            return Err(damage(at, at + 1, Reason::Changed));
        }
        let part = |at: usize| -> [u8; 16] {
            bytes.get(at..at + 16).and_then(|part| part.try_into().ok()).unwrap_or_default()
        };
        Ok(Self {
            session: part(16),
            key: KeyId(part(32)),
            opened: Micros(u64_at(bytes, 48).unwrap_or_default().cast_signed()),
        })
    }
}

fn damage(at: usize, end: usize, reason: Reason) -> Damage {
    Damage { offset: at as u64, exact: end <= at + 1, end: end as u64, frame: None, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_mean_nothing_are_zero() {
        let header = Header { session: [3; 16], key: KeyId([8; 16]), opened: Micros(1) };
        let good = header.encode(FileKind::Recording);
        assert_eq!(Header::read(&mut good.as_slice(), FileKind::Recording).unwrap().0, header);
        for at in (10..16).chain(56..60) {
            let mut bytes = good;
            bytes[at] = 1;
            let crc = crc32fast::hash(&bytes[..60]);
            bytes[60..].copy_from_slice(&crc.to_le_bytes());
            let Err(ReadError::Damaged(damage)) = Header::read(&mut bytes.as_slice(), FileKind::Recording) else {
                panic!("byte {at} is accepted")
            };
            assert_eq!((damage.offset, damage.reason), (at as u64, Reason::Changed));
        }
    }
}
