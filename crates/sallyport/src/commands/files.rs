//! `sessions files`: what a session did to files, and the content of one where it was recorded.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use console::ports::{Format, Reading};
use model::SessionId;
use serde::{Deserialize, Serialize};

use super::Outcome;
use super::sessions::{PLAIN, Source, create};
use crate::output;

/// Operations that are listed at most: a session that does more is read with `sessions export`.
const MOST: usize = 1_000_000;
/// Bytes that are read at once to digest them.
const PIECE: usize = 256 * 1024;

/// One operation on a file.
#[derive(Debug, Serialize, Deserialize)]
struct Operation {
    number: u64,
    operation: String,
    /// `to_target`, `to_client`, or `none` for what carries no content.
    #[serde(default)]
    direction: String,
    path: String,
    to: Option<String>,
    size: u64,
    digest: Option<String>,
    outcome: String,
    at: String,
    /// Bytes of its content that are in the recording.
    #[serde(default)]
    kept: u64,
}

/// A line of the session's events, as far as it is about files.
#[derive(Deserialize)]
struct Event<'a> {
    event: &'a str,
    number: Option<u64>,
    direction: Option<&'a str>,
    offset: Option<u64>,
    data: Option<serde_json::Value>,
}

/// Lists the operations, or writes the content of one.
///
/// # Errors
/// When the session cannot be read, or the content is not there.
pub(super) async fn run(source: &Source, id: SessionId, extract: Option<(u64, &Path)>, json: bool) -> Result<Outcome> {
    let operations = operations(source, id).await?;
    if let Some((number, path)) = extract {
        let operation = operations.iter().find(|operation| operation.number == number);
        let operation = operation.with_context(|| format!("operation {number} is none on a file, or did not end"))?;
        return self::extract(source, id, operation, path).await;
    }
    if json {
        output::json(&operations)?;
        return Ok(Outcome::Done);
    }
    let rows = operations.into_iter().map(row).collect();
    let heading = ["number", "operation", "size", "kept", "blake3", "outcome", "path"];
    output::table(&heading, rows, "the session has done nothing to files")?;
    Ok(Outcome::Done)
}

fn row(operation: Operation) -> Vec<String> {
    let Operation { number, operation, path, to, size, digest, outcome, kept, .. } = operation;
    let path = to.map_or_else(|| path.clone(), |to| format!("{path} to {to}"));
    let kept = match kept {
        0 => "-".to_owned(),
        kept if kept == size => "all".to_owned(),
        kept => kept.to_string(),
    };
    let digest = digest.map_or_else(|| "-".to_owned(), |digest| digest.chars().take(16).collect());
    // A path may be as long as a screen is wide: nothing is to be pushed out by it.
    vec![number.to_string(), operation, size.to_string(), kept, digest, outcome, path]
}

async fn operations(source: &Source, id: SessionId) -> Result<Vec<Operation>> {
    let (mut operations, mut kept) = (Vec::new(), HashMap::new());
    lines(source, id, |line| {
        let Some(event) = about_files(line)? else { return Ok(()) };
        match (event.event, event.number) {
            ("content", Some(number)) => {
                *kept.entry((number, event.direction == Some("to_target"))).or_insert(0) +=
                    content(&event)?.len() as u64;
            }
            _ if operations.len() < MOST => {
                let mut operation: Operation = serde_json::from_slice(line).context("an event on a file")?;
                let way = match operation.operation.as_str() {
                    "put" => Some(true),
                    "get" => Some(false),
                    _ => None,
                };
                let word = |to_target| if to_target { "to_target" } else { "to_client" };
                operation.direction = way.map_or("none", word).to_owned();
                operation.kept = way.and_then(|way| kept.remove(&(operation.number, way))).unwrap_or(0);
                operations.push(operation);
            }
            _ => bail!("more than {MOST} operations on files: read them with `sessions export`"),
        }
        Ok(())
    })
    .await?;
    Ok(operations)
}

/// An event about files.
fn about_files(line: &[u8]) -> Result<Option<Event<'_>>> {
    let event: Event<'_> = serde_json::from_slice(line).context("an event that cannot be read")?;
    Ok(Some(event).filter(|event| matches!(event.event, "file" | "content")))
}

fn content(event: &Event<'_>) -> Result<Vec<u8>> {
    let text = event.data.as_ref().and_then(|data| data.get("base64")).and_then(serde_json::Value::as_str);
    STANDARD.decode(text.unwrap_or_default()).context("content that cannot be read")
}

async fn extract(source: &Source, id: SessionId, operation: &Operation, path: &Path) -> Result<Outcome> {
    if operation.kept == 0 && operation.size > 0 {
        bail!(
            "the recording has size and digest of {} only: its content is kept where the policy says `results: full`",
            operation.path
        );
    }
    let (mut file, _) = create(path)?;
    lines(source, id, |line| {
        let Some(event) = about_files(line)? else { return Ok(()) };
        let same = event.number == Some(operation.number) && event.direction == Some(&operation.direction);
        if same && event.event == "content" {
            file.seek(SeekFrom::Start(event.offset.unwrap_or(0)))?;
            file.write_all(&content(&event)?).with_context(|| format!("{}: write it", path.display()))?;
        }
        Ok(())
    })
    .await?;
    let length = file.metadata()?.len();
    let said = format!("{}: {length} bytes of {}", path.display(), operation.path);
    let Some(expected) = &operation.digest else {
        output::line(&format!("{said}; it did not pass in order, so there is no digest of it"))?;
        return Ok(Outcome::Done);
    };
    drop(file);
    let same = digest(path)? == *expected;
    output::line(&format!("{said}; its digest is {}the recorded one", if same { "" } else { "NOT " }))?;
    Ok(Outcome::of(same))
}

fn digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("{}: read it back", path.display()))?;
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
}

/// The session's events, line by line.
async fn lines(source: &Source, id: SessionId, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut waiting = Vec::new();
    let reading = Reading { format: Format::Jsonl, ..PLAIN };
    source
        .read(id, reading, |part| {
            waiting.extend_from_slice(part);
            let mut start = 0;
            while let Some(length) = waiting.get(start..).unwrap_or_default().iter().position(|byte| *byte == b'\n') {
                each(waiting.get(start..start + length).unwrap_or_default())?;
                start += length + 1;
            }
            waiting.drain(..start);
            Ok(())
        })
        .await
}
