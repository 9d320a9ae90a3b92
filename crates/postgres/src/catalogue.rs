//! Snapshots of a database's catalogue, read over a connection of the gateway's own with the session's role or the one that the target's
//! options name, shared by the sessions of that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gate::{Grant, Outbox, ToTarget};
use sql::Catalog;
use sql::catalog::{Builder, FINGERPRINT, QUERIES, split_path};

use crate::classify::Names;
use crate::config::TargetOptions;
use crate::upstream::{self, StartupParams, Upstream, UpstreamError};
use crate::wire::{Backend, Frames, Next, encode};

/// A snapshot is believed this long without a reason to doubt it: changes made past the gateway show by then.
pub(crate) const BELIEVED: Duration = Duration::from_millis(1000);
/// It is compared with the database at this age, beside the sessions' work, so that they seldom wait for it.
const AGEING: Duration = Duration::from_millis(400);
/// After an attempt that took longer than this and failed, nobody tries again for as long: sessions do not queue up for a target that does
/// not answer.
const FAILED: Duration = Duration::from_secs(1);
/// Names that were missing cause a refresh at most this often, so that a client's typing errors cannot keep the target busy.
const MISSING_AT_MOST: Duration = Duration::from_millis(50);
/// A catalogue query's row may be this long: views have long definitions.
const ROW: usize = 16 * 1024 * 1024;
/// Loading takes no longer than this; the old snapshot stays until a later attempt.
const PATIENCE: Duration = Duration::from_secs(5);

/// Snapshots by target, role that reads them, and database.
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

#[derive(Clone, Debug)]
struct Snapshot {
    names: Names,
    /// When it was last found to hold.
    held: Option<Instant>,
    /// The number of the doubt that it answers.
    doubt: u64,
}

/// The connection that snapshots are read over, and what the last one was of.
#[derive(Debug, Default)]
struct Reader {
    upstream: Option<Upstream>,
    fingerprint: Option<String>,
    failed: Option<Instant>,
}

/// One database's snapshot.
#[derive(Debug)]
pub(crate) struct Keeper {
    current: ArcSwap<Snapshot>,
    /// Counts reasons to doubt the snapshot.
    doubt: AtomicU64,
    reader: tokio::sync::Mutex<Reader>,
}

impl Default for Keeper {
    fn default() -> Self {
        let names = Names::empty();
        Self {
            current: ArcSwap::from_pointee(Snapshot { names, held: None, doubt: 0 }),
            doubt: AtomicU64::new(1),
            reader: tokio::sync::Mutex::default(),
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
    #[error("it failed a moment ago")]
    Failed,
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
        current.doubt < self.doubt.load(Ordering::SeqCst) || current.held.is_none_or(|held| held.elapsed() > BELIEVED)
    }

    /// Whether it is time to compare the snapshot with the database, and nobody does.
    pub(crate) fn ageing(&self) -> bool {
        let old = self.current.load().held.is_none_or(|held| held.elapsed() > AGEING);
        old && self.reader.try_lock().is_ok()
    }

    /// Refreshes the snapshot, once for all who ask at the same time. With nothing but its age against it, it is compared first.
    pub(crate) async fn refresh(
        &self,
        grant: &Grant,
        options: &TargetOptions,
        database: Option<&str>,
    ) -> Result<(), LoadError> {
        let mut reader = self.reader.lock().await;
        let doubt = self.doubt.load(Ordering::SeqCst);
        let before = self.current.load_full();
        let young = before.held.is_some_and(|held| held.elapsed() < MISSING_AT_MOST);
        if young && before.doubt >= doubt {
            return Ok(());
        }
        if reader.failed.is_some_and(|failed| failed.elapsed() < FAILED) {
            return Err(LoadError::Failed);
        }
        let asked = Instant::now();
        let loaded = tokio::time::timeout(PATIENCE, reader.read(grant, options, database)).await;
        let catalog = match loaded.unwrap_or(Err(LoadError::Slow)) {
            Ok(catalog) => catalog,
            Err(error) => {
                // What failed at once may be tried again at once.
                let slow = asked.elapsed() > FAILED;
                *reader = Reader { failed: slow.then(Instant::now), ..Reader::default() };
                return Err(error);
            }
        };
        let names = catalog.map_or_else(
            || before.names.clone(),
            |catalog| {
                let path: Arc<[String]> = catalog.search_path().into();
                Names::new(Arc::new(catalog), path)
            },
        );
        self.current.store(Arc::new(Snapshot { names, held: Some(asked), doubt }));
        Ok(())
    }

    /// A session is over. When it was the last, the connection is closed.
    pub(crate) fn rest(self: &Arc<Self>) {
        // The list of keepers has one, the session another.
        if Arc::strong_count(self) <= 2
            && let Ok(mut reader) = self.reader.try_lock()
        {
            reader.upstream = None;
        }
    }
}

impl Reader {
    /// The catalogue, or `None` when it is what it was.
    async fn read(
        &mut self,
        grant: &Grant,
        options: &TargetOptions,
        database: Option<&str>,
    ) -> Result<Option<Catalog>, LoadError> {
        let known = self.fingerprint.take();
        // A kept connection may have died meanwhile: once more over a new one.
        let kept = self.upstream.take();
        if let Some(mut upstream) = kept
            && let Ok(found) = Self::read_over(grant, &mut upstream, known.as_deref()).await
        {
            return Ok(self.keep(upstream, found));
        }
        let startup = StartupParams {
            database: database.map(str::to_owned),
            application_name: "sallyport catalogue".to_owned(),
            settings: Vec::new(),
        };
        let mut upstream = upstream::connect(grant, options, &startup).await?;
        let found = Self::read_over(grant, &mut upstream, known.as_deref()).await?;
        Ok(self.keep(upstream, found))
    }

    fn keep(&mut self, upstream: Upstream, (fingerprint, catalog): (String, Option<Catalog>)) -> Option<Catalog> {
        self.upstream = Some(upstream);
        self.fingerprint = Some(fingerprint);
        catalog
    }

    /// The fingerprint comes first: a change between it and the rows is found the next time.
    async fn read_over(
        grant: &Grant,
        upstream: &mut Upstream,
        known: Option<&str>,
    ) -> Result<(String, Option<Catalog>), LoadError> {
        let mut fingerprint = String::new();
        ask(grant, upstream, FINGERPRINT, |cells| {
            fingerprint = cells.first().copied().flatten().ok_or(LoadError::Broken)?.to_owned();
            Ok(())
        })
        .await?;
        if known == Some(fingerprint.as_str()) {
            return Ok((fingerprint, None));
        }
        let mut builder = Builder::new();
        for (name, sql) in QUERIES {
            ask(grant, upstream, sql, |cells| builder.row(name, cells).map_err(|_| LoadError::Broken)).await?;
        }
        Ok((fingerprint, Some(builder.finish(next_version()))))
    }
}

/// The search path with which a session begins, asked on its own connection before its first command: a snapshot shows that of the connection
/// that reads it, which is older, and may be another role's.
pub(crate) async fn own_path(grant: &Grant, upstream: &mut Upstream) -> Result<Vec<String>, LoadError> {
    let mut path = Vec::new();
    let asked = ask(grant, upstream, "SHOW search_path", |cells| {
        path = split_path(cells.first().copied().flatten().ok_or(LoadError::Broken)?);
        Ok(())
    });
    tokio::time::timeout(PATIENCE, asked).await.map_err(|_| LoadError::Slow)??;
    Ok(path)
}

/// A number that no other snapshot of this process has.
pub(crate) fn next_version() -> u64 {
    static VERSIONS: AtomicU64 = AtomicU64::new(1);
    VERSIONS.fetch_add(1, Ordering::Relaxed)
}

/// Runs one query of the gateway's own and hands over its rows.
async fn ask(
    grant: &Grant,
    upstream: &mut Upstream,
    sql: &str,
    mut row: impl FnMut(&[Option<&str>]) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let mut query = Vec::new();
    encode::query(&mut query, sql);
    exchange(grant, upstream, &query, |answer| match answer {
        Answer::Row(cells) => row(cells),
        Answer::Tag(_) => Ok(()),
    })
    .await
}

/// What a question of the gateway's own is answered with.
pub(crate) enum Answer<'a> {
    /// A row.
    Row(&'a [Option<&'a str>]),
    /// A completion tag.
    Tag(&'a str),
}

/// Sends messages of the gateway's own, the last of which ends with ReadyForQuery, and hands over what comes back. An error ends the use of the
/// connection.
pub(crate) async fn exchange(
    grant: &Grant,
    upstream: &mut Upstream,
    messages: &[u8],
    mut take: impl FnMut(Answer<'_>) -> Result<(), LoadError>,
) -> Result<(), LoadError> {
    let mut outbox = Outbox::<ToTarget>::default();
    outbox.handshake(grant, messages);
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
                    take(Answer::Row(&texts.map_err(|_| LoadError::Broken)?))?;
                }
                Backend::CommandComplete(tag) => take(Answer::Tag(&tag.lossy()))?,
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
