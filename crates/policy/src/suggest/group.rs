//! Persons who needed the same share their rules.

use std::collections::{BTreeMap, BTreeSet};

use super::{Item, Need, Observed, Seat, Sight};

/// Whom rules are for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Whom {
    /// By name, of one issuer.
    Users(Vec<String>),
    /// By a group of that issuer.
    Group(String),
}

/// Persons of one issuer and kind on one target in one role who needed the same.
#[derive(Clone, Debug)]
pub(crate) struct Party<'a> {
    /// One of them, for what they have in common.
    pub(crate) seat: &'a Seat,
    pub(crate) whom: Whom,
    pub(crate) members: usize,
    pub(crate) sessions: u64,
    pub(crate) items: BTreeMap<&'a Item, Sight>,
}

/// What makes two persons alike: where they were, what they are, and what they did in which way, but not how often.
type Likeness<'a> = (&'a str, &'a str, &'a str, model::IdentityKind, Vec<(&'a Item, bool, bool)>);

pub(crate) fn parties(observed: &Observed) -> Vec<Party<'_>> {
    let mut alike: BTreeMap<Likeness<'_>, Vec<(&Seat, &Need)>> = BTreeMap::new();
    for (seat, need) in observed.seats() {
        let did = need.items.iter().map(|(item, sight)| (item, sight.unbounded, sight.multi)).collect();
        let likeness: Likeness<'_> = (&seat.target, &seat.role, &seat.issuer, seat.kind, did);
        alike.entry(likeness).or_default().push((seat, need));
    }
    alike.into_values().filter_map(|persons| party(observed, &persons)).collect()
}

fn party<'a>(observed: &'a Observed, persons: &[(&'a Seat, &'a Need)]) -> Option<Party<'a>> {
    let (seat, first) = *persons.first()?;
    let mut items: BTreeMap<&Item, Sight> = BTreeMap::new();
    let mut groups: BTreeSet<&String> = first.groups.iter().collect();
    let mut sessions = 0;
    for (_, need) in persons {
        groups.retain(|group| need.groups.contains(*group));
        sessions += need.sessions;
        for (item, sight) in &need.items {
            items.entry(item).or_default().add(*sight);
        }
    }
    // A group stands for its members only if all of them that were seen here, of whatever kind, needed the same.
    let whole = |group: &&String| {
        let here = |other: &Seat| other.target == seat.target && other.role == seat.role;
        let members = observed.seats().iter().filter(|(other, need)| here(other) && need.groups.contains(*group));
        members.count() == persons.len() && is_exact(group)
    };
    let group = groups.into_iter().find(whole).filter(|_| persons.len() > 1);
    let whom = match group {
        Some(group) => Whom::Group(group.clone()),
        None => Whom::Users(persons.iter().map(|(seat, _)| seat.subject.clone()).collect()),
    };
    Some(Party { seat, whom, members: persons.len(), sessions, items })
}

/// Whether a name means itself alone in a policy.
pub(crate) fn is_exact(name: &str) -> bool {
    crate::pattern::check_pattern(name).is_ok() && !name.contains('*')
}
