//! Transactions per second by pgbench, and connections per second.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use sallyport_tests::kit::process::output;

use crate::Plan;
use crate::figures::{Figure, median};
use crate::peers::{Way, World};
use crate::usage;

/// Every execution has other literals, of two types: what a cache keyed by text never finds again.
const LITERALS: &str = "\\set aid random(1, 100000 * :scale)\n\\set r random(1, 1000000000)\n\
                        SELECT abalance FROM pgbench_accounts WHERE aid = :aid AND filler <> 'literal :r' AND :r > 0;\n";

/// The scenarios of this file.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["select", "tpcb"] {
        for mode in ["simple", "extended", "prepared"] {
            names.extend(["1", "8", "32"].map(|clients| format!("{kind}/{mode}/{clients}")));
        }
    }
    names.extend(["1", "8", "32"].map(|clients| format!("literals/simple/{clients}")));
    for kind in ["select/prepared", "literals/simple"] {
        names.extend(["1", "8", "32"].map(|clients| format!("{kind}/{clients}/tls")));
    }
    names.push("connect".to_owned());
    names
}

/// Runs a scenario: in each round a slice of every way.
pub(crate) fn measure(world: &World, plan: &Plan, name: &str) -> Result<Vec<Figure>> {
    let script = world.server().home().join("literals.sql");
    std::fs::write(&script, LITERALS)?;
    let mut args: Vec<String> = match name.split('/').collect::<Vec<_>>()[..] {
        [kind, mode, clients] | [kind, mode, clients, "tls"] => {
            let clients: u32 = clients.parse().context("the number of clients")?;
            let mut args =
                vec!["-M".to_owned(), mode.to_owned(), format!("-c{clients}"), format!("-j{}", clients.min(2))];
            match kind {
                "select" => args.push("-S".to_owned()),
                "literals" => args.extend([
                    "-f".to_owned(),
                    script.display().to_string(),
                    "-D".to_owned(),
                    format!("scale={}", plan.scale),
                ]),
                _ => {}
            }
            args
        }
        _ => ["-S", "-C", "-c4", "-j2"].map(str::to_owned).to_vec(),
    };
    args.extend(["-n".to_owned(), "-T".to_owned(), plan.seconds.to_string()]);
    let mut ways = world.ways(name.ends_with("/tls"));
    // pgbouncer lets clients share server connections and does not tell their prepared statements apart.
    ways.retain(|way| way.name != "pgbouncer" || !name.starts_with("tpcb/prepared"));
    let mut slices: Vec<Vec<Slice>> = ways.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for (way, found) in ways.iter().zip(&mut slices) {
            found.push(slice(world, way, &args)?);
        }
    }
    figures(name, "tps", &ways, &slices)
}

/// One way during one slice.
pub(crate) struct Slice {
    /// Units per second.
    pub(crate) rate: f64,
    /// How many units in all.
    pub(crate) units: f64,
    /// The proxy's own CPU time.
    pub(crate) cpu: Duration,
}

fn slice(world: &World, way: &Way, args: &[String]) -> Result<Slice> {
    let before = way.pid.map(usage::cpu).transpose()?;
    let mut command = Command::new(world.server().bin().join("pgbench"));
    let text = output(command.args(args).envs(way.dsn.env()), &format!("pgbench ({})", way.name))?;
    let cpu = match (before, way.pid) {
        (Some(before), Some(pid)) => usage::cpu(pid)?.saturating_sub(before),
        _ => Duration::ZERO,
    };
    let number = |label: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        line.and_then(|rest| rest.trim().split([' ', '/']).next()?.parse::<f64>().ok())
    };
    Ok(Slice {
        rate: number("tps = ").context("pgbench said no tps")?,
        units: number("number of transactions actually processed: ").context("pgbench said no count")?,
        cpu,
    })
}

/// Medians of the slices; the first way is the one to compare with.
pub(crate) fn figures(name: &str, unit: &'static str, ways: &[Way], slices: &[Vec<Slice>]) -> Result<Vec<Figure>> {
    let direct = slices.first().context("no direct way")?;
    let mut figures = Vec::new();
    for (way, found) in ways.iter().zip(slices) {
        let rates: Vec<f64> = found.iter().map(|slice| slice.rate).collect();
        let ratios: Vec<f64> = found.iter().zip(direct).map(|(slice, base)| slice.rate / base.rate).collect();
        let cpu: Vec<f64> = found.iter().map(|slice| slice.cpu.as_secs_f64() * 1e6 / slice.units.max(1.0)).collect();
        figures.push(Figure {
            scenario: name.to_owned(),
            way: way.name,
            unit,
            value: median(&rates),
            ratio: Some(median(&ratios)),
            cpu: way.pid.map(|_| median(&cpu)),
            peak: way.pid.map(|pid| usage::memory(pid, "VmHWM")).transpose()?.map(mib),
        });
    }
    Ok(figures)
}

/// KiB as MiB. Exact: memory sizes are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "sizes of processes are far below 2^52")]
pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
