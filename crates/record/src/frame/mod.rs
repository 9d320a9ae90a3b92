//! Frames: what a recording and the index of a directory are made of, after their header.
//!
//! ```text
//! offset size
//!  0      4   length of the body
//!  4      1   kind: 1 block (zstd), 2 block (stored), 3 signature, 16 index entry, 17 tree head
//!  5      3   zero
//!  8      8   number of the first entry in it (signature, tree head: entries before it)
//! 16      4   entries in it (signature, tree head: zero)
//! 20      4   bytes of the block before compression (else: zero)
//! 24      4   CRC-32 (IEEE) of the body
//! 28     32   hash of the frame before; of the file header for the first
//! 60      4   CRC-32 of the 60 bytes above
//! 64      n   body
//! 64+n   32   BLAKE3 of the 64+n bytes above: the next frame's previous hash
//! ```
//!
//! All numbers are little-endian. The hash is the evidence; the CRCs locate the damage to the byte when only one byte is bad.

mod damage;
mod locate;
mod read;

pub use damage::{Damage, Reason};
pub(crate) use locate::single as bad_byte;
pub(crate) use read::fill;
pub use read::{Frame, FrameReader, ReadError};

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Bytes before the body.
pub const HEAD: usize = 64;
/// Bytes before the body that the head's own CRC covers.
const HEAD_COVERED: usize = 60;
/// Bytes of a frame beside its body.
pub const OVERHEAD: usize = HEAD + 32;

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Entries, compressed.
    Compressed,
    /// Entries as they are: compression would not have made them smaller.
    Stored,
    /// A signature over everything before it.
    Signature,
    /// One entry of a directory's index.
    IndexEntry,
    /// A signed tree head over all index entries before it.
    TreeHead,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Compressed => 1,
            Self::Stored => 2,
            Self::Signature => 3,
            Self::IndexEntry => 16,
            Self::TreeHead => 17,
        }
    }

    const fn read(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Compressed),
            2 => Some(Self::Stored),
            3 => Some(Self::Signature),
            16 => Some(Self::IndexEntry),
            17 => Some(Self::TreeHead),
            _ => None,
        }
    }
}

/// The numbers in front of a frame's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Bytes of the body.
    pub length: u32,
    /// What it holds.
    pub kind: Kind,
    /// The number of its first entry.
    pub first: u64,
    /// How many entries are in it.
    pub entries: u32,
    /// Bytes of the block before compression.
    pub raw: u32,
    /// CRC-32 of the body.
    pub body_crc: u32,
    /// The hash of the frame before it.
    pub previous: Hash,
}

/// Appends one frame to `out` and returns its hash.
///
/// `body` is never longer than [`crate::limits::MAX_BODY`]; callers build it within that bound.
pub(crate) fn write(
    out: &mut Vec<u8>,
    kind: Kind,
    (first, entries, raw): (u64, u32, u32),
    previous: &Hash,
    body: &[u8],
) -> Hash {
    let start = out.len();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[kind.code(), 0, 0, 0]);
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&raw.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    out.extend_from_slice(previous);
    let head_crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&head_crc.to_le_bytes());
    out.extend_from_slice(body);
    let hash = *blake3::hash(out.get(start..).unwrap_or_default()).as_bytes();
    out.extend_from_slice(&hash);
    hash
}

impl Head {
    /// Reads a head whose CRC was checked; `None` when the kind is unknown or a reserved byte is not zero.
    fn read(bytes: &[u8; HEAD]) -> Option<Self> {
        if bytes.get(5..8)? != [0, 0, 0] {
            return None;
        }
        Some(Self {
            length: u32_at(bytes, 0)?,
            kind: Kind::read(*bytes.get(4)?)?,
            first: u64_at(bytes, 8)?,
            entries: u32_at(bytes, 16)?,
            raw: u32_at(bytes, 20)?,
            body_crc: u32_at(bytes, 24)?,
            previous: bytes.get(28..60)?.try_into().ok()?,
        })
    }
}

/// A little-endian number at a place, if it is there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// A little-endian number at a place, if it is there.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
