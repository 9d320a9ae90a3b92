//! Finds planted secrets in bytes: any piece of at least so many bytes of any spelling.

use std::collections::HashMap;

/// Bits of the filter that most positions do not pass.
const FILTER: usize = 1 << 20;
/// Bytes that the filter looks at; no piece is shorter.
const PREFIX: usize = 4;

/// The pieces to look for. ASCII letters are compared without their case.
pub(super) struct Needles {
    filter: Vec<u64>,
    /// By length: pieces, each with what it is a piece of.
    pieces: Vec<(usize, HashMap<Vec<u8>, u32>)>,
    names: Vec<String>,
}

/// A piece that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it begins.
    pub(super) at: usize,
    /// Its length.
    pub(super) length: usize,
    /// What it is a piece of.
    pub(super) what: String,
}

impl Needles {
    /// Nothing to look for yet.
    pub(super) fn new() -> Self {
        Self { filter: vec![0; FILTER / 64], pieces: Vec::new(), names: Vec::new() }
    }

    /// Adds every piece of `length` bytes of `form`, and of `form` backwards. A form that is shorter is left out.
    pub(super) fn add(&mut self, what: &str, form: &[u8], length: usize) {
        let length = length.max(PREFIX);
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(what.to_owned());
        let forward = form.to_ascii_lowercase();
        let backward: Vec<u8> = forward.iter().rev().copied().collect();
        for piece in forward.windows(length).chain(backward.windows(length)) {
            let slot = slot(piece);
            if let Some(word) = self.filter.get_mut(slot / 64) {
                *word |= 1 << (slot % 64);
            }
            let at = self.pieces.iter().position(|(known, _)| *known == length);
            let at = at.unwrap_or_else(|| {
                self.pieces.push((length, HashMap::new()));
                self.pieces.len() - 1
            });
            if let Some((_, map)) = self.pieces.get_mut(at) {
                map.entry(piece.to_vec()).or_insert(number);
            }
        }
    }

    /// The first piece in `bytes`.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<Found> {
        let folded = bytes.to_ascii_lowercase();
        for (at, prefix) in folded.windows(PREFIX).enumerate() {
            let slot = slot(prefix);
            if self.filter.get(slot / 64).is_none_or(|word| word >> (slot % 64) & 1 == 0) {
                continue;
            }
            for (length, map) in &self.pieces {
                let found = folded.get(at..at + length).and_then(|piece| map.get(piece));
                if let Some(number) = found {
                    let name = usize::try_from(*number).ok().and_then(|number| self.names.get(number));
                    return Some(Found { at, length: *length, what: name.cloned().unwrap_or_default() });
                }
            }
        }
        None
    }
}

fn slot(bytes: &[u8]) -> usize {
    let mut hash = 0_u32;
    for byte in bytes.iter().take(PREFIX) {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x9E37_79B1).rotate_left(9);
    }
    usize::try_from(hash).unwrap_or(0) % FILTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_in_any_case_and_backwards_and_nothing_else_is() {
        let mut needles = Needles::new();
        needles.add("name", b"zq8xv9kw0jz1", 6);
        needles.add("number", &[0x31, 0x9a, 0xbc, 0xde], 4);
        let what = |bytes: &[u8]| needles.find(bytes).map(|found| (found.at, found.what));
        assert_eq!(what(b"..XV9KW0.."), Some((2, "name".to_owned())));
        assert_eq!(what(b"0wk9vx"), Some((0, "name".to_owned())));
        assert_eq!(what(b"\x31\x9a\xbc\xde"), Some((0, "number".to_owned())));
        assert_eq!(what(b"xv9kw zq8xv"), None);
        assert_eq!(what(b""), None);
        assert_eq!(what(b"8xv"), None);
    }

    #[test]
    fn a_form_shorter_than_its_piece_is_not_looked_for() {
        let mut needles = Needles::new();
        needles.add("short", b"abc", 6);
        assert_eq!(needles.find(b"abcabcabc"), None);
    }
}
