//! Commands that wait for a human: what the client is told, what waits behind them, and how the wait ends.

use gate::{Asked, Ended, Held};
use model::ApprovalId;

use super::channel::{Kind, Words};
use super::program::{Message, Then};
use super::{End, Relay, Step, files};
use crate::wire::limits;
use crate::{answer, classify};

/// One that waits for a human.
pub(super) struct HeldStart {
    pub(super) held: Held<Message>,
    pub(super) asked: classify::Asked,
    pub(super) then: Then,
}

/// A held command whose request is to be stored.
pub(crate) struct Parking {
    /// Its channel.
    pub(crate) index: usize,
    /// The request.
    pub(crate) request: gate::ports::ApprovalRequest,
}

impl Relay {
    /// The request for a held command is stored: the client is told.
    pub(crate) fn told_to_wait(&mut self, index: usize, id: ApprovalId, link: &str) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(start) = channel.held.as_ref().filter(|start| start.held.id() == id) else { return Ok(()) };
        self.session.parked(&start.held).map_err(End::refused)?;
        let seconds = (start.held.expires().0 - self.session.gate().now().0) / 1_000_000;
        let Some(recipient) = channel.client.number.filter(|_| channel.kind == Kind::Session) else { return Ok(()) };
        let text = answer::held(&id.to_string(), link, seconds, channel.terminal.is_some());
        let len = text.len();
        let released = self.session.release(Words { recipient, text });
        channel.say(released, &mut self.to_client, len);
        Ok(())
    }

    /// Whether this held command still waits in this channel.
    pub(crate) fn waits(&self, index: usize, id: ApprovalId) -> bool {
        let channel = self.channels.get(index).and_then(Option::as_ref);
        channel.and_then(|channel| channel.held.as_ref()).is_some_and(|start| start.held.id() == id)
    }

    /// When the wait of a held command ends by itself.
    pub(crate) fn expires(&self, index: usize) -> Option<gate::Micros> {
        let channel = self.channels.get(index).and_then(Option::as_ref)?;
        channel.held.as_ref().map(|start| start.held.expires())
    }

    /// The wait for a held command is over.
    pub(crate) fn resume(&mut self, index: usize, ended: &Ended) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(start) = channel.held.take() else { return Ok(()) };
        let HeldStart { held, asked, then } = *start;
        match self.session.resume(held, &asked.command(), ended) {
            Asked::Allow(permitted, ticket) => match then {
                Then::Begin { .. } | Then::Copy { .. } => self.go_ahead(index, permitted, ticket, asked, then)?,
                Then::Operation(operation) => {
                    self.approve(index, files::Approved { permitted, ticket, asked, operation })
                }
            },
            Asked::Deny(refusal) => self.refuse(index, &refusal, &then)?,
            Asked::Close(refusal) => return Err(End::Refused(refusal)),
            Asked::Hold(_) => return Err(End::Client("a hold did not end")),
        }
        self.go_on(index)
    }

    /// Messages that came behind a held command.
    fn go_on(&mut self, index: usize) -> Step {
        while let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) {
            if channel.held.is_some() {
                break;
            }
            let Some(message) = channel.waiting.pop_front() else { break };
            channel.waiting_bytes -= message.len();
            self.client(&message)?;
        }
        self.files_of_client(index)?;
        self.copy_on(index)?;
        self.end_input(index)
    }

    /// A message of the client that has to wait behind a held command.
    pub(super) fn wait_behind(&mut self, index: usize, bytes: &[u8]) -> Step {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        channel.waiting_bytes += bytes.len();
        if channel.waiting.len() >= limits::WAITING || channel.waiting_bytes > limits::WAITING_BYTES {
            return Err(End::Client("too many messages behind a held command"));
        }
        channel.waiting.push_back(bytes.to_vec());
        Ok(())
    }

    /// The client does not wait any more.
    pub(super) fn abandon_held(&mut self, index: usize) {
        let Some(channel) = self.channels.get_mut(index).and_then(Option::as_mut) else { return };
        if let Some(start) = channel.held.take() {
            let (_, id) = self.session.abandon(start.held, true);
            channel.waiting.clear();
            self.withdrawn.push(id);
        }
    }
}
