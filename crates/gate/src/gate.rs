//! The gate: shared by all sessions of all protocols.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use mask::{MaskKey, Masker};
use model::{SessionId, Target, TokenId};
use policy::Policy;
use record::Micros;

use crate::hold::Waiters;
use crate::live::{LiveSession, Registry};
use crate::ports::{Approvals, Audit, Clock, Identities, Recordings, Secrets};
use crate::spend::Accounts;
use crate::{Endpoint, Metrics};

/// Settings that are not policy.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest wait for an approval while a transaction of the client is open, in seconds: a hold keeps locks.
    pub hold_in_transaction_seconds: u64,
    /// Where approvers look at requests: `{url}/approvals/{id}`. `None` shows the CLI command instead.
    pub approval_url: Option<String>,
    /// This gateway's version, for recordings.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hold_in_transaction_seconds: 60, approval_url: None, version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// All targets by name.
#[derive(Clone, Debug, Default)]
pub struct Targets(BTreeMap<String, (Arc<Target>, Arc<Endpoint>)>);

impl Targets {
    /// Collects targets.
    ///
    /// # Errors
    /// When two have one name, or a name that the gateway uses itself (`sallyport`).
    pub fn new(list: Vec<(Target, Endpoint)>) -> Result<Self, String> {
        let mut map = BTreeMap::new();
        for (target, endpoint) in list {
            let name = target.name.clone();
            if name == OWN_TARGET {
                return Err(format!("the target name {OWN_TARGET} is the gateway's own"));
            }
            if map.insert(name.clone(), (Arc::new(target), Arc::new(endpoint))).is_some() {
                return Err(format!("two targets are named {name}"));
            }
        }
        Ok(Self(map))
    }

    /// One target.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(Arc<Target>, Arc<Endpoint>)> {
        self.0.get(name).cloned()
    }

    /// Whether a target, as a session of `role` opened it, is gone or changed.
    pub(crate) fn differs(&self, name: &str, role: &str, before: Option<&Endpoint>) -> bool {
        let Some((target, endpoint)) = self.0.get(name) else {
            return true;
        };
        !target.roles.iter().any(|known| known == role)
            || before.is_some_and(|then| then.address != endpoint.address || then.options != endpoint.options)
    }

    /// All targets, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, &Endpoint)> {
        self.0.values().map(|(target, endpoint)| (target.as_ref(), endpoint.as_ref()))
    }
}

/// The name under which policy judges calls to the gateway's own API.
pub const OWN_TARGET: &str = "sallyport";

/// Why sessions of a target end when it is reconfigured.
pub(crate) const TARGET_CHANGED: &str = "the target was changed or removed";

/// What a gate is made of.
pub struct Parts {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The targets.
    pub targets: Targets,
    /// Proves identities.
    pub identities: Arc<dyn Identities>,
    /// Opens credentials.
    pub secrets: Arc<dyn Secrets>,
    /// Keeps approvals.
    pub approvals: Arc<dyn Approvals>,
    /// Keeps recordings.
    pub recordings: Arc<dyn Recordings>,
    /// Keeps audit events.
    pub audit: Arc<dyn Audit>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The key of deterministic masks.
    pub mask_key: MaskKey,
    /// Settings.
    pub settings: Settings,
}

/// The policy in force, with the number of its coming into force: caches are keyed by it.
pub(crate) struct InForce {
    pub(crate) policy: Arc<Policy>,
    pub(crate) epoch: u64,
}

/// The gate.
pub struct Gate {
    pub(crate) in_force: ArcSwap<InForce>,
    pub(crate) epochs: AtomicU64,
    pub(crate) targets: ArcSwap<Targets>,
    pub(crate) identities: Arc<dyn Identities>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) approvals: Arc<dyn Approvals>,
    pub(crate) recordings: Arc<dyn Recordings>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) masker: Masker,
    pub(crate) settings: Settings,
    pub(crate) live: Registry,
    pub(crate) accounts: Accounts,
    pub(crate) waiters: Waiters,
    pub(crate) metrics: Metrics,
}

impl Gate {
    /// Builds a gate.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            in_force: ArcSwap::from_pointee(InForce { policy: parts.policy, epoch: 1 }),
            epochs: AtomicU64::new(1),
            targets: ArcSwap::from_pointee(parts.targets),
            identities: parts.identities,
            secrets: parts.secrets,
            approvals: parts.approvals,
            recordings: parts.recordings,
            audit: parts.audit,
            clock: parts.clock,
            masker: Masker::new(&parts.mask_key),
            settings: parts.settings,
            live: Registry::default(),
            accounts: Accounts::default(),
            waiters: Waiters::default(),
            metrics: Metrics::default(),
        })
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.in_force.load().policy)
    }

    /// Puts another policy in force. Sessions that it no longer lets connect are ended at once.
    pub fn replace_policy(&self, policy: Arc<Policy>) {
        let epoch = self.epochs.fetch_add(1, Ordering::SeqCst) + 1;
        self.in_force.store(Arc::new(InForce { policy, epoch }));
        self.end_unwelcome();
    }

    /// The targets.
    #[must_use]
    pub fn targets(&self) -> Arc<Targets> {
        self.targets.load_full()
    }

    /// Replaces the targets. Sessions of targets or roles that are gone, and of changed addresses, are ended.
    pub fn replace_targets(&self, targets: Targets) {
        let old = self.targets.swap(Arc::new(targets.clone()));
        self.live.end_where(TARGET_CHANGED, |live| {
            let before = old.get(&live.target.name);
            targets.differs(&live.target.name, &live.role, before.as_ref().map(|(_, endpoint)| endpoint.as_ref()))
        });
        self.end_unwelcome();
    }

    /// Who proves identities, for the login of a protocol and for the API.
    #[must_use]
    pub fn identities(&self) -> &Arc<dyn Identities> {
        &self.identities
    }

    /// Keeps approvals, for the API.
    #[must_use]
    pub fn approvals(&self) -> &Arc<dyn Approvals> {
        &self.approvals
    }

    /// Keeps audit events, for the API.
    #[must_use]
    pub fn audit(&self) -> &Arc<dyn Audit> {
        &self.audit
    }

    /// Settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is counted.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.clock.now()
    }

    /// Sessions that run now, oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<LiveSession> {
        self.live.list()
    }

    /// Ends one session; false when it is not live.
    pub fn kill(&self, id: SessionId, reason: &str) -> bool {
        self.live.end(id, reason)
    }

    /// Ends every session that a token opened; how many.
    pub fn kill_token(&self, token: TokenId) -> usize {
        self.live.end_token(token)
    }

    /// Ends every session; how many.
    pub fn kill_all(&self, reason: &str) -> usize {
        self.live.end_where(reason, |_| true)
    }

    /// Tells every session that the gateway is stopping, those included whose login is still under way.
    pub fn drain(&self) {
        self.live.drain();
    }
}
