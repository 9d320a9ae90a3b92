//! Stock clients through a way in: the bare server, or the gateway with rules, masks and recording on.
//!
//! Each client is a program of its own (`tests/clients/`, `tests/examples/`) that prints `ok NAME` or `not ok NAME: why`
//! per check. It gets an empty database and finds its way by libpq's variables. Clients without TLS of their own
//! (`Client::clear`) connect in clear text, which is the other half of the login: SCRAM instead of a password in TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::corpus::report::aligned;
use crate::kit::args::Args;
use crate::kit::dsn::Dsn;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{APP, Options, Server};
use crate::kit::process::{bounded, find, tail};

/// What `suite clients --help` prints.
pub const HELP: &str = "\
suite clients [--direct] [--only NAME]... [--list]

Runs stock clients through the gateway (or, with --direct, against the bare server) and prints what does not work.
Status 0 only when every check of every client says ok.

  --direct      no gateway
  --only NAME   only this client; may be repeated
  --list        name the clients";

/// Everything is allowed and recorded: what differs from the bare server is the gateway's fault.
pub const ALLOW_ALL: &str =
    "rules:\n  - name: everything\n    who: { groups: [agents] }\n    do: any\n    then: allow\n";

/// What the clients work under: everything is allowed but one table, people's columns are masked, cards wherever they are.
const RULES: &str = "\
rules:
  - name: work
    who: { groups: [agents] }
    do: any
    then: allow
  - name: no secrets
    who: any
    do: any
    objects: [public.payroll]
    then: deny
    message: \"payroll is for people\"
masks:
  - name: e-mail addresses
    who: any
    columns: [public.people.email]
    detect: [card, iban, ssn, jwt, secret]
    with: partial
    notifications: allow
  - name: dates of birth
    who: any
    columns: [public.people.born]
    with: null
    notifications: allow
";

/// The table whose columns are masked, and one that nobody may read: the bare server refuses it as the gateway does.
const PEOPLE: &str = "
CREATE TABLE people(id int PRIMARY KEY, name text, email text, born date, note text);
INSERT INTO people SELECT n, 'name ' || n, 'ada' || n || '@example.com', '1990-01-02', 'card 4111111111111111 on file' FROM generate_series(1, 3) n;
CREATE TABLE payroll(id int, salary int);
GRANT ALL ON people TO app";

/// How the second of `people` looks to a client: e-mail address, date of birth, note.
const PLAIN: [&str; 3] = ["ada2@example.com", "1990-01-02", "card 4111111111111111 on file"];
/// The same behind the masks.
const MASKED: [&str; 3] = ["a***@example.com", "", "card 411111******1111 on file"];

/// How long one client may take in all.
const LIMIT: Duration = Duration::from_secs(420);

struct Client {
    name: &'static str,
    /// Connects in clear text.
    clear: bool,
    command: fn() -> Result<Command>,
}

const CLIENTS: [Client; 11] = [
    Client { name: "psql", clear: false, command: || python("psql.py") },
    Client { name: "pgbench", clear: false, command: || python("pgbench.py") },
    Client { name: "dump", clear: false, command: || python("dump.py") },
    Client { name: "psycopg", clear: false, command: || python("client_psycopg.py") },
    Client { name: "asyncpg", clear: false, command: || python("client_asyncpg.py") },
    Client { name: "sqlalchemy", clear: false, command: || python("client_sqlalchemy.py") },
    Client { name: "django", clear: false, command: || python("client_django.py") },
    Client { name: "node", clear: false, command: node },
    Client { name: "jdbc", clear: false, command: java },
    Client { name: "tokio-postgres", clear: true, command: || example("client_tokio_postgres") },
    Client { name: "sqlx", clear: true, command: || example("client_sqlx") },
];

struct Ran {
    name: &'static str,
    ok: usize,
    failed: Vec<String>,
    seconds: f64,
}

/// Runs `suite clients` and gives the status to exit with.
///
/// # Errors
/// When server or gateway do not start, or a client's program is missing.
pub fn main(mut args: Args) -> Result<i32> {
    if args.flag("--list") {
        CLIENTS.iter().for_each(|client| println!("{}", client.name));
        return Ok(0);
    }
    let direct = args.flag("--direct");
    // Said for symmetry; it is what happens without --direct.
    args.flag("--gateway");
    let mut only = Vec::new();
    while let Some(name) = args.option("--only")? {
        if !CLIENTS.iter().any(|client| client.name == name) {
            bail!("no client {name:?}; --list names them");
        }
        only.push(name);
    }
    args.finish()?;
    let server = Server::start(&Options::default())?;
    let gateways = if direct { None } else { Some((behind(&server, true)?, behind(&server, false)?)) };
    let mut all = Vec::new();
    for client in CLIENTS.iter().filter(|client| only.is_empty() || only.iter().any(|name| name == client.name)) {
        let database = format!("client_{}", client.name.replace('-', "_"));
        for name in [database.clone(), format!("{database}_restored")] {
            server.sql("postgres", &format!("CREATE DATABASE {name} OWNER app"))?;
        }
        server.sql(&database, PEOPLE)?;
        let dsn = match &gateways {
            None => direct_dsn(&server, &database, client.clear),
            Some((tls, clear)) => {
                let gateway = if client.clear { clear } else { tls };
                gateway.dsn(&Who::agent(client.name), APP, &database)?
            }
        };
        let person = if direct { PLAIN } else { MASKED };
        let ran = run(client, &dsn, &server.app(&format!("{database}_restored")), person)?;
        println!("{:<16} {:>3} ok  {:>2} not ok  {:>6.1} s", ran.name, ran.ok, ran.failed.len(), ran.seconds);
        all.push(ran);
    }
    report(&all);
    Ok(i32::from(all.iter().any(|ran| !ran.failed.is_empty())))
}

fn behind(server: &Server, tls: bool) -> Result<Gateway> {
    Gateway::start(&gateway::Options { tls, ..gateway::Options::new(server.port(), "postgres", RULES) })
}

fn direct_dsn(server: &Server, database: &str, clear: bool) -> Dsn {
    let dsn = server.app(database);
    if clear {
        return dsn;
    }
    Dsn { host: "localhost".to_owned(), ca: Some(server.ca()), ..dsn }
}

fn run(client: &Client, dsn: &Dsn, restore: &Dsn, person: [&str; 3]) -> Result<Ran> {
    let mut command = (client.command)()?;
    command.envs(["SUITE_EMAIL", "SUITE_BORN", "SUITE_NOTE"].into_iter().zip(person));
    command.envs(dsn.env()).env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    // Where dumps are restored: the bare server, so that what was dumped is judged without the gateway.
    for (name, value) in restore.env() {
        command.env(format!("RESTORE_{name}"), value);
    }
    let start = Instant::now();
    let (status, text) = bounded(&mut command, LIMIT, client.name)?;
    let ok = text.lines().filter(|line| line.starts_with("ok ")).count();
    let mut failed: Vec<String> =
        text.lines().filter_map(|line| line.strip_prefix("not ok ")).map(str::to_owned).collect();
    match status {
        None => failed.push(format!("(the client): no end within {LIMIT:?}:\n{}", tail(&text, 5))),
        Some(status) if !status.success() && failed.is_empty() => {
            failed.push(format!("(the client): ended with {status}:\n{}", tail(&text, 12)));
        }
        Some(_) if ok == 0 && failed.is_empty() => failed.push("(the client): no check ran".to_owned()),
        Some(_) => {}
    }
    Ok(Ran { name: client.name, ok, failed, seconds: start.elapsed().as_secs_f64() })
}

fn report(all: &[Ran]) {
    let mut rows = vec![["client", "ok", "not ok", "seconds"].map(str::to_owned).to_vec()];
    for ran in all {
        rows.push(vec![
            ran.name.to_owned(),
            ran.ok.to_string(),
            ran.failed.len().to_string(),
            format!("{:.1}", ran.seconds),
        ]);
    }
    println!();
    aligned(&rows);
    for ran in all {
        for failed in &ran.failed {
            println!("not ok: {}: {failed}", ran.name);
        }
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn tool(variable: &str, program: &str) -> Result<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    given.or_else(|| find(program, &[])).with_context(|| format!("{program} is missing: `cargo xtask ensure clients`"))
}

fn python(script: &str) -> Result<Command> {
    let mut command = Command::new(tool("SUITE_PYTHON", "python3")?);
    command.arg(scripts().join(script));
    Ok(command)
}

fn node() -> Result<Command> {
    let mut command = Command::new(tool("NODE", "node")?);
    command.arg(scripts().join("client_node.js"));
    Ok(command)
}

fn java() -> Result<Command> {
    let jar = Path::new("/usr/share/java/postgresql.jar");
    if !jar.is_file() {
        bail!("pgjdbc is missing: `cargo xtask ensure clients` (Debian: libpostgresql-jdbc-java)");
    }
    let mut command = Command::new(tool("JAVA", "java")?);
    command.arg("-cp").arg(jar).arg(scripts().join("ClientJdbc.java"));
    Ok(command)
}

fn example(name: &str) -> Result<Command> {
    let own = std::env::current_exe().context("find the test program")?;
    let beside = own.parent().map(|dir| dir.join("examples").join(name)).filter(|path| path.is_file());
    let given =
        std::env::var_os("SUITE_EXAMPLES").map(|dir| PathBuf::from(dir).join(name)).filter(|path| path.is_file());
    let program = given.or(beside);
    Ok(Command::new(
        program.with_context(|| {
            format!("{name} is not built: `cargo build --profile fast -p sallyport-tests --examples`")
        })?,
    ))
}
