//! SSH's clients. Each gets an sshd of its own and a directory of its files; `SUITE_SSH_CONFIG` is a configuration for OpenSSH with the
//! host `gw` (the gateway, or the server itself in a direct run) and the host `bare` (always the server).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Plan, Ran, checks, python};
use crate::kit::gateway::{Gateway, Options, Who};
use crate::kit::process::free_port;
use crate::kit::sshd::{Sshd, user};

/// The target's name, and so the user's name for clients.
const TARGET: &str = "web-1";

/// What clients work under: what they do is named, and nothing else is allowed. `FILES` is the directory of the server's files, `PORT` a
/// place for tunnels. Detectors look at what commands print, and `rsync`, `git` and `scp -O` are commands: only a detector whose finds do not come
/// about by chance leaves binary data whole (three bytes out of a million look like an e-mail address).
const RULES: &str = r#"
rules:
  - { name: in, who: { groups: [agents] }, do: [connect, session], then: allow }
  - { name: looks, who: { groups: [agents] }, do: [read], commands: ["cat *", "wc *", "ls *", "echo *", "true", "head *", "stat *", "sleep *"], then: allow }
  - { name: runs, who: { groups: [agents] }, do: [execute], commands: ["FILES/bin/*"], then: allow }
  - { name: terminals, who: { groups: [agents] }, do: [execute], objects: ["other:terminal", "other:shell"], then: allow }
  - { name: files, who: { groups: [agents] }, do: [read, write, create, alter, delete], objects: ["path:FILES/*", "path:FILES"], then: allow }
  - { name: links of trees, who: { groups: [agents] }, do: [create], objects: ["other:links"], then: allow }
  - { name: tunnel, who: { groups: [agents] }, do: [tunnel], objects: ["host:127.0.0.1:PORT"], then: allow }
  - { name: never, who: any, do: [delete, destroy], commands: ["rm *"], then: deny, message: "Ask in #ops." }
masks:
  - { name: secrets, who: any, detect: [card], with: redact }
"#;

/// What Ansible works under is what its documentation says.
const DOCUMENT: &str = include_str!("../../../docs/ssh.md");

struct Client {
    name: &'static str,
    script: &'static str,
    rules: fn() -> Result<String>,
}

const CLIENTS: [Client; 5] = [
    Client { name: "ssh", script: "ssh_programs.py", rules: || Ok(RULES.to_owned()) },
    Client { name: "files", script: "ssh_files.py", rules: || Ok(RULES.to_owned()) },
    Client { name: "ansible", script: "ssh_ansible.py", rules: ansible },
    Client { name: "paramiko", script: "client_paramiko.py", rules: || Ok(RULES.to_owned()) },
    Client { name: "asyncssh", script: "client_asyncssh.py", rules: || Ok(RULES.to_owned()) },
];

/// What `--list` says and `--only` takes.
pub(super) fn names() -> Vec<&'static str> {
    CLIENTS.iter().map(|client| client.name).collect()
}

/// Runs those that are wanted, and says what came of each as soon as it is known.
pub(super) fn run(plan: &Plan, all: &mut Vec<Ran>) -> Result<()> {
    for client in CLIENTS.iter().filter(|client| plan.wants(client.name)) {
        let world = World::new(client, plan.direct)?;
        let mut command = python(client.script)?;
        command.env("SUITE_TREE", plan.files.to_string());
        world.tell(&mut command);
        all.push(checks(client.name, &mut command)?);
    }
    Ok(())
}

/// The policy of the documentation's part about Ansible, for the agents of the suite and its files.
fn ansible() -> Result<String> {
    let part = DOCUMENT.split("## Ansible\n").nth(1).context("the documentation says nothing of Ansible")?;
    let part = part.split("\n## ").next().unwrap_or_default();
    let policy = part.split("```yaml\n").nth(1).and_then(|text| text.split("```").next());
    let policy = policy.context("the documentation has no policy for Ansible")?;
    Ok(policy.replace("/srv/app", "FILES").replace("deployers", "agents"))
}

/// A server, the gateway before it unless the run is direct, and what a client finds in its directory.
struct World {
    sshd: Sshd,
    gateway: Option<Gateway>,
    home: TempDir,
    token: String,
    tunnel: u16,
    name: &'static str,
}

impl World {
    fn new(client: &Client, direct: bool) -> Result<Self> {
        let sshd = Sshd::start()?;
        let tunnel = free_port()?;
        let files = sshd.files().display().to_string();
        let mut options = Options::new(1, "none", "");
        options.policy = (client.rules)()?.replace("FILES", &files).replace("PORT", &tunnel.to_string());
        options.targets = sshd.target(TARGET)?;
        options.env = vec![("SSH_KEY".to_owned(), sshd.user_key()?)];
        let gateway = if direct { None } else { Some(Gateway::start(&options)?) };
        let token = match &gateway {
            Some(gateway) => gateway.token_for(&Who::agent(client.name), TARGET)?,
            None => String::new(),
        };
        let home = tempfile::Builder::new().prefix("sallyport-client-").tempdir().context("make a directory")?;
        let world = Self { sshd, gateway, home, token, tunnel, name: client.name };
        world.set_up()?;
        Ok(world)
    }

    fn set_up(&self) -> Result<()> {
        let home = self.home.path();
        let key = home.join("key");
        fs::write(&key, self.sshd.user_key()?)?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        fs::write(home.join("askpass"), format!("#!/bin/sh\necho {}\n", self.token))?;
        fs::set_permissions(home.join("askpass"), fs::Permissions::from_mode(0o700))?;
        let common =
            "StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n  NumberOfPasswordPrompts 1";
        let (user, bare) = (user()?, self.sshd.port());
        let direct = format!("  User {user}\n  Port {bare}\n  IdentityFile {}\n  IdentitiesOnly yes\n", key.display());
        let gw = match &self.gateway {
            Some(gateway) => format!("  User {TARGET}\n  Port {}\n  PubkeyAuthentication no\n", gateway.ssh()?),
            None => direct.clone(),
        };
        let text = format!("Host gw\n{gw}Host bare\n{direct}Host *\n  HostName 127.0.0.1\n  {common}\n");
        fs::write(home.join("config"), text).context("write a configuration")
    }

    /// Everything that a client's program has to know.
    fn tell(&self, command: &mut Command) {
        let (home, config) = (self.home.path(), self.home.path().join("config"));
        let ssh = format!("ssh -F {}", config.display());
        command
            .current_dir(home)
            .env("HOME", home)
            .env("SUITE_SSH_CONFIG", &config)
            .env("SUITE_FILES", self.sshd.files());
        command.env("RSYNC_RSH", &ssh).env("GIT_SSH_COMMAND", &ssh).env("SUITE_TUNNEL", self.tunnel.to_string());
        command
            .env("SSH_ASKPASS", home.join("askpass"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SUITE_SSH_TOKEN", &self.token);
        command.env("SUITE_AS", self.name).env("SUITE_SSH_KEY", home.join("key"));
        let (port, user) = match &self.gateway {
            Some(gateway) => (gateway.ssh().unwrap_or_default(), TARGET.to_owned()),
            None => (self.sshd.port(), user().unwrap_or_default()),
        };
        command.env("SUITE_SSH_PORT", port.to_string()).env("SUITE_SSH_USER", user);
        if let Some(gateway) = &self.gateway {
            let cli = gateway.command(&[]);
            command.env("SUITE_SALLYPORT", cli.get_program()).env("SUITE_DATA", gateway.data());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_a_policy_for_ansible() {
        let policy = ansible().unwrap();
        assert!(
            policy.starts_with("rules:") && policy.contains("path:FILES/*") && policy.contains("groups: [agents]"),
            "{policy}"
        );
    }
}
