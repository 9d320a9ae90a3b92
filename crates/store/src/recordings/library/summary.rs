//! One line of the list of sessions.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use model::SessionId;
use record::index::IndexEntry;
use record::{Event, Micros, Reader};

use crate::recordings::scribe::Counts;
use crate::recordings::spool::frame::Tally;

/// The largest recording of a live session that is read to count its commands: 32 MiB. Beyond, the counts are those so far.
const SCANNED: u64 = 32 * 1024 * 1024;

/// How a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionState {
    /// It goes on.
    Live,
    /// Closed in order.
    Closed,
    /// The gateway stopped without warning; its recording was completed.
    Recovered,
    /// The gateway stopped without warning, and was not started since.
    Interrupted,
    /// As recovered, and entries were missing.
    Lost,
    /// Its recording was deleted on purpose.
    Removed,
}

impl SessionState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Live, Self::Closed, Self::Recovered, Self::Interrupted, Self::Lost, Self::Removed];

    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Closed => "closed",
            Self::Recovered => "recovered",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
            Self::Removed => "removed",
        }
    }

    /// Reads the lower-case word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// One session, as far as the list needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// The identity as people read it: `agent-7 for alice`.
    pub identity: String,
    /// The identity's subject.
    pub subject: String,
    /// The protocol.
    pub protocol: String,
    /// The target's name.
    pub target: String,
    /// The role.
    pub role: String,
    /// When it was opened.
    pub opened: Micros,
    /// When its last event happened, if the session is over.
    pub closed: Option<Micros>,
    /// How it stands.
    pub state: SessionState,
    /// Why it was closed, or its recording deleted.
    pub reason: String,
    /// Commands judged.
    pub commands: u64,
    /// Commands denied.
    pub denied: u64,
    /// Commands held.
    pub held: u64,
    /// Bytes received from the client and from the target; known at the end.
    pub bytes: (u64, u64),
    /// Bytes of the recording.
    pub size: u64,
}

impl SessionSummary {
    pub(super) const fn unknown(id: SessionId) -> Self {
        Self {
            id,
            identity: String::new(),
            subject: String::new(),
            protocol: String::new(),
            target: String::new(),
            role: String::new(),
            opened: Micros(0),
            closed: None,
            state: SessionState::Live,
            reason: String::new(),
            commands: 0,
            denied: 0,
            held: 0,
            bytes: (0, 0),
            size: 0,
        }
    }

    pub(super) fn note(&mut self, entry: &IndexEntry<'_>) {
        match entry {
            IndexEntry::Opened(opened) => {
                self.identity = opened.identity.to_string();
                self.subject = opened.subject.to_string();
                self.protocol = opened.protocol.to_string();
                self.target = opened.target.to_string();
                self.role = opened.role.to_string();
                self.opened = opened.at;
            }
            IndexEntry::Closed(closed) => {
                self.closed = Some(closed.at);
                if self.state != SessionState::Lost {
                    self.state = if closed.recovered { SessionState::Recovered } else { SessionState::Closed };
                }
                self.reason = closed.reason.to_string();
                (self.commands, self.denied, self.held) = (closed.commands, closed.denied, closed.held);
                self.bytes = closed.bytes;
                self.size = closed.size;
            }
            IndexEntry::Removed(removed) => {
                self.state = SessionState::Removed;
                self.reason = removed.reason.to_string();
                self.closed.get_or_insert(removed.at);
            }
            IndexEntry::Lost(lost) => {
                self.state = SessionState::Lost;
                self.reason = lost.reason.to_string();
                self.closed.get_or_insert(lost.at);
            }
        }
    }

    pub(super) fn count(&mut self, counts: Counts, last: Micros, size: u64) {
        (self.commands, self.denied, self.held) = (counts.commands, counts.denied, counts.held);
        self.size = size;
        if self.state == SessionState::Interrupted {
            self.closed = Some(last);
        }
    }
}

/// Which sessions to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filter {
    /// Only of this subject, or of one who acts for it.
    pub subject: Option<String>,
    /// Only on this target.
    pub target: Option<String>,
    /// Only in this role.
    pub role: Option<String>,
    /// Only in this state.
    pub state: Option<SessionState>,
    /// Only opened at or after.
    pub since: Option<Micros>,
    /// Only opened before.
    pub until: Option<Micros>,
    /// Only with a denied command.
    pub denied: bool,
    /// At most so many.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            subject: None,
            target: None,
            role: None,
            state: None,
            since: None,
            until: None,
            denied: false,
            limit: 100,
        }
    }
}

impl Filter {
    /// Everything but what only a live session's own recording tells.
    pub(super) fn passes(&self, summary: &SessionSummary) -> bool {
        let subject = self.subject.as_ref().is_none_or(|subject| {
            summary.subject == *subject || summary.identity.split(" for ").any(|who| who == subject)
        });
        // A session without an end is live or interrupted, which is not known yet.
        let open = |state| matches!(state, SessionState::Live | SessionState::Interrupted);
        let state = self
            .state
            .is_none_or(|state| state == summary.state || (open(state) && summary.state == SessionState::Live));
        subject
            && state
            && self.target.as_ref().is_none_or(|target| summary.target == *target)
            && self.role.as_ref().is_none_or(|role| summary.role == *role)
            && self.since.is_none_or(|since| summary.opened >= since)
            && self.until.is_none_or(|until| summary.opened < until)
            && (!self.denied || summary.denied > 0 || summary.state == SessionState::Live)
    }
}

/// Counts what is in the recording of a live session, from another process than the gateway.
pub(super) fn scan(path: &Path) -> Option<(Counts, Micros, u64)> {
    let file = File::open(path).ok()?;
    let size = file.metadata().ok()?.len();
    let mut reader = Reader::new(BufReader::new(file)).ok()?;
    let mut counts = Counts::default();
    let mut last = reader.header().opened;
    while reader.offset() < SCANNED
        && let Ok(Some(entry)) = reader.next_entry()
    {
        counts.add(Tally::of(&entry.event));
        last = entry.at;
        if let Event::Closed { bytes, .. } = entry.event {
            counts.bytes = bytes;
        }
    }
    Some((counts, last, size))
}
