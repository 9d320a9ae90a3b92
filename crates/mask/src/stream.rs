//! The detectors over a byte stream that arrives in pieces cut anywhere.

use std::fmt;

use crate::detector::DetectorSet;
use crate::masker::Masker;
use crate::scan::{Hit, Open, PemStep, PemTail, is_jwt_byte, is_token_byte, scan_open};
use crate::style::Style;

/// Bytes after which no detector needs to see more to know whether a value starts: the longest are a JWT's header with what
/// proves it (4 KiB) and an e-mail address (320 bytes).
const LOOK_AHEAD: usize = 8 * 1024;
/// Released bytes that are kept to know what stands before the next value. The longest look back is an e-mail's local part or a
/// run of an IPv6 address, 64 bytes each.
const CONTEXT: usize = 128;

/// Hides what the detectors find in a stream of bytes (COPY data, terminal output), wherever it is cut into pieces.
///
/// Bytes are held back while a value could still be going on, and released at the next byte that no value contains: a line end, a
/// tab or another control byte, or one of `" ; < > [ ] { } |`. A text without any is released in steps, so at most 16 KiB are held
/// back besides the piece just pushed. Values of any length (tokens, PEM blocks) are hidden from their beginning on without being
/// held.
///
/// The output is the same as [`scan`](crate::scan) and [`Masker::detected`] over all of the stream, but for two cases: a token,
/// JWT or PEM block that was not seen whole is redacted when the style is `token` or `hash`, because its digest would need all of
/// it; and a value that overlaps one already replaced is replaced on its own.
pub struct StreamScanner {
    masker: Masker,
    set: DetectorSet,
    style: Style,
    /// Some bytes already released, then those held back.
    buffer: Vec<u8>,
    /// How many at the start of `buffer` are already released.
    released: usize,
    hiding: Option<Hiding>,
    hits: Vec<Hit>,
}

/// A value whose replacement is written and whose bytes still come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hiding {
    Token,
    /// With so many dots last, which are the value's only if more of it follows.
    Jwt {
        dots: usize,
    },
    Pem(PemTail),
}

impl StreamScanner {
    /// A scanner at the start of a stream.
    #[must_use]
    pub fn new(masker: Masker, set: DetectorSet, style: Style) -> Self {
        Self { masker, set, style, buffer: Vec::new(), released: 0, hiding: None, hits: Vec::new() }
    }

    /// Takes the next piece, of any length, and appends to `out` what can be released.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        if let Some(hiding) = self.hiding.take() {
            rest = self.hide(hiding, rest, out);
        }
        self.buffer.extend_from_slice(rest);
        // What was held before has no boundary, or it would not have been held.
        if let Some(last) = rest.iter().rposition(|byte| is_boundary(*byte)) {
            let cut = self.buffer.len() - rest.len() + last + 1;
            self.release_at_boundary(cut, out);
        }
        if self.buffer.len() - self.released > 2 * LOOK_AHEAD {
            self.release(self.buffer.len() - LOOK_AHEAD, out);
        }
    }

    /// Releases everything held back, though a value may be going on: for when a person waits for what is on the screen. What
    /// follows of a value that was already recognised stays hidden; one that is cut before it could be recognised is missed.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.release(self.buffer.len(), out);
    }

    /// Ends the stream: appends all that is left to `out`. The scanner is then as new.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        if let Some(Hiding::Jwt { dots }) = self.hiding.take() {
            out.extend(std::iter::repeat_n(b'.', dots));
        }
        self.buffer.clear();
        self.released = 0;
    }

    /// Bytes taken and not yet released.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len() - self.released
    }

    /// Drops the bytes of a value that is being hidden; returns those after it.
    fn hide<'a>(&mut self, mut hiding: Hiding, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let taken = bytes.iter().take_while(|byte| hiding.goes_on(**byte)).count();
        let (inside, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
        self.keep_as_context(inside);
        if rest.is_empty() {
            self.hiding = Some(hiding);
        } else if let Hiding::Jwt { dots } = hiding {
            out.extend(std::iter::repeat_n(b'.', dots));
        }
        rest
    }

    fn keep_as_context(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.released = self.buffer.len();
        self.forget();
    }

    /// Drops released bytes beyond the context.
    fn forget(&mut self) {
        self.buffer.drain(..self.released.saturating_sub(CONTEXT));
        self.released = self.released.min(CONTEXT);
    }

    /// Releases up to `cut`, where a boundary byte ends. Only a PEM block goes on over it.
    fn release_at_boundary(&mut self, cut: usize, out: &mut Vec<u8>) {
        let tail = self.buffer.split_off(cut);
        self.release(cut, out);
        match self.hiding.take() {
            Some(hiding) => {
                let rest = self.hide(hiding, &tail, out);
                self.buffer.extend_from_slice(rest);
            }
            None => {
                self.buffer.clear();
                self.buffer.extend_from_slice(&tail);
                self.released = 0;
            }
        }
    }

    /// Scans the buffer and releases it up to `cut`, or to the end of a value that `cut` is inside of.
    fn release(&mut self, cut: usize, out: &mut Vec<u8>) {
        if cut <= self.released {
            return;
        }
        let open = scan_open(&self.buffer, self.set, &mut self.hits);
        let mut done = self.released;
        for hit in &self.hits {
            if hit.range.end <= done || hit.range.start >= cut {
                continue;
            }
            let value = self.buffer.get(hit.range.clone()).unwrap_or_default();
            out.extend_from_slice(self.buffer.get(done..hit.range.start).unwrap_or_default());
            let hiding = Hiding::of(&open, self.buffer.get(hit.range.end..).unwrap_or_default());
            // Of a value that is not whole a digest or a part would be one of something else.
            let style = match (self.style, hit.range.start < done, &hiding) {
                (style, false, None) => style,
                (Style::Token | Style::Hash, _, _) => Style::Redact,
                (Style::Partial, true, _) => Style::Fixed,
                (style, _, _) => style,
            };
            self.masker.replace(style, hit.detector, value, out);
            done = hit.range.end;
            if hiding.is_some() {
                done = self.buffer.len();
                self.hiding = hiding;
            }
        }
        out.extend_from_slice(self.buffer.get(done..cut).unwrap_or_default());
        self.released = done.max(cut);
        self.forget();
    }
}

impl fmt::Debug for StreamScanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamScanner")
            .field("set", &self.set)
            .field("style", &self.style)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}

impl Hiding {
    /// What may still come of a value that `after` follows, if it is the one that left `open`.
    pub(crate) fn of(open: &Open, after: &[u8]) -> Option<Self> {
        match open.pem {
            Some(tail) if after.is_empty() => Some(Self::Pem(tail)),
            _ if open.jwt && after.iter().all(|byte| *byte == b'.') => Some(Self::Jwt { dots: after.len() }),
            _ if open.token && after.is_empty() => Some(Self::Token),
            _ => None,
        }
    }

    /// Takes one byte of the value, or says that it is not the value's.
    pub(crate) fn goes_on(&mut self, byte: u8) -> bool {
        match self {
            Self::Token => is_token_byte(byte),
            Self::Jwt { dots } => {
                let inside = is_jwt_byte(byte);
                if inside {
                    *dots = if byte == b'.' { *dots + 1 } else { 0 };
                }
                inside
            }
            Self::Pem(tail) => tail.push(byte) == PemStep::Inside,
        }
    }
}

/// Bytes that are in no value and that no detector looks past, but for the line ends inside a PEM block.
const fn is_boundary(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b';' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'|')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masker::MaskKey;
    use crate::scan::scan;

    fn masker() -> Masker {
        Masker::new(&MaskKey::new([7; 32]))
    }

    fn at_once(style: Style, text: &[u8]) -> Vec<u8> {
        let (mut hits, mut out) = (Vec::new(), Vec::new());
        scan(text, DetectorSet::ALL, &mut hits);
        masker().detected(style, &hits, text, &mut out);
        out
    }

    fn in_pieces(style: Style, text: &[u8], size: usize) -> Vec<u8> {
        let mut scanner = StreamScanner::new(masker(), DetectorSet::ALL, style);
        let mut out = Vec::new();
        for piece in text.chunks(size) {
            scanner.push(piece, &mut out);
            assert!(scanner.held() <= 2 * LOOK_AHEAD + size);
        }
        scanner.finish(&mut out);
        out
    }

    #[track_caller]
    fn same(text: &str) {
        for size in [1, 2, 3, 7, 64, 1000, 100_000] {
            let pieces = in_pieces(Style::Redact, text.as_bytes(), size);
            assert_eq!(
                String::from_utf8_lossy(&pieces),
                String::from_utf8_lossy(&at_once(Style::Redact, text.as_bytes())),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn rows_cut_anywhere() {
        let row = "17\talice@example.com\t4111 1111 1111 1111\t+1 415 555 0132\t10.1.2.3\t2026-11-21 01:40:54+00\n";
        same(&row.repeat(20));
        for style in Style::ALL {
            assert_eq!(in_pieces(style, row.as_bytes(), 5), at_once(style, row.as_bytes()));
        }
    }

    #[test]
    fn text_without_a_boundary() {
        let word = "a word, ";
        for gap in [LOOK_AHEAD / 8 - 3, LOOK_AHEAD / 8 - 2, LOOK_AHEAD / 4, LOOK_AHEAD / 2] {
            same(&format!("{0}alice@example.com {0}4111 1111 1111 1111, {0}+14155550132", word.repeat(gap)));
        }
        same(&format!("{0}%3D4111111111111111%26{0}alice%40example%2Ecom", word.repeat(LOOK_AHEAD / 8)));
        same(&"1".repeat(5 * LOOK_AHEAD));
        same(&"1 ".repeat(2 * LOOK_AHEAD));
    }

    #[test]
    fn values_longer_than_what_is_held() {
        let long = "x".repeat(4 * LOOK_AHEAD);
        let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
        same(&format!("a ghp_{long} b 4111111111111111"));
        same(&format!("a {header}.{long}.{long}... b a@b.com"));
        same(&format!("a {header}.{long}"));
        let key = format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----", "MIIEvQ\n".repeat(LOOK_AHEAD));
        same(&format!("a\n{key}\nb a@b.com\n"));
        same(&format!("\"{key}\",\"c@d.org\""));
        same(&key.replace('\n', "\\n"));
    }

    #[test]
    fn a_key_is_hidden_from_its_first_line_on() {
        let mut scanner = StreamScanner::new(masker(), DetectorSet::SECRET, Style::Token);
        let mut out = Vec::new();
        scanner.push(b"key:\n-----BEGIN EC PRIVATE KEY-----\n", &mut out);
        scanner.push(b"MHcCAQEE\n", &mut out);
        scanner.push(b"AAAA\n-----END EC PRIV", &mut out);
        scanner.push(b"ATE KEY-----\nok\n", &mut out);
        assert_eq!(out, b"key:\n[redacted]\nok\n");
    }

    #[test]
    fn flush_releases_and_keeps_hiding() {
        let mut scanner = StreamScanner::new(masker(), DetectorSet::ALL, Style::Redact);
        let mut out = Vec::new();
        scanner.push(b"$ ", &mut out);
        assert_eq!((out.as_slice(), scanner.held()), (b"".as_slice(), 2));
        scanner.flush(&mut out);
        assert_eq!((out.as_slice(), scanner.held()), (b"$ ".as_slice(), 0));
        scanner.push(b"ghp_aaaaaaaaaaaaaaaaaaaaaaaa", &mut out);
        scanner.flush(&mut out);
        scanner.push(b"bbbb c\n", &mut out);
        assert_eq!(out, b"$ [redacted] c\n");
    }
}
