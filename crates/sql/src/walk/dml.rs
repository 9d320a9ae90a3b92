//! INSERT, UPDATE, DELETE, MERGE.

use model::Effect;
use pg_query::protobuf::{
    CmdType, DeleteStmt, InsertStmt, MergeStmt, MergeWhenClause, Node, OnConflictAction, OnConflictClause, RangeVar,
    ReturningClause, UpdateStmt, node::Node as N,
};

use super::effects::Change;
use super::query::OutputColumn;
use super::scope::{Scope, Shape, Source};
use super::{Walker, inner};
use crate::catalog::Relation;
use crate::lineage::Lineage;
use crate::unbounded::{self, Bound};

/// The names assigned in a target list.
fn assigned(targets: &[Node]) -> Vec<&str> {
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
            super::from::push(scope, name, None, Source::Open(Lineage::unknown()));
            return;
        }
        let schema = relations.first().map(|relation| relation.schema.clone());
        self.push_tables(scope, name, schema, relations.to_vec(), Vec::new());
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
        let names = assigned(&insert.cols);
        let relations = self.change(range, Change::Insert, &names);
        let listed: Option<Vec<String>> =
            (!names.is_empty()).then(|| names.iter().map(|name| (*name).to_owned()).collect());
        self.unique_probe(&relations, listed.as_deref());
        for node in &insert.cols {
            self.assignment_subscripts(node, &scope);
        }
        match inner(insert.select_stmt.as_deref()) {
            Some(N::SelectStmt(select)) => {
                let columns = self.select(select, Some(&scope));
                self.store(columns.as_deref());
            }
            Some(_) => self.not_understood("the source of an INSERT"),
            None => {}
        }
        if insert.on_conflict_clause.is_none() && insert.returning_clause.is_none() {
            return Some(Vec::new());
        }
        self.target_item(range, &relations, &mut scope);
        if let Some(conflict) = insert.on_conflict_clause.as_deref() {
            self.on_conflict(conflict, range, &relations, &scope);
        }
        self.returning(insert.returning_clause.as_ref(), &scope)
    }

    fn on_conflict(
        &mut self,
        conflict: &OnConflictClause,
        range: &RangeVar,
        relations: &[&'c Relation],
        scope: &Scope<'_, 'c>,
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
        self.change(range, Change::Update, &assigned(&conflict.target_list));
        let mut inside = Scope::under(Some(scope));
        let name = range.alias.as_ref().map_or_else(|| range.relname.clone(), |alias| alias.aliasname.clone());
        if relations.is_empty() {
            for name in [name, "excluded".to_owned()] {
                super::from::push(&mut inside, name, None, Source::Open(Lineage::unknown()));
            }
        } else {
            self.push_tables(&mut inside, name, None, relations.to_vec(), Vec::new());
            // The row that was to be inserted: where it comes from counts as stored already.
            let columns = relations.iter().flat_map(|relation| &relation.columns);
            let columns =
                columns.map(|column| OutputColumn { name: column.name.clone(), lineage: Lineage::default() }).collect();
            super::from::push(&mut inside, "excluded".to_owned(), None, Source::Derived(columns));
        }
        self.assignments(&conflict.target_list, relations, &inside);
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

    /// `SET a = …, b[i] = …`: the values are stored.
    fn assignments(&mut self, targets: &[Node], relations: &[&'c Relation], scope: &Scope<'_, 'c>) {
        for node in targets {
            let Some(N::ResTarget(target)) = inner(Some(node)) else {
                self.not_understood("an assignment");
                continue;
            };
            self.assignment_subscripts(node, scope);
            if let Some(value) = target.val.as_deref() {
                // `(a, b) = (…)` repeats its source for every column: once is enough.
                if let Some(N::MultiAssignRef(part)) = inner(Some(value))
                    && part.colno > 1
                {
                    continue;
                }
                let mut lineage = Lineage::default();
                self.expr(value, scope, &mut lineage, false);
                // A column made of itself goes nowhere.
                for relation in relations {
                    let own = self.columns.id(&relation.full, &target.name);
                    lineage.retain(|id| id != own);
                }
                self.stored.merge(&lineage);
            }
        }
    }

    fn assignment_subscripts(&mut self, node: &Node, scope: &Scope<'_, 'c>) {
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
        let names = assigned(&update.target_list);
        let relations = self.change(range, Change::Update, &names);
        let listed: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.unique_probe(&relations, Some(&listed));
        self.target_item(range, &relations, &mut scope);
        for node in &update.from_clause {
            self.item_of_from(node, &mut scope);
        }
        self.assignments(&update.target_list, &relations, &scope);
        self.restriction(update.where_clause.as_deref(), range, &relations, &scope);
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
            self.item_of_from(node, &mut scope);
        }
        self.restriction(delete.where_clause.as_deref(), range, &relations, &scope);
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
            self.item_of_from(source, &mut scope);
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
        for node in &merge.merge_when_clauses {
            match inner(Some(node)) {
                Some(N::MergeWhenClause(when)) => self.merge_when(when, range, &relations, &scope),
                _ => self.not_understood("a WHEN of MERGE"),
            }
        }
        self.returning(merge.returning_clause.as_ref(), &scope)
    }

    fn merge_when(
        &mut self,
        when: &MergeWhenClause,
        range: &RangeVar,
        relations: &[&'c Relation],
        scope: &Scope<'_, 'c>,
    ) {
        if let Some(condition) = when.condition.as_deref() {
            self.predicate(condition, scope);
        }
        let names = assigned(&when.target_list);
        match when.command_type() {
            CmdType::CmdInsert => {
                self.change(range, Change::Insert, &names);
                self.unique_probe(relations, None);
                let mut stored = Lineage::default();
                self.exprs(&when.values, scope, &mut stored, false);
                self.stored.merge(&stored);
            }
            CmdType::CmdUpdate => {
                self.change(range, Change::Update, &names);
                self.assignments(&when.target_list, relations, scope);
            }
            CmdType::CmdDelete => {
                self.change(range, Change::Delete, &[]);
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
                super::from::push(&mut aliases, name, None, Source::Open(Lineage::unknown()));
            } else {
                self.push_tables(&mut aliases, name, None, targets.clone(), Vec::new());
            }
        }
        aliases.star = star;
        self.targets(&clause.exprs, &aliases)
    }
}
