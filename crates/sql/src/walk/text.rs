//! A whole text: parsed, and its statements walked one after another.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Action, Effect, Flags, Intent, IntentId};

use super::Walker;
use super::comparand::Compared;
use super::intent::{finish, union};
use crate::analysis::{Analysis, Context, Kind, Outputs, Problem, Statement};
use crate::fresh::Fresh;
use crate::prescan;

/// What `text` would do in `context`. Never fails: what cannot be understood is one statement with effect `unknown`, and
/// [`Analysis::problem`] says why. Takes time and memory in proportion to the text, within the caps; call it with [`crate::STACK`] bytes of stack.
#[must_use]
pub fn analyze(text: &str, context: &Context<'_>) -> Analysis {
    if let Err(problem) = prescan::check(text, &context.caps) {
        return unparsed(text, problem);
    }
    let tree = match pg_query::parse(text, pg_query::ParserOptions::DEFAULT) {
        Ok(tree) => tree.protobuf,
        Err(error) => return unparsed(text, parse_problem(&error)),
    };
    let mut statements = Vec::with_capacity(tree.stmts.len());
    let mut misses = BTreeSet::new();
    let mut literal_dependent = tree.stmts.len() > 1;
    let mut path = context.search_path.to_vec();
    let mut fresh = context.fresh.clone();
    let mut compared = Compared::default();
    for raw in &tree.stmts {
        let start = usize::try_from(raw.stmt_location).unwrap_or(0);
        let len = match usize::try_from(raw.stmt_len) {
            Ok(0) | Err(_) => text.len().saturating_sub(start),
            Ok(len) => len,
        };
        let mut walker = Walker::new(context.catalog, &path);
        walker.fresh = std::mem::take(&mut fresh);
        let mut statement = walker.run(raw.stmt.as_deref());
        fresh = std::mem::take(&mut walker.fresh);
        fresh.after(&statement.intent.actions, walker.plain);
        (statement.start, statement.len) = trim(text, start, len);
        compared.take(walker.compared_with, &statement.kind, &walker.columns);
        literal_dependent |= walker.literal;
        misses.append(&mut walker.misses);
        // A later statement of the same text may be resolved by the old path (SET LOCAL, ROLLBACK) or the new one.
        for schema in &statement.path {
            if !path.contains(schema) {
                path.push(schema.clone());
            }
        }
        statements.push(statement);
    }
    let intent = union(&statements);
    Analysis {
        statements,
        intent,
        literal_dependent,
        misses: misses.into_iter().collect(),
        comparands: compared.places(text),
        fresh,
        problem: None,
    }
}

/// Whether exactly one table is changed, and nothing runs whose effects are not known.
pub(super) fn changes_one(actions: &[Action]) -> bool {
    let unknown = |action: &Action| matches!(action.effect, Effect::Execute | Effect::Unknown);
    let changes = actions.iter().filter(|action| action.changes_rows() || action.effect == Effect::Destroy);
    !actions.iter().any(unknown) && changes.count() == 1
}

/// Moves a range past the blanks at both ends.
fn trim(text: &str, start: usize, len: usize) -> (usize, usize) {
    let Some(part) = text.get(start..start.saturating_add(len).min(text.len())) else {
        return (0, text.len());
    };
    let left = part.len() - part.trim_start().len();
    (start + left, part.trim().len())
}

/// The parser's message without the piece of text that it quotes, which may be data.
fn parse_problem(error: &pg_query::Error) -> Problem {
    let message = match error {
        pg_query::Error::Parse(message) if message.starts_with("syntax error at end") => {
            "syntax error at the end of the text".to_owned()
        }
        pg_query::Error::Parse(message) if message.starts_with("syntax error") => "syntax error in the text".to_owned(),
        pg_query::Error::Parse(message) if message.contains("memory exhausted") || message.contains("depth") => {
            "the text is nested too deeply; split it".to_owned()
        }
        _ => "the text is not a statement that PostgreSQL's grammar accepts".to_owned(),
    };
    Problem { message, position: None }
}

fn unparsed(text: &str, problem: Problem) -> Analysis {
    let intent = Arc::new(finish(Intent {
        id: IntentId(0),
        label: "UNPARSED".to_owned(),
        actions: vec![Action::bare(Effect::Unknown)],
        flags: Flags::default(),
        predicates: Vec::new(),
        reads: Vec::new(),
        reads_unknown: true,
        moves: Vec::new(),
        moves_unknown: true,
        reasons: vec![problem.message.clone()],
    }));
    Analysis {
        statements: vec![Statement {
            intent: Arc::clone(&intent),
            kind: Kind::Unparsed,
            outputs: Outputs::Unknown,
            counted: false,
            bound: None,
            path: Vec::new(),
            start: 0,
            len: text.len(),
        }],
        intent,
        literal_dependent: true,
        misses: Vec::new(),
        comparands: Vec::new(),
        fresh: Fresh::unknown(),
        problem: Some(problem),
    }
}
