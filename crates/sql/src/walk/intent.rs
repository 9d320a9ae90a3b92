//! What was collected, as one intent with a name of its own.

use std::sync::Arc;

use model::{Action, Effect, Intent, IntentId, Object, ObjectKind};

use crate::analysis::Statement;

/// Sorts, removes duplicates and names the intent by its content.
pub(super) fn finish(mut intent: Intent) -> Intent {
    intent.actions.sort();
    intent.actions.dedup();
    if intent.actions.is_empty() {
        intent.actions.push(Action::bare(Effect::Session));
    }
    intent.predicates.sort();
    intent.predicates.dedup();
    intent.reads.sort();
    intent.reads.dedup();
    intent.moves.sort();
    intent.moves.dedup();
    intent.reasons.sort();
    intent.reasons.dedup();
    let mut hash = blake3::Hasher::new();
    let mut put = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    put(intent.label.as_bytes());
    put(&[
        u8::from(intent.flags.unbounded),
        u8::from(intent.flags.multi),
        u8::from(intent.reads_unknown),
        u8::from(intent.moves_unknown),
    ]);
    put(&(intent.actions.len() as u64).to_le_bytes());
    for action in &intent.actions {
        put(action.effect.as_str().as_bytes());
        match &action.object {
            Some(object) => {
                put(object.kind.as_str().as_bytes());
                put(object.name.as_bytes());
            }
            None => put(b"\0none"),
        }
    }
    put(&(intent.predicates.len() as u64).to_le_bytes());
    for column in &intent.predicates {
        put(&[u8::from(column.equality)]);
        put(column.relation.as_bytes());
        put(column.column.as_bytes());
    }
    put(&(intent.reads.len() as u64).to_le_bytes());
    for object in &intent.reads {
        put(object.kind.as_str().as_bytes());
        put(object.name.as_bytes());
    }
    put(&(intent.moves.len() as u64).to_le_bytes());
    for step in &intent.moves {
        put(&[u8::from(step.made)]);
        put(step.from.relation.as_bytes());
        put(step.from.column.as_bytes());
        put(step.to.as_ref().map_or(b"\0none", |to| to.relation.as_bytes()));
        put(step.to.as_ref().map_or(b"\0none", |to| to.column.as_bytes()));
    }
    for reason in &intent.reasons {
        put(reason.as_bytes());
    }
    let mut id = [0u8; 16];
    hash.finalize_xof().fill(&mut id);
    intent.id = IntentId(u128::from_le_bytes(id));
    intent
}

/// An intent with functions that run as well and are not known to be harmless.
pub(crate) fn running(intent: &Intent, functions: &[&str]) -> Intent {
    let mut made = intent.clone();
    for function in functions {
        made.actions.push(Action::on(Effect::Execute, Object::new(ObjectKind::Function, *function)));
        made.reasons.push(format!("a parameter's conversion runs {function}, which is not known to be harmless"));
    }
    made.reads_unknown |= !functions.is_empty();
    finish(made)
}

/// The union of the statements' intents.
pub(super) fn union(statements: &[Statement]) -> Arc<Intent> {
    if let [only] = statements {
        return Arc::clone(&only.intent);
    }
    let mut all = Intent::simple(0, "EMPTY", Action::bare(Effect::Session));
    if let Some(first) = statements.first() {
        all.label.clone_from(&first.intent.label);
        all.actions.clear();
    }
    all.flags.multi = statements.len() > 1;
    for statement in statements {
        let intent = &statement.intent;
        all.actions.extend(intent.actions.iter().cloned());
        all.flags.unbounded |= intent.flags.unbounded;
        all.predicates.extend(intent.predicates.iter().cloned());
        all.reads.extend(intent.reads.iter().cloned());
        all.reads_unknown |= intent.reads_unknown;
        all.moves.extend(intent.moves.iter().cloned());
        all.moves_unknown |= intent.moves_unknown;
        all.reasons.extend(intent.reasons.iter().cloned());
    }
    Arc::new(finish(all))
}
