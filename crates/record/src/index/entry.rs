//! What the index of a directory says of its sessions.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::short;
use crate::event::Micros;

/// One entry of the index. New variants are added at the end only: the order is the stored format.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum IndexEntry<'a> {
    /// A session began; written before its first event.
    Opened(#[serde(borrow)] SessionOpened<'a>),
    /// A session's recording was signed and is on the disk.
    Closed(#[serde(borrow)] SessionClosed<'a>),
    /// A recording was deleted on purpose.
    Removed(#[serde(borrow)] SessionRemoved<'a>),
    /// Recovery found no recording, or less than there must have been, of a session that was live at the crash.
    Lost(#[serde(borrow)] SessionRemoved<'a>),
}

/// Who opened what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionOpened<'a> {
    /// The session's id.
    pub session: [u8; 16],
    /// When; the directory of the recording is that day's, UTC.
    pub at: Micros,
    /// The protocol.
    pub protocol: Cow<'a, str>,
    /// The identity's subject.
    pub subject: Cow<'a, str>,
    /// The identity as people read it: `agent-7 for alice`.
    pub identity: Cow<'a, str>,
    /// The target's name.
    pub target: Cow<'a, str>,
    /// The role.
    pub role: Cow<'a, str>,
}

/// How a session ended, and what its recording must be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionClosed<'a> {
    /// The session's id.
    pub session: [u8; 16],
    /// When.
    pub at: Micros,
    /// Whether it was completed after a crash.
    pub recovered: bool,
    /// Bytes of the recording.
    pub size: u64,
    /// The hash of its last frame.
    pub head: [u8; 32],
    /// Its entries.
    pub entries: u64,
    /// Commands judged.
    pub commands: u64,
    /// Commands denied.
    pub denied: u64,
    /// Commands held.
    pub held: u64,
    /// Bytes received from the client and from the target.
    pub bytes: (u64, u64),
    /// Why it was closed.
    pub reason: Cow<'a, str>,
}

/// A recording that is no longer there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionRemoved<'a> {
    /// The session's id.
    pub session: [u8; 16],
    /// When.
    pub at: Micros,
    /// Why: `older than 90 days`.
    pub reason: Cow<'a, str>,
}

impl<'a> IndexEntry<'a> {
    /// Reads an entry; trailing bytes are an error.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((entry, [])) => Some(entry),
            _ => None,
        }
    }

    /// The session that it is about.
    #[must_use]
    pub const fn session(&self) -> &[u8; 16] {
        match self {
            Self::Opened(opened) => &opened.session,
            Self::Closed(closed) => &closed.session,
            Self::Removed(removed) | Self::Lost(removed) => &removed.session,
        }
    }

    pub(super) fn shortened(&self) -> IndexEntry<'_> {
        match self {
            Self::Opened(opened) => IndexEntry::Opened(SessionOpened {
                session: opened.session,
                at: opened.at,
                protocol: short(&opened.protocol),
                subject: short(&opened.subject),
                identity: short(&opened.identity),
                target: short(&opened.target),
                role: short(&opened.role),
            }),
            Self::Closed(closed) => IndexEntry::Closed(SessionClosed { reason: short(&closed.reason), ..*closed }),
            Self::Removed(removed) => IndexEntry::Removed(removed.shortened()),
            Self::Lost(lost) => IndexEntry::Lost(lost.shortened()),
        }
    }
}

impl SessionRemoved<'_> {
    fn shortened(&self) -> SessionRemoved<'_> {
        SessionRemoved { reason: short(&self.reason), ..*self }
    }
}
