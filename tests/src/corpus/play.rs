//! Plays the steps of a case on a raw connection and keeps everything that came back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::case::{Case, Conditions, Step, text_of, unhex};
use crate::kit::dsn::Dsn;
use crate::kit::message::{self, Message};
use crate::kit::postgres::Server;
use crate::kit::wire::{Next, Wire, send_cancel};

/// How long one answer may take. A hold of the corpus' policies ends after 2 seconds.
const ANSWER: Duration = Duration::from_secs(15);
/// How long a server that skips until `Sync` may be silent before the play goes on.
const SKIPPING: Duration = Duration::from_millis(700);
/// More than this of one answer is not read: what leaks, leaks before.
const ENOUGH: usize = 32 * 1024 * 1024;
/// How long `(no further traffic)` keeps still.
const NO_TRAFFIC: Duration = Duration::from_secs(4);
/// How often a `(repeat)` repeats.
const REPEATS: usize = 1_100;

/// How an answer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With `ReadyForQuery`.
    Ready,
    /// No end is due yet: a message before `Sync`, COPY data.
    Open,
    /// The other side closed the connection.
    Closed,
    /// Nothing came in time, or far too much came.
    Silent,
}

/// What one step sent and what came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The SQL texts to which this may be the answer.
    pub texts: Vec<Vec<u8>>,
    /// Every message that came.
    pub messages: Vec<Message>,
    /// How it ended.
    pub end: End,
}

/// A case, played.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Answers in order.
    pub replies: Vec<Reply>,
    /// The connection was refused with this message.
    pub refused_at_startup: Option<Message>,
    /// Why the set-up around the input did not work.
    pub staging: Option<String>,
    /// Every byte received after login and set-up.
    pub received: Vec<u8>,
    /// Whether a `CancelRequest` ended the statement of somebody else.
    pub cancelled_other: Option<bool>,
    /// The connection was closed while the client kept still.
    pub ended_idle: bool,
}

/// Where a case is played.
pub struct Stage<'a> {
    /// The way in, as the role of the case.
    pub dsn: Dsn,
    /// The server behind it, for what an attacker knows from elsewhere (OIDs, another session's key).
    pub server: &'a Server,
}

/// Plays a case.
///
/// # Errors
/// When a step cannot be understood or the connection cannot be made at all. A refusal is not an error.
pub fn play(case: &Case, stage: &Stage<'_>) -> Result<Played> {
    let mut player = Player {
        stage,
        conditions: &case.conditions,
        wire: None,
        from: 0,
        pending: Vec::new(),
        copying: false,
        played: Played::default(),
    };
    for (at, step) in case.steps.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| case.steps.get(at));
        if !player.step(step, before, case.steps.get(at + 1..).unwrap_or_default())? {
            break;
        }
    }
    player.settle()?;
    player.keep_received();
    Ok(player.played)
}

struct Player<'a> {
    stage: &'a Stage<'a>,
    conditions: &'a Conditions,
    wire: Option<Wire>,
    /// Where the bytes of interest begin in what the connection has received.
    from: usize,
    /// Texts of messages sent since the last `ReadyForQuery`.
    pending: Vec<Vec<u8>>,
    copying: bool,
    played: Played,
}

impl Player<'_> {
    /// Does one step; `false` when nothing more can be done.
    fn step(&mut self, step: &Step, before: Option<&Step>, after: &[Step]) -> Result<bool> {
        match step {
            Step::Query(text) => {
                if !self.connected()? {
                    return Ok(false);
                }
                self.query(text, feeds(after))
            }
            Step::Direction(words) => self.direct(words, before),
            Step::Message(kind, fields) => match kind.as_str() {
                "StartupMessage" => self.startup(fields),
                "CancelRequest" => self.cancel(fields),
                _ => {
                    if !self.connected()? {
                        return Ok(false);
                    }
                    self.message(kind, fields)
                }
            },
        }
    }

    fn wire(&mut self) -> Result<&mut Wire> {
        self.wire.as_mut().context("no connection")
    }

    /// Makes sure that there is a connection with the set-up of the case; `false` when it was refused.
    fn connected(&mut self) -> Result<bool> {
        if self.wire.is_some() {
            return Ok(true);
        }
        let mut parameters = vec![
            ("user".to_owned(), self.stage.dsn.user.clone()),
            ("database".to_owned(), self.stage.dsn.database.clone()),
        ];
        if let Some(options) = &self.conditions.startup_options {
            parameters.push(("options".to_owned(), options.clone()));
        }
        if !self.login(&parameters)? {
            return Ok(false);
        }
        for text in &self.conditions.inside.clone() {
            let answers = self.wire()?.query(text)?;
            if let Some(error) = answers.iter().find(|answer| answer.tag == b'E') {
                self.played.staging = Some(format!("{text}: {}", error.describe()));
                return Ok(false);
            }
        }
        self.from = self.wire()?.received().len();
        Ok(true)
    }

    fn login(&mut self, parameters: &[(String, String)]) -> Result<bool> {
        self.keep_received();
        let mut wire = Wire::open(&self.stage.dsn)?;
        let answers = wire.start(parameters, &self.stage.dsn.user, &self.stage.dsn.password)?;
        let last = answers.last().cloned();
        self.from = wire.received().len();
        if last.as_ref().map(|last| last.tag) == Some(b'Z') {
            self.wire = Some(wire);
            return Ok(true);
        }
        let nothing = Message { tag: b'E', body: b"SFATAL\0C08006\0Mclosed without a word\0\0".to_vec() };
        self.played.refused_at_startup = Some(last.unwrap_or(nothing));
        Ok(false)
    }

    /// A connection with the parameters of the case; the names of user and database are those of the stage.
    fn startup(&mut self, fields: &Map<String, Value>) -> Result<bool> {
        let mut parameters = Vec::new();
        for (name, value) in fields.iter().filter(|(name, _)| *name != "msg") {
            let value = match name.as_str() {
                "user" => self.stage.dsn.user.clone(),
                "database" => self.stage.dsn.database.clone(),
                _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            };
            parameters.push((name.clone(), value));
        }
        self.wire = None;
        self.login(&parameters)
    }

    fn query(&mut self, text: &[u8], fed_later: bool) -> Result<bool> {
        self.pending.push(text.to_vec());
        self.wire()?.send(&message::query(text))?;
        self.read(fed_later)
    }

    fn direct(&mut self, words: &str, before: Option<&Step>) -> Result<bool> {
        match (words, before) {
            ("repeat", Some(Step::Query(text))) => {
                for _ in 0..REPEATS {
                    let going = self.query(text, false)?;
                    let failed =
                        self.played.replies.last().is_some_and(|reply| reply.messages.iter().any(|m| m.tag == b'E'));
                    if !going || failed {
                        return Ok(going);
                    }
                }
                Ok(true)
            }
            ("no further traffic", _) => {
                self.played.ended_idle = self.wire()?.closes_within(NO_TRAFFIC)?;
                Ok(!self.played.ended_idle)
            }
            _ => bail!("a stage direction that is not known: ({words})"),
        }
    }

    fn cancel(&mut self, fields: &Map<String, Value>) -> Result<bool> {
        let number = |name: &str| fields.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
        if let (Some(pid), Some(key)) = (number("pid"), number("secret")) {
            send_cancel(&self.stage.dsn, pid, &key.to_be_bytes())?;
            return Ok(true);
        }
        // Another session's real key, as an attacker may have it: the other one is on the server, not behind the gateway.
        let mut other = self.stage.server.admin(&self.stage.server.app("app").database)?;
        let (pid, key) = other.key.clone().context("the server gave no key")?;
        other.send(&message::query(b"SELECT pg_sleep(1.5)"))?;
        std::thread::sleep(Duration::from_millis(200));
        send_cancel(&self.stage.dsn, pid, &key)?;
        let answers = other.until_ready(ANSWER)?;
        self.played.cancelled_other = Some(answers.iter().any(|answer| answer.tag == b'E'));
        Ok(true)
    }

    fn message(&mut self, kind: &str, fields: &Map<String, Value>) -> Result<bool> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let bytes = match kind {
            "Parse" => {
                let sql = text_of(fields)?;
                self.pending.push(sql.clone());
                message::parse(text("name"), &sql, &oids(fields.get("types")))
            }
            "Bind" => {
                let format = u16::from(fields.get("format").and_then(Value::as_str) == Some("binary"));
                let results = u16::from(fields.get("result_format").and_then(Value::as_str) == Some("binary"));
                message::bind(text("portal"), text("statement"), &values(fields.get("params"))?, format, results)
            }
            "Describe" => message::named(b'D', which(fields), text("name")),
            "Close" => message::named(b'C', which(fields), text("name")),
            "Execute" => {
                let rows = fields.get("max_rows").and_then(Value::as_u64).unwrap_or(0);
                message::execute(text("portal"), u32::try_from(rows)?)
            }
            "Flush" => message::framed(b'H', &[]),
            "Sync" => message::sync(),
            "FunctionCall" => message::function_call(self.oid(text("function"))?, &values(fields.get("args"))?),
            "CopyData" => message::framed(b'd', &data(fields)?),
            "CopyDone" => message::framed(b'c', &[]),
            "CopyFail" => message::framed(b'f', b"given up\0"),
            "Terminate" => message::framed(b'X', &[]),
            "Raw" => unhex(text("bytes_hex"))?,
            other => bail!("a message of unknown kind {other:?}"),
        };
        self.wire()?.send(&bytes)?;
        match kind {
            "Sync" | "FunctionCall" => self.read(false),
            "CopyDone" | "CopyFail" if self.copying => self.read(false),
            _ => Ok(true),
        }
    }

    fn oid(&self, function: &str) -> Result<u32> {
        let quoted = function.replace('\'', "''");
        let oid = self.stage.server.admin("app")?.value(&format!("SELECT '{quoted}'::regprocedure::oid"))?;
        oid.parse().with_context(|| format!("the OID of {function}"))
    }

    /// Reads an answer to its end; `false` when the connection is of no more use.
    fn read(&mut self, fed_later: bool) -> Result<bool> {
        let copy_in = self.conditions.copy_in.clone();
        let batched = self.pending.len() > 1;
        let wire = self.wire.as_mut().context("no connection")?;
        let start = wire.received().len();
        let until = Instant::now() + ANSWER;
        let mut messages = Vec::new();
        let mut failed = false;
        self.copying = false;
        let end = loop {
            // After an error in a batch, a server skips everything up to `Sync`, simple queries included.
            let patience = if failed && batched { until.min(Instant::now() + SKIPPING) } else { until };
            match wire.next(patience)? {
                Next::Closed => break End::Closed,
                Next::Silent if failed && batched => break End::Open,
                Next::Silent => break End::Silent,
                Next::Message(message) => {
                    let tag = message.tag;
                    messages.push(message);
                    match tag {
                        b'Z' => break End::Ready,
                        b'E' => failed = true,
                        b'G' if fed_later => {
                            self.copying = true;
                            break End::Open;
                        }
                        b'G' => feed(wire, copy_in.as_deref())?,
                        b'W' => wire.send(&message::framed(b'c', &[]))?,
                        _ => {}
                    }
                }
            }
            if wire.received().len() - start > ENOUGH {
                break End::Silent;
            }
        };
        let texts = match end {
            End::Open => self.pending.clone(),
            End::Ready | End::Closed | End::Silent => std::mem::take(&mut self.pending),
        };
        self.played.replies.push(Reply { texts, messages, end });
        Ok(matches!(end, End::Ready | End::Open))
    }

    /// Ends the play as an attacker would: what waits for `Sync` gets it, and an open transaction is committed.
    fn settle(&mut self) -> Result<()> {
        let open_end = self.played.replies.last().map(|reply| reply.end);
        if self.wire.is_none() || matches!(open_end, Some(End::Closed | End::Silent)) {
            return Ok(());
        }
        if !self.pending.is_empty() && !self.copying {
            self.wire()?.send(&message::sync())?;
            self.read(false)?;
        }
        let last =
            self.played.replies.iter().rev().find_map(|reply| reply.messages.iter().rev().find(|m| m.tag == b'Z'));
        if last.is_some_and(|ready| ready.body == b"T") {
            // Not one of the case's own steps: its answer is not judged, but what it carries could still leak.
            self.wire()?.query("COMMIT")?;
        }
        Ok(())
    }

    fn keep_received(&mut self) {
        if let Some(wire) = &self.wire {
            let bytes = wire.received().get(self.from..).unwrap_or_default().to_vec();
            self.played.received.extend(bytes);
        }
    }
}

/// Whether the next step brings the data of a COPY.
fn feeds(after: &[Step]) -> bool {
    matches!(after.first(), Some(Step::Message(kind, _)) if kind.starts_with("Copy"))
}

fn feed(wire: &mut Wire, data: Option<&str>) -> Result<()> {
    match data {
        Some(data) => {
            wire.send(&message::framed(b'd', data.as_bytes()))?;
            wire.send(&message::framed(b'c', &[]))
        }
        None => wire.send(&message::framed(b'f', b"no data\0")),
    }
}

fn data(fields: &Map<String, Value>) -> Result<Vec<u8>> {
    match fields.get("bytes").and_then(Value::as_str) {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => text_of(fields),
    }
}

fn which(fields: &Map<String, Value>) -> u8 {
    let what = ["kind", "what", "type"].iter().find_map(|name| fields.get(*name)?.as_str()).unwrap_or("portal");
    if what.to_ascii_lowercase().starts_with('s') { b'S' } else { b'P' }
}

fn oids(value: Option<&Value>) -> Vec<u32> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| u32::try_from(item.as_u64()?).ok()).collect()
}

/// Bind values: text, numbers and booleans as their text, `null`, or `{"bytes_hex": …}`.
fn values(value: Option<&Value>) -> Result<Vec<Option<Vec<u8>>>> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    let one = |item: &Value| match item {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.as_bytes().to_vec())),
        Value::Bool(_) | Value::Number(_) => Ok(Some(item.to_string().into_bytes())),
        Value::Object(fields) => text_of(fields).map(Some),
        Value::Array(_) => bail!("a list as a value"),
    };
    items.map(one).collect()
}
