//! A transaction that leaves no connection in doubt.
//!
//! SQLite ends a transaction by itself when the disk is full or the file cannot be read or written
//! (sqlite.org/lang_transaction.html, "Response To Errors Within A Transaction"). The driver's own transactions do not notice and
//! keep such a connection forever at a depth that it is not at, which for the only writing connection means: no write ever again.
//! So these are begun and ended by statement, and a connection whose transaction did not end well is closed.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection};

/// An open transaction. Dropped without [`Transaction::commit`] or [`Transaction::end`], it is undone.
pub(crate) struct Transaction {
    connection: PoolConnection<Sqlite>,
    ended: bool,
}

impl Transaction {
    /// For reads that must agree with each other.
    pub(crate) async fn read(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        Self::begin(pool, "BEGIN").await
    }

    /// For writes. Immediate: a transaction that reads before it writes would else fail when another process wrote in between.
    pub(super) async fn write(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        Self::begin(pool, "BEGIN IMMEDIATE").await
    }

    /// Keeps what was written.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.finish("COMMIT").await
    }

    /// Ends it when nothing was written. The connection is kept.
    pub(crate) async fn end(self) -> Result<(), sqlx::Error> {
        self.finish("ROLLBACK").await
    }

    async fn begin(pool: &SqlitePool, statement: &'static str) -> Result<Self, sqlx::Error> {
        let mut begun = Self { connection: pool.acquire().await?, ended: false };
        sqlx::query(statement).execute(&mut *begun.connection).await?;
        Ok(begun)
    }

    async fn finish(mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement).execute(&mut *self.connection).await?;
        self.ended = true;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}
