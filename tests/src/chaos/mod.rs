//! `kill9`: the gateway is killed under load, again and again; afterwards every statement that the server logged must be
//! in a recording that verifies, and a changed, cut or missing recording must be named.
//!
//! The server's own log (`log_statement = all`) is the witness: it knows what really arrived. Statements carry a mark,
//! `/* k9-<number> */`, so that each can be told from every other.
//!
//! - `load`: clients that send marked statements in every way until the connection dies.
//! - `tamper`: changes to recordings that `sessions verify` has to find.

mod load;
mod tamper;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use regex::Regex;

use crate::kit::args::Args;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{Options, Server};
use crate::kit::process::{output, tail, wait_for};

/// What `suite chaos --help` prints.
pub const HELP: &str = "\
suite chaos kill9 [--rounds N] [--clients N] [--seconds N] [--seed S]

Kills the gateway (SIGKILL) under load, N rounds (default 5) of up to N seconds (default 2) with N clients (default 8), starts
it again each time, and checks: every statement in the server's log is in a recording, all recordings verify, a flipped byte,
a cut recording and a deleted one are named. Status 0 only when all of it holds.";

/// Runs `suite chaos` and gives the status to exit with.
///
/// # Errors
/// When server or gateway do not start. What does not hold is printed and gives status 1.
pub fn main(mut args: Args) -> Result<i32> {
    // The options first: their values are free words, too.
    let plan = Plan {
        rounds: args.number("--rounds", 5)?,
        clients: usize::try_from(args.number("--clients", 8)?)?,
        seconds: args.number("--seconds", 2)?.max(1),
        seed: args.number("--seed", u64::from(std::process::id()))?,
    };
    let what = args.word().unwrap_or_default();
    args.finish()?;
    match what.as_str() {
        "kill9" => kill9(&plan),
        other => bail!("no chaos {other:?}\n\n{HELP}"),
    }
}

struct Plan {
    rounds: u64,
    clients: usize,
    seconds: u64,
    seed: u64,
}

fn kill9(plan: &Plan) -> Result<i32> {
    println!("seed {}", plan.seed);
    let server = Server::start(&Options { log_statements: true, ..Options::default() })?;
    server.sql("postgres", "CREATE DATABASE app OWNER app")?;
    server.sql("app", "CREATE TABLE k9(n bigint, at timestamptz DEFAULT now()); ALTER TABLE k9 OWNER TO app")?;
    let mut gateway = Gateway::start(&gateway::Options {
        tls: false,
        ..gateway::Options::new(server.port(), "app", crate::clients::ALLOW_ALL)
    })?;
    let token = gateway.token(&Who::agent("chaos"))?;
    let mut dice = plan.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = 0;
    for round in 1..=plan.rounds {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let span = Duration::from_millis(300 + dice % (plan.seconds * 1000));
        let load = load::Load::start(&gateway.dsn_with(&token, "app", "app"), plan.clients, next)?;
        std::thread::sleep(span);
        gateway.kill9()?;
        let done = load.stop()?;
        println!("round {round}: {} statements sent, {} answered in {span:?}, killed", done.sent, done.answered);
        if done.answered == 0 {
            bail!("no statement was answered: the load proves nothing");
        }
        next = done.next;
        // What the gateway had sent on may still be running on the server.
        let mut admin = server.admin("postgres")?;
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app'";
        wait_for("the server's last statement", Duration::from_secs(20), || Ok(admin.value(busy)? == "0"))?;
        let start = Instant::now();
        gateway.start_again()?;
        println!("round {round}: up again after {:?}", start.elapsed());
    }
    let mut faults = missing(&server, &gateway)?;
    faults.extend(tamper::check(&mut gateway)?);
    for fault in &faults {
        println!("FAULT: {fault}");
    }
    println!("{} fault(s)", faults.len());
    Ok(i32::from(!faults.is_empty()))
}

/// Compares the server's log with the exported recordings.
fn missing(server: &Server, gateway: &Gateway) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut verify = gateway.command(&["sessions", "verify"]);
    if let Err(error) = output(&mut verify, "sessions verify") {
        faults.push(format!("the recordings do not verify after the kills: {error:#}"));
    }
    let executed = marks(&executed_lines(&server.log()?))?;
    let recorded = marks(&gateway.cli(&["sessions", "export", "--all", "--format", "jsonl"])?)?;
    println!("{} marked statements in the server's log, {} in the recordings", executed.len(), recorded.len());
    if executed.is_empty() {
        bail!("the server's log has no marked statement:\n{}", tail(&server.log()?, 10));
    }
    let lost: Vec<u64> = executed.difference(&recorded).copied().collect();
    if !lost.is_empty() {
        let some: Vec<String> = lost.iter().take(10).map(u64::to_string).collect();
        faults.push(format!(
            "{} statements ran and are in no recording, for example k9-{}",
            lost.len(),
            some.join(", k9-")
        ));
    }
    Ok(faults)
}

/// The lines of the server's log that say what it executed.
fn executed_lines(log: &str) -> String {
    log.lines().filter(|line| line.contains("statement: ") || line.contains(" execute ")).collect::<Vec<_>>().join("\n")
}

fn marks(text: &str) -> Result<BTreeSet<u64>> {
    let mark = Regex::new(r"k9-(\d+) \*/").context("the pattern of marks")?;
    Ok(mark.captures_iter(text).filter_map(|found| found[1].parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_from_executed_statements_only() {
        let log = "LOG:  statement: SELECT 1 /* k9-1 */\nERROR:  x\nDETAIL:  SELECT 1 /* k9-2 */\nLOG:  execute <unnamed>: SELECT /* k9-33 */ 1";
        assert_eq!(marks(&executed_lines(log)).unwrap(), BTreeSet::from([1, 33]));
    }
}
