//! Recordings for other programs: JSON Lines ([`json_lines`]), OCSF events ([`ocsf`]), and what a terminal showed ([`asciicast`]).

mod cast;
mod json;
mod ocsf;

use std::io::{self, Read, Write};

pub use cast::{CastVersion, asciicast, pick_command};
pub use json::json_lines;
pub use ocsf::ocsf;

use crate::event::Micros;
use crate::frame::ReadError;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recording is damaged or could not be read; what came before was written.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes one JSON value as a line.
fn line(out: &mut dyn Write, value: &serde_json::Value) -> Result<(), ExportError> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// RFC 3339 with microseconds.
pub(crate) fn time(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| format!("{} us", at.0), |at| format!("{at:.6}"))
}

/// The session's id as text.
pub(crate) fn session_id(bytes: [u8; 16]) -> String {
    model::SessionId(uuid::Uuid::from_bytes(bytes)).to_string()
}

/// Reads all of a recording through a function.
fn each<R: Read>(
    source: R,
    mut take: impl FnMut(&crate::Header, &crate::read::Entry<'_>) -> Result<(), ExportError>,
) -> Result<crate::read::State, ExportError> {
    let mut reader = crate::read::Reader::new(source)?;
    let header = *reader.header();
    while let Some(entry) = reader.next_entry()? {
        take(&header, &entry)?;
    }
    Ok(reader.state())
}
