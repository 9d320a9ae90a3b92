//! What a target's messages about channels mean.

use gate::StreamKind;

use super::channel::{About, Awaited, Kind, answer};
use super::{End, Relay, Step};
use crate::link::socket::Framed;
use crate::wire::channel as words;
use crate::wire::{Cursor, limits, number};

impl Relay {
    /// The target has opened a channel that the client asked for. Until a program runs in it, nobody reads what the client would send.
    pub(super) fn confirmed_by_target(&mut self, recipient: u32, sender: u32, window: u32, packet: u32) -> Step {
        let Some((_, channel)) = self.channel(recipient) else { return unknown_of_target() };
        if channel.target.number.is_some() || channel.target.closed || !channel.opening {
            return Err(End::Target("a channel is opened that was not asked for"));
        }
        if self.target_has(sender) {
            return Err(End::Target("two channels of one number"));
        }
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        channel.opening = false;
        channel.target.number = Some(sender);
        (channel.target.window, channel.target.packet) = (window.into(), packet);
        let allowed = match channel.kind {
            Kind::Session => 0,
            Kind::Tunnel => channel.room_for_client(),
        };
        // The client was told meanwhile that there will be none.
        let Some(number) = channel.client.number else { return self.close_target(index) };
        self.tell(Framed(words::confirmation(number, recipient, allowed, packet.min(limits::DATA))));
        Ok(())
    }

    pub(super) fn open_failed_at_target(&mut self, recipient: u32, reason: u32) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        if channel.target.number.is_some() || channel.target.closed || !channel.opening {
            return Err(End::Target("a channel fails to open that was not asked for"));
        }
        channel.opening = false;
        let Some(number) = channel.client.number.take() else {
            self.sweep(index);
            return Ok(());
        };
        self.finish_program(index, "not opened");
        self.sweep(index);
        let reason =
            if (words::PROHIBITED..=words::SHORTAGE).contains(&reason) { reason } else { words::CONNECT_FAILED };
        self.tell(Framed(words::open_failure(number, reason, "the target did not open it")));
        Ok(())
    }

    pub(super) fn adjusted_by_target(&mut self, recipient: u32, bytes: u32) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        channel.target.window = channel.target.window.saturating_add(bytes.into());
        self.give(index);
        self.files_of_client(index)?;
        self.copy_on(index)?;
        self.widen_client(index);
        Ok(())
    }

    /// What a program prints, or a tunnel carries.
    pub(super) fn data_of_target(&mut self, recipient: u32, stream: Option<u32>, data: &[u8]) -> Step {
        let kind = match stream {
            None => StreamKind::Output,
            Some(words::STDERR) => StreamKind::Error,
            Some(_) => return Err(End::Target("data of a stream that is not known")),
        };
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        if !channel.target.spend(data.len()) {
            return Err(End::Target("more data than was asked for"));
        }
        if channel.client.told_close {
            return Ok(());
        }
        self.output(index, kind, data)?;
        self.pump(index)
    }

    pub(super) fn eof_of_target(&mut self, recipient: u32) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        channel.target.ended = true;
        self.end_output(index)?;
        self.pump(index)
    }

    pub(super) fn close_of_target(&mut self, recipient: u32) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        channel.target.closed = true;
        self.end_output(index)?;
        self.abandon_held(index);
        self.close_target(index)?;
        self.pump(index)
    }

    /// A request of the target about a channel. None that wants an answer is passed on: the known ones want none.
    pub(super) fn request_of_target(&mut self, recipient: u32, kind: &str, reply: bool, rest: &[u8]) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        let (client, target) = (channel.client.number.unwrap_or(0), channel.target.number.unwrap_or(0));
        let (told, over) = (channel.client.told_close, channel.target.told_close);
        // Written anew: nothing of the target's own words goes along.
        let known = match kind {
            "exit-status" => {
                let status = Cursor::new(rest).u32().map_err(|_| End::Target("an exit status without a number"))?;
                self.exited(index, &format!("exit {status}"));
                Some(status.to_be_bytes().to_vec())
            }
            "exit-signal" => {
                let name = Cursor::new(rest).names().map_err(|_| End::Target("an exit signal without a name"))?;
                let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
                self.exited(index, &format!("signal {name}"));
                Some(exit_signal(&name))
            }
            "eow@openssh.com" => Some(Vec::new()),
            "xon-xoff" => Some(vec![u8::from(rest.first().is_some_and(|byte| *byte != 0))]),
            _ => None,
        };
        if let (Some(rest), false) = (known, told) {
            self.tell(Framed(words::request(client, kind, false, &rest)));
        }
        if reply && !over { self.pass(words::bare(number::CHANNEL_FAILURE, target)) } else { Ok(()) }
    }

    /// Without its terminal a program echoes nothing: what is typed is recorded as it comes. None came yet, see [`Channel::room_for_client`].
    ///
    /// [`Channel::room_for_client`]: super::channel::Channel::room_for_client
    fn terminal_answered(&mut self, index: usize, granted: bool) {
        if let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut)
            && !granted
        {
            channel.terminal = None;
            if let Some(program) = &mut channel.program {
                program.flow.no_terminal();
            }
        }
        self.widen_client(index);
    }

    /// The target answers a request that was passed on to it.
    pub(super) fn answered_by_target(&mut self, recipient: u32, granted: bool) -> Step {
        let Some((index, channel)) = self.channel(recipient) else { return unknown_of_target() };
        let Some(Awaited::Target { pass, about }) = channel.replies.pop_front() else {
            return Err(End::Target("an answer to nothing"));
        };
        let (number, told) = (channel.client.number.unwrap_or(0), channel.client.told_close);
        match about {
            About::Start if !granted => self.finish_program(index, "refused by the target"),
            About::Terminal => self.terminal_answered(index, granted),
            About::Start | About::Other => {}
        }
        if pass && !told {
            self.tell(answer(granted, number));
        }
        self.reply_own(index)
    }
}

/// An exit signal without the target's own words.
fn exit_signal(name: &str) -> Vec<u8> {
    use crate::wire::encode;
    let mut out = Vec::new();
    encode::string(&mut out, name.as_bytes());
    encode::boolean(&mut out, false);
    encode::string(&mut out, b"");
    encode::string(&mut out, b"");
    out
}

const fn unknown_of_target() -> Step {
    Err(End::Target("a message for a channel that is not open"))
}
