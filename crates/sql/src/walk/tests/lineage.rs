//! Where values come from, and which columns decide.

use super::{ask, outputs};

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(outputs(text), expected, "{text}");
}

#[test]
fn plain_references() {
    check("SELECT email FROM customers", "customers.email");
    check("SELECT c.email AS x, 1, 'a' FROM customers c", "customers.email, -, -");
    check("SELECT public.customers.email FROM customers", "customers.email");
    check("SELECT b, c FROM customers AS t(a, b, c)", "customers.name, customers.email");
    check("SELECT * FROM secrets", "secrets.k, secrets.v");
    check("SELECT s.*, 1 FROM secrets s", "secrets.k, secrets.v, -");
    check("SELECT ctid, tableoid FROM secrets", "-, -");
    check("TABLE secrets", "secrets.k, secrets.v");
    check("SELECT x.* FROM (SELECT k AS a, v FROM secrets) x", "secrets.k, secrets.v");
    check("SELECT y.b FROM (SELECT * FROM secrets) AS y(a, b)", "secrets.v");
    check("SELECT (SELECT v FROM secrets LIMIT 1)", "secrets.v");
    check("SELECT (SELECT c.email) FROM customers c", "customers.email");
    check("SELECT x.e FROM customers c, LATERAL (SELECT c.email AS e) x", "customers.email");
    check("SELECT c FROM customers c", "customers.*");
    check("SELECT (c).email FROM customers c", "customers.*");
    check("SELECT nope FROM secrets", "?");
    check("SELECT * FROM missing", "unknown");
    check("SELECT a FROM missing", "?");
    check("SELECT * FROM v_contacts", "customers.id+v_contacts.id, customers.email+v_contacts.contact");
    check("SELECT contact FROM v_top", "customers.email+v_contacts.contact+v_top.contact");
    check("SELECT v FROM v_contacts v", "customers.email+customers.id+v_contacts.*");
    check("SELECT x FROM v_loop", "?");
    check("SELECT val FROM parts_1", "parts.val+parts_1.val");
    check("VALUES (1, 'a'), (2, (SELECT v FROM secrets))", "-, secrets.v");
    check("SELECT column2 FROM (VALUES (1, (SELECT v FROM secrets))) x", "secrets.v");
}

#[test]
fn a_row_is_found_beside_an_item_whose_columns_are_not_known() {
    check("SELECT s FROM secrets s, unnest(ARRAY['a']) AS u(x)", "secrets.*");
    check("SELECT (s).v FROM secrets s, unnest(ARRAY['a'], ARRAY['b']) AS u(x, y)", "secrets.*");
    let side_by_side = ask("SELECT x, y FROM secrets s, unnest(ARRAY['a'], ARRAY[s.v]) AS u(x, y)");
    assert!(side_by_side.intent.actions.iter().all(|action| action.effect == model::Effect::Read));
    check("SELECT s::text FROM (SELECT v FROM secrets) s, jsonb_each_text('{}') AS u", "secrets.v");
    check("SELECT (SELECT max(s::text) FROM unnest(ARRAY['a']) AS u(x)) FROM secrets s", "secrets.*");
}

#[test]
fn expressions() {
    for expression in [
        "email || ''",
        "upper(email)",
        "md5(email)",
        "encode(convert_to(email, 'UTF8'), 'hex')",
        "substring(email from 1 for 3)",
        "email::varchar(5)",
        "CASE WHEN true THEN email END",
        "coalesce(NULL, email)",
        "ARRAY[email]",
        "ROW(email, 1)",
        "format('%s', email)",
        "max(email)",
        "string_agg(email, ',')",
        "lag(email) OVER (ORDER BY 1)",
        "first_value(email) OVER ()",
        "array_agg(email ORDER BY 1)",
        "jsonb_build_object('a', email)",
        "reverse(email)",
        "length(email)",
        "email LIKE 'a%'",
        "email = 'x'",
        "email IS NULL",
        "nullif(email, '')",
        "greatest(email, 'a')",
        "email COLLATE \"C\"",
        "(ARRAY[email])[1]",
        "JSON_ARRAY(email)",
        "xmlelement(name a, email)",
        "ascii(email) + 1",
        "CASE WHEN email = 'a' THEN 1 END",
        "min(email) FILTER (WHERE true)",
        "regexp_match(email, '(.)')",
    ] {
        let text = format!("SELECT {expression} FROM customers").replace("upper(", "pg_catalog.upper(");
        check(&text, "customers.email");
    }
    check(
        "SELECT count(*), count(email), row_number() OVER (ORDER BY email), count(DISTINCT email) FROM customers",
        "-, -, -, -",
    );
    check("SELECT EXISTS (SELECT email FROM customers)", "-");
    check(
        "SELECT to_jsonb(c) ->> 'email', row_to_json(c.*), c::text FROM customers c",
        "customers.*, customers.*, customers.*",
    );
    check("SELECT get_email(1)", "?");
    check("SELECT 1 <-!-> 2", "?");
    check("SELECT lo_get(5)", "?");
    check("SELECT ARRAY(SELECT v FROM secrets), 'x' IN (SELECT v FROM secrets)", "secrets.v, secrets.v");
    check("SELECT e FROM customers, unnest(tags) AS e", "customers.tags");
    check("SELECT a FROM customers, unnest(tags, ARRAY[1, 2]) AS u(a, b)", "customers.tags");
    check("SELECT g, ascii(substr(email, g, 1)) FROM customers, generate_series(1, 30) g", "-, customers.email");
    check("SELECT x.value FROM customers c, jsonb_each_text(to_jsonb(c)) x", "customers.*");
    check("SELECT x.value FROM secrets s CROSS JOIN jsonb_each_text(to_jsonb(s.v)) x", "secrets.v");
    check("SELECT * FROM generate_series(1, 2) WITH ORDINALITY AS x(a, b)", "-, -");
    check("SELECT current_user, now(), $1", "-, -, -");
    check("SELECT a FROM json_to_record((SELECT to_json(v) FROM secrets)) AS x(a text)", "secrets.v");
}

#[test]
fn joins_and_sets() {
    check("SELECT * FROM secrets s JOIN notes n ON n.body = s.k", "secrets.k, secrets.v, notes.id, notes.body");
    check(
        "SELECT * FROM orders o JOIN notes n USING (id)",
        "notes.id+orders.id, orders.customer_id, orders.total, orders.status, orders.drop, orders.deleted_at, notes.body",
    );
    check(
        "SELECT id, x.total FROM (SELECT id, total FROM orders) x NATURAL JOIN notes",
        "notes.id+orders.id, orders.total",
    );
    check("SELECT j.v FROM (secrets s CROSS JOIN notes n) AS j", "secrets.v");
    check("SELECT j.b FROM (secrets s CROSS JOIN notes n) AS j(a, b)", "secrets.v");
    check("SELECT u.id FROM orders JOIN notes USING (id) AS u", "notes.id+orders.id");
    check("SELECT name FROM customers UNION SELECT v FROM secrets", "customers.name+secrets.v");
    check(
        "SELECT 1, name FROM customers UNION ALL SELECT 2, v FROM secrets EXCEPT SELECT 3, 'x'",
        "-, customers.name+secrets.v",
    );
    check("SELECT 1 UNION SELECT 1, 2", "unknown");
    check("WITH a AS (SELECT v AS x FROM secrets), b AS (SELECT x || 'y' AS z FROM a) SELECT z FROM b", "secrets.v");
    check("WITH a(q) AS (SELECT v FROM secrets) SELECT q FROM a", "secrets.v");
    check("WITH d AS (DELETE FROM secrets RETURNING v) SELECT * FROM d", "secrets.v");
    check("INSERT INTO notes(body) VALUES ('a') RETURNING id, body", "notes.id, notes.body");
    check(
        "UPDATE customers SET name = 'a' WHERE id = 1 RETURNING *",
        "customers.id, customers.name, customers.email, customers.ssn, customers.card, customers.tags",
    );
    check(
        "UPDATE notes n SET body = 'a' FROM secrets s WHERE n.id = 1 RETURNING s.v, old.body",
        "secrets.v, notes.body",
    );
    check("DELETE FROM notes USING secrets WHERE body = k RETURNING v, id", "secrets.v, notes.id");
    check("INSERT INTO notes(body) VALUES ('a')", "none");
    // Not LATERAL: `v` is the outer query's, not the sibling's.
    check("SELECT (SELECT y.q FROM notes, (SELECT k AS q) y LIMIT 1) FROM secrets", "secrets.k");
}

#[test]
fn recursion_is_solved() {
    check("WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t) SELECT n FROM t", "-");
    check(
        "WITH RECURSIVE t(a, b) AS (SELECT id, name FROM customers UNION ALL SELECT a, b FROM t) SELECT a, b FROM t",
        "customers.id, customers.name",
    );
    // The e-mail moves one column to the left each round.
    check(
        "WITH RECURSIVE t(a, b, c) AS (SELECT '', '', '' UNION ALL SELECT t.b, t.c, x.email FROM t, customers x) SELECT a, b, c FROM t",
        "customers.email, customers.email, customers.email",
    );
    check(
        "WITH RECURSIVE t AS (SELECT * FROM secrets UNION ALL SELECT s.v, s.k FROM secrets s JOIN t ON t.k = s.k) SELECT k FROM t",
        "secrets.k+secrets.v",
    );
    check("WITH RECURSIVE a AS (SELECT x FROM b), b AS (SELECT v AS x FROM secrets) SELECT x FROM a", "secrets.v");
    let analysis = ask(
        "WITH RECURSIVE t(a) AS (SELECT k FROM secrets UNION ALL SELECT v FROM secrets JOIN t ON a = 'x') SELECT 1 FROM t",
    );
    let names: Vec<&str> = analysis.intent.predicates.iter().map(|one| one.column.as_str()).collect();
    assert_eq!(names, ["k", "v"]);
}

#[test]
fn other_results() {
    check("COPY secrets TO STDOUT", "secrets.k, secrets.v");
    check("COPY secrets (v) TO STDOUT", "secrets.v");
    check("COPY (SELECT v AS x FROM secrets) TO STDOUT", "secrets.v");
    check("DECLARE c CURSOR FOR SELECT v FROM secrets", "secrets.v");
    check("FETCH ALL FROM c", "unknown");
    check("EXECUTE p", "unknown");
    check("EXPLAIN SELECT v FROM secrets", "-");
    check("EXPLAIN (ANALYZE, VERBOSE) SELECT k FROM secrets WHERE v = 'x'", "secrets.v");
    check("EXPLAIN SELECT s.k FROM secrets s JOIN secrets t ON s.v < t.v", "secrets.v");
    check("EXPLAIN SELECT count(*) FROM secrets GROUP BY left(v, 1)", "secrets.v");
    check("EXPLAIN SELECT k FROM secrets ORDER BY v LIMIT 1", "secrets.v");
    check("EXPLAIN SELECT get_email(1)", "?");
    check("EXPLAIN SELECT 1", "-");
    check("SHOW work_mem", "-");
    check("SHOW my.x", "unknown");
    check("SHOW ALL", "unknown");
    check("CALL wipe()", "unknown");
    check("BEGIN", "none");
}

const DECIDING: &[(&str, &str)] = &[
    ("SELECT name FROM customers", ""),
    ("SELECT email FROM customers", ""),
    ("SELECT name FROM customers WHERE email = 'x'", "customers.email"),
    ("SELECT name FROM customers WHERE length(email) > 3", "customers.email"),
    ("SELECT name FROM customers ORDER BY email", "customers.email"),
    ("SELECT email AS e FROM customers ORDER BY e", "customers.email"),
    ("SELECT email FROM customers ORDER BY 1", "customers.email"),
    ("SELECT count(*) FROM customers GROUP BY email", "customers.email"),
    ("SELECT DISTINCT email FROM customers", "customers.email"),
    ("SELECT DISTINCT ON (email) name FROM customers", "customers.email"),
    ("SELECT name FROM customers GROUP BY name HAVING max(email) > 'a'", "customers.email customers.name"),
    ("SELECT email LIKE 'a%' FROM customers", "customers.email"),
    ("SELECT CASE WHEN email > 'a' THEN 1 END FROM customers", "customers.email"),
    ("SELECT count(*) FILTER (WHERE email > 'a') FROM customers", "customers.email"),
    ("SELECT rank() OVER (PARTITION BY ssn ORDER BY email) FROM customers", "customers.email customers.ssn"),
    ("SELECT sum(card) OVER w FROM customers WINDOW w AS (ORDER BY email)", "customers.email"),
    ("SELECT c.id FROM customers c JOIN (VALUES ('a')) g(e) ON g.e = c.email", "customers.email"),
    ("SELECT 1 FROM customers JOIN notes USING (id)", "customers.id notes.id"),
    ("SELECT 1 FROM customers NATURAL JOIN notes", "customers.id notes.id"),
    ("SELECT email FROM customers INTERSECT SELECT 'a'", "customers.email"),
    ("SELECT count(DISTINCT email) FROM customers", "customers.email"),
    ("SELECT count(substring(email from '^a')) FROM customers", "customers.email"),
    ("SELECT count(email) FROM customers", ""),
    ("SELECT 1 FROM notes WHERE EXISTS (SELECT 1 FROM customers WHERE email = body)", "customers.email notes.body"),
    ("SELECT 1 FROM notes WHERE body IN (SELECT email FROM customers)", "customers.email notes.body"),
    ("SELECT name FROM customers LIMIT (SELECT length(max(email)) FROM customers)", "customers.email"),
    ("SELECT x.contact FROM v_contacts x WHERE x.contact = 'a'", "customers.email v_contacts.contact"),
    ("UPDATE customers SET name = 'x' WHERE email = 'a'", "customers.email"),
    ("INSERT INTO customers(id, name, email) VALUES (1, 'x', 'y')", "customers.email customers.id"),
    ("INSERT INTO customers(name) VALUES ('x')", ""),
    ("UPDATE customers SET email = 'x' WHERE name = 'a'", "customers.email customers.name"),
    ("SELECT name FROM customers WHERE c.email = 'x' ORDER BY nope", "customers.*"),
    ("EXPLAIN SELECT name FROM customers WHERE email = 'x'", "customers.email"),
];

#[test]
fn what_decides_is_a_predicate() {
    for (text, expected) in DECIDING {
        let analysis = ask(text);
        let names: Vec<String> = analysis
            .intent
            .predicates
            .iter()
            .map(|one| format!("{}.{}", one.relation.trim_start_matches("public."), one.column))
            .collect();
        assert_eq!(names.join(" "), *expected, "{text}");
    }
}

/// What asks for equality of a column itself is told apart from what asks more, or of something made of it.
#[test]
fn equality_is_told_apart() {
    for (sql, equality) in [
        ("SELECT id FROM customers WHERE email = 'a'", true),
        ("SELECT id FROM customers WHERE 'a' = email AND id > 3", true),
        ("SELECT id FROM customers WHERE email IN ('a', 'b') OR email IS NULL", true),
        ("SELECT id FROM customers WHERE email = ANY (ARRAY['a']) AND email <> 'b'", true),
        ("SELECT id FROM customers WHERE email IS DISTINCT FROM 'a'", true),
        ("SELECT count(*) FROM customers GROUP BY email", true),
        ("SELECT DISTINCT email FROM customers", true),
        ("SELECT 1 FROM customers a JOIN customers b USING (email)", true),
        ("SELECT 1 FROM customers a JOIN customers b ON a.email = b.email", true),
        ("SELECT 1 FROM (SELECT email AS e FROM customers) s WHERE e = 'a'", true),
        ("SELECT id FROM customers WHERE lower(email) = 'a'", false),
        ("SELECT id FROM customers WHERE email LIKE 'a%'", false),
        ("SELECT id FROM customers WHERE email > 'a'", false),
        ("SELECT id FROM customers WHERE email = 'a' AND email < 'b'", false),
        ("SELECT id FROM customers WHERE email BETWEEN 'a' AND 'b'", false),
        ("SELECT id FROM customers ORDER BY email", false),
        ("SELECT count(*) FROM customers GROUP BY left(email, 1)", false),
        ("SELECT DISTINCT left(email, 1) FROM customers", false),
        ("SELECT 1 FROM (SELECT left(email, 1) AS e FROM customers) s WHERE e = 'a'", false),
        ("SELECT id FROM customers WHERE CASE WHEN email = 'a' THEN true ELSE email ~ 'b' END", false),
        ("SELECT id FROM customers WHERE (email = 'a') IS TRUE AND email || 'x' = 'ax'", false),
    ] {
        let used = ask(sql).intent.predicates.clone();
        let of_email: Vec<bool> = used.iter().filter(|one| one.column == "email").map(|one| one.equality).collect();
        assert!(!of_email.is_empty(), "{sql}: {used:?}");
        assert_eq!(of_email.iter().all(|only| *only), equality, "{sql}: {used:?}");
    }
}
