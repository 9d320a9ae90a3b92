//! Secrets that are recognised in whatever form a query gives them.
//!
//! Texts are letters that little else in the world uses (`q`, `z` and `j` nothing else) with digits that no token has between them,
//! so that neither honest data nor what a mask writes can look like a piece of one. Numbers are made of the digits 6 to 9 and
//! their bytes are above 127, so that they are recognised in binary.

use super::dice::Dice;
use super::needles::Needles;

/// Letters of secrets. Of the first four at least one is in every three bytes.
const LETTERS: [u8; 7] = *b"qzjxvwk";
/// Letters that are in no other value of the world, nor in any name that comes back in one: in a cell they are a leak by themselves.
const MARKS: [u8; 3] = *b"qzj";
/// Digits between them: in no token's alphabet.
const DIGITS: [u8; 4] = *b"0189";

/// Digits of a number that tell which one it is, where a mask writes other digits in its place.
const LONG: usize = 9;

/// Makes secrets, and keeps how to find each.
pub(super) struct Secrets {
    dice: Dice,
    /// What finds them.
    pub(super) needles: Needles,
    /// The same where masked numbers are random ones: six digits of a number come up in others by chance.
    pub(super) among_numbers: Needles,
}

impl Secrets {
    /// The secrets of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed, u64::MAX), needles: Needles::new(), among_numbers: Needles::new() }
    }

    /// A text: two letters, a digit, and so on; the first letter is one that nothing else has.
    pub(super) fn text(&mut self, what: &str, groups: usize) -> String {
        let mut bytes = Vec::new();
        for _ in 0..groups {
            bytes.push(self.dice.pick(&LETTERS[..4]));
            bytes.push(self.dice.pick(&LETTERS));
            bytes.push(self.dice.pick(&DIGITS));
        }
        self.found_as_text(what, &bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A text with what has to be quoted in JSON, arrays, CSV, COPY and XML between pieces that are long enough to be found.
    pub(super) fn odd_text(&mut self, what: &str) -> String {
        let pieces: Vec<String> = (0..5).map(|_| self.text(what, 3)).collect();
        pieces.join("|").replacen('|', "\"", 1).replacen('|', "\\", 1).replacen('|', ",é<", 1).replacen('|', "\t'", 1)
    }

    /// A 32-bit number of nine digits.
    pub(super) fn int(&mut self, what: &str) -> i32 {
        loop {
            let number = self.digits(9).parse().unwrap_or(0_i32);
            let [_, rest @ ..] = number.to_be_bytes();
            if rest.iter().all(|byte| *byte > 0x80 && *byte < 0xff) {
                self.found_as_number(what, &number.to_string());
                self.add(&format!("{what} in binary"), &number.to_be_bytes(), 4);
                self.add(&format!("{what} in hexadecimal"), format!("{number:x}").as_bytes(), 8);
                return number;
            }
        }
    }

    /// A 64-bit number of eighteen digits.
    pub(super) fn big(&mut self, what: &str) -> i64 {
        let text = self.digits(18);
        let number = text.parse().unwrap_or(0_i64);
        self.found_as_number(what, &text);
        self.add(&format!("{what} in binary"), &number.to_be_bytes(), 6);
        self.add(&format!("{what} in hexadecimal"), format!("{number:x}").as_bytes(), 10);
        number
    }

    /// A number with twelve digits before the point and four behind it.
    pub(super) fn numeric(&mut self, what: &str) -> String {
        let whole = self.digits(16);
        let (before, after) = whole.split_at(12);
        self.found_as_number(what, before);
        let mut binary = Vec::new();
        for group in whole.as_bytes().chunks(4) {
            let group: u16 = String::from_utf8_lossy(group).parse().unwrap_or(0);
            binary.extend_from_slice(&group.to_be_bytes());
        }
        self.add(&format!("{what} in binary"), &binary, 6);
        format!("{before}.{after}")
    }

    /// A floating-point number that is whole, so that it prints as its digits.
    pub(super) fn real(&mut self, what: &str) -> String {
        let text = self.digits(14);
        self.found_as_number(what, &text);
        let number: f64 = text.parse().unwrap_or(0.0);
        self.add(&format!("{what} in binary"), &number.to_be_bytes(), 7);
        text
    }

    /// A day in the years 2670 to 2699, where no other day of the world is.
    pub(super) fn date(&mut self, what: &str) -> String {
        let (year, month, day) = (2670 + self.dice.below(30), 10 + self.dice.below(3), 11 + self.dice.below(17));
        let text = format!("{year}-{month}-{day}");
        for form in [text.clone(), format!("{month}/{day}/{year}"), format!("{day}.{month}.{year}")] {
            self.add(what, form.as_bytes(), 10);
        }
        self.add(what, format!("{year}{month}{day}").as_bytes(), 8);
        text
    }

    /// A moment of such a day, with microseconds.
    pub(super) fn moment(&mut self, what: &str) -> String {
        let day = self.date(what);
        let micros = self.digits(6);
        let (hour, minute, second) = (10 + self.dice.below(14), 10 + self.dice.below(50), 10 + self.dice.below(50));
        let time = format!("{hour}:{minute}:{second}.{micros}");
        self.add(what, time.as_bytes(), 9);
        format!("{day} {time}+00")
    }

    /// A UUID.
    pub(super) fn uuid(&mut self, what: &str) -> String {
        let bytes: Vec<u8> = (0..16).map(|_| u8::try_from(128 + self.dice.below(127)).unwrap_or(0)).collect();
        self.add(&format!("{what} in binary"), &bytes, 6);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add(what, hex.as_bytes(), 12);
        let (a, b) = (hex.get(..8).unwrap_or_default(), hex.get(20..).unwrap_or_default());
        self.add(what, a.as_bytes(), 8);
        format!("{a}-{}-{}-{}-{b}", &hex[8..12], &hex[12..16], &hex[16..20])
    }

    /// Bytes that are no text, in hexadecimal.
    pub(super) fn bytes(&mut self, what: &str) -> String {
        let bytes: Vec<u8> = (0..14).map(|_| u8::try_from(128 + self.dice.below(127)).unwrap_or(0)).collect();
        self.found_as_bytes(what, &bytes);
        let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
        self.add(what, octal.as_bytes(), 24);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn add(&mut self, what: &str, form: &[u8], length: usize) {
        self.needles.add(what, form, length);
        self.among_numbers.add(what, form, length);
    }

    fn digits(&mut self, count: usize) -> String {
        // No zero, and none of what counters, sizes and other days are made of.
        (0..count).map(|_| char::from(self.dice.pick(b"6789"))).collect()
    }

    fn found_as_number(&mut self, what: &str, digits: &str) {
        // Sums and roundings change the end of a number; six digits from anywhere in it still tell.
        self.needles.add(what, digits.as_bytes(), 6);
        self.among_numbers.add(what, digits.as_bytes(), LONG);
        self.add(&format!("{what} in hexadecimal"), hex(digits.as_bytes()).as_bytes(), 12);
    }

    fn found_as_text(&mut self, what: &str, bytes: &[u8]) {
        self.found_as_bytes(what, bytes);
        let upper = bytes.to_ascii_uppercase();
        self.add(&format!("{what} in upper case and hexadecimal"), hex(&upper).as_bytes(), 12);
        self.base64(&format!("{what} in upper case and base64"), &upper);
    }

    fn found_as_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, bytes, 6);
        self.add(&format!("{what} in hexadecimal"), hex(bytes).as_bytes(), 12);
        self.base64(&format!("{what} in base64"), bytes);
        let backward: Vec<u8> = bytes.iter().rev().copied().collect();
        self.add(&format!("{what} backwards and in hexadecimal"), hex(&backward).as_bytes(), 12);
        self.base64(&format!("{what} backwards and in base64"), &backward);
    }

    /// Base64 has three spellings of the same bytes, by what stands before them.
    fn base64(&mut self, what: &str, bytes: &[u8]) {
        for skip in 0..3 {
            let rest = bytes.get(skip..).unwrap_or_default();
            let whole = rest.len() / 3 * 3;
            let text = base64(rest.get(..whole).unwrap_or_default());
            self.add(what, text.as_bytes(), 9);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks_exact(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for shift in [18, 12, 6, 0] {
            out.push(char::from(ALPHABET[bits >> shift & 63]));
        }
    }
    out
}

/// Whether a cell holds a letter that only secrets have.
pub(super) fn has_mark(cell: &[u8]) -> bool {
    cell.iter().any(|byte| MARKS.contains(&byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_every_spelling() {
        let mut secrets = Secrets::new(5);
        let text = secrets.text("name", 6);
        let upper = text.to_ascii_uppercase();
        let reversed: String = text.chars().rev().collect();
        for form in [
            text.clone(),
            format!("[\"{upper}\"]"),
            reversed,
            text.get(3..9).unwrap().to_owned(),
            hex(text.as_bytes()),
            base64(format!("ab{text}c").as_bytes()),
            base64(upper.as_bytes()),
        ] {
            assert!(secrets.needles.find(form.as_bytes()).is_some(), "{form}");
        }
        for honest in ["[redacted]", "tok_abcdefghijklmnopqrstuvwxyz", "SELECT t.s_name FROM people t", "2005-01-02"] {
            assert_eq!(secrets.needles.find(honest.as_bytes()), None, "{honest}");
        }
        assert!(has_mark(text.as_bytes()) && !has_mark(b"[redacted] \\x01"));
    }

    #[test]
    fn numbers_moments_and_bytes_are_found_in_text_and_binary() {
        let mut secrets = Secrets::new(5);
        let int = secrets.int("int");
        let big = secrets.big("big");
        let numeric = secrets.numeric("numeric");
        let uuid = secrets.uuid("uuid");
        let moment = secrets.moment("moment");
        let odd = secrets.odd_text("odd");
        let bytes = secrets.bytes("bytes");
        let find = |bytes: &[u8]| secrets.needles.find(bytes).is_some();
        assert!(find(int.to_string().as_bytes()) && find(&int.to_be_bytes()) && find(format!("{int:x}").as_bytes()));
        assert!(find((big + 1).to_string().as_bytes()) && find(&big.to_be_bytes()));
        assert!(find(numeric.as_bytes()) && find(uuid.as_bytes()) && find(moment.as_bytes()) && find(bytes.as_bytes()));
        assert!(find(odd.replace('"', "\\\"").as_bytes()));
        assert!(!find(&7_i32.to_be_bytes()) && !find(b"2005-11-12") && !find(b"123456789"));
    }
}
