//! Values that a statement puts into columns: what it may return of them, and where they go.

use std::collections::BTreeMap;
use std::rc::Rc;

use pg_query::protobuf::{Node, node::Node as N};

use super::effects::Change;
use super::query::OutputColumn;
use super::scope::Scope;
use super::{Walker, inner};
use crate::analysis::Deps;
use crate::catalog::{Relation, View};
use crate::lineage::{ColumnId, Lineage};

/// What a statement put into the columns of its target, beside what was in them.
#[derive(Clone, Default)]
pub(crate) struct Assigned {
    columns: BTreeMap<String, Lineage>,
    /// What may be in any of them.
    every: Lineage,
}

impl Assigned {
    /// What may be in a column. Not known is anything here: the target names the column that was assigned to.
    pub(super) fn of(&self, column: &str) -> Lineage {
        let mut lineage = self.every.clone();
        if let Some(more) = self.columns.get(column) {
            lineage.or(more);
        }
        lineage.harden();
        lineage
    }

    /// Adds it to where a column's value comes from. Nothing assigned leaves that as it was.
    pub(super) fn add_to(&self, column: &str, lineage: &mut Lineage) {
        let more = self.of(column);
        if !more.is_clean() {
            lineage.merge(&more);
        }
    }

    /// What may be in any column, for the row as one value.
    pub(super) fn whole(&self) -> Lineage {
        let mut lineage = self.every.clone();
        for more in self.columns.values() {
            lineage.merge(more);
        }
        lineage.harden();
        lineage
    }

    fn put(&mut self, column: &str, value: &Lineage) {
        self.columns.entry(column.to_owned()).or_default().or(value);
    }
}

impl<'c> Walker<'c> {
    /// A value goes into a column of the target.
    pub(super) fn assign(
        &mut self,
        assigned: &mut Assigned,
        relations: &[&'c Relation],
        column: &str,
        value: &Lineage,
    ) {
        if relations.is_empty() {
            self.moves.add(value, None);
            assigned.put(column, value);
        }
        for relation in relations {
            let own = self.table_column(relation, column);
            let made = value.same().is_none();
            let mut value = value.clone();
            // A column made of itself goes nowhere.
            value.retain(|id| !own.ids().any(|own| own == id));
            let to = self.destination(relation, column);
            self.moves.add_as(&value, to, made);
            if self.is_passed_on(relation, column) {
                self.moves.add(&value, None);
            }
            self.moves.unknown |= value.is_unknown();
            assigned.put(column, &value);
        }
    }

    /// Whether a foreign key writes what is put into this column into other tables, too.
    fn is_passed_on(&self, relation: &'c Relation, column: &str) -> bool {
        if !relation.is_view() {
            return passes(relation, column) || self.catalog.kin(relation).into_iter().any(|kin| passes(kin, column));
        }
        let bases = &View::of(self.catalog, relation, &self.views).read.bases;
        let below = View::below(self.catalog, relation, column, &self.views);
        bases.iter().filter_map(|(name, oid)| Some((name, self.catalog.relation(*oid)?))).any(|(name, table)| {
            match &below {
                Deps::Same { column, .. } => column.relation == *name && passes(table, &column.column),
                Deps::Clean | Deps::Columns(_) | Deps::Unknown | Deps::Anything => {
                    table.referenced_by.iter().any(|one| one.on_update == 'c')
                }
            }
        })
    }

    /// The column whose mask covers what is put into this one, however it is read back. `None` when there is no such column.
    fn destination(&mut self, relation: &'c Relation, column: &str) -> Option<ColumnId> {
        if relation.is_view() {
            // Written through to the table below.
            return match View::below(self.catalog, relation, column, &self.views) {
                Deps::Same { column, .. } => Some(self.columns.id(&column.relation, &column.column)),
                Deps::Clean | Deps::Columns(_) | Deps::Unknown | Deps::Anything => None,
            };
        }
        // A partition's rows are the parent's too, and there the partition's own mask does not count.
        let root = if relation.is_partition {
            self.catalog.kin(relation).into_iter().rfind(|kin| kin.parents.is_empty()).unwrap_or(relation)
        } else {
            relation
        };
        root.column(column)?;
        Some(self.columns.id(&root.full, column))
    }

    /// The rows of an INSERT: each value goes into the column of its place.
    pub(super) fn assign_rows(
        &mut self,
        assigned: &mut Assigned,
        relations: &[&'c Relation],
        names: &[&str],
        rows: Option<&[OutputColumn]>,
    ) {
        let Some(rows) = rows else {
            self.moves.unknown = true;
            assigned.every.set_anything();
            return;
        };
        for (at, value) in rows.iter().enumerate() {
            if !names.is_empty() || relations.is_empty() {
                self.assign(assigned, relations, names.get(at).copied().unwrap_or_default(), &value.lineage);
                continue;
            }
            for relation in relations {
                let column = relation.columns.get(at).map_or("", |column| column.name.as_str());
                self.assign(assigned, &[relation], column, &value.lineage);
            }
        }
        if names.is_empty() && relations.is_empty() {
            // Which column each went into is not known.
            assigned.every = assigned.whole();
        }
    }

    /// `SET a = …, b[i] = …, (c, d) = (…)`.
    pub(super) fn assignments(
        &mut self,
        targets: &[Node],
        relations: &[&'c Relation],
        scope: &Scope<'_, 'c>,
        assigned: &mut Assigned,
    ) {
        let mut several: Vec<Lineage> = Vec::new();
        for node in targets {
            let Some(N::ResTarget(target)) = inner(Some(node)) else {
                self.not_understood("an assignment");
                continue;
            };
            self.assignment_subscripts(node, scope);
            let Some(value) = target.val.as_deref() else {
                continue;
            };
            let lineage = if let Some(N::MultiAssignRef(part)) = inner(Some(value)) {
                // `(a, b) = (…)` repeats its source for every column: once is enough.
                if part.colno <= 1 {
                    several = self.several(part.source.as_deref(), scope);
                }
                let at = usize::try_from(part.colno).unwrap_or(0).saturating_sub(1);
                several.get(at).cloned().unwrap_or_else(Lineage::unknown)
            } else {
                self.value(value, scope)
            };
            self.assign(assigned, relations, &target.name, &lineage);
        }
    }

    /// The values of a row that is assigned to several columns.
    fn several(&mut self, source: Option<&Node>, scope: &Scope<'_, 'c>) -> Vec<Lineage> {
        match inner(source) {
            Some(N::RowExpr(row)) => row.args.iter().map(|value| self.value(value, scope)).collect(),
            Some(N::SubLink(link)) => match inner(link.subselect.as_deref()) {
                Some(N::SelectStmt(select)) => {
                    let columns = self.select(select, Some(scope)).unwrap_or_default();
                    columns.into_iter().map(|column| column.lineage).collect()
                }
                _ => {
                    self.not_understood("a sub-select");
                    Vec::new()
                }
            },
            Some(_) => {
                // Which part of it goes where is not told, so how many does not matter.
                let mut lineage = Lineage::default();
                if let Some(source) = source {
                    self.expr(source, scope, &mut lineage, false);
                }
                lineage.set_unknown();
                self.moves.add(&lineage, None);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// What code that the write sets off, or the columns' own definitions, make of the values that were assigned.
    pub(super) fn made_by_target(&mut self, assigned: &mut Assigned, relations: &[&'c Relation], change: Change) {
        if relations.is_empty() {
            assigned.every.set_anything();
        }
        for relation in relations {
            if self.alters_rows(relation, change, 0) {
                assigned.every.set_anything();
            }
            if change == Change::Delete {
                continue;
            }
            if relation.is_view() {
                // A column of the view may be made of another that was assigned to.
                assigned.every = assigned.whole();
            }
            for column in &relation.columns {
                if relation.filled.contains(&column.number) {
                    assigned.put(&column.name, &Lineage::anything());
                }
                for source in &column.made_of {
                    let of = relation.columns.iter().find(|other| other.number == *source);
                    let value = of.map_or_else(Lineage::anything, |of| assigned.of(&of.name));
                    if !value.is_clean() {
                        assigned.put(&column.name, &value);
                    }
                }
            }
        }
    }

    /// Whether code of unknown effect, or a rule's own RETURNING, decides what a changed row holds.
    fn alters_rows(&self, relation: &'c Relation, change: Change, depth: usize) -> bool {
        if depth > super::effects::MAX_CHAIN {
            return true;
        }
        let own = |relation: &Relation| {
            relation.triggers.iter().any(|trigger| trigger.alters_row(change.trigger()))
                || relation.rules.iter().any(|rule| rule.instead && change.rule() == Some(rule.event))
        };
        if own(relation) || self.catalog.kin(relation).into_iter().any(own) {
            return true;
        }
        if !relation.is_view() || relation.is_system() {
            return false;
        }
        let view = View::of(self.catalog, relation, &self.views);
        let bases = view.read.bases.iter().filter_map(|(_, oid)| self.catalog.relation(*oid));
        bases.filter(|base| base.oid != relation.oid).any(|base| self.alters_rows(base, change, depth + 1))
    }

    /// From here on the target's columns hold what was assigned. The target is the scope's first item.
    pub(super) fn hold(&mut self, assigned: Assigned, scope: &mut Scope<'_, 'c>) {
        if let Some(target) = scope.items.first_mut() {
            target.assigned = Some(Rc::new(assigned));
        }
    }
}

/// The columns of the row that an INSERT was to make.
pub(super) fn excluded(relations: &[&Relation], assigned: &Assigned) -> Vec<OutputColumn> {
    let columns = relations.iter().flat_map(|relation| &relation.columns);
    columns.map(|column| OutputColumn { name: column.name.clone(), lineage: assigned.of(&column.name) }).collect()
}

/// Whether a foreign key that points to this column follows its changes.
fn passes(table: &Relation, column: &str) -> bool {
    let number = table.column(column).map(|column| column.number);
    let follows = |key: &[i16]| number.is_none_or(|number| key.contains(&number));
    table.referenced_by.iter().any(|one| one.on_update == 'c' && follows(&one.key))
}
