//! IPv6 addresses around a `:`.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::Found;
use super::bytes::{self, before, byte, ends_percent, escape_tail, left_free, may_be, right_free};
use crate::detector::Detector;

/// Longest run of hexadecimal digits, colons and dots that is looked into. The longest address has 45 bytes; the rest leaves
/// room for a port, a label or punctuation.
const RUN: usize = 64;

/// Looks at a `:`; returns where to go on.
pub(super) fn at_colon(bytes: &[u8], at: usize, found: &mut Found<'_>) -> usize {
    // Times and key-value pairs end here: an address has `::` or eight groups of at most four digits.
    if byte(bytes, at + 1) != b':' && !has_eight_groups(bytes, at) {
        return at + 1;
    }
    let mut start = at;
    while at - start <= RUN && may_be(before(bytes, start, 1), bytes::ADDRESS) {
        start -= 1;
    }
    start += escape_tail(bytes, start).min(at - start);
    let mut end = at;
    while end - at <= RUN && may_be(byte(bytes, end), bytes::ADDRESS) {
        end += 1;
    }
    if end - start <= RUN {
        look(bytes, start..end, found);
        // After `%20` two of the digits may be the escape's, after `%2520` four.
        for inner in [start + 2, start + 4] {
            if inner < end && before(bytes, start, 1) == b'%' && ends_percent(bytes, inner) {
                look(bytes, inner..end, found);
            }
        }
    }
    // The digits of the run are still ahead for the other detectors; the colons right here would find the same.
    bytes.get(at..).map_or(bytes.len(), |rest| at + rest.iter().take_while(|byte| **byte == b':').count())
}

/// Adds the address in a run, if it is free on both sides.
fn look(bytes: &[u8], run: Range<usize>, found: &mut Found<'_>) {
    if let Some(range) = find(bytes, run)
        && left_free(bytes, range.start)
        && right_free(bytes, range.end)
    {
        found.add(Detector::Ip, range);
    }
}

/// Whether five more groups follow the one after this colon, which with the group before make at least seven: the eighth may be
/// two groups written as IPv4, or lie before this colon.
fn has_eight_groups(bytes: &[u8], colon: usize) -> bool {
    let mut at = colon;
    for _ in 0..5 {
        let digits = (1..=5).take_while(|ahead| byte(bytes, at + ahead).is_ascii_hexdigit()).count();
        if !(1..=4).contains(&digits) || byte(bytes, at + digits + 1) != b':' {
            return false;
        }
        at += digits + 1;
    }
    true
}

/// The address in a run: all of it, or without its last group (a port), its first (a label), or both.
fn find(bytes: &[u8], run: Range<usize>) -> Option<Range<usize>> {
    let run = trimmed(bytes, run);
    let text = bytes.get(run.clone())?;
    let first = text.iter().position(|byte| *byte == b':').map(|colon| run.start + colon + 1);
    let last = text.iter().rposition(|byte| *byte == b':').map(|colon| run.start + colon);
    let (first, last) = (first?, last?);
    [run.start..run.end, run.start..last, first..run.end, first..last].into_iter().find(|range| is_ipv6(bytes, range))
}

/// The run without punctuation at its ends: dots, and a single colon.
fn trimmed(bytes: &[u8], run: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = run;
    let single = |here: u8, beyond: u8| here == b'.' || (here == b':' && beyond != b':');
    while start < end && single(byte(bytes, start), byte(bytes, start + 1)) {
        start += 1;
    }
    while start < end && single(before(bytes, end, 1), before(bytes, end, 2)) {
        end -= 1;
    }
    start..end
}

/// Whether the range is an address and not `::`, `a::b` or the like, which are operators and paths in program text.
fn is_ipv6(bytes: &[u8], range: &Range<usize>) -> bool {
    let Some(text) = bytes.get(range.clone()) else {
        return false;
    };
    let telling = text.iter().any(u8::is_ascii_digit) || text.iter().filter(|byte| **byte == b':').count() >= 3;
    telling && str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}
