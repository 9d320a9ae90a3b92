//! Messages of SSH clients and targets through the state machine between them: in any order, broken, and always to channels that may be there.
//! Some sessions are compressed: then the client's messages come out of a stream, which may be broken, and what it is told goes through another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use gate::{Gate, Silence};
use ssh::link::compress::{CompressionError, Packer, Unpacker};
use ssh::session::Relay;
use ssh::wire::channel::{self as words, Message, Open};
use ssh::wire::limits;

use super::gateway::{self, Recorded};
use super::sftp;
use crate::driver::{MOST_MEMORY, Target};
use crate::mutate::mutate;
use crate::random::Random;

/// Messages of both sides.
pub const TARGET: Target = Target { name: "ssh_session", make, memory: 4 * MOST_MEMORY, run };

const POLICY: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: looks, who: any, do: [read], commands: [\"cat *\"], then: allow }
  - { name: files, who: any, do: [read, write, create], objects: [\"path:/srv/**\"], then: allow }
  - { name: human, who: any, do: [alter, create, delete, write], commands: [\"touch *\"], then: approve, approval: { by: { groups: [dba] }, expires: 60s } }
masks:
  - { name: all, who: any, detect: [email, secret], with: redact }
";
/// What stands in every text that is denied or held.
const MARK: &[u8] = b"FORBIDDEN";
/// What a side may be sent in one message.
const PACKET: u32 = 4096;

/// `C` or `T`, the length, and a message; `Z` and a part of the client's stream, once it is compressed.
fn put(out: &mut Vec<u8>, side: u8, message: &[u8]) {
    out.push(side);
    out.extend_from_slice(&u16::try_from(message.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(message.get(..usize::from(u16::try_from(message.len()).unwrap_or(0))).unwrap_or_default());
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

fn number(random: &mut Random, below: usize) -> u32 {
    u32::try_from(random.below(below)).unwrap_or(0)
}

/// A message of the client to a channel of ours.
fn of_client(random: &mut Random) -> Vec<u8> {
    let channel = number(random, 3);
    match random.below(14) {
        0 | 1 => {
            let kind = random.pick(&["session", "session", "direct-tcpip", "x11"]);
            let window = random.pick(&[0, 10, 5000, 200_000]);
            words::open(&Open { kind, sender: number(random, 1 << 30), window, packet: PACKET, rest: b"" })
        }
        2 | 3 => {
            let text =
                random.pick(&["cat /srv/a", "cat a; rm FORBIDDEN", "touch FORBIDDEN", "cat 'x", "cat /srv/b | cat -n"]);
            words::request(channel, "exec", random.one_in(2), &string(text.as_bytes()))
        }
        4 => words::request(channel, "subsystem", true, &string(random.pick(&["sftp", "FORBIDDEN"]).as_bytes())),
        5 => words::request(
            channel,
            random.pick(&["shell", "env", "pty-req", "signal", "window-change"]),
            true,
            &random.bytes(20),
        ),
        6 | 7 => {
            let mut out = Vec::new();
            let packets: Vec<u8> = (0..=random.below(3)).flat_map(|_| sftp::packet(random)).collect();
            words::data(&mut out, channel, None, &packets);
            out
        }
        8 => {
            let mut out = Vec::new();
            words::data(&mut out, channel, None, &random.bytes(60));
            out
        }
        9 | 10 => words::adjust(channel, random.pick(&[1, 100, 100_000, u32::MAX])),
        11 => words::bare(96, channel),
        12 => words::bare(97, channel),
        _ => words::global(
            random.pick(&["keepalive@openssh.com", "tcpip-forward", "no-more-sessions@openssh.com"]),
            true,
            b"",
        ),
    }
}

/// A message of the target to a channel of ours; what it calls its channels is `100 +` ours.
fn of_target(random: &mut Random) -> Vec<u8> {
    let channel = number(random, 3);
    match random.below(12) {
        0..=2 => words::confirmation(channel, 100 + channel, random.pick(&[0, 7, 3000, 100_000]), PACKET),
        3 => words::bare(random.pick(&[99, 100]), channel),
        4 | 5 => {
            let mut out = Vec::new();
            let text =
                random.pick(&["plain words\n", "mail o.hara@example.com now\r\n", "\x1b[1mbold\x1b[0m ", "half a wo"]);
            words::data(&mut out, channel, if random.one_in(4) { Some(words::STDERR) } else { None }, text.as_bytes());
            out
        }
        6 | 7 => {
            let mut out = Vec::new();
            let packets: Vec<u8> = (0..=random.below(2)).flat_map(|_| sftp::packet(random)).collect();
            words::data(&mut out, channel, None, &packets);
            out
        }
        8 => words::adjust(channel, random.pick(&[1, 100, 100_000])),
        9 => words::bare(random.pick(&[96, 97]), channel),
        10 => words::request(channel, random.pick(&["exit-status", "exit-signal", "x"]), false, &[0, 0, 0, 1]),
        _ => words::open_failure(channel, 1, "no"),
    }
}

/// A message of the client as its stream carries it, in a session that is compressed.
fn packed(random: &mut Random, packer: &mut Packer, message: &[u8]) -> Result<Vec<u8>> {
    if random.one_in(40) {
        // One that unpacks to more than a message may be, or to as much.
        return Ok(packer.pack(&vec![94; limits::PAYLOAD + random.below(3)])?.to_vec());
    }
    let mut part = packer.pack(message)?.to_vec();
    if random.one_in(20) {
        let donor = random.bytes(8);
        mutate(random, &mut part, &donor);
    }
    Ok(part)
}

fn make(random: &mut Random) -> Result<Vec<u8>> {
    let plain = make_plain(random)?;
    if !random.one_in(3) {
        return Ok(plain);
    }
    let (mut packer, mut out) = (Packer::default(), Vec::new());
    for (side, message) in records(&plain) {
        match side {
            b'C' => put(&mut out, b'Z', &packed(random, &mut packer, message)?),
            _ => put(&mut out, side, message),
        }
    }
    Ok(out)
}

/// What [`put`] has written.
fn records(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[side, high, low], after) = rest.split_first_chunk::<3>()?;
        let len = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (message, next) = after.split_at(len);
        rest = next;
        Some((side, message))
    })
}

fn make_plain(random: &mut Random) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    // Most begin as sessions do.
    if !random.one_in(6) {
        let window = random.pick(&[64, 5000, 200_000]);
        put(&mut out, b'C', &words::open(&Open { kind: "session", sender: 50, window, packet: PACKET, rest: b"" }));
        put(&mut out, b'T', &words::confirmation(0, 100, random.pick(&[16, 3000, 100_000]), PACKET));
        let (kind, text) = random.pick(&[("exec", "cat /srv/a"), ("subsystem", "sftp"), ("exec", "touch FORBIDDEN")]);
        put(&mut out, b'C', &words::request(0, kind, true, &string(text.as_bytes())));
        put(&mut out, b'T', &words::bare(99, 0));
    }
    for _ in 0..random.below(24) {
        let client = random.one_in(2);
        let mut message = if client { of_client(random) } else { of_target(random) };
        if random.one_in(20) {
            let donor = of_client(random);
            mutate(random, &mut message, &donor);
        }
        put(&mut out, if client { b'C' } else { b'T' }, &message);
    }
    Ok(out)
}

/// What both sides were told they may send, and what came.
#[derive(Default)]
struct Model {
    /// Bytes that the target's channels may be sent.
    target: HashMap<u32, u64>,
    /// Bytes of output that the client was sent.
    shown: usize,
    /// Channels of the target, and of the client, that were told of their end.
    closed: [HashSet<u32>; 2],
    /// The client names two channels alike, or asks for a transfer: nothing is counted.
    vague: bool,
    /// The streams of a session that is compressed: the client's, and the one that it is answered with, both its ends.
    streams: Option<(Unpacker, Packer, Unpacker)>,
}

thread_local! {
    static GATE: (Arc<Gate>, Arc<Recorded>) = gateway::gate("ssh", POLICY);
}

fn run(data: &[u8]) {
    GATE.with(|(gate, recorded)| {
        recorded.clear();
        let mut relay = Relay::new(doubles::open(gate, "ssh", gateway::TARGET).session);
        let mut model = Model::default();
        for (side, message) in records(data) {
            let message = match side {
                b'Z' => match model.unpack(message) {
                    Ok(message) => message,
                    // The link is over.
                    Err(_) => break,
                },
                _ => message.to_vec(),
            };
            let (message, len) = (message.as_slice(), message.len());
            let step = match side {
                b'C' | b'Z' => relay.client(message),
                _ => {
                    model.granted(message);
                    relay.target(message)
                }
            };
            model.vague |= message.windows(9).any(|word| word == b"subsystem");
            let more = step.and_then(|()| match len % 10 {
                0 => relay.show_all_waiting(Silence::Long),
                5 => relay.show_all_waiting(Silence::Moment),
                _ => relay.tick(),
            });
            model.look(&mut relay, recorded);
            if more.is_err() {
                break;
            }
        }
        relay.finish_all();
    });
}

impl Model {
    /// A message out of the client's stream.
    fn unpack(&mut self, part: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let (unpacker, ..) = self.streams.get_or_insert_default();
        unpacker.unpack(part)?;
        assert!(unpacker.message().len() <= limits::PAYLOAD, "a message above the limit");
        Ok(unpacker.message().to_vec())
    }

    /// What the client is told arrives as it is through its stream.
    fn repack(&mut self, message: &[u8]) {
        if let Some((_, packer, unpacker)) = &mut self.streams {
            let there = packer.pack(message).and_then(|part| unpacker.unpack(part));
            assert!(there.is_ok() && unpacker.message() == message, "another message comes out: {there:?}");
        }
    }

    /// A message of the target that lets its channels be sent more.
    fn granted(&mut self, message: &[u8]) {
        match Message::read(message) {
            Ok(Message::Confirmation { sender, window, .. }) => {
                self.closed[0].remove(&sender);
                *self.target.entry(sender).or_default() += u64::from(window);
            }
            // Which channel of the target's that is, is what the relay knows: all of them count.
            Ok(Message::Adjust { bytes, .. }) => {
                self.target.values_mut().for_each(|window| *window += u64::from(bytes));
            }
            Ok(Message::Open(open)) => *self.target.entry(open.sender).or_default() += u64::from(open.window),
            Ok(_) | Err(_) => {}
        }
    }

    /// Behind its end nothing comes for a channel.
    fn follow(&mut self, side: usize, message: &[u8]) {
        let (recipient, ends) = match Message::read(message) {
            Ok(Message::Close { recipient }) => (recipient, true),
            Ok(
                Message::Adjust { recipient, .. }
                | Message::Data { recipient, .. }
                | Message::Extended { recipient, .. }
                | Message::Eof { recipient }
                | Message::Request { recipient, .. }
                | Message::Success { recipient }
                | Message::Failure { recipient },
            ) => (recipient, false),
            // The client's channel begins.
            Ok(Message::Confirmation { recipient, .. }) => {
                self.closed[side].remove(&recipient);
                return;
            }
            Ok(_) | Err(_) => return,
        };
        assert!(!self.closed[side].contains(&recipient), "a message for a channel that is closed, of side {side}");
        if ends {
            self.closed[side].insert(recipient);
        }
    }

    fn look(&mut self, relay: &mut Relay, recorded: &Recorded) {
        let to_target = relay.to_target.pending().to_vec();
        relay.to_target.wrote(to_target.len());
        for message in messages(&to_target) {
            self.follow(0, message);
            assert!(!message.windows(MARK.len()).any(|word| word == MARK), "what was not allowed is on its way");
            if let Ok(Message::Data { recipient, data }) = Message::read(message) {
                let left = self.target.get_mut(&recipient).map(|window| {
                    let enough = *window >= data.len() as u64;
                    *window = window.saturating_sub(data.len() as u64);
                    enough
                });
                assert_eq!(left, Some(true), "the target is sent more than it has room for");
                assert!(data.len() <= PACKET as usize, "a message above what the target takes");
            }
        }
        let to_client = relay.to_client.pending().to_vec();
        relay.to_client.wrote(to_client.len());
        for message in messages(&to_client) {
            self.repack(message);
            self.follow(1, message);
            let read = Message::read(message);
            assert!(read.is_ok(), "a message of ours that nobody can read: {read:?}");
            if let Ok(Message::Data { data, .. } | Message::Extended { data, .. }) = read {
                // Files are carried as they are.
                assert!(
                    self.vague || !data.windows(18).any(|word| word == b"o.hara@example.com"),
                    "a masked value is shown"
                );
                let own = data.starts_with(b"sallyport: ");
                self.shown += if own { 0 } else { data.len() };
            }
        }
        let kept = recorded.output.load(Ordering::Relaxed);
        assert!(self.vague || self.shown <= kept, "{} bytes are shown and {kept} recorded", self.shown);
    }
}

/// The messages of an outbox, each behind its length.
pub(super) fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        assert!(len <= rest.len(), "half a message waits");
        let (message, rest) = rest.split_at(len);
        all.push(message);
        bytes = rest;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_hold_what_is_asserted() {
        let mut random = Random::new(5);
        for _ in 0..300 {
            run(&make(&mut random).unwrap());
        }
    }
}
