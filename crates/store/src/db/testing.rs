//! What the tests of this crate share: a store in a directory of its own, and a clock that they set.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gate::ports::{AuditEntry, Clock};
use model::{Identity, IdentityKind, TokenId};
use record::Micros;
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::Store;
use crate::tokens::{TokenKeys, TokenRow};

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn set(&self, at: i64) {
        self.0.store(at, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

pub(crate) async fn fixture() -> Fixture {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state").join("sallyport.db");
    let clock = Arc::new(TestClock::default());
    let store = Store::open_with_clock(&path, Handle::current(), clock.clone()).await.unwrap();
    Fixture { store, clock, path, _directory: directory }
}

pub(crate) fn identity(subject: &str) -> Identity {
    Identity {
        subject: subject.to_owned(),
        issuer: "sallyport".to_owned(),
        groups: vec!["agents".to_owned()],
        kind: IdentityKind::Agent,
        on_behalf_of: vec!["alice".to_owned()],
        task: Some("ticket 7".to_owned()),
        claims: [("team".to_owned(), serde_json::json!("billing"))].into(),
    }
}

pub(crate) fn entry(action: &'static str) -> AuditEntry {
    AuditEntry { at: Micros(1), actor: "dana".to_owned(), action, object: "thing".to_owned(), detail: "why".to_owned() }
}

pub(crate) fn token(number: u8, expires: i64, targets: Option<&[&str]>) -> (TokenRow, TokenKeys) {
    let row = TokenRow {
        id: TokenId(Uuid::from_u128(u128::from(number))),
        identity: identity("agent-7"),
        targets: targets.map(|targets| targets.iter().map(|name| (*name).to_owned()).collect()),
        issued_by: "dana".to_owned(),
        created: Micros(i64::from(number)),
        expires: Micros(expires),
        revoked: None,
        revoked_by: None,
    };
    let keys = TokenKeys { hash: [number; 32], stored_key: [number; 32], server_key: [number; 32] };
    (row, keys)
}
