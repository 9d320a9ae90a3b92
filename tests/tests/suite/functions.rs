//! Functions: the tables of the server's own, and those of users, by what they do or by a rule that names them.

use sallyport_tests::functions;
use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::Wire;

const POLICY: &str = r#"
rules:
  - name: agents work
    who: { groups: [agents] }
    do: [connect, session, read, write]
    then: allow
  - name: some functions
    who: { groups: [agents] }
    do: [execute]
    objects: ["function:public.may_*"]
    then: allow
masks:
  - name: customer data
    who: { groups: [agents] }
    columns: ["public.customers.email"]
    with: partial
"#;

const SCHEMA: &[&str] = &[
    "CREATE TABLE customers(id int PRIMARY KEY, name text, email text)",
    "INSERT INTO customers SELECT n, 'Ann', 'annabella@example.com' FROM generate_series(1, 3) n",
    "CREATE TABLE notes(id serial, body text)",
    "CREATE FUNCTION mail_of(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = i'",
    "CREATE FUNCTION everyone() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers'",
    "CREATE FUNCTION note_it(word text) RETURNS void LANGUAGE sql AS 'INSERT INTO notes(body) VALUES (word)'",
    "CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'DELETE FROM notes'",
    "CREATE FUNCTION may_mail(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT email FROM customers WHERE id = i); END $$",
    "CREATE FUNCTION may_list() RETURNS TABLE(word text) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT email FROM customers; END $$",
    "CREATE FUNCTION list() RETURNS TABLE(word text) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT 'x'; END $$",
    "CREATE FUNCTION may_near(int, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT email FROM customers LIMIT 1); END $$",
    "CREATE FUNCTION near(int, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'x'; END $$",
    "CREATE OPERATOR <~> (LEFTARG = int, RIGHTARG = int, FUNCTION = may_near)",
    "CREATE OPERATOR <!> (LEFTARG = int, RIGHTARG = int, FUNCTION = near)",
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE TYPE light AS ENUM ('on', 'off')",
    "CREATE FUNCTION may_mood(int) RETURNS mood LANGUAGE plpgsql AS $$ BEGIN RETURN 'good'; END $$",
    "CREATE FUNCTION lit(int) RETURNS light LANGUAGE plpgsql AS $$ BEGIN RETURN 'on'; END $$",
    "CREATE CAST (int AS mood) WITH FUNCTION may_mood(int)",
    "CREATE CAST (int AS light) WITH FUNCTION lit(int)",
    "CREATE FUNCTION may_stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "CREATE TABLE watched(id int)",
    "CREATE TABLE guarded(id int)",
    "CREATE TRIGGER t BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION may_stamp()",
    "CREATE TRIGGER t BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION stamp()",
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO app",
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app",
];

/// The part of the e-mail that the mask hides.
const HIDDEN: &str = "annabella";

struct World {
    server: Server,
    _gateway: Gateway,
    wire: Wire,
}

fn world() -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    for statement in SCHEMA {
        server.sql("postgres", statement).unwrap();
    }
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", POLICY)).unwrap();
    let wire = Wire::login(&gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap();
    World { server, _gateway: gateway, wire }
}

impl World {
    /// Everything that the answer says.
    fn said(&mut self, sql: &str) -> String {
        let answers = self.wire.query(sql).unwrap();
        let said: Vec<String> = answers
            .iter()
            .map(|answer| format!("{}{}", char::from(answer.tag), String::from_utf8_lossy(&answer.body)))
            .collect();
        let said = said.join("\n");
        assert!(!said.contains(HIDDEN), "{sql}: {said}");
        said
    }

    #[track_caller]
    fn runs(&mut self, sql: &str) -> String {
        let said = self.said(sql);
        assert!(!said.contains("42501"), "{sql}: {said}");
        said
    }

    #[track_caller]
    fn is_refused(&mut self, sql: &str) {
        let said = self.said(sql);
        assert!(said.contains("42501"), "{sql}: {said}");
    }
}

/// What is checked in is what the installed server has.
#[test]
fn the_tables_are_the_installed_servers() {
    super::passes(functions::main, &["--check"]);
}

#[test]
fn functions_in_sql_are_judged_and_masked_by_what_they_do() {
    let mut world = world();
    let whole = world.runs("SELECT mail_of(1)");
    assert!(whole.contains("redacted"), "{whole}");
    world.runs("SELECT upper(mail_of(id)) FROM customers");
    let listed = world.runs("SELECT id, name, email FROM everyone()");
    assert!(listed.contains("Ann"), "only the masked column is: {listed}");
    world.runs("SELECT everyone()");
    world.runs("SELECT (everyone()).*");
    world.runs("SELECT e FROM everyone() e");
    world.runs("SELECT note_it('fine')");
    assert_eq!(world.server.sql("postgres", "SELECT body FROM notes").unwrap(), [[Some("fine".to_owned())]]);
    world.is_refused("SELECT note_it(email) FROM customers");
    world.is_refused("SELECT forget()");
    world.is_refused(
        "BEGIN; CREATE OR REPLACE FUNCTION mail_of(i int) RETURNS text LANGUAGE sql AS 'SELECT 1'; SELECT mail_of(1)",
    );
    assert_eq!(world.server.sql("postgres", "SELECT count(*) FROM notes").unwrap(), [[Some("1".to_owned())]]);
    // What was changed past the gateway is seen within a second.
    let change = "CREATE OR REPLACE FUNCTION note_it(word text) RETURNS void LANGUAGE sql AS 'DELETE FROM notes'";
    world.server.sql("postgres", change).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    world.is_refused("SELECT note_it('fine')");
}

#[test]
fn other_functions_run_where_a_rule_names_them_however_they_are_called() {
    let mut world = world();
    for sql in [
        "SELECT may_mail(1)",
        "SELECT lower(may_mail(id)) FROM customers",
        "SELECT * FROM may_list()",
        "SELECT word FROM may_list() AS l(word)",
        "SELECT l.* FROM customers, LATERAL may_list() l",
        "SELECT 1 <~> 2",
        "SELECT 1 OPERATOR(public.<~>) 2",
        "SELECT 1::mood",
        "INSERT INTO watched VALUES (1)",
        "COPY (SELECT * FROM may_list()) TO STDOUT",
    ] {
        world.runs(sql);
    }
    for sql in [
        "SELECT * FROM list()",
        "SELECT list()",
        "SELECT 1 <!> 2",
        "SELECT 1 OPERATOR(public.<!>) 2",
        "SELECT 1::light",
        "SELECT CAST(1 AS light)",
        "INSERT INTO guarded VALUES (1)",
        "SELECT pg_sleep(0)",
        "SELECT query_to_xml('SELECT email FROM customers', true, true, '')",
    ] {
        world.is_refused(sql);
    }
}
