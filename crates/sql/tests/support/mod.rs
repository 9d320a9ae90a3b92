//! A throwaway PostgreSQL for tests: own data directory, own socket directory, no network; stopped on drop.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sallyport_sql::catalog::{Builder, Catalog, QUERIES};

/// The running server.
pub(crate) struct Server {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    root: bool,
}

fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin")))
        .collect();
    found.sort();
    found
        .into_iter()
        .rev()
        .chain(std::env::var_os("PATH").iter().flat_map(std::env::split_paths))
        .find(|dir| dir.join("initdb").exists() && dir.join("postgres").exists() && dir.join("pg_ctl").exists())
}

impl Server {
    /// Starts a server, or says why not.
    pub(crate) fn start() -> Result<Self, String> {
        let bin = binaries().ok_or("no PostgreSQL server binaries were found; install the package postgresql")?;
        let root = std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
        let dir = tempfile::Builder::new().prefix("sql-pg").tempdir().map_err(|error| error.to_string())?;
        // Only the socket's name holds the port: any number does.
        let server = Self { bin, dir, port: 5432, root };
        if root {
            run(Command::new("chown").arg("postgres").arg(server.dir.path()))?;
        }
        let data = server.dir.path().join("data");
        let path = data.to_string_lossy().into_owned();
        run(&mut server.as_server(
            "initdb",
            ["-D", &path, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"],
        ))?;
        let options = format!("-k {} -p {} -c listen_addresses= -F", server.dir.path().display(), server.port);
        let log = server.dir.path().join("log").to_string_lossy().into_owned();
        run(&mut server.as_server("pg_ctl", ["-D", &path, "-o", &options, "-l", &log, "-w", "start"]))?;
        Ok(server)
    }

    fn as_server<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Command {
        let path = self.bin.join(program);
        let mut command = if self.root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.args(args).current_dir("/");
        command
    }

    /// Runs a script by psql; its standard output.
    pub(crate) fn psql<S: AsRef<OsStr>>(
        &self,
        database: &str,
        user: &str,
        options: &[S],
        script: &str,
    ) -> Result<String, String> {
        let mut child = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-p", &self.port.to_string(), "-h"])
            .arg(self.dir.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("psql: {error}"))?;
        let mut stdin = child.stdin.take().ok_or("psql has no standard input")?;
        let script = script.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let _ = writer.join();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A snapshot of a database, as a user.
    pub(crate) fn catalog(&self, database: &str, user: &str) -> Result<Catalog, String> {
        let mut script = String::new();
        for (name, sql) in QUERIES {
            script.push_str(&format!("\\echo -n \u{4}{name}\u{2}\n{sql};\n"));
        }
        let options = ["-A", "-t", "-F", "\u{1}", "-R", "\u{2}", "-P", "null=\u{3}"];
        let answer = self.psql(database, user, &options, &script)?;
        let mut builder = Builder::new();
        for section in answer.split('\u{4}').skip(1) {
            let mut records = section.split('\u{2}');
            let query = records.next().unwrap_or_default();
            for record in records {
                let record = record.strip_suffix('\n').unwrap_or(record);
                if record.is_empty() {
                    continue;
                }
                let cells: Vec<Option<&str>> =
                    record.split('\u{1}').map(|cell| (cell != "\u{3}").then_some(cell)).collect();
                builder.row(query, &cells).map_err(|error| format!("{error}: {record:?}"))?;
            }
        }
        Ok(builder.finish(1))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let path = self.dir.path().join("data").to_string_lossy().into_owned();
        let _ = self.as_server("pg_ctl", ["-D", &path, "-m", "immediate", "-w", "stop"]).output();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
