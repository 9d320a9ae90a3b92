//! What row security runs when a table is used, expanded on first use. Policies are taken to apply: whom they spare is not for a snapshot
//! to say.

use std::sync::Arc;

use super::{Catalog, Collected, Relation, View};
use crate::analysis::Caps;
use crate::prescan;
use crate::walk::Walker;

/// Policies that read tables with policies are followed this deep.
const MAX_DEPTH: usize = 6;

/// How a table is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// Asks the policies of reading.
    Reading,
    /// Asks its own policies and, for the rows that it finds, those of reading.
    Changing,
}

/// What the policies of a table run, from the cache or found out now; `None` without policies. `open` are the relations being expanded
/// around it: what those run is collected there.
pub(crate) fn guard(catalog: &Catalog, relation: &Relation, how: Use, open: &[u32]) -> Option<Arc<Collected>> {
    if relation.policies.is_empty() || open.contains(&relation.oid) {
        return None;
    }
    let cache = match how {
        Use::Reading => &relation.guards.0,
        Use::Changing => &relation.guards.1,
    };
    if let Some(guard) = cache.get() {
        return Some(Arc::clone(guard));
    }
    if open.iter().filter(|oid| is_guarded(catalog, **oid)).count() >= MAX_DEPTH {
        return Some(Arc::new(View::unknown("row security nested too deeply").read));
    }
    let guard = Arc::new(expand(catalog, relation, how, open));
    // Inside another expansion a part of it may be left to that one.
    if open.is_empty() {
        // Two threads may both have made it; either is right.
        let _ = cache.set(Arc::clone(&guard));
    }
    Some(guard)
}

/// Whether a relation that is being expanded is so for its policies, not as a view.
pub(super) fn is_guarded(catalog: &Catalog, oid: u32) -> bool {
    catalog.relation(oid).is_some_and(|relation| !relation.is_view())
}

fn expand(catalog: &Catalog, relation: &Relation, how: Use, open: &[u32]) -> Collected {
    let mut open = open.to_vec();
    open.push(relation.oid);
    // Definitions come with schemas on every name but pg_catalog's.
    let mut walker = Walker::of_definition(catalog);
    let asked = |command: char| how == Use::Changing || matches!(command, 'r' | '*');
    for policy in relation.policies.iter().filter(|policy| asked(policy.command)) {
        let text = format!("SELECT {}", policy.condition);
        let sound = prescan::check(&text, &Caps::default()).is_ok();
        let tree = sound.then(|| pg_query::parse(&text, pg_query::ParserOptions::DEFAULT).ok()).flatten();
        walker.policy(tree.as_ref().map(|tree| &tree.protobuf), relation.oid, &open);
    }
    walker.collected()
}
