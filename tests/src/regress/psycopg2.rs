//! psycopg2's own test suite, from its source distribution, with the installed binary of the same version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Results, Run, Suite};
use crate::kit::postgres::Server;
use crate::kit::process::{bounded, output, tail};

const DATABASE: &str = "psycopg2_test";
/// The suite takes seconds; some tests wait for timeouts.
const LIMIT: Duration = Duration::from_secs(900);

/// The suite, fetched.
pub(super) struct Psycopg2 {
    python: PathBuf,
    /// The unpacked source: its folder `tests` is the suite.
    source: PathBuf,
}

impl Psycopg2 {
    /// Fetches the source of the installed version, once per work folder.
    pub(super) fn fetch(work: &Path) -> Result<Self> {
        let python = std::env::var_os("SUITE_PYTHON")
            .map(PathBuf::from)
            .context("SUITE_PYTHON names no interpreter: use `cargo xtask regress`")?;
        let ask = "from importlib.metadata import version; print(version('psycopg2-binary'))";
        let version = output(Command::new(&python).args(["-c", ask]), "ask for psycopg2's version")?;
        let version = version.trim();
        let home = work.join(format!("psycopg2-{version}"));
        let source = home.join("source");
        if !source.join("tests").is_dir() {
            let _ = fs::remove_dir_all(&home);
            fs::create_dir_all(&source)?;
            println!("fetching the source of psycopg2 {version}");
            let mut pip = Command::new(&python);
            pip.args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--dest",
            ]);
            output(pip.arg(&home).arg(format!("psycopg2=={version}")), "pip download")?;
            let archive = fs::read_dir(&home)?
                .flatten()
                .map(|entry| entry.path())
                .find(|path| path.extension().is_some_and(|end| end == "gz"));
            let archive = archive.context("pip fetched no archive")?;
            output(
                Command::new("tar").arg("-xzf").arg(archive).arg("--strip-components=1").arg("-C").arg(&source),
                "unpack psycopg2",
            )?;
        }
        Ok(Self { python, source })
    }
}

impl Suite for Psycopg2 {
    fn database(&self) -> &'static str {
        DATABASE
    }

    fn not_carried(&self) -> &'static [(&'static str, &'static str)] {
        const LARGE: &str = "sends a statement above the largest message of 16 MiB";
        const ENCODING: &str = "sends texts in another encoding than UTF8";
        &[
            ("tests.test_lobject.", "libpq's lo_ functions use FunctionCall, which is refused"),
            ("tests.test_green.GreenTestCase.test_flush_on_write", LARGE),
            ("tests.test_async.AsyncTests.test_flush_on_write", LARGE),
            ("tests.test_quote.QuotingTestCase.test_koi8", ENCODING),
            ("tests.test_quote.QuotingTestCase.test_latin1", ENCODING),
            ("tests.test_copy.CopyTests.test_copy_bytes", ENCODING),
            ("tests.test_copy.CopyTests.test_copy_text", ENCODING),
            ("tests.test_types_extras.HstoreTestCase.test_roundtrip", ENCODING),
        ]
    }

    fn prepare(&self, server: &Server) -> Result<()> {
        server.sql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        server.sql(DATABASE, "CREATE EXTENSION hstore")?;
        Ok(())
    }

    fn run(&self, run: &Run<'_>) -> Result<Results> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/psycopg2_suite.py");
        let mut command = Command::new(&self.python);
        command
            .arg(script)
            .current_dir(&self.source)
            .env("PYTHONPATH", &self.source)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PSYCOPG2_TESTDB", &run.dsn.database).env("PSYCOPG2_TESTDB_HOST", &run.dsn.host);
        command.env("PSYCOPG2_TESTDB_PORT", run.dsn.port.to_string()).env("PSYCOPG2_TESTDB_USER", &run.dsn.user);
        command.env("PSYCOPG2_TESTDB_PASSWORD", &run.dsn.password).env("PGSSLMODE", "disable");
        // What the suite starts as programs of its own finds the way in by these.
        command.env("PGPASSWORD", &run.dsn.password);
        let (status, text) = bounded(&mut command, LIMIT, "psycopg2's suite")?;
        if let Some(keep) = &run.keep {
            fs::create_dir_all(keep.join(run.label))?;
            fs::write(keep.join(run.label).join("output.txt"), &text)?;
        }
        let results = parse(&text);
        if results.is_empty() || status.is_none() {
            bail!("psycopg2's suite did not run to its end:\n{}", tail(&text, 25));
        }
        Ok(results)
    }
}

fn parse(text: &str) -> Results {
    let line = |line: &str| match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(name), _) => Some((name.to_owned(), true)),
        (_, Some(name)) => Some((name.to_owned(), false)),
        (None, None) => None,
    };
    text.lines().filter_map(line).collect()
}
