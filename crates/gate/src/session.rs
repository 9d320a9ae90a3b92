//! One door for every message to the target: [`Session::ask`].

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use mask::Hit;
use model::{ApprovalId, ApprovalTerms, Command, Limits, Outcome, RecordLevel, RequestId, SessionId, Target, Verdict};
use policy::{Subject, View};
use record::{Event, Micros};

use crate::gate::InForce;
use crate::hold::digest;
use crate::live::Live;
use crate::masks::SessionMasks;
use crate::masks::lift::Lift;
use crate::ports::{ApprovalRequest, RecordFailure, Recorder};
use crate::refusal::RefusalKind;
use crate::spend::Account;
use crate::standing::Standing;
use crate::{Ended, Gate, Held, Permitted, Refusal};

/// One identity's use of one target, from the record of its opening to its seal. Owned by one task.
pub struct Session {
    pub(crate) gate: Arc<Gate>,
    pub(crate) live: Arc<Live>,
    pub(crate) recorder: Box<dyn Recorder>,
    pub(crate) target: Arc<Target>,
    /// What the target's name leaves open, such as the database.
    pub(crate) scope: String,
    pub(crate) view: Arc<View>,
    pub(crate) in_force: Arc<InForce>,
    pub(crate) masks: Arc<SessionMasks>,
    pub(crate) limits: Limits,
    pub(crate) level: RecordLevel,
    pub(crate) refresh_at: Option<Micros>,
    pub(crate) open: bool,
    pub(crate) number: u64,
    pub(crate) account: Arc<Account>,
    pub(crate) bytes: (u64, u64),
    pub(crate) hits: Vec<Hit>,
    /// Approved commands that have not ended yet.
    pub(crate) approved: Vec<Approved>,
    /// What came of approved commands, to be stored.
    pub(crate) outcomes: Vec<(ApprovalId, String)>,
    pub(crate) closed: bool,
}

/// A command that humans approved, as long as it runs.
pub(crate) struct Approved {
    pub(crate) number: u64,
    pub(crate) id: ApprovalId,
    /// The terms on which it was held.
    pub(crate) terms: ApprovalTerms,
}

/// A command on its way: what its result is booked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) sent: Micros,
    pub(crate) gateway_micros: u64,
    /// Masks that somebody lifted for this command.
    pub(crate) lift: Option<Arc<Lift>>,
}

impl Ticket {
    /// The same command under a policy that is never in force: it is judged anew before it goes on.
    #[must_use]
    pub fn outdated(&self) -> Self {
        Self { epoch: u64::MAX, ..self.masked() }
    }

    /// The same command for results that come later and under another name: what was lifted for its own results is not lifted for them.
    #[must_use]
    pub fn masked(&self) -> Self {
        Self { lift: None, ..self.clone() }
    }

    /// The command's number in the session.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }
}

/// The answer to a question.
#[derive(Debug)]
#[must_use]
pub enum Asked<M> {
    /// It may be sent.
    Allow(Permitted<M>, Ticket),
    /// It may not; the session goes on.
    Deny(Box<Refusal>),
    /// It waits for a human.
    Hold(Box<Held<M>>),
    /// The session is over.
    Close(Box<Refusal>),
}

impl Session {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.live.id
    }

    /// When the identity's proof ends.
    #[must_use]
    pub fn expires(&self) -> Micros {
        self.live.expires
    }

    /// The gate.
    #[must_use]
    pub const fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The id of the command judged last.
    #[must_use]
    pub fn request(&self) -> RequestId {
        RequestId { session: self.live.id, number: self.number }
    }

    /// Counts bytes received: from the client, from the target.
    pub const fn received(&mut self, from_client: usize, from_target: usize) {
        self.bytes.0 += from_client as u64;
        self.bytes.1 += from_target as u64;
    }

    /// Why the session is over, if it is: killed, expired, revoked.
    pub fn over(&mut self) -> Option<Box<Refusal>> {
        if let Some(reason) = self.live.signal.over() {
            return Some(Box::new(Refusal::of(RefusalKind::Ended).because(reason.as_ref())));
        }
        (self.gate.clock.now() >= self.live.expires)
            .then(|| Box::new(Refusal::of(RefusalKind::Ended).because("the token has expired; get a new one")))
    }

    /// Has the task woken when the session is ended from outside or the gateway begins to stop.
    pub fn watch(&self, cx: &Context<'_>) {
        self.live.signal.waker.register(cx.waker());
    }

    /// Whether the gateway is stopping: a session with nothing going on ends.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.live.signal.draining()
    }

    /// Ready when the recorder has room for a turn of work.
    pub fn poll_recorder(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.recorder.poll_ready(cx).map_err(|failure| broken(&failure))
    }

    /// Judges a command and takes the message that asks for it. What was judged is what is sent.
    pub fn ask<M>(&mut self, command: &Command<'_>, message: M) -> Asked<M> {
        let asked_at = self.gate.clock.now();
        if let Some(refusal) = self.over() {
            return Asked::Close(refusal);
        }
        self.refresh(asked_at);
        self.ask_now(command, message, asked_at)
    }

    /// Judges by the policy that the session has taken over.
    pub(crate) fn ask_now<M>(&mut self, command: &Command<'_>, message: M, asked_at: Micros) -> Asked<M> {
        let judged = self.judge(command, asked_at);
        self.number += 1;
        self.live.commands.store(self.number, Ordering::Relaxed);
        for counter in &judged.counters {
            counter.inc();
        }
        let too_many = if judged.verdict.outcome == Outcome::Deny { None } else { self.over_rate(asked_at) };
        let recorded = match &too_many {
            None => self.record_command(command, &judged.verdict, asked_at),
            Some(refusal) => {
                let verdict =
                    Verdict { outcome: Outcome::Deny, reasons: refusal.reasons.clone(), ..judged.verdict.clone() };
                self.record_command(command, &verdict, asked_at)
            }
        };
        if let Err(refusal) = recorded {
            return Asked::Close(Box::new(refusal));
        }
        if let Some(refusal) = too_many {
            return Asked::Deny(Box::new(refusal));
        }
        match judged.verdict.outcome {
            Outcome::Allow => {
                let ticket = self.ticket(asked_at);
                Asked::Allow(Permitted::new(message), ticket)
            }
            Outcome::Deny => Asked::Deny(Box::new(self.denial(&judged.verdict))),
            Outcome::Hold => self.hold(command, &judged.verdict, asked_at, message),
        }
    }

    /// Judges a command that is prepared now and run later. A hold waits until it runs; only a denial is recorded here.
    pub fn ask_prepare<M>(&mut self, command: &Command<'_>, message: M) -> Asked<M> {
        let now = self.gate.clock.now();
        if let Some(refusal) = self.over() {
            return Asked::Close(refusal);
        }
        self.refresh(now);
        if self.judge(command, now).verdict.outcome == Outcome::Deny {
            return self.ask(command, message);
        }
        let ticket = self.ticket(now);
        Asked::Allow(Permitted::new(message), ticket)
    }

    /// A message that continues what `ticket` was given for: allowed while nothing has changed since, else judged anew. What humans
    /// approved goes on as long as it would be held on the same terms.
    pub fn ask_again<M>(&mut self, ticket: &Ticket, command: &Command<'_>, message: M) -> Asked<M> {
        if let Some(refusal) = self.over() {
            return Asked::Close(refusal);
        }
        self.refresh(self.gate.clock.now());
        if ticket.epoch == self.in_force.epoch {
            return Asked::Allow(Permitted::new(message), ticket.clone());
        }
        if self.is_still_approved(ticket, command) {
            let ticket = Ticket { epoch: self.in_force.epoch, ..ticket.clone() };
            let outcome = format!("command {} goes on, as approved", ticket.number);
            return match self.control_note("policy changed", &outcome) {
                Ok(()) => Asked::Allow(Permitted::new(message), ticket),
                Err(refusal) => Asked::Close(Box::new(refusal)),
            };
        }
        self.ask(command, message)
    }

    fn is_still_approved(&mut self, ticket: &Ticket, command: &Command<'_>) -> bool {
        let Some(at) = self.approved.iter().position(|approved| approved.number == ticket.number) else { return false };
        let judged = self.judge(command, self.gate.clock.now());
        let terms = self.approved.get(at).map(|approved| &approved.terms);
        judged.verdict.outcome == Outcome::Hold && judged.verdict.approval.as_ref() == terms
    }

    /// A control message: it asks for nothing by itself, yet passes the same door.
    pub fn ask_control<M>(&mut self, message: M) -> Asked<M> {
        match self.over() {
            Some(refusal) => Asked::Close(refusal),
            None => {
                let now = Micros(0);
                Asked::Allow(
                    Permitted::new(message),
                    Ticket { number: self.number, epoch: 0, sent: now, gateway_micros: 0, lift: None },
                )
            }
        }
    }

    /// Records a control message worth a line: a cancel, a refused message.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn control_note(&mut self, what: &str, outcome: &str) -> Result<(), Refusal> {
        self.record(&Event::Control { what: Cow::Borrowed(what), outcome: Cow::Borrowed(outcome) })
    }

    /// The wait for a held command ended. An approval is checked once more against the policy of this moment.
    pub fn resume<M>(&mut self, held: Held<M>, command: &Command<'_>, ended: &Ended) -> Asked<M> {
        let now = self.gate.clock.now();
        let (answer, by, kind) = match ended {
            Ended::Approved { by } => ("approved", by.as_slice(), None),
            Ended::Denied { by } => ("denied", by.as_slice(), Some(RefusalKind::ApprovalDenied)),
            Ended::Expired => ("expired", [].as_slice(), Some(RefusalKind::ApprovalExpired)),
            Ended::Away => ("expired", [].as_slice(), Some(RefusalKind::ApprovalAway)),
        };
        let stale = kind.is_none() && !self.still_fits(&held, command, now);
        let answer = if stale { "stale" } else { answer };
        if let Err(refusal) = self.record_answer(&held.request, answer, by) {
            return Asked::Close(Box::new(refusal));
        }
        self.count_wait(answer, held.asked, now);
        if let Some(refusal) = self.over() {
            return Asked::Close(refusal);
        }
        let kind = if stale { Some(RefusalKind::ApprovalStale) } else { kind };
        match kind {
            None => {
                let mut ticket = self.ticket(now);
                ticket.number = held.request.number;
                ticket.lift = self.masks.lift(command.unmask).into_ticket();
                let ApprovalRequest { number, id, terms, .. } = held.request;
                self.approved.push(Approved { number, id, terms });
                Asked::Allow(Permitted::new(held.message), ticket)
            }
            Some(kind) => Asked::Deny(Box::new(self.hold_refusal(kind, &held.request))),
        }
    }

    /// What came of approved commands since the last time, for [`Gate::report`].
    pub fn take_outcomes(&mut self) -> Vec<(ApprovalId, String)> {
        std::mem::take(&mut self.outcomes)
    }

    /// The client cancelled the wait or went away.
    pub fn abandon<M>(&mut self, held: Held<M>, disconnected: bool) -> (Refusal, ApprovalId) {
        let answer = if disconnected { "disconnected" } else { "cancelled" };
        // A recorder that fails here fails at the next event too, which closes the session.
        let _recorded = self.record_answer(&held.request, answer, &[]);
        self.count_wait(answer, held.asked, self.gate.clock.now());
        (self.hold_refusal(RefusalKind::ApprovalCancelled, &held.request), held.request.id)
    }

    /// As many commands wait as may, `most`: this one is given up at once.
    pub fn crowded<M>(&mut self, held: Held<M>, most: usize) -> (Refusal, ApprovalId) {
        let (refusal, id) = self.abandon(held, false);
        let refusal = Refusal { kind: RefusalKind::Limit, approval: None, ..refusal };
        (refusal.because(format!("{most} commands of this session wait for approval already")), id)
    }

    /// Records that the command waits, once its request is stored.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn parked<M>(&mut self, held: &Held<M>) -> Result<(), Refusal> {
        self.record(&Event::Held {
            number: held.request.number,
            approval: Cow::Owned(held.request.id.to_string()),
            expires: held.request.expires,
        })
    }

    /// Seals the recording and leaves the list of live sessions. Called once; dropping without it closes as `gateway lost the session`.
    pub fn close(mut self, reason: &str) {
        self.seal(reason);
    }

    fn seal(&mut self, reason: &str) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let event = Event::Closed { reason: Cow::Borrowed(reason), commands: self.number, bytes: self.bytes };
        if let Err(failure) = self.record(&event) {
            tracing::error!(session = %self.live.id, reason = ?failure.reasons, "closing event not recorded");
        }
        self.recorder.seal();
        self.gate.live.remove(self.live.id);
        self.gate.metrics.sessions.get_or_create(&self.protocol_label()).dec();
    }

    pub(crate) fn protocol_label(&self) -> crate::metrics::Labels {
        vec![("protocol", self.live.protocol.to_owned())]
    }

    fn ticket(&self, asked_at: Micros) -> Ticket {
        let sent = self.gate.clock.now();
        let gateway_micros = u64::try_from(sent.0.saturating_sub(asked_at.0)).unwrap_or(0);
        Ticket { number: self.number, epoch: self.in_force.epoch, sent, gateway_micros, lift: None }
    }

    /// Takes over a policy that came into force since.
    pub(crate) fn refresh(&mut self, now: Micros) {
        let due = self.refresh_at.is_some_and(|at| now >= at);
        if !due && self.in_force.epoch == self.gate.in_force.load().epoch {
            return;
        }
        self.in_force = self.gate.in_force.load_full();
        let in_force = Arc::clone(&self.in_force);
        let live = Arc::clone(&self.live);
        let subject = Subject { identity: &live.identity, target: &self.target, role: &live.role, from: live.from };
        let applied = Standing::of(&in_force, &subject, now);
        self.view = applied.view;
        self.masks = applied.masks;
        self.limits = applied.limits;
        self.level = applied.level;
        self.refresh_at = applied.refresh_at;
        self.open = applied.open;
    }

    /// Whether policy allows this identity everything here and masks nothing, so that no answer depends on what names stand for.
    pub fn open_to_all(&mut self) -> bool {
        self.refresh(self.gate.clock.now());
        self.open
    }

    fn denial(&self, verdict: &Verdict) -> Refusal {
        let kind = if verdict.rules.is_empty() { RefusalKind::NotCovered } else { RefusalKind::Denied };
        Refusal {
            kind,
            request: Some(self.request()),
            rules: verdict.rules.clone(),
            // They repeat the command's own words.
            reasons: verdict.reasons.iter().map(|reason| self.scrub(reason, false).into_owned()).collect(),
            message: verdict.message.clone(),
            approval: None,
        }
    }

    fn hold_refusal(&self, kind: RefusalKind, request: &ApprovalRequest) -> Refusal {
        Refusal {
            kind,
            request: Some(RequestId { session: request.session, number: request.number }),
            rules: request.rules.clone(),
            reasons: Vec::new(),
            message: None,
            approval: Some(request.id.to_string()),
        }
    }

    fn hold<M>(&mut self, command: &Command<'_>, verdict: &Verdict, now: Micros, message: M) -> Asked<M> {
        let Some(terms) = verdict.approval.clone() else {
            let refusal = self.denial(verdict).because("the rule names no approver");
            return Asked::Deny(Box::new(refusal));
        };
        let request = self.request_for(command, verdict, terms, now);
        Asked::Hold(Box::new(Held { message, request, asked: now }))
    }

    fn request_for(
        &self,
        command: &Command<'_>,
        verdict: &Verdict,
        terms: ApprovalTerms,
        now: Micros,
    ) -> ApprovalRequest {
        let mut seconds = terms.expires_seconds;
        if command.in_transaction {
            seconds = seconds.min(self.gate.settings.hold_in_transaction_seconds);
        }
        let wait = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let show = |action: &model::Action| match &action.object {
            Some(object) => format!("{} {object}", action.effect),
            None => action.effect.to_string(),
        };
        let mut reasons = verdict.reasons.clone();
        reasons.extend(command.intent.reasons.iter().cloned());
        ApprovalRequest {
            id: ApprovalId(uuid::Uuid::now_v7()),
            digest: self.digest_of(command),
            session: self.live.id,
            number: self.number,
            identity: self.live.identity.as_ref().clone(),
            target: self.target.name.clone(),
            role: self.live.role.clone(),
            text: command.text.to_owned(),
            values: command.values.to_vec(),
            actions: command.intent.actions.iter().map(show).collect(),
            preview: Vec::new(),
            reasons,
            rules: verdict.rules.clone(),
            policy: self.in_force.policy.version().to_owned(),
            terms,
            created: now,
            expires: Micros(now.0.saturating_add(wait)),
        }
    }

    fn digest_of(&self, command: &Command<'_>) -> [u8; 32] {
        digest(
            &self.live.identity,
            [&self.target.name, &self.live.role, &self.scope],
            command,
            &self.masks.lift(command.unmask),
            self.in_force.policy.version(),
        )
    }

    fn still_fits<M>(&mut self, held: &Held<M>, command: &Command<'_>, now: Micros) -> bool {
        self.refresh(now);
        let verdict = &self.judge(command, now).verdict;
        verdict.outcome != Outcome::Deny && self.digest_of(command) == held.request.digest
    }

    fn count_wait(&self, answer: &str, asked: Micros, now: Micros) {
        let seconds = Duration::from_micros(u64::try_from(now.0 - asked.0).unwrap_or(0));
        self.gate
            .metrics
            .approval_wait
            .get_or_create(&vec![("answer", answer.to_owned())])
            .observe(seconds.as_secs_f64());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.seal("gateway lost the session");
    }
}

pub(crate) fn broken(failure: &RecordFailure) -> Refusal {
    tracing::error!(error = %failure, "recording failed; the session closes");
    Refusal::of(RefusalKind::Unavailable).because("the session cannot be recorded")
}

pub(crate) fn timestamp(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH)
}
