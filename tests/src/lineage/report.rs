//! Counts and faults, for people and as JSON.

use std::collections::BTreeMap;

use serde_json::json;

use super::grammar::Query;
use super::judge::{Outcome, Wrong};

/// Faults that are printed whole.
const SHOWN: usize = 20;

/// One fault with everything that is needed to see it again.
pub(super) struct Fault {
    pub(super) wrong: Wrong,
    pub(super) query: Query,
    pub(super) style: &'static str,
    pub(super) mode: &'static str,
}

/// What happened.
#[derive(Default)]
pub(super) struct Report {
    pub(super) queries: u64,
    pub(super) same: u64,
    pub(super) masked: u64,
    /// Masked although no column with secrets was named.
    pub(super) overmasked: u64,
    pub(super) untouched: u64,
    pub(super) clean: u64,
    pub(super) answers: u64,
    /// Queries whose answer without the gateway shows a secret: what there was to find.
    pub(super) exposed: u64,
    pub(super) hostile: u64,
    pub(super) hostile_refused: u64,
    refused: BTreeMap<(String, String), (u64, u64)>,
    failed: BTreeMap<String, (u64, u64)>,
    overmasks: Vec<u64>,
    faults: Vec<Fault>,
    more: u64,
}

impl Report {
    /// Counts one query.
    pub(super) fn count(&mut self, query: &Query, outcome: &Outcome) {
        self.queries += 1;
        self.clean += u64::from(query.clean);
        self.hostile += u64::from(query.hostile);
        self.untouched += u64::from(query.untouched && !query.clean);
        match outcome {
            Outcome::Same => self.same += 1,
            Outcome::Masked => {
                self.masked += 1;
                if query.untouched {
                    self.overmasked += 1;
                    self.overmasks.push(query.number);
                }
            }
            Outcome::Refused(_, _) if query.hostile => self.hostile_refused += 1,
            Outcome::Refused(code, reason) => {
                self.refused.entry((code.clone(), general(reason))).or_insert((0, query.number)).0 += 1;
            }
            Outcome::Failed(state) => self.failed.entry(state.clone()).or_insert((0, query.number)).0 += 1,
        }
    }

    /// Keeps a fault.
    pub(super) fn fault(&mut self, fault: Fault) {
        if self.faults.len() < SHOWN {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Adds another's counts and faults.
    pub(super) fn add(&mut self, other: Self) {
        for (mine, more) in [
            (&mut self.queries, other.queries),
            (&mut self.same, other.same),
            (&mut self.masked, other.masked),
            (&mut self.overmasked, other.overmasked),
            (&mut self.untouched, other.untouched),
            (&mut self.clean, other.clean),
            (&mut self.answers, other.answers),
            (&mut self.exposed, other.exposed),
            (&mut self.hostile, other.hostile),
            (&mut self.hostile_refused, other.hostile_refused),
            (&mut self.more, other.more),
        ] {
            *mine += more;
        }
        for (key, (count, number)) in other.refused {
            self.refused.entry(key).or_insert((0, number)).0 += count;
        }
        for (key, (count, number)) in other.failed {
            self.failed.entry(key).or_insert((0, number)).0 += count;
        }
        self.overmasks.extend(other.overmasks);
        for fault in other.faults {
            self.fault(fault);
        }
    }

    /// How many faults there were.
    pub(super) fn faults(&self) -> u64 {
        u64::try_from(self.faults.len()).unwrap_or(u64::MAX) + self.more
    }

    fn refusals(&self) -> u64 {
        self.refused.values().map(|(count, _)| count).sum()
    }

    fn failures(&self) -> u64 {
        self.failed.values().map(|(count, _)| count).sum()
    }

    /// Share of queries that the server itself rejects.
    pub(super) fn failed_percent(&self) -> u64 {
        percent(self.failures(), self.queries)
    }

    /// For people.
    pub(super) fn print(&self, seed: u64, seconds: f64) {
        for fault in &self.faults {
            let Fault { wrong, query, style, mode } = fault;
            println!("FAULT: {} (seed {seed}, query {}, {style}, {mode})", wrong.what, query.number);
            println!("{}\n  {}\n", query.text(), wrong.bytes);
        }
        let share = |count| format!("{count} ({} %)", percent(count, self.queries));
        println!("{} queries in {seconds:.0} s, {} answers searched", self.queries, self.answers);
        println!("  results as the server gives them  {}", share(self.same));
        println!("  results with masked values        {}", share(self.masked));
        println!("  showing a secret without it        {}", share(self.exposed));
        println!("  failed at the server in both      {}", share(self.failures()));
        println!("  refused by the gateway            {}", share(self.refusals()));
        println!("  tried to copy a secret            {}, refused {}", self.hostile, self.hostile_refused);
        println!(
            "  without any masked table          {}, all equal to the server's unless a fault says otherwise",
            self.clean
        );
        let some: Vec<String> = self.overmasks.iter().take(8).map(u64::to_string).collect();
        println!(
            "  with one, naming no masked column {}, masked all the same {} ({})",
            self.untouched,
            self.overmasked,
            some.join(", ")
        );
        top("refusals", self.refused.iter().map(|((code, reason), count)| (format!("{code}: {reason}"), *count)));
        top("failures", self.failed.iter().map(|(state, count)| (state.clone(), *count)));
        println!("{} fault(s)", self.faults());
    }

    /// For programs.
    pub(super) fn json(&self, seed: u64, seconds: f64) {
        let faults: Vec<_> = self
            .faults
            .iter()
            .map(|fault| {
                json!({ "what": fault.wrong.what, "bytes": fault.wrong.bytes, "number": fault.query.number, "style": fault.style,
                    "protocol": fault.mode, "query": fault.query.text() })
            })
            .collect();
        let refused: Vec<_> = self
            .refused
            .iter()
            .map(|((code, reason), (count, number))| json!({ "code": code, "reason": reason, "count": count, "first": number }))
            .collect();
        let failed: BTreeMap<&String, u64> = self.failed.iter().map(|(state, (count, _))| (state, *count)).collect();
        println!(
            "{}",
            json!({ "seed": seed, "seconds": seconds, "queries": self.queries, "answers": self.answers, "exposed": self.exposed, "same": self.same,
                "masked": self.masked, "clean": self.clean, "untouched": self.untouched, "overmasked": self.overmasked,
                "hostile": self.hostile, "hostile_refused": self.hostile_refused, "refused": refused, "failed": failed,
                "faults": faults, "fault_count": self.faults() })
        );
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    (part * 100).checked_div(whole).unwrap_or(0)
}

/// A reason without the names that differ from query to query.
fn general(reason: &str) -> String {
    reason.chars().filter(|letter| !letter.is_ascii_digit()).take(110).collect()
}

fn top(what: &str, all: impl Iterator<Item = (String, (u64, u64))>) {
    let mut all: Vec<(String, (u64, u64))> = all.collect();
    all.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, number)) in all.into_iter().take(10) {
        println!("  {what}: {count:6}  {reason} (first: query {number})");
    }
}
