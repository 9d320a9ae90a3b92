//! E-mail addresses around an `@`.

use super::Found;
use super::bytes::{self, before, byte, escape_tail, may_be};
use crate::detector::Detector;

/// Longest local part (RFC 5321, 4.5.3.1.1). Of a longer run its end is taken.
const LOCAL: usize = 64;
/// Longest label of a domain (RFC 1035, 2.3.4).
const LABEL: usize = 63;
/// Longest domain (RFC 5321, 4.5.3.1.2).
const DOMAIN: usize = 255;

/// Looks at an `@`; returns where to go on.
pub(super) fn at_sign(bytes: &[u8], at: usize, found: &mut Found<'_>) -> usize {
    if let (Some(start), Some(end)) = (local_start(bytes, at), domain_end(bytes, at + 1)) {
        found.add(Detector::Email, start..end);
    }
    at + 1
}

fn local_start(bytes: &[u8], at: usize) -> Option<usize> {
    let mut start = at;
    while at - start < LOCAL && may_be(before(bytes, start, 1), bytes::LOCAL) {
        start -= 1;
    }
    start += escape_tail(bytes, start);
    // Quotes, dashes and dots before an address are not its beginning; nor is the tail of a cut character.
    while start < at
        && (matches!(byte(bytes, start), b'.' | b'%' | b'+' | b'-' | b'\'') || byte(bytes, start) & 0xC0 == 0x80)
    {
        start += 1;
    }
    (start < at).then_some(start)
}

/// The end of the longest domain of two or more labels that starts here and whose last label can be a top-level domain.
fn domain_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut best = None;
    loop {
        let label = at;
        while at - label <= LABEL && may_be(byte(bytes, at), bytes::LABEL) {
            at += 1;
        }
        if label > start {
            best = top_level_end(bytes, label, at).filter(|end| end - start <= DOMAIN).or(best);
        }
        if at == label || at - label > LABEL || at - start > DOMAIN || byte(bytes, at) != b'.' {
            return best;
        }
        at += 1;
    }
}

/// The end of the top-level domain at the start of the label `start..end`: an ASCII letter and more letters, digits and dashes,
/// the last no dash; or bytes outside ASCII only. What follows in another script is the sentence, not the domain.
fn top_level_end(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let label = bytes.get(start..end)?;
    let first = *label.first()?;
    let run = if first.is_ascii_alphabetic() {
        label.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count()
    } else if first.is_ascii() {
        0
    } else {
        label.iter().take_while(|byte| !byte.is_ascii()).count()
    };
    let dashes = label.get(..run)?.iter().rev().take_while(|byte| **byte == b'-').count();
    (run <= LABEL && run - dashes >= 2).then_some(start + run - dashes)
}
