//! `sessions`: through the running gateway, or from the recordings when none runs. Verifying always reads the files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use console::ports::{Format, Library as _, Reading, SessionFilter};
use console::view::{Done, Reason, SessionView};
use model::SessionId;
use record::Micros;
use store::recordings::Library;

use super::{Outcome, files};
use crate::cli::Global;
use crate::cli::session::{ExportFormat, Sessions};
use crate::client::{Client, query};
use crate::data::Layout;
use crate::output;
use crate::recordings::Shelf;
use crate::replay::{self, NoTerminal, Pace, Show};

/// Runs a `sessions` command.
///
/// # Errors
/// When recordings cannot be read, or the gateway refuses.
pub(crate) async fn run(global: &Global, command: Sessions) -> Result<Outcome> {
    match command {
        Sessions::Verify { id, json } => verify(global, id.as_deref(), json),
        Sessions::Kill { id, reason, json } => kill(global, &id, reason, json).await,
        Sessions::Ls { live, subject, target, since, limit, json } => {
            let filter = SessionFilter { subject, target, since: since.as_deref().map(time).transpose()?, limit };
            ls(&Source::find(global)?, live, &filter, json).await
        }
        Sessions::Show { id, json } => {
            let source = Source::find(global)?;
            let id = source.id(&id).await?;
            show(&source.one(id).await?, json)
        }
        Sessions::Replay { id, rows, text: true, .. } => text(global, &id, rows, false).await,
        Sessions::Replay { id, rows, text: false, speed, idle, from, command } => {
            let source = Source::find(global)?;
            let session = source.id(&id).await?;
            match load(&source, session, command).await? {
                Some(show) => replay::play(show, &Pace { speed, idle, from }).await?,
                None => return text(global, &session.to_string(), rows, false).await,
            }
            Ok(Outcome::Done)
        }
        Sessions::Tail { id, json: true, .. } => {
            let source = Source::find(global)?;
            let reading = Reading { format: Format::Jsonl, follow: true, ..PLAIN };
            source.read(source.id(&id).await?, reading, output::write_out).await?;
            Ok(Outcome::Done)
        }
        Sessions::Tail { id, rows, text: true, .. } => text(global, &id, rows, true).await,
        Sessions::Tail { id, rows, command, .. } => tail(global, &id, rows, command).await,
        Sessions::Files { id, extract, output, json } => {
            let source = Source::find(global)?;
            let session = source.id(&id).await?;
            files::run(&source, session, extract.zip(output.as_deref()), json).await
        }
        Sessions::Export { id, all, format, command, output } => {
            if all && matches!(format, ExportFormat::Asciicast | ExportFormat::AsciicastV3) {
                bail!("an asciicast is of one session: name it");
            }
            export(global, id.as_deref(), (format, command), output.as_deref()).await
        }
    }
}

/// A reading that asks for nothing in particular.
pub(super) const PLAIN: Reading =
    Reading { format: Format::Jsonl, follow: false, rows: 0, color: false, command: None };

/// Where sessions are read from.
pub(super) enum Source {
    Gateway(Client),
    Files(Shelf),
}

impl Source {
    fn find(global: &Global) -> Result<Self> {
        if let Some(client) = Client::find_running(global)? {
            return Ok(Self::Gateway(client));
        }
        let layout = Layout::new(global.places().data_dir()?);
        layout.require()?;
        Ok(Self::Files(Shelf(std::sync::Arc::new(Library::open_dir(layout.root())))))
    }

    async fn list(&self, filter: &SessionFilter, live: bool) -> Result<Vec<SessionView>> {
        match self {
            Self::Gateway(client) => {
                let pairs = [
                    ("live", live.then(|| "true".to_owned())),
                    ("subject", filter.subject.clone()),
                    ("target", filter.target.clone()),
                    ("since", filter.since.map(console::view::rfc3339)),
                    ("limit", Some(filter.limit.to_string())),
                ];
                client.get(&format!("/api/v1/sessions{}", query(&pairs))).await
            }
            Self::Files(_) if live => Ok(Vec::new()),
            Self::Files(shelf) => Ok(shelf.list(filter).await?),
        }
    }

    async fn one(&self, id: SessionId) -> Result<SessionView> {
        match self {
            Self::Gateway(client) => client.get(&format!("/api/v1/sessions/{id}")).await,
            Self::Files(shelf) => Ok(crate::recordings::view(&shelf.0.summary(id)?)),
        }
    }

    /// The id that a word means: `ses_…`, or `last` for the newest.
    async fn id(&self, word: &str) -> Result<SessionId> {
        if word != "last" {
            return Ok(word.parse()?);
        }
        let filter = SessionFilter { limit: 1, ..SessionFilter::default() };
        let newest = self.list(&filter, false).await?;
        let newest = newest.first().context("there is no session yet")?;
        Ok(newest.id.parse()?)
    }

    pub(super) async fn read(
        &self,
        id: SessionId,
        reading: Reading,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Gateway(client) => {
                let pairs = [
                    ("format", Some(reading.format.as_str().to_owned())),
                    ("command", reading.command.map(|number| number.to_string())),
                    ("follow", reading.follow.then(|| "true".to_owned())),
                    ("rows", Some(reading.rows.to_string())),
                    ("color", reading.color.then(|| "true".to_owned())),
                ];
                client.stream(&format!("/api/v1/sessions/{id}/events{}", query(&pairs)), each).await
            }
            Self::Files(shelf) => {
                let mut parts = shelf.read(id, reading).await?;
                while let Some(part) = parts.recv().await {
                    each(&part?)?;
                }
                Ok(())
            }
        }
    }
}

async fn ls(source: &Source, live: bool, filter: &SessionFilter, json: bool) -> Result<Outcome> {
    let sessions = source.list(filter, live).await?;
    if json {
        output::json(&sessions)?;
        return Ok(Outcome::Done);
    }
    let count = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let rows = sessions
        .into_iter()
        .map(|session| {
            vec![
                session.id,
                session.state,
                session.identity,
                format!("{} as {}", session.target, session.role),
                output::when(&session.opened),
                session.commands.to_string(),
                count(session.denied),
                count(session.held),
            ]
        })
        .collect();
    let empty = if live { "no session is open" } else { "no session is recorded" };
    output::table(&["id", "state", "who", "target", "opened", "commands", "denied", "held"], rows, empty)?;
    Ok(Outcome::Done)
}

fn show(session: &SessionView, json: bool) -> Result<Outcome> {
    if json {
        output::json(session)?;
        return Ok(Outcome::Done);
    }
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut fields = vec![
        ("id", session.id.clone()),
        ("state", session.state.clone()),
        ("who", session.identity.clone()),
        ("target", format!("{} as {} ({})", session.target, session.role, session.protocol)),
        ("from", session.from.clone()),
        ("opened", output::when(&session.opened)),
        ("closed", session.closed.as_deref().map(output::when).unwrap_or_default()),
        ("reason", session.reason.clone().unwrap_or_default()),
        ("commands", session.commands.to_string()),
        ("denied", number(session.denied)),
        ("held", number(session.held)),
        ("recording", session.bytes.map(|bytes| format!("{bytes} bytes")).unwrap_or_default()),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    output::fields(&fields)?;
    Ok(Outcome::Done)
}

async fn text(global: &Global, word: &str, rows: usize, follow: bool) -> Result<Outcome> {
    let source = Source::find(global)?;
    let id = source.id(word).await?;
    let reading = Reading { format: Format::Text, follow, rows, color: output::color(), command: None };
    source.read(id, reading, output::write_out).await?;
    Ok(Outcome::Done)
}

/// What a command of the session showed; nothing when no command was named and none had a terminal.
async fn load(source: &Source, id: SessionId, command: Option<u64>) -> Result<Option<Show>> {
    let mut show = Show::default();
    let reading = Reading { format: Format::Asciicast, command, ..PLAIN };
    let mut wanted = |bytes: &[u8]| match show.push(bytes)? {
        Some(header) if command.is_none() && !header.terminal => Err(NoTerminal.into()),
        _ => Ok(()),
    };
    match source.read(id, reading, &mut wanted).await {
        Err(error) if command.is_none() && !show.is_loading() => {
            tracing::debug!(%error, "the session is read as text");
            Ok(None)
        }
        Err(error) if error.is::<NoTerminal>() => Ok(None),
        Err(error) => Err(error),
        Ok(()) if show.is_empty() => bail!("command {} had no terminal and no output", command.unwrap_or_default()),
        Ok(()) => Ok(Some(show)),
    }
}

/// Follows a session: its terminal where it has one, its events as lines otherwise.
async fn tail(global: &Global, word: &str, rows: usize, command: Option<u64>) -> Result<Outcome> {
    let source = Source::find(global)?;
    let id = source.id(word).await?;
    let mut live = replay::Live::new(command.is_none());
    let reading = Reading { format: Format::Asciicast, follow: true, command, ..PLAIN };
    let followed = {
        let reading = source.read(id, reading, |bytes| live.push(bytes));
        tokio::select! {
            done = reading => done,
            () = replay::stopped() => Ok(()),
        }
    };
    let begun = live.is_loading();
    live.end()?;
    match followed {
        Err(error) if command.is_none() && (!begun || error.is::<NoTerminal>()) => {
            text(global, &id.to_string(), rows, true).await
        }
        other => other.map(|()| Outcome::Done),
    }
}

async fn export(
    global: &Global,
    word: Option<&str>,
    (format, command): (ExportFormat, Option<u64>),
    path: Option<&Path>,
) -> Result<Outcome> {
    let source = Source::find(global)?;
    let ids = match word {
        Some(word) => vec![source.id(word).await?],
        None => {
            let all = SessionFilter { limit: usize::MAX, ..SessionFilter::default() };
            let mut listed = source.list(&all, false).await?;
            // A deleted recording has nothing to export; `sessions ls` still names it.
            listed.retain(|session| session.state != "removed");
            listed.reverse();
            listed.iter().map(|session| session.id.parse()).collect::<Result<Vec<SessionId>, _>>()?
        }
    };
    let format = match format {
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Ocsf => Format::Ocsf,
        ExportFormat::Asciicast => Format::Asciicast,
        ExportFormat::AsciicastV3 => Format::AsciicastV3,
    };
    let reading = Reading { format, command, ..PLAIN };
    let mut file = path.map(create).transpose()?;
    for id in ids {
        source
            .read(id, reading, |bytes| match &mut file {
                Some((file, path)) => file.write_all(bytes).with_context(|| format!("{}: write it", path.display())),
                None => output::write_out(bytes),
            })
            .await
            .with_context(|| format!("export {id}"))?;
    }
    Ok(Outcome::Done)
}

/// A new file for this user alone: it holds what production answered.
pub(super) fn create(path: &Path) -> Result<(File, PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    Ok((file.with_context(|| format!("{}: make the file", path.display()))?, path.to_owned()))
}

async fn kill(global: &Global, id: &str, reason: String, json: bool) -> Result<Outcome> {
    let id: SessionId = id.parse()?;
    let done: Done = Client::find(global)?.post(&format!("/api/v1/sessions/{id}/kill"), &Reason { reason }).await?;
    if json {
        output::json(&done)?;
    } else {
        output::line(&format!("{id} is ended"))?;
    }
    Ok(Outcome::Done)
}

fn verify(global: &Global, id: Option<&str>, json: bool) -> Result<Outcome> {
    let layout = Layout::new(global.places().data_dir()?);
    layout.require()?;
    let library = Library::open_dir(layout.root());
    match id {
        Some(id) => verify_one(&library, id.parse()?, json),
        None => verify_all(&library, json),
    }
}

fn verify_one(library: &Library, id: SessionId, json: bool) -> Result<Outcome> {
    let result = library.verify(id, &[]);
    if json {
        let (problem, entries) = match &result {
            Ok(report) => (None, Some(report.entries)),
            Err(error) => (Some(error.to_string()), None),
        };
        output::json(
            &serde_json::json!({ "session": id, "ok": result.is_ok(), "entries": entries, "problem": problem }),
        )?;
        return Ok(Outcome::of(result.is_ok()));
    }
    match &result {
        Ok(report) => output::line(&format!(
            "{id}: whole: {} entries, {} signed, {} bytes",
            report.entries, report.signed_entries, report.size
        ))?,
        Err(error) => output::line(&format!("{id}: NOT whole: {error}"))?,
    }
    Ok(Outcome::of(result.is_ok()))
}

fn verify_all(library: &Library, json: bool) -> Result<Outcome> {
    let report = library.verify_all(&[], None)?;
    let good = report.is_sound();
    if json {
        let problems: Vec<_> = report
            .problems
            .iter()
            .map(|problem| serde_json::json!({ "session": problem.session, "problem": problem.what.to_string() }))
            .collect();
        output::json(&serde_json::json!({
            "ok": good, "sessions": report.sessions, "closed": report.closed, "recovered": report.recovered,
            "open": report.open, "removed": report.removed, "entries": report.totals.0, "bytes": report.totals.1,
            "problems": problems,
        }))?;
        return Ok(Outcome::of(good));
    }
    for problem in &report.problems {
        output::line(&problem.to_string())?;
    }
    let end = if good { "all whole" } else { "NOT whole" };
    output::line(&format!(
        "{end}: {} sessions ({} closed, {} recovered, {} open, {} deleted on purpose), {} entries, {} bytes",
        report.sessions, report.closed, report.recovered, report.open, report.removed, report.totals.0, report.totals.1
    ))?;
    Ok(Outcome::of(good))
}

fn time(text: &str) -> Result<Micros> {
    let time: jiff::Timestamp = match text.parse() {
        Ok(time) => time,
        Err(_) => bail!("--since must be a time such as 2026-11-21T08:00:00Z"),
    };
    Ok(Micros(time.as_microsecond()))
}
