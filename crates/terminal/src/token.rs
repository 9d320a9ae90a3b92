//! Cuts bytes into text and control functions.

use std::ops::Range;

/// Bytes of a control sequence or escape sequence that are read as one. Real ones have a few dozen; of a longer one the rest is
/// taken for text, so that a reader sees too much rather than too little.
pub const MAX_SEQUENCE: usize = 256;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// A control string, by what introduces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StringKind {
    /// Device control string: `ESC P`.
    Dcs,
    /// Start of string: `ESC X`.
    Sos,
    /// Operating system command: `ESC ]`.
    Osc,
    /// Privacy message: `ESC ^`.
    Pm,
    /// Application program command: `ESC _`.
    Apc,
    /// The title of screen and tmux: `ESC k`.
    Title,
}

/// What a piece of the bytes is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Visible characters: as many as come without anything else between them. Bytes that are not UTF-8 are text too.
    Text,
    /// A character that shows nothing and takes no room: zero-width space, soft hyphen and the like.
    ZeroWidth,
    /// One control character (C0 or DEL), this one.
    Control(u8),
    /// A control sequence: `ESC [ … final`, or with the C1 character.
    Csi,
    /// An escape sequence without a string, or a C1 control character; the final byte. 0 where it is malformed.
    Escape(u8),
    /// What introduces a control string.
    StringStart(StringKind),
    /// Some bytes of a control string's body.
    Payload(StringKind),
    /// What ends a control string.
    StringEnd(StringKind),
    /// The beginning of a control function or of a character whose rest has not come. The last token, if there is one.
    Incomplete,
}

/// A piece of the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub range: Range<usize>,
}

/// Walks over bytes. The tokens lie back to back and cover all of them.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    string: Option<StringKind>,
}

impl<'a> Tokens<'a> {
    /// Walks over bytes that come after those that ended inside of `string`.
    #[must_use]
    pub const fn new(bytes: &'a [u8], string: Option<StringKind>) -> Self {
        Self { bytes, at: 0, string }
    }

    /// The control string that is open where the walk is.
    #[must_use]
    pub const fn string(&self) -> Option<StringKind> {
        self.string
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn in_string(&mut self, kind: StringKind) -> Option<Token> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let ends = |byte: &u8| matches!(*byte, ESC | BEL | CAN | SUB | 0xc2);
        let mut length = rest.iter().position(ends).unwrap_or(rest.len());
        // A C2 that does not begin the C1 terminator is the body's.
        while rest.get(length) == Some(&0xc2) && rest.get(length + 1).is_none_or(|next| *next != 0x9c) {
            length += 1;
            let more = rest.get(length..).unwrap_or_default();
            length += more.iter().position(ends).unwrap_or(more.len());
        }
        if length > 0 {
            self.at += length;
            return Some(Token { kind: Kind::Payload(kind), range: start..self.at });
        }
        let (kind, length) = match (self.byte(start)?, self.byte(start + 1)) {
            (ESC, None) => {
                self.at += 1;
                return Some(Token { kind: Kind::Incomplete, range: start..self.at });
            }
            (ESC, Some(b'\\')) | (0xc2, _) => (Kind::StringEnd(kind), 2),
            // Any other escape sequence ends the string and is one of its own.
            (ESC, Some(_)) => {
                self.string = None;
                return self.in_ground();
            }
            (_, _) => (Kind::StringEnd(kind), 1),
        };
        self.string = None;
        self.at += length;
        Some(Token { kind, range: start..self.at })
    }

    fn in_ground(&mut self) -> Option<Token> {
        let start = self.at;
        self.byte(start)?;
        let mut end = start;
        let stop = loop {
            match visible(self.bytes, end) {
                Visible::Bytes(length) => end += length,
                stop => break stop,
            }
        };
        let (kind, end) = if end > start {
            (Kind::Text, end)
        } else {
            match stop {
                Visible::ZeroWidth(length) => (Kind::ZeroWidth, start + length),
                Visible::C1(code, length) => self.function(code, start + length),
                Visible::Cut => (Kind::Incomplete, self.bytes.len()),
                Visible::Bytes(_) | Visible::No => match self.byte(start)? {
                    ESC => self.escape(start + 1),
                    other => (Kind::Control(other), start + 1),
                },
            }
        };
        self.at = end;
        if let Kind::StringStart(kind) = kind {
            self.string = Some(kind);
        }
        Some(Token { kind, range: start..end })
    }

    /// What follows an ESC at `at - 1`.
    fn escape(&self, at: usize) -> (Kind, usize) {
        let mut end = at;
        while end - at < MAX_SEQUENCE {
            match self.byte(end) {
                None => return (Kind::Incomplete, end),
                Some(0x20..=0x2f) => end += 1,
                Some(b'k') if end == at => return (Kind::StringStart(StringKind::Title), end + 1),
                // The seven-bit form of a C1 control character.
                Some(code @ 0x40..=0x5f) if end == at => return self.function(code + 0x40, end + 1),
                Some(code @ 0x30..=0x7e) => return (Kind::Escape(code), end + 1),
                Some(_) => break,
            }
        }
        (Kind::Escape(0), end)
    }

    /// A C1 control character that ends at `end`.
    fn function(&self, code: u8, end: usize) -> (Kind, usize) {
        let string = |kind| (Kind::StringStart(kind), end);
        match code {
            0x9b => self.sequence(end),
            0x90 => string(StringKind::Dcs),
            0x98 => string(StringKind::Sos),
            0x9d => string(StringKind::Osc),
            0x9e => string(StringKind::Pm),
            0x9f => string(StringKind::Apc),
            code => (Kind::Escape(code.wrapping_sub(0x40)), end),
        }
    }

    /// The rest of a control sequence whose introducer ends at `at`. Control characters inside are executed by terminals, and
    /// the sequence goes on after them.
    fn sequence(&self, at: usize) -> (Kind, usize) {
        let mut end = at;
        while end - at < MAX_SEQUENCE {
            match self.byte(end) {
                None => return (Kind::Incomplete, end),
                Some(0x40..=0x7e) => return (Kind::Csi, end + 1),
                Some(ESC | CAN | SUB | 0x80..) => break,
                Some(_) => end += 1,
            }
        }
        (Kind::Escape(0), end)
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.at >= self.bytes.len() {
            return None;
        }
        match self.string {
            Some(kind) => self.in_string(kind),
            None => self.in_ground(),
        }
    }
}

/// What is at a place of the bytes.
enum Visible {
    /// A visible character of so many bytes.
    Bytes(usize),
    /// A character without width, of so many bytes.
    ZeroWidth(usize),
    /// A C1 control character and its bytes.
    C1(u8, usize),
    /// The beginning of a character whose rest has not come.
    Cut,
    /// Nothing, or another control character.
    No,
}

fn visible(bytes: &[u8], at: usize) -> Visible {
    match bytes.get(at).copied() {
        Some(0x20..=0x7e) => Visible::Bytes(1),
        None | Some(0..=0x1f | 0x7f) => Visible::No,
        Some(first) => wide(bytes, at, first),
    }
}

/// What is where a byte outside of ASCII is.
fn wide(bytes: &[u8], at: usize, first: u8) -> Visible {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Visible::Bytes(1),
    };
    let here = bytes.get(at..).unwrap_or_default();
    if here.len() < length && matches!(str::from_utf8(here), Err(error) if error.error_len().is_none()) {
        return Visible::Cut;
    }
    let Some(text) = here.get(..length).and_then(|bytes| str::from_utf8(bytes).ok()) else {
        // No character. What follows of it is text too, and no C1 control character: those are characters in UTF-8.
        return Visible::Bytes(1);
    };
    match text.chars().next() {
        Some(control @ '\u{80}'..='\u{9f}') => Visible::C1(u8::try_from(u32::from(control)).unwrap_or(0), length),
        Some(char) if is_zero_width(char) => Visible::ZeroWidth(length),
        _ => Visible::Bytes(length),
    }
}

/// Characters that show nothing and do not move the cursor.
const fn is_zero_width(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        Tokens::new(text.as_bytes(), None)
            .map(|token| (token.kind, text.get(token.range).unwrap_or("a cut character")))
            .collect()
    }

    #[test]
    fn every_form_is_told_from_text() {
        assert_eq!(
            kinds("a\x1b[1;31mé\x1b(B\r\n\x1b]0;t\x07\x1bPq#\x1b\\z"),
            [
                (Kind::Text, "a"),
                (Kind::Csi, "\x1b[1;31m"),
                (Kind::Text, "é"),
                (Kind::Escape(b'B'), "\x1b(B"),
                (Kind::Control(b'\r'), "\r"),
                (Kind::Control(b'\n'), "\n"),
                (Kind::StringStart(StringKind::Osc), "\x1b]"),
                (Kind::Payload(StringKind::Osc), "0;t"),
                (Kind::StringEnd(StringKind::Osc), "\x07"),
                (Kind::StringStart(StringKind::Dcs), "\x1bP"),
                (Kind::Payload(StringKind::Dcs), "q#"),
                (Kind::StringEnd(StringKind::Dcs), "\x1b\\"),
                (Kind::Text, "z"),
            ]
        );
        assert_eq!(
            kinds("\u{9b}1mx\u{200b}"),
            [(Kind::Csi, "\u{9b}1m"), (Kind::Text, "x"), (Kind::ZeroWidth, "\u{200b}")]
        );
        assert_eq!(kinds("\x1bM\u{84}"), [(Kind::Escape(b'M'), "\x1bM"), (Kind::Escape(b'D'), "\u{84}")]);
    }

    #[test]
    fn what_ends_a_string_is_what_ends_it_for_a_terminal() {
        // An escape sequence inside ends it, and so does CAN.
        assert_eq!(
            kinds("\x1b]0;a\x1b[mb"),
            [
                (Kind::StringStart(StringKind::Osc), "\x1b]"),
                (Kind::Payload(StringKind::Osc), "0;a"),
                (Kind::Csi, "\x1b[m"),
                (Kind::Text, "b"),
            ]
        );
        // A control character inside a sequence does not end it.
        assert_eq!(kinds("\x1b[\x001mb"), [(Kind::Csi, "\x1b[\x001m"), (Kind::Text, "b")]);
        // A new ESC does.
        assert_eq!(kinds("\x1b[1\x1b[2mb"), [(Kind::Escape(0), "\x1b[1"), (Kind::Csi, "\x1b[2m"), (Kind::Text, "b")]);
    }

    #[test]
    fn a_cut_function_and_a_cut_character_are_incomplete() {
        for text in ["\x1b", "\x1b[", "\x1b[1;", "\x1b("] {
            assert_eq!(kinds(text), [(Kind::Incomplete, text)]);
        }
        let kinds_of = |bytes| Tokens::new(bytes, None).map(|token| token.kind).collect::<Vec<_>>();
        assert_eq!(kinds_of(&"a€".as_bytes()[..3]), [Kind::Text, Kind::Incomplete]);
        assert_eq!(kinds_of(b"\xe2\x80x\xff"), [Kind::Text]);
        let mut walk = Tokens::new(b"more\x1b", Some(StringKind::Osc));
        assert_eq!(walk.next().map(|token| token.kind), Some(Kind::Payload(StringKind::Osc)));
        assert_eq!(walk.next().map(|token| token.kind), Some(Kind::Incomplete));
        assert_eq!((walk.next(), walk.string()), (None, Some(StringKind::Osc)));
    }

    proptest! {
        #[test]
        fn tokens_cover_all_bytes(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(b"\x1b[]P\\;m\x07\xc2\x9b\x9c0".to_vec())], 0..200,
        )) {
            let mut end = 0;
            for token in Tokens::new(&bytes, None) {
                prop_assert_eq!(token.range.start, end);
                prop_assert!(token.range.end > end);
                end = token.range.end;
            }
            prop_assert_eq!(end, bytes.len());
        }
    }
}
