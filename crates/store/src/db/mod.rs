//! The database file: how it is opened, and how every query reaches it.
//!
//! One connection writes, a few read; write-ahead logging keeps them out of each other's way, also between processes. All
//! queries run on the control runtime that [`Store::open`] was given, so a session on any other runtime (or none) may ask,
//! and a caller that goes away does not leave an operation half done: what was begun completes.

mod error;
mod schema;
mod transaction;

use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gate::ports::{Clock, StoreAway};
use record::Micros;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::runtime::Handle;

use error::Class;
pub(crate) use error::Fault;
pub use error::OpenError;
pub(crate) use transaction::Transaction;

/// How long one process waits for another's write. A write takes about a millisecond, so this is a process that hangs.
#[cfg(not(test))]
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
#[cfg(test)]
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to wait before the next try where SQLite itself does not wait.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// How long an operation waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Reading connections: readers do not block each other, and each costs a thread.
const READERS: u32 = 3;
/// A file up to this size is checked page by page when it is opened; that takes well under a second.
const CHECK_UP_TO_BYTES: u64 = 64 << 20;

/// The gateway's state: tokens, approvals and the audit log. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    write: SqlitePool,
    read: SqlitePool,
    control: Handle,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Store {
    /// Opens or creates the database file at `path` (its directory too, 0700; the file, 0600) and brings its schema up to
    /// date. Every query of this store runs on `control`, which must outlive it.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the file and what to do about it.
    pub async fn open(path: impl AsRef<Path>, control: Handle) -> Result<Self, OpenError> {
        Self::open_with_clock(path, control, Arc::new(SystemClock)).await
    }

    /// [`Store::open`] with the clock that decides whether a request read without a time of its own has expired.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with_clock(
        path: impl AsRef<Path>,
        control: Handle,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref().to_path_buf();
        let connecting = path.clone();
        let (write, read) = match control.spawn(async move { connect(&connecting).await }).await {
            Ok(pools) => pools?,
            Err(_) => {
                return Err(OpenError::Other { path, reason: "the control runtime has stopped".to_owned() });
            }
        };
        Ok(Self { inner: Arc::new(Inner { path, write, read, control, clock }) })
    }

    /// Where the database file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The runtime that every query runs on; whoever is given a store may run their own background work there too.
    #[must_use]
    pub fn control(&self) -> &Handle {
        &self.inner.control
    }

    /// Whether the database answers and can be written.
    ///
    /// # Errors
    /// [`StoreAway`] says why not.
    pub async fn healthy(&self) -> Result<(), StoreAway> {
        self.writing(|mut transaction| async move {
            sqlx::query("UPDATE counters SET value = value WHERE name = 'tokens'").execute(&mut *transaction).await?;
            transaction.end().await?;
            Ok(())
        })
        .await
    }

    /// Finishes what runs and closes the file. Later calls fail as [`StoreAway`].
    pub async fn close(&self) {
        let inner = self.inner.clone();
        let closing = self.inner.control.spawn(async move {
            inner.read.close().await;
            inner.write.close().await;
        });
        // A stopped runtime has dropped the connections already.
        closing.await.ok();
    }

    /// Now, by this store's clock.
    pub(crate) fn now(&self) -> Micros {
        self.inner.clock.now()
    }

    /// Runs `work` with the reading connections.
    pub(crate) async fn reading<T, F>(
        &self,
        work: impl FnOnce(SqlitePool) -> F + Send + 'static,
    ) -> Result<T, StoreAway>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let pool = self.inner.read.clone();
        self.run(async move { work(pool).await }).await
    }

    /// Runs `work` in one immediate transaction on the writing connection. `work` commits; what it does not commit is undone.
    pub(crate) async fn writing<T, F>(
        &self,
        work: impl FnOnce(Transaction) -> F + Send + 'static,
    ) -> Result<T, StoreAway>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let pool = self.inner.write.clone();
        self.run(async move { work(Transaction::write(&pool).await?).await }).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, StoreAway> {
        match self.inner.control.spawn(work).await {
            Ok(result) => result.map_err(|fault| {
                let away = StoreAway::from(fault);
                tracing::error!(store = %self.inner.path.display(), error = %away.0, "store operation failed");
                away
            }),
            Err(_) => Err(StoreAway("the control runtime has stopped".to_owned())),
        }
    }
}

async fn connect(path: &Path) -> Result<(SqlitePool, SqlitePool), OpenError> {
    prepare_file(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // A revocation or a used approval must also survive a power cut; these writes are rare.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let write = writer(path, &options).await?;
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(|error| Class::of(&error).open_error(path.to_path_buf()))?;
    Ok((write, read))
}

/// The writing connection, with the schema up to date.
///
/// The change of a new file to write-ahead logging takes a lock that SQLite does not wait for when another connection is at
/// the same change, since both would wait for ever (sqlite.org/c3ref/busy_handler.html); so the waiting is done here.
async fn writer(path: &Path, options: &SqliteConnectOptions) -> Result<SqlitePool, OpenError> {
    let began = Instant::now();
    loop {
        match open_writer(path, options).await {
            Err(OpenError::Locked { .. }) if began.elapsed() < BUSY_TIMEOUT => tokio::time::sleep(BUSY_PAUSE).await,
            done => return done,
        }
    }
}

async fn open_writer(path: &Path, options: &SqliteConnectOptions) -> Result<SqlitePool, OpenError> {
    let failed = |error: sqlx::Error| Class::of(&error).open_error(path.to_path_buf());
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    {
        let mut connection = write.acquire().await.map_err(failed)?;
        check(&mut connection, path).await?;
        schema::migrate(&mut connection, path).await?;
    }
    Ok(write)
}

/// Looks at every page of a file of reasonable size, so that damage shows at the start and not at the first revocation.
async fn check(connection: &mut sqlx::SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| Class::of(&error).open_error(path.to_path_buf());
    let size = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or(0);
    if size > CHECK_UP_TO_BYTES {
        return Ok(());
    }
    let answer: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await.map_err(failed)?;
    if answer == "ok" {
        Ok(())
    } else {
        Err(OpenError::Corrupt { path: path.to_path_buf(), reason: "a page fails its check".to_owned() })
    }
}

/// Makes the directory and the file with narrow permissions before the database engine can make them with wide ones; its
/// side files (`-wal`, `-shm`) inherit the file's mode.
fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let refused = |at: &Path, error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            OpenError::DiskFull { path: at.to_path_buf() }
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::ReadOnly { path: at.to_path_buf(), reason: error.kind().to_string() }
        }
        kind => OpenError::Other { path: at.to_path_buf(), reason: format!("cannot be made or opened: {kind}") },
    };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| refused(directory, &error))?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        // Not opened a second time here: closing any descriptor of the file would drop the locks that another connection of
        // this process holds on it (fcntl locks; sqlite.org/howtocorrupt.html, 2.2).
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => existing_file(path, &refused)?,
        Err(error) => return Err(refused(path, &error)),
    }
    // A read-only directory lets an existing file be opened, and then every write fails for want of the side files.
    let probe = path.with_extension(format!("probe-{}", std::process::id()));
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&probe)
        .map_err(|error| refused(directory, &error))?;
    match std::fs::remove_file(&probe) {
        // A process with the same number, in another container, has tried here at the same moment.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| refused(directory, &error)),
    }
}

/// Checks that an existing file can be written, and takes it away from others if they could read it.
fn existing_file(path: &Path, refused: &dyn Fn(&Path, &std::io::Error) -> OpenError) -> Result<(), OpenError> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::READ_OK)
        .map_err(|error| refused(path, &error.into()))?;
    let mode = std::fs::metadata(path).map_err(|error| refused(path, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| refused(path, &error))?;
        tracing::warn!(file = %path.display(), "the database was open to others; its permissions are now 0600");
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
