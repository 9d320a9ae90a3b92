//! A linear scan with limits, before any parser: length, statements, open brackets, operators, tokens, and how deep the tree can get.
//!
//! The tokens are those of the text's [shape](mod@crate::shape) and, where that sees too many or there is none, the server's own ([`pg_query::scan`] is its
//! flex scanner), so strings, comments and dollar quotes end where the server ends them.
//!
//! # Why the depth estimate is an upper bound
//! The parser builds left-deep trees for chains (`a || b || c`, joins, set operations) and every level of a tree takes stack when it is
//! decoded, walked and dropped. Each level of an expression uses up at least one token of its own chain, where a chain ends at a comma, at a
//! semicolon, at `AND`, `OR` (other than `BETWEEN`'s) or at a reserved keyword that starts a clause: nothing binds weaker than `OR` inside an expression, and
//! lists are flat. (`GROUP` is not among them: `WITHIN GROUP` may stand inside a chain.) Brackets and `CASE … END` start chains of their own, whose depth adds to the chain around them. Joins and set operations are counted for the
//! whole bracket since commas do not end them.

use pg_query::protobuf::Token;

use crate::analysis::{Caps, Problem};
use crate::shape;

/// What the scan saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The bound on the tree's depth.
    pub depth: usize,
    /// Tokens without comments.
    pub tokens: usize,
}

/// Checks `text` against `caps`.
///
/// # Errors
/// The text is over a limit, or cannot be split into tokens.
pub fn check(text: &str, caps: &Caps) -> Result<Seen, Problem> {
    if text.len() > caps.bytes {
        return Err(over("bytes", caps.bytes, None));
    }
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        return Err(problem("the text holds a NUL byte; remove it", Some(at)));
    }
    if let Some(seen) = by_shape(text, caps) {
        return Ok(seen);
    }
    exactly(text, caps)
}

/// The same by the text's shape, which is made ten times faster than the server's scanner splits a text. Every byte of an operator counts as a
/// token there, so it may see more than there is, never less; `None` when that is over a limit, or the text has no shape.
fn by_shape(text: &str, caps: &Caps) -> Option<Seen> {
    let mut shape = Vec::with_capacity(text.len());
    if shape::shape(text.as_bytes(), &mut shape) == shape::Shape::Opaque {
        return None;
    }
    let mut meter = Meter::new(*caps);
    let mut at = 0;
    while let Some(byte) = shape.get(at) {
        let rest = shape.get(at..)?;
        let (kind, length) = match byte {
            b' ' => (None, 1),
            b'"' => (Some(Token::Ident), quoted(rest)?),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
                let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
                (Some(keyword(rest.get(..length)?)), length)
            }
            b':' if rest.get(1) == Some(&b':') => (Some(Token::Typecast), 2),
            b'(' => (Some(Token::Ascii40), 1),
            b')' => (Some(Token::Ascii41), 1),
            b'[' => (Some(Token::Ascii91), 1),
            b']' => (Some(Token::Ascii93), 1),
            b',' => (Some(Token::Ascii44), 1),
            b'.' => (Some(Token::Ascii46), 1),
            b';' => (Some(Token::Ascii59), 1),
            // Strings and numbers are one control character each.
            0..b' ' => (Some(Token::Sconst), 1),
            _ => (Some(Token::Op), 1),
        };
        if let Some(kind) = kind {
            meter.token(kind, at).ok()?;
        }
        at += length;
    }
    meter.finish().ok()
}

/// Bytes of a quoted name; a quote inside is doubled.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr(b'"', text.get(at..)?)? + 1;
        if text.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// The words that the meter knows.
const KEYWORDS: [(&str, Token); 20] = [
    ("and", Token::And),
    ("as", Token::As),
    ("between", Token::Between),
    ("case", Token::Case),
    ("else", Token::Else),
    ("end", Token::EndP),
    ("except", Token::Except),
    ("from", Token::From),
    ("having", Token::Having),
    ("intersect", Token::Intersect),
    ("join", Token::Join),
    ("limit", Token::Limit),
    ("or", Token::Or),
    ("order", Token::Order),
    ("returning", Token::Returning),
    ("select", Token::Select),
    ("then", Token::Then),
    ("union", Token::Union),
    ("when", Token::When),
    ("where", Token::Where),
];

fn keyword(word: &[u8]) -> Token {
    if !(2..=9).contains(&word.len()) {
        return Token::Ident;
    }
    let known = |(name, _): &&(&str, Token)| name.as_bytes().eq_ignore_ascii_case(word);
    KEYWORDS.iter().find(known).map_or(Token::Ident, |(_, token)| *token)
}

fn exactly(text: &str, caps: &Caps) -> Result<Seen, Problem> {
    let scan = pg_query::scan(text).map_err(|_| {
        problem(
            "the text cannot be split into tokens (an unterminated string, comment or quoted name, or a malformed number); correct it",
            None,
        )
    })?;
    let mut meter = Meter::new(*caps);
    for token in &scan.tokens {
        let kind = Token::try_from(token.token).unwrap_or(Token::Nul);
        meter.token(kind, usize::try_from(token.start).unwrap_or(0))?;
    }
    meter.finish()
}

fn problem(message: &str, position: Option<usize>) -> Problem {
    Problem { message: message.to_owned(), position }
}

fn over(what: &str, limit: usize, position: Option<usize>) -> Problem {
    problem(&format!("the text has more than {limit} {what}; send it in smaller parts"), position)
}

/// One open bracket, or the top level.
#[derive(Default)]
struct Frame {
    /// Tokens of the current chain.
    chain: usize,
    /// The deepest operand of the current chain.
    operand: usize,
    /// The deepest chain so far.
    deepest: usize,
    /// Joins since the last set operation, and the most of them.
    joins: usize,
    most_joins: usize,
    /// Set operations.
    set_operations: usize,
    /// BETWEENs that wait for their AND.
    between: usize,
    /// Opened by CASE, not by a bracket.
    case: bool,
}

/// Levels that a bracket or a clause adds at most beside its tokens: a sub-select is expression, sub-link, select, target.
const BRACKET_LEVELS: usize = 6;
/// Levels of one set operation or join.
const SET_LEVELS: usize = 2;

impl Frame {
    fn end_chain(&mut self) {
        self.deepest = self.deepest.max(self.chain + self.operand);
        self.chain = 0;
        self.operand = 0;
        self.between = 0;
    }

    fn depth(&self) -> usize {
        self.deepest.max(self.chain + self.operand)
            + self.joins.max(self.most_joins)
            + SET_LEVELS * self.set_operations
            + BRACKET_LEVELS
    }
}

struct Meter {
    caps: Caps,
    frames: Vec<Frame>,
    tokens: usize,
    statements: usize,
    in_statement: bool,
    operators: usize,
    depth: usize,
    /// After `.` or AS a keyword is a name.
    name_next: bool,
}

impl Meter {
    fn new(caps: Caps) -> Self {
        Self {
            caps,
            frames: vec![Frame::default()],
            tokens: 0,
            statements: 0,
            in_statement: false,
            operators: 0,
            depth: 0,
            name_next: false,
        }
    }

    fn top(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn token(&mut self, kind: Token, at: usize) -> Result<(), Problem> {
        if matches!(kind, Token::SqlComment | Token::CComment) {
            return Ok(());
        }
        self.tokens += 1;
        if self.tokens > self.caps.tokens {
            return Err(over("tokens", self.caps.tokens, Some(at)));
        }
        let is_name = std::mem::take(&mut self.name_next);
        if kind == Token::Ascii59 {
            return self.end_statement(at);
        }
        if !self.in_statement {
            self.in_statement = true;
            self.statements += 1;
            if self.statements > self.caps.statements {
                return Err(over("statements", self.caps.statements, Some(at)));
            }
        }
        self.top().chain += 1;
        let bracket = matches!(kind, Token::Ascii40 | Token::Ascii41 | Token::Ascii91 | Token::Ascii93);
        if !is_name || bracket {
            self.step(kind, at)?;
        }
        let frame = self.top();
        if frame.chain + frame.operand > self.caps.chain {
            return Err(self.too_deep(at));
        }
        Ok(())
    }

    fn step(&mut self, kind: Token, at: usize) -> Result<(), Problem> {
        match kind {
            Token::Ascii40 | Token::Ascii91 => self.open(false, at)?,
            Token::Case => self.open(true, at)?,
            Token::Ascii41 | Token::Ascii93 => self.close(),
            Token::EndP if self.frames.len() > 1 && self.top().case => self.close_one(),
            Token::EndP => {}
            Token::Ascii46 | Token::As => self.name_next = true,
            Token::Between => self.top().between += 1,
            Token::And if self.top().between > 0 => self.top().between -= 1,
            Token::And | Token::Or => {
                self.top().end_chain();
                self.count_operator(at)?;
            }
            Token::Join => {
                let frame = self.top();
                frame.end_chain();
                frame.joins += 1;
                if frame.joins > self.caps.chain {
                    return Err(self.too_deep(at));
                }
            }
            Token::Union | Token::Intersect | Token::Except => {
                let frame = self.top();
                frame.end_chain();
                frame.most_joins = frame.most_joins.max(frame.joins);
                frame.joins = 0;
                frame.set_operations += 1;
                if SET_LEVELS * frame.set_operations > self.caps.chain {
                    return Err(self.too_deep(at));
                }
            }
            Token::Ascii44
            | Token::Select
            | Token::From
            | Token::Where
            | Token::Having
            | Token::Order
            | Token::Limit
            | Token::Returning => self.top().end_chain(),
            Token::When | Token::Then | Token::Else if self.top().case => self.top().end_chain(),
            Token::Op
            | Token::Ascii43
            | Token::Ascii45
            | Token::Ascii42
            | Token::Ascii47
            | Token::Ascii60
            | Token::Ascii61
            | Token::Ascii62
            | Token::LessEquals
            | Token::GreaterEquals
            | Token::NotEquals
            | Token::Typecast => self.count_operator(at)?,
            _ => {}
        }
        Ok(())
    }

    fn count_operator(&mut self, at: usize) -> Result<(), Problem> {
        self.operators += 1;
        // Both the AND or OR and the comparison beside it count, so a chain of n terms has 2n.
        if self.operators > self.caps.operators.saturating_mul(2) {
            return Err(over("operators in one statement", self.caps.operators, Some(at)));
        }
        Ok(())
    }

    fn open(&mut self, case: bool, at: usize) -> Result<(), Problem> {
        if self.frames.len() > self.caps.depth {
            return Err(over("brackets open at once", self.caps.depth, Some(at)));
        }
        self.frames.push(Frame { case, ..Frame::default() });
        Ok(())
    }

    /// Closes a bracket and the CASEs left open inside it.
    fn close(&mut self) {
        while self.frames.len() > 1 {
            let case = self.top().case;
            self.close_one();
            if !case {
                break;
            }
        }
    }

    fn close_one(&mut self) {
        if let Some(frame) = self.frames.pop() {
            let depth = frame.depth();
            let outer = self.top();
            outer.operand = outer.operand.max(depth);
        }
    }

    fn end_statement(&mut self, at: usize) -> Result<(), Problem> {
        self.in_statement = false;
        self.operators = 0;
        // A semicolon inside brackets occurs only in CREATE RULE's list, which is flat.
        self.top().end_chain();
        if self.frames.len() == 1 {
            let depth = self.top().depth();
            self.frames = vec![Frame::default()];
            self.depth = self.depth.max(depth);
        }
        if self.depth > self.caps.chain {
            return Err(self.too_deep(at));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Seen, Problem> {
        while self.frames.len() > 1 {
            self.close_one();
        }
        self.depth = self.depth.max(self.top().depth());
        if self.depth > self.caps.chain {
            return Err(self.too_deep(0));
        }
        Ok(Seen { depth: self.depth, tokens: self.tokens })
    }

    fn too_deep(&self, at: usize) -> Problem {
        problem(
            &format!(
                "an expression, join or set operation is nested or chained deeper than {}; split it",
                self.caps.chain
            ),
            Some(at),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces of statements, so that texts have shapes, brackets and chains of every sort.
    const PIECES: [&str; 34] = [
        "SELECT",
        "a",
        "b.c",
        "FROM",
        "t",
        "WHERE",
        "AND",
        "OR",
        "(",
        ")",
        "[1]",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "||",
        "=-",
        "::int",
        "'x'",
        "1",
        "1.5",
        "$1",
        ",",
        ";",
        "JOIN",
        "UNION ALL",
        "BETWEEN",
        "AS",
        "AS case",
        "\"q\"\"n\"",
        "/* c */",
        "-- c\n",
        "<=",
    ];

    proptest! {
        #[test]
        fn the_shape_never_shows_less(picks in proptest::collection::vec(0..PIECES.len(), 0..60)) {
            let text: Vec<&str> = picks.iter().map(|at| PIECES[*at]).collect();
            let text = text.join(" ");
            let caps = Caps { depth: 8, chain: 40, operators: 20, tokens: 60, statements: 6, ..Caps::default() };
            if let Some(seen) = by_shape(&text, &caps) {
                let exact = exactly(&text, &caps);
                prop_assert!(exact.as_ref().is_ok_and(|exact| exact.depth <= seen.depth && exact.tokens <= seen.tokens), "{text}: {seen:?} {exact:?}");
            }
        }
    }

    #[test]
    fn where_the_shape_shows_too_much_the_scanner_decides() {
        let caps = Caps { chain: 18, ..Caps::default() };
        // Two bytes, one token.
        let text = "SELECT a || b || c || d || e";
        assert_eq!(by_shape(text, &caps), None);
        assert!(check(text, &caps).is_ok());
        assert!(by_shape(text, &Caps::default()).is_some());
        assert!(check("SELECT 'open", &caps).is_err());
    }
}
