//! Two texts that differ in literals: where they have one shape and the first one's analysis may be kept by it, the second's is the same.

use anyhow::Result;
use sql::shape::{Shape, shape};

use super::analyze::{TREE, analyze};
use super::statements;
use crate::driver::Target;
use crate::random::Random;

/// Two texts, with a NUL between them.
pub const TARGET: Target = Target { name: "shape", make, memory: TREE, run };

/// What literals are exchanged for.
const LITERALS: [&str; 16] = [
    "''",
    "'x'",
    "'it''s'",
    "'a\\b'",
    "'1'",
    "'--'",
    "'$1'",
    "'é'",
    "0",
    "7",
    "42",
    "2147483647",
    "2147483648",
    "1.5",
    "1e9",
    "'/*'",
];

fn make(random: &mut Random) -> Result<Vec<u8>> {
    let mut first = statements::text(random);
    first.truncate(64 * 1024);
    first.retain(|byte| *byte != 0);
    let second = exchanged(random, &first);
    first.push(0);
    first.extend(second);
    Ok(first)
}

/// The text with some of its strings and numbers exchanged, and some blanks.
fn exchanged(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match byte {
            b'\'' => rest.iter().skip(1).position(|byte| *byte == b'\'').map_or(1, |end| end + 2),
            b'0'..=b'9' => rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len()),
            _ => 1,
        };
        match byte {
            b'\'' | b'0'..=b'9' if random.one_in(2) => out.extend_from_slice(random.pick(&LITERALS).as_bytes()),
            b' ' if random.one_in(8) => out.extend_from_slice(random.pick(&["  ", "\n", " /* c */ ", "\t"]).as_bytes()),
            _ => out.extend_from_slice(rest.get(..length).unwrap_or_default()),
        }
        at += length;
    }
    out
}

fn run(data: &[u8]) {
    let (first, second) = data.split_at(data.iter().position(|byte| *byte == 0).unwrap_or(data.len()));
    let second = second.get(1..).unwrap_or_default();
    let (mut one, mut other) = (vec![b'x'], vec![b'x']);
    let plain = shape(first, &mut one) == Shape::Plain && shape(second, &mut other) == Shape::Plain;
    assert!(one.starts_with(b"x") && one.len() <= first.len() + 1, "a shape is longer than its text");
    let (Ok(first), Ok(second)) = (std::str::from_utf8(first), std::str::from_utf8(second)) else {
        return;
    };
    if !plain || one != other {
        return;
    }
    let (kept, fresh) = (analyze(first), analyze(second));
    if kept.literal_dependent || kept.problem.is_some() || fresh.problem.is_some() {
        return;
    }
    assert!(!fresh.literal_dependent, "one text decides by a literal, the other does not");
    assert_eq!(kept.statements.len(), fresh.statements.len(), "one shape, two numbers of statements");
    assert_eq!(kept.intent, fresh.intent, "one shape, two intents");
    for (one, other) in kept.statements.iter().zip(&fresh.statements) {
        assert_eq!((&one.outputs, &one.path), (&other.outputs, &other.path), "one shape, two results");
        assert_eq!(one.intent, other.intent);
    }
}
