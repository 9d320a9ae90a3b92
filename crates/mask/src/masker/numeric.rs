//! PostgreSQL's binary `numeric`: digits in base 10,000 after a header of four 16-bit numbers.

/// Longest value that is read, in base-10,000 digits: enough for any key or amount. A longer one is digested as it stands.
const MAX_DIGITS: usize = 64;

/// The binary form of a non-negative integer; of 0 when `value` is 0.
pub(super) fn encode(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u16; 5];
    let mut rest = value;
    let mut first = digits.len();
    while rest > 0 && first > 0 {
        first -= 1;
        if let Some(digit) = digits.get_mut(first) {
            *digit = u16::try_from(rest % 10_000).unwrap_or(0);
        }
        rest /= 10_000;
    }
    let digits = digits.get(first..).unwrap_or_default();
    let count = u16::try_from(digits.len()).unwrap_or(0);
    let trimmed = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
    // Trailing zero digits are implied by the weight.
    out.extend_from_slice(&u16::try_from(trimmed).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&count.saturating_sub(1).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    for digit in digits.iter().take(trimmed) {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

/// The shortest decimal text of a binary numeric: no leading zeros, no trailing zeros of the fraction. None if it is not a
/// number (NaN, infinity) or not well-formed.
pub(super) fn decode(value: &[u8]) -> Option<String> {
    let (header, digits) = value.split_first_chunk::<8>()?;
    let [n0, n1, w0, w1, s0, s1, _, _] = *header;
    let count = usize::from(u16::from_be_bytes([n0, n1]));
    let weight = i32::from(i16::from_be_bytes([w0, w1]));
    let negative = match u16::from_be_bytes([s0, s1]) {
        0x0000 => false,
        0x4000 => true,
        _ => return None,
    };
    let (digits, rest) = digits.as_chunks::<2>();
    if digits.len() != count || !rest.is_empty() || count > MAX_DIGITS || weight.unsigned_abs() > 64 {
        return None;
    }
    let digit = |power: i32| {
        let index = usize::try_from(weight - power).ok();
        index.and_then(|index| digits.get(index)).map_or(0, |digit| u16::from_be_bytes(*digit))
    };
    let mut text = String::from(if negative { "-" } else { "" });
    for power in (0..=weight.max(0)).rev() {
        text.push_str(&format!("{:04}", digit(power)));
    }
    text.push('.');
    let lowest = weight + 1 - i32::try_from(count).ok()?;
    for power in (lowest..0).rev() {
        text.push_str(&format!("{:04}", digit(power)));
    }
    Some(shortest(&text))
}

/// Decimal text without the zeros, sign and dot that say nothing. Text that is no plain decimal comes back as it is.
pub(super) fn shortest(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        ("", fraction) => format!("{sign}0.{fraction}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_there_and_back() {
        for value in [0, 1, 9_999, 10_000, 40_000_000, 123_456_789_012_345, u64::MAX] {
            let mut binary = Vec::new();
            encode(value, &mut binary);
            assert_eq!(decode(&binary), Some(value.to_string()));
        }
    }

    #[test]
    fn fractions_and_signs() {
        // -12.50: digits 12 and 5000, weight 0, sign 0x4000, scale 2.
        let binary = [0, 2, 0, 0, 0x40, 0, 0, 2, 0, 12, 0x13, 0x88];
        assert_eq!(decode(&binary).as_deref(), Some("-12.5"));
        // 0.0001 has weight -1.
        assert_eq!(decode(&[0, 1, 0xFF, 0xFF, 0, 0, 0, 4, 0, 1]).as_deref(), Some("0.0001"));
        // 0.00000001 has weight -2.
        assert_eq!(decode(&[0, 1, 0xFF, 0xFE, 0, 0, 0, 8, 0, 1]).as_deref(), Some("0.00000001"));
        assert_eq!(decode(&[0, 0, 0, 0, 0xC0, 0, 0, 0]), None);
        assert_eq!(decode(&[0, 9, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(shortest("-000.500"), "-0.5");
        assert_eq!(shortest("-0.00"), "0");
        assert_eq!(shortest("NaN"), "NaN");
    }
}
