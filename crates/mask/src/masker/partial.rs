//! What a partial mask shows. The shape is checked again here: bytes that are not exactly of their kind (two values that
//! overlap, say) show no more than an unknown value does.

use crate::detector::Detector;

/// Stands for everything that is hidden, whatever its length.
const HIDDEN: &[u8] = b"***";
/// An unknown value shorter than this shows nothing.
const UNKNOWN_LEAST: usize = 8;

/// Appends the partial form of a value of this kind.
pub(super) fn show(kind: Option<Detector>, value: &[u8], out: &mut Vec<u8>) {
    let shown = match kind {
        Some(Detector::Card) => card(value, out),
        Some(Detector::Iban) => iban(value, out),
        Some(Detector::Email) => email(value, out),
        Some(Detector::Phone) => phone(value, out),
        Some(Detector::Ssn) => ssn(value, out),
        Some(
            Detector::Ip | Detector::Jwt | Detector::AwsKey | Detector::GithubToken | Detector::Pem | Detector::ApiKey,
        )
        | None => None,
    };
    if shown.is_none() {
        unknown(value, out);
    }
}

/// The first character of a long enough value, if it is a letter or digit.
fn unknown(value: &[u8], out: &mut Vec<u8>) {
    if let Some(first) = str::from_utf8(value)
        .ok()
        .filter(|text| text.chars().count() >= UNKNOWN_LEAST)
        .and_then(|text| text.chars().next())
        && first.is_alphanumeric()
    {
        out.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.extend_from_slice(HIDDEN);
}

/// Appends the value with a `*` for each byte that `hides` says, by its index among those that count.
fn starred(value: &[u8], counts: fn(&u8) -> bool, hides: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    let mut index = 0;
    out.extend(value.iter().map(|byte| {
        if !counts(byte) {
            return *byte;
        }
        index += 1;
        if hides(index - 1) { b'*' } else { *byte }
    }));
}

/// How many digits there are, if there is nothing else but the separators.
fn digits(value: &[u8], separators: &[u8]) -> Option<usize> {
    let all = value.iter().all(|byte| byte.is_ascii_digit() || separators.contains(byte));
    all.then(|| value.iter().filter(|byte| byte.is_ascii_digit()).count())
}

/// The first six and last four digits of 15 or more, as card receipts may show; of fewer the last four.
fn card(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let count = digits(value, b" -").filter(|count| (13..=19).contains(count))?;
    let first = if count >= 15 { 6 } else { 0 };
    starred(value, u8::is_ascii_digit, |index| index >= first && index < count - 4, out);
    Some(())
}

/// The country and the last four.
fn iban(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let count = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let plain = value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-'));
    (plain && (15..=34).contains(&count))
        .then(|| starred(value, u8::is_ascii_alphanumeric, |index| index >= 2 && index < count - 4, out))
}

/// The first letter of a local part of three or more, and the domain unless it holds digits enough to hide a number.
fn email(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut parts = value.split(|byte| *byte == b'@');
    let (local, domain, None) = (parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    if domain.iter().filter(|byte| byte.is_ascii_digit()).count() > 6 || !domain.iter().all(is_domain) {
        return None;
    }
    if let (Some(first), 3..) = (local.first().filter(|first| first.is_ascii_alphanumeric()), local.len()) {
        out.push(*first);
    }
    out.extend_from_slice(HIDDEN);
    out.push(b'@');
    out.extend_from_slice(domain);
    Some(())
}

fn is_domain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || !byte.is_ascii()
}

/// The last four digits of ten or more, the last two of fewer.
fn phone(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let count = digits(value, b"+ -./()").filter(|count| (7..=15).contains(count))?;
    let last = if count >= 10 { 4 } else { 2 };
    starred(value, u8::is_ascii_digit, |index| index < count - last, out);
    Some(())
}

/// The serial number.
fn ssn(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    digits(value, b" -").filter(|count| *count == 9)?;
    starred(value, u8::is_ascii_digit, |index| index < 5, out);
    Some(())
}
