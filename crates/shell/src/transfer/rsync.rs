//! `rsync --server`: the far side of rsync(1), whose options its client writes.

use std::collections::BTreeSet;

use model::{Action, Effect};

use super::on;
use crate::globs::{Arg, Kind};

/// Letters without a value that the client may pack into one word. `s` is not among them: with it the paths come over standard input.
const LETTERS: &str = "vqcarbuldtgopDLkKHAXUNEWxSRnmiIOJyzCh";
/// Long options that change how files are moved, not which or where to.
const OPTIONS: [&str; 58] = [
    "--sender",
    "--numeric-ids",
    "--inplace",
    "--append",
    "--append-verify",
    "--partial",
    "--size-only",
    "--ignore-existing",
    "--existing",
    "--ignore-non-existing",
    "--update",
    "--stats",
    "--omit-dir-times",
    "--omit-link-times",
    "--specials",
    "--no-specials",
    "--devices",
    "--no-devices",
    "--links",
    "--no-links",
    "--perms",
    "--no-perms",
    "--times",
    "--no-times",
    "--owner",
    "--no-owner",
    "--group",
    "--no-group",
    "--safe-links",
    "--copy-unsafe-links",
    "--munge-links",
    "--fake-super",
    "--ignore-errors",
    "--force",
    "--delay-updates",
    "--fuzzy",
    "--no-relative",
    "--no-implied-dirs",
    "--relative",
    "--one-file-system",
    "--sparse",
    "--whole-file",
    "--no-whole-file",
    "--ignore-times",
    "--checksum",
    "--compress",
    "--old-compress",
    "--new-compress",
    "--prune-empty-dirs",
    "--list-only",
    "--dirs",
    "--no-r",
    "--no-inc-recursive",
    "--inc-recursive",
    "--fsync",
    "--preallocate",
    "--human-readable",
    "--progress",
];
/// Long options with a value behind `=` that is a number or one word.
const WITH_VALUE: [&str; 16] = [
    "--bwlimit",
    "--max-size",
    "--min-size",
    "--timeout",
    "--compress-level",
    "--compress-choice",
    "--checksum-choice",
    "--max-delete",
    "--modify-window",
    "--block-size",
    "--log-format",
    "--suffix",
    "--protocol",
    "--checksum-seed",
    "--skip-compress",
    "--info",
];
const DELETES: [&str; 8] = [
    "--delete",
    "--delete-before",
    "--delete-during",
    "--delete-after",
    "--delete-delay",
    "--delete-excluded",
    "--delete-missing-args",
    "--remove-source-files",
];

/// The actions of a far side: paths after `.` are read by a sender; else the last one is written, and files there deleted if asked for.
pub(super) fn actions(rest: &[Arg]) -> Option<Result<BTreeSet<Action>, String>> {
    let first = rest.first()?;
    (first.text == "--server").then(|| far_side(rest.get(1..).unwrap_or_default()))
}

fn far_side(rest: &[Arg]) -> Result<BTreeSet<Action>, String> {
    let (mut sender, mut deletes, mut links) = (false, false, Links::default());
    let mut words = rest.iter();
    for word in words.by_ref() {
        let text = word.text.as_str();
        if word.kind != Kind::Constant {
            return Err("rsync: an option that is not constant".to_owned());
        }
        if text == "." {
            break;
        }
        sender |= text == "--sender";
        deletes |= DELETES.contains(&text);
        links.word(text);
        if !is_known(text) {
            return Err(format!("rsync: `{}` is not known", crate::judge::shown(text)));
        }
    }
    let paths = words.as_slice();
    let effects: &[Effect] = match (sender, deletes) {
        (true, false) => &[Effect::Read],
        (true, true) => &[Effect::Read, Effect::Delete],
        (false, false) => &[Effect::Write],
        (false, true) => &[Effect::Write, Effect::Delete],
    };
    if paths.is_empty() || !sender && paths.len() > 1 {
        return Err("rsync: not the paths of a transfer".to_owned());
    }
    let mut actions = BTreeSet::new();
    for path in paths {
        if path.kind == Kind::Wild || path.is_glob() && !sender || path.text.starts_with('-') {
            return Err("rsync: a path that is not certain".to_owned());
        }
        actions.extend(on(effects, path)?);
        if links.lead_anywhere(sender) {
            actions.insert(super::links());
        }
    }
    Ok(actions)
}

/// Links by which paths lead out of the folder that is judged.
#[derive(Default)]
struct Links {
    /// A receiver makes them as the client says: what they point to could be read and written under another name.
    made: bool,
    /// None is made that leads out of what is copied, or none works.
    safe: bool,
    /// A sender reads what they point to.
    read: bool,
    /// A receiver writes into folders that they point to.
    kept: bool,
}

impl Links {
    fn word(&mut self, text: &str) {
        let packed = text.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
        let letters = packed.split('e').next().unwrap_or_default();
        match text {
            "--links" => self.made = true,
            "--no-links" => self.made = false,
            "--safe-links" | "--munge-links" => self.safe = true,
            "--copy-links" | "--copy-unsafe-links" | "--copy-dirlinks" => self.read = true,
            // Folders on the way to a file are left as they are found.
            "--keep-dirlinks" | "--no-implied-dirs" => self.kept = true,
            _ => {
                self.made |= letters.contains('l');
                self.read |= letters.contains(['L', 'k']);
                self.kept |= letters.contains('K');
            }
        }
    }

    const fn lead_anywhere(&self, sender: bool) -> bool {
        if sender { self.read } else { self.made && !self.safe || self.kept }
    }
}

fn is_known(text: &str) -> bool {
    if let Some(long) = text.strip_prefix("--") {
        return match text.split_once('=') {
            None => !long.is_empty() && (OPTIONS.contains(&text) || DELETES.contains(&text)),
            Some(("--partial-dir", folder)) => !folder.is_empty() && folder != ".." && !folder.contains('/'),
            Some((name, value)) => {
                let plain = |letter: char| letter.is_ascii_alphanumeric() || "%._,+:~-".contains(letter);
                WITH_VALUE.contains(&name) && value.chars().all(plain)
            }
        };
    }
    let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
        return false;
    };
    if let Some(size) = letters.strip_prefix('B') {
        return !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    }
    // `e.` is followed by what the client can do; `e` with anything else would name a program.
    let (letters, capabilities) = letters.split_once('e').unwrap_or((letters, "."));
    letters.chars().all(|letter| LETTERS.contains(letter))
        && capabilities
            .strip_prefix(|letter: char| letter == '.' || letter.is_ascii_digit())
            .is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.'))
}
