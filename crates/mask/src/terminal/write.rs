//! Writes bytes with what was found in them replaced, and the control functions where they were.

use super::find::{Find, Places};
use crate::detector::Detector;
use crate::masker::Masker;
use crate::style::Style;

/// What the header of a key begins with.
const BEGIN: &[u8] = b"-----BEGIN ";

/// How values are written.
pub(super) struct Writer<'a> {
    pub(super) masker: &'a Masker,
    pub(super) style: Style,
    /// Values longer than this are never whole for every cut of the stream, so they have no digest.
    pub(super) longest: usize,
}

impl Writer<'_> {
    /// Appends the bytes between two places, where finds lie whole or not at all, unless they begin before `from`.
    pub(super) fn write(&self, bytes: &[u8], (from, to): (usize, usize), finds: &[Find], out: &mut Vec<u8>) {
        let mut done = from;
        for find in finds.iter().filter(|find| find.last() >= from && find.last() < to) {
            if find.first() >= from {
                out.extend_from_slice(bytes.get(done..find.first()).unwrap_or_default());
                done = find.first();
            }
            if find.doubtful || find.first() < from {
                self.stars(bytes, done, find, out);
            } else {
                self.replace(bytes, find, out);
            }
            done = find.last() + 1;
        }
        out.extend_from_slice(bytes.get(done..to).unwrap_or_default());
    }

    /// A star for each character that nobody has seen yet: its width is known to whoever saw the beginning.
    fn stars(&self, bytes: &[u8], from: usize, find: &Find, out: &mut Vec<u8>) {
        self.between(bytes, from, find, out, |place, out| match bytes.get(place) {
            Some(b' ') => out.push(b' '),
            Some(byte) if byte & 0xc0 != 0x80 && self.style != Style::Null => out.push(b'*'),
            _ => {}
        });
    }

    fn replace(&self, bytes: &[u8], find: &Find, out: &mut Vec<u8>) {
        let long = find.last() - find.first() >= self.longest;
        // What lies over a key was at times replaced before the key was seen whole.
        let key = find.detector == Detector::Pem || find.value.windows(BEGIN.len()).any(|bytes| bytes == BEGIN);
        let style = match self.style {
            Style::Token | Style::Hash if long || key => Style::Redact,
            style => style,
        };
        let mut stand_in = Vec::new();
        self.masker.replace(style, find.detector, &find.value, &mut stand_in);
        let width = characters(&find.value);
        if style == Style::Partial && has_a_longest(find.detector) && !key {
            widen(&mut stand_in, width);
        }
        if matches!(find.places, Places::Run(_)) && find.detector != Detector::Pem {
            out.extend_from_slice(&stand_in);
            return;
        }
        let text = String::from_utf8_lossy(&stand_in);
        if find.in_order && characters(text.as_bytes()) == width && find.value.len() == find.places.len() {
            let mut chars = text.chars();
            self.between(bytes, find.first(), find, out, |place, out| {
                if bytes.get(place).is_some_and(|byte| byte & 0xc0 != 0x80) {
                    let char = chars.next().unwrap_or('*');
                    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
            });
        } else {
            let first = find.first();
            self.between(bytes, first, find, out, |place, out| {
                if place == first {
                    out.extend_from_slice(text.as_bytes());
                }
            });
        }
    }

    /// Calls `each` for every byte of the find and copies what lies between them.
    fn between(
        &self,
        bytes: &[u8],
        from: usize,
        find: &Find,
        out: &mut Vec<u8>,
        mut each: impl FnMut(usize, &mut Vec<u8>),
    ) {
        let mut done = from;
        for place in find.places.iter().filter(|place| *place >= from) {
            let gap = bytes.get(done..place).unwrap_or_default();
            // The line ends of a key are the key's.
            out.extend(gap.iter().filter(|byte| find.detector != Detector::Pem || **byte != b'\r'));
            each(place, out);
            done = place + 1;
        }
    }
}

/// Values of a kind without a longest length are at times replaced before they are seen whole: their width is not known then.
const fn has_a_longest(detector: Detector) -> bool {
    match detector {
        Detector::Card | Detector::Iban | Detector::Email | Detector::Phone | Detector::Ssn | Detector::Ip => true,
        Detector::Jwt | Detector::AwsKey | Detector::GithubToken | Detector::Pem | Detector::ApiKey => false,
    }
}

fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// Adds stars where stars are, up to a width.
fn widen(text: &mut Vec<u8>, width: usize) {
    let missing = width.saturating_sub(characters(text));
    if let Some(at) = text.windows(3).position(|three| three == b"***") {
        text.splice(at..at, std::iter::repeat_n(b'*', missing));
    }
}
