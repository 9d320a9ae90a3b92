//! Telephone numbers: `+` and country code, area codes in parentheses, and national layouts that are nothing else.

use std::ops::Range;

use super::Found;
use super::bytes::{byte, digits_end, left_free, right_free};
use super::number::{Groups, Layout, hangs_on, stands_alone};
use crate::detector::Detector;

/// Digits of an international number: at most 15 (ITU-T E.164); fewer than 8 could be any signed number.
const INTERNATIONAL: std::ops::RangeInclusive<usize> = 8..=15;

/// Looks at a `+` or `(`; returns where to go on.
pub(super) fn at_dial(bytes: &[u8], at: usize, found: &mut Found<'_>) -> usize {
    let range = if byte(bytes, at) == b'+' { international(bytes, at) } else { parenthesised(bytes, at) };
    if let Some(range) = range {
        found.add(Detector::Phone, range);
    }
    at + 1
}

/// Whether an extension follows: `x12`, `ext. 12`.
fn is_extension(bytes: &[u8], at: usize) -> bool {
    matches!(byte(bytes, at), b'x' | b'X') || bytes.get(at..).is_some_and(|rest| rest.starts_with(b"ext"))
}

fn ends(bytes: &[u8], at: usize) -> bool {
    right_free(bytes, at) || is_extension(bytes, at)
}

/// `+49 30 1234567`, `+1 (415) 555-0132`, `+33.1.23.45.67.89`, `+14155550132`.
fn international(bytes: &[u8], plus: usize) -> Option<Range<usize>> {
    if !left_free(bytes, plus) || !matches!(byte(bytes, plus + 1), b'1'..=b'9') {
        return None;
    }
    let mut end = digits_end(bytes, plus + 1);
    let mut total = end - plus - 1;
    let mut dots = 0;
    // Eight digits in a row are the whole number; what follows after a space is something else.
    while total < *INTERNATIONAL.start() || end - plus - 1 > total {
        let Some((group_end, digits)) = next_group(bytes, end) else {
            break;
        };
        if total + digits > *INTERNATIONAL.end() {
            break;
        }
        dots += usize::from(byte(bytes, end) == b'.');
        total += digits;
        end = group_end;
    }
    // One dot is a decimal point, and so is what follows dots that group thousands.
    let decimal =
        dots == 1 || (dots > 1 && matches!(byte(bytes, end), b'.' | b',') && byte(bytes, end + 1).is_ascii_digit());
    (INTERNATIONAL.contains(&total) && !decimal && ends(bytes, end)).then_some(plus..end)
}

/// End and digits of the group that hangs on at `end` by one of ` -./` or by a parenthesis of at most five digits.
fn next_group(bytes: &[u8], end: usize) -> Option<(usize, usize)> {
    let open = end + usize::from(byte(bytes, end) == b' ');
    let (start, inner) = if byte(bytes, open) == b'(' {
        let close = digits_end(bytes, open + 1);
        let inner = close - open - 1;
        if byte(bytes, close) != b')' || !(1..=5).contains(&inner) {
            return None;
        }
        (close + 1 + usize::from(matches!(byte(bytes, close + 1), b' ' | b'-')), inner)
    } else if matches!(byte(bytes, end), b' ' | b'-' | b'.' | b'/') {
        (end + 1, 0)
    } else {
        return None;
    };
    let group_end = digits_end(bytes, start);
    (group_end > start).then(|| (group_end, inner + group_end - start))
}

/// `(415) 555-0132` and `(030) 1234 5678`.
fn parenthesised(bytes: &[u8], open: usize) -> Option<Range<usize>> {
    let close = digits_end(bytes, open + 1);
    let area = bytes.get(open + 1..close)?;
    let start = close + 1 + usize::from(byte(bytes, close + 1) == b' ');
    if byte(bytes, close) != b')' || !byte(bytes, start).is_ascii_digit() {
        return None;
    }
    let groups = Groups::read(bytes, start);
    // The longest first: what hangs on by a space may be another number.
    (0..3).rev().find_map(|last| {
        let end = groups.get(last).map(|(start, length)| start + length)?;
        let local = start..end;
        let joined_by_dash = matches!(byte(bytes, end), b'-' | b'.') && byte(bytes, end + 1).is_ascii_digit();
        let fits = !joined_by_dash
            && ends(bytes, end)
            && (is_american_local(bytes, area, &local) || is_trunk_local(bytes, area, &local));
        fits.then_some(open..end)
    })
}

/// Seven digits after an American area code, in one group or 3-4.
fn is_american_local(bytes: &[u8], area: &[u8], local: &Range<usize>) -> bool {
    let digit = |at: usize| byte(bytes, local.start + at).is_ascii_digit();
    let plain = local.len() == 7 && (0..7).all(digit);
    let split = local.len() == 8 && (0..8).all(|at| digit(at) == (at != 3)) && byte(bytes, local.start + 3) != b'/';
    area.len() == 3 && matches!(area.first(), Some(b'2'..=b'9')) && (plain || split)
}

/// One to three groups after an area code with the trunk prefix 0.
fn is_trunk_local(bytes: &[u8], area: &[u8], local: &Range<usize>) -> bool {
    let Some(text) = bytes.get(local.clone()) else {
        return false;
    };
    let spaced = text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
    let mut groups = text.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len);
    let total = area.len() + text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let [b'0', b'1'..=b'9', rest @ ..] = area else {
        return false;
    };
    rest.len() <= 3
        && (9..=12).contains(&total)
        && spaced
        && matches!(groups.next(), Some(3..=8))
        && groups.all(|length| (3..=5).contains(&length))
}

/// Whether a national layout can start with a group of this length.
#[inline]
pub(super) fn may_start(bytes: &[u8], start: usize, length: usize) -> bool {
    match (byte(bytes, start), byte(bytes, start + 1), length) {
        (b'0', b'1'..=b'9', 2..=5) | (b'2'..=b'9', _, 3) | (b'1', b'3'..=b'9', 3) => true,
        (b'1', _, 1) => matches!(byte(bytes, start + 2), b'2'..=b'9'),
        _ => false,
    }
}

/// Finds a national layout that starts with the group at `start`, which [`may_start`] one.
pub(super) fn find(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let groups = Groups::read(bytes, start);
    let range = match (byte(bytes, start), groups.get(0)?.1) {
        (b'0', _) => trunk(bytes, &groups)?,
        (b'1', 1) => {
            let layout = groups.layout::<4>(bytes)?;
            let fits = layout.lengths == [1, 3, 3, 4] && is_american(bytes, &layout, 6);
            fits.then_some(layout.range)?
        }
        (b'1', _) => {
            let layout = groups.layout::<3>(bytes)?;
            let fits = layout.lengths == [3, 4, 4] && matches!(layout.separator, b'-' | b' ');
            fits.then_some(layout.range)?
        }
        _ => {
            let layout = groups.layout::<3>(bytes)?;
            let fits = layout.lengths == [3, 3, 4] && is_american(bytes, &layout, 4);
            fits.then_some(layout.range)?
        }
    };
    (stands_alone(bytes, &range) && ends(bytes, range.end)).then_some(range)
}

/// Whether the layout is joined as American numbers are. Spaces alone do not make a telephone number of three counts, so then
/// the exchange, at `exchange` from the start, must be a possible one too.
fn is_american<const N: usize>(bytes: &[u8], layout: &Layout<N>, exchange: usize) -> bool {
    match layout.separator {
        b'-' | b'.' => true,
        b' ' => matches!(byte(bytes, layout.range.start + exchange), b'2'..=b'9'),
        _ => false,
    }
}

/// Layouts that begin with the trunk prefix 0, by the lengths of their groups.
fn trunk(bytes: &[u8], groups: &Groups) -> Option<Range<usize>> {
    if let Some(five) = groups.layout::<5>(bytes)
        && five.lengths == [2; 5]
        && five.separator != b'/'
    {
        // Among more pairs they are counts.
        return (!hangs_on(bytes, &five.range, |byte| byte == b' ')).then_some(five.range);
    }
    if let Some(three) = groups.layout::<3>(bytes) {
        let total: usize = three.lengths.iter().sum();
        let fits = match (three.separator, three.lengths) {
            (b' ', [3..=5, 3..=4, 3..=4]) => (10..=11).contains(&total),
            (b'-', [2..=3, 3..=4, 4]) => true,
            _ => false,
        };
        if fits {
            return Some(three.range);
        }
    }
    let two = groups.layout::<2>(bytes)?;
    let total: usize = two.lengths.iter().sum();
    let mobile = byte(bytes, two.range.start + 1) == b'1' && matches!(byte(bytes, two.range.start + 2), b'5'..=b'7');
    let fits = match (two.separator, two.lengths) {
        (b' ' | b'/', [3..=5, 6..=8]) => true,
        (b'-', [4..=5, 6..=8]) => mobile,
        _ => false,
    };
    (fits && (10..=12).contains(&total)).then_some(two.range)
}
