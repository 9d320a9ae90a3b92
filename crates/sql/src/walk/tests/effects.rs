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

#[test]
fn queries() {
    check("SELECT 1", "read");
    check("SELECT * FROM orders", "read public.orders");
    check(
        "SELECT * FROM ONLY orders o JOIN customers c ON c.id = o.customer_id",
        "read public.customers; read public.orders",
    );
    check("TABLE orders", "read public.orders");
    check("VALUES (1)", "read");
    check("SELECT * FROM v_contacts", "read public.customers; read public.v_contacts");
    check("SELECT * FROM v_top", "read public.customers; read public.v_contacts; read public.v_top");
    check("SELECT * FROM orders FOR UPDATE", "read public.orders; write public.orders");
    check(
        "SELECT * FROM orders o, customers c FOR SHARE OF o",
        "read public.customers; read public.orders; write public.orders",
    );
    check("SELECT * FROM (SELECT * FROM orders) x FOR UPDATE", "read public.orders; write public.orders");
    check("SELECT * INTO made FROM orders", "create public.made; read public.orders");
    check("SELECT (SELECT v FROM secrets)", "read public.secrets");
    check("SELECT 1 WHERE EXISTS (SELECT FROM secrets)", "read public.secrets");
    check("SELECT * FROM missing", "read ?.missing");
    check("SELECT * FROM nowhere.orders", "read ?.nowhere.orders");
    check("SELECT * FROM other.orders", "read other.orders");
    check("SELECT * FROM parts_1", "read public.parts; read public.parts_1");
    check("SELECT * FROM scratch", "read pg_temp.scratch");
    check("WITH orders AS (SELECT 1 AS id) SELECT * FROM orders", "read");
    check("WITH x AS (SELECT * FROM orders) SELECT * FROM public.orders, x", "read public.orders");
    check("SELECT * FROM pg_authid", "read pg_catalog.pg_authid; admin pg_catalog.pg_authid");
    check("SELECT relname FROM pg_class", "read pg_catalog.pg_class");
    check("SELECT oid FROM pg_subscription", "read pg_catalog.pg_subscription");
    check("SELECT * FROM pg_subscription", "read pg_catalog.pg_subscription; admin pg_catalog.pg_subscription");
    assert!(ask("SELECT * FROM pg_stats").intent.reads_unknown);
    assert!(!ask("SELECT * FROM orders").intent.reads_unknown);
    let both = pairs(&ask_in("SELECT * FROM orders", &["other", "public"]));
    assert_eq!(both, ["read other.orders", "read public.orders"]);
    assert_eq!(ask("SELECT * FROM missing, gone.x").misses, ["gone.x", "missing"]);
}

#[test]
fn changes() {
    check("INSERT INTO orders(id) VALUES (1)", "write public.orders");
    check("INSERT INTO orders SELECT * FROM secrets", "write public.orders; read public.secrets");
    check("INSERT INTO orders(id) VALUES (1) ON CONFLICT DO NOTHING", "write public.orders");
    check("INSERT INTO customers(id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x'", "write public.customers");
    check("INSERT INTO inbox(body) VALUES ('x')", "write public.inbox; execute function:public.trg_inbox");
    check("INSERT INTO secrets VALUES ('a')", "write public.secrets; execute function:public.purge_customers");
    check("UPDATE orders SET total = 0 WHERE id = 1", "write public.orders");
    check("UPDATE orders SET total = (SELECT 1 FROM secrets) WHERE id = 1", "write public.orders; read public.secrets");
    check(
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "write public.notes; delete public.customers; delete public.orders",
    );
    check("UPDATE customers SET name = 'x' WHERE id = 1", "write public.customers");
    check("UPDATE customers SET id = 2 WHERE id = 1", "write public.customers; write public.orders");
    check("DELETE FROM customers WHERE id = 1", "delete public.customers; delete public.orders");
    check(
        "DELETE FROM v_contacts WHERE id = 1",
        "delete public.customers; delete public.orders; delete public.v_contacts",
    );
    check("DELETE FROM parts_1 WHERE at = 1", "delete public.parts; delete public.parts_1");
    check("WITH d AS (DELETE FROM orders WHERE id = 1 RETURNING *) SELECT * FROM d", "delete public.orders");
    check("WITH d AS (SELECT 1) INSERT INTO notes(body) SELECT * FROM d", "write public.notes");
    check(
        "MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED AND o.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET total = 1 WHEN NOT MATCHED THEN INSERT (id) VALUES (1)",
        "delete public.orders; write public.orders; read public.customers",
    );
    check(
        "MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED THEN DO NOTHING",
        "read public.customers",
    );
    check("TRUNCATE orders", "destroy public.orders");
    check("TRUNCATE customers CASCADE", "destroy public.customers; destroy public.orders");
    check(
        "UPDATE pg_settings SET setting = 'x' WHERE name = 'y'",
        "write pg_catalog.pg_settings; admin pg_catalog.pg_settings",
    );
    check("COPY orders FROM STDIN", "write public.orders");
    check("COPY orders FROM '/tmp/x'", "write public.orders; import file:/tmp/x");
    check("COPY orders TO STDOUT", "read public.orders");
    check("COPY orders TO '/tmp/x'", "read public.orders; export file:/tmp/x");
    check("COPY (SELECT 1) TO PROGRAM 'id'", "export file:id");
    check("COPY (DELETE FROM orders WHERE id = 1 RETURNING id) TO STDOUT", "delete public.orders");
    check("EXPLAIN DELETE FROM orders", "read; read public.orders");
    check("EXPLAIN ANALYZE DELETE FROM orders", "delete public.orders");
    check("EXPLAIN (ANALYZE false) DELETE FROM orders", "read; read public.orders");
    check("EXPLAIN (VERBOSE, ANALYZE 1) DELETE FROM orders", "delete public.orders");
    check("EXPLAIN CREATE TABLE x AS SELECT * FROM orders", "read; read public.orders");
}

#[test]
fn functions_and_operators() {
    check("SELECT lower('A'), now(), count(*) FROM orders", "read public.orders");
    check("SELECT upper('a')", "execute function:public.upper");
    check("SELECT pg_catalog.upper('a')", "read");
    check("SELECT purge_customers()", "execute function:public.purge_customers");
    check("SELECT public.purge_customers()", "execute function:public.purge_customers");
    check("SELECT nothing_like_it(1)", "execute function:?.nothing_like_it");
    check("SELECT pg_catalog.nothing_like_it(1)", "execute function:pg_catalog.nothing_like_it");
    check("SELECT hstore(c) FROM customers c", "read public.customers");
    check("SELECT uuid_generate_v4()", "read");
    check("SELECT * FROM crosstab('x') AS t(a int)", "execute function:public.crosstab");
    check("SELECT dblink_exec('a', 'b')", "export function:public.dblink_exec");
    check("SELECT 1 <-!-> 2", "execute function:public.op_purge");
    check("SELECT 1 OPERATOR(pg_catalog.+) 2", "read");
    check("SELECT 1 OPERATOR(public.<-!->) 2", "execute function:public.op_purge");
    check("SELECT 1 <~~~> 2", "execute function:?.<~~~>");
    check(
        "SELECT id FROM orders WHERE id = ANY (SELECT 1) AND 1 <-!-> 2 = 3",
        "read public.orders; execute function:public.op_purge",
    );
    check("SELECT nextval('seq')", "write sequence:public.seq");
    check("SELECT setval('public.seq', 5)", "write sequence:public.seq");
    check("SELECT nextval($1)", "write sequence:?.");
    check("SELECT currval('seq')", "read sequence:public.seq");
    check("SELECT pg_notify('a', 'b')", "write channel:a");
    check("SELECT pg_sleep(1)", "execute function:pg_catalog.pg_sleep");
    check("SELECT pg_read_file('x')", "export file:x");
    check("SELECT lo_import('x')", "import file:x");
    check("SELECT lo_export(1, 'x')", "export file:x");
    check("SELECT lo_get(1)", "read pg_catalog.pg_largeobject");
    check("SELECT pg_terminate_backend(1)", "admin function:pg_catalog.pg_terminate_backend");
    check("SELECT query_to_xml('select 1', true, true, '')", "execute function:pg_catalog.query_to_xml");
    check("SELECT ts_rewrite('a'::tsquery, 'select 1')", "execute function:pg_catalog.ts_rewrite");
    check("SELECT ts_rewrite('a'::tsquery, 'a'::tsquery, 'b'::tsquery)", "read");
    check("SELECT repeat('x', 10)", "read");
    check("SELECT repeat('x', 200000000)", "execute function:pg_catalog.repeat");
    check("SELECT repeat('x', id) FROM orders", "read public.orders; execute function:pg_catalog.repeat");
    check("SELECT format('%s', 1)", "read");
    check("SELECT format('%200000000s', 1)", "execute function:pg_catalog.format");
    check("SELECT format('%*s', 200000000, 'x')", "execute function:pg_catalog.format");
    check("SELECT 'ok'::mood", "read");
    check("SELECT 'x'::evil", "execute function:public.cast_it");
    check("SELECT CAST('x' AS nowhere)", "execute type:?.nowhere");
    check("SELECT '{}'::int[], 'x'::pg_catalog.varchar(3), 'a'::orders", "read");
    check("SELECT c.spill FROM customers c", "read public.customers; execute function:public.spill");
    check("SELECT (c).spill FROM customers c", "read public.customers; execute function:public.spill");
    check("CALL wipe()", "execute function:public.wipe");
    check("DO $$ BEGIN NULL; END $$", "execute");
    let path = ["other", "public"];
    assert_eq!(pairs(&ask_in("SELECT lower('A')", &path)), ["execute function:other.lower"]);
}

#[test]
fn sessions() {
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
    check(
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'search_path'",
        "session; read pg_catalog.pg_settings",
    );
    check(
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'role'",
        "admin setting:role; read pg_catalog.pg_settings",
    );
    check(
        "SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'role' OR true",
        "admin setting:?.; read pg_catalog.pg_settings",
    );
    check("SELECT set_config('role', 'x', false)", "admin setting:role");
    check("SELECT set_config($1, 'x', false)", "admin setting:?.");
    check("SELECT set_config('search_path', $1, false)", "admin setting:search_path");
    check("LISTEN a", "session channel:a");
    check("NOTIFY a, 'b'", "write channel:a");
    check("SET ROLE x", "admin setting:role");
    check("SET SESSION AUTHORIZATION x", "admin setting:session_authorization");
    check("RESET ROLE", "admin setting:role");
    check("RESET ALL", "admin setting:all");
    check("DISCARD ALL", "session; admin setting:all");
    check("SET statement_timeout = 0", "admin setting:statement_timeout");
    check("RESET statement_timeout", "admin setting:statement_timeout");
    check("SET statement_timeout TO DEFAULT", "admin setting:statement_timeout");
    check("SET application_name = 'x'", "admin setting:application_name");
    check("SET a.b = 'x'", "admin setting:a.b");
    check("SET TRANSACTION READ WRITE", "session; admin setting:transaction_read_only");
    check("BEGIN READ WRITE", "session; admin setting:transaction_read_only");
    check("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "session; admin setting:transaction_read_only");
    check("PREPARE TRANSACTION 'x'", "session; admin catalog:prepared transaction");
    check("FETCH 5 FROM c", "read");
    check("EXECUTE p(1)", "session");
    check("EXECUTE p(purge_customers())", "execute function:public.purge_customers");
    check("PREPARE p AS DELETE FROM orders WHERE id = $1", "delete public.orders");
    check("DECLARE c CURSOR FOR SELECT * FROM orders", "read public.orders");
    check("LOCK TABLE orders", "admin public.orders");
    check("LOCK TABLE orders IN ACCESS SHARE MODE", "read public.orders");
    check("LOCK TABLE orders IN ROW EXCLUSIVE MODE", "write public.orders");
    check("CHECKPOINT", "admin catalog:checkpoint");
    check("LOAD 'x'", "import file:x");
    check("", "session");
    check(";;", "session");
}

#[test]
fn definitions() {
    check("CREATE TABLE a(id int DEFAULT 1 CHECK (id > 0))", "create public.a");
    check("CREATE TABLE other.a()", "create other.a");
    check("CREATE TEMP TABLE a(id int)", "create pg_temp.a");
    check(
        "CREATE TABLE a(id int DEFAULT purge_customers())",
        "create public.a; execute function:public.purge_customers",
    );
    check("CREATE TABLE a(id int REFERENCES orders)", "create public.a; alter public.orders");
    check("CREATE TABLE a AS SELECT * FROM secrets", "create public.a; read public.secrets");
    check("CREATE TABLE a AS EXECUTE p", "create public.a; unknown");
    check("CREATE VIEW a AS SELECT * FROM secrets", "create public.a; read public.secrets");
    check("CREATE OR REPLACE VIEW v_contacts AS SELECT 1", "create public.v_contacts; alter public.v_contacts");
    check("CREATE MATERIALIZED VIEW a AS SELECT * FROM secrets", "create public.a; read public.secrets");
    check("CREATE INDEX ON orders (total)", "create public.orders");
    check("CREATE INDEX ON orders (upper(status))", "create public.orders; execute function:public.upper");
    check("CREATE SEQUENCE a", "create sequence:public.a");
    check("CREATE SCHEMA a", "create schema:a");
    check("CREATE SCHEMA a CREATE TABLE b()", "create schema:a; create public.b");
    check("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", "create function:public.f");
    check(
        "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION trg_inbox()",
        "create public.orders; execute function:public.trg_inbox",
    );
    check(
        "CREATE RULE r AS ON INSERT TO orders DO ALSO DELETE FROM notes WHERE id = new.id",
        "create public.orders; delete public.notes",
    );
    check(
        "CREATE TABLE a PARTITION OF parts FOR VALUES FROM (purge_customers()) TO (MAXVALUE)",
        "create public.a; alter public.parts; execute function:public.purge_customers",
    );
    check("CREATE TYPE m AS ENUM ('a')", "create type:public.m");
    check("CREATE TYPE m AS (a int)", "create type:public.m");
    check("CREATE DOMAIN m AS int CHECK (VALUE > 0)", "create type:public.m");
    check("CREATE EXTENSION file_fdw", "import catalog:extension file_fdw");
    check("ALTER EXTENSION hstore UPDATE", "import catalog:extension hstore");
    check("DROP EXTENSION hstore CASCADE", "destroy catalog:extension hstore");
    check("CREATE LANGUAGE plperl", "import catalog:extension plperl");
    check("CREATE SERVER s FOREIGN DATA WRAPPER w", "admin catalog:server s");
    check("DROP SERVER s", "admin catalog:server s");
    check("CREATE USER MAPPING FOR CURRENT_USER SERVER s", "admin catalog:server s");
    check("IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b", "import catalog:server s");
    check("CREATE PUBLICATION p FOR ALL TABLES", "admin catalog:publication p");
    check("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "admin catalog:subscription s");
    check("CREATE DATABASE d", "admin database:d");
    check("DROP DATABASE d", "admin database:d; destroy database:d");
    check("ALTER SYSTEM SET work_mem = '1MB'", "admin setting:work_mem");
    check("ALTER DATABASE d SET search_path = x", "admin database:d");
    check("ALTER ROLE app SET search_path = x", "admin role:app; grant role:app");
    check("CREATE ROLE r", "grant role:r");
    check("ALTER ROLE r SUPERUSER", "grant role:r");
    check("DROP ROLE r", "grant role:r");
    check("GRANT SELECT ON orders TO app", "grant public.orders; grant role:app");
    check("REVOKE a FROM b", "grant role:a; grant role:b");
    check("ALTER TABLE orders OWNER TO app", "alter public.orders; grant public.orders");
    check("ALTER FUNCTION purge_customers() OWNER TO app", "grant function:public.purge_customers; grant role:app");
    check("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "alter public.orders");
    check("ALTER TABLE orders DISABLE TRIGGER ALL", "alter public.orders");
    check("ALTER TABLE orders ADD COLUMN x int", "alter public.orders");
    check("ALTER TABLE orders DROP COLUMN total", "alter public.orders; destroy public.orders");
    check("ALTER TABLE orders RENAME TO x", "alter public.orders");
    check(
        "ALTER TABLE notes ALTER body SET DEFAULT purge_customers()::text",
        "alter public.notes; execute function:public.purge_customers",
    );
    check(
        "ALTER TABLE orders ALTER total TYPE text USING upper(total)",
        "alter public.orders; execute function:public.upper",
    );
    check("ALTER SEQUENCE seq RESTART", "alter sequence:public.seq");
    check("CREATE POLICY p ON orders USING (true)", "grant public.orders");
    check("DROP POLICY p ON orders", "destroy public.orders; grant");
    check("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app", "grant catalog:default privileges");
    check("DROP TABLE orders, secrets", "destroy public.orders; destroy public.secrets");
    check("DROP SCHEMA public CASCADE", "destroy schema:public");
    check("DROP FUNCTION purge_customers", "destroy function:public.purge_customers");
    check("DROP TRIGGER t ON inbox", "destroy public.inbox");
    check("DROP OWNED BY app", "destroy role:app; grant role:app");
    check("REASSIGN OWNED BY a TO b", "grant role:a; grant role:b");
    check("COMMENT ON TABLE orders IS 'x'", "alter public.orders");
    check("COMMENT ON COLUMN orders.total IS 'x'", "alter public.orders");
    check("VACUUM FULL orders", "alter public.orders");
    check("ANALYZE", "alter");
    check("REINDEX TABLE orders", "alter public.orders");
    check("REFRESH MATERIALIZED VIEW v_contacts", "alter public.v_contacts");
    check("CLUSTER orders", "alter public.orders");
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
    let found = pairs(&ask("CREATE FUNCTION length(text) RETURNS int LANGUAGE sql AS 'select 1'; SELECT length('a')"));
    assert!(found.contains(&"execute function:?.length".to_owned()), "{found:?}");
    let found = pairs(&ask("CREATE OPERATOR + (LEFTARG = mood, RIGHTARG = mood, FUNCTION = op_purge); SELECT 1 + 1"));
    assert!(found.contains(&"execute function:?.+".to_owned()), "{found:?}");
    let found = pairs(&ask("CREATE TYPE kind AS ENUM ('a'); CREATE TABLE t(k kind DEFAULT 'a'::kind)"));
    assert_eq!(found, ["create public.t", "create type:public.kind"]);
}

#[test]
fn equal_intents_have_equal_names() {
    let id = |text: &str| ask(text).intent.id;
    assert_eq!(id("SELECT * FROM orders WHERE id = 1"), id("SELECT * FROM orders WHERE id = 2"));
    assert_ne!(id("SELECT * FROM orders WHERE id = 1"), id("SELECT * FROM orders WHERE total = 1"));
    assert_ne!(id("DELETE FROM orders"), id("DELETE FROM orders WHERE id = 1"));
    assert_ne!(id("SELECT 1"), id("SELECT * FROM orders"));
}
