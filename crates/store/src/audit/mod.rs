//! The gateway's own log of admin actions: rows in which each commits to the one before it.
//!
//! Row `n` holds `SHA-256("sallyport audit 1" ‖ hash(n-1) ‖ n ‖ at ‖ for each text: length, bytes)`; numbers are big-endian and
//! row 0 is 32 zero bytes. The newest number and hash are kept in `meta` too. So a changed, removed, added or reordered row
//! shows, a removed tail as well. Who can write the whole file can also make a new chain: keep [`AuditHead`]s elsewhere and
//! hand them to [`Store::verify_audit`] to notice that.

use std::fmt;

use aws_lc_rs::digest;
use gate::ports::{Audit, AuditEntry, BoxFuture, StoreAway};
use record::Micros;
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::codec;
use crate::db::{Fault, Store, Transaction};

const TAG: &[u8] = b"sallyport audit 1";
/// Rows read at once when the chain is verified.
const PAGE: i64 = 500;
/// Most rows that one [`Store::audit_list`] returns.
const LIST_LIMIT: u32 = 10_000;

/// One stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Micros,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// Details, without secrets.
    pub detail: String,
    /// The chain up to here.
    pub hash: [u8; 32],
}

/// How far the chain goes. Kept outside the store, it proves later that nothing before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The newest entry's number; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What verifying the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditReport {
    /// Every row is there and unchanged.
    Intact(AuditHead),
    /// The first row at which the chain breaks.
    Broken {
        /// The number of the row that is missing or wrong.
        seq: u64,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intact(head) => write!(f, "audit log intact: {} entries", head.seq),
            Self::Broken { seq, why } => write!(f, "audit log broken at entry {seq}: {why}"),
        }
    }
}

impl Store {
    /// The newest entries before `before` (all when `None`), newest first; at most `limit`, and at most 10,000.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_list(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRow>, StoreAway> {
        self.reading(move |pool| async move {
            let before = before.map_or(Ok(i64::MAX), codec::number)?;
            let rows = sqlx::query(
                "SELECT seq, at, actor, action, object, detail, hash FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
            )
            .bind(before)
            .bind(i64::from(limit.min(LIST_LIMIT)))
            .fetch_all(&pool)
            .await?;
            rows.iter().map(read_row).collect()
        })
        .await
    }

    /// The chain's newest entry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_head(&self) -> Result<AuditHead, StoreAway> {
        self.reading(|pool| async move {
            let mut connection = pool.acquire().await?;
            read_head(&mut connection).await
        })
        .await
    }

    /// Reads the whole chain and says whether every row is there and unchanged. With `anchor`, a head kept elsewhere, also
    /// whether the chain still goes through it. Reads 500 rows at a time, so memory does not grow with the log.
    ///
    /// # Errors
    /// When the database cannot be read; a broken chain is no error but [`AuditReport::Broken`].
    pub async fn verify_audit(&self, anchor: Option<AuditHead>) -> Result<AuditReport, StoreAway> {
        self.reading(move |pool| async move { verify(pool, anchor).await }).await
    }
}

impl Audit for Store {
    fn write<'a>(&'a self, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreAway>> {
        let entry = entry.clone();
        Box::pin(self.writing(move |mut transaction| async move {
            append(&mut transaction, &entry).await?;
            transaction.commit().await?;
            Ok(())
        }))
    }
}

/// Adds one entry inside the caller's transaction, so that an action and its entry are stored together or not at all.
pub(crate) async fn append(connection: &mut SqliteConnection, entry: &AuditEntry) -> Result<(), Fault> {
    let head = read_head(connection).await?;
    let seq = head.seq.checked_add(1).ok_or(Fault::Refused("the audit log is full"))?;
    let hash = link(&head.hash, seq, entry.at, [&entry.actor, entry.action, &entry.object, &entry.detail]);
    sqlx::query("INSERT INTO audit (seq, at, actor, action, object, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(codec::number(seq)?)
        .bind(entry.at.0)
        .bind(entry.actor.as_str())
        .bind(entry.action)
        .bind(entry.object.as_str())
        .bind(entry.detail.as_str())
        .bind(hash.to_vec())
        .execute(&mut *connection)
        .await?;
    let mut head = seq.to_be_bytes().to_vec();
    head.extend_from_slice(&hash);
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('audit_head', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(head)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn read_head(connection: &mut SqliteConnection) -> Result<AuditHead, Fault> {
    let stored: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'audit_head'").fetch_optional(connection).await?;
    let Some(stored) = stored else {
        return Ok(AuditHead { seq: 0, hash: [0; 32] });
    };
    let (seq, hash) = stored.split_first_chunk::<8>().ok_or(Fault::Row("audit head"))?;
    let hash = hash.try_into().map_err(|_| Fault::Row("audit head"))?;
    Ok(AuditHead { seq: u64::from_be_bytes(*seq), hash })
}

fn read_row(row: &SqliteRow) -> Result<AuditRow, Fault> {
    Ok(AuditRow {
        seq: codec::unsigned(row, "seq")?,
        at: Micros(codec::column(row, "at")?),
        actor: codec::column(row, "actor")?,
        action: codec::column(row, "action")?,
        object: codec::column(row, "object")?,
        detail: codec::column(row, "detail")?,
        hash: codec::digest(row, "hash")?,
    })
}

fn link(previous: &[u8; 32], seq: u64, at: Micros, texts: [&str; 4]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(TAG);
    context.update(previous);
    context.update(&seq.to_be_bytes());
    context.update(&at.0.to_be_bytes());
    for text in texts {
        // The length first: else "ab" + "c" and "a" + "bc" would be one.
        context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(text.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

async fn verify(pool: SqlitePool, anchor: Option<AuditHead>) -> Result<AuditReport, Fault> {
    // One read transaction: the rows and the head are of the same moment.
    let mut transaction = Transaction::read(&pool).await?;
    let report = walk(&mut transaction, anchor).await?;
    transaction.end().await?;
    Ok(report)
}

async fn walk(connection: &mut SqliteConnection, anchor: Option<AuditHead>) -> Result<AuditReport, Fault> {
    let head = read_head(connection).await?;
    let mut chain = AuditHead { seq: 0, hash: [0; 32] };
    loop {
        let rows = sqlx::query(
            "SELECT seq, at, actor, action, object, detail, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(codec::number(chain.seq)?)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            match follow(&chain, row) {
                Ok(next) => chain = next,
                Err(broken) => return Ok(broken),
            }
            if anchor.is_some_and(|anchor| anchor.seq == chain.seq && anchor.hash != chain.hash) {
                return Ok(AuditReport::Broken {
                    seq: chain.seq,
                    why: "the log was rewritten: it does not go through the head kept elsewhere",
                });
            }
        }
    }
    let lost = anchor.map_or(head.seq, |anchor| anchor.seq.max(head.seq));
    if chain.seq < lost {
        return Ok(AuditReport::Broken {
            seq: chain.seq.saturating_add(1),
            why: "the entry is missing, with all after it",
        });
    }
    if chain != head {
        return Ok(AuditReport::Broken {
            seq: head.seq.saturating_add(1),
            why: "the entry was not written by the gateway",
        });
    }
    Ok(AuditReport::Intact(chain))
}

/// The chain one row further, or where it breaks.
fn follow(chain: &AuditHead, row: &SqliteRow) -> Result<AuditHead, AuditReport> {
    let expected = chain.seq.saturating_add(1);
    let Ok(row) = read_row(row) else {
        return Err(AuditReport::Broken { seq: expected, why: "the entry cannot be read" });
    };
    if row.seq != expected {
        return Err(AuditReport::Broken { seq: expected, why: "the entry is missing" });
    }
    let hash = link(&chain.hash, row.seq, row.at, [&row.actor, &row.action, &row.object, &row.detail]);
    if hash == row.hash {
        Ok(AuditHead { seq: row.seq, hash })
    } else {
        Err(AuditReport::Broken { seq: row.seq, why: "the entry was changed" })
    }
}

#[cfg(test)]
mod tests;
