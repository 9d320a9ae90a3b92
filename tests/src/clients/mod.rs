//! Stock clients through a way in: the bare server, or the gateway with rules, masks and recording on.
//!
//! - `postgres`: drivers, ORMs and PostgreSQL's own programs, before a real server.
//! - `ssh`: OpenSSH's programs and what speaks through them, Python's SSH libraries, Ansible, before a real sshd.
//!
//! Each client is a program of its own (`tests/clients/`, `tests/examples/`) that prints `ok NAME` or `not ok NAME: why`
//! per check, and `note TEXT` for what is worth knowing. Where it finds what stands in its environment.

mod postgres;
mod ssh;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::corpus::report::aligned;
use crate::kit::args::Args;
use crate::kit::process::{bounded, find, tail};

/// What `suite clients --help` prints.
pub const HELP: &str = "\
suite clients [postgres|ssh] [--direct] [--only NAME]... [--list] [--files N]

Runs stock clients through the gateway (or, with --direct, against the bare server) and prints what does not work.
Status 0 only when every check of every client says ok. Without a word, those of all protocols.

  --direct      no gateway
  --only NAME   only this client; may be repeated
  --list        name the clients
  --files N     files in the tree that rsync carries: 10,000 unless this says otherwise";

/// Everything is allowed and recorded: what differs from the bare server is the gateway's fault.
pub const ALLOW_ALL: &str =
    "rules:\n  - name: everything\n    who: { groups: [agents] }\n    do: any\n    then: allow\n";

/// How long one client may take in all.
const LIMIT: Duration = Duration::from_secs(420);

/// What was asked for.
struct Plan {
    direct: bool,
    /// Empty for all.
    only: Vec<String>,
    /// Files of rsync's tree.
    files: u64,
}

impl Plan {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// What came of one client.
struct Ran {
    name: &'static str,
    ok: usize,
    failed: Vec<String>,
    notes: Vec<String>,
    seconds: f64,
}

/// Runs `suite clients` and gives the status to exit with.
///
/// # Errors
/// When server or gateway do not start, or a client's program is missing.
pub fn main(mut args: Args) -> Result<i32> {
    let list = args.flag("--list");
    let mut plan = Plan { direct: args.flag("--direct"), only: Vec::new(), files: args.number("--files", 10_000)? };
    // Said for symmetry; it is what happens without --direct.
    args.flag("--gateway");
    while let Some(name) = args.option("--only")? {
        plan.only.push(name);
    }
    let (postgres, ssh) = match args.word().as_deref() {
        None => (true, true),
        Some("postgres") => (true, false),
        Some("ssh") => (false, true),
        Some(other) => bail!("no clients of {other:?}\n\n{HELP}"),
    };
    args.finish()?;
    let names: Vec<&str> = [(postgres, postgres::names()), (ssh, ssh::names())]
        .into_iter()
        .filter(|it| it.0)
        .flat_map(|it| it.1)
        .collect();
    if list {
        names.iter().for_each(|name| println!("{name}"));
        return Ok(0);
    }
    if let Some(unknown) = plan.only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("no client {unknown:?}; --list names them");
    }
    let mut all = Vec::new();
    if postgres && postgres::names().iter().any(|name| plan.wants(name)) {
        postgres::run(&plan, &mut all)?;
    }
    if ssh {
        ssh::run(&plan, &mut all)?;
    }
    report(&all);
    Ok(i32::from(all.iter().any(|ran| !ran.failed.is_empty())))
}

/// Runs a client's program and reads what it says.
fn checks(name: &'static str, command: &mut Command) -> Result<Ran> {
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    let start = Instant::now();
    let (status, text) = bounded(command, LIMIT, name)?;
    let lines = |start: &'static str| text.lines().filter_map(move |line| line.strip_prefix(start)).map(str::to_owned);
    let ok = lines("ok ").count();
    let mut failed: Vec<String> = lines("not ok ").collect();
    match status {
        None => failed.push(format!("(the client): no end within {LIMIT:?}:\n{}", tail(&text, 5))),
        Some(status) if !status.success() && failed.is_empty() => {
            failed.push(format!("(the client): ended with {status}:\n{}", tail(&text, 12)));
        }
        Some(_) if ok == 0 && failed.is_empty() => failed.push("(the client): no check ran".to_owned()),
        Some(_) => {}
    }
    let ran = Ran { name, ok, failed, notes: lines("note ").collect(), seconds: start.elapsed().as_secs_f64() };
    println!("{:<16} {:>3} ok  {:>2} not ok  {:>6.1} s", ran.name, ran.ok, ran.failed.len(), ran.seconds);
    Ok(ran)
}

fn report(all: &[Ran]) {
    let mut rows = vec![["client", "ok", "not ok", "seconds"].map(str::to_owned).to_vec()];
    for ran in all {
        rows.push(vec![
            ran.name.to_owned(),
            ran.ok.to_string(),
            ran.failed.len().to_string(),
            format!("{:.1}", ran.seconds),
        ]);
    }
    println!();
    aligned(&rows);
    for ran in all {
        ran.notes.iter().for_each(|note| println!("{}: {note}", ran.name));
    }
    for ran in all {
        for failed in &ran.failed {
            println!("not ok: {}: {failed}", ran.name);
        }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn tool(variable: &str, program: &str) -> Result<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    given.or_else(|| find(program, &[])).with_context(|| format!("{program} is missing: `cargo xtask ensure clients`"))
}

fn python(script: &str) -> Result<Command> {
    let mut command = Command::new(tool("SUITE_PYTHON", "python3")?);
    command.arg(scripts().join(script));
    Ok(command)
}
