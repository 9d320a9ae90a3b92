//! File transfers (SFTP), operation by operation: each is judged by the paths as the target sees them, then sent.
//!
//! Before an operation on a path is judged, the target is asked where that path is, links and dots resolved. What is behind it waits, so
//! requests are judged and sent in their order. What a human has approved is asked for once more, and carried out if the paths are where they were. A
//! link that somebody changes between the question and the operation is followed as it is then.

use gate::{Asked, Encode, FileContent, Permitted, Refusal, StreamKind, Ticket};
use model::Effect;

use super::done::outcome;
use super::program::{Message, Program, Then, Wanted};
use super::{End, Relay, Step};
use crate::answer;
use crate::classify;
use crate::sftp::attributes::Attributes;
use crate::sftp::packet::{self, Answer};
use crate::sftp::request::{About, Does, Request};
use crate::sftp::{Open, Operated, Pending, State};

/// Bytes of answers that a client may leave unread.
const UNREAD: usize = 512 * 1024;

/// An operation that waits for the gate.
pub(super) struct Operation {
    pub(super) id: u32,
    pub(super) word: &'static str,
    pub(super) path: String,
    pub(super) to: Option<String>,
    pub(super) opens: bool,
    /// Bytes of the packet in what the client sent.
    pub(super) used: usize,
}

impl Operation {
    pub(super) const fn id(&self) -> u32 {
        self.id
    }
}

/// An operation that a human has approved.
pub(super) struct Approved {
    pub(super) permitted: Permitted<Message>,
    pub(super) ticket: Ticket,
    pub(super) asked: classify::Asked,
    pub(super) operation: Box<Operation>,
}

/// How what the client is shown is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// As other output.
    AsStream,
    /// As the content of a file, already.
    Already,
}

/// What to do with the packet at the front.
enum Front {
    /// Not a whole packet, or something before it is still on its way.
    Wait,
    Packet(Vec<u8>),
}

impl Relay {
    /// Deals with what the client sent, packet by packet, until one has to wait.
    pub(super) fn files_of_client(&mut self, index: usize) -> Step {
        loop {
            let bytes = match self.front(index)? {
                Front::Wait => break,
                Front::Packet(bytes) => bytes,
            };
            let request = Request::read(&bytes, self.link_order).map_err(|error| End::Client(error.0))?;
            let waits = match &request.about {
                About::Greeting { version } => {
                    let greeting = packet::greeting(*version).map_err(|error| End::Client(error.0))?;
                    self.send_packet(index, &greeting)?;
                    self.drop_front(index, bytes.len());
                    false
                }
                About::Nothing => self.pass_packet(index, request.id, &bytes)?,
                About::Unknown => {
                    self.reply_status(index, bytes.len(), request.id, packet::UNSUPPORTED, "not carried")?
                }
                About::Unreadable => {
                    let words = "a name that is not UTF-8, or has a NUL, is not carried";
                    self.reply_status(index, bytes.len(), request.id, packet::BAD_MESSAGE, words)?
                }
                About::Handle { handle, does } => self.on_handle(index, &request, handle, *does, &bytes)?,
                About::Paths(paths) => self.on_paths(index, &request, paths, &bytes)?,
            };
            if waits {
                break;
            }
        }
        self.widen_client(index);
        self.end_input(index)
    }

    /// The transfer of this channel, if its next packet may be dealt with.
    fn files(&mut self, index: usize) -> Option<&mut State> {
        let channel = self.channels.get_mut(index)?.as_mut()?;
        // Refusals are answered here: a client that does not read them gets no more. Nor does a target that does not read.
        let unread = channel.out.len() > UNREAD || !channel.given.is_empty();
        let waits = unread || channel.held.is_some() || channel.target.told_close || channel.target.number.is_none();
        let files = channel.program.as_mut()?.files.as_deref_mut()?;
        (!waits && !files.asking && !files.is_full()).then_some(files)
    }

    pub(super) fn program(&mut self, index: usize) -> Option<&mut Program> {
        self.channels.get_mut(index)?.as_mut()?.program.as_mut()
    }

    pub(super) fn state(&mut self, index: usize) -> Option<&mut State> {
        self.program(index)?.files.as_deref_mut()
    }

    fn front(&mut self, index: usize) -> Result<Front, End> {
        let Some(state) = self.files(index) else { return Ok(Front::Wait) };
        let Some(len) = packet::length(&state.from_client).map_err(|error| End::Client(error.0))? else {
            return Ok(Front::Wait);
        };
        Ok(state.from_client.get(..len).map_or(Front::Wait, |bytes| Front::Packet(bytes.to_vec())))
    }

    /// The packet at the front is dealt with.
    fn drop_front(&mut self, index: usize, used: usize) {
        if let Some(state) = self.state(index) {
            state.from_client.drain(..used.min(state.from_client.len()));
            state.forget();
        }
    }

    /// Gives the target what was permitted.
    pub(super) fn put<M: Encode>(&mut self, index: usize, permitted: Permitted<M>) {
        if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
            channel.given.add(permitted);
        }
        self.give(index);
    }

    /// Sends the target what was permitted and what it has room for.
    pub(super) fn give(&mut self, index: usize) {
        if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
            channel.give(&mut self.to_target);
        }
    }

    pub(super) fn send_packet(&mut self, index: usize, bytes: &[u8]) -> Step {
        match self.session.ask_control(Message::Files(bytes.to_vec())) {
            Asked::Allow(permitted, _) => {
                self.put(index, permitted);
                Ok(())
            }
            Asked::Deny(refusal) | Asked::Close(refusal) => Err(End::Refused(refusal)),
            Asked::Hold(_) => Err(End::Client("a control message was held")),
        }
    }

    pub(super) fn expect_answer(&mut self, index: usize, id: u32, pending: Pending) -> Step {
        let taken = self.state(index).is_none_or(|state| state.expect(id, pending));
        if taken { Ok(()) } else { Err(End::Client("two requests of one number")) }
    }

    /// Passes on what is not judged.
    fn pass_packet(&mut self, index: usize, id: u32, bytes: &[u8]) -> Result<bool, End> {
        self.expect_answer(index, id, Pending::Quiet)?;
        self.send_packet(index, bytes)?;
        self.drop_front(index, bytes.len());
        Ok(false)
    }

    /// Answers in the target's place.
    pub(super) fn reply_status(
        &mut self,
        index: usize,
        used: usize,
        id: u32,
        code: u32,
        words: &str,
    ) -> Result<bool, End> {
        self.drop_front(index, used);
        self.show_packet(index, &packet::status(id, code, &format!("sallyport: {words}")), Kept::AsStream)?;
        Ok(false)
    }

    /// Something is done with what is open: whoever could open it may, unless policy has changed since.
    fn on_handle(
        &mut self,
        index: usize,
        request: &Request<'_>,
        handle: &[u8],
        does: Does<'_>,
        bytes: &[u8],
    ) -> Result<bool, End> {
        if let Does::Change(to) = does
            && let Some(path) = self.changed(index, handle, to)
        {
            return self.change(index, request, path, bytes.len(), Message::Files(bytes.to_vec()));
        }
        let message = Message::Files(bytes.to_vec());
        let channel = self.channels.get_mut(index).and_then(Option::as_mut);
        let state =
            channel.and_then(|channel| channel.program.as_mut()).and_then(|program| program.files.as_deref_mut());
        let Some(open) = state.and_then(|state| state.open.get_mut(handle)) else {
            return self.reply_status(index, bytes.len(), request.id, packet::BAD_MESSAGE, "no such handle");
        };
        let permitted = match self.session.ask_again(&open.ticket, &open.asked.command(), message) {
            Asked::Allow(permitted, ticket) => {
                open.ticket = ticket;
                permitted
            }
            Asked::Deny(refusal) => return self.deny(index, bytes.len(), request.id, &refusal),
            Asked::Hold(held) => {
                let (refusal, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                return self.deny(index, bytes.len(), request.id, &refusal);
            }
            Asked::Close(refusal) => return Err(End::Refused(refusal)),
        };
        let pending = match does {
            Does::Read { offset } => Pending::Read { handle: handle.to_vec(), offset },
            Does::Write { offset, data } => {
                open.passes(true, offset, data);
                if let Some(flow) = &open.flow {
                    let content = FileContent { number: open.number, to_target: true, offset, data };
                    self.session.content(flow, &content).map_err(End::refused)?;
                }
                Pending::Write { handle: handle.to_vec() }
            }
            Does::Close => {
                let open = self.state(index).and_then(|state| state.open.remove(handle));
                open.map_or(Pending::Quiet, |open| Pending::Close { handle: handle.to_vec(), open: Box::new(open) })
            }
            Does::Change(to) => {
                to.size.into_iter().for_each(|size| open.resized(size));
                Pending::Changed { number: open.number, path: open.path.clone(), size: to.size.unwrap_or(0) }
            }
            Does::Look => Pending::Quiet,
        };
        self.expect_answer(index, request.id, pending)?;
        self.put(index, permitted);
        self.drop_front(index, bytes.len());
        Ok(false)
    }

    /// The path of something of which more is to be changed than was asked for when it was opened: all of what was opened to be read or listed; of
    /// what is written, its owner and rights that it lends.
    fn changed(&mut self, index: usize, handle: &[u8], to: Attributes) -> Option<String> {
        let open = self.state(index)?.open.get(handle)?;
        (open.word != "put" || to.special).then(|| open.path.clone())
    }

    /// What is known of something is to be changed by its handle.
    fn change(
        &mut self,
        index: usize,
        request: &Request<'_>,
        path: String,
        used: usize,
        message: Message,
    ) -> Result<bool, End> {
        let asked = classify::operation("setstat", &[(Effect::Alter, path.clone())], false);
        if let Some(approved) = self.program(index).and_then(|program| program.approved.take()) {
            return self.carry_out(index, *approved, &asked);
        }
        let operation = Operation { id: request.id, word: "setstat", path, to: None, opens: false, used };
        self.start(index, Wanted { asked, message, then: Then::Operation(Box::new(operation)) })?;
        Ok(false)
    }

    fn deny(&mut self, index: usize, used: usize, id: u32, refusal: &Refusal) -> Result<bool, End> {
        let words = answer::short(refusal);
        let words = words.trim_start_matches("sallyport: ");
        self.reply_status(index, used, id, packet::PERMISSION_DENIED, words)
    }

    /// A human has approved the operation at the front: it is asked again where its paths are.
    pub(super) fn approve(&mut self, index: usize, approved: Approved) {
        if let Some(program) = self.program(index) {
            program.approved = Some(Box::new(approved));
        }
        if let Some(state) = self.state(index) {
            state.forget();
        }
    }

    /// The paths of an approved operation are known again.
    pub(super) fn carry_out(&mut self, index: usize, approved: Approved, now: &classify::Asked) -> Result<bool, End> {
        let Approved { permitted, ticket, asked, operation } = approved;
        if now.intent == asked.intent {
            // The target may have taken its time: the policy of this moment counts.
            let refusal = match self.session.ask_again(&ticket, &asked.command(), ()) {
                Asked::Allow(_judged, _) => {
                    self.operate(index, permitted, ticket, asked, *operation)?;
                    return Ok(false);
                }
                Asked::Deny(refusal) => *refusal,
                Asked::Hold(held) => {
                    let (refusal, id) = self.session.abandon(*held, false);
                    self.withdrawn.push(id);
                    refusal
                }
                Asked::Close(refusal) => return Err(End::Refused(refusal)),
            };
            let flow = self.session.begin(&ticket, &asked.intent);
            self.session.finish(flow, "not executed: policy has changed", None).map_err(End::refused)?;
            return self.deny(index, operation.used, operation.id, &refusal);
        }
        let flow = self.session.begin(&ticket, &asked.intent);
        self.session.finish(flow, "not executed: the path leads elsewhere by now", None).map_err(End::refused)?;
        let words = "the path leads elsewhere than when it was approved; ask again";
        self.reply_status(index, operation.used, operation.id, packet::PERMISSION_DENIED, words)
    }

    /// An operation is permitted.
    pub(super) fn operate(
        &mut self,
        index: usize,
        permitted: Permitted<Message>,
        ticket: Ticket,
        asked: classify::Asked,
        operation: Operation,
    ) -> Step {
        let Operation { id, word, path, to, opens, used } = operation;
        let mut flow = self.session.begin(&ticket, &asked.intent);
        flow.transfer();
        let number = ticket.number();
        let pending = if opens {
            Pending::Open(Box::new(Open::new(number, asked, ticket, flow, word, path)))
        } else {
            Pending::Operation(Box::new(Operated { word, path, to, number, flow }))
        };
        self.expect_answer(index, id, pending)?;
        self.put(index, permitted);
        self.drop_front(index, used);
        Ok(())
    }

    /// An operation is refused: the transfer goes on without it.
    pub(super) fn refuse_operation(&mut self, index: usize, refusal: &Refusal, id: u32) -> Step {
        let used = self.state(index).and_then(|state| packet::length(&state.from_client).ok().flatten()).unwrap_or(0);
        self.deny(index, used, id, refusal).map(drop)
    }

    /// Takes what the target sent, packet by packet.
    pub(super) fn files_of_target(&mut self, index: usize) -> Step {
        loop {
            let Some(state) = self.state(index) else { return Ok(()) };
            let Some(len) = packet::length(&state.from_target).map_err(|error| End::Target(error.0))? else {
                return Ok(());
            };
            if state.from_target.len() < len {
                return Ok(());
            }
            let bytes: Vec<u8> = state.from_target.drain(..len).collect();
            let full = state.is_full();
            let answer = Answer::read(&bytes).map_err(|error| End::Target(error.0))?;
            self.answered(index, &answer, &bytes)?;
            if full {
                self.files_of_client(index)?;
            }
        }
    }

    fn answered(&mut self, index: usize, answer: &Answer<'_>, bytes: &[u8]) -> Step {
        let id = match *answer {
            Answer::Version { body } => {
                let version = packet::known_version(body).map_err(|error| End::Target(error.0))?;
                return self.show_packet(index, &version, Kept::AsStream);
            }
            Answer::Status { id, .. }
            | Answer::Handle { id, .. }
            | Answer::Data { id, .. }
            | Answer::Name { id, .. }
            | Answer::Attributes { id, .. }
            | Answer::Other { id } => id,
        };
        let pending = self.state(index).and_then(|state| state.answered(id));
        let mut kept = Kept::AsStream;
        match (pending, *answer) {
            (None, _) => return Err(End::Target("an answer to nothing")),
            (Some(Pending::Where), answer) => return self.placed(index, &answer),
            (Some(Pending::Open(open)), Answer::Handle { handle, .. }) => {
                if let Some(state) = self.state(index) {
                    state.open.insert(handle.to_vec(), *open);
                }
            }
            (Some(Pending::Open(open)), answer) => self.closed(*open, &outcome(&answer)),
            (Some(Pending::Read { handle, offset }), Answer::Data { data, .. }) => {
                self.content_of_target(index, &handle, offset, data)?;
                kept = Kept::Already;
            }
            (Some(Pending::Operation(operation)), answer) => self.operated(*operation, &outcome(&answer)),
            (Some(Pending::Close { open, .. }), answer) => self.closed(*open, &outcome(&answer)),
            (Some(Pending::Read { handle, .. } | Pending::Write { handle }), answer) => {
                if let (Some(state), Answer::Status { code, .. }) = (self.state(index), answer)
                    && !matches!(code, packet::OK | packet::EOF)
                {
                    let why = outcome(&answer);
                    state.opened(&handle).into_iter().for_each(|open| open.fails(why.clone()));
                }
            }
            (Some(Pending::Changed { number, path, size }), answer) => {
                self.resized_file(number, &path, size, &outcome(&answer))?;
            }
            (Some(Pending::Quiet), _) => {}
        }
        self.show_packet(index, bytes, kept)
    }

    /// Content of a file comes in.
    fn content_of_target(&mut self, index: usize, handle: &[u8], offset: u64, data: &[u8]) -> Step {
        let program =
            self.channels.get_mut(index).and_then(Option::as_mut).and_then(|channel| channel.program.as_mut());
        let files = program.and_then(|program| program.files.as_deref_mut());
        let Some(open) = files.and_then(|files| files.opened(handle)) else { return Ok(()) };
        open.passes(false, offset, data);
        let content = FileContent { number: open.number, to_target: false, offset, data };
        match &open.flow {
            Some(flow) => self.session.content(flow, &content).map_err(End::refused),
            None => Ok(()),
        }
    }

    /// Shows the client bytes of a transfer.
    pub(super) fn show_packet(&mut self, index: usize, bytes: &[u8], kept: Kept) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(program) = &mut channel.program else { return Ok(()) };
        program.flow.leave_out(kept == Kept::Already);
        let shown = self.session.show(&mut program.flow, StreamKind::Output, bytes, &mut channel.out);
        program.flow.leave_out(false);
        shown.map_err(End::refused)?;
        if let Some(refusal) = program.flow.cut().cloned() {
            return self.stop(index, &refusal);
        }
        self.pump(index)
    }
}
