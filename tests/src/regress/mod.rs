//! Upstream test suites, run directly and through the gateway, and compared. Absolute green is not the measure: what
//! passes directly and fails only through the gateway is.
//!
//! - `pg`: PostgreSQL's own regression suite.
//! - `narrow`: the same under narrow policies: it changes nothing, and masks change nothing else.
//! - `psycopg2`: psycopg2's test suite.
//! - `openssh`: OpenSSH's regression tests.
//! - `asyncssh`: asyncssh's test suite.

mod asyncssh;
mod narrow;
mod openssh;
mod pg;
mod psycopg2;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::kit::args::Args;
use crate::kit::dsn::Dsn;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{SUPERUSER, Server};

/// What `suite regress --help` prints.
pub const HELP: &str = "\
suite regress pg|psycopg2|asyncssh [--direct] [--keep DIR]
suite regress pg --read-only|--masked
suite regress openssh [--direct] [--only TEST]... [--keep DIR]

Runs an upstream suite directly and through the gateway (a policy that allows everything), and prints what fails only
through it. Status 0 only when nothing does.

  --direct      only directly, and say what fails
  --read-only   runs the suite directly, then again on the database that it left, through a policy of connect, session and read.
                Status 0 only when a dump of everything is the same afterwards. Prints which SELECTs were refused that work
                directly, and by what
  --masked      runs the suite directly, then every SELECT of it directly and behind masks on text columns of one table. Status
                0 only when the results are equal but for masked values
  --only TEST   only this test; may be repeated
  --keep DIR    keep the outputs (per run a folder) for looking at differences";

/// Results by test name: whether it passed.
type Results = BTreeMap<String, bool>;

/// One run of a suite.
struct Run<'a> {
    /// `direct` or `through`.
    label: &'a str,
    server: &'a Server,
    dsn: &'a Dsn,
    keep: Option<PathBuf>,
}

/// An upstream suite.
trait Suite {
    /// The database that it is run in.
    fn database(&self) -> &'static str;
    /// Beginnings of the names of tests that ask for what the gateway does not carry, and what that is.
    fn not_carried(&self) -> &'static [(&'static str, &'static str)];
    /// Prepares the server for a run.
    fn prepare(&self, server: &Server) -> Result<()>;
    /// Runs it.
    fn run(&self, run: &Run<'_>) -> Result<Results>;
}

/// Runs `suite regress` and gives the status to exit with.
///
/// # Errors
/// When the suite cannot be fetched, built or started.
pub fn main(mut args: Args) -> Result<i32> {
    let direct_only = args.flag("--direct");
    let (read_only, masked) = (args.flag("--read-only"), args.flag("--masked"));
    let keep = args.option("--keep")?.map(PathBuf::from);
    let mut only = Vec::new();
    while let Some(test) = args.option("--only")? {
        only.push(test);
    }
    let which = args.word().unwrap_or_default();
    args.finish()?;
    if which == "openssh" {
        return openssh::main(direct_only, &only, keep);
    }
    if !only.is_empty() {
        bail!("only openssh has --only\n\n{HELP}");
    }
    let work =
        std::env::var_os("SUITE_WORK").map_or_else(|| std::env::temp_dir().join("sallyport-suite-work"), PathBuf::from);
    std::fs::create_dir_all(&work)?;
    if read_only || masked {
        if which != "pg" {
            bail!("only pg has --read-only and --masked\n\n{HELP}");
        }
        return narrow::main(&pg::Pg::fetch(&work)?, masked, keep);
    }
    if which == "asyncssh" {
        return asyncssh::main(&work, direct_only);
    }
    let suite: Box<dyn Suite> = match which.as_str() {
        "pg" => Box::new(pg::Pg::fetch(&work)?),
        "psycopg2" => Box::new(psycopg2::Psycopg2::fetch(&work)?),
        other => bail!("no suite {other:?}\n\n{HELP}"),
    };
    let direct = run(suite.as_ref(), "direct", keep.clone())?;
    summary("direct", &direct);
    if direct_only {
        failed(&direct).iter().for_each(|name| println!("  fails directly: {name}"));
        return Ok(0);
    }
    let through = run(suite.as_ref(), "through", keep)?;
    summary("through", &through);
    Ok(compare(&direct, &through, suite.not_carried()))
}

/// A run has a server of its own, so that neither sees what the other left.
fn run(suite: &dyn Suite, label: &str, keep: Option<PathBuf>) -> Result<Results> {
    let server = Server::start(&crate::kit::postgres::Options::default())?;
    suite.prepare(&server)?;
    let direct = server.superuser(suite.database());
    if label == "direct" {
        return suite.run(&Run { label, server: &server, dsn: &direct, keep });
    }
    // These suites can only name a database, so the target is named like it.
    let gateway = Gateway::start(&gateway::Options {
        target: suite.database().to_owned(),
        tls: false,
        ..gateway::Options::new(server.port(), suite.database(), crate::clients::ALLOW_ALL)
    })?;
    let token = gateway.token(&Who::agent("regress"))?;
    let dsn = Dsn { database: suite.database().to_owned(), ..gateway.dsn_with(&token, SUPERUSER, "") };
    suite.run(&Run { label, server: &server, dsn: &dsn, keep })
}

fn failed(results: &Results) -> Vec<&str> {
    results.iter().filter(|(_, passed)| !**passed).map(|(name, _)| name.as_str()).collect()
}

fn summary(label: &str, results: &Results) {
    let failed = failed(results).len();
    println!("{label}: {} of {} pass", results.len() - failed, results.len());
}

fn compare(direct: &Results, through: &Results, not_carried: &[(&str, &str)]) -> i32 {
    let (mut worse, mut expected) = (0, 0);
    for (name, passed) in direct {
        if !*passed || through.get(name) == Some(&true) {
            continue;
        }
        if let Some((_, why)) = not_carried.iter().find(|(start, _)| name.starts_with(start)) {
            println!("  not carried: {name}: {why}");
            expected += 1;
        } else {
            println!("  passes only directly: {name}");
            worse += 1;
        }
    }
    for name in failed(direct).into_iter().filter(|name| through.get(*name) == Some(&true)) {
        println!("  fails only directly: {name}");
    }
    println!("{worse} worse through the gateway, {expected} that ask for what is not carried");
    i32::from(worse > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(list: &[(&str, bool)]) -> Results {
        list.iter().map(|(name, passed)| ((*name).to_owned(), *passed)).collect()
    }

    #[test]
    fn only_what_got_worse_counts() {
        let direct = results(&[("a", true), ("b", false), ("c", true)]);
        assert_eq!(compare(&direct, &results(&[("a", true), ("b", false), ("c", true)]), &[]), 0);
        assert_eq!(compare(&direct, &results(&[("a", true), ("b", true), ("c", true)]), &[]), 0);
        assert_eq!(compare(&direct, &results(&[("a", false), ("b", false), ("c", true)]), &[]), 1);
        assert_eq!(compare(&direct, &results(&[("a", true), ("b", false)]), &[]), 1);
        assert_eq!(compare(&direct, &results(&[("a", true), ("b", false)]), &[("c", "why")]), 0);
    }
}
