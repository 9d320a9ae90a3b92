//! Sets of columns that a value can come from.

use std::collections::HashMap;

use model::ColumnRef;

use crate::analysis::Deps;

/// More columns than this in one set and the set is "anywhere".
const LIMIT: usize = 512;

/// A number for a [`ColumnRef`] during one analysis.
pub(crate) type ColumnId = u32;

/// A set of columns, or anywhere.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Lineage {
    columns: Vec<ColumnId>,
    unknown: bool,
}

impl Lineage {
    pub(crate) fn unknown() -> Self {
        Self { columns: Vec::new(), unknown: true }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.unknown
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

    pub(crate) fn merge(&mut self, other: &Self) {
        self.unknown |= other.unknown;
        if self.columns.is_empty() {
            self.columns.clone_from(&other.columns);
            return;
        }
        for id in &other.columns {
            self.add(*id);
        }
    }

    /// Keeps only the columns for which `keep` holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(ColumnId) -> bool) {
        self.columns.retain(|id| keep(*id));
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
        if lineage.is_unknown() {
            return Deps::Unknown;
        }
        if lineage.columns.is_empty() {
            return Deps::Clean;
        }
        let mut names = self.list(lineage);
        names.sort();
        Deps::Columns(names)
    }

    pub(crate) fn list(&self, lineage: &Lineage) -> Vec<ColumnRef> {
        lineage.columns.iter().filter_map(|id| self.name(*id).cloned()).collect()
    }
}
