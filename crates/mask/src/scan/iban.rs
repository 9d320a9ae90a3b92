//! IBANs: country, length, grouping, mod 97.

use super::Found;
use super::bytes::{before, byte, left_free, right_free};
use crate::detector::Detector;

/// Looks at a digit group that follows a letter: its first two digits may be the check digits of an IBAN.
pub(super) fn at_check_digits(bytes: &[u8], digits: usize, found: &mut Found<'_>) {
    let Some(start) = digits.checked_sub(2) else {
        return;
    };
    let (Some(length), true) =
        (length_in([before(bytes, digits, 2), before(bytes, digits, 1)]), left_free(bytes, start))
    else {
        return;
    };
    if let Some(end) = end_of(bytes, start, length)
        && right_free(bytes, end)
        && bytes.get(start..end).is_some_and(checks)
    {
        found.add(Detector::Iban, start..end);
    }
}

/// How many letters and digits there are of what begins at `start` and may become an IBAN when more follows; none if it is no
/// beginning of one, or if it has ended.
pub(super) fn begins(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let letter = |at: usize| rest.get(at).is_none_or(u8::is_ascii_alphabetic);
    if rest.is_empty() || !letter(0) || !letter(1) || !left_free(bytes, start) {
        return None;
    }
    let length = match rest {
        [first, second, ..] => length_in([*first, *second])?,
        _ => return Some(1),
    };
    let (mut at, mut count) = (0, 0);
    while let Some(byte) = rest.get(at) {
        if count > 0 && count % 4 == 0 && matches!(byte, b' ' | b'-') && !matches!(rest.get(at - 1), Some(b' ' | b'-'))
        {
            at += 1;
            continue;
        }
        let fits = byte.is_ascii_alphanumeric() && (!matches!(count, 2 | 3) || byte.is_ascii_digit());
        if count == length || !fits {
            return None;
        }
        (at, count) = (at + 1, count + 1);
    }
    Some(count)
}

/// Where `length` letters and digits end that may have one space or dash between every four.
fn end_of(bytes: &[u8], start: usize, length: usize) -> Option<usize> {
    let mut at = start;
    for count in 0..length {
        if count > 0 && count % 4 == 0 && matches!(byte(bytes, at), b' ' | b'-') {
            at += 1;
        }
        if !byte(bytes, at).is_ascii_alphanumeric() || (matches!(count, 2 | 3) && !byte(bytes, at).is_ascii_digit()) {
            return None;
        }
        at += 1;
    }
    Some(at)
}

/// ISO 7064 mod 97-10 over the IBAN with its first four characters moved to the end; letters count 10 to 35.
fn checks(iban: &[u8]) -> bool {
    let (head, rest) = iban.split_at_checked(4).unwrap_or_default();
    let remainder = rest.iter().chain(head).filter(|byte| byte.is_ascii_alphanumeric()).fold(0_u32, |all, byte| {
        if byte.is_ascii_digit() {
            (all * 10 + u32::from(byte - b'0')) % 97
        } else {
            (all * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97
        }
    });
    remainder == 1
}

/// The length of an IBAN of this country, in letters and digits.
fn length_in(country: [u8; 2]) -> Option<usize> {
    let [first, second] = country.map(|letter| letter.to_ascii_uppercase().wrapping_sub(b'A'));
    let row = LENGTHS.get(usize::from(first))?;
    row.get(usize::from(second)).map(|length| usize::from(*length)).filter(|length| *length > 0)
}

/// Lengths by the two letters of the country; 0 where there is no IBAN.
static LENGTHS: [[u8; 26]; 26] = lengths();

const fn lengths() -> [[u8; 26]; 26] {
    // The SWIFT registry, then countries that use the scheme without being in it.
    const COUNTRIES: &[u8] = b"\
        AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18\
        FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27\
        MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27\
        SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30\
        AO25BF28BJ28CF27CG27CI28CM27CV25DZ26GA27GQ27GW25IR26KM27MA28MG27ML28MZ25NE28SN28TD27TG28";
    let mut table = [[0; 26]; 26];
    let mut at = 0;
    while at + 3 < COUNTRIES.len() {
        let length = (COUNTRIES[at + 2] - b'0') * 10 + COUNTRIES[at + 3] - b'0';
        table[(COUNTRIES[at] - b'A') as usize][(COUNTRIES[at + 1] - b'A') as usize] = length;
        at += 4;
    }
    table
}
