//! Digit groups: one walk over a chain such as `4111-1111-1111-1111` or `2026-11-21 01`, then a look from each group on.

use std::ops::Range;

use super::bytes::{before, byte, digits_end, left_free, right_free};
use super::{Found, card, iban, phone};
use crate::detector::{Detector, DetectorSet};

/// Groups seen at once. The longest layout has [`AHEAD`]; a longer chain is read again from where the look-ahead ends.
const WINDOW: usize = 10;
/// Groups that the longest layout needs: five (a printed 19-digit card, a French telephone number).
const AHEAD: usize = 5;

/// Consecutive digit groups, each one byte (` `, `-`, `.` or `/`) after the one before.
pub(super) struct Groups {
    starts: [(usize, usize); WINDOW],
    count: usize,
    /// Whether the chain goes on after the window.
    more: bool,
}

impl Groups {
    /// Reads the chain whose first group starts at `start`.
    #[inline]
    pub(super) fn read(bytes: &[u8], start: usize) -> Self {
        let mut groups = Self { starts: [(0, 0); WINDOW], count: 0, more: false };
        let mut start = start;
        loop {
            let end = digits_end(bytes, start);
            match groups.starts.get_mut(groups.count) {
                Some(slot) => *slot = (start, end - start),
                None => {
                    groups.more = true;
                    return groups;
                }
            }
            groups.count += 1;
            if !joins_next(bytes, end) {
                return groups;
            }
            start = end + 1;
        }
    }

    /// Start and length of group `index`.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<(usize, usize)> {
        self.starts.get(..self.count)?.get(index).copied()
    }

    /// The lengths and the one separator of the `N` groups from `first` on; none if they are fewer or joined differently.
    #[inline]
    pub(super) fn layout<const N: usize>(&self, bytes: &[u8], first: usize) -> Option<Layout<N>> {
        let groups = self.starts.get(..self.count)?.get(first..first + N)?;
        let separator = byte(bytes, groups.get(1)?.0 - 1);
        let mut lengths = [0; N];
        for (index, (slot, (start, length))) in lengths.iter_mut().zip(groups).enumerate() {
            if index > 0 && byte(bytes, start - 1) != separator {
                return None;
            }
            *slot = *length;
        }
        let (last, length) = groups.last()?;
        Some(Layout { lengths, separator, range: groups.first()?.0..last + length })
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
pub(super) fn at_digit(bytes: &[u8], start: usize, set: DetectorSet, found: &mut Found<'_>) -> usize {
    if set.contains(Detector::Iban) && before(bytes, start, 1).is_ascii_alphabetic() {
        iban::at_check_digits(bytes, start, found);
    }
    let end = digits_end(bytes, start);
    if !joins_next(bytes, end) && !card::DIGITS.contains(&(end - start)) {
        return end;
    }
    let groups = Groups::read(bytes, start);
    // Only when the chain goes on are its last groups left to the next window, which sees what follows them.
    let looked_at = if groups.more { WINDOW - AHEAD } else { groups.count };
    for index in 0..looked_at {
        look(bytes, &groups, index, set, found);
    }
    let last = if groups.more {
        groups.get(looked_at)
    } else {
        groups.get(groups.count - 1).map(|(start, length)| (start + length, 0))
    };
    last.map_or(bytes.len(), |(at, _)| at)
}

/// Tries every detector whose value can start with group `index`.
fn look(bytes: &[u8], groups: &Groups, index: usize, set: DetectorSet, found: &mut Found<'_>) {
    let mut found_one = |detector: Detector, range: Option<Range<usize>>| {
        if let Some(range) = range {
            found.add(detector, range);
        }
    };
    if set.contains(Detector::Card) {
        found_one(Detector::Card, card::find(bytes, groups, index));
    }
    // What follows the first group rules most out before the others are compared.
    let Some((start, length)) = groups.get(index) else {
        return;
    };
    let joint = byte(bytes, start + length);
    if groups.count - index < 2 || length > 5 {
        return;
    }
    if set.contains(Detector::Phone) {
        found_one(Detector::Phone, phone::find(bytes, groups, index));
    }
    if length == 3 && joint != b'.' && set.contains(Detector::Ssn) {
        found_one(Detector::Ssn, ssn(bytes, groups, index));
    }
    if length <= 3 && joint == b'.' && set.contains(Detector::Ip) {
        found_one(Detector::Ip, ipv4(bytes, groups, index));
    }
}

/// `AAA-GG-SSSS`: area not 000, 666 or 9xx, group not 00, serial not 0000.
fn ssn(bytes: &[u8], groups: &Groups, index: usize) -> Option<Range<usize>> {
    let layout = groups.layout::<3>(bytes, index)?;
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
fn ipv4(bytes: &[u8], groups: &Groups, index: usize) -> Option<Range<usize>> {
    let layout = groups.layout::<4>(bytes, index)?;
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
