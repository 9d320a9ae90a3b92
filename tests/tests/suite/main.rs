//! The one integration binary: real servers, real clients, through the boundary.
//!
//! - [`kit`]: the kit itself, against a bare server.
//! - [`conform`]: what holds for every protocol, with real gateway processes.
//! - [`corpus`]: the bypass corpus, one test per policy key, and the proof that its oracles fire.
//! - [`honest`]: what honest tools send is not hurt.
//! - [`clients`]: stock clients, one test per client.
//! - [`chaos`]: the gateway killed under load.
//! - [`limits`]: what may be returned, changed and used up.
//! - [`masks`]: ways around a mask.
//! - [`definitions`]: ways around a mask by those who may define things.
//! - [`tokens`]: tokens that are sent back.
//! - [`aggregates`]: statistics of masked columns.
//! - [`catalogue`]: who reads the catalogue, and whose path counts.
//! - [`matrix`]: who may do what, as a golden file.
//! - [`metrics`]: what is counted.
//! - [`unmask`]: masked columns in clear for one command, by approval.
//! - [`functions`]: the tables of the server's own functions, and users' functions by what they do.
//! - [`lineage`]: random queries over planted secrets.
//! - [`world`]: a database, a gateway and an agent, for the suites that try statements.
//! - [`sessions`]: holds, revocation, policy changes, wrong ways in.
//! - [`ssh`]: OpenSSH's clients before a real sshd: programs, terminals, files, tunnels.
//! - [`detours`]: ways around the judge, each tried on the wire.
//! - [`hostile`]: garbage, halves, slow peers.
//! - [`demo`]: the demo of the command line, step by step.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

mod aggregates;
mod catalogue;
mod chaos;
mod clients;
mod conform;
mod corpus;
mod definitions;
mod demo;
mod detours;
mod functions;
mod honest;
mod hostile;
mod kit;
mod limits;
mod lineage;
mod masks;
mod matrix;
mod metrics;
mod sessions;
mod ssh;
mod tokens;
mod unmask;
mod world;

/// Runs one of the suites as its command line does, and fails unless it says that all is well.
fn passes(suite: fn(sallyport_tests::kit::args::Args) -> anyhow::Result<i32>, args: &[&str]) {
    let args = sallyport_tests::kit::args::Args::new(args.iter().map(|arg| (*arg).to_owned()));
    let status = suite(args).map_err(|error| format!("{error:#}"));
    assert_eq!(status, Ok(0), "see the report above");
}
