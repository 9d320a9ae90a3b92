//! Who reads the catalogue, and whose search path counts.

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::Wire;

const POLICY: &str = "
rules:
  - name: agents read what is public
    who: { groups: [agents] }
    do: [connect, session, read]
    objects: ['public.*']
    then: allow
masks:
  - name: mail
    who: { groups: [agents] }
    columns: [public.customers.email]
    with: redact
";

const SCHEMA: &str = "CREATE TABLE customers(id int, email text);
    CREATE VIEW contacts AS SELECT id, lower(email) AS contact FROM customers;
    CREATE FUNCTION newest() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(id) FROM public.customers';
    INSERT INTO customers VALUES (7, 'ann@example.com');
    CREATE TABLE t(said text);
    INSERT INTO t VALUES ('public');
    CREATE TABLE u(said text);
    INSERT INTO u VALUES ('public');
    CREATE SCHEMA app;
    CREATE TABLE app.t(said text);
    INSERT INTO app.t VALUES ('hidden');
    CREATE SCHEMA shop;
    CREATE TABLE shop.u(said text);
    INSERT INTO shop.u VALUES ('hidden');
    GRANT USAGE ON SCHEMA app, shop TO app;
    GRANT SELECT ON ALL TABLES IN SCHEMA public, app, shop TO app";

/// What hides the sources of functions and views from ordinary roles.
const HARDENED: &str = "REVOKE SELECT ON pg_catalog.pg_proc FROM PUBLIC;
    REVOKE EXECUTE ON FUNCTION pg_catalog.pg_get_functiondef(oid) FROM PUBLIC;
    REVOKE EXECUTE ON FUNCTION pg_catalog.pg_get_viewdef(oid) FROM PUBLIC";

struct World {
    server: Server,
    gateway: Gateway,
}

fn world(hardened: bool, options: &str) -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    for statement in SCHEMA.split(";\n").chain(HARDENED.split(";\n").filter(|_| hardened)) {
        server.sql("postgres", statement).unwrap();
    }
    let options = Options { options: options.to_owned(), ..Options::new(server.port(), "postgres", POLICY) };
    let gateway = Gateway::start(&options).unwrap();
    World { server, gateway }
}

impl World {
    fn login(&self) -> Wire {
        Wire::login(&self.gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap()
    }
}

/// The rows of an answer, or the words of a failure.
fn said(wire: &mut Wire, sql: &str) -> String {
    wire.rows(sql).map_or_else(|error| format!("{error:#}"), |rows| format!("{rows:?}"))
}

const REFUSED: &str = "no rule of the policy covers this";

#[test]
fn a_role_that_may_not_read_the_catalogue_has_one_that_may() {
    let without = world(true, "");
    let mut wire = without.login();
    for sql in ["SELECT id FROM customers", "SELECT newest()"] {
        let answer = said(&mut wire, sql);
        assert!(answer.contains(REFUSED), "{sql}: {answer}");
    }
    let with = world(true, "catalog: superuser");
    let mut wire = with.login();
    for (sql, expected) in [
        ("SELECT id FROM customers", "[[Some(\"7\")]]"),
        ("SELECT newest()", "[[Some(\"7\")]]"),
        ("SELECT said FROM u", "[[Some(\"public\")]]"),
    ] {
        assert_eq!(said(&mut wire, sql), expected, "{sql}");
    }
    let contact = said(&mut wire, "SELECT contact FROM contacts");
    assert!(contact.starts_with("[[Some(") && !contact.contains("ann"), "{contact}");
    assert!(said(&mut wire, "SELECT said FROM shop.u").contains(REFUSED));
}

#[test]
fn names_are_looked_up_in_the_sessions_own_path() {
    for options in ["", "catalog: superuser", "catalog: app"] {
        let world = world(false, options);
        // `"$user"` is the schema named like the role.
        let mut wire = world.login();
        let answer = said(&mut wire, "SELECT said FROM t");
        assert!(answer.contains(REFUSED), "{options}: {answer}");
        assert_eq!(said(&mut wire, "SELECT said FROM public.t"), "[[Some(\"public\")]]", "{options}");
        assert_eq!(said(&mut wire, "SELECT said FROM u"), "[[Some(\"public\")]]", "{options}");
        // The path that the role has, whoever reads the catalogue.
        world.server.sql("postgres", "ALTER ROLE app SET search_path = shop, public").unwrap();
        let mut wire = world.login();
        let answer = said(&mut wire, "SELECT said FROM u");
        assert!(answer.contains(REFUSED), "{options}: {answer}");
        assert_eq!(said(&mut wire, "SELECT said FROM public.u"), "[[Some(\"public\")]]", "{options}");
        // One message that sets the path and uses it.
        for text in ["SET search_path = '$user', public; SELECT said FROM t", "RESET search_path; SELECT said FROM u"] {
            let answer = said(&mut wire, text);
            assert!(answer.contains(REFUSED), "{options}: {text}: {answer}");
        }
        let text = "SET search_path = '$user', public; SELECT said FROM public.t";
        assert_eq!(said(&mut wire, text), "[[Some(\"public\")]]", "{options}");
    }
}
