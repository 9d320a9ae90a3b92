//! Values that go to another place than they come from, by data or by a change of names.

use std::collections::BTreeSet;

use model::Move;
use pg_query::protobuf::{
    AlterTableCmd, AlterTableType, ColumnDef, ConstrType, CreateTrigStmt, Node, RangeVar, node::Node as N,
};

use super::from::push_tables;
use super::query::OutputColumn;
use super::scope::Scope;
use super::{Walker, inner};
use crate::catalog::Relation;
use crate::lineage::{ColumnId, Columns, Lineage};

/// More moves than this in one statement are taken for moves of anything.
const MAX_MOVES: usize = 4096;

/// What a statement puts into other places than it takes it from.
#[derive(Clone, Default)]
pub(super) struct Moves {
    steps: BTreeSet<(ColumnId, Option<ColumnId>, bool)>,
    pub(super) unknown: bool,
}

impl Moves {
    /// Every column of the value goes to `to`; `None` is a place that is no column.
    pub(super) fn add(&mut self, value: &Lineage, to: Option<ColumnId>) {
        self.unknown |= value.is_unknown();
        self.add_as(value, to, value.same().is_none());
    }

    /// The same, of a value about which is known otherwise whether it is unchanged.
    pub(super) fn add_as(&mut self, value: &Lineage, to: Option<ColumnId>, made: bool) {
        for id in value.ids() {
            if self.steps.len() >= MAX_MOVES {
                self.unknown = true;
                return;
            }
            self.steps.insert((id, to, made));
        }
    }

    /// The moves with the names of their columns.
    pub(super) fn named(&self, columns: &Columns) -> Vec<Move> {
        let steps = self.steps.iter();
        steps
            .filter_map(|(from, to, made)| {
                let to = to.and_then(|to| columns.name(to)).cloned();
                Some(Move { from: columns.name(*from)?.clone(), to, made: *made })
            })
            .collect()
    }

    /// Replaces the columns that something stands for by what it stands for.
    pub(super) fn expand(&mut self, is_marker: impl Fn(ColumnId) -> bool, meaning: impl Fn(&Lineage) -> Lineage) {
        let steps = std::mem::take(&mut self.steps);
        let (markers, steps): (BTreeSet<_>, BTreeSet<_>) = steps.into_iter().partition(|(from, ..)| is_marker(*from));
        self.steps = steps;
        for (from, to, _) in markers {
            let mut one = Lineage::default();
            one.add(from);
            let mut wide = meaning(&one);
            wide.retain(|id| !is_marker(id));
            self.add(&wide, to);
        }
    }
}

impl<'c> Walker<'c> {
    /// A value leaves its column for a place that is none.
    pub(super) fn move_away(&mut self, value: &Lineage) {
        self.moves.add(value, None);
    }

    /// Everything in these columns goes to a place that is none.
    pub(super) fn store(&mut self, columns: Option<&[OutputColumn]>) {
        match columns {
            Some(columns) => columns.iter().for_each(|column| self.moves.add(&column.lineage, None)),
            None => self.moves.unknown = true,
        }
    }

    /// All columns of a table go where no mask of theirs may reach. What is read through a view keeps its origin.
    pub(super) fn move_table(&mut self, range: Option<&RangeVar>) {
        for relation in range.map(|range| self.resolve_range(range)).unwrap_or_default() {
            if !relation.is_view() {
                let mut value = Lineage::default();
                value.add(self.columns.id(&relation.full, "*"));
                self.moves.add(&value, None);
            }
        }
    }

    /// All tables of a schema get another name.
    pub(super) fn move_schema(&mut self, schema: &str) {
        let mut value = Lineage::default();
        value.add(self.columns.id(schema, "*"));
        self.moves.add(&value, None);
    }

    /// A table's column gets another name.
    pub(super) fn move_column(&mut self, range: Option<&RangeVar>, from: &str, to: &str) {
        for relation in range.map(|range| self.resolve_range(range)).unwrap_or_default() {
            if !relation.is_view() {
                let value = self.table_column(relation, from);
                let to = self.columns.id(&relation.full, to);
                self.moves.add(&value, Some(to));
            }
        }
    }

    /// What a part of ALTER TABLE puts into a column, or lets be read under another name.
    pub(super) fn moves_of_alter(&mut self, range: &RangeVar, command: &AlterTableCmd) {
        match (command.subtype(), inner(command.def.as_deref())) {
            (AlterTableType::AtAlterColumnType, Some(N::ColumnDef(column))) => {
                self.column_made_of(range, &command.name, column.raw_default.as_deref());
            }
            (AlterTableType::AtAddColumn, Some(N::ColumnDef(column))) => self.generated(range, column),
            (AlterTableType::AtDropExpression, _) => {
                for relation in self.resolve_range(range) {
                    let own = self.columns.id(&relation.full, &command.name);
                    let mut value = self.table_column(relation, &command.name);
                    value.retain(|id| id != own);
                    self.moves.add(&value, Some(own));
                }
            }
            (AlterTableType::AtAttachPartition, Some(N::PartitionCmd(partition))) => {
                if let Some(child) = &partition.name {
                    self.move_columns(child, range);
                }
            }
            (AlterTableType::AtDetachPartition, Some(N::PartitionCmd(partition))) => {
                if let Some(child) = &partition.name {
                    self.move_columns(range, child);
                }
            }
            (AlterTableType::AtDropInherit, Some(N::RangeVar(parent))) => self.move_columns(parent, range),
            _ => {}
        }
    }

    /// Columns that a trigger's arguments name, as those of `tsvector_update_trigger`: the first is made of the others.
    pub(super) fn moves_of_trigger(&mut self, trigger: &CreateTrigStmt) {
        let names = super::strings(&trigger.args);
        for relation in trigger.relation.as_ref().map(|range| self.resolve_range(range)).unwrap_or_default() {
            let to = names.first().filter(|name| relation.column(name).is_some());
            let to = to.map(|name| self.columns.id(&relation.full, name));
            for name in names.iter().filter(|name| relation.column(name).is_some()) {
                let value = self.table_column(relation, name);
                if to.is_none_or(|to| !value.ids().any(|id| id == to)) {
                    self.moves.add_as(&value, to, true);
                }
            }
        }
    }

    fn generated(&mut self, range: &RangeVar, column: &ColumnDef) {
        for node in &column.constraints {
            if let Some(N::Constraint(constraint)) = inner(Some(node))
                && constraint.contype() == ConstrType::ConstrGenerated
            {
                self.column_made_of(range, &column.colname, constraint.raw_expr.as_deref());
            }
        }
    }

    /// A column of the table is made of an expression over the others.
    fn column_made_of(&mut self, range: &RangeVar, column: &str, expression: Option<&Node>) {
        let Some(expression) = expression else {
            return;
        };
        for relation in self.resolve_range(range) {
            let mut scope = Scope::under(None);
            push_tables(&mut scope, range.relname.clone(), None, vec![relation]);
            let mut value = self.value(expression, &scope);
            let own = self.columns.id(&relation.full, column);
            value.retain(|id| id != own);
            self.moves.add(&value, Some(own));
        }
    }

    /// The rows of one table are, or stay, rows of the other, under its names.
    fn move_columns(&mut self, from: &RangeVar, to: &RangeVar) {
        let (from, to) = (self.resolve_range(from), self.resolve_range(to));
        for target in &to {
            for source in &from {
                self.move_shared(source, target);
            }
        }
    }

    fn move_shared(&mut self, source: &'c Relation, target: &'c Relation) {
        for column in &target.columns {
            if source.column(&column.name).is_some() {
                let value = self.table_column(source, &column.name);
                let to = self.columns.id(&target.full, &column.name);
                self.moves.add_as(&value, Some(to), false);
            }
        }
    }
}
