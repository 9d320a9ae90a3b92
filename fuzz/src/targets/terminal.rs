//! Terminal output through the masker, the reader's filter and the plain lines: values, control functions and noise, cut anywhere.

use anyhow::Result;
use mask::{DetectorSet, MaskKey, Masker, Style, TerminalMasker};
use terminal::{Filter, Plain, Tokens};

use crate::driver::{MOST_MEMORY, Target};
use crate::mutate::mutate;
use crate::random::Random;

/// The bytes of a terminal.
pub const TARGET: Target = Target { name: "terminal", make, memory: MOST_MEMORY, run };

/// A secret on a line of its own. It must not come out whole, whatever colours and titles lie in it.
const PLANTED: &str = "glpat-ZYXWVUTSRQPONMLKJIHG";

const WORDS: [&str; 14] = [
    "hello ",
    "alice@example.com",
    "4111 1111 1111 1111",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "-----BEGIN EC PRIVATE KEY-----\r\nMHcC\r\n-----END EC PRIVATE KEY-----\r\n",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "10.1.2.3",
    "\r\n",
    " ",
    "über",
    "日本",
    "GB29 NWBK 6016 1331 9268 19",
    "+49 30 1234567",
    "web-1:~$ ",
];

const CONTROLS: [&str; 20] = [
    "\x1b[31m",
    "\x1b[5C",
    "\x1b[3;4H",
    "\x1b[K",
    "\x1b]0;t\x07",
    "\x1b]52;c;eA==\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x1b(B",
    "\x08",
    "\r",
    "\x1b[@",
    "\x1b[2P",
    "\u{9b}m",
    "\x1b[6n",
    "\x1b",
    "\x1b[",
    "\u{200b}",
    "\x00",
    "\x1b7",
    "\x1b[?1049h",
];

fn make(random: &mut Random) -> Result<Vec<u8>> {
    // The first byte says how the rest is cut.
    let mut bytes = vec![random.byte()];
    for _ in 0..random.below(30) {
        let word = random.pick(&WORDS);
        if random.one_in(3) {
            let control = random.pick(&CONTROLS);
            for char in word.chars() {
                bytes.extend_from_slice(format!("{char}{control}").as_bytes());
            }
        } else {
            bytes.extend_from_slice(word.as_bytes());
        }
        if random.one_in(3) {
            bytes.extend_from_slice(random.pick(&CONTROLS).as_bytes());
        }
    }
    if random.one_in(3) {
        let donor = random.bytes(40);
        mutate(random, &mut bytes, &donor);
    }
    Ok(bytes)
}

fn run(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let mut end = 0;
    for token in Tokens::new(bytes, None) {
        assert!(token.range.start == end && token.range.end > end, "tokens do not cover the bytes");
        end = token.range.end;
    }
    assert_eq!(end, bytes.len(), "tokens do not cover the bytes");
    shown(bytes, usize::from(first % 16) + 1);
    masked(bytes, *first);
    planted(bytes, *first);
}

/// What a reader's terminal is sent is the same wherever the stream was cut, and passes again as it is.
fn shown(bytes: &[u8], size: usize) {
    let (mut whole, mut pieces, mut again) = (Vec::new(), Vec::new(), Vec::new());
    Filter::new().push(bytes, &mut whole);
    let mut filter = Filter::new();
    bytes.chunks(size).for_each(|piece| filter.push(piece, &mut pieces));
    assert_eq!(whole, pieces, "the filter depends on how the stream is cut");
    Filter::new().push(&whole, &mut again);
    assert_eq!(whole, again, "what passed does not pass");
    let mut plain = Plain::new();
    let mut check = |line: String| assert!(!line.contains('\x1b'), "a line with a control function");
    bytes.chunks(size).for_each(|piece| plain.push(piece, &mut check));
    plain.finish(check);
}

/// Masks bytes cut into pieces, with flushes when the bits say so.
fn mask(bytes: &[u8], how: u8, flush: bool) -> Vec<u8> {
    let mut masker = TerminalMasker::new(Masker::new(&MaskKey::new([1; 32])), DetectorSet::ALL, Style::Redact);
    let mut out = Vec::new();
    for (index, piece) in bytes.chunks(usize::from(how % 16) + 1).enumerate() {
        masker.push(piece, &mut out);
        assert!(masker.held() <= 8 * 1024, "{} bytes are held", masker.held());
        if flush && index % (usize::from(how / 16) + 1) == 0 {
            masker.flush(&mut out);
        }
    }
    masker.finish(&mut out);
    assert_eq!(masker.held(), 0);
    out
}

fn masked(bytes: &[u8], how: u8) {
    for flush in [false, true] {
        let out = mask(bytes, how, flush);
        assert!(out.len() <= bytes.len() * 4 + 64, "{} bytes became {}", bytes.len(), out.len());
    }
}

/// A secret on a line of its own does not come out whole, whatever came before it and however it is coloured.
fn planted(bytes: &[u8], how: u8) {
    let noise = ["", "\x1b[31m", "\x1b]0;t\x07", "\u{200b}", "\x00"];
    let noise = noise.get(usize::from(how) % noise.len()).copied().unwrap_or_default();
    let mut text = bytes.to_vec();
    // Whatever was begun is over.
    text.extend_from_slice(b"\x18\x1b\\\r\n\r\n");
    for char in PLANTED.chars() {
        text.extend_from_slice(format!("{char}{noise}").as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    for flush in [false, true] {
        let out = mask(&text, how, flush);
        let mut lines = Vec::new();
        let mut plain = Plain::new();
        plain.push(&out, |line| lines.push(line));
        plain.finish(|line| lines.push(line));
        assert!(!lines.iter().any(|line| line.contains(PLANTED)), "the planted secret came out: {lines:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_hold_what_is_asserted() {
        let mut random = Random::new(5);
        for _ in 0..300 {
            run(&make(&mut random).unwrap());
        }
    }
}
