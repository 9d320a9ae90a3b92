//! SELECT, VALUES, set operations, WITH.

use std::rc::Rc;

use model::Effect;
use pg_query::protobuf::{
    CommonTableExpr, IntoClause, Node, SelectStmt, SetOperation, WindowDef, WithClause, a_const::Val, node::Node as N,
};

use super::scope::{Cte, Scope, Shape, Source};
use super::{Walker, inner, strings};
use crate::lineage::Lineage;

/// A column of a query's result.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) lineage: Lineage,
}

/// The marker relation of a recursive CTE's own columns while it is being solved. No real relation's name starts with NUL.
const MARKER: &str = "\0recursive";

/// First arms walked twice in one statement.
const MAX_REWALKS: usize = 16;

impl<'c> Walker<'c> {
    /// A query; its result columns, or `None` when not even their number is known.
    pub(super) fn select(&mut self, select: &SelectStmt, parent: Option<&Scope<'_, 'c>>) -> Shape {
        let mut scope = Scope::under(parent);
        if let Some(with) = &select.with_clause {
            self.with(with, &mut scope);
        }
        let columns = if !select.values_lists.is_empty() {
            self.values(&select.values_lists, &scope)
        } else if is_set_operation(select) {
            self.set_operation(select, &scope)
        } else {
            self.plain(select, &mut scope)
        };
        self.order(select, columns.as_deref(), &scope);
        if let Some(into) = select.into_clause.as_deref() {
            self.into_clause(into);
            self.store(columns.as_deref());
        }
        columns
    }

    /// Everything in these columns goes to another place.
    pub(super) fn store(&mut self, columns: Option<&[OutputColumn]>) {
        match columns {
            Some(columns) => {
                for column in columns {
                    self.stored.merge(&column.lineage);
                }
            }
            None => self.stored.set_unknown(),
        }
    }

    #[expect(clippy::wrong_self_convention, reason = "INTO is SQL's word")]
    pub(super) fn into_clause(&mut self, into: &IntoClause) {
        if let Some(range) = &into.rel {
            let name = self.new_name(&range.schemaname, &range.relname, &range.relpersistence);
            self.act(Effect::Create, model::Object::new(model::ObjectKind::Relation, name));
        }
        self.ddl_triggers();
        for option in &into.options {
            self.walk_loose(Some(option), "a storage option");
        }
    }

    fn values(&mut self, rows: &[Node], scope: &Scope<'_, 'c>) -> Shape {
        let mut columns: Vec<OutputColumn> = Vec::new();
        for row in rows {
            let Some(N::List(row)) = inner(Some(row)) else {
                self.not_understood("a row of VALUES");
                return None;
            };
            for (at, value) in row.items.iter().enumerate() {
                if columns.len() <= at {
                    columns.push(OutputColumn { name: format!("column{}", at + 1), lineage: Lineage::default() });
                }
                let mut lineage = Lineage::default();
                self.expr(value, scope, &mut lineage, false);
                if let Some(column) = columns.get_mut(at) {
                    column.lineage.merge(&lineage);
                }
            }
        }
        Some(columns)
    }

    fn set_operation(&mut self, select: &SelectStmt, scope: &Scope<'_, 'c>) -> Shape {
        let left = select.larg.as_deref().and_then(|arm| self.select(arm, Some(scope)));
        let right = select.rarg.as_deref().and_then(|arm| self.select(arm, Some(scope)));
        let columns = match (left, right) {
            (Some(mut left), Some(right)) if left.len() == right.len() => {
                for (column, other) in left.iter_mut().zip(&right) {
                    column.lineage.merge(&other.lineage);
                }
                Some(left)
            }
            _ => None,
        };
        if !(select.all && select.op() == SetOperation::SetopUnion) {
            // Rows are compared.
            self.compare(columns.as_deref());
        }
        columns
    }

    /// All of these columns are compared with something.
    fn compare(&mut self, columns: Option<&[OutputColumn]>) {
        match columns {
            Some(columns) => {
                for column in columns {
                    self.predicates.merge(&column.lineage);
                }
            }
            None => self.predicates.set_unknown(),
        }
    }

    fn plain(&mut self, select: &SelectStmt, scope: &mut Scope<'_, 'c>) -> Shape {
        let log = self.read_log.len();
        let mut star: Shape = Some(Vec::new());
        for item in &select.from_clause {
            let columns = self.from_item(item, scope);
            star = match (star, columns) {
                (Some(mut star), Some(columns)) => {
                    star.extend(columns);
                    Some(star)
                }
                _ => None,
            };
        }
        scope.star = star;
        let from_log = log..self.read_log.len();
        if let Some(condition) = select.where_clause.as_deref() {
            scope.pinned = super::constant::pinned(condition);
            self.predicate(condition, scope);
        }
        let columns = self.targets(&select.target_list, scope);
        self.grouping(select, columns.as_deref(), scope);
        for window in &select.window_clause {
            match inner(Some(window)) {
                Some(N::WindowDef(window)) => self.window(window, scope),
                _ => self.not_understood("a window"),
            }
        }
        if !select.distinct_clause.is_empty() {
            self.distinct(&select.distinct_clause, columns.as_deref(), scope);
        }
        for clause in &select.locking_clause {
            self.locking(clause, scope, from_log.clone());
        }
        columns
    }

    fn grouping(&mut self, select: &SelectStmt, columns: Option<&[OutputColumn]>, scope: &Scope<'_, 'c>) {
        for group in &select.group_clause {
            self.group_item(group, columns, scope);
        }
        if let Some(having) = select.having_clause.as_deref() {
            self.predicate(having, scope);
        }
    }

    fn group_item(&mut self, node: &Node, columns: Option<&[OutputColumn]>, scope: &Scope<'_, 'c>) {
        if let Some(N::GroupingSet(set)) = inner(Some(node)) {
            for part in &set.content {
                self.group_item(part, columns, scope);
            }
            return;
        }
        if self.is_ordinal(node, columns) {
            return;
        }
        // An input column goes before an output of the same name; without one it is the output.
        if let Some(name) = bare_name(node)
            && !self.is_input(name, scope)
            && self.is_output(name, columns)
        {
            return;
        }
        self.predicate(node, scope);
    }

    /// A position in the result list: `ORDER BY 2`.
    fn is_ordinal(&mut self, node: &Node, columns: Option<&[OutputColumn]>) -> bool {
        let Some(N::AConst(constant)) = inner(Some(node)) else {
            return false;
        };
        let Some(Val::Ival(number)) = &constant.val else {
            return false;
        };
        self.literal = true;
        let at = usize::try_from(number.ival).ok().and_then(|at| at.checked_sub(1));
        match columns.and_then(|columns| at.and_then(|at| columns.get(at))) {
            Some(column) => self.predicates.merge(&column.lineage),
            None => self.predicates.set_unknown(),
        }
        true
    }

    fn is_output(&mut self, name: &str, columns: Option<&[OutputColumn]>) -> bool {
        let mut found = false;
        for column in columns.unwrap_or(&[]).iter().filter(|column| column.name == name) {
            self.predicates.merge(&column.lineage);
            found = true;
        }
        found
    }

    fn is_input(&mut self, name: &str, scope: &Scope<'_, 'c>) -> bool {
        scope.visible().any(|item| match &item.source {
            Source::Tables { relations, renames } => relations.iter().any(|relation| {
                relation.columns.iter().enumerate().any(|(at, column)| renames.get(at).unwrap_or(&column.name) == name)
            }),
            Source::Derived(columns) => columns.iter().any(|column| column.name == name),
            Source::Open(_) => true,
        })
    }

    fn distinct(&mut self, clause: &[Node], columns: Option<&[OutputColumn]>, scope: &Scope<'_, 'c>) {
        let mut on = false;
        for node in clause.iter().filter(|node| node.node.is_some()) {
            on = true;
            if !self.is_ordinal(node, columns) {
                let known = bare_name(node).is_some_and(|name| self.is_output(name, columns));
                if !known {
                    self.predicate(node, scope);
                }
            }
        }
        if !on {
            self.compare(columns);
        }
    }

    /// ORDER BY, LIMIT, OFFSET.
    fn order(&mut self, select: &SelectStmt, columns: Option<&[OutputColumn]>, scope: &Scope<'_, 'c>) {
        for node in &select.sort_clause {
            let Some(N::SortBy(sort)) = inner(Some(node)) else {
                self.not_understood("an ORDER BY item");
                continue;
            };
            if !sort.use_op.is_empty() {
                self.operator(&sort.use_op);
            }
            let Some(key) = sort.node.as_deref() else {
                continue;
            };
            if self.is_ordinal(key, columns) {
                continue;
            }
            if let Some(name) = bare_name(key)
                && self.is_output(name, columns)
            {
                continue;
            }
            self.predicate(key, scope);
        }
        for node in [select.limit_count.as_deref(), select.limit_offset.as_deref()].into_iter().flatten() {
            self.predicate(node, scope);
        }
    }

    /// The items of a sort or partition clause inside an expression.
    pub(super) fn sort_items(&mut self, nodes: &[Node], scope: &Scope<'_, 'c>, sink: &mut Lineage) {
        for node in nodes {
            match inner(Some(node)) {
                Some(N::SortBy(sort)) => {
                    if !sort.use_op.is_empty() {
                        self.operator(&sort.use_op);
                    }
                    if let Some(key) = sort.node.as_deref() {
                        self.expr(key, scope, sink, true);
                    }
                }
                Some(_) => self.expr(node, scope, sink, true),
                None => {}
            }
        }
    }

    pub(super) fn window(&mut self, window: &WindowDef, scope: &Scope<'_, 'c>) {
        let mut unused = Lineage::default();
        self.sort_items(&window.partition_clause, scope, &mut unused);
        self.sort_items(&window.order_clause, scope, &mut unused);
        for offset in [window.start_offset.as_deref(), window.end_offset.as_deref()].into_iter().flatten() {
            self.predicate(offset, scope);
        }
    }

    /// FOR UPDATE and the like: `write` on what is locked.
    fn locking(&mut self, node: &Node, scope: &Scope<'_, 'c>, from_log: std::ops::Range<usize>) {
        let Some(N::LockingClause(clause)) = inner(Some(node)) else {
            self.not_understood("a locking clause");
            return;
        };
        self.reason("row locks make writers wait".to_owned());
        let mut names = Vec::new();
        for node in &clause.locked_rels {
            if let Some(N::RangeVar(range)) = inner(Some(node)) {
                names.push(range.relname.as_str());
            }
        }
        let mut objects = Vec::new();
        let mut by_name = !names.is_empty();
        for name in &names {
            let tables: Vec<_> = scope
                .items
                .iter()
                .filter(|item| item.name == *name)
                .filter_map(|item| match &item.source {
                    Source::Tables { relations, .. } => Some(relations),
                    Source::Derived(_) | Source::Open(_) => None,
                })
                .flatten()
                .map(|relation| relation.object())
                .collect();
            by_name &= !tables.is_empty();
            objects.extend(tables);
        }
        if !by_name {
            // Sub-queries in FROM are locked too.
            objects.extend(self.read_log.get(from_log).unwrap_or_default().iter().cloned());
        }
        for object in objects {
            self.act(Effect::Write, object);
        }
    }

    /// The result list.
    pub(super) fn targets(&mut self, targets: &[Node], scope: &Scope<'_, 'c>) -> Shape {
        let mut columns: Shape = Some(Vec::with_capacity(targets.len()));
        for node in targets {
            let Some(N::ResTarget(target)) = inner(Some(node)) else {
                self.not_understood("a result column");
                columns = None;
                continue;
            };
            let Some(value) = target.val.as_deref() else {
                self.not_understood("a result column");
                columns = None;
                continue;
            };
            if let Some(star) = self.star(value, scope) {
                match (&mut columns, star) {
                    (Some(columns), Some(more)) => columns.extend(more),
                    _ => columns = None,
                }
                continue;
            }
            let mut lineage = Lineage::default();
            self.expr(value, scope, &mut lineage, false);
            if let Some(columns) = &mut columns {
                let name = if target.name.is_empty() { output_name(value) } else { target.name.clone() };
                columns.push(OutputColumn { name, lineage });
            }
        }
        columns
    }

    /// WITH: each query in turn, visible to those after it.
    pub(super) fn with(&mut self, with: &WithClause, scope: &mut Scope<'_, 'c>) {
        if with.recursive {
            self.with_recursive(with, scope);
            return;
        }
        for node in &with.ctes {
            let Some(N::CommonTableExpr(cte)) = inner(Some(node)) else {
                self.not_understood("a WITH item");
                continue;
            };
            let columns = self.cte_query(cte, scope);
            self.add_cte(cte, columns, scope);
        }
    }

    fn cte_query(&mut self, cte: &CommonTableExpr, scope: &Scope<'_, 'c>) -> Shape {
        match inner(cte.ctequery.as_deref()) {
            Some(N::SelectStmt(select)) => self.select(select, Some(scope)),
            Some(node @ (N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_))) => {
                self.change_statement(node, Some(scope))
            }
            _ => {
                self.not_understood("a WITH query");
                None
            }
        }
    }

    fn add_cte(&mut self, cte: &CommonTableExpr, mut columns: Shape, scope: &mut Scope<'_, 'c>) {
        let mut all = Lineage::default();
        for column in columns.iter().flatten() {
            all.merge(&column.lineage);
        }
        if let Some(columns) = &mut columns {
            rename(columns, &cte.aliascolnames);
            // SEARCH and CYCLE add columns made of the others.
            let mut extra = Vec::new();
            if let Some(search) = &cte.search_clause {
                extra.push(search.search_seq_column.clone());
            }
            if let Some(cycle) = cte.cycle_clause.as_deref() {
                extra.push(cycle.cycle_mark_column.clone());
                extra.push(cycle.cycle_path_column.clone());
                self.predicates.merge(&all);
            }
            for name in extra {
                columns.push(OutputColumn { name, lineage: all.clone() });
            }
        }
        scope.ctes.push(Rc::new(Cte { name: cte.ctename.clone(), columns }));
    }

    /// WITH RECURSIVE: all names are visible to all queries. Each CTE's own columns are markers first; then what the markers stand for is solved.
    fn with_recursive(&mut self, with: &WithClause, scope: &mut Scope<'_, 'c>) {
        let mut open: Vec<(usize, &CommonTableExpr, usize)> = Vec::new();
        for node in &with.ctes {
            let Some(N::CommonTableExpr(cte)) = inner(Some(node)) else {
                self.not_understood("a WITH item");
                continue;
            };
            open.push((scope.ctes.len(), cte, self.markers));
            self.markers += 1;
            scope.ctes.push(Rc::new(Cte { name: cte.ctename.clone(), columns: None }));
        }
        for (slot, cte, number) in &open {
            let names = cte_names(cte).or_else(|| self.first_arm_names(cte, scope));
            let columns = names.map(|names| self.marked(names, *number, cte));
            if let Some(place) = scope.ctes.get_mut(*slot) {
                *place = Rc::new(Cte { name: cte.ctename.clone(), columns });
            }
        }
        let mut solved: Vec<(usize, Shape)> = Vec::new();
        for (_, cte, number) in &open {
            let columns = self.cte_query(cte, scope);
            solved.push((*number, columns));
        }
        self.solve(&mut solved);
        for ((slot, cte, _), (_, columns)) in open.iter().zip(solved) {
            let at = *slot;
            self.add_cte(cte, columns, scope);
            if let Some(finished) = scope.ctes.pop()
                && let Some(place) = scope.ctes.get_mut(at)
            {
                *place = finished;
            }
        }
    }

    fn marked(&mut self, names: Vec<String>, number: usize, cte: &CommonTableExpr) -> Vec<OutputColumn> {
        let mut columns: Vec<OutputColumn> = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| OutputColumn { name, lineage: self.marker(number, at) })
            .collect();
        rename(&mut columns, &cte.aliascolnames);
        columns
    }

    /// The columns of a recursive CTE whose first arm has a star: that arm is walked once more for its names.
    fn first_arm_names(&mut self, cte: &CommonTableExpr, scope: &Scope<'_, 'c>) -> Option<Vec<String>> {
        // Such CTEs inside each other double the work each.
        if self.rewalks >= MAX_REWALKS {
            return None;
        }
        self.rewalks += 1;
        let columns = self.select(first_arm(cte)?, Some(scope))?;
        Some(columns.into_iter().map(|column| column.name).collect())
    }

    fn marker(&mut self, number: usize, at: usize) -> Lineage {
        let mut lineage = Lineage::default();
        lineage.add(self.columns.id(&format!("{MARKER}{number}"), &at.to_string()));
        lineage
    }

    /// Replaces markers by what they stand for, until nothing changes.
    fn solve(&mut self, solved: &mut [(usize, Shape)]) {
        let mut meaning: std::collections::HashMap<u32, (usize, usize)> = std::collections::HashMap::new();
        for (slot, (number, columns)) in solved.iter().enumerate() {
            for at in 0..columns.as_ref().map_or(0, Vec::len) {
                if let [id] = self.marker(*number, at).ids() {
                    meaning.insert(*id, (slot, at));
                }
            }
        }
        let expand = |lineage: &Lineage, solved: &[(usize, Shape)]| -> Lineage {
            let mut wide = lineage.clone();
            for id in lineage.ids() {
                if let Some((slot, at)) = meaning.get(id)
                    && let Some((_, Some(columns))) = solved.get(*slot)
                    && let Some(column) = columns.get(*at)
                {
                    wide.merge(&column.lineage);
                }
            }
            wide
        };
        // Each round carries lineage one step further; there are no more steps than columns.
        for _ in 0..=meaning.len() {
            let mut changed = false;
            for slot in 0..solved.len() {
                let Some((_, Some(columns))) = solved.get(slot).map(|(number, columns)| (number, columns.clone()))
                else {
                    continue;
                };
                let wide: Vec<Lineage> = columns.iter().map(|column| expand(&column.lineage, solved)).collect();
                if let Some((_, Some(columns))) = solved.get_mut(slot) {
                    for (column, wide) in columns.iter_mut().zip(wide) {
                        changed |= column.lineage != wide;
                        column.lineage = wide;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        self.predicates = expand(&self.predicates, solved);
        self.stored = expand(&self.stored, solved);
        for (_, columns) in solved.iter_mut() {
            for column in columns.iter_mut().flatten() {
                column.lineage.retain(|id| !meaning.contains_key(&id));
            }
        }
        self.predicates.retain(|id| !meaning.contains_key(&id));
        self.stored.retain(|id| !meaning.contains_key(&id));
    }
}

fn is_set_operation(select: &SelectStmt) -> bool {
    matches!(select.op(), SetOperation::SetopUnion | SetOperation::SetopIntersect | SetOperation::SetopExcept)
}

/// Renames columns by position.
pub(super) fn rename(columns: &mut [OutputColumn], names: &[Node]) {
    for (column, name) in columns.iter_mut().zip(strings(names)) {
        name.clone_into(&mut column.name);
    }
}

/// `x` of a plain reference `x`.
pub(super) fn bare_name(node: &Node) -> Option<&str> {
    let Some(N::ColumnRef(reference)) = inner(Some(node)) else {
        return None;
    };
    match (reference.fields.len(), strings(&reference.fields).as_slice()) {
        (1, [name]) => Some(name),
        _ => None,
    }
}

/// The name that the server gives to a column without AS, where another name could refer to it.
pub(super) fn output_name(node: &Node) -> String {
    match inner(Some(node)) {
        Some(N::ColumnRef(reference)) => {
            strings(&reference.fields).last().map_or_else(String::new, |name| (*name).to_owned())
        }
        Some(N::FuncCall(call)) => strings(&call.funcname).last().map_or_else(String::new, |name| (*name).to_owned()),
        Some(N::TypeCast(cast)) => match cast.arg.as_deref().map(output_name) {
            Some(name) if !name.is_empty() && name != "?column?" => name,
            _ => cast
                .type_name
                .as_ref()
                .and_then(|name| strings(&name.names).last().map(|name| (*name).to_owned()))
                .unwrap_or_default(),
        },
        Some(N::AIndirection(indirection)) => strings(&indirection.indirection)
            .last()
            .map(|name| (*name).to_owned())
            .or_else(|| indirection.arg.as_deref().map(output_name))
            .unwrap_or_default(),
        Some(N::CollateClause(clause)) => clause.arg.as_deref().map(output_name).unwrap_or_default(),
        Some(N::CaseExpr(case)) => match case.defresult.as_deref().map(output_name) {
            Some(name) if !name.is_empty() && name != "?column?" => name,
            _ => "case".to_owned(),
        },
        Some(N::CoalesceExpr(_)) => "coalesce".to_owned(),
        Some(N::SubLink(link)) => match (link.sub_link_type(), inner(link.subselect.as_deref())) {
            (pg_query::protobuf::SubLinkType::ExistsSublink, _) => "exists".to_owned(),
            (pg_query::protobuf::SubLinkType::ArraySublink, _) => "array".to_owned(),
            (_, Some(N::SelectStmt(select))) => match inner(select.target_list.first()) {
                Some(N::ResTarget(target)) if !target.name.is_empty() => target.name.clone(),
                Some(N::ResTarget(target)) => target.val.as_deref().map(output_name).unwrap_or_default(),
                _ => String::new(),
            },
            _ => String::new(),
        },
        Some(N::AArrayExpr(_)) => "array".to_owned(),
        Some(N::RowExpr(_)) => "row".to_owned(),
        _ => "?column?".to_owned(),
    }
}

/// The non-recursive arm of a recursive CTE.
fn first_arm(cte: &CommonTableExpr) -> Option<&SelectStmt> {
    let Some(N::SelectStmt(select)) = inner(cte.ctequery.as_deref()) else {
        return None;
    };
    let mut select = select.as_ref();
    while let (true, Some(left)) = (is_set_operation(select), select.larg.as_deref()) {
        select = left;
    }
    Some(select)
}

/// The columns of a CTE by its text alone; `None` when a star hides them.
fn cte_names(cte: &CommonTableExpr) -> Option<Vec<String>> {
    let select = first_arm(cte)?;
    if let Some(N::List(row)) = inner(select.values_lists.first()) {
        return Some((1..=row.items.len()).map(|at| format!("column{at}")).collect());
    }
    select
        .target_list
        .iter()
        .map(|node| {
            let Some(N::ResTarget(target)) = inner(Some(node)) else {
                return None;
            };
            let value = target.val.as_deref()?;
            let may_be_star = match inner(Some(value)) {
                Some(N::ColumnRef(reference)) => {
                    matches!(reference.fields.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_)))
                }
                Some(N::AIndirection(indirection)) => {
                    matches!(indirection.indirection.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_)))
                }
                _ => false,
            };
            (!may_be_star).then(|| if target.name.is_empty() { output_name(value) } else { target.name.clone() })
        })
        .collect()
}
