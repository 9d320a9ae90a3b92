//! The canonical text of an expression: two expressions of one text are the same.

use pg_query::protobuf::{FuncCall, Node, node::Node as N};

use super::build::{Builder, MAX_DEPTH, inner, last_name};

impl Builder<'_, '_, '_> {
    /// The canonical text of an expression; `None` for what has none.
    pub(super) fn key(&mut self, node: &Node, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        match inner(Some(node))? {
            N::ColumnRef(reference) => {
                let mut parts: Vec<&str> = reference
                    .fields
                    .iter()
                    .map(|field| match inner(Some(field)) {
                        Some(N::String(name)) => name.sval.as_str(),
                        _ => "*",
                    })
                    .collect();
                if parts.len() > 1 && parts.get(parts.len() - 2) == Some(&self.target.alias) {
                    parts.drain(..parts.len() - 1);
                }
                Some(format!("c{parts:?}"))
            }
            N::AConst(constant) => Some(format!("k{:?}", constant.val)),
            N::ParamRef(parameter) => {
                self.has_parameters = true;
                Some(format!("${}", parameter.number))
            }
            N::TypeCast(cast) => self.key(cast.arg.as_deref()?, depth + 1),
            N::CollateClause(clause) => self.key(clause.arg.as_deref()?, depth + 1),
            N::FuncCall(call) => self.call_key(call, depth),
            N::CoalesceExpr(coalesce) => {
                let parts = self.keys(&coalesce.args, depth)?;
                match parts.as_slice() {
                    [first, rest @ ..] if rest.iter().all(|part| part == first) => Some(first.clone()),
                    _ => Some(format!("coalesce({})", parts.join(","))),
                }
            }
            N::RowExpr(row) => Some(format!("row({})", self.keys(&row.args, depth)?.join(","))),
            N::AExpr(expression) => {
                let left = match expression.lexpr.as_deref() {
                    Some(left) => self.key(left, depth + 1)?,
                    None => String::new(),
                };
                let right = self.key(expression.rexpr.as_deref()?, depth + 1)?;
                Some(format!("({left} {}{} {right})", expression.kind, last_name(&expression.name)))
            }
            _ => None,
        }
    }

    fn keys(&mut self, nodes: &[Node], depth: usize) -> Option<Vec<String>> {
        nodes.iter().take(64).map(|node| self.key(node, depth + 1)).collect()
    }

    fn call_key(&mut self, call: &FuncCall, depth: usize) -> Option<String> {
        if call.args.len() > 64 || call.over.is_some() || call.agg_filter.is_some() {
            return None;
        }
        let parts = self.keys(&call.args, depth)?;
        Some(format!("{}({})", last_name(&call.funcname), parts.join(",")))
    }
}
