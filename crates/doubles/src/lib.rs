//! Doubles of what a gate needs from the outside, for tests and fuzzers. Nothing is kept, and nothing waits.
//!
//! - [`Nobody`]: every port at once
//! - [`Watched`]: recordings whose events somebody looks at
//! - [`parts`]: what a gate is made of; a test puts its own in the place of what it is about
//! - [`target`], [`agent`], [`open`]: what to open, who does, and the session

#![expect(clippy::panic, reason = "a double that cannot be made is a mistake of the test's own")]

mod ports;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use gate::ports::Proven;
use gate::{Endpoint, Gate, Micros, OpenRequest, Opened, Parts, Settings, Targets};
use model::{Identity, IdentityKind, Target};
use policy::{Policy, Source};

pub use ports::{Nobody, Watched};

/// A policy of one file.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn policy(text: &str) -> Arc<Policy> {
    let policy = Policy::parse(&[Source { name: "policy.yaml", text }]);
    Arc::new(policy.unwrap_or_else(|errors| panic!("the policy: {errors:?}")))
}

/// A target with one role.
#[must_use]
pub fn target(kind: &str, name: &str, role: &str, address: &str) -> (Target, Endpoint) {
    let target = Target {
        name: name.to_owned(),
        kind: kind.to_owned(),
        labels: BTreeMap::new(),
        roles: vec![role.to_owned()],
        default_role: role.to_owned(),
    };
    (target, Endpoint { address: address.to_owned(), options: serde_json::json!({}) })
}

/// A gate with nobody outside.
///
/// # Panics
/// When the policy is none, or two targets have one name.
#[must_use]
pub fn parts(policy: &str, targets: Vec<(Target, Endpoint)>) -> Parts {
    let nobody = Arc::new(Nobody);
    Parts {
        policy: self::policy(policy),
        targets: Targets::new(targets).unwrap_or_else(|error| panic!("{error}")),
        identities: nobody.clone(),
        secrets: nobody.clone(),
        approvals: nobody.clone(),
        recordings: nobody.clone(),
        audit: nobody.clone(),
        clock: nobody,
        mask_key: mask::MaskKey::new([7; 32]),
        settings: Settings::default(),
    }
}

/// `agent-7`, an agent that acts for nobody, for as long as it likes.
#[must_use]
pub fn agent() -> Proven {
    let identity = Identity {
        subject: "agent-7".to_owned(),
        issuer: "sallyport".to_owned(),
        groups: Vec::new(),
        kind: IdentityKind::Agent,
        on_behalf_of: Vec::new(),
        task: None,
        claims: BTreeMap::new(),
    };
    Proven { identity, expires: Micros(i64::MAX), token: None, targets: None }
}

/// A session of [`agent`] with a target's default role, at a gate whose ports do not wait.
///
/// # Panics
/// When it is refused, or a port waits.
#[must_use]
pub fn open(gate: &Arc<Gate>, protocol: &'static str, target: &str) -> Opened {
    let request = OpenRequest { protocol, target, role: None, scope: "", from: None, client: "test" };
    match pin!(gate.open(agent(), request)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(opened)) => opened,
        Poll::Ready(Err(refusal)) => panic!("no session: {}", refusal.detail()),
        Poll::Pending => panic!("a port waits"),
    }
}
