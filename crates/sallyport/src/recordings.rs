//! Reading recordings, for the API of a running gateway and for the command line without one.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use console::ports::{Format, Parts, ReadFailure, Reading, SessionFilter};
use console::view::{SessionView, rfc3339};
use gate::ports::BoxFuture;
use model::SessionId;
use record::render::Options;
use record::{CastVersion, ExportError, ReadError, Reason};
use store::recordings::{Filter, Library, LibraryError, SessionState, SessionSummary};
use tokio::sync::mpsc::{self, Sender};

/// How often a live recording is looked at for more.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a session that was opened just now may be without a file.
const APPEARS_WITHIN: Duration = Duration::from_secs(5);
/// Parts that may wait for a slow reader.
const QUEUE: usize = 16;
/// A part is handed on when it has this size, or when there is nothing more for now.
const PART: usize = 32 * 1024;

/// The recordings as the console's port.
pub(crate) struct Shelf(pub(crate) Arc<Library>);

impl console::ports::Library for Shelf {
    fn list<'a>(&'a self, filter: &'a SessionFilter) -> BoxFuture<'a, Result<Vec<SessionView>, ReadFailure>> {
        let library = Arc::clone(&self.0);
        let filter = Filter {
            subject: filter.subject.clone(),
            target: filter.target.clone(),
            since: filter.since,
            limit: filter.limit,
            ..Filter::default()
        };
        Box::pin(
            async move { blocking(move || library.list(&filter)).await.map(|list| list.iter().map(view).collect()) },
        )
    }

    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<SessionView, ReadFailure>> {
        let library = Arc::clone(&self.0);
        Box::pin(async move { blocking(move || library.summary(id)).await.map(|summary| view(&summary)) })
    }

    fn read(&self, id: SessionId, reading: Reading) -> BoxFuture<'_, Result<Parts, ReadFailure>> {
        let library = Arc::clone(&self.0);
        Box::pin(async move {
            let known = Arc::clone(&library);
            blocking(move || known.summary(id)).await?;
            let reading = if matches!(reading.format, Format::Asciicast | Format::AsciicastV3) {
                Reading { command: Some(shown(Arc::clone(&library), id, reading.command).await?), ..reading }
            } else {
                reading
            };
            let (sender, parts) = mpsc::channel(QUEUE);
            tokio::task::spawn_blocking(move || {
                if let Err(failure) = export(&library, id, reading, &sender) {
                    // A reader that went away is told nothing.
                    sender.blocking_send(Err(failure)).ok();
                }
            });
            Ok(parts)
        })
    }
}

/// A session's line in the list.
pub(crate) fn view(summary: &SessionSummary) -> SessionView {
    SessionView {
        id: summary.id.to_string(),
        state: summary.state.as_str().to_owned(),
        identity: summary.identity.clone(),
        subject: summary.subject.clone(),
        target: summary.target.clone(),
        role: summary.role.clone(),
        protocol: summary.protocol.clone(),
        from: String::new(),
        opened: rfc3339(summary.opened),
        closed: summary.closed.map(rfc3339),
        reason: Some(summary.reason.clone()).filter(|reason| !reason.is_empty()),
        commands: summary.commands,
        denied: Some(summary.denied),
        held: Some(summary.held),
        bytes: Some(summary.size),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LibraryError> + Send + 'static,
) -> Result<T, ReadFailure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(failure),
        Err(_) => Err(ReadFailure::Damaged("the reader stopped".to_owned())),
    }
}

fn failure(error: LibraryError) -> ReadFailure {
    match error {
        LibraryError::Unknown(_) => ReadFailure::NotFound,
        other => ReadFailure::Damaged(other.to_string()),
    }
}

/// The command that a cast is of: the one that was named, or the one that is picked of what is there.
async fn shown(library: Arc<Library>, id: SessionId, named: Option<u64>) -> Result<u64, ReadFailure> {
    if let Some(number) = named {
        return Ok(number);
    }
    let picked = blocking(move || match library.bytes(id) {
        // Of a session that was opened just now there is nothing yet.
        Err(LibraryError::Missing(_)) if is_live(&library, id) => Ok(None),
        file => Ok(record::pick_command(file?).ok().flatten()),
    });
    picked.await?.ok_or(ReadFailure::NothingShown)
}

fn export(
    library: &Arc<Library>,
    id: SessionId,
    reading: Reading,
    sender: &Sender<Result<Bytes, ReadFailure>>,
) -> Result<(), ReadFailure> {
    let source = open(library, id, reading.follow, sender).map_err(failure)?;
    let mut out = Out { sender, part: Vec::new(), at_once: reading.follow };
    let command = reading.command.unwrap_or_default();
    let done = match reading.format {
        Format::Jsonl => record::json_lines(source, &mut out).map(drop),
        Format::Ocsf => record::ocsf(source, &mut out).map(drop),
        Format::Asciicast => record::asciicast(source, CastVersion::V2, command, &mut out).map(drop),
        Format::AsciicastV3 => record::asciicast(source, CastVersion::V3, command, &mut out).map(drop),
        Format::Text => {
            let options = Options { rows: reading.rows, colour: reading.color, ..Options::default() };
            record::render(source, &options, &mut out).map(drop)
        }
    };
    // A reader that went away needs nothing more.
    out.flush().ok();
    match done {
        Ok(()) | Err(ExportError::Write(_)) => Ok(()),
        // The scribe was in the middle of a frame: the whole ones before it are what there is now.
        Err(ExportError::Read(ReadError::Damaged(damage)))
            if damage.reason == Reason::Truncated && is_live(library, id) =>
        {
            Ok(())
        }
        Err(ExportError::Read(error)) => Err(ReadFailure::Damaged(error.to_string())),
    }
}

fn open(
    library: &Arc<Library>,
    id: SessionId,
    follow: bool,
    sender: &Sender<Result<Bytes, ReadFailure>>,
) -> Result<Followed, LibraryError> {
    let started = std::time::Instant::now();
    let file = loop {
        match library.bytes(id) {
            Err(LibraryError::Missing(_)) if started.elapsed() < APPEARS_WITHIN && is_live(library, id) => {
                std::thread::sleep(LOOK_AGAIN)
            }
            other => break other?,
        }
    };
    Ok(Followed { file, library: Arc::clone(library), id, follow, over: false, sender: sender.clone() })
}

fn is_live(library: &Library, id: SessionId) -> bool {
    library.summary(id).is_ok_and(|summary| summary.state == SessionState::Live)
}

/// A recording as one long read: at the end of a live one it waits for more, when it is followed.
struct Followed {
    file: io::BufReader<std::fs::File>,
    library: Arc<Library>,
    id: SessionId,
    follow: bool,
    over: bool,
    sender: Sender<Result<Bytes, ReadFailure>>,
}

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            if read > 0 || !self.follow || self.over {
                return Ok(read);
            }
            if self.sender.is_closed() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            // Asked before the last look at the file: what was written until the end is then still read.
            self.over = !is_live(&self.library, self.id);
            if !self.over {
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }
}

/// Collects what an export writes into parts.
struct Out<'a> {
    sender: &'a Sender<Result<Bytes, ReadFailure>>,
    part: Vec<u8>,
    /// Whether each line is handed on as it comes, for whoever watches.
    at_once: bool,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART || (self.at_once && bytes.ends_with(b"\n")) {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = Bytes::from(std::mem::take(&mut self.part));
        self.sender.blocking_send(Ok(part)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
