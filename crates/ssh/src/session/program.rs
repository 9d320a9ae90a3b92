//! Programs and tunnels: asked for, refused, begun, fed, ended.

use std::mem;
use std::time::{Duration, Instant};

use gate::{Asked, Encode, Flow, Permitted, Refusal, Session, Silence, StreamKind, Ticket};

use super::channel::{About, Awaited, Channel, Kind, Words};
use super::copies::Copies;
use super::held::{HeldStart, Parking};
use super::{End, Relay, Step, files};
use crate::answer;
use crate::classify::{self, Speaks};
use crate::link::socket::{Framed, frame};
use crate::wire::channel as words;
use crate::wire::{encode, limits};
use crate::{scp, sftp};

/// A program or tunnel that runs.
pub(super) struct Program {
    asked: classify::Asked,
    ticket: Ticket,
    pub(super) flow: Flow,
    /// How it ended, once the target said so.
    status: Option<String>,
    /// A file transfer, which is judged operation by operation.
    pub(super) files: Option<Box<sftp::State>>,
    /// The operation at the front of a file transfer that a human has approved.
    pub(super) approved: Option<Box<files::Approved>>,
    /// A copy by scp's old protocol, which is judged file by file.
    pub(super) copies: Option<Box<Copies>>,
    since: Instant,
    /// What ends it on the target, permitted when it began: by then the session may be over.
    end: Option<Permitted<Framed<Vec<u8>>>>,
}

impl Program {
    /// Bytes of the client that were taken and are not judged yet.
    pub(super) fn unjudged(&self) -> usize {
        let copies = self.copies.as_ref().map_or(0, |copies| copies.state.from_client());
        self.files.as_ref().map_or(copies, |files| files.from_client.len())
    }

    /// Bytes of the target that were taken and are not shown yet.
    pub(super) fn unshown(&self) -> usize {
        let copies = self.copies.as_ref().map_or(0, |copies| copies.state.from_target());
        self.files.as_ref().map_or(copies, |files| files.from_target.len())
    }

    /// A command line is read again where the policy says something else of programs by now, and then it is judged anew.
    fn read_again(&mut self, session: &mut Session) {
        if let Some(asked) = self.asked.again(session.tools()) {
            self.asked = asked;
            self.ticket = self.ticket.outdated();
        }
    }

    /// Whether all that the client sent for it is on its way.
    pub(super) fn is_drained(&self) -> bool {
        let copies = self.copies.as_ref().is_none_or(|copies| copies.state.is_drained());
        copies && self.files.as_ref().is_none_or(|files| files.is_drained())
    }
}

/// A program or tunnel that is asked for.
pub(super) struct Wanted {
    pub(super) asked: classify::Asked,
    /// What asks the target for it.
    pub(super) message: Message,
    /// What becomes of it.
    pub(super) then: Then,
}

/// What becomes of a message once it is permitted, or refused.
pub(super) enum Then {
    /// A program begins; `reply`: the client wants to know.
    Begin { reply: bool },
    /// A file transfer goes on with this.
    Operation(Box<files::Operation>),
    /// A copy goes on with a file or folder.
    Copy { word: &'static str, path: String },
}

/// A message for the target, or bytes for a program of it.
#[derive(Debug)]
pub(super) enum Message {
    /// A message of the connection protocol.
    Whole(Vec<u8>),
    /// Bytes of a file transfer, which are given to the target as it has room for them.
    Files(Vec<u8>),
}

impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(message) => Framed(message).encode(out),
            Self::Files(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Data for a program.
pub(super) struct Piece<'a> {
    pub(super) recipient: u32,
    pub(super) data: &'a [u8],
}

impl Encode for Piece<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        frame(out, |out| words::data(out, self.recipient, None, self.data));
    }
}

impl Channel {
    /// The channel carries what was permitted by this ticket: a tunnel.
    pub(super) fn carry(&mut self, session: &mut Session, ticket: Ticket, asked: classify::Asked) {
        let mut flow = session.begin(&ticket, &asked.intent);
        flow.carry();
        let since = Instant::now();
        let (files, copies, end) = (None, None, None);
        self.program = Some(Program { asked, ticket, flow, status: None, files, approved: None, copies, since, end });
    }
}

impl Relay {
    /// Asks the gate for a program or tunnel in this channel, or for an operation of one.
    pub(super) fn start(&mut self, index: usize, wanted: Wanted) -> Step {
        let Wanted { asked, message, then } = wanted;
        // By now the policy may be another than the one that the command line was read by.
        let (answer, asked) =
            self.session.ask_reading(|tools| asked.again(tools).unwrap_or(asked), classify::Asked::command, message);
        match answer {
            Asked::Allow(permitted, ticket) => self.go_ahead(index, permitted, ticket, asked, then),
            Asked::Deny(refusal) => self.refuse(index, &refusal, &then),
            Asked::Close(refusal) => Err(End::Refused(refusal)),
            Asked::Hold(held)
                if self.channels.iter().flatten().filter(|it| it.held.is_some()).count() >= limits::HELD =>
            {
                let (refusal, id) = self.session.crowded(*held, limits::HELD);
                self.withdrawn.push(id);
                self.refuse(index, &refusal, &then)
            }
            Asked::Hold(held) => {
                self.parking.push(Parking { index, request: held.request().clone() });
                if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
                    channel.held = Some(Box::new(HeldStart { held: *held, asked, then }));
                }
                Ok(())
            }
        }
    }

    pub(super) fn go_ahead(
        &mut self,
        index: usize,
        permitted: Permitted<Message>,
        ticket: Ticket,
        asked: classify::Asked,
        then: Then,
    ) -> Step {
        match then {
            Then::Begin { reply } => {
                self.to_target.push(permitted);
                if self.channels.get(index).and_then(Option::as_ref).is_some_and(|it| it.kind == Kind::Tunnel) {
                    self.is_opening(index);
                }
                self.begin(index, ticket, asked, reply)
            }
            Then::Copy { word, path } => self.permit_copy(index, permitted, ticket, asked, (word, path)),
            Then::Operation(operation) => self.operate(index, permitted, ticket, asked, *operation),
        }
    }

    fn begin(&mut self, index: usize, ticket: Ticket, asked: classify::Asked, reply: bool) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let mut flow = self.session.begin(&ticket, &asked.intent);
        match channel.kind {
            Kind::Session => channel.replies.push_back(Awaited::Target { pass: reply, about: About::Start }),
            Kind::Tunnel => flow.carry(),
        }
        let (mut files, mut copies) = (None, None);
        match asked.speaks() {
            Speaks::Sftp => {
                flow.transfer();
                files = Some(Box::default());
            }
            Speaks::Scp(far) => {
                flow.transfer();
                copies = Some(Box::new(Copies::new(scp::State::new(far.clone()))));
            }
            Speaks::Files => flow.carry(),
            Speaks::Text => {}
        }
        if let Some(terminal) = &channel.terminal {
            let super::channel::Terminal { term, columns, rows } = terminal;
            self.session.terminal(&mut flow, term, *columns, *rows).map_err(End::refused)?;
        }
        let end = match (channel.kind, channel.target.number) {
            (Kind::Session, Some(number)) => match self.session.ask_control(Framed(kill(number))) {
                Asked::Allow(permitted, _) => Some(permitted),
                Asked::Deny(_) | Asked::Hold(_) | Asked::Close(_) => None,
            },
            (Kind::Session | Kind::Tunnel, _) => None,
        };
        let since = Instant::now();
        channel.program =
            Some(Program { asked, ticket, flow, status: None, files, approved: None, copies, since, end });
        if channel.target.number.is_some() {
            self.widen_client(index);
        }
        Ok(())
    }

    /// There will be no program: the client is told why, and the channel is closed at both ends.
    pub(super) fn refuse(&mut self, index: usize, refusal: &Refusal, then: &Then) -> Step {
        let reply = match then {
            Then::Begin { reply, .. } => *reply,
            Then::Operation(operation) => return self.refuse_operation(index, refusal, operation.id()),
            Then::Copy { .. } => return self.refuse_copy(index, refusal),
        };
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        if channel.kind == Kind::Tunnel {
            return self.not_opened(index, refusal);
        }
        let words = answer::refusal(refusal, channel.terminal.is_some());
        channel.replies.push_back(Awaited::Over { reply, words });
        self.close_target(index)?;
        self.reply_own(index)
    }

    /// There will be no tunnel: whoever asked for it is told so instead of its number. If the other side was asked already, its number stays in
    /// use until that has answered.
    fn not_opened(&mut self, index: usize, refusal: &Refusal) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        if let Some(number) = channel.client.number.take() {
            let message = words::open_failure(number, words::PROHIBITED, &answer::short(refusal));
            (channel.client.closed, channel.client.told_close) = (true, true);
            self.tell(Framed(message));
        } else if let Some(number) = channel.target.number.take() {
            (channel.target.closed, channel.target.told_close) = (true, true);
            self.pass(words::open_failure(number, words::PROHIBITED, ""))?;
        }
        self.finish_program(index, refusal.kind.code());
        self.sweep(index);
        Ok(())
    }

    /// The last words, an exit status, and the end of the channel for the client.
    pub(super) fn end_for_client(&mut self, index: usize, text: &str) -> Step {
        self.pump(index)?;
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(recipient) = channel.client.number else { return Ok(()) };
        let released = self.session.release(Words { recipient, text: text.to_owned() });
        channel.say(released, &mut self.to_client, text.len());
        if mem::replace(&mut channel.client.told_close, true) {
            return Ok(());
        }
        let told_end = mem::replace(&mut channel.client.told_end, true);
        let mut status = Vec::new();
        encode::u32(&mut status, answer::NOT_EXECUTED);
        self.tell(Framed(words::request(recipient, "exit-status", false, &status)));
        if !told_end {
            self.tell(super::bare(crate::wire::number::CHANNEL_EOF, recipient));
        }
        self.tell(super::bare(crate::wire::number::CHANNEL_CLOSE, recipient));
        self.sweep(index);
        Ok(())
    }

    /// Gives a program what the client sends it: recorded, then sent.
    pub(super) fn input(&mut self, index: usize, data: &[u8]) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let (Some(program), Some(recipient)) = (&mut channel.program, channel.target.number) else {
            // A client sends on until it hears that the target did not start its program. Before one is asked for it has no window.
            return Ok(());
        };
        if let Some(files) = &mut program.files {
            files.from_client.extend_from_slice(data);
            return self.files_of_client(index);
        }
        if program.copies.is_some() {
            return self.copies_of_client(index, data);
        }
        program.read_again(&mut self.session);
        match self.session.ask_again(&program.ticket, &program.asked.command(), Piece { recipient, data }) {
            Asked::Allow(permitted, ticket) => {
                program.ticket = ticket;
                self.session.input(&mut program.flow, data).map_err(End::refused)?;
                channel.target.window = channel.target.window.saturating_sub(data.len() as u64);
                self.to_target.push(permitted);
                Ok(())
            }
            Asked::Deny(refusal) => self.stop(index, &refusal),
            Asked::Hold(held) => {
                let (refusal, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                self.stop(index, &refusal)
            }
            Asked::Close(refusal) => Err(End::Refused(refusal)),
        }
    }

    /// Judges a program that runs by the policy of this moment; while that is the one by which it began, nothing is asked.
    pub(super) fn judge_again(&mut self, index: usize) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(program) = &mut channel.program else { return Ok(()) };
        program.read_again(&mut self.session);
        match self.session.ask_again(&program.ticket, &program.asked.command(), ()) {
            Asked::Allow(_judged, ticket) => {
                program.ticket = ticket;
                Ok(())
            }
            Asked::Deny(refusal) => self.stop(index, &refusal),
            Asked::Hold(held) => {
                let (refusal, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                self.stop(index, &refusal)
            }
            Asked::Close(refusal) => Err(End::Refused(refusal)),
        }
    }

    /// Takes what a program prints: masked, recorded, and then shown.
    pub(super) fn output(&mut self, index: usize, stream: StreamKind, data: &[u8]) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        // Without a program nothing was asked for that could print.
        let Some(program) = &mut channel.program else { return Ok(()) };
        if let (Some(files), StreamKind::Output) = (&mut program.files, stream) {
            files.from_target.extend_from_slice(data);
            return self.files_of_target(index);
        }
        if program.copies.is_some() && stream == StreamKind::Output {
            return self.copies_of_target(index, data);
        }
        let shown = if stream == StreamKind::Error { &mut channel.err } else { &mut channel.out };
        self.session.show(&mut program.flow, stream, data, shown).map_err(End::refused)?;
        match program.flow.cut().cloned() {
            Some(refusal) => self.stop(index, &refusal),
            None => Ok(()),
        }
    }

    /// The program prints no more: what masks held back is shown.
    pub(super) fn end_output(&mut self, index: usize) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(program) = &mut channel.program else { return Ok(()) };
        for (stream, shown) in [(StreamKind::Output, &mut channel.out), (StreamKind::Error, &mut channel.err)] {
            self.session.show_rest(&mut program.flow, stream, shown).map_err(End::refused)?;
        }
        Ok(())
    }

    /// Nothing more came for a while: what masks held back is shown.
    pub(super) fn show_waiting(&mut self, index: usize, silence: Silence) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(program) = &mut channel.program else { return Ok(()) };
        for (stream, shown) in [(StreamKind::Output, &mut channel.out), (StreamKind::Error, &mut channel.err)] {
            self.session.show_waiting(&mut program.flow, stream, silence, shown).map_err(End::refused)?;
        }
        self.pump(index)
    }

    /// Ends a program in the middle: the client is told why, and the channel is closed at both ends.
    pub(super) fn stop(&mut self, index: usize, refusal: &Refusal) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        if channel.kind == Kind::Tunnel && channel.opening {
            return self.not_opened(index, refusal);
        }
        let words = answer::refusal(refusal, channel.terminal.is_some());
        channel.replies.push_back(Awaited::Over { reply: false, words });
        self.kill(index);
        self.finish_program(index, refusal.kind.code());
        self.close_target(index)?;
        self.reply_own(index)
    }

    /// Asks the target to end a program: closing its channel leaves one that neither reads nor prints.
    fn kill(&mut self, index: usize) {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return };
        let end = channel.program.as_mut().and_then(|program| program.end.take());
        if let Some(end) = end
            && !channel.target.told_close
            && !channel.target.closed
        {
            self.to_target.push(end);
        }
    }

    /// The session is ended: so is every program, as far as the target takes that from its user.
    pub(crate) fn kill_all(&mut self) {
        for index in 0..self.channels.len() {
            self.kill(index);
        }
    }

    /// Ends a program that takes longer than a limit allows. Tunnels and SFTP are no commands.
    pub(super) fn keep_pace(&mut self, index: usize) -> Step {
        let (Some(seconds), _) = self.session.patience() else { return Ok(()) };
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(program) = channel.program.as_ref().filter(|program| program.files.is_none()) else { return Ok(()) };
        if channel.kind == Kind::Tunnel || program.since.elapsed() < Duration::from_secs(seconds) {
            return Ok(());
        }
        let refusal = self.session.too_slow(&program.ticket);
        self.stop(index, &refusal)
    }

    /// How a program ended, in the target's words.
    pub(super) fn exited(&mut self, index: usize, status: &str) {
        let channel = self.channels.get_mut(index).and_then(Option::as_mut);
        if let Some(program) = channel.and_then(|channel| channel.program.as_mut()) {
            program.status.get_or_insert_with(|| status.to_owned());
        }
    }

    /// A terminal's size changed.
    pub(super) fn resized(&mut self, index: usize, columns: u32, rows: u32) -> Step {
        let channel = self.channels.get_mut(index).and_then(Option::as_mut);
        let Some(program) = channel.and_then(|channel| channel.program.as_mut()) else { return Ok(()) };
        self.session.terminal(&mut program.flow, "", columns, rows).map_err(End::refused)
    }

    /// The program is over: records how. `why` is used where the target did not say.
    pub(super) fn finish_program(&mut self, index: usize, why: &str) {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return };
        if let Some(mut program) = channel.program.take() {
            if let Some(files) = program.files.take() {
                self.finish_files(*files, program.approved.take());
            }
            if let Some(copies) = program.copies.take() {
                self.finish_copies(*copies);
            }
            let tag = program.status.as_deref().unwrap_or(why);
            let rest = self.session.input_rest(&mut program.flow);
            if let Err(refusal) = rest.and_then(|()| self.session.finish(program.flow, tag, None)) {
                self.failed = Some(refusal);
            }
        }
    }
}

/// The signal that no program can ignore (RFC 4254, section 6.9).
fn kill(recipient: u32) -> Vec<u8> {
    let mut name = Vec::new();
    encode::string(&mut name, b"KILL");
    words::request(recipient, "signal", false, &name)
}
