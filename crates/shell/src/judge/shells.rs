//! Shells and interpreters.

use super::{Around, Call, Judge, Outcome};
use crate::analysis;
use crate::globs::{Arg, Kind};

/// How many texts for a shell may lie in each other. Each level is at most as long as the one around it.
const MOST_TEXTS: usize = 4;

impl Judge<'_> {
    /// `sh -c text` is what the text is; `sh file` runs what is in a file; without either, what comes in is run.
    pub(super) fn shell(&mut self, call: &Call<'_>) -> Outcome {
        let mut rest = call.rest.iter();
        let mut command = false;
        while let Some(arg) = rest.as_slice().first() {
            match shell_option(&arg.text) {
                ShellOption::None => break,
                ShellOption::Plain => {}
                ShellOption::Command => command = true,
                ShellOption::Named if rest.as_slice().get(1).is_some_and(|name| is_harmless_mode(&name.text)) => {
                    rest.next();
                }
                ShellOption::Version => return Outcome::read(),
                ShellOption::Named | ShellOption::Other => {
                    return self.unknown(format!("{}: an option that is not known", call.tool));
                }
            }
            rest.next();
        }
        match (command, rest.as_slice()) {
            (true, [text]) => self.text(text),
            (false, [script, ..]) if is_input(&script.text) => {
                self.unknown(format!("{}: runs what comes in", call.tool))
            }
            (false, [_, ..]) => self.execute(format!("{}: what is in the script is not known", call.tool)),
            (true, _) => self.unknown(format!("{}: words beside the text", call.tool)),
            (false, []) => self.unknown(format!("{}: runs what comes in", call.tool)),
        }
    }

    /// A text that a shell runs.
    fn text(&mut self, text: &Arg) -> Outcome {
        if text.kind != Kind::Constant {
            return self.unknown("a shell's text that is not constant");
        }
        if self.depth > MOST_TEXTS {
            return self.unknown("texts in texts, deeper than is looked at");
        }
        let inner =
            analysis::nested(&text.text, &mut Around { depth: self.depth, tools: self.tools, globs: self.globs });
        self.reasons.extend(inner.reasons);
        Outcome::inner(inner.actions.into_iter().collect())
    }

    /// python, perl, node and the like: a script is `execute`, a text or standard input is `unknown`.
    pub(super) fn interpreter(&mut self, call: &Call<'_>) -> Outcome {
        let first = call.rest.first().map(|arg| arg.text.as_str());
        match (first, call.rest.len()) {
            (Some("--version" | "-V" | "-v"), 1) => Outcome::read(),
            (Some("-m"), 2..) if call.tool.starts_with("python") => {
                self.execute(format!("{}: what the module does is not known", call.tool))
            }
            (Some(script), _) if is_input(script) => self.unknown(format!("{}: runs what comes in", call.tool)),
            (Some(script), _) if !script.starts_with('-') => {
                self.execute(format!("{}: what is in the script is not known", call.tool)).text()
            }
            (Some(_), _) => self.unknown(format!("{}: a program in its options", call.tool)).text(),
            (None, _) => self.unknown(format!("{}: runs what comes in", call.tool)),
        }
    }
}

enum ShellOption {
    /// No option.
    None,
    /// One that changes nothing about what is run.
    Plain,
    /// `c`, with others maybe.
    Command,
    /// `-o`, with a name after it.
    Named,
    Version,
    Other,
}

fn shell_option(text: &str) -> ShellOption {
    match text {
        "--login" | "--norc" | "--noprofile" | "--posix" => ShellOption::Plain,
        "--version" => ShellOption::Version,
        "-o" => ShellOption::Named,
        "-" | "--" => ShellOption::Other,
        _ => match text.strip_prefix('-') {
            None if text.starts_with('+') => ShellOption::Other,
            None => ShellOption::None,
            // Errors, unset names, tracing, login. `i` reads rc files and expands history, `s` reads standard input.
            // `-euo pipefail`
            Some(letters)
                if letters.len() > 1
                    && letters
                        .strip_suffix('o')
                        .is_some_and(|modes| modes.bytes().all(|byte| b"eux".contains(&byte))) =>
            {
                ShellOption::Named
            }
            Some(letters) if letters.is_empty() || !letters.bytes().all(|byte| b"euxlc".contains(&byte)) => {
                ShellOption::Other
            }
            Some(letters) if letters.contains('c') => ShellOption::Command,
            Some(_) => ShellOption::Plain,
        },
    }
}

/// Whether a script is what comes in, under the name of a file.
fn is_input(script: &str) -> bool {
    script == "-" || script.starts_with("/dev/") || script.starts_with("/proc/")
}

/// Names for `set -o` that change only how a script fails.
pub(super) fn is_harmless_mode(name: &str) -> bool {
    matches!(name, "pipefail" | "errexit" | "nounset" | "xtrace" | "errtrace")
}
