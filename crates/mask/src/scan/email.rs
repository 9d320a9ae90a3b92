//! E-mail addresses around an `@`.

use super::Found;
use super::bytes::{self, before, byte, escape_tail, may_be, percent};
use crate::detector::Detector;

/// Longest local part (RFC 5321, 4.5.3.1.1). Of a longer run its end is taken.
const LOCAL: usize = 64;
/// Longest label of a domain (RFC 1035, 2.3.4).
const LABEL: usize = 63;
/// Longest domain (RFC 5321, 4.5.3.1.2).
const DOMAIN: usize = 255;

/// Looks at an `@`, or at `length` bytes that stand for it; returns where to go on.
pub(super) fn at_sign(bytes: &[u8], at: usize, length: usize, found: &mut Found<'_>) -> usize {
    if let (Some(start), Some(end)) = (local_start(bytes, at), domain_end(bytes, at + length)) {
        found.add(Detector::Email, start..end);
    }
    at + 1
}

/// The length of the `@` that stands at `at`, which URLs and forms write as `%40`.
pub(super) fn sign(bytes: &[u8], at: usize) -> Option<usize> {
    match byte(bytes, at) {
        b'@' => Some(1),
        _ => stands_for(bytes, at, b'@'),
    }
}

/// The length of the dot between two labels, or 0 if there is none: `.`, or `%2E`.
#[inline]
fn dot(bytes: &[u8], at: usize) -> usize {
    match byte(bytes, at) {
        b'.' => 1,
        b'%' => stands_for(bytes, at, b'.').unwrap_or(0),
        _ => 0,
    }
}

/// The length of the percent escape at `at`, if it is one of `wanted`.
#[cold]
fn stands_for(bytes: &[u8], at: usize, wanted: u8) -> Option<usize> {
    percent(bytes, at).filter(|(byte, _)| *byte == wanted).map(|(_, length)| length)
}

fn local_start(bytes: &[u8], at: usize) -> Option<usize> {
    let mut start = at;
    let mut escapes = false;
    while at - start < LOCAL {
        let previous = before(bytes, start, 1);
        if !may_be(previous, bytes::LOCAL) {
            break;
        }
        escapes |= previous == b'%';
        start -= 1;
    }
    start += escape_tail(bytes, start);
    let start = without_marks(bytes, start, at);
    let start = if escapes { after_delimiters(bytes, start, at) } else { start };
    (start < at).then_some(start)
}

/// The beginning without quotes, dashes and dots, which before an address are not its own; nor is the tail of a cut character.
fn without_marks(bytes: &[u8], start: usize, at: usize) -> usize {
    let mut start = start;
    while start < at
        && (matches!(byte(bytes, start), b'.' | b'%' | b'+' | b'-' | b'\'') || byte(bytes, start) & 0xC0 == 0x80)
    {
        start += 1;
    }
    start
}

/// The beginning after the last percent escape of a byte that no local part has: `q%3Dalice`. Where nothing follows it, the
/// beginning as it was: it is taken for a name after all.
#[cold]
fn after_delimiters(bytes: &[u8], start: usize, at: usize) -> usize {
    let ends = |escape: usize| {
        let (byte, length) = percent(bytes, escape)?;
        let delimits = !may_be(byte, bytes::LOCAL) && byte != b'@' && escape + length <= at;
        delimits.then_some(escape + length)
    };
    let after = (start..at).rev().find_map(ends).map_or(start, |end| without_marks(bytes, end, at));
    if after < at { after } else { start }
}

/// Whether this is the ending of file names that follow an `@`: units of systemd (`getty@tty1.service`) and images of twice the size (`icon@2x.png`).
/// None is a top-level domain, so no address ends in one. `.target` is: an instance of a target is rare, and looks the same as
/// an address there.
#[inline]
fn is_file(ending: &[u8]) -> bool {
    match ending {
        [b'g', b'i', b'f'] | [b'j', b'p', b'g'] | [b'p', b'n', b'g'] | [b's', b'v', b'g'] => true,
        [_, _, _] | [_, _] => false,
        _ => {
            const LONGER: [&[u8]; 12] = [
                b"service",
                b"socket",
                b"timer",
                b"mount",
                b"automount",
                b"slice",
                b"scope",
                b"path",
                b"device",
                b"swap",
                b"jpeg",
                b"webp",
            ];
            LONGER.contains(&ending)
        }
    }
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
        let dot = dot(bytes, at);
        if at == label || at - label > LABEL || at - start > DOMAIN || dot == 0 {
            return best;
        }
        at += dot;
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
    let known = run <= LABEL && run - dashes >= 2 && !is_file(label.get(..run - dashes)?);
    known.then_some(start + run - dashes)
}
