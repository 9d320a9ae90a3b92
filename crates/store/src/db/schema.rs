//! The schema's versions, and how a file gets from any of them to the newest.
//!
//! `PRAGMA user_version` counts the migrations applied. All missing ones run in one immediate transaction, so two processes
//! that open a new file at once do not meet half a schema, and a failed migration leaves the file as it was.

use sqlx::{Connection, SqliteConnection};

use super::error::{Class, OpenError};
use std::path::Path;

/// "Spry", in the header of our files, so that another program's database is not taken for ours.
const APPLICATION_ID: i64 = 0x5370_7279;

/// One text per version, oldest first; never edited once released.
const MIGRATIONS: &[&str] =
    &[include_str!("../../migrations/0001_first.sql"), include_str!("../../migrations/0002_preview.sql")];

/// The newest schema that this binary knows.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the file to the newest schema.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Foreign`], or what the database says.
pub(super) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| Class::of(&error).open_error(path.to_path_buf());
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await.map_err(failed)?;
    let owner: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *transaction).await.map_err(failed)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *transaction).await.map_err(failed)?;
    let fresh = tables == 0 && found == 0 && owner == 0;
    if !fresh && owner != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_path_buf() });
    }
    if found > newest() {
        return Err(OpenError::Newer { path: path.to_path_buf(), found, known: newest() });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for text in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*text).execute(&mut *transaction).await.map_err(failed)?;
    }
    if done < MIGRATIONS.len() {
        let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", newest());
        // Two numbers of ours; pragmas take no bind values.
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
