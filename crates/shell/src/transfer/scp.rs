//! `scp -t` and `scp -f`: the far side of the scp protocol (rcp's, as OpenSSH's scp(1) speaks it with `-O`).

use std::collections::BTreeSet;

use model::{Action, Effect};

use super::on;
use crate::globs::{Arg, Kind};

/// The far side of an scp transfer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scp {
    /// `-t`: files come to the target. Else `-f`: they leave it.
    pub to_target: bool,
    /// `-r`: folders and all that is in them.
    pub recursive: bool,
    /// `-d`: the path must be a folder.
    pub directory: bool,
    /// `-p`: times and modes are kept.
    pub preserve: bool,
    /// The path as it was given; empty means the home folder.
    pub path: String,
}

/// Reads the words of a far side, `scp` first. `None` for anything else: another program, no `-t` or `-f` or both, an option other than
/// `-r`, `-p`, `-d`, `-v`, `-q`, not exactly one path.
#[must_use]
pub fn scp(argv: &[String]) -> Option<Scp> {
    let (first, rest) = argv.split_first()?;
    matches!(first.as_str(), "scp" | "/usr/bin/scp" | "/bin/scp").then_some(())?;
    let mut found = Scp { to_target: false, recursive: false, directory: false, preserve: false, path: String::new() };
    let (mut from, mut words) = (false, rest.iter());
    while let Some(word) = words.as_slice().first() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            break;
        };
        words.next();
        if letters == "-" {
            break;
        }
        for letter in letters.chars() {
            match letter {
                't' => found.to_target = true,
                'f' => from = true,
                'r' => found.recursive = true,
                'd' => found.directory = true,
                'p' => found.preserve = true,
                'v' | 'q' => {}
                _ => return None,
            }
        }
    }
    let [path] = words.as_slice() else {
        return None;
    };
    found.path.clone_from(path);
    (found.to_target != from).then_some(found)
}

/// The actions of a far side. Words without `-t` and `-f` are those of a client, and no transfer of ours.
pub(super) fn actions(rest: &[Arg]) -> Option<Result<BTreeSet<Action>, String>> {
    let far = |arg: &Arg| arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.contains(['t', 'f']);
    rest.iter().any(far).then(|| {
        let argv: Vec<String> =
            std::iter::once("scp".to_owned()).chain(rest.iter().map(|arg| arg.text.clone())).collect();
        let found = scp(&argv).ok_or("scp: words of a transfer that are not understood")?;
        let path = rest.last().ok_or("scp: no path")?;
        let glob = matches!(path.kind, Kind::Glob | Kind::Wild);
        if glob && (found.to_target || path.kind == Kind::Wild) {
            return Err("scp: a path that is not constant".to_owned());
        }
        if path.text.starts_with('-') {
            return Err("scp: a path like an option".to_owned());
        }
        let effect = if found.to_target { Effect::Write } else { Effect::Read };
        Ok(on(&[effect], path)?.into_iter().collect())
    })
}
