//! Rules for any text file. The needles are put together here, so that this file does not contain them.

use std::path::Path;

use super::Fault;

/// Paths that exist on somebody's machine only. Two parts each, joined when searched.
const PATHS: [(&str, &str); 3] = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];
/// What must not be left in code.
const LEFT: [(&str, &str); 5] =
    [("to", "do!("), ("unimple", "mented!("), ("FIX", "ME"), ("XX", "X:"), ("#[ign", "ore")];

pub(crate) fn check(name: &Path, content: &str, faults: &mut Vec<Fault>) {
    let rust = name.extension().is_some_and(|extension| extension == "rs");
    let paths: Vec<String> = PATHS.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let left: Vec<String> = LEFT.iter().map(|(a, b)| format!("{a}{b}")).collect();
    for (at, line) in content.lines().enumerate() {
        let place = || format!("{}:{}", name.display(), at + 1);
        for path in paths.iter().filter(|path| mentions(line, path)) {
            faults.push(Fault {
                place: place(),
                what: format!("names {path}, which is on one machine only"),
                hard: true,
            });
        }
        for word in left.iter().filter(|word| rust && line.contains(word.as_str())) {
            faults.push(Fault {
                place: place(),
                what: format!("{word} is left over: finish it or take it out"),
                hard: true,
            });
        }
    }
}

/// The path at the start of a word: `x/home/` of a longer path or address is none.
fn mentions(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "-_./}$~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, content: &str) -> usize {
        let mut faults = Vec::new();
        check(Path::new(name), content, &mut faults);
        faults.len()
    }

    #[test]
    fn paths_are_found_at_the_start_of_a_word() {
        let path = format!("{}{}", "/ro", "ot/x");
        assert_eq!(faults("a.md", &format!("see {path}")), 1);
        assert_eq!(faults("a.md", &format!("see target{path}")), 0);
    }

    #[test]
    fn leftovers_count_in_rust_only() {
        let word = format!("{}{}", "FIX", "ME");
        assert_eq!(faults("a.rs", &word), 1);
        assert_eq!(faults("a.md", &word), 0);
    }
}
