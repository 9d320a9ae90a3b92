//! Programs that run the command in their words.
//!
//! A wrapper that changes nothing about its command (`timeout`, `nice`) has no effect of its own: what a policy says about the command holds.
//! One that lets it outlive the session adds `execute` on the whole, one that changes whose command it is adds `admin`. Where words of the command
//! come from elsewhere, only tools that no word can make harmful are looked through.

use model::Effect;

use super::options::shown;
use super::{Call, Judge, Outcome};
use crate::globs::{Arg, Kind};
use crate::parser::is_reserved;
use crate::table::What;

impl Judge<'_> {
    /// What the command in these words does; without words, what the wrapper does alone: it says something about itself.
    fn inner(&mut self, args: &[Arg]) -> Outcome {
        let Some(first) = args.first() else {
            return Outcome::read();
        };
        if first.is_glob() || first.text.contains('=') || first.text.starts_with('-') || first.text.is_empty() {
            return self.unknown("a wrapped command whose name is not certain");
        }
        if is_reserved(&first.text) {
            return self.unknown(format!("`{}` after a prefix is grammar in some shells", shown(&first.text)));
        }
        Outcome::inner(self.command(args))
    }

    /// Options of the wrapper, some operands of its own, the command.
    pub(super) fn prefix(&mut self, call: &Call<'_>, operands: usize) -> Outcome {
        match self.wrapped(call, operands) {
            Ok(args) => self.inner(args),
            Err(why) => self.unknown(why),
        }
    }

    fn wrapped<'a>(&self, call: &Call<'a>, operands: usize) -> Result<&'a [Arg], String> {
        let parsed = call.reader(true).read(call.rest);
        if parsed.reason.is_some() || !parsed.effects.is_empty() {
            return Err(format!(
                "{}: {}",
                call.tool,
                parsed.reason.as_deref().unwrap_or("an option that changes what is run")
            ));
        }
        let own = call.rest.get(parsed.read..).unwrap_or_default();
        if own.iter().take(operands).any(|arg| arg.kind != Kind::Constant) {
            return Err(format!("{}: an operand that is not constant", call.tool));
        }
        Ok(own.get(operands..).unwrap_or_default())
    }

    /// `nohup`, `setsid`: the command may outlive the session.
    pub(super) fn detach(&mut self, call: &Call<'_>) -> Outcome {
        self.say(format!("{}: what it starts may outlive the session", call.tool));
        self.prefix(call, 0).and(Effect::Execute)
    }

    /// The command as somebody else.
    pub(super) fn sudo(&mut self, call: &Call<'_>) -> Outcome {
        self.say(format!("{}: runs as another user", call.tool));
        match self.wrapped(call, 0) {
            Ok([]) => Outcome::of([Effect::Admin]),
            Ok(args) => self.inner(args).and(Effect::Admin),
            Err(why) => self.unknown(why).and(Effect::Admin),
        }
    }

    /// A reserved word in bash, zsh and ksh, a program in the others: only `-p` means the same in all.
    pub(super) fn time(&mut self, call: &Call<'_>) -> Outcome {
        self.prefix(call, 0)
    }

    /// `env command`. Assignments and options change what is run, so they are not looked through.
    pub(super) fn env(&mut self, call: &Call<'_>) -> Outcome {
        match self.wrapped(call, 0) {
            Ok(args) => self.inner(args),
            Err(why) => self.unknown(why),
        }
    }

    /// `command -v name` asks; `command name …` runs it.
    pub(super) fn command_builtin(&mut self, call: &Call<'_>) -> Outcome {
        match call.rest.first().map(|arg| arg.text.as_str()) {
            Some("-v" | "-V") => Outcome::read().text(),
            Some("-p") => self.inner(call.rest.get(1..).unwrap_or_default()),
            _ => self.inner(call.rest),
        }
    }

    pub(super) fn exec(&mut self, call: &Call<'_>) -> Outcome {
        self.inner(call.rest)
    }

    /// More words come from standard input. Looked through are tools that no option makes harmful; the whole is `execute`, since what it reads is not
    /// in the text.
    pub(super) fn xargs(&mut self, call: &Call<'_>) -> Outcome {
        let args = match self.wrapped(call, 0) {
            Ok(args) => args,
            Err(why) => return self.unknown(why),
        };
        self.say("xargs: words of its command come from its input");
        let Some(first) = args.first() else {
            // Its own default is `echo`.
            return Outcome::of([Effect::Execute]);
        };
        let row = super::program(first).and_then(|name| self.tools.row(name));
        let harmless = row.is_some_and(|row| {
            let spec = &row.spec;
            spec.any && spec.all_effects().is_empty() && !row.parent && matches!(row.what, What::Effects(_))
        });
        if !harmless {
            return self.unknown("xargs: a tool that words may make harmful");
        }
        self.inner(args).and(Effect::Execute)
    }
}
