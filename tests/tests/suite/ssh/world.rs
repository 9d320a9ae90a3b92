//! A server, the gateway before it under one policy, and an agent with stock clients.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::sshd::Sshd;
use serde_json::Value;
use tempfile::TempDir;

/// The target's name, and so the user's name for clients.
pub(crate) const TARGET: &str = "web-1";

pub(crate) struct World {
    pub(crate) sshd: Sshd,
    pub(crate) gateway: Gateway,
    pub(crate) home: TempDir,
}

impl World {
    /// `FILES` in the policy stands for the directory of the server's files.
    pub(crate) fn new(policy: &str) -> Self {
        Self::with(policy, |_, _| {})
    }

    /// The same with other options of the gateway.
    pub(crate) fn with(policy: &str, choose: impl FnOnce(&Sshd, &mut Options)) -> Self {
        let sshd = Sshd::start().unwrap();
        let files = sshd.files();
        let mut options = Options::new(1, "none", &policy.replace("FILES", &files.display().to_string()));
        options.targets = sshd.target(TARGET).unwrap();
        options.env = vec![("SSH_KEY".to_owned(), sshd.user_key().unwrap())];
        choose(&sshd, &mut options);
        let gateway = Gateway::start(&options).unwrap();
        let world = Self { sshd, gateway, home: TempDir::new().unwrap() };
        world.set_up();
        world
    }

    /// The same clients before another gateway.
    pub(crate) fn before(self, gateway: Gateway) -> Self {
        let world = Self { gateway, ..self };
        world.set_up();
        world
    }

    fn set_up(&self) {
        let world = self;
        let token = world.gateway.token_for(&Who::agent("agent-7"), TARGET).unwrap();
        let ask = world.home.path().join("askpass");
        fs::write(&ask, format!("#!/bin/sh\necho {token}\n")).unwrap();
        fs::set_permissions(&ask, fs::Permissions::from_mode(0o700)).unwrap();
        let port = world.gateway.ssh().unwrap();
        let config = format!(
            "Host gw\n  HostName 127.0.0.1\n  Port {port}\n  User {TARGET}\n  StrictHostKeyChecking no\n  UserKnownHostsFile \
             /dev/null\n  LogLevel ERROR\n  NumberOfPasswordPrompts 1\n  PubkeyAuthentication no\n"
        );
        fs::write(world.home.path().join("config"), config).unwrap();
    }

    /// A file or directory of the server, as its clients name it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.sshd.files().join(name)
    }

    /// One of OpenSSH's clients, or one that runs `ssh`, with the agent's token.
    pub(crate) fn client(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        if matches!(program, "ssh" | "scp" | "sftp") {
            command.arg("-F").arg(self.home.path().join("config"));
        }
        let config = self.home.path().join("config");
        command.args(args).env("GIT_SSH_COMMAND", format!("ssh -F {}", config.display()));
        command.env("RSYNC_RSH", format!("ssh -F {}", config.display()));
        command.env("SSH_ASKPASS", self.home.path().join("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
        command.current_dir(self.home.path());
        command
    }

    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Said {
        Said::of(self.client(program, args).stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn ssh(&self, command: &str) -> Said {
        self.run("ssh", &["gw", command])
    }

    /// Runs a command with this as its standard input.
    pub(crate) fn feed(&self, program: &str, args: &[&str], input: &[u8]) -> Said {
        let mut child = self.start(program, args);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let said = Said::of(child.wait_with_output().unwrap());
        let _closed = writer.join().unwrap();
        said
    }

    pub(crate) fn start(&self, program: &str, args: &[&str]) -> Child {
        let mut command = self.client(program, args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The one request that waits.
    pub(crate) fn waiting(&self) -> String {
        let mut id = None;
        sallyport_tests::kit::process::wait_for("a request", std::time::Duration::from_secs(20), || {
            let list: Value = serde_json::from_str(&self.gateway.cli(&["approvals", "ls", "--json"])?)?;
            let all = list.as_array().cloned().unwrap_or_default();
            let pending = all.iter().find(|one| one.get("state").and_then(Value::as_str) == Some("pending"));
            id = pending.and_then(|one| one.get("id")).and_then(Value::as_str).map(str::to_owned);
            Ok(id.is_some())
        })
        .unwrap();
        id.unwrap()
    }

    /// Answers it as a human of the group that may.
    pub(crate) fn answer(&self, id: &str, word: &str) {
        let human = Who { subject: "alice".to_owned(), kind: "human".to_owned(), groups: vec!["dba".to_owned()] };
        let token = self.gateway.token_for(&human, "sallyport").unwrap();
        self.gateway.cli(&["--token", &token, "approvals", word, id, "--reason", "ok"]).unwrap();
    }

    /// Waits until every session is closed and its recording sealed.
    pub(crate) fn settle(&self) {
        sallyport_tests::kit::process::wait_for("the end of all sessions", std::time::Duration::from_secs(20), || {
            let list: Value = serde_json::from_str(&self.gateway.cli(&["sessions", "ls", "--json"])?)?;
            let all = list.as_array().cloned().unwrap_or_default();
            Ok(!all.is_empty() && all.iter().all(|one| one.get("closed").is_some()))
        })
        .unwrap();
    }

    /// The text of the newest recording, once its session is closed.
    pub(crate) fn replay(&self) -> String {
        self.settle();
        self.gateway.cli(&["sessions", "replay", "last"]).unwrap()
    }
}

/// What a client said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
            code: output.status.code(),
        }
    }
}
