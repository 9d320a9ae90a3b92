//! Logins one after another, programs in one connection, and many sessions at once.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::world::{WAYS, World};
use super::{Rounds, figures};
use crate::Plan;
use crate::figures::Figure;
use crate::rate::mib;

/// Logins that go on at once while sessions are opened; the gateway bounds them per address.
const AT_ONCE: usize = 16;

/// `login`: a connection for each program. `program`: all in one connection.
pub(super) fn one_by_one(world: &World, plan: &Plan, name: &str) -> Result<Vec<Figure>> {
    let mut rounds = [Rounds::default(), Rounds::default()];
    let shared = name == "program";
    let mut masters = Vec::new();
    if shared {
        for way in WAYS {
            masters.push(Master::start(world, way)?);
        }
    }
    for _ in 0..plan.rounds {
        for (way, found) in WAYS.iter().zip(&mut rounds) {
            let (used, start, mut count) = (world.cpu()?, Instant::now(), 0_u32);
            while start.elapsed() < Duration::from_secs(plan.seconds) {
                let mut command = world.client("ssh");
                if shared {
                    command.arg("-S").arg(world.file(&format!("master-{way}")));
                }
                let status = command.args([way, "true"]).stdin(Stdio::null()).status().context("start ssh")?;
                ensure!(status.success(), "`true` by the {way} way failed");
                count += 1;
            }
            found.values.push(f64::from(count) / start.elapsed().as_secs_f64());
            found.cpu.push(world.cpu()?.saturating_sub(used).as_secs_f64() * 1e6 / f64::from(count));
        }
    }
    drop(masters);
    figures(world, name, "1/s", &rounds)
}

/// A connection that others share.
struct Master(Child);

impl Master {
    fn start(world: &World, way: &str) -> Result<Self> {
        let path = world.file(&format!("master-{way}"));
        let mut command = world.client("ssh");
        command.args(["-M", "-N", "-S"]).arg(&path).arg(way).stdin(Stdio::null());
        let master = Self(command.spawn().context("start ssh")?);
        sallyport_tests::kit::process::wait_for("a shared connection", Duration::from_secs(20), || Ok(path.exists()))?;
        Ok(master)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// As many sessions as are wanted, each with a program that copies; all are written to and read from once they are there.
pub(super) fn at_once(world: &World, plan: &Plan) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for way in WAYS {
        let (before, used) = (world.resident()?, world.cpu()?);
        let start = Instant::now();
        let mut all: Vec<Child> = Vec::with_capacity(plan.sessions);
        while all.len() < plan.sessions {
            let first = all.len();
            for _ in 0..AT_ONCE.min(plan.sessions - first) {
                let mut command = world.client("ssh");
                command.args(["-T", way, "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
                all.push(command.spawn().context("start ssh")?);
            }
            all.iter_mut().skip(first).try_for_each(|child| says(child, "hello\n"))?;
        }
        let took = start.elapsed().as_secs_f64();
        let (opened, used) = (world.resident()?, world.cpu()?.saturating_sub(used));
        // All of them are there: each still answers.
        all.iter_mut().try_for_each(|child| says(child, "still here\n"))?;
        for mut child in all {
            drop(child.stdin.take());
            let status = child.wait().context("wait for ssh")?;
            ensure!(status.success(), "a session by the {way} way ended with {status}");
        }
        let count = f64::from(u32::try_from(plan.sessions)?);
        let ours = way == "gateway";
        let unit = "sessions/s";
        figures.push(Figure {
            scenario: "sessions".to_owned(),
            way,
            unit,
            value: count / took,
            ratio: None,
            cpu: ours.then_some(used.as_secs_f64() * 1e6 / count),
            peak: if ours { Some(world.peak()?) } else { None },
        });
        if ours {
            let value = mib(opened.saturating_sub(before)) * 1024.0 / count;
            let scenario = "sessions".to_owned();
            figures.push(Figure { scenario, way, unit: "KiB/session", value, ratio: None, cpu: None, peak: None });
        }
    }
    Ok(figures)
}

fn says(child: &mut Child, line: &str) -> Result<()> {
    let (stdin, stdout) = child.stdin.as_mut().zip(child.stdout.as_mut()).context("ssh has no pipes")?;
    stdin.write_all(line.as_bytes()).context("write to a session")?;
    let mut answer = vec![0; line.len()];
    stdout.read_exact(&mut answer).context("read from a session")?;
    ensure!(answer == line.as_bytes(), "a session answered something else");
    Ok(())
}
