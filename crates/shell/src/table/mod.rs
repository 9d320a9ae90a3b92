//! What is known about tools: checked-in tables, each read once, when it is first asked, and what a policy adds to them.
//!
//! - `spec`: the little language in which a row words its options
//! - `tools`: rows from outside
//! - `*.tsv`: the rows. `tools.tsv` says how to read and write them.

mod spec;
pub(crate) mod tools;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use model::{Effect, EffectSet};

pub(crate) use spec::{Opt, Spec, Value};

const FILES: [&str; 4] =
    [include_str!("tools.tsv"), include_str!("system.tsv"), include_str!("cloud.tsv"), include_str!("words.tsv")];

static TABLE: LazyLock<HashMap<String, Row>> = LazyLock::new(|| read(&FILES));

/// What a tool or a subcommand does.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: What,
    /// Effects beside those of a handler.
    pub(crate) added: EffectSet,
    pub(crate) spec: Spec,
    /// Options that are not known make it `execute` even where none is known: somebody has said what it does who knows it.
    pub(crate) strict: bool,
    /// For people; may be empty.
    pub(crate) reason: Cow<'static, str>,
    /// There are rows for its subcommands.
    pub(crate) parent: bool,
}

/// What a row says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// These effects, and those of the options.
    Effects(EffectSet),
    /// A function of `judge` of this name decides.
    Handler(&'static str),
}

impl Row {
    fn new(what: What, spec: Spec, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { what, added: EffectSet::EMPTY, spec, strict: false, reason: reason.into(), parent: false }
    }

    /// Of a level of words between two rows.
    fn between() -> Self {
        Self { parent: true, ..Self::new(execute(), Spec::passing(), "") }
    }
}

/// The row of the checked-in tables for a tool, or for a subcommand: `kubectl get`.
fn built_in(path: &str) -> Option<&'static Row> {
    TABLE.get(path)
}

fn read(files: &[&'static str]) -> HashMap<String, Row> {
    let mut groups: HashMap<&str, &str> = HashMap::new();
    let mut rows: HashMap<String, Row> = HashMap::new();
    for line in files.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut cells = line.split('\t');
        let mut next = || cells.next().unwrap_or_default();
        let (paths, what, options, reason) = (next(), next(), next(), next());
        if let Some(name) = paths.strip_prefix('=') {
            groups.insert(name, what);
            continue;
        }
        for path in alternatives(paths) {
            rows.insert(path, Row::new(self::what(what), Spec::of(options, &groups), reason));
        }
    }
    mark_parents(&mut rows);
    rows
}

/// `docker|podman image ls|list` as four paths.
fn alternatives(paths: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for word in paths.split(' ') {
        let longer = |path: &String| {
            word.split('|').map(|one| format!("{path} {one}").trim_start().to_owned()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

fn mark_parents(rows: &mut HashMap<String, Row>) {
    let parents: Vec<String> =
        rows.keys().filter_map(|path| path.rsplit_once(' ')).map(|(parent, _)| parent.to_owned()).collect();
    for parent in parents {
        // A level of words between two rows (`gh pr list`) needs no row of its own.
        let mut path = parent.as_str();
        loop {
            rows.entry(path.to_owned()).or_insert_with(Row::between).parent = true;
            match path.rsplit_once(' ') {
                Some((shorter, _)) => path = shorter,
                None => break,
            }
        }
    }
}

fn execute() -> What {
    What::Effects(std::iter::once(Effect::Execute).collect())
}

/// The second cell of a row. A word that is none is `unknown`, the worst.
fn what(cell: &'static str) -> What {
    match cell.strip_prefix('@') {
        Some(handler) => What::Handler(handler),
        None => What::Effects(effects(cell)),
    }
}

fn effects(list: &str) -> EffectSet {
    list.split(',').map(|word| Effect::parse(word).unwrap_or(Effect::Unknown)).collect()
}

#[cfg(test)]
mod tests;
