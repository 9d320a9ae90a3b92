//! Ways around a mask by those who may define things: new names, stored results, foreign keys, operators of their own, constraints that ask.

use crate::world::World;

const POLICY: &str = r#"
rules:
  - name: agents define
    who: { groups: [agents] }
    do: [connect, session, read, write, delete, create, alter, destroy, admin]
    then: allow
masks:
  - name: customer data
    who: { groups: [agents] }
    columns: ["public.customers.email", "public.customers.vc", "public.typed.email"]
    with: token
    predicates: equality
"#;

const SCHEMA: &str = "CREATE TYPE row_type AS (id int, email text);
    CREATE TABLE typed OF row_type;
    INSERT INTO typed VALUES (1, 'annabella@example.com');
    CREATE TABLE customers(id int PRIMARY KEY, email text UNIQUE, vc varchar(80), note text);
    INSERT INTO customers SELECT n, 'annabella' || n || '@example.com', 'annabella' || n, 'n' FROM generate_series(1, 20) n;
    CREATE TABLE child(e text REFERENCES customers(email) ON UPDATE CASCADE);
    CREATE VIEW below AS SELECT id, email AS x FROM customers;
    CREATE FUNCTION mails() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT email FROM public.customers';
    CREATE MATERIALIZED VIEW kept AS SELECT id, x FROM below;
    CREATE MATERIALIZED VIEW mailed AS SELECT t.x FROM mails() AS t(x);
    ALTER TYPE row_type OWNER TO app; ALTER TABLE typed OWNER TO app; ALTER TABLE customers OWNER TO app;
    ALTER TABLE child OWNER TO app; ALTER VIEW below OWNER TO app; ALTER FUNCTION mails() OWNER TO app;
    ALTER MATERIALIZED VIEW kept OWNER TO app; ALTER MATERIALIZED VIEW mailed OWNER TO app;
    GRANT CREATE ON SCHEMA public TO app";

fn world() -> World {
    World::new(SCHEMA, POLICY, &["annabella"])
}

impl World {
    fn denied(&mut self, sql: &str) {
        let said = self.said(sql);
        assert!(said.contains("SP-DENIED") && said.contains("customer data"), "{sql}: {said}");
    }

    fn done(&mut self, sql: &str) -> String {
        let said = self.said(sql);
        assert!(!said.contains("ERROR"), "{sql}: {said}");
        said
    }
}

#[test]
fn stored_results_keep_their_masks() {
    let mut world = world();
    world.denied("CREATE OR REPLACE VIEW below AS SELECT id, note AS x FROM customers");
    world.denied(
        "CREATE OR REPLACE RULE \"_RETURN\" AS ON SELECT TO below DO INSTEAD SELECT id, note AS x FROM customers",
    );
    world.denied("CREATE OR REPLACE FUNCTION mails() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT note FROM public.customers'");
    world.said("SELECT * FROM kept");
    world.said("SELECT * FROM mailed");
    // Of what is stored nowhere, and of what was never masked.
    world.done("CREATE VIEW free AS SELECT id, email AS x FROM customers");
    world.done("CREATE OR REPLACE VIEW free AS SELECT id, note::text AS x FROM customers");
    world.done("CREATE VIEW plain AS SELECT 1 AS a");
    world.done("CREATE MATERIALIZED VIEW plain_kept AS SELECT a FROM plain");
    world.done("CREATE OR REPLACE VIEW plain AS SELECT 2 AS a");
    world.denied("CREATE OR REPLACE VIEW plain AS SELECT length(email) AS a FROM customers");
}

#[test]
fn a_name_that_is_masked_stays() {
    let mut world = world();
    for sql in [
        "ALTER TABLE customers RENAME TO zc",
        "ALTER INDEX customers RENAME TO zc",
        "ALTER VIEW customers RENAME TO zc",
        "ALTER SEQUENCE customers RENAME TO zc",
        "ALTER MATERIALIZED VIEW customers RENAME TO zc",
        "ALTER TYPE row_type RENAME ATTRIBUTE email TO zork CASCADE",
        "ALTER TYPE row_type ADD ATTRIBUTE more int CASCADE",
    ] {
        world.denied(sql);
    }
    world.done("ALTER INDEX customers_pkey RENAME TO customers_key");
    world.done("CREATE TYPE free_type AS (a int)");
    world.done("ALTER TYPE free_type RENAME ATTRIBUTE a TO b");
}

#[test]
fn foreign_keys_pass_nothing_on() {
    let mut world = world();
    world.denied("UPDATE customers SET email = vc WHERE id = 3");
    world.denied("UPDATE below SET x = c.vc FROM customers c WHERE c.id = below.id");
    world.done("UPDATE customers SET email = 'x@example.com' WHERE id = 3");
    world.done("UPDATE customers SET vc = email WHERE id = 4");
    world.said("SELECT * FROM child");
}

#[test]
fn an_equality_of_the_users_own_is_none() {
    let mut world = world();
    let token = world.wire.value("SELECT vc FROM customers WHERE id = 9").unwrap();
    assert!(world.done(&format!("SELECT id FROM customers WHERE vc = '{token}'")).contains("SELECT 1"));
    world.done("CREATE FUNCTION second(varchar, varchar) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $2::text'");
    world.done("CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = second)");
    world.denied(&format!("SELECT id FROM customers WHERE (vc = '{token}') ~ '^anna' AND id = 9"));
    world.denied(&format!("SELECT id FROM customers WHERE vc = '{token}'"));
    world.denied("SELECT a.id FROM customers a JOIN customers b USING (vc)");
    world.denied(&format!("SELECT id FROM customers WHERE vc IN ('{token}')"));
    // The server has an operator of its own for these, and names it.
    assert!(
        world.done(&format!("SELECT id FROM customers WHERE vc OPERATOR(pg_catalog.=) '{token}'")).contains("SELECT")
    );
    world.done("CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = text_le)");
    world.done("SELECT id FROM customers WHERE email = 'x'");
    world.done("SET search_path = public, pg_catalog");
    world.denied("SELECT id FROM customers WHERE email = 'x'");
}

#[test]
fn definitions_ask_too() {
    let mut world = world();
    for sql in [
        "ALTER TABLE customers ADD CONSTRAINT c CHECK (id <> 13 OR email LIKE 'anna%')",
        "ALTER TABLE customers ADD COLUMN more int CHECK (more > 0 OR email LIKE 'anna%')",
        "CREATE INDEX ON customers(id) WHERE email LIKE 'anna%'",
        "CREATE INDEX ON customers((email || ''))",
        "CREATE UNIQUE INDEX ON customers((left(email, 3)))",
        "ALTER TABLE customers ALTER COLUMN vc TYPE varchar(9)",
        "ALTER TABLE customers ADD CONSTRAINT c EXCLUDE USING btree ((left(email, 3)) WITH =)",
    ] {
        world.denied(sql);
    }
    world.done("ALTER TABLE customers ADD COLUMN more int CHECK (more > 0)");
    world.done("ALTER TABLE customers ADD CONSTRAINT c CHECK (id > 0)");
    world.done("CREATE INDEX ON customers((upper(note))) WHERE id > 3");
    world.done("CREATE UNIQUE INDEX ON customers(vc)");
}
