//! `tar` and `dd`.

use model::Effect;

use super::options::shown;
use super::{Call, Judge, Outcome};
use crate::globs::Kind;

impl Judge<'_> {
    /// Lists and archives to standard output are read; what makes or unpacks files writes. Options that run programs are not in the table.
    pub(super) fn tar(&mut self, call: &Call<'_>) -> Outcome {
        let mut args = call.rest.to_vec();
        // `tar tzf x` is `tar -tzf x`, but that every letter's value is a word of its own, which comes to the same for one of them.
        if let Some(first) = args.first_mut()
            && first.kind == Kind::Constant
            && !first.text.starts_with('-')
        {
            // All values of letters follow in their order; with one such letter it may as well come last.
            let letters = first.text.replace('f', "");
            let files = first.text.len() - letters.len();
            if files > 1 || letters.contains(['C', 'b', 'T', 'X', 'I', 'F', 'g', 'K', 'N', 'V', 'L', 'H']) {
                return self.execute("tar: letters that are not understood");
            }
            first.text = format!("-{letters}{}", "f".repeat(files));
        }
        let parsed = call.reader(false).read(&args);
        if let Some(why) = parsed.reason {
            return self.execute(format!("tar: {why}"));
        }
        let file = parsed.value(&["-f", "--file"]);
        if file.is_some_and(|file| file.contains(':')) {
            // `host:path` is fetched by running rsh.
            return self.unknown("tar: an archive on another host");
        }
        let has = |names: &[&str]| parsed.has(names);
        let effect = if has(&["-x", "--extract", "--get"]) {
            if has(&["-O", "--to-stdout"]) { Effect::Read } else { Effect::Write }
        } else if has(&["-r", "-u", "-A", "--append", "--update", "--concatenate", "--delete"]) {
            Effect::Write
        } else if has(&["-c", "--create"]) {
            if file == Some("-") { Effect::Read } else { Effect::Write }
        } else if has(&["-t", "--list", "-d", "--diff", "--compare"]) {
            Effect::Read
        } else {
            Effect::Execute
        };
        Outcome::of(parsed.effects.iter().chain([effect]))
    }

    /// `dd` by its operands.
    pub(super) fn dd(&mut self, call: &Call<'_>) -> Outcome {
        let mut outcome = Outcome::read();
        for arg in call.rest {
            let name = arg.text.split_once('=').map_or("", |(name, _)| name);
            match name {
                _ if arg.is_glob() => return self.unknown("dd: a glob"),
                "of" => outcome.effects.insert(Effect::Write),
                "if" | "bs" | "ibs" | "obs" | "count" | "skip" | "seek" | "status" | "conv" | "iflag" | "oflag"
                | "cbs" => {}
                _ => return self.execute(format!("dd: `{}` is not known", shown(&arg.text))),
            }
        }
        outcome
    }
}
