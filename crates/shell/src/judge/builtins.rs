//! What shells themselves do. Builtins that change names, functions, options or what is read next are `unknown` by table, since all that follows depends
//! on them. The ones here are harmless for some words only: several shells evaluate numbers as expressions, in which a subscript may run a command
//! (zsh's and ksh's `test`, `printf %d`, `exit`).

use model::Effect;

use super::shells::is_harmless_mode;
use super::{Call, Judge, Outcome};
use crate::globs::{Arg, Kind};

impl Judge<'_> {
    /// `test` and `[`.
    pub(super) fn test(&mut self, call: &Call<'_>) -> Outcome {
        let words = call.rest;
        if words.iter().any(|arg| arg.kind == Kind::Wild) {
            return self.unknown("test: a glob that may turn into an operator");
        }
        let compares = |text: &str| matches!(text, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge");
        for (at, arg) in words.iter().enumerate() {
            let sides = [at.checked_sub(1), Some(at + 1)];
            let number = |side: &Option<usize>| side.and_then(|at| words.get(at)).is_some_and(is_integer);
            if compares(&arg.text) && !sides.iter().all(number) {
                return self.unknown("test: some shells evaluate what is compared as a number");
            }
            if arg.text == "-v"
                || arg.text == "-R"
                || arg.text == "-t" && words.get(at + 1).is_some_and(|arg| !is_integer(arg))
            {
                return self.unknown("test: a subscript in it may run a command");
            }
        }
        Outcome::read()
    }

    pub(super) fn printf(&mut self, call: &Call<'_>) -> Outcome {
        let words = match call.rest {
            [first, rest @ ..] if first.text == "--" => rest,
            words => words,
        };
        let Some((format, values)) = words.split_first() else {
            return Outcome::read();
        };
        if format.text.starts_with('-') || format.is_glob() {
            return self.unknown("printf: an option may set a variable");
        }
        let Some(conversions) = conversions(&format.text) else {
            return self.unknown("printf: a format that is not known");
        };
        // The format is used again until all values are printed; a glob moves those behind it.
        let numbers = conversions.contains(&true);
        let shifted = numbers && values.iter().any(Arg::is_glob);
        let wanted = conversions.iter().cycle();
        if shifted || values.iter().zip(wanted).any(|(value, number)| *number && !is_number(value)) {
            return self.unknown("printf: some shells evaluate what is printed as a number");
        }
        Outcome::read().text()
    }

    /// `set -e` and what else only changes how a script fails.
    pub(super) fn set(&mut self, call: &Call<'_>) -> Outcome {
        let mut rest = call.rest.iter();
        while let Some(arg) = rest.next() {
            let letters = arg.text.strip_prefix(['-', '+']).unwrap_or_default();
            let (modes, named) = letters.strip_suffix('o').map_or((letters, false), |modes| (modes, true));
            let fine = !letters.is_empty() && modes.bytes().all(|byte| b"eux".contains(&byte));
            if !fine || named && !rest.next().is_some_and(|name| is_harmless_mode(&name.text)) {
                return self.unknown("set: changes how the shell reads what follows");
            }
        }
        // Without words it shows variables.
        Outcome::read()
    }

    /// One folder. zsh substitutes with two, and counts in a stack with `+1`.
    pub(super) fn cd(&mut self, call: &Call<'_>) -> Outcome {
        let words = match call.rest {
            [first, rest @ ..] if matches!(first.text.as_str(), "-P" | "-L" | "--") => rest,
            words => words,
        };
        match words {
            [] => Outcome::read(),
            [folder] if !folder.is_glob() && !folder.text.starts_with(['+', '-']) && !folder.text.is_empty() => {
                Outcome::read()
            }
            _ => self.unknown("cd: a folder that is not certain"),
        }
    }

    /// `exit 1`, `sleep 5`, `wait`: nothing but numbers.
    pub(super) fn number(&mut self, call: &Call<'_>) -> Outcome {
        let plain = |arg: &Arg| is_number(arg) || call.tool == "sleep" && is_duration(&arg.text);
        if call.rest.iter().all(plain) {
            return Outcome::of([Effect::Read]);
        }
        self.unknown(format!("{}: what is not a number", call.tool))
    }
}

/// The conversions of a format, each whether it prints a number. `None` for a format that may do more than print: `%n` sets a variable.
fn conversions(format: &str) -> Option<Vec<bool>> {
    let mut list = Vec::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            continue;
        }
        match letters.find(|letter| !"-+ #0'.123456789".contains(*letter))? {
            '%' => {}
            's' | 'b' | 'c' | 'q' => list.push(false),
            'd' | 'i' | 'o' | 'u' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' => list.push(true),
            _ => return None,
        }
    }
    Some(list)
}

fn is_integer(arg: &Arg) -> bool {
    let digits = arg.text.strip_prefix('-').unwrap_or(&arg.text);
    !arg.is_glob() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(arg: &Arg) -> bool {
    let (whole, part) = arg.text.split_once('.').unwrap_or((&arg.text, "0"));
    is_integer(&Arg::constant(whole))
        && !arg.is_glob()
        && !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_duration(text: &str) -> bool {
    text == "infinity"
        || text.strip_suffix(['s', 'm', 'h', 'd']).is_some_and(|number| is_number(&Arg::constant(number)))
}
