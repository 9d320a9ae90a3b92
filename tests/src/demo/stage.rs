//! What the demo plays on: the server with its data, the gateway with its policy, an agent and a human.

use anyhow::{Context, Result, bail};

use super::shell::{Shell, quoted};
use crate::kit::dsn::Dsn;
use crate::kit::gateway::{self, Gateway, TARGET, Who};
use crate::kit::postgres::{APP, Options, Server};
use crate::kit::process::tail;
use crate::kit::wire::Wire;

const DATA: &str = include_str!("data.sql");
const POLICY: &str = include_str!("policy.yaml");
/// The database behind the target.
const DATABASE: &str = "shop";
/// What must never be seen by the agent.
const SECRETS: &str = "SELECT unnest(ARRAY[email, ssn, card]) FROM customers";

/// Everything that runs.
pub(super) struct Stage {
    // Dropped in this order: the gateway first, so that its sessions end in order.
    gateway: Gateway,
    server: Server,
    pub(super) shell: Shell,
    /// Names and values that a user would export, in order.
    exports: Vec<(String, String)>,
}

impl Stage {
    /// Starts all of it.
    pub(super) fn start() -> Result<Self> {
        let server = Server::start(&Options::default())?;
        server.sql("postgres", &format!("CREATE DATABASE {DATABASE} OWNER {APP}"))?;
        server.sql(DATABASE, &format!("ALTER SCHEMA public OWNER TO {APP}"))?;
        Wire::login(&server.app(DATABASE))?.rows(DATA).context("fill the demo's database")?;
        let gateway = Gateway::start(&gateway::Options::new(server.port(), DATABASE, POLICY))?;
        let agent = gateway.token(&Who::agent("agent-7"))?;
        let human = gateway.cli(&[
            "token",
            "--as",
            "alice",
            "--kind",
            "human",
            "--groups",
            "dba",
            "--target",
            "sallyport",
            "--ttl",
            "8h",
            "--quiet",
        ])?;
        let way = Dsn { database: TARGET.to_owned(), ..gateway.dsn_with(&agent, APP, DATABASE) };
        let mut exports: Vec<(String, String)> =
            way.env().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        exports.push(("ALICE".to_owned(), human.trim().to_owned()));
        exports.push(("SALLYPORT_DATA_DIR".to_owned(), gateway.data().display().to_string()));
        // `sallyport` is typed as anyone would type it, wherever it was built.
        let home =
            tempfile::Builder::new().prefix("sallyport-demo-").tempdir().context("make a directory for the demo")?;
        let binary = std::path::absolute(gateway::binary()?)?;
        std::os::unix::fs::symlink(binary, home.path().join("sallyport"))?;
        Ok(Self { gateway, server, shell: Shell::new(exports.clone(), home), exports })
    }

    /// The first column of the first row that the server itself gives, past the gateway.
    pub(super) fn truth(&self, sql: &str) -> Result<String> {
        self.server.admin(DATABASE)?.value(sql)
    }

    /// Every e-mail address, social security number and card number that the server holds.
    pub(super) fn secrets(&self) -> Result<Vec<String>> {
        let rows = self.server.sql(DATABASE, SECRETS)?;
        let secrets: Vec<String> = rows.into_iter().flatten().flatten().collect();
        if secrets.is_empty() {
            bail!("the demo's database is empty");
        }
        Ok(secrets)
    }

    /// The end of the gateway's log.
    pub(super) fn log_end(&self) -> String {
        tail(&self.gateway.log(), 15)
    }

    /// Prints how a terminal gets to the agent's and the human's place.
    pub(super) fn print_exports(&self) {
        println!("export PATH={}:$PATH", quoted(&self.shell.home().display().to_string()));
        for (name, value) in &self.exports {
            if name != "PGCONNECT_TIMEOUT" {
                println!("export {name}={}", quoted(value));
            }
        }
    }

    /// Prints what can be typed now.
    pub(super) fn invite(&self) {
        println!("\nAll of it stays up until Ctrl-C. In another terminal:\n");
        self.print_exports();
        println!(
            "
psql                                                              # agent-7, with any PostgreSQL client
psql -c \"UPDATE orders SET status = 'paid' WHERE id = 8\"          # waits for alice
sallyport approvals ls
sallyport --token \"$ALICE\" approvals approve ID --reason \"...\"
sallyport sessions ls
sallyport sessions replay last
sallyport sessions verify"
        );
        println!("\nThe API: http://{}", self.gateway.api());
    }
}
