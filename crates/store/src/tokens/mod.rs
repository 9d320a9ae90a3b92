//! Sallyport tokens at rest: a hash and the SCRAM keys, never the token.
//!
//! What is issued or revoked is stored together with its audit entry, in one transaction. Two counters grow with every change
//! ([`Store::token_generation`]) and every revocation ([`Store::watch_revocations`]), so the running gateway notices what another
//! process wrote without comparing clocks.

use gate::ports::{AuditEntry, StoreAway};
use model::{Identity, TokenId};
use record::Micros;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::audit;
use crate::codec;
use crate::db::{Fault, Store, Transaction};

/// Most rows that one [`Store::list_tokens`] returns.
const LIST_LIMIT: u32 = 100_000;
/// Most revocations that one [`Store::watch_revocations`] returns; the next call goes on from there.
const WATCH_LIMIT: i64 = 1_000;

/// What proves a token, derived from it. Not printable: with the SCRAM keys one can pretend to be the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKeys {
    /// SHA-256 of the token's text.
    pub hash: [u8; 32],
    /// SCRAM-SHA-256 StoredKey (RFC 5802, section 3).
    pub stored_key: [u8; 32],
    /// SCRAM-SHA-256 ServerKey.
    pub server_key: [u8; 32],
}

/// One token, without what proves it.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// Whom it proves.
    pub identity: Identity,
    /// The targets for which it is good; `None` is every target that policy permits.
    pub targets: Option<Vec<String>>,
    /// Who issued it.
    pub issued_by: String,
    /// When it was issued.
    pub created: Micros,
    /// Until when it is good.
    pub expires: Micros,
    /// When it was revoked, if it was.
    pub revoked: Option<Micros>,
    /// By whom.
    pub revoked_by: Option<String>,
}

/// A token as SCRAM needs it: the client does not say which token it holds, so each is tried.
#[derive(Clone)]
pub struct Candidate {
    /// Its id.
    pub id: TokenId,
    /// SCRAM-SHA-256 StoredKey.
    pub stored_key: [u8; 32],
    /// SCRAM-SHA-256 ServerKey.
    pub server_key: [u8; 32],
    /// The targets for which it is good; `None` is all.
    pub targets: Option<Vec<String>>,
    /// Until when it is good.
    pub expires: Micros,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// What a revocation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// It was live and is no longer.
    Now,
    /// It had been revoked before; nothing changed.
    Before,
    /// There is no such token, or it has been purged.
    Unknown,
}

/// Tokens revoked since some point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Hand this to the next call.
    pub upto: u64,
    /// The tokens.
    pub ids: Vec<TokenId>,
}

impl Store {
    /// Stores a token together with its audit entry.
    ///
    /// # Errors
    /// When either cannot be written: then neither is.
    pub async fn create_token(&self, row: &TokenRow, keys: &TokenKeys, entry: &AuditEntry) -> Result<(), StoreAway> {
        let (row, keys, entry) = (row.clone(), keys.clone(), entry.clone());
        self.writing(move |mut transaction| async move {
            insert(&mut transaction, &row, &keys).await?;
            count(&mut transaction, "tokens").await?;
            audit::append(&mut transaction, &entry).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// The token with this hash, whether still good or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_token_by_hash(&self, hash: [u8; 32]) -> Result<Option<TokenRow>, StoreAway> {
        self.reading(move |pool| async move {
            let row =
                sqlx::query("SELECT * FROM tokens WHERE hash = ?").bind(hash.to_vec()).fetch_optional(&pool).await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    /// The token with this id, whether still good or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_token(&self, id: TokenId) -> Result<Option<TokenRow>, StoreAway> {
        self.reading(move |pool| async move {
            let row = sqlx::query("SELECT * FROM tokens WHERE id = ?")
                .bind(codec::id_bytes(id.0))
                .fetch_optional(&pool)
                .await?;
            row.as_ref().map(read).transpose()
        })
        .await
    }

    /// Tokens, newest first; `live` only those neither expired at `now` nor revoked. At most `limit`, and at most 100,000.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_tokens(&self, live: bool, now: Micros, limit: u32) -> Result<Vec<TokenRow>, StoreAway> {
        self.reading(move |pool| async move {
            let rows = sqlx::query(
                "SELECT * FROM tokens WHERE NOT ? OR (expires > ? AND revoked IS NULL) ORDER BY created DESC, id DESC LIMIT ?",
            )
            .bind(live)
            .bind(now.0)
            .bind(i64::from(limit.min(LIST_LIMIT)))
            .fetch_all(&pool)
            .await?;
            rows.iter().map(read).collect()
        })
        .await
    }

    /// Tokens for SCRAM that expire after `after`, newest first, at most `limit`; revoked ones too, so that their holders can be
    /// told so.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn scram_candidates(&self, after: Micros, limit: u32) -> Result<Vec<Candidate>, StoreAway> {
        self.reading(move |pool| async move {
            let rows = sqlx::query(
                "SELECT id, stored_key, server_key, targets, expires, revoked FROM tokens \
                 WHERE expires > ? ORDER BY created DESC, id DESC LIMIT ?",
            )
            .bind(after.0)
            .bind(i64::from(limit))
            .fetch_all(&pool)
            .await?;
            rows.iter().map(read_candidate).collect()
        })
        .await
    }

    /// Revokes a token at `at`, with its audit entry, which is written also when the token had been revoked before or is unknown.
    /// After this returns, the token is refused, also after a crash or power cut.
    ///
    /// # Errors
    /// When either cannot be written: then neither is.
    pub async fn revoke_token(&self, id: TokenId, at: Micros, entry: &AuditEntry) -> Result<Revoked, StoreAway> {
        let entry = entry.clone();
        self.writing(move |mut transaction| async move {
            let outcome = revoke(&mut transaction, id, at, &entry.actor).await?;
            audit::append(&mut transaction, &entry).await?;
            transaction.commit().await?;
            Ok(outcome)
        })
        .await
    }

    /// Deletes tokens that expired before `before`, and says how many. Keep them for a while, so that whoever still holds one is
    /// told that it expired and not that it is unknown.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn purge_tokens(&self, before: Micros) -> Result<u64, StoreAway> {
        self.writing(move |mut transaction| async move {
            let done =
                sqlx::query("DELETE FROM tokens WHERE expires < ?").bind(before.0).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(done.rows_affected())
        })
        .await
    }

    /// A number that changes whenever a token was issued or revoked, by any process. One indexed read of one row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token_generation(&self) -> Result<u64, StoreAway> {
        self.reading(|pool| async move {
            let row = sqlx::query("SELECT value FROM counters WHERE name = 'tokens'").fetch_one(&pool).await?;
            codec::unsigned(&row, "value")
        })
        .await
    }

    /// Where revocations stand now: the `since` of the first [`Store::watch_revocations`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revocation_head(&self) -> Result<u64, StoreAway> {
        self.reading(|pool| async move {
            let row = sqlx::query("SELECT value FROM counters WHERE name = 'revocations'").fetch_one(&pool).await?;
            codec::unsigned(&row, "value")
        })
        .await
    }

    /// Tokens revoked since the given point, by any process: close the sessions that they opened. One read of an index that is
    /// empty when nothing happened, so it may be polled several times a second.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn watch_revocations(&self, since: u64) -> Result<Revocations, StoreAway> {
        self.reading(move |pool| async move {
            let rows =
                sqlx::query("SELECT id, revocation FROM tokens WHERE revocation > ? ORDER BY revocation LIMIT ?")
                    .bind(codec::number(since)?)
                    .bind(WATCH_LIMIT)
                    .fetch_all(&pool)
                    .await?;
            let mut found = Revocations { upto: since, ids: Vec::with_capacity(rows.len()) };
            for row in &rows {
                found.upto = codec::unsigned(row, "revocation")?;
                found.ids.push(TokenId(codec::id(row, "id")?));
            }
            Ok(found)
        })
        .await
    }

    /// A value of the gateway's own that is made once and kept: the first caller's `fresh` wins, and all get the same.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn value_once(&self, key: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, StoreAway> {
        self.writing(move |mut transaction| async move {
            sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING")
                .bind(key)
                .bind(fresh)
                .execute(&mut *transaction)
                .await?;
            let kept: Vec<u8> = sqlx::query_scalar("SELECT value FROM meta WHERE key = ?")
                .bind(key)
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(kept)
        })
        .await
    }
}

async fn insert(connection: &mut SqliteConnection, row: &TokenRow, keys: &TokenKeys) -> Result<(), Fault> {
    let targets = row.targets.as_ref().map(codec::to_json).transpose()?;
    sqlx::query(
        "INSERT INTO tokens (id, hash, stored_key, server_key, identity, targets, issued_by, created, expires) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(codec::id_bytes(row.id.0))
    .bind(keys.hash.to_vec())
    .bind(keys.stored_key.to_vec())
    .bind(keys.server_key.to_vec())
    .bind(codec::to_json(&row.identity)?)
    .bind(targets)
    .bind(row.issued_by.as_str())
    .bind(row.created.0)
    .bind(row.expires.0)
    .execute(connection)
    .await?;
    Ok(())
}

async fn revoke(transaction: &mut Transaction, id: TokenId, at: Micros, by: &str) -> Result<Revoked, Fault> {
    let number = count(transaction, "revocations").await?;
    let done =
        sqlx::query("UPDATE tokens SET revoked = ?, revoked_by = ?, revocation = ? WHERE id = ? AND revoked IS NULL")
            .bind(at.0)
            .bind(by)
            .bind(number)
            .bind(codec::id_bytes(id.0))
            .execute(&mut **transaction)
            .await?;
    if done.rows_affected() == 1 {
        count(transaction, "tokens").await?;
        return Ok(Revoked::Now);
    }
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM tokens WHERE id = ?")
        .bind(codec::id_bytes(id.0))
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(if known.is_some() { Revoked::Before } else { Revoked::Unknown })
}

/// The counter's next value.
async fn count(transaction: &mut Transaction, name: &'static str) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar("UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value")
        .bind(name)
        .fetch_one(&mut **transaction)
        .await?)
}

fn read(row: &SqliteRow) -> Result<TokenRow, Fault> {
    Ok(TokenRow {
        id: TokenId(codec::id(row, "id")?),
        identity: codec::from_json(row, "identity")?,
        targets: read_targets(row)?,
        issued_by: codec::column(row, "issued_by")?,
        created: Micros(codec::column(row, "created")?),
        expires: Micros(codec::column(row, "expires")?),
        revoked: codec::column::<Option<i64>>(row, "revoked")?.map(Micros),
        revoked_by: codec::column(row, "revoked_by")?,
    })
}

fn read_candidate(row: &SqliteRow) -> Result<Candidate, Fault> {
    Ok(Candidate {
        id: TokenId(codec::id(row, "id")?),
        stored_key: codec::digest(row, "stored_key")?,
        server_key: codec::digest(row, "server_key")?,
        targets: read_targets(row)?,
        expires: Micros(codec::column(row, "expires")?),
        revoked: codec::column::<Option<i64>>(row, "revoked")?.is_some(),
    })
}

/// NULL is every target; a list that cannot be read is an error and not NULL.
fn read_targets(row: &SqliteRow) -> Result<Option<Vec<String>>, Fault> {
    let text: Option<&str> = codec::column(row, "targets")?;
    text.map(serde_json::from_str).transpose().map_err(|_| Fault::Row("targets"))
}

#[cfg(test)]
mod tests;
