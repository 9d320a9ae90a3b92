//! How valid bytes are broken: bits, ranges, ends, and above all the fields that say how much follows.

use crate::random::Random;

/// Lengths and counts at which readers go wrong.
const LENGTHS: [u32; 18] = [
    0,
    1,
    3,
    4,
    5,
    7,
    8,
    64,
    0x7fff,
    0x8000,
    0xffff,
    0x0001_0000,
    0x3fff_ffff,
    0x4000_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];
/// Bytes that mean something somewhere.
const BYTES: [u8; 12] = [0, 1, 4, 0x16, b'P', b'S', b'Z', b'p', 0x7f, 0x80, 0xc3, 0xff];
/// Inputs do not grow beyond this: lengths that lie are the point, not lengths that are true.
const LONGEST: usize = 256 * 1024;

/// Breaks `bytes` in one to six places. `donor` is another valid input, of which pieces are put in.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>, donor: &[u8]) {
    for _ in 0..=random.below(6) {
        once(random, bytes, donor);
    }
    bytes.truncate(LONGEST);
}

fn once(random: &mut Random, bytes: &mut Vec<u8>, donor: &[u8]) {
    let at = random.below(bytes.len());
    match random.below(12) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.pick(&BYTES);
            }
        }
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(range(random, bytes.len()))),
        4 => {
            let piece = bytes.get(range(random, bytes.len())).unwrap_or_default().to_vec();
            insert(bytes, at, &piece);
        }
        5 => insert(bytes, at, donor.get(range(random, donor.len())).unwrap_or_default()),
        6 => insert(bytes, at, &random.bytes(16)),
        7 => put(bytes, at, &length(random).to_be_bytes()),
        8 => put(bytes, at, &length(random).to_le_bytes()),
        9 => {
            let [_, _, high, low] = length(random).to_be_bytes();
            put(bytes, at, &[high, low]);
        }
        _ => frame_length(random, bytes),
    }
}

/// Makes the length field of one message lie, a little or a lot.
fn frame_length(random: &mut Random, bytes: &mut [u8]) {
    let starts = frame_starts(bytes);
    if starts.is_empty() {
        return;
    }
    let at = random.pick(&starts).saturating_add(1);
    let Some(now) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
        return;
    };
    let now = u32::from_be_bytes(*now);
    let new = match random.below(4) {
        0 => now.wrapping_add(1),
        1 => now.wrapping_sub(1),
        2 => now.wrapping_mul(2),
        _ => length(random),
    };
    put(bytes, at, &new.to_be_bytes());
}

/// Where tagged messages start, as far as their lengths tell.
fn frame_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0_usize;
    while let Some(length) = bytes.get(at.saturating_add(1)..).and_then(|rest| rest.first_chunk::<4>()) {
        starts.push(at);
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        at = at.saturating_add(1).saturating_add(length.max(4));
    }
    starts
}

fn length(random: &mut Random) -> u32 {
    random.pick(&LENGTHS)
}

fn range(random: &mut Random, end: usize) -> std::ops::Range<usize> {
    let (a, b) = (random.below(end.saturating_add(1)), random.below(end.saturating_add(1)));
    // Mostly short: most of an input must stay valid for the rest to be reached.
    let start = a.min(b);
    let most = if random.one_in(4) { end } else { start.saturating_add(16) };
    start..a.max(b).min(most)
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(bytes.splice(at..at, piece.iter().copied()));
}

fn put(bytes: &mut [u8], at: usize, piece: &[u8]) {
    for (place, byte) in bytes.iter_mut().skip(at).zip(piece) {
        *place = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_can_be_broken_and_most_are() {
        let mut random = Random::new(5);
        let mut changed = 0;
        for run in 0..2000_usize {
            let before = random.bytes(run % 40);
            let mut after = before.clone();
            mutate(&mut random, &mut after, b"Z\0\0\0\x05I");
            changed += usize::from(before != after);
        }
        assert!(changed > 1500, "{changed}");
    }

    #[test]
    fn messages_are_found_by_their_lengths() {
        assert_eq!(frame_starts(b"S\0\0\0\x04Z\0\0\0\x05I"), [0, 5]);
        assert_eq!(frame_starts(b"S\xff\xff\xff\xff"), [0]);
        assert!(frame_starts(b"S\0").is_empty());
    }
}
