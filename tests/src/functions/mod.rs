//! `functions`: what is known about PostgreSQL's own functions, made from an installed server's catalogue and the rules judged by hand.
//!
//! The tables are files of `crates/sql/src/functions`, compiled into the gateway: `functions.tsv`, `aggregates.tsv`, `windows.tsv`,
//! `operators.tsv` and `casts.tsv` come from here, `rules.tsv` and `supplement.tsv` are written by hand.
//!
//! - `table`: rows, rules, and what a row's class has to agree with.

mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kit::args::Args;
use crate::kit::postgres::{Options, Server};
use table::{Judged, Known, Rule};

/// What `suite functions --help` prints.
pub const HELP: &str = "\
suite functions [--check]

Writes functions.tsv, aggregates.tsv, windows.tsv, operators.tsv and casts.tsv of crates/sql/src/functions from the installed PostgreSQL's catalogue and
rules.tsv. With --check nothing is written: status 1 when the tables are not what would be written, or, for a server of another major
version, when it has a function or an operator that the tables do not know or call harmless without a reason while it is volatile.";

/// The functions of pg_catalog: name, kind, argument types, volatility, whether SQL can call it.
const FUNCTIONS: &str = "SELECT p.proname, p.prokind, \
     (SELECT pg_catalog.string_agg(CASE WHEN p.provariadic <> 0 AND a.at = p.pronargs THEN 'variadic ' ELSE '' END || t.typname \
     || CASE WHEN a.at > p.pronargs - p.pronargdefaults THEN '=' ELSE '' END, ',' ORDER BY a.at) \
     FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(type, at) JOIN pg_catalog.pg_type t ON t.oid = a.type), \
     p.provolatile, 'internal'::regtype = ANY (p.proargtypes) OR p.prorettype IN ('internal'::regtype, 'trigger'::regtype, \
     'event_trigger'::regtype) \
     FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384";

/// Its operators: name, operand types, result type, function.
const OPERATORS: &str = "SELECT o.oprname, COALESCE(l.typname, ''), COALESCE(r.typname, ''), x.typname, p.proname \
     FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode \
     JOIN pg_catalog.pg_type x ON x.oid = o.oprresult LEFT JOIN pg_catalog.pg_type l ON l.oid = o.oprleft LEFT JOIN pg_catalog.pg_type r ON r.oid = o.oprright \
     WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oid < 16384";

/// The casts that it makes unasked: types.
const IMPLICIT: &str = "SELECT s.typname, t.typname FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_type s ON s.oid = c.castsource \
     JOIN pg_catalog.pg_type t ON t.oid = c.casttarget WHERE c.oid < 16384 AND c.castcontext = 'i'";

/// The functions that the server's own casts run.
const CASTS: &str = "SELECT DISTINCT p.proname FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc WHERE c.oid < 16384";

/// Runs `suite functions` and gives the status to exit with.
///
/// # Errors
/// When the server does not start, a file cannot be read, or a rule is missing or fits nothing.
pub fn main(mut args: Args) -> Result<i32> {
    let check = args.flag("--check");
    args.finish()?;
    let server = Server::start(&Options::default())?;
    let major = major(&server)?;
    let rules = table::rules(&read("rules.tsv")?)?;
    let judged = judge(&server, &rules)?;
    let operators = rows(&server, OPERATORS)?;
    same_as_functions(&server, &judged, &operators)?;
    let mut files = table::files(&judged, major);
    files.push((
        "operators.tsv",
        table::file(&operators, major, "name, types of the operands and of the result, function"),
    ));
    files.push((
        "casts.tsv",
        table::file(&rows(&server, IMPLICIT)?, major, "types of the casts that are made unasked, from and to"),
    ));
    if !check {
        for (name, text) in &files {
            std::fs::write(folder().join(name), text).with_context(|| format!("write {name}"))?;
            println!("{name}: {} rows", text.lines().filter(|line| !line.starts_with('#')).count());
        }
        return Ok(0);
    }
    let wrong = if read("functions.tsv")?.starts_with(&table::heading(major)) {
        unlike(&files)?
    } else {
        strangers(&judged, &operators)?
    };
    for line in &wrong {
        println!("not ok  {line}");
    }
    println!(
        "{} functions and {} operators of PostgreSQL {major}, {} of them wrong",
        judged.len(),
        operators.len(),
        wrong.len()
    );
    Ok(i32::from(!wrong.is_empty()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/sql/src/functions")
}

fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(folder().join(name)).with_context(|| format!("read {name}"))
}

fn major(server: &Server) -> Result<u32> {
    let rows = server.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000")?;
    let major = rows.first().and_then(|row| row.first().cloned().flatten()).context("a version")?;
    Ok(major.parse()?)
}

fn judge(server: &Server, rules: &[Rule]) -> Result<Vec<Judged>> {
    let mut used = vec![false; rules.len()];
    let mut judged = Vec::new();
    let mut missing = Vec::new();
    for row in server.sql("postgres", FUNCTIONS)? {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut cell = || cells.next().unwrap_or_default();
        let (name, kind, args, volatility, internal) = (cell(), cell(), cell(), cell(), cell() == "t");
        match table::judge(rules, &mut used, &name, &args, &volatility, internal) {
            Ok((class, reason)) => judged.push(Judged { name, kind, args, volatility, class, reason }),
            Err(why) => missing.push(why.to_string()),
        }
    }
    let idle = rules.iter().zip(&used).filter(|(_, used)| !**used);
    missing.extend(idle.map(|(rule, _)| format!("rules.tsv: {} fits no function of this server", rule.pattern)));
    if !missing.is_empty() {
        bail!("{}", missing.join("\n"));
    }
    judged.sort_by(|a, b| (a.name.as_bytes(), a.args.as_bytes()).cmp(&(b.name.as_bytes(), b.args.as_bytes())));
    Ok(judged)
}

fn rows(server: &Server, query: &str) -> Result<Vec<Vec<String>>> {
    let rows = server.sql("postgres", query)?.into_iter();
    let mut rows: Vec<Vec<String>> = rows.map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
    rows.sort();
    Ok(rows)
}

/// The server's own operators and casts are taken for harmless: so must their functions be.
fn same_as_functions(server: &Server, judged: &[Judged], operators: &[Vec<String>]) -> Result<()> {
    let casts = server.sql("postgres", CASTS)?.into_iter().flatten().flatten();
    let called = operators.iter().filter_map(|row| row.last().cloned()).chain(casts);
    let mut harmful: Vec<String> = called
        .filter(|name| judged.iter().any(|one| one.name == *name && one.class != "harmless" && one.class != "internal"))
        .collect();
    harmful.dedup();
    if !harmful.is_empty() {
        bail!("operators or casts call functions that are not harmless: {}", harmful.join(", "));
    }
    Ok(())
}

/// Where the checked-in tables are not what this server gives.
fn unlike(files: &[(&str, String)]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (name, text) in files {
        let kept = read(name)?;
        let gone = kept
            .lines()
            .filter(|line| !text.lines().any(|other| other == *line))
            .map(|line| format!("{name}: not so on the server: {line}"));
        let new = text
            .lines()
            .filter(|line| !kept.lines().any(|other| other == *line))
            .map(|line| format!("{name}: lacks {line}"));
        wrong.extend(gone.chain(new));
        if wrong.is_empty() && kept != *text {
            wrong.push(format!("{name}: not in order; run `cargo xtask functions`"));
        }
    }
    Ok(wrong)
}

/// What a server of another major version has and the tables do not know, or know as something else.
fn strangers(judged: &[Judged], operators: &[Vec<String>]) -> Result<Vec<String>> {
    let mut known = Known::default();
    for name in ["functions.tsv", "aggregates.tsv", "windows.tsv"] {
        known.add(&read(name)?);
    }
    known.add_supplement(&read("supplement.tsv")?);
    let mut wrong: Vec<String> = judged.iter().filter_map(|one| known.objection(one)).collect();
    let ours = read("operators.tsv")?;
    let ours: Vec<&str> = ours.lines().filter_map(|line| line.split('\t').next()).collect();
    let strange = operators.iter().filter_map(|row| row.first()).filter(|name| !ours.contains(&name.as_str()));
    wrong.extend(strange.map(|name| format!("operator {name} is not known")));
    Ok(wrong)
}
