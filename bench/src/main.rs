//! Benchmarks: ratios against the direct connection, and for PostgreSQL against pgbouncer, measured in the same run.
//!
//! Absolute figures of a shared machine mean little, so every scenario runs in short slices that alternate between the
//! ways (direct, pgbouncer, gateway), and what is printed is the median of the ratios within each round.
//!
//! - [`peers`]: the server, pgbouncer and the gateways that are measured.
//! - [`rate`]: transactions per second by pgbench.
//! - [`scan`]: a wide scan of a million rows, unmasked and masked.
//! - [`idle`]: memory of open sessions that do nothing.
//! - [`ssh`]: the same for SSH
//! - [`usage`]: CPU time and memory of a process, from the operating system.
//! - [`figures`]: medians, the table, JSON.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to the terminal")]

mod figures;
mod idle;
mod peers;
mod rate;
mod scan;
mod ssh;
mod usage;

use std::process::ExitCode;

use anyhow::Result;
use sallyport_tests::kit::args::Args;

const HELP: &str = "\
sallyport-bench [postgres|ssh] [--only TEXT]... [--rounds N] [--seconds N] [--sessions N] [--list] [--json]
                [--scale N] [--rows N] [--no-gateway] [--megabytes N]

Both protocols unless one is named. Ratios are medians over the rounds; CPU is the proxy's own, per operation or per MB.

postgres: {select,tpcb}/{simple,extended,prepared}/{1,8,32}, literals/simple/{1,8,32}, {select/prepared,literals/simple}/{1,8,32}/tls,
          connect, scan/{unmasked,columns,detectors}, idle/{clear,tls}
ssh:      scp/{put,get}, exec/get, echo/{terminal,pipe}, login, program, sessions

  --only TEXT      scenarios whose name contains TEXT; may be repeated (default: all)
  --rounds N       rounds of each scenario (default 5)
  --seconds N      length of one slice (default 4)
  --sessions N     idle sessions (default 1000), SSH sessions at once (default 500)
  --scale N        pgbench's scale (default 10)
  --rows N         rows of the scan (default 1000000)
  --no-gateway     only direct and pgbouncer
  --megabytes N    size of the file that is copied by SSH, in MiB (default 500)
  --list           name the scenarios
  --json           one JSON object per figure";

/// What is chosen on the command line.
struct Plan {
    only: Vec<String>,
    rounds: u64,
    seconds: u64,
    scale: u64,
    rows: u64,
    sessions: usize,
    megabytes: u64,
    gateway: bool,
}

impl Plan {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text.as_str()))
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = Args::new(std::env::args().skip(1));
    if args.flag("--help") | args.flag("-h") {
        println!("{HELP}");
        return Ok(());
    }
    let (postgres, ssh) = (args.flag("postgres"), args.flag("ssh"));
    let (postgres, ssh) = (postgres || !ssh, ssh || !postgres);
    let only_ssh = ssh && !postgres;
    let (list, json) = (args.flag("--list"), args.flag("--json"));
    let mut only = Vec::new();
    while let Some(text) = args.option("--only")? {
        only.push(text);
    }
    let plan = Plan {
        only,
        rounds: args.number("--rounds", 5)?.max(1),
        seconds: args.number("--seconds", 4)?.max(1),
        scale: args.number("--scale", 10)?.max(1),
        rows: args.number("--rows", 1_000_000)?.max(1),
        sessions: usize::try_from(args.number("--sessions", if only_ssh { 500 } else { 1_000 })?)?,
        megabytes: args.number("--megabytes", 500)?.clamp(1, 4_000),
        gateway: !args.flag("--no-gateway"),
    };
    args.finish()?;
    if list {
        let (of_postgres, of_ssh) =
            (if postgres { names() } else { Vec::new() }, if ssh { ssh::names() } else { Vec::new() });
        of_postgres.iter().chain(&of_ssh).filter(|name| plan.wants(name)).for_each(|name| println!("{name}"));
        return Ok(());
    }
    let mut figures = Vec::new();
    if postgres && names().iter().any(|name| plan.wants(name)) {
        figures.extend(measure(&plan)?);
    }
    if ssh && ssh::names().iter().any(|name| plan.wants(name)) {
        figures.extend(ssh::measure(&Plan {
            sessions: if only_ssh { plan.sessions } else { plan.sessions.min(500) },
            ..plan
        })?);
    }
    if json {
        figures::json(&figures)
    } else {
        figures::table(&figures)
    }
    Ok(())
}

fn names() -> Vec<String> {
    [rate::names(), scan::names(), idle::names()].concat()
}

/// PostgreSQL.
fn measure(plan: &Plan) -> Result<Vec<figures::Figure>> {
    let world = peers::World::start(plan)?;
    let mut figures = Vec::new();
    for name in names().iter().filter(|name| plan.wants(name)) {
        eprintln!("{name} …");
        let family = name.split('/').next().unwrap_or_default();
        figures.extend(match family {
            "scan" => scan::measure(&world, plan, name)?,
            "idle" => idle::measure(&world, plan, name)?,
            _ => rate::measure(&world, plan, name)?,
        });
    }
    Ok(figures)
}
