//! Session recordings in a directory: written so that `kill -9` loses nothing, read by the command line and the API.
//!
//! ```text
//! session ── append ──▶ spool (memory-mapped, one shard per thread) ──▶ scribe ──▶ ses_….spr ──▶ disk, then heads.log
//!            no system call                                  every 20 ms     64 KiB or 0.5 s    every second, and at the end
//! ```
//!
//! - [`FileRecordings`]: starts all of it, implements [`gate::ports::Recordings`]
//! - [`Library`]: lists, reads and verifies recordings; [`SessionSummary`], [`Filter`]
//! - `spool`, `recorder`: the sessions' end; `scribe`: the disk's end; `heads`: the index; `recover`: after a crash
//! - `layout`, `keys`: what is where
//!
//! # What survives what
//!
//! After `append` an event survives the process: it is in memory that the kernel owns. It survives a power failure once it
//! was synced, up to about two seconds later. When the disk is full or fails, every open recording is broken (its session
//! must close), new sessions are refused, and what is in the spool waits there; when the disk works again, so does the
//! recorder, without a restart. The spool belongs on a file system whose `fallocate` keeps its word (ext4, xfs, tmpfs): on
//! one that copies on write, a full disk can end the process, and recovery then completes the recordings.

mod error;
mod heads;
mod keys;
mod layout;
mod library;
mod recorder;
mod recover;
mod scribe;
mod shared;
mod spool;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gate::ports::{BoxFuture, RecordFailure, Recorder, StoreAway};
use model::SessionId;
use record::index::{IndexEntry, SessionOpened};
use record::{Event, Micros, Opened, PublicKey};

pub use error::{LibraryError, StartError};
pub use layout::Layout;
pub use library::{Filter, Library, RecordingReader, Removed, SessionState, SessionSummary};
pub use recover::Recovery;

use recorder::SpoolRecorder;
use scribe::Scribe;
use shared::{Shared, lock};
use spool::Ring;

/// Bytes of the spool per worker thread, when nothing else is said: 64 MiB, taken on the disk when the gateway starts.
pub const SPOOL_BYTES: u64 = 64 * 1024 * 1024;

/// Where to record, and with how much room.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// Shards of the spool: as many as there are worker threads.
    pub shards: usize,
    /// Bytes of each shard, at least 56 MiB.
    pub spool_bytes: u64,
}

impl Settings {
    /// The defaults for a data directory and a number of worker threads.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>, shards: usize) -> Self {
        Self { data: data.into(), shards, spool_bytes: SPOOL_BYTES }
    }
}

/// How the recorder is doing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Recordings that are open.
    pub open: u64,
    /// Bytes in the spool that are not in a recording yet: the recorder's lag.
    pub lag: u64,
}

/// Writes recordings into a directory. Dropped or shut down, it writes everything that was appended first.
#[derive(Debug)]
pub struct FileRecordings {
    shared: Arc<Shared>,
    scribe: Mutex<Scribe>,
    library: Arc<Library>,
    recovery: Recovery,
    _lock: File,
}

impl FileRecordings {
    /// Takes the directory, completes what a crash left, and starts to write. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`StartError`]: another gateway uses the directory, there is no room, or something there cannot be used.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let layout = Layout::new(&settings.data);
        layout.create()?;
        let held = layout.lock()?;
        let key = keys::open(&layout)?;
        let (heads, book, recovery) = recover::recover(&layout, &key)?;
        if recovery.sessions > 0 {
            tracing::warn!(
                sessions = recovery.sessions,
                entries = recovery.entries,
                lost = recovery.lost,
                "the gateway had stopped without warning; recordings were completed"
            );
        }
        let spool = layout.spool();
        let rings: Result<Vec<Ring>, StartError> = (0..settings.shards.max(1))
            .map(|shard| Ring::create(&spool, &format!("shard-{shard:03}"), settings.spool_bytes))
            .collect();
        let shared = Arc::new(Shared::new(layout.clone(), key, rings?, heads, book));
        let scribe = Scribe::start(&shared).map_err(StartError::io(&spool))?;
        Ok(Self {
            library: Arc::new(Library::new(layout, Some(Arc::clone(&shared)))),
            shared,
            scribe: Mutex::new(scribe),
            recovery,
            _lock: held,
        })
    }

    /// What was found and completed at the start.
    #[must_use]
    pub const fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The recordings, for readers.
    #[must_use]
    pub fn library(&self) -> Arc<Library> {
        Arc::clone(&self.library)
    }

    /// The key that verifies what is written now.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        *self.shared.key.public()
    }

    /// How the recorder is doing, for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            open: lock(&self.shared.book).len() as u64,
            lag: self.shared.shards.iter().map(|shard| shard.lock().held()).sum(),
        }
    }

    /// Deletes the recordings of sessions that were closed before a time, and writes into the index that this was meant.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn remove_before(&self, before: Micros, reason: &str) -> Result<Removed, LibraryError> {
        let closed = self.library.closed_before(before)?;
        let index = (&self.shared.heads, &self.shared.key);
        library::remove_before(&self.shared.layout, index, &closed, reason)
            .map_err(LibraryError::io(&self.shared.layout.recordings()))
    }

    /// Writes everything that was appended, brings it onto the disk and stops. Call it when no session is open any more:
    /// a recording that is still open stays without an end, and the next start completes it.
    pub fn shut_down(&self) {
        lock(&self.scribe).stop(&self.shared);
    }

    async fn open_recording(
        &self,
        session: SessionId,
        at: Micros,
        opened: &Opened<'_>,
    ) -> Result<Box<dyn Recorder>, StoreAway> {
        self.check().map_err(StoreAway)?;
        let id = *session.0.as_bytes();
        let mut recorder = SpoolRecorder::new(&self.shared, id);
        let event = Event::Opened(opened.clone());
        loop {
            match recorder.append(at, &event) {
                Ok(()) => break,
                Err(RecordFailure::Behind) => {
                    let ready = std::future::poll_fn(|cx| recorder.poll_ready(cx)).await;
                    ready.map_err(|failure| StoreAway(failure.to_string()))?;
                }
                Err(failure @ RecordFailure::Broken(_)) => return Err(StoreAway(failure.to_string())),
            }
        }
        let entry = IndexEntry::Opened(index_entry(id, at, opened));
        let entered = lock(&self.shared.heads).append(&entry);
        if let Err(error) = entered {
            let text = format!("the index of recordings cannot be written: {error}");
            self.shared.set_fault(&text);
            // What is in the spool becomes a recording, and the index must know it.
            lock(&self.shared.book).opened(entry);
            return Err(StoreAway(text));
        }
        Ok(Box::new(recorder))
    }

    fn check(&self) -> Result<(), String> {
        match self.shared.fault() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }
}

impl gate::ports::Recordings for FileRecordings {
    fn open<'a>(
        &'a self,
        session: SessionId,
        at: Micros,
        opened: &'a Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        Box::pin(self.open_recording(session, at, opened))
    }

    fn healthy(&self) -> Result<(), String> {
        self.check()
    }
}

impl Drop for FileRecordings {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// What the index says of a session that opens.
fn index_entry(session: [u8; 16], at: Micros, opened: &Opened<'_>) -> SessionOpened<'static> {
    #[derive(serde::Deserialize, Default)]
    struct Who {
        #[serde(default)]
        subject: String,
        #[serde(default)]
        on_behalf_of: Vec<String>,
    }
    let who: Who = serde_json::from_str(&opened.identity).unwrap_or_default();
    let identity = if who.on_behalf_of.is_empty() {
        who.subject.clone()
    } else {
        format!("{} for {}", who.subject, who.on_behalf_of.join(" for "))
    };
    SessionOpened {
        session,
        at,
        protocol: opened.protocol.to_string().into(),
        subject: who.subject.into(),
        identity: identity.into(),
        target: opened.target.to_string().into(),
        role: opened.role.to_string().into(),
    }
}
