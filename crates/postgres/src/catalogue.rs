//! Snapshots of a database's catalogue, read over a connection of the gateway's own with the session's role, shared by its sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gate::{Grant, Outbox, ToTarget};
use sql::Catalog;
use sql::catalog::{Builder, QUERIES};

use crate::classify::Names;
use crate::config::TargetOptions;
use crate::upstream::{self, StartupParams, Upstream, UpstreamError};
use crate::wire::{Backend, Frames, Next, encode};

/// A snapshot is believed this long without a reason to doubt it: changes made past the gateway show by then.
const BELIEVED: Duration = Duration::from_secs(60);
/// Names that were missing cause a refresh at most this often, so that a client's typing errors cannot keep the target busy.
const MISSING_AT_MOST: Duration = Duration::from_millis(500);
/// A catalogue query's row may be this long: views have long definitions.
const ROW: usize = 16 * 1024 * 1024;
/// Loading takes no longer than this; the old snapshot stays until a later attempt.
const PATIENCE: Duration = Duration::from_secs(20);

/// Snapshots by target, role and database.
#[derive(Debug, Default)]
pub(crate) struct Catalogues {
    map: Mutex<HashMap<(String, String, String), Arc<Keeper>>>,
}

impl Catalogues {
    pub(crate) fn keeper(&self, target: &str, role: &str, database: &str) -> Arc<Keeper> {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (target.to_owned(), role.to_owned(), database.to_owned());
        Arc::clone(map.entry(key).or_default())
    }
}

#[derive(Debug)]
struct Snapshot {
    names: Names,
    loaded: Option<Instant>,
    /// The number of the doubt that it answers.
    doubt: u64,
}

/// One database's snapshot.
#[derive(Debug)]
pub(crate) struct Keeper {
    current: ArcSwap<Snapshot>,
    /// Counts reasons to doubt the snapshot.
    doubt: AtomicU64,
    loading: tokio::sync::Mutex<()>,
}

impl Default for Keeper {
    fn default() -> Self {
        let names = Names::empty();
        Self {
            current: ArcSwap::from_pointee(Snapshot { names, loaded: None, doubt: 0 }),
            doubt: AtomicU64::new(1),
            loading: tokio::sync::Mutex::new(()),
        }
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the catalogue's own connection: {0}")]
    Connect(#[from] UpstreamError),
    #[error("a catalogue query failed with SQLSTATE {0}")]
    Refused(String),
    #[error("the target's answer to a catalogue query cannot be read")]
    Broken,
    #[error("the connection ended within a catalogue query")]
    Ended(#[from] std::io::Error),
    #[error("it took longer than {} s", PATIENCE.as_secs())]
    Slow,
}

impl Keeper {
    /// What names stand for under the role's own path, as far as others can see.
    pub(crate) fn names(&self) -> Names {
        self.current.load().names.clone()
    }

    /// Whether a snapshot is the newest.
    pub(crate) fn is_newest(&self, held: &Names) -> bool {
        self.current.load().names.catalog.version() == held.catalog.version()
    }

    /// Something may have changed.
    pub(crate) fn mark_stale(&self) {
        self.doubt.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the snapshot must be refreshed before it is used.
    pub(crate) fn stale(&self) -> bool {
        let current = self.current.load();
        current.doubt < self.doubt.load(Ordering::SeqCst)
            || current.loaded.is_none_or(|loaded| loaded.elapsed() > BELIEVED)
    }

    /// Refreshes the snapshot, once for all who ask at the same time.
    pub(crate) async fn refresh(
        &self,
        grant: &Grant,
        options: &TargetOptions,
        database: Option<&str>,
    ) -> Result<(), LoadError> {
        let _one = self.loading.lock().await;
        let doubt = self.doubt.load(Ordering::SeqCst);
        let age = self.current.load().loaded.map(|loaded| loaded.elapsed());
        let young = age.is_some_and(|age| age < MISSING_AT_MOST);
        if !self.stale() && young {
            return Ok(());
        }
        let loaded = tokio::time::timeout(PATIENCE, load(grant, options, database)).await;
        let catalog = loaded.map_err(|_| LoadError::Slow)??;
        let path: Arc<[String]> = catalog.search_path().into();
        let names = Names::new(Arc::new(catalog), path);
        self.current.store(Arc::new(Snapshot { names, loaded: Some(Instant::now()), doubt }));
        Ok(())
    }
}

/// A number that no other snapshot of this process has.
pub(crate) fn next_version() -> u64 {
    static VERSIONS: AtomicU64 = AtomicU64::new(1);
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

async fn load(grant: &Grant, options: &TargetOptions, database: Option<&str>) -> Result<Catalog, LoadError> {
    let startup = StartupParams {
        database: database.map(str::to_owned),
        application_name: "sallyport catalogue".to_owned(),
        settings: Vec::new(),
    };
    let mut upstream = upstream::connect(grant, options, &startup).await?;
    let mut builder = Builder::new();
    for (name, sql) in QUERIES {
        ask(grant, &mut upstream, sql, |cells| builder.row(name, cells).map_err(|_| LoadError::Broken)).await?;
    }
    let mut outbox = Outbox::<ToTarget>::default();
    let mut bye = Vec::new();
    encode::terminate(&mut bye);
    outbox.handshake(grant, &bye);
    // The answers are all here; whether the good-bye arrives matters to nobody.
    let _sent = upstream.transport.flush(&mut outbox).await;
    Ok(builder.finish(next_version()))
}

/// Runs one query of the gateway's own and hands over its rows.
async fn ask(
    grant: &Grant,
    upstream: &mut Upstream,
    sql: &str,
    mut row: impl FnMut(&[Option<&str>]) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let mut outbox = Outbox::<ToTarget>::default();
    let mut query = Vec::new();
    encode::query(&mut query, sql);
    outbox.handshake(grant, &query);
    upstream.transport.flush(&mut outbox).await?;
    let mut buffer = std::mem::take(&mut upstream.unread);
    let mut chunk = vec![0; 32 * 1024];
    loop {
        let mut frames = Frames::new(&buffer, ROW);
        while let Next::Frame(frame) = frames.advance().map_err(|_| LoadError::Broken)? {
            match Backend::parse(frame.tag, frame.body).map_err(|_| LoadError::Broken)? {
                Backend::DataRow(cells) => {
                    let cells: Result<Vec<_>, _> = cells.cells().collect();
                    let cells = cells.map_err(|_| LoadError::Broken)?;
                    let texts: Result<Vec<_>, _> =
                        cells.iter().map(|cell| cell.map(std::str::from_utf8).transpose()).collect();
                    row(&texts.map_err(|_| LoadError::Broken)?)?;
                }
                Backend::Error(fields) => {
                    return Err(LoadError::Refused(fields.sqlstate().unwrap_or("XX000").to_owned()));
                }
                Backend::Ready(_) => {
                    upstream.unread = frames.rest().to_vec();
                    return Ok(());
                }
                _ => {}
            }
        }
        let consumed = frames.consumed();
        buffer.drain(..consumed);
        let read = upstream.transport.read(&mut chunk).await?;
        if read == 0 {
            return Err(LoadError::Ended(std::io::ErrorKind::UnexpectedEof.into()));
        }
        buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
}
