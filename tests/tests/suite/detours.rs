//! Ways around the judge, each tried on the wire: names that change their meaning, catalogues that are not what they were, messages
//! that hide behind others.

use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::message::{self, Message};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::process::wait_for;
use sallyport_tests::kit::wire::{PATIENCE, Wire};

const POLICY: &str = r"
rules:
  - name: agents work
    who: { groups: [agents] }
    do: [connect, session, read, write, create, alter, destroy]
    then: allow
  - name: the vault is shut
    who: any
    do: any
    objects: [public.vault]
    then: deny
  - name: deletes need a human
    who: { groups: [agents] }
    do: [delete]
    then: approve
    approval: { by: { groups: [dba] }, expires: 60s, reason: required }
masks:
  - name: people
    who: any
    columns: [public.people.email]
    with: redact
";

const DATA: &str = "
CREATE TABLE people(id int, email text);
INSERT INTO people SELECT n, 'secret' || n || '@example.com' FROM generate_series(1, 5) n;
CREATE TABLE vault(id int, word text);
INSERT INTO vault VALUES (1, 'open sesame');
CREATE TABLE notes(id int, note text);
INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 5) n;
CREATE VIEW looked AS SELECT id, note AS e FROM notes;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
ALTER TABLE notes OWNER TO app; ALTER TABLE vault OWNER TO app;
GRANT ALL ON SCHEMA public TO app";

struct World {
    server: Server,
    gateway: Gateway,
}

fn world() -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    server.sql("postgres", DATA).unwrap();
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", POLICY)).unwrap();
    World { server, gateway }
}

impl World {
    fn login(&self) -> Wire {
        Wire::login(&self.gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap()
    }

    fn notes(&self) -> String {
        self.server.sql("postgres", "SELECT count(*) FROM notes").unwrap().remove(0).remove(0).unwrap()
    }
}

fn bind(statement: &str) -> Vec<u8> {
    message::bind("", statement, &[], 0, 0)
}

/// Everything that came back, as text.
fn said(answers: &[Message]) -> String {
    answers.iter().map(Message::describe).collect::<Vec<_>>().join("\n") + &raw(answers)
}

fn raw(answers: &[Message]) -> String {
    answers.iter().map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).collect()
}

/// A name that is given again in vain keeps its meaning: what is judged, masked and shown to an approver is what runs.
#[test]
fn a_name_that_is_given_twice_means_what_the_server_says() {
    let world = world();
    let masked = "SELECT email FROM people";
    let parse = |name: &str, sql: &str| message::parse(name, sql.as_bytes(), &[]);
    let run = |name: &str| [bind(name), message::execute("", 0), message::sync()].concat();
    for decoy in [
        [parse("a", "SELECT note FROM notes LIMIT 1"), message::sync()].concat(),
        message::query(b"PREPARE a AS SELECT note FROM notes LIMIT 1"),
        [
            parse("broken", "SELECT nothing FROM notes"),
            message::named(b'C', b'S', "a"),
            parse("a", "SELECT 1"),
            message::sync(),
        ]
        .concat(),
        message::query(b"SELECT 1/0; DEALLOCATE a"),
    ] {
        let mut wire = world.login();
        let whole = [parse("a", masked), message::sync(), decoy, run("a")].concat();
        wire.send(&whole).unwrap();
        let mut all = String::new();
        for _ in 0..3 {
            all.push_str(&said(&wire.until_ready(PATIENCE).unwrap()));
        }
        assert!(!all.contains("secret1"), "{all}");
    }
    let mut wire = world.login();
    wire.send(&[parse("d", "DELETE FROM notes"), parse("a", "EXECUTE d"), message::sync()].concat()).unwrap();
    let all = said(&wire.until_ready(PATIENCE).unwrap());
    assert!(!all.contains("42501"), "preparing is no doing: {all}");
    wire.send(&message::query(b"EXECUTE a")).unwrap();
    let id = waiting(&world);
    let shown = world.gateway.cli(&["approvals", "show", &id]).unwrap();
    assert!(shown.contains("DELETE FROM notes"), "the approver reads what runs: {shown}");
    assert_eq!(world.notes(), "5");
}

fn waiting(world: &World) -> String {
    let mut id = None;
    wait_for("a request for approval", PATIENCE, || {
        let list: serde_json::Value = serde_json::from_str(&world.gateway.cli(&["approvals", "ls", "--json"])?)?;
        id = list.get(0).and_then(|one| one.get("id")).and_then(serde_json::Value::as_str).map(str::to_owned);
        Ok(id.is_some())
    })
    .unwrap();
    id.unwrap()
}

/// Servers know 63 bytes of a name; a longer one is refused, so that no two are one.
#[test]
fn a_long_name_is_refused() {
    let world = world();
    let mut wire = world.login();
    let name = "n".repeat(64);
    wire.send(&[message::parse(&name, b"SELECT 1", &[]), message::sync()].concat()).unwrap();
    let answer = said(&wire.until_ready(PATIENCE).unwrap());
    assert!(answer.contains("42622"), "{answer}");
    assert_eq!(wire.value("SELECT 1").unwrap(), "1");
}

/// What a session renames or makes in an open transaction is known to its own connection only.
#[test]
fn names_of_an_open_transaction_are_looked_up_in_it() {
    let world = world();
    let mut wire = world.login();
    for denied in ["ALTER TABLE vault RENAME TO v", "CREATE VIEW v AS SELECT * FROM vault"] {
        assert!(said(&wire.query(denied).unwrap()).contains("42501"), "{denied}");
    }
    for sql in ["BEGIN", "CREATE TABLE fresh(id int, note text)", "INSERT INTO fresh VALUES (1, 'mine')"] {
        let answer = said(&wire.query(sql).unwrap());
        assert!(!answer.contains("42501"), "{sql}: {answer}");
    }
    assert_eq!(wire.value("SELECT note FROM fresh").unwrap(), "mine");
    wire.query("ALTER TABLE fresh RENAME TO other").unwrap();
    assert_eq!(wire.value("SELECT note FROM other").unwrap(), "mine");
    // What a DBA changes meanwhile is seen in the open transaction too.
    world.server.sql("postgres", "CREATE OR REPLACE VIEW looked AS SELECT id, word AS e FROM vault").unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let answer = said(&wire.query("SELECT e FROM looked").unwrap());
    assert!(answer.contains("42501") && !answer.contains("sesame"), "{answer}");
    wire.query("ROLLBACK; BEGIN").unwrap();
    wire.query("ALTER TABLE people RENAME TO folk").unwrap();
    let answer = said(&wire.query("SELECT upper(email) FROM folk WHERE id = 1").unwrap());
    assert!(!answer.contains("SECRET1"), "{answer}");
    wire.query("ROLLBACK").unwrap();
    let answer = said(
        &wire
            .query("BEGIN; ALTER TABLE people RENAME TO folk; SELECT upper(email) FROM folk WHERE id = 1; ROLLBACK")
            .unwrap(),
    );
    assert!(!answer.contains("SECRET1"), "{answer}");
    let answer = said(&wire.query("SELECT count(*) FROM nowhere").unwrap());
    assert!(answer.contains("42P01"), "a slip of the pen is the server's to tell: {answer}");
    assert!(said(&wire.query("selec 1").unwrap()).contains("42601"));
}

/// A view that a DBA changes past the gateway is what it is now, within a second; while it is being changed nobody waits for it.
#[test]
fn changes_past_the_gateway_are_seen() {
    let world = world();
    let mut wire = world.login();
    assert_eq!(wire.value("SELECT e FROM looked LIMIT 1").unwrap(), "note 1");
    world.server.sql("postgres", "CREATE OR REPLACE VIEW looked AS SELECT id, word AS e FROM vault").unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let answer = said(&wire.query("SELECT e FROM looked LIMIT 1").unwrap());
    assert!(answer.contains("42501") && !answer.contains("sesame"), "{answer}");
    let mut dba = world.server.admin("postgres").unwrap();
    dba.query("BEGIN; CREATE OR REPLACE VIEW looked AS SELECT id, note AS e FROM notes").unwrap();
    let start = Instant::now();
    let mut other = world.login();
    assert_eq!(other.value("SELECT note FROM notes LIMIT 1").unwrap(), "note 1");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(other.value("SELECT note FROM notes LIMIT 1").unwrap(), "note 1");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    dba.query("ROLLBACK").unwrap();
}

/// Texts that come late speak of commands before: of constraints that were deferred to COMMIT.
#[test]
fn errors_of_a_commit_are_withheld() {
    let world = world();
    world.server.sql("postgres", "ALTER TABLE people ADD UNIQUE (email) DEFERRABLE INITIALLY DEFERRED").unwrap();
    let mut wire = world.login();
    for last in ["COMMIT", "SET CONSTRAINTS ALL IMMEDIATE"] {
        wire.query("BEGIN").unwrap();
        wire.query("UPDATE people SET email = (SELECT email FROM people WHERE id = 1) WHERE id = 2").unwrap();
        let answer = said(&wire.query(last).unwrap());
        assert!(answer.contains("23505") && !answer.contains("secret1"), "{last}: {answer}");
        wire.query("ROLLBACK").unwrap();
    }
}

/// A startup value of search_path is a list, also to the judge.
#[test]
fn a_path_from_the_start_is_a_list() {
    let world = world();
    world.server.sql("postgres", "CREATE SCHEMA side; GRANT ALL ON SCHEMA side TO app; CREATE VIEW side.notes AS SELECT id, word AS note FROM public.vault; GRANT ALL ON side.notes TO app").unwrap();
    let dsn = world.gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap();
    let mut wire = Wire::login_with(&dsn, &[("options", "-c search_path=side,public")]).unwrap();
    let answer = said(&wire.query("SELECT note FROM notes").unwrap());
    assert!(answer.contains("42501") && !answer.contains("sesame"), "{answer}");
}

/// Every COPY of a message is recorded, and what ends none is no memory.
#[test]
fn each_copy_of_a_message_is_recorded() {
    let world = world();
    let mut wire = world.login();
    let copy = |data: &str| [message::framed(b'd', data.as_bytes()), message::framed(b'c', b"")].concat();
    wire.send(&message::query(b"COPY notes FROM STDIN; COPY notes FROM STDIN")).unwrap();
    wire.send(&[copy("7\tfirst copy\n"), copy("8\tsecond copy\n")].concat()).unwrap();
    wire.until_ready(PATIENCE).unwrap();
    assert_eq!(world.notes(), "7");
    for _ in 0..200 {
        wire.send(&message::framed(b'c', b"").repeat(5000)).unwrap();
    }
    assert_eq!(wire.value("SELECT 1").unwrap(), "1");
    // One that comes by name.
    wire.send(&[message::parse("c", b"COPY notes FROM STDIN", &[]), message::sync()].concat()).unwrap();
    wire.until_ready(PATIENCE).unwrap();
    wire.send(&message::query(b"EXECUTE c")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    wire.send(&copy("9\tthird copy\n")).unwrap();
    wire.until_ready(PATIENCE).unwrap();
    assert_eq!(world.notes(), "8");
    drop(wire);
    let recorded = recording(&world);
    assert!(recorded.contains("third copy"), "{recorded}");
    assert!(recorded.contains("first copy") && recorded.contains("second copy"), "{recorded}");
}

/// Rows that a client has seen are in the recording, also when it leaves in the middle of a result.
#[test]
fn rows_of_an_unfinished_result_are_recorded() {
    let world = world();
    let mut wire = world.login();
    let slow = "SELECT count(*)::text FROM pg_class a, pg_class b, pg_class c, pg_class d";
    wire.send(&message::query(format!("SELECT repeat(note, 2000) FROM notes UNION ALL {slow}").as_bytes())).unwrap();
    wait_for("the first rows", PATIENCE, || {
        let _more = wire.next(Instant::now() + Duration::from_millis(100))?;
        Ok(String::from_utf8_lossy(wire.received()).contains("note 2"))
    })
    .unwrap();
    drop(wire);
    let start = Instant::now();
    wait_for("the session's end", PATIENCE, || Ok(recording(&world).contains("closed"))).unwrap();
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    assert!(recording(&world).contains("note 2"), "what the client has seen is recorded");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT repeat(note%' AND state = 'active'";
    wait_for("the target's statement to end", PATIENCE, || {
        Ok(world.server.sql("postgres", running)?.remove(0).remove(0).as_deref() == Some("0"))
    })
    .unwrap();
    assert!(world.gateway.cli(&["sessions", "verify"]).unwrap().contains("all whole"));
}

fn recording(world: &World) -> String {
    let list: serde_json::Value =
        serde_json::from_str(&world.gateway.cli(&["sessions", "ls", "--json"]).unwrap()).unwrap();
    let sessions = list.as_array().unwrap();
    let ids = sessions.iter().filter_map(|session| session.get("id")?.as_str());
    ids.map(|id| world.gateway.cli(&["sessions", "export", id]).unwrap()).collect()
}

/// An error in the middle of a pipeline that is still being sent leaves the session in step.
#[test]
fn a_pipeline_that_fails_before_it_is_sent_whole_stays_in_step() {
    let world = world();
    let mut wire = world.login();
    wire.send(&[message::parse("", b"SELECT nothing FROM notes", &[]), message::framed(b'H', b"")].concat()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    wire.send(&[bind(""), message::execute("", 0), message::parse("x", b"SELECT 2", &[]), message::sync()].concat())
        .unwrap();
    let answer = said(&wire.until_ready(PATIENCE).unwrap());
    assert!(answer.contains("42703"), "{answer}");
    assert_eq!(wire.value("SELECT 1").unwrap(), "1");
    // A function call that is cut short ends with ReadyForQuery too.
    wire.send(&[b"F\0\0\0\x06\0\0".to_vec(), message::query(b"SELECT 3")].concat()).unwrap();
    wire.until_ready(PATIENCE).unwrap();
    assert!(said(&wire.until_ready(PATIENCE).unwrap()).contains('3'));
}

/// A cast that was made for a type runs its function wherever a value of the type is converted, whatever the conversion looks like.
#[test]
fn an_explicit_cast_runs_what_was_made_for_it() {
    let world = world();
    let made = "
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE FUNCTION wipe(mood) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM notes; RETURN 1; END $$;
        CREATE CAST (mood AS int) WITH FUNCTION wipe(mood);
        CREATE DOMAIN number AS int;
        CREATE TYPE pair AS (a int, b int);
        CREATE TABLE moods(m mood, ms mood[]); INSERT INTO moods VALUES ('ok', '{ok}');
        CREATE VIEW seen AS SELECT m, m::text AS t FROM moods; CREATE VIEW counted AS SELECT m::int AS n FROM moods;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO app";
    world.server.sql("postgres", made).unwrap();
    let mut wire = world.login();
    for attack in [
        "SELECT m::int FROM moods",
        "SELECT CAST(m AS integer) FROM seen",
        "SELECT x.m::int4 FROM (SELECT m FROM moods) x",
        "SELECT ms::int[] FROM moods",
        "SELECT m::number FROM moods",
        "SELECT ROW(m, 1)::pair FROM moods",
        "SELECT (jsonb_populate_record(NULL::moods, '{\"m\": \"ok\"}')).m::int",
        "SELECT n FROM counted",
        "PREPARE p(mood) AS SELECT $1::int; EXECUTE p('ok')",
    ] {
        let said = said(&wire.query(attack).unwrap());
        assert!(said.contains("SP-"), "{attack}: {said}");
        assert_eq!(world.notes(), "5", "{attack}");
    }
    let number = world.server.sql("postgres", "SELECT 'mood'::regtype::oid").unwrap().remove(0).remove(0).unwrap();
    let parse = message::parse("", b"SELECT $1::int", &[number.parse().unwrap()]);
    let values = [Some(b"ok".to_vec())];
    let whole = [parse, message::bind("", "", &values, 0, 0), message::execute("", 0), message::sync()].concat();
    wire.send(&whole).unwrap();
    let said = said(&wire.until_ready(PATIENCE).unwrap());
    assert_eq!(world.notes(), "5", "{said}");
    for honest in ["SELECT m, m::text, 1::int AS one FROM moods", "SELECT '1'::int", "SELECT id::int FROM notes"] {
        wire.rows(honest).unwrap();
    }
}
