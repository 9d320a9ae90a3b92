//! The server and what stands before it: nothing, pgbouncer, the gateway.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use sallyport_tests::clients::ALLOW_ALL;
use sallyport_tests::kit::dsn::Dsn;
use sallyport_tests::kit::gateway::{self, Gateway, Who};
use sallyport_tests::kit::postgres::{APP, APP_PASSWORD, Options, Server};
use sallyport_tests::kit::process::{Account, Running, TERM, find, free_port, output, wait_for};
use sallyport_tests::kit::wire::Wire;

use crate::Plan;

/// The database that is measured.
pub(crate) const DATABASE: &str = "bench";

/// Masks that are loaded while other tables are measured: every command is judged under its names, every result has its columns looked up.
const MASKS: &str = "masks:\n  - name: people\n    who: { groups: [agents] }\n    columns: [\"public.people.email\", \"*.card\"]\n    with: redact\n";

/// One way to the server.
pub(crate) struct Way {
    /// `direct`, `pgbouncer` or `gateway`.
    pub(crate) name: &'static str,
    /// How to connect.
    pub(crate) dsn: Dsn,
    /// The proxy's process, if there is one.
    pub(crate) pid: Option<u32>,
}

/// What is measured.
pub(crate) struct World {
    server: Server,
    bouncer: (Running, u16),
    gateway: Option<(Gateway, String)>,
    use_gateway: bool,
}

impl World {
    /// Starts the server, fills it, and starts the proxies.
    ///
    /// # Errors
    /// When one of them does not start.
    pub(crate) fn start(plan: &Plan) -> Result<Self> {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings =
            vec![setting("shared_buffers", "512MB"), setting("max_wal_size", "4GB"), setting("autovacuum", "off")];
        let server = Server::start(&Options { settings, ..Options::default() })?;
        server.sql("postgres", &format!("CREATE DATABASE {DATABASE} OWNER app"))?;
        let mut init = Command::new(server.bin().join("pgbench"));
        init.args(["-i", "-q", "-s", &plan.scale.to_string()]).envs(server.app(DATABASE).env());
        output(&mut init, "pgbench -i")?;
        let bouncer = bouncer(&server)?;
        let gateway =
            if plan.gateway { Some(gateway_with(&server, &format!("{ALLOW_ALL}{MASKS}"), false)?) } else { None };
        Ok(Self { server, bouncer, gateway, use_gateway: plan.gateway })
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// All ways, direct first; with TLS on the client's side of each, or without.
    pub(crate) fn ways(&self, tls: bool) -> Vec<Way> {
        let secured = |dsn: Dsn, ca: std::path::PathBuf| {
            if tls { Dsn { host: "localhost".to_owned(), ca: Some(ca), ..dsn } } else { dsn }
        };
        let direct = secured(self.server.app(DATABASE), self.server.ca());
        let mut ways = vec![Way { name: "direct", dsn: direct.clone(), pid: None }];
        let dsn = Dsn { port: self.bouncer.1, ..direct };
        ways.push(Way { name: "pgbouncer", dsn, pid: Some(self.bouncer.0.id()) });
        if let Some((gateway, token)) = &self.gateway {
            let dsn = secured(gateway.dsn_with(token, APP, DATABASE), gateway.ca());
            ways.push(Way { name: "gateway", dsn, pid: Some(gateway.id()) });
        }
        ways
    }

    /// A gateway of its own with another policy, and the way through it; `None` when gateways are left out.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn another(&self, policy: &str, tls: bool) -> Result<Option<(Gateway, Way)>> {
        if !self.use_gateway {
            return Ok(None);
        }
        let (gateway, token) = gateway_with(&self.server, policy, tls)?;
        let way = Way { name: "gateway", dsn: gateway.dsn_with(&token, APP, DATABASE), pid: Some(gateway.id()) };
        Ok(Some((gateway, way)))
    }
}

fn gateway_with(server: &Server, policy: &str, tls: bool) -> Result<(Gateway, String)> {
    let gateway = Gateway::start(&gateway::Options { tls, ..gateway::Options::new(server.port(), DATABASE, policy) })?;
    let token = gateway.token(&Who::agent("bench"))?;
    Ok((gateway, token))
}

/// pgbouncer in session mode, which is what a gateway with a server connection per session compares with.
fn bouncer(server: &Server) -> Result<(Running, u16)> {
    let program =
        find("pgbouncer", &["/usr/sbin".into()]).context("pgbouncer is missing: `cargo xtask ensure bench`")?;
    let (home, port) = (server.home().join("pgbouncer"), free_port()?);
    fs::create_dir_all(&home)?;
    fs::write(home.join("users.txt"), format!("\"{APP}\" \"{APP_PASSWORD}\"\n"))?;
    let config = format!(
        "[databases]\n{DATABASE} = host=127.0.0.1 port={0} dbname={DATABASE}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {1}/users.txt\npool_mode = session\n\
         client_tls_sslmode = allow\nclient_tls_key_file = {2}\nclient_tls_cert_file = {3}\nmax_client_conn = 1200\ndefault_pool_size = 1100\nserver_reset_query =\nlog_connections = 0\nlog_disconnections = 0\n",
        server.port(),
        home.display(),
        server.home().join("server.key").display(),
        server.ca().display(),
    );
    fs::write(home.join("pgbouncer.ini"), config)?;
    let account = Account::for_servers()?;
    for file in ["users.txt", "pgbouncer.ini"] {
        let path = home.join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Account::give(account, &path)?;
    }
    Account::give(account, &home)?;
    let mut command = Account::command(account, &program);
    command.arg(home.join("pgbouncer.ini"));
    let running = Running::start(command, Path::new(&home.join("pgbouncer.log")), TERM, "pgbouncer")?;
    let dsn = Dsn { port, ..server.app(DATABASE) };
    wait_for("pgbouncer", Duration::from_secs(10), || Ok(Wire::login(&dsn).is_ok()))?;
    Ok((running, port))
}
