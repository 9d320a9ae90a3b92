//! Names of paths: what a policy's patterns are matched against.

use crate::globs::{Arg, Kind};

/// The name of the path that a word means, started from the home folder: absolute, or `~` and `~/x`; without `.`, `//` and `..`.
///
/// `..` is resolved by the text alone, as SSH's clients do it. The error says why the path is not certain: it climbs above where it starts,
/// or the shell and the program may understand its tilde differently.
pub(crate) fn name(word: &Arg) -> Result<String, String> {
    let text = word.text.as_str();
    let below_home = match (word.kind, text.strip_prefix('~')) {
        (_, None) => text,
        (Kind::Home, Some(rest)) => rest,
        (Kind::Glob, Some(rest)) if rest.starts_with('/') => rest,
        // To the shell it is a folder of this name, to a program that looks for tildes itself it is not.
        (Kind::Constant | Kind::Glob | Kind::Wild, Some(_)) => {
            return Err("a tilde that is quoted or names a user".to_owned());
        }
    };
    let absolute = text.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in below_home.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or("a path that climbs above where it starts")?;
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    Ok(match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => "~".to_owned(),
        (false, false) => format!("~/{joined}"),
    })
}
