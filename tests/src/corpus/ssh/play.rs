//! Plays the steps of an SSH case with the raw client and keeps what came back of each.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use ssh::wire::channel::{self, Message, Open};
use ssh::wire::{Cursor, encode, number};

use super::super::case::{Case, Step};
use super::sftp::{self, Answer as Reply, Op};
use crate::kit::ssh_wire::{Next, SshWire};

/// How long an answer may take. A hold of the corpus' policies ends after 2 seconds.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a channel may be quiet at the end before it is closed.
const QUIET: Duration = Duration::from_secs(4);
/// How long bytes wait for the window that they need.
const WINDOW: Duration = Duration::from_secs(2);
/// More than this is not read.
const ENOUGH: usize = 32 * 1024 * 1024;

/// What one step was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The login.
    Login,
    /// A program, by its text.
    Exec(Vec<u8>),
    /// A variable.
    Env(String, String),
    /// Another request about a channel.
    Request(String),
    /// A request about the connection.
    Global(String),
    /// A channel.
    Open(String),
    /// Bytes for a program.
    Data,
    /// An operation on files, and how the server's log begins its line.
    File(Option<&'static str>),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Granted,
    /// No, in these words.
    Refused(String),
    /// Nothing that tells.
    Nothing,
}

/// A step and what came of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// The step.
    pub what: What,
    /// What came of it.
    pub answer: Answer,
}

/// A case, played.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Steps in order. Those after a closed connection are missing.
    pub steps: Vec<Done>,
    /// What the client could read, streams one after the other.
    pub received: Vec<u8>,
    /// Exit statuses in the order of the channels.
    pub exits: Vec<Option<u32>>,
}

/// A channel of the client.
#[derive(Default)]
struct Channel {
    /// The other side's number.
    number: u32,
    out: Vec<u8>,
    err: Vec<u8>,
    exit: Option<u32>,
    closed: bool,
    window: u64,
    /// The step that started a program here.
    started: Option<usize>,
    /// How much of `out` was read as answers of the SFTP server.
    read: usize,
}

/// Plays a case.
///
/// # Errors
/// When a step is not understood, or nothing listens. A refusal is not an error.
pub fn play(case: &Case, port: u16, user: &str, password: &str) -> Result<Played> {
    let mut wire = SshWire::connect(port)?;
    let welcome = wire.login(user, password)?;
    let mut player =
        Player { wire, channels: Vec::new(), answers: VecDeque::new(), gone: !welcome, played: Played::default() };
    if !welcome {
        player.did(What::Login, Answer::Refused("at login".to_owned()));
    }
    for step in &case.steps {
        if player.gone {
            break;
        }
        match step {
            Step::Query(text) => {
                player.open("session", &[])?;
                player.exec(text)?;
            }
            Step::Message(kind, fields) => player.message(kind, fields)?,
            Step::Direction(words) => bail!("a stage direction that is not known: ({words})"),
        }
    }
    player.settle()?;
    Ok(player.finish())
}

struct Player {
    wire: SshWire,
    channels: Vec<Channel>,
    answers: VecDeque<Answer>,
    gone: bool,
    played: Played,
}

impl Player {
    fn did(&mut self, what: What, answer: Answer) {
        self.played.steps.push(Done { what, answer });
    }

    fn message(&mut self, kind: &str, fields: &Map<String, Value>) -> Result<()> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        match kind {
            "channel-open" => {
                let kind = text("type").context("a channel without `type`")?;
                self.open(kind, &open_rest(kind, fields)?)
            }
            "channel-request" => self.request(text("type").context("a request without `type`")?, fields),
            "channel-data" => self.data(&bytes(fields)?),
            "channel-eof" => self.bare(number::CHANNEL_EOF),
            "channel-close" => self.bare(number::CHANNEL_CLOSE),
            "global-request" => {
                let kind = text("type").context("a request without `type`")?;
                self.send(&channel::global(kind, true, &global_rest(kind, fields)?))?;
                let answer = match self.answer()? {
                    // Any answer is what a keepalive is for.
                    Answer::Refused(_) if kind.starts_with("keepalive") => Answer::Granted,
                    other => other,
                };
                self.did(What::Global(kind.to_owned()), answer);
                Ok(())
            }
            "sftp" => self.file(fields),
            other => bail!("a message of unknown kind {other:?}"),
        }
    }

    fn open(&mut self, kind: &str, rest: &[u8]) -> Result<()> {
        let sender = u32::try_from(self.channels.len())?;
        self.channels.push(Channel::default());
        self.send(&channel::open(&Open { kind, sender, window: 1 << 30, packet: 32768, rest }))?;
        let answer = self.answer()?;
        if answer != Answer::Granted {
            self.channels.pop();
        }
        self.did(What::Open(kind.to_owned()), answer);
        Ok(())
    }

    fn request(&mut self, kind: &str, fields: &Map<String, Value>) -> Result<()> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut rest = Vec::new();
        match kind {
            "exec" => return self.exec(&exec_text(fields)?),
            "env" => {
                encode::string(&mut rest, text("name").as_bytes());
                encode::string(&mut rest, text("value").as_bytes());
                let answer = self.ask(kind, &rest)?;
                self.did(What::Env(text("name").to_owned(), text("value").to_owned()), answer);
                return Ok(());
            }
            "subsystem" => encode::string(&mut rest, text("name").as_bytes()),
            "pty-req" => {
                encode::string(&mut rest, b"xterm");
                rest.extend_from_slice(&[0, 0, 0, 80, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0]);
                encode::string(&mut rest, b"\0");
            }
            "window-change" => rest.extend_from_slice(&[0, 0, 0, 80, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0]),
            "signal" => {
                encode::string(&mut rest, if text("name").is_empty() { b"TERM" } else { text("name").as_bytes() })
            }
            "x11-req" => {
                encode::boolean(&mut rest, false);
                encode::string(&mut rest, b"MIT-MAGIC-COOKIE-1");
                encode::string(&mut rest, b"0123456789abcdef0123456789abcdef");
                encode::u32(&mut rest, 0);
            }
            _ => {}
        }
        let answer = self.ask(kind, &rest)?;
        let started = matches!(kind, "shell" | "subsystem") && answer == Answer::Granted;
        self.did(What::Request(kind.to_owned()), answer);
        if started {
            self.start_of_program();
        }
        if kind == "subsystem" && text("name") == "sftp" && started {
            self.data_now(sftp::INIT)?;
            self.reply()?;
        }
        Ok(())
    }

    fn exec(&mut self, command: &[u8]) -> Result<()> {
        if self.gone || self.channels.is_empty() {
            return Ok(());
        }
        let mut rest = Vec::new();
        encode::string(&mut rest, command);
        let answer = self.ask("exec", &rest)?;
        let started = answer == Answer::Granted;
        self.did(What::Exec(command.to_vec()), answer);
        if started {
            self.start_of_program();
        }
        Ok(())
    }

    fn start_of_program(&mut self) {
        let step = self.played.steps.len().checked_sub(1);
        if let Some(channel) = self.channels.last_mut() {
            channel.started = step;
        }
    }

    /// Asks something of the newest channel.
    fn ask(&mut self, kind: &str, rest: &[u8]) -> Result<Answer> {
        let Some(channel) = self.channels.last() else { return Ok(Answer::Refused("there is no channel".to_owned())) };
        self.send(&channel::request(channel.number, kind, true, rest))?;
        self.answer()
    }

    fn bare(&mut self, kind: u8) -> Result<()> {
        let message = self.channels.last().map(|channel| channel::bare(kind, channel.number));
        message.map_or(Ok(()), |message| self.send(&message))
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = self.data_now(bytes)?;
        let why = "nobody reads the input of a program that did not start";
        self.did(What::Data, if sent { Answer::Nothing } else { Answer::Refused(why.to_owned()) });
        Ok(())
    }

    /// Sends bytes to the newest channel as its window allows; `false` when it never does.
    fn data_now(&mut self, bytes: &[u8]) -> Result<bool> {
        let Some(at) = self.channels.len().checked_sub(1) else { return Ok(false) };
        for part in bytes.chunks(16384) {
            let until = Instant::now() + WINDOW;
            let room = |channel: &Channel| channel.window >= part.len() as u64;
            while self.channels.get(at).is_some_and(|channel| !room(channel) && !channel.closed) && self.turn(until)? {}
            let Some(channel) = self.channels.get_mut(at).filter(|channel| room(channel) && !channel.closed) else {
                return Ok(false);
            };
            channel.window -= part.len() as u64;
            let mut message = Vec::new();
            channel::data(&mut message, channel.number, None, part);
            self.send(&message)?;
        }
        Ok(true)
    }

    fn file(&mut self, fields: &Map<String, Value>) -> Result<()> {
        let op = sftp::op(fields)?;
        let answer = match self.operate(&op)? {
            None => Answer::Refused("no answer: there is no SFTP server".to_owned()),
            Some(reply) => reply.failure().map_or(Answer::Granted, Answer::Refused),
        };
        self.did(What::File(sftp::logged(fields)), answer);
        Ok(())
    }

    fn operate(&mut self, op: &Op) -> Result<Option<Reply>> {
        let packet = match op {
            Op::Packet(packet) => return self.exchange(packet),
            Op::File { open, .. } | Op::Directory(open) | Op::Handle { open, .. } | Op::Copy { from: open, .. } => open,
        };
        let opened = self.exchange(packet)?;
        let Some(handle) = opened.as_ref().filter(|reply| reply.kind == sftp::HANDLE).map(Reply::bytes) else {
            return Ok(opened);
        };
        match op {
            Op::Packet(_) => Ok(opened),
            Op::File { writes: true, .. } => {
                let wrote = self.exchange(&sftp::write(&handle))?;
                self.exchange(&sftp::close(&handle))?;
                Ok(wrote)
            }
            Op::File { writes: false, .. } => {
                let mut at = 0;
                loop {
                    let reply = self.exchange(&sftp::read(&handle, at))?;
                    match reply {
                        Some(reply) if reply.kind == sftp::DATA && at < ENOUGH as u64 => {
                            at += reply.bytes().len() as u64
                        }
                        other => return Ok(other),
                    }
                }
            }
            Op::Directory(_) => self.exchange(&sftp::readdir(&handle)),
            Op::Handle { kind, rest, .. } => self.exchange(&sftp::with_handle(*kind, &handle, rest)),
            Op::Copy { to, .. } => {
                let opened = self.exchange(to)?;
                match opened.as_ref().filter(|reply| reply.kind == sftp::HANDLE).map(Reply::bytes) {
                    Some(to) => self.exchange(&sftp::copy(&handle, &to)),
                    None => Ok(opened),
                }
            }
        }
    }

    fn exchange(&mut self, packet: &[u8]) -> Result<Option<Reply>> {
        if !self.data_now(packet)? {
            return Ok(None);
        }
        self.reply()
    }

    /// The next packet of the SFTP server on the newest channel.
    fn reply(&mut self) -> Result<Option<Reply>> {
        let until = Instant::now() + ANSWER;
        loop {
            let Some(channel) = self.channels.last_mut() else { return Ok(None) };
            let unread = channel.out.get(channel.read..).unwrap_or_default();
            let len = Cursor::new(unread).u32().ok().map(|len| len as usize);
            if let Some(packet) = len.and_then(|len| unread.get(4..4 + len)) {
                let reply = Reply::read(packet)?;
                channel.read += packet.len() + 4;
                return Ok(Some(reply));
            }
            if channel.closed || !self.turn(until)? {
                return Ok(None);
            }
        }
    }

    fn send(&mut self, message: &[u8]) -> Result<()> {
        // Who is gone does not read; what was said before is still there to be read.
        if self.wire.send(message).is_err() {
            self.gone = true;
        }
        Ok(())
    }

    /// The next answer to something that was asked.
    fn answer(&mut self) -> Result<Answer> {
        let until = Instant::now() + ANSWER;
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Ok(answer);
            }
            if !self.turn(until)? {
                return Ok(if self.gone {
                    Answer::Refused("the connection was ended".to_owned())
                } else {
                    Answer::Nothing
                });
            }
        }
    }

    /// Takes one message; `false` when none came in time or none will.
    fn turn(&mut self, until: Instant) -> Result<bool> {
        match self.wire.next(until)? {
            Next::Message(message) => self.take(&message).map(|()| true),
            Next::Silent => Ok(false),
            Next::Closed => {
                self.gone = true;
                Ok(false)
            }
        }
    }

    fn take(&mut self, message: &[u8]) -> Result<()> {
        let Ok(message) = Message::read(message) else { return Ok(()) };
        match message {
            Message::Success { .. } | Message::GlobalSuccess { .. } => self.answers.push_back(Answer::Granted),
            Message::Failure { .. } | Message::GlobalFailure => {
                self.answers.push_back(Answer::Refused("the request failed".to_owned()));
            }
            Message::OpenFailure { reason, .. } => {
                self.answers.push_back(Answer::Refused(format!("the channel failed to open, reason {reason}")));
            }
            Message::Confirmation { recipient, sender, window, .. } => {
                if let Some(channel) = self.channel(recipient) {
                    (channel.number, channel.window) = (sender, window.into());
                }
                self.answers.push_back(Answer::Granted);
            }
            Message::Open(open) => self.send(&channel::open_failure(open.sender, channel::PROHIBITED, ""))?,
            Message::Global { reply: true, .. } => self.send(&[number::REQUEST_FAILURE])?,
            Message::Global { reply: false, .. } | Message::Eof { .. } => {}
            Message::Adjust { recipient, bytes } => {
                if let Some(channel) = self.channel(recipient) {
                    channel.window += u64::from(bytes);
                }
            }
            Message::Data { recipient, data } => {
                if let Some(channel) = self.channel(recipient) {
                    channel.out.extend_from_slice(data);
                }
            }
            Message::Extended { recipient, data, .. } => {
                if let Some(channel) = self.channel(recipient) {
                    channel.err.extend_from_slice(data);
                }
            }
            Message::Close { recipient } => {
                if let Some(channel) = self.channel(recipient)
                    && !std::mem::replace(&mut channel.closed, true)
                {
                    let close = channel::bare(number::CHANNEL_CLOSE, channel.number);
                    self.send(&close)?;
                }
            }
            Message::Request { recipient, kind, rest, .. } => {
                let exit = Cursor::new(rest).u32().ok().filter(|_| kind == "exit-status");
                if let Some(channel) = self.channel(recipient) {
                    channel.exit = exit.or(channel.exit);
                }
            }
        }
        Ok(())
    }

    fn channel(&mut self, number: u32) -> Option<&mut Channel> {
        self.channels.get_mut(usize::try_from(number).ok()?)
    }

    /// Ends the input of every program and waits until they are through, or quiet.
    fn settle(&mut self) -> Result<()> {
        let open: Vec<u32> =
            self.channels.iter().filter(|channel| !channel.closed).map(|channel| channel.number).collect();
        for number in open {
            self.send(&channel::bare(number::CHANNEL_EOF, number))?;
        }
        let most = Instant::now() + ANSWER;
        while !self.gone && self.channels.iter().any(|channel| !channel.closed) {
            let size: usize = self.channels.iter().map(|channel| channel.out.len()).sum();
            if Instant::now() > most || size > ENOUGH || !self.turn(Instant::now() + QUIET)? {
                break;
            }
        }
        Ok(())
    }

    /// A program that was told that it may not run says so on standard error, which is the answer to its step.
    fn finish(mut self) -> Played {
        for channel in &self.channels {
            let said = String::from_utf8_lossy(&channel.err).into_owned();
            let not_run = said.contains("sallyport: ") && matches!(channel.exit, Some(126) | None);
            if let Some(step) = channel.started.and_then(|at| self.played.steps.get_mut(at))
                && not_run
            {
                step.answer = Answer::Refused(said.trim().to_owned());
            }
            self.played.received.extend_from_slice(&channel.out);
            self.played.received.push(b'\n');
            self.played.received.extend_from_slice(&channel.err);
            self.played.exits.push(channel.exit);
        }
        self.played
    }
}

fn bytes(fields: &Map<String, Value>) -> Result<Vec<u8>> {
    match fields.get("data").and_then(Value::as_str) {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => super::super::case::text_of(fields),
    }
}

/// The text of a program: `command`, or what [`text_of`](super::super::case::text_of) knows.
pub fn exec_text(fields: &Map<String, Value>) -> Result<Vec<u8>> {
    match fields.get("command").and_then(Value::as_str) {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => super::super::case::text_of(fields),
    }
}

fn port_of(fields: &Map<String, Value>, names: &[&str]) -> u32 {
    let port = names.iter().find_map(|name| fields.get(*name)?.as_u64());
    port.and_then(|port| u32::try_from(port).ok()).unwrap_or(0)
}

fn text_in<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> &'a str {
    names.iter().find_map(|name| fields.get(*name)?.as_str()).unwrap_or_default()
}

/// What a channel's kind has behind the common fields (RFC 4254, sections 6.3.2 and 7.2; OpenSSH's PROTOCOL, section 2.4).
fn open_rest(kind: &str, fields: &Map<String, Value>) -> Result<Vec<u8>> {
    let mut rest = Vec::new();
    match kind {
        "session" => {}
        "direct-tcpip" | "forwarded-tcpip" => {
            encode::string(&mut rest, text_in(fields, &["host", "address", "dest", "to"]).as_bytes());
            encode::u32(&mut rest, port_of(fields, &["port"]));
            encode::string(&mut rest, b"127.0.0.1");
            encode::u32(&mut rest, 40_000);
        }
        "direct-streamlocal@openssh.com" => {
            encode::string(&mut rest, text_in(fields, &["path", "socket"]).as_bytes());
            encode::string(&mut rest, b"");
            encode::u32(&mut rest, 0);
        }
        "x11" => {
            encode::string(&mut rest, b"127.0.0.1");
            encode::u32(&mut rest, 40_000);
        }
        "tun@openssh.com" => rest.extend_from_slice(&[0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]),
        "auth-agent@openssh.com" => {}
        other => bail!("a channel of unknown kind {other:?}"),
    }
    Ok(rest)
}

fn global_rest(kind: &str, fields: &Map<String, Value>) -> Result<Vec<u8>> {
    let mut rest = Vec::new();
    match kind.trim_start_matches("cancel-") {
        "tcpip-forward" => {
            encode::string(&mut rest, text_in(fields, &["address", "bind", "host"]).as_bytes());
            encode::u32(&mut rest, port_of(fields, &["port"]));
        }
        "streamlocal-forward@openssh.com" => {
            encode::string(&mut rest, text_in(fields, &["path", "socket"]).as_bytes());
        }
        "keepalive@openssh.com" | "no-more-sessions@openssh.com" | "hostkeys-prove-00@openssh.com" => {}
        other => bail!("a request of unknown kind {other:?}"),
    }
    Ok(rest)
}
