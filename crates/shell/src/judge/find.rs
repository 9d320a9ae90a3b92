//! `find`: its expression (POSIX's `find`, and what GNU and BSD add).

use model::{Effect, EffectSet};

use super::options::shown;
use super::{Call, Judge, Outcome};
use crate::globs::{Arg, Kind};

/// Tests and actions without a word after them that only look.
const ALONE: [&str; 32] = [
    "-print",
    "-print0",
    "-ls",
    "-prune",
    "-quit",
    "-depth",
    "-d",
    "-xdev",
    "-mount",
    "-empty",
    "-executable",
    "-readable",
    "-writable",
    "-nouser",
    "-nogroup",
    "-true",
    "-false",
    "-follow",
    "-daystart",
    "-noleaf",
    "-warn",
    "-nowarn",
    "-not",
    "-and",
    "-or",
    "-a",
    "-o",
    "-ignore_readdir_race",
    "-noignore_readdir_race",
    "-help",
    "-version",
    "-E",
];
/// Tests with one word after them.
const WITH_VALUE: [&str; 41] = [
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-wholename",
    "-iwholename",
    "-regex",
    "-iregex",
    "-regextype",
    "-lname",
    "-ilname",
    "-type",
    "-xtype",
    "-size",
    "-mtime",
    "-atime",
    "-ctime",
    "-mmin",
    "-amin",
    "-cmin",
    "-newer",
    "-anewer",
    "-cnewer",
    "-newermt",
    "-newerct",
    "-newerat",
    "-newermm",
    "-user",
    "-group",
    "-uid",
    "-gid",
    "-perm",
    "-links",
    "-inum",
    "-samefile",
    "-maxdepth",
    "-mindepth",
    "-used",
    "-fstype",
    "-printf",
    "-context",
];

impl Judge<'_> {
    /// What it looks at is read; what its actions do comes on top, a command with `{}` where a path will be.
    pub(super) fn find(&mut self, call: &Call<'_>) -> Outcome {
        let mut outcome = Outcome::read();
        let mut rest = call.rest.iter();
        let mut paths = 0;
        let mut expression = false;
        while let Some(arg) = rest.next() {
            let word = arg.text.as_str();
            let operator = matches!(word, "(" | ")" | "!" | ",");
            let follows_links = paths == 0 && !expression && matches!(word, "-H" | "-L" | "-P" | "-O1" | "-O2" | "-O3");
            expression |= operator || word.starts_with('-') && !follows_links;
            if arg.kind == Kind::Wild {
                // A file may be called `-delete`.
                return self.unknown("find: a glob that may turn into an action");
            }
            match word {
                _ if follows_links => {}
                _ if operator || !expression => paths += usize::from(!operator),
                _ if ALONE.contains(&word) => {}
                _ if WITH_VALUE.contains(&word) => {
                    if rest.next().is_none_or(|value| value.kind == Kind::Wild) {
                        return self.unknown("find: a test whose value is not certain");
                    }
                }
                "-delete" => add(&mut outcome.effects, &[Effect::Delete, Effect::Destroy]),
                "-exec" => match self.find_exec(&mut rest) {
                    Ok(inner) => outcome.inner.extend(inner),
                    Err(why) => return self.unknown(why),
                },
                "-execdir" | "-ok" | "-okdir" => return self.unknown(format!("find: {word} is not looked into")),
                "-fprint" | "-fprint0" | "-fprintf" | "-fls" => {
                    return self.execute("find: writes a file").and(Effect::Write);
                }
                _ => return self.execute(format!("find: `{}` is not known", shown(word))),
            }
        }
        outcome
    }

    /// The command of `-exec`, up to `;` or `+`. Paths that come for `{}` begin as a path of the command line does, so they are no options.
    fn find_exec(
        &mut self,
        rest: &mut std::slice::Iter<'_, Arg>,
    ) -> Result<std::collections::BTreeSet<model::Action>, String> {
        let mut args: Vec<Arg> = Vec::new();
        loop {
            let arg = rest.next().ok_or("find: `-exec` without its end")?;
            match arg.text.as_str() {
                ";" => break,
                "+" if args.last().is_some_and(|last| last.text == "{}") => break,
                _ if arg.is_glob() => return Err("find: a glob in what it runs".to_owned()),
                // A path, and which one is not known.
                "{}" => args.push(Arg { kind: Kind::Glob, ..arg.clone() }),
                _ => args.push(arg.clone()),
            }
        }
        let name = args.first().map(|first| first.text.as_str()).ok_or("find: `-exec` without a command")?;
        if name.contains(['{', '=']) || name.is_empty() || name.starts_with('-') {
            return Err("find: runs what is not certain".to_owned());
        }
        if args.iter().skip(1).any(|arg| arg.text.contains("{}") && arg.text != "{}") {
            return Err("find: a path inside of a word of what it runs".to_owned());
        }
        // It has words of its own, and they are not the last ones.
        let actions = self.command(&args);
        self.looked = 0;
        Ok(actions)
    }
}

fn add(set: &mut EffectSet, effects: &[Effect]) {
    effects.iter().for_each(|effect| set.insert(*effect));
}
