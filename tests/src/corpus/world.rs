//! The world of the cases: a server with the fixture, made anew for each case, and the gateway with a key's policy.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::case::Case;
use super::judge::{Facts, Judged, judge};
use super::play::{Played, Stage, play};
use crate::kit::dsn::Dsn;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{Options, Server};
use crate::kit::process::wait_for;
use crate::kit::wire::Wire;

/// What a case may change outside of its own database. Compared before and after each case.
const CLUSTER: &str = "SELECT md5(concat_ws('|',
    (SELECT string_agg(r::text, ',' ORDER BY oid) FROM pg_authid r),
    (SELECT string_agg(concat_ws('/', roleid, member, admin_option), ',' ORDER BY roleid, member) FROM pg_auth_members),
    (SELECT string_agg(s::text, ',' ORDER BY setrole) FROM pg_db_role_setting s WHERE setdatabase = 0),
    (SELECT string_agg(spcname, ',' ORDER BY oid) FROM pg_tablespace),
    (SELECT string_agg(slot_name, ',' ORDER BY slot_name) FROM pg_replication_slots),
    (SELECT string_agg(concat_ws('=', name, setting), ',' ORDER BY seqno) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'),
    (SELECT string_agg(datname || coalesce(datacl::text, ''), ',' ORDER BY datname) FROM pg_database WHERE datname <> 'app')))";

/// The values that masking covers, in the spellings in which they are most likely to leave.
const SECRETS: &str = "SELECT DISTINCT form FROM (SELECT unnest(ARRAY[email, ssn, card::text]) AS v FROM customers) t,
    LATERAL unnest(ARRAY[v, reverse(v), md5(v), encode(sha224(v::bytea), 'hex'), encode(sha256(v::bytea), 'hex'),
        encode(sha384(v::bytea), 'hex'), encode(sha512(v::bytea), 'hex'), encode(v::bytea, 'hex'), encode(v::bytea, 'base64'),
        replace(v, '-', '')]) AS form WHERE v IS NOT NULL";

/// The key of cases about how much is used.
const BUDGET: &str = "budget";
/// More rows than a budget allows: the fixture has two.
const MANY: &str = "INSERT INTO orders SELECT n, 1, n, 'shipped', 'no', NULL FROM generate_series(3, 3000) n";

/// A statement whose text `pg_stat_statements` keeps as it is, value and all.
const PLANTED: &str = "DO $$ BEGIN PERFORM 1 FROM customers WHERE email = 'alice@example.com'; END $$";

/// The world.
pub struct World {
    server: Server,
    fixture: String,
    cluster: String,
    secrets: Vec<String>,
    gateway: Option<Behind>,
}

struct Behind {
    gateway: Gateway,
    token: String,
    policy: String,
}

impl World {
    /// Starts a server and makes the template of all cases from the fixture.
    ///
    /// # Errors
    /// When the server does not start or the fixture does not load.
    pub fn start(fixture: &Path) -> Result<Self> {
        let fixture = std::fs::read_to_string(fixture).with_context(|| format!("read {}", fixture.display()))?;
        let server = new_server(&fixture)?;
        let mut world = Self { server, fixture, cluster: String::new(), secrets: Vec::new(), gateway: None };
        world.fresh()?;
        world.cluster = world.server.admin("postgres")?.value(CLUSTER)?;
        world.secrets = world.server.sql("app", SECRETS)?.into_iter().flatten().flatten().collect();
        Ok(world)
    }

    /// From now on cases are played against the bare server.
    pub fn behind_nothing(&mut self) {
        self.gateway = None;
    }

    /// From now on cases are played through a gateway with this policy.
    ///
    /// # Errors
    /// When the gateway does not start or gives no token.
    pub fn behind(&mut self, policy: &str) -> Result<()> {
        self.gateway = None;
        self.fresh()?;
        let gateway = Gateway::start(&gateway::Options::new(self.server.port(), "app", policy))?;
        let token = gateway.token(&Who::agent("agent-7"))?;
        self.gateway = Some(Behind { gateway, token, policy: policy.to_owned() });
        Ok(())
    }

    /// Plays one case in a fresh world and judges it.
    ///
    /// # Errors
    /// When the case cannot be played at all.
    pub fn run(&mut self, case: &Case) -> Result<Judged> {
        self.fresh()?;
        if case.key == BUDGET {
            self.server.sql("app", MANY)?;
            // What one token may use in all is used up by one case.
            if let Some(behind) = &mut self.gateway {
                behind.token = behind.gateway.token(&Who::agent("agent-7"))?;
            }
        }
        if let Some(path) = &case.oracle.file_written {
            let _ = std::fs::remove_file(path);
        }
        let from = self.server.log_length()?;
        let stage = Stage { dsn: self.dsn(case.conditions.superuser), server: &self.server };
        let played = play(case, &stage)?;
        let facts = self.facts(case, &played, from)?;
        let judged = judge(case, &played, &facts)?;
        if let Some(path) = &case.oracle.file_written {
            let _ = std::fs::remove_file(path);
        }
        self.repair()?;
        Ok(judged)
    }

    fn dsn(&self, superuser: bool) -> Dsn {
        match (&self.gateway, superuser) {
            (None, false) => self.server.app("app"),
            (None, true) => self.server.superuser("app"),
            (Some(behind), false) => behind.gateway.dsn_with(&behind.token, "app", "app"),
            (Some(behind), true) => behind.gateway.dsn_with(&behind.token, "superuser", "app"),
        }
    }

    fn facts(&self, case: &Case, played: &Played, from: u64) -> Result<Facts> {
        let mut admin = self.server.admin("app")?;
        // A client that went away may have left its statement running.
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND state = 'active' AND pid <> pg_backend_pid()";
        let _ = wait_for("the server's quiet", Duration::from_secs(5), || Ok(admin.value(busy)? == "0"));
        let query = case.oracle.true_after_bypass.as_ref().map(|sql| match admin.rows(sql) {
            Ok(rows) => {
                Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()).as_deref() == Some("t"))
            }
            Err(error) => Err(format!("{error:#}")),
        });
        let log = self.server.log()?;
        let log = log.get(usize::try_from(from)?..).unwrap_or(&log);
        let reached = played.replies.iter().map(|reply| reply.texts.iter().any(|text| logged(log, text))).collect();
        let said: Vec<u8> = played.replies.iter().flat_map(|reply| reply.texts.concat()).collect();
        let said = String::from_utf8_lossy(&said).to_lowercase();
        // What the client itself wrote may come back to it.
        let secrets = self.secrets.iter().filter(|secret| !said.contains(&secret.to_lowercase())).cloned().collect();
        let file = case.oracle.file_written.as_ref().is_some_and(|path| Path::new(path).exists());
        Ok(Facts { query, file, reached, secrets })
    }

    /// The database `app`, as the fixture makes it.
    fn fresh(&self) -> Result<()> {
        let mut admin = self.server.admin("postgres")?;
        admin.rows("DROP DATABASE IF EXISTS app WITH (FORCE)").context("remove the last case's database")?;
        admin.rows("CREATE DATABASE app TEMPLATE app_template OWNER app").context("make the case's database")?;
        // Other people's statements, with their values, as any busy server has them.
        Wire::login(&self.server.superuser("app"))?.rows("SELECT pg_stat_statements_reset()")?;
        Wire::login(&self.server.app("app"))?.rows(PLANTED).context("plant a statement with a value")?;
        Ok(())
    }

    /// After a case that changed more than its own database, everything is made anew.
    fn repair(&mut self) -> Result<()> {
        let now = self.server.admin("postgres").and_then(|mut admin| admin.value(CLUSTER));
        if now.is_ok_and(|now| now == self.cluster) {
            return Ok(());
        }
        self.server = new_server(&self.fixture)?;
        self.fresh()?;
        self.cluster = self.server.admin("postgres")?.value(CLUSTER)?;
        match self.gateway.take() {
            Some(behind) => self.behind(&behind.policy),
            None => Ok(()),
        }
    }
}

fn new_server(fixture: &str) -> Result<Server> {
    let preload = ("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned());
    // A world of a few rows: what an attack writes must not make the machine slow.
    let limit = ("temp_file_limit".to_owned(), "256MB".to_owned());
    let server = Server::start(&Options { log_statements: true, durable: false, settings: vec![preload, limit] })?;
    server.load_fixture(fixture)?;
    server.sql("postgres", "ALTER DATABASE app RENAME TO app_template")?;
    Ok(server)
}

/// Whether the server's log shows this text as a statement of a client (not, say, inside an EXPLAIN of the gateway's own).
fn logged(log: &str, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let line = text.trim_start_matches(['\n', '\r']).lines().next().unwrap_or_default();
    let line: String = line.chars().take(120).collect();
    if line.trim().is_empty() {
        return false;
    }
    log.lines().any(|entry| match entry.find(&line) {
        Some(at) => {
            let before = entry.get(..at).unwrap_or_default();
            before.ends_with("statement: ")
                || before.ends_with("STATEMENT:  ")
                || (before.ends_with(": ") && before.contains(" execute "))
        }
        None => false,
    })
}
