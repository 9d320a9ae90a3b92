//! The part of a policy that can apply to one session, worked out once.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use model::{Action, Effect, Flags, Intent, Limits, MaskRule, Outcome, Predicate, RecordLevel, Unmask, Verdict};

use crate::decide::{self, Ask};
use crate::pattern::ObjectPattern;
use crate::policy::{Applied, Inner, Subject};
use crate::rule::{Mask, Miss, Rule, Scope, Shape, Then, bits};
use crate::when::values::{SessionValues, Values};
use crate::{moves, unmask};

/// What of a [`crate::Policy`] can apply to one [`Subject`]. It outlives the subject and belongs to the policy it was
/// made from; a new policy needs a new view.
#[derive(Clone)]
pub struct View {
    pub(crate) inner: Arc<Inner>,
    /// Rules that may match, by position; sorted by name like the policy.
    pub(crate) rules: Vec<Candidate>,
    /// Allowing rules that mean this session but whose fixed conditions fail: only to say so in a denial.
    pub(crate) failed: Vec<(usize, Miss)>,
    pub(crate) masks: Vec<Candidate>,
    pub(crate) limits: Vec<Candidate>,
    record: RecordLevel,
    /// Only there if some condition needs it.
    session: Option<Arc<SessionValues>>,
    key: u64,
}

/// Something that may apply, and what is left to be asked about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) struct Candidate {
    pub(crate) index: usize,
    /// Whether `when` looks at the command or the time, so that it must be evaluated each time.
    pub(crate) open: bool,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("version", &self.inner.version)
            .field("rules", &self.rules.len())
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl View {
    pub(crate) fn new(inner: &Arc<Inner>, subject: &Subject<'_>) -> Self {
        let mut fixed = Fixed { subject, session: None };
        let mut rules = Vec::new();
        let mut failed = Vec::new();
        for (index, rule) in inner.rules.iter().enumerate() {
            match fixed.candidate(index, &rule.scope, rule.then.doubt()) {
                Ok(candidate) => rules.push(candidate),
                Err(Some(miss)) if !rule.then.doubt() && !rule.shadow => failed.push((index, miss)),
                Err(Some(_) | None) => {}
            }
        }
        // Masks and limits protect: what cannot be evaluated applies.
        let masks = fixed.candidates(inner.masks.iter().map(|mask| &mask.scope));
        let limits = fixed.candidates(inner.limits.iter().map(|limit| &limit.scope));
        let record = inner
            .records
            .iter()
            .filter(|record| record.scope.misses(subject).is_none())
            .map(|record| record.level)
            .max()
            .unwrap_or_default();
        let open = rules.iter().chain(&masks).chain(&limits).any(|candidate| candidate.open);
        Self {
            inner: Arc::clone(inner),
            rules,
            failed,
            masks,
            limits,
            record,
            session: fixed.session.filter(|_| open),
            key: key(inner, subject),
        }
    }

    /// Decides one command of this session. The arguments are those of [`crate::Request`].
    #[must_use]
    pub fn decide(
        &self,
        actions: &[Action],
        flags: Flags,
        in_transaction: bool,
        predicates: &[Predicate],
        reads_unknown: bool,
        now: Timestamp,
    ) -> Verdict {
        decide::decide(self, &Ask { actions, flags, in_transaction, predicates, reads_unknown, now })
    }

    /// Judges one command as a session does: rules, masks that the command would undo, and masked columns that it asks for in clear.
    #[must_use]
    pub fn judge(&self, intent: &Intent, asked: &[Unmask], in_transaction: bool, now: Timestamp) -> Verdict {
        let Intent { actions, flags, predicates, reads_unknown, .. } = intent;
        let mut verdict = self.decide(actions, *flags, in_transaction, predicates, *reads_unknown, now);
        let moves = !intent.moves.is_empty() || intent.moves_unknown;
        if verdict.outcome == Outcome::Deny || (!moves && asked.is_empty()) {
            return verdict;
        }
        let masks = self.masks(now);
        verdict.cacheable &= masks.cacheable;
        match moves::undone(&masks.value, intent) {
            Some(undone) => undone.deny(verdict),
            None => unmask::raise(&masks.value, asked, verdict),
        }
    }

    /// The masks that apply now, sorted by name. A mask whose condition cannot be evaluated applies.
    #[must_use]
    pub fn masks(&self, now: Timestamp) -> Applied<Vec<MaskRule>> {
        let mut cacheable = true;
        let value = self.active_masks(now, &mut cacheable).map(|mask| mask.rule.clone()).collect();
        Applied { value, cacheable }
    }

    /// The smallest of all limits that apply now. Limits whose condition cannot be evaluated apply.
    #[must_use]
    pub fn limits(&self, now: Timestamp) -> Applied<Limits> {
        let mut cacheable = true;
        let mut value = Limits::default();
        for candidate in &self.limits {
            let Some(rule) = self.inner.limits.get(candidate.index) else {
                continue;
            };
            if self.session_holds(&rule.scope, *candidate, now, &mut cacheable) {
                value = value.and(&rule.limits);
            }
        }
        Applied { value, cacheable }
    }

    /// How much of results is recorded: the most that any `records` rule says, `head` where none applies.
    #[must_use]
    pub const fn record_level(&self) -> RecordLevel {
        self.record
    }

    /// Whether every command of this session is allowed at any time and nothing is masked, whatever it does and whatever
    /// its names stand for. Follows from the rules themselves, not from a trial: no rule denies, wants an approval or is
    /// judged in the shadow, no mask can apply, and each effect is allowed on all objects without a condition.
    #[must_use]
    pub fn allows_everything(&self) -> bool {
        let mut allowed = 0;
        for candidate in &self.rules {
            let Some(rule) = self.rule(*candidate) else {
                return false;
            };
            match (rule.then, rule.shadow) {
                (Then::Allow, false) => {}
                (Then::Allow, true) | (Then::Approve | Then::Deny, _) => return false,
            }
            let fixed = !candidate.open && rule.scope.hours.is_none() && rule.shape == Shape::default();
            let objects = rule.objects.as_ref();
            if fixed && objects.is_none_or(|patterns| patterns.iter().any(ObjectPattern::is_all)) {
                allowed |= rule.bits;
            }
        }
        self.masks.is_empty() && allowed == bits(Effect::ALL.iter().copied())
    }

    /// The version of the policy it belongs to.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// A name for caches: equal for the same identity on the same target in the same role from the same address by the
    /// same policy version. Cacheable verdicts may be kept by it and the command's intent.
    #[must_use]
    pub const fn key(&self) -> u64 {
        self.key
    }

    pub(crate) fn rule(&self, candidate: Candidate) -> Option<&Rule> {
        self.inner.rules.get(candidate.index)
    }

    pub(crate) fn session(&self) -> Option<&SessionValues> {
        self.session.as_deref()
    }

    /// Masks that apply now; clears `cacheable` when the time was looked at.
    pub(crate) fn active_masks<'v>(
        &'v self,
        now: Timestamp,
        cacheable: &'v mut bool,
    ) -> impl Iterator<Item = &'v Mask> {
        self.masks.iter().filter_map(move |candidate| {
            let mask = self.inner.masks.get(candidate.index)?;
            self.session_holds(&mask.scope, *candidate, now, cacheable).then_some(mask)
        })
    }

    /// What is left to be asked of a mask or limit.
    pub(crate) fn session_holds(
        &self,
        scope: &Scope,
        candidate: Candidate,
        now: Timestamp,
        cacheable: &mut bool,
    ) -> bool {
        if scope.hours.is_some() || candidate.open {
            *cacheable = false;
        }
        if scope.misses_hours(now).is_some() {
            return false;
        }
        match (&scope.when, candidate.open, self.session()) {
            (Some(when), true, Some(session)) => {
                when.holds(&Values { session, command: None, now: Some(now) }).unwrap_or(true)
            }
            (Some(_), true, None) | (Some(_), false, _) | (None, _, _) => true,
        }
    }
}

/// Answers what is fixed for a session.
struct Fixed<'a> {
    subject: &'a Subject<'a>,
    session: Option<Arc<SessionValues>>,
}

impl Fixed<'_> {
    fn candidates<'s>(&mut self, scopes: impl Iterator<Item = &'s Scope>) -> Vec<Candidate> {
        scopes.enumerate().filter_map(|(index, scope)| self.candidate(index, scope, true).ok()).collect()
    }

    /// Whether it may apply. The error is the fixed condition that fails, or nothing if it means others.
    fn candidate(&mut self, index: usize, scope: &Scope, doubt: bool) -> Result<Candidate, Option<Miss>> {
        if scope.misses(self.subject).is_some() {
            return Err(None);
        }
        if let Some(miss) = scope.misses_from(self.subject.from, doubt) {
            return Err(Some(miss));
        }
        let Some(when) = &scope.when else {
            return Ok(Candidate { index, open: false });
        };
        let subject = self.subject;
        let session = self.session.get_or_insert_with(|| Arc::new(SessionValues::new(subject)));
        let uses = when.uses();
        if uses.command || uses.now {
            return Ok(Candidate { index, open: true });
        }
        match when.holds(&Values { session, command: None, now: None }) {
            Ok(true) => Ok(Candidate { index, open: false }),
            Ok(false) => Err(Some(Miss::When)),
            Err(_) if doubt => Ok(Candidate { index, open: false }),
            Err(why) => Err(Some(Miss::WhenFailed(why))),
        }
    }
}

/// Everything a decision may depend on beside the command, hashed with lengths so that no two ways of putting it agree.
fn key(inner: &Inner, subject: &Subject<'_>) -> u64 {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    part(inner.version.as_bytes());
    part(subject.role.as_bytes());
    match subject.from {
        Some(address) => part(address.to_string().as_bytes()),
        None => part(b""),
    }
    let identity = subject.identity;
    part(identity.subject.as_bytes());
    part(identity.issuer.as_bytes());
    part(identity.kind.as_str().as_bytes());
    for list in [&identity.groups, &identity.on_behalf_of] {
        part(&u64::try_from(list.len()).unwrap_or(u64::MAX).to_le_bytes());
        for text in list {
            part(text.as_bytes());
        }
    }
    match &identity.task {
        Some(task) => {
            part(b"task");
            part(task.as_bytes());
        }
        None => part(b"no task"),
    }
    // Maps of JSON in memory always have a text form.
    part(&serde_json::to_vec(&identity.claims).unwrap_or_default());
    part(&serde_json::to_vec(subject.target).unwrap_or_default());
    let mut first = [0_u8; 8];
    for (to, from) in first.iter_mut().zip(hash.finalize().as_bytes()) {
        *to = *from;
    }
    u64::from_le_bytes(first)
}
