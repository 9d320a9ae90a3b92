//! What a view reads, expanded to its base tables on first use.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Action, ColumnRef, Effect, Object, SourceColumn};

use super::{Catalog, Relation};
use crate::analysis::{Caps, Deps};
use crate::prescan;
use crate::walk::Walker;

/// Views are expanded this deep.
const MAX_DEPTH: usize = 24;

/// What a query does.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) actions: Vec<Action>,
    /// What it reads, all the way down.
    pub(crate) reads: Vec<Object>,
    /// Names and numbers of `reads`.
    pub(crate) bases: Vec<(String, u32)>,
    pub(crate) reads_unknown: bool,
    pub(crate) reasons: Vec<String>,
    pub(crate) misses: Vec<String>,
    /// Names on which it relies to mean what they meant.
    pub(crate) relied: BTreeSet<String>,
}

/// A view's own query, analyzed.
#[derive(Debug)]
pub(crate) struct View {
    /// What reading it does beside reading it.
    pub(crate) read: Collected,
    /// Where each column comes from, in order; `None` when not known.
    pub(crate) columns: Option<Vec<Deps>>,
}

impl View {
    pub(super) fn unknown(why: &str) -> Self {
        Self {
            read: Collected {
                actions: vec![Action::bare(Effect::Unknown)],
                reads_unknown: true,
                reasons: vec![why.to_owned()],
                ..Collected::default()
            },
            columns: None,
        }
    }

    /// The expansion of a view, from the cache or made now. `open` are the views being expanded around this one.
    pub(crate) fn of(catalog: &Catalog, relation: &Relation, open: &[u32]) -> Arc<Self> {
        if let Some(view) = relation.view.get() {
            return Arc::clone(view);
        }
        if open.contains(&relation.oid) || open.len() >= MAX_DEPTH {
            // Not kept: from another start the same view may be fine.
            return Arc::new(Self::unknown("views nested too deeply"));
        }
        let view = Arc::new(Self::expand(catalog, relation, open));
        // Inside the expansion of a table's policies that table's own are left out.
        if open.iter().any(|oid| super::guard::is_guarded(catalog, *oid)) {
            return view;
        }
        // Two threads may both have made it; either is right.
        let _ = relation.view.set(Arc::clone(&view));
        view
    }

    fn expand(catalog: &Catalog, relation: &Relation, open: &[u32]) -> Self {
        let Some(definition) = relation.definition.as_deref() else {
            return Self::unknown("a view without a definition");
        };
        if prescan::check(definition, &Caps::default()).is_err() {
            return Self::unknown("a view's definition is too large");
        }
        let Ok(tree) = pg_query::parse(definition, pg_query::ParserOptions::DEFAULT) else {
            return Self::unknown("a view's definition cannot be parsed");
        };
        let [raw] = tree.protobuf.stmts.as_slice() else {
            return Self::unknown("a view's definition is not one query");
        };
        let mut open = open.to_vec();
        open.push(relation.oid);
        // Definitions come with schemas on every name but pg_catalog's.
        let mut walker = Walker::of_definition(catalog);
        let columns = walker.view_columns(raw.stmt.as_deref(), open);
        let columns = columns.map(|columns| columns.iter().map(|lineage| walker.deps_of(lineage)).collect());
        Self { read: walker.collected(), columns }
    }

    /// What a column has below its own relation.
    pub(crate) fn below(catalog: &Catalog, relation: &Relation, column: &str, open: &[u32]) -> Deps {
        let mut found = Merge::default();
        if relation.is_view() && !relation.is_system() {
            let view = Self::of(catalog, relation, open);
            let at = relation.columns.iter().position(|other| other.name == column);
            match (&view.columns, at) {
                // A view has neither parents nor children.
                (Some(columns), Some(at)) if matches!(columns.get(at), Some(Deps::Same { .. } | Deps::Anything)) => {
                    return columns.get(at).cloned().unwrap_or(Deps::Unknown);
                }
                (Some(columns), Some(at)) => found.add(columns.get(at).unwrap_or(&Deps::Unknown)),
                _ => found.add(&Deps::Unknown),
            }
        }
        let kin = kin(catalog, relation);
        for other in &kin {
            found.push(&other.full, column);
        }
        for number in relation.column(column).into_iter().flat_map(|column| &column.made_of) {
            match relation.columns.iter().find(|source| source.number == *number) {
                // What the parents call the source is the source, too.
                Some(source) => {
                    std::iter::once(relation)
                        .chain(kin.iter().copied())
                        .for_each(|it| found.push(&it.full, &source.name));
                }
                None => found.add(&Deps::Unknown),
            }
        }
        found.deps()
    }

    /// What all columns have below.
    pub(crate) fn whole(catalog: &Catalog, relation: &Relation, open: &[u32]) -> Deps {
        let mut found = Merge::default();
        if relation.is_view() && !relation.is_system() {
            let view = Self::of(catalog, relation, open);
            match &view.columns {
                Some(columns) => columns.iter().for_each(|deps| found.add(deps)),
                None => found.add(&Deps::Unknown),
            }
        }
        for other in kin(catalog, relation) {
            found.push(&other.full, "*");
        }
        found.deps()
    }
}

/// See [`View::below`].
pub(super) fn below(catalog: &Catalog, relation: &Relation, column: &str) -> Deps {
    View::below(catalog, relation, column, &[])
}

/// Parents, and children by plain inheritance.
fn kin<'c>(catalog: &'c Catalog, relation: &Relation) -> Vec<&'c Relation> {
    if relation.parents.is_empty() && relation.children.is_empty() {
        return Vec::new();
    }
    catalog.relation(relation.oid).map(|relation| catalog.kin(relation)).unwrap_or_default()
}

#[derive(Default)]
struct Merge {
    columns: Vec<SourceColumn>,
    unknown: bool,
    anything: bool,
}

impl Merge {
    fn push(&mut self, relation: &str, column: &str) {
        self.columns.push(ColumnRef { relation: relation.to_owned(), column: column.to_owned() }.into());
    }

    fn add(&mut self, deps: &Deps) {
        match deps {
            Deps::Clean => {}
            Deps::Columns(sources) => self.columns.extend(sources.iter().cloned()),
            Deps::Same { names, .. } => self.columns.extend(names.iter().cloned().map(SourceColumn::from)),
            Deps::Unknown => self.unknown = true,
            Deps::Anything => self.anything = true,
        }
    }

    fn deps(mut self) -> Deps {
        if self.anything {
            return Deps::Anything;
        }
        if self.unknown {
            return Deps::Unknown;
        }
        self.columns.sort();
        self.columns.dedup();
        if self.columns.is_empty() { Deps::Clean } else { Deps::Columns(self.columns) }
    }
}
