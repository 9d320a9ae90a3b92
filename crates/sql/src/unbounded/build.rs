//! Tree → [`Condition`].

use pg_query::protobuf::{
    AExpr, AExprKind, BoolExprType, Node, NullTestType, SelectStmt, SetOperation, SubLink, SubLinkType, a_const::Val,
    node::Node as N,
};

use super::{Base, Compare, Condition, Pattern, Target, Term};

/// Expressions nested deeper than this have no canonical text.
pub(super) const MAX_DEPTH: usize = 48;

pub(super) struct Builder<'a, 't, 'c> {
    pub(super) target: &'a Target<'t, 'c>,
    pub(super) looked_at_literal: bool,
    pub(super) has_parameters: bool,
    pub(super) is_cursor: bool,
}

pub(super) fn inner(node: Option<&Node>) -> Option<&N> {
    node.and_then(|node| node.node.as_ref())
}

pub(super) fn last_name(nodes: &[Node]) -> &str {
    match inner(nodes.last()) {
        Some(N::String(name)) => &name.sval,
        _ => "",
    }
}

fn negate(condition: Condition) -> Condition {
    match condition {
        Condition::And(parts) => Condition::Or(parts.into_iter().map(negate).collect()),
        Condition::Or(parts) => Condition::And(parts.into_iter().map(negate).collect()),
        Condition::Compare(compare, left, right) => Condition::Compare(compare.negated(), left, right),
        Condition::Null { key, is_null, never } => Condition::Null { key, is_null: !is_null, never },
        Condition::Matches { pattern, text, negated } => Condition::Matches { pattern, text, negated: !negated },
        Condition::Truth { term, negated } => Condition::Truth { term, negated: !negated },
        Condition::Always(answer) => Condition::Always(!answer),
        Condition::Opaque { key, negated } => Condition::Opaque { key, negated: !negated },
    }
}

impl<'a, 't, 'c> Builder<'a, 't, 'c> {
    pub(super) fn new(target: &'a Target<'t, 'c>) -> Self {
        Self { target, looked_at_literal: false, has_parameters: false, is_cursor: false }
    }

    pub(super) fn condition(&mut self, node: &Node, depth: usize) -> Condition {
        let opaque = Condition::Opaque { key: String::new(), negated: false };
        if depth > 400 {
            return opaque;
        }
        match inner(Some(node)) {
            Some(N::BoolExpr(expression)) => {
                let parts: Vec<Condition> =
                    expression.args.iter().map(|part| self.condition(part, depth + 1)).collect();
                match expression.boolop() {
                    BoolExprType::AndExpr => Condition::And(parts),
                    BoolExprType::OrExpr => {
                        self.note_ranges(&parts);
                        Condition::Or(parts)
                    }
                    BoolExprType::NotExpr => parts.into_iter().next().map_or(opaque, negate),
                    BoolExprType::Undefined => opaque,
                }
            }
            Some(N::AExpr(expression)) => self.operation(expression, depth).unwrap_or_else(|| self.opaque(node)),
            Some(N::NullTest(test)) => match test.arg.as_deref() {
                Some(argument) => Condition::Null {
                    key: self.key(argument, 0).unwrap_or_default(),
                    is_null: test.nulltesttype() == NullTestType::IsNull,
                    never: self.never_null(argument),
                },
                None => opaque,
            },
            Some(N::SubLink(link)) => self.sub_link(link).unwrap_or_else(|| self.opaque(node)),
            Some(N::FuncCall(call)) if last_name(&call.funcname) == "starts_with" => {
                self.matches(Pattern::Prefix, call.args.get(1), false).unwrap_or_else(|| self.opaque(node))
            }
            Some(N::CaseExpr(case)) => {
                let results = case.args.iter().filter_map(|when| match inner(Some(when)) {
                    Some(N::CaseWhen(when)) => when.result.as_deref(),
                    _ => None,
                });
                let parts: Vec<Condition> =
                    results.chain(case.defresult.as_deref()).map(|part| self.condition(part, depth + 1)).collect();
                // True whichever branch is taken.
                Condition::And(parts)
            }
            Some(N::CurrentOfExpr(_)) => {
                self.is_cursor = true;
                opaque
            }
            Some(N::AConst(_) | N::ParamRef(_) | N::TypeCast(_)) => {
                let term = self.term(node, 0);
                self.looked_at_literal |= matches!(term.base, Base::Text(_) | Base::Number);
                match term.base {
                    Base::Key(key) => Condition::Opaque { key, negated: false },
                    _ => Condition::Truth { term, negated: false },
                }
            }
            _ => self.opaque(node),
        }
    }

    fn opaque(&mut self, node: &Node) -> Condition {
        Condition::Opaque { key: self.key(node, 0).unwrap_or_default(), negated: false }
    }

    /// Ranges over one key beside each other may cover everything, depending on their constants.
    fn note_ranges(&mut self, parts: &[Condition]) {
        let ranges = parts
            .iter()
            .filter(|part| matches!(part, Condition::Compare(compare, _, _) if *compare != Compare::Equal))
            .count();
        self.looked_at_literal |= ranges > 0 && parts.len() > 1;
    }

    fn operation(&mut self, expression: &AExpr, _depth: usize) -> Option<Condition> {
        let left = expression.lexpr.as_deref();
        let right = expression.rexpr.as_deref()?;
        let name = last_name(&expression.name);
        match expression.kind() {
            AExprKind::AexprOp => {
                if let Some(compare) = Compare::parse(name) {
                    return Some(self.compare(compare, left?, right));
                }
                match name {
                    "~~" | "~~*" => self.matches(Pattern::Like, Some(right), false),
                    "!~~" | "!~~*" => self.matches(Pattern::Like, Some(right), true),
                    "~" | "~*" => self.matches(Pattern::Regex, Some(right), false),
                    "!~" | "!~*" => self.matches(Pattern::Regex, Some(right), true),
                    "^@" => self.matches(Pattern::Prefix, Some(right), false),
                    _ => None,
                }
            }
            AExprKind::AexprLike | AExprKind::AexprIlike => {
                self.matches(Pattern::Like, Some(right), name.starts_with('!'))
            }
            AExprKind::AexprSimilar => self.matches(Pattern::Like, Some(right), name.starts_with('!')),
            AExprKind::AexprNotDistinct => Some(self.distinct(left?, right, false)),
            AExprKind::AexprDistinct => Some(self.distinct(left?, right, true)),
            AExprKind::AexprIn => self.any_of(Compare::parse(name)?, left?, right),
            AExprKind::AexprOpAny => self.any_of(Compare::parse(name)?, left?, right),
            AExprKind::AexprBetween | AExprKind::AexprBetweenSym => self.between(left?, right, false),
            AExprKind::AexprNotBetween | AExprKind::AexprNotBetweenSym => self.between(left?, right, true),
            AExprKind::AexprOpAll | AExprKind::AexprNullif | AExprKind::Undefined => None,
        }
    }

    /// IS [NOT] DISTINCT FROM, for which NULL is a value.
    fn distinct(&mut self, left: &Node, right: &Node, distinct: bool) -> Condition {
        let is_null = |node: &Node| matches!(inner(Some(node)), Some(N::AConst(constant)) if constant.isnull);
        let compare = if distinct { Compare::NotEqual } else { Compare::Equal };
        let subject = match (is_null(left), is_null(right)) {
            (true, true) => return Condition::Always(!distinct),
            (true, false) => right,
            (false, true) => left,
            (false, false) => return self.compare(compare, left, right),
        };
        Condition::Null {
            key: self.key(subject, 0).unwrap_or_default(),
            is_null: !distinct,
            never: self.never_null(subject),
        }
    }

    fn between(&mut self, subject: &Node, bounds: &Node, negated: bool) -> Option<Condition> {
        let Some(N::List(list)) = inner(Some(bounds)) else {
            return None;
        };
        let [low, high] = list.items.as_slice() else {
            return None;
        };
        let parts =
            vec![self.compare(Compare::GreaterEqual, subject, low), self.compare(Compare::LessEqual, subject, high)];
        if negated {
            self.looked_at_literal = true;
            return Some(negate(Condition::And(parts)));
        }
        Some(Condition::And(parts))
    }

    /// `x IN (…)`, `x = ANY (ARRAY[…])`; `NOT IN` is all of the negations.
    fn any_of(&mut self, compare: Compare, subject: &Node, list: &Node) -> Option<Condition> {
        let items = match inner(Some(list)) {
            Some(N::List(list)) => &list.items,
            Some(N::AArrayExpr(array)) => &array.elements,
            Some(N::SubLink(link)) if compare == Compare::Equal => {
                let column = self.own_column(link)?;
                return (self.key(subject, 0)? == column).then_some(Condition::Always(true));
            }
            _ => return None,
        };
        // Thousands of values restrict; only the subject itself among them does not.
        let parts: Vec<Condition> = items.iter().take(256).map(|item| self.compare(compare, subject, item)).collect();
        Some(if compare == Compare::NotEqual { Condition::And(parts) } else { Condition::Or(parts) })
    }

    fn compare(&mut self, compare: Compare, left: &Node, right: &Node) -> Condition {
        let (left, right) = (self.term(left, 0), self.term(right, 0));
        // All rows of a table have its number; which partition a row is in is not a choice of rows either.
        let is_table = |term: &Term| matches!(&term.base, Base::Key(key) if key == "c[\"tableoid\"]");
        if is_table(&left) || is_table(&right) {
            return Condition::Always(true);
        }
        let constant = |term: &Term| matches!(term.base, Base::Number | Base::Text(_) | Base::Null);
        let measured = |term: &Term| matches!(&term.base, Base::Key(key) if super::evaluate::is_measure(key));
        self.looked_at_literal |= constant(&left) && constant(&right)
            || left.base == right.base && (left.offset != 0.0 || right.offset != 0.0)
            || measured(&left)
            || measured(&right);
        Condition::Compare(compare, left, right)
    }

    fn matches(&mut self, pattern: Pattern, text: Option<&Node>, negated: bool) -> Option<Condition> {
        let node = text?;
        // SIMILAR TO and ESCAPE wrap the pattern in a function.
        let node = match inner(Some(node)) {
            Some(N::FuncCall(call)) if matches!(last_name(&call.funcname), "similar_to_escape" | "like_escape") => {
                call.args.first()?
            }
            _ => node,
        };
        let text = self.term(node, 0);
        self.looked_at_literal |= matches!(text.base, Base::Text(_));
        if matches!(text.base, Base::Key(_)) {
            return None;
        }
        Some(Condition::Matches { pattern, text, negated })
    }

    fn sub_link(&mut self, link: &SubLink) -> Option<Condition> {
        let Some(N::SelectStmt(select)) = inner(link.subselect.as_deref()) else {
            return None;
        };
        match link.sub_link_type() {
            SubLinkType::ExistsSublink => {
                let own =
                    is_unrestricted(select) && (select.from_clause.is_empty() || self.own_table(select).is_some());
                (own || self.is_self_join(select)).then_some(Condition::Always(true))
            }
            SubLinkType::AnySublink => {
                // `id IN (SELECT id FROM the same table)`
                let equality = link.oper_name.is_empty() || last_name(&link.oper_name) == "=";
                let column = self.own_column(link)?;
                let subject = self.key(link.testexpr.as_deref()?, 0)?;
                (column == subject && equality).then_some(Condition::Always(true))
            }
            SubLinkType::ExprSublink if is_unrestricted(select) && select.from_clause.is_empty() => {
                let Some(N::ResTarget(target)) = inner(select.target_list.first()) else {
                    return None;
                };
                Some(self.condition(target.val.as_deref()?, MAX_DEPTH))
            }
            _ => None,
        }
    }

    /// The column that a sub-select reads from all rows of the target itself.
    fn own_column(&self, link: &SubLink) -> Option<String> {
        let Some(N::SelectStmt(select)) = inner(link.subselect.as_deref()) else {
            return None;
        };
        if !is_unrestricted(select) {
            return None;
        }
        let alias = self.own_table(select)?;
        let Some(N::ResTarget(target)) = inner(select.target_list.first()) else {
            return None;
        };
        let inside = Target { alias: &alias, name: self.target.name, relations: self.target.relations };
        Builder::new(&inside).key(target.val.as_deref()?, 0)
    }

    /// `EXISTS (SELECT … FROM the same table x WHERE x.id = target.id)`
    fn is_self_join(&self, select: &SelectStmt) -> bool {
        let (Some(alias), Some(N::AExpr(equality))) = (self.own_table(select), inner(select.where_clause.as_deref()))
        else {
            return false;
        };
        let column = |node: Option<&Node>| match inner(node) {
            Some(N::ColumnRef(reference)) => Some(last_name(&reference.fields).to_owned()),
            _ => None,
        };
        let (left, right) = (column(equality.lexpr.as_deref()), column(equality.rexpr.as_deref()));
        alias != self.target.alias
            && last_name(&equality.name) == "="
            && select.limit_offset.is_none()
            && left.is_some()
            && left == right
    }

    /// The name under which a sub-select reads the target itself and nothing else.
    fn own_table(&self, select: &SelectStmt) -> Option<String> {
        let [only] = select.from_clause.as_slice() else {
            return None;
        };
        let Some(N::RangeVar(range)) = inner(Some(only)) else {
            return None;
        };
        (range.relname == self.target.name)
            .then(|| range.alias.as_ref().map_or_else(|| range.relname.clone(), |alias| alias.aliasname.clone()))
    }

    fn never_null(&self, node: &Node) -> bool {
        let Some(N::ColumnRef(reference)) = inner(Some(node)) else {
            return false;
        };
        let name = last_name(&reference.fields);
        if matches!(name, "ctid" | "tableoid" | "xmin" | "cmin" | "xmax" | "cmax") {
            return true;
        }
        !self.target.relations.is_empty()
            && self.target.relations.iter().all(|relation| relation.column(name).is_some_and(|column| column.not_null))
    }

    fn term(&mut self, node: &Node, depth: usize) -> Term {
        let plain = |base| Term { base, offset: 0.0 };
        let none = || Term {
            // No two expressions without a canonical text are the same.
            base: Base::Key(String::new()),
            offset: 0.0,
        };
        if depth > MAX_DEPTH {
            return none();
        }
        match inner(Some(node)) {
            Some(N::AConst(constant)) => match &constant.val {
                None => plain(Base::Null),
                Some(Val::Ival(number)) => Term { base: Base::Number, offset: f64::from(number.ival) },
                Some(Val::Fval(number)) => match number.fval.parse() {
                    Ok(offset) => Term { base: Base::Number, offset },
                    Err(_) => plain(Base::Text(number.fval.clone())),
                },
                Some(Val::Boolval(flag)) => plain(Base::Text(flag.boolval.to_string())),
                Some(Val::Sval(text)) => plain(Base::Text(text.sval.clone())),
                Some(Val::Bsval(text)) => plain(Base::Text(text.bsval.clone())),
            },
            Some(N::ParamRef(parameter)) => {
                self.has_parameters = true;
                plain(Base::Parameter(usize::try_from(parameter.number).unwrap_or(0)))
            }
            Some(N::TypeCast(cast)) => cast.arg.as_deref().map_or_else(none, |argument| self.term(argument, depth + 1)),
            Some(N::CollateClause(clause)) => {
                clause.arg.as_deref().map_or_else(none, |argument| self.term(argument, depth + 1))
            }
            Some(N::CaseExpr(case)) => {
                // The same whichever branch is taken.
                let results = case.args.iter().filter_map(|when| match inner(Some(when)) {
                    Some(N::CaseWhen(when)) => when.result.as_deref(),
                    _ => None,
                });
                let terms: Vec<Term> =
                    results.chain(case.defresult.as_deref()).map(|node| self.term(node, depth + 1)).collect();
                self.looked_at_literal = true;
                match terms.as_slice() {
                    [first, rest @ ..] if rest.iter().all(|term| term == first) => first.clone(),
                    _ => none(),
                }
            }
            Some(N::SubLink(link)) => match inner(link.subselect.as_deref()) {
                Some(N::SelectStmt(select)) if select.from_clause.is_empty() && is_unrestricted(select) => {
                    match inner(select.target_list.first()) {
                        Some(N::ResTarget(target)) => {
                            target.val.as_deref().map_or_else(none, |value| self.term(value, depth + 1))
                        }
                        _ => none(),
                    }
                }
                _ => none(),
            },
            Some(N::AExpr(expression)) => match self.sum(expression, depth) {
                Some(term) => term,
                None => self.key(node, depth).map_or_else(none, |key| plain(Base::Key(key))),
            },
            _ => self.key(node, depth).map_or_else(none, |key| plain(Base::Key(key))),
        }
    }

    /// `x + 1`, `1 + x`, `x - 1`, `+x`, `x * 1`, `x || ''`.
    fn sum(&mut self, expression: &AExpr, depth: usize) -> Option<Term> {
        if expression.kind() != AExprKind::AexprOp {
            return None;
        }
        let name = last_name(&expression.name);
        let right = self.term(expression.rexpr.as_deref()?, depth + 1);
        let Some(left) = expression.lexpr.as_deref() else {
            return match (name, &right.base) {
                ("+", _) => Some(right),
                ("-", Base::Number) => Some(Term { base: Base::Number, offset: -right.offset }),
                _ => None,
            };
        };
        let left = self.term(left, depth + 1);
        let number = |offset| Term { base: Base::Number, offset };
        // What is left of an operand that falls away was looked at as a literal.
        self.looked_at_literal |= matches!((&left.base, &right.base), (Base::Number, _) | (_, Base::Number));
        match (name, &left.base, &right.base) {
            ("+", _, Base::Number) => Some(Term { offset: left.offset + right.offset, ..left }),
            ("+", Base::Number, _) => Some(Term { offset: left.offset + right.offset, ..right }),
            ("-", _, Base::Number) => Some(Term { offset: left.offset - right.offset, ..left }),
            ("*", _, Base::Number) | ("/", _, Base::Number) if right.offset == 1.0 => Some(left),
            ("*", Base::Number, _) if left.offset == 1.0 => Some(right),
            ("*", _, Base::Number) if right.offset == 0.0 => Some(right),
            ("*", Base::Number, _) if left.offset == 0.0 => Some(left),
            ("%", _, Base::Number) if right.offset.abs() == 1.0 => Some(number(0.0)),
            ("-", Base::Key(one), Base::Key(two)) if one == two && !one.is_empty() => {
                Some(number(left.offset - right.offset))
            }
            ("/", Base::Key(one), Base::Key(two)) if one == two && !one.is_empty() && left.offset == right.offset => {
                Some(number(1.0))
            }
            ("||", _, Base::Text(text)) if text.is_empty() => Some(left),
            ("||", Base::Text(text), _) if text.is_empty() => Some(right),
            _ => None,
        }
    }
}

fn is_unrestricted(select: &SelectStmt) -> bool {
    select.where_clause.is_none()
        && select.having_clause.is_none()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.values_lists.is_empty()
        && matches!(select.op(), SetOperation::SetopNone | SetOperation::Undefined)
}
