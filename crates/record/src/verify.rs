//! Verifies a recording with nothing but the public key.

use std::io::Read;

use crate::entry::Cursor;
use crate::event::Micros;
use crate::frame::{Damage, Hash, ReadError, Reason};
use crate::header::Header;
use crate::read::{State, Step, Walk};
use crate::sign::PublicKey;

/// A recording in which nothing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// What it says of itself.
    pub header: Header,
    /// How it ends. [`State::Open`] is right for a live session and wrong for one that the index calls closed.
    pub state: State,
    /// Frames.
    pub frames: u64,
    /// Entries.
    pub entries: u64,
    /// Entries covered by a signature; the rest is only chained.
    pub signed_entries: u64,
    /// When it was last signed.
    pub signed_at: Option<Micros>,
    /// Bytes.
    pub size: u64,
    /// The hash of the last frame.
    pub head: Hash,
}

/// Checks a recording from its first to its last byte: header, every frame, the chain, entry numbers and all signatures.
///
/// What it cannot know alone is whether an [`State::Open`] recording once went further: the index of the directory does,
/// see [`crate::verify_directory`].
///
/// # Errors
/// [`ReadError::Damaged`] names the first bad byte and why.
pub fn verify(source: impl Read, key: &PublicKey) -> Result<Report, ReadError> {
    let mut walk = Walk::new(source, Some(*key))?;
    loop {
        let start = walk.frames().offset();
        match walk.step()? {
            None => break,
            Some(Step::Signature) => {}
            Some(Step::Block) => {
                count(&walk).map_err(|reason| Damage {
                    offset: start,
                    exact: false,
                    end: walk.frames().offset(),
                    frame: walk.frames().frames().checked_sub(1),
                    reason,
                })?;
            }
        }
    }
    Ok(Report {
        header: *walk.header(),
        state: walk.state,
        frames: walk.frames().frames(),
        entries: walk.entries,
        signed_entries: walk.signed_entries,
        signed_at: walk.signed_at,
        size: walk.frames().offset(),
        head: *walk.frames().chain(),
    })
}

/// Whether the block holds as many entries as it says.
fn count<R: Read>(walk: &Walk<R>) -> Result<(), Reason> {
    let mut cursor = Cursor::default();
    let mut entries = 0_u32;
    while cursor.next(walk.block()).map_err(Reason::Content)?.is_some() {
        entries += 1;
    }
    if entries == walk.expected() { Ok(()) } else { Err(Reason::Numbers) }
}
