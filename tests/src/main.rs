//! The command line of the suites. `cargo xtask` installs what a suite needs, builds the gateway, and calls this.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to the terminal")]

use std::process::ExitCode;

use anyhow::{Result, bail};
use sallyport_tests::kit::args::Args;
use sallyport_tests::{chaos, clients, corpus, demo, functions, honest, lineage, regress};

const HELP: &str = "\
suite COMMAND [ARGS]      (each command explains itself with --help)

  corpus    play the bypass corpus and judge by what happened
  honest    what honest tools send, directly and through the gateway
  clients   stock clients, directly or through the gateway
  regress   upstream suites, directly and through the gateway
  functions the tables of PostgreSQL's own functions: write them, or compare them with the installed server
  chaos     kill the gateway under load and look for lost records
  demo      a server, the gateway, an agent and a human: a walk through, then to try by hand
  lineage-fuzz
            random queries over planted secrets that masks must hide";

fn main() -> ExitCode {
    match run() {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<i32> {
    let mut given = std::env::args().skip(1);
    let command = given.next().unwrap_or_default();
    let mut args = Args::new(given);
    let help = args.flag("--help") | args.flag("-h");
    let (text, main): (&str, fn(Args) -> Result<i32>) = match command.as_str() {
        "" | "--help" | "-h" | "help" => (HELP, |_| Ok(0)),
        "corpus" => (corpus::HELP, corpus::main),
        "chaos" => (chaos::HELP, chaos::main),
        "demo" => (demo::HELP, demo::main),
        "honest" => (honest::HELP, honest::main),
        "clients" => (clients::HELP, clients::main),
        "regress" => (regress::HELP, regress::main),
        "functions" => (functions::HELP, functions::main),
        "lineage-fuzz" => (lineage::HELP, lineage::main),
        other => bail!("no command {other:?}\n{HELP}"),
    };
    if help || text == HELP {
        println!("{text}");
        return Ok(0);
    }
    main(args)
}
