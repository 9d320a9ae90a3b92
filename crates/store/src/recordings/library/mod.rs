//! Recordings for readers: the list, one recording, a live one as it grows, and verification.
//!
//! Who may see what is the caller's to decide: a recording is an authorised object, and nothing here knows the reader.

mod remove;
mod summary;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

use model::SessionId;
use record::index::{IndexEntry, IndexItem, IndexReader};
use record::{
    Directory, DirectoryReport, Micros, Problem, PublicKey, ReadError, Reader, Reason, Report, TreeHead, VerifyOptions,
    What,
};
use uuid::Uuid;

pub use remove::Removed;
pub(super) use remove::remove_before;
pub use summary::{Filter, SessionState, SessionSummary};

use super::error::{LibraryError, StartError};
use super::keys;
use super::layout::Layout;
use super::shared::{Shared, lock, now};

/// A recording, open for reading.
pub type RecordingReader = Reader<BufReader<File>>;

/// Reads the recordings of a data directory, in the gateway's own process or in another.
#[derive(Debug)]
pub struct Library {
    layout: Layout,
    shared: Option<Arc<Shared>>,
    cache: Mutex<Cache>,
}

/// What was read of the index so far.
#[derive(Debug, Default)]
struct Cache {
    reader: Option<IndexReader<BufReader<File>>>,
    sessions: BTreeMap<Uuid, SessionSummary>,
    head: Option<TreeHead>,
}

impl Library {
    /// The library of a data directory, for another process than the gateway: the command line, for one.
    #[must_use]
    pub fn open_dir(data: &Path) -> Self {
        Self::new(Layout::new(data), None)
    }

    pub(super) fn new(layout: Layout, shared: Option<Arc<Shared>>) -> Self {
        Self { layout, shared, cache: Mutex::new(Cache::default()) }
    }

    /// The sessions that pass the filter, newest first. Reads what is new in the index, and no recording of a closed session.
    ///
    /// # Errors
    /// The index is damaged or cannot be read.
    pub fn list(&self, filter: &Filter) -> Result<Vec<SessionSummary>, LibraryError> {
        let mut found = Vec::new();
        {
            let mut cache = lock(&self.cache);
            self.refresh(&mut cache)?;
            for summary in cache.sessions.values().rev() {
                if found.len() >= filter.limit {
                    break;
                }
                if filter.passes(summary) {
                    found.push(summary.clone());
                }
            }
        }
        self.complete(&mut found);
        found.retain(|summary| filter.state.is_none_or(|state| state == summary.state));
        Ok(found)
    }

    /// One session.
    ///
    /// # Errors
    /// [`LibraryError::Unknown`], or the index is damaged or cannot be read.
    pub fn summary(&self, id: SessionId) -> Result<SessionSummary, LibraryError> {
        let mut one = [self.indexed(id)?];
        self.complete(&mut one);
        let [summary] = one;
        Ok(summary)
    }

    /// Opens a recording from its beginning.
    ///
    /// # Errors
    /// [`LibraryError::Unknown`], [`LibraryError::Removed`], [`LibraryError::Missing`], or it is damaged or cannot be read.
    pub fn open(&self, id: SessionId) -> Result<RecordingReader, LibraryError> {
        let (file, path) = self.file(id)?;
        Reader::new(BufReader::new(file)).map_err(LibraryError::read(&path))
    }

    /// The bytes of a recording, as `record`'s exports want them.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub fn bytes(&self, id: SessionId) -> Result<BufReader<File>, LibraryError> {
        self.file(id).map(|(file, _)| BufReader::new(file))
    }

    /// The public keys beside the recordings. Whoever distrusts the directory brings their own.
    ///
    /// # Errors
    /// There is none, or one cannot be read.
    pub fn keys(&self) -> Result<Vec<PublicKey>, LibraryError> {
        keys::public_keys(&self.layout)
    }

    /// The newest signed tree head: kept elsewhere, it proves later that nothing was rolled back.
    ///
    /// # Errors
    /// The index is damaged or cannot be read.
    pub fn tree_head(&self) -> Result<Option<TreeHead>, LibraryError> {
        let mut cache = lock(&self.cache);
        self.refresh(&mut cache)?;
        Ok(cache.head)
    }

    /// Verifies one recording with these keys, or with those beside the recordings when there are none.
    ///
    /// # Errors
    /// As [`Library::open`]; [`LibraryError::Read`] names the first bad byte.
    pub fn verify(&self, id: SessionId, keys: &[PublicKey]) -> Result<Report, LibraryError> {
        let keys = self.keys_or(keys)?;
        let (mut file, path) = self.file(id)?;
        let header = record::Header::read(&mut file, record::FileKind::Recording).map_err(LibraryError::read(&path))?.0;
        file.seek(SeekFrom::Start(0)).map_err(LibraryError::io(&path))?;
        let key = keys.iter().find(|key| key.id() == header.key).or(keys.first());
        let key = key.ok_or_else(|| LibraryError::NoKey(self.layout.public_keys()))?;
        record::verify(BufReader::new(file), key).map_err(LibraryError::read(&path))
    }

    /// Verifies the index and every recording with these keys, or with those beside the recordings when there are none;
    /// `trusted` is a tree head that was kept elsewhere.
    ///
    /// # Errors
    /// There is no key, or the directory cannot be read. What is wrong with recordings is in the report.
    pub fn verify_all(&self, keys: &[PublicKey], trusted: Option<TreeHead>) -> Result<DirectoryReport, LibraryError> {
        let keys = self.keys_or(keys)?;
        let live = self.gateway_runs().then(now);
        let mut files = Files { layout: &self.layout };
        let mut report = record::verify_directory(&mut files, &keys, &VerifyOptions { trusted, live })
            .map_err(LibraryError::io(&self.layout.recordings()))?;
        if live.is_some() && !report.is_sound() {
            // What retention took while this was looking is not missing.
            let removed = |problem: &Problem| {
                problem.what == What::Missing
                    && problem
                        .session
                        .and_then(|id| self.indexed(id).ok())
                        .is_some_and(|it| it.state == SessionState::Removed)
            };
            report.problems.retain(|problem| !removed(problem));
        }
        Ok(report)
    }

    /// Deletes the recordings of sessions that were closed before a time, and writes into the index that this was meant.
    /// A running gateway does this itself, see [`super::FileRecordings::remove_before`]; here it must not be running.
    ///
    /// # Errors
    /// A gateway runs on the directory, or it cannot be written.
    pub fn remove_before(&self, before: Micros, reason: &str) -> Result<Removed, LibraryError> {
        let _lock = self.layout.lock()?;
        let key = keys::open(&self.layout)?;
        let closed = self.closed_before(before)?;
        let heads = Mutex::new(super::heads::Heads::open(&self.layout, &key, now(), |_| {})?);
        let path = self.layout.heads();
        remove_before(&self.layout, (&heads, &key), &closed, reason).map_err(LibraryError::io(&path))
    }

    /// Closed sessions whose recordings are there, by time of their end.
    pub(super) fn closed_before(&self, before: Micros) -> Result<Vec<SessionSummary>, LibraryError> {
        let mut cache = lock(&self.cache);
        self.refresh(&mut cache)?;
        let closed = cache.sessions.values().filter(|summary| {
            summary.closed.is_some_and(|closed| closed < before) && summary.state != SessionState::Removed
        });
        Ok(closed.cloned().collect())
    }

    fn keys_or(&self, keys: &[PublicKey]) -> Result<Vec<PublicKey>, LibraryError> {
        if keys.is_empty() { self.keys() } else { Ok(keys.to_vec()) }
    }

    fn indexed(&self, id: SessionId) -> Result<SessionSummary, LibraryError> {
        let mut cache = lock(&self.cache);
        self.refresh(&mut cache)?;
        cache.sessions.get(&id.0).cloned().ok_or(LibraryError::Unknown(id))
    }

    fn file(&self, id: SessionId) -> Result<(File, std::path::PathBuf), LibraryError> {
        let summary = self.indexed(id)?;
        if let SessionState::Removed = summary.state {
            return Err(LibraryError::Removed(id, summary.reason));
        }
        let path = self.layout.session(id, summary.opened);
        match File::open(&path) {
            Ok(file) => Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LibraryError::Missing(id)),
            Err(error) => Err(LibraryError::io(&path)(error)),
        }
    }

    /// Whether a gateway is writing.
    fn gateway_runs(&self) -> bool {
        self.shared.is_some() || matches!(self.layout.lock_shared(), Err(StartError::InUse(_)))
    }

    /// Reads what was added to the index since the last time.
    fn refresh(&self, cache: &mut Cache) -> Result<(), LibraryError> {
        let path = self.layout.heads();
        if cache.reader.is_none() {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(LibraryError::io(&path)(error)),
            };
            let reader = IndexReader::new(BufReader::new(file), None).map_err(LibraryError::read(&path))?;
            cache.reader = Some(reader);
        }
        let Cache { reader: Some(reader), sessions, head } = cache else {
            return Ok(());
        };
        loop {
            match reader.next_item() {
                Ok(None) => return Ok(()),
                Ok(Some(IndexItem::Head(found))) => *head = Some(found),
                Ok(Some(IndexItem::Entry(entry))) => note(sessions, &entry),
                // Half an entry: the gateway is writing it, or stopped while it did.
                Err(ReadError::Damaged(damage)) if damage.reason == Reason::Truncated => {
                    let offset = reader.offset();
                    reader.source_mut().seek(SeekFrom::Start(offset)).map_err(LibraryError::io(&path))?;
                    return Ok(());
                }
                Err(error) => return Err(LibraryError::read(&path)(error)),
            }
        }
    }

    /// Adds what the index does not know of live sessions.
    fn complete(&self, found: &mut [SessionSummary]) {
        if found.iter().all(|summary| summary.state != SessionState::Live) {
            return;
        }
        let runs = self.gateway_runs();
        for summary in found.iter_mut().filter(|summary| summary.state == SessionState::Live) {
            if !runs {
                summary.state = SessionState::Interrupted;
            }
            let counts = match &self.shared {
                Some(shared) => lock(&shared.book).live(*summary.id.0.as_bytes()),
                None => summary::scan(&self.layout.session(summary.id, summary.opened)),
            };
            if let Some((counts, last, size)) = counts {
                summary.count(counts, last, size);
            }
        }
    }
}

fn note(sessions: &mut BTreeMap<Uuid, SessionSummary>, entry: &IndexEntry<'_>) {
    let id = Uuid::from_bytes(*entry.session());
    sessions.entry(id).or_insert_with(|| SessionSummary::unknown(SessionId(id))).note(entry);
}

/// The recordings that are in a directory, whatever the index says.
pub(super) fn present(layout: &Layout) -> io::Result<Vec<SessionId>> {
    let mut found = Vec::new();
    let mut dirs = vec![(layout.recordings(), 0)];
    while let Some((dir, depth)) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if depth < 3 {
                let digits = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if path.is_dir() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    dirs.push((path, depth + 1));
                }
            } else if path.extension().is_some_and(|extension| extension == "spr") {
                let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
                // A recording under another name is one that the index does not know.
                found.push(id.unwrap_or(SessionId(Uuid::nil())));
            }
        }
    }
    Ok(found)
}

/// The directory, as the verifier wants it.
struct Files<'a> {
    layout: &'a Layout,
}

impl Directory for Files<'_> {
    fn index(&mut self) -> io::Result<Option<Box<dyn Read + '_>>> {
        open(&self.layout.heads())
    }

    fn recording(&mut self, session: SessionId, opened: Micros) -> io::Result<Option<Box<dyn Read + '_>>> {
        open(&self.layout.session(session, opened))
    }

    fn recordings(&mut self) -> io::Result<Vec<SessionId>> {
        present(self.layout)
    }
}

fn open<'a>(path: &Path) -> io::Result<Option<Box<dyn Read + 'a>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(Box::new(BufReader::new(file)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
