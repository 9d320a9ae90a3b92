//! The words after a tool's name, by the option grammar of its row: GNU's, which is POSIX's with long options and operands in any order.

use model::{Effect, EffectSet};

use crate::globs::{Arg, Kind};
use crate::table::{Opt, Spec, Value};

/// What the words say.
#[derive(Debug, Default)]
pub(crate) struct Parsed<'a> {
    /// What options and the number of operands add.
    pub(crate) effects: EffectSet,
    pub(crate) operands: Vec<&'a Arg>,
    /// Options in order, with dashes as the row has them, and values.
    pub(crate) options: Vec<(String, Option<&'a str>)>,
    /// Why not everything was understood.
    pub(crate) reason: Option<String>,
    /// How many words were read.
    pub(crate) read: usize,
    /// How many options there are before the first operand.
    early: usize,
}

impl<'a> Parsed<'a> {
    fn not_understood(&mut self, reason: String) {
        self.effects.insert(Effect::Execute);
        self.reason.get_or_insert(reason);
    }

    /// The value of the last option of one of these names; the empty text if it has none.
    pub(crate) fn value(&self, names: &[&str]) -> Option<&'a str> {
        let found = self.options.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| value.unwrap_or_default())
    }

    /// Whether one of these options is there.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.value(names).is_some()
    }
}

/// Reads words by the innermost of these specs, and by the outer ones where it inherits.
pub(crate) struct Reader<'s> {
    /// Innermost first.
    pub(crate) specs: Vec<&'s Spec>,
    /// Options end at the first operand.
    pub(crate) stop: bool,
    /// Options that are not known add nothing: the tool is no better without them.
    pub(crate) lenient: bool,
}

impl Reader<'_> {
    /// Reads all words, or those up to the first operand.
    pub(crate) fn read<'a>(&self, args: &'a [Arg]) -> Parsed<'a> {
        let mut parsed = Parsed::default();
        let mut rest = args.iter();
        let mut options = true;
        while let Some(arg) = rest.as_slice().first() {
            let is_option = options && arg.text.starts_with('-') && arg.text.len() > 1 && arg.kind != Kind::Wild;
            if !is_option && self.stop {
                break;
            }
            rest.next();
            if !is_option {
                self.operand(arg, &mut parsed);
            } else if arg.text == "--" {
                options = false;
                if self.stop {
                    break;
                }
            } else {
                self.option(arg, &mut rest, &mut parsed);
            }
        }
        parsed.read = args.len() - rest.len();
        if !self.stop {
            self.whole(&mut parsed);
        }
        parsed
    }

    /// Whether what is not known makes nothing worse.
    fn is_lenient(&self) -> bool {
        self.lenient || self.inner().is_some_and(|spec| spec.any)
    }

    fn inner(&self) -> Option<&Spec> {
        self.specs.first().copied()
    }

    fn operand<'a>(&self, arg: &'a Arg, parsed: &mut Parsed<'a>) {
        if parsed.operands.is_empty() {
            parsed.early = parsed.options.len();
        }
        if arg.kind == Kind::Wild && !self.is_lenient() {
            match self.inner().filter(|spec| spec.worst) {
                Some(spec) => parsed.effects = parsed.effects.iter().chain(spec.all_effects().iter()).collect(),
                None => parsed.not_understood("a glob that may turn into an option".to_owned()),
            }
        }
        parsed.operands.push(arg);
    }

    /// What only all words together say.
    fn whole(&self, parsed: &mut Parsed<'_>) {
        let Some(spec) = self.inner() else {
            return;
        };
        if let Some((most, beyond)) = &spec.most
            // A glob may be any number of them.
            && (parsed.operands.len() > *most || parsed.operands.iter().any(|arg| arg.is_glob()))
        {
            parsed.effects = parsed.effects.iter().chain(beyond.iter()).collect();
        }
        // Many programs take what stands behind an operand for another one.
        let early = if parsed.operands.is_empty() { parsed.options.len() } else { parsed.early };
        let found = |names: &[Box<str>]| {
            parsed.options.iter().take(early).any(|(option, _)| names.iter().any(|name| **name == **option))
        };
        if let Some((names, without)) = &spec.need
            && !found(names)
        {
            parsed.effects = parsed.effects.iter().chain(without.iter()).collect();
        }
    }

    fn long(&self, name: &str) -> Option<Opt> {
        self.specs.iter().find_map(|spec| spec.long(name))
    }

    fn short(&self, letter: char) -> Option<Opt> {
        self.specs.iter().find_map(|spec| spec.short(letter))
    }

    fn option<'a>(&self, arg: &'a Arg, rest: &mut std::slice::Iter<'a, Arg>, parsed: &mut Parsed<'a>) {
        let single = self.inner().is_some_and(|spec| spec.single);
        let text = arg.text.as_str();
        match text.strip_prefix("--").or_else(|| text.strip_prefix('-').filter(|_| single)) {
            Some(name) => self.long_option(name, text, rest, parsed),
            None => self.cluster(text.get(1..).unwrap_or_default(), rest, parsed),
        }
    }

    fn long_option<'a>(
        &self,
        name: &'a str,
        text: &str,
        rest: &mut std::slice::Iter<'a, Arg>,
        parsed: &mut Parsed<'a>,
    ) {
        let (bare, attached) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        let Some(option) = self.long(bare) else {
            return self.unknown_option(text, parsed);
        };
        let dashes = if text.starts_with("--") { "--" } else { "-" };
        let value = match (option.value, attached) {
            (Value::None, Some(_)) => return self.unknown_option(text, parsed),
            (Value::Required, None) => self.next_word(text, rest, parsed),
            (Value::None | Value::Optional | Value::Required, attached) => attached,
        };
        add(option, format!("{dashes}{bare}"), value, parsed);
    }

    fn cluster<'a>(&self, letters: &'a str, rest: &mut std::slice::Iter<'a, Arg>, parsed: &mut Parsed<'a>) {
        let numeric = self.specs.iter().any(|spec| spec.numeric);
        if numeric && letters.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        for (at, letter) in letters.char_indices() {
            let Some(option) = self.short(letter) else {
                return self.unknown_option(&format!("-{letters}"), parsed);
            };
            let attached = letters.get(at + letter.len_utf8()..).filter(|rest| !rest.is_empty());
            let (value, done) = match (option.value, attached) {
                (Value::None, _) => (None, false),
                (Value::Optional, attached) | (Value::Required, attached @ Some(_)) => (attached, true),
                (Value::Required, None) => (self.next_word(&format!("-{letter}"), rest, parsed), true),
            };
            add(option, format!("-{letter}"), value, parsed);
            if done {
                return;
            }
        }
    }

    /// The next word as an option's value. One that looks like an option is no value for us: an implementation of the tool in which the option
    /// has none would read it as one.
    fn next_word<'a>(
        &self,
        option: &str,
        rest: &mut std::slice::Iter<'a, Arg>,
        parsed: &mut Parsed<'a>,
    ) -> Option<&'a str> {
        let value = rest.next();
        let is_number = |text: &str| text.strip_prefix('-').is_some_and(|it| it.parse::<f64>().is_ok());
        match value {
            Some(arg)
                if arg.kind == Kind::Wild
                    || arg.text.starts_with('-') && arg.text.len() > 1 && !is_number(&arg.text) =>
            {
                if !self.is_lenient() {
                    parsed.not_understood(format!("an option as the value of `{}`", shown(option)));
                }
            }
            Some(_) => {}
            None => parsed.not_understood(format!("`{}` without its value", shown(option))),
        }
        value.map(|arg| arg.text.as_str())
    }

    fn unknown_option(&self, text: &str, parsed: &mut Parsed<'_>) {
        if !self.is_lenient() {
            parsed.not_understood(format!("option `{}` is not known", shown(text)));
        }
    }
}

fn add<'a>(option: Opt, name: String, value: Option<&'a str>, parsed: &mut Parsed<'a>) {
    parsed.effects = parsed.effects.iter().chain(option.effects.iter()).collect();
    parsed.options.push((name, value));
}

/// A word for a message: short, and nothing that a terminal acts on.
pub(crate) fn shown(word: &str) -> String {
    const MOST: usize = 40;
    let mut text: String =
        word.chars().take(MOST).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.len() < word.len() {
        text.push('…');
    }
    text
}
