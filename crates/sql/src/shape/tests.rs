//! The shape against the server's own scanner.

use pg_query::protobuf::Token;
use proptest::prelude::*;

use super::{Shape, shape};

fn plain(text: &str) -> Option<Vec<u8>> {
    let mut out = b"prefix".to_vec();
    match shape(text.as_bytes(), &mut out) {
        Shape::Plain => Some(out.split_off(6)),
        Shape::Opaque => {
            assert_eq!(out, b"prefix", "nothing is appended for an opaque text");
            None
        }
    }
}

/// The scanner's tokens: kind, and text unless it is a literal. Comments are left out.
fn tokens(text: &str) -> Option<Vec<(i32, String)>> {
    let scan = pg_query::scan(text).ok()?;
    Some(
        scan.tokens
            .iter()
            .filter(|token| !matches!(Token::try_from(token.token), Ok(Token::SqlComment | Token::CComment)))
            .map(|token| {
                let literal = matches!(Token::try_from(token.token), Ok(Token::Iconst | Token::Fconst | Token::Sconst));
                let (start, end) = (token.start as usize, token.end as usize);
                (token.token, if literal { String::new() } else { text[start..end].to_owned() })
            })
            .collect(),
    )
}

/// The shape's own tokens, literals empty: what is left when it is read back with stand-ins for its literals.
fn readable(shape: &[u8]) -> String {
    let mut text = String::new();
    for byte in shape {
        match *byte {
            super::STRING => text.push_str(" 's' "),
            super::INTEGER => text.push_str(" 1 "),
            super::BIG => text.push_str(" 9999999999 "),
            super::FLOAT => text.push_str(" 1.5 "),
            other => text.push(char::from(other)),
        }
    }
    text
}

#[track_caller]
fn check(text: &str) {
    let Some(shaped) = plain(text) else {
        return;
    };
    let expected = tokens(text);
    assert!(expected.is_some(), "the scanner refuses a plain text: {text:?}");
    if shaped.is_ascii() && !text.contains('"') {
        assert_eq!(tokens(&readable(&shaped)), expected, "{text:?}");
    }
}

#[test]
fn literals_do_not_show_and_classes_do() {
    let same = |left: &str, right: &str| assert_eq!(plain(left).unwrap(), plain(right).unwrap(), "{left} / {right}");
    let differ = |left: &str, right: &str| assert_ne!(plain(left).unwrap(), plain(right).unwrap(), "{left} / {right}");
    same("SELECT 1", "SELECT   42 ");
    same("SELECT 1 /* a /* b */ */ + 2", "SELECT 5 -- x\n + 007");
    same("SELECT * FROM t WHERE a = 'x' AND b=1.5", "SELECT * FROM t WHERE a = 'it''s; DROP' AND b=2e10");
    differ("SELECT 1", "SELECT 2147483648");
    differ("SELECT 1", "SELECT 1.0");
    differ("SELECT 1", "SELECT '1'");
    differ("SELECT a", "SELECT b");
    differ("SELECT \"a\"", "SELECT \"a \"");
    differ("SELECT $1", "SELECT $2");
    differ("SELECT 1+ +1", "SELECT 1++1");
    same("SELECT 2147483647", "SELECT 0000000000000");
}

#[test]
fn what_is_unusual_is_opaque() {
    for text in [
        "SELECT E'a'",
        "SELECT U&'a'",
        "SELECT U&\"a\"",
        "SELECT B'1'",
        "SELECT X'1F'",
        "SELECT N'a'",
        "SELECT $$a$$",
        "SELECT $t$a$t$",
        "SELECT 1a",
        "SELECT 0x1F",
        "SELECT 1_000",
        "SELECT 1..2",
        "SELECT ..51",
        "SELECT a..b",
        "SELECT $1a",
        "SELECT é",
        "SELECT aé",
        "SELECT 'a",
        "SELECT \"a",
        "SELECT \"\"",
        "SELECT /* a",
        "SELECT 'a'\n'b'",
        "SELECT 'a' -- x\n 'b'",
        "SELECT 'a' 'b'",
        "SELECT \u{b} 1",
        "SELECT \\",
        "SELECT {",
        "SELECT x::float(24)",
        "SELECT x::FLOAT /* */ (53)",
        "SELECT $a",
        "SELECT 1.5.2",
        "SELECT 1e",
        "SELECT $1.5",
        "SELECT \u{0}",
        "SELECT 'a\u{0}'",
        "SELECT /* \u{0} */ 1",
    ] {
        assert_eq!(plain(text), None, "{text:?}");
    }
    for text in [
        "SELECT x$a$ FROM t",
        "SELECT 'é' AS \"é\"",
        "SELECT 1e5, .5, 5., $1::float8",
        "SELECT a->>'b' #>> '{c}'",
        "-- é\nSELECT 1",
        "SELECT u & 1",
        "SELECT 'a'::text, 'b'",
        "SELECT [1:2]",
    ] {
        assert!(plain(text).is_some(), "{text:?}");
        check(text);
    }
}

const PIECES: &[&str] = &[
    "SELECT",
    "a",
    "b1",
    "x$y",
    "_z",
    "float",
    "E",
    "u",
    "U&",
    "n",
    "e",
    "'",
    "''",
    "'a'",
    "'it''s'",
    "'\\'",
    "\"",
    "\"q\"",
    "\"\"",
    "\"a\"\"b\"",
    "1",
    "0",
    "42",
    "2147483647",
    "2147483648",
    "99999999999999999999",
    "1.5",
    ".5",
    "5.",
    "1e5",
    "1e",
    "e5",
    "1E-3",
    "0x1f",
    "1_0",
    "$1",
    "$12",
    "$",
    "$$",
    "$t$",
    "+",
    "-",
    "--",
    "--c\n",
    "/*",
    "*/",
    "/* c */",
    "/*/**/*/",
    "*",
    "/",
    "<",
    ">",
    "=",
    "<=",
    "<>",
    "!=",
    "=>",
    "~",
    "!",
    "@",
    "#",
    "^",
    "&",
    "|",
    "||",
    "`",
    "?",
    "%",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    ":",
    "::",
    ":=",
    ".",
    "..",
    " ",
    "  ",
    "\n",
    "\t",
    "\r",
    "\u{c}",
    "\u{b}",
    "é",
    "{",
    "\\",
    "AND",
    "NOT",
    "LIKE",
    "interval",
    "UESCAPE",
    "->",
    "->>",
    "@>",
    "+-",
    "*-",
    "@-",
    "-+",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => "[ -~]{1,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every plain text has the scanner's tokens.
    #[test]
    fn tokens_are_the_scanners(pieces in proptest::collection::vec(piece(), 0..14), spaced in any::<bool>()) {
        check(&pieces.join(if spaced { " " } else { "" }));
    }

    /// Texts of equal shape have equal tokens but for the values of literals: the second text is the first with other literals and blanks.
    #[test]
    fn equal_shapes_have_equal_tokens(
        pieces in proptest::collection::vec(piece(), 0..10),
        others in proptest::collection::vec(piece(), 0..10),
        swaps in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 1..4),
    ) {
        let first = pieces.concat();
        let mut changed = pieces;
        for (at, from) in swaps {
            if !changed.is_empty() && !others.is_empty() {
                let at = at.index(changed.len());
                changed[at] = others[from.index(others.len())].clone();
            }
        }
        let second = changed.concat();
        if let (Some(left), Some(right)) = (plain(&first), plain(&second))
            && left == right
        {
            prop_assert_eq!(tokens(&first), tokens(&second), "{:?} {:?}", first, second);
        }
    }

    /// Other literals of the same classes and other blanks keep the shape.
    #[test]
    fn other_literals_keep_the_shape(number in 0..=i32::MAX, other in 0..=i32::MAX, text in "[^\u{0}]{0,20}", more in "[^\u{0}]{0,20}", blank in "[ \n\t\r]{1,4}") {
        let make = |number: i32, text: &str, blank: &str| {
            format!("SELECT{blank}a FROM t WHERE x={number}{blank}AND y = '{}'{blank}/* {blank} */", text.replace('\'', "''"))
        };
        let (left, right) = (make(number, &text, " "), make(other, &more, &blank));
        prop_assert_eq!(plain(&left).unwrap(), plain(&right).unwrap());
        prop_assert_eq!(tokens(&left), tokens(&right));
    }
}
