//! The state machine between a client and a target: messages of the connection protocol in, messages out (RFC 4254). No IO here.
//!
//! - `channel`: one channel's two ends and what each may send
//! - `client`, `target`: what each side's messages mean
//! - `requests`: what a client asks of a channel before and beside a program; `terminal`: which modes of one it chooses
//! - `program`: programs and tunnels: asked for, refused, begun, fed, ended; `held`: those that wait for a human
//! - `files`: file transfers, operation by operation; `done`: what is recorded of them; `places`: where their paths are, and links lead; `copies`:
//!   scp's old protocol, file by file
//! - `forward`: requests about the whole connection, and the channels that come of them
//!
//! A channel has the same number of ours on both sides. Every message towards the target is given out by the gate; every byte of a program
//! is masked and recorded before the client's outbox has it.

mod channel;
mod client;
mod copies;
mod done;
mod files;
mod forward;
mod held;
mod places;
mod program;
mod requests;
mod target;
mod terminal;
#[cfg(test)]
mod tests;

use std::fmt;

use gate::{Asked, Outbox, Refusal, Session, Silence, ToClient, ToTarget};

use model::ApprovalId;

use channel::{Awaited, Channel, answer, bare};
use forward::Forwards;
pub(crate) use held::Parking;

use crate::link::socket::Framed;
use crate::sftp::request::LinkOrder;
use crate::wire::channel::{self as words, Message};
use crate::wire::{WireError, limits, number};

/// Why a session ends.
#[derive(Debug)]
pub enum End {
    /// The gate wants it so.
    Refused(Box<Refusal>),
    /// The client breaks the protocol.
    Client(&'static str),
    /// The target breaks the protocol.
    Target(&'static str),
}

impl End {
    fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// What a message of a client or a target leads to.
pub type Step = Result<(), End>;

/// A client, a target, and what is between them.
pub struct Relay {
    pub(crate) session: Session,
    /// Messages for the client, each behind its length.
    pub to_client: Outbox<ToClient>,
    /// Messages for the target, likewise.
    pub to_target: Outbox<ToTarget>,
    channels: Vec<Option<Channel>>,
    forwards: Forwards,
    /// How the target takes requests for links.
    pub(crate) link_order: LinkOrder,
    /// The client has said that it opens no more sessions.
    no_more: bool,
    /// Held commands whose requests are not stored yet.
    pub(crate) parking: Vec<Parking>,
    /// Requests whose client does not wait any more.
    pub(crate) withdrawn: Vec<ApprovalId>,
    /// Something could not be recorded: the session must close.
    pub(crate) failed: Option<Refusal>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}

impl Relay {
    /// The relay of a session whose client and target are logged in.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            to_client: Outbox::default(),
            to_target: Outbox::default(),
            channels: Vec::new(),
            forwards: Forwards::default(),
            link_order: LinkOrder::Unknown,
            no_more: false,
            parking: Vec::new(),
            withdrawn: Vec::new(),
            failed: None,
        }
    }

    /// A message of the gateway's own that belongs to no channel: the end of a login, the end of the connection.
    pub(crate) fn welcome(&mut self, message: Framed<Vec<u8>>) {
        self.tell(message);
    }

    /// Time passes: programs that a new policy no longer allows are stopped, and those that take too long.
    ///
    /// # Errors
    /// Why the session ends.
    pub fn tick(&mut self) -> Step {
        for index in 0..self.channels.len() {
            self.judge_again(index)?;
            self.keep_pace(index)?;
        }
        Ok(())
    }

    /// Whether masks hold back something of what programs printed.
    pub(crate) fn output_waits(&self) -> bool {
        let programs = self.channels.iter().flatten().filter_map(|channel| channel.program.as_ref());
        programs.into_iter().any(|program| program.flow.waits())
    }

    /// Nothing more came for a while.
    ///
    /// # Errors
    /// Why the session ends.
    pub fn show_all_waiting(&mut self, silence: Silence) -> Step {
        for index in 0..self.channels.len() {
            self.show_waiting(index, silence)?;
        }
        Ok(())
    }

    /// A message of the client.
    ///
    /// # Errors
    /// Why the session ends.
    pub fn client(&mut self, bytes: &[u8]) -> Step {
        let message = Message::read(bytes).map_err(|error| End::Client(broken(error)))?;
        match message {
            Message::Global { kind, reply, rest } => self.global_of_client(kind, reply, rest),
            Message::GlobalSuccess { .. } | Message::GlobalFailure => Ok(()),
            Message::Open(open) => self.open_of_client(&open),
            Message::Confirmation { recipient, sender, window, packet } => {
                self.confirmed_by_client(recipient, sender, window, packet)
            }
            Message::OpenFailure { recipient, .. } => self.open_failed_at_client(recipient),
            Message::Adjust { recipient, bytes } => self.adjusted_by_client(recipient, bytes),
            Message::Data { recipient, data } => self.data_of_client(recipient, data),
            Message::Extended { .. } => Err(End::Client("data of a stream that clients do not have")),
            Message::Eof { recipient } => self.eof_of_client(recipient),
            Message::Close { recipient } => self.close_of_client(recipient),
            Message::Request { recipient, kind, reply, rest } => {
                self.request_of_client(recipient, kind, reply, rest, bytes)
            }
            // Answers to requests of the target, of which none that wants one is passed on.
            Message::Success { .. } | Message::Failure { .. } => Ok(()),
        }
    }

    /// A message of the target.
    ///
    /// # Errors
    /// Why the session ends.
    pub fn target(&mut self, bytes: &[u8]) -> Step {
        let message = Message::read(bytes).map_err(|error| End::Target(broken(error)))?;
        match message {
            Message::Global { reply, .. } => self.global_of_target(reply),
            Message::GlobalSuccess { rest } => self.global_answered(true, rest),
            Message::GlobalFailure => self.global_answered(false, b""),
            Message::Open(open) => self.open_of_target(&open),
            Message::Confirmation { recipient, sender, window, packet } => {
                self.confirmed_by_target(recipient, sender, window, packet)
            }
            Message::OpenFailure { recipient, reason } => self.open_failed_at_target(recipient, reason),
            Message::Adjust { recipient, bytes } => self.adjusted_by_target(recipient, bytes),
            Message::Data { recipient, data } => self.data_of_target(recipient, None, data),
            Message::Extended { recipient, stream, data } => self.data_of_target(recipient, Some(stream), data),
            Message::Eof { recipient } => self.eof_of_target(recipient),
            Message::Close { recipient } => self.close_of_target(recipient),
            Message::Request { recipient, kind, reply, rest } => self.request_of_target(recipient, kind, reply, rest),
            Message::Success { recipient } => self.answered_by_target(recipient, true),
            Message::Failure { recipient } => self.answered_by_target(recipient, false),
        }
    }

    /// Whether nothing goes on: a gateway that stops ends the session then.
    pub(crate) fn quiet(&self) -> bool {
        self.channels.iter().all(Option::is_none)
    }

    /// The target says nothing more: shows what masks hold back, as far as the client has room.
    ///
    /// # Errors
    /// When it cannot be recorded; then nothing of it may be shown.
    pub fn end_all_output(&mut self) -> Step {
        for index in 0..self.channels.len() {
            self.end_output(index)?;
            self.pump(index)?;
        }
        Ok(())
    }

    /// The end of the session for every program that runs: recorded as ended with it.
    pub fn finish_all(&mut self) {
        for index in 0..self.channels.len() {
            self.finish_program(index, "session closed");
        }
    }

    /// A free number for a channel.
    fn free(&mut self) -> Option<usize> {
        if let Some(index) = self.channels.iter().position(Option::is_none) {
            return Some(index);
        }
        (self.channels.len() < limits::CHANNELS).then(|| {
            self.channels.push(None);
            self.channels.len() - 1
        })
    }

    /// Whether the target has a channel of this number that is not over.
    fn target_has(&self, number: u32) -> bool {
        let named = |channel: &&Channel| channel.target.number == Some(number) && !channel.target.is_over();
        self.channels.iter().flatten().any(|channel| named(&channel))
    }

    fn channel(&mut self, recipient: u32) -> Option<(usize, &mut Channel)> {
        let index = usize::try_from(recipient).ok()?;
        self.channels.get_mut(index)?.as_mut().map(|channel| (index, channel))
    }

    /// A channel that the client may speak of: one whose opening is over.
    fn channel_of_client(&mut self, recipient: u32) -> Option<(usize, &mut Channel)> {
        self.channel(recipient).filter(|(_, channel)| !channel.opening && channel.client.number.is_some())
    }

    /// Gives a message of the gateway's own to the client.
    fn tell(&mut self, message: Framed<Vec<u8>>) {
        let released = self.session.release(message);
        self.to_client.push(released);
    }

    /// Passes a message on to the target that asks for nothing by itself.
    fn pass(&mut self, message: Vec<u8>) -> Step {
        match self.session.ask_control(Framed(message)) {
            Asked::Allow(permitted, _) => {
                self.to_target.push(permitted);
                Ok(())
            }
            Asked::Deny(refusal) | Asked::Close(refusal) => Err(End::Refused(refusal)),
            Asked::Hold(_) => Err(End::Client("a control message was held")),
        }
    }

    /// Frees the channel when it is over at both ends.
    fn sweep(&mut self, index: usize) {
        let over = self.channels.get(index).and_then(Option::as_ref).is_some_and(Channel::is_over);
        if over {
            self.finish_program(index, "closed");
            if let Some(place) = self.channels.get_mut(index) {
                *place = None;
            }
        }
    }

    /// Tells the client what it may send more.
    fn widen_client(&mut self, index: usize) {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return };
        // Nobody reads what comes before a program.
        if channel.kind == channel::Kind::Session && channel.program.is_none() {
            return;
        }
        // Behind its end nothing may come for a channel: the peer has forgotten it.
        if channel.client.told_close || channel.client.ended {
            return;
        }
        let (more, recipient) = (channel.room_for_client(), channel.client.number);
        if let (Some(recipient), true) = (recipient, more > 0) {
            self.tell(Framed(words::adjust(recipient, more)));
        }
    }

    /// Tells the target what it may send more.
    fn widen_target(&mut self, index: usize) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        if channel.target.told_close || channel.target.ended {
            return Ok(());
        }
        let (more, recipient) = (channel.room_for_target(), channel.target.number);
        match recipient {
            Some(recipient) if more > 0 => self.pass(words::adjust(recipient, more)),
            Some(_) | None => Ok(()),
        }
    }

    /// Sends what is shown, and once all of it is on its way, that no more comes and that the channel is closed.
    fn pump(&mut self, index: usize) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        channel.pump(&mut self.to_client);
        if !channel.is_pumped() {
            return Ok(());
        }
        let Some(recipient) = channel.client.number else {
            self.sweep(index);
            return Ok(());
        };
        let end = channel.target.ended && !channel.client.told_end && !channel.client.told_close;
        channel.client.told_end |= end;
        let close = channel.target.closed && !channel.client.told_close;
        channel.client.told_close |= close;
        if end {
            self.tell(bare(number::CHANNEL_EOF, recipient));
        }
        if close {
            self.finish_program(index, "closed");
            self.tell(bare(number::CHANNEL_CLOSE, recipient));
        }
        self.sweep(index);
        Ok(())
    }

    /// Answers requests of the client whose turn it is.
    fn reply_own(&mut self, index: usize) -> Step {
        loop {
            let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
            if !channel.replies.front().is_some_and(Awaited::is_ours) {
                return Ok(());
            }
            let (next, recipient) = (channel.replies.pop_front(), channel.client.number.unwrap_or(0));
            if channel.client.told_close {
                continue;
            }
            match next {
                Some(Awaited::Own(granted)) => self.tell(answer(granted, recipient)),
                Some(Awaited::Over { reply, words }) => {
                    if reply {
                        self.tell(answer(true, recipient));
                    }
                    self.end_for_client(index, &words)?;
                }
                Some(Awaited::Target { .. }) | None => return Ok(()),
            }
        }
    }
}

const fn broken(error: WireError) -> &'static str {
    error.0
}
