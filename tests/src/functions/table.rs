//! Rows of the tables, the rules that judge them, and what a class has to agree with.

use std::collections::HashMap;

use anyhow::{Result, bail};

/// The classes of `rules.tsv`. Those that only compute or tell come first.
const CALM: &[&str] = &["harmless", "counts", "statistic"];
const OTHER: &[&str] = &[
    "reveals",
    "echoes",
    "format",
    "sequence:read",
    "sequence:write",
    "lastval",
    "seed",
    "setting",
    "notify",
    "session",
    "export",
    "import",
    "admin",
    "large:read",
    "large:write",
    "large:delete",
    "text",
    "waits",
    "execute",
    "internal",
];
/// What an immutable function cannot do.
const ACTS: &[&str] = &[
    "sequence:read",
    "sequence:write",
    "lastval",
    "seed",
    "setting",
    "notify",
    "session",
    "export",
    "import",
    "admin",
    "large:read",
    "large:write",
    "large:delete",
    "waits",
];

/// A line of `rules.tsv`.
pub(super) struct Rule {
    pub(super) pattern: String,
    args: String,
    class: String,
    reason: String,
}

/// A function and what it does.
pub(super) struct Judged {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) args: String,
    pub(super) volatility: String,
    pub(super) class: String,
    pub(super) reason: String,
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| line.split('\t').collect())
}

/// Reads `rules.tsv`.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>> {
    let mut rules = Vec::new();
    for cells in lines(text) {
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default().to_owned();
        let rule = Rule { pattern: cell(0), args: cell(1), class: cell(2), reason: cell(3) };
        let known = CALM.contains(&rule.class.as_str()) || OTHER.contains(&rule.class.as_str());
        if !known && !rule.class.starts_with("sized:") {
            bail!("rules.tsv: {}: no class {:?}", rule.pattern, rule.class);
        }
        if rule.reason.is_empty() {
            bail!("rules.tsv: {}: no reason", rule.pattern);
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => pattern == name,
    }
}

/// Class and reason of a function.
pub(super) fn judge(
    rules: &[Rule],
    used: &mut [bool],
    name: &str,
    args: &str,
    volatility: &str,
    internal: bool,
) -> Result<(String, String)> {
    let found = rules.iter().position(|rule| fits(&rule.pattern, name) && (rule.args.is_empty() || rule.args == args));
    if let (Some(at), Some(rule)) = (found, found.and_then(|at| rules.get(at))) {
        if let Some(used) = used.get_mut(at) {
            *used = true;
        }
        if internal && CALM.contains(&rule.class.as_str()) {
            bail!("{name}({args}): takes or gives what SQL cannot hold, but rules.tsv calls it {}", rule.class);
        }
        if volatility == "i" && ACTS.contains(&rule.class.as_str()) {
            bail!("{name}({args}): immutable, but rules.tsv calls it {}", rule.class);
        }
        return Ok((rule.class.clone(), rule.reason.clone()));
    }
    match volatility {
        _ if internal => Ok(("internal".to_owned(), "takes or gives what SQL cannot hold".to_owned())),
        "i" | "s" => Ok(("harmless".to_owned(), String::new())),
        _ => bail!("{name}({args}): volatile, and rules.tsv does not say what it does"),
    }
}

/// The first line of a table made from a server of this major version.
pub(super) fn heading(major: u32) -> String {
    format!("# PostgreSQL {major}. Made by `cargo xtask functions`")
}

/// The tables of functions, one per kind.
pub(super) fn files(judged: &[Judged], major: u32) -> Vec<(&'static str, String)> {
    let kinds = [("functions.tsv", "f"), ("aggregates.tsv", "a"), ("windows.tsv", "w")];
    kinds
        .into_iter()
        .map(|(file, kind)| {
            let mut text = heading(major);
            text.push_str(": name, argument types (= has a default), volatility, class, reason. Sorted by name.\n");
            for one in judged.iter().filter(|one| one.kind == kind) {
                let line =
                    [&one.name, &one.args, &one.volatility, &one.class, &one.reason].map(String::as_str).join("\t");
                text.push_str(line.trim_end());
                text.push('\n');
            }
            (file, text)
        })
        .collect()
}

/// A table of rows as they are.
pub(super) fn file(rows: &[Vec<String>], major: u32, cells: &str) -> String {
    let mut text = heading(major);
    text.push_str(&format!(": {cells}. Sorted by name.\n"));
    for row in rows {
        text.push_str(&row.join("\t"));
        text.push('\n');
    }
    text
}

/// The functions that the tables know, by name: argument types, and class with reason.
#[derive(Default)]
pub(super) struct Known {
    rows: HashMap<String, Vec<[String; 3]>>,
    patterns: Vec<String>,
}

impl Known {
    pub(super) fn add(&mut self, table: &str) {
        for cells in lines(table) {
            let cell = |at: usize| cells.get(at).copied().unwrap_or_default().to_owned();
            self.rows.entry(cell(0)).or_default().push([cell(1), cell(3), cell(4)]);
        }
    }

    pub(super) fn add_supplement(&mut self, table: &str) {
        for cells in lines(table) {
            let cell = |at: usize| cells.get(at).copied().unwrap_or_default().to_owned();
            if cell(0).contains('*') {
                self.patterns.push(cell(0));
            }
            self.rows.entry(cell(0)).or_default().push([cell(1), cell(3), cell(4)]);
        }
    }

    /// What is wrong with what the tables know of a function.
    pub(super) fn objection(&self, one: &Judged) -> Option<String> {
        let rows = self.rows.get(&one.name).map_or(&[][..], Vec::as_slice);
        let known = rows.iter().find(|[args, _, _]| *args == one.args || args == "*");
        let signature = format!("{}({})", one.name, one.args);
        match known {
            None if self.patterns.iter().any(|pattern| fits(pattern, &one.name)) => None,
            None if one.class == "internal" => None,
            None => Some(format!("{signature} is not known")),
            Some([_, class, reason]) => (one.volatility == "v" && CALM.contains(&class.as_str()) && reason.is_empty())
                .then(|| format!("{signature} is volatile, but called {class}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str =
        "# by hand\nsleep*\t\twaits\twaits\nrun\ttext\ttext\truns a text\ndice\t\tharmless\tthrows dice";

    fn class(name: &str, args: &str, volatility: &str, internal: bool) -> Result<String> {
        let rules = rules(RULES)?;
        let mut used = vec![false; rules.len()];
        judge(&rules, &mut used, name, args, volatility, internal).map(|(class, _)| class)
    }

    #[test]
    fn volatility_decides_where_no_rule_does() {
        assert_eq!(class("lower", "text", "i", false).unwrap(), "harmless");
        assert_eq!(class("in", "internal", "i", true).unwrap(), "internal");
        assert_eq!(class("dice", "", "v", false).unwrap(), "harmless");
        assert_eq!(class("sleep_for", "interval", "v", false).unwrap(), "waits");
        assert_eq!(class("run", "text", "v", false).unwrap(), "text");
        assert_eq!(class("run", "int4", "s", false).unwrap(), "harmless");
    }

    #[test]
    fn what_contradicts_itself_is_an_error() {
        assert!(class("drop_all", "", "v", false).is_err(), "volatile and not judged");
        assert!(class("sleep", "float8", "i", false).is_err(), "immutable and said to wait");
        assert!(class("dice", "internal", "v", true).is_err(), "internal and said to be harmless");
        assert!(rules("x\t\tharmless").is_err(), "no reason");
        assert!(rules("x\t\tfine\tis fine").is_err(), "no such class");
    }

    #[test]
    fn a_server_of_another_version_shows_what_is_not_known() {
        let mut known = Known::default();
        known.add("lower\ttext\ti\tharmless\nnow\t\ts\tharmless");
        known.add_supplement("random\tint4,int4\t17\tharmless\tthrows dice\npg_ls_*\t*\tany\texport\tlists files");
        let one = |name: &str, args: &str, volatility: &str| Judged {
            name: name.to_owned(),
            kind: "f".to_owned(),
            args: args.to_owned(),
            volatility: volatility.to_owned(),
            class: "harmless".to_owned(),
            reason: String::new(),
        };
        assert_eq!(known.objection(&one("lower", "text", "i")), None);
        assert_eq!(known.objection(&one("random", "int4,int4", "v")), None);
        assert_eq!(known.objection(&one("pg_ls_moon", "", "v")), None);
        assert!(known.objection(&one("lower", "moon", "i")).is_some(), "a new overload");
        assert!(known.objection(&one("now", "", "v")).is_some(), "volatile by now");
    }
}
