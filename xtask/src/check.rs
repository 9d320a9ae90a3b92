//! `cargo xtask test`: everything that CI runs, cheapest first, stopping at the first failure.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, run, works};
use crate::{deps, ensure, suites, tidy};

const HELP: &str = "\
cargo xtask test [--only STEP]... [--skip STEP]...

Steps: fmt, deps, tidy, clippy, doc, unit, suite. Missing packages are installed (as root) or named.
All compile with the profile `fast`, so that dependencies are compiled once.";

const STEPS: [(&str, fn() -> Result<()>); 7] = [
    ("fmt", || run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("deps", || deps::main(&[])),
    ("tidy", || tidy::main(&[])),
    ("clippy", || {
        run(&mut cargo(&["clippy", "--profile", "fast", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    }),
    (
        "doc",
        || run(cargo(&["doc", "--profile", "fast", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings")),
    ),
    ("unit", unit),
    ("suite", suite),
];

pub(crate) fn main(args: &[String]) -> Result<()> {
    let (mut only, mut skip) = (Vec::new(), Vec::new());
    let mut left = args.iter();
    while let Some(arg) = left.next() {
        let list = match arg.as_str() {
            "--only" => &mut only,
            "--skip" => &mut skip,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            other => bail!("not understood: {other}\n\n{HELP}"),
        };
        let step = left.next().with_context(|| format!("{arg} needs a step"))?;
        if !STEPS.iter().any(|(name, _)| name == step) {
            bail!("no step {step:?}\n\n{HELP}");
        }
        list.push(step.as_str());
    }
    let wanted = |name: &str| (only.is_empty() || only.contains(&name)) && !skip.contains(&name);
    let steps: Vec<_> = STEPS.iter().filter(|(name, _)| wanted(name)).collect();
    if steps.iter().any(|(name, _)| ["clippy", "doc", "unit", "suite"].contains(name)) {
        ensure::packages(ensure::BUILD)?;
    }
    let start = Instant::now();
    for (at, (name, step)) in steps.iter().enumerate() {
        eprintln!("== {name} ({} of {}, {} s so far)", at + 1, steps.len(), start.elapsed().as_secs());
        step().with_context(|| format!("step {name}"))?;
    }
    Ok(())
}

/// The unit and property tests of every crate, without the suite that needs servers.
fn unit() -> Result<()> {
    tests(&["--workspace", "--exclude", "sallyport-tests"])
}

/// The kit's own tests and the integration binary: real servers, real clients, the built gateway.
fn suite() -> Result<()> {
    ensure::packages(&[ensure::POSTGRES, ensure::SSH, ensure::CLIENTS, ensure::OPENSSH].concat())?;
    let (python, node) = (ensure::python()?, ensure::node()?);
    suites::gateway()?;
    suites::examples()?;
    tests_with(&["-p", "sallyport-tests"], |command| {
        command.env("SUITE_PYTHON", &python).env("SUITE_NODE", &node).env("SUITE_EXAMPLES", suites::examples_folder());
    })
}

fn tests(which: &[&str]) -> Result<()> {
    tests_with(which, |_| {})
}

fn tests_with(which: &[&str], prepare: impl Fn(&mut Command)) -> Result<()> {
    if works("cargo-nextest", &["nextest", "--version"]) {
        let mut command = cargo(&["nextest", "run", "--cargo-profile", "fast", "--no-fail-fast", "--no-tests=pass"]);
        prepare(&mut command);
        return run(command.args(which));
    }
    eprintln!("cargo-nextest is not installed: falling back to `cargo test`");
    let mut command = cargo(&["test", "--profile", "fast", "--no-fail-fast"]);
    prepare(&mut command);
    run(command.args(which))
}
