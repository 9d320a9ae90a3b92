//! SELECT, VALUES, set operations, WITH.

use model::Effect;
use pg_query::protobuf::{IntoClause, Node, SelectStmt, SetOperation, WindowDef, a_const::Val, node::Node as N};

use super::scope::{Scope, Shape, Source};
use super::{Walker, inner, strings};
use crate::lineage::Lineage;

/// A column of a query's result.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) lineage: Lineage,
}

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
            self.make_into(into);
            self.store(columns.as_deref());
        }
        columns
    }

    pub(super) fn make_into(&mut self, into: &IntoClause) {
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
                let lineage = self.value(value, scope);
                if let Some(column) = columns.get_mut(at) {
                    if rows.len() == 1 {
                        column.lineage = lineage;
                    } else {
                        column.lineage.merge(&lineage);
                    }
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
                    self.equal(&column.lineage);
                }
            }
            None => self.predicates.set_unknown(),
        }
    }

    fn plain(&mut self, select: &SelectStmt, scope: &mut Scope<'_, 'c>) -> Shape {
        let log = self.read_log.len();
        let mut star: Shape = Some(Vec::new());
        let asks = select.target_list.iter().any(is_star);
        for item in &select.from_clause {
            let columns = self.item_of_from(item, scope, asks);
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
        if self.is_ordinal(node, columns, true) {
            return;
        }
        // An input column goes before an output of the same name; without one it is the output.
        if let Some(name) = bare_name(node)
            && !self.is_input(name, scope)
            && self.is_output(name, columns, true)
        {
            return;
        }
        self.compared_to(node, scope);
    }

    /// A position in the result list: `ORDER BY 2`.
    fn is_ordinal(&mut self, node: &Node, columns: Option<&[OutputColumn]>, groups: bool) -> bool {
        let Some(N::AConst(constant)) = inner(Some(node)) else {
            return false;
        };
        let Some(Val::Ival(number)) = &constant.val else {
            return false;
        };
        self.literal = true;
        let at = usize::try_from(number.ival).ok().and_then(|at| at.checked_sub(1));
        match columns.and_then(|columns| at.and_then(|at| columns.get(at))) {
            Some(column) if groups => self.equal(&column.lineage),
            Some(column) => self.predicates.merge(&column.lineage),
            None => self.predicates.set_unknown(),
        }
        true
    }

    fn is_output(&mut self, name: &str, columns: Option<&[OutputColumn]>, groups: bool) -> bool {
        let mut found = false;
        for column in columns.unwrap_or(&[]).iter().filter(|column| column.name == name) {
            if groups {
                self.equal(&column.lineage);
            } else {
                self.predicates.merge(&column.lineage);
            }
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
            if !self.is_ordinal(node, columns, true) {
                let known = bare_name(node).is_some_and(|name| self.is_output(name, columns, true));
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
            if self.is_ordinal(key, columns, false) {
                continue;
            }
            if let Some(name) = bare_name(key)
                && self.is_output(name, columns, false)
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
            let lineage = self.value(value, scope);
            if let Some(columns) = &mut columns {
                let name = if target.name.is_empty() { output_name(value) } else { target.name.clone() };
                columns.push(OutputColumn { name, lineage });
            }
        }
        columns
    }
}

pub(super) fn is_set_operation(select: &SelectStmt) -> bool {
    matches!(select.op(), SetOperation::SetopUnion | SetOperation::SetopIntersect | SetOperation::SetopExcept)
}

/// Renames columns by position.
pub(super) fn rename(columns: &mut [OutputColumn], names: &[Node]) {
    for (column, name) in columns.iter_mut().zip(strings(names)) {
        name.clone_into(&mut column.name);
    }
}

/// Whether a result column is `*`, of all items of FROM.
fn is_star(target: &Node) -> bool {
    let Some(N::ResTarget(target)) = inner(Some(target)) else {
        return false;
    };
    let Some(N::ColumnRef(reference)) = inner(target.val.as_deref()) else {
        return false;
    };
    matches!(reference.fields.as_slice(), [only] if matches!(inner(Some(only)), Some(N::AStar(_))))
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
