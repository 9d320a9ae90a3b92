//! A directory with a configuration, and the binary run in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const CONFIG: &str = "\
data_dir: data
listen: { postgres: \"127.0.0.1:0\", api: \"127.0.0.1:0\" }
targets:
  - name: orders-db
    kind: postgres
    address: 127.0.0.1:1
    labels: { env: prod }
    database: app
    tls: disable
    roles:
      app: { user: app, password: { secret: app-pw } }
policy: policy.yaml
";

pub(crate) const POLICY: &str = "\
rules:
  - name: agents read
    who: { groups: [agents] }
    do: [connect, session, read]
    then: allow
  - name: writes need a human
    who: { groups: [agents] }
    do: [write, delete]
    then: approve
    approval: { by: { groups: [dba] }, quorum: 1, expires: 15m, reason: required }
";

/// A directory of its own for each test.
pub(crate) struct World {
    dir: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        world.write("sallyport.yaml", CONFIG);
        world.write("policy.yaml", POLICY);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The configuration with one text replaced.
    pub(crate) fn with(&self, from: &str, to: &str) {
        assert!(CONFIG.contains(from), "{from} is not in the configuration");
        self.write("sallyport.yaml", &CONFIG.replace(from, to));
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sallyport"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        for name in
            ["SALLYPORT_CONFIG", "SALLYPORT_DATA_DIR", "SALLYPORT_TOKEN", "SALLYPORT_API", "SALLYPORT_MASTER_KEY"]
        {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output().unwrap())
    }

    /// Runs it and expects it to succeed.
    pub(crate) fn good(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.out
    }

    /// Runs it and expects it to fail in order.
    pub(crate) fn bad(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
        format!("{}{}", ended.out, ended.err)
    }

    /// Runs it with a text on standard input.
    pub(crate) fn feed(&self, args: &[&str], text: &str) -> Ended {
        let mut child =
            self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Ended::of(child.wait_with_output().unwrap())
    }

    /// Starts the gateway and waits until it listens.
    pub(crate) fn serve(&self) -> Gateway {
        let log = fs::File::create(self.path("serve.log")).unwrap();
        let child = self.command(&["serve"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut gateway = Gateway { child, log: self.path("serve.log") };
        let listen = self.path("data/listen.json");
        gateway.wait("the gateway listens", |_| listen.exists());
        gateway
    }

    pub(crate) fn listen(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path("data/listen.json")).unwrap()).unwrap()
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    log: PathBuf,
}

impl Gateway {
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until something is so; the log tells what happened when it does not come.
    pub(crate) fn wait(&mut self, what: &str, is: impl Fn(&str) -> bool) {
        let started = Instant::now();
        while !is(&self.log()) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "waiting until {what}, the gateway ended with {ended:?}:\n{}", self.log());
            assert!(started.elapsed() < Duration::from_secs(30), "{what}: not within 30 s:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end and gives its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < Duration::from_secs(40), "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether any file below a directory holds a text.
pub(crate) fn holds(dir: &Path, text: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = holds(&path, text) {
                return Some(found);
            }
        } else if fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            return Some(path);
        }
    }
    None
}
