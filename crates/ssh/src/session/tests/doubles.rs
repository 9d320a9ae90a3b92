//! A gate whose ports keep nothing but what recordings would say of files, and both peers of a relay.

use std::sync::{Arc, Mutex};

use doubles::Watched;
pub(super) use doubles::policy;
use gate::{Ended, Gate, Parts, StreamKind};
use record::Event;

use crate::session::{Relay, Step};
use crate::wire::channel::{self as words, Message, Open};
use crate::wire::encode;

/// A session with one channel, number 0 everywhere, in which a program runs.
pub(super) struct Rig {
    pub(super) relay: Relay,
    pub(super) gate: Arc<Gate>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    /// `kind` and `text` are the request's: `exec` and a command, `subsystem` and its name; without a kind there is no channel. The target has room for `window` bytes.
    pub(super) fn new(rules: &str, kind: &str, text: &str, window: u32) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        let recordings = Watched::new(move |event: &Event<'_>| seen.lock().unwrap().extend(line(event)));
        let targets = vec![doubles::target("ssh", "web-1", "ops", "127.0.0.1:1")];
        let gate = Gate::new(Parts { recordings, ..doubles::parts(rules, targets) });
        let opened = doubles::open(&gate, "ssh", "web-1");
        let relay = Relay::new(opened.session);
        let mut rig = Self { relay, gate, log };
        if kind.is_empty() {
            return rig;
        }
        rig.client(&words::open(&Open { kind: "session", sender: 0, window: 1 << 21, packet: 1 << 15, rest: b"" }));
        rig.target(&words::confirmation(0, 0, window, 1 << 15));
        let mut rest = Vec::new();
        encode::string(&mut rest, text.as_bytes());
        rig.client(&words::request(0, kind, true, &rest));
        // A program that is refused is none to the target.
        let _begun = rig.relay.target(&words::bare(99, 0));
        rig
    }

    pub(super) fn client(&mut self, message: &[u8]) {
        let step = self.relay.client(message);
        assert!(step.is_ok(), "{step:?}");
    }

    pub(super) fn target(&mut self, message: &[u8]) {
        let step = self.relay.target(message);
        assert!(step.is_ok(), "{step:?}");
    }

    pub(super) fn client_says(&mut self, data: &[u8]) {
        let mut message = Vec::new();
        words::data(&mut message, 0, None, data);
        self.client(&message);
    }

    pub(super) fn target_says(&mut self, data: &[u8]) {
        let mut message = Vec::new();
        words::data(&mut message, 0, None, data);
        self.target(&message);
    }

    /// A human approves what waits.
    pub(super) fn approve(&mut self) -> Step {
        let waits = self.relay.parking.pop().expect("something waits");
        self.relay.resume(waits.index, &Ended::Approved { by: vec![("alice".to_owned(), String::new())] })
    }

    pub(super) fn waits(&self) -> bool {
        !self.relay.parking.is_empty()
    }

    /// Looks at the messages that the target was sent since the last time.
    pub(super) fn each_at_target(&mut self, mut look: impl FnMut(Message<'_>)) {
        let bytes = self.relay.to_target.pending().to_vec();
        self.relay.to_target.wrote(bytes.len());
        messages(&bytes).into_iter().for_each(|message| look(Message::read(message).unwrap()));
    }

    /// Looks at the messages that the client was sent since the last time.
    pub(super) fn each_at_client(&mut self, mut look: impl FnMut(Message<'_>)) {
        let bytes = self.relay.to_client.pending().to_vec();
        self.relay.to_client.wrote(bytes.len());
        messages(&bytes).into_iter().for_each(|message| look(Message::read(message).unwrap()));
    }

    /// The bytes that programs at the target were given since the last time.
    pub(super) fn at_target(&mut self) -> Vec<u8> {
        let bytes = self.relay.to_target.pending().to_vec();
        self.relay.to_target.wrote(bytes.len());
        data(&bytes)
    }

    /// The bytes that the client was shown since the last time.
    pub(super) fn at_client(&mut self) -> Vec<u8> {
        let bytes = self.relay.to_client.pending().to_vec();
        self.relay.to_client.wrote(bytes.len());
        data(&bytes)
    }

    /// The bytes that the client was told since the last time that it may send.
    pub(super) fn granted(&mut self) -> u64 {
        let bytes = self.relay.to_client.pending().to_vec();
        self.relay.to_client.wrote(bytes.len());
        let adjusted = messages(&bytes).into_iter().filter_map(|message| match Message::read(message) {
            Ok(Message::Adjust { bytes, .. }) => Some(u64::from(bytes)),
            _ => None,
        });
        adjusted.sum()
    }

    /// What was recorded of files since the last time.
    pub(super) fn recorded(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

fn data(bytes: &[u8]) -> Vec<u8> {
    let parts = messages(bytes).into_iter().filter_map(|message| match Message::read(message) {
        Ok(Message::Data { data, .. }) => Some(data),
        _ => None,
    });
    parts.collect::<Vec<_>>().concat()
}

/// The messages of an outbox, each behind its length.
fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        all.push(message);
        bytes = rest;
    }
    all
}

/// What is recorded of commands, of what they are given, and of files.
fn line(event: &Event<'_>) -> Option<String> {
    match event {
        Event::Judged(judged) => Some(format!("{} {}", judged.command.outcome.as_str(), judged.command.text)),
        Event::File { operation, path, size, digest, outcome, .. } => {
            let digest = if digest.is_some() { " digest" } else { "" };
            Some(format!("{operation} {path} {size}{digest}: {outcome}"))
        }
        Event::Stream { stream: StreamKind::Input, data, .. } => {
            Some(format!("input {}", String::from_utf8_lossy(data)))
        }
        Event::Content { to_target, offset, data, .. } => {
            Some(format!("content {to_target} {offset} {}", String::from_utf8_lossy(data)))
        }
        _ => None,
    }
}
