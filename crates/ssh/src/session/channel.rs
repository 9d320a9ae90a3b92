//! One channel between a client and a target: its two ends, what each may send, and what waits.
//!
//! Flow control goes from end to end: the target may send what the client has room for, and the other way round, so nothing piles up here.
//! The gateway's own words to the client come out of a reserve that the target is not told of.

use std::collections::VecDeque;

use gate::{Given, Outbox, Shown, ToClient, ToTarget};

use super::held::HeldStart;
use super::program::Program;
use crate::link::socket::{Framed, frame};
use crate::scp;
use crate::sftp::packet;
use crate::wire::channel::{self as words, Message};
use crate::wire::{limits, number};

/// What of a client's window is kept for the gateway's own words, at most a quarter of it.
const RESERVE: u64 = 8 * 1024;

/// Bytes of a file transfer that a client may send ahead of what is judged: OpenSSH's own window.
const UNJUDGED: u64 = 2 * 1024 * 1024;

/// One end of a channel.
#[derive(Debug, Default)]
pub(super) struct End {
    /// The peer's number of the channel, once it is known.
    pub(super) number: Option<u32>,
    /// Bytes that may be sent to the peer.
    pub(super) window: u64,
    /// Bytes that one message to the peer may have.
    pub(super) packet: u32,
    /// Bytes that the peer may send.
    pub(super) allowed: u64,
    /// The peer sends no more.
    pub(super) ended: bool,
    /// The peer was told that no more comes.
    pub(super) told_end: bool,
    /// The peer has closed.
    pub(super) closed: bool,
    /// The peer was told that it is closed.
    pub(super) told_close: bool,
}

impl End {
    /// Whether the channel is over at this end, or never was open.
    pub(super) const fn is_over(&self) -> bool {
        self.number.is_none() || (self.closed && self.told_close)
    }

    /// Takes bytes from what the peer may send; false when it has sent more than that.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        match self.allowed.checked_sub(bytes as u64) {
            Some(left) => {
                self.allowed = left;
                true
            }
            None => false,
        }
    }
}

/// What a request of the client is answered with, in the order of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Awaited {
    /// What the target answers. `pass`: the client wants to know.
    Target { pass: bool, about: About },
    /// This.
    Own(bool),
    /// There will be no program, or no more of it: these words, and the channel is closed.
    Over { reply: bool, words: String },
}

impl Awaited {
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self, Self::Own(_) | Self::Over { .. })
    }
}

/// What a request was about that a target has to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// A program's start.
    Start,
    /// The program's terminal.
    Terminal,
    /// Anything else.
    Other,
}

/// A terminal that was asked for, until the target refuses it.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    pub(super) term: String,
    pub(super) columns: u32,
    pub(super) rows: u32,
}

/// What a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Programs.
    Session,
    /// Another protocol.
    Tunnel,
}

/// A channel.
pub(super) struct Channel {
    pub(super) kind: Kind,
    pub(super) client: End,
    pub(super) target: End,
    pub(super) program: Option<Program>,
    /// One side was asked to open it, and has not answered.
    pub(super) opening: bool,
    /// A program was asked for, whatever became of it: there is one in the life of a channel.
    pub(super) asked: bool,
    pub(super) terminal: Option<Terminal>,
    pub(super) out: Shown,
    pub(super) err: Shown,
    /// What a file transfer sends that the target has no room for yet.
    pub(super) given: Given,
    pub(super) replies: VecDeque<Awaited>,
    pub(super) held: Option<Box<HeldStart>>,
    /// Messages of the client behind a held command.
    pub(super) waiting: VecDeque<Vec<u8>>,
    pub(super) waiting_bytes: usize,
    reserve: u64,
}

impl Channel {
    /// A channel that a client asks for.
    pub(super) fn asked_by_client(kind: Kind, sender: u32, window: u32, packet: u32) -> Self {
        let mut channel = Self::new(kind);
        channel.client = End { number: Some(sender), window: window.into(), packet, ..End::default() };
        channel.reserve = RESERVE.min(u64::from(window) / 4);
        channel
    }

    /// A channel that a target asks for.
    pub(super) fn asked_by_target(kind: Kind, sender: u32, window: u32, packet: u32) -> Self {
        let mut channel = Self::new(kind);
        channel.target = End { number: Some(sender), window: window.into(), packet, ..End::default() };
        channel.opening = true;
        channel
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            client: End::default(),
            target: End::default(),
            program: None,
            opening: false,
            asked: false,
            terminal: None,
            out: Shown::default(),
            err: Shown::default(),
            given: Given::default(),
            replies: VecDeque::new(),
            held: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            reserve: 0,
        }
    }

    /// Whether both ends are over. One that is still to be opened is not: its number is in use until the answer is here.
    pub(super) const fn is_over(&self) -> bool {
        !self.opening && self.client.is_over() && self.target.is_over()
    }

    /// Forgets requests of this kind that wait behind a held command.
    pub(super) fn forget_waiting(&mut self, kind: &str) {
        let is_one = |bytes: &[u8]| matches!(Message::read(bytes), Ok(Message::Request { kind: it, .. }) if it == kind);
        self.waiting.retain(|bytes| !is_one(bytes));
        self.waiting_bytes = self.waiting.iter().map(Vec::len).sum();
    }

    /// Bytes that the target may send more, now that the client has room for them. It is told by [`words::adjust`].
    pub(super) fn room_for_target(&mut self) -> u32 {
        let unshown = self.program.as_ref().map_or(0, Program::unshown);
        let waits = (self.out.len() + self.err.len() + unshown) as u64;
        let room = self.client.window.max(self.one_packet()).saturating_sub(waits + self.reserve);
        let more = u32::try_from(room.saturating_sub(self.target.allowed)).unwrap_or(u32::MAX);
        self.target.allowed += u64::from(more);
        more
    }

    /// Bytes that the client may send more, now that the target has room for them. None before it is known whether there is a terminal: what is
    /// typed is recorded in another way then.
    pub(super) fn room_for_client(&mut self) -> u32 {
        if self.replies.iter().any(|it| matches!(it, Awaited::Target { about: About::Terminal, .. })) {
            return 0;
        }
        let unjudged = self.program.as_ref().map_or(0, Program::unjudged);
        // What waits to be judged waits here: a target's large window must not be room for all of it.
        let most = if self.one_packet() > 0 { UNJUDGED } else { u64::MAX };
        let room =
            self.target.window.max(self.one_packet()).min(most).saturating_sub((unjudged + self.given.len()) as u64);
        let more = u32::try_from(room.saturating_sub(self.client.allowed)).unwrap_or(u32::MAX);
        self.client.allowed += u64::from(more);
        more
    }

    /// Bytes that are taken of a file transfer whatever the other side has room for: its packets, and scp's lines, are judged whole.
    fn one_packet(&self) -> u64 {
        match &self.program {
            Some(Program { files: Some(_), .. }) => (packet::LENGTH + packet::MOST) as u64 + self.reserve,
            Some(Program { copies: Some(_), .. }) => scp::LINE as u64 + self.reserve,
            Some(_) | None => 0,
        }
    }

    /// Sends the target what was permitted and what it has room for.
    pub(super) fn give(&mut self, to_target: &mut Outbox<ToTarget>) {
        let Some(recipient) = self.target.number.filter(|_| !self.target.told_close) else { return };
        while self.target.window > 0 && !self.given.is_empty() {
            let most = self.target.window.min(self.target.packet.clamp(1, limits::DATA).into());
            let sent = to_target.push_given(&mut self.given, usize::try_from(most).unwrap_or(0), |out, part| {
                frame(out, |out| words::data(out, recipient, None, part));
            });
            self.target.window -= sent as u64;
            if sent == 0 {
                return;
            }
        }
    }

    /// Sends the client what is shown and what it has room for; then what had to come after.
    pub(super) fn pump(&mut self, to_client: &mut Outbox<ToClient>) {
        let Some(recipient) = self.client.number else { return };
        for (shown, stream) in [(&mut self.out, None), (&mut self.err, Some(words::STDERR))] {
            while self.client.window > 0 && !shown.is_empty() && !self.client.told_close {
                let most = self.client.window.min(self.client.packet.min(limits::DATA).into());
                let sent = to_client.push_shown(shown, usize::try_from(most).unwrap_or(0), |out, part| {
                    frame(out, |out| words::data(out, recipient, stream, part));
                });
                self.client.window -= sent as u64;
                if sent == 0 {
                    return;
                }
            }
        }
    }

    /// Whether all that is shown is on its way to the client.
    pub(super) fn is_pumped(&self) -> bool {
        self.client.told_close || (self.out.is_empty() && self.err.is_empty())
    }

    /// Words of the gateway for the person at the client, on standard error. Words that the client has no room for are left out.
    pub(super) fn say(&mut self, released: gate::Released<Words>, to_client: &mut Outbox<ToClient>, len: usize) {
        if self.client.window >= len as u64 && !self.client.told_close {
            self.client.window -= len as u64;
            self.reserve = self.reserve.saturating_sub(len as u64);
            to_client.push(released);
        }
    }
}

/// The gateway's own words as a message of standard error.
pub(super) struct Words {
    pub(super) recipient: u32,
    pub(super) text: String,
}

impl gate::Encode for Words {
    fn encode(&self, out: &mut Vec<u8>) {
        frame(out, |out| words::data(out, self.recipient, Some(words::STDERR), self.text.as_bytes()));
    }
}

/// A message that has nothing but a channel's number, as an outbox holds it.
pub(super) fn bare(number: u8, recipient: u32) -> Framed<Vec<u8>> {
    Framed(words::bare(number, recipient))
}

/// The answer to a request.
pub(super) fn answer(granted: bool, recipient: u32) -> Framed<Vec<u8>> {
    bare(if granted { number::CHANNEL_SUCCESS } else { number::CHANNEL_FAILURE }, recipient)
}
