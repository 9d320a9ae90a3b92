//! How ids, digests and lists become column values, and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};
use uuid::Uuid;

use crate::db::Fault;

/// Reads one column.
pub(crate) fn column<'r, T>(row: &'r SqliteRow, name: &'static str) -> Result<T, Fault>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(name).map_err(|_| Fault::Row(name))
}

/// Reads a 32-byte digest.
pub(crate) fn digest(row: &SqliteRow, name: &'static str) -> Result<[u8; 32], Fault> {
    let bytes: &[u8] = column(row, name)?;
    bytes.try_into().map_err(|_| Fault::Row(name))
}

/// Reads an id's sixteen bytes.
pub(crate) fn id(row: &SqliteRow, name: &'static str) -> Result<Uuid, Fault> {
    let bytes: &[u8] = column(row, name)?;
    Uuid::from_slice(bytes).map_err(|_| Fault::Row(name))
}

/// Writes an id's sixteen bytes.
pub(crate) fn id_bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

/// Reads a JSON column.
pub(crate) fn from_json<T: DeserializeOwned>(row: &SqliteRow, name: &'static str) -> Result<T, Fault> {
    let text: &str = column(row, name)?;
    serde_json::from_str(text).map_err(|_| Fault::Row(name))
}

/// Writes a JSON column.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_| Fault::Refused("the value cannot be stored as JSON"))
}

/// A number that is never negative in any row of ours, as SQLite's signed integer.
pub(crate) fn number(value: u64) -> Result<i64, Fault> {
    i64::try_from(value).map_err(|_| Fault::Refused("the number is too large to be stored"))
}

/// The reverse of [`number`].
pub(crate) fn unsigned(row: &SqliteRow, name: &'static str) -> Result<u64, Fault> {
    u64::try_from(column::<i64>(row, name)?).map_err(|_| Fault::Row(name))
}
