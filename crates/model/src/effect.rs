//! The closed vocabulary of what a command would do. Matched without a wildcard arm everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! effects {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What a command would do, in one vocabulary for every protocol.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[repr(u8)]
        pub enum Effect { $($(#[$doc])* $name,)* }

        impl Effect {
            /// Every effect, mildest first, `unknown` last.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The lower-case word used in policy, CLI, API and recordings.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Reads the lower-case word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

effects! {
    /// Open a session.
    Connect = "connect",
    /// Harmless settings, transaction control, cancel, discovery.
    Session = "session",
    /// Read data.
    Read = "read",
    /// Insert or change data.
    Write = "write",
    /// Remove some data.
    Delete = "delete",
    /// Make a new object.
    Create = "create",
    /// Change an object.
    Alter = "alter",
    /// Remove an object or all of its data.
    Destroy = "destroy",
    /// Change who may do what.
    Grant = "grant",
    /// Run the server itself: configuration, backends, replication, changing identity.
    Admin = "admin",
    /// Run code whose effects are not known.
    Execute = "execute",
    /// Move data out by the server's own means.
    Export = "export",
    /// Move data or code in by the server's own means.
    Import = "import",
    /// Carry another protocol.
    Tunnel = "tunnel",
    /// Not understood.
    Unknown = "unknown",
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of effects.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct EffectSet(u16);

impl EffectSet {
    /// No effect.
    pub const EMPTY: Self = Self(0);

    /// Whether the set has this effect.
    #[must_use]
    pub const fn contains(self, effect: Effect) -> bool {
        self.0 & (1 << effect as u8) != 0
    }

    /// Adds an effect.
    pub const fn insert(&mut self, effect: Effect) {
        self.0 |= 1 << effect as u8;
    }

    /// The effects in it, mildest first.
    pub fn iter(self) -> impl Iterator<Item = Effect> {
        Effect::ALL.iter().copied().filter(move |effect| self.contains(*effect))
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Effect> for EffectSet {
    fn from_iter<I: IntoIterator<Item = Effect>>(effects: I) -> Self {
        let mut set = Self::EMPTY;
        for effect in effects {
            set.insert(effect);
        }
        set
    }
}

impl fmt::Debug for EffectSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Effect::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_sets_hold_each() {
        for effect in Effect::ALL {
            assert_eq!(Effect::parse(effect.as_str()), Some(*effect));
            let set: EffectSet = [*effect].into_iter().collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), vec![*effect]);
        }
        assert_eq!(Effect::parse("Read"), None);
    }
}
