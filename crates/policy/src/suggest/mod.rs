//! `policy suggest`: the narrowest rules that would have allowed what was seen.
//!
//! - [`Observed`]: what sessions did, per person, target and role
//! - `group`: persons who needed the same
//! - `write`: rules in the form of a policy file, with a comment for each thing seen
//!
//! A rule is for exactly one target and role, names every object, and says `unbounded: false` and `multi: false` for all that was never seen
//! otherwise. Persons with the same needs share a rule: by a group's name when everybody seen in that group there needed the same, else by
//! their own names.

mod group;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use model::{Action, Effect, Flags, Identity, IdentityKind, Object};

pub use write::Suggestion;

/// How much is suggested.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// More objects than this of one schema in one rule become `schema.*`.
    pub fold: Option<usize>,
    /// Also what should hardly be allowed by a rule: names that could not be resolved, for which only a rule on all objects does, and
    /// `grant`, `admin` and `unknown`.
    pub complete: bool,
}

/// Different things that are remembered; a million would be no policy that anybody reads.
const MAX_ITEMS: usize = 500_000;

/// More was seen than can be put into rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sessions did more than {MAX_ITEMS} different things: suggest from fewer of them")]
pub struct TooMuch;

/// One person on one target in one role.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Seat {
    pub(crate) target: String,
    pub(crate) role: String,
    pub(crate) kind: IdentityKind,
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

/// An effect on an object, or on none.
pub(crate) type Item = (Effect, Option<Object>);

/// How one thing was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) times: u64,
    pub(crate) unbounded: bool,
    pub(crate) multi: bool,
}

impl Sight {
    pub(crate) fn add(&mut self, other: Self) {
        self.times = self.times.saturating_add(other.times);
        self.unbounded |= other.unbounded;
        self.multi |= other.multi;
    }
}

/// What one seat did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Need {
    pub(crate) sessions: u64,
    /// Groups that the person had in every session.
    pub(crate) groups: BTreeSet<String>,
    pub(crate) items: BTreeMap<Item, Sight>,
}

/// What sessions did.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    seats: BTreeMap<Seat, Need>,
    items: usize,
    commands: u64,
}

/// One session's place in what was observed.
#[derive(Clone, Debug)]
pub struct Observer(Seat);

impl Observed {
    /// A session was opened: `connect` is needed.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn session(&mut self, identity: &Identity, target: &str, role: &str) -> Result<Observer, TooMuch> {
        let seat = Seat {
            target: target.to_owned(),
            role: role.to_owned(),
            kind: identity.kind,
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
        };
        let groups: BTreeSet<String> = identity.groups.iter().cloned().collect();
        let need = self.seats.entry(seat.clone()).or_default();
        need.groups = if need.sessions == 0 { groups } else { need.groups.intersection(&groups).cloned().collect() };
        need.sessions += 1;
        let observer = Observer(seat);
        self.note(&observer, &Action::bare(Effect::Connect), Flags::default())?;
        Ok(observer)
    }

    /// A command that is to be allowed.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn command(&mut self, by: &Observer, actions: &[Action], flags: Flags) -> Result<(), TooMuch> {
        self.commands += 1;
        actions.iter().try_for_each(|action| self.note(by, action, flags))
    }

    /// Whether there is nothing to suggest from.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Rules for all of it.
    #[must_use]
    pub fn suggest(&self, options: Options) -> Suggestion {
        write::write(self, options)
    }

    pub(crate) const fn seats(&self) -> &BTreeMap<Seat, Need> {
        &self.seats
    }

    pub(crate) const fn commands(&self) -> u64 {
        self.commands
    }

    fn note(&mut self, by: &Observer, action: &Action, flags: Flags) -> Result<(), TooMuch> {
        let Some(need) = self.seats.get_mut(&by.0) else {
            return Ok(());
        };
        let before = need.items.len();
        let sight = Sight { times: 1, unbounded: flags.unbounded, multi: flags.multi };
        need.items.entry((action.effect, action.object.clone())).or_default().add(sight);
        self.items += need.items.len() - before;
        if self.items > MAX_ITEMS { Err(TooMuch) } else { Ok(()) }
    }
}
