//! How a value is hidden, and which of two styles wins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a value is hidden. Ordered from the weakest to the strongest, so `max` of two styles is the one that applies.
///
/// The order follows what the reader still learns: `partial` shows parts of the value; `token` and `hash` show which values are
/// equal; `redact` and `fixed` show only that there is a value; `null` does not even show that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Keeps what is customary for the kind: a card's BIN and last four, an e-mail's first letter and domain.
    Partial,
    /// A stand-in that is the same for the same value, key and domain. Integers stay distinct.
    Token,
    /// A keyed digest (HMAC-SHA256, cut to 16 bytes). For small types two values may share one.
    Hash,
    /// `[redacted]`, or the zero of the type.
    Redact,
    /// `***`, or the zero of the type.
    Fixed,
    /// SQL NULL.
    Null,
}

/// A name that is no mask style.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mask style; use one of redact, partial, token, hash, null, fixed")]
pub struct UnknownStyle;

impl Style {
    /// Every style, from the weakest to the strongest.
    pub const ALL: [Self; 6] = [Self::Partial, Self::Token, Self::Hash, Self::Redact, Self::Fixed, Self::Null];

    /// The style that applies when two masks cover one value: the one that reveals less.
    #[must_use]
    pub fn stronger(self, other: Self) -> Self {
        self.max(other)
    }

    /// The policy's word for this style.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Token => "token",
            Self::Hash => "hash",
            Self::Redact => "redact",
            Self::Fixed => "fixed",
            Self::Null => "null",
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Style {
    type Err = UnknownStyle;

    fn from_str(name: &str) -> Result<Self, UnknownStyle> {
        Self::ALL.into_iter().find(|style| style.name() == name).ok_or(UnknownStyle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_reveals_less_wins() {
        assert_eq!(Style::Partial.stronger(Style::Hash), Style::Hash);
        assert_eq!(Style::Redact.stronger(Style::Token), Style::Redact);
        assert_eq!(Style::Null.stronger(Style::Fixed), Style::Null);
        for a in Style::ALL {
            for b in Style::ALL {
                assert_eq!(a.stronger(b), b.stronger(a));
            }
        }
    }

    #[test]
    fn names_are_the_same_in_policy_and_serde() {
        for style in Style::ALL {
            assert_eq!(style.name().parse(), Ok(style));
            assert_eq!(serde_json::to_string(&style).unwrap(), format!("\"{style}\""));
        }
        assert_eq!("Redact".parse::<Style>(), Err(UnknownStyle));
    }
}
