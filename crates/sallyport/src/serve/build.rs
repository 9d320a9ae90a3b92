//! From configuration and data directory to a gate with everything behind it.

use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use gate::{Gate, Parts, Settings};
use identity::Directory;
use mask::MaskKey;
use secrets::{Leases, SealedStore};
use store::recordings::FileRecordings;
use store::{Store, SystemClock};

use super::metrics;
use super::state::State;
use crate::config::{Config, policy as files};
use crate::data::{Layout, key};
use crate::local::{self, TokenDesk};

/// The parts of a running gateway.
pub(super) struct Built {
    /// The configuration as it was read last: its policy, targets and issuers are in force.
    pub(super) config: ArcSwap<Config>,
    /// The configuration of this start: all other keys are in force as they are here.
    pub(super) started: Arc<Config>,
    /// The data directory.
    pub(super) layout: Layout,
    /// The gate.
    pub(super) gate: Arc<Gate>,
    /// Tokens, approvals, audit log.
    pub(super) store: Store,
    /// Recordings.
    pub(super) recordings: Arc<FileRecordings>,
    /// Identities.
    pub(super) directory: Arc<Directory>,
    /// Credentials of targets.
    pub(super) leases: Arc<Leases>,
    /// What the gateway knows about itself.
    pub(super) state: Arc<State>,
}

impl Built {
    /// The tokens, as the API wants them.
    pub(super) fn tokens(&self) -> TokenDesk {
        TokenDesk(self.directory.tokens().clone())
    }
}

/// How many threads serve connections: as configured, else one for two cores. A relay's work is mostly the kernel's; on fewer threads
/// more of it is done at each waking, and the rest of the machine is left to the kernel and to neighbours.
pub(super) fn worker_threads(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.limits.workers.map_or(cores.div_ceil(2), std::num::NonZero::get)
}

/// Builds everything. What is wrong with the policy or a key ends the start here; a target that is away does not.
///
/// # Errors
/// What is wrong, where, and what to do.
pub(super) async fn build(config: Config, layout: &Layout) -> Result<Arc<Built>> {
    let policy = files::load(&config.policy)?;
    let targets = config.gate_targets().map_err(anyhow::Error::msg)?;
    let store = Store::open(layout.database(), tokio::runtime::Handle::current()).await?;
    let sealed = Arc::new(SealedStore::open(layout.root())?);
    if local::wants_ssh_authority(&config) {
        local::ssh_authority(layout, &sealed)?;
    }
    let leases = Arc::new(Leases::new(Arc::clone(&sealed), local::roles(&config)));
    let settings = local::token_settings(&config);
    let directory = Directory::new(store.clone(), settings, config.issuers.clone(), Arc::new(SystemClock)).await?;
    directory.put_keys(identity::Keys::new(&config.keys)?);
    let directory = Arc::new(directory.with_secrets(local::client_secrets(sealed)));
    let recordings = start_recordings(layout, &config).await?;
    let gate = Gate::new(Parts {
        policy: Arc::new(policy),
        targets,
        identities: Arc::clone(&directory) as _,
        secrets: Arc::clone(&leases) as _,
        approvals: Arc::new(store.clone()),
        recordings: Arc::clone(&recordings) as _,
        audit: Arc::new(store.clone()),
        clock: Arc::new(SystemClock),
        mask_key: mask_key(layout)?,
        settings: Settings {
            hold_in_transaction_seconds: config.approvals.in_transaction.get().as_secs(),
            approval_url: config.approvals.url.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
    });
    let state = Arc::new(State::new(&gate, &store, &recordings, &directory));
    metrics::register(&gate, &recordings, &state);
    let layout = layout.clone();
    let started = Arc::new(config);
    Ok(Arc::new(Built {
        config: ArcSwap::new(Arc::clone(&started)),
        started,
        layout,
        gate,
        store,
        recordings,
        directory,
        leases,
        state,
    }))
}

async fn start_recordings(layout: &Layout, config: &Config) -> Result<Arc<FileRecordings>> {
    let settings = store::recordings::Settings::new(layout.root(), worker_threads(config));
    let started = tokio::task::spawn_blocking(move || FileRecordings::start(&settings)).await;
    Ok(Arc::new(started.context("start the recorder")??))
}

/// The key of deterministic masks: the same token for the same value for as long as the data directory lives.
fn mask_key(layout: &Layout) -> Result<MaskKey> {
    let path = layout.mask_key();
    let bytes = key::once(&path, key::random_bytes)?;
    let bytes: [u8; 32] = bytes
        .try_into()
        .map_err(|_| anyhow::anyhow!("{}: not a mask key (32 bytes); restore it from a backup", path.display()))?;
    Ok(MaskKey::new(bytes))
}
