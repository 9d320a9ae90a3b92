//! The options of a tool as a row words them.

use std::collections::HashMap;

use model::{Effect, EffectSet};

/// Which options a tool knows, and what is special about them. `tools.tsv` says how it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    /// No option is harmful, known or not.
    pub(crate) any: bool,
    /// `-20` is an option.
    pub(crate) numeric: bool,
    /// A word that may turn into options has at worst the effects that are named here.
    pub(crate) worst: bool,
    /// Long options have one dash.
    pub(crate) single: bool,
    /// The options of the levels above are known here, too.
    pub(crate) inherit: bool,
    /// Operands are texts, not paths.
    pub(crate) text: bool,
    /// It runs what its words, files or input say: nobody may say that it is harmless.
    pub(crate) runs: bool,
    /// Short options.
    short: Vec<(char, Opt)>,
    /// Long options without their dashes.
    long: Vec<(Box<str>, Opt)>,
    /// How many operands there may be, and what more of them mean.
    pub(crate) most: Option<(usize, EffectSet)>,
    /// One of these options must be there, or the effects are others.
    pub(crate) need: Option<(Vec<Box<str>>, EffectSet)>,
    /// Words of the row that were not understood.
    pub(crate) faults: Vec<Box<str>>,
}

/// An option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Opt {
    pub(crate) value: Value,
    /// What it does beside what the tool does.
    pub(crate) effects: EffectSet,
}

/// Whether an option has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    None,
    /// Attached, or the next word.
    Required,
    /// Attached.
    Optional,
}

impl Spec {
    /// Of a level without a row of its own: it knows what the levels above know.
    pub(super) fn passing() -> Self {
        Self { inherit: true, ..Self::default() }
    }

    /// Reads the cell; `groups` are named pieces of such cells.
    pub(super) fn of(cell: &str, groups: &HashMap<&str, &str>) -> Self {
        let mut spec = Self::default();
        spec.words(cell, groups);
        spec
    }

    fn words(&mut self, cell: &str, groups: &HashMap<&str, &str>) {
        // `single` comes first in a cell.
        for word in cell.split(' ').filter(|word| !word.is_empty()) {
            if let Some(group) = word.strip_prefix('$') {
                match groups.get(group) {
                    Some(cell) => self.words(cell, groups),
                    None => self.faults.push(word.into()),
                }
            } else if !self.word(word) {
                self.faults.push(word.into());
            }
        }
    }

    fn word(&mut self, word: &str) -> bool {
        match word {
            "*" => self.any = true,
            "+" => self.numeric = true,
            "~" => self.worst = true,
            "^" => self.inherit = true,
            "single" => self.single = true,
            "text" => self.text = true,
            "runs" => self.runs = true,
            _ => return self.option(word),
        }
        true
    }

    fn option(&mut self, word: &str) -> bool {
        if let Some(most) = word.strip_prefix("most:") {
            let (number, beyond) = most.split_once('!').unwrap_or((most, "execute"));
            self.most = number.parse().ok().map(|number| (number, super::effects(beyond)));
            return self.most.is_some();
        }
        if let Some(need) = word.strip_prefix("need:") {
            let (names, without) = need.split_once('!').unwrap_or((need, "execute"));
            self.need = Some((names.split(',').map(Into::into).collect(), super::effects(without)));
            return true;
        }
        let (name, effects) =
            word.split_once('!').map_or((word, EffectSet::EMPTY), |(name, list)| (name, super::effects(list)));
        if effects.contains(Effect::Unknown) && !word.contains("unknown") {
            return false;
        }
        match name.strip_prefix("--").or_else(|| name.strip_prefix('-').filter(|_| self.single)) {
            Some(long) => self.long_option(long, effects),
            None => name.strip_prefix('-').is_some_and(|letters| self.short_options(letters, effects)),
        }
    }

    fn long_option(&mut self, name: &str, effects: EffectSet) -> bool {
        let (name, value) = if let Some(name) = name.strip_suffix('=') {
            (name, Value::Required)
        } else if let Some(name) = name.strip_suffix('?') {
            (name, Value::Optional)
        } else {
            (name, Value::None)
        };
        self.long.push((name.into(), Opt { value, effects }));
        !name.is_empty()
    }

    fn short_options(&mut self, letters: &str, effects: EffectSet) -> bool {
        let mut letters = letters.chars().peekable();
        let mut some = false;
        while let Some(letter) = letters.next() {
            let value = match letters.peek() {
                Some(':') => Value::Required,
                Some('?') => Value::Optional,
                _ => Value::None,
            };
            if value != Value::None {
                letters.next();
            }
            self.short.push((letter, Opt { value, effects }));
            some = true;
        }
        some
    }

    pub(crate) fn short(&self, letter: char) -> Option<Opt> {
        self.short.iter().find(|(name, _)| *name == letter).map(|(_, option)| *option)
    }

    pub(crate) fn long(&self, wanted: &str) -> Option<Opt> {
        self.long.iter().find(|(name, _)| **name == *wanted).map(|(_, option)| *option)
    }

    /// Its options with their dashes.
    pub(super) fn options(&self) -> impl Iterator<Item = (String, Opt)> {
        let short = self.short.iter().map(|(letter, option)| (format!("-{letter}"), *option));
        let dashes = if self.single { "-" } else { "--" };
        short.chain(self.long.iter().map(move |(name, option)| (format!("{dashes}{name}"), *option)))
    }

    /// What is known of an option, as [`Self::options`] names it.
    pub(super) fn known(&self, name: &str) -> Option<Opt> {
        let mut letters = name.strip_prefix('-').unwrap_or_default().chars();
        match (name.strip_prefix("--"), letters.next(), letters.next()) {
            (Some(long), _, _) => self.long(long),
            (None, Some(letter), None) => self.short(letter).or_else(|| self.long(letter.encode_utf8(&mut [0; 4]))),
            (None, _, _) => self.long(name.trim_start_matches('-')),
        }
    }

    /// Takes over the options of another, and how many operands there may be. One that both know is the other's.
    pub(super) fn extend(&mut self, other: Self) {
        self.short.retain(|(letter, _)| other.short(*letter).is_none());
        self.long.retain(|(name, _)| other.long(name).is_none());
        self.short.extend(other.short);
        self.long.extend(other.long);
        self.numeric |= other.numeric;
        self.most = self.most.take().or(other.most);
        self.need = self.need.take().or(other.need);
    }

    /// No option is known.
    pub(crate) const fn is_bare(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// Everything that options and operands may add.
    pub(crate) fn all_effects(&self) -> EffectSet {
        let options = self.short.iter().map(|(_, it)| it).chain(self.long.iter().map(|(_, it)| it));
        let beyond = self.most.iter().map(|(_, effects)| effects);
        options.map(|option| &option.effects).chain(beyond).flat_map(|effects| effects.iter()).collect()
    }
}
