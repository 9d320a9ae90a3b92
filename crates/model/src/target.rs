//! What is protected.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A protocol's registered name, such as `postgres`. A newtype and not an enum: a new protocol changes no shared type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct ProtocolId(pub &'static str);

impl fmt::Display for ProtocolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A protected resource as policy sees it. Addresses, secrets and options stay with the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The unique name that clients use.
    pub name: String,
    /// The protocol's name.
    pub kind: String,
    /// Labels for policy.
    pub labels: BTreeMap<String, String>,
    /// Names of the roles, sorted.
    pub roles: Vec<String>,
    /// The role of a session that names none of them.
    pub default_role: String,
}
