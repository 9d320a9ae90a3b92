//! Limits that hold: rows changed are counted before the commit, however they were changed; rows and bytes returned, time and totals end
//! what passes them, say so, and leave the session usable.

use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::message::{self, Message};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::{PATIENCE, Wire};

const RULES: &str = r"
rules:
  - name: agents work
    who: any
    do: [connect, session, read, write, delete, execute]
    then: allow
limits:
";

const DATA: &str = "
CREATE TABLE notes(id int PRIMARY KEY, note text);
INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 50) n;
CREATE TABLE parts(id int PRIMARY KEY, note int REFERENCES notes ON DELETE CASCADE);
INSERT INTO parts SELECT n, n % 10 + 1 FROM generate_series(1, 40) n;
CREATE TABLE tree(id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE);
INSERT INTO tree SELECT n, nullif(n - 1, 0) FROM generate_series(1, 30) n;
CREATE TABLE late(id int PRIMARY KEY, other int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO late VALUES (1, 1), (2, 2);
CREATE TABLE watched(id int);
CREATE TABLE seen2(id int);
CREATE FUNCTION copies() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO watched SELECT generate_series(1, 20); RETURN new; END $$;
CREATE TABLE seen(id int);
CREATE TRIGGER copies AFTER INSERT ON seen FOR EACH ROW EXECUTE FUNCTION copies();
CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE notes SET note = 'gone'; RETURN 1; END $$;
CREATE FUNCTION more(int) RETURNS int LANGUAGE sql VOLATILE AS
  $$ INSERT INTO seen2 SELECT generate_series(1, 20); SELECT 1 $$;
CREATE VIEW shown AS SELECT * FROM notes;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON SCHEMA public TO app";

struct World {
    server: Server,
    gateway: Gateway,
}

fn world(limit: &str) -> World {
    world_with(&format!("{RULES}  - {{ name: small, who: any, {limit} }}\n"))
}

fn world_with(policy: &str) -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    server.sql("postgres", DATA).unwrap();
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", policy)).unwrap();
    World { server, gateway }
}

impl World {
    fn login(&self) -> Wire {
        Wire::login(&self.gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap()
    }

    fn value(&self, sql: &str) -> String {
        self.server.sql("postgres", sql).unwrap().remove(0).remove(0).unwrap()
    }

    /// All that statements could have changed.
    fn state(&self) -> String {
        self.value(
            "SELECT md5(string_agg(t, ',')) FROM (SELECT n::text t FROM notes n UNION ALL SELECT 'p' || p::text FROM parts p \
             UNION ALL SELECT 't' || t::text FROM tree t UNION ALL SELECT 'w' || w::text FROM watched w \
             UNION ALL SELECT 's' || s::text FROM seen s UNION ALL SELECT '2' || s::text FROM seen2 s UNION ALL SELECT 'l' || l::text FROM late l ORDER BY 1) x",
        )
    }
}

fn tags(answers: &[Message]) -> String {
    answers.iter().map(|answer| char::from(answer.tag)).collect()
}

fn error(answers: &[Message]) -> String {
    let error = answers.iter().find(|answer| answer.tag == b'E');
    error.map_or_else(String::new, |error| {
        [b'C', b'M', b'D'].iter().filter_map(|code| error.field(*code)).collect::<Vec<_>>().join(" | ")
    })
}

/// The status of ReadyForQuery.
fn status(answers: &[Message]) -> char {
    answers.last().filter(|answer| answer.tag == b'Z').map_or('?', |ready| char::from(ready.body[0]))
}

fn extended(sql: &str, rows: u32) -> Vec<u8> {
    let bind = message::bind("", "", &[], 0, 0);
    [message::parse("", sql.as_bytes(), &[]), bind, message::execute("", rows), message::sync()].concat()
}

const TOO_MANY: [&str; 12] = [
    "UPDATE notes SET note = 'x'",
    "UPDATE shown SET note = 'x' WHERE id < 20",
    "DELETE FROM notes WHERE id IN (1, 2, 3)",
    "DELETE FROM tree WHERE id = 5",
    "INSERT INTO seen VALUES (1)",
    "SELECT wipe()",
    "INSERT INTO seen2 SELECT more(1)",
    "WITH gone AS (DELETE FROM parts RETURNING id) SELECT count(*) FROM gone",
    "WITH gone AS (DELETE FROM parts RETURNING id) DELETE FROM tree WHERE id = 30",
    "INSERT INTO notes SELECT n + 1000, 'x' FROM generate_series(1, 11) n",
    "INSERT INTO notes SELECT n, 'x' FROM generate_series(1, 40) n ON CONFLICT (id) DO UPDATE SET note = 'y'",
    "EXPLAIN ANALYZE UPDATE notes SET note = 'x'",
];

/// However a statement changes rows, more than the limit of them are never committed, over either protocol, alone or in a transaction.
#[test]
fn too_many_changed_rows_are_undone() {
    let world = world("rows_affected: 10");
    let before = world.state();
    for sql in TOO_MANY {
        let mut wire = world.login();
        let answers = wire.query(sql).unwrap();
        assert!(error(&answers).contains("53400"), "{sql}: {}", tags(&answers));
        assert!(error(&answers).contains("small") && error(&answers).contains("SP-LIMIT"), "{}", error(&answers));
        assert_eq!((status(&answers), world.state()), ('I', before.clone()), "{sql}");

        wire.send(&extended(sql, 0)).unwrap();
        let answers = wire.until_ready(PATIENCE).unwrap();
        assert!(error(&answers).contains("53400"), "{sql}: {}", tags(&answers));
        assert_eq!((status(&answers), world.state()), ('I', before.clone()), "extended {sql}");

        // Everything at once: what follows must not be quicker than the count.
        let all = ["BEGIN", sql, "COMMIT"].map(|sql| message::query(sql.as_bytes())).concat();
        wire.send(&all).unwrap();
        let said: Vec<_> = (0..3).map(|_| wire.until_ready(PATIENCE).unwrap()).collect();
        assert_eq!((status(&said[0]), status(&said[1]), status(&said[2])), ('T', 'E', 'I'), "{sql}");
        assert_eq!(world.state(), before, "in a transaction {sql}");

        let bind = message::bind("", "", &[], 0, 0);
        let piece =
            |sql: &str| [message::parse("", sql.as_bytes(), &[]), bind.clone(), message::execute("", 0)].concat();
        wire.send(&[piece("BEGIN"), piece(sql), piece("COMMIT"), message::sync()].concat()).unwrap();
        let answers = wire.until_ready(PATIENCE).unwrap();
        assert!(error(&answers).contains("53400"), "{sql}: {}", tags(&answers));
        assert_eq!((status(&answers), world.state()), ('E', before.clone()), "in one pipeline {sql}");
        wire.query("ROLLBACK").unwrap();
        assert_eq!(wire.value("SELECT 1").unwrap(), "1", "the session goes on");
    }
}

/// A portal that is read in pieces has changed everything before the first piece.
#[test]
fn pieces_of_returning_are_no_way_around() {
    let world = world("rows_affected: 10");
    let before = world.state();
    let mut wire = world.login();
    wire.send(&extended("UPDATE notes SET note = 'x' RETURNING id", 1)).unwrap();
    let answers = wire.until_ready(PATIENCE).unwrap();
    assert!(error(&answers).contains("53400"), "{}", tags(&answers));
    assert_eq!(world.state(), before);
    // Nor is a name: what it runs cascades all the same.
    wire.query("PREPARE d AS DELETE FROM tree WHERE id = 5").unwrap();
    for run in ["EXECUTE d", "EXPLAIN ANALYZE EXECUTE d"] {
        let answers = wire.query(run).unwrap();
        assert!(error(&answers).contains("53400"), "{run}: {}", tags(&answers));
    }
    wire.send(&extended("EXECUTE d", 0)).unwrap();
    let answers = wire.until_ready(PATIENCE).unwrap();
    assert!(error(&answers).contains("53400"), "{}", tags(&answers));
    assert_eq!(world.state(), before);
}

/// What stays within the limit is committed and looks like it does without a gateway.
#[test]
fn what_fits_is_committed_and_looks_as_always() {
    let world = world("rows_affected: 10");
    let mut direct = world.server.admin("postgres").unwrap();
    let mut wire = world.login();
    for sql in [
        "UPDATE notes SET note = 'y' WHERE id <= 10",
        "UPDATE notes SET note = 'z' WHERE id <= 2 RETURNING id, note",
        "DELETE FROM notes WHERE id = 50",
        "INSERT INTO notes VALUES (50, 'note 50')",
        "INSERT INTO notes VALUES (50, 'twice')",
        "DELETE FROM tree WHERE id = 28",
        "WITH gone AS (DELETE FROM parts WHERE id < 3 RETURNING id) SELECT count(*) FROM gone",
        "UPDATE notes SET note = 'a' WHERE id = 3; SELECT 5; UPDATE notes SET note = 'b' WHERE id = 4",
        "UPDATE notes SET note = 'a' WHERE id = 3; SELECT 1/0; UPDATE notes SET note = 'b' WHERE id = 4",
        "UPDATE late SET other = 2 WHERE id = 1",
    ] {
        let expected = direct.query(&format!("BEGIN; {sql}; ROLLBACK")).unwrap();
        let answers = wire.query(sql).unwrap();
        let shown = tags(&answers);
        if sql.contains("late") {
            // Deferred: it fails when the gateway commits.
            assert!(error(&answers).contains("23505") && !shown.contains('C'), "{shown} {}", error(&answers));
        } else if tags(&expected).contains('E') {
            assert!(shown.contains('E'), "{sql}: {shown}");
        } else {
            assert_eq!(shown, tags(&expected).replacen('C', "", 1).replacen("CZ", "Z", 1), "{sql}");
        }
        assert_eq!(status(&answers), 'I', "{sql}");
        if status(&expected) != 'I' {
            direct.query("ROLLBACK").unwrap();
        }
    }
    assert_eq!(world.value("SELECT count(*) FROM notes WHERE note = 'y'"), "6");
    assert_eq!(world.value("SELECT note FROM notes WHERE id = 4"), "b");
    assert_eq!(world.value("SELECT max(id) FROM tree"), "27");

    let rows: String = (1..=10).map(|n| format!("{}\tcopied\n", 100 + n)).collect();
    let copied = |wire: &mut Wire, rows: &str| {
        let data = message::framed(b'd', rows.as_bytes());
        wire.send(&[message::query(b"COPY notes FROM STDIN"), data, message::framed(b'c', b"")].concat()).unwrap();
        wire.until_ready(PATIENCE).unwrap()
    };
    assert!(tags(&copied(&mut wire, &rows)).ends_with("GCZ"));
    let answers = copied(&mut wire, &(1..=11).map(|n| format!("{}\tcopied\n", 200 + n)).collect::<String>());
    assert!(error(&answers).contains("53400"), "{}", tags(&answers));
    assert_eq!(world.value("SELECT count(*) FROM notes WHERE note = 'copied'"), "10");
}

/// COPY as drivers send it: Sync ahead of the data.
#[test]
fn a_copy_with_an_early_sync_is_counted() {
    let world = world("rows_affected: 3");
    let mut wire = world.login();
    for (rows, fits) in [("301\tx\n302\tx\n", true), ("303\tx\n304\tx\n305\tx\n306\tx\n", false)] {
        wire.send(&extended("COPY notes FROM STDIN", 0)).unwrap();
        let data = message::framed(b'd', rows.as_bytes());
        wire.send(&[data, message::framed(b'c', b""), message::sync()].concat()).unwrap();
        let answers = wire.until_ready(PATIENCE).unwrap();
        assert_eq!(error(&answers).is_empty(), fits, "{} {}", tags(&answers), error(&answers));
    }
    assert_eq!(world.value("SELECT count(*) FROM notes WHERE id > 300"), "2");
}

/// A message that changes rows and ends its own transaction cannot be checked.
#[test]
fn a_message_with_its_own_commit_is_refused_whole() {
    let world = world("rows_affected: 10");
    let before = world.state();
    let mut wire = world.login();
    for sql in [
        "BEGIN; UPDATE notes SET note = 'x'; COMMIT",
        "UPDATE notes SET note = 'x'; COMMIT",
        "DO 'begin update notes set note = 1; commit; end'",
    ] {
        let answers = wire.query(sql).unwrap();
        assert!(!error(&answers).is_empty(), "{sql}: {}", tags(&answers));
        assert_eq!((status(&answers), world.state()), ('I', before.clone()), "{sql}");
    }
}

/// Rows beyond a limit are not shown, the client is told, the session goes on, and pieces of a portal count together.
#[test]
fn returned_rows_end_with_an_error() {
    let world = world("rows_returned: 20");
    let mut wire = world.login();
    let rows = |answers: &[Message]| answers.iter().filter(|answer| matches!(answer.tag, b'D' | b'd')).count();
    for sql in [
        "SELECT * FROM notes",
        "COPY notes TO STDOUT",
        "SELECT generate_series(1, 10000000)",
        "DELETE FROM notes RETURNING id",
    ] {
        let start = Instant::now();
        let answers = wire.query(sql).unwrap();
        assert_eq!(rows(&answers), 20, "{sql}");
        assert!(
            error(&answers).contains("53400") && error(&answers).contains("at most 20 rows"),
            "{}",
            error(&answers)
        );
        assert!(!tags(&answers).contains('C') && status(&answers) == 'I', "{sql}: {}", tags(&answers));
        assert!(start.elapsed() < Duration::from_secs(10), "{sql}");
        if sql.starts_with("COPY") {
            continue;
        }
        wire.send(&extended(sql, 0)).unwrap();
        let answers = wire.until_ready(PATIENCE).unwrap();
        assert_eq!(rows(&answers), 20, "{sql}");
        assert!(error(&answers).contains("53400"), "{sql}: {}", tags(&answers));
    }
    assert_eq!(world.value("SELECT count(*) FROM notes"), "50", "a DELETE that shows too much is undone");
    assert_eq!(rows(&wire.query("SELECT * FROM notes LIMIT 20").unwrap()), 20);

    wire.query("BEGIN").unwrap();
    let bind = message::bind("p", "", &[], 0, 0);
    let piece = [message::execute("p", 7), message::sync()].concat();
    wire.send(&[message::parse("", b"SELECT id FROM notes", &[]), bind, piece.clone()].concat()).unwrap();
    let mut seen = rows(&wire.until_ready(PATIENCE).unwrap());
    for _ in 0..3 {
        wire.send(&piece).unwrap();
        seen += rows(&wire.until_ready(PATIENCE).unwrap());
    }
    assert_eq!(seen, 20, "pieces count together");
}

/// One large value is no way around, and neither are many sessions of one token.
#[test]
fn bytes_and_totals_count_whatever_the_pieces() {
    let world = world("bytes_returned: 100000, total: { rows_returned: 30, commands: 12 }");
    let token = world.gateway.token(&Who::agent("agent-7")).unwrap();
    let dsn = world.gateway.dsn_with(&token, APP, "postgres");
    let mut wire = Wire::login(&dsn).unwrap();
    for size in [200_000, 3_000_000] {
        let answers = wire.query(&format!("SELECT repeat('x', {size})")).unwrap();
        assert!(error(&answers).contains("at most 100000 bytes"), "{}", error(&answers));
        assert!(wire.received().len() < 100_000);
    }
    let mut rows = 0;
    for page in 0..6 {
        let mut wire = Wire::login(&dsn).unwrap();
        let answers = wire.query(&format!("SELECT id FROM notes ORDER BY id LIMIT 8 OFFSET {}", page * 8)).unwrap();
        rows += answers.iter().filter(|answer| answer.tag == b'D').count();
    }
    assert!((26..=30).contains(&rows), "{rows} rows over all sessions");
    let refused = (0..8)
        .find_map(|_| wire.query("SET timezone = UTC").ok().map(|answers| error(&answers)).filter(|e| !e.is_empty()));
    assert!(refused.unwrap_or_default().contains("at most 12 commands"));
}

/// A statement that takes too long is stopped, a transaction that idles is ended.
#[test]
fn time_is_a_limit() {
    let held = "rules:\n  - { name: slowly, who: any, do: [delete], then: approve, approval: { by: { groups: [dba] }, expires: 4s } }";
    let limit = "statement_time: 1s, idle_in_transaction: 2s";
    let world = world_with(&format!("{RULES}  - {{ name: small, who: any, {limit} }}\n").replacen("rules:", held, 1));
    let mut wire = world.login();
    let start = Instant::now();
    let answers = wire.query("SELECT pg_sleep(30)").unwrap();
    assert!(
        error(&answers).contains("53400") && error(&answers).contains("seconds for one command"),
        "{}",
        error(&answers)
    );
    assert!(start.elapsed() < Duration::from_secs(6));
    assert_eq!(wire.value("SELECT 1").unwrap(), "1");
    wire.query("BEGIN").unwrap();
    // Waiting for a human is no idling.
    let start = Instant::now();
    let held = wire.query("DELETE FROM notes WHERE id = 1").unwrap();
    assert!(
        error(&held).contains("SP-APPROVAL-EXPIRED") && start.elapsed() > Duration::from_secs(3),
        "{}",
        error(&held)
    );
    wire.query("ROLLBACK").unwrap();
    wire.query("BEGIN").unwrap();
    wire.query("SELECT 1").unwrap();
    assert!(wire.closes_within(Duration::from_secs(8)).unwrap(), "the transaction must not stay open");
    let open = world.value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'");
    assert_eq!(open, "0");
}
