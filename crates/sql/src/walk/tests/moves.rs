//! What a change returns of what it assigned, and which values it takes elsewhere.

use model::Move;

use super::{ask, outputs};

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(outputs(text), expected, "{text}");
}

#[test]
fn returned_columns_hold_what_was_assigned() {
    check("UPDATE customers SET name = email WHERE id = 2 RETURNING name", "customers.email+customers.name");
    check(
        "UPDATE customers SET name = name || '/' || ssn WHERE id = 2 RETURNING name, email",
        "customers.name+customers.ssn, customers.email",
    );
    check(
        "UPDATE customers SET (name, tags) = (SELECT v, k FROM secrets) WHERE id = 1 RETURNING tags, name",
        "customers.tags+secrets.k, customers.name+secrets.v",
    );
    check(
        "UPDATE customers SET (name, tags) = (email, '{}') WHERE id = 1 RETURNING tags, name",
        "customers.tags, customers.email+customers.name",
    );
    check("UPDATE customers SET (name, tags) = ROW(get_email(1), '{}') WHERE id = 1 RETURNING name", "!");
    check("UPDATE orders o SET status = c.email FROM customers c RETURNING o.status", "customers.email+orders.status");
    check(
        "UPDATE notes SET body = s.v FROM secrets s RETURNING new.body, notes.*",
        "notes.body+secrets.v, notes.id, notes.body+secrets.v",
    );
    check(
        "UPDATE orders SET status = s.v FROM secrets s RETURNING new.status, orders, s.k",
        "orders.status+secrets.v, orders.*+secrets.v, secrets.k",
    );
    check("INSERT INTO secrets SELECT id, email FROM customers RETURNING v", "customers.email+secrets.v");
    check("INSERT INTO secrets(v, k) SELECT id, email FROM customers RETURNING k", "customers.email+secrets.k");
    check("INSERT INTO secrets SELECT * FROM missing RETURNING k", "!");
    check(
        "INSERT INTO secrets(k) VALUES (1), ((SELECT email FROM customers)) RETURNING k",
        "customers.email+secrets.k",
    );
    check(
        "INSERT INTO secrets(k) VALUES (1) ON CONFLICT (k) DO UPDATE SET v = (SELECT email FROM customers) RETURNING v",
        "customers.email+secrets.v",
    );
    check(
        "INSERT INTO orders(id, total) SELECT id, email FROM customers ON CONFLICT (id) DO UPDATE SET status = excluded.total RETURNING status",
        "customers.email+orders.status",
    );
    check(
        "MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN UPDATE SET status = c.email WHEN NOT MATCHED THEN INSERT VALUES (1, c.ssn) RETURNING o.status, customer_id",
        "customers.email+orders.status, customers.ssn+orders.customer_id",
    );
    check("DELETE FROM secrets WHERE k = 'x' RETURNING v", "secrets.v");
    check("UPDATE missing SET a = 1 RETURNING a", "!");
}

#[test]
fn changes_inside_with_and_copy_hand_it_on() {
    check(
        "WITH x AS (UPDATE customers SET name = email WHERE id = 2 RETURNING name) SELECT * FROM x",
        "customers.email+customers.name",
    );
    check(
        "WITH RECURSIVE x AS (UPDATE customers SET name = email WHERE id = 2 RETURNING name) SELECT * FROM x",
        "customers.email+customers.name",
    );
    check("COPY (UPDATE secrets SET k = v WHERE k = '' RETURNING k) TO STDOUT", "secrets.k+secrets.v");
    check("WITH x AS (UPDATE missing SET a = 1 RETURNING *) SELECT * FROM x", "anything");
}

#[test]
fn triggers_rules_and_defaults_may_put_anything_there() {
    // `stamped` has a trigger before each row, `ruled` a rule instead of updates, `defaulted` a default that calls a function.
    check("UPDATE stamped SET a = 1 WHERE a = 2 RETURNING a, b", "!, !");
    check("INSERT INTO stamped(a) VALUES (1) RETURNING b", "!");
    check("DELETE FROM stamped WHERE a = 1 RETURNING b", "stamped.b");
    check("UPDATE ruled SET a = 'a' WHERE b = 1 RETURNING a", "!");
    check("INSERT INTO ruled VALUES (1) RETURNING a", "ruled.a");
    check("INSERT INTO inbox(body) VALUES ('a') RETURNING body", "inbox.body");
    check("INSERT INTO defaulted(a) VALUES (1) RETURNING a, b", "defaulted.a, !");
    // A column that is generated from another.
    check("SELECT sum FROM generated", "generated.a+generated.sum");
    check("UPDATE generated SET a = v FROM secrets RETURNING sum", "generated.a+generated.sum+secrets.v");
}

fn moves(text: &str) -> String {
    let analysis = ask(text);
    let short =
        |column: &model::ColumnRef| format!("{}.{}", column.relation.trim_start_matches("public."), column.column);
    let show = |step: &Move| {
        format!(
            "{} {} {}",
            short(&step.from),
            if step.made { "in" } else { "to" },
            step.to.as_ref().map_or("elsewhere".to_owned(), short)
        )
    };
    let mut all: Vec<String> = analysis.intent.moves.iter().map(show).collect();
    if analysis.intent.moves_unknown {
        all.push("?".to_owned());
    }
    all.join(", ")
}

/// `to` is unchanged, `in` something made of it.
const MOVES: &[(&str, &str)] = &[
    ("SELECT email FROM customers", ""),
    ("INSERT INTO notes(body) VALUES ('x')", ""),
    ("INSERT INTO notes(body) VALUES ($1)", ""),
    ("INSERT INTO notes(body) SELECT email FROM customers", "customers.email to notes.body"),
    ("INSERT INTO secrets SELECT id, email FROM customers", "customers.email to secrets.v, customers.id to secrets.k"),
    ("INSERT INTO notes(body) SELECT count(*) FROM customers", ""),
    ("INSERT INTO notes(body) VALUES ((SELECT v FROM secrets))", "secrets.v in notes.body"),
    ("INSERT INTO missing SELECT email FROM customers", "customers.email to elsewhere"),
    ("INSERT INTO notes(body) SELECT get_email(1)", "?"),
    ("CREATE TEMP TABLE t AS SELECT email AS e FROM customers", "customers.email to elsewhere"),
    ("SELECT email INTO t FROM customers", "customers.email to elsewhere"),
    // What is read through these keeps its origin.
    ("CREATE VIEW w AS SELECT email FROM customers", ""),
    ("CREATE MATERIALIZED VIEW w AS SELECT email FROM customers", ""),
    ("UPDATE customers SET name = email WHERE id = 1", "customers.email to customers.name"),
    ("UPDATE customers SET email = lower(email) WHERE id = 1", ""),
    ("UPDATE customers SET email = email || ssn WHERE id = 1", "customers.ssn in customers.email"),
    ("UPDATE customers SET name = to_jsonb(customers) WHERE id = 1", "customers.* in customers.name"),
    (
        "UPDATE customers SET (name, tags) = (SELECT v, k FROM secrets) WHERE id = 1",
        "secrets.k to customers.tags, secrets.v to customers.name",
    ),
    ("UPDATE v_contacts SET contact = (SELECT v FROM secrets)", "secrets.v in customers.email"),
    ("UPDATE v_contacts SET contact = lower(contact)", ""),
    ("INSERT INTO parts_1(val) SELECT email FROM customers", "customers.email to parts.val"),
    ("UPDATE parts_1 SET val = lower(val)", ""),
    ("INSERT INTO customers(id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET email = excluded.email", ""),
    (
        "INSERT INTO customers(id, email) SELECT 1, v FROM secrets ON CONFLICT (id) DO UPDATE SET name = excluded.email",
        "secrets.v to customers.email, secrets.v to customers.name",
    ),
    (
        "INSERT INTO customers(id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = customers.email",
        "customers.email to customers.name",
    ),
    ("SELECT set_config('search_path', email, false) FROM customers", "customers.email in elsewhere"),
    ("SELECT pg_notify('a', v) FROM secrets", "secrets.v in elsewhere"),
    ("SELECT setval('seq', ascii(email)) FROM customers", "customers.email in elsewhere"),
    ("SELECT setseed(ascii(email)) FROM customers", "customers.email in elsewhere"),
    ("SELECT nextval('seq')", ""),
    (
        "MERGE INTO notes n USING secrets s ON n.body = s.k WHEN NOT MATCHED THEN INSERT (body) VALUES (s.v)",
        "secrets.v to notes.body",
    ),
    ("COPY (SELECT email FROM customers) TO '/tmp/x'", "customers.email to elsewhere"),
    ("COPY (SELECT email FROM customers) TO STDOUT", ""),
    ("WITH x AS (INSERT INTO notes(body) SELECT email FROM customers) SELECT 1", "customers.email to notes.body"),
    (
        "WITH RECURSIVE t(a) AS (SELECT k FROM secrets UNION ALL SELECT v FROM secrets JOIN t ON a = 'x') INSERT INTO notes(body) SELECT a FROM t",
        "secrets.k in notes.body, secrets.v in notes.body",
    ),
    ("PREPARE p AS INSERT INTO notes(body) SELECT email FROM customers", "customers.email to notes.body"),
    ("EXPLAIN ANALYZE INSERT INTO notes(body) SELECT email FROM customers", "customers.email to notes.body"),
    ("EXPLAIN INSERT INTO notes(body) SELECT email FROM customers", ""),
    ("DO $$ BEGIN END $$", "?"),
    (
        "CREATE RULE r AS ON UPDATE TO customers DO INSERT INTO notes(body) VALUES (new.email)",
        "customers.email to notes.body",
    ),
    (
        "CREATE TRIGGER t BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(tags, 'pg_catalog.simple', email)",
        "customers.email in customers.tags",
    ),
    ("ALTER TABLE customers RENAME email TO contact", "customers.email to customers.contact"),
    ("ALTER TABLE customers RENAME TO people", "customers.* in elsewhere"),
    ("ALTER TABLE customers SET SCHEMA other", "customers.* in elsewhere"),
    ("ALTER VIEW v_contacts RENAME TO w", ""),
    ("ALTER TABLE customers ALTER name TYPE text USING email", "customers.email to customers.name"),
    ("ALTER TABLE customers ADD copy text GENERATED ALWAYS AS (email) STORED", "customers.email to customers.copy"),
    ("ALTER TABLE parts ATTACH PARTITION plain DEFAULT", "plain.val to parts.val"),
    ("ALTER TABLE parts DETACH PARTITION parts_1", "parts.at to parts_1.at, parts.val to parts_1.val"),
    ("ALTER TABLE generated ALTER sum DROP EXPRESSION", "generated.a in generated.sum"),
    ("ALTER SCHEMA public RENAME TO old", "public.* in elsewhere"),
];

#[test]
fn what_goes_elsewhere_is_told() {
    let wrong: Vec<String> = MOVES
        .iter()
        .filter(|(text, expected)| moves(text) != *expected)
        .map(|(text, expected)| format!("{text}: {} instead of {expected}", moves(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn moves_are_part_of_what_an_intent_is() {
    let one = ask("INSERT INTO secrets(k) SELECT email FROM customers");
    let other = ask("INSERT INTO secrets(v) SELECT email FROM customers");
    assert_ne!(one.intent.id, other.intent.id);
}
