//! What a client asks of a channel: a terminal, variables, a program, signals (RFC 4254, sections 6 and 7).

use std::sync::Arc;

use model::Tool;

use super::channel::{About, Awaited, Kind, Terminal};
use super::client::unknown_of_client;
use super::program::{Message, Then, Wanted};
use super::{End, Relay, Step, terminal};
use crate::classify;
use crate::wire::channel as words;
use crate::wire::{Cursor, WireError, limits};

/// The longest name of a terminal, variable or subsystem.
const NAME: usize = 256;

/// The request that says how large a terminal is by now.
const RESIZED: &str = "window-change";

/// What becomes of a request.
enum Become {
    /// It goes on to the target; it asks for nothing that is judged.
    Pass,
    /// A terminal is asked for in these words. The target has to answer, also where the client does not want to know.
    Terminal(Vec<u8>),
    /// A program.
    Start(classify::Asked),
    /// It is judged, and goes on if it may.
    Judge(classify::Asked),
    /// It is not carried, or comes at the wrong time.
    Fail,
}

impl Relay {
    pub(super) fn request_of_client(
        &mut self,
        recipient: u32,
        kind: &str,
        reply: bool,
        rest: &[u8],
        bytes: &[u8],
    ) -> Step {
        let Some((index, channel)) = self.channel_of_client(recipient) else { return unknown_of_client() };
        if channel.held.is_some() {
            if kind == RESIZED {
                // Only the last size counts.
                channel.forget_waiting(RESIZED);
            }
            return self.wait_behind(index, bytes);
        }
        let gone = channel.target.told_close || channel.target.closed || channel.target.number.is_none();
        if gone || channel.client.told_close {
            return Ok(());
        }
        if channel.replies.len() >= limits::UNANSWERED {
            return Err(End::Client("too many unanswered requests"));
        }
        let become_ = self.meaning(index, kind, rest).map_err(|error| End::Client(error.0))??;
        let Some(number) = self.channel(recipient).and_then(|(_, channel)| channel.target.number) else {
            return unknown_of_client();
        };
        match become_ {
            Become::Pass => {
                self.expect(index, reply);
                self.pass(words::request(number, kind, reply, rest))
            }
            Become::Terminal(rest) => {
                self.await_target(index, reply, About::Terminal);
                self.pass(words::request(number, kind, true, &rest))
            }
            Become::Start(asked) => {
                let message = Message::Whole(words::request(number, kind, true, rest));
                self.start(index, Wanted { asked, message, then: Then::Begin { reply } })
            }
            Become::Judge(asked) => self.judge_request(index, &asked, reply, words::request(number, kind, reply, rest)),
            Become::Fail => {
                self.note("request", &format!("{} refused", name_of(kind)))?;
                self.own_reply(index, reply, false)
            }
        }
    }

    fn expect(&mut self, index: usize, reply: bool) {
        if reply {
            self.await_target(index, true, About::Other);
        }
    }

    fn await_target(&mut self, index: usize, pass: bool, about: About) {
        if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
            channel.replies.push_back(Awaited::Target { pass, about });
        }
    }

    fn own_reply(&mut self, index: usize, reply: bool, granted: bool) -> Step {
        if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut)
            && reply
        {
            channel.replies.push_back(Awaited::Own(granted));
        }
        self.reply_own(index)
    }

    /// A request that is no program and is judged all the same. It cannot wait for a human: the client would wait without a word.
    fn judge_request(&mut self, index: usize, asked: &classify::Asked, reply: bool, message: Vec<u8>) -> Step {
        use crate::link::socket::Framed;
        match self.session.ask(&asked.command(), Framed(message)) {
            gate::Asked::Allow(permitted, _) => {
                self.forwards.lent(&asked.text);
                self.expect(index, reply);
                self.to_target.push(permitted);
                Ok(())
            }
            gate::Asked::Deny(_) => self.own_reply(index, reply, false),
            gate::Asked::Hold(held) => {
                let (_, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                self.own_reply(index, reply, false)
            }
            gate::Asked::Close(refusal) => Err(End::Refused(refusal)),
        }
    }

    /// What a request means. The outer error is the client's, the inner the session's.
    fn meaning(&mut self, index: usize, kind: &str, rest: &[u8]) -> Result<Result<Become, End>, WireError> {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(Ok(Become::Fail)) };
        if channel.kind != Kind::Session {
            return Ok(Ok(if kind == "eow@openssh.com" { Become::Pass } else { Become::Fail }));
        }
        let running = channel.program.is_some();
        let mut cursor = Cursor::new(rest);
        let become_ = match kind {
            "pty-req" if !channel.asked && channel.terminal.is_none() => {
                let (term, columns, rows) = (named(&mut cursor)?, cursor.u32()?, cursor.u32()?);
                let (wide, high) = (cursor.u32()?, cursor.u32()?);
                let modes = terminal::modes(cursor.string()?);
                cursor.end()?;
                let instead = terminal::request(term, [columns, rows, wide, high], &modes);
                // A terminal without a name is one all the same.
                let term = if term.is_empty() { "dumb" } else { term };
                channel.terminal = Some(Terminal { term: term.to_owned(), columns, rows });
                Become::Terminal(instead)
            }
            "env" if !channel.asked => {
                let (name, value) = (cursor.string()?, cursor.string()?);
                cursor.end()?;
                // Clients send what is in their environment, whatever it is.
                match std::str::from_utf8(name) {
                    Ok(name) if is_variable(name) && !value.contains(&0) => {
                        if classify::is_looks(name, value) {
                            Become::Pass
                        } else {
                            Become::Judge(classify::environment(name))
                        }
                    }
                    Ok(_) | Err(_) => Become::Fail,
                }
            }
            RESIZED => {
                let (columns, rows) = (cursor.u32()?, cursor.u32()?);
                if let Some(terminal) = &mut channel.terminal {
                    (terminal.columns, terminal.rows) = (columns, rows);
                }
                if let Err(end) = self.resized(index, columns, rows) {
                    return Ok(Err(end));
                }
                Become::Pass
            }
            // A terminal changes what goes through it: what the other side of a protocol reads would not be what was judged here.
            "subsystem" if channel.terminal.is_some() => Become::Fail,
            "shell" | "exec" | "subsystem" if !channel.asked => {
                channel.asked = true;
                let terminal = channel.terminal.is_some();
                Become::Start(program(kind, &mut cursor, terminal, self.session.tools())?)
            }
            "signal" | "break" | "eow@openssh.com" if running => Become::Pass,
            "auth-agent-req@openssh.com" if !channel.asked => Become::Judge(classify::lend("agent")),
            "x11-req" if !channel.asked => Become::Judge(classify::lend("x11")),
            _ => Become::Fail,
        };
        Ok(Ok(become_))
    }
}

fn program(
    kind: &str,
    cursor: &mut Cursor<'_>,
    terminal: bool,
    tools: &Arc<[Tool]>,
) -> Result<classify::Asked, WireError> {
    let asked = match kind {
        "shell" => classify::shell(),
        "exec" => classify::exec(cursor.string()?, terminal, tools),
        _ => match named(cursor)? {
            "sftp" => classify::files(),
            other => classify::subsystem(other),
        },
    };
    cursor.end()?;
    Ok(asked)
}

fn named<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, WireError> {
    let name = cursor.text()?;
    if is_name(name) { Ok(name) } else { Err(WireError("a name that is too long, or has a NUL")) }
}

/// What a shell could not have as a variable may be two of them to whoever reads it.
fn is_variable(name: &str) -> bool {
    is_name(name) && !name.is_empty() && !name.contains(|letter: char| letter == '=' || letter.is_control())
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME && !name.contains('\0')
}

/// A request's name for a record: what a client calls it may be anything.
pub(super) fn name_of(kind: &str) -> String {
    kind.chars().filter(char::is_ascii_graphic).take(64).collect()
}
