//! Digit groups: the first digits and what follows the first group say which layouts are possible; only then are the groups
//! after it read.

use std::ops::Range;

use super::bytes::{before, byte, digits_end, left_free, right_free};
use super::{Found, card, iban, ipv6, phone};
use crate::detector::{Detector, DetectorSet};

/// Groups that the longest layout has: a printed 19-digit card, a French telephone number.
const MOST: usize = 5;

/// The first few of consecutive digit groups, each one byte (` `, `-`, `.` or `/`) after the one before.
pub(super) struct Groups {
    /// Start and length of each.
    groups: [(usize, usize); MOST],
    count: usize,
}

impl Groups {
    /// Reads the groups of which the first is at `start`.
    pub(super) fn read(bytes: &[u8], start: usize) -> Self {
        let mut groups = [(0, 0); MOST];
        let mut count = 0;
        let mut start = start;
        for slot in &mut groups {
            let end = digits_end(bytes, start);
            *slot = (start, end - start);
            count += 1;
            if !joins_next(bytes, end) {
                break;
            }
            start = end + 1;
        }
        Self { groups, count }
    }

    /// Start and length of group `index`.
    pub(super) fn get(&self, index: usize) -> Option<(usize, usize)> {
        self.groups.get(..self.count)?.get(index).copied()
    }

    /// The lengths and the one separator of the first `N` groups; none if they are fewer or joined differently.
    pub(super) fn layout<const N: usize>(&self, bytes: &[u8]) -> Option<Layout<N>> {
        let groups = self.groups.get(..self.count)?.first_chunk::<N>()?;
        let separator = byte(bytes, groups.get(1)?.0 - 1);
        let alike = |(start, _): &(usize, usize)| byte(bytes, start - 1) == separator;
        let (last, length) = groups.last()?;
        groups.iter().skip(1).all(alike).then(|| Layout {
            lengths: groups.map(|(_, length)| length),
            separator,
            range: groups.first().map_or(0, |(start, _)| *start)..last + length,
        })
    }
}

/// Whether a group that ends at `end` is joined to another.
#[inline]
fn joins_next(bytes: &[u8], end: usize) -> bool {
    matches!(byte(bytes, end), b' ' | b'-' | b'.' | b'/') && byte(bytes, end + 1).is_ascii_digit()
}

/// `N` groups joined by one kind of separator.
pub(super) struct Layout<const N: usize> {
    pub(super) lengths: [usize; N],
    pub(super) separator: u8,
    pub(super) range: Range<usize>,
}

/// Looks at the chain of digit groups that starts at `start`; returns where to go on.
#[inline(never)]
pub(super) fn at_digit(bytes: &[u8], start: usize, set: DetectorSet, found: &mut Found<'_>) -> usize {
    if before(bytes, start, 1).is_ascii_alphabetic() && set.contains(Detector::Iban) {
        iban::at_check_digits(bytes, start, found);
    }
    let mut start = start;
    loop {
        let end = digits_end(bytes, start);
        let joined = joins_next(bytes, end);
        look(bytes, start..end, joined, set, found);
        if !joined {
            // A time or its zone: what begins with these bytes is looked for here, which saves the way back to the scan.
            match byte(bytes, end) {
                b':' if set.contains(Detector::Ip) => {
                    ipv6::at_colon(bytes, end, found);
                }
                b':' => {}
                // A telephone number's plus does not follow a digit.
                b'+' => {}
                _ => return end,
            }
            if !byte(bytes, end + 1).is_ascii_digit() {
                return end + 1;
            }
        }
        start = end + 1;
    }
}

/// Looks behind the percent escape that ends at `start`. Where its last digit is decimal the group before `start` goes on after
/// it (`%204111`), and [`at_digit`] takes both for one: there the percent sign may be one, too (`LIKE '%4111%'`).
pub(super) fn after_escape(bytes: &[u8], start: usize, set: DetectorSet, found: &mut Found<'_>) {
    if !before(bytes, start, 1).is_ascii_digit() {
        return;
    }
    if byte(bytes, start) == b'+' && set.contains(Detector::Phone) {
        phone::at_dial(bytes, start, found);
    }
    let end = digits_end(bytes, start);
    if end > start {
        look(bytes, start..end, joins_next(bytes, end), set, found);
    }
}

/// Tries every detector whose value can start with this group. Always inlined: it is in the innermost loop, and short.
#[inline(always)]
fn look(bytes: &[u8], first: Range<usize>, joined: bool, set: DetectorSet, found: &mut Found<'_>) {
    let length = first.len();
    if set.contains(Detector::Card) && card::may_start(bytes, first.start, length, joined) {
        found.add_some(Detector::Card, card::find(bytes, first.start, length));
    }
    if !joined || length > 5 {
        return;
    }
    let joint = byte(bytes, first.end);
    // In the middle of a chain joined by dots nothing starts; in one joined by dashes only an IPv4 address.
    let hangs_on_by = if before(bytes, first.start, 2).is_ascii_digit() { before(bytes, first.start, 1) } else { 0 };
    if hangs_on_by == b'.' {
        return;
    }
    if hangs_on_by != b'-' {
        if set.contains(Detector::Phone) && phone::may_start(bytes, first.start, length) {
            found.add_some(Detector::Phone, phone::find(bytes, first.start));
        }
        if length == 3 && joint != b'.' && set.contains(Detector::Ssn) {
            found.add_some(Detector::Ssn, ssn(bytes, first.start));
        }
    }
    if length <= 3 && joint == b'.' && set.contains(Detector::Ip) {
        found.add_some(Detector::Ip, ipv4(bytes, first.start));
    }
}

/// `AAA-GG-SSSS`: area not 000, 666 or 9xx, group not 00, serial not 0000.
fn ssn(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    // Where the second separator must be, looked at first.
    if byte(bytes, start + 6) != byte(bytes, start + 3) {
        return None;
    }
    let layout = Groups::read(bytes, start).layout::<3>(bytes)?;
    if layout.lengths != [3, 2, 4]
        || !matches!(layout.separator, b'-' | b' ')
        || !stands_alone(bytes, &layout.range)
        || !right_free(bytes, layout.range.end)
    {
        return None;
    }
    let (area, rest) = bytes.get(layout.range.clone())?.split_at_checked(3)?;
    let bad_area = area == b"000" || area == b"666" || area.first() == Some(&b'9');
    let bad_rest = rest.get(1..3)? == b"00" || rest.get(4..)? == b"0000";
    (!bad_area && !bad_rest).then_some(layout.range)
}

/// Four numbers up to 255 joined by dots, that are not part of a longer dotted number or of a version such as `v1.2.3.4`.
fn ipv4(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let layout = Groups::read(bytes, start).layout::<4>(bytes)?;
    let range = layout.range;
    if layout.separator != b'.' || layout.lengths.iter().any(|length| *length > 3) {
        return None;
    }
    let octets = bytes.get(range.clone())?.split(|byte| *byte == b'.');
    let fits = octets
        .map(|octet| octet.iter().fold(0_u32, |all, digit| all * 10 + u32::from(digit & 15)))
        .all(|octet| octet <= 255);
    (fits
        && !hangs_on(bytes, &range, |byte| byte == b'.')
        && left_free(bytes, range.start)
        && right_free(bytes, range.end))
    .then_some(range)
}

/// Whether digit groups are all of a number: no letter or digit comes before them, and no further digits hang on by a dash or
/// a dot (as in an ISBN, a UUID or a range). Digits after a space are another number's.
pub(super) fn stands_alone(bytes: &[u8], range: &Range<usize>) -> bool {
    !hangs_on(bytes, range, |byte| matches!(byte, b'-' | b'.')) && left_free(bytes, range.start)
}

/// Whether a joining byte and a digit come directly before or after.
pub(super) fn hangs_on(bytes: &[u8], range: &Range<usize>, joins: fn(u8) -> bool) -> bool {
    let on_left = joins(before(bytes, range.start, 1)) && before(bytes, range.start, 2).is_ascii_digit();
    on_left || (joins(byte(bytes, range.end)) && byte(bytes, range.end + 1).is_ascii_digit())
}
