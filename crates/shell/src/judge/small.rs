//! Tools with a word or two that a row cannot say.

use model::Effect;

use super::{Call, Judge, Outcome, shown};
use crate::globs::{Arg, Kind};

/// A name of a service.
fn is_unit(name: &Arg) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "@._-".contains(letter);
    name.kind == Kind::Constant && !name.text.starts_with(['-', '.']) && name.text.chars().all(plain)
}

/// Options of xxd without a value, each a word of its own.
const XXD: [&str; 23] = [
    "-a",
    "-autoskip",
    "-b",
    "-bits",
    "-C",
    "-capitalize",
    "-d",
    "-e",
    "-E",
    "-EBCDIC",
    "-i",
    "-include",
    "-p",
    "-ps",
    "-plain",
    "-postscript",
    "-r",
    "-revert",
    "-u",
    "-uppercase",
    "-v",
    "-version",
    "-h",
];

impl Judge<'_> {
    /// An operand that is no format sets the clock.
    pub(super) fn date(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("date: {why}"));
        }
        if parsed.operands.iter().any(|operand| !operand.text.starts_with('+') || operand.is_glob()) {
            self.say("date: an operand that may set the clock");
            outcome.effects.insert(Effect::Admin);
        }
        outcome.text()
    }

    /// It reads names and files: no scripts, no addresses, no lists of options out of a file.
    pub(super) fn plain(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("{}: {why}", call.tool));
        }
        let simple = |letter: char| letter.is_alphanumeric() || "/._-+:@%,=~*?[]".contains(letter);
        let elsewhere = |text: &str| text.contains("://") || text.starts_with('@');
        let odd = |text: &str| elsewhere(text) || !text.chars().all(simple);
        let values = parsed.options.iter().filter_map(|(_, value)| *value);
        if parsed.operands.iter().any(|operand| odd(&operand.text)) || values.into_iter().any(elsewhere) {
            self.say(format!("{}: a word that is no plain name", call.tool));
            outcome.effects.insert(Effect::Execute);
        }
        outcome
    }

    /// Of several modes some take the first and some the last: only those that are never taken for another do no harm.
    pub(super) fn compress(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let shown = parsed.has(&["-c", "--stdout", "--to-stdout"]);
        let looks =
            parsed.has(&["-l", "-t", "--list", "--test"]) && !parsed.has(&["-d", "--decompress", "-k", "--keep"]);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("{}: {why}", call.tool));
        }
        if !shown && !looks {
            outcome = outcome.and(Effect::Write).and(Effect::Delete);
        }
        outcome
    }

    /// Its own parser: one option per word, known by how the word begins, and `-cols 8` beside `-c 8` and `-c8`. A second operand is written.
    pub(super) fn xxd(&mut self, call: &Call<'_>) -> Outcome {
        let mut words = call.rest.iter();
        let mut operands = 0;
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            let valued = matches!(text, "-c" | "-g" | "-l" | "-o" | "-s" | "-n");
            let number =
                |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit() || b"x+-".contains(&it));
            let short = text.strip_prefix(['-']).and_then(|rest| rest.strip_prefix(['c', 'g', 'l', 'o', 's']));
            if word.is_glob() {
                operands = 2;
            } else if !text.starts_with('-') || text == "-" {
                operands += 1;
            } else if valued {
                if words.next().is_none_or(Arg::is_glob) {
                    return self.execute(format!("xxd: `{text}` without its value"));
                }
            } else if !XXD.contains(&text) && !short.is_some_and(number) {
                return self.execute(format!("xxd: option `{}` is not known", shown(text)));
            }
        }
        Outcome::of(if operands > 1 { vec![Effect::Read, Effect::Write] } else { vec![Effect::Read] })
    }

    /// Letters that are packed behind one that has a value are options all the same: values are words of their own.
    pub(super) fn tree(&mut self, call: &Call<'_>) -> Outcome {
        let packed = |text: &str| {
            let letters = text.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
            letters.find(['L', 'P', 'I', 'H', 'T']).is_some_and(|at| letters.len() > at + 1)
        };
        if call.rest.iter().any(|word| packed(&word.text)) {
            return self.execute("tree: an option that has a value, with others behind it");
        }
        let parsed = call.reader(false).read(call.rest);
        if let Some(why) = parsed.reason {
            self.say(format!("tree: {why}"));
        }
        Outcome::of(parsed.effects.iter().chain([Effect::Read]))
    }

    /// A program of jq's may read files by itself, and their names may be put together.
    pub(super) fn jq(&mut self, call: &Call<'_>) -> Outcome {
        let loads = |text: &str| {
            let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            words.any(|word| matches!(word, "import" | "include"))
        };
        let from_file = |text: &str| {
            let letters = text.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
            text.starts_with("--from-file")
                || text.starts_with("--f") && "--from-file".starts_with(text)
                || letters.contains('f')
        };
        if call.rest.iter().any(|word| loads(&word.text) || from_file(&word.text)) {
            return self.execute("jq: a program that loads others");
        }
        Outcome::of([Effect::Read])
    }

    /// iproute2: without a verb, and with those of looking, it reads. (`ip a s` might be `set` for some objects, so short verbs are no reading.)
    pub(super) fn ip(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(true).read(call.rest);
        if let Some(why) = parsed.reason {
            return self.execute(format!("ip: {why}"));
        }
        let words = call.rest.get(parsed.read..).unwrap_or_default();
        if words.iter().any(|word| word.is_glob()) {
            return self.unknown("ip: a glob");
        }
        let mut words = words.iter().map(|word| word.text.as_str());
        let object = words.next().unwrap_or_default();
        let verb = words.next();
        let known = matches!(
            object,
            "" | "a"
                | "addr"
                | "address"
                | "l"
                | "link"
                | "r"
                | "ro"
                | "route"
                | "n"
                | "neigh"
                | "neighbour"
                | "neighbor"
                | "ru"
                | "rule"
                | "maddr"
                | "maddress"
                | "tunnel"
                | "netns"
                | "vrf"
                | "nexthop"
        );
        let looks = matches!(verb, None | Some("show" | "sh" | "list" | "ls" | "lst" | "get"));
        match (known, looks, object) {
            (true, true, _) => Outcome::of(parsed.effects.iter().chain([Effect::Read])),
            (true, false, "netns" | "vrf") => self.execute("ip: may run a command"),
            _ => Outcome::of([Effect::Admin]),
        }
    }

    /// `git branch` and `git tag`: a name makes one, unless patterns are asked for. (`git branch -l` made one before git 2.20.)
    pub(super) fn refs(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.text();
        if let Some(why) = parsed.reason {
            self.say(format!("git: {why}"));
        }
        let lists = ["--list", "--contains", "--no-contains", "--points-at", "--merged", "--no-merged"];
        let listed =
            parsed.operands.is_empty() || parsed.options.iter().any(|(name, _)| lists.contains(&name.as_str()));
        if listed {
            outcome.effects.insert(Effect::Read);
        } else if outcome.effects.is_empty() {
            outcome.effects = [Effect::Create, Effect::Alter].into_iter().collect();
        }
        outcome
    }

    /// `service name status` asks; any other action starts or stops.
    pub(super) fn service(&mut self, call: &Call<'_>) -> Outcome {
        match call.rest {
            [all] if all.text == "--status-all" => Outcome::read(),
            // Where systemd is not, it runs the script of this name.
            [name, action] if is_unit(name) && action.text == "status" => Outcome::read(),
            _ => Outcome::of([Effect::Admin]),
        }
    }

    /// A name reads, `name=value` writes.
    pub(super) fn sysctl(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("sysctl: {why}"));
        }
        if parsed.operands.iter().any(|operand| operand.text.contains('=') || operand.is_glob()) {
            outcome.effects.insert(Effect::Admin);
        }
        outcome
    }
}
