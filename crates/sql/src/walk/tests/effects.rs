//! Every sort of statement: its pairs of effect and object, exactly.

use super::{ask, ask_in, pairs};
use crate::analysis::{CopyFormat, Discard, Kind};

#[track_caller]
fn check(text: &str, expected: &str) {
    let mut wanted: Vec<&str> = expected.split("; ").collect();
    let analysis = ask(text);
    let found = pairs(&analysis);
    let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted, "{text}\n{:?}", analysis.intent.reasons);
}

const QUERIES: &[(&str, &str)] = &[
    ("SELECT 1", "read"),
    ("SELECT * FROM orders", "read public.orders"),
    (
        "SELECT * FROM ONLY orders o JOIN customers c ON c.id = o.customer_id",
        "read public.customers; read public.orders",
    ),
    ("TABLE orders", "read public.orders"),
    ("VALUES (1)", "read"),
    ("SELECT * FROM v_contacts", "read public.customers; read public.v_contacts"),
    ("SELECT * FROM v_top", "read public.customers; read public.v_contacts; read public.v_top"),
    ("SELECT * FROM orders FOR UPDATE", "read public.orders; write public.orders"),
    (
        "SELECT * FROM orders o, customers c FOR SHARE OF o",
        "read public.customers; read public.orders; write public.orders",
    ),
    ("SELECT * FROM (SELECT * FROM orders) x FOR UPDATE", "read public.orders; write public.orders"),
    ("SELECT * INTO made FROM orders", "create public.made; read public.orders"),
    ("SELECT (SELECT v FROM secrets)", "read public.secrets"),
    ("SELECT 1 WHERE EXISTS (SELECT FROM secrets)", "read public.secrets"),
    ("SELECT * FROM missing", "read ?.missing"),
    ("SELECT * FROM nowhere.orders", "read ?.nowhere.orders"),
    ("SELECT * FROM other.orders", "read other.orders"),
    ("SELECT * FROM parts_1", "read public.parts; read public.parts_1"),
    ("SELECT * FROM scratch", "read pg_temp.scratch"),
    ("WITH orders AS (SELECT 1 AS id) SELECT * FROM orders", "read"),
    ("WITH x AS (SELECT * FROM orders) SELECT * FROM public.orders, x", "read public.orders"),
    ("SELECT * FROM pg_authid", "read pg_catalog.pg_authid; admin pg_catalog.pg_authid"),
    ("SELECT relname FROM pg_class", "read pg_catalog.pg_class"),
    ("SELECT oid FROM pg_subscription", "read pg_catalog.pg_subscription"),
    ("SELECT * FROM pg_subscription", "read pg_catalog.pg_subscription; admin pg_catalog.pg_subscription"),
];

#[test]
fn queries() {
    for (text, expected) in QUERIES {
        check(text, expected);
    }
    assert!(ask("SELECT * FROM pg_stats").intent.reads_unknown);
    assert!(!ask("SELECT * FROM orders").intent.reads_unknown);
    let both = pairs(&ask_in("SELECT * FROM orders", &["other", "public"]));
    assert_eq!(both, ["read other.orders", "read public.orders"]);
    assert_eq!(ask("SELECT * FROM missing, gone.x").misses, ["gone.x", "missing"]);
}

const CHANGES: &[(&str, &str)] = &[
    ("INSERT INTO orders(id) VALUES (1)", "write public.orders"),
    ("INSERT INTO orders SELECT * FROM secrets", "write public.orders; read public.secrets"),
    ("INSERT INTO orders(id) VALUES (1) ON CONFLICT DO NOTHING", "write public.orders"),
    ("INSERT INTO customers(id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x'", "write public.customers"),
    ("INSERT INTO inbox(body) VALUES ('x')", "write public.inbox; execute function:public.trg_inbox"),
    ("INSERT INTO secrets VALUES ('a')", "write public.secrets; execute function:public.purge_customers"),
    ("UPDATE orders SET total = 0 WHERE id = 1", "write public.orders"),
    ("UPDATE orders SET total = (SELECT 1 FROM secrets) WHERE id = 1", "write public.orders; read public.secrets"),
    ("UPDATE notes SET body = 'x' WHERE id = 1", "write public.notes; delete public.customers; delete public.orders"),
    ("UPDATE customers SET name = 'x' WHERE id = 1", "write public.customers"),
    ("UPDATE customers SET id = 2 WHERE id = 1", "write public.customers; write public.orders"),
    ("DELETE FROM customers WHERE id = 1", "delete public.customers; delete public.orders"),
    ("DELETE FROM v_contacts WHERE id = 1", "delete public.customers; delete public.orders; delete public.v_contacts"),
    ("DELETE FROM parts_1 WHERE at = 1", "delete public.parts; delete public.parts_1"),
    ("WITH d AS (DELETE FROM orders WHERE id = 1 RETURNING *) SELECT * FROM d", "delete public.orders"),
    ("WITH d AS (SELECT 1) INSERT INTO notes(body) SELECT * FROM d", "write public.notes"),
    (
        "MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED AND o.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET total = 1 WHEN NOT MATCHED THEN INSERT (id) VALUES (1)",
        "delete public.orders; write public.orders; read public.customers",
    ),
    (
        "MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED THEN DO NOTHING",
        "read public.customers",
    ),
    ("TRUNCATE orders", "destroy public.orders"),
    ("TRUNCATE customers CASCADE", "destroy public.customers; destroy public.orders"),
    (
        "UPDATE pg_settings SET setting = 'x' WHERE name = 'y'",
        "write pg_catalog.pg_settings; admin pg_catalog.pg_settings",
    ),
    ("COPY orders FROM STDIN", "write public.orders"),
    ("COPY orders FROM '/tmp/x'", "write public.orders; import file:/tmp/x"),
    ("COPY orders TO STDOUT", "read public.orders"),
    ("COPY orders TO '/tmp/x'", "read public.orders; export file:/tmp/x"),
    ("COPY (SELECT 1) TO PROGRAM 'id'", "export file:id"),
    ("COPY (DELETE FROM orders WHERE id = 1 RETURNING id) TO STDOUT", "delete public.orders"),
    ("EXPLAIN DELETE FROM orders", "read; read public.orders"),
    ("EXPLAIN ANALYZE DELETE FROM orders", "delete public.orders"),
    ("EXPLAIN (ANALYZE false) DELETE FROM orders", "read; read public.orders"),
    ("EXPLAIN (VERBOSE, ANALYZE 1) DELETE FROM orders", "delete public.orders"),
    ("EXPLAIN CREATE TABLE x AS SELECT * FROM orders", "read; read public.orders"),
];

#[test]
fn changes() {
    for (text, expected) in CHANGES {
        check(text, expected);
    }
}

const FUNCTIONS_AND_OPERATORS: &[(&str, &str)] = &[
    ("SELECT lower('A'), now(), count(*) FROM orders", "read public.orders"),
    ("SELECT upper('a')", "execute function:public.upper"),
    ("SELECT pg_catalog.upper('a')", "read"),
    ("SELECT purge_customers()", "execute function:public.purge_customers"),
    ("SELECT public.purge_customers()", "execute function:public.purge_customers"),
    ("SELECT nothing_like_it(1)", "execute function:?.nothing_like_it"),
    ("SELECT pg_catalog.nothing_like_it(1)", "execute function:pg_catalog.nothing_like_it"),
    ("SELECT hstore(c) FROM customers c", "read public.customers"),
    ("SELECT uuid_generate_v4()", "read"),
    ("SELECT * FROM crosstab('x') AS t(a int)", "execute function:public.crosstab"),
    ("SELECT dblink_exec('a', 'b')", "export function:public.dblink_exec"),
    ("SELECT 1 <-!-> 2", "execute function:public.op_purge"),
    ("SELECT 1 OPERATOR(pg_catalog.+) 2", "read"),
    ("SELECT 1 OPERATOR(public.<-!->) 2", "execute function:public.op_purge"),
    ("SELECT 1 <~~~> 2", "execute function:?.<~~~>"),
    (
        "SELECT id FROM orders WHERE id = ANY (SELECT 1) AND 1 <-!-> 2 = 3",
        "read public.orders; execute function:public.op_purge",
    ),
    ("SELECT nextval('seq')", "write sequence:public.seq"),
    ("SELECT setval('public.seq', 5)", "write sequence:public.seq"),
    ("SELECT nextval($1)", "write sequence:?."),
    ("SELECT currval('seq')", "read sequence:public.seq"),
    ("SELECT pg_notify('a', 'b')", "write channel:a"),
    ("SELECT pg_sleep(1)", "execute function:pg_catalog.pg_sleep"),
    ("SELECT pg_read_file('x')", "export file:x"),
    ("SELECT lo_import('x')", "import file:x"),
    ("SELECT lo_export(1, 'x')", "export file:x"),
    ("SELECT lo_get(1)", "read pg_catalog.pg_largeobject"),
    ("SELECT pg_terminate_backend(1)", "admin function:pg_catalog.pg_terminate_backend"),
    ("SELECT query_to_xml('select 1', true, true, '')", "execute function:pg_catalog.query_to_xml"),
    ("SELECT ts_rewrite('a'::tsquery, 'select 1')", "execute function:pg_catalog.ts_rewrite"),
    ("SELECT ts_rewrite('a'::tsquery, 'a'::tsquery, 'b'::tsquery)", "read"),
    ("SELECT repeat('x', 10)", "read"),
    ("SELECT repeat('x', 200000000)", "execute function:pg_catalog.repeat"),
    ("SELECT repeat('x', id) FROM orders", "read public.orders; execute function:pg_catalog.repeat"),
    ("SELECT format('%s', 1)", "read"),
    ("SELECT format('%200000000s', 1)", "execute function:pg_catalog.format"),
    ("SELECT format('%*s', 200000000, 'x')", "execute function:pg_catalog.format"),
    ("SELECT 'ok'::mood", "read"),
    ("SELECT 'x'::evil", "execute function:public.cast_it"),
    ("SELECT CAST('x' AS nowhere)", "execute type:?.nowhere"),
    ("SELECT '{}'::int[], 'x'::pg_catalog.varchar(3), 'a'::orders", "read"),
    ("SELECT c.spill FROM customers c", "read public.customers; execute function:public.spill"),
    ("SELECT (c).spill FROM customers c", "read public.customers; execute function:public.spill"),
    ("CALL wipe()", "execute function:public.wipe"),
    ("DO $$ BEGIN NULL; END $$", "execute"),
];

#[test]
fn functions_and_operators() {
    for (text, expected) in FUNCTIONS_AND_OPERATORS {
        check(text, expected);
    }
    let path = ["other", "public"];
    assert_eq!(pairs(&ask_in("SELECT lower('A')", &path)), ["execute function:other.lower"]);
}

const SESSIONS: &[(&str, &str)] = &[
    (
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'search_path'",
        "session; read pg_catalog.pg_settings",
    ),
    (
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'role'",
        "admin setting:role; read pg_catalog.pg_settings",
    ),
    (
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'role' OR true",
        "admin setting:?.; read pg_catalog.pg_settings",
    ),
    ("SELECT set_config('role', 'x', false)", "admin setting:role"),
    ("SELECT set_config($1, 'x', false)", "admin setting:?."),
    ("SELECT set_config('search_path', $1, false)", "admin setting:search_path"),
    ("LISTEN a", "session channel:a"),
    ("NOTIFY a, 'b'", "write channel:a"),
    ("SET search_path = public, pg_catalog", "admin setting:search_path"),
    ("SET search_path = pg_catalog, public", "session"),
    ("SET ROLE x", "admin setting:role"),
    ("SET SESSION AUTHORIZATION x", "admin setting:session_authorization"),
    ("RESET ROLE", "admin setting:role"),
    ("RESET ALL", "session; session setting:application_name"),
    ("DISCARD ALL", "session; session setting:application_name"),
    ("SELECT lastval()", "read"),
    ("SELECT currval(name) FROM secrets", "read public.secrets; read sequence:?."),
    ("SET statement_timeout = 0", "admin setting:statement_timeout"),
    ("RESET statement_timeout", "admin setting:statement_timeout"),
    ("SET statement_timeout TO DEFAULT", "admin setting:statement_timeout"),
    ("SET client_encoding = 'SJIS'", "admin setting:client_encoding; unknown"),
    ("SET NAMES 'latin1'", "admin setting:client_encoding; unknown"),
    ("SET application_name = 'x'", "session setting:application_name"),
    ("SET a.b = 'x'", "admin setting:a.b"),
    ("SET TRANSACTION READ WRITE", "session; admin setting:transaction_read_only"),
    ("BEGIN READ WRITE", "session; admin setting:transaction_read_only"),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "session; admin setting:transaction_read_only"),
    ("PREPARE TRANSACTION 'x'", "session; admin catalog:prepared transaction"),
    ("FETCH 5 FROM c", "read"),
    ("EXECUTE p(1)", "session"),
    ("EXECUTE p(purge_customers())", "execute function:public.purge_customers"),
    ("PREPARE p AS DELETE FROM orders WHERE id = $1", "delete public.orders"),
    ("DECLARE c CURSOR FOR SELECT * FROM orders", "read public.orders"),
    ("LOCK TABLE orders", "admin public.orders"),
    ("LOCK TABLE orders IN ACCESS SHARE MODE", "read public.orders"),
    ("LOCK TABLE orders IN ROW EXCLUSIVE MODE", "write public.orders"),
    ("CHECKPOINT", "admin catalog:checkpoint"),
    ("LOAD 'x'", "import file:x"),
    ("", "session"),
    (";;", "session"),
];

#[test]
fn sessions() {
    for (text, expected) in SESSIONS {
        check(text, expected);
    }
    for text in [
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT a",
        "RELEASE a",
        "ROLLBACK TO a",
        "SHOW work_mem",
        "SET work_mem = '1MB'",
        "SET LOCAL search_path = x",
        "RESET search_path",
        "UNLISTEN a",
        "DEALLOCATE a",
        "CLOSE a",
        "DISCARD PLANS",
        "DISCARD TEMP",
        "SET CONSTRAINTS ALL DEFERRED",
        "SET TRANSACTION READ ONLY",
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
        "SELECT set_config('search_path', '', false)",
        "SELECT set_config(name, 'a', false) FROM (VALUES ('x')) v(name) WHERE name = 'search_path' AND 1 = 1",
    ] {
        check(text, "session");
    }
}

const DEFINITIONS: &[(&str, &str)] = &[
    ("CREATE TABLE a(id int DEFAULT 1 CHECK (id > 0))", "create public.a"),
    ("CREATE TABLE other.a()", "create other.a"),
    ("CREATE TEMP TABLE a(id int)", "create pg_temp.a"),
    ("CREATE TABLE a(id int DEFAULT purge_customers())", "create public.a; execute function:public.purge_customers"),
    ("CREATE TABLE a(id int REFERENCES orders)", "create public.a; alter public.orders"),
    ("CREATE TABLE a AS SELECT * FROM secrets", "create public.a; read public.secrets"),
    ("CREATE TABLE a AS EXECUTE p", "create public.a; unknown"),
    ("CREATE VIEW a AS SELECT * FROM secrets", "create public.a; read public.secrets"),
    ("CREATE OR REPLACE VIEW v_contacts AS SELECT 1", "create public.v_contacts; alter public.v_contacts"),
    ("CREATE MATERIALIZED VIEW a AS SELECT * FROM secrets", "create public.a; read public.secrets"),
    ("CREATE INDEX ON orders (total)", "create public.orders"),
    ("CREATE INDEX ON orders (upper(status))", "create public.orders; execute function:public.upper"),
    ("CREATE SEQUENCE a", "create sequence:public.a"),
    ("CREATE SCHEMA a", "create schema:a"),
    ("CREATE SCHEMA a CREATE TABLE b()", "create schema:a; create public.b"),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", "create function:public.f"),
    (
        "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION trg_inbox()",
        "create public.orders; execute function:public.trg_inbox",
    ),
    (
        "CREATE RULE r AS ON INSERT TO orders DO ALSO DELETE FROM notes WHERE id = new.id",
        "create public.orders; delete public.notes",
    ),
    (
        "CREATE TABLE a PARTITION OF parts FOR VALUES FROM (purge_customers()) TO (MAXVALUE)",
        "create public.a; alter public.parts; execute function:public.purge_customers",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/x.so', 'f'",
        "create function:public.f; import file:/tmp/x.so",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS 'x'",
        "create function:public.f; import catalog:language plpython3u",
    ),
    ("CREATE TYPE m AS ENUM ('a')", "create type:public.m"),
    ("CREATE TYPE m AS (a int)", "create type:public.m"),
    ("CREATE DOMAIN m AS int CHECK (VALUE > 0)", "create type:public.m"),
    ("CREATE EXTENSION file_fdw", "import catalog:extension file_fdw"),
    ("ALTER EXTENSION hstore UPDATE", "import catalog:extension hstore"),
    ("DROP EXTENSION hstore CASCADE", "destroy ?.; destroy catalog:extension hstore"),
    ("CREATE LANGUAGE plperl", "import catalog:extension plperl"),
    ("CREATE SERVER s FOREIGN DATA WRAPPER w", "admin catalog:server s"),
    ("DROP SERVER s", "admin catalog:server s"),
    ("CREATE USER MAPPING FOR CURRENT_USER SERVER s", "admin catalog:server s"),
    ("IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b", "import catalog:server s"),
    ("CREATE PUBLICATION p FOR ALL TABLES", "admin catalog:publication p"),
    ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "admin catalog:subscription s"),
    ("CREATE DATABASE d", "admin database:d"),
    ("DROP DATABASE d", "admin database:d; destroy database:d"),
    ("ALTER SYSTEM SET work_mem = '1MB'", "admin setting:work_mem"),
    ("ALTER DATABASE d SET search_path = x", "admin database:d"),
    ("ALTER ROLE app SET search_path = x", "admin role:app; grant role:app"),
    ("CREATE ROLE r", "grant role:r"),
    ("ALTER ROLE r SUPERUSER", "grant role:r"),
    ("DROP ROLE r", "grant role:r"),
    ("GRANT SELECT ON orders TO app", "grant public.orders; grant role:app"),
    ("REVOKE a FROM b", "grant role:a; grant role:b"),
    ("ALTER TABLE orders OWNER TO app", "alter public.orders; grant public.orders"),
    ("ALTER FUNCTION purge_customers() OWNER TO app", "grant function:public.purge_customers; grant role:app"),
    ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "alter public.orders"),
    ("ALTER TABLE orders DISABLE TRIGGER ALL", "alter public.orders"),
    ("ALTER TABLE orders ADD COLUMN x int", "alter public.orders"),
    ("ALTER TABLE orders DROP COLUMN total", "alter public.orders; destroy public.orders"),
    ("ALTER TABLE orders RENAME TO x", "alter public.orders"),
    (
        "ALTER TABLE notes ALTER body SET DEFAULT purge_customers()::text",
        "alter public.notes; execute function:public.purge_customers",
    ),
    (
        "ALTER TABLE orders ALTER total TYPE text USING upper(total)",
        "alter public.orders; execute function:public.upper",
    ),
    ("ALTER SEQUENCE seq RESTART", "alter sequence:public.seq"),
    ("CREATE POLICY p ON orders USING (true)", "grant public.orders"),
    ("DROP POLICY p ON orders", "destroy public.orders; grant"),
    ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app", "grant catalog:default privileges"),
    ("DROP TABLE orders, secrets", "destroy public.orders; destroy public.secrets"),
    ("DROP SCHEMA other CASCADE", "destroy other.lonely; destroy other.orders; destroy schema:other"),
    ("ALTER TABLE orders DROP COLUMN total CASCADE", "alter public.orders; destroy public.orders"),
    (
        "DROP TABLE customers CASCADE",
        "alter public.orders; destroy public.customers; destroy public.v_contacts; destroy public.v_top",
    ),
    ("ALTER TYPE mood RENAME ATTRIBUTE a TO b CASCADE", "alter ?.; alter ?.mood"),
    ("DROP FUNCTION purge_customers", "destroy function:public.purge_customers"),
    ("DROP TRIGGER t ON inbox", "destroy public.inbox"),
    ("DROP OWNED BY app", "destroy role:app; grant role:app"),
    ("REASSIGN OWNED BY a TO b", "grant role:a; grant role:b"),
    ("COMMENT ON TABLE orders IS 'x'", "alter public.orders"),
    ("COMMENT ON COLUMN orders.total IS 'x'", "alter public.orders"),
    ("VACUUM FULL orders", "alter public.orders"),
    ("ANALYZE", "alter"),
    ("REINDEX TABLE orders", "alter public.orders"),
    ("REFRESH MATERIALIZED VIEW v_contacts", "alter public.v_contacts"),
    ("CLUSTER orders", "alter public.orders"),
];

#[test]
fn definitions() {
    for (text, expected) in DEFINITIONS {
        check(text, expected);
    }
}

#[test]
fn kinds_carry_what_a_session_needs() {
    let kind = |text: &str| ask(text).statements.remove(0).kind;
    assert!(matches!(kind("COPY orders (id, total) FROM STDIN (FORMAT csv, DELIMITER ';', HEADER)"),
        Kind::CopyIn { relation, columns, format: CopyFormat::Csv { delimiter: b';', quote: b'"', escape: b'"', header: true, .. } }
            if relation.name == "public.orders" && columns == ["id", "total"]));
    assert!(
        matches!(kind("COPY orders TO STDOUT"), Kind::CopyOut { format: CopyFormat::Text { delimiter: b'\t', null } } if null == "\\N")
    );
    assert!(matches!(kind("COPY orders TO STDOUT BINARY"), Kind::CopyOut { format: CopyFormat::Binary }));
    assert!(matches!(kind("COPY orders TO STDOUT (FORMAT mystery)"), Kind::Unparsed));
    assert!(
        matches!(kind("SET LOCAL DateStyle = ISO, DMY"), Kind::Set { name, value: Some(value), local: true } if name == "datestyle" && value == "iso, dmy")
    );
    assert!(matches!(kind("RESET ALL"), Kind::Reset { name: None }));
    assert!(matches!(kind("DISCARD ALL"), Kind::Discard { what: Discard::All }));
    assert!(matches!(kind("DEALLOCATE ALL"), Kind::Deallocate { name: None }));
    assert!(matches!(kind("CLOSE ALL"), Kind::CloseCursor { name: None }));
    assert!(matches!(kind("FETCH ALL FROM c"), Kind::Fetch { cursor } if cursor == "c"));
    assert!(matches!(kind("EXPLAIN ANALYZE EXECUTE p"), Kind::ExecutePrepared { name } if name == "p"));
    assert!(matches!(kind("END"), Kind::Commit));
    assert!(
        matches!(kind("PREPARE p AS SELECT 1"), Kind::Prepare { name, inner } if name == "p" && matches!(inner.kind, Kind::Query))
    );
    let two = ask(" SELECT 1 ; -- x\n DELETE FROM orders");
    let text = " SELECT 1 ; -- x\n DELETE FROM orders";
    let parts: Vec<&str> = two.statements.iter().map(|one| &text[one.start..one.start + one.len]).collect();
    assert_eq!(parts[0], "SELECT 1");
    assert!(parts[1].ends_with("DELETE FROM orders"));
    assert!(two.intent.flags.multi && two.intent.flags.unbounded);
}

#[test]
fn statements_of_one_text_change_what_names_mean() {
    let found = pairs(&ask("SET search_path = other; SELECT * FROM lonely"));
    assert!(found.contains(&"read other.lonely".to_owned()), "{found:?}");
    let found = pairs(&ask("SELECT set_config('search_path', 'x, \"other\"', true); SELECT lower('A') FROM orders"));
    assert!(found.contains(&"execute function:other.lower".to_owned()), "{found:?}");
    assert!(
        found.contains(&"read other.orders".to_owned()) && found.contains(&"read public.orders".to_owned()),
        "{found:?}"
    );
    assert_eq!(ask("SET search_path TO a, \"B c\"").statements[0].path, ["a", "B c"]);
    assert_eq!(ask("RESET search_path").statements[0].path, ["$user", "public"]);
    assert!(ask("SELECT 1").statements[0].path.is_empty());
    // Whose `$user` it is, is not known here: any schema's name may be it.
    let found = pairs(&ask("SET search_path = '$user', public; SELECT * FROM orders, lonely"));
    for expected in ["read other.orders", "read public.orders", "read other.lonely"] {
        assert!(found.contains(&expected.to_owned()), "{found:?}");
    }
    let found = pairs(&ask("CREATE FUNCTION length(text) RETURNS int LANGUAGE sql AS 'select 1'; SELECT length('a')"));
    assert!(found.contains(&"execute function:??.length".to_owned()), "{found:?}");
    let found = pairs(&ask("CREATE OPERATOR + (LEFTARG = mood, RIGHTARG = mood, FUNCTION = op_purge); SELECT 1 + 1"));
    assert!(found.contains(&"execute function:??.+".to_owned()), "{found:?}");
    let found = pairs(&ask("CREATE TYPE kind AS ENUM ('a'); CREATE TABLE t(k kind DEFAULT 'a'::kind)"));
    assert_eq!(found, ["create public.t", "create type:public.kind"]);
}

#[test]
fn tables_of_one_text_are_known_or_in_doubt() {
    let has = |text: &str, what: &str| {
        let found = pairs(&ask(text));
        assert!(found.contains(&what.to_owned()), "{text}: {found:?}");
    };
    has("CREATE TABLE m(id int); CREATE INDEX ON m(id); INSERT INTO m VALUES (1); SELECT * FROM m", "read public.m");
    has("CREATE TABLE m(id int); ALTER TABLE m ADD COLUMN n int; SELECT n FROM m", "read public.m");
    has("CREATE TABLE m(id int); SELECT * FROM other.m", "read ?.other.m");
    has("ALTER TABLE orders RENAME TO m; SELECT * FROM m", "read ??.m");
    has("ALTER TABLE orders RENAME TO m; SELECT * FROM orders", "read ??.orders");
    has("CREATE VIEW m AS SELECT * FROM orders; SELECT * FROM m", "read ??.m");
    has("CREATE TABLE m AS SELECT * FROM orders; SELECT * FROM m", "read ??.m");
    has("CREATE TABLE m(id int) INHERITS (orders); SELECT * FROM m", "read ??.m");
    has("CREATE TEMP TABLE orders(id int); SELECT * FROM orders", "read ??.orders");
    has(
        "CREATE TABLE m(id int); CREATE TRIGGER t AFTER INSERT ON m EXECUTE FUNCTION f(); INSERT INTO m VALUES (1)",
        "write ??.m",
    );
    has("DO $$ BEGIN NULL; END $$; SELECT * FROM orders", "read ??.orders");
    has("ALTER SCHEMA public RENAME TO p; SELECT * FROM orders", "read ??.orders");
    has("SELECT 1; SELECT * FROM orders", "read public.orders");
    has("EXPLAIN SELECT * FROM missing", "read ?.missing");
    has("ALTER TABLE orders RENAME TO m; PREPARE p AS SELECT * FROM m", "read ??.m");
}

#[test]
fn equal_intents_have_equal_names() {
    let id = |text: &str| ask(text).intent.id;
    assert_eq!(id("SELECT * FROM orders WHERE id = 1"), id("SELECT * FROM orders WHERE id = 2"));
    assert_ne!(id("SELECT * FROM orders WHERE id = 1"), id("SELECT * FROM orders WHERE total = 1"));
    assert_ne!(id("DELETE FROM orders"), id("DELETE FROM orders WHERE id = 1"));
    assert_ne!(id("SELECT 1"), id("SELECT * FROM orders"));
}
