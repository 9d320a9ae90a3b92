//! What a backtest found, as text and as JSON.

use std::time::Duration;

use anyhow::Result;
use model::Outcome;
use serde_json::{Value, json};

use super::Unread;
use super::backtest::{Backtest, Change, Count, Example};
use crate::output;

/// What came out, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing would change.
    Nothing,
    /// Something would.
    Changes,
    /// Nothing would of what could be judged, and something could not.
    Gaps,
}

/// A backtest that is over.
pub(crate) struct Report<'a, 'p> {
    test: &'a Backtest<'p>,
    version: &'a str,
    unread: &'a [Unread],
    took: Duration,
}

impl<'a, 'p> Report<'a, 'p> {
    pub(crate) const fn new(test: &'a Backtest<'p>, version: &'a str, unread: &'a [Unread], took: Duration) -> Self {
        Self { test, version, unread, took }
    }

    pub(crate) fn found(&self) -> Found {
        if !self.test.changes.is_empty() || self.test.masks.any() {
            Found::Changes
        } else if self.unread.is_empty() && self.test.unknown.is_empty() {
            Found::Nothing
        } else {
            Found::Gaps
        }
    }

    /// The changes, by kind, most frequent first.
    fn changes(&self) -> Vec<&(Change, Count)> {
        let mut changes: Vec<_> = self.test.changes.iter().collect();
        changes.sort_by_key(|(change, count)| (change.from, change.to, u64::MAX - count.commands));
        changes
    }

    fn changed(&self) -> u64 {
        self.test.changes.iter().map(|(_, count)| count.commands).sum()
    }

    pub(crate) fn json(&self) -> Value {
        let test = self.test;
        let changes: Vec<Value> =
            self.changes().into_iter().map(|(change, count)| json!({ "change": change, "count": count })).collect();
        let masks: Vec<Value> =
            test.masks.found.iter().map(|(change, count)| json!({ "change": change, "count": count })).collect();
        json!({
            "same": self.found() == Found::Nothing,
            "policy": self.version,
            "sessions": test.sessions,
            "commands": test.commands,
            "executions": test.executions,
            "changed": self.changed(),
            "changes": changes,
            "masks": masks,
            "without_conditions": test.unsure,
            "unknown_targets": test.unknown,
            "unread": self.unread,
            "seconds": self.took.as_secs_f64(),
        })
    }

    pub(crate) fn print(&self) -> Result<()> {
        let mut heading = None;
        for (change, count) in self.changes() {
            let kind = (change.from, change.to);
            if heading != Some(kind) {
                heading = Some(kind);
                self.heading(kind)?;
            }
            line(&format!(
                "  by {}, before by {}: {}",
                rules(change.to, &change.new_rules),
                rules(change.from, &change.old_rules),
                size(count)
            ))?;
            count.examples.iter().try_for_each(example)?;
        }
        self.masks()?;
        self.gaps()?;
        self.summary()
    }

    fn heading(&self, (from, to): (Outcome, Outcome)) -> Result<()> {
        let of_kind = self.test.changes.iter().filter(|(change, _)| (change.from, change.to) == (from, to));
        let total: u64 = of_kind.map(|(_, count)| count.commands).sum();
        line(&format!("{} → {}: {}", from.as_str(), to.as_str(), plural(total, "command")))
    }

    fn masks(&self) -> Result<()> {
        if !self.test.masks.found.is_empty() {
            line("masks on results:")?;
        }
        for (change, count) in &self.test.masks.found {
            let word = |mask: &str| if mask.is_empty() { "no mask".to_owned() } else { mask.to_owned() };
            let to = match change.to.as_str() {
                "?" => "not known: the recording does not say where its values came from".to_owned(),
                "" => word(""),
                style => format!("{style}, by its name"),
            };
            let of = if change.relations.is_empty() { String::new() } else { format!(" of {}", change.relations) };
            let results = plural(count.results, "result");
            line(&format!("  column {}{of}: {} → {to}: {results}", change.column, word(&change.from)))?;
            for (session, number) in &count.examples {
                line(&format!("    {session} #{number}"))?;
            }
        }
        Ok(())
    }

    fn gaps(&self) -> Result<()> {
        let test = self.test;
        for (target, sessions) in &test.unknown {
            let sessions = plural(*sessions, "session");
            line(&format!(
                "not judged: {sessions} on {target}: no such target is configured, so its labels are not known (see --targets)"
            ))?;
        }
        for unread in self.unread {
            line(&format!("not judged: {}, or the rest of it: {}", unread.session, unread.why))?;
        }
        if test.unsure > 0 {
            let commands = plural(test.unsure, "command");
            line(&format!(
                "{commands} recorded by an earlier version: conditions on masked columns, copies of masked values and open transactions were not judged"
            ))?;
        }
        if test.far > 0 {
            line(&format!("{} of commands too long ago in their session were not looked at", plural(test.far, "run")))?;
        }
        Ok(())
    }

    fn summary(&self) -> Result<()> {
        let test = self.test;
        let again = test.executions - test.commands;
        let again = if again > 0 { format!(" (and {again} runs more)") } else { String::new() };
        let seen = format!("{} of {}{again}", plural(test.commands, "command"), plural(test.sessions, "session"));
        let changed = match self.found() {
            Found::Changes => format!(
                "{} would be judged otherwise, {} masked otherwise",
                self.changed(),
                plural(test.masks.found.keys().filter(|change| change.to != "?").count() as u64, "column")
            ),
            Found::Nothing => "nothing would change".to_owned(),
            Found::Gaps => "nothing of what could be judged would change".to_owned(),
        };
        line(&format!("{seen}, policy {}: {changed}", self.version))?;
        let seconds = self.took.as_secs_f64().max(f64::EPSILON);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = test.commands as f64 / seconds;
        output::note(&format!("judged in {seconds:.2} s, {rate:.0} commands a second"));
        Ok(())
    }
}

fn example(example: &Example) -> Result<()> {
    let Example { session, command, at, identity, target, statement, reason } = example;
    line(&format!("    {session} #{command} {at} {identity} on {target}"))?;
    line(&format!("      {statement}"))?;
    match reason {
        Some(reason) => line(&format!("      because {reason}")),
        None => Ok(()),
    }
}

fn rules(outcome: Outcome, names: &[String]) -> String {
    match (names, outcome) {
        ([], Outcome::Deny) => "default".to_owned(),
        ([], Outcome::Allow | Outcome::Hold) => "no rule".to_owned(),
        (names, _) => format!("\"{}\"", names.join("\", \"")),
    }
}

fn size(count: &Count) -> String {
    let mut text = plural(count.commands, "command");
    if count.executions > count.commands {
        text = format!("{text}, run {} times", count.executions);
    }
    if count.unsure > 0 {
        text = format!("{text}, {} of them by actions alone", count.unsure);
    }
    text
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn line(text: &str) -> Result<()> {
    output::line(&output::plain(text))
}
