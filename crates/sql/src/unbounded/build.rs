//! Tree → [`Condition`].

use pg_query::protobuf::{
    AExpr, AExprKind, BoolExprType, FuncCall, Node, NullTestType, SelectStmt, SetOperation, SubLink, SubLinkType,
    a_const::Val, node::Node as N,
};

use super::{Base, Compare, Condition, Pattern, Target, Term};

/// Expressions nested deeper than this have no canonical text.
const MAX_DEPTH: usize = 48;

pub(super) struct Builder<'a, 't, 'c> {
    target: &'a Target<'t, 'c>,
    pub(super) looked_at_literal: bool,
    pub(super) has_parameters: bool,
    pub(super) is_cursor: bool,
}

fn inner(node: Option<&Node>) -> Option<&N> {
    node.and_then(|node| node.node.as_ref())
}

fn last_name(nodes: &[Node]) -> &str {
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
            AExprKind::AexprNotDistinct => Some(self.compare(Compare::Equal, left?, right)),
            AExprKind::AexprDistinct => Some(self.compare(Compare::NotEqual, left?, right)),
            AExprKind::AexprIn => self.any_of(Compare::parse(name)?, left?, right),
            AExprKind::AexprOpAny => self.any_of(Compare::parse(name)?, left?, right),
            AExprKind::AexprBetween | AExprKind::AexprBetweenSym => self.between(left?, right, false),
            AExprKind::AexprNotBetween | AExprKind::AexprNotBetweenSym => self.between(left?, right, true),
            AExprKind::AexprOpAll | AExprKind::AexprNullif | AExprKind::Undefined => None,
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
            _ => return None,
        };
        // Thousands of values restrict; only the subject itself among them does not.
        let parts: Vec<Condition> = items.iter().take(256).map(|item| self.compare(compare, subject, item)).collect();
        Some(if compare == Compare::NotEqual { Condition::And(parts) } else { Condition::Or(parts) })
    }

    fn compare(&mut self, compare: Compare, left: &Node, right: &Node) -> Condition {
        let (left, right) = (self.term(left, 0), self.term(right, 0));
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
        if !is_unrestricted(select) {
            return None;
        }
        match link.sub_link_type() {
            SubLinkType::ExistsSublink => {
                let own = select.from_clause.is_empty() || self.own_table(select).is_some();
                own.then_some(Condition::Always(true))
            }
            SubLinkType::AnySublink => {
                // `id IN (SELECT id FROM the same table)`
                let alias = self.own_table(select)?;
                let subject = self.key(link.testexpr.as_deref()?, 0)?;
                let Some(N::ResTarget(target)) = inner(select.target_list.first()) else {
                    return None;
                };
                let inside = Target { alias: &alias, name: self.target.name, relations: self.target.relations };
                let column = Builder::new(&inside).key(target.val.as_deref()?, 0)?;
                let equality = link.oper_name.is_empty() || last_name(&link.oper_name) == "=";
                (column == subject && equality).then_some(Condition::Always(true))
            }
            _ => None,
        }
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
        match (name, &left.base, &right.base) {
            ("+", _, Base::Number) => Some(Term { offset: left.offset + right.offset, ..left }),
            ("+", Base::Number, _) => Some(Term { offset: left.offset + right.offset, ..right }),
            ("-", _, Base::Number) => Some(Term { offset: left.offset - right.offset, ..left }),
            ("*", _, Base::Number) | ("/", _, Base::Number) if right.offset == 1.0 => Some(left),
            ("*", Base::Number, _) if left.offset == 1.0 => Some(right),
            ("||", _, Base::Text(text)) if text.is_empty() => Some(left),
            ("||", Base::Text(text), _) if text.is_empty() => Some(right),
            _ => None,
        }
    }

    /// The canonical text of an expression; `None` for what has none.
    fn key(&mut self, node: &Node, depth: usize) -> Option<String> {
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

fn is_unrestricted(select: &SelectStmt) -> bool {
    select.where_clause.is_none()
        && select.having_clause.is_none()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.values_lists.is_empty()
        && matches!(select.op(), SetOperation::SetopNone | SetOperation::Undefined)
}
