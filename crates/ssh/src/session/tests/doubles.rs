//! A gate whose ports keep nothing but what recordings would say of files, and both peers of a relay.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use gate::ports::{
    Answer, ApprovalRequest, ApprovalState, Approvals, Audit, AuditEntry, AuthFailure, BoxFuture, Clock, Identities,
    Lease, LeaseError, Proven, RecordFailure, Recorder, Recordings, ScramAttempt, ScramParameters, Secrets, StoreAway,
    StoredApproval,
};
use gate::{Ended, Endpoint, Gate, Micros, OpenRequest, Parts, Settings, Targets};
use model::{ApprovalId, Identity, IdentityKind, SessionId, Target};
use policy::{Policy, Source};
use record::Event;

use crate::session::{Relay, Step};
use crate::wire::channel::{self as words, Message, Open};
use crate::wire::encode;

pub(super) fn policy(text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(&[Source { name: "policy.yaml", text }]).unwrap())
}

/// A session with one channel, number 0 everywhere, in which a program runs.
pub(super) struct Rig {
    pub(super) relay: Relay,
    pub(super) gate: Arc<Gate>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    /// `kind` and `text` are the request's: `exec` and a command, `subsystem` and its name. The target has room for `window` bytes.
    pub(super) fn new(rules: &str, kind: &str, text: &str, window: u32) -> Self {
        let target = Target {
            name: "web-1".to_owned(),
            kind: "ssh".to_owned(),
            labels: BTreeMap::new(),
            roles: vec!["ops".to_owned()],
            default_role: "ops".to_owned(),
        };
        let endpoint = Endpoint { address: "127.0.0.1:1".to_owned(), options: serde_json::Value::Null };
        let log = Arc::new(Mutex::new(Vec::new()));
        let double = Arc::new(Double(Arc::clone(&log)));
        let gate = Gate::new(Parts {
            policy: policy(rules),
            targets: Targets::new(vec![(target, endpoint)]).unwrap(),
            identities: double.clone(),
            secrets: double.clone(),
            approvals: double.clone(),
            recordings: double.clone(),
            audit: double.clone(),
            clock: double,
            mask_key: mask::MaskKey::new([7; 32]),
            settings: Settings::default(),
        });
        let identity = Identity {
            subject: "agent-7".to_owned(),
            issuer: "sallyport".to_owned(),
            groups: Vec::new(),
            kind: IdentityKind::Agent,
            on_behalf_of: Vec::new(),
            task: None,
            claims: BTreeMap::new(),
        };
        let proven = Proven { identity, expires: Micros(i64::MAX), token: None, targets: None };
        let request =
            OpenRequest { protocol: "ssh", target: "web-1", role: None, scope: "", from: None, client: "test" };
        let opened = pin!(gate.open(proven, request)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(opened)) = opened else { panic!("no session") };
        let mut rig = Self { relay: Relay::new(opened.session), gate: Arc::clone(&gate), log };
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

struct Double(Arc<Mutex<Vec<String>>>);

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Secrets for Double {
    fn lease<'a>(&'a self, _: &'a str, role: &'a str, _: SessionId) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        ready(Ok(Lease { user: role.to_owned(), password: None, certificate: None, authority: None }))
    }
    fn release<'a>(&'a self, _: &'a str, _: &'a str, _: SessionId) -> BoxFuture<'a, ()> {
        ready(())
    }
}

impl Identities for Double {
    fn verify<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        ready(Err(AuthFailure::Unknown))
    }
    fn scram_parameters(&self) -> ScramParameters {
        ScramParameters { salt: Vec::new(), iterations: 4096 }
    }
    fn verify_scram<'a>(
        &'a self,
        _: &'a ScramAttempt,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(Proven, [u8; 32]), AuthFailure>> {
        ready(Err(AuthFailure::Unknown))
    }
    fn bearer_discovery(&self) -> Option<(String, String)> {
        None
    }
}

impl Approvals for Double {
    fn create<'a>(&'a self, _: &'a ApprovalRequest) -> BoxFuture<'a, Result<(), StoreAway>> {
        ready(Ok(()))
    }
    fn get(&self, _: ApprovalId) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        ready(Ok(None))
    }
    fn list(&self, _: bool, _: u32) -> BoxFuture<'_, Result<Vec<StoredApproval>, StoreAway>> {
        ready(Ok(Vec::new()))
    }
    fn answer<'a>(&'a self, _: ApprovalId, _: &'a Answer) -> BoxFuture<'a, Result<Option<StoredApproval>, StoreAway>> {
        ready(Ok(None))
    }
    fn granted(&self, _: [u8; 32], _: Micros) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        ready(Ok(None))
    }
    fn consume(&self, _: ApprovalId, _: Micros) -> BoxFuture<'_, Result<bool, StoreAway>> {
        ready(Ok(false))
    }
    fn report<'a>(&'a self, _: ApprovalId, _: &'a str) -> BoxFuture<'a, Result<(), StoreAway>> {
        ready(Ok(()))
    }
    fn end(&self, _: ApprovalId, _: ApprovalState) -> BoxFuture<'_, Result<(), StoreAway>> {
        ready(Ok(()))
    }
}

impl Recordings for Double {
    fn open<'a>(
        &'a self,
        _: SessionId,
        _: Micros,
        _: &'a record::Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        ready(Ok(Box::new(Log(Arc::clone(&self.0))) as Box<dyn Recorder>))
    }
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

struct Log(Arc<Mutex<Vec<String>>>);

impl Recorder for Log {
    fn append(&mut self, _: Micros, event: &Event<'_>) -> Result<(), RecordFailure> {
        let line = match event {
            Event::Judged(judged) => format!("{} {}", judged.command.outcome.as_str(), judged.command.text),
            Event::File { operation, path, size, digest, outcome, .. } => {
                let digest = if digest.is_some() { " digest" } else { "" };
                format!("{operation} {path} {size}{digest}: {outcome}")
            }
            Event::Content { to_target, offset, data, .. } => {
                format!("content {to_target} {offset} {}", String::from_utf8_lossy(data))
            }
            _ => return Ok(()),
        };
        self.0.lock().unwrap().push(line);
        Ok(())
    }
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RecordFailure>> {
        Poll::Ready(Ok(()))
    }
    fn seal(&mut self) {}
}

impl Audit for Double {
    fn write<'a>(&'a self, _: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreAway>> {
        ready(Ok(()))
    }
}

impl Clock for Double {
    fn now(&self) -> Micros {
        Micros(1_800_000_000_000_000)
    }
}
