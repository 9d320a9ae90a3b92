//! INSERT, UPDATE, DELETE, MERGE.

use model::Effect;
use pg_query::protobuf::{
    CmdType, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, Node, OnConflictAction, OnConflictClause, RangeVar,
    ReturningClause, UpdateStmt, node::Node as N,
};

use super::assign::{Assigned, excluded};
use super::effects::Change;
use super::from::push_tables;
use super::query::OutputColumn;
use super::scope::{Scope, Shape, Source};
use super::{Walker, inner};
use crate::catalog::Relation;
use crate::lineage::Lineage;
use crate::unbounded::{self, Bound};

/// The names assigned in a target list.
fn names_in(targets: &[Node]) -> Vec<&str> {
    targets
        .iter()
        .filter_map(|node| match inner(Some(node)) {
            Some(N::ResTarget(target)) => Some(target.name.as_str()),
            _ => None,
        })
        .collect()
}

impl<'c> Walker<'c> {
    /// A data-changing statement, alone or in WITH; its RETURNING columns.
    pub(super) fn change_statement(&mut self, node: &N, parent: Option<&Scope<'_, 'c>>) -> Shape {
        match node {
            N::InsertStmt(insert) => self.insert(insert, parent),
            N::UpdateStmt(update) => self.update(update, parent),
            N::DeleteStmt(delete) => self.delete(delete, parent),
            N::MergeStmt(merge) => self.merge_into(merge, parent),
            _ => {
                self.not_understood("a data-changing statement");
                None
            }
        }
    }

    /// An action of a rule; NEW and OLD are in `scope`.
    pub(super) fn rule_action(&mut self, node: &N, scope: &Scope<'_, 'c>) {
        match node {
            N::SelectStmt(select) => {
                self.select(select, Some(scope));
            }
            N::NotifyStmt(notify) => {
                self.act(Effect::Write, model::Object::new(model::ObjectKind::Channel, notify.conditionname.clone()));
            }
            other => {
                self.change_statement(other, Some(scope));
            }
        }
    }

    fn target_item(&mut self, range: &RangeVar, relations: &[&'c Relation], scope: &mut Scope<'_, 'c>) {
        let name = range.alias.as_ref().map_or_else(|| range.relname.clone(), |alias| alias.aliasname.clone());
        if relations.is_empty() {
            super::from::push(scope, name, None, Source::Open(Lineage::anything()));
            return;
        }
        let schema = relations.first().map(|relation| relation.schema.clone());
        push_tables(scope, name, schema, relations.to_vec());
    }

    fn insert(&mut self, insert: &InsertStmt, parent: Option<&Scope<'_, 'c>>) -> Shape {
        let mut scope = Scope::under(parent);
        if let Some(with) = &insert.with_clause {
            self.with(with, &mut scope);
        }
        let Some(range) = &insert.relation else {
            self.not_understood("an INSERT without a table");
            return None;
        };
        let names = names_in(&insert.cols);
        let relations = self.change(range, Change::Insert, &names);
        let listed: Option<Vec<String>> =
            (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect());
        self.unique_probe(&relations, listed.as_deref());
        for node in &insert.cols {
            self.assignment_subscripts(node, &scope);
        }
        let mut assigned = Assigned::default();
        match inner(insert.select_stmt.as_deref()) {
            Some(N::SelectStmt(select)) => {
                let columns = self.select(select, Some(&scope));
                self.assign_rows(&mut assigned, &relations, &names, columns.as_deref());
            }
            Some(_) => self.not_understood("the source of an INSERT"),
            None => {}
        }
        if insert.on_conflict_clause.is_none() && insert.returning_clause.is_none() {
            return Some(Vec::new());
        }
        self.made_by_target(&mut assigned, &relations, Change::Insert);
        self.target_item(range, &relations, &mut scope);
        if let Some(conflict) = insert.on_conflict_clause.as_deref() {
            self.on_conflict(conflict, range, &relations, &scope, &mut assigned);
        }
        self.hold(assigned, &mut scope);
        self.returning(insert.returning_clause.as_ref(), &scope)
    }

    fn on_conflict(
        &mut self,
        conflict: &OnConflictClause,
        range: &RangeVar,
        relations: &[&'c Relation],
        scope: &Scope<'_, 'c>,
        assigned: &mut Assigned,
    ) {
        if let Some(infer) = conflict.infer.as_deref() {
            for element in &infer.index_elems {
                self.index_element(element, scope);
            }
            if let Some(condition) = infer.where_clause.as_deref() {
                self.predicate(condition, scope);
            }
        }
        match conflict.action() {
            OnConflictAction::OnconflictNothing | OnConflictAction::OnconflictNone => return,
            OnConflictAction::OnconflictUpdate => {}
            OnConflictAction::Undefined => {
                self.not_understood("an ON CONFLICT clause");
                return;
            }
        }
        self.change(range, Change::Update, &names_in(&conflict.target_list));
        let mut inside = Scope::under(Some(scope));
        let name = range.alias.as_ref().map_or_else(|| range.relname.clone(), |alias| alias.aliasname.clone());
        if relations.is_empty() {
            for name in [name, "excluded".to_owned()] {
                super::from::push(&mut inside, name, None, Source::Open(Lineage::anything()));
            }
        } else {
            push_tables(&mut inside, name, None, relations.to_vec());
            let columns = excluded(relations, assigned);
            super::from::push(&mut inside, "excluded".to_owned(), None, Source::Derived(columns));
        }
        self.assignments(&conflict.target_list, relations, &inside, assigned);
        self.made_by_target(assigned, relations, Change::Update);
        if let Some(condition) = conflict.where_clause.as_deref() {
            self.predicate(condition, &inside);
        }
    }

    pub(super) fn index_element(&mut self, node: &Node, scope: &Scope<'_, 'c>) {
        if let Some(N::IndexElem(element)) = inner(Some(node))
            && let Some(expression) = element.expr.as_deref()
        {
            self.predicate(expression, scope);
        }
    }

    pub(super) fn assignment_subscripts(&mut self, node: &Node, scope: &Scope<'_, 'c>) {
        let Some(N::ResTarget(target)) = inner(Some(node)) else {
            return;
        };
        for step in &target.indirection {
            match inner(Some(step)) {
                Some(N::AIndices(indices)) => {
                    for index in [indices.lidx.as_deref(), indices.uidx.as_deref()].into_iter().flatten() {
                        self.predicate(index, scope);
                    }
                }
                Some(N::String(_) | N::AStar(_)) => {}
                _ => self.not_understood("an assignment"),
            }
        }
    }

    fn update(&mut self, update: &UpdateStmt, parent: Option<&Scope<'_, 'c>>) -> Shape {
        let mut scope = Scope::under(parent);
        if let Some(with) = &update.with_clause {
            self.with(with, &mut scope);
        }
        let Some(range) = &update.relation else {
            self.not_understood("an UPDATE without a table");
            return None;
        };
        let names = names_in(&update.target_list);
        let relations = self.change(range, Change::Update, &names);
        let listed: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.unique_probe(&relations, Some(&listed));
        self.target_item(range, &relations, &mut scope);
        for node in &update.from_clause {
            self.item_of_from(node, &mut scope, false);
        }
        let mut assigned = Assigned::default();
        self.assignments(&update.target_list, &relations, &scope, &mut assigned);
        self.restriction(update.where_clause.as_deref(), range, &relations, &scope);
        self.made_by_target(&mut assigned, &relations, Change::Update);
        self.hold(assigned, &mut scope);
        self.returning(update.returning_clause.as_ref(), &scope)
    }

    fn delete(&mut self, delete: &DeleteStmt, parent: Option<&Scope<'_, 'c>>) -> Shape {
        let mut scope = Scope::under(parent);
        if let Some(with) = &delete.with_clause {
            self.with(with, &mut scope);
        }
        let Some(range) = &delete.relation else {
            self.not_understood("a DELETE without a table");
            return None;
        };
        let relations = self.change(range, Change::Delete, &[]);
        self.target_item(range, &relations, &mut scope);
        for node in &delete.using_clause {
            self.item_of_from(node, &mut scope, false);
        }
        self.restriction(delete.where_clause.as_deref(), range, &relations, &scope);
        let mut assigned = Assigned::default();
        self.made_by_target(&mut assigned, &relations, Change::Delete);
        self.hold(assigned, &mut scope);
        self.returning(delete.returning_clause.as_ref(), &scope)
    }

    /// WHERE of UPDATE and DELETE: walked, and judged whether it restricts anything. The target is the scope's first item.
    fn restriction(
        &mut self,
        condition: Option<&Node>,
        range: &RangeVar,
        relations: &[&'c Relation],
        scope: &Scope<'_, 'c>,
    ) {
        let Some(condition) = condition else {
            self.unbounded = true;
            return;
        };
        // The assignments may have named the target; only WHERE counts.
        if let Some(target) = scope.items.first() {
            target.touched.set(false);
        }
        self.predicate(condition, scope);
        let alias = range.alias.as_ref().map_or(range.relname.as_str(), |alias| alias.aliasname.as_str());
        let target = unbounded::Target { alias, name: &range.relname, relations };
        let judged = Bound::new(condition, &target);
        self.literal |= judged.looked_at_literal;
        let touched = scope.items.first().is_some_and(|item| item.touched.get()) || judged.is_cursor;
        if !touched || judged.always(&[]) == Some(true) {
            self.unbounded = true;
        } else if judged.has_parameters {
            self.bound = Some(std::sync::Arc::new(Bound::either(self.bound.take().as_deref(), judged)));
        }
    }

    fn merge_into(&mut self, merge: &MergeStmt, parent: Option<&Scope<'_, 'c>>) -> Shape {
        let mut scope = Scope::under(parent);
        if let Some(with) = &merge.with_clause {
            self.with(with, &mut scope);
        }
        let Some(range) = &merge.relation else {
            self.not_understood("a MERGE without a table");
            return None;
        };
        let relations = self.resolve_range(range);
        self.target_item(range, &relations, &mut scope);
        if let Some(source) = merge.source_relation.as_deref() {
            self.item_of_from(source, &mut scope, false);
        }
        if let Some(condition) = merge.join_condition.as_deref() {
            self.predicate(condition, &scope);
            let target = unbounded::Target {
                alias: range.alias.as_ref().map_or(range.relname.as_str(), |alias| alias.aliasname.as_str()),
                name: &range.relname,
                relations: &relations,
            };
            let judged = Bound::new(condition, &target);
            self.literal |= judged.looked_at_literal;
            self.unbounded |= judged.always(&[]) == Some(true);
        }
        let mut assigned = Assigned::default();
        for node in &merge.merge_when_clauses {
            match inner(Some(node)) {
                Some(N::MergeWhenClause(when)) => self.merge_when(when, range, &relations, &scope, &mut assigned),
                _ => self.not_understood("a WHEN of MERGE"),
            }
        }
        self.hold(assigned, &mut scope);
        self.returning(merge.returning_clause.as_ref(), &scope)
    }

    fn merge_when(
        &mut self,
        when: &MergeWhenClause,
        range: &RangeVar,
        relations: &[&'c Relation],
        scope: &Scope<'_, 'c>,
        assigned: &mut Assigned,
    ) {
        if let Some(condition) = when.condition.as_deref() {
            self.predicate(condition, scope);
        }
        let names = names_in(&when.target_list);
        match when.command_type() {
            CmdType::CmdInsert => {
                self.change(range, Change::Insert, &names);
                self.unique_probe(relations, None);
                let mut row = Vec::with_capacity(when.values.len());
                for value in &when.values {
                    let lineage = self.value(value, scope);
                    row.push(OutputColumn { name: String::new(), lineage });
                }
                self.assign_rows(assigned, relations, &names, Some(&row));
                self.made_by_target(assigned, relations, Change::Insert);
            }
            CmdType::CmdUpdate => {
                self.change(range, Change::Update, &names);
                self.assignments(&when.target_list, relations, scope, assigned);
                self.made_by_target(assigned, relations, Change::Update);
            }
            CmdType::CmdDelete => {
                self.change(range, Change::Delete, &[]);
                self.made_by_target(assigned, relations, Change::Delete);
            }
            CmdType::CmdNothing => {}
            CmdType::Undefined | CmdType::CmdUnknown | CmdType::CmdSelect | CmdType::CmdMerge | CmdType::CmdUtility => {
                self.not_understood("a WHEN of MERGE");
            }
        }
    }

    fn returning(&mut self, clause: Option<&ReturningClause>, scope: &Scope<'_, 'c>) -> Shape {
        let Some(clause) = clause else {
            return Some(Vec::new());
        };
        self.mixed = true;
        let mut star: Shape = Some(Vec::new());
        for item in scope.visible() {
            star = match (star, self.item_columns(item)) {
                (Some(mut star), Some(columns)) => {
                    star.extend(columns);
                    Some(star)
                }
                _ => None,
            };
        }
        // What is returned is read.
        let targets: Vec<&'c Relation> = match scope.items.first().map(|item| &item.source) {
            Some(Source::Tables { relations, .. }) => relations.clone(),
            _ => Vec::new(),
        };
        for relation in &targets {
            self.reads.insert(relation.object());
        }
        let assigned = scope.items.first().and_then(|item| item.assigned.clone());
        let mut names = vec!["old".to_owned(), "new".to_owned()];
        for option in &clause.options {
            if let Some(N::ReturningOption(option)) = inner(Some(option)) {
                names.push(option.value.clone());
            }
        }
        // The rows before and after have the target's columns; a table of that name goes first.
        names.retain(|name| !scope.visible().any(|item| item.name == *name));
        let mut aliases = Scope::under(Some(scope));
        for name in names {
            if targets.is_empty() {
                super::from::push(&mut aliases, name, None, Source::Open(Lineage::anything()));
            } else {
                push_tables(&mut aliases, name, None, targets.clone());
                if let Some(item) = aliases.items.last_mut() {
                    item.assigned.clone_from(&assigned);
                }
            }
        }
        aliases.star = star;
        self.targets(&clause.exprs, &aliases)
    }
}
