//! Deletes recordings on purpose: the index says so, signed and on the disk, before a file goes.

use std::fs;
use std::io;
use std::sync::Mutex;

use record::SigningKey;
use record::index::{IndexEntry, SessionRemoved};

use super::summary::SessionSummary;
use crate::recordings::heads::Heads;
use crate::recordings::layout::Layout;
use crate::recordings::shared::{lock, now};

/// What was deleted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Removed {
    /// Recordings.
    pub sessions: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Deletes these recordings. A crash in between leaves files that the index calls removed; the next run takes them.
pub(in crate::recordings) fn remove_before(
    layout: &Layout,
    (heads, key): (&Mutex<Heads>, &SigningKey),
    closed: &[SessionSummary],
    reason: &str,
) -> io::Result<Removed> {
    let mut removed = Removed::default();
    if closed.is_empty() {
        return Ok(removed);
    }
    let file = {
        let mut heads = lock(heads);
        for summary in closed {
            let session = *summary.id.0.as_bytes();
            heads.append(&IndexEntry::Removed(SessionRemoved { session, at: now(), reason: reason.into() }))?;
        }
        heads.sign(key, now())?;
        heads.handle()?
    };
    file.sync_data()?;
    for summary in closed {
        let path = layout.session(summary.id, summary.opened);
        match fs::remove_file(&path) {
            Ok(()) => {
                removed.sessions += 1;
                removed.bytes += summary.size;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Only an empty day, month or year goes.
        let up = path.ancestors().skip(1).take_while(|dir| **dir != layout.recordings());
        let _ = up.map(fs::remove_dir).take_while(Result::is_ok).count();
    }
    Ok(removed)
}
