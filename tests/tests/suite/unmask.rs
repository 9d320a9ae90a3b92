//! Masked columns shown in clear to one command that a human approved: what it shows, and all that must not ride on it.

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::message::{self, Message};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::process::wait_for;
use sallyport_tests::kit::wire::{PATIENCE, Wire};
use serde_json::Value;

const POLICY: &str = r#"
rules:
  - name: agents work
    who: { groups: [agents] }
    do: [connect, session, read, write, create, alter, destroy]
    then: allow
  - name: deletes need a human
    who: { groups: [agents] }
    do: [delete]
    then: approve
    approval: { by: { groups: [dba] }, expires: 60s, reason: required }
masks:
  - name: pii
    who: { groups: [agents] }
    columns: ["public.customers.email", "public.customers.phone"]
    with: redact
    unmask: { by: { groups: [dba] }, expires: 60s, reason: required }
  - name: firm
    who: { groups: [agents] }
    columns: ["*.ssn"]
    with: redact
"#;

const SCHEMA: &str = "
CREATE TABLE customers(id int PRIMARY KEY, name text, email text, phone text, ssn text);
INSERT INTO customers VALUES (1, 'Ann', 'annabella@example.com', '+49-555-0101', '123-45-6789'),
  (2, 'Bob', 'bobby@example.com', '+49-555-0102', '223-45-6789');
CREATE TABLE notes(id int, note text); INSERT INTO notes VALUES (1, 'kept'), (2, 'kept');
CREATE TABLE others(id int, note text); INSERT INTO others VALUES (1, 'kept');
CREATE VIEW contacts AS SELECT id, email AS contact, email || ' ' || phone AS card FROM customers;
CREATE VIEW old AS SELECT * FROM notes;
CREATE FUNCTION peek() RETURNS text LANGUAGE sql STABLE AS 'SELECT phone FROM customers WHERE id = 1';
GRANT ALL ON ALL TABLES IN SCHEMA public TO app";

const EMAIL: &str = "annabella@example.com";
const PHONE: &str = "+49-555-0101";
const SSN: &str = "123-45-6789";
const ASK: &str = "/* sallyport: unmask public.customers.email */ ";

struct World {
    server: Server,
    gateway: Gateway,
    human: String,
}

fn world() -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    server.sql("postgres", SCHEMA).unwrap();
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", POLICY)).unwrap();
    let who = ["token", "--as", "dana", "--kind", "human", "--groups", "dba", "--target", "sallyport", "--quiet"];
    let human = gateway.cli(&who).unwrap().trim().to_owned();
    World { server, gateway, human }
}

impl World {
    fn login(&self, subject: &str) -> Wire {
        Wire::login(&self.gateway.dsn(&Who::agent(subject), APP, "postgres").unwrap()).unwrap()
    }

    /// The requests that wait.
    fn all_waiting(&self) -> Vec<String> {
        let list: Value = serde_json::from_str(&self.gateway.cli(&["approvals", "ls", "--json"]).unwrap()).unwrap();
        let id = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
        list.as_array().into_iter().flatten().filter_map(id).collect()
    }

    /// The one request that waits.
    fn waiting(&self) -> String {
        let mut found = Vec::new();
        wait_for("a request for approval", PATIENCE, || {
            found = self.all_waiting();
            Ok(!found.is_empty())
        })
        .unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn answer(&self, how: &str, id: &str) {
        let mut command = self.gateway.command(&["approvals", how, id, "--reason", "looked at it"]);
        let out = command.env("SALLYPORT_TOKEN", &self.human).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// Sends it, has it approved, and gives everything that comes back.
    fn approved(&self, wire: &mut Wire, messages: &[u8]) -> String {
        wire.send(messages).unwrap();
        let id = self.waiting();
        self.answer("approve", &id);
        said(&wire.until_ready(PATIENCE).unwrap())
    }

    fn approved_query(&self, wire: &mut Wire, sql: &str) -> String {
        self.approved(wire, &message::query(sql.as_bytes()))
    }

    /// Has this policy in force, with a rule more that denies everything to `other`, an agent-8, by which that can be told.
    fn new_policy(&self, other: &mut Wire, policy: &str) {
        let stranger = "  - { name: not agent-8, who: { users: [agent-8] }, do: [session, read], then: deny }\nmasks:";
        self.gateway.set_policy(&policy.replace("masks:", stranger)).unwrap();
        wait_for("the new policy", PATIENCE, || Ok(self.at_once(other, "SELECT 1 FROM notes").contains("42501")))
            .unwrap();
    }

    /// Everything that comes back without anybody asked.
    fn at_once(&self, wire: &mut Wire, sql: &str) -> String {
        wire.send(&message::query(sql.as_bytes())).unwrap();
        said(&wire.until_ready(PATIENCE).unwrap())
    }
}

fn said(answers: &[Message]) -> String {
    let line = |answer: &Message| format!("{}{}\n", char::from(answer.tag), String::from_utf8_lossy(&answer.body));
    answers.iter().map(line).collect()
}

fn shows(said: &str, seen: &[&str], hidden: &[&str], what: &str) {
    for one in seen {
        assert!(said.contains(one), "{what} does not show {one}: {said}");
    }
    for one in hidden {
        assert!(!said.contains(one), "{what} shows {one}: {said}");
    }
}

#[test]
fn what_was_approved_is_shown_and_nothing_else() {
    let world = world();
    let mut wire = world.login("agent-7");
    for (sql, seen, hidden) in [
        ("SELECT email, phone, ssn, name FROM customers", &[EMAIL, "Ann", "bobby"][..], &[PHONE, SSN][..]),
        ("SELECT upper(email), left(phone, 7) FROM customers", &["ANNABELLA@EXAMPLE.COM"], &["+49-555"]),
        ("SELECT email || phone FROM customers", &[], &[EMAIL, PHONE]),
        ("SELECT min(email), max(ssn) FROM customers", &[EMAIL], &["223-45"]),
        ("SELECT contact FROM contacts", &[EMAIL], &[]),
        ("SELECT upper(contact), card FROM contacts", &["ANNABELLA"], &[EMAIL, PHONE]),
        ("SELECT c FROM customers c", &[], &[EMAIL, PHONE, SSN]),
        ("SELECT to_json(c), email FROM customers c", &["bobby@example.com"], &[PHONE, SSN]),
        ("SELECT email, peek() FROM customers", &[EMAIL], &[PHONE]),
        ("UPDATE customers SET name = 'Anna' WHERE id = 1 RETURNING email, phone", &[EMAIL], &[PHONE]),
        ("WITH x AS (SELECT email AS e, phone AS p FROM customers) SELECT e, p FROM x", &[EMAIL], &[PHONE]),
        ("SELECT email AS x FROM customers UNION ALL SELECT phone FROM customers", &[], &[EMAIL, PHONE]),
        ("COPY (SELECT email, phone FROM customers) TO STDOUT", &[EMAIL], &[PHONE]),
        ("COPY customers TO STDOUT", &[EMAIL], &[PHONE, SSN]),
        ("SELECT email FROM customers; SELECT phone FROM customers", &[EMAIL], &[PHONE]),
        (
            "BEGIN; DECLARE c CURSOR FOR SELECT email, phone FROM customers; FETCH ALL FROM c; COMMIT",
            &[EMAIL],
            &[PHONE],
        ),
        ("SELECT email::int FROM customers", &["withheld"], &[EMAIL]),
    ] {
        let said = world.approved_query(&mut wire, &format!("{ASK}{sql}"));
        shows(&said, seen, hidden, sql);
        shows(&world.at_once(&mut wire, "SELECT email, phone FROM customers"), &["redacted"], &[EMAIL, PHONE], sql);
    }
    // A view's own name asks for what is below it, and the approver reads that.
    wire.send(&message::query(b"/* sallyport: unmask public.contacts.contact */ SELECT contact, card FROM contacts"))
        .unwrap();
    let id = world.waiting();
    let shown = world.gateway.cli(&["approvals", "show", &id]).unwrap();
    for line in ["contacts.contact", "customers.email"] {
        assert!(shown.contains(&format!("shows public.{line} in clear, masked by \"pii\"")), "{shown}");
    }
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &[EMAIL], &[PHONE], "a view's column");
    // The recording says so, and keeps no value of it.
    drop(wire);
    let recorded = world.gateway.cli(&["sessions", "export", "--all", "--format", "jsonl"]).unwrap();
    shows(&recorded, &["\"lifted\"", "in clear, masked by"], &["annabella", "ANNABELLA"], "the recording");
    assert!(world.gateway.cli(&["sessions", "verify"]).unwrap().contains("all whole"));
}

#[test]
fn what_cannot_be_asked_for_is_refused_and_what_is_not_masked_needs_nobody() {
    let world = world();
    let mut wire = world.login("agent-7");
    for (comment, sql, expected) in [
        (
            "unmask public.customers.ssn",
            "SELECT ssn FROM customers",
            &["SP-DENIED", "firm", "no `unmask:`", "42501"][..],
        ),
        ("unmask public.customers.email, public.customers.ssn", "SELECT 1", &["SP-DENIED", "firm"]),
        ("unmask customers.email", "SELECT email FROM customers", &["SP-UNMASK", "schema.table.column", "42601"]),
        ("unmask public.customers.*", "SELECT email FROM customers", &["SP-UNMASK"]),
        ("unmask public.customers.mail", "SELECT email FROM customers", &["SP-UNMASK", "there is no column"]),
        ("show public.customers.email", "SELECT email FROM customers", &["SP-UNMASK", "write `unmask`"]),
        (
            "unmask public.customers.email",
            "INSERT INTO notes(note) SELECT email FROM customers",
            &["masked for you", "pii"],
        ),
        ("unmask public.customers.email", "CREATE TABLE t AS SELECT email FROM customers", &["masked for you"]),
        ("unmask public.customers.name", "SELECT name, email FROM customers", &["Ann", "redacted"]),
    ] {
        let sql = format!("/* sallyport: {comment} */ {sql}");
        shows(&world.at_once(&mut wire, &sql), expected, &[EMAIL, SSN], &sql);
        let parse = message::parse("", sql.as_bytes(), &[]);
        let bind = message::bind("", "", &[], 0, 0);
        wire.send(&[parse, bind, message::execute("", 0), message::sync()].concat()).unwrap();
        let extended = said(&wire.until_ready(PATIENCE).unwrap());
        shows(&extended, expected, &[EMAIL, SSN], &sql);
        assert_eq!(wire.value("SELECT 1").unwrap(), "1");
    }
    for sql in [
        "SELECT /* sallyport: unmask public.customers.email */ email FROM customers",
        "/* a */ /* sallyport: unmask public.customers.email */ SELECT email FROM customers",
        "SELECT 1; /* sallyport: unmask public.customers.email */ SELECT email FROM customers",
    ] {
        shows(&world.at_once(&mut wire, sql), &["redacted"], &[EMAIL], sql);
    }
    wire.send(&message::query(b"BEGIN; CREATE TABLE made(id int)")).unwrap();
    wire.until_ready(PATIENCE).unwrap();
    let in_doubt = world.at_once(&mut wire, &format!("{ASK}SELECT email FROM customers"));
    shows(&in_doubt, &["SP-UNMASK", "end it first"], &[EMAIL], "a transaction that changed names");
    assert_eq!(world.all_waiting(), [""; 0]);
}

#[test]
fn an_approval_is_for_one_command_of_one_session() {
    let world = world();
    let (mut wire, mut other) = (world.login("agent-7"), world.login("agent-8"));
    let sql = format!("{ASK}SELECT email FROM customers");
    wire.send(&message::query(sql.as_bytes())).unwrap();
    let first = world.waiting();
    other.send(&message::query(sql.as_bytes())).unwrap();
    wait_for("the second request", PATIENCE, || Ok(world.all_waiting().len() == 2)).unwrap();
    world.answer("approve", &first);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &[EMAIL], &[], "the first");
    let second = world.waiting();
    assert_ne!(first, second);
    world.answer("deny", &second);
    shows(&said(&other.until_ready(PATIENCE).unwrap()), &["SP-APPROVAL-DENIED"], &[EMAIL], "the other session");
    // The same text again, and the same with another value, are other commands.
    for again in [sql.clone(), format!("{sql} WHERE id = 1")] {
        wire.send(&message::query(again.as_bytes())).unwrap();
        let id = world.waiting();
        world.answer("deny", &id);
        shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["SP-APPROVAL-DENIED"], &[EMAIL], &again);
    }
    // Nobody answers.
    world.new_policy(&mut other, &POLICY.replace("expires: 60s", "expires: 1s"));
    shows(&world.at_once(&mut wire, &sql), &["SP-APPROVAL-EXPIRED"], &[EMAIL], "a wait in vain");
}

#[test]
fn the_extended_protocol_asks_for_each_execution() {
    let world = world();
    let mut wire = world.login("agent-7");
    let sql = format!("{ASK}SELECT email, phone FROM customers WHERE id >= $1 ORDER BY id");
    wire.send(&[message::parse("s", sql.as_bytes(), &[23]), message::named(b'D', b'S', "s"), message::sync()].concat())
        .unwrap();
    let prepared = said(&wire.until_ready(PATIENCE).unwrap());
    assert!(!prepared.contains("SP-"), "preparing asks nobody: {prepared}");
    for format in [0, 1] {
        let bind = message::bind("", "s", &[Some(b"1".to_vec())], 0, format);
        let run = [bind, message::named(b'D', b'P', ""), message::execute("", 0), message::sync()].concat();
        shows(&world.approved(&mut wire, &run), &[EMAIL], &[PHONE], "an approved execution");
    }
    // In pieces it is one command still.
    let bind = message::bind("p", "s", &[Some(b"1".to_vec())], 0, 0);
    let run = [bind, message::execute("p", 1), message::execute("p", 1), message::sync()].concat();
    shows(&world.approved(&mut wire, &run), &[EMAIL, "bobby@example.com"], &[PHONE], "pieces");
    let bind = message::bind("", "s", &[Some(b"2".to_vec())], 0, 0);
    wire.send(&[bind, message::execute("", 0), message::sync()].concat()).unwrap();
    let id = world.waiting();
    world.answer("deny", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["SP-APPROVAL-DENIED"], &["bobby"], "another execution");
}

#[test]
fn later_messages_are_masked() {
    let world = world();
    let mut wire = world.login("agent-7");
    let fetch = "FETCH ALL FROM c";
    world.at_once(&mut wire, "BEGIN");
    world.approved_query(&mut wire, &format!("{ASK}DECLARE c SCROLL CURSOR FOR SELECT email FROM customers"));
    shows(&world.at_once(&mut wire, fetch), &["redacted"], &[EMAIL], fetch);
    world.at_once(&mut wire, "MOVE ABSOLUTE 0 FROM c");
    wire.send(&[message::named(b'D', b'P', "c"), message::execute("c", 0), message::sync()].concat()).unwrap();
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["redacted"], &[EMAIL], "a cursor as a portal");
    // Who approves a FETCH reads what it fetches.
    world.at_once(&mut wire, "MOVE ABSOLUTE 0 FROM c");
    wire.send(&message::query(format!("{ASK}{fetch}").as_bytes())).unwrap();
    let id = world.waiting();
    let shown = world.gateway.cli(&["approvals", "show", &id]).unwrap();
    assert!(shown.contains("c is: ") && shown.contains("SELECT email FROM customers"), "{shown}");
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &[EMAIL], &[], "an approved FETCH");
    world.at_once(&mut wire, "COMMIT");
    world.approved_query(&mut wire, &format!("{ASK}PREPARE p AS SELECT email FROM customers"));
    shows(&world.at_once(&mut wire, "EXECUTE p"), &["redacted"], &[EMAIL], "EXECUTE");
    wire.send(&[message::bind("", "p", &[], 0, 0), message::execute("", 0), message::sync()].concat()).unwrap();
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["redacted"], &[EMAIL], "Bind of what SQL prepared");
    shows(&world.approved_query(&mut wire, &format!("{ASK}EXECUTE p")), &[EMAIL], &[], "an approved EXECUTE");
    // What EXECUTE stands for is changed between the approval and the execution.
    let prepare = |wire: &mut Wire, sql: &str| {
        world.at_once(wire, "DEALLOCATE p");
        world.at_once(wire, &format!("PREPARE p AS {sql}"));
    };
    prepare(&mut wire, "SELECT email FROM customers WHERE id = 2");
    world.at_once(&mut wire, "BEGIN");
    let parse = message::parse("e", format!("{ASK}EXECUTE p").as_bytes(), &[]);
    let bound = [parse, message::bind("x", "e", &[], 0, 0), message::sync()].concat();
    let bound = world.approved(&mut wire, &bound);
    assert!(!bound.contains("SP-"), "{bound}");
    prepare(&mut wire, "SELECT email FROM customers");
    wire.send(&[message::execute("x", 0), message::sync()].concat()).unwrap();
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &[], &[EMAIL, "bobby"], "another statement of the name");
}

#[test]
fn an_approval_does_not_fit_what_changed_while_it_was_waited_for() {
    let world = world();
    let mut wire = world.login("agent-7");
    let change = |sql: &str| world.server.sql("postgres", sql).unwrap();
    let held = |wire: &mut Wire, sql: &str| {
        wire.send(&message::query(sql.as_bytes())).unwrap();
        world.waiting()
    };
    // The view shows another column.
    let id = held(&mut wire, &format!("{ASK}SELECT upper(contact), contact FROM contacts"));
    change(
        "CREATE OR REPLACE VIEW contacts AS SELECT id, phone AS contact, email || ' ' || phone AS card FROM customers",
    );
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &[], &[PHONE], "a view that is another");
    let id = held(&mut wire, "/* sallyport: unmask public.contacts.contact */ SELECT 1 FROM contacts");
    change(
        "CREATE OR REPLACE VIEW contacts AS SELECT id, email AS contact, email || ' ' || phone AS card FROM customers",
    );
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["SP-APPROVAL-STALE"], &[], "a column that is another");
    // A function reads another one.
    let id = held(&mut wire, "/* sallyport: unmask public.customers.phone */ SELECT peek()");
    change(
        "CREATE OR REPLACE FUNCTION peek() RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM customers WHERE id = 1'",
    );
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &[], &[SSN], "a function that is another");
    // What a rule holds is no other command either.
    let id = held(&mut wire, "DELETE FROM old");
    change("CREATE OR REPLACE VIEW old AS SELECT * FROM others");
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["SP-APPROVAL-STALE"], &[], "another table");
    let left =
        world.server.sql("postgres", "SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM others)").unwrap();
    assert_eq!(left[0][0].as_deref(), Some("3"));
    // Policy changes.
    let id = held(&mut wire, &format!("{ASK}SELECT email FROM customers"));
    let mut other = world.login("agent-8");
    world.new_policy(&mut other, POLICY);
    world.answer("approve", &id);
    shows(&said(&wire.until_ready(PATIENCE).unwrap()), &["SP-APPROVAL-STALE"], &[EMAIL], "another policy");
}
