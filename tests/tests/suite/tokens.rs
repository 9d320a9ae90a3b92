//! Tokens that a client sends back find the row, and what they stand for is shown nowhere.

use std::time::Duration;

use sallyport_tests::kit::message;

use crate::world::World;

const POLICY: &str = r#"
rules:
  - name: agents work
    who: { groups: [agents] }
    do: [connect, session, read, write, delete, create, alter, destroy]
    then: allow
masks:
  - name: customer data
    who: { groups: [agents] }
    columns: ["public.customers.email", "public.customers.ref"]
    with: token
    predicates: equality
  - name: names
    who: { groups: [agents] }
    columns: ["public.customers.name"]
    with: hash
    predicates: equality
"#;

const SCHEMA: &str = "CREATE TABLE customers(id int PRIMARY KEY, name text, email varchar(80), ref uuid, note text);
    CREATE TABLE orders(id int, email text);
    CREATE TABLE seen(id int, q text DEFAULT current_query());
    CREATE VIEW contacts AS SELECT id, email AS contact FROM customers;
    INSERT INTO customers SELECT n, 'Ann', 'o''hara' || n || '@example.com', ('9b2f8a52-7f5e-4d1c-a9d7-0f4c2f1a6b' || (10 + n))::uuid, 'n'
    FROM generate_series(1, 40) n;
    INSERT INTO orders SELECT id, email FROM customers;
    GRANT ALL ON customers, orders, contacts, seen TO app; GRANT CREATE ON SCHEMA public TO app";

/// Parts of what must never be seen.
const HIDDEN: [&str; 2] = ["hara", "0f4c2f1a6b"];

fn world() -> World {
    World::new(SCHEMA, POLICY, &HIDDEN)
}

impl World {
    fn id(&mut self, condition: &str) -> Option<String> {
        let rows = self.wire.rows(&format!("SELECT id FROM customers WHERE {condition}")).unwrap();
        assert!(rows.len() <= 1, "{rows:?}");
        rows.into_iter().next().and_then(|row| row.into_iter().next().flatten())
    }

    /// Parse with this text, Bind with these values, Execute, Sync: the answers' bytes.
    fn extended(&mut self, name: &str, sql: &str, types: &[u32], values: &[&[u8]], format: u16) -> Vec<u8> {
        let values: Vec<Option<Vec<u8>>> = values.iter().map(|value| Some(value.to_vec())).collect();
        let sent = [
            message::parse(name, sql.as_bytes(), types),
            message::bind("", name, &values, format, 0),
            message::execute("", 0),
            message::sync(),
        ];
        self.wire.send(&sent.concat()).unwrap();
        let answers = self.wire.until_ready(Duration::from_secs(10)).unwrap();
        let bytes: Vec<u8> = answers.iter().flat_map(|it| [&[it.tag], it.body.as_slice()].concat()).collect();
        let said = String::from_utf8_lossy(&bytes);
        assert!(!HIDDEN.iter().any(|hidden| said.contains(hidden)), "{sql}: {said}");
        bytes
    }
}

#[test]
fn a_token_finds_its_row() {
    let mut world = world();
    let email = world.wire.value("SELECT email FROM customers WHERE id = 7").unwrap();
    let uuid = world.wire.value("SELECT ref FROM customers WHERE id = 7").unwrap();
    let other = world.wire.value("SELECT contact FROM contacts WHERE id = 8").unwrap();
    assert!(email.starts_with("tok_") && other.starts_with("tok_") && !uuid.contains("0f4c2f1a6b"), "{email} {uuid}");
    for condition in [
        format!("email = '{email}'"),
        format!("'{email}'::text = email"),
        format!("email IN ('{email}', 'x')"),
        format!("email = ANY (ARRAY['{email}'])"),
        format!("email IS NOT DISTINCT FROM '{email}' AND note = 'n'"),
        format!("ref = '{uuid}'"),
        format!("ref = '{uuid}'::uuid"),
        format!("id IN (SELECT id FROM contacts WHERE contact = '{email}')"),
        "email = 'o''hara7@example.com'".to_owned(),
    ] {
        assert_eq!(world.id(&condition).as_deref(), Some("7"), "{condition}");
    }
    let both = format!("SELECT count(*) FROM contacts WHERE contact IN ('{email}', '{other}')");
    assert_eq!(world.wire.value(&both).unwrap(), "2");
    for condition in [
        format!("name = '{email}'"),
        format!("note = '{email}'"),
        format!("email = '{email}a'"),
        format!("email = 'tok_{}'", email[4..].chars().rev().collect::<String>()),
        format!("email = '{email}' AND ref = '{}'", uuid.replace('8', "9")),
    ] {
        assert_eq!(world.id(&condition), None, "{condition}");
    }
    let changed =
        world.said(&format!("UPDATE customers SET note = 'seen' WHERE email = '{email}' RETURNING id, email"));
    assert!(changed.contains(&email) && changed.contains("UPDATE 1"), "{changed}");
    assert_eq!(
        world.server.sql("postgres", "SELECT note FROM customers WHERE id = 7").unwrap()[0][0].as_deref(),
        Some("seen")
    );
}

#[test]
fn a_bound_token_finds_its_row() {
    let mut world = world();
    let email = world.wire.value("SELECT email FROM customers WHERE id = 7").unwrap();
    let uuid = world.wire.value("SELECT ref FROM customers WHERE id = 7").unwrap();
    let binary: Vec<u8> = uuid
        .replace('-', "")
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let found = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("SELECT 1");
    let sql = "SELECT id FROM customers WHERE email = $1";
    for types in [&[][..], &[25], &[1043]] {
        assert!(found(&world.extended("", sql, types, &[email.as_bytes()], 0)), "{types:?}");
        assert!(found(&world.extended("", sql, types, &[email.as_bytes()], 1)), "{types:?}");
    }
    let by_ref = "SELECT id FROM customers WHERE ref = $1";
    assert!(found(&world.extended("", by_ref, &[], &[uuid.as_bytes()], 0)));
    assert!(found(&world.extended("", by_ref, &[2950], &[&binary], 1)));
    assert!(found(&world.extended("named", &format!("SELECT id FROM customers WHERE email = '{email}'"), &[], &[], 0)));
    // Nothing that would show or cut the value gets it.
    for (sql, types) in [
        ("SELECT $1::text FROM customers WHERE email = $1", &[][..]),
        ("SELECT id FROM customers WHERE email = $1 AND length($1) > 3", &[]),
        ("SELECT id FROM customers WHERE email = $1", &[19]),
        ("SELECT id FROM customers WHERE email = $1", &[18]),
    ] {
        assert!(!found(&world.extended("", sql, types, &[email.as_bytes()], 0)), "{sql} {types:?}");
    }
    world.said("SELECT * FROM pg_prepared_statements");
    world.said("EXPLAIN EXECUTE named");
    world.said("EXPLAIN (ANALYZE, VERBOSE) EXECUTE named");
}

#[test]
fn what_a_token_stands_for_is_shown_nowhere() {
    let mut world = world();
    let email = world.wire.value("SELECT email FROM customers WHERE id = 7").unwrap();
    let is = format!("email = '{email}'");
    for sql in [
        format!("SELECT current_query(), id FROM customers WHERE {is}"),
        format!("SELECT query FROM pg_stat_activity, customers WHERE {is}"),
        format!("SELECT '{email}', NULLIF('{email}', email), id FROM customers WHERE {is}"),
        format!("EXPLAIN (VERBOSE) SELECT id FROM customers WHERE {is}"),
        format!("DECLARE c CURSOR WITH HOLD FOR SELECT id FROM customers WHERE {is}"),
        "SELECT statement, name FROM pg_cursors".to_owned(),
        format!("PREPARE p AS SELECT id FROM customers WHERE {is}"),
        "EXPLAIN EXECUTE p".to_owned(),
        "SELECT statement FROM pg_prepared_statements".to_owned(),
        format!("CREATE VIEW w AS SELECT id FROM customers WHERE {is}"),
        "SELECT pg_get_viewdef('w'::regclass)".to_owned(),
        format!("CREATE TABLE copied AS SELECT id, '{email}' AS e FROM customers WHERE {is}"),
        "SELECT * FROM copied".to_owned(),
        format!("INSERT INTO seen(id) SELECT id FROM customers WHERE {is}"),
        "SELECT * FROM seen".to_owned(),
        format!("SELECT 1 / 0 FROM customers WHERE {is}"),
        format!("SELECT nothing FROM customers WHERE {is}"),
        format!("SELECT id FROM customers WHERE {is} AND note = 1"),
        "SET client_min_messages = debug1; SET debug_print_parse = on".to_owned(),
        format!("SELECT id FROM customers WHERE {is}"),
    ] {
        world.said(&sql);
    }
    // What was stored is the client's own word.
    let stored = world.server.sql("postgres", "SELECT coalesce(string_agg(q, ' '), '') FROM seen").unwrap();
    assert!(!stored[0][0].as_deref().unwrap_or_default().contains("hara"), "{stored:?}");
    // Where an error points to would tell how long the value is.
    let failed = world.wire.query(&format!("SELECT id FROM customers WHERE {is} AND id = true")).unwrap();
    let error = failed.iter().find(|answer| answer.tag == b'E').unwrap();
    assert_eq!((error.field(b'C').as_deref(), error.field(b'P')), (Some("42883"), None), "{}", error.describe());
    let plain = world.wire.query("SELECT id FROM customers WHERE id = true").unwrap();
    assert!(plain.iter().find(|answer| answer.tag == b'E').unwrap().field(b'P').is_some());
}
