//! The world of the queries: tables with secrets in masked columns, and everything that can stand between a column and a result.

use anyhow::{Context, Result};

use super::secrets::Secrets;
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{Options, Server};

/// How values are masked; each has connections of its own.
pub(super) const STYLES: [&str; 6] = ["redact", "partial", "token", "hash", "null", "fixed"];
/// Rows per table: few, so that joins of many stay small.
const ROWS: usize = 5;

/// Every name in it is without the letters of secrets, because names come back in results.
const SCHEMA: &str = "
CREATE TYPE mood AS ENUM (MOODS);
CREATE TYPE address AS (street text, code int);
CREATE DOMAIN mail AS varchar(60);
CREATE TABLE people(id int PRIMARY KEY, grp text, label text, amount int, day date, s_name text, s_mail mail, s_short varchar(40),
    s_int int, s_big bigint, s_num numeric, s_real float8, s_born date, s_seen timestamptz, s_uid uuid, s_doc jsonb,
    s_tags text[], s_raw bytea, s_addr address, s_mood mood, s_odd text);
CREATE TABLE accounts(id int PRIMARY KEY, person int REFERENCES people(id), grp text, label text, amount int, s_name text, s_big bigint,
    loud text GENERATED ALWAYS AS (upper(s_name)) STORED, double bigint GENERATED ALWAYS AS (s_big + 1) STORED, s_doc json);
CREATE TABLE events(id int, grp text, amount int, s_name text, s_seen timestamptz) PARTITION BY RANGE (id);
CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (3);
CREATE TABLE events_high(s_seen timestamptz, id int, s_name text, grp text, amount int);
ALTER TABLE events ATTACH PARTITION events_high FOR VALUES FROM (3) TO (100);
CREATE TABLE papers(id int, label text, s_name text, s_doc jsonb);
CREATE TABLE papers_old(s_more text) INHERITS (papers);
CREATE TABLE ledger(id int PRIMARY KEY, label text, amount int, s_name text, s_int int);
CREATE TABLE things(id int PRIMARY KEY, grp text, label text, amount int, day date, tags text[], doc jsonb, place address);
CREATE TABLE bits(id int, label text, amount int, at timestamptz);
CREATE VIEW v_people AS SELECT id, grp, label, s_name AS contact, upper(s_mail::text) AS loud, s_int AS number, s_born FROM people;
CREATE VIEW v_over AS SELECT v.id, v.contact AS name, a.label, a.double, v.number + 1 AS after_it FROM v_people v JOIN accounts a USING (id);
CREATE VIEW v_sums AS SELECT grp, count(*) AS many, array_agg(s_name ORDER BY id) AS names, max(s_big) AS top, jsonb_agg(s_doc) AS docs
    FROM people GROUP BY grp;
CREATE VIEW v_both AS SELECT id, label, s_name AS name FROM people UNION ALL SELECT id, label, loud FROM accounts
    UNION SELECT id, label, s_name FROM papers;
CREATE VIEW v_rows AS SELECT p.id, p AS whole, row_to_json(p) AS doc FROM people p;
CREATE VIEW v_things AS SELECT id, grp, label, amount * 2 AS twice, tags FROM things;
CREATE MATERIALIZED VIEW m_people AS SELECT id, label, s_name AS name, s_tags AS tags, s_uid FROM people;
";

const MASKED: [&str; 6] = [
    "public.people.s_*",
    "public.accounts.s_*",
    "public.events.s_*",
    "public.papers.s_*",
    "public.papers_old.s_more",
    "public.ledger.s_*",
];

/// The server with its secrets, and the gateway before it.
pub(super) struct World {
    /// The bare server.
    pub(super) server: Server,
    /// The gateway.
    pub(super) gateway: Gateway,
    /// A token for each of [`STYLES`].
    pub(super) tokens: Vec<String>,
    /// What must not come back.
    pub(super) secrets: Secrets,
}

impl World {
    /// Starts the server, plants the secrets of `seed`, and starts the gateway.
    ///
    /// # Errors
    /// When one of them does not start.
    pub(super) fn start(seed: u64) -> Result<Self> {
        // Results are compared, so nothing may change a plan in the middle; an enormous join must not make the machine slow.
        let settings = [
            ("autovacuum", "off"),
            ("max_parallel_workers_per_gather", "0"),
            ("jit", "off"),
            ("statement_timeout", "10s"),
            ("temp_file_limit", "256MB"),
            ("log_min_messages", "fatal"),
            ("log_min_error_statement", "panic"),
        ];
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let server = Server::start(&Options { settings, ..Options::default() })?;
        server.sql("postgres", "CREATE DATABASE app OWNER app")?;
        let mut secrets = Secrets::new(seed);
        let mut admin = server.admin("app")?;
        for statement in statements(&mut secrets) {
            admin.rows(&statement).with_context(|| statement.clone())?;
        }
        let gateway =
            Gateway::start(&gateway::Options { tls: false, ..gateway::Options::new(server.port(), "app", &policy()) })?;
        let tokens = STYLES.iter().map(|style| gateway.token(&who(style))).collect::<Result<Vec<_>>>()?;
        Ok(Self { server, gateway, tokens, secrets })
    }
}

fn who(style: &str) -> Who {
    Who { groups: vec!["agents".to_owned(), style.to_owned()], ..Who::agent(&format!("agent-{style}")) }
}

fn policy() -> String {
    let mut text = "rules:\n  - name: agents work\n    who: { groups: [agents] }\n    do: [connect, session, read, write, delete]\n    \
                    then: allow\nmasks:\n"
        .to_owned();
    let columns = MASKED.map(|column| format!("\"{column}\"")).join(", ");
    for style in STYLES {
        text.push_str(&format!(
            "  - name: secrets by {style}\n    who: {{ groups: [\"{style}\"] }}\n    columns: [{columns}]\n    with: \"{style}\"\n"
        ));
    }
    text
}

/// The schema, then rows whose masked columns are secrets and whose other columns share nothing with them.
fn statements(secrets: &mut Secrets) -> Vec<String> {
    let moods: Vec<String> = (0..ROWS).map(|_| secrets.text("a mood", 4)).collect();
    let labels = moods.iter().map(|mood| quote(mood)).collect::<Vec<_>>().join(", ");
    let mut all: Vec<String> = SCHEMA.replace("MOODS", &labels).split(';').map(str::to_owned).collect();
    all.retain(|statement| !statement.trim().is_empty());
    let at = all.iter().position(|statement| statement.contains("MATERIALIZED"));
    let last = at.map(|at| all.remove(at));
    for (row, mood) in moods.iter().enumerate() {
        all.extend(rows(secrets, row, mood));
    }
    all.extend(last);
    all.push("GRANT ALL ON ALL TABLES IN SCHEMA public TO app".to_owned());
    all.push("ANALYZE".to_owned());
    all
}

fn rows(secrets: &mut Secrets, row: usize, mood: &str) -> Vec<String> {
    let id = row + 1;
    let common = format!("{id}, 'g{}'", row % 2);
    let (label, amount) = (format!("'plain {id}'"), row * 3 + 2);
    let mut text = |what: &str| quote(&secrets.text(what, 6));
    let (name, mail, short) = (text("people.s_name"), text("people.s_mail"), text("people.s_short"));
    let (account, event, paper, ledger) =
        (text("accounts.s_name"), text("events.s_name"), text("papers.s_name"), text("ledger"));
    let (old, more, street) = (text("papers_old.s_name"), text("papers_old.s_more"), text("people.s_addr"));
    let (tag, other) = (text("people.s_tags"), text("people.s_tags"));
    let people = format!(
        "INSERT INTO people VALUES ({common}, {label}, {amount}, '2005-03-0{id}', {name}, {mail}, {short}, {}, {}, {}, {}, '{}', '{}', \
         '{}', {}, ARRAY[{tag}, {other}], '\\x{}', ROW({street}, {}), {}, {})",
        secrets.int("people.s_int"),
        secrets.big("people.s_big"),
        secrets.numeric("people.s_num"),
        secrets.real("people.s_real"),
        secrets.date("people.s_born"),
        secrets.moment("people.s_seen"),
        secrets.uuid("people.s_uid"),
        document(secrets, "people.s_doc"),
        secrets.bytes("people.s_raw"),
        secrets.int("people.s_addr"),
        quote(mood),
        quote(&secrets.odd_text("people.s_odd")),
    );
    let accounts = format!(
        "INSERT INTO accounts(id, person, grp, label, amount, s_name, s_big, s_doc) VALUES ({id}, {id}, 'g{}', {label}, {amount}, {account}, {}, {})",
        row % 2,
        secrets.big("accounts.s_big"),
        document(secrets, "accounts.s_doc"),
    );
    let moment = secrets.moment("events.s_seen");
    vec![
        people,
        accounts,
        format!("INSERT INTO events(id, grp, amount, s_name, s_seen) VALUES ({common}, {amount}, {event}, '{moment}')"),
        format!("INSERT INTO papers VALUES ({id}, {label}, {paper}, {})", document(secrets, "papers.s_doc")),
        format!(
            "INSERT INTO papers_old VALUES ({id}, {label}, {old}, {}, {more})",
            document(secrets, "papers_old.s_doc")
        ),
        format!("INSERT INTO ledger VALUES ({id}, {label}, {amount}, {ledger}, {})", secrets.int("ledger.s_int")),
        format!(
            "INSERT INTO things VALUES ({common}, {label}, {amount}, '2005-04-0{id}', ARRAY['red', 'blue {id}'], \
             '{{\"name\": \"plain {id}\", \"list\": [\"one\", \"two\"], \"num\": {amount}}}', ROW('main street', {amount}))"
        ),
        format!("INSERT INTO bits VALUES ({id}, 'bit {id}', {amount}, '2005-05-0{id} 01:02:03+00')"),
    ]
}

fn document(secrets: &mut Secrets, what: &str) -> String {
    let (name, list) = (secrets.text(what, 5), secrets.text(what, 5));
    quote(&format!("{{\"name\": \"{name}\", \"list\": [\"{list}\", \"two\"], \"num\": {}}}", secrets.big(what)))
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
