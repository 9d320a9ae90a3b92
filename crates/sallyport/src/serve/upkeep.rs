//! What has to happen by itself: revocations that another process wrote, old tokens and recordings, certificates near their end.

use std::sync::Arc;
use std::time::Duration;

use gate::ports::{Audit, AuditEntry, Clock};
use record::Micros;
use store::SystemClock;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::build::Built;
use super::listeners::Tls;

/// How soon a revocation by another process ends the sessions of the token.
const REVOCATIONS: Duration = Duration::from_millis(500);
/// How often the slower things are looked after; the first time shortly after the start.
const HOURLY: Duration = Duration::from_secs(3600);

/// Running upkeep. Dropped or stopped, it ends.
pub(super) struct Upkeep(Vec<JoinHandle<()>>);

impl Upkeep {
    /// Ends it.
    pub(super) fn stop(self) {
        drop(self);
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Starts it.
pub(super) fn start(built: Arc<Built>, tls: Arc<Tls>) -> Upkeep {
    let watch = tokio::spawn(revocations(Arc::clone(&built)));
    let warm = tokio::spawn({
        let directory = Arc::clone(&built.directory);
        async move {
            for issuer in directory.warm().await.iter().filter(|issuer| !issuer.usable) {
                tracing::warn!(
                    issuer = issuer.url,
                    problem = issuer.problem,
                    "the issuer's tokens cannot be checked yet"
                );
            }
        }
    });
    Upkeep(vec![watch, warm, tokio::spawn(hourly(built, tls))])
}

async fn revocations(built: Arc<Built>) {
    let mut since = None;
    let mut tick = interval(REVOCATIONS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(from) = since else {
            since = built.store.revocation_head().await.ok();
            continue;
        };
        // The store logs why it is away; tokens are checked against it at every login, so nobody new gets in meanwhile.
        let Ok(found) = built.store.watch_revocations(from).await else {
            continue;
        };
        since = Some(found.upto);
        for id in found.ids {
            let ended = built.gate.kill_token(id);
            tracing::info!(token = %id, sessions = ended, "a token was revoked");
        }
    }
}

async fn hourly(built: Arc<Built>, tls: Arc<Tls>) {
    let mut tick = interval(HOURLY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match built.directory.tokens().purge().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old tokens were forgotten"),
            Err(error) => tracing::warn!(%error, "old tokens could not be forgotten"),
        }
        match tls.refresh() {
            Ok(false) => {}
            Ok(true) => tracing::info!("the gateway's certificate was renewed"),
            Err(error) => {
                tracing::error!(%error, "the gateway's certificate cannot be renewed; the old one stays in use")
            }
        }
        retention(&built).await;
    }
}

/// Deletes recordings that are older than the configuration keeps them.
async fn retention(built: &Arc<Built>) {
    let Some(keep) = built.config.load().recordings.keep else {
        return;
    };
    let span = i64::try_from(keep.get().as_micros()).unwrap_or(i64::MAX);
    let now = SystemClock.now();
    let before = Micros(now.0.saturating_sub(span));
    let entry = AuditEntry {
        at: now,
        actor: "gateway".to_owned(),
        action: "recordings.retention",
        object: console::view::rfc3339(before),
        detail: format!("recordings.keep: {keep}"),
    };
    if let Err(error) = built.store.write(&entry).await {
        tracing::error!(%error, "old recordings stay: their deletion cannot be audited");
        return;
    }
    let recordings = Arc::clone(&built.recordings);
    let reason = format!("older than {keep}");
    match tokio::task::spawn_blocking(move || recordings.remove_before(before, &reason)).await {
        Ok(Ok(removed)) if removed.sessions == 0 => {}
        Ok(Ok(removed)) => {
            tracing::info!(sessions = removed.sessions, bytes = removed.bytes, "old recordings were deleted")
        }
        Ok(Err(error)) => tracing::error!(%error, "old recordings could not be deleted"),
        Err(error) => tracing::error!(%error, "old recordings could not be deleted"),
    }
}
