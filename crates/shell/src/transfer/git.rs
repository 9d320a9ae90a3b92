//! The far sides of git's transfers: git-upload-pack(1), git-receive-pack(1), git-upload-archive(1).

use std::collections::BTreeSet;

use model::{Action, Effect};

use super::on;
use crate::globs::{Arg, Kind};

/// `git upload-pack …`, as newer clients may say it.
pub(super) fn subcommand(rest: &[Arg]) -> Option<Result<BTreeSet<Action>, String>> {
    let (first, rest) = rest.split_first()?;
    match first.text.as_str() {
        "upload-pack" => actions("git-upload-pack", rest),
        "receive-pack" => actions("git-receive-pack", rest),
        "upload-archive" => actions("git-upload-archive", rest),
        _ => None,
    }
}

/// The effect on the repository. Hooks of a repository that receives are its own, and run as they would for any push.
pub(super) fn actions(name: &str, rest: &[Arg]) -> Option<Result<BTreeSet<Action>, String>> {
    let effect = if name == "git-receive-pack" { Effect::Write } else { Effect::Read };
    let [path] = rest else {
        return Some(Err(format!("{name}: not exactly one path")));
    };
    if path.text.starts_with('-') || path.text.is_empty() || path.is_glob() {
        return Some(Err(format!("{name}: a path that is not certain")));
    }
    // git expands a tilde that its client quoted.
    let home = path.kind == Kind::Constant && (path.text == "~" || path.text.starts_with("~/"));
    let path = if home { Arg { kind: Kind::Home, ..path.clone() } } else { path.clone() };
    Some(on(&[effect], &path).map(|actions| actions.into_iter().collect()))
}
