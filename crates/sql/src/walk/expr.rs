//! Expressions: what they do, and where their values come from.

use pg_query::protobuf::{
    AExpr, AExprKind, AIndirection, CaseExpr, Node, SubLink, SubLinkType, TypeCast, XmlExpr, node::Node as N,
};

use super::scope::Scope;
use super::{Walker, inner, qualified};
use crate::lineage::Lineage;

impl<'c> Walker<'c> {
    /// An expression that decides something: WHERE, ON, a CASE condition.
    pub(super) fn predicate(&mut self, node: &Node, scope: &Scope<'_, 'c>) {
        let mut unused = Lineage::default();
        self.expr(node, scope, &mut unused, true);
        if unused.is_unknown() {
            self.predicates.set_unknown();
        }
    }

    /// A value that is compared with others for being equal: a column's own value tells that and no more.
    pub(super) fn equal(&mut self, lineage: &Lineage) {
        if lineage.same().is_some() {
            self.compared.merge(lineage);
        } else {
            self.predicates.merge(lineage);
        }
    }

    /// An operand of `=` and the like; where it comes from.
    pub(super) fn compared_to(&mut self, node: &Node, scope: &Scope<'_, 'c>) -> Lineage {
        match inner(Some(node)) {
            Some(N::ColumnRef(reference)) => {
                let lineage = self.meaning(reference, scope);
                self.equal(&lineage);
                lineage
            }
            Some(N::List(list)) => {
                let mut all = Lineage::default();
                for item in &list.items {
                    let lineage = self.compared_to(item, scope);
                    all.merge(&lineage);
                }
                all
            }
            _ => {
                let mut lineage = Lineage::default();
                self.expr(node, scope, &mut lineage, true);
                if lineage.is_unknown() {
                    self.predicates.set_unknown();
                }
                lineage
            }
        }
    }

    /// Where an expression's value comes from. What is merely named is passed on as it is.
    pub(super) fn value(&mut self, node: &Node, scope: &Scope<'_, 'c>) -> Lineage {
        if let Some(N::ColumnRef(reference)) = inner(Some(node)) {
            return self.meaning(reference, scope);
        }
        let mut lineage = Lineage::default();
        self.expr(node, scope, &mut lineage, false);
        lineage
    }

    fn expr_maybe(&mut self, node: Option<&Node>, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        if let Some(node) = node {
            self.expr(node, scope, sink, predicate);
        }
    }

    pub(super) fn exprs(&mut self, nodes: &[Node], scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        for node in nodes {
            self.expr(node, scope, sink, predicate);
        }
    }

    /// Walks an expression: its effects are collected, its columns are added to `sink`, and to the predicates when `predicate`.
    pub(super) fn expr(&mut self, node: &Node, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let Some(node) = node.node.as_ref() else {
            return;
        };
        match node {
            N::ColumnRef(reference) => self.column(reference, scope, sink, predicate),
            N::SetToDefault(_) => self.compared_with.forget(),
            N::AConst(_)
            | N::SqlvalueFunction(_)
            | N::Integer(_)
            | N::Float(_)
            | N::Boolean(_)
            | N::String(_)
            | N::BitString(_)
            | N::CurrentOfExpr(_) => {}
            N::ParamRef(parameter) => self.parameter(parameter.number),
            N::AExpr(expression) => self.operation(expression, scope, sink, predicate),
            N::BoolExpr(expression) => self.exprs(&expression.args, scope, sink, true),
            N::NullTest(test) => {
                if let Some(node) = test.arg.as_deref() {
                    let lineage = self.compared_to(node, scope);
                    sink.merge(&lineage);
                }
            }
            N::BooleanTest(test) => self.expr_maybe(test.arg.as_deref(), scope, sink, true),
            N::FuncCall(call) => self.call(call, scope, sink, predicate),
            N::TypeCast(cast) => self.cast(cast, scope, sink, predicate),
            N::CollateClause(clause) => self.expr_maybe(clause.arg.as_deref(), scope, sink, predicate),
            N::SubLink(link) => self.sub_link(link, scope, sink, predicate),
            N::CaseExpr(case) => self.case(case, scope, sink, predicate),
            N::CoalesceExpr(coalesce) => self.exprs(&coalesce.args, scope, sink, predicate),
            N::MinMaxExpr(expression) => self.exprs(&expression.args, scope, sink, true),
            N::AArrayExpr(array) => self.exprs(&array.elements, scope, sink, predicate),
            N::RowExpr(row) => self.exprs(&row.args, scope, sink, predicate),
            N::List(list) => self.exprs(&list.items, scope, sink, predicate),
            N::AIndirection(indirection) => self.indirection(indirection, scope, sink, predicate),
            N::NamedArgExpr(argument) => self.expr_maybe(argument.arg.as_deref(), scope, sink, predicate),
            N::GroupingFunc(_) => {}
            N::MultiAssignRef(assignment) => self.expr_maybe(assignment.source.as_deref(), scope, sink, predicate),
            N::ResTarget(target) => self.expr_maybe(target.val.as_deref(), scope, sink, predicate),
            N::XmlExpr(xml) => self.xml(xml, scope, sink, predicate),
            N::XmlSerialize(xml) => {
                if let Some(name) = &xml.type_name {
                    self.conversion(name);
                }
                self.expr_maybe(xml.expr.as_deref(), scope, sink, predicate);
            }
            N::MergeSupportFunc(_) => {}
            other if self.json(other, scope, sink, predicate) => {}
            _ => {
                self.not_understood("a sort of expression");
                sink.set_unknown();
            }
        }
    }

    fn operation(&mut self, expression: &AExpr, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let sides = matches!(expression.kind(), AExprKind::AexprOp | AExprKind::AexprIn);
        let mut anything = if sides {
            self.operator_on(&expression.name, expression.lexpr.as_deref(), expression.rexpr.as_deref(), scope)
        } else {
            self.operator(&expression.name)
        };
        let compares = match expression.kind() {
            AExprKind::AexprOp => super::operator::compares(qualified(&expression.name).1),
            AExprKind::Undefined => {
                self.not_understood("an operator expression");
                true
            }
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                self.operator_named(None, ">=");
                self.operator_named(None, "<=");
                true
            }
            AExprKind::AexprOpAny
            | AExprKind::AexprOpAll
            | AExprKind::AexprDistinct
            | AExprKind::AexprNotDistinct
            | AExprKind::AexprNullif
            | AExprKind::AexprIn
            | AExprKind::AexprLike
            | AExprKind::AexprIlike
            | AExprKind::AexprSimilar => true,
        };
        if !anything && asks_equality(expression) && self.is_servers_own(expression, scope) {
            return self.equality(expression, scope, sink);
        }
        let predicate = predicate || compares;
        // A chain is left-deep; walk down it in a loop so that its length costs no stack. Once it asks something, all of it does.
        let mut predicate = predicate;
        let mut left = expression.lexpr.as_deref();
        let mut right = vec![expression.rexpr.as_deref()];
        while let Some(N::AExpr(next)) = inner(left) {
            let name = qualified(&next.name).1;
            if next.kind() != AExprKind::AexprOp || !super::operator::is_chained(name) {
                break;
            }
            predicate |= super::operator::compares(name);
            anything |= self.operator_on(&next.name, next.lexpr.as_deref(), next.rexpr.as_deref(), scope);
            right.push(next.rexpr.as_deref());
            left = next.lexpr.as_deref();
        }
        self.expr_maybe(left, scope, sink, predicate);
        for node in right.into_iter().rev() {
            self.expr_maybe(node, scope, sink, predicate);
        }
        if anything {
            sink.set_unknown();
        }
    }

    fn cast(&mut self, cast: &TypeCast, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let mut fails = false;
        if let Some(name) = &cast.type_name {
            let (parameter, anything) = self.conversion_of(name, cast.arg.as_deref());
            if anything {
                sink.set_unknown();
            }
            if parameter {
                return;
            }
            // A conversion to another type than text may fail for some values.
            let plain = matches!(qualified(&name.names).1, "text" | "varchar" | "bpchar" | "name");
            fails = !plain;
        }
        self.expr_maybe(cast.arg.as_deref(), scope, sink, predicate || fails);
    }

    fn sub_link(&mut self, link: &SubLink, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let compares = match link.sub_link_type() {
            SubLinkType::AnySublink | SubLinkType::AllSublink | SubLinkType::RowcompareSublink => {
                if link.oper_name.is_empty() {
                    self.operator_named(None, "=");
                } else {
                    self.operator(&link.oper_name);
                }
                true
            }
            SubLinkType::ExistsSublink
            | SubLinkType::ExprSublink
            | SubLinkType::MultiexprSublink
            | SubLinkType::ArraySublink
            | SubLinkType::CteSublink => false,
            SubLinkType::Undefined => {
                self.not_understood("a sub-select");
                true
            }
        };
        let predicate = predicate || compares;
        self.expr_maybe(link.testexpr.as_deref(), scope, sink, predicate);
        let Some(N::SelectStmt(select)) = inner(link.subselect.as_deref()) else {
            self.not_understood("a sub-select");
            sink.set_unknown();
            return;
        };
        let columns = self.select(select, Some(scope));
        if link.sub_link_type() == SubLinkType::ExistsSublink {
            return;
        }
        let mut lineage = Lineage::default();
        match columns {
            Some(columns) => columns.iter().for_each(|column| lineage.merge(&column.lineage)),
            None => lineage.set_unknown(),
        }
        if predicate {
            self.predicates.merge(&lineage);
        }
        sink.merge(&lineage);
    }

    fn case(&mut self, case: &CaseExpr, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        for result in self.case_results(case, scope, sink) {
            self.expr(result, scope, sink, predicate);
        }
    }

    /// Walks what decides between the branches of a CASE, and answers what they give.
    pub(super) fn case_results<'n>(
        &mut self,
        case: &'n CaseExpr,
        scope: &Scope<'_, 'c>,
        sink: &mut Lineage,
    ) -> Vec<&'n Node> {
        let mut results = Vec::new();
        if let Some(argument) = case.arg.as_deref() {
            self.operator_named(None, "=");
            self.expr(argument, scope, sink, true);
        }
        for when in &case.args {
            let Some(N::CaseWhen(when)) = inner(Some(when)) else {
                self.not_understood("a CASE branch");
                continue;
            };
            // Which branch was taken shows in the result: what decides counts as a source of it.
            self.expr_maybe(when.expr.as_deref(), scope, sink, true);
            results.extend(when.result.as_deref());
        }
        results.extend(case.defresult.as_deref());
        results
    }

    fn indirection(&mut self, indirection: &AIndirection, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let mut lineage = Lineage::default();
        self.expr_maybe(indirection.arg.as_deref(), scope, &mut lineage, predicate);
        for step in &indirection.indirection {
            match inner(Some(step)) {
                Some(N::AIndices(indices)) => {
                    self.expr_maybe(indices.lidx.as_deref(), scope, sink, true);
                    self.expr_maybe(indices.uidx.as_deref(), scope, sink, true);
                }
                // A field, or a function of that name.
                Some(N::String(name)) => self.attribute_function(&name.sval, &mut lineage),
                Some(N::AStar(_)) => {}
                _ => self.not_understood("a subscript"),
            }
        }
        if predicate {
            self.predicates.merge(&lineage);
        }
        sink.merge(&lineage);
    }

    fn xml(&mut self, xml: &XmlExpr, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        self.exprs(&xml.named_args, scope, sink, predicate);
        self.exprs(&xml.args, scope, sink, predicate);
    }

    /// An expression of a definition (a default, a check, an index): its effects count, its columns belong to the object being defined.
    pub(super) fn walk_loose(&mut self, node: Option<&Node>, _what: &str) {
        let Some(node) = node else {
            return;
        };
        match inner(Some(node)) {
            Some(N::DefElem(option)) => {
                if let Some(value) = option.arg.as_deref() {
                    self.walk_loose(Some(value), "an option");
                }
            }
            Some(N::TypeName(_) | N::List(_) | N::RoleSpec(_) | N::ObjectWithArgs(_)) | None => {}
            Some(_) => {
                let mut scope = Scope::under(None);
                super::from::push(&mut scope, String::new(), None, super::scope::Source::Open(Lineage::default()));
                let mut unused = Lineage::default();
                self.expr(node, &scope, &mut unused, false);
            }
        }
    }
}

/// Whether an operator expression asks whether its operands are equal, and no more.
fn asks_equality(expression: &AExpr) -> bool {
    match expression.kind() {
        AExprKind::AexprOp | AExprKind::AexprOpAny | AExprKind::AexprOpAll | AExprKind::AexprIn => {
            let (schema, name) = qualified(&expression.name);
            matches!(schema, None | Some("pg_catalog")) && matches!(name, "=" | "<>")
        }
        AExprKind::AexprDistinct | AExprKind::AexprNotDistinct | AExprKind::AexprNullif => true,
        AExprKind::Undefined
        | AExprKind::AexprLike
        | AExprKind::AexprIlike
        | AExprKind::AexprSimilar
        | AExprKind::AexprBetween
        | AExprKind::AexprNotBetween
        | AExprKind::AexprBetweenSym
        | AExprKind::AexprNotBetweenSym => false,
    }
}
