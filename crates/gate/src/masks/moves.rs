//! Values that a command would take from where they are masked to where they are not.

use mask::Style;
use model::{ColumnRef, Intent, Move, Predicates};
use policy::column_matches;

use super::{SessionMasks, style_of};

/// Why a command would undo a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undone {
    /// The mask rule.
    pub(crate) rule: String,
    /// What the command would do, for the client.
    pub(crate) reason: String,
}

impl SessionMasks {
    /// Whether the command would put a masked value where the session could read it unmasked. A value that is copied unchanged to a column
    /// with a mask at least as strong stays hidden; something made of it may show in what a weak mask leaves, so there only a mask
    /// that shows nothing will do. A column made of itself is no move. `None` when no masked value is moved.
    pub(crate) fn undone(&self, intent: &Intent) -> Option<Undone> {
        if let Some(undone) = intent.moves.iter().find_map(|step| self.uncovered(step)) {
            return Some(undone);
        }
        if !(intent.moves_unknown && self.tainted(intent)) {
            return None;
        }
        let rule = self.rules.iter().find(|rule| !rule.columns.is_empty())?;
        let reason = "it would store values whose origin is not known, and could reach columns that are masked for you";
        Some(Undone { rule: rule.name.clone(), reason: reason.to_owned() })
    }

    fn uncovered(&self, step: &Move) -> Option<Undone> {
        let style = self.style_for(&step.from)?;
        let needed = if step.made { style.stronger(Style::Redact) } else { style };
        let covered = step.to.as_ref().is_some_and(|to| {
            self.style_for(to).is_some_and(|kept| kept >= needed)
                && self.predicates_for(to) >= self.predicates_for(&step.from)
        });
        if covered {
            return None;
        }
        let rule = self.rules.iter().find(|rule| style_of(rule.style) == style && names(&rule.columns, &step.from))?;
        let ColumnRef { relation, column } = &step.from;
        let column = if column == "*" { "a column of ".to_owned() + relation } else { format!("{relation}.{column}") };
        let reason = format!("it would copy {column}, which is masked for you, to where it is not");
        Some(Undone { rule: rule.name.clone(), reason })
    }

    fn predicates_for(&self, column: &ColumnRef) -> Option<Predicates> {
        self.rules.iter().filter(|rule| names(&rule.columns, column)).map(|rule| rule.predicates).max()
    }
}

fn names(patterns: &[String], column: &ColumnRef) -> bool {
    patterns.iter().any(|pattern| column_matches(pattern, &column.relation, &column.column))
}
