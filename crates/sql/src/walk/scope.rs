//! What names mean inside a query: from-items, CTEs, and the queries around it.

use std::cell::Cell;
use std::rc::Rc;

use super::assign::Assigned;
use super::query::OutputColumn;
use crate::catalog::Relation;
use crate::lineage::Lineage;

/// The columns of a derived table: known in order, or not even how many.
pub(crate) type Shape = Option<Vec<OutputColumn>>;

/// A CTE that is visible.
pub(crate) struct Cte {
    pub(crate) name: String,
    pub(crate) columns: Shape,
}

/// Where a from-item's columns come from.
pub(crate) enum Source<'c> {
    /// A relation; several when a name may mean each of them.
    Tables {
        relations: Vec<&'c Relation>,
        /// Column aliases, by position.
        renames: Vec<String>,
    },
    /// A sub-select, CTE, join or VALUES whose columns are known.
    Derived(Vec<OutputColumn>),
    /// Columns not known: any name may exist and comes from here.
    Open(Lineage),
}

/// One item of FROM.
pub(crate) struct Item<'c> {
    pub(crate) name: String,
    pub(crate) schema: Option<String>,
    /// Inside a join that has its own alias, or without a name.
    pub(crate) hidden: bool,
    /// Whether a column of it was named.
    pub(crate) touched: Cell<bool>,
    pub(crate) source: Source<'c>,
    /// What the statement put into its columns, for the target of a change that returns rows.
    pub(crate) assigned: Option<Rc<Assigned>>,
}

impl Item<'_> {
    /// About how many columns it has, itself counted as one.
    pub(crate) fn width(&self) -> usize {
        match &self.source {
            Source::Tables { relations, .. } => {
                relations.iter().map(|relation| relation.columns.len()).sum::<usize>() + 1
            }
            Source::Derived(columns) => columns.len() + 1,
            Source::Open(_) => 1,
        }
    }
}

/// The names of one query level.
#[derive(Default)]
pub(crate) struct Scope<'s, 'c> {
    pub(crate) parent: Option<&'s Scope<'s, 'c>>,
    pub(crate) items: Vec<Item<'c>>,
    /// Items before this one are not visible (ON of a join).
    pub(crate) first: usize,
    pub(crate) ctes: Vec<Rc<Cte>>,
    /// What `*` stands for; `None` before FROM is walked or when it is not known.
    pub(crate) star: Shape,
    /// Columns that WHERE pins to one text: `name = 'x'`.
    pub(crate) pinned: Vec<(String, String)>,
}

impl<'s, 'c> Scope<'s, 'c> {
    pub(crate) fn under(parent: Option<&'s Scope<'s, 'c>>) -> Self {
        Self { parent, items: Vec::new(), first: 0, ctes: Vec::new(), star: None, pinned: Vec::new() }
    }

    /// The nearest CTE of this name.
    pub(crate) fn cte(&self, name: &str) -> Option<Rc<Cte>> {
        let mut level = Some(self);
        while let Some(scope) = level {
            if let Some(cte) = scope.ctes.iter().rev().find(|cte| cte.name == name) {
                return Some(Rc::clone(cte));
            }
            level = scope.parent;
        }
        None
    }

    pub(crate) fn visible(&self) -> impl Iterator<Item = &Item<'c>> {
        self.items.iter().skip(self.first).filter(|item| !item.hidden)
    }
}
