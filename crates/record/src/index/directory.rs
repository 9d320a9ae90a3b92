//! Verifies a whole directory: the index, every recording, and that there is exactly one for each session that was opened.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use model::SessionId;
use uuid::Uuid;

use super::{IndexEntry, IndexItem, IndexReader, TreeHead};
use crate::event::Micros;
use crate::frame::{Damage, ReadError, Reason};
use crate::read::State;
use crate::sign::PublicKey;
use crate::verify::{Report, verify};

/// A directory of recordings, however it is stored.
pub trait Directory {
    /// The index; `None` when there is none.
    ///
    /// # Errors
    /// The storage's own.
    fn index(&mut self) -> io::Result<Option<Box<dyn Read + '_>>>;
    /// The recording of a session that was opened at this time; `None` when there is none.
    ///
    /// # Errors
    /// The storage's own.
    fn recording(&mut self, session: SessionId, opened: Micros) -> io::Result<Option<Box<dyn Read + '_>>>;
    /// Every recording that is there, whatever the index says.
    ///
    /// # Errors
    /// The storage's own.
    fn recordings(&mut self) -> io::Result<Vec<SessionId>>;
}

/// How to verify.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// A tree head that was kept elsewhere: the index must contain it.
    pub trusted: Option<TreeHead>,
    /// The time now when a gateway may be writing: what is half written at the end of a live file is then not damage.
    pub live: Option<Micros>,
}

/// What is wrong with a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The session, if it is about one.
    pub session: Option<SessionId>,
    /// What.
    pub what: What,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// There is no index.
    NoIndex,
    /// The index is damaged.
    Index(Damage),
    /// The index ends before, or differs from, the tree head that was kept elsewhere.
    RolledBack,
    /// The tree head that was kept elsewhere was not signed by a known key.
    UntrustedHead,
    /// The recording of a session is not there.
    Missing,
    /// It was live at a crash, and at the next start some or all of it was not there.
    Lost,
    /// A recording is damaged.
    Damaged(Damage),
    /// A recording is sound in itself, but it is not the one that was closed.
    Replaced,
    /// The index says closed, and the recording lacks its end.
    CutOff,
    /// A recording that the index does not know.
    Added,
    /// A recording that could not be read.
    Unreadable(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIndex => f.write_str("the index heads.log is not there"),
            Self::Index(damage) => write!(f, "the index heads.log is damaged: {damage}"),
            Self::RolledBack => {
                f.write_str("the index does not contain the tree head given: it was rolled back or rewritten")
            }
            Self::UntrustedHead => f.write_str("the tree head given was not signed by a key given"),
            Self::Missing => f.write_str("the recording is missing"),
            Self::Lost => {
                f.write_str("live when the gateway stopped without warning; entries were missing at its next start")
            }
            Self::Damaged(damage) => damage.fmt(f),
            Self::Replaced => f.write_str("this is not the recording that was closed: it was replaced"),
            Self::CutOff => f.write_str("the recording was closed, and its end is missing: it was cut off"),
            Self::Added => f.write_str("the index does not know this recording: it was added"),
            Self::Unreadable(error) => write!(f, "the recording could not be read: {error}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => write!(f, "{session}: {}", self.what),
            None => self.what.fmt(f),
        }
    }
}

/// What was found in a directory.
#[derive(Clone, Debug, Default)]
pub struct DirectoryReport {
    /// Sessions that the index knows, deleted ones included.
    pub sessions: u64,
    /// Recordings closed in order.
    pub closed: u64,
    /// Recordings completed after a crash.
    pub recovered: u64,
    /// Recordings without an end: live, or left by a crash until the gateway starts again.
    pub open: u64,
    /// Recordings deleted on purpose.
    pub removed: u64,
    /// Entries and bytes of all recordings.
    pub totals: (u64, u64),
    /// Index entries after the last tree head.
    pub unsigned: u64,
    /// The newest tree head: keep it elsewhere.
    pub head: Option<TreeHead>,
    /// What is wrong; empty when all is well.
    pub problems: Vec<Problem>,
}

impl DirectoryReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, session: Option<Uuid>, what: What) {
        let session = session.map(SessionId);
        self.problems.push(Problem { session, what });
    }
}

/// How long a live session may be without a file, in microseconds: a slow disk's worth of time.
const NEW: i64 = 30_000_000;

/// What the index says of one session; about 100 bytes, kept for each.
#[derive(Default)]
struct Known {
    opened: Option<Micros>,
    closed: Option<([u8; 32], u64)>,
    removed: bool,
    lost: bool,
}

/// Verifies everything in a directory. Memory: about 150 bytes per session.
///
/// # Errors
/// Only the storage's own; what is wrong with the recordings is in the report.
pub fn verify_directory(
    directory: &mut dyn Directory,
    keys: &[PublicKey],
    options: &VerifyOptions,
) -> io::Result<DirectoryReport> {
    let mut report = DirectoryReport::default();
    // Listed before the index is read: what is opened in between is then in the index alone.
    let present = directory.recordings()?;
    let known = read_index(directory, keys, options, &mut report)?;
    report.sessions = known.len() as u64;
    for (session, state) in &known {
        check_session(directory, keys, options, (*session, state), &mut report)?;
    }
    for session in present {
        if !known.contains_key(&session.0) {
            report.problem(Some(session.0), What::Added);
        }
    }
    Ok(report)
}

fn read_index(
    directory: &mut dyn Directory,
    keys: &[PublicKey],
    options: &VerifyOptions,
    report: &mut DirectoryReport,
) -> io::Result<BTreeMap<Uuid, Known>> {
    let mut known = BTreeMap::new();
    let Some(source) = directory.index()? else {
        report.problem(None, What::NoIndex);
        return Ok(known);
    };
    let mut trusted = options.trusted;
    if let Some(head) = trusted
        && !keys.iter().any(|key| head.verify(key))
    {
        report.problem(None, What::UntrustedHead);
        trusted = None;
    }
    let mut reader = match IndexReader::new(source, Some(keys.to_vec())) {
        Ok(reader) => reader,
        Err(ReadError::Io(error)) => return Err(error),
        Err(ReadError::Damaged(damage)) => {
            report.problem(None, What::Index(damage));
            return Ok(known);
        }
    };
    let mut found = trusted.is_none_or(|head| head.size == 0);
    loop {
        match reader.next_item() {
            Ok(None) => break,
            Ok(Some(IndexItem::Head(head))) => report.head = Some(head),
            Ok(Some(IndexItem::Entry(entry))) => note(&mut known, &entry),
            Err(ReadError::Io(error)) => return Err(error),
            Err(ReadError::Damaged(damage)) => {
                if !(options.live.is_some() && damage.reason == Reason::Truncated) {
                    report.problem(None, What::Index(damage));
                }
                break;
            }
        }
        if let Some(head) = trusted
            && head.size == reader.entries()
        {
            found |= head.root == reader.root();
        }
    }
    if !found {
        report.problem(None, What::RolledBack);
    }
    report.unsigned = reader.entries() - reader.signed();
    Ok(known)
}

fn note(known: &mut BTreeMap<Uuid, Known>, entry: &IndexEntry<'_>) {
    let state = known.entry(Uuid::from_bytes(*entry.session())).or_default();
    match entry {
        IndexEntry::Opened(opened) => state.opened = Some(opened.at),
        IndexEntry::Closed(closed) => state.closed = Some((closed.head, closed.size)),
        IndexEntry::Removed(_) => state.removed = true,
        IndexEntry::Lost(_) => state.lost = true,
    }
}

fn check_session(
    directory: &mut dyn Directory,
    keys: &[PublicKey],
    options: &VerifyOptions,
    (session, state): (Uuid, &Known),
    report: &mut DirectoryReport,
) -> io::Result<()> {
    if state.removed {
        report.removed += 1;
        return Ok(());
    }
    if state.lost {
        report.problem(Some(session), What::Lost);
    }
    let opened = state.opened.unwrap_or(Micros(0));
    let source = match directory.recording(SessionId(session), opened) {
        Ok(Some(source)) => source,
        Ok(None) => {
            if state.lost {
                return Ok(());
            }
            // Opened a moment ago: the file is made with the first block.
            let new = options.live.is_some_and(|now| now.0 - opened.0 < NEW);
            if new && state.closed.is_none() {
                report.open += 1;
            } else {
                report.problem(Some(session), What::Missing);
            }
            return Ok(());
        }
        Err(error) => {
            report.problem(Some(session), What::Unreadable(error.to_string()));
            return Ok(());
        }
    };
    match verify_any(source, keys) {
        Ok(found) => check_end(session, state, &found, report),
        Err(ReadError::Io(error)) => report.problem(Some(session), What::Unreadable(error.to_string())),
        Err(ReadError::Damaged(damage)) => {
            if options.live.is_some() && state.closed.is_none() && damage.reason == Reason::Truncated {
                report.open += 1;
            } else {
                report.problem(Some(session), What::Damaged(damage));
            }
        }
    }
    Ok(())
}

/// Verifies with whichever of the keys the recording names.
fn verify_any(mut source: Box<dyn Read + '_>, keys: &[PublicKey]) -> Result<Report, ReadError> {
    let mut start = [0; crate::header::HEADER];
    let got = crate::frame::fill(&mut source, &mut start)?;
    let start = start.get(..got).unwrap_or_default();
    let named = keys.iter().find(|key| start.get(32..48) == Some(key.id().0.as_slice()));
    let key = named.or(keys.first()).copied().unwrap_or(PublicKey::new([0; 32]));
    verify(start.chain(source), &key)
}

fn check_end(session: Uuid, state: &Known, found: &Report, report: &mut DirectoryReport) {
    report.totals.0 += found.entries;
    report.totals.1 += found.size;
    if found.header.session != *session.as_bytes() {
        let reason = Reason::OtherSession;
        let (offset, end) = (16, 32);
        let damage = Damage { offset, exact: false, end, frame: None, reason };
        return report.problem(Some(session), What::Damaged(damage));
    }
    if let Some((head, size)) = state.closed {
        if found.state == State::Open && found.size < size {
            return report.problem(Some(session), What::CutOff);
        }
        if (found.head, found.size) != (head, size) {
            return report.problem(Some(session), What::Replaced);
        }
    }
    match found.state {
        State::Open => report.open += 1,
        State::Closed => report.closed += 1,
        State::Recovered => report.recovered += 1,
    }
}
