//! Copies by scp's old protocol, file by file: each is judged by its path before the other side hears of it.
//!
//! The program was judged by its own path when it began. The protocol has no question for where a path is, so links on the target are followed
//! unseen.

use gate::{Asked, FileContent, Permitted, Refusal, RefusalKind, Ticket};
use model::Effect;

use super::files::Kept;
use super::program::{Message, Piece, Then, Wanted};
use super::{End, Relay, Step};
use crate::answer;
use crate::classify;
use crate::scp::line::{Item, said};
use crate::scp::place::Place;
use crate::scp::{Next, State};
use crate::sftp::Open;

/// Bytes that a client may leave unread.
const UNREAD: usize = 512 * 1024;

/// A program that copies.
pub(super) struct Copies {
    pub(super) state: State,
    /// What is under way.
    open: Option<Open>,
    /// Its line, as it was permitted; of one that goes to the target.
    line: Option<Permitted<Message>>,
}

impl Copies {
    pub(super) const fn new(state: State) -> Self {
        Self { state, open: None, line: None }
    }
}

impl Relay {
    /// Takes what the client sent.
    pub(super) fn copies_of_client(&mut self, index: usize, data: &[u8]) -> Step {
        let rest = if self.is_to_target(index) { self.content_of_source(index, data)? } else { data };
        if let Some(copies) = self.copies(index) {
            copies.state.client(rest);
        }
        self.copy_on(index)
    }

    /// Takes what the target sent.
    pub(super) fn copies_of_target(&mut self, index: usize, data: &[u8]) -> Step {
        let rest = if self.is_to_target(index) { data } else { self.content_of_source(index, data)? };
        if let Some(copies) = self.copies(index) {
            copies.state.target(rest);
        }
        self.copy_on(index)
    }

    /// Passes on what of this is content, which needs no other look; what is left.
    fn content_of_source<'a>(&mut self, index: usize, data: &'a [u8]) -> Result<&'a [u8], End> {
        if !self.may_copy(index) {
            return Ok(data);
        }
        let passes = self.copies(index).map_or(0, |copies| copies.state.passes(data));
        let (content, rest) = data.split_at_checked(passes).unwrap_or((data, &[]));
        if !content.is_empty() {
            self.content(index, content)?;
        }
        Ok(rest)
    }

    fn copies(&mut self, index: usize) -> Option<&mut Copies> {
        self.channels.get_mut(index)?.as_mut()?.program.as_mut()?.copies.as_deref_mut()
    }

    /// Whether both sides read what is sent to them, and nothing waits for a human.
    fn may_copy(&self, index: usize) -> bool {
        let Some(channel) = self.channels.get(index).and_then(Option::as_ref) else { return false };
        let read = channel.out.len() <= UNREAD && channel.given.is_empty();
        read && channel.held.is_none() && !channel.target.told_close && channel.target.number.is_some()
    }

    /// Goes on until one side has to say something.
    pub(super) fn copy_on(&mut self, index: usize) -> Step {
        if self.copies(index).is_none() {
            return Ok(());
        }
        while self.may_copy(index) {
            let Some(copies) = self.copies(index) else { return Ok(()) };
            let next = match copies.state.advance() {
                Ok(Next::Wait) => break,
                Ok(next) => next,
                Err(why) => return self.break_copies(index, why),
            };
            self.copy(index, next)?;
        }
        self.widen_client(index);
        self.widen_target(index)?;
        self.end_input(index)
    }

    fn copy(&mut self, index: usize, next: Next) -> Step {
        match next {
            Next::Wait | Next::Again => Ok(()),
            Next::ToSource(bytes) => self.tell_source(index, &bytes),
            Next::ToSink(bytes) => self.tell_sink(index, &bytes),
            Next::Judge { item, place } => self.judge_copy(index, &item, &place),
            Next::Refuse(why) => self.refuse_copy_for(index, why),
            Next::Name(line) => self.name_copy(index, &line),
            Next::Content(content) => self.content(index, &content),
            Next::Done { answer, outcome } => {
                self.close_copy(index, outcome);
                self.tell_source(index, &answer)
            }
        }
    }

    /// Whatever breaks the protocol ends the program: behind it nobody knows what is a name and what is content.
    fn break_copies(&mut self, index: usize, why: &str) -> Step {
        let refusal = Refusal::of(RefusalKind::Malformed).because(format!("scp: {why}"));
        self.stop(index, &refusal)
    }

    fn is_to_target(&mut self, index: usize) -> bool {
        self.copies(index).is_some_and(|copies| copies.state.to_target())
    }

    fn tell_source(&mut self, index: usize, bytes: &[u8]) -> Step {
        if self.is_to_target(index) { self.show_copy(index, bytes) } else { self.send_packet(index, bytes) }
    }

    fn tell_sink(&mut self, index: usize, bytes: &[u8]) -> Step {
        if self.is_to_target(index) { self.send_packet(index, bytes) } else { self.show_copy(index, bytes) }
    }

    fn show_copy(&mut self, index: usize, bytes: &[u8]) -> Step {
        self.show_packet(index, bytes, Kept::AsStream)
    }

    fn judge_copy(&mut self, index: usize, item: &Item, place: &Place) -> Step {
        let to_target = self.is_to_target(index);
        let (word, effect) = match (to_target, item.folder) {
            (true, false) => ("put", Effect::Write),
            (true, true) => ("mkdir", Effect::Create),
            (false, false) => ("get", Effect::Read),
            (false, true) => ("list", Effect::Read),
        };
        let asked = classify::copy(word, effect, place);
        let message = Message::Files(if to_target { item.line() } else { Vec::new() });
        let path = place.shown.clone();
        self.start(index, Wanted { asked, message, then: Then::Copy { word, path } })
    }

    /// An item is permitted.
    pub(super) fn permit_copy(
        &mut self,
        index: usize,
        permitted: Permitted<Message>,
        ticket: Ticket,
        asked: classify::Asked,
        (word, path): (&'static str, String),
    ) -> Step {
        let mut flow = self.session.begin(&ticket, &asked.intent);
        flow.transfer();
        let Some(copies) = self.copies(index) else {
            return self.session.finish(flow, "cut", None).map_err(End::refused);
        };
        copies.open = Some(Open::new(ticket.number(), asked, ticket, flow, word, path));
        copies.line = copies.state.to_target().then_some(permitted);
        let next = copies.state.permit();
        self.copy(index, next)
    }

    /// The other side hears of what was permitted.
    fn name_copy(&mut self, index: usize, line: &[u8]) -> Step {
        // Since it was judged, the other side may have taken its time to answer to the times.
        if let Err(refusal) = self.judge_open(index, ())? {
            self.close_copy(index, "not executed: policy has changed");
            return self.refuse_copy(index, &refusal);
        }
        match self.copies(index).and_then(|copies| copies.line.take()) {
            Some(permitted) => {
                self.put(index, permitted);
                Ok(())
            }
            None => self.show_copy(index, line),
        }
    }

    /// Asks once more for what is under way; the proof, or why not.
    fn judge_open<M>(&mut self, index: usize, message: M) -> Result<Result<Permitted<M>, Box<Refusal>>, End> {
        let program =
            self.channels.get_mut(index).and_then(Option::as_mut).and_then(|channel| channel.program.as_mut());
        let copies = program.and_then(|program| program.copies.as_deref_mut());
        let Some(open) = copies.and_then(|copies| copies.open.as_mut()) else {
            return Err(End::Client("content of no file"));
        };
        match self.session.ask_again(&open.ticket, &open.asked.command(), message) {
            Asked::Allow(permitted, ticket) => {
                open.ticket = ticket;
                Ok(Ok(permitted))
            }
            Asked::Deny(refusal) => Ok(Err(refusal)),
            Asked::Hold(held) => {
                let (refusal, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                Ok(Err(Box::new(refusal)))
            }
            Asked::Close(refusal) => Err(End::Refused(refusal)),
        }
    }

    /// An item is refused: the others go on without it.
    pub(super) fn refuse_copy(&mut self, index: usize, refusal: &Refusal) -> Step {
        self.refuse_copy_for(index, &answer::short(refusal))
    }

    fn refuse_copy_for(&mut self, index: usize, why: &str) -> Step {
        let Some(copies) = self.copies(index) else { return Ok(()) };
        let words = copies.state.refuse(why);
        if copies.state.to_target() {
            return self.show_copy(index, &words);
        }
        // To a sink it is a warning. The target need not know of our rules.
        self.show_copy(index, &words)?;
        self.send_packet(index, &said(false, "scp: not taken"))
    }

    /// Content of what is under way goes on: judged by the policy of this moment, digested, recorded where a rule says so, and sent.
    fn content(&mut self, index: usize, data: &[u8]) -> Step {
        let to_target = self.is_to_target(index);
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let room = channel.target.window.min(channel.target.packet.into());
        let whole = to_target && channel.given.is_empty() && room >= data.len() as u64;
        let recipient = channel.target.number.unwrap_or(0);
        if whole {
            return match self.judge_open(index, Piece { recipient, data })? {
                Ok(permitted) => {
                    self.passes(index, data)?;
                    if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
                        channel.target.window = channel.target.window.saturating_sub(data.len() as u64);
                    }
                    self.to_target.push(permitted);
                    Ok(())
                }
                Err(refusal) => self.stop(index, &refusal),
            };
        }
        match self.judge_open(index, data)? {
            Ok(permitted) => {
                self.passes(index, data)?;
                if to_target {
                    self.put(index, permitted);
                    return Ok(());
                }
                self.show_packet(index, data, Kept::Already)
            }
            Err(refusal) => self.stop(index, &refusal),
        }
    }

    /// Counts, digests and, where a rule says so, records content before it goes on.
    fn passes(&mut self, index: usize, data: &[u8]) -> Step {
        let program =
            self.channels.get_mut(index).and_then(Option::as_mut).and_then(|channel| channel.program.as_mut());
        let Some(copies) = program.and_then(|program| program.copies.as_deref_mut()) else { return Ok(()) };
        let to_target = copies.state.to_target();
        let Some(open) = &mut copies.open else { return Ok(()) };
        let content = FileContent { number: open.number, to_target, offset: open.size(to_target), data };
        if let Some(flow) = &open.flow {
            self.session.content(flow, &content).map_err(End::refused)?;
        }
        open.passes(to_target, open.size(to_target), data);
        Ok(())
    }

    /// What was under way is over.
    fn close_copy(&mut self, index: usize, outcome: &str) {
        let open = self.copies(index).and_then(|copies| {
            copies.line = None;
            copies.open.take()
        });
        if let Some(open) = open {
            self.closed(open, outcome);
        }
    }

    /// The program is over: what was under way is recorded as cut.
    pub(super) fn finish_copies(&mut self, copies: Copies) {
        if let Some(open) = copies.open {
            self.closed(open, "cut");
        }
    }
}
