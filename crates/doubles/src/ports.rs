//! The ports of a gate that lead nowhere.

use std::sync::Arc;
use std::task::{Context, Poll};

use gate::Micros;
use gate::ports::{
    Answer, ApprovalRequest, ApprovalState, Approvals, Audit, AuditEntry, AuthFailure, BoxFuture, Clock, Identities,
    Lease, LeaseError, Proven, RecordFailure, Recorder, Recordings, ScramAttempt, ScramParameters, Secrets, StoreAway,
    StoredApproval,
};
use model::{ApprovalId, SessionId};
use record::Event;

/// Every port at once: knows nobody, leases the role's name without a password, forgets what it is given, and has a clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

/// Recordings whose every event is shown to this, and then forgotten.
#[derive(Debug)]
pub struct Watched<F>(Arc<F>);

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Watched<F> {
    /// Recordings that `look` sees.
    pub fn new(look: F) -> Arc<Self> {
        Arc::new(Self(Arc::new(look)))
    }
}

struct Look<F>(Arc<F>);

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Secrets for Nobody {
    fn lease<'a>(&'a self, _: &'a str, role: &'a str, _: SessionId) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        ready(Ok(Lease { user: role.to_owned(), password: None, certificate: None, authority: None }))
    }
    fn release<'a>(&'a self, _: &'a str, _: &'a str, _: SessionId) -> BoxFuture<'a, ()> {
        ready(())
    }
}

impl Identities for Nobody {
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

impl Approvals for Nobody {
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

impl Recordings for Nobody {
    fn open<'a>(
        &'a self,
        _: SessionId,
        _: Micros,
        _: &'a record::Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        ready(Ok(Box::new(Look(Arc::new(|_: &Event<'_>| {}))) as Box<dyn Recorder>))
    }
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Recordings for Watched<F> {
    fn open<'a>(
        &'a self,
        _: SessionId,
        _: Micros,
        _: &'a record::Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        ready(Ok(Box::new(Look(Arc::clone(&self.0))) as Box<dyn Recorder>))
    }
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Recorder for Look<F> {
    fn append(&mut self, _: Micros, event: &Event<'_>) -> Result<(), RecordFailure> {
        (self.0)(event);
        Ok(())
    }
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RecordFailure>> {
        Poll::Ready(Ok(()))
    }
    fn seal(&mut self) {}
}

impl Audit for Nobody {
    fn write<'a>(&'a self, _: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreAway>> {
        ready(Ok(()))
    }
}

impl Clock for Nobody {
    fn now(&self) -> Micros {
        Micros(1_800_000_000_000_000)
    }
}
