//! Files by scp, and a program that prints a file: MB/s.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::world::{WAYS, World};
use super::{Rounds, figures};
use crate::Plan;
use crate::figures::Figure;

pub(super) fn measure(world: &World, plan: &Plan, name: &str) -> Result<Vec<Figure>> {
    let source = world.file("source");
    make(&source, plan.megabytes)?;
    let mut rounds = [Rounds::default(), Rounds::default()];
    for round in 0..plan.rounds {
        for (way, found) in WAYS.iter().zip(&mut rounds) {
            let copy = world.file(&format!("copy-{round}-{way}"));
            let (from, to) = (source.display().to_string(), copy.display().to_string());
            let remote = |path: &str| format!("{way}:{path}");
            let mut command = world.client(if name == "exec/get" { "ssh" } else { "scp" });
            match name {
                "scp/put" => command.args(["-q", &from, &remote(&to)]),
                "scp/get" => command.args(["-q", &remote(&from), &to]),
                _ => command.arg(way).arg(format!("cat {from}")).stdout(fs::File::create(&copy)?),
            };
            let (used, start) = (world.cpu()?, Instant::now());
            let status = command.stdin(Stdio::null()).status().context("start the client")?;
            let took = start.elapsed().as_secs_f64();
            let used = world.cpu()?.saturating_sub(used);
            let same = fs::metadata(&copy).is_ok_and(|meta| meta.len() == plan.megabytes << 20);
            if !status.success() || !same {
                bail!("{name} by the {way} way did not copy the file");
            }
            fs::remove_file(&copy)?;
            let megabytes = f64::from(u32::try_from(plan.megabytes)?) * 1.048_576;
            found.values.push(megabytes / took);
            found.cpu.push(used.as_secs_f64() * 1e6 / megabytes);
        }
    }
    fs::remove_file(&source)?;
    figures(world, name, "MB/s", &rounds)
}

/// Lines of a log, none of which is another's copy.
fn make(path: &std::path::Path, megabytes: u64) -> Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    let (mut left, mut number) = (megabytes << 20, 0_u64);
    while left > 0 {
        number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        // Letters: a number might be somebody's card.
        let name: String = format!("{number:016x}").bytes().map(|digit| char::from(b'a' + digit % 26)).collect();
        let line = format!(
            "2026-11-21T10:{:02}:{:02}Z app[{}] request {name} done in {} ms\n",
            number % 60,
            number % 59,
            number % 9973,
            number % 997
        );
        let part = line.as_bytes().get(..line.len().min(usize::try_from(left)?)).unwrap_or_default();
        file.write_all(part)?;
        left -= part.len() as u64;
    }
    file.flush().context("write the file")
}
