//! Identifiers: typed, sortable by time, short enough to read aloud.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The text before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let rest = text
                    .strip_prefix(concat!($prefix, "_"))
                    .ok_or(BadId { expected: $prefix })?;
                Uuid::try_parse(rest).map(Self).map_err(|_| BadId { expected: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One session: one identity's use of one target. UUIDv7, so ids sort by opening time.
    SessionId, "ses"
);
id!(
    /// One approval request.
    ApprovalId, "apr"
);
id!(
    /// One Sallyport token (never the token itself).
    TokenId, "tok"
);

/// A text that is not an identifier of the expected type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadId {
    /// The prefix that was expected.
    pub expected: &'static str,
}

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected an id of the form {}_<32 hex digits>", self.expected)
    }
}

impl std::error::Error for BadId {}

/// One command within a session: `SESSION/NUMBER`, numbers from 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct RequestId {
    /// The session.
    pub session: SessionId,
    /// The command's number in it.
    pub number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.session, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_do_not_mix() {
        let id = SessionId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<SessionId>(), Ok(id));
        assert!(id.to_string().parse::<TokenId>().is_err());
        assert!("ses_zz".parse::<SessionId>().is_err());
    }
}
