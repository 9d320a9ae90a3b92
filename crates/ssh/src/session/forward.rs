//! Tunnels: connections that the target makes for the client, and those that it takes for it; and other requests about the whole connection.

use std::collections::VecDeque;

use super::channel::{Channel, Kind};
use super::program::{Message, Then, Wanted};
use super::{End, Relay, Step};
use crate::classify::{self, Asked};
use crate::link::socket::Framed;
use crate::wire::channel::{self as words, Open};
use crate::wire::{Cursor, WireError, encode, limits, number};

/// Places at which the target may listen for one client.
const LISTENING: usize = 64;
/// Requests about the connection that the target may have to answer; more are refused.
const UNANSWERED: usize = 64;
/// Those and refusals that wait for their turn.
const MOST: usize = 256;

/// The longest name of a host, or path of a socket.
const HOST: usize = 1024;

/// A place at which the target listens for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Port(String, u32),
    Socket(String),
}

/// What answers a request of the client about the connection.
#[derive(Debug)]
enum Awaited {
    /// The target. Once it grants, it listens there, or no more.
    Target { reply: bool, place: Place, listens: bool },
    /// We.
    Own(bool),
}

/// What was granted for the whole connection.
#[derive(Debug, Default)]
pub(super) struct Forwards {
    /// Where the target listens, and what was asked for: of a port that it chose, none.
    listening: Vec<(Place, Place)>,
    awaited: VecDeque<Awaited>,
    agent: bool,
    x11: bool,
}

impl Forwards {
    /// Whether so many requests are unanswered that no more go to the target.
    fn is_full(&self) -> bool {
        self.awaited.iter().filter(|awaited| matches!(awaited, Awaited::Target { .. })).count() >= UNANSWERED
    }

    /// The client lends its keys or its screen.
    pub(super) fn lent(&mut self, text: &str) {
        self.agent |= text == classify::lend("agent").text;
        self.x11 |= text == classify::lend("x11").text;
    }
}

impl Relay {
    /// A connection that the target is to make.
    pub(super) fn open_tunnel(&mut self, open: &Open<'_>) -> Step {
        let asked = direct(open).map_err(|error| End::Client(error.0))?;
        let channel = Channel::asked_by_client(Kind::Tunnel, open.sender, open.window, open.packet);
        match self.place(channel, open.kind, open.rest) {
            Some((index, message)) => {
                let then = Then::Begin { reply: false };
                self.start(index, Wanted { asked, message: Message::Whole(message), then })
            }
            None => self.refuse_open(open.sender, "too many channels"),
        }
    }

    pub(super) fn global_of_client(&mut self, kind: &str, reply: bool, rest: &[u8]) -> Step {
        match kind {
            "tcpip-forward" | "streamlocal-forward@openssh.com" => {
                let place = place(kind, rest).map_err(|error| End::Client(error.0))?;
                self.listen(kind, reply, rest, place)
            }
            "cancel-tcpip-forward" | "cancel-streamlocal-forward@openssh.com" => {
                let place = place(kind, rest).map_err(|error| End::Client(error.0))?;
                if !self.forwards.listening.iter().any(|(at, _)| *at == place) {
                    return self.own_global(reply, false);
                }
                if self.forwards.is_full() {
                    return self.own_global(reply, false);
                }
                self.await_global(Awaited::Target { reply, place, listens: false })?;
                self.pass(words::global(kind, true, rest))
            }
            "no-more-sessions@openssh.com" => {
                self.no_more = true;
                self.own_global(reply, true)
            }
            // Whoever asks whether we are there learns it from this.
            _ => self.own_global(reply, false),
        }
    }

    fn listen(&mut self, kind: &str, reply: bool, rest: &[u8], place: Place) -> Step {
        if self.forwards.listening.len() >= LISTENING || self.forwards.is_full() {
            return self.own_global(reply, false);
        }
        let asked = match &place {
            Place::Port(host, port) => classify::listen(host, *port),
            Place::Socket(path) => classify::listen_socket(path),
        };
        match self.session.ask(&asked.command(), Framed(words::global(kind, true, rest))) {
            gate::Asked::Allow(permitted, _) => {
                self.await_global(Awaited::Target { reply, place, listens: true })?;
                self.to_target.push(permitted);
                Ok(())
            }
            gate::Asked::Deny(_) => self.own_global(reply, false),
            gate::Asked::Hold(held) => {
                let (_, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                self.own_global(reply, false)
            }
            gate::Asked::Close(refusal) => Err(End::Refused(refusal)),
        }
    }

    fn await_global(&mut self, awaited: Awaited) -> Step {
        if self.forwards.awaited.len() >= MOST {
            return Err(End::Client("too many unanswered requests"));
        }
        self.forwards.awaited.push_back(awaited);
        Ok(())
    }

    fn own_global(&mut self, reply: bool, granted: bool) -> Step {
        if reply {
            self.await_global(Awaited::Own(granted))?;
            self.reply_globals();
        }
        Ok(())
    }

    fn reply_globals(&mut self) {
        while let Some(Awaited::Own(granted)) = self.forwards.awaited.front() {
            let number = if *granted { number::REQUEST_SUCCESS } else { number::REQUEST_FAILURE };
            self.forwards.awaited.pop_front();
            self.tell(Framed(vec![number]));
        }
    }

    /// The target answers a request about the connection.
    pub(super) fn global_answered(&mut self, granted: bool, rest: &[u8]) -> Step {
        let Some(Awaited::Target { reply, place, listens }) = self.forwards.awaited.pop_front() else {
            return Err(End::Target("an answer to nothing"));
        };
        let mut answer = vec![if granted { number::REQUEST_SUCCESS } else { number::REQUEST_FAILURE }];
        let at = match &place {
            // The target chose the port.
            Place::Port(host, 0) if granted && listens => {
                let port = Cursor::new(rest).u32().map_err(|_| End::Target("a port that is not said"))?;
                encode::u32(&mut answer, port);
                Place::Port(host.clone(), port)
            }
            place => place.clone(),
        };
        if granted {
            self.forwards.listening.retain(|(other, _)| *other != at);
            if listens {
                self.forwards.listening.push((at, place));
            }
        }
        if reply {
            self.tell(Framed(answer));
        }
        self.reply_globals();
        Ok(())
    }

    /// A request of the target about the connection: nothing that a client has to know.
    pub(super) fn global_of_target(&mut self, reply: bool) -> Step {
        if reply { self.pass(vec![number::REQUEST_FAILURE]) } else { Ok(()) }
    }

    /// The target asks for a channel: someone has connected to where it listens for the client, or wants what the client lends.
    pub(super) fn open_of_target(&mut self, open: &Open<'_>) -> Step {
        let asked = self.granted(open).map_err(|error| End::Target(error.0))?;
        if self.target_has(open.sender) {
            return Err(End::Target("two channels of one number"));
        }
        let refused = words::open_failure(open.sender, words::PROHIBITED, "");
        let Some(asked) = asked else { return self.pass(refused) };
        let ticket = match self.session.ask(&asked.command(), ()) {
            gate::Asked::Allow(_judged, ticket) => ticket,
            gate::Asked::Deny(_) => return self.pass(refused),
            gate::Asked::Hold(held) => {
                let (_, id) = self.session.abandon(*held, false);
                self.withdrawn.push(id);
                return self.pass(refused);
            }
            gate::Asked::Close(refusal) => return Err(End::Refused(refusal)),
        };
        let Some(index) = self.free() else { return self.pass(refused) };
        let mut channel = Channel::asked_by_target(Kind::Tunnel, open.sender, open.window, open.packet);
        let window = channel.room_for_client();
        let packet = open.packet.min(limits::DATA);
        channel.carry(&mut self.session, ticket, asked);
        if let Some(place) = self.channels.get_mut(index) {
            *place = Some(channel);
        }
        let sender = u32::try_from(index).unwrap_or(u32::MAX);
        self.tell(Framed(words::open(&Open { kind: open.kind, sender, window, packet, rest: open.rest })));
        Ok(())
    }

    /// Whether a channel that the target asks for comes of something that was granted.
    fn granted(&self, open: &Open<'_>) -> Result<Option<Asked>, WireError> {
        let mut cursor = Cursor::new(open.rest);
        Ok(match open.kind {
            "forwarded-tcpip" => {
                let (host, port) = (cursor.text()?.to_owned(), cursor.u32()?);
                // The target may name the address as it resolved it; the port is the one that it listens at.
                let listens = |(at, _): &&(Place, Place)| matches!(at, Place::Port(_, other) if *other == port);
                let place = self.forwards.listening.iter().find(listens);
                // Judged as what was granted: a rule for a port that the target chooses is one for port 0.
                place.map(|(_, asked)| match asked {
                    Place::Port(host, port) => classify::listen(host, *port),
                    Place::Socket(_) => classify::listen(&host, port),
                })
            }
            "forwarded-streamlocal@openssh.com" => {
                let path = cursor.text()?.to_owned();
                let there = Place::Socket(path.clone());
                self.forwards.listening.iter().any(|(at, _)| *at == there).then(|| classify::listen_socket(&path))
            }
            "auth-agent@openssh.com" => self.forwards.agent.then(|| classify::lend("agent")),
            "x11" => self.forwards.x11.then(|| classify::lend("x11")),
            _ => None,
        })
    }
}

fn direct(open: &Open<'_>) -> Result<Asked, WireError> {
    let mut cursor = Cursor::new(open.rest);
    let asked = if open.kind == "direct-tcpip" {
        classify::direct(host(cursor.text()?)?, cursor.u32()?)
    } else {
        classify::socket(host(cursor.text()?)?)
    };
    let _from = (cursor.text()?, cursor.u32()?);
    cursor.end()?;
    Ok(asked)
}

fn place(kind: &str, rest: &[u8]) -> Result<Place, WireError> {
    let mut cursor = Cursor::new(rest);
    let name = host(cursor.text()?)?.to_owned();
    let place = if kind.contains("tcpip") { Place::Port(name, cursor.u32()?) } else { Place::Socket(name) };
    cursor.end()?;
    Ok(place)
}

/// A host's name or a socket's path, of a length that such have.
fn host(name: &str) -> Result<&str, WireError> {
    if name.len() > HOST || name.contains('\0') { Err(WireError("a name above the limit")) } else { Ok(name) }
}
