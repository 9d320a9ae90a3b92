//! What honest tools send (`tests/honest/`), directly and through the gateway under policies of the narrow kind: everything must work,
//! with equal results but for masked values.

pub(crate) mod answer;
mod files;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use self::answer::Answer;
use self::files::Statement;
use crate::corpus::report::aligned;
use crate::kit::args::Args;
use crate::kit::gateway::{Gateway, Options, Who};
use crate::kit::postgres::{APP, Server};
use crate::kit::wire::Wire;

/// What `suite honest --help` prints.
pub const HELP: &str = "\
suite honest [--only FILE] [--json]

Plays what honest tools send (tests/honest/*.sql) against a server and through the gateway, under a policy that masks three
columns and under one that lists the objects that may be read. Status 0 only when every statement works directly, works through
the gateway under both, and gives equal results but for masked values.

  --only FILE   only this file, for example `psql`
  --json        one line of JSON per statement and policy";

/// What the policies are called, whether they mask, and their text.
const POLICIES: [(&str, bool, &str); 2] = [
    ("masked", true, include_str!("../../honest/masked.yaml")),
    ("tables", false, include_str!("../../honest/tables.yaml")),
];

/// How a statement fared under a policy.
struct Fared {
    file: String,
    line: usize,
    policy: &'static str,
    /// Rows that came directly.
    rows: usize,
    /// What went wrong: its kind, and for people.
    fault: Option<(&'static str, String)>,
    text: String,
}

/// Runs `suite honest` and gives the status to exit with.
///
/// # Errors
/// When server or gateway do not start, or a file cannot be read.
pub fn main(mut args: Args) -> Result<i32> {
    let only = args.option("--only")?;
    let as_json = args.flag("--json");
    args.finish()?;
    let server = world()?;
    let mut all = Vec::new();
    let named = files(only.as_deref())?;
    for (policy, masks, text) in POLICIES {
        let gateway = Gateway::start(&Options::new(server.port(), "app", text))?;
        for (name, statements) in &named {
            let dsn = gateway.dsn(&who(name), APP, "app")?;
            let direct = play(&server, &mut Wire::login(&server.app("app"))?, statements)?;
            let through = play(&server, &mut Wire::login(&dsn)?, statements)?;
            for ((statement, direct), through) in statements.iter().zip(&direct).zip(&through) {
                all.push(Fared {
                    file: name.clone(),
                    line: statement.line,
                    policy,
                    rows: direct.rows(),
                    fault: fault(statement, masks, direct, through),
                    text: statement.text.clone(),
                });
            }
        }
    }
    if as_json {
        lines(&all)
    } else {
        table(&all)
    }
    Ok(i32::from(all.is_empty() || all.iter().any(|one| one.fault.is_some())))
}

/// Everybody is an agent; who dumps may also do what only dumps need.
fn who(file: &str) -> Who {
    let mut who = Who::agent("honest");
    if file == "pg_dump" {
        who.groups.push("backup".to_owned());
    }
    who
}

/// A server with the shop in it.
fn world() -> Result<Server> {
    let preload = ("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned());
    let options = crate::kit::postgres::Options { settings: vec![preload], ..Default::default() };
    let server = Server::start(&options)?;
    server.sql("postgres", "CREATE DATABASE app OWNER app")?;
    let script = std::fs::read_to_string(files::folder().join("world.sql")).context("read the world")?;
    server.sql("app", &script).context("make the world")?;
    Ok(server)
}

/// The statements by file; `world.sql` is none.
fn files(only: Option<&str>) -> Result<Vec<(String, Vec<Statement>)>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(files::folder())?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let sql = path.extension().is_some_and(|end| end == "sql");
        if sql && name != "world" && only.is_none_or(|only| only == name) {
            all.push((name, files::read(&path)?));
        }
    }
    Ok(all)
}

/// Sends the statements of a file, one after the other, in one session.
fn play(server: &Server, wire: &mut Wire, statements: &[Statement]) -> Result<Vec<Answer>> {
    let mut admin = server.admin("app")?;
    let mut number = |name: &str| admin.value(&format!("SELECT ({name})::oid")).with_context(|| format!("find {name}"));
    let mut answers = Vec::new();
    for statement in statements {
        let text = files::fill(&statement.text, &mut number)?;
        let mut with = Vec::new();
        for value in &statement.with {
            with.push(value.as_ref().map(|value| files::fill(value, &mut number)).transpose()?);
        }
        let answer = answer::ask(wire, &text, &with).with_context(|| format!("line {}: {text}", statement.line))?;
        answers.push(answer);
    }
    Ok(answers)
}

fn fault(statement: &Statement, masks: bool, direct: &Answer, through: &Answer) -> Option<(&'static str, String)> {
    match (&direct.error, &through.error) {
        // A statement that fails by itself says nothing about the gateway.
        (Some(error), _) => Some(("fails directly", error.clone())),
        (None, Some(error)) if error.contains("SP-") => Some(("refused", error.clone())),
        (None, Some(error)) => Some(("fails", error.clone())),
        (None, None) => answer::difference(statement, masks, direct, through).map(|what| ("different", what)),
    }
}

fn lines(all: &[Fared]) {
    for one in all {
        let (outcome, why) = one.fault.as_ref().map_or(("works", ""), |(kind, why)| (*kind, why.as_str()));
        let line = json!({
            "file": one.file, "line": one.line, "policy": one.policy, "rows": one.rows, "outcome": outcome, "why": why,
        });
        println!("{line}");
    }
}

fn table(all: &[Fared]) {
    let head = ["file", "policy", "statements", "with rows", "refused", "fail", "different", "fail directly"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut names: Vec<&str> = all.iter().map(|one| one.file.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for (policy, ..) in POLICIES {
        for name in names.iter().copied().map(Some).chain([None]) {
            let of = || all.iter().filter(|one| one.policy == policy && name.is_none_or(|name| one.file == name));
            let faulty = |kind| of().filter(|one| one.fault.as_ref().is_some_and(|(is, _)| *is == kind)).count();
            let counts = [
                of().count(),
                of().filter(|one| one.rows > 0).count(),
                faulty("refused"),
                faulty("fails"),
                faulty("different"),
                faulty("fails directly"),
            ];
            let mut row = vec![name.unwrap_or("all").to_owned(), policy.to_owned()];
            row.extend(counts.map(|count| count.to_string()));
            rows.push(row);
        }
    }
    aligned(&rows);
    for one in all {
        if let Some((kind, why)) = &one.fault {
            println!("\n{}.sql:{} {} {kind}: {why}", one.file, one.line, one.policy);
            println!("    {:.300}", one.text.replace('\n', " "));
        }
    }
}
