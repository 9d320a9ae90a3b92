//! PostgreSQL's clients. Each gets an empty database and finds its way by libpq's variables. Clients without TLS of their own
//! (`Client::clear`) connect in clear text, which is the other half of the login: SCRAM instead of a password in TLS.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Plan, Ran, checks, python, scripts, tool};
use crate::kit::dsn::Dsn;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{APP, Options, Server};

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

/// What `--list` says and `--only` takes.
pub(super) fn names() -> Vec<&'static str> {
    CLIENTS.iter().map(|client| client.name).collect()
}

/// Runs those that are wanted, and says what came of each as soon as it is known.
pub(super) fn run(plan: &Plan, all: &mut Vec<Ran>) -> Result<()> {
    let server = Server::start(&Options::default())?;
    let gateways = if plan.direct { None } else { Some((behind(&server, true)?, behind(&server, false)?)) };
    for client in CLIENTS.iter().filter(|client| plan.wants(client.name)) {
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
        let person = if plan.direct { PLAIN } else { MASKED };
        let mut command = (client.command)()?;
        command.envs(["SUITE_EMAIL", "SUITE_BORN", "SUITE_NOTE"].into_iter().zip(person)).envs(dsn.env());
        // Where dumps are restored: the bare server, so that what was dumped is judged without the gateway.
        for (name, value) in server.app(&format!("{database}_restored")).env() {
            command.env(format!("RESTORE_{name}"), value);
        }
        all.push(checks(client.name, &mut command)?);
    }
    Ok(())
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
