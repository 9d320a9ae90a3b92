//! The gateway under test: the `sallyport` binary with its own configuration, policy and data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::dsn::Dsn;
use super::postgres::{APP_PASSWORD, SUPERUSER_PASSWORD};
use super::process::{Running, output, tail, wait_for};
use super::wire::dial;

/// The name of the one target of the kit's gateway.
pub const TARGET: &str = "orders-db";

/// What can be chosen when a gateway is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port of the PostgreSQL server behind it, on loopback.
    pub server: u16,
    /// Name of the target; [`TARGET`] unless a client can only name a database.
    pub target: String,
    /// The target's default database.
    pub database: String,
    /// The policy, as YAML.
    pub policy: String,
    /// More top-level YAML of the configuration, for example a `limits:` or `recording:` section.
    pub extra: String,
    /// More options of the target, each on a line of its own: `catalog: superuser`.
    pub options: String,
    /// Whether clients connect with TLS, checked against the gateway's own authority.
    pub tls: bool,
    /// More targets, as YAML items of `targets`.
    pub targets: String,
    /// Environment variables of the gateway: credentials of those targets.
    pub env: Vec<(String, String)>,
}

impl Options {
    /// One target, [`TARGET`], with this default database; clients connect with TLS.
    pub fn new(server: u16, database: &str, policy: &str) -> Self {
        Self {
            server,
            target: TARGET.to_owned(),
            database: database.to_owned(),
            policy: policy.to_owned(),
            extra: String::new(),
            options: String::new(),
            tls: true,
            targets: String::new(),
            env: Vec::new(),
        }
    }
}

/// Who a token is for.
#[derive(Clone, Debug)]
pub struct Who {
    /// Subject.
    pub subject: String,
    /// Kind: `agent`, `human`, `ci` or `service`.
    pub kind: String,
    /// Groups.
    pub groups: Vec<String>,
}

impl Who {
    /// An agent of the group `agents`, as in most tests.
    pub fn agent(subject: &str) -> Self {
        Self { subject: subject.to_owned(), kind: "agent".to_owned(), groups: vec!["agents".to_owned()] }
    }
}

/// A running gateway. Dropping it stops it and removes its data.
pub struct Gateway {
    running: Option<Running>,
    home: TempDir,
    binary: PathBuf,
    postgres: (String, u16),
    ssh: Option<u16>,
    api: String,
    target: String,
    tls: bool,
    env: Vec<(String, String)>,
}

impl Gateway {
    /// Writes configuration and policy, starts `sallyport serve`, and waits until it listens.
    ///
    /// # Errors
    /// When the binary is not built or the gateway does not come up; the message carries the end of its log.
    pub fn start(options: &Options) -> Result<Self> {
        let binary = binary()?;
        let home =
            tempfile::Builder::new().prefix("sallyport-gw-").tempdir().context("make a directory for the gateway")?;
        fs::create_dir(home.path().join("data"))?;
        fs::write(home.path().join("policy.yaml"), &options.policy)?;
        fs::write(home.path().join("sallyport.yaml"), config(home.path(), options))?;
        let mut gateway = Self {
            running: None,
            home,
            binary,
            postgres: (String::new(), 0),
            ssh: None,
            api: String::new(),
            target: options.target.clone(),
            tls: options.tls,
            env: options.env.clone(),
        };
        gateway.launch()?;
        Ok(gateway)
    }

    /// The gateway's process id.
    pub fn id(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::id)
    }

    /// Address of its API, `host:port`.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Port on loopback where it takes SSH clients.
    ///
    /// # Errors
    /// When no target is theirs.
    pub fn ssh(&self) -> Result<u16> {
        self.ssh.context("the gateway has no SSH target")
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The authority of its own certificate.
    pub fn ca(&self) -> PathBuf {
        self.data().join("tls").join("ca.pem")
    }

    /// Replaces the policy file; the gateway reloads it by itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_policy(&self, policy: &str) -> Result<()> {
        let fresh = self.home.path().join("policy.yaml.new");
        fs::write(&fresh, policy)?;
        fs::rename(&fresh, self.home.path().join("policy.yaml")).context("replace the policy")
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.home.path().join("sallyport.yaml")
    }

    /// Changes the configuration file; the gateway reloads what it can by itself.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn edit_config(&self, edit: impl FnOnce(&str) -> String) -> Result<()> {
        let path = self.config();
        let text = fs::read_to_string(&path).context("read the configuration")?;
        let fresh = self.home.path().join("sallyport.yaml.new");
        fs::write(&fresh, edit(&text))?;
        fs::rename(&fresh, path).context("replace the configuration")
    }

    /// The gateway's log so far.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// A way in as `role`, with a fresh token for `who`, to `database` of the target.
    ///
    /// # Errors
    /// When no token is given out.
    pub fn dsn(&self, who: &Who, role: &str, database: &str) -> Result<Dsn> {
        let token = self.token(who)?;
        Ok(self.dsn_with(&token, role, database))
    }

    /// A way in as `role` with a token that was made before.
    pub fn dsn_with(&self, token: &str, role: &str, database: &str) -> Dsn {
        Dsn {
            host: self.postgres.0.clone(),
            port: self.postgres.1,
            user: role.to_owned(),
            password: token.to_owned(),
            database: format!("{}/{database}", self.target),
            ca: self.tls.then(|| self.ca()),
        }
    }

    /// Makes a token of 12 hours for `who`.
    ///
    /// # Errors
    /// When the command line refuses or prints something else than a token.
    pub fn token(&self, who: &Who) -> Result<String> {
        self.token_for(who, &self.target)
    }

    /// Makes a token of 12 hours for `who`, good for one target.
    ///
    /// # Errors
    /// As [`Gateway::token`].
    pub fn token_for(&self, who: &Who, target: &str) -> Result<String> {
        let groups = who.groups.join(",");
        let mut args =
            vec!["token", "--as", &who.subject, "--kind", &who.kind, "--target", target, "--ttl", "12h", "--json"];
        if !groups.is_empty() {
            args.extend(["--groups", &groups]);
        }
        let text = self.cli(&args)?;
        let value: Value = serde_json::from_str(text.trim()).context("read the token")?;
        Ok(value.get("token").and_then(Value::as_str).context("an answer without `token`")?.to_owned())
    }

    /// Runs `sallyport --data-dir … ARGS` and gives its standard output.
    ///
    /// # Errors
    /// When it fails; the message carries what it said.
    pub fn cli(&self, args: &[&str]) -> Result<String> {
        output(&mut self.command(args), &format!("sallyport {}", args.first().copied().unwrap_or_default()))
    }

    /// The command line of [`Gateway::cli`], for callers that want its status as well.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--data-dir").arg(self.data()).args(args);
        command
    }

    /// Kills it without warning (SIGKILL).
    ///
    /// # Errors
    /// When it is not running.
    pub fn kill9(&mut self) -> Result<()> {
        self.running.take().context("the gateway is not running")?.kill9()
    }

    /// Stops it in an orderly way; its data stays.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same configuration and data. Its ports may change.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        self.running = None;
        self.launch()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("gateway.log")
    }

    fn launch(&mut self) -> Result<()> {
        let listen = self.data().join("listen.json");
        let _ = fs::remove_file(&listen);
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(self.home.path().join("sallyport.yaml"));
        command.env("APP_PW", APP_PASSWORD).env("SUPERUSER_PW", SUPERUSER_PASSWORD).current_dir(self.home.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let mut running = Running::start(command, &self.log_path(), Signal::TERM, "the gateway")?;
        let mut ports = None;
        let ready = wait_for("the gateway", Duration::from_secs(30), || {
            if let Some(status) = running.ended()? {
                bail!("the gateway ended at once with {status}");
            }
            ports = read_listen(&listen);
            Ok(ports.as_ref().is_some_and(|(postgres, _)| answers(postgres)))
        });
        if let Err(error) = ready {
            return Err(error.context(format!("the gateway's log ends with:\n{}", tail(&self.log(), 25))));
        }
        let ((host, port), api) = ports.context("the gateway did not say where it listens")?;
        // Its certificate names localhost; an address in listen.json would not be in it.
        self.postgres = if self.tls { ("localhost".to_owned(), port) } else { (host, port) };
        self.api = api;
        self.ssh = ssh_port(&listen);
        self.running = Some(running);
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.running = None;
        if std::thread::panicking() || std::env::var_os("KIT_SHOW_LOGS").is_some() {
            let text = format!("--- the gateway's log ends with:\n{}", tail(&self.log(), 60));
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        }
    }
}

/// The gateway's binary: `$SALLYPORT_BIN`, or the one beside the running test program.
///
/// # Errors
/// When it is not built.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SALLYPORT_BIN") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe().context("find the test program")?;
    // target/fast/suite, target/fast/deps/suite-…, target/fast/examples/…
    let found = own.ancestors().skip(1).take(3).map(|dir| dir.join("sallyport")).find(|path| path.is_file());
    found.context("the gateway is not built: `cargo build --profile fast -p sallyport`, or set SALLYPORT_BIN")
}

fn answers(address: &(String, u16)) -> bool {
    let dsn = Dsn {
        host: address.0.clone(),
        port: address.1,
        user: String::new(),
        password: String::new(),
        database: String::new(),
        ca: None,
    };
    dial(&dsn).is_ok()
}

fn read_listen(path: &Path) -> Option<((String, u16), String)> {
    let value: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let (host, port) = value.get("postgres")?.as_str()?.rsplit_once(':')?;
    let api = value.get("api").and_then(Value::as_str).unwrap_or_default();
    Some(((host.to_owned(), port.parse().ok()?), api.to_owned()))
}

fn ssh_port(path: &Path) -> Option<u16> {
    let value: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    value.get("ssh")?.as_str()?.rsplit_once(':')?.1.parse().ok()
}

fn config(home: &Path, options: &Options) -> String {
    let mut text = format!(
        "data_dir: {}\nlisten: {{ postgres: \"127.0.0.1:0\", ssh: \"127.0.0.1:0\", api: \"127.0.0.1:0\" }}\npolicy: policy.yaml\n{}targets:\n  \
         - name: {}\n    kind: postgres\n    address: 127.0.0.1:{}\n    labels: {{ env: prod }}\n    database: {}\n    \
         tls: disable\n{}    default_role: app\n    roles:\n      app: {{ user: app, password: {{ env: APP_PW }} }}\n",
        home.join("data").display(),
        options.extra,
        options.target,
        options.server,
        options.database,
        options.options.lines().map(|line| format!("    {line}\n")).collect::<String>(),
    );
    // Under both names: what the corpus calls it, and what upstream suites connect as.
    for role in ["superuser", "postgres"] {
        text.push_str(&format!("      {role}: {{ user: postgres, password: {{ env: SUPERUSER_PW }} }}\n"));
    }
    text.push_str(&options.targets);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_the_target_and_its_roles() {
        let text = config(Path::new("/x"), &Options::new(5432, "app", "rules: []"));
        assert!(text.contains("  - name: orders-db\n    kind: postgres\n    address: 127.0.0.1:5432\n"));
        assert_eq!(text.matches(": { user: ").count(), 3);
    }
}
