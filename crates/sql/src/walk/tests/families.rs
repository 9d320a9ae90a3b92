//! Ways in which a statement hides what it does, and look-alikes that do nothing.

use model::Effect;

use super::ask;

fn effects(text: &str) -> Vec<Effect> {
    let mut found: Vec<Effect> = ask(text).intent.actions.iter().map(|action| action.effect).collect();
    found.dedup();
    found
}

/// Nothing but reading and the session's own state.
fn is_calm(text: &str) -> bool {
    effects(text).iter().all(|effect| matches!(effect, Effect::Read | Effect::Session))
}

#[test]
fn a_read_only_policy_sees_through() {
    for text in [
        "SELECT 1; DROP TABLE customers",
        "SELECT 1 AS x$a$; DROP TABLE customers; SELECT 2 AS y$a$",
        "SELECT '\\'; DROP TABLE customers; -- '",
        "SELECT $t$it's$t$ ; DELETE FROM customers; -- '",
        ";;; DROP TABLE customers",
        "/* a */DELETE/**/FROM/**/customers",
        "dElEtE fRoM CuStOmErS",
        "DELETE\u{c}FROM\u{c}customers",
        "SELECT 1 AS \u{10400}$a$; DROP TABLE customers; SELECT 2 AS \u{10400}$a$",
        "/* /* */ SELECT 1 */ DELETE FROM customers",
        "SELECT U&\"s\\0065tval\"('seq', 999)",
        "SELECT U&\"pg_sl!0065ep\" UESCAPE '!' (0)",
        "SELECT \"pg_catalog\".\"setval\"('seq', 1)",
        "WITH d AS (DELETE FROM customers RETURNING *) SELECT count(*) FROM d",
        "WITH a AS (SELECT 1), b AS (UPDATE orders SET total = 1 RETURNING 1) SELECT * FROM a",
        "SELECT (WITH d AS (SELECT 1) SELECT purge_customers() FROM d)",
        "COPY (DELETE FROM customers RETURNING *) TO STDOUT",
        "EXPLAIN ANALYZE DELETE FROM customers",
        "EXPLAIN (ANALYZE on, COSTS off) UPDATE customers SET name = 'x'",
        "PREPARE p AS DELETE FROM customers",
        "SELECT id FROM orders WHERE purge_customers() > 0",
        "SELECT id FROM orders ORDER BY purge_customers()",
        "SELECT id FROM orders GROUP BY id, purge_customers()",
        "SELECT id FROM orders LIMIT purge_customers()",
        "SELECT count(*) FILTER (WHERE purge_customers() > 0) FROM orders",
        "SELECT sum(id) OVER (ORDER BY purge_customers()) FROM orders",
        "SELECT CASE WHEN purge_customers() > 0 THEN 1 END",
        "SELECT * FROM orders JOIN notes ON purge_customers() = 1",
        "SELECT * FROM purge_customers()",
        "SELECT * FROM ROWS FROM (purge_customers())",
        "VALUES (purge_customers())",
        "SELECT ARRAY[purge_customers()]",
        "SELECT (ARRAY[1])[purge_customers()]",
        "SELECT coalesce(purge_customers(), 1)",
        "SELECT greatest(1, purge_customers())",
        "SELECT JSON_ARRAY(purge_customers())",
        "SELECT xmlelement(name a, purge_customers())",
        "SELECT * FROM orders TABLESAMPLE system (purge_customers())",
        "SELECT * FROM orders, LATERAL purge_customers()",
        "SELECT purge_customers()::text COLLATE \"C\"",
        "SELECT string_agg(status, ',' ORDER BY purge_customers()) FROM orders",
        "SELECT 1 = ANY (SELECT purge_customers())",
        "SELECT (purge_customers(), 1) = (1, 1)",
        "SELECT NOT purge_customers() IS NULL",
        "SELECT format('%s', purge_customers())",
        "SELECT interval '1 day' * purge_customers()",
        "EXECUTE p(purge_customers())",
        "SELECT 1 <-!-> 2",
        "SELECT 1 WHERE 1 OPERATOR(public.<-!->) 2 = 1",
        "DECLARE c CURSOR FOR SELECT purge_customers()",
        "SELECT nextval('seq')",
        "SELECT pg_notify('a', 'b')",
        "SELECT pg_advisory_lock(42)",
        "SELECT pg_catalog.pg_cancel_backend(1)",
        "SELECT pg_file_write('x', 'y', false)",
        "SELECT*FROM\"pg_read_file\"('PG_VERSION')",
        "SELECT lo_unlink(1)",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_reload_conf()",
        "SELECT pg_switch_wal()",
        "SELECT word FROM ts_stat('select 1')",
        "SELECT database_to_xml(true, true, '')",
        "SELECT table_to_xml('secrets', true, true, '')",
        "SELECT cursor_to_xml('c', 1, true, true, '')",
        "SELECT pg_logical_slot_get_changes('s', NULL, NULL)",
        "SELECT pg_create_physical_replication_slot('s')",
        "SELECT pg_stat_reset()",
        "SELECT pg_promote()",
        "COMMIT; DROP SCHEMA public CASCADE",
        "END; TRUNCATE customers",
        "SELECT * INTO x FROM orders",
        "SELECT * FROM orders FOR NO KEY UPDATE",
        "NOTIFY a",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT array_fill(1, ARRAY[100000000])",
        "SELECT lpad('x', 2000000)",
        "SELECT pg_sleep_for('1 day')",
        "COPY orders FROM STDIN",
        "COPY orders TO PROGRAM 'id'",
        "DO $$ BEGIN END $$",
        "CALL wipe()",
        "LOAD 'x'",
        "LOCK TABLE orders",
        "VACUUM",
        "CHECKPOINT",
        "this is not a statement",
        "SELECT 'unterminated",
        "SELECT fmgr_c_validator(1)",
        "SELECT binary_upgrade_set_next_pg_type_oid(1)",
        "SELECT pg_export_snapshot(), pg_terminate_backend(1)",
        "SELECT c.spill FROM customers c",
    ] {
        assert!(!is_calm(text), "{text}: {:?}", effects(text));
    }
}

#[test]
fn look_alikes_are_calm() {
    for text in [
        "SELECT 'DROP TABLE customers' AS msg",
        "SELECT '; COMMIT;' AS s, 'it''s -- fine' AS t",
        "SELECT $$ ; DROP TABLE x ; $$ AS x",
        "SELECT 1;",
        "/* outer /* inner */ DELETE FROM customers */ SELECT 1",
        "-- DROP TABLE customers\nSELECT 1",
        "WITH delete AS (SELECT 1 AS n) SELECT n FROM delete",
        "SELECT \"drop\", deleted_at FROM orders WHERE status IN ('deleted', 'dropped')",
        "SELECT 1 AS grant, 2 AS truncate",
        "SELECT 1 AS delete, 2 AS \"update\"",
        "SELECT has_table_privilege('orders', 'delete')",
        "SELECT jsonb_path_query('{\"delete\": true}'::jsonb, '$.delete')",
        "SELECT (ARRAY['a', 'b'])[1], '{1,2}'::int[]",
        "SET statement_timeout = '5s'",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders",
        "SELECT id AS \"purge_customers()\" FROM orders",
        "SELECT repeat('x', 100)",
        "EXPLAIN SELECT 1",
        "SELECT 'setval(''seq'', 1)'",
        "SELECT E'\\'; DROP TABLE x; --'",
        "SELECT U&'d\\0061t\\+000061'",
        "SELECT 1 AS x$a$",
        "SELECT total FROM orders AS insert",
        "SELECT * FROM orders AS \"for update\"",
    ] {
        assert!(is_calm(text), "{text}: {:?} {:?}", effects(text), ask(text).intent.reasons);
        assert!(ask(text).problem.is_none(), "{text}");
    }
}

#[test]
fn names_are_resolved_as_written() {
    let reads =
        |text: &str| -> Vec<String> { ask(text).intent.reads.iter().map(|object| object.name.clone()).collect() };
    assert_eq!(reads("SELECT*FROM\"secrets\""), ["public.secrets"]);
    assert_eq!(reads("SELECT * FROM PUBLIC.SECRETS"), ["public.secrets"]);
    assert_eq!(reads("SELECT * FROM \"SECRETS\""), ["?.SECRETS"]);
    assert_eq!(reads("SELECT * FROM app.public.secrets"), ["public.secrets"]);
    assert_eq!(reads("SELECT * FROM U&\"s\\0065crets\""), ["public.secrets"]);
    // A CTE hides a table only where it is visible.
    assert_eq!(
        reads("SELECT * FROM (WITH secrets AS (SELECT 1) SELECT * FROM secrets) a, secrets b"),
        ["public.secrets"]
    );
    assert_eq!(reads("WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets"), ["public.secrets"]);
    assert_eq!(reads("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"), [""; 0]);
    assert_eq!(reads("WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a"), ["public.secrets"]);
    // A permanent name is not hidden by what may be another session's temporary table.
    assert_eq!(reads("SELECT * FROM orders"), ["public.orders"]);
    assert_eq!(reads("SELECT * FROM pg_temp.orders"), ["pg_temp.orders"]);
}

#[test]
fn reasons_and_problems_hold_no_data() {
    for text in [
        "SELECT 'hunter2' hunter2 'hunter2'",
        "SELECT 'hunter2",
        "INSERT INTO missing VALUES ('hunter2')",
        "SET application_name = 'hunter2'",
        "SELECT set_config('role', 'hunter2', false)",
        "SELECT purge_customers('hunter2')",
        "SELECT format('%hunter2*s', 1)",
        "SELECT '\u{0}hunter2'",
    ] {
        let analysis = ask(text);
        let told = format!("{:?} {:?}", analysis.intent.reasons, analysis.problem);
        assert!(!told.contains("hunter2"), "{text}: {told}");
    }
}
