//! From a proven identity to a grant and a session. The record comes first; nothing is dialled before it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use model::{
    Action, ApprovalId, Effect, Flags, Identity, Intent, Object, ObjectKind, Outcome, SessionId, Target, Verdict,
};
use policy::{Request, Subject};
use record::{Event, Micros, Opened as OpenedEvent};
use uuid::Uuid;

use crate::gate::{OWN_TARGET, TARGET_CHANGED};
use crate::hold::{Parked, digest};
use crate::live::{Live, Signal};
use crate::masks::lift::Lift;
use crate::ports::{ApprovalRequest, AuditEntry, Proven};
use crate::refusal::RefusalKind;
use crate::session::timestamp;
use crate::standing::Standing;
use crate::{Endpoint, Gate, Grant, Refusal, Session};

/// What a client asks for when it opens a session.
#[derive(Clone, Debug)]
pub struct OpenRequest<'a> {
    /// The protocol, which must be the target's kind.
    pub protocol: &'static str,
    /// The target's name.
    pub target: &'a str,
    /// The role asked for; without one it is the target's default role.
    pub role: Option<AskedRole<'a>>,
    /// What the target's name leaves open, such as the database. Approvals are bound to it.
    pub scope: &'a str,
    /// Where the client is.
    pub from: Option<IpAddr>,
    /// What the client calls itself.
    pub client: &'a str,
}

/// A role that a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AskedRole<'a> {
    /// This one and no other.
    Named(&'a str),
    /// This one if the target has it, else its default role: the client has to say some name.
    Preferred(&'a str),
}

/// An open session: its record is written.
pub struct Opened {
    /// Permission to dial.
    pub grant: Arc<Grant>,
    /// The session.
    pub session: Session,
}

impl Gate {
    /// Opens a session: decides `connect`, writes the record, and returns the only thing that can dial.
    ///
    /// # Errors
    /// A [`Refusal`] for the client.
    pub async fn open(self: &Arc<Self>, proven: Proven, ask: OpenRequest<'_>) -> Result<Opened, Refusal> {
        let opened = self.try_open(proven, &ask).await;
        if let Err(refusal) = &opened {
            self.count_refusal(refusal.kind);
        }
        opened
    }

    /// Counts a refusal that came before a session existed.
    pub fn count_refusal(&self, kind: RefusalKind) {
        self.metrics.refused.get_or_create(&vec![("code", kind.code().to_owned())]).inc();
    }

    /// Counts a login that came to nothing.
    pub fn count_login_failure(&self, protocol: &'static str) {
        let labels = vec![("protocol", protocol.to_owned())];
        self.metrics.login_failures.get_or_create(&labels).inc();
    }

    async fn try_open(self: &Arc<Self>, proven: Proven, ask: &OpenRequest<'_>) -> Result<Opened, Refusal> {
        let now = self.clock.now();
        if now >= proven.expires {
            return Err(Refusal::of(RefusalKind::Identity(crate::ports::AuthFailure::Expired)));
        }
        let scoped = proven.targets.as_ref().is_none_or(|names| names.iter().any(|name| name == ask.target));
        let found = self.targets.load().get(ask.target).filter(|(target, _)| target.kind == ask.protocol);
        let (target, endpoint) = match found {
            Some(found) if scoped => found,
            Some(_) | None => return Err(Refusal::of(RefusalKind::UnknownTarget)),
        };
        let role = match ask.role {
            Some(AskedRole::Named(role) | AskedRole::Preferred(role)) if target.roles.iter().any(|it| it == role) => {
                role.to_owned()
            }
            Some(AskedRole::Named(_)) => return Err(Refusal::of(RefusalKind::UnknownRole)),
            Some(AskedRole::Preferred(_)) | None => target.default_role.clone(),
        };
        let identity = Arc::new(proven.identity.clone());
        let id = SessionId(Uuid::now_v7());
        let verdict = self.decide_connect(&identity, &target, &role, ask.from, now);
        let welcome = match verdict.outcome {
            Outcome::Allow => Ok(()),
            Outcome::Hold => self.connect_approval(id, &identity, &target, &role, ask, &verdict).await,
            Outcome::Deny => Err(connect_refusal(RefusalKind::ConnectDenied, &verdict)),
        };
        if let Err(refusal) = welcome {
            self.audit_refusal(&identity, &target, &refusal).await;
            return Err(refusal);
        }
        let session = self.begin(id, &proven, identity, target, &role, ask, &verdict, now).await?;
        self.look_again(&session, &endpoint);
        let grant = Grant {
            session: id,
            identity: Arc::clone(&session.live.identity),
            target: Arc::clone(&session.target),
            endpoint,
            role,
            secrets: Arc::clone(&self.secrets),
        };
        Ok(Opened { grant: Arc::new(grant), session })
    }

    fn decide_connect(
        &self,
        identity: &Identity,
        target: &Target,
        role: &str,
        from: Option<IpAddr>,
        now: Micros,
    ) -> Verdict {
        self.policy().decide(&Request {
            subject: Subject { identity, target, role, from },
            actions: &[Action::bare(Effect::Connect)],
            flags: Flags::default(),
            in_transaction: false,
            predicates: &[],
            reads_unknown: false,
            now: timestamp(now),
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one opening, each of its own type")]
    async fn begin(
        self: &Arc<Self>,
        id: SessionId,
        proven: &Proven,
        identity: Arc<Identity>,
        target: Arc<Target>,
        role: &str,
        ask: &OpenRequest<'_>,
        verdict: &Verdict,
        now: Micros,
    ) -> Result<Session, Refusal> {
        let in_force = self.in_force.load_full();
        let who = serde_json::to_string(identity.as_ref()).unwrap_or_default();
        let event = OpenedEvent {
            session: Cow::Owned(id.to_string()),
            protocol: Cow::Borrowed(ask.protocol),
            identity: Cow::Owned(who),
            target: Cow::Borrowed(&target.name),
            role: Cow::Borrowed(role),
            from: Cow::Owned(ask.from.map(|ip| ip.to_string()).unwrap_or_default()),
            client: Cow::Borrowed(ask.client),
            policy: Cow::Borrowed(in_force.policy.version()),
            rules: verdict.rules.iter().map(|rule| Cow::Borrowed(rule.as_str())).collect(),
            gateway: Cow::Borrowed(&self.settings.version),
        };
        let recorder = self.recordings.open(id, now, &event).await.map_err(|away| {
            tracing::error!(session = %id, error = %away, "session refused: it cannot be recorded");
            Refusal::of(RefusalKind::Unavailable)
        })?;
        let live = Arc::new(Live {
            id,
            identity,
            target: Arc::clone(&target),
            role: role.to_owned(),
            protocol: ask.protocol,
            opened: now,
            from: ask.from,
            expires: proven.expires,
            token: proven.token,
            commands: AtomicU64::new(0),
            signal: Signal::default(),
        });
        let subject = Subject { identity: &live.identity, target: &target, role, from: live.from };
        let standing = Standing::of(&in_force, &subject, now);
        self.live.add(&live);
        let session = Session {
            gate: Arc::clone(self),
            live,
            recorder,
            target,
            scope: ask.scope.to_owned(),
            view: standing.view,
            in_force,
            masks: standing.masks,
            limits: standing.limits,
            level: standing.level,
            refresh_at: standing.refresh_at,
            open: standing.open,
            number: 0,
            account: self.accounts.of(proven, now),
            bytes: (0, 0),
            hits: Vec::new(),
            approved: Vec::new(),
            outcomes: Vec::new(),
            closed: false,
        };
        self.metrics.sessions.get_or_create(&session.protocol_label()).inc();
        self.metrics.opened.get_or_create(&session.protocol_label()).inc();
        Ok(session)
    }

    /// A connect that needs approval asks for it once, is refused meanwhile, and uses the approval when the client comes back.
    async fn connect_approval(
        self: &Arc<Self>,
        session: SessionId,
        identity: &Identity,
        target: &Target,
        role: &str,
        ask: &OpenRequest<'_>,
        verdict: &Verdict,
    ) -> Result<(), Refusal> {
        let refuse = |kind| connect_refusal(kind, verdict);
        let Some(terms) = verdict.approval.clone() else {
            return Err(refuse(RefusalKind::ConnectDenied));
        };
        let now = self.clock.now();
        let intent = Arc::new(Intent::simple(1, "CONNECT", Action::bare(Effect::Connect)));
        let command =
            model::Command { intent: &intent, text: "CONNECT", values: &[], in_transaction: false, unmask: &[] };
        let policy = self.policy().version().to_owned();
        let wait = i64::try_from(terms.expires_seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let request = ApprovalRequest {
            id: ApprovalId(Uuid::now_v7()),
            digest: digest(identity, [&target.name, role, ask.scope], &command, &Lift::default(), &policy),
            session,
            number: 0,
            identity: identity.clone(),
            target: target.name.clone(),
            role: role.to_owned(),
            text: "CONNECT".to_owned(),
            values: Vec::new(),
            actions: vec!["connect".to_owned()],
            preview: Vec::new(),
            reasons: verdict.reasons.clone(),
            rules: verdict.rules.clone(),
            policy,
            terms,
            created: now,
            expires: Micros(now.0.saturating_add(wait)),
        };
        let waiting = self.approvals.list(true, CONNECTS_LOOKED_AT).await.unwrap_or_default();
        let mut refusal = refuse(RefusalKind::ConnectHeld);
        if let Some(known) =
            waiting.iter().find(|known| known.request.digest == request.digest && known.request.expires > now)
        {
            refusal.approval = Some(known.request.id.to_string());
            return Err(refusal);
        }
        refusal.approval = Some(request.id.to_string());
        match self.park(request).await {
            Ok(Parked::Granted { .. }) => Ok(()),
            Ok(Parked::Waiting) => Err(refusal),
            Err(_) => Err(refuse(RefusalKind::ApprovalAway)),
        }
    }

    async fn audit_refusal(&self, identity: &Identity, target: &Target, refusal: &Refusal) {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: identity.display(),
            action: "session.refuse",
            object: target.name.clone(),
            detail: refusal.kind.code().to_owned(),
        };
        if let Err(away) = self.audit.write(&entry).await {
            tracing::error!(error = %away, "refusal not in the audit log");
        }
    }

    /// Ends sessions that the policy in force no longer lets connect.
    pub(crate) fn end_unwelcome(&self) {
        for live in self.live.all() {
            self.end_if_unwelcome(&live);
        }
    }

    fn end_if_unwelcome(&self, live: &Live) {
        let verdict = self.decide_connect(&live.identity, &live.target, &live.role, live.from, self.clock.now());
        if verdict.outcome == Outcome::Deny {
            live.end("policy no longer lets this identity connect");
        }
    }

    /// Policy and targets may have been replaced after they were asked and before the session stood in the list of live ones.
    fn look_again(&self, session: &Session, endpoint: &Endpoint) {
        let live = &session.live;
        self.end_if_unwelcome(live);
        if self.targets.load().differs(&live.target.name, &live.role, Some(endpoint)) {
            live.end(TARGET_CHANGED);
        }
    }

    /// Judges a call to the gateway's own API by the same policy: target `sallyport`, object `path:…`.
    ///
    /// # Errors
    /// A [`Refusal`] unless a rule allows it.
    pub fn authorize(
        &self,
        identity: &Identity,
        effect: Effect,
        path: &str,
        from: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        let target = Target {
            name: OWN_TARGET.to_owned(),
            kind: OWN_TARGET.to_owned(),
            labels: Default::default(),
            roles: Vec::new(),
            default_role: String::new(),
        };
        let verdict = self.policy().decide(&Request {
            subject: Subject { identity, target: &target, role: "", from },
            actions: &[Action::on(effect, Object::new(ObjectKind::Path, path))],
            flags: Flags::default(),
            in_transaction: false,
            predicates: &[],
            reads_unknown: false,
            now: timestamp(self.clock.now()),
        });
        if verdict.outcome == Outcome::Allow {
            return Ok(());
        }
        Err(Refusal {
            kind: RefusalKind::Denied,
            request: None,
            rules: verdict.rules,
            reasons: verdict.reasons,
            message: verdict.message,
            approval: None,
        })
    }
}

/// How many waiting requests are searched for an equal one, so that a client that keeps reconnecting asks once.
const CONNECTS_LOOKED_AT: u32 = 1000;

fn connect_refusal(kind: RefusalKind, verdict: &Verdict) -> Refusal {
    Refusal {
        kind,
        request: None,
        rules: verdict.rules.clone(),
        reasons: verdict.reasons.clone(),
        message: verdict.message.clone(),
        approval: None,
    }
}

impl Session {
    /// Records which credential opened the target and over which link; never the credential.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn leased(&mut self, user: &str, link: &str) -> Result<(), Refusal> {
        self.record(&Event::Leased { user: Cow::Borrowed(user), link: Cow::Borrowed(link) })
    }
}
