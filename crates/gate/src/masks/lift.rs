//! Masks lifted for one command: which columns of its results are shown in clear.

use std::sync::Arc;

use model::{Aggregates, ColumnRef, MaskRule, Unmask, Verdict};
use policy::unmask::{self, Lifted};

use super::{ColumnInfo, Origin, SessionMasks};

/// How a recording calls a column that would be masked.
pub(crate) const LABEL: &str = "lifted";

/// What one command may show in clear. Made anew at each decision; an approval is bound to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lift(Vec<Lifted>);

impl Lift {
    pub(crate) fn into_ticket(self) -> Option<Arc<Self>> {
        (!self.0.is_empty()).then(|| Arc::new(self))
    }

    /// Whether the mask was lifted for this very column.
    fn has(&self, column: &ColumnRef, mask: &str) -> bool {
        self.0.iter().any(|lifted| lifted.column == *column && lifted.masks.iter().any(|name| name == mask))
    }

    /// Whether the mask was lifted for everything that these values come from.
    pub(super) fn reaches(&self, column: &ColumnInfo<'_>, mask: &str) -> bool {
        match (&column.origin, &column.exact) {
            (Origin::Columns(sources), exact) => {
                let mut names = sources.iter().map(|source| &source.column).chain(exact);
                !sources.is_empty() && names.all(|name| self.has(name, mask))
            }
            (Origin::Same(names), exact) => names.iter().chain(exact).any(|name| self.has(name, mask)),
            (Origin::Clean | Origin::Unknown, exact) => exact.as_ref().is_some_and(|name| self.has(name, mask)),
        }
    }

    /// Every word of it, for a digest; each column and the number of its masks first, so that no two say the same.
    pub(crate) fn parts(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|Lifted { column, masks }| {
            let head = [column.relation.clone(), column.column.clone(), masks.len().to_string()];
            head.into_iter().chain(masks.iter().cloned())
        })
    }
}

impl SessionMasks {
    /// What would be lifted if the command ran as it asks.
    pub(crate) fn lift(&self, asked: &[Unmask]) -> Lift {
        Lift(if asked.is_empty() { Vec::new() } else { unmask::lifted(&self.rules, asked) })
    }

    /// Holds or denies a command that asks for masked columns: see [`unmask::raise`].
    pub(crate) fn raise(&self, asked: &[Unmask], verdict: Verdict) -> Verdict {
        unmask::raise(&self.rules, asked, verdict)
    }

    /// Whether every mask of the column was lifted, for all that its values come from. Names of one value stand for each other only under
    /// the column that the value certainly is: a mask that was lifted for that one is lifted for the value, whatever else it is called.
    /// What is made of several columns is shown when each of those that are masked was asked for by itself.
    pub(super) fn shows(&self, column: &ColumnInfo<'_>, lift: &Lift) -> bool {
        let (names, whole): (Vec<(&ColumnRef, bool)>, _) = match &column.origin {
            Origin::Same(names) => (names.iter().map(|name| (name, false)).collect(), column.exact.as_ref()),
            Origin::Columns(sources) => {
                (sources.iter().map(|source| (&source.column, source.aggregated)).collect(), None)
            }
            // What the target itself names as the origin is that column's, whatever else is not known.
            Origin::Clean | Origin::Unknown => (Vec::new(), None),
        };
        if names.is_empty() && column.exact.is_none() {
            return false;
        }
        let exact = column.exact.iter().map(|exact| (exact, false));
        names.into_iter().chain(exact).all(|(name, aggregated)| {
            let shown = |rule: &MaskRule| aggregated && rule.aggregates == Aggregates::Allow;
            let mut masks = self.rules_for(name).filter(|rule| !shown(rule));
            masks.all(|rule| lift.has(name, &rule.name) || whole.is_some_and(|whole| lift.has(whole, &rule.name)))
        })
    }
}
