//! A gate whose ports keep nothing but what recordings would hold of streams.

#![expect(clippy::panic, reason = "a gate that cannot be made is a mistake of the fuzzer's own")]

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use gate::ports::{
    Answer, ApprovalRequest, ApprovalState, Approvals, Audit, AuditEntry, AuthFailure, BoxFuture, Clock, Identities,
    Lease, LeaseError, Proven, RecordFailure, Recorder, Recordings, ScramAttempt, ScramParameters, Secrets, StoreAway,
    StoredApproval,
};
use gate::{Endpoint, Gate, Micros, OpenRequest, Opened, Parts, Settings, Targets};
use model::{ApprovalId, Identity, IdentityKind, SessionId, Target};
use policy::{Policy, Source};
use record::{Event, StreamKind};

/// A gate for one target, `web-1`, of this kind.
pub(super) fn gate(kind: &str, policy: &str) -> (Arc<Gate>, Arc<Recorded>) {
    let target = Target {
        name: "web-1".to_owned(),
        kind: kind.to_owned(),
        labels: BTreeMap::new(),
        roles: vec!["ops".to_owned()],
        default_role: "ops".to_owned(),
    };
    let endpoint = Endpoint { address: "127.0.0.1:1".to_owned(), options: serde_json::Value::Null };
    let recorded = Arc::new(Recorded::default());
    let double = Arc::new(Double(Arc::clone(&recorded)));
    let policy = Policy::parse(&[Source { name: "policy.yaml", text: policy }]);
    let gate = Gate::new(Parts {
        policy: Arc::new(policy.unwrap_or_else(|errors| panic!("the policy: {errors:?}"))),
        targets: Targets::new(vec![(target, endpoint)]).unwrap_or_else(|error| panic!("{error}")),
        identities: double.clone(),
        secrets: double.clone(),
        approvals: double.clone(),
        recordings: double.clone(),
        audit: double.clone(),
        clock: double,
        mask_key: mask::MaskKey::new([7; 32]),
        settings: Settings::default(),
    });
    (gate, recorded)
}

/// A session. Nothing here waits.
pub(super) fn open(gate: &Arc<Gate>, protocol: &'static str) -> Opened {
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
    let request = OpenRequest { protocol, target: "web-1", role: None, scope: "", from: None, client: "fuzz" };
    let future = pin!(gate.open(proven, request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(opened)) => opened,
        Poll::Ready(Err(refusal)) => panic!("no session: {}", refusal.detail()),
        Poll::Pending => panic!("a port waits"),
    }
}

/// Bytes that are recorded.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Of programs' output.
    pub(super) output: AtomicUsize,
    /// Of files, as operations on them say.
    pub(super) files: AtomicUsize,
}

impl Recorded {
    pub(super) fn clear(&self) {
        self.output.store(0, Ordering::Relaxed);
        self.files.store(0, Ordering::Relaxed);
    }
}

/// Every port at once; counts what is recorded.
struct Double(Arc<Recorded>);

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
        ready(Ok(Box::new(Counter(Arc::clone(&self.0))) as Box<dyn Recorder>))
    }
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

struct Counter(Arc<Recorded>);

impl Recorder for Counter {
    fn append(&mut self, _: Micros, event: &Event<'_>) -> Result<(), RecordFailure> {
        match event {
            Event::Stream { stream: StreamKind::Output | StreamKind::Error, data, .. } => {
                self.0.output.fetch_add(data.len(), Ordering::Relaxed);
            }
            Event::File { size, .. } => {
                self.0.files.fetch_add(usize::try_from(*size).unwrap_or(usize::MAX), Ordering::Relaxed);
            }
            _ => {}
        }
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
