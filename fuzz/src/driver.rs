//! The command line and the loop of a fuzzer, and what counts as a finding: a panic, too much memory, too much time.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::memory;
use crate::random::Random;

/// Bytes that one input may make a reader allocate at once.
pub const MOST_MEMORY: usize = 64 * 1024 * 1024;
/// How long one input may take. Generous: machines that run tests are busy.
pub const MOST_TIME: Duration = Duration::from_secs(20);
/// Time between two progress lines.
const PROGRESS: Duration = Duration::from_secs(10);

/// Something to fuzz.
pub struct Target {
    /// Its name, as that of its program.
    pub name: &'static str,
    /// Makes an input.
    pub make: fn(&mut Random) -> Result<Vec<u8>>,
    /// Bytes that one input may make it allocate at once; [`MOST_MEMORY`] unless its bound is another.
    pub memory: usize,
    /// Reads an input. A panic is a finding, so what must hold is asserted.
    pub run: fn(&[u8]),
}

/// When to stop, and where chance starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Stop after this time.
    pub time: Option<Duration>,
    /// Stop after so many inputs.
    pub runs: Option<u64>,
    /// The seed.
    pub seed: u64,
}

/// What was wrong, with which input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was wrong.
    pub what: String,
    /// The input.
    pub input: Vec<u8>,
}

/// What a fuzzer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Inputs that were tried, the bad one included.
    pub runs: u64,
    /// The first finding, which ends the loop.
    pub finding: Option<Finding>,
}

/// The program: reads the arguments, runs the loop, prints what came of it.
#[must_use]
pub fn main(target: &Target) -> ExitCode {
    match run(target, std::env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(target: &Target, args: impl Iterator<Item = String>) -> Result<bool> {
    let Some(settings) = settings(args)? else {
        println!(
            "{} --seconds N --seed S [--runs N]\n\nStops at whichever comes first; the default is 30 seconds, or the runs alone.",
            target.name
        );
        return Ok(true);
    };
    let done = drive(target, &settings)?;
    if let Some(finding) = &done.finding {
        println!("fuzz {}: {}", target.name, finding.what);
        println!("input: {}", hex(&finding.input));
        println!("again: --seed {} --runs {}", settings.seed, done.runs);
    }
    let findings = usize::from(done.finding.is_some());
    println!("fuzz {}: {} runs, {findings} findings", target.name, done.runs);
    Ok(findings == 0)
}

/// Reads the arguments; `None` when help was asked for.
fn settings(mut args: impl Iterator<Item = String>) -> Result<Option<Settings>> {
    let (mut seconds, mut runs, mut seed) = (None, None, 1);
    while let Some(arg) = args.next() {
        if arg == "--help" || arg == "-h" {
            return Ok(None);
        }
        let value = args.next().with_context(|| format!("{arg} needs a value"))?;
        let number: u64 = value.parse().with_context(|| format!("{arg} needs a whole number, not {value:?}"))?;
        match arg.as_str() {
            "--seconds" => seconds = Some(number),
            "--runs" => runs = Some(number),
            "--seed" => seed = number,
            other => bail!("not understood: {other} (see --help)"),
        }
    }
    let time = match (seconds, runs) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Some(_)) => None,
        (None, None) => Some(Duration::from_secs(30)),
    };
    Ok(Some(Settings { time, runs, seed }))
}

/// Tries inputs until it is time to stop, or one of them is a finding.
///
/// # Errors
/// When an input cannot be made: a mistake of the fuzzer's own.
pub fn drive(target: &Target, settings: &Settings) -> Result<Done> {
    let mut random = Random::new(settings.seed);
    let start = Instant::now();
    let mut next_word = PROGRESS;
    let mut runs = 0;
    while settings.runs.is_none_or(|most| runs < most) && settings.time.is_none_or(|time| start.elapsed() < time) {
        let input = (target.make)(&mut random).context("make an input")?;
        runs += 1;
        if let Some(what) = judge(target, &input) {
            let finding = Some(Finding { what, input });
            return Ok(Done { runs, finding });
        }
        if start.elapsed() >= next_word {
            next_word = start.elapsed() + PROGRESS;
            if std::io::stderr().is_terminal() {
                eprintln!("fuzz {}: {runs} runs", target.name);
            }
        }
    }
    Ok(Done { runs, finding: None })
}

/// Says what is wrong with how an input was read.
fn judge(target: &Target, input: &[u8]) -> Option<String> {
    let start = Instant::now();
    let before = memory::start();
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let (peak, took) = (memory::peak_since(before), start.elapsed());
    if let Err(panic) = result {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        return Some(format!("panic: {}", text.unwrap_or("without a text")));
    }
    if peak > target.memory {
        return Some(format!("{peak} bytes were allocated at once; {} may be", target.memory));
    }
    (took > MOST_TIME).then(|| format!("one input took {took:?}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(run: fn(&[u8])) -> Target {
        Target { name: "test", make: |random| Ok(random.bytes(4)), memory: MOST_MEMORY, run }
    }

    // One test: the count of memory is the process's.
    #[test]
    fn panics_and_memory_are_findings_with_their_input() {
        let settings = Settings { time: None, runs: Some(1000), seed: 3 };
        let clean = drive(&target(|_| {}), &settings).unwrap();
        assert_eq!((clean.runs, clean.finding), (1000, None));
        let panics = target(|input| assert!(input.len() < 4, "four"));
        let done = drive(&panics, &settings).unwrap();
        let finding = done.finding.clone().unwrap();
        assert_eq!((finding.what.as_str(), finding.input.len()), ("panic: four", 4));
        let again = Settings { runs: Some(done.runs), ..settings };
        assert_eq!(drive(&panics, &again).unwrap(), done);
        let greedy = target(|_| drop(std::hint::black_box(vec![1_u8; MOST_MEMORY + 1])));
        let finding = drive(&greedy, &settings).unwrap().finding.unwrap();
        assert!(finding.what.contains("allocated"), "{}", finding.what);
    }

    #[test]
    fn arguments() {
        let read = |text: &str| settings(text.split_whitespace().map(str::to_owned));
        let of = |time: Option<u64>, runs, seed| Settings { time: time.map(Duration::from_secs), runs, seed };
        assert_eq!(read("").unwrap(), Some(of(Some(30), None, 1)));
        assert_eq!(read("--runs 5 --seed 9").unwrap(), Some(of(None, Some(5), 9)));
        assert_eq!(read("--seconds 2 --runs 5").unwrap(), Some(of(Some(2), Some(5), 1)));
        assert_eq!(read("--help").unwrap(), None);
        assert!(read("--seed x").is_err() && read("--seed").is_err() && read("--what 1").is_err());
    }
}
