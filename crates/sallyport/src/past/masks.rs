//! What becomes of masks on recorded results, as far as a recording tells: it names a result's columns and their masks, not where their
//! values came from.

use std::collections::BTreeMap;

use model::{Aggregates, MaskRule, MaskStyle, SessionId};
use policy::column_matches;
use record::Column;
use serde::Serialize;

/// Columns that are told apart; more than these are counted as one.
const MAX_COLUMNS: usize = 2000;

/// Where the result of a command can come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Relations that it names.
    pub(super) relations: Vec<String>,
    /// Whether it may come from elsewhere too.
    pub(super) unknown: bool,
}

/// What becomes of one column's mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The same, or nothing that could be known.
    Same,
    /// It was masked, and no mask can mean it any more.
    Shown,
    /// A mask means a column of this name in a relation that the command reads.
    Named(MaskStyle),
    /// It was masked or a statistic, and masks apply to what the command reads.
    Unknown,
}

impl Reach {
    /// What becomes of a column under these masks. Detectors look at values, so they are not spoken of unless there are none any more.
    pub(super) fn became(&self, masks: &[MaskRule], column: &Column<'_>) -> Became {
        let was = &*column.mask;
        if was == "lifted" {
            // It was shown because a person said so: whether one still may is told of the command.
            return Became::Same;
        }
        let patterns = || masks.iter().flat_map(|mask| mask.columns.iter().map(move |pattern| (pattern, mask.style)));
        let touches = |pattern: &str| self.relations.iter().any(|relation| column_matches(pattern, relation, "*"));
        let touched = patterns().any(|(pattern, _)| self.unknown || touches(pattern));
        if !touched {
            let detects = masks.iter().any(|mask| !mask.detect.is_empty());
            return match was {
                "" | "aggregate" => Became::Same,
                "detect" if detects => Became::Same,
                _ => Became::Shown,
            };
        }
        if was == "aggregate" {
            let hiding = masks.iter().filter(|mask| mask.aggregates == Aggregates::Mask);
            let hidden = hiding.flat_map(|mask| &mask.columns).any(|pattern| self.unknown || touches(pattern));
            return if hidden { Became::Unknown } else { Became::Same };
        }
        let named = patterns()
            .filter(|(pattern, _)| {
                self.relations.iter().any(|relation| column_matches(pattern, relation, &column.name))
            })
            .map(|(_, style)| style)
            .max();
        match named {
            Some(style) if style.as_str() == was => Became::Same,
            // An expression of a masked column is redacted, whatever the column's own mask.
            Some(_) if was == "redact" => Became::Unknown,
            Some(style) => Became::Named(style),
            None if was.is_empty() || was == "detect" => Became::Same,
            None => Became::Unknown,
        }
    }
}

/// One kind of change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct MaskChange {
    pub(super) column: String,
    /// Relations that the commands name.
    pub(super) relations: String,
    /// How it was masked; empty for not at all.
    pub(super) from: String,
    /// How it would be; empty for not at all, `?` for not known.
    pub(super) to: String,
}

/// How often, and where for instance.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct MaskCount {
    pub(super) results: u64,
    pub(super) examples: Vec<(String, u64)>,
}

/// All changes of masks.
pub(super) struct MaskChanges {
    examples: usize,
    pub(super) found: BTreeMap<MaskChange, MaskCount>,
}

impl MaskChanges {
    pub(super) const fn new(examples: usize) -> Self {
        Self { examples, found: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, became: Became, column: &Column<'_>, reach: &Reach, session: SessionId, command: u64) {
        let to = match became {
            Became::Same => return,
            Became::Shown => "",
            Became::Named(style) => style.as_str(),
            Became::Unknown => "?",
        };
        let mut change = MaskChange {
            column: column.name.to_string(),
            relations: reach.relations.join(", "),
            from: column.mask.to_string(),
            to: to.to_owned(),
        };
        if self.found.len() >= MAX_COLUMNS && !self.found.contains_key(&change) {
            (change.column, change.relations) = ("(others)".to_owned(), String::new());
        }
        let count = self.found.entry(change).or_default();
        count.results += 1;
        if count.examples.len() < self.examples {
            count.examples.push((session.to_string(), command));
        }
    }

    /// Whether some mask would change for certain, or by name.
    pub(super) fn any(&self) -> bool {
        self.found.keys().any(|change| change.to != "?")
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use model::{Notifications, Predicates};

    use super::*;

    #[test]
    fn a_statistic_that_was_shown_stays_so_while_every_mask_shows_statistics() {
        let rule = |columns: &str, aggregates| MaskRule {
            name: "m".to_owned(),
            columns: vec![columns.to_owned()],
            detect: Vec::new(),
            style: MaskStyle::Redact,
            predicates: Predicates::Allow,
            notifications: Notifications::default(),
            aggregates,
            unmask: None,
        };
        let reach = Reach { relations: vec!["public.staff".to_owned()], unknown: false };
        let column = Column {
            name: Cow::Borrowed("salary"),
            ty: Cow::Borrowed("numeric"),
            binary: false,
            mask: Cow::Borrowed("aggregate"),
        };
        for (masks, expected) in [
            (vec![rule("public.staff.salary", Aggregates::Allow)], Became::Same),
            (vec![rule("public.staff.salary", Aggregates::Mask)], Became::Unknown),
            (vec![rule("public.orders.total", Aggregates::Mask)], Became::Same),
            (
                vec![rule("public.orders.total", Aggregates::Mask), rule("public.staff.salary", Aggregates::Allow)],
                Became::Same,
            ),
            (Vec::new(), Became::Same),
        ] {
            assert_eq!(reach.became(&masks, &column), expected, "{masks:?}");
        }
    }
}
