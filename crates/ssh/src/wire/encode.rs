//! The writer under all messages (RFC 4251, section 5).

/// Appends a `uint32`.
pub fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a `boolean`.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Appends a `string`. What is longer than a length can say is cut; no message that long is ever made.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    u32(out, len);
    out.extend_from_slice(bytes.get(..len as usize).unwrap_or(bytes));
}

/// Appends a positive number as `mpint`: no leading zeros, but one where the highest bit is set.
pub fn mpint(out: &mut Vec<u8>, number: &[u8]) {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let digits = number.get(start..).unwrap_or_default();
    let pad = digits.first().is_some_and(|byte| byte & 0x80 != 0);
    u32(out, u32::try_from(digits.len() + usize::from(pad)).unwrap_or(u32::MAX));
    if pad {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

/// A message of one number and what `body` writes.
pub fn message(number: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.push(number);
    body(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4251, section 5.
    #[test]
    fn numbers_are_written_as_the_standard_says() {
        for (number, expected) in [
            (&[][..], &[0, 0, 0, 0][..]),
            (&[0, 0], &[0, 0, 0, 0]),
            (&[0x09, 0xa3, 0x78], &[0, 0, 0, 3, 0x09, 0xa3, 0x78]),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
        ] {
            let mut out = Vec::new();
            mpint(&mut out, number);
            assert_eq!(out, expected);
        }
    }
}
