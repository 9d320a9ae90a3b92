//! What a client's messages about channels mean.

use super::channel::{Channel, Kind};
use super::program::Program;
use super::{End, Relay, Step};
use crate::wire::channel::{self as words, Open};
use crate::wire::{limits, number};

impl Relay {
    /// The client asks for a channel. Only kinds that are known are; of tunnels, the gate decides.
    pub(super) fn open_of_client(&mut self, open: &Open<'_>) -> Step {
        match open.kind {
            "session" if self.no_more => self.refuse_open(open.sender, "no more sessions, as was asked for"),
            "session" if open.rest.is_empty() => self.open_session(open),
            "direct-tcpip" | "direct-streamlocal@openssh.com" => self.open_tunnel(open),
            _ => {
                self.note("channel", &format!("{} refused", super::requests::name_of(open.kind)))?;
                self.refuse_open(open.sender, "this kind of channel is not carried")
            }
        }
    }

    pub(super) fn refuse_open(&mut self, recipient: u32, why: &str) -> Step {
        let message = words::open_failure(recipient, words::PROHIBITED, &format!("sallyport: {why}"));
        self.tell(crate::link::socket::Framed(message));
        Ok(())
    }

    fn open_session(&mut self, open: &Open<'_>) -> Step {
        let channel = Channel::asked_by_client(Kind::Session, open.sender, open.window, open.packet);
        match self.place(channel, open.kind, open.rest) {
            Some((index, message)) => {
                self.is_opening(index);
                self.pass(message)
            }
            None => self.refuse_open(open.sender, "too many channels"),
        }
    }

    /// Gives a channel that the client asks for its number; that, and the message that asks the target for it.
    pub(super) fn place(&mut self, mut channel: Channel, kind: &str, rest: &[u8]) -> Option<(usize, Vec<u8>)> {
        let index = self.free()?;
        let window = channel.room_for_target();
        let packet = channel.client.packet.min(limits::DATA);
        let sender = u32::try_from(index).ok()?;
        *self.channels.get_mut(index)? = Some(channel);
        Some((index, words::open(&Open { kind, sender, window, packet, rest })))
    }

    /// The target is asked to open this channel.
    pub(super) fn is_opening(&mut self, index: usize) {
        if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
            channel.opening = true;
        }
    }

    /// The client has opened a channel that the target asked for.
    pub(super) fn confirmed_by_client(&mut self, recipient: u32, sender: u32, window: u32, packet: u32) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_client() };
        if !channel.opening || channel.client.number.is_some() || channel.client.closed {
            return Err(End::Client("a channel is opened that was not asked for"));
        }
        channel.opening = false;
        channel.client.number = Some(sender);
        (channel.client.window, channel.client.packet) = (window.into(), packet);
        let more = channel.room_for_target();
        // The target was told meanwhile that there will be none.
        let Some(number) = channel.target.number else {
            channel.client.told_close = true;
            self.tell(super::bare(number::CHANNEL_CLOSE, sender));
            return Ok(());
        };
        let packet = packet.min(limits::DATA);
        self.pass(words::confirmation(number, recipient, more, packet))?;
        self.widen_client(index);
        Ok(())
    }

    pub(super) fn open_failed_at_client(&mut self, recipient: u32) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_client() };
        if !channel.opening || channel.client.number.is_some() || channel.client.closed {
            return Err(End::Client("a channel fails to open that was not asked for"));
        }
        channel.opening = false;
        let Some(number) = channel.target.number.take() else {
            self.sweep(index);
            return Ok(());
        };
        self.finish_program(index, "not opened");
        self.sweep(index);
        self.pass(words::open_failure(number, words::CONNECT_FAILED, ""))
    }

    pub(super) fn adjusted_by_client(&mut self, recipient: u32, bytes: u32) -> Step {
        let Some((index, channel)) = self.channel_of_client(recipient) else { return unknown_of_client() };
        channel.client.window = channel.client.window.saturating_add(bytes.into());
        self.pump(index)?;
        self.files_of_client(index)?;
        self.copy_on(index)?;
        self.widen_target(index)
    }

    pub(super) fn data_of_client(&mut self, recipient: u32, data: &[u8]) -> Step {
        let Some((index, channel)) = self.channel_of_client(recipient) else { return unknown_of_client() };
        if !channel.client.spend(data.len()) || channel.client.ended {
            return Err(End::Client("more data than was asked for"));
        }
        // A target drops what is longer than it said: that would be recorded, and nobody would have read it.
        if data.len() as u64 > channel.target.packet.min(limits::DATA).into() {
            return Err(End::Client("more data in one message than was agreed"));
        }
        if channel.target.told_close || channel.target.closed || channel.target.number.is_none() {
            return Ok(());
        }
        self.input(index, data)
    }

    pub(super) fn eof_of_client(&mut self, recipient: u32) -> Step {
        let Some((index, channel)) = self.channel_of_client(recipient) else { return unknown_of_client() };
        channel.client.ended = true;
        if channel.held.is_some() {
            return Ok(());
        }
        self.end_input(index)
    }

    /// Tells the target that the client sends no more, once.
    pub(super) fn end_input(&mut self, index: usize) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let drained = channel.given.is_empty() && channel.program.as_ref().is_none_or(Program::is_drained);
        let due = channel.client.ended && drained && !channel.target.told_end && !channel.target.told_close;
        match channel.target.number {
            Some(number) if due => {
                channel.target.told_end = true;
                self.pass(words::bare(number::CHANNEL_EOF, number))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn close_of_client(&mut self, recipient: u32) -> Step {
        let Some((index, channel)) = self.channel_of_client(recipient) else { return unknown_of_client() };
        channel.client.closed = true;
        self.abandon_held(index);
        self.close_target(index)?;
        let channel = self.channels.get_mut(index).and_then(Option::as_mut);
        if let Some(channel) = channel
            && channel.target.is_over()
            && !channel.client.told_close
            && let Some(number) = channel.client.number
        {
            channel.client.told_close = true;
            self.tell(super::bare(number::CHANNEL_CLOSE, number));
        }
        self.sweep(index);
        Ok(())
    }

    /// Tells the target that the channel is closed, once.
    pub(super) fn close_target(&mut self, index: usize) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        match channel.target.number {
            Some(number) if !channel.target.told_close => {
                channel.target.told_close = true;
                self.pass(words::bare(number::CHANNEL_CLOSE, number))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Records a message worth a line.
    pub(super) fn note(&mut self, what: &str, outcome: &str) -> Step {
        self.session.control_note(what, outcome).map_err(End::refused)
    }
}

pub(super) const fn unknown_of_client() -> Step {
    Err(End::Client("a message for a channel that is not open"))
}
