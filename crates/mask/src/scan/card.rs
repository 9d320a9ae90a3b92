//! Payment cards: layout, issuer range and length, Luhn.

use std::ops::Range;

use super::bytes::{before, byte, left_free, percent, right_free};
use super::number::Groups;

/// Fewest and most digits of a card number (ISO/IEC 7812 allows 8 to 19; issued ones have 13 or more).
pub(super) const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Whether a card number can start with a group of this length.
#[inline]
pub(super) fn may_start(bytes: &[u8], start: usize, length: usize, joined: bool) -> bool {
    (DIGITS.contains(&length) || (joined && (length == 4 || length == 6))) && lengths_of(bytes, start) != 0
}

/// Whether the digits at `start` are a card's first, as far as they are there: four of a known issuer.
pub(super) fn may_begin(bytes: &[u8], start: usize) -> bool {
    bytes.get(start..start + 4).is_some_and(|first| first.iter().all(u8::is_ascii_digit))
        && lengths_of(bytes, start) != 0
}

/// Finds the card number that starts with the group of `length` digits at `start`; of several the longest.
pub(super) fn find(bytes: &[u8], start: usize, length: usize) -> Option<Range<usize>> {
    if is_fraction(bytes, start) {
        return None;
    }
    if left_free(bytes, start) || is_named(bytes, start) {
        return longest(bytes, start, length);
    }
    is_track(bytes, start).then(|| longest(bytes, start, length))?.filter(|range| is_caret(bytes, range.end))
}

/// Words that are glued to a number they name. None is the beginning of an identifier (`DE`, `ORD`) or of hexadecimal digits.
const NAMES: [&[u8]; 8] =
    [b"pan", b"card", b"cardno", b"cardnumber", b"creditcard", b"ccnumber", b"visa", b"mastercard"];

/// Whether nothing touches the digits on their left but a word that names them: `PAN4111111111111111`.
pub(super) fn may_stand(bytes: &[u8], start: usize) -> bool {
    left_free(bytes, start) || is_named(bytes, start)
}

#[cold]
fn is_named(bytes: &[u8], start: usize) -> bool {
    NAMES.iter().any(|name| {
        let word = start.checked_sub(name.len());
        word.is_some_and(|word| {
            bytes.get(word..start).is_some_and(|text| text.eq_ignore_ascii_case(name)) && left_free(bytes, word)
        })
    })
}

/// Whether the letter before the digits is the format code of a magnetic stripe's first track (ISO/IEC 7813):
/// `%B4111111111111111^DOE/JOHN^`. Alone it says nothing; the caret after the digits has to be there, too.
#[cold]
pub(super) fn is_track(bytes: &[u8], start: usize) -> bool {
    before(bytes, start, 1) == b'B' && left_free(bytes, start - 1)
}

/// Whether a caret, plain or escaped, is at `at`.
fn is_caret(bytes: &[u8], at: usize) -> bool {
    byte(bytes, at) == b'^' || percent(bytes, at).is_some_and(|(byte, _)| byte == b'^')
}

/// The longest card number at `start`.
#[inline]
fn longest(bytes: &[u8], start: usize, length: usize) -> Option<Range<usize>> {
    if DIGITS.contains(&length) {
        return is_card(bytes, start..start + length).then_some(start..start + length);
    }
    let groups = Groups::read(bytes, start);
    let mut total = length;
    let mut longest = None;
    for index in 1.. {
        let Some((group, length)) = groups.get(index) else {
            break;
        };
        total += length;
        if !matches!(byte(bytes, group - 1), b' ' | b'-') || length > 7 || total > *DIGITS.end() {
            break;
        }
        let enough = index >= 2 && total >= *DIGITS.start();
        if enough && is_card(bytes, start..group + length) {
            longest = Some(start..group + length);
        }
        if !(4..=6).contains(&length) {
            break;
        }
    }
    longest
}

/// Whether the digits after a decimal point start here: every second long fraction has an issuer's prefix.
fn is_fraction(bytes: &[u8], start: usize) -> bool {
    before(bytes, start, 1) == b'.' && before(bytes, start, 2).is_ascii_digit()
}

/// Whether the digits in `range` (separators aside) end where a value may end and are a card number.
fn is_card(bytes: &[u8], range: Range<usize>) -> bool {
    if !right_free(bytes, range.end) || (byte(bytes, range.end) == b'.' && byte(bytes, range.end + 1).is_ascii_digit())
    {
        return false;
    }
    let lengths = lengths_of(bytes, range.start);
    // From the last digit backwards, every second digit is doubled and its digits are added (ISO/IEC 7812-1, annex B). Tables
    // instead of conditions: the digits of a card are random, so every other branch would be mispredicted.
    let mut sum = 0_usize;
    let mut count = 0_usize;
    for byte in bytes.get(range).unwrap_or_default().iter().rev() {
        if byte.is_ascii_digit() {
            let weighted = WEIGHTED.get(count % 2).and_then(|row| row.get(usize::from(byte - b'0')));
            sum += weighted.copied().unwrap_or(0);
            count += 1;
        }
    }
    lengths & length_bit(count) != 0 && sum.is_multiple_of(10)
}

/// Digits as they are, and doubled with their digits added.
const WEIGHTED: [[usize; 10]; 2] = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]];

const fn length_bit(digits: usize) -> u8 {
    if digits >= 13 && digits <= 19 { 1 << (digits - 13) } else { 0 }
}

/// The lengths that cards with these first four digits have, as [`length_bit`]s.
fn lengths_of(bytes: &[u8], start: usize) -> u8 {
    let prefix = bytes
        .get(start..start + 4)
        .unwrap_or_default()
        .iter()
        .fold(0_usize, |all, byte| all * 10 + usize::from(byte & 15));
    ISSUERS.get(prefix).copied().unwrap_or(0)
}

static ISSUERS: [u8; 10_000] = issuers();

/// Issuer ranges by their first four digits, from the networks' published ranges.
const fn issuers() -> [u8; 10_000] {
    const L13: u8 = length_bit(13);
    const L14: u8 = length_bit(14);
    const L15: u8 = length_bit(15);
    const L16: u8 = length_bit(16);
    const L16_TO_19: u8 = length_bit(16) | length_bit(17) | length_bit(18) | length_bit(19);
    const ANY: u8 = L13 | L14 | L15 | L16_TO_19;
    const RANGES: [(usize, usize, u8); 35] = [
        (4000, 4999, L13 | L16 | length_bit(19)), // Visa
        (5100, 5599, L16),                        // Mastercard
        (2221, 2720, L16),                        // Mastercard
        (3400, 3499, L15),                        // American Express
        (3700, 3799, L15),                        // American Express
        (3000, 3059, L14 | L16_TO_19),            // Diners Club
        (3095, 3095, L14 | L16_TO_19),            // Diners Club
        (3600, 3699, L14 | L16_TO_19),            // Diners Club
        (3800, 3999, L14 | L16_TO_19),            // Diners Club
        (6011, 6011, L16_TO_19),                  // Discover
        (6440, 6599, L16_TO_19),                  // Discover, RuPay, Troy, Elo
        (3528, 3589, L16_TO_19),                  // JCB
        (6200, 6299, L16_TO_19),                  // UnionPay
        (8100, 8299, L16_TO_19),                  // UnionPay, RuPay
        (2200, 2204, L16_TO_19),                  // Mir
        (2205, 2205, L16),                        // BORICA
        (5018, 5018, ANY),                        // Maestro
        (5019, 5019, L16),                        // Dankort
        (5020, 5020, ANY),                        // Maestro
        (5038, 5038, ANY),                        // Maestro
        (5893, 5893, ANY),                        // Maestro
        (6304, 6304, ANY),                        // Maestro
        (6759, 6759, ANY),                        // Maestro
        (6761, 6763, ANY),                        // Maestro
        (5060, 5099, L16_TO_19),                  // Verve, RuPay, Elo
        (6000, 6010, L16),                        // RuPay
        (6012, 6099, L16),                        // RuPay, Hipercard
        (6360, 6369, L16),                        // Elo, InterPayment
        (6370, 6399, L16),                        // InstaPayment
        (6061, 6062, L16_TO_19),                  // Hipercard
        (5610, 5610, L16),                        // Bankcard
        (5602, 5602, L16),                        // Bankcard
        (9792, 9792, L16),                        // Troy
        (9860, 9860, L16),                        // Humo
        (8600, 8600, L16),                        // Uzcard
    ];
    let mut table = [0; 10_000];
    let mut row = 0;
    while row < RANGES.len() {
        let (first, last, lengths) = RANGES[row];
        let mut prefix = first;
        while prefix <= last {
            table[prefix] |= lengths;
            prefix += 1;
        }
        row += 1;
    }
    table
}
