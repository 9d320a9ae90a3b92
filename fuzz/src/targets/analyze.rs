//! Texts of SQL: scanned, parsed, resolved, their lineage followed.

use anyhow::Result;
use model::Effect;
use sql::{Analysis, Caps, Context, Fresh};

use super::statements;
use crate::driver::Target;
use crate::random::Random;

/// What the largest tree may take: 200,000 tokens (`Caps::tokens`) of at most about a kilobyte each, as in `SELECT $1, $2, …`. The parser's
/// own memory, which is C's, is not counted.
pub(super) const TREE: usize = 256 * 1024 * 1024;

/// Texts of SQL.
pub const TARGET: Target = Target { name: "analyze", make, memory: TREE, run };

fn make(random: &mut Random) -> Result<Vec<u8>> {
    Ok(statements::text(random))
}

fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let analysis = analyze(&text);
    let mut last = 0;
    for statement in &analysis.statements {
        let range = statement.start..statement.start + statement.len;
        assert!(text.get(range).is_some(), "a statement at {}+{} of {}", statement.start, statement.len, text.len());
        assert!(statement.start >= last, "statements out of order");
        last = statement.start;
    }
    // What is not understood is nothing else than unknown.
    if analysis.problem.is_some() {
        assert_eq!(analysis.statements.len(), 1);
        assert!(analysis.intent.actions.iter().any(|action| action.effect == Effect::Unknown));
        assert!(analysis.intent.reads_unknown && analysis.intent.moves_unknown);
    }
    let union =
        |part: &sql::Statement| part.intent.actions.iter().all(|action| analysis.intent.actions.contains(action));
    assert!(analysis.statements.iter().all(union), "an action of a statement is missing in the whole");
}

/// On a thread with the stack that is promised to be enough.
pub(super) fn analyze(text: &str) -> Analysis {
    let catalog = statements::catalog();
    let work = || {
        let path = ["public".to_owned()];
        sql::analyze(text, &Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() })
    };
    let ended = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(sql::STACK).spawn_scoped(scope, work);
        thread.map(std::thread::ScopedJoinHandle::join)
    });
    match ended {
        Ok(Ok(analysis)) => analysis,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => std::panic::resume_unwind(Box::new(format!("no thread: {error}"))),
    }
}
