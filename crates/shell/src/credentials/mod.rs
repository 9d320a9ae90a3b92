//! Files that hold credentials by their names. A rule for the command that reads one covers the command, not the file: that needs a rule for
//! its path.
//!
//! - `files`: which those are
//! - `overlap`: whether a glob may mean one
//! - `sought`: whether a search may

mod files;
mod overlap;
mod sought;

use std::collections::BTreeSet;

use model::{Action, Effect, Object, ObjectKind};

use crate::globs::Arg;
pub(crate) use files::Globs;
use files::{is_device, is_secret, is_word};
use sought::is_sought_by_expression;

/// Tools that read files by their names.
const READERS: [&str; 50] = [
    "cat", "tac", "head", "tail", "less", "more", "nl", "od", "xxd", "hexdump", "hd", "strings", "base64", "base32",
    "sort", "uniq", "cut", "paste", "join", "comm", "diff", "cmp", "rev", "fold", "fmt", "expand", "unexpand",
    "column", "look", "iconv", "sed", "gsed", "awk", "gawk", "mawk", "nawk", "cp", "grep", "egrep", "fgrep", "zgrep",
    "rg", "jq", "yq", "tar", "gtar", "bsdtar", "git", "date", "getent",
];
/// Tools that run others for the files that they find.
const SEEKERS: [&str; 2] = ["find", "gfind"];
/// What of a file's name they look for.
const TESTS: [&str; 2] = ["-name", "-iname"];
/// The same of its whole path.
const TESTS_OF_PATHS: [&str; 4] = ["-path", "-ipath", "-wholename", "-iwholename"];
/// The same by a regular expression.
const EXPRESSIONS: [&str; 2] = ["-regex", "-iregex"];
/// Tools whose first operand is a pattern, unless an option has it.
const SEARCHERS: [&str; 6] = ["grep", "egrep", "fgrep", "zgrep", "rg", "ag"];
/// Tools that tell of a file what a listing does; options of theirs may read it.
const LISTERS: [&str; 9] = ["ls", "stat", "test", "[", "du", "readlink", "realpath", "basename", "dirname"];
/// Tools to which words are texts.
const TALKERS: [&str; 11] =
    ["echo", "printf", "logger", "true", "false", ":", "wall", "write", "systemctl", "systemd-escape", "logname"];
/// Tools whose words may be programs that name files.
const PROGRAMS: [&str; 12] =
    ["awk", "gawk", "mawk", "nawk", "sed", "gsed", "find", "gfind", "jq", "yq", "perl", "python3"];

/// The files of credentials that a reading command of these words names, each to be read. So many words at its end are those of a command that it
/// runs, for which they were looked at before.
pub(crate) fn read_by(args: &[Arg], looked: usize, globs: &mut Globs) -> BTreeSet<Action> {
    let Some((name, words)) = args.split_first() else { return BTreeSet::new() };
    let tool = tool(name);
    let words = words.get(..words.len().saturating_sub(if is_plain(tool) { looked } else { 0 })).unwrap_or_default();
    let (texts, lists) = (TALKERS.contains(&tool), LISTERS.contains(&tool));
    let runs =
        SEEKERS.contains(&tool) && args.iter().any(|arg| arg.text.starts_with("-exec") || arg.text.starts_with("-ok"));
    let reader = READERS.contains(&tool) || texts || runs;
    let programs = PROGRAMS.contains(&tool);
    let (mut paths, mut found) = (BTreeSet::new(), BTreeSet::new());
    for word in words_of_files(tool, words) {
        for path in [Some(path(word)), whole(&word.text)].into_iter().flatten() {
            paths.insert(path);
            if word.is_glob() {
                paths.insert(before_glob(path));
                if !lists && globs.may_be_secret(path, reader) {
                    found.insert(to_read(path));
                }
            }
        }
        if lists {
            continue;
        }
        paths.extend(behind_letters(&word.text));
        if programs {
            paths.extend(named_in(&word.text));
        }
    }
    let reads = |path: &&str| is_secret(path) && (reader || !is_word(path)) || reader && is_device(path);
    found.extend(paths.into_iter().filter(reads).map(to_read));
    if runs || SEARCHERS.contains(&tool) {
        found.extend(
            patterns_of(tool, args)
                .filter(|(pattern, path)| globs.is_sought(pattern, *path))
                .map(|(pattern, _)| to_read(pattern)),
        );
    }
    if runs {
        let behind = args.windows(2).filter_map(|pair| match pair {
            [test, expression] if EXPRESSIONS.contains(&test.text.as_str()) => Some(expression.text.as_str()),
            _ => None,
        });
        found.extend(behind.filter(|expression| is_sought_by_expression(expression)).map(to_read));
    }
    if tool == "ps" && shows_environments(args) {
        found.insert(to_read("/proc/*/environ"));
    }
    found
}

/// How many words at the end of a command were looked at for any tool that may run it, when [`read_by`] has looked at it.
pub(crate) fn looked_at(args: &[Arg], looked: usize) -> usize {
    let all = |name: &Arg| ![&TALKERS[..], &LISTERS, &SEARCHERS].iter().any(|list| list.contains(&tool(name)));
    if args.first().is_some_and(all) { args.len() - 1 } else { looked }
}

/// The name of a command's program.
fn tool(name: &Arg) -> &str {
    name.text.rsplit('/').next().unwrap_or_default()
}

/// Whether what a tool reads by a word depends neither on the tool nor on its other words.
fn is_plain(tool: &str) -> bool {
    tool != "ps"
        && ![&READERS[..], &SEEKERS, &SEARCHERS, &LISTERS, &TALKERS, &PROGRAMS].iter().any(|list| list.contains(&tool))
}

/// The words of a tool that may name files which it reads.
fn words_of_files<'a>(tool: &'a str, words: &'a [Arg]) -> impl Iterator<Item = &'a Arg> {
    let (texts, lists) = (TALKERS.contains(&tool), LISTERS.contains(&tool));
    let pattern = if SEARCHERS.contains(&tool) { pattern(words) } else { None };
    let before = std::iter::once(None).chain(words.iter().map(Some));
    let found = words.iter().zip(before).enumerate().filter(move |(at, (word, before))| {
        Some(*at) != pattern && (!lists || word.text.starts_with("--")) && (!texts || is_spoken(tool, *before, word))
    });
    found.map(|(_, (word, _))| word)
}

/// Whether a word of a tool to which words are texts is a file that it reads.
fn is_spoken(tool: &str, before: Option<&Arg>, word: &Arg) -> bool {
    let option = before.map(|before| before.text.as_str()).filter(|before| before.starts_with('-')).unwrap_or_default();
    match tool {
        "logger" if option.starts_with("--") => option.starts_with("--f") || word.text.starts_with('-'),
        "logger" => option.ends_with('f') || word.text.starts_with('-'),
        "wall" => word.text.contains('/') && !word.text.contains(char::is_whitespace),
        _ => false,
    }
}

fn to_read(path: &str) -> Action {
    Action::on(Effect::Read, Object::new(ObjectKind::Path, path))
}

/// The patterns by which a tool is to look for files, and whether they are of whole paths.
fn patterns_of<'a>(tool: &str, args: &'a [Arg]) -> impl Iterator<Item = (&'a str, bool)> {
    let searcher = SEARCHERS.contains(&tool);
    let asked = args.iter().zip(args.iter().skip(1).map(Some).chain([None]));
    asked.filter_map(move |(test, next)| {
        let (test, next) = (test.text.as_str(), next.map(|next| next.text.as_str()));
        let paths = TESTS_OF_PATHS.contains(&test);
        let pattern = if searcher { included(test, next) } else { next.filter(|_| paths || TESTS.contains(&test)) };
        Some((pattern?, paths && !searcher))
    })
}

/// The pattern of the files to look into that an option of a search has; options may be cut short.
fn included<'a>(option: &'a str, next: Option<&'a str>) -> Option<&'a str> {
    if let Some(long) = option.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, next), |(name, value)| (name, Some(value)));
        let is = |full: &str, least: usize| name.len() >= least && full.starts_with(name);
        return value.filter(|_| is("include", "inc".len()) || is("glob", "glob".len()) || is("iglob", "iglob".len()));
    }
    // Letters before it have no values: else it is part of one, and asking is all that comes of it.
    let (_, value) = option.strip_prefix('-')?.split_once('g')?;
    if value.is_empty() { next } else { Some(value.strip_prefix('=').unwrap_or(value)) }
}

/// A path behind options that are packed into one word: `-uf/etc/x`.
fn behind_letters(text: &str) -> Option<&str> {
    let packed = text.starts_with('-') && !text.starts_with("--");
    packed.then(|| text.find(['/', '~']).and_then(|at| text.get(at..))).flatten()
}

/// The paths that a program of a tool may name.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    let between =
        |letter: char| letter.is_whitespace() || letter.is_control() || "\"'`()[]{}<>;,|&=:!".contains(letter);
    text.split(between).filter(|part| part.contains('/') || part.starts_with('.'))
}

/// Whether ps(1) is asked for the environment of processes: `e` among BSD's options, which have no dash and stand where no value does.
fn shows_environments(args: &[Arg]) -> bool {
    const LETTERS: &str = "aAcCeEfgGhHjklLmMnNorsStTuUvVwxXZ";
    const VALUED: &str = "oOpCuUgGts";
    let mut before = "";
    args.iter().skip(1).any(|arg| {
        let value = before.strip_prefix('-').is_some_and(|letters| letters.ends_with(|last| VALUED.contains(last)));
        before = &arg.text;
        !value && arg.text.contains(['e', 'E']) && arg.text.chars().all(|letter| LETTERS.contains(letter))
    })
}

/// Where the pattern is, when no option has it; else where the one is that is a word behind its option.
fn pattern(words: &[Arg]) -> Option<usize> {
    let packed = |word: &Arg, letter: char| {
        word.text.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains(letter))
    };
    let has = |word: &Arg| word.text.starts_with("--regexp") || packed(word, 'e');
    if let Some(at) = words.iter().position(has) {
        return words.get(at).filter(|word| word.text.ends_with('e')).map(|_| at + 1);
    }
    let from_file = |word: &Arg| word.text.starts_with("--file") || packed(word, 'f');
    if words.iter().any(from_file) { None } else { words.iter().position(|word| !word.text.starts_with('-')) }
}

/// The path that a word may be: itself, or what stands behind `=`, `@`, `HOST:` or an option's letter.
fn path(word: &Arg) -> &str {
    let text = word.text.as_str();
    let text = text.split_once('=').map_or(text, |(_, behind)| behind);
    let text =
        text.split_once(['@', ':']).filter(|(before, _)| !before.contains('/')).map_or(text, |(_, behind)| behind);
    let option = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    option.and_then(|rest| rest.char_indices().nth(1).and_then(|(at, _)| rest.get(at..))).unwrap_or(text)
}

/// A word of which a path, or a set of a glob, begins before anything that could be a name with a value: `/srv/a=b/x`, `[[:alpha:]]x`.
fn whole(text: &str) -> Option<&str> {
    let before = text.split(['=', '@', ':']).next().unwrap_or_default();
    (before.len() < text.len() && !text.starts_with('-') && before.contains(['/', '['])).then_some(text)
}

/// The folder that a glob is in.
fn before_glob(path: &str) -> &str {
    let constant = path.split(['*', '?', '[']).next().unwrap_or_default();
    constant.rfind('/').and_then(|at| constant.get(..at)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
