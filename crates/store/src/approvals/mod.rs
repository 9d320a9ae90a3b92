//! Approval requests and their answers. Every change of state is one conditional statement in an immediate transaction.
//!
//! ```text
//! pending ── a no ─────────────► denied
//!    │ ──── enough yeses ──────► approved ── consume, once ──► used
//!    └───── end ───────────────► denied | expired | cancelled
//! ```
//! `pending` and `approved` requests whose time is over read as `expired`, whoever reads and whether or not anything was
//! written: expiry never waits for a sweep.

use gate::ports::{Answer, ApprovalRequest, ApprovalState, Approvals, BoxFuture, StoreAway, StoredApproval};
use model::{ApprovalId, SessionId};
use record::Micros;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::codec;
use crate::db::{Fault, Store, Transaction};

/// Most requests that one list returns.
const LIST_LIMIT: u32 = 1_000;

impl Approvals for Store {
    fn create<'a>(&'a self, request: &'a ApprovalRequest) -> BoxFuture<'a, Result<(), StoreAway>> {
        let request = request.clone();
        Box::pin(self.writing(move |mut transaction| async move {
            insert(&mut transaction, &request).await?;
            transaction.commit().await?;
            Ok(())
        }))
    }

    fn get(&self, id: ApprovalId) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        let now = self.now();
        Box::pin(self.reading(move |pool| async move {
            // One transaction, so that the answers are those of the state.
            let mut transaction = Transaction::read(&pool).await?;
            let found = load(&mut transaction, id, now).await?;
            transaction.end().await?;
            Ok(found)
        }))
    }

    fn list(&self, pending: bool, limit: u32) -> BoxFuture<'_, Result<Vec<StoredApproval>, StoreAway>> {
        let now = self.now();
        Box::pin(self.reading(move |pool| async move {
            let mut transaction = Transaction::read(&pool).await?;
            let rows = sqlx::query(
                "SELECT * FROM approvals WHERE NOT ? OR (state = 'pending' AND expires > ?) \
                 ORDER BY created DESC, id DESC LIMIT ?",
            )
            .bind(pending)
            .bind(now.0)
            .bind(i64::from(limit.min(LIST_LIMIT)))
            .fetch_all(&mut *transaction)
            .await?;
            let mut found = Vec::with_capacity(rows.len());
            for row in &rows {
                found.push(with_answers(&mut transaction, row, now).await?);
            }
            transaction.end().await?;
            Ok(found)
        }))
    }

    /// `None`: there is no such request. A request that no longer waits comes back as it is, without this answer. A yes by the
    /// requester, or by whoever the requester acts for, is not stored, whatever was decided before.
    fn answer<'a>(
        &'a self,
        id: ApprovalId,
        answer: &'a Answer,
    ) -> BoxFuture<'a, Result<Option<StoredApproval>, StoreAway>> {
        let answer = answer.clone();
        Box::pin(self.writing(move |mut transaction| async move {
            let Some(stored) = load(&mut transaction, id, answer.at).await? else {
                transaction.end().await?;
                return Ok(None);
            };
            let own = answer.approve && stored.request.identity.involves(&answer.by);
            if stored.state != ApprovalState::Pending || own {
                transaction.end().await?;
                return Ok(Some(stored));
            }
            add_answer(&mut transaction, &stored, &answer).await?;
            let stored = load(&mut transaction, id, answer.at).await?;
            transaction.commit().await?;
            Ok(stored)
        }))
    }

    fn granted(&self, digest: [u8; 32], now: Micros) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(self.reading(move |pool| async move {
            let mut transaction = Transaction::read(&pool).await?;
            let row = sqlx::query(
                "SELECT * FROM approvals WHERE digest = ? AND state = 'approved' AND expires > ? ORDER BY expires LIMIT 1",
            )
            .bind(digest.to_vec())
            .bind(now.0)
            .fetch_optional(&mut *transaction)
            .await?;
            let found = match row {
                Some(row) => Some(with_answers(&mut transaction, &row, now).await?),
                None => None,
            };
            transaction.end().await?;
            Ok(found)
        }))
    }

    fn consume(&self, id: ApprovalId, now: Micros) -> BoxFuture<'_, Result<bool, StoreAway>> {
        Box::pin(self.writing(move |mut transaction| async move {
            let done =
                sqlx::query("UPDATE approvals SET state = 'used' WHERE id = ? AND state = 'approved' AND expires > ?")
                    .bind(codec::id_bytes(id.0))
                    .bind(now.0)
                    .execute(&mut *transaction)
                    .await?;
            transaction.commit().await?;
            Ok(done.rows_affected() == 1)
        }))
    }

    fn report<'a>(&'a self, id: ApprovalId, outcome: &'a str) -> BoxFuture<'a, Result<(), StoreAway>> {
        let outcome = outcome.to_owned();
        Box::pin(self.writing(move |mut transaction| async move {
            sqlx::query("UPDATE approvals SET outcome = ? WHERE id = ? AND state = 'used'")
                .bind(outcome)
                .bind(codec::id_bytes(id.0))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(())
        }))
    }

    fn end(&self, id: ApprovalId, state: ApprovalState) -> BoxFuture<'_, Result<(), StoreAway>> {
        match state {
            ApprovalState::Denied | ApprovalState::Expired | ApprovalState::Cancelled => {}
            ApprovalState::Pending | ApprovalState::Approved | ApprovalState::Used => {
                let why = "a request ends as denied, expired or cancelled";
                return Box::pin(std::future::ready(Err(StoreAway(why.to_owned()))));
            }
        }
        Box::pin(self.writing(move |mut transaction| async move {
            sqlx::query("UPDATE approvals SET state = ? WHERE id = ? AND state = 'pending'")
                .bind(state.as_str())
                .bind(codec::id_bytes(id.0))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(())
        }))
    }
}

impl Store {
    /// Deletes requests that expired before `before`, with their answers, texts and bind values, and says how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn purge_approvals(&self, before: Micros) -> Result<u64, StoreAway> {
        self.writing(move |mut transaction| async move {
            let done = sqlx::query("DELETE FROM approvals WHERE expires < ?")
                .bind(before.0)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(done.rows_affected())
        })
        .await
    }
}

async fn insert(connection: &mut SqliteConnection, request: &ApprovalRequest) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO approvals (id, digest, session, number, identity, target, role, text, bound, actions, reasons, rules, \
         policy, terms, created, expires, preview) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(codec::id_bytes(request.id.0))
    .bind(request.digest.to_vec())
    .bind(codec::id_bytes(request.session.0))
    .bind(codec::number(request.number)?)
    .bind(codec::to_json(&request.identity)?)
    .bind(request.target.as_str())
    .bind(request.role.as_str())
    .bind(request.text.as_str())
    .bind(codec::to_json(&request.values)?)
    .bind(codec::to_json(&request.actions)?)
    .bind(codec::to_json(&request.reasons)?)
    .bind(codec::to_json(&request.rules)?)
    .bind(request.policy.as_str())
    .bind(codec::to_json(&request.terms)?)
    .bind(request.created.0)
    .bind(request.expires.0)
    .bind(codec::to_json(&request.preview)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores one person's answer to a pending request, and what follows from it.
async fn add_answer(connection: &mut SqliteConnection, stored: &StoredApproval, answer: &Answer) -> Result<(), Fault> {
    let id = codec::id_bytes(stored.request.id.0);
    sqlx::query(
        "INSERT INTO answers (approval, person, approve, reason, at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (approval, person) DO NOTHING",
    )
    .bind(id.clone())
    .bind(answer.by.as_str())
    .bind(answer.approve)
    .bind(answer.reason.as_str())
    .bind(answer.at.0)
    .execute(&mut *connection)
    .await?;
    // A quorum of nobody would approve by itself.
    let quorum = i64::from(stored.request.terms.quorum.max(1));
    sqlx::query(
        "UPDATE approvals SET state = CASE \
           WHEN EXISTS (SELECT 1 FROM answers WHERE approval = approvals.id AND approve = 0) THEN 'denied' \
           WHEN (SELECT count(*) FROM answers WHERE approval = approvals.id AND approve = 1) >= ? THEN 'approved' \
           ELSE 'pending' END \
         WHERE id = ? AND state = 'pending' AND expires > ?",
    )
    .bind(quorum)
    .bind(id)
    .bind(answer.at.0)
    .execute(connection)
    .await?;
    Ok(())
}

async fn load(connection: &mut SqliteConnection, id: ApprovalId, now: Micros) -> Result<Option<StoredApproval>, Fault> {
    let row = sqlx::query("SELECT * FROM approvals WHERE id = ?")
        .bind(codec::id_bytes(id.0))
        .fetch_optional(&mut *connection)
        .await?;
    match row {
        Some(row) => Ok(Some(with_answers(connection, &row, now).await?)),
        None => Ok(None),
    }
}

async fn with_answers(
    connection: &mut SqliteConnection,
    row: &SqliteRow,
    now: Micros,
) -> Result<StoredApproval, Fault> {
    let request = read_request(row)?;
    let state = read_state(row, request.expires, now)?;
    let rows = sqlx::query("SELECT person, approve, reason, at FROM answers WHERE approval = ? ORDER BY at, person")
        .bind(codec::id_bytes(request.id.0))
        .fetch_all(connection)
        .await?;
    let answers = rows.iter().map(read_answer).collect::<Result<_, _>>()?;
    Ok(StoredApproval { request, state, answers, outcome: codec::column(row, "outcome")? })
}

fn read_request(row: &SqliteRow) -> Result<ApprovalRequest, Fault> {
    Ok(ApprovalRequest {
        id: ApprovalId(codec::id(row, "id")?),
        digest: codec::digest(row, "digest")?,
        session: SessionId(codec::id(row, "session")?),
        number: codec::unsigned(row, "number")?,
        identity: codec::from_json(row, "identity")?,
        target: codec::column(row, "target")?,
        role: codec::column(row, "role")?,
        text: codec::column(row, "text")?,
        values: codec::from_json(row, "bound")?,
        actions: codec::from_json(row, "actions")?,
        preview: codec::from_json(row, "preview")?,
        reasons: codec::from_json(row, "reasons")?,
        rules: codec::from_json(row, "rules")?,
        policy: codec::column(row, "policy")?,
        terms: codec::from_json(row, "terms")?,
        created: Micros(codec::column(row, "created")?),
        expires: Micros(codec::column(row, "expires")?),
    })
}

fn read_state(row: &SqliteRow, expires: Micros, now: Micros) -> Result<ApprovalState, Fault> {
    let over = expires <= now;
    match codec::column::<&str>(row, "state")? {
        "pending" | "approved" if over => Ok(ApprovalState::Expired),
        "pending" => Ok(ApprovalState::Pending),
        "approved" => Ok(ApprovalState::Approved),
        "denied" => Ok(ApprovalState::Denied),
        "expired" => Ok(ApprovalState::Expired),
        "cancelled" => Ok(ApprovalState::Cancelled),
        "used" => Ok(ApprovalState::Used),
        _ => Err(Fault::Row("state")),
    }
}

fn read_answer(row: &SqliteRow) -> Result<Answer, Fault> {
    Ok(Answer {
        by: codec::column(row, "person")?,
        approve: codec::column(row, "approve")?,
        reason: codec::column(row, "reason")?,
        at: Micros(codec::column(row, "at")?),
    })
}

#[cfg(test)]
mod tests;
