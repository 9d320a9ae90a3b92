//! Finds the one bad byte of a damaged span from its CRC.
//!
//! CRC-32 is linear: a changed byte moves the checksum by an amount that depends on the change and on how many bytes follow.
//! Undoing the shift byte by byte from the end, the first place whose amount is that of some single byte is the bad one.

/// The reflected polynomial of CRC-32 (IEEE 802.3).
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// What one byte adds to the checksum when nothing follows it.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (POLYNOMIAL & (value & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

/// The byte of the table whose entry has this top byte; the map is one to one.
const UNDO: [u8; 256] = undo();

const fn undo() -> [u8; 256] {
    let mut undo = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        undo[(TABLE[byte] >> 24) as usize] = byte as u8;
        byte += 1;
    }
    undo
}

/// The one bad byte of `covered` and the CRC stored right after it, when a single bad byte explains the difference.
pub(crate) fn single(covered: &[u8], stored: u32) -> Option<usize> {
    let difference = stored ^ crc32fast::hash(covered);
    let bytes = difference.to_le_bytes();
    let mut changed = bytes.iter().enumerate().filter(|(_, byte)| **byte != 0);
    match (changed.next(), changed.next()) {
        (Some((at, _)), None) => Some(covered.len() + at),
        _ => candidates(covered, stored).next().map(|(at, _)| at),
    }
}

/// Places at which changing one byte would give `expected`: (index, what to XOR it with), last first.
pub(super) fn candidates(bytes: &[u8], expected: u32) -> impl Iterator<Item = (usize, u8)> {
    let mut difference = crc32fast::hash(bytes) ^ expected;
    (0..bytes.len()).rev().filter_map(move |index| {
        let byte = undo_of(difference);
        let found = difference != 0 && table_of(byte) == difference;
        difference = ((difference ^ table_of(byte)) << 8) | u32::from(byte);
        found.then_some((index, byte))
    })
}

fn undo_of(difference: u32) -> u8 {
    let [.., top] = difference.to_le_bytes();
    UNDO.get(usize::from(top)).copied().unwrap_or_default()
}

fn table_of(byte: u8) -> u32 {
    TABLE.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_any_changed_byte(bytes in proptest::collection::vec(any::<u8>(), 1..2000), at: prop::sample::Index, change in 1u8..) {
            let expected = crc32fast::hash(&bytes);
            let mut bad = bytes;
            let at = at.index(bad.len());
            bad[at] ^= change;
            prop_assert!(candidates(&bad, expected).any(|found| found == (at, change)));
        }
    }
}
