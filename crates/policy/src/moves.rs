//! Values that a command would take from where they are masked to where they are not.

use model::{
    Aggregates, ColumnRef, Effect, Intent, MaskRule, MaskStyle, Move, Object, ObjectKind, Outcome, Predicates, Verdict,
};

use crate::pattern::{column_matches, covers};

/// Why a command would undo a mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The mask rule.
    pub rule: String,
    /// What the command would do, for the client.
    pub reason: String,
}

impl Undone {
    /// What becomes of a verdict that did not look at masks.
    #[must_use]
    pub fn deny(self, verdict: Verdict) -> Verdict {
        Verdict {
            outcome: Outcome::Deny,
            rules: vec![self.rule],
            message: None,
            reasons: vec![self.reason],
            approval: None,
            ..verdict
        }
    }
}

/// Whether the command would put a masked value where the session could read it unmasked. A value that is copied unchanged to a column
/// with a mask at least as strong stays hidden; something made of it may show in what a weak mask leaves, so there only a mask
/// that shows nothing will do. A column made of itself is no move. `None` when no masked value is moved.
#[must_use]
pub fn undone(masks: &[MaskRule], intent: &Intent) -> Option<Undone> {
    if let Some(undone) = intent.moves.iter().find_map(|step| uncovered(masks, step)) {
        return Some(undone);
    }
    if !(intent.moves_unknown && tainted(masks, intent)) {
        return None;
    }
    let rule = masks.iter().find(|mask| !mask.columns.is_empty())?;
    let reason = "it would store values whose origin is not known, and could reach columns that are masked for you";
    Some(Undone { rule: rule.name.clone(), reason: reason.to_owned() })
}

/// Whether the command could bring a masked value into a place that is not known.
#[must_use]
pub fn tainted(masks: &[MaskRule], intent: &Intent) -> bool {
    let mut columns = masks.iter().flat_map(|mask| &mask.columns).peekable();
    if columns.peek().is_none() {
        return false;
    }
    let touches = |relation: &str| columns.clone().any(|pattern| column_matches(pattern, relation, "*"));
    let object = |object: &Object| object.is_unresolved() || touches(&object.name);
    intent.reads_unknown
        || intent.reads.iter().any(object)
        || intent.actions.iter().any(|action| {
            action.object.as_ref().is_some_and(|it| matches!(it.kind, ObjectKind::Relation) && object(it))
                || matches!(action.effect, Effect::Execute | Effect::Unknown | Effect::Export)
        })
}

fn uncovered(masks: &[MaskRule], step: &Move) -> Option<Undone> {
    let style = style_for(masks, &step.from)?;
    let needed = if step.made { style.max(MaskStyle::Redact) } else { style };
    let covered = step.to.as_ref().is_some_and(|to| {
        style_for(masks, to).is_some_and(|kept| kept >= needed)
            && predicates_for(masks, to) >= predicates_for(masks, &step.from)
            && aggregates_for(masks, to) >= aggregates_for(masks, &step.from)
            && is_kept_from(masks, to, &step.from)
    });
    if covered {
        return None;
    }
    let rule = masks.iter().find(|mask| mask.style == style && covers(mask, &step.from))?;
    let ColumnRef { relation, column } = &step.from;
    let column = if column == "*" { "a column of ".to_owned() + relation } else { format!("{relation}.{column}") };
    let reason = format!("it would copy {column}, which is masked for you, to where it is not");
    Some(Undone { rule: rule.name.clone(), reason })
}

/// The strongest style among the masks of a column.
fn style_for(masks: &[MaskRule], column: &ColumnRef) -> Option<MaskStyle> {
    masks.iter().filter(|mask| covers(mask, column)).map(|mask| mask.style).max()
}

/// Whether nobody may let one command show it there whom the masks of where it comes from would not ask.
fn is_kept_from(masks: &[MaskRule], to: &ColumnRef, from: &ColumnRef) -> bool {
    let there: Vec<&MaskRule> = masks.iter().filter(|mask| covers(mask, to)).collect();
    let kept = |mask: &MaskRule| there.iter().any(|other| other.unmask.is_none() || other.unmask == mask.unmask);
    masks.iter().filter(|mask| covers(mask, from)).all(kept)
}

fn predicates_for(masks: &[MaskRule], column: &ColumnRef) -> Option<Predicates> {
    masks.iter().filter(|mask| covers(mask, column)).map(|mask| mask.predicates).max()
}

fn aggregates_for(masks: &[MaskRule], column: &ColumnRef) -> Option<Aggregates> {
    masks.iter().filter(|mask| covers(mask, column)).map(|mask| mask.aggregates).max()
}
