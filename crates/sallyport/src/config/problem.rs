//! A problem in a configuration: where, what, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// One problem of a configuration file, a policy file, or something that they name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file.
    pub(crate) file: PathBuf,
    /// Line and column, from 1, when known.
    pub(crate) at: Option<(u64, u64)>,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Problem {
    /// A problem of a file as a whole.
    pub(crate) fn of(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), at: None, message: message.into() }
    }

    /// A problem at a place.
    pub(crate) fn at(file: &Path, location: serde_saphyr::Location, message: impl Into<String>) -> Self {
        let at = (location.line() > 0).then(|| (location.line(), location.column()));
        Self { file: file.to_owned(), at, message: message.into() }
    }

    /// What the YAML reader found, in our form: the place first, and a near word for a mistyped key.
    pub(crate) fn of_yaml(file: &Path, error: &serde_saphyr::Error) -> Self {
        let text = error.to_string();
        let message = text.rfind(" at line ").and_then(|cut| text.get(..cut)).unwrap_or(&text);
        let at = error.location().map(|location| (location.line(), location.column()));
        Self { file: file.to_owned(), at, message: with_hint(message) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Several problems, one per line.
#[derive(Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// Words an unknown field with the field that was probably meant.
fn with_hint(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return message.replace(", set DuplicateKeyPolicy in Options if acceptable", "; remove one of them");
    };
    let Some((wrong, known)) = rest.split_once("`, expected one of ").or_else(|| rest.split_once("`, expected "))
    else {
        return message.to_owned();
    };
    let known: Vec<&str> = known.split([',', ' ', '`']).filter(|word| !word.is_empty() && *word != "or").collect();
    match nearest(wrong, &known) {
        Some(near) => format!("unknown field `{wrong}`; did you mean `{near}`?"),
        None => format!("unknown field `{wrong}`; known here: {}", known.join(", ")),
    }
}

/// The closest of some words, when one is close.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two short words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (j, (to, pair)) in b.iter().zip(row.windows(2)).enumerate() {
            let (diagonal, above) = (pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0));
            let left = next.get(j).copied().unwrap_or(0);
            next.push((diagonal + usize::from(from != *to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_words_find_their_neighbour() {
        assert_eq!(distance("postgrs", "postgres"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(nearest("targtes", &["listen", "targets", "policy"]), Some("targets"));
        assert_eq!(nearest("nonsense", &["listen", "targets"]), None);
        assert_eq!(
            with_hint("unknown field `polcy`, expected one of `policy`, `listen`"),
            "unknown field `polcy`; did you mean `policy`?"
        );
        assert_eq!(
            with_hint("unknown field `zzz`, expected one of policy, listen"),
            "unknown field `zzz`; known here: policy, listen"
        );
    }
}
