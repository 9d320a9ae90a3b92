//! Builds the gateway and calls what tests, measures or fuzzes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ensure;
use crate::run::{cargo, output, replace, root, run, target};

/// Builds the gateway with the profile of tests, unless `$SALLYPORT_BIN` names one.
pub(crate) fn gateway() -> Result<()> {
    if std::env::var_os("SALLYPORT_BIN").is_some() {
        return Ok(());
    }
    run(&mut cargo(&["build", "--profile", "fast", "--package", "sallyport"]))
}

/// Builds the Rust clients of the client suites.
pub(crate) fn examples() -> Result<()> {
    run(&mut cargo(&["build", "--profile", "fast", "--package", "sallyport-tests", "--examples"]))
}

/// Where [`examples`] puts them.
pub(crate) fn examples_folder() -> PathBuf {
    target().join("fast/examples")
}

/// `corpus`, `honest`, `clients`, `regress`, `chaos`, `demo`, `functions`, `lineage-fuzz`: installs what is needed, builds, and hands over to
/// the binary `suite`.
pub(crate) fn suite(command: &str, args: &[String]) -> Result<()> {
    let help = args.iter().any(|arg| arg == "--help" || arg == "-h");
    let mut suite = cargo(&[
        "run",
        "--quiet",
        "--profile",
        "fast",
        "--package",
        "sallyport-tests",
        "--bin",
        "suite",
        "--",
        command,
    ]);
    suite.args(args);
    if help {
        return run(&mut suite);
    }
    let names = |word: &str| args.iter().any(|arg| arg == word);
    ensure::packages(ensure::BUILD)?;
    match command {
        "clients" if names("ssh") => {
            ensure::packages(&[ensure::SSH, ensure::SSH_CLIENTS].concat())?;
            suite.env("SUITE_PYTHON", ensure::python()?);
        }
        "regress" if names("openssh") => ensure::packages(ensure::OPENSSH)?,
        "demo" if names("ssh") => ensure::packages(ensure::SSH)?,
        "corpus" => ensure::packages(&[ensure::POSTGRES, ensure::SSH].concat())?,
        _ => ensure::packages(ensure::POSTGRES)?,
    }
    match command {
        "clients" if !names("ssh") => {
            ensure::packages(&[ensure::SSH, ensure::CLIENTS].concat())?;
            suite.env("SUITE_PYTHON", ensure::python()?).env("SUITE_NODE", ensure::node()?);
            suite.env("SUITE_EXAMPLES", examples_folder());
            examples()?;
        }
        "regress" if !names("openssh") => {
            ensure::packages(ensure::REGRESS)?;
            suite.env("SUITE_PYTHON", ensure::python()?);
        }
        _ => {}
    }
    suite.env("SUITE_WORK", target().join("suite-work"));
    if command != "functions" && !args.iter().any(|arg| arg == "--direct") {
        gateway()?;
    }
    if command == "demo" {
        return replace(&mut suite);
    }
    run(&mut suite)
}

/// `bench`: optimised builds of the gateway and of the driver.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    let mut bench = cargo(&["run", "--quiet", "--release", "--package", "sallyport-bench", "--"]);
    bench.args(args);
    if !args.iter().any(|arg| arg == "--help" || arg == "-h") {
        ensure::packages(&[ensure::BUILD, ensure::POSTGRES, ensure::BENCH, ensure::SSH].concat())?;
        run(&mut cargo(&["build", "--release", "--package", "sallyport"]))?;
    }
    run(&mut bench)
}

const FUZZ_HELP: &str = "\
cargo xtask fuzz [--seconds N] [--seed S] [--target NAME]...

Runs every fuzz target (fuzz/src/bin/*.rs) for N seconds (default 30) with a seed (default: printed, from the clock).";

/// `fuzz`: every target for a given time. Targets are programs of their own and need only stable Rust.
pub(crate) fn fuzz(args: &[String]) -> Result<()> {
    let (mut seconds, mut seed, mut only) = ("30".to_owned(), None, Vec::new());
    let mut left = args.iter();
    while let Some(arg) = left.next() {
        if arg == "--help" || arg == "-h" {
            println!("{FUZZ_HELP}");
            return Ok(());
        }
        let value = left.next().with_context(|| format!("{arg} needs a value\n\n{FUZZ_HELP}"))?;
        match arg.as_str() {
            "--seconds" => seconds.clone_from(value),
            "--seed" => seed = Some(value.clone()),
            "--target" => only.push(value.as_str()),
            other => bail!("not understood: {other}\n\n{FUZZ_HELP}"),
        }
    }
    let targets = fuzz_targets(&root().join("fuzz/src/bin"))?;
    if let Some(unknown) = only.iter().find(|name| !targets.iter().any(|target| target == *name)) {
        bail!("no fuzz target {unknown:?}; there are: {}", targets.join(", "));
    }
    let seed = match seed {
        Some(seed) => seed,
        None => output(Command::new("date").arg("+%s"))?.trim().to_owned(),
    };
    let mut failed = Vec::new();
    for name in targets.iter().filter(|name| only.is_empty() || only.contains(&name.as_str())) {
        let mut command = cargo(&["run", "--quiet", "--release", "--package", "sallyport-fuzz", "--bin", name, "--"]);
        if run(command.args(["--seconds", &seconds, "--seed", &seed])).is_err() {
            failed.push(name.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed with seed {seed}: {}", failed.join(", "))
}

fn fuzz_targets(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("no fuzz targets: {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}
