//! Constants in a tree.

use pg_query::protobuf::{AExprKind, BoolExprType, Node, a_const::Val, node::Node as N};

use super::inner;
use super::query::bare_name;
use super::strings;

/// The text of a string constant, through casts: `'x'`, `'x'::regclass`.
pub(super) fn text(node: &Node) -> Option<&str> {
    match inner(Some(node))? {
        N::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(&text.sval),
            Val::Ival(_) | Val::Fval(_) | Val::Boolval(_) | Val::Bsval(_) => None,
        },
        N::TypeCast(cast) => text(cast.arg.as_deref()?),
        _ => None,
    }
}

/// The value of a whole-number constant.
pub(super) fn integer(node: &Node) -> Option<i64> {
    match inner(Some(node))? {
        N::AConst(constant) => match constant.val.as_ref()? {
            Val::Ival(number) => Some(i64::from(number.ival)),
            Val::Fval(number) => number.fval.parse().ok(),
            Val::Sval(text) => text.sval.trim().parse().ok(),
            Val::Boolval(_) | Val::Bsval(_) => None,
        },
        N::TypeCast(cast) => integer(cast.arg.as_deref()?),
        _ => None,
    }
}

/// The text of any constant, as SET takes it.
pub(crate) fn setting(node: &Node) -> Option<String> {
    match inner(Some(node))? {
        N::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Ival(number) => Some(number.ival.to_string()),
            Val::Fval(number) => Some(number.fval.clone()),
            Val::Boolval(flag) => Some(flag.boolval.to_string()),
            Val::Bsval(_) => None,
        },
        N::TypeCast(cast) => setting(cast.arg.as_deref()?),
        N::String(text) => Some(text.sval.clone()),
        _ => None,
    }
}

/// Columns that a condition pins to one text, by `column = 'text'` among its ANDs.
pub(super) fn pinned(condition: &Node) -> Vec<(String, String)> {
    let mut found = Vec::new();
    match inner(Some(condition)) {
        Some(N::BoolExpr(all)) if all.boolop() == BoolExprType::AndExpr => {
            for part in &all.args {
                found.extend(equality(part));
            }
        }
        _ => found.extend(equality(condition)),
    }
    found
}

fn equality(node: &Node) -> Option<(String, String)> {
    let Some(N::AExpr(expression)) = inner(Some(node)) else {
        return None;
    };
    if expression.kind() != AExprKind::AexprOp || strings(&expression.name) != ["="] {
        return None;
    }
    let (left, right) = (expression.lexpr.as_deref()?, expression.rexpr.as_deref()?);
    Some((bare_name(left)?.to_owned(), text(right)?.to_owned()))
}

/// The parts of a name written in a string: `'public."Seq"'`.
pub(super) fn name_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut chars = text.trim().chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            other if quoted => part.push(other),
            other => part.push(other.to_ascii_lowercase()),
        }
    }
    parts.push(part);
    parts
}
