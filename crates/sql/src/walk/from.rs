//! FROM: tables, sub-selects, functions, joins.

use std::cell::Cell;

use pg_query::protobuf::{
    Alias, Node, RangeFunction, RangeSubselect, RangeTableFunc, RangeTableSample, RangeVar, node::Node as N,
};

use super::names::COPY;
use super::query::{OutputColumn, rename};
use super::scope::{Item, Scope, Shape, Source};
use super::{Walker, inner, qualified, strings};
use crate::lineage::Lineage;

fn alias_names(alias: Option<&Alias>) -> Vec<String> {
    alias.map(|alias| strings(&alias.colnames).into_iter().map(str::to_owned).collect()).unwrap_or_default()
}

impl<'c> Walker<'c> {
    /// Adds one item of FROM to the scope; answers its columns as a star would list them, or `None` where nobody `asks` for all columns of a table.
    pub(super) fn item_of_from(&mut self, node: &Node, scope: &mut Scope<'_, 'c>, asks: bool) -> Shape {
        match inner(Some(node)) {
            Some(N::RangeVar(range)) => self.range_var(range, scope, asks),
            Some(N::RangeSubselect(select)) => self.range_subselect(select, scope),
            Some(N::RangeFunction(function)) => self.range_function(function, scope),
            Some(N::RangeTableFunc(function)) => self.range_table_func(function, scope),
            Some(N::RangeTableSample(sample)) => self.range_sample(sample, scope, asks),
            Some(N::JsonTable(table)) => {
                let lineage = self.json_table(table, scope);
                self.push_open(table.alias.as_ref(), lineage, scope);
                None
            }
            Some(N::JoinExpr(join)) => self.join(join, scope, asks),
            _ => {
                self.not_understood("an item of FROM");
                None
            }
        }
    }

    fn range_var(&mut self, range: &RangeVar, scope: &mut Scope<'_, 'c>, asks: bool) -> Shape {
        let alias = range.alias.as_ref();
        let name = alias.map_or_else(|| range.relname.clone(), |alias| alias.aliasname.clone());
        if range.schemaname.is_empty()
            && let Some(cte) = scope.cte(&range.relname)
        {
            let mut columns = cte.columns.as_ref().filter(|columns| !self.is_spent(columns.len() * COPY)).cloned();
            if let (Some(columns), Some(alias)) = (&mut columns, alias) {
                rename(columns, &alias.colnames);
            }
            let listed = if asks { columns.clone() } else { None };
            push(scope, name, None, columns.map_or_else(|| Source::Open(Lineage::unknown()), Source::Derived));
            return listed;
        }
        let relations = self.read(range);
        if relations.is_empty() {
            let mut lineage = Lineage::default();
            let object = self.unresolved(&range.schemaname, &range.relname, model::ObjectKind::Relation);
            if object.is_unresolved() {
                lineage.set_unknown();
            }
            lineage.add(self.columns.id(&object.name, "*"));
            push(scope, name, None, Source::Open(lineage));
            return None;
        }
        let schema = alias.is_none().then(|| relations.first().map(|relation| relation.schema.clone())).flatten();
        push(scope, name, schema, Source::Tables { relations, renames: alias_names(alias) });
        if asks { scope.items.last().and_then(|item| self.item_columns(item)) } else { None }
    }

    /// The columns of an item in order.
    pub(super) fn item_columns(&mut self, item: &Item<'c>) -> Shape {
        if self.is_spent(item.width() * COPY) {
            return None;
        }
        match &item.source {
            Source::Derived(columns) => Some(columns.clone()),
            Source::Open(_) => None,
            Source::Tables { relations, renames } => match relations.as_slice() {
                [relation] => Some(
                    relation
                        .columns
                        .iter()
                        .enumerate()
                        .map(|(at, column)| {
                            let mut lineage = self.table_column(relation, &column.name);
                            if let Some(assigned) = &item.assigned {
                                assigned.add_to(&column.name, &mut lineage);
                            }
                            OutputColumn { name: renames.get(at).unwrap_or(&column.name).clone(), lineage }
                        })
                        .collect(),
                ),
                // Which of them it is decides the columns.
                _ => None,
            },
        }
    }

    fn range_subselect(&mut self, range: &RangeSubselect, scope: &mut Scope<'_, 'c>) -> Shape {
        let Some(N::SelectStmt(select)) = inner(range.subquery.as_deref()) else {
            self.not_understood("a sub-select in FROM");
            return None;
        };
        let mut columns = if range.lateral {
            self.select(select, Some(scope))
        } else {
            // Not LATERAL: the items beside it are not visible, the CTEs are.
            let mut outer = Scope::under(scope.parent);
            outer.ctes.clone_from(&scope.ctes);
            self.select(select, Some(&outer))
        };
        if let (Some(columns), Some(alias)) = (&mut columns, &range.alias) {
            rename(columns, &alias.colnames);
        }
        let source = columns.clone().map_or_else(|| Source::Open(Lineage::unknown()), Source::Derived);
        let name = range.alias.as_ref().map(|alias| alias.aliasname.clone()).unwrap_or_default();
        push(scope, name, None, source);
        columns
    }

    fn push_open(&mut self, alias: Option<&Alias>, lineage: Lineage, scope: &mut Scope<'_, 'c>) {
        let name = alias.map(|alias| alias.aliasname.clone()).unwrap_or_default();
        push(scope, name, None, Source::Open(lineage));
    }

    fn range_function(&mut self, range: &RangeFunction, scope: &mut Scope<'_, 'c>) -> Shape {
        let mut lineage = Lineage::default();
        let mut name = String::new();
        let mut column_lists = 0;
        let mut known: Shape = None;
        for node in &range.functions {
            let Some(N::List(list)) = inner(Some(node)) else {
                self.not_understood("a function in FROM");
                continue;
            };
            let mut parts = list.items.iter();
            if let Some(call) = parts.next() {
                if let Some(N::FuncCall(call)) = inner(Some(call)) {
                    qualified(&call.funcname).1.clone_into(&mut name);
                }
                // How many rows it gives may depend on its arguments.
                self.call_columns = None;
                self.expr(call, scope, &mut lineage, true);
            }
            known = self.call_columns.take();
            for definitions in parts {
                column_lists += usize::from(definitions.node.is_some());
                self.column_types(definitions);
            }
        }
        for definition in &range.coldeflist {
            self.column_types(definition);
        }
        if let Some(alias) = &range.alias {
            name.clone_from(&alias.aliasname);
        }
        let mut columns = match known {
            Some(columns) if range.functions.len() == 1 && column_lists == 0 && range.coldeflist.is_empty() => {
                Some(call_columns(columns, range.alias.as_ref(), &name))
            }
            _ => self.function_columns(range, column_lists, &lineage, &name),
        };
        if range.ordinality
            && let Some(columns) = &mut columns
        {
            let at = columns.len();
            columns.push(OutputColumn {
                name: alias_names(range.alias.as_ref()).get(at).cloned().unwrap_or_else(|| "ordinality".to_owned()),
                lineage: Lineage::default(),
            });
        }
        let source = columns.clone().map_or(Source::Open(lineage), Source::Derived);
        push(scope, name, None, source);
        columns
    }

    /// The columns of a function in FROM where the text or the function's name tells them.
    fn function_columns(&mut self, range: &RangeFunction, lists: usize, lineage: &Lineage, name: &str) -> Shape {
        if !range.coldeflist.is_empty() && lists == 0 {
            let columns = range
                .coldeflist
                .iter()
                .filter_map(|node| match inner(Some(node)) {
                    Some(N::ColumnDef(column)) => {
                        Some(OutputColumn { name: column.colname.clone(), lineage: lineage.clone() })
                    }
                    _ => None,
                })
                .collect();
            return Some(columns);
        }
        let [only] = range.functions.as_slice() else {
            return None;
        };
        let Some(N::List(list)) = inner(Some(only)) else {
            return None;
        };
        let Some(N::FuncCall(call)) = inner(list.items.first()) else {
            return None;
        };
        let (schema, function) = qualified(&call.funcname);
        let is_builtin = schema == Some("pg_catalog") || self.catalog.functions_named(function).is_empty();
        // Built-in functions that return one column of a plain type.
        let single = matches!(
            function,
            "generate_series"
                | "generate_subscripts"
                | "regexp_split_to_table"
                | "string_to_table"
                | "jsonb_object_keys"
                | "json_object_keys"
                | "regexp_matches"
                | "jsonb_path_query"
        );
        if !(is_builtin && single && lists == 0) {
            return None;
        }
        let given = alias_names(range.alias.as_ref());
        Some(vec![OutputColumn {
            name: given.first().cloned().unwrap_or_else(|| name.to_owned()),
            lineage: lineage.clone(),
        }])
    }

    /// Types named in a column definition list may run conversions.
    fn column_types(&mut self, node: &Node) {
        match inner(Some(node)) {
            Some(N::ColumnDef(column)) => {
                if let Some(name) = &column.type_name {
                    self.conversion(name);
                }
            }
            Some(N::List(list)) => {
                for node in &list.items {
                    self.column_types(node);
                }
            }
            _ => {}
        }
    }

    fn range_table_func(&mut self, range: &RangeTableFunc, scope: &mut Scope<'_, 'c>) -> Shape {
        let mut lineage = Lineage::default();
        for node in [range.docexpr.as_deref(), range.rowexpr.as_deref()].into_iter().flatten() {
            self.expr(node, scope, &mut lineage, false);
        }
        for node in &range.namespaces {
            if let Some(N::ResTarget(target)) = inner(Some(node))
                && let Some(value) = target.val.as_deref()
            {
                self.expr(value, scope, &mut lineage, false);
            }
        }
        let mut columns = Vec::new();
        for node in &range.columns {
            let Some(N::RangeTableFuncCol(column)) = inner(Some(node)) else {
                self.not_understood("a column of XMLTABLE");
                continue;
            };
            if let Some(name) = &column.type_name {
                self.conversion(name);
            }
            for value in [column.colexpr.as_deref(), column.coldefexpr.as_deref()].into_iter().flatten() {
                self.expr(value, scope, &mut lineage, false);
            }
            columns.push(column.colname.clone());
        }
        let mut columns: Vec<OutputColumn> =
            columns.into_iter().map(|name| OutputColumn { name, lineage: lineage.clone() }).collect();
        let mut name = "xmltable".to_owned();
        if let Some(alias) = &range.alias {
            rename(&mut columns, &alias.colnames);
            name.clone_from(&alias.aliasname);
        }
        push(scope, name, None, Source::Derived(columns.clone()));
        Some(columns)
    }

    fn range_sample(&mut self, sample: &RangeTableSample, scope: &mut Scope<'_, 'c>, asks: bool) -> Shape {
        let (schema, method) = qualified(&sample.method);
        let builtin = matches!(method, "bernoulli" | "system") && schema.is_none_or(|schema| schema == "pg_catalog");
        if !builtin {
            self.function_effect(schema, method, 1);
        }
        let columns = sample.relation.as_deref().and_then(|node| self.item_of_from(node, scope, asks));
        for node in sample.args.iter().chain(sample.repeatable.as_deref()) {
            self.predicate(node, scope);
        }
        columns
    }

    /// A star in a result list: `*`, `t.*`, `(x).*`. The outer `None` is "not a star", the inner one "columns not known".
    pub(super) fn star(&mut self, node: &Node, scope: &Scope<'_, 'c>) -> Option<Shape> {
        match inner(Some(node)) {
            Some(N::ColumnRef(reference)) => {
                let is_star = matches!(reference.fields.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_)));
                if !is_star {
                    return None;
                }
                let parts = strings(&reference.fields);
                Some(match parts.last() {
                    None => self.all_columns(scope),
                    Some(table) => self.columns_of(table, scope),
                })
            }
            Some(N::AIndirection(indirection))
                if matches!(indirection.indirection.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_))) =>
            {
                // The fields of a composite value: how many is not known here.
                let mut lineage = Lineage::default();
                self.call_columns = None;
                self.expr(node, scope, &mut lineage, false);
                // Unless it is what a function gives.
                let call = indirection.indirection.len() == 1
                    && matches!(inner(indirection.arg.as_deref()), Some(N::FuncCall(_)));
                Some(self.call_columns.take().filter(|columns| call && columns.iter().all(|one| !one.name.is_empty())))
            }
            _ => None,
        }
    }

    fn all_columns(&mut self, scope: &Scope<'_, 'c>) -> Shape {
        if self.is_spent(scope.star.as_ref().map_or(0, Vec::len) * COPY) {
            return None;
        }
        for item in scope.visible() {
            item.touched.set(true);
            self.use_item(item);
        }
        scope.star.clone()
    }

    fn columns_of(&mut self, table: &str, scope: &Scope<'_, 'c>) -> Shape {
        let mut level = Some(scope);
        while let Some(current) = level {
            if let Some(item) = current.visible().find(|item| item.name == table) {
                item.touched.set(true);
                self.use_item(item);
                return self.item_columns(item);
            }
            level = current.parent;
        }
        None
    }
}

/// The columns of a function in FROM, one value under the name of the item.
fn call_columns(mut columns: Vec<OutputColumn>, alias: Option<&Alias>, name: &str) -> Vec<OutputColumn> {
    for column in columns.iter_mut().filter(|column| column.name.is_empty()) {
        name.clone_into(&mut column.name);
    }
    if let Some(alias) = alias {
        rename(&mut columns, &alias.colnames);
    }
    columns
}

pub(super) fn push<'c>(scope: &mut Scope<'_, 'c>, name: String, schema: Option<String>, source: Source<'c>) {
    scope.items.push(Item { name, schema, hidden: false, touched: Cell::new(false), source, assigned: None });
}

/// Adds relations as one item, under the names of their columns.
pub(super) fn push_tables<'c>(
    scope: &mut Scope<'_, 'c>,
    name: String,
    schema: Option<String>,
    relations: Vec<&'c crate::catalog::Relation>,
) {
    push(scope, name, schema, Source::Tables { relations, renames: Vec::new() });
}
