//! What a search is told to look for: patterns of names and paths, which tools read in their own ways.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::files::{BY_ENDING, BY_FOLDER, BY_NAME, BY_PATH, FOLDERS, MOST_GLOBS, is_secret};
use super::overlap::{Glob, Overlap, Pattern};
use crate::globs::{NAMES, matches, set};

/// Whether a pattern in small letters, without alternatives, may mean files of credentials, as more than "all of a kind", or folders of them.
pub(super) fn is_sought(lower: &str, path: bool) -> bool {
    if path {
        let glob = Glob::searched_path(lower);
        let particular = |pattern: &LazyLock<Pattern>| glob.overlap(pattern).is_some_and(Overlap::is_particular);
        if [&BY_NAME, &BY_FOLDER, &BY_PATH].into_iter().any(particular) {
            return true;
        }
    }
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", lower));
    // To a search a star may be a dot, as it may be any letter but the first. It may also be nothing: `*.env` is `.env`, too.
    let means = |part: &str, name: &str| {
        let hidden = part.strip_prefix('*').filter(|rest| rest.starts_with('.'));
        let all = if hidden.is_some() { b".*?".as_slice() } else { b"*" };
        let part = hidden.unwrap_or(part);
        part.bytes().any(|byte| !all.contains(&byte)) && matches(&format!("/{part}"), &format!("/{name}"))
    };
    NAMES.iter().any(|known| means(name, known))
        || FOLDERS
            .iter()
            .filter(|folder| !folder.contains('/'))
            .any(|folder| folders.split('/').chain([name]).any(|part| means(part, folder)))
        || !name.starts_with("*.") && Glob::searched(name).overlap(&BY_ENDING).is_some_and(Overlap::is_said)
}

/// A pattern without the backslashes by which letters are themselves. A wild card that is one may be any letter.
pub(super) fn without_backslashes(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => text.extend(rest.next().map(|letter| if "*?[{,}".contains(letter) { '?' } else { letter })),
            '[' => {
                // In a set they may be letters: `set` knows.
                let behind = rest.as_str();
                let length = set(behind.as_bytes()).map_or(behind.len(), |(_, length)| length);
                text.push('[');
                text.push_str(behind.get(..length).unwrap_or_default());
                rest = behind.get(length..).unwrap_or_default().chars();
            }
            letter => text.push(letter),
        }
    }
    text
}

/// What a pattern with alternatives (`*.{js,ts}`) stands for; `None` when that is too much to look at, or braces are something else.
pub(super) fn alternatives(pattern: &str) -> Option<BTreeSet<String>> {
    if !pattern.contains(['{', '}']) {
        return Some(BTreeSet::from([pattern.to_owned()]));
    }
    let (mut done, mut left) = (BTreeSet::new(), vec![pattern.to_owned()]);
    let mut bytes = 0;
    while let Some(one) = left.pop() {
        let innermost = one.split_once('}').and_then(|(to, after)| Some((to.rsplit_once('{')?, after)));
        match innermost {
            // In a set they are letters.
            _ if one.contains('[') => return None,
            Some(((before, list), after)) => {
                bytes += one.len() * list.split(',').count();
                if bytes > MOST_GLOBS {
                    return None;
                }
                left.extend(list.split(',').map(|choice| format!("{before}{choice}{after}")));
            }
            None if one.contains(['{', '}']) => return None,
            None => {
                done.insert(one);
            }
        }
    }
    Some(done)
}

/// Whether a regular expression for whole paths may mean files of credentials: all but those for an ending that no such file has, nor is.
pub(super) fn is_sought_by_expression(expression: &str) -> bool {
    let ending = expression.strip_prefix(".*\\.").map(|rest| rest.trim_end_matches('$'));
    let harmless = |ending: &str| {
        ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && ![format!("x.{ending}"), format!(".{ending}")].iter().any(|name| is_secret(name))
    };
    !ending.is_some_and(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_all_looked_at_or_none() {
        let of = |pattern: &str| {
            let all = alternatives(&without_backslashes(pattern))?;
            Some(all.into_iter().collect::<Vec<_>>().join(" "))
        };
        for (pattern, all) in [
            ("*.js", "*.js"),
            ("*.{js,ts}", "*.js *.ts"),
            ("{a,{b,c}d}{e}", "ae bde cde"),
            ("{x\\},shadow}", "shadow x?"),
            ("a\\{b,c\\}", "a?b,c?"),
        ] {
            assert_eq!(of(pattern).as_deref(), Some(all), "{pattern}");
        }
        for pattern in [
            "{a",
            "a}",
            "id_[}r]s{a,b}",
            "[{a,b}]",
            "{{a,b}",
            &"{a,b}".repeat(30),
            &format!("{{{}}}", "a,".repeat(30_000)),
        ] {
            assert_eq!(of(pattern), None);
        }
    }
}
