//! Identities, targets and questions in few words.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use model::{Action, Effect, Flags, Identity, IdentityKind, Object, Outcome, Predicate, Target, Verdict};
use sallyport_policy::{Policy, Request, Source, Subject};
use serde_json::json;

/// A policy that must read without error.
pub(crate) fn policy(text: &str) -> Policy {
    match Policy::parse(&[Source { name: "p.yaml", text }]) {
        Ok(policy) => policy,
        Err(errors) => panic!("{text}\n{}", errors.iter().map(|error| format!("{error}\n")).collect::<String>()),
    }
}

/// The errors of a policy that must not read.
pub(crate) fn errors(text: &str) -> Vec<String> {
    match Policy::parse(&[Source { name: "p.yaml", text }]) {
        Ok(_) => panic!("reads without error:\n{text}"),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// `agent-7 for bob for alice`, of groups and claims that the tables name.
pub(crate) fn agent() -> Identity {
    Identity {
        subject: "agent-7".to_owned(),
        issuer: "https://id.example/realms/prod".to_owned(),
        groups: vec!["agents".to_owned(), "shop".to_owned()],
        kind: IdentityKind::Agent,
        on_behalf_of: vec!["bob".to_owned(), "alice".to_owned()],
        task: Some("refund".to_owned()),
        claims: BTreeMap::from([
            ("team".to_owned(), json!("shop")),
            ("level".to_owned(), json!(3)),
            ("tags".to_owned(), json!(["a", "b"])),
        ]),
    }
}

/// `orders-db`, PostgreSQL in production.
pub(crate) fn target() -> Target {
    Target {
        name: "orders-db".to_owned(),
        kind: "postgres".to_owned(),
        labels: BTreeMap::from([("env".to_owned(), "prod".to_owned()), ("team".to_owned(), "shop".to_owned())]),
        roles: vec!["migrator".to_owned(), "readonly".to_owned()],
        default_role: "readonly".to_owned(),
    }
}

/// A question, with everything else as usual: Thursday noon UTC from 10.1.2.3, as readonly.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) identity: Identity,
    pub(crate) target: Target,
    pub(crate) role: String,
    pub(crate) from: Option<IpAddr>,
    pub(crate) actions: Vec<Action>,
    pub(crate) flags: Flags,
    pub(crate) in_transaction: bool,
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) reads_unknown: bool,
    pub(crate) now: Timestamp,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            identity: agent(),
            target: target(),
            role: "readonly".to_owned(),
            from: Some("10.1.2.3".parse().unwrap()),
            actions: vec![read("public.orders")],
            flags: Flags::default(),
            in_transaction: false,
            predicates: Vec::new(),
            reads_unknown: false,
            now: "2026-01-15T12:00:00Z".parse().unwrap(),
        }
    }
}

impl Asked {
    pub(crate) fn actions(actions: impl IntoIterator<Item = Action>) -> Self {
        Self { actions: actions.into_iter().collect(), ..Self::default() }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { identity: &self.identity, target: &self.target, role: &self.role, from: self.from }
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            subject: self.subject(),
            actions: &self.actions,
            flags: self.flags,
            in_transaction: self.in_transaction,
            predicates: &self.predicates,
            reads_unknown: self.reads_unknown,
            now: self.now,
        }
    }

    pub(crate) fn of(&self, policy: &Policy) -> Verdict {
        policy.decide(&self.request())
    }

    pub(crate) fn outcome(&self, policy: &Policy) -> Outcome {
        self.of(policy).outcome
    }
}

pub(crate) fn read(name: &str) -> Action {
    on(Effect::Read, name)
}

pub(crate) fn on(effect: Effect, name: &str) -> Action {
    let object = name.split_once(':').and_then(|(kind, name)| Some(Object::new(model::ObjectKind::parse(kind)?, name)));
    Action::on(effect, object.unwrap_or_else(|| Object::new(model::ObjectKind::Relation, name)))
}

pub(crate) fn column(relation: &str, column: &str) -> Predicate {
    Predicate { relation: relation.to_owned(), column: column.to_owned(), equality: false }
}
