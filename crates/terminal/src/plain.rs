//! The text of a terminal as lines, for where there is no terminal.

use crate::csi::Csi;
use crate::token::{Kind, StringKind, Tokens};

/// Characters of a line that are kept; of a longer one the rest is a line of its own.
const MAX_LINE: usize = 4096;

/// Follows one line of a terminal: text, back spaces, carriage returns and the editing of a command line. What moves to
/// another line ends it.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    string: Option<StringKind>,
    carry: Vec<u8>,
    line: Vec<char>,
    cursor: usize,
}

impl Plain {
    /// An empty line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, cut anywhere, and gives each line that ended.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        let mut all = std::mem::take(&mut self.carry);
        all.extend_from_slice(bytes);
        let mut tokens = Tokens::new(&all, self.string);
        for token in tokens.by_ref() {
            let piece = all.get(token.range.clone()).unwrap_or_default();
            match token.kind {
                Kind::Text => {
                    for char in String::from_utf8_lossy(piece).chars() {
                        self.put(char, &mut each);
                    }
                }
                Kind::Control(b'\n' | 0x0b | 0x0c) | Kind::Escape(b'D' | b'E' | b'M') => self.end(&mut each),
                Kind::Control(b'\r') => self.cursor = 0,
                Kind::Control(0x08) => self.cursor = self.cursor.saturating_sub(1),
                Kind::Control(b'\t') => self.put('\t', &mut each),
                Kind::Csi => self.sequence(piece, &mut each),
                // Only the last token is incomplete, and it is short.
                Kind::Incomplete => self.carry.extend_from_slice(piece),
                Kind::ZeroWidth
                | Kind::Control(_)
                | Kind::Escape(_)
                | Kind::StringStart(_)
                | Kind::Payload(_)
                | Kind::StringEnd(_) => {}
            }
        }
        self.string = tokens.string();
    }

    /// Gives the line that did not end, if there is anything in it.
    pub fn finish(&mut self, mut each: impl FnMut(String)) {
        if !self.line.is_empty() {
            self.end(&mut each);
        }
    }

    fn put(&mut self, char: char, each: &mut dyn FnMut(String)) {
        if self.cursor >= MAX_LINE {
            self.end(each);
        }
        while self.line.len() <= self.cursor {
            self.line.push(' ');
        }
        if let Some(cell) = self.line.get_mut(self.cursor) {
            *cell = char;
        }
        self.cursor += 1;
    }

    fn end(&mut self, each: &mut dyn FnMut(String)) {
        let line: String = std::mem::take(&mut self.line).into_iter().collect();
        self.cursor = 0;
        each(line.trim_end().to_owned());
    }

    fn sequence(&mut self, bytes: &[u8], each: &mut dyn FnMut(String)) {
        let Some(csi) = Csi::read(bytes).filter(|csi| !csi.stays()) else { return };
        let count = csi.number(0, 1).min(MAX_LINE);
        match csi.last {
            b'C' | b'a' => self.cursor = (self.cursor + count).min(MAX_LINE - 1),
            b'D' => self.cursor = self.cursor.saturating_sub(count),
            b'G' | b'`' => self.cursor = count - 1,
            b'K' => match csi.number(0, 0) {
                0 => self.line.truncate(self.cursor),
                1 => self.line.iter_mut().take(self.cursor + 1).for_each(|cell| *cell = ' '),
                _ => self.line.clear(),
            },
            b'P' => {
                let end = (self.cursor + count).min(self.line.len());
                if self.cursor < end {
                    self.line.drain(self.cursor..end);
                }
            }
            b'@' => {
                let room = MAX_LINE.saturating_sub(self.line.len());
                if self.cursor < self.line.len() {
                    self.line.splice(self.cursor..self.cursor, std::iter::repeat_n(' ', count.min(room)));
                }
            }
            b'X' => self.line.iter_mut().skip(self.cursor).take(count).for_each(|cell| *cell = ' '),
            // Erasing, scrolling, and movement to other lines.
            _ => {
                if !self.line.is_empty() {
                    self.end(each);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let (mut plain, mut lines) = (Plain::new(), Vec::new());
        for piece in text.as_bytes().chunks(3) {
            plain.push(piece, |line| lines.push(line));
        }
        plain.finish(|line| lines.push(line));
        lines
    }

    #[test]
    fn lines_are_as_they_ended_up() {
        assert_eq!(lines("a\x1b[31mü\x1b[0m\r\nb\x1b]0;t\x07c"), ["aü", "bc"]);
        assert_eq!(lines("lx\x08 \x08s\r\n"), ["ls"]);
        assert_eq!(lines(" 10%\r 20%\r100%\n"), ["100%"]);
        assert_eq!(lines("abd\x08\x1b[@c\r\nxyz\x08\x08\x1b[P\r\nlong\r\x1b[Kno\n"), ["abcd", "xz", "no"]);
        assert_eq!(lines("top\x1b[2;1Hnext\x1b[2J"), ["top", "next"]);
        assert_eq!(lines("\n\n"), ["", ""]);
    }

    #[test]
    fn a_line_is_bounded() {
        let (mut plain, mut longest) = (Plain::new(), 0);
        plain.push("x".repeat(20_000).as_bytes(), |line| longest = longest.max(line.len()));
        plain.push(b"\x1b[99999C\x1b[99999@y", |line| longest = longest.max(line.len()));
        assert_eq!(longest, MAX_LINE);
    }
}
