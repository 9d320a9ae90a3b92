//! What of a recorded terminal may act on the terminal of whoever looks at it.

use crate::csi::Csi;
use crate::token::{Kind, MAX_SEQUENCE, StringKind, Tokens};

/// The largest number that a sequence may have: no terminal is wider, and some repeat a character as often as they are told.
const MAX_NUMBER: usize = 9_999;
/// Private modes that change how things look and nothing that is sent: reverse screen, origin, wrap, cursor blinking, cursor,
/// alternate screens, and the saved cursor.
const MODES: [usize; 9] = [5, 6, 7, 12, 25, 47, 1047, 1048, 1049];
/// Those of them that are alternate screens.
const ALTERNATE: [usize; 3] = [47, 1047, 1049];

/// Lets through text, colours, cursor movement, erasing and the alternate screen. Everything else is dropped: what makes a
/// terminal answer (device attributes, status and colour queries, answerback), what writes outside of the screen (clipboard,
/// title, files, printer), what changes keys, mouse or fonts, hyperlinks and images, and text direction overrides.
///
/// An allow list: a control function that is not known does not pass. Functions are written in their seven-bit form, and bytes
/// that are not UTF-8 as replacement characters.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    string: Option<StringKind>,
    /// A control function or character whose rest has not come. Never more than [`MAX_SEQUENCE`] and an introducer.
    carry: Vec<u8>,
    alternate: bool,
    margins: bool,
}

impl Filter {
    /// A filter at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, cut anywhere, and appends what may pass.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let joined;
        let bytes = if self.carry.is_empty() {
            bytes
        } else {
            let mut all = std::mem::take(&mut self.carry);
            all.extend_from_slice(bytes);
            joined = all;
            &joined
        };
        let mut tokens = Tokens::new(bytes, self.string);
        for token in tokens.by_ref() {
            let piece = bytes.get(token.range.clone()).unwrap_or_default();
            match token.kind {
                Kind::Text => out.extend_from_slice(String::from_utf8_lossy(piece).as_bytes()),
                Kind::ZeroWidth => zero_width(piece, out),
                Kind::Control(control) => {
                    // Back space, tab, line ends, and the two that choose a character set. No bell.
                    if matches!(control, 0x08..=0x0f) {
                        out.push(control);
                    }
                }
                Kind::Csi => self.sequence(piece, out),
                Kind::Escape(last) => self.escape(piece, last, out),
                Kind::Incomplete if piece.len() <= MAX_SEQUENCE => self.carry.extend_from_slice(piece),
                Kind::Incomplete | Kind::StringStart(_) | Kind::Payload(_) | Kind::StringEnd(_) => {}
            }
        }
        self.string = tokens.string();
    }

    /// What brings the reader's terminal back to how it was, as far as this stream could change it.
    #[must_use]
    pub fn reset(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.alternate {
            out.extend_from_slice(b"\x1b[?1049l");
        }
        if self.margins {
            // Setting margins moves the cursor.
            out.extend_from_slice(b"\x1b7\x1b[r\x1b8");
        }
        out.extend_from_slice(b"\x1b[?5l\x1b[?6l\x1b[?7h\x1b[?25h\x1b[4l\x1b(B\x0f\x1b[0m");
        out
    }

    fn sequence(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(csi) = Csi::read(bytes) else { return };
        if csi.numbers().any(|number| number > MAX_NUMBER) {
            return;
        }
        match (csi.private, csi.intermediate, csi.last) {
            (0, 0, b'@'..=b'M' | b'P' | b'S' | b'T' | b'X' | b'Z' | b'`'..=b'b' | b'd'..=b'g' | b'm' | b's' | b'u')
            | (0, b' ', b'q' | b'@' | b'A')
            | (0, b'!', b'p')
            | (b'?', 0, b'J' | b'K') => put(&csi, csi.parameters, out),
            (0, 0, b'r') => {
                self.margins = true;
                put(&csi, csi.parameters, out);
            }
            // Insert mode.
            (0, 0, b'h' | b'l') if csi.numbers().eq([4]) => put(&csi, csi.parameters, out),
            (b'?', 0, b'h' | b'l') => {
                for mode in csi.numbers().filter(|mode| MODES.contains(mode)) {
                    if ALTERNATE.contains(&mode) {
                        self.alternate = csi.last == b'h';
                    }
                    put(&csi, mode.to_string().as_bytes(), out);
                }
            }
            _ => {}
        }
    }

    fn escape(&mut self, bytes: &[u8], last: u8, out: &mut Vec<u8>) {
        let intermediate = bytes.get(1..bytes.len().saturating_sub(1)).unwrap_or_default();
        match (bytes, intermediate, last) {
            // A full reset also clears what the reader had above.
            (_, [], b'c') => out.extend_from_slice(b"\x1b[!p\x1b[2J\x1b[H"),
            (_, [], b'7' | b'8' | b'D' | b'E' | b'H' | b'M')
            | (_, [b'#'], b'3'..=b'6' | b'8')
            | (_, [b'(' | b')'], b'0' | b'A' | b'B')
                if bytes.first() == Some(&0x1b) =>
            {
                out.extend_from_slice(bytes);
            }
            // The same as C1 characters.
            ([0xc2, _], _, b'D' | b'E' | b'H' | b'M') => out.extend_from_slice(&[0x1b, last]),
            _ => {}
        }
    }
}

/// Writes a sequence in seven bits, with nothing in it but its own bytes.
fn put(csi: &Csi<'_>, parameters: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[");
    out.extend([csi.private].iter().filter(|byte| **byte != 0));
    out.extend(parameters.iter().filter(|byte| matches!(byte, b'0'..=b'9' | b':' | b';')));
    out.extend([csi.intermediate].iter().filter(|byte| **byte != 0));
    out.push(csi.last);
}

/// Joiners and variation selectors belong to what is shown; the rest only reorders or hides it.
fn zero_width(bytes: &[u8], out: &mut Vec<u8>) {
    let char = str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
    if matches!(char, Some('\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')) {
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filtered(text: &str) -> String {
        let (mut filter, mut out) = (Filter::new(), Vec::new());
        filter.push(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_shows_something_passes() {
        for text in [
            "a\r\n\tb\x08 über",
            "\x1b[1;31mred\x1b[0m \x1b[38;5;196mx\x1b[38:2::1:2:3my",
            "\x1b[2J\x1b[H\x1b[10;5f\x1b[K\x1b[?25l\x1b[?1049h\x1b[?7l",
            "\x1b(0lqk\x1b(B\x1b7\x1b8\x1bM\x1b[1;20r\x1b[2 q",
        ] {
            assert_eq!(filtered(text), text);
        }
    }

    #[test]
    fn nothing_passes_that_asks_or_writes_elsewhere() {
        for text in [
            "\x1b]52;c;ZXZpbA==\x07",
            "\x1b]0;title\x1b\\",
            "\x1b]10;?\x07\x1b]11;?\x07\x1b]4;1;?\x07\x1b]8;;http://x\x07",
            "\x1b[c\x1b[>c\x1b[=c\x1b[6n\x1b[?6n\x1b[5n\x1b[21t\x1b[x\x1b[?2026$p\x1b[>q\x1b[i\x1b[?15n",
            "\x1bP+q544e\x1b\\\x1bP$qm\x1b\\\x1b_Gi=1\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\\x1bkt\x1b\\",
            "\x05\x07\x00\x1bZ\x1b=\x1b>\x1b[?1h\x1b[?1000h\x1b[?2004h\x1b[?1004;1006h\x1b[99999b\x1b[20h",
            "\u{9d}52;c;x\x07\u{9b}c\u{9a}\u{202e}\u{200b}",
        ] {
            assert_eq!(filtered(text), "", "{text:?}");
        }
        assert_eq!(filtered("\x1b[?25;1000h"), "\x1b[?25h");
        // Bytes that are not UTF-8 are no control characters, and end as one.
        for pieces in [&[&b"a\xe0\x80\x8bb\x9b1m"[..]][..], &[b"a\xe0\x80", b"\x8bb\x9b", b"1m"]] {
            let (mut filter, mut out) = (Filter::new(), Vec::new());
            pieces.iter().for_each(|piece| filter.push(piece, &mut out));
            assert_eq!(String::from_utf8(out).unwrap(), "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}1m");
        }
        assert_eq!(filtered("\u{9b}31mx"), "\x1b[31mx");
        assert_eq!(filtered("a\x1b[\x073\x051mb"), "a\x1b[31mb");
    }

    #[test]
    fn a_stream_cut_anywhere_is_filtered_alike() {
        let text = "a\x1b[31mü\x1b]52;c;x\x1b\\b\u{9b}2Jc\x1b[?1049h€";
        for size in 1..8 {
            let (mut filter, mut out) = (Filter::new(), Vec::new());
            text.as_bytes().chunks(size).for_each(|piece| filter.push(piece, &mut out));
            assert_eq!(String::from_utf8(out).unwrap(), filtered(text), "in pieces of {size}");
        }
    }

    #[test]
    fn the_reader_s_terminal_is_brought_back() {
        let mut filter = Filter::new();
        filter.push(b"\x1b[?1049h\x1b[2;5r", &mut Vec::new());
        let reset = String::from_utf8(filter.reset()).unwrap();
        assert!(reset.starts_with("\x1b[?1049l\x1b7\x1b[r\x1b8") && reset.ends_with("\x1b[0m"));
        assert!(!String::from_utf8(Filter::new().reset()).unwrap().contains("1049"));
    }

    proptest! {
        /// Whatever comes, what passes is UTF-8, and passes again as it is.
        #[test]
        fn what_passed_passes(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(b"\x1b[]P\\;mhl?c0q\x07\xc2\x9b".to_vec())], 0..300,
        )) {
            let mut once = Vec::new();
            Filter::new().push(&bytes, &mut once);
            let mut twice = Vec::new();
            Filter::new().push(&once, &mut twice);
            prop_assert!(std::str::from_utf8(&once).is_ok());
            prop_assert_eq!(once, twice);
        }
    }
}
