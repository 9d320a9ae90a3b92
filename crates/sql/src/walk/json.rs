//! SQL/JSON expressions.

use pg_query::protobuf::{JsonBehavior, JsonOutput, JsonTable, JsonValueExpr, Node, WindowDef, node::Node as N};

use super::scope::Scope;
use super::{Walker, inner};
use crate::lineage::Lineage;

impl<'c> Walker<'c> {
    /// Walks a SQL/JSON node; false when it is none.
    pub(super) fn json(&mut self, node: &N, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) -> bool {
        match node {
            N::JsonValueExpr(value) => self.json_value(Some(value), scope, sink, predicate),
            N::JsonIsPredicate(test) => self.json_expr(test.expr.as_deref(), scope, sink, true),
            N::JsonArgument(argument) => self.json_value(argument.val.as_deref(), scope, sink, predicate),
            N::JsonKeyValue(pair) => {
                self.json_expr(pair.key.as_deref(), scope, sink, predicate);
                self.json_value(pair.value.as_deref(), scope, sink, predicate);
            }
            N::JsonParseExpr(parse) => {
                self.json_value(parse.expr.as_deref(), scope, sink, predicate);
                self.json_output(parse.output.as_ref());
            }
            N::JsonScalarExpr(scalar) => {
                self.json_expr(scalar.expr.as_deref(), scope, sink, predicate);
                self.json_output(scalar.output.as_ref());
            }
            N::JsonSerializeExpr(serialize) => {
                self.json_value(serialize.expr.as_deref(), scope, sink, predicate);
                self.json_output(serialize.output.as_ref());
            }
            N::JsonObjectConstructor(object) => {
                self.exprs(&object.exprs, scope, sink, predicate);
                self.json_output(object.output.as_ref());
            }
            N::JsonArrayConstructor(array) => {
                self.exprs(&array.exprs, scope, sink, predicate);
                self.json_output(array.output.as_ref());
            }
            N::JsonArrayQueryConstructor(array) => {
                self.json_query(array.query.as_deref(), scope, sink, predicate);
                self.json_output(array.output.as_ref());
            }
            N::JsonObjectAgg(aggregate) => {
                if let Some(pair) = aggregate.arg.as_deref() {
                    self.json_expr(pair.key.as_deref(), scope, sink, predicate);
                    self.json_value(pair.value.as_deref(), scope, sink, predicate);
                }
                self.json_aggregate(aggregate.constructor.as_deref(), scope);
            }
            N::JsonArrayAgg(aggregate) => {
                self.json_value(aggregate.arg.as_deref(), scope, sink, predicate);
                self.json_aggregate(aggregate.constructor.as_deref(), scope);
            }
            N::JsonFuncExpr(function) => {
                self.json_value(function.context_item.as_deref(), scope, sink, predicate);
                self.json_expr(function.pathspec.as_deref(), scope, sink, predicate);
                self.exprs(&function.passing, scope, sink, predicate);
                self.json_output(function.output.as_ref());
                for behavior in [function.on_empty.as_deref(), function.on_error.as_deref()] {
                    self.json_behavior(behavior, scope, sink, predicate);
                }
            }
            _ => return false,
        }
        true
    }

    fn json_expr(&mut self, node: Option<&Node>, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        if let Some(node) = node {
            self.expr(node, scope, sink, predicate);
        }
    }

    fn json_value(
        &mut self,
        value: Option<&JsonValueExpr>,
        scope: &Scope<'_, 'c>,
        sink: &mut Lineage,
        predicate: bool,
    ) {
        if let Some(value) = value {
            self.json_expr(value.raw_expr.as_deref(), scope, sink, predicate);
            self.json_expr(value.formatted_expr.as_deref(), scope, sink, predicate);
        }
    }

    fn json_output(&mut self, output: Option<&JsonOutput>) {
        if let Some(name) = output.and_then(|output| output.type_name.as_ref()) {
            self.conversion(name);
        }
    }

    fn json_behavior(
        &mut self,
        behavior: Option<&JsonBehavior>,
        scope: &Scope<'_, 'c>,
        sink: &mut Lineage,
        predicate: bool,
    ) {
        if let Some(behavior) = behavior {
            self.json_expr(behavior.expr.as_deref(), scope, sink, predicate);
        }
    }

    fn json_query(&mut self, query: Option<&Node>, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let Some(N::SelectStmt(select)) = inner(query) else {
            self.not_understood("a query inside JSON_ARRAY");
            sink.set_unknown();
            return;
        };
        let mut lineage = Lineage::default();
        match self.select(select, Some(scope)) {
            Some(columns) => columns.iter().for_each(|column| lineage.merge(&column.lineage)),
            None => lineage.set_unknown(),
        }
        if predicate {
            self.predicates.merge(&lineage);
        }
        sink.merge(&lineage);
    }

    fn json_aggregate(&mut self, aggregate: Option<&pg_query::protobuf::JsonAggConstructor>, scope: &Scope<'_, 'c>) {
        let Some(aggregate) = aggregate else {
            return;
        };
        self.json_output(aggregate.output.as_ref());
        if let Some(filter) = aggregate.agg_filter.as_deref() {
            self.predicate(filter, scope);
        }
        let mut unused = Lineage::default();
        self.sort_items(&aggregate.agg_order, scope, &mut unused);
        if let Some(window) = aggregate.over.as_deref() {
            self.over(window, scope);
        }
    }

    fn over(&mut self, window: &WindowDef, scope: &Scope<'_, 'c>) {
        self.window(window, scope);
    }

    /// JSON_TABLE in FROM: where its columns come from.
    pub(super) fn json_table(&mut self, table: &JsonTable, scope: &Scope<'_, 'c>) -> Lineage {
        let mut lineage = Lineage::default();
        self.json_value(table.context_item.as_deref(), scope, &mut lineage, false);
        self.exprs(&table.passing, scope, &mut lineage, false);
        self.json_behavior(table.on_error.as_deref(), scope, &mut lineage, false);
        self.json_columns(&table.columns, scope, &mut lineage);
        lineage
    }

    fn json_columns(&mut self, columns: &[Node], scope: &Scope<'_, 'c>, sink: &mut Lineage) {
        for node in columns {
            let Some(N::JsonTableColumn(column)) = inner(Some(node)) else {
                self.not_understood("a column of JSON_TABLE");
                continue;
            };
            if let Some(name) = &column.type_name {
                self.conversion(name);
            }
            for behavior in [column.on_empty.as_deref(), column.on_error.as_deref()] {
                self.json_behavior(behavior, scope, sink, false);
            }
            self.json_columns(&column.columns, scope, sink);
        }
    }
}
