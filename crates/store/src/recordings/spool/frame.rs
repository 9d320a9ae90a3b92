//! One entry in the spool: a head of 56 bytes, the entry's bytes, then zeros up to the next multiple of 8.
//!
//! ```text
//!  0   4  bytes of the entry
//!  4   4  CRC-32 of everything after it, up to the end of the entry
//!  8   8  generation: counts uses of segments in this shard, so that an older frame in the same place is not taken for one
//! 16  16  session
//! 32   8  the entry's number in its recording
//! 40   8  time, microseconds
//! 48   1  bit 0: more parts follow; bit 1: first part; bit 2: the recording is to be sealed (no entry)
//! 49   1  what it counts as
//! 50   2  zero
//! 52   4  where the frame starts in its segment
//! ```

use record::limits::MAX_PART;
use record::{CommandEvent, Event, Judged, Micros, Part};

use model::Outcome;

/// Bytes of a frame's head.
pub(in crate::recordings) const HEAD: usize = 56;

/// What an entry counts as in the summary of its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::recordings) enum Tally {
    /// Nothing.
    None,
    /// A command that was allowed.
    Allowed,
    /// A command that was denied.
    Denied,
    /// A command that was held.
    Held,
    /// The end, with the session's own counts.
    Closed,
}

impl Tally {
    /// What an event counts as.
    pub(in crate::recordings) const fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Command(CommandEvent { outcome, .. })
            | Event::Judged(Judged { command: CommandEvent { outcome, .. }, .. }) => match outcome {
                Outcome::Allow => Self::Allowed,
                Outcome::Hold => Self::Held,
                Outcome::Deny => Self::Denied,
            },
            Event::Closed { .. } => Self::Closed,
            Event::Opened(_)
            | Event::Leased { .. }
            | Event::Held { .. }
            | Event::Answered { .. }
            | Event::Values { .. }
            | Event::Columns { .. }
            | Event::Rows { .. }
            | Event::Bulk { .. }
            | Event::Finished(_)
            | Event::Message { .. }
            | Event::Control { .. }
            | Event::Recovered { .. }
            | Event::Stream { .. }
            | Event::Terminal { .. }
            | Event::File { .. }
            | Event::Content { .. } => Self::None,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Allowed => 1,
            Self::Denied => 2,
            Self::Held => 3,
            Self::Closed => 4,
        }
    }

    const fn read(code: u8) -> Self {
        match code {
            1 => Self::Allowed,
            2 => Self::Denied,
            3 => Self::Held,
            4 => Self::Closed,
            _ => Self::None,
        }
    }
}

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::recordings) struct Head {
    pub(in crate::recordings) session: [u8; 16],
    pub(in crate::recordings) number: u64,
    pub(in crate::recordings) at: Micros,
    pub(in crate::recordings) part: Part,
    pub(in crate::recordings) seal: bool,
    pub(in crate::recordings) tally: Tally,
}

/// A frame that was read and is whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::recordings) struct Frame<'a> {
    pub(in crate::recordings) head: Head,
    pub(in crate::recordings) bytes: &'a [u8],
    /// Bytes that it takes in the segment.
    pub(in crate::recordings) size: usize,
}

/// Bytes that an entry of this length takes.
pub(in crate::recordings) const fn size(length: usize) -> usize {
    (HEAD + length).next_multiple_of(8)
}

/// Writes the head in front of an entry whose bytes are already in place. `space` is the frame without padding.
pub(super) fn seal_head(space: &mut [u8], head: &Head, generation: u64, offset: u32) {
    let length = u32::try_from(space.len().saturating_sub(HEAD)).unwrap_or(u32::MAX);
    let mut bytes = [0; HEAD];
    let flags = u8::from(head.part.more) | u8::from(head.part.first) << 1 | u8::from(head.seal) << 2;
    bytes[0..4].copy_from_slice(&length.to_le_bytes());
    bytes[8..16].copy_from_slice(&generation.to_le_bytes());
    bytes[16..32].copy_from_slice(&head.session);
    bytes[32..40].copy_from_slice(&head.number.to_le_bytes());
    bytes[40..48].copy_from_slice(&head.at.0.to_le_bytes());
    bytes[48] = flags;
    bytes[49] = head.tally.code();
    bytes[52..56].copy_from_slice(&offset.to_le_bytes());
    if let Some((place, entry)) = space.split_at_mut_checked(HEAD) {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&bytes[8..]);
        crc.update(entry);
        bytes[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
        place.copy_from_slice(&bytes);
    }
}

/// Reads the frame at the start of `bytes`, which is at `offset` of a segment in its use `generation`.
///
/// `None` where there is no whole frame: the end of what was written, or the start of one that was not finished.
pub(in crate::recordings) fn read(bytes: &[u8], generation: u64, offset: u64) -> Option<Frame<'_>> {
    let head = bytes.first_chunk::<HEAD>()?;
    let length = usize::try_from(u32::from_le_bytes(part(head, 0))).ok()?;
    if length > MAX_PART || u64::from_le_bytes(part(head, 8)) != generation {
        return None;
    }
    if u64::from(u32::from_le_bytes(part(head, 52))) != offset {
        return None;
    }
    let covered = bytes.get(8..HEAD + length)?;
    if crc32fast::hash(covered) != u32::from_le_bytes(part(head, 4)) {
        return None;
    }
    let flags = head[48];
    Some(Frame {
        head: Head {
            session: part(head, 16),
            number: u64::from_le_bytes(part(head, 32)),
            at: Micros(i64::from_le_bytes(part(head, 40))),
            part: Part { more: flags & 1 != 0, first: flags & 2 != 0 },
            seal: flags & 4 != 0,
            tally: Tally::read(head[49]),
        },
        bytes: bytes.get(HEAD..HEAD + length)?,
        size: size(length),
    })
}

fn part<const N: usize>(head: &[u8; HEAD], at: usize) -> [u8; N] {
    let bytes = head.get(at..).and_then(|rest| rest.first_chunk::<N>());
    bytes.copied().unwrap_or([0; N])
}
