//! What recorded sessions did, for judging policies by it: one pass, and no more memory than one event and what is being counted.
//!
//! - [`backtest`]: the same commands by another policy; [`masks`]: what becomes of masks on results; [`report`]: as text and JSON

pub(crate) mod backtest;
mod masks;
pub(crate) mod report;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use model::{ColumnRef, Identity, Intent, IntentId, Predicate, SessionId, Unmask};
use record::{Column, CommandEvent, Context, Event, Micros, Opened, ReadError, Reason, Used};
use store::recordings::{Filter, Library, RecordingReader, SessionState, SessionSummary};

use crate::cli::Global;
use crate::cli::policy::Which;
use crate::config::duration::Span;
use crate::data::Layout;

/// Events between two looks at the progress bar.
const STEP: u64 = 2000;

/// A session as its recording begins.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) identity: Identity,
    pub(crate) target: String,
    pub(crate) role: String,
    pub(crate) from: Option<IpAddr>,
    /// The version of the policy that let it connect.
    pub(crate) policy: String,
    /// The rules that let it connect.
    pub(crate) rules: Vec<String>,
}

/// One thing that happened in it.
pub(crate) enum Moment<'a> {
    /// It was opened.
    Opened(Micros),
    /// A command was judged.
    Command(Micros, &'a CommandEvent<'a>, Option<&'a Context<'a>>),
    /// A command ran once more.
    Again(u64),
    /// The shape of a result.
    Columns(u64, &'a [Column<'a>]),
}

/// A session that could not be read, or not to its end.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Unread {
    pub(crate) session: String,
    pub(crate) why: String,
}

/// The recorded sessions that a command asks for, oldest first.
pub(crate) struct Past {
    library: Library,
    sessions: Vec<SessionSummary>,
}

impl Past {
    /// Finds them.
    ///
    /// # Errors
    /// When there are no recordings, the index cannot be read, or a session that was named is not there.
    pub(crate) fn find(global: &Global, which: &Which) -> Result<Self> {
        let root = match &which.recordings {
            Some(dir) => data_dir_of(dir)?,
            None => {
                let layout = Layout::new(global.places().data_dir()?);
                layout.require()?;
                layout.root().to_owned()
            }
        };
        let library = Library::open_dir(&root);
        let since = which.since.as_deref().map(since).transpose()?;
        let mut sessions = library.list(&Filter { since, limit: usize::MAX, ..Filter::default() })?;
        if !which.sessions.is_empty() {
            let newest = sessions.first().map(|session| session.id);
            let mut wanted = Vec::new();
            for word in &which.sessions {
                let id = if word == "last" { newest.context("there is no session yet")? } else { word.parse()? };
                wanted.push(library.summary(id)?.id);
            }
            sessions.retain(|session| wanted.contains(&session.id));
        }
        // A recording that was deleted on purpose says nothing any more.
        sessions.retain(|session| session.state != SessionState::Removed);
        sessions.reverse();
        Ok(Self { library, sessions })
    }

    /// Reads them one after another. `each` is told what happened; `false` passes over the rest of that session.
    ///
    /// # Errors
    /// What `each` says. Sessions that cannot be read are in the answer.
    pub(crate) fn walk(&self, mut each: impl FnMut(&Session, &Moment<'_>) -> Result<bool>) -> Result<Vec<Unread>> {
        let bar = ProgressBar::new(self.sessions.iter().map(|session| session.size).sum());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        let mut unread = Vec::new();
        let mut done = 0;
        for summary in &self.sessions {
            let mut fault = None;
            let mut see = |session: &Session, moment: &Moment<'_>| match each(session, moment) {
                Ok(on) => on,
                Err(error) => {
                    fault = Some(error);
                    false
                }
            };
            let read = self.read(summary, &mut see, &|offset| bar.set_position(done + offset));
            if let Some(error) = fault {
                return Err(error);
            }
            if let Err(why) = read {
                unread.push(Unread { session: summary.id.to_string(), why });
            }
            done += summary.size;
        }
        bar.finish_and_clear();
        Ok(unread)
    }

    fn read(
        &self,
        summary: &SessionSummary,
        each: &mut dyn FnMut(&Session, &Moment<'_>) -> bool,
        progress: &dyn Fn(u64),
    ) -> Result<(), String> {
        let mut reader = self.library.open(summary.id).map_err(|error| error.to_string())?;
        let mut session = None;
        let mut events = 0_u64;
        let growing = matches!(summary.state, SessionState::Live | SessionState::Interrupted);
        loop {
            events += 1;
            if events.is_multiple_of(STEP) {
                progress(reader.offset());
            }
            if !advance(&mut reader, growing)? {
                return Ok(());
            }
            let entry = reader.entry().map_err(|error| error.to_string())?;
            let moment = match &entry.event {
                Event::Opened(opened) => {
                    session = Some(self::session(summary.id, opened)?);
                    Moment::Opened(entry.at)
                }
                Event::Values { number, .. } => Moment::Again(*number),
                Event::Columns { number, columns } => Moment::Columns(*number, columns),
                other => match other.command() {
                    Some((command, context)) => Moment::Command(entry.at, command, context),
                    None => continue,
                },
            };
            let session = session.as_ref().ok_or("it does not begin with the opening of a session")?;
            if !each(session, &moment) {
                return Ok(());
            }
        }
    }
}

/// Moves to the next event. A recording that grows, or that a crash left, ends where its last whole frame does.
fn advance(reader: &mut RecordingReader, growing: bool) -> Result<bool, String> {
    match reader.advance() {
        Err(ReadError::Damaged(damage)) if growing && damage.reason == Reason::Truncated => Ok(false),
        other => other.map_err(|error| error.to_string()),
    }
}

fn session(id: SessionId, opened: &Opened<'_>) -> Result<Session, String> {
    let identity =
        serde_json::from_str(&opened.identity).map_err(|error| format!("its identity is not readable: {error}"))?;
    let from = opened.from.parse().ok().or_else(|| opened.from.parse().ok().map(|from: SocketAddr| from.ip()));
    Ok(Session {
        id,
        identity,
        target: opened.target.to_string(),
        role: opened.role.to_string(),
        from,
        policy: opened.policy.to_string(),
        rules: opened.rules.iter().map(ToString::to_string).collect(),
    })
}

/// What a command would do, as far as the recording has it.
pub(crate) fn intent(command: &CommandEvent<'_>, context: Option<&Context<'_>>) -> Intent {
    let has = |bit| context.is_some_and(|context| context.has(bit));
    let condition = |used: &Used<'_>| {
        (used.kind != Used::IN_CLEAR).then(|| Predicate {
            relation: used.relation.to_string(),
            column: used.column.to_string(),
            equality: used.kind == Used::EQUALITY,
        })
    };
    Intent {
        id: IntentId(0),
        label: command.label.to_string(),
        actions: command.actions.to_vec(),
        flags: command.flags,
        predicates: context.iter().flat_map(|context| &context.used).filter_map(condition).collect(),
        reads: context.map(|context| context.reads.to_vec()).unwrap_or_default(),
        reads_unknown: has(Context::READS_UNKNOWN),
        moves: context.map(|context| context.moves.to_vec()).unwrap_or_default(),
        moves_unknown: has(Context::MOVES_UNKNOWN),
        reasons: Vec::new(),
    }
}

/// The columns that a command asked for in clear.
pub(crate) fn in_clear(context: Option<&Context<'_>>) -> Vec<Unmask> {
    let used = context.iter().flat_map(|context| &context.used).filter(|used| used.kind == Used::IN_CLEAR);
    used.map(|used| ColumnRef { relation: used.relation.to_string(), column: used.column.to_string() }.into()).collect()
}

/// The data directory that recordings are in: `DIR` itself, or the one above `DIR` when that is the directory of recordings.
fn data_dir_of(dir: &Path) -> Result<PathBuf> {
    let dir = std::path::absolute(dir).with_context(|| format!("{}: find it", dir.display()))?;
    if dir.join("recordings").join("heads.log").exists() {
        return Ok(dir);
    }
    match dir.parent() {
        Some(parent) if dir.ends_with("recordings") && dir.join("heads.log").exists() => Ok(parent.to_owned()),
        Some(_) | None => bail!(
            "{}: no recordings: name a data directory, or its directory `recordings` with heads.log in it",
            dir.display()
        ),
    }
}

/// `24h` ago, or a time.
fn since(text: &str) -> Result<Micros> {
    if let Ok(span) = Span::parse(text) {
        let now = jiff::Timestamp::now().as_microsecond();
        return Ok(Micros(now.saturating_sub(i64::try_from(span.get().as_micros()).unwrap_or(i64::MAX))));
    }
    let time: jiff::Timestamp =
        text.parse().ok().context("--since must be a duration such as 24h, or a time such as 2026-11-21T08:00:00Z")?;
    Ok(Micros(time.as_microsecond()))
}

/// A recorded time, for judging by it.
pub(crate) fn timestamp(at: Micros) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
