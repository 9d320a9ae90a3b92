//! Copies by scp's old protocol through the state machine of SSH sessions: sources that wait for answers and sources that do not, before a sink
//! that reads as OpenSSH's does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use gate::Gate;
use ssh::session::Relay;
use ssh::wire::channel::{self as words, Message, Open};

use super::gateway::{self, Recorded};
use super::ssh_session::messages;
use crate::driver::{MOST_MEMORY, Target};
use crate::mutate::mutate;
use crate::random::Random;

/// What a source says, in pieces.
pub const TARGET: Target = Target { name: "scp", make, memory: 4 * MOST_MEMORY, run };

const POLICY: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: files, who: any, do: [read, write, create], objects: [\"path:/srv*\"], then: allow }
  - { name: never, who: any, do: [read, write, create], objects: [\"path:*FORBIDDEN*\"], then: deny }
";
/// Far sides: where files come from, and where they go to.
const COMMANDS: [&str; 4] = ["scp -r -p -d -t /srv", "scp -r -t /srv/up", "scp -r -p -f /srv/*", "scp -t /srv/up/"];
const NAMES: [&str; 7] = ["a", "b c", "FORBIDDEN", "x.FORBIDDEN", "\u{fc}ber", "C0644 3 FORBIDDEN", ".."];
/// What a record of an input is.
const LINE: u8 = b'L';
const CONTENT: u8 = b'B';

fn put(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn item(random: &mut Random, out: &mut Vec<u8>) {
    if random.one_in(3) {
        put(out, LINE, b"T1000000000 0 1000000001 5\n");
    }
    let name = if random.one_in(20) { NAMES[6] } else { random.pick(&NAMES[..6]) };
    if random.one_in(4) {
        put(out, LINE, format!("D0755 0 {name}\n").as_bytes());
        return;
    }
    let content = match random.below(4) {
        0 => Vec::new(),
        1 => format!("C0644 3 {}\nabc\0", random.pick(&NAMES[..6])).into_bytes(),
        _ => random.bytes(3000),
    };
    let size = if random.one_in(12) { random.below(4000) } else { content.len() };
    put(out, LINE, format!("C0644 {size} {name}\n").as_bytes());
    put(out, CONTENT, &content);
    put(out, CONTENT, if random.one_in(8) { b"\x01scp: read failed\n" } else { b"\0" });
}

fn make(random: &mut Random) -> Result<Vec<u8>> {
    // Which command, whether the source waits for answers, and how the sink answers and messages are cut.
    let mut out = vec![random.byte(), random.byte(), random.byte(), random.byte()];
    for _ in 0..random.below(12) {
        match random.below(8) {
            0 => put(&mut out, LINE, b"E\n"),
            1 => put(&mut out, LINE, b"\x01scp: none: No such file or directory\n"),
            _ => item(random, &mut out),
        }
    }
    if random.one_in(4) {
        let mut donor = Vec::new();
        item(random, &mut donor);
        mutate(random, &mut out, &donor);
    }
    Ok(out)
}

thread_local! {
    static GATE: (Arc<Gate>, Arc<Recorded>) = gateway::gate("ssh", POLICY);
}

fn run(data: &[u8]) {
    let Some((&[command, waits, first, second], mut rest)) = data.split_first_chunk::<4>() else { return };
    GATE.with(|(gate, recorded)| {
        recorded.clear();
        let random = Random::new((u64::from(first) << 8) | u64::from(second));
        let mut pair = Pair::new(Relay::new(doubles::open(gate, "ssh", gateway::TARGET).session), command, random);
        let (mut refused, patient) = (false, waits % 4 > 0);
        while let Some((&[kind, high, low], after)) = rest.split_first_chunk::<3>() {
            let (bytes, next) = after.split_at(usize::from(u16::from_be_bytes([high, low])).min(after.len()));
            rest = next;
            if patient && kind == CONTENT && refused {
                continue;
            }
            if pair.source(bytes) {
                break;
            }
            if kind == LINE {
                refused = pair.answers.last().is_some_and(|answer| *answer != 0);
            }
        }
        pair.relay.finish_all();
        assert_eq!(
            recorded.files.load(Ordering::Relaxed),
            pair.sink.content,
            "bytes that are recorded are not those that passed"
        );
    });
}

/// A relay between a source and a sink.
struct Pair {
    relay: Relay,
    to_target: bool,
    sink: Sink,
    random: Random,
    /// First bytes of what the source was answered.
    answers: Vec<u8>,
}

impl Pair {
    fn new(relay: Relay, command: u8, mut random: Random) -> Self {
        let command = COMMANDS[usize::from(command) % COMMANDS.len()];
        let sink = Sink { broken: 2 + random.below(12), ..Sink::default() };
        let mut pair = Self { relay, to_target: command.contains("-t"), sink, random, answers: Vec::new() };
        let window = 1 << 24;
        pair.step(true, &words::open(&Open { kind: "session", sender: 0, window, packet: 1 << 15, rest: b"" }));
        pair.step(false, &words::confirmation(0, 0, window, 1 << 15));
        let mut text = u32::try_from(command.len()).unwrap_or(0).to_be_bytes().to_vec();
        text.extend_from_slice(command.as_bytes());
        pair.step(true, &words::request(0, "exec", true, &text));
        pair.step(false, &words::bare(99, 0));
        pair.settle(vec![0]);
        pair
    }

    /// True when the program is over.
    fn step(&mut self, client: bool, message: &[u8]) -> bool {
        let step = if client { self.relay.client(message) } else { self.relay.target(message) };
        step.is_err()
    }

    /// The source says this, in any pieces; true when the program is over.
    fn source(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let count = if self.random.one_in(3) { 1 + self.random.below(40) } else { bytes.len() };
            let (piece, rest) = bytes.split_at(count.min(bytes.len()));
            bytes = rest;
            if self.say(self.to_target, piece) || self.settle(Vec::new()) {
                return true;
            }
        }
        false
    }

    fn say(&mut self, client: bool, bytes: &[u8]) -> bool {
        let mut message = Vec::new();
        words::data(&mut message, 0, None, bytes);
        self.step(client, &message)
    }

    /// Lets the sink read and answer until nothing moves; `answer` is what it says first.
    fn settle(&mut self, mut answer: Vec<u8>) -> bool {
        loop {
            if !answer.is_empty() && self.say(!self.to_target, &answer) {
                return true;
            }
            let (target, over_target) = sent(&take(&mut self.relay, true));
            let (client, over_client) = sent(&take(&mut self.relay, false));
            let (sink, source) = if self.to_target { (target, client) } else { (client, target) };
            self.answers.extend(source.first());
            answer = self.sink.read(&sink, &mut self.random);
            if over_target || over_client {
                return true;
            }
            if answer.is_empty() && sink.is_empty() {
                return false;
            }
        }
    }
}

fn take(relay: &mut Relay, target: bool) -> Vec<u8> {
    if target {
        let bytes = relay.to_target.pending().to_vec();
        relay.to_target.wrote(bytes.len());
        return bytes;
    }
    let bytes = relay.to_client.pending().to_vec();
    relay.to_client.wrote(bytes.len());
    bytes
}

/// The data for a program in these messages, and whether its channel is closed.
fn sent(bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut all, mut over) = (Vec::new(), false);
    for message in messages(bytes) {
        match Message::read(message) {
            Ok(Message::Data { data, .. }) => all.extend_from_slice(data),
            Ok(Message::Close { .. }) => over = true,
            Ok(_) | Err(_) => {}
        }
    }
    (all, over)
}

/// What OpenSSH's `sink` makes of the bytes that reach it.
#[derive(Default)]
struct Sink {
    waiting: Vec<u8>,
    /// Content that is still to come.
    left: Option<usize>,
    depth: usize,
    /// Content that came.
    content: usize,
    /// One in so many is answered by an error.
    broken: usize,
}

impl Sink {
    fn read(&mut self, bytes: &[u8], random: &mut Random) -> Vec<u8> {
        self.waiting.extend_from_slice(bytes);
        let mut answers = Vec::new();
        loop {
            let used = match self.left {
                Some(left @ 1..) => {
                    let count = left.min(self.waiting.len());
                    self.left = Some(left - count);
                    self.content += count;
                    count
                }
                // What comes behind the content, and its answer.
                Some(_) => {
                    let Some(used) = whole(&self.waiting) else { return answers };
                    self.left = None;
                    self.answer(&mut answers, random);
                    used
                }
                None => {
                    let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') else { return answers };
                    assert!(end < 2047, "a line that an old sink reads as two");
                    let line = self.waiting.get(..end).unwrap_or_default().to_vec();
                    self.line(&line, &mut answers, random);
                    end + 1
                }
            };
            if used == 0 {
                return answers;
            }
            self.waiting.drain(..used);
        }
    }

    fn answer(&self, answers: &mut Vec<u8>, random: &mut Random) -> bool {
        let fails = random.one_in(self.broken);
        if fails {
            answers.extend_from_slice(b"\x01scp: Permission denied\n");
        } else {
            answers.push(0);
        }
        !fails
    }

    fn line(&mut self, line: &[u8], answers: &mut Vec<u8>, random: &mut Random) {
        match line.first() {
            Some(1 | 2) => {}
            Some(b'E') => {
                assert!(self.depth > 0, "the sink would end here");
                self.depth -= 1;
                answers.push(0);
            }
            Some(b'T') => answers.push(0),
            Some(kind @ (b'C' | b'D')) => {
                let text = String::from_utf8_lossy(line);
                let mut fields = text.splitn(3, ' ');
                let (size, name) = (fields.nth(1).unwrap_or_default(), fields.next().unwrap_or_default());
                assert!(!name.contains("FORBIDDEN"), "what was not allowed reaches the sink: {text}");
                assert!(!matches!(name, "" | "." | "..") && !name.contains(['/', '\0']), "{text}");
                let size: usize = size.parse().unwrap_or(usize::MAX);
                assert_ne!(size, usize::MAX, "a line that no sink reads: {text}");
                if self.answer(answers, random) {
                    if *kind == b'D' {
                        self.depth += 1;
                    } else {
                        self.left = Some(size);
                    }
                }
            }
            Some(_) | None => unreadable(line),
        }
    }
}

#[expect(clippy::panic, reason = "what the fuzzer looks for")]
fn unreadable(line: &[u8]) {
    panic!("a line that no sink reads: {}", String::from_utf8_lossy(line))
}

/// The length of the answer at the front.
fn whole(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        0 => Some(1),
        _ => bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_hold_what_is_asserted() {
        let mut random = Random::new(5);
        let mut passed = 0;
        for _ in 0..300 {
            run(&make(&mut random).unwrap());
            passed += GATE.with(|(_, recorded)| recorded.files.load(Ordering::Relaxed));
        }
        assert!(passed > 10_000, "only {passed} bytes of files passed");
    }
}
