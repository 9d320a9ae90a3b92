//! OpenSSH's own regression tests (Debian: `openssh-tests`), directly and through the gateway.
//!
//! - [`cases`]: which tests, and what of them the gateway does not carry.
//! - [`place`]: a folder to run in; programs that stand before `ssh`, `sshd`, `sftp` and `scp`.
//! - [`inetd`]: servers for one connection each, with the configuration that a test has written by then.
//!
//! The suite is not changed, but for marks before what it prints. Its clients are wrapped so that they log in at the gateway, which
//! has the port that the tests were given; the tests' own servers, with whatever configuration a test gives them, are the targets.

mod cases;
mod inetd;
mod place;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use cases::{CASES, Case};
use place::Place;

use crate::corpus::report::aligned;
use crate::kit::process::bounded;

/// The longest test exchanges keys by time, and waits for it.
const LIMIT: Duration = Duration::from_secs(600);

/// What one test did: lines under which something failed.
struct Ran {
    failed: Vec<Failure>,
    seconds: f64,
}

/// A line that says what failed, under the line that says what was tried.
struct Failure {
    under: String,
    what: String,
}

/// Runs `suite regress openssh`; the status is 0 when nothing fails through the gateway alone that is not excepted.
pub(super) fn main(direct_only: bool, only: &[String], keep: Option<PathBuf>) -> Result<i32> {
    if let Some(unknown) = only.iter().find(|name| !CASES.iter().any(|case| case.name == name.as_str())) {
        bail!(
            "no test {unknown:?} in the list; there are: {}",
            CASES.iter().map(|it| it.name).collect::<Vec<_>>().join(", ")
        );
    }
    let chosen = || CASES.iter().filter(|case| only.is_empty() || only.iter().any(|name| name == case.name));
    let (direct, through) = (Place::make(true)?, if direct_only { None } else { Some(Place::make(false)?) });
    let mut rows = vec![["test", "direct", "through", "seconds", "note"].map(str::to_owned).to_vec()];
    let (mut worse, mut said) = (0, Vec::new());
    for case in chosen() {
        let here = run(&direct, case, keep.as_ref().map(|dir| dir.join("direct")))?;
        let there = match &through {
            None => None,
            Some(place) => Some(run(place, case, keep.as_ref().map(|dir| dir.join("through")))?),
        };
        let note = there.as_ref().map(|there| judge(case, &here, there)).unwrap_or_default();
        worse += note.unexpected.len();
        let word =
            |ran: &Ran| if ran.failed.is_empty() { "ok".to_owned() } else { format!("{} fail", ran.failed.len()) };
        let seconds = format!("{:.0} / {:.0}", here.seconds, there.as_ref().map_or(0.0, |there| there.seconds));
        let row =
            vec![case.name.to_owned(), word(&here), there.as_ref().map(word).unwrap_or_default(), seconds, note.text];
        println!("{}", row.join("  "));
        rows.push(row);
        said.extend(note.unexpected.into_iter().map(|line| format!("{}: {line}", case.name)));
        if direct_only {
            said.extend(
                here.failed.iter().map(|it| format!("{} fails directly: {}: {}", case.name, it.under, it.what)),
            );
        }
    }
    println!();
    aligned(&rows);
    said.iter().for_each(|line| println!("  {line}"));
    Ok(i32::from(worse > 0))
}

fn run(place: &Place, case: &Case, keep: Option<PathBuf>) -> Result<Ran> {
    let start = Instant::now();
    let (status, text) = bounded(&mut place.command(case.name), LIMIT, case.name)?;
    place.sweep();
    let seconds = start.elapsed().as_secs_f64();
    if let Some(keep) = keep {
        fs::create_dir_all(&keep)?;
        fs::write(keep.join(format!("{}.out", case.name)), &text)?;
        for log in ["failed-ssh.log", "failed-sshd.log", "ssh.log", "sshd.log"] {
            let _absent = fs::copy(place.obj().join(log), keep.join(format!("{}.{log}", case.name)));
            let _absent = log.starts_with("failed").then(|| fs::remove_file(place.obj().join(log)));
        }
    }
    let mut failed = failures(&text.replace(&place.obj().display().to_string(), "OBJ"));
    match status {
        None => failed.push(Failure { under: last(&text), what: format!("no end within {LIMIT:?}") }),
        Some(status) if !status.success() && failed.is_empty() => {
            failed.push(Failure { under: String::new(), what: format!("{status}: {}", last(&text)) });
        }
        Some(_) => {}
    }
    Ok(Ran { failed, seconds })
}

fn last(text: &str) -> String {
    text.lines().last().unwrap_or_default().to_owned()
}

/// What failed, and under which attempt, by the marks that [`Place::make`] gave the suite's lines.
fn failures(text: &str) -> Vec<Failure> {
    let mut under = String::new();
    let mut failed = Vec::new();
    for line in text.lines() {
        if let Some(what) = line.strip_prefix(place::FAILED) {
            failed.push(Failure { under: under.clone(), what: what.to_owned() });
        } else if let Some(tried) = line.strip_prefix(place::TRIED) {
            tried.clone_into(&mut under);
        }
    }
    failed
}

/// What is to be said about a test.
#[derive(Default)]
struct Note {
    text: String,
    unexpected: Vec<String>,
}

fn judge(case: &Case, direct: &Ran, through: &Ran) -> Note {
    let mut note = Note::default();
    let mut reasons: Vec<&str> = Vec::new();
    for failure in &through.failed {
        let same = direct.failed.iter().any(|it| it.what == failure.what && it.under == failure.under);
        let excepted = case.except.iter().find(|(under, _)| failure.under.starts_with(under));
        match excepted {
            _ if same => reasons.push("as directly"),
            Some((_, why)) => reasons.push(why),
            None => note.unexpected.push(format!("{}: {}", failure.under, failure.what)),
        }
    }
    reasons.dedup();
    let stale = case.except.iter().filter(|(under, _)| !through.failed.iter().any(|it| it.under.starts_with(under)));
    note.unexpected.extend(stale.map(|(under, why)| format!("an exception that is none any more: {under:?}: {why}")));
    if !note.unexpected.is_empty() {
        reasons.push("FAILS ONLY THROUGH THE GATEWAY");
    }
    note.text = reasons.join("; ");
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_stands_under_what_was_tried() {
        let text = "TRIED: one\nTRIED: two\nnoise\nFAILED: no\nFAILED: again\nTRIED: three\nfailed x\n";
        let found: Vec<_> = failures(text).into_iter().map(|it| (it.under, it.what)).collect();
        assert_eq!(found, [("two", "no"), ("two", "again")].map(|(under, what)| (under.to_owned(), what.to_owned())));
    }

    #[test]
    fn what_is_not_excepted_counts_and_so_does_a_stale_exception() {
        let ran = |under: &[&str]| Ran {
            failed: under.iter().map(|it| Failure { under: (*it).to_owned(), what: "no".to_owned() }).collect(),
            seconds: 0.0,
        };
        let case = Case { name: "x", except: &[("server limit", "why")] };
        assert!(judge(&case, &ran(&[]), &ran(&["server limit 1", "server limit 2"])).unexpected.is_empty());
        assert_eq!(judge(&case, &ran(&[]), &ran(&["server limit 1", "client limit 1"])).unexpected.len(), 1);
        assert_eq!(judge(&case, &ran(&["client limit 1"]), &ran(&["client limit 1"])).unexpected.len(), 1);
    }
}
