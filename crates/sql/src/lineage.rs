//! Sets of columns that a value can come from.

use std::collections::HashMap;

use model::ColumnRef;

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

/// A set of columns, or anywhere.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Lineage {
    columns: Vec<ColumnId>,
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

    pub(crate) fn ids(&self) -> &[ColumnId] {
        &self.columns
    }

    pub(crate) fn add(&mut self, id: ColumnId) {
        if let Err(at) = self.columns.binary_search(&id) {
            if self.columns.len() >= LIMIT {
                self.unknown = true;
            } else {
                self.columns.insert(at, id);
            }
        }
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
        for id in &other.columns {
            self.add(*id);
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
        self.columns.retain(|id| keep(*id));
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
        let mut names = self.list(lineage);
        names.sort();
        match lineage.same().and_then(|same| Some((self.name(same.column)?.clone(), same.type_oid))) {
            Some((column, type_oid)) => Deps::Same { column, names, type_oid },
            None => Deps::Columns(names),
        }
    }

    pub(crate) fn list(&self, lineage: &Lineage) -> Vec<ColumnRef> {
        lineage.columns.iter().filter_map(|id| self.name(*id).cloned()).collect()
    }
}
