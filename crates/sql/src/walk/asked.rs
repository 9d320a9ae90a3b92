//! What definitions ask of values that are there, and what they leave behind under names that mean something else from then on.

use pg_query::protobuf::{AlterTableCmd, AlterTableType, ColumnDef, Constraint, Node, RangeVar, node::Node as N};

use super::from::{push, push_tables};
use super::query::OutputColumn;
use super::scope::{Scope, Source};
use super::{Walker, inner, strings};
use crate::catalog::View;
use crate::lineage::Lineage;

impl Walker<'_> {
    /// A part of ALTER TABLE that fails for some values of the table, or works differently, asks about them.
    pub(super) fn asked_by_alter(&mut self, range: &RangeVar, command: &AlterTableCmd) {
        match (command.subtype(), inner(command.def.as_deref())) {
            (_, Some(N::Constraint(constraint))) => self.asked_by_constraint(range, "", constraint),
            (AlterTableType::AtAddColumn, Some(N::ColumnDef(column))) => {
                for node in &column.constraints {
                    if let Some(N::Constraint(constraint)) = inner(Some(node)) {
                        self.asked_by_constraint(range, &column.colname, constraint);
                    }
                }
            }
            (AlterTableType::AtAlterColumnType, Some(N::ColumnDef(column))) => {
                self.asked_by_type(range, &command.name, column);
            }
            _ => {}
        }
    }

    /// `added` is the column that the constraint comes with, which has no values yet.
    fn asked_by_constraint(&mut self, range: &RangeVar, added: &str, constraint: &Constraint) {
        for node in [constraint.raw_expr.as_deref(), constraint.where_clause.as_deref()].into_iter().flatten() {
            self.asked_of_table(range, added, node);
        }
        for name in strings(&constraint.keys).into_iter().chain(strings(&constraint.fk_attrs)) {
            if name != added {
                self.told_apart(Some(range), name);
            }
        }
        for node in &constraint.exclusions {
            let Some(N::List(pair)) = inner(Some(node)) else { continue };
            if let Some(N::IndexElem(element)) = inner(pair.items.first()) {
                match element.expr.as_deref() {
                    Some(expression) => self.asked_of_table(range, added, expression),
                    None => self.asked_of_column(range, &element.name),
                }
            }
        }
    }

    fn asked_by_type(&mut self, range: &RangeVar, name: &str, column: &ColumnDef) {
        self.asked_of_column(range, name);
        if let Some(expression) = column.raw_default.as_deref() {
            self.asked_of_table(range, "", expression);
        }
    }

    fn asked_of_table(&mut self, range: &RangeVar, added: &str, node: &Node) {
        let relations = self.resolve_range(range);
        let mut scope = Scope::under(None);
        if !added.is_empty() {
            let column = OutputColumn { name: added.to_owned(), lineage: Lineage::default() };
            push(&mut scope, String::new(), None, Source::Derived(vec![column]));
        }
        push_tables(&mut scope, range.relname.clone(), None, relations);
        self.predicate(node, &scope);
    }

    fn asked_of_column(&mut self, range: &RangeVar, name: &str) {
        for relation in self.resolve_range(range) {
            let value = self.table_column(relation, name);
            self.predicates.merge(&value);
        }
    }

    /// Values of this column are told apart: UNIQUE, a foreign key.
    pub(super) fn told_apart(&mut self, range: Option<&RangeVar>, name: &str) {
        for relation in range.map(|range| self.resolve_range(range)).unwrap_or_default() {
            let value = self.table_column(relation, name);
            self.equal(&value);
        }
    }

    /// A view, or a rule of it, gets another meaning.
    pub(super) fn replaced(&mut self, range: Option<&RangeVar>) {
        let numbers: Vec<u32> =
            range.map(|range| self.resolve_range(range)).unwrap_or_default().iter().map(|it| it.oid).collect();
        self.redefined(&numbers, "");
    }

    /// What is stored in a materialised view came from what its query meant when it ran: where that gets another meaning, the values stay, and
    /// nothing tells any more where they are from.
    pub(super) fn redefined(&mut self, relations: &[u32], function: &str) {
        let catalog = self.catalog;
        for stored in catalog.materialized() {
            let view = View::of(catalog, stored, &[]);
            let uses = view.read.bases.iter().any(|(_, oid)| relations.contains(oid))
                || (!function.is_empty() && view.read.relied.contains(function));
            if !uses {
                continue;
            }
            self.moves.unknown = true;
            self.reads.extend(view.read.reads.iter().cloned());
            self.reads_unknown |= view.read.reads_unknown;
            self.reason(format!("{} keeps values of what this meant before", stored.full));
        }
    }
}
