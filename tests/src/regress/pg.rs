//! PostgreSQL's regression suite: Debian's source package, `pg_regress` of the server's development package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use regex::Regex;

use super::{Results, Run, Suite};
use crate::kit::postgres::Server;
use crate::kit::process::{bounded, find, output, tail};

/// The suite's database; its scripts name it.
const DATABASE: &str = "regression";
/// The whole suite takes about a minute on an idle machine.
const LIMIT: Duration = Duration::from_secs(1800);

/// The suite, fetched and built.
pub(super) struct Pg {
    /// `src/test/regress` of the source, with `regress.so`.
    tests: PathBuf,
    pg_regress: PathBuf,
}

impl Pg {
    /// Fetches the source of the installed major version and compiles the suite's library, once per work folder.
    pub(super) fn fetch(work: &Path) -> Result<Self> {
        let bin = crate::kit::postgres::binaries()?;
        let lib = bin.parent().context("PostgreSQL's folder")?.join("lib");
        let pg_regress = lib.join("pgxs/src/test/regress/pg_regress");
        if !pg_regress.is_file() {
            bail!("pg_regress is missing: `cargo xtask ensure regress` (Debian: postgresql-server-dev-15)");
        }
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("15");
        let home = work.join(format!("postgresql-{version}"));
        let tests = home.join("source/src/test/regress");
        if !tests.join("regress.so").is_file() {
            let _ = fs::remove_dir_all(&home);
            source(&home, &format!("postgresql-{version}"))?;
            compile(&bin, &tests)?;
        }
        Ok(Self { tests, pg_regress })
    }
}

impl Suite for Pg {
    fn database(&self) -> &'static str {
        DATABASE
    }

    fn not_carried(&self) -> &'static [(&'static str, &'static str)] {
        &[("largeobject", "libpq's lo_ functions use FunctionCall, which is refused")]
    }

    /// What `pg_regress` does when it makes the database itself.
    fn prepare(&self, server: &Server) -> Result<()> {
        server.sql("postgres", "CREATE DATABASE regression TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")?;
        let settings = [
            ("lc_messages", "C"),
            ("lc_monetary", "C"),
            ("lc_numeric", "C"),
            ("lc_time", "C"),
            ("bytea_output", "hex"),
        ];
        for (name, value) in settings.into_iter().chain([("timezone_abbreviations", "Default")]) {
            server.sql("postgres", &format!("ALTER DATABASE regression SET {name} TO '{value}'"))?;
        }
        Ok(())
    }

    fn run(&self, run: &Run<'_>) -> Result<Results> {
        // The server reads and writes files there as its own user, so it is a copy beside the server's data.
        let place = run.server.home().join(format!("regress-{}", run.label));
        output(Command::new("cp").arg("-r").arg(&self.tests).arg(&place), "copy the suite")?;
        for folder in ["results", "testtablespace"] {
            fs::create_dir_all(place.join(folder))?;
        }
        output(Command::new("chmod").args(["-R", "a+rwX"]).arg(&place), "open the copy")?;
        let at = |option: &str, path: &Path| format!("--{option}={}", path.display());
        let mut command = Command::new(&self.pg_regress);
        command.args([
            at("inputdir", &place),
            at("outputdir", &place),
            at("dlpath", &place),
            at("bindir", run.server.bin()),
        ]);
        command.args([
            format!("--host={}", run.dsn.host),
            format!("--port={}", run.dsn.port),
            format!("--user={}", run.dsn.user),
        ]);
        command.args(["--use-existing", "--dbname=regression", "--max-connections=10", "--schedule=parallel_schedule"]);
        command.env("PGPASSWORD", &run.dsn.password).env("PGSSLMODE", "disable").current_dir(&place);
        let (status, text) = bounded(&mut command, LIMIT, "pg_regress")?;
        if let Some(keep) = &run.keep {
            let to = keep.join(run.label);
            fs::create_dir_all(&to)?;
            let _ = fs::copy(place.join("regression.diffs"), to.join("regression.diffs"));
            fs::write(to.join("regression.out"), &text)?;
            output(Command::new("cp").arg("-r").arg(place.join("results")).arg(&to), "keep the results")?;
        }
        let results = parse(&text)?;
        if results.is_empty() || status.is_none() {
            bail!("pg_regress did not run to its end:\n{}", tail(&text, 25));
        }
        Ok(results)
    }
}

fn parse(text: &str) -> Result<Results> {
    let line = Regex::new(r"(?m)^(?:test)?\s+(\S+)\s+\.\.\. (ok|FAILED|failed \(ignored\))")?;
    Ok(line.captures_iter(text).map(|found| (found[1].to_owned(), &found[2] == "ok")).collect())
}

/// Downloads and unpacks a Debian source package with lists of its own: the machine's sources stay as they are.
fn source(home: &Path, package: &str) -> Result<()> {
    let (parts, lists) = (home.join("apt.d"), home.join("lists"));
    fs::create_dir_all(lists.join("partial"))?;
    fs::create_dir_all(&parts)?;
    let deb822 = fs::read_to_string("/etc/apt/sources.list.d/debian.sources");
    let one_line = fs::read_to_string("/etc/apt/sources.list");
    match (deb822, one_line) {
        (Ok(text), _) => fs::write(parts.join("source.sources"), text.replace("Types: deb", "Types: deb-src"))?,
        (_, Ok(text)) => {
            fs::write(parts.join("source.list"), Regex::new("(?m)^deb ")?.replace_all(&text, "deb-src ").as_ref())?
        }
        (Err(_), Err(_)) => {
            bail!("no Debian sources on this machine: the suite's source comes from them")
        }
    }
    let apt = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.arg("-qq").arg("-o").arg("Dir::Etc::sourcelist=/dev/null");
        command.arg("-o").arg(format!("Dir::Etc::sourceparts={}", parts.display()));
        command.arg("-o").arg(format!("Dir::State::lists={}", lists.display()));
        command.args(["-o", "APT::Sandbox::User=root"]).args(args).current_dir(home);
        output(&mut command, program)
    };
    println!("fetching the source of {package}");
    apt("apt-get", &["update"])?;
    // A mirror may list a version of the security suite that it does not have: any of the same major version will do.
    let known = apt("apt-cache", &["showsrc", package])?;
    let versions = known.lines().filter_map(|line| line.strip_prefix("Version: "));
    let fetched =
        versions.map(|version| apt("apt-get", &["source", "--download-only", &format!("{package}={version}")]));
    let mut last = None;
    if !fetched.inspect(|tried| last = tried.as_ref().err().map(|error| error.to_string())).any(|tried| tried.is_ok()) {
        bail!("no version of {package} can be fetched: {}", last.unwrap_or_default());
    }
    let described = fs::read_dir(home)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "dsc"));
    let described = described.context("apt-get fetched no source description")?;
    let mut unpack = Command::new("dpkg-source");
    output(unpack.args(["-x", "--no-check"]).arg(&described).arg(home.join("source")), "dpkg-source")?;
    Ok(())
}

fn compile(bin: &Path, tests: &Path) -> Result<()> {
    let config = find("pg_config", &[bin.to_owned()]).context("pg_config is missing")?;
    let include = output(Command::new(config).arg("--includedir-server"), "pg_config")?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-w", "-o", "regress.so", "regress.c"]).arg(format!("-I{}", include.trim()));
    output(cc.current_dir(tests), "compile regress.c")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_of_results_are_read() {
        let text = "test tablespace                   ... ok          345 ms\n\
                    parallel group (2 tests):  char varchar\n     char                         ... ok           30 ms\n     \
                    varchar                      ... FAILED       41 ms\ntest stats ... failed (ignored)\n";
        let results = parse(text).unwrap();
        assert_eq!(results.len(), 4);
        assert!(results["tablespace"]);
        assert!(!results["varchar"]);
        assert!(!results["stats"]);
    }
}
