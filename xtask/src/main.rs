//! `cargo xtask`: the workspace's own commands. One local command equals CI: `cargo xtask test`.
//!
//! - [`check`]: the steps of `test`.
//! - [`deps`]: who may depend on whom, and what may never be in the tree.
//! - [`tidy`]: sizes, module docs, leftovers, machine paths.
//! - [`suites`]: builds the gateway and calls the suites of `tests/`, the benchmarks and the fuzzers.
//! - [`ensure`]: installs what a suite needs: Debian packages, a Python environment, node packages.
//! - [`run`]: running programs and saying what was run.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to the terminal")]

mod check;
mod deps;
mod ensure;
mod run;
mod suites;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND [ARGS]      (each command explains itself with --help)

  demo       a real PostgreSQL, the gateway, an agent and a human: a walk through, then to try by hand
  test       everything that CI runs, ending in the runner's own summary
  deps       who may depend on whom; banned crates
  tidy       file and function sizes, module docs, leftovers, machine paths
  corpus     the bypass corpus, against a real server through the gateway
  honest     what honest tools send, directly and through the gateway
  clients    stock clients through the gateway: `postgres`, `ssh`, or both
  regress    upstream suites, directly and through the gateway: `pg`, `psycopg2`, `openssh`, `asyncssh`
  functions  the tables of PostgreSQL's own functions, from the installed server; `--check` compares
  chaos      kill the gateway under load and look for lost records: `kill9`
  lineage-fuzz
             random queries over planted secrets that masks must hide: `--queries N --seed S`
  bench      ratios against the direct connection and pgbouncer: `postgres`, `ssh`, both
  fuzz       every fuzz target for a given time
  ensure     install what a suite needs: build, postgres, ssh, clients, regress, bench";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let (command, rest) = args.split_first().map_or(("help", args), |(first, rest)| (first.as_str(), rest));
    std::env::set_current_dir(run::root())?;
    match command {
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        "test" => check::main(rest),
        "deps" => deps::main(rest),
        "tidy" => tidy::main(rest),
        "ensure" => ensure::main(rest),
        "corpus" | "honest" | "clients" | "regress" | "chaos" | "demo" | "functions" | "lineage-fuzz" => {
            suites::suite(command, rest)
        }
        "bench" => suites::bench(rest),
        "fuzz" => suites::fuzz(rest),
        other => bail!("no command {other:?}\n\n{HELP}"),
    }
}
