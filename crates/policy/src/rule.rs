//! What a policy is once it is read: rules, masks, limits and recording rules, with the questions they answer.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use model::{
    Action, ApprovalTerms, Effect, EffectSet, Flags, Identity, IdentityKind, Limits, MaskRule, ObjectKind, RecordLevel,
    Target,
};
use serde_json::Value;

use crate::error::Place;
use crate::hours::Hours;
use crate::pattern::{Glob, ObjectPattern};
use crate::policy::Subject;
use crate::when::When;

/// What a matching rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Then {
    Allow,
    Approve,
    Deny,
}

impl Then {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }

    /// What a condition that cannot be evaluated counts as: always against the client.
    pub(crate) const fn doubt(self) -> bool {
        match self {
            Self::Allow | Self::Approve => false,
            Self::Deny => true,
        }
    }
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) effects: EffectSet,
    /// The same as bits, since most rules are passed over by this alone.
    pub(crate) bits: u16,
    /// `None` is any object, and no object at all.
    pub(crate) objects: Option<Vec<ObjectPattern>>,
    pub(crate) shape: Shape,
    pub(crate) then: Then,
    pub(crate) approval: Option<ApprovalTerms>,
    pub(crate) message: Option<String>,
    /// Judged and reported, not enforced.
    pub(crate) shadow: bool,
}

impl Rule {
    /// Whether the rule's `do` and `objects` mean this action.
    pub(crate) fn means(&self, action: &Action) -> bool {
        self.effects.contains(action.effect) && self.means_object(action)
    }

    /// Whether the rule's `objects` mean the action's object.
    pub(crate) fn means_object(&self, action: &Action) -> bool {
        let Some(patterns) = &self.objects else {
            // Another protocol can carry anything: it is allowed where a rule says whereto.
            return action.effect != Effect::Tunnel || self.then == Then::Deny;
        };
        match (&action.object, self.then) {
            (Some(_), Then::Allow | Then::Approve)
                if action.effect == Effect::Tunnel && patterns.iter().any(ObjectPattern::is_all) =>
            {
                false
            }
            (None, Then::Allow | Then::Approve) => true,
            (None, Then::Deny) => false,
            // A list of tables does not speak of the session's own settings; one that names settings does.
            (Some(object), Then::Allow)
                if action.effect == Effect::Session
                    && object.kind == ObjectKind::Setting
                    && !patterns.iter().any(|pattern| pattern.names_kind(ObjectKind::Setting)) =>
            {
                true
            }
            (Some(object), Then::Allow | Then::Approve) => patterns.iter().any(|pattern| pattern.covers(object)),
            // What an unresolved name stands for is not known, so it may be what is denied.
            (Some(object), Then::Deny) => patterns.iter().any(|pattern| pattern.may_mean(object)),
        }
    }

    /// Whether an approve rule's `objects` may mean the action's object, though not for certain: it covers nothing then, and what
    /// another rule allows waits for its approval.
    pub(crate) fn doubts(&self, action: &Action) -> bool {
        match (&self.objects, &action.object, self.then) {
            (Some(patterns), Some(object), Then::Approve) => {
                object.is_unresolved()
                    && self.effects.contains(action.effect)
                    && patterns.iter().any(|pattern| pattern.may_mean(object))
            }
            _ => false,
        }
    }

    /// Whether both have an effect in common.
    pub(crate) const fn shares_effects(&self, bits: u16) -> bool {
        self.bits & bits != 0
    }

    /// Whether the rule applies to every command of its subjects, objects and effects.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.scope.is_unconditional() && self.shape == Shape::default()
    }
}

/// A set of effects as bits.
pub(crate) fn bits(effects: impl Iterator<Item = Effect>) -> u16 {
    // The effects are numbered from 0 and fewer than 16: `as` cannot lose anything.
    effects.fold(0, |bits, effect| bits | 1 << effect as u8)
}

const _: () = assert!(Effect::ALL.len() <= 16);

/// One mask.
#[derive(Debug)]
pub(crate) struct Mask {
    pub(crate) place: Place,
    pub(crate) column_places: Vec<Place>,
    pub(crate) scope: Scope,
    pub(crate) rule: MaskRule,
    /// Who may approve a masked column in a condition.
    pub(crate) approval: Option<ApprovalTerms>,
}

/// One set of limits.
#[derive(Debug)]
pub(crate) struct LimitRule {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) limits: Limits,
}

/// How much of results is recorded, and for whom.
#[derive(Debug)]
pub(crate) struct RecordRule {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) scope: Scope,
    pub(crate) level: RecordLevel,
}

/// For whom and where something holds, and under which circumstances outside of the command.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) who: Who,
    pub(crate) on: On,
    /// Addresses that sessions come from.
    pub(crate) from: Option<Vec<IpNet>>,
    pub(crate) hours: Option<Hours>,
    pub(crate) when: Option<When>,
}

impl Scope {
    /// Whether it holds for all commands of those whom it means.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.from.is_none() && self.hours.is_none() && self.when.is_none()
    }

    /// `who` and `on`.
    pub(crate) fn misses(&self, subject: &Subject<'_>) -> Option<Miss> {
        self.who.misses(subject.identity).or_else(|| self.on.misses(subject.target, subject.role))
    }

    /// `if.from`; an address that is not known is in doubt.
    pub(crate) fn misses_from(&self, from: Option<IpAddr>, doubt: bool) -> Option<Miss> {
        let nets = self.from.as_ref()?;
        match from {
            Some(address) => {
                // An IPv4 client on a dual-stack socket is still an IPv4 client.
                let address = address.to_canonical();
                (!nets.iter().any(|net| net.contains(&address))).then_some(Miss::From)
            }
            None => (!doubt).then_some(Miss::FromUnknown),
        }
    }

    /// `if.hours`.
    pub(crate) fn misses_hours(&self, now: Timestamp) -> Option<Miss> {
        let hours = self.hours.as_ref()?;
        (!hours.contains(now)).then_some(Miss::Hours)
    }
}

/// Whom it means. Lists are alternatives; the keys that are given must all fit.
#[derive(Debug, Default)]
pub(crate) struct Who {
    pub(crate) users: Option<Vec<Glob>>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) kinds: Option<Vec<IdentityKind>>,
    pub(crate) issuers: Option<Vec<Glob>>,
    pub(crate) claims: Vec<(String, Vec<Value>)>,
    pub(crate) on_behalf_of: Option<Chain>,
}

/// For whom an identity acts.
#[derive(Debug)]
pub(crate) enum Chain {
    /// For anyone but itself.
    Any,
    /// For itself.
    None,
    /// For one of these, at any distance.
    Of(Vec<Glob>),
}

impl Who {
    pub(crate) fn misses(&self, identity: &Identity) -> Option<Miss> {
        let glob = |globs: &[Glob], name: &str| globs.iter().any(|glob| glob.matches(name));
        if self.users.as_ref().is_some_and(|users| !glob(users, &identity.subject)) {
            return Some(Miss::Users);
        }
        if let Some(groups) = &self.groups
            && !identity.groups.iter().any(|group| groups.contains(group))
        {
            return Some(Miss::Groups);
        }
        if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&identity.kind)) {
            return Some(Miss::Kinds);
        }
        if self.issuers.as_ref().is_some_and(|issuers| !glob(issuers, &identity.issuer)) {
            return Some(Miss::Issuers);
        }
        for (name, wanted) in &self.claims {
            if !identity.claims.get(name).is_some_and(|claim| has_one(claim, wanted)) {
                return Some(Miss::Claim(name.clone()));
            }
        }
        let chain = match self.on_behalf_of.as_ref()? {
            Chain::Any => !identity.on_behalf_of.is_empty(),
            Chain::None => identity.on_behalf_of.is_empty(),
            Chain::Of(names) => identity.on_behalf_of.iter().any(|who| glob(names, who)),
        };
        (!chain).then_some(Miss::OnBehalfOf)
    }

    /// Whether every identity is meant.
    pub(crate) fn is_any(&self) -> bool {
        self.users.is_none()
            && self.groups.is_none()
            && self.kinds.is_none()
            && self.issuers.is_none()
            && self.claims.is_empty()
            && self.on_behalf_of.is_none()
    }
}

/// Whether a claim is one of the wanted values, or a list with one of them. Types must agree: `"1"` is not `1`.
fn has_one(claim: &Value, wanted: &[Value]) -> bool {
    match claim {
        Value::Array(claims) => claims.iter().any(|claim| wanted.contains(claim)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => wanted.contains(claim),
    }
}

/// Where it holds.
#[derive(Debug, Default)]
pub(crate) struct On {
    pub(crate) targets: Option<Vec<Glob>>,
    pub(crate) labels: Vec<(String, Vec<String>)>,
    pub(crate) roles: Option<Vec<Glob>>,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) place: Place,
}

impl On {
    pub(crate) fn misses(&self, target: &Target, role: &str) -> Option<Miss> {
        self.misses_target(target).or_else(|| {
            let roles = self.roles.as_ref()?;
            (!roles.iter().any(|glob| glob.matches(role))).then_some(Miss::Roles)
        })
    }

    /// All but the role.
    pub(crate) fn misses_target(&self, target: &Target) -> Option<Miss> {
        if let Some(targets) = &self.targets
            && !targets.iter().any(|glob| glob.matches(&target.name))
        {
            return Some(Miss::Targets);
        }
        for (name, wanted) in &self.labels {
            if !target.labels.get(name).is_some_and(|label| wanted.contains(label)) {
                return Some(Miss::Label(name.clone()));
            }
        }
        let kinds = self.kinds.as_ref()?;
        (!kinds.contains(&target.kind)).then_some(Miss::TargetKinds)
    }
}

/// Typed conditions about the command as a whole; `None` is either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) unbounded: Option<bool>,
    pub(crate) multi: Option<bool>,
    pub(crate) in_transaction: Option<bool>,
}

impl Shape {
    pub(crate) fn misses(self, flags: Flags, in_transaction: bool) -> Option<Miss> {
        let differs = |wanted: Option<bool>, is: bool| wanted.is_some_and(|wanted| wanted != is);
        if differs(self.unbounded, flags.unbounded) {
            Some(Miss::Unbounded(flags.unbounded))
        } else if differs(self.multi, flags.multi) {
            Some(Miss::Multi(flags.multi))
        } else if differs(self.in_transaction, in_transaction) {
            Some(Miss::InTransaction(in_transaction))
        } else {
            None
        }
    }
}

/// The first part of a rule that does not fit. Its text names parts of the policy, never values of the identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Miss {
    Users,
    Groups,
    Kinds,
    Issuers,
    Claim(String),
    OnBehalfOf,
    Targets,
    Label(String),
    Roles,
    TargetKinds,
    Effect(Effect),
    NoObject,
    Object,
    From,
    FromUnknown,
    Hours,
    Unbounded(bool),
    Multi(bool),
    InTransaction(bool),
    When,
    WhenFailed(&'static str),
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Users => f.write_str("who.users does not list the subject"),
            Self::Groups => f.write_str("who.groups has none of the identity's groups"),
            Self::Kinds => f.write_str("who.kinds does not list the identity's kind"),
            Self::Issuers => f.write_str("who.issuers does not list the issuer"),
            Self::Claim(name) => write!(f, "who.claims.{name} is absent or another"),
            Self::OnBehalfOf => f.write_str("who.on_behalf_of does not fit"),
            Self::Targets => f.write_str("on.targets does not list the target"),
            Self::Label(name) => write!(f, "on.labels.{name} is absent or another"),
            Self::Roles => f.write_str("on.roles does not list the role"),
            Self::TargetKinds => f.write_str("on.kinds does not list the target's kind"),
            Self::Effect(effect) => write!(f, "do does not list {effect}"),
            Self::NoObject => f.write_str("the rule denies by object and the action has none"),
            Self::Object => f.write_str("objects do not list it"),
            Self::From => f.write_str("if.from does not list the client's address"),
            Self::FromUnknown => f.write_str("if.from cannot be judged: the client's address is not known"),
            Self::Hours => f.write_str("if.hours: the window is closed now"),
            Self::Unbounded(true) => f.write_str("if.unbounded is false and the command touches all rows"),
            Self::Unbounded(false) => f.write_str("if.unbounded is true and the command is bounded"),
            Self::Multi(true) => f.write_str("if.multi is false and the message has several statements"),
            Self::Multi(false) => f.write_str("if.multi is true and the message has one statement"),
            Self::InTransaction(true) => f.write_str("if.in_transaction is false and a transaction is open"),
            Self::InTransaction(false) => f.write_str("if.in_transaction is true and no transaction is open"),
            Self::When => f.write_str("when is false"),
            Self::WhenFailed(why) => write!(f, "when cannot be evaluated: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_compare_by_type_and_lists_by_member() {
        let wanted = [Value::from("1"), Value::from(true)];
        assert!(has_one(&Value::from("1"), &wanted));
        assert!(!has_one(&Value::from(1), &wanted));
        assert!(has_one(&Value::from(vec!["0", "1"]), &wanted));
        assert!(!has_one(&serde_json::json!({"a": "1"}), &wanted));
        assert!(!has_one(&Value::Null, &wanted));
        assert!(has_one(&Value::from(true), &wanted));
    }
}
