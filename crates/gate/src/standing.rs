//! What a policy means for one session, worked out when the session opens and whenever the policy or the time changes it.

use std::sync::Arc;

use model::{Limits, RecordLevel};
use policy::{Subject, View};
use record::Micros;

use crate::gate::InForce;
use crate::masks::SessionMasks;
use crate::session::timestamp;

/// What a policy means for one session.
pub(crate) struct Standing {
    pub(crate) view: Arc<View>,
    pub(crate) masks: Arc<SessionMasks>,
    pub(crate) limits: Limits,
    pub(crate) level: RecordLevel,
    /// When masks and limits depend on time, they are worked out again then.
    pub(crate) refresh_at: Option<Micros>,
    /// Everything is allowed and nothing masked.
    pub(crate) open: bool,
}

/// How long masks and limits that depend on time are believed.
const TIMED_STANDING: i64 = 10_000_000;

impl Standing {
    pub(crate) fn of(in_force: &InForce, subject: &Subject<'_>, now: Micros) -> Self {
        let at = timestamp(now);
        let policy = &in_force.policy;
        let masks = policy.masks(subject, at);
        let limits = policy.limits(subject, at);
        let timed = !(masks.cacheable && limits.cacheable);
        let view = policy.view(subject);
        Self {
            open: masks.value.is_empty() && !timed && view.allows_everything(),
            view: Arc::new(view),
            masks: Arc::new(SessionMasks::new(masks.value)),
            limits: limits.value,
            level: policy.record_level(subject, at),
            refresh_at: timed.then(|| Micros(now.0.saturating_add(TIMED_STANDING))),
        }
    }
}
