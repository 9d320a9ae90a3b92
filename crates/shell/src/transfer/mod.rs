//! What clients start on the far side to move files: paths instead of a command.
//!
//! - [`scp`]: `scp -t path`, `scp -f path`
//! - `rsync`: `rsync --server …`
//! - `git`: `git-upload-pack 'path'` and its siblings
//! - `path`: the names of paths

mod git;
mod path;
mod rsync;
pub(crate) mod scp;

use std::collections::BTreeSet;

use model::{Action, Effect, Object, ObjectKind};

use crate::globs::{Arg, Kind};

/// Programs of which some words are those of a transfer, `git` aside.
pub(crate) const PROGRAMS: [&str; 5] = ["scp", "rsync", "git-upload-pack", "git-receive-pack", "git-upload-archive"];

/// The actions of a transfer; `None` when the words are not those of one, the error when they are and it is not certain what it would touch.
pub(crate) fn actions(args: &[Arg]) -> Option<Result<BTreeSet<Action>, String>> {
    let (first, rest) = args.split_first()?;
    if first.kind != Kind::Constant {
        return None;
    }
    let name = name(first);
    match name {
        "scp" => scp::actions(rest),
        "rsync" => rsync::actions(rest),
        "git-upload-pack" | "git-receive-pack" | "git-upload-archive" => git::actions(name, rest),
        "git" => git::subcommand(rest),
        _ => None,
    }
}

fn name(first: &Arg) -> &str {
    first.text.strip_prefix("/usr/bin/").or_else(|| first.text.strip_prefix("/bin/")).unwrap_or(&first.text)
}

/// Whether the words of a transfer are those of scp.
pub(crate) fn is_scp(args: &[Arg]) -> bool {
    args.first().is_some_and(|first| name(first) == "scp")
}

/// Links that lead anywhere are made, as far as anyone can see: what they point to could be read and written under another name.
#[must_use]
pub fn links() -> Action {
    Action::on(Effect::Create, Object::new(ObjectKind::Other, "links"))
}

/// These effects on the path of a word.
fn on(effects: &[Effect], path: &Arg) -> Result<Vec<Action>, String> {
    let name = path::name(path)?;
    Ok(effects.iter().map(|effect| Action::on(*effect, Object::new(ObjectKind::Path, name.clone()))).collect())
}

#[cfg(test)]
mod tests;
