//! What is between the brackets of a glob.

/// What a set may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Set {
    /// Digits and ranges of them: what people write.
    Digits,
    /// Some letters. Which ones does not matter: it may be any.
    Letters,
    /// All but some.
    Others,
}

impl Set {
    pub(crate) const fn may_be(self, letter: u8) -> bool {
        match self {
            Self::Digits => letter.is_ascii_digit(),
            Self::Letters | Self::Others => letter != b'/',
        }
    }
}

/// Classes that every shell and `fnmatch` knows.
const CLASSES: [&[u8]; 12] = [
    b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct", b"space", b"upper",
    b"xdigit",
];

/// What stands behind an unquoted `[`: the set, and its length with the bracket that closes it. `None` where shells, or the tools that get it, may
/// differ in what closes it, and where nothing does.
///
/// `[:x:]` within it ends at its own bracket, and a bracket that comes first is a letter (POSIX, 9.3.5). dash and ripgrep know neither `[.x.]` nor
/// `[=x=]`: there `[[=c=]r[e]x` may be `crex`. dash does not know `^` either, and a backslash is a letter to some.
pub(crate) fn set(text: &[u8]) -> Option<(Set, usize)> {
    let first = usize::from(matches!(text.first(), Some(b'!' | b'^')));
    let (mut at, mut digits, mut classes) = (first, true, false);
    loop {
        let (is_digits, length) = match text.get(at..)? {
            [b']', ..] if at > first => {
                let set = match (text.first(), digits) {
                    (Some(b'!'), _) => Set::Others,
                    // To dash it is one of the letters.
                    (Some(b'^'), _) | (_, false) => Set::Letters,
                    _ => Set::Digits,
                };
                return Some((set, at + 1));
            }
            [b']', ..] if text.starts_with(b"^") => return None,
            [b'[', b':', class @ ..] => {
                let name = CLASSES.into_iter().find(|name| is_class(class, name))?;
                classes = true;
                (name == b"digit", name.len() + 4)
            }
            // To ripgrep the set before it is closed.
            [b'[', ..] if classes => return None,
            // No name of a file has a slash.
            [b'[', b'.' | b'=', ..] | [b'/' | b'\\', ..] | [] => return None,
            // Else a dash is a letter, or a range of more than digits.
            [b'0'..=b'9', b'-', b'0'..=b'9', ..] => (true, 3),
            [letter, ..] => (letter.is_ascii_digit(), 1),
        };
        digits &= is_digits;
        at += length;
    }
}

/// Whether this is the rest of a class of that name, behind `[:`.
fn is_class(rest: &[u8], name: &[u8]) -> bool {
    rest.strip_prefix(name).is_some_and(|end| end.starts_with(b":]"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Who reads a set, by what it knows beyond letters and ranges.
    #[derive(Clone, Copy, Debug)]
    struct Reader {
        classes: bool,
        /// `[.x.]`, `[=x=]`
        letters: bool,
        caret: bool,
        backslash: bool,
    }

    const BASH: Reader = Reader { classes: true, letters: true, caret: true, backslash: true };
    const DASH: Reader = Reader { classes: true, letters: false, caret: false, backslash: true };
    const FIND: Reader = Reader { classes: true, letters: true, caret: true, backslash: true };
    const BUSYBOX: Reader = Reader { backslash: false, ..FIND };
    const RIPGREP: Reader = Reader { classes: false, letters: false, caret: true, backslash: false };

    impl Reader {
        /// The printable letters that a set stands for, and its length.
        fn read(self, text: &[u8]) -> Option<(Vec<u8>, usize)> {
            let negated = text.first() == Some(&b'!') || self.caret && text.first() == Some(&b'^');
            let first = usize::from(negated);
            let (mut at, mut found) = (first, Vec::new());
            while at == first || text.get(at)? != &b']' {
                let (letters, length) = self.member(text.get(at..)?)?;
                at += length;
                let end = match text.get(at..)? {
                    [b'-', b']', ..] => None,
                    [b'-', rest @ ..] => self.member(rest),
                    _ => None,
                };
                match (letters.as_slice(), end) {
                    ([from], Some((to, length))) if to.len() == 1 => {
                        found.extend(*from..=to[0]);
                        at += 1 + length;
                    }
                    _ => found.extend(letters),
                }
            }
            let is = |letter: &u8| found.contains(letter) != negated && *letter != b'/';
            Some(((b' '..=b'~').filter(is).collect(), at + 1))
        }

        /// What one member is, and its length.
        fn member(self, text: &[u8]) -> Option<(Vec<u8>, usize)> {
            match text {
                [] => None,
                [b'\\', letter, ..] if self.backslash => Some((vec![*letter], 2)),
                [b'[', b':', rest @ ..] if self.classes => {
                    let length = rest.windows(2).position(|two| two == b":]");
                    let known = length.and_then(|length| Some((class(rest.get(..length)?)?, length + 4)));
                    Some(known.unwrap_or_else(|| (vec![b'['], 1)))
                }
                [b'[', mark @ (b'.' | b'='), letter, end, b']', ..] if self.letters && mark == end => {
                    Some((vec![*letter], 5))
                }
                [b'[', b'.', b'h', b'y', b'p', b'h', b'e', b'n', b'.', b']', ..] if self.letters => {
                    Some((vec![b'-'], 10))
                }
                [letter, ..] => Some((vec![*letter], 1)),
            }
        }
    }

    fn class(name: &[u8]) -> Option<Vec<u8>> {
        let is: fn(&u8) -> bool = match name {
            b"alnum" => u8::is_ascii_alphanumeric,
            b"alpha" => u8::is_ascii_alphabetic,
            b"blank" | b"space" => u8::is_ascii_whitespace,
            b"cntrl" => u8::is_ascii_control,
            b"digit" => u8::is_ascii_digit,
            b"graph" => u8::is_ascii_graphic,
            b"lower" => u8::is_ascii_lowercase,
            b"print" => |letter| (b' '..=b'~').contains(letter),
            b"punct" => u8::is_ascii_punctuation,
            b"upper" => u8::is_ascii_uppercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            _ => return None,
        };
        Some((0..=127).filter(is).collect())
    }

    /// What is behind `[`: mostly digits and what is near them, so that many are sets of digits but for one letter.
    fn behind() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "0",
            "1",
            "5",
            "9",
            "0-9",
            "2-7",
            "9-0",
            "-",
            "--",
            "-9",
            "0-",
            "+-",
            "+-/",
            "!-~",
            "*-9",
            ",-.",
            ".",
            "-.",
            "!",
            "^",
            "[",
            "]",
            "[]",
            "\\",
            "\\]",
            "\\-",
            "/",
            ":",
            "=",
            "a",
            "s",
            "x-z",
            "[:digit:]",
            "[:alpha:]",
            "[:punct:]",
            "[:cntrl:]",
            "[:",
            ":]",
            "[:c:]",
            "[:digit",
            "[=-=]",
            "[=",
            "=]",
            "[.-.]",
            "[.hyphen.]",
            "[.",
            ".]",
            "[=c=]",
            "'",
            "\"",
            "*",
            "?",
        ]);
        (prop::collection::vec(piece, 1..7), any::<bool>())
            .prop_map(|(list, closed)| list.concat() + if closed { "]" } else { "" })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn a_set_is_never_less_than_what_somebody_reads(text in behind()) {
            if let Some((set, length)) = set(text.as_bytes()) {
                for reader in [BASH, DASH, FIND, BUSYBOX, RIPGREP] {
                    let Some((letters, own)) = reader.read(text.as_bytes()) else {
                        return Err(TestCaseError::fail(format!("{reader:?} sees no end of [{text}")));
                    };
                    // What closes a class closes the set where there are no classes; a bracket that nothing opens is left for the name.
                    let left = text.as_bytes().get(own..length).unwrap_or_default();
                    let open = left.iter().filter(|byte| **byte == b'[').count();
                    let close = left.iter().filter(|byte| **byte == b']').count();
                    prop_assert!(own == length || !reader.classes && close > open, "{reader:?}: [{text} is {own} long");
                    let missed: Vec<u8> = letters.into_iter().filter(|letter| !set.may_be(*letter)).collect();
                    prop_assert!(own != length || missed.is_empty(), "{reader:?}: [{text} is {missed:?}, too");
                }
            }
        }
    }

    #[test]
    fn digits_are_digits_and_nothing_else() {
        let all_are = |wanted: Option<Set>, list: &str| {
            for text in list.split(' ') {
                assert_eq!(set(text.as_bytes()).map(|(set, _)| set), wanted, "[{text}");
            }
        };
        all_are(Some(Set::Digits), "0] 0-9] 9-0] 135] 0-35-9] [:digit:]] 0[:digit:]5-7]");
        all_are(Some(Set::Letters), "-] 0-] -0] --9] 0--] 0-9-] 0-9-5] [:digit:]-9] *-9] .] ,-.] ]0] 0-a] \"-\"]");
        all_are(Some(Set::Letters), "[:punct:]] [] [0] ^0-9]");
        all_are(Some(Set::Others), "!0-9] !-~] !]] ![:digit:]]");
        all_are(None, "[=-=]] [.-.]] [.period.]] [:word:]] [:c]r[e:][d] [=c=]r[e] [:alpha:]r[e] \\]-] 0\\-]");
        all_are(None, "^]x ^]x] ] 0 0/] +-/] ");
    }
}
