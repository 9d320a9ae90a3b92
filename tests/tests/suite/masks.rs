//! Masked values on ways around a mask: what a change returns, what is copied elsewhere, what the server shows of tables by itself.

use std::time::{Duration, Instant};

use crate::world::World;

const POLICY: &str = r#"
rules:
  - name: agents work
    who: { groups: [agents] }
    do: [connect, session, read, write, create, alter, destroy, admin]
    then: allow
masks:
  - name: customer data
    who: { groups: [agents] }
    columns: ["public.customers.email", "public.customers.born", "public.archive.email"]
    with: partial
"#;

const SCHEMA: &str = "CREATE TABLE customers(id int PRIMARY KEY, name text, email text, born date);
    CREATE TABLE archive(id int, email text, note text);
    CREATE VIEW contacts AS SELECT id, email AS contact FROM customers;
    INSERT INTO customers SELECT n, 'Ann', 'annabella@example.com', '1977-03-04' FROM generate_series(1, 40) n;
    ANALYZE customers;
    GRANT ALL ON customers, archive, contacts TO app; GRANT CREATE ON SCHEMA public TO app";

/// What must never be seen: the part of the e-mail that a partial mask hides, and the day of birth.
const HIDDEN: [&str; 2] = ["annabella", "1977-03-04"];

fn world() -> World {
    World::new(SCHEMA, POLICY, &[])
}

#[test]
fn nothing_that_a_change_returns_or_the_server_shows_is_unmasked() {
    let mut world = world();
    for sql in [
        "SELECT email, born FROM customers",
        "INSERT INTO archive(id, email) SELECT id, email FROM customers RETURNING email, archive",
        "UPDATE customers SET email = email || '!' WHERE id = 1 RETURNING email, customers",
        "WITH x AS (UPDATE customers SET email = lower(email) WHERE id = 2 RETURNING *) SELECT * FROM x",
        "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'customers'",
        "TABLE pg_stats",
        "SELECT array_to_string(most_common_vals, ',') FROM pg_stats",
        "SELECT s FROM pg_stats s WHERE tablename = 'customers'",
        "COPY customers TO STDOUT",
        "COPY (SELECT contact, born::text FROM contacts JOIN customers USING (id)) TO STDOUT",
    ] {
        let said = world.said(sql);
        for hidden in HIDDEN {
            assert!(!said.contains(hidden), "{sql}: {said}");
        }
    }
    // A date stays a date, an e-mail keeps what a partial mask leaves.
    let copied = world.said("COPY (SELECT email, born FROM customers WHERE id = 3) TO STDOUT");
    assert!(copied.contains("@example.com") && !copied.contains("redacted"), "{copied}");
}

#[test]
fn masked_values_go_nowhere_else() {
    let mut world = world();
    for sql in [
        "UPDATE customers SET name = email WHERE id = 2 RETURNING name",
        "WITH x AS (UPDATE customers SET name = email RETURNING name) SELECT * FROM x",
        "INSERT INTO archive(note) SELECT email FROM customers",
        "INSERT INTO archive(email) SELECT 'a@' || email FROM customers",
        "CREATE TEMP TABLE t AS SELECT email FROM customers",
        "SELECT email INTO t FROM customers",
        "SELECT pg_notify('c', email) FROM customers",
        "SELECT set_config('application_name', email, false) FROM customers LIMIT 1",
        "PREPARE p AS INSERT INTO archive(note) SELECT email FROM customers",
        "MERGE INTO archive a USING customers c ON a.id = c.id WHEN NOT MATCHED THEN INSERT (note) VALUES (c.email)",
        "ALTER TABLE customers RENAME email TO contact",
    ] {
        let said = world.said(sql);
        assert!(said.contains("masked for you") && said.contains("customer data"), "{sql}: {said}");
    }
    for sql in [
        "UPDATE customers SET email = lower(email) WHERE id = 1",
        "INSERT INTO archive(id, email) SELECT id, email FROM customers",
        "INSERT INTO archive(note) SELECT name FROM customers",
        "INSERT INTO archive(note) VALUES ('x')",
        "CREATE TEMP TABLE counted AS SELECT count(*) AS n FROM customers",
        "DISCARD ALL",
    ] {
        let said = world.said(sql);
        assert!(!said.contains("ERROR"), "{sql}: {said}");
    }
}

/// A trigger that tells everyone which row was changed is usual.
#[test]
fn what_other_sessions_say_is_withheld_unless_the_mask_allows_it() {
    let mut world = world();
    let tell = |world: &World| {
        world.server.sql("postgres", "SELECT pg_notify('changes', row_to_json(c)::text) FROM customers c WHERE id = 1")
    };
    world.said("LISTEN changes");
    tell(&world).unwrap();
    let said = world.said("SELECT 1");
    assert!(said.contains("Achanges") || said.contains("changes\0text withheld"), "{said}");
    assert!(said.contains("text withheld") && !said.contains("annabella") && !said.contains("Ann\""), "{said}");
    // What the session says itself was judged.
    let said = world.said("NOTIFY changes, 'done'");
    assert!(said.contains("changes\0done"), "{said}");
    world.said("LISTEN empty");
    world.server.sql("postgres", "NOTIFY empty").unwrap();
    let said = world.said("SELECT 1");
    assert!(said.contains("empty") && !said.contains("withheld"), "{said}");
    world.gateway.set_policy(&POLICY.replace("with: partial", "with: partial\n    notifications: allow")).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        tell(&world).unwrap();
        let said = world.said("SELECT 1");
        if said.contains("annabella") {
            break;
        }
        assert!(Instant::now() < until, "{said}");
    }
}
