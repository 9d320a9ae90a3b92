//! How long it takes until what is typed comes back: in a terminal, where the target's driver echoes, and through a program that copies.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::world::{WAYS, World};
use super::{Rounds, figures};
use crate::Plan;
use crate::figures::{Figure, median};

/// Keystrokes of one slice.
const STROKES: u32 = 400;
/// Between two of them: a fast typist, and no queue.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) fn measure(world: &World, plan: &Plan, name: &str) -> Result<Vec<Figure>> {
    let mut ways = Vec::new();
    for way in WAYS {
        ways.push(Typist::start(world, way, name == "echo/terminal")?);
    }
    let mut rounds = [Rounds::default(), Rounds::default()];
    for _ in 0..plan.rounds * 2 {
        for (typist, found) in ways.iter_mut().zip(&mut rounds) {
            let used = world.cpu()?;
            let mut times = Vec::new();
            for stroke in 0..STROKES {
                times.push(typist.stroke(stroke)?.as_secs_f64() * 1e6);
                std::thread::sleep(PAUSE);
            }
            found.values.push(median(&times));
            found.cpu.push(world.cpu()?.saturating_sub(used).as_secs_f64() * 1e6 / f64::from(STROKES));
        }
    }
    figures(world, name, "µs p50", &rounds)
}

struct Typist {
    child: Child,
    terminal: bool,
}

impl Typist {
    fn start(world: &World, way: &str, terminal: bool) -> Result<Self> {
        let mut command = world.client("ssh");
        command.args(if terminal { &["-tt"][..] } else { &["-T"] }).args([way, "cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut typist = Self { child: command.spawn().context("start ssh")?, terminal };
        // What a terminal says at first is read with the first stroke.
        for stroke in 0..20 {
            typist.stroke(stroke)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(typist)
    }

    /// Types a letter into a terminal or takes it back, or writes a line into a pipe; how long until something came back.
    fn stroke(&mut self, number: u32) -> Result<Duration> {
        let (stdin, stdout) = (self.child.stdin.as_mut(), self.child.stdout.as_mut());
        let (stdin, stdout) = stdin.zip(stdout).context("ssh has no pipes")?;
        // A letter and its erasure: lines would come back twice, once echoed and once copied.
        let key: &[u8] = match (self.terminal, number % 2) {
            (false, _) => b"a line\n",
            (true, 0) => b"k",
            (true, _) => b"\x7f",
        };
        let start = Instant::now();
        stdin.write_all(key).and_then(|()| stdin.flush()).context("type")?;
        let mut buffer = [0; 512];
        let read = stdout.read(&mut buffer).context("read the echo")?;
        anyhow::ensure!(read > 0, "ssh has ended");
        Ok(start.elapsed())
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
