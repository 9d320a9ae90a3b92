//! What the suites share: chance by seed, and words spelled in the ways of a shell.
#![allow(dead_code, reason = "each suite uses its part")]

/// Pseudo-random numbers by xorshift64*: a seed says it all.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or_default() % end
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A word in one of its many constant spellings: bare letters, escapes, both quotes, continued lines, empty quotes.
pub(crate) fn spelled(random: &mut Random, word: &str) -> String {
    let mut out = String::new();
    let letters: Vec<char> = word.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let length = 1 + random.below(letters.len() - at);
        let piece: String = letters[at..at + length].iter().collect();
        let said = match random.below(6) {
            0 => Some(format!("'{}'", piece.replace('\'', "'\\''"))),
            1 if piece.is_ascii() => Some(in_double(random, &piece)),
            2 => {
                out.push_str(if random.one_in(2) { "''" } else { "\"\"" });
                continue;
            }
            _ => None,
        };
        match said {
            Some(said) => {
                out.push_str(&said);
                at += length;
            }
            None => {
                out.push_str(&bare(random, letters[at], out.is_empty()));
                at += 1;
            }
        }
    }
    if out.is_empty() { "''".to_owned() } else { out }
}

fn in_double(random: &mut Random, piece: &str) -> String {
    let mut out = String::from("\"");
    for letter in piece.chars() {
        if matches!(letter, '$' | '`' | '"' | '\\') {
            out.push('\\');
        }
        out.push(letter);
        if letter.is_ascii() && letter != '\\' && random.one_in(12) {
            out.push_str("\\\n");
        }
    }
    out.push('"');
    out
}

fn bare(random: &mut Random, letter: char, first: bool) -> String {
    let plain = letter.is_ascii_alphanumeric() || "_@%+:,./-".contains(letter) && !first;
    match letter {
        '\n' => "'\n'".to_owned(),
        _ if !letter.is_ascii() => format!("'{letter}'"),
        _ if plain && random.one_in(20) => format!("\\\n{letter}"),
        _ if plain && !random.one_in(4) => letter.to_string(),
        _ => format!("\\{letter}"),
    }
}
