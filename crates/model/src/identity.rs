//! Who is asking, and for whom.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of caller an identity is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// A person.
    Human,
    /// An AI agent.
    Agent,
    /// A job of a build or deployment system.
    Ci,
    /// Any other program.
    Service,
}

impl IdentityKind {
    /// Every kind, in the order in which documentation lists them.
    pub const ALL: [Self; 4] = [Self::Human, Self::Agent, Self::Ci, Self::Service];

    /// The lower-case word used in policy, CLI and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
            Self::Ci => "ci",
            Self::Service => "service",
        }
    }

    /// Reads the lower-case word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A proven identity. Who proved it is `issuer`; the proof itself is never kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The stable name within the issuer, such as `agent-7` or an OIDC `sub`.
    pub subject: String,
    /// The issuer's URL, or `sallyport` for the local issuer.
    pub issuer: String,
    /// Groups, sorted.
    pub groups: Vec<String>,
    /// What sort of caller.
    pub kind: IdentityKind,
    /// For whom it acts, nearest first; empty when it acts for itself.
    pub on_behalf_of: Vec<String>,
    /// What it says it is doing, when it says so.
    pub task: Option<String>,
    /// The claims that policy may look at.
    pub claims: BTreeMap<String, serde_json::Value>,
}

impl Identity {
    /// `agent-7`, or `agent-7 for alice` when it acts for someone.
    #[must_use]
    pub fn display(&self) -> String {
        if self.on_behalf_of.is_empty() {
            self.subject.clone()
        } else {
            format!("{} for {}", self.subject, self.on_behalf_of.join(" for "))
        }
    }

    /// Whether `subject` is this identity or anyone it acts for. Such a person never counts as an approver. Letters count alike in either
    /// case: issuers differ in how they write one person's name.
    #[must_use]
    pub fn involves(&self, subject: &str) -> bool {
        let same = |who: &String| who.to_lowercase() == subject.to_lowercase();
        same(&self.subject) || self.on_behalf_of.iter().any(same)
    }
}
