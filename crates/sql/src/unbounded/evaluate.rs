//! [`Condition`] → true for every row, false for every row, or neither.

use std::cmp::Ordering;

use super::{Base, Compare, Condition, Pattern, Term};

/// Comparisons of one OR that are looked at together.
const MAX_RANGES: usize = 64;

/// A term with its parameter filled in.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
    Null,
    Row(String, f64),
    /// A parameter without a value.
    Open,
}

fn value(term: &Term, values: &[Option<&str>]) -> Value {
    let text = |text: &str| match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Number(number + term.offset),
        _ => Value::Text(text.to_owned()),
    };
    match &term.base {
        Base::Number => Value::Number(term.offset),
        Base::Text(constant) => text(constant),
        Base::Null => Value::Null,
        Base::Parameter(number) => match number.checked_sub(1).and_then(|at| values.get(at)) {
            Some(Some(parameter)) => text(parameter),
            Some(None) => Value::Null,
            None => Value::Open,
        },
        Base::Key(key) => Value::Row(key.clone(), term.offset),
    }
}

pub(super) fn always(condition: &Condition, values: &[Option<&str>]) -> Option<bool> {
    match condition {
        Condition::Always(answer) => Some(*answer),
        Condition::And(parts) => {
            let mut all = Some(true);
            for part in parts {
                match always(part, values) {
                    Some(true) => {}
                    Some(false) => return Some(false),
                    None => all = None,
                }
            }
            all
        }
        Condition::Or(parts) => {
            let mut none = Some(false);
            for part in parts {
                match always(part, values) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => none = None,
                }
            }
            if none.is_none() && covers(parts, values) {
                return Some(true);
            }
            none
        }
        Condition::Compare(compare, left, right) => comparison(*compare, &value(left, values), &value(right, values)),
        Condition::Null { is_null, never, .. } => never.then_some(!is_null),
        Condition::Matches { pattern, text, negated } => {
            let everything = match value(text, values) {
                Value::Text(text) => matches_everything(*pattern, &text),
                Value::Number(_) | Value::Null | Value::Row(..) | Value::Open => false,
            };
            everything.then_some(!negated)
        }
        Condition::Truth { term, negated } => truth(&value(term, values)).map(|answer| answer != *negated),
        Condition::Opaque { .. } => None,
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Number(number) => Some(*number != 0.0),
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            let begins = |word: &str| !text.is_empty() && word.starts_with(text.as_str());
            if begins("true") || begins("yes") || text == "on" {
                Some(true)
            } else if begins("false") || begins("no") || begins("off") {
                Some(false)
            } else {
                None
            }
        }
        // NULL is not true.
        Value::Null => Some(false),
        Value::Row(..) | Value::Open => None,
    }
}

fn comparison(compare: Compare, left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.partial_cmp(right).map(|order| compare.holds(order)),
        (Value::Text(left), Value::Text(right)) => match compare {
            Compare::Equal | Compare::LessEqual | Compare::GreaterEqual if left == right => Some(true),
            Compare::NotEqual | Compare::Less | Compare::Greater if left == right => Some(false),
            Compare::Equal => Some(false),
            Compare::NotEqual => Some(true),
            // Depends on the collation, not on the row.
            Compare::Less | Compare::LessEqual | Compare::Greater | Compare::GreaterEqual => Some(true),
        },
        (Value::Row(left, plus), Value::Row(right, other)) if left == right && !left.is_empty() => {
            plus.partial_cmp(other).map(|order| compare.holds(order))
        }
        (Value::Row(key, plus), Value::Number(number)) if is_measure(key) => below_zero(compare, number - plus),
        (Value::Number(number), Value::Row(key, plus)) if is_measure(key) => {
            below_zero(compare.mirrored(), number - plus)
        }
        // `$1 = x` where the parameter stands alone and the other side has no row: a row is needed to restrict.
        (Value::Null, _) | (_, Value::Null) => Some(false),
        _ => None,
    }
}

/// Functions that are never negative.
pub(super) fn is_measure(key: &str) -> bool {
    [
        "length(",
        "char_length(",
        "character_length(",
        "octet_length(",
        "bit_length(",
        "abs(",
        "cardinality(",
        "strpos(",
        "position(",
    ]
    .iter()
    .any(|name| key.starts_with(name))
}

/// A measure compared with a number: `length(x) >= 0`.
fn below_zero(compare: Compare, number: f64) -> Option<bool> {
    match compare {
        Compare::GreaterEqual if number <= 0.0 => Some(true),
        Compare::Greater | Compare::NotEqual if number < 0.0 => Some(true),
        Compare::Less if number <= 0.0 => Some(false),
        Compare::LessEqual | Compare::Equal if number < 0.0 => Some(false),
        _ => None,
    }
}

fn matches_everything(pattern: Pattern, text: &str) -> bool {
    match pattern {
        // `%_%` leaves out the empty text only.
        Pattern::Like => text.contains('%') && text.bytes().all(|byte| matches!(byte, b'%' | b'_')),
        Pattern::Regex => {
            let text = text.trim_start_matches('^').trim_end_matches('$');
            let mut rest = text;
            while let Some(after) = rest.strip_prefix(".*").or_else(|| rest.strip_prefix("()")) {
                rest = after.trim_start_matches('?');
            }
            // Without a letter or digit hardly anything is asked for: `.`, `.+`, `^.`.
            rest.is_empty()
                || !text.bytes().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
                    && text.bytes().any(|byte| matches!(byte, b'.' | b'^' | b'$'))
                || matches!(rest, "|" | "(.*)" | "(?:.*)" | "[\\s\\S]*" | ".{0,}" | "\\A")
        }
        Pattern::Prefix => text.is_empty(),
    }
}

/// What an OR says about one expression, as parts of a line.
#[derive(Default)]
struct Line {
    /// The highest `x < a`, and whether it includes a.
    below: Option<(f64, bool)>,
    /// The lowest `x > a`.
    above: Option<(f64, bool)>,
    not_equal: Vec<f64>,
    equal: Vec<f64>,
    texts: Vec<(Compare, String)>,
    null: bool,
    not_null: bool,
}

/// Whether the parts of an OR leave no row out.
fn covers(parts: &[Condition], values: &[Option<&str>]) -> bool {
    if parts.len() > MAX_RANGES {
        return false;
    }
    let mut lines: Vec<(String, Line)> = Vec::new();
    let mut opaque: Vec<(&str, bool)> = Vec::new();
    for part in parts {
        match part {
            Condition::Compare(compare, left, right) => {
                if let Some((key, compare, place)) = placed(*compare, &value(left, values), &value(right, values)) {
                    add(line(&mut lines, key), compare, place);
                }
            }
            Condition::Null { key, is_null, .. } if !key.is_empty() => {
                let line = line(&mut lines, key.clone());
                line.null |= is_null;
                line.not_null |= !is_null;
            }
            Condition::Opaque { key, negated } if !key.is_empty() => {
                if opaque.contains(&(key, !negated)) {
                    return true;
                }
                opaque.push((key, *negated));
            }
            _ => {}
        }
    }
    lines.iter().any(|(_, line)| is_full(line))
}

fn line(lines: &mut Vec<(String, Line)>, key: String) -> &mut Line {
    let at = lines.iter().position(|(name, _)| *name == key).unwrap_or_else(|| {
        lines.push((key, Line::default()));
        lines.len() - 1
    });
    &mut lines[at].1
}

/// A comparison as `key compare constant`.
fn placed(compare: Compare, left: &Value, right: &Value) -> Option<(String, Compare, Value)> {
    match (left, right) {
        (Value::Row(key, plus), Value::Number(number)) if !key.is_empty() => {
            Some((key.clone(), compare, Value::Number(number - plus)))
        }
        (Value::Number(number), Value::Row(key, plus)) if !key.is_empty() => {
            Some((key.clone(), compare.mirrored(), Value::Number(number - plus)))
        }
        (Value::Row(key, _), Value::Text(text)) if !key.is_empty() => {
            Some((key.clone(), compare, Value::Text(text.clone())))
        }
        (Value::Text(text), Value::Row(key, _)) if !key.is_empty() => {
            Some((key.clone(), compare.mirrored(), Value::Text(text.clone())))
        }
        (Value::Row(one, plus), Value::Row(two, other)) if !one.is_empty() && !two.is_empty() => {
            // Both orders of the two are the same line.
            if one <= two {
                Some((format!("{one} - {two}"), compare, Value::Number(other - plus)))
            } else {
                Some((format!("{two} - {one}"), compare.mirrored(), Value::Number(plus - other)))
            }
        }
        _ => None,
    }
}

fn add(line: &mut Line, compare: Compare, place: Value) {
    let number = match place {
        Value::Number(number) => number,
        Value::Text(text) => {
            line.texts.push((compare, text));
            return;
        }
        Value::Null | Value::Row(..) | Value::Open => return,
    };
    let wider = |old: Option<(f64, bool)>, inclusive: bool, wanted: Ordering| match old {
        Some((at, was)) if number == at => Some((at, was || inclusive)),
        Some((at, was)) if number.partial_cmp(&at) != Some(wanted) => Some((at, was)),
        Some(_) | None => Some((number, inclusive)),
    };
    match compare {
        Compare::Less => line.below = wider(line.below, false, Ordering::Greater),
        Compare::LessEqual => line.below = wider(line.below, true, Ordering::Greater),
        Compare::Greater => line.above = wider(line.above, false, Ordering::Less),
        Compare::GreaterEqual => line.above = wider(line.above, true, Ordering::Less),
        Compare::NotEqual => line.not_equal.push(number),
        Compare::Equal => line.equal.push(number),
    }
}

fn is_full(line: &Line) -> bool {
    if line.null && line.not_null {
        return true;
    }
    if let (Some((below, with)), Some((above, too))) = (line.below, line.above) {
        let meets = above < below || above == below && (with || too || line.equal.contains(&above));
        if meets {
            return true;
        }
    }
    for hole in &line.not_equal {
        let filled = line.not_equal.iter().any(|other| other != hole)
            || line.equal.contains(hole)
            || line.below.is_some_and(|(below, with)| *hole < below || *hole == below && with)
            || line.above.is_some_and(|(above, with)| *hole > above || *hole == above && with);
        if filled {
            return true;
        }
    }
    line.texts.iter().any(|(compare, text)| {
        line.texts.iter().any(|(other, same)| {
            let opposite = *other == compare.negated()
                || matches!(
                    (compare, other),
                    (Compare::LessEqual, Compare::GreaterEqual) | (Compare::GreaterEqual, Compare::LessEqual)
                );
            opposite && text == same || *compare == Compare::NotEqual && *other == Compare::NotEqual && text != same
        })
    })
}
