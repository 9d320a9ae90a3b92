//! What a command would do something to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of thing an object is. Policy may name it before the object: `function:public.*`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// Table, view, materialised view, foreign table: `schema.name`.
    Relation,
    /// Sequence: `schema.name`.
    Sequence,
    /// Function, procedure, aggregate or operator: `schema.name`.
    Function,
    /// Schema.
    Schema,
    /// Database.
    Database,
    /// Type or domain.
    Type,
    /// A configuration setting of the target.
    Setting,
    /// A role or user of the target.
    Role,
    /// A notification channel.
    Channel,
    /// Extension, language, server, publication and other objects of the target's catalogue.
    Catalog,
    /// A file or program on the target.
    File,
    /// A host and port.
    Host,
    /// A path, URL or resource name.
    Path,
    /// Anything else.
    Other,
    /// A program and its words, as [`crate::argv::join`] writes them: `kubectl get pods -n dev`.
    Command,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Relation,
        Self::Sequence,
        Self::Function,
        Self::Schema,
        Self::Database,
        Self::Type,
        Self::Setting,
        Self::Role,
        Self::Channel,
        Self::Catalog,
        Self::File,
        Self::Host,
        Self::Path,
        Self::Other,
        Self::Command,
    ];

    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relation => "relation",
            Self::Sequence => "sequence",
            Self::Function => "function",
            Self::Schema => "schema",
            Self::Database => "database",
            Self::Type => "type",
            Self::Setting => "setting",
            Self::Role => "role",
            Self::Channel => "channel",
            Self::Catalog => "catalog",
            Self::File => "file",
            Self::Host => "host",
            Self::Path => "path",
            Self::Other => "other",
            Self::Command => "command",
        }
    }

    /// Reads the lower-case word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One object, named as the target names it after resolution: `public.orders`.
///
/// A name that could not be resolved starts with `?`, so that no pattern of a policy but a bare `*` covers it: `?.orders` is a name that
/// the target does not have, `??.orders` one that may mean any object, `?.` an object that is not named by a constant.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// What sort of thing.
    pub kind: ObjectKind,
    /// Its name: case as the target stores it, parts joined by `.`.
    pub name: String,
}

impl Object {
    /// An object by kind and resolved name.
    #[must_use]
    pub fn new(kind: ObjectKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// A relation by schema and name.
    #[must_use]
    pub fn relation(schema: &str, name: &str) -> Self {
        Self::new(ObjectKind::Relation, format!("{schema}.{name}"))
    }

    /// Whether the name could not be resolved.
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        self.name.starts_with('?')
    }

    /// The name of an object that the target does not have, as far as is known. `None` when the object is resolved, and when it may be
    /// any: its name is not known, or changed its meaning just before.
    #[must_use]
    pub fn missing_name(&self) -> Option<&str> {
        self.name.strip_prefix("?.").filter(|name| !name.is_empty())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ObjectKind::Relation => f.write_str(&self.name),
            ObjectKind::Sequence
            | ObjectKind::Function
            | ObjectKind::Schema
            | ObjectKind::Database
            | ObjectKind::Type
            | ObjectKind::Setting
            | ObjectKind::Role
            | ObjectKind::Channel
            | ObjectKind::Catalog
            | ObjectKind::File
            | ObjectKind::Host
            | ObjectKind::Path
            | ObjectKind::Other
            | ObjectKind::Command => write!(f, "{}:{}", self.kind.as_str(), self.name),
        }
    }
}
