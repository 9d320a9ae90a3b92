//! Where policy text comes from and what is wrong with it.

use std::fmt;

use serde::Serialize;

/// One file of policy or of cases.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's name, for errors.
    pub name: &'a str,
    /// Its text: YAML, at most [`crate::MAX_SOURCE_BYTES`].
    pub text: &'a str,
}

/// A place in a file, counted from 1; line 0 is the file as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file's position in the list of sources.
    #[serde(skip)]
    pub file: u32,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// One thing wrong with a policy or a file of cases, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize)]
#[error("{file}:{line}:{column}: {message}")]
pub struct PolicyError {
    /// The file's name.
    pub file: String,
    /// The line, from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// The column in characters, from 1; 0 when the file as a whole is meant.
    pub column: u32,
    /// What is wrong and what to do. It quotes the policy, never data.
    pub message: String,
}

/// Collects errors while the reading goes on, so that one run shows all of them.
pub(crate) struct Errors<'a> {
    names: Vec<&'a str>,
    found: Vec<PolicyError>,
}

/// More errors than this help nobody.
const MAX_ERRORS: usize = 100;

impl<'a> Errors<'a> {
    pub(crate) fn new(sources: &[Source<'a>]) -> Self {
        Self { names: sources.iter().map(|source| source.name).collect(), found: Vec::new() }
    }

    /// Adds one.
    pub(crate) fn add(&mut self, place: Place, message: impl fmt::Display) {
        if self.found.len() >= MAX_ERRORS {
            return;
        }
        let file =
            usize::try_from(place.file).ok().and_then(|index| self.names.get(index)).map_or("policy", |name| name);
        self.found.push(PolicyError {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            message: message.to_string(),
        });
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of the files.
    pub(crate) fn finish(mut self) -> Vec<PolicyError> {
        let order = |name: &str| self.names.iter().position(|known| *known == name);
        self.found.sort_by_key(|error| (order(&error.file), error.line, error.column));
        self.found
    }
}
