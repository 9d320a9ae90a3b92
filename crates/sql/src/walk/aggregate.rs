//! Arguments of statistical aggregates: which columns only a statistic carries.
//!
//! The number that comes out speaks of a column's values as numbers: the column itself, or arithmetic on it. Anything else that can be done to a
//! value, and be added up, may as well spell it out (`sum(ascii(name))`), so columns under it stay what they are.

use pg_query::protobuf::{AExprKind, ColumnRef, Node, TypeCast, node::Node as N};

use super::scope::Scope;
use super::types::Type;
use super::{Walker, inner, qualified};
use crate::functions;
use crate::lineage::Lineage;

/// Expressions under a cast are followed this deep for their type.
const MAX_STEPS: usize = 16;

/// Where the columns of an argument go.
#[derive(Default)]
struct Statistic {
    /// Those on which nothing but arithmetic is done.
    carried: Lineage,
    /// All others: in functions and sub-selects, in conditions that decide what is counted.
    plain: Lineage,
}

impl<'c> Walker<'c> {
    /// Walks the arguments of a statistical aggregate, as [`exprs`](Self::exprs) does others.
    pub(super) fn statistic(&mut self, nodes: &[Node], scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let mut found = Statistic::default();
        for node in nodes {
            self.statistic_of(node, scope, &mut found, predicate);
        }
        sink.merge(&found.plain);
        sink.merge(&found.carried.aggregated());
    }

    fn statistic_of(&mut self, node: &Node, scope: &Scope<'_, 'c>, found: &mut Statistic, predicate: bool) {
        match inner(Some(node)) {
            Some(N::ColumnRef(reference)) => self.carried(reference, scope, found, predicate),
            Some(N::AExpr(_)) if self.is_arithmetic(node, scope) => self.terms(node, scope, found),
            Some(N::TypeCast(cast)) if self.converts_number(cast, scope) => {
                if let (Some(name), Some(argument)) = (&cast.type_name, cast.arg.as_deref()) {
                    if self.conversion_of(name, Some(argument)).1 {
                        found.plain.set_unknown();
                    }
                    // Some numbers do not fit into the other type.
                    self.statistic_of(argument, scope, found, true);
                }
            }
            Some(N::CoalesceExpr(coalesce)) if coalesce.args.iter().skip(1).all(is_constant) => {
                for argument in &coalesce.args {
                    self.statistic_of(argument, scope, found, predicate);
                }
            }
            Some(N::CaseExpr(case)) => {
                for result in self.case_results(case, scope, &mut found.plain) {
                    self.statistic_of(result, scope, found, predicate);
                }
            }
            _ => self.expr(node, scope, &mut found.plain, predicate),
        }
    }

    /// A column's own value is carried; what a query below made of one is what it is there.
    fn carried(&mut self, reference: &ColumnRef, scope: &Scope<'_, 'c>, found: &mut Statistic, predicate: bool) {
        let lineage = self.meaning(reference, scope);
        if predicate {
            self.predicates.merge(&lineage);
        }
        if lineage.same().is_some_and(|same| is_quantity(same.type_oid)) {
            found.carried.merge(&lineage);
        } else {
            found.plain.merge(&lineage);
        }
    }

    /// The terms of a chain of arithmetic; chains are left-deep, so walked in a loop.
    fn terms(&mut self, node: &Node, scope: &Scope<'_, 'c>, found: &mut Statistic) {
        let mut left = Some(node);
        let mut right = Vec::new();
        while let Some(node) = left
            && let Some(N::AExpr(expression)) = inner(Some(node))
            && self.is_arithmetic(node, scope)
        {
            let sides = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
            if self.operator_on(&expression.name, sides.0, sides.1, scope) {
                found.plain.set_unknown();
            }
            right.extend(sides.1);
            left = sides.0;
        }
        for term in left.into_iter().chain(right.into_iter().rev()) {
            self.statistic_of(term, scope, found, true);
        }
    }

    /// Whether this is arithmetic with the server's own operators.
    fn is_arithmetic(&mut self, node: &Node, scope: &Scope<'_, 'c>) -> bool {
        let Some(N::AExpr(expression)) = inner(Some(node)) else {
            return false;
        };
        let arithmetic = matches!(qualified(&expression.name).1, "+" | "-" | "*" | "/");
        expression.kind() == AExprKind::AexprOp && arithmetic && self.is_servers_own(expression, scope)
    }

    /// Whether a cast makes a number of a number.
    fn converts_number(&mut self, cast: &TypeCast, scope: &Scope<'_, 'c>) -> bool {
        let into = cast.type_name.as_ref().map_or(Type::Open, |name| self.type_named(name));
        matches!(into, Type::Server(name) if is_number(name))
            && cast.arg.as_deref().is_some_and(|argument| self.gives_number(argument, scope, MAX_STEPS))
    }

    fn gives_number(&mut self, node: &Node, scope: &Scope<'_, 'c>, steps: usize) -> bool {
        let Some(steps) = steps.checked_sub(1) else {
            return false;
        };
        match inner(Some(node)) {
            Some(N::ColumnRef(reference)) => {
                let same = self.meaning(reference, scope).same();
                same.and_then(|same| functions::common_type(same.type_oid)).is_some_and(is_number)
            }
            Some(N::AExpr(expression)) if self.is_arithmetic(node, scope) => {
                let left = expression.lexpr.as_deref().is_none_or(|left| self.gives_number(left, scope, steps));
                left && expression.rexpr.as_deref().is_some_and(|right| self.gives_number(right, scope, steps))
            }
            // All of their values are of one type.
            Some(N::CoalesceExpr(coalesce)) => coalesce.args.iter().any(|value| self.gives_number(value, scope, steps)),
            Some(N::CaseExpr(case)) => case
                .args
                .iter()
                .filter_map(|when| match inner(Some(when)) {
                    Some(N::CaseWhen(when)) => when.result.as_deref(),
                    _ => None,
                })
                .any(|value| self.gives_number(value, scope, steps)),
            _ => matches!(self.type_of(Some(node), scope), Type::Server(name) if is_number(name)),
        }
    }
}

fn is_number(name: &str) -> bool {
    matches!(name, "int2" | "int4" | "int8" | "float4" | "float8" | "numeric")
}

/// Types that statistics, or arithmetic under one, are made of: numbers, truth values, money, times.
fn is_quantity(oid: u32) -> bool {
    const MONEY: u32 = 790;
    let quantity =
        |name| is_number(name) || matches!(name, "bool" | "interval" | "date" | "time" | "timestamp" | "timestamptz");
    oid == MONEY || functions::common_type(oid).is_some_and(quantity)
}

/// A constant, converted or not.
fn is_constant(node: &Node) -> bool {
    match inner(Some(node)) {
        Some(N::AConst(_) | N::ParamRef(_)) => true,
        Some(N::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_constant),
        _ => false,
    }
}
