//! Sets of columns that a value can come from.

use std::collections::HashMap;

use model::{ColumnRef, SourceColumn};

use crate::analysis::Deps;

/// More columns than this in one set and the set is "anywhere".
const LIMIT: usize = 512;

/// A number for a [`ColumnRef`] during one analysis.
pub(crate) type ColumnId = u32;

/// The value of one column, unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Same {
    pub(crate) column: ColumnId,
    /// Its type; a domain's is what the domain is made of.
    pub(crate) type_oid: u32,
}

/// A column, and whether only a statistical aggregate of it is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Reached {
    id: ColumnId,
    aggregated: bool,
}

/// A set of columns, or anywhere. A column that is there both as it is and aggregated is in it twice, so that putting sets together never
/// hides the plain value.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Lineage {
    columns: Vec<Reached>,
    unknown: bool,
    /// From anywhere, even if the target names one column as the origin.
    anything: bool,
    /// All columns of the set are names of this one's value. Lost as soon as anything else is merged in.
    same: Option<Same>,
}

impl Lineage {
    pub(crate) fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    pub(crate) fn anything() -> Self {
        Self { anything: true, ..Self::default() }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.unknown || self.anything
    }

    /// Whether it stands for no column at all.
    pub(crate) fn is_clean(&self) -> bool {
        self.columns.is_empty() && !self.is_unknown()
    }

    pub(crate) fn same(&self) -> Option<Same> {
        self.same.filter(|_| !self.is_unknown())
    }

    /// Says that all columns so far are names of one column's value.
    pub(crate) fn set_same(&mut self, same: Option<Same>) {
        self.same = same;
    }

    /// The columns, however they got there.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ColumnId> {
        self.columns.iter().map(|reached| reached.id)
    }

    pub(crate) fn add(&mut self, id: ColumnId) {
        self.reach(Reached { id, aggregated: false });
    }

    fn reach(&mut self, reached: Reached) {
        if let Err(at) = self.columns.binary_search(&reached) {
            if self.columns.len() >= LIMIT {
                self.unknown = true;
            } else {
                self.columns.insert(at, reached);
            }
        }
    }

    /// What a statistical aggregate of such values carries.
    pub(crate) fn aggregated(mut self) -> Self {
        self.columns.iter_mut().for_each(|reached| reached.aggregated = true);
        self.columns.dedup();
        self.same = None;
        self
    }

    pub(crate) fn set_unknown(&mut self) {
        self.unknown = true;
    }

    pub(crate) fn set_anything(&mut self) {
        self.anything = true;
    }

    /// What is not known may be anything: the target's word on the column does not hold for a value that was put there just now.
    pub(crate) fn harden(&mut self) {
        self.anything |= self.unknown;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.unknown |= other.unknown;
        self.anything |= other.anything;
        self.same = None;
        if self.columns.is_empty() {
            self.columns.clone_from(&other.columns);
            return;
        }
        for reached in &other.columns {
            self.reach(*reached);
        }
    }

    /// Adds where the value may come from instead. Unlike [`merge`](Self::merge) it stays one column's value if the other is no column's.
    pub(crate) fn or(&mut self, other: &Self) {
        if self.is_clean() {
            self.clone_from(other);
        } else if !other.is_clean() {
            self.merge(other);
        }
    }

    /// Keeps only the columns for which `keep` holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(ColumnId) -> bool) {
        self.columns.retain(|reached| keep(reached.id));
    }
}

/// Adds one more meaning of a name. The first keeps what is known of it, more than one is a mixture.
pub(crate) fn another(found: &mut Option<Lineage>, lineage: Lineage) {
    match found {
        Some(found) => found.merge(&lineage),
        None => *found = Some(lineage),
    }
}

/// The numbers given out during one analysis.
#[derive(Default)]
pub(crate) struct Columns {
    numbers: HashMap<ColumnRef, ColumnId>,
    names: Vec<ColumnRef>,
}

impl Columns {
    pub(crate) fn id(&mut self, relation: &str, column: &str) -> ColumnId {
        let name = ColumnRef { relation: relation.to_owned(), column: column.to_owned() };
        if let Some(id) = self.numbers.get(&name) {
            return *id;
        }
        let id = ColumnId::try_from(self.names.len()).unwrap_or(ColumnId::MAX);
        self.names.push(name.clone());
        self.numbers.insert(name, id);
        id
    }

    pub(crate) fn name(&self, id: ColumnId) -> Option<&ColumnRef> {
        self.names.get(usize::try_from(id).ok()?)
    }

    pub(crate) fn deps(&self, lineage: &Lineage) -> Deps {
        if lineage.anything {
            return Deps::Anything;
        }
        if lineage.is_unknown() {
            return Deps::Unknown;
        }
        if lineage.columns.is_empty() {
            return Deps::Clean;
        }
        if let Some((column, type_oid)) =
            lineage.same().and_then(|same| Some((self.name(same.column)?.clone(), same.type_oid)))
        {
            let mut names = self.list(lineage);
            names.sort();
            return Deps::Same { column, names, type_oid };
        }
        let source = |reached: &Reached| {
            Some(SourceColumn { column: self.name(reached.id)?.clone(), aggregated: reached.aggregated })
        };
        let mut sources: Vec<SourceColumn> = lineage.columns.iter().filter_map(source).collect();
        sources.sort();
        Deps::Columns(sources)
    }

    /// The columns, each once, however they got there.
    pub(crate) fn list(&self, lineage: &Lineage) -> Vec<ColumnRef> {
        let mut ids: Vec<ColumnId> = lineage.ids().collect();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.name(id).cloned()).collect()
    }

    /// Adds columns by their names.
    pub(crate) fn add_sources(&mut self, lineage: &mut Lineage, sources: &[SourceColumn]) {
        for source in sources {
            let id = self.id(&source.column.relation, &source.column.column);
            lineage.reach(Reached { id, aggregated: source.aggregated });
        }
    }
}
