//! The running gateway: build, listen, reload, drain.
//!
//! ```text
//! control runtime (2 threads): API, store, reload, upkeep        workers (one for two cores): client connections
//! ```
//!
//! - [`build`]: from configuration and data directory to a gate
//! - [`listeners`]: where clients and the API come in
//! - [`reload`]: policy, targets and issuers follow their files
//! - [`state`]: what the gateway knows about itself: readiness, targets, policy; [`metrics`]: as numbers
//! - [`upkeep`]: revocations of other processes, expiry, retention, certificates
//! - [`banner`]: what a person reads at the start
//! - [`log`]: logs and traces

mod banner;
mod build;
mod listeners;
mod log;
mod metrics;
mod reload;
mod state;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::Global;
use crate::commands::Outcome;
use crate::config::Config;
use crate::data::Layout;
use crate::data::lock::Lock;

use build::Built;
use listeners::Listeners;

/// Threads of the control runtime.
const CONTROL_THREADS: usize = 2;
/// Time for sessions that were cut to say so and to be sealed, before their connections are dropped.
const AFTER_CUT: Duration = Duration::from_secs(5);
/// Time for what still runs on the control runtime when everything is closed.
const LAST_TASKS: Duration = Duration::from_secs(5);

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Why it could not start.
pub(crate) fn run(global: &Global) -> Result<Outcome> {
    let config = global.places().config()?;
    let layout = Layout::new(global.places().data_dir_of(Some(&config))?);
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .context("start the control runtime")?;
    let result = control.block_on(serve(config, layout));
    control.shutdown_timeout(LAST_TASKS);
    result.map(|()| Outcome::Done)
}

async fn serve(config: Config, layout: Layout) -> Result<()> {
    let logging = log::Logging::start(&config.log, config.otlp.as_ref())?;
    let mut signals = Signals::new()?;
    layout.prepare()?;
    let lock = Lock::take(&layout.lock())?;
    let listeners = Listeners::bind(&config, &layout).await?;
    let built = build::build(config, &layout).await?;
    let running = listeners.start(&built, &layout)?;
    banner::show(&built, &running);
    let reloader = reload::start(Arc::clone(&built));
    let upkeep = upkeep::start(Arc::clone(&built), running.tls());
    while let Told::Reload = signals.next().await {
        reloader.now().await;
    }
    reloader.stop();
    upkeep.stop();
    stop(&built, running, signals).await;
    drop(lock);
    logging.stop();
    Ok(())
}

/// Stops accepting, lets sessions finish what they do, ends the rest, and seals what is recorded.
async fn stop(built: &Arc<Built>, running: listeners::Running, mut signals: Signals) {
    let grace = built.started.drain.get();
    tracing::info!(sessions = built.gate.live().len(), grace = %built.started.drain, "stopping: no new connections; a second signal cuts");
    built.state.stopping();
    built.gate.drain();
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            () = signals.stop() => {}
        }
        let cut = built.gate.kill_all("the gateway is stopping");
        if cut > 0 {
            tracing::warn!(sessions = cut, "sessions were cut");
        }
        tokio::time::sleep(AFTER_CUT).await;
    };
    let left = running.stop(patience).await;
    if left > 0 {
        tracing::error!(
            connections = left,
            "connections did not end; their recordings are completed at the next start"
        );
    }
    let recordings = Arc::clone(&built.recordings);
    if tokio::task::spawn_blocking(move || recordings.shut_down()).await.is_err() {
        tracing::error!("the recorder did not stop in order; recordings are completed at the next start");
    }
    built.store.close().await;
    tracing::info!("stopped");
}

/// What a signal means.
enum Told {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let on = |kind| signal(kind).context("listen for signals");
        Ok(Self {
            hangup: on(SignalKind::hangup())?,
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.hangup.recv() => Told::Reload,
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
        }
    }

    async fn stop(&mut self) {
        while let Told::Reload = self.next().await {}
    }
}
