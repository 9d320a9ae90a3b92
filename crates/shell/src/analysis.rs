//! A text as a whole: limits, parts, and what comes together.

use std::collections::BTreeSet;

use model::{Action, Effect, Object, ObjectKind};

use crate::credentials::Globs;
use crate::globs::Arg;
use crate::judge::{self, Around};
use crate::parser::{Simple, parse};
use crate::table::tools::Tools;

/// Bytes of text that are looked at. Scripts that agents send are a few kilobytes; `sh -c` takes 128 KiB on Linux.
pub const MOST_BYTES: usize = 64 * 1024;
/// Reasons that are kept; more say nothing new to a person.
const MOST_REASONS: usize = 16;
/// Bytes of one label.
const MOST_LABEL: usize = 64;

/// What a text would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Analysis {
    /// Its simple commands in order, those of subshells, loops and branches included; up to what is not understood. What a wrapper runs
    /// (`sh -c '…'`) is not a part, but its actions are there.
    pub parts: Vec<Part>,
    /// Everything that it would do; sorted, without duplicates, never empty.
    pub actions: Vec<Action>,
    /// Why something is `unknown` or `execute`, in short sentences for people. May be empty.
    pub reasons: Vec<String>,
    /// The name of the first part's program without its path, or `exec`.
    pub label: String,
}

/// One simple command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Its words with quotes resolved, the program first. Globs and tildes stand as written.
    pub argv: Vec<String>,
    /// No word has a glob or a tilde: these are the very words that the program gets.
    pub constant: bool,
    /// It is started with `&`: it may go on after the session.
    pub background: bool,
    /// What it would do; sorted, without duplicates, never empty.
    pub actions: Vec<Action>,
}

/// Says what a text would do if a login shell ran it with `-c`, as SSH's `exec` does.
///
/// Total: text that is too long, not UTF-8 or not understood has the effect `unknown` on the object `?.`, beside what was understood before.
#[must_use]
pub fn analyze(text: &[u8]) -> Analysis {
    analyze_with(text, &Tools::default())
}

/// As [`analyze`], where somebody has said what other programs do.
#[must_use]
pub fn analyze_with(text: &[u8], tools: &Tools) -> Analysis {
    let known = if text.len() > MOST_BYTES { Err("longer than is looked at") } else { utf8(text) };
    match known {
        Ok(text) => nested(text, &mut Around { depth: 0, tools, globs: &mut Globs::default() }),
        Err(why) => Gathered::default().finish(Some(why.to_owned())),
    }
}

fn utf8(text: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(text).map_err(|_| "not UTF-8")
}

/// The same for a text inside of another (`sh -c '…'`).
pub(crate) fn nested(text: &str, around: &mut Around<'_>) -> Analysis {
    let script = parse(text);
    let mut gathered = Gathered::default();
    for command in &script.commands {
        gathered.add(command, around);
    }
    gathered.finish(script.problem.map(std::borrow::Cow::into_owned))
}

#[derive(Default)]
struct Gathered {
    parts: Vec<Part>,
    actions: BTreeSet<Action>,
    reasons: Vec<String>,
}

impl Gathered {
    fn add(&mut self, command: &Simple, around: &mut Around<'_>) {
        let mut reasons = Vec::new();
        let mut actions = judge::simple(command, around, &mut reasons);
        let argv: Vec<String> = command.words.iter().map(|word| word.text.clone()).collect();
        if command.background {
            // It outlives the session, its recording and its limits, so it is more than what it does.
            actions.insert(Action::on(Effect::Execute, Object::new(ObjectKind::Command, model::argv::join(&argv))));
            reasons.push("runs in the background and may outlive the session".to_owned());
        }
        self.actions.extend(actions.iter().cloned());
        self.reasons.extend(reasons);
        let constant = command.words.iter().all(|word| word.globs.is_empty() && !word.tilde);
        self.parts.push(Part {
            argv,
            constant,
            background: command.background,
            actions: actions.into_iter().collect(),
        });
    }

    fn finish(mut self, problem: Option<String>) -> Analysis {
        if let Some(why) = problem {
            self.actions.insert(uncertain());
            self.reasons.insert(0, why);
        } else if self.parts.is_empty() {
            self.actions.insert(uncertain());
            self.reasons.push("no command".to_owned());
        }
        let mut seen = BTreeSet::new();
        self.reasons.retain(|reason| seen.insert(reason.clone()));
        self.reasons.truncate(MOST_REASONS);
        let label =
            self.parts.first().and_then(|part| part.argv.first()).map_or_else(|| "exec".to_owned(), |name| label(name));
        Analysis { parts: self.parts, actions: self.actions.into_iter().collect(), reasons: self.reasons, label }
    }
}

/// What is not certain, of which not even the words are known.
pub(crate) fn uncertain() -> Action {
    Action::on(Effect::Unknown, Object::new(ObjectKind::Command, "?."))
}

/// A program's name without its path, if it is one that a log may show.
fn label(name: &str) -> String {
    let base = name.rsplit('/').next().unwrap_or_default();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.+-[".contains(letter);
    if base.is_empty() || base.len() > MOST_LABEL || !base.chars().all(plain) {
        return "exec".to_owned();
    }
    base.to_owned()
}

/// The words of a command as what judges them.
pub(crate) fn texts(args: &[Arg]) -> Vec<String> {
    args.iter().map(|arg| arg.text.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_unknown_and_nothing_else() {
        for text in [&b"ls \xff"[..], b"", b"  # nothing", b"\n", &vec![b'a'; MOST_BYTES + 1]] {
            let analysis = analyze(text);
            assert_eq!(analysis.actions, [uncertain()], "{text:?}");
            assert_eq!(analysis.label, "exec");
            assert_eq!(analysis.reasons.len(), 1);
        }
    }

    #[test]
    fn what_comes_before_a_problem_is_still_said() {
        let analysis = analyze(b"rm /srv/data; ls $x");
        assert_eq!(analysis.parts.len(), 1);
        assert!(analysis.actions.contains(&uncertain()));
        assert!(analysis.actions.iter().any(|action| action.effect == Effect::Delete));
        assert_eq!(analysis.label, "rm");
    }

    #[test]
    fn the_background_is_more_than_what_runs_in_it() {
        let effects =
            |text: &str| -> Vec<Effect> { analyze(text.as_bytes()).actions.iter().map(|it| it.effect).collect() };
        assert_eq!(
            effects("sleep 1 && ls & pwd"),
            [Effect::Read; 3].into_iter().chain([Effect::Execute; 2]).collect::<Vec<_>>()
        );
    }
}
