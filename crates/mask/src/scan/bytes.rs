//! Byte classes, and what may touch a value on its left and right.

/// Starts a digit group.
pub(super) const DIGIT: u8 = 1;
/// `@` of an e-mail address.
pub(super) const AT: u8 = 1 << 1;
/// `:` of an IPv6 address.
pub(super) const COLON: u8 = 1 << 2;
/// `+` or `(`, which begin some telephone numbers.
pub(super) const DIAL: u8 = 1 << 3;
/// `_`, `-`, `A`, `G`, `J`, `T`, `v`: fixed points inside the prefixes of tokens, keys and PEM blocks.
pub(super) const KEY: u8 = 1 << 4;

/// The anchor class of every byte; 0 for a byte at which nothing is looked for.
pub(super) static ANCHOR: [u8; 256] = anchors();

const fn anchors() -> [u8; 256] {
    let mut table = [0; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        table[digit as usize] = DIGIT;
        digit += 1;
    }
    table[b'@' as usize] = AT;
    // Begins the escapes of URLs, which stand before numbers and for the `@` of addresses.
    table[b'%' as usize] = AT | DIGIT;
    table[b':' as usize] = COLON;
    table[b'+' as usize] = DIAL;
    table[b'(' as usize] = DIAL;
    table[b'_' as usize] = KEY;
    table[b'-' as usize] = KEY;
    table[b'A' as usize] = KEY;
    table[b'J' as usize] = KEY;
    table[b'G' as usize] = KEY;
    table[b'T' as usize] = KEY;
    table[b'v' as usize] = KEY;
    table
}

/// May stand in the local part of an e-mail address: letters, digits and the marks in use; everything outside ASCII (RFC 6531).
/// Other marks that RFC 5322 allows (`{`, `=`, `/`) are left out because around an address they nearly always are the text's.
pub(super) const LOCAL: u8 = 1;
/// May stand in a label of a domain.
pub(super) const LABEL: u8 = 1 << 1;
/// May stand in an IPv6 address.
pub(super) const ADDRESS: u8 = 1 << 2;

/// What every byte may be part of. A table, because each byte of a candidate is asked about.
static PARTS: [u8; 256] = parts();

const fn parts() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let byte = index as u8;
        if byte.is_ascii_alphanumeric() || !byte.is_ascii() || byte == b'-' || byte == b'_' {
            table[index] |= LOCAL | LABEL;
        }
        if matches!(byte, b'.' | b'%' | b'+' | b'\'') {
            table[index] |= LOCAL;
        }
        if byte.is_ascii_hexdigit() || byte == b':' || byte == b'.' {
            table[index] |= ADDRESS;
        }
        index += 1;
    }
    table
}

/// Whether a byte may be part of `what`: [`LOCAL`], [`LABEL`] or [`ADDRESS`].
#[inline]
pub(super) fn may_be(byte: u8, what: u8) -> bool {
    PARTS.get(usize::from(byte)).is_some_and(|parts| parts & what != 0)
}

/// Called with every number of bytes looked at, so that tests can bound the work without a clock. Nothing outside tests.
#[inline]
pub(super) fn looked_at(bytes: usize) {
    #[cfg(test)]
    LOOKED_AT.with(|sum| sum.set(sum.get() + bytes));
    #[cfg(not(test))]
    let _ = bytes;
}

#[cfg(test)]
thread_local! {
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The byte at `at`, or 0 past the end. No pattern contains 0, so the end looks like any other boundary.
#[inline]
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    looked_at(1);
    bytes.get(at).copied().unwrap_or(0)
}

/// The byte `back` places before `at`, or 0 before the start.
#[inline]
pub(super) fn before(bytes: &[u8], at: usize, back: usize) -> u8 {
    at.checked_sub(back).map_or(0, |at| byte(bytes, at))
}

/// End of the run of digits that starts at `start`.
#[inline]
pub(super) fn digits_end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    while byte(bytes, end).is_ascii_digit() {
        end += 1;
    }
    end
}

/// Whether a value may start at `at`: no letter or digit touches it on the left. The letter of an escape (`\n`, `\t`), as JSON
/// and COPY write them, is not text and does not count; nor do the digits of one (`%3D`), as URLs and forms write them.
#[inline]
pub(super) fn left_free(bytes: &[u8], at: usize) -> bool {
    let previous = before(bytes, at, 1);
    !previous.is_ascii_alphanumeric()
        || (is_escape_letter(previous) && is_escaped(bytes, at - 1))
        || (previous.is_ascii_hexdigit() && ends_percent(bytes, at))
}

/// Whether a percent escape ends at `at`: `%3D`, or `%253D` where a URL was put into another.
pub(super) fn ends_percent(bytes: &[u8], at: usize) -> bool {
    before(bytes, at, 1).is_ascii_hexdigit()
        && before(bytes, at, 2).is_ascii_hexdigit()
        && match before(bytes, at, 3) {
            b'%' => true,
            b'5' => before(bytes, at, 4) == b'2' && before(bytes, at, 5) == b'%',
            _ => false,
        }
}

/// The byte that the percent escape at `at` stands for, and how long the escape is. One that was escaped again is read to its
/// end.
pub(super) fn percent(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let value = |at: usize| {
        let [high, low] = [byte(bytes, at), byte(bytes, at + 1)].map(|digit| char::from(digit).to_digit(16));
        u8::try_from(high? << 4 | low?).ok()
    };
    if byte(bytes, at) != b'%' {
        return None;
    }
    match (value(at + 1)?, value(at + 3)) {
        (b'%', Some(inner)) => Some((inner, 5)),
        (outer, _) => Some((outer, 3)),
    }
}

/// Whether a value may end before `at`: no letter or digit follows.
#[inline]
pub(super) fn right_free(bytes: &[u8], at: usize) -> bool {
    !byte(bytes, at).is_ascii_alphanumeric()
}

/// How many bytes at `start` belong to a backslash escape that began before it: `n` of `\n`, `u00e9` of `\u00e9`.
pub(super) fn escape_tail(bytes: &[u8], start: usize) -> usize {
    let first = byte(bytes, start);
    if before(bytes, start, 1) != b'\\' || !is_escaped(bytes, start) {
        0
    } else if first == b'u' && bytes.get(start + 1..start + 5).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    {
        5
    } else {
        usize::from(is_escape_letter(first))
    }
}

const fn is_escape_letter(byte: u8) -> bool {
    matches!(byte, b'b' | b'f' | b'n' | b'r' | b't' | b'v')
}

/// Whether an odd number of backslashes stands before `at`.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
    looked_at(backslashes);
    backslashes % 2 == 1
}
