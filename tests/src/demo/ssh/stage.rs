//! A server with some files, the gateway that opens it by certificate, an agent and a human.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};

use crate::demo::shell::{Shell, quoted};
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::process::{find, tail};
use crate::kit::sshd::{Sshd, user};

const POLICY: &str = include_str!("policy.yaml");
/// The target.
pub(super) const TARGET: &str = "web-1";
/// What must never be seen by the agent.
pub(super) const SECRETS: [&str; 2] = ["bruno@example.com", "4111 1111 1111 1111"];
const LOG: &str = "10:04:01 GET /cart 200 12ms\n10:04:02 POST /pay 200 bruno@example.com paid with 4111 1111 1111 1111\n10:04:03 GET /cart 500 timeout\n";

/// Everything that runs.
pub(super) struct Stage {
    gateway: Gateway,
    pub(super) shell: Shell,
    pub(super) server: Sshd,
    exports: Vec<(String, String)>,
}

impl Stage {
    /// Starts all of it. The clients' configuration is written once the target can be opened.
    pub(super) fn start() -> Result<Self> {
        let server = Sshd::start()?;
        let files = server.files();
        fs::write(files.join("app.log"), LOG).context("write the server's files")?;
        fs::write(files.join("app.conf"), "workers = 2\n")?;
        fs::write(files.join("app.conf.new"), "workers = 4\n")?;
        let shown = files.display().to_string();
        let mut options = gateway::Options::new(1, "none", &POLICY.replace("FILES", &shown));
        options.targets = format!(
            "  - name: {TARGET}\n    kind: ssh\n    address: 127.0.0.1:{}\n    roles: {{ ops: {{ user: {}, ssh_certificate: {{}} }} }}\n",
            server.port(),
            user()?
        );
        let gateway = Gateway::start(&options)?;
        server.trust(gateway.cli(&["ca", "--ssh"])?.trim())?;
        let agent = gateway.token_for(&Who::agent("agent-7"), TARGET)?;
        let human = Who { subject: "alice".to_owned(), kind: "human".to_owned(), groups: vec!["dba".to_owned()] };
        let human = gateway.token_for(&human, "sallyport")?;
        let home =
            tempfile::Builder::new().prefix("sallyport-demo-").tempdir().context("make a directory for the demo")?;
        symlink(std::path::absolute(gateway::binary()?)?, home.path().join("sallyport"))?;
        clients(home.path(), &gateway, &agent)?;
        let exports = [
            ("SALLYPORT_CONFIG", gateway.config().display().to_string()),
            ("SALLYPORT_DATA_DIR", gateway.data().display().to_string()),
            ("SSH_ASKPASS", home.path().join("token").display().to_string()),
            ("SSH_ASKPASS_REQUIRE", "force".to_owned()),
            ("FILES", shown),
            ("ALICE", human),
        ];
        let exports: Vec<_> = exports.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { gateway, server, shell: Shell::new(exports.clone(), home), exports })
    }

    /// What a file of the server holds now.
    pub(super) fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.server.files().join(name)).ok()
    }

    /// The end of the gateway's log.
    pub(super) fn log_end(&self) -> String {
        tail(&self.gateway.log(), 15)
    }

    /// Prints how a terminal gets to the agent's and the human's place.
    pub(super) fn print_exports(&self) {
        println!("export PATH={}:$PATH", quoted(&self.shell.home().display().to_string()));
        for (name, value) in &self.exports {
            println!("export {name}={}", quoted(value));
        }
    }

    /// Prints what can be typed now.
    pub(super) fn invite(&self) {
        println!("\nAll of it stays up until Ctrl-C. In another terminal:\n");
        self.print_exports();
        println!(
            "
ssh {TARGET} 'ls -l $FILES; uptime'                             # agent-7, with any SSH client
ssh {TARGET} \"cp $FILES/app.log $FILES/app.old\"               # waits for alice
sallyport approvals ls
sallyport --token \"$ALICE\" approvals approve ID --reason \"...\"
sallyport policy explain --as agent-7 --groups agents --target {TARGET} 'ls | xargs rm'
sallyport sessions ls
sallyport sessions replay last
sallyport sessions verify"
        );
        println!("\nThe API: http://{}", self.gateway.api());
    }
}

/// The agent's clients: stock ones, with what `sallyport ssh-config` says instead of the user's own files, and a token instead of a password.
fn clients(home: &Path, gateway: &Gateway, token: &str) -> Result<()> {
    fs::write(home.join("known_hosts"), gateway.cli(&["ssh-config", "--host", "127.0.0.1", "--known-hosts"])?)?;
    let mut command = gateway.command(&["ssh-config", "--host", "127.0.0.1"]);
    let lines = command.env("SALLYPORT_CONFIG", gateway.config()).output().context("run sallyport ssh-config")?;
    let mine = format!(
        "Host *\n  UserKnownHostsFile {}\n  PubkeyAuthentication no\n  NumberOfPasswordPrompts 1\n\n",
        home.join("known_hosts").display()
    );
    fs::write(home.join("ssh_config"), [mine.as_bytes(), &lines.stdout].concat())?;
    script(&home.join("token"), &format!("echo {token}"))?;
    for name in ["ssh", "scp", "sftp"] {
        let program = find(name, &[]).with_context(|| format!("{name} is not installed"))?;
        let config = home.join("ssh_config");
        script(&home.join(name), &format!("exec {} -F {} \"$@\"", program.display(), config.display()))?;
    }
    Ok(())
}

fn script(path: &Path, line: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).context("make a script")
}
