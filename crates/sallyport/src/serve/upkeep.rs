//! What has to happen by itself: revocations that another process wrote, old tokens, approvals and recordings, certificates near
//! their end.

use std::sync::Arc;
use std::time::Duration;

use gate::ports::{Audit, AuditEntry, Clock, StoreAway};
use identity::Directory;
use record::Micros;
use store::{Store, SystemClock};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::build::Built;
use super::listeners::Tls;
use crate::config::duration::Span;

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
    let warm = tokio::spawn(ask_issuers(Arc::clone(&built.directory)));
    Upkeep(vec![watch, warm, tokio::spawn(hourly(built, tls))])
}

/// Asks every issuer for its keys, so that no client has to wait for them.
pub(super) async fn ask_issuers(directory: Arc<Directory>) {
    for issuer in directory.warm().await.iter().filter(|issuer| !issuer.usable) {
        tracing::warn!(issuer = issuer.url, problem = issuer.problem, "the issuer's tokens cannot be checked yet");
    }
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
        match forget_approvals(&built.store, built.started.approvals.keep, SystemClock.now()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old approval requests were forgotten"),
            Err(error) => tracing::warn!(%error, "old approval requests could not be forgotten"),
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

/// Deletes requests that expired longer ago than they are kept, answered or not. Who answered what stays in the audit log, and in
/// the recording for as long as that is kept. How many.
async fn forget_approvals(store: &Store, keep: Span, now: Micros) -> Result<u64, StoreAway> {
    store.purge_approvals(before(now, keep)).await
}

/// The time that is so long before now.
fn before(now: Micros, span: Span) -> Micros {
    Micros(now.0.saturating_sub(i64::try_from(span.get().as_micros()).unwrap_or(i64::MAX)))
}

/// Deletes recordings that are older than the configuration keeps them.
async fn retention(built: &Arc<Built>) {
    let Some(keep) = built.started.recordings.keep else {
        return;
    };
    let now = SystemClock.now();
    let before = before(now, keep);
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

#[cfg(test)]
mod tests {
    use gate::ports::{ApprovalRequest, Approvals};
    use model::{ApprovalId, ApprovalTerms, Identity, IdentityKind, SessionId};
    use uuid::Uuid;

    use super::*;

    fn request(number: u128, expires: i64) -> ApprovalRequest {
        ApprovalRequest {
            id: ApprovalId(Uuid::from_u128(number)),
            digest: [0; 32],
            session: SessionId(Uuid::from_u128(1)),
            number: 1,
            identity: Identity {
                subject: "agent-7".to_owned(),
                issuer: "sallyport".to_owned(),
                groups: Vec::new(),
                kind: IdentityKind::Agent,
                on_behalf_of: Vec::new(),
                task: None,
                claims: std::collections::BTreeMap::new(),
            },
            target: "orders-db".to_owned(),
            role: "app".to_owned(),
            text: "DELETE FROM orders WHERE id = $1".to_owned(),
            values: vec![Some("7".to_owned())],
            actions: Vec::new(),
            preview: Vec::new(),
            reasons: Vec::new(),
            rules: Vec::new(),
            policy: "0".to_owned(),
            terms: ApprovalTerms::default(),
            created: Micros(0),
            expires: Micros(expires),
        }
    }

    #[tokio::test]
    async fn approvals_are_forgotten_when_they_were_kept_long_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sallyport.db");
        let store = Store::open(&path, tokio::runtime::Handle::current()).await.unwrap();
        let (keep, day) = (Span::seconds(30 * 86_400), 86_400 * 1_000_000);
        for (number, expires) in [(1, day), (2, 5 * day)] {
            store.create(&request(number, expires)).await.unwrap();
        }
        assert_eq!(forget_approvals(&store, keep, Micros(31 * day)).await.unwrap(), 0, "not yet");
        assert_eq!(forget_approvals(&store, keep, Micros(31 * day + 1)).await.unwrap(), 1);
        let left = store.list(false, 10).await.unwrap();
        assert_eq!(left.iter().map(|stored| stored.request.id.0.as_u128()).collect::<Vec<_>>(), [2]);
    }
}
