//! Looks at a target without a client: whether its own credential opens it, for `targets check`, and its host key, for `targets trust`.
//!
//! Only a grant can dial, and only a gate makes grants. So this is a gate of its own, whose policy lets the user of this machine
//! connect to the one target and do nothing else; no command can pass, so there is nothing to record but the audit entry.

use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use gate::ports::{Audit, AuditEntry, BoxFuture, Clock, Proven, RecordFailure, Recorder, Recordings, StoreAway};
use gate::{Gate, OpenRequest, Opened, Parts, Settings};
use identity::Directory;
use mask::MaskKey;
use model::{Identity, IdentityKind, SessionId};
use policy::{Policy, Source};
use record::{Event, Micros, Opened as Opening};
use secrets::Leases;
use store::SystemClock;

use crate::config::Config;
use crate::data::Layout;
use crate::local::{self, Local};
use crate::protocols;

/// Longer than any login takes.
const PROOF_LIVES: i64 = 600_000_000;

/// What a login found.
pub(crate) struct Reached {
    /// The target's own user.
    pub(crate) user: String,
    /// The server's version, and how it was reached.
    pub(crate) detail: String,
}

/// What is needed to look at targets.
pub(crate) struct Probe<'a> {
    pub(crate) local: &'a Local,
    pub(crate) sealed: &'a Arc<secrets::SealedStore>,
    pub(crate) config: &'a Config,
}

impl Probe<'_> {
    /// Logs in to a target as a role, and out again.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(crate) async fn reach(&self, target: &str, role: &str, layout: &Layout) -> Result<Reached> {
        let opened = self.open("target.check", target, role).await?;
        let protocol = protocols::find(&opened.grant.target().kind).context("the target's protocol")?;
        (protocol.reach)(Arc::clone(&opened.grant), layout.clone()).await
    }

    /// The host key that an SSH target proves itself with now.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) async fn host_key(&self, target: &str, role: &str) -> Result<ssh::config::HostKey> {
        let opened = self.open("target.look", target, role).await?;
        let options = ssh::config::TargetOptions::from_value(&opened.grant.endpoint().options)?;
        ssh::probe::host_key(&opened.grant, &options).await.map_err(anyhow::Error::msg)
    }

    /// A session that can do nothing but connect, once it is audited.
    async fn open(&self, action: &'static str, target: &str, role: &str) -> Result<Opened> {
        let Self { local, sealed, config } = self;
        let gate = gate(local, sealed, config, target).await?;
        let now = SystemClock.now();
        let actor = local.actor.clone();
        let entry = AuditEntry { at: now, actor, action, object: format!("{target} as {role}"), detail: String::new() };
        local.store.write(&entry).await?;
        let proven = Proven {
            identity: operator(&local.actor),
            expires: Micros(now.0.saturating_add(PROOF_LIVES)),
            token: None,
            targets: None,
        };
        let found = config.targets.iter().find(|known| known.target.name == target).context("no such target")?;
        let ask = OpenRequest {
            protocol: protocols::find(&found.target.kind).context("the target's protocol")?.id.0,
            target,
            role: Some(gate::AskedRole::Named(role)),
            scope: "",
            from: None,
            client: "sallyport targets",
        };
        gate.open(proven, ask).await.map_err(|refusal| anyhow::anyhow!("{}; {}", refusal.headline(), refusal.hint()))
    }
}

async fn gate(local: &Local, sealed: &Arc<secrets::SealedStore>, config: &Config, target: &str) -> Result<Arc<Gate>> {
    let text = serde_json::json!({ "rules": [{
        "name": "targets check", "who": { "users": [local.actor], "issuers": ["local"] }, "on": { "targets": [target] },
        "do": ["connect"], "then": "allow",
    }] });
    let text = text.to_string();
    let policy = Policy::parse(&[Source { name: "targets check", text: &text }]).map_err(|errors| {
        anyhow::anyhow!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let settings = local::token_settings(config);
    let directory = Directory::new(local.store.clone(), settings, Vec::new(), Arc::new(SystemClock)).await?;
    let mut key = [0u8; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(Gate::new(Parts {
        policy: Arc::new(policy),
        targets: config.gate_targets().map_err(anyhow::Error::msg).context("read the targets")?,
        identities: Arc::new(directory),
        secrets: Arc::new(Leases::new(Arc::clone(sealed), local::roles(config))),
        approvals: Arc::new(local.store.clone()),
        recordings: Arc::new(NothingToRecord),
        audit: Arc::new(local.store.clone()),
        clock: Arc::new(SystemClock),
        mask_key: MaskKey::new(key),
        settings: Settings::default(),
    }))
}

fn operator(user: &str) -> Identity {
    Identity {
        subject: user.to_owned(),
        issuer: "local".to_owned(),
        groups: vec![console::OPERATOR_GROUP.to_owned()],
        kind: IdentityKind::Human,
        on_behalf_of: Vec::new(),
        task: None,
        claims: std::collections::BTreeMap::new(),
    }
}

/// A login without commands: the audit entry is its record.
struct NothingToRecord;

impl Recordings for NothingToRecord {
    fn open<'a>(
        &'a self,
        _: SessionId,
        _: Micros,
        _: &'a Opening<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        Box::pin(async { Ok(Box::new(Self) as Box<dyn Recorder>) })
    }

    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Recorder for NothingToRecord {
    fn append(&mut self, _: Micros, event: &Event<'_>) -> Result<(), RecordFailure> {
        match event {
            Event::Command(_) | Event::Judged(_) => Err(RecordFailure::Broken("no command belongs here".to_owned())),
            _ => Ok(()),
        }
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RecordFailure>> {
        Poll::Ready(Ok(()))
    }

    fn seal(&mut self) {}
}
