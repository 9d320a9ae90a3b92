//! Whether the WHERE of an UPDATE or DELETE restricts anything.
//!
//! A condition is turned into a [`Bound`]: a small tree of ANDs, ORs and comparisons in which constants, parameters and sub-expressions are told
//! apart. It answers "true for every row" where that follows from its form (`1 = 1`, `id = id`, `x LIKE '%'`, `a IS NULL OR a IS NOT NULL`,
//! `n > 0 OR n <= 0`); once without and once with the values of the parameters. It cannot know what the rows hold: `id > 0` counts as a restriction.

mod build;
mod evaluate;
mod key;
#[cfg(test)]
mod tests;

use pg_query::protobuf::Node;

use crate::analysis::Statement;
use crate::catalog::Relation;

/// Whether `statement`, executed with these parameter values, changes every row: its text said so already, or a parameter makes its WHERE true
/// for every row (`status LIKE $1` with `%`, `$1`, `$1 = $2`). `values` are the parameters in text form, `None` for NULL; one in binary form is
/// given as any text that is not its value.
#[must_use]
pub fn bind_unbounded(statement: &Statement, values: &[Option<&str>]) -> bool {
    statement.intent.flags.unbounded || statement.bound.as_ref().is_some_and(|bound| bound.always(values) == Some(true))
}

/// The table that is changed.
pub(crate) struct Target<'a, 'c> {
    /// The name that its columns are qualified with.
    pub(crate) alias: &'a str,
    /// Its own name.
    pub(crate) name: &'a str,
    /// What it may be.
    pub(crate) relations: &'a [&'c Relation],
}

/// A condition, reduced to what can be decided without rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    conditions: Vec<Condition>,
    pub(crate) looked_at_literal: bool,
    pub(crate) has_parameters: bool,
    /// WHERE CURRENT OF.
    pub(crate) is_cursor: bool,
}

impl Bound {
    pub(crate) fn new(node: &Node, target: &Target<'_, '_>) -> Self {
        let mut builder = build::Builder::new(target);
        let condition = builder.condition(node, 0);
        Self {
            conditions: vec![condition],
            looked_at_literal: builder.looked_at_literal,
            has_parameters: builder.has_parameters,
            is_cursor: builder.is_cursor,
        }
    }

    /// The conditions of both; one that is always true is enough.
    pub(crate) fn either(first: Option<&Self>, mut second: Self) -> Self {
        if let Some(first) = first {
            second.conditions.extend(first.conditions.iter().cloned());
            second.looked_at_literal |= first.looked_at_literal;
        }
        second
    }

    /// Whether some condition is true for every row (`Some(true)`), or all are false for every row.
    pub(crate) fn always(&self, values: &[Option<&str>]) -> Option<bool> {
        let answers: Vec<Option<bool>> =
            self.conditions.iter().map(|condition| evaluate::always(condition, values)).collect();
        if answers.contains(&Some(true)) {
            Some(true)
        } else if answers.iter().all(|answer| *answer == Some(false)) {
            Some(false)
        } else {
            None
        }
    }
}

/// `<`, `<=`, `=`, `<>`, `>=`, `>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    GreaterEqual,
    Greater,
}

impl Compare {
    fn parse(operator: &str) -> Option<Self> {
        Some(match operator {
            "<" => Self::Less,
            "<=" => Self::LessEqual,
            "=" => Self::Equal,
            "<>" | "!=" => Self::NotEqual,
            ">=" => Self::GreaterEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    /// The comparison that holds where this one does not.
    const fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterEqual,
            Self::LessEqual => Self::Greater,
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::GreaterEqual => Self::Less,
            Self::Greater => Self::LessEqual,
        }
    }

    /// The comparison with its sides changed.
    const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::GreaterEqual => Self::LessEqual,
            Self::Greater => Self::Less,
        }
    }

    fn holds(self, order: std::cmp::Ordering) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        matches!(
            (self, order),
            (Self::Less | Self::LessEqual | Self::NotEqual, Less)
                | (Self::LessEqual | Self::Equal | Self::GreaterEqual, Equal)
                | (Self::Greater | Self::GreaterEqual | Self::NotEqual, Greater)
        )
    }
}

/// What a term is, apart from a number added to it.
#[derive(Clone, Debug, PartialEq)]
enum Base {
    /// Nothing: the term is its offset.
    Number,
    /// A text constant.
    Text(String),
    /// NULL.
    Null,
    /// A parameter, from 1.
    Parameter(usize),
    /// An expression by its canonical text.
    Key(String),
}

/// A side of a comparison: `base + offset`.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    base: Base,
    offset: f64,
}

/// How a pattern is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    /// LIKE, ILIKE, SIMILAR TO.
    Like,
    /// `~`, `~*`.
    Regex,
    /// `starts_with`, `^@`.
    Prefix,
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    And(Vec<Self>),
    Or(Vec<Self>),
    Compare(Compare, Term, Term),
    /// IS NULL or IS NOT NULL.
    Null {
        key: String,
        is_null: bool,
        never: bool,
    },
    Matches {
        pattern: Pattern,
        text: Term,
        negated: bool,
    },
    /// A term as a condition.
    Truth {
        term: Term,
        negated: bool,
    },
    /// Known beforehand.
    Always(bool),
    /// A condition by its canonical text; empty when it has none.
    Opaque {
        key: String,
        negated: bool,
    },
}
