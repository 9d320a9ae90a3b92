//! The literal-normalised shape of a text: the key under which decisions that do not depend on literals may be kept.
//!
//! The shape is the text with every run of blanks and comments as one space and every literal as one byte for its class. What is not surely
//! lexed as the server does (escape strings, dollar quotes, numbers glued to names, strings continued on another line, anything
//! unusual) makes the whole text [`Shape::Opaque`]: slower, never wrong. Tests compare with the server's own scanner.
//!
//! Why equal shapes mean equal trees: outside literals the two texts are byte for byte the same but for the length of blanks; a literal of one
//! class is lexed as one token of one kind whatever its value; and the bytes beside it cannot join it, since those that could are refused.

#[cfg(test)]
mod tests;

use std::ops::Range;

/// Stands for a string. Control characters do not occur in a plain text outside quoted names, which are kept with their quotes.
const STRING: u8 = 1;
/// Stands for a whole number up to 2147483647.
const INTEGER: u8 = 2;
/// Stands for a larger whole number.
const BIG: u8 = 3;
/// Stands for a number with a point or an exponent.
const FLOAT: u8 = 4;

/// Whether a text has a shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Its shape was appended.
    Plain,
    /// It has none: the caller must key by the exact text. Nothing was appended.
    Opaque,
}

/// What a byte can begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Letter,
    Digit,
    Operator,
    Single,
    Quote,
    Name,
    Dollar,
    Dot,
    Other,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Other; 256];
    let mut byte: usize = 0;
    while byte < 128 {
        #[expect(clippy::cast_possible_truncation, reason = "below 128")]
        let letter = byte as u8;
        table[byte] = match letter {
            // A vertical tab is a blank since PostgreSQL 16 only.
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => Class::Blank,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'+' | b'-' | b'*' | b'/' | b'%' | b'<'
            | b'>' | b'=' => Class::Operator,
            b',' | b'(' | b')' | b'[' | b']' | b';' | b':' => Class::Single,
            b'\'' => Class::Quote,
            b'"' => Class::Name,
            b'$' => Class::Dollar,
            b'.' => Class::Dot,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
}

#[inline]
fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

#[inline]
fn continues_name(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit | Class::Dollar)
}

/// Appends the shape of `text`: equal shapes mean the same parse tree up to the values of literals. `text` is as the client sent it, without the
/// final NUL. Assumes `standard_conforming_strings = on` and UTF-8, as the gateway pins them.
pub fn shape(text: &[u8], out: &mut Vec<u8>) -> Shape {
    let before = out.len();
    out.reserve(text.len());
    if (Lexer { text, at: 0 }).run(out, |_, _| {}).is_some() {
        Shape::Plain
    } else {
        out.truncate(before);
        Shape::Opaque
    }
}

/// Where a plain text has strings and parameters: bytes of the text, quotes included. Texts of the same shape have as many, in the same order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Strings in simple quotes.
    pub strings: Vec<Range<usize>>,
    /// Parameters: `$1` and the like.
    pub parameters: Vec<Range<usize>>,
}

/// The marks of a plain text; `None` for an opaque one.
#[must_use]
pub fn marks(text: &[u8]) -> Option<Marks> {
    let mut marks = Marks::default();
    (Lexer { text, at: 0 }).run(&mut Vec::new(), |mark, range| match mark {
        Mark::String => marks.strings.push(range),
        Mark::Parameter => marks.parameters.push(range),
    })?;
    Some(marks)
}

/// What is marked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    String,
    Parameter,
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    #[inline]
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// `None` is opaque.
    fn run(mut self, out: &mut Vec<u8>, mut mark: impl FnMut(Mark, Range<usize>)) -> Option<()> {
        // A string may go on after a line break; a space could not stand for that.
        let mut after_string = false;
        let mut after_float = false;
        while let Some(byte) = self.text.get(self.at) {
            let start = self.at;
            let was_string = std::mem::take(&mut after_string);
            let was_float = std::mem::take(&mut after_float);
            match class(*byte) {
                Class::Blank => {
                    self.blanks()?;
                    self.space(out);
                    after_string = was_string;
                    after_float = was_float;
                }
                Class::Letter => after_float = self.word(out)?,
                Class::Digit => self.number(out)?,
                // `..5` is a range and a number, not a point and a fraction.
                Class::Dot if self.peek(1) == b'.' => return None,
                Class::Dot if class(self.peek(1)) == Class::Digit => self.number(out)?,
                Class::Dot => {
                    self.at += 1;
                    out.push(b'.');
                }
                Class::Operator if self.is_comment() => {
                    self.blanks()?;
                    self.space(out);
                    after_string = was_string;
                    after_float = was_float;
                }
                Class::Operator => {
                    self.at += 1;
                    out.push(*byte);
                }
                Class::Single => {
                    // `float(24)` and `float(25)` are different types.
                    if was_float && *byte == b'(' {
                        return None;
                    }
                    self.at += 1;
                    out.push(*byte);
                }
                Class::Quote => {
                    if was_string {
                        return None;
                    }
                    self.quoted(b'\'')?;
                    mark(Mark::String, start..self.at);
                    out.push(STRING);
                    after_string = true;
                }
                Class::Name => {
                    self.quoted(b'"')?;
                    out.extend_from_slice(self.text.get(start..self.at)?);
                }
                Class::Dollar => {
                    self.parameter(out)?;
                    mark(Mark::Parameter, start..self.at);
                }
                Class::Other => return None,
            }
        }
        if out.last() == Some(&b' ') {
            out.pop();
        }
        Some(())
    }

    fn space(&self, out: &mut Vec<u8>) {
        if out.last() != Some(&b' ') {
            out.push(b' ');
        }
    }

    #[inline]
    fn is_comment(&self) -> bool {
        matches!((self.peek(0), self.peek(1)), (b'-', b'-') | (b'/', b'*'))
    }

    /// Past blanks and comments.
    fn blanks(&mut self) -> Option<()> {
        while let Some(byte) = self.text.get(self.at) {
            if class(*byte) == Class::Blank {
                self.at += 1;
            } else if !self.is_comment() {
                break;
            } else if *byte == b'-' {
                let rest = self.text.get(self.at..)?;
                let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                if memchr::memchr(0, rest.get(..end)?).is_some() {
                    return None;
                }
                self.at += end;
            } else {
                self.block_comment()?;
            }
        }
        Some(())
    }

    fn block_comment(&mut self) -> Option<()> {
        self.at += 2;
        let mut depth = 1;
        while depth > 0 {
            match (self.text.get(self.at)?, self.peek(1)) {
                (0, _) => return None,
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        Some(())
    }

    /// A name or keyword; answers whether it is `float`.
    fn word(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|byte| continues_name(*byte)) {
            self.at += 1;
        }
        let word = self.text.get(start..self.at)?;
        match self.peek(0) {
            // E'…', B'…', X'…', N'…', U&'…', U&"…", or a name with a byte that is not ASCII.
            b'\'' | 0x80.. => return None,
            b'&' if matches!(word, b"u" | b"U") => return None,
            _ => {}
        }
        out.extend_from_slice(word);
        Some(word.len() == 5 && word.eq_ignore_ascii_case(b"float"))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let start = self.at;
        let mut kind = INTEGER;
        let whole = self.digits();
        if self.peek(0) == b'.' {
            // `1..2` is a range in PL/pgSQL.
            if self.peek(1) == b'.' {
                return None;
            }
            self.at += 1;
            kind = FLOAT;
            if self.digits() + whole == 0 {
                return None;
            }
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if class(self.peek(1 + sign)) != Class::Digit {
                return None;
            }
            self.at += 1 + sign;
            self.digits();
            kind = FLOAT;
        }
        // Glued to a name, another number or a parameter: versions of the server differ.
        let next = self.peek(0);
        if continues_name(next) || next == b'.' || next >= 0x80 {
            return None;
        }
        if kind == INTEGER {
            let text = self.text.get(start..self.at)?;
            let significant =
                text.iter().position(|byte| *byte != b'0').map_or(&[][..], |from| text.get(from..).unwrap_or(&[]));
            if significant.len() > 10 || significant.len() == 10 && significant > b"2147483647".as_slice() {
                kind = BIG;
            }
        }
        out.push(kind);
        Some(())
    }

    /// Past a quoted string or name; the quote is doubled inside.
    fn quoted(&mut self, quote: u8) -> Option<()> {
        let open = self.at;
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..)?;
            let end = memchr::memchr2(quote, 0, rest)?;
            if rest.get(end) == Some(&0) {
                return None;
            }
            self.at += end + 1;
            if self.peek(0) != quote {
                break;
            }
            self.at += 1;
        }
        // An empty quoted name is an error of the server's scanner.
        if quote == b'"' && self.at == open + 2 {
            return None;
        }
        Some(())
    }

    /// `$1`; a dollar quote is opaque.
    fn parameter(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let start = self.at;
        self.at += 1;
        let digits = self.digits();
        let next = self.peek(0);
        if digits == 0 || digits > 5 || continues_name(next) || next == b'.' || next >= 0x80 {
            return None;
        }
        out.extend_from_slice(self.text.get(start..self.at)?);
        Some(())
    }
}
