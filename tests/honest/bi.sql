-- What BI tools and database consoles ask when they connect and describe a database, and what their charts send. Written in their shape.

-- Metabase: connection, privileges, sync, fingerprints

SET SESSION TIMEZONE TO 'UTC'

SHOW TIMEZONE

SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY

SELECT current_database(), current_schema(), current_setting('TimeZone'), version()

WITH table_privileges AS (
  SELECT NULL AS role, t.schemaname AS schema, t.objectname AS table,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') AS update,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'select') AS select,
    pg_catalog.has_table_privilege(current_user, quote_ident(t.schemaname) || '.' || quote_ident(t.objectname), 'delete') AS delete
  FROM (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname AS objectname FROM pg_catalog.pg_views
        UNION SELECT schemaname, matviewname AS objectname FROM pg_catalog.pg_matviews) t
  WHERE t.schemaname !~ '^pg_' AND t.schemaname <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')
) SELECT t.* FROM table_privileges t ORDER BY 2, 3

SELECT c.column_name AS name, c.udt_name AS "database-type", c.ordinal_position - 1 AS "database-position", c.table_schema AS "table-schema", c.table_name AS "table-name", pk.column_name IS NOT NULL AS "pk?", col_description(cast(cast(format('%I.%I', cast(c.table_schema AS text), cast(c.table_name AS text)) AS regclass) AS oid), c.ordinal_position) AS "field-comment",
  (c.column_default IS NULL OR lower(c.column_default) = 'null') AND c.is_nullable = 'NO' AND NOT (c.column_default IS NOT NULL AND c.column_default LIKE '%nextval(%') AS "database-required"
FROM information_schema.columns AS c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema WHERE tc.constraint_type = 'PRIMARY KEY') AS pk
  ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('public', 'reporting') ORDER BY "table-schema", "table-name", "database-position"

SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name", pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name"
FROM pg_constraint AS c INNER JOIN pg_class AS fk_table ON c.conrelid = fk_table.oid INNER JOIN pg_namespace AS fk_ns ON c.connamespace = fk_ns.oid INNER JOIN pg_attribute AS fk_column ON c.conrelid = fk_column.attrelid
  INNER JOIN pg_class AS pk_table ON c.confrelid = pk_table.oid INNER JOIN pg_namespace AS pk_ns ON pk_table.relnamespace = pk_ns.oid INNER JOIN pg_attribute AS pk_column ON c.confrelid = pk_column.attrelid
WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f'::char AND fk_column.attnum = ANY (c.conkey) AND pk_column.attnum = ANY (c.confkey) ORDER BY 1, 2, 3, 6

SELECT tmp.table_schema, tmp.table_name, trim(both '"' from pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.pos, false)) AS field_name FROM (SELECT n.nspname AS table_schema, ct.relname AS table_name, ci.oid AS ci_oid, (information_schema._pg_expandarray(i.indkey)).n AS pos FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON ct.relnamespace = n.oid JOIN pg_catalog.pg_index i ON ct.oid = i.indrelid JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid
WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL AND n.nspname !~ '^information_schema|pg_') tmp WHERE tmp.pos = 1 ORDER BY 1, 2, 3

SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum e) ORDER BY 2

SELECT count(distinct "source"."substring1") AS "distinct-count", (sum(CASE WHEN "source"."substring1" IS NULL THEN 1 ELSE 0.0 END) / nullif(count(*), 0)) AS "nil%" FROM (SELECT substring("public"."customers"."region", 1, 1234) AS "substring1" FROM "public"."customers" LIMIT 10000) AS "source"

SELECT "public"."customers"."id" AS "id", "public"."customers"."name" AS "name", "public"."customers"."region" AS "region" FROM "public"."customers" ORDER BY "public"."customers"."id" LIMIT 2000

SELECT cast("public"."orders"."created_at" AS date) AS "created_at", count(*) AS "count" FROM "public"."orders" WHERE "public"."orders"."created_at" >= date_trunc('month', timestamp with time zone '2024-03-15 12:00:00+00') AND "public"."orders"."created_at" < date_trunc('month', timestamp with time zone '2024-06-15 12:00:00+00' + interval '-1 month') GROUP BY cast("public"."orders"."created_at" AS date) ORDER BY 1 ASC

SELECT floor((("public"."orders"."total" - 0.0) / 12.5)) * 12.5 + 0.0 AS "total", count(*) AS "count" FROM "public"."orders" GROUP BY 1 ORDER BY 1

SELECT "source"."created_at" AS "created_at", "source"."sum" AS "sum", sum("source"."sum") OVER (ORDER BY "source"."created_at" ASC ROWS UNBOUNDED PRECEDING) AS "total" FROM (SELECT date_trunc('week', ("public"."orders"."created_at" + interval '1 day')) + interval '-1 day' AS "created_at", sum("public"."orders"."total") AS "sum" FROM "public"."orders" GROUP BY 1) AS "source" ORDER BY 1

-- !masked email
SELECT "public"."customers"."id" AS "id", "public"."customers"."name" AS "name", "public"."customers"."email" AS "email" FROM "public"."customers" LIMIT 20

-- Tableau

SELECT current_setting('server_version'), current_setting('integer_datetimes'), pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()

select t.typname as "name", t.oid, t.typbasetype, t.typtypmod, nspname from pg_type t, pg_namespace n where t.typnamespace = n.oid and t.typtype = 'd' order by 1, 2

select NULL::text as TABLE_CAT, n.nspname, c.relname, d.description, c.relkind from pg_catalog.pg_namespace n, pg_catalog.pg_class c left join pg_catalog.pg_description d on (c.oid = d.objoid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass) where c.relnamespace = n.oid and c.relkind in ('r', 'v', 'm', 'f', 'p') and n.nspname not like 'pg\_%' and has_schema_privilege(n.oid, 'USAGE') and has_table_privilege(c.oid, 'SELECT') order by n.nspname, c.relname

SELECT "orders"."status" AS "status", SUM("orders"."total") AS "sum:total:ok", AVG(CAST("orders"."total" AS DOUBLE PRECISION)) AS "avg:total:ok", COUNT(DISTINCT "orders"."customer_id") AS "ctd:customer_id:ok" FROM "public"."orders" "orders" INNER JOIN "public"."customers" "customers" ON ("orders"."customer_id" = "customers"."id") WHERE (("customers"."region" IN ('eu', 'us')) AND (NOT ("orders"."status" IS NULL))) GROUP BY 1 ORDER BY 1

SELECT CAST(EXTRACT(YEAR FROM "orders"."created_at") AS INTEGER) AS "yr", CAST(EXTRACT(QUARTER FROM "orders"."created_at") AS INTEGER) AS "qr", SUM(1) AS "cnt" FROM "public"."orders" "orders" GROUP BY 1, 2 ORDER BY 1, 2

SELECT "t0"."region" AS "region", "t0"."x" AS "x", "t1"."y" AS "y" FROM (SELECT "region" AS "region", COUNT(*) AS "x" FROM "public"."customers" GROUP BY 1) "t0" LEFT JOIN (SELECT c."region" AS "region", SUM(o."total") AS "y" FROM "public"."customers" c JOIN "public"."orders" o ON o."customer_id" = c."id" GROUP BY 1) "t1" ON ("t0"."region" IS NOT DISTINCT FROM "t1"."region") ORDER BY 1

-- Power BI, over Npgsql

SELECT version();
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (
  SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind,
    CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
  FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype,
          CASE WHEN proc.proname = 'array_recv' THEN typ.typelem WHEN typ.typtype = 'r' THEN rngsubtype WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype = 'd' THEN typ.typbasetype END AS elemtypoid
        FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) AS typ
  LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS t
JOIN pg_namespace AS ns ON (ns.oid = t.typnamespace)
WHERE (typtype IN ('b', 'r', 'm', 'e', 'd') AND (typtype <> 'b' OR elemtypoid IS NULL OR true)) ORDER BY typtype, t.oid;
SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace) JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid) WHERE (typ.typtype = 'c' AND cls.relkind = 'c') AND attnum > 0 AND NOT attisdropped ORDER BY typ.oid, att.attnum;
SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder;

select TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE from INFORMATION_SCHEMA.tables where TABLE_SCHEMA not in ('information_schema', 'pg_catalog') order by TABLE_SCHEMA, TABLE_NAME

select COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, case when (data_type like '%unsigned%') then DATA_TYPE || ' unsigned' else DATA_TYPE end as DATA_TYPE from INFORMATION_SCHEMA.columns where TABLE_SCHEMA = 'public' and TABLE_NAME = 'orders' order by TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION

select pkcol.COLUMN_NAME as PK_COLUMN_NAME, fkcol.TABLE_SCHEMA as FK_TABLE_SCHEMA, fkcol.TABLE_NAME as FK_TABLE_NAME, fkcol.COLUMN_NAME as FK_COLUMN_NAME, fkcol.ORDINAL_POSITION as ORDINAL, fkcon.CONSTRAINT_SCHEMA || '_' || fkcol.TABLE_NAME || '_' || 'customers' || '_' || fkcon.CONSTRAINT_NAME as FK_NAME
from (select distinct constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name from INFORMATION_SCHEMA.referential_constraints) fkcon
inner join INFORMATION_SCHEMA.key_column_usage fkcol on fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA and fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
inner join INFORMATION_SCHEMA.key_column_usage pkcol on fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA and fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
where pkcol.TABLE_SCHEMA = 'public' and pkcol.TABLE_NAME = 'customers' and pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION order by FK_NAME, fkcol.ORDINAL_POSITION

select "_"."status", "_"."total", "_"."id" from "public"."orders" "_" where "_"."total" > 90 order by "_"."id" limit 1000

select "rows"."status" as "status", sum("rows"."total") as "a0" from (select "_"."status" as "status", "_"."total" as "total" from "public"."orders" "_") "rows" group by "status" order by 1 limit 1000001

-- Grafana

SELECT current_setting('server_version_num')::int/100 as version

SELECT quote_ident(table_name) FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog') AND ((quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, string_to_array(current_setting('search_path'), ',') s))) ORDER BY 1

SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_name) = 'orders' ORDER BY 1

SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'

SELECT floor(extract(epoch from created_at) / 86400) * 86400 AS "time", status AS metric, avg(total) AS "value" FROM orders WHERE created_at BETWEEN '2024-02-01T00:00:00Z' AND '2024-03-01T00:00:00Z' GROUP BY 1, status ORDER BY 1, 2

SELECT $__$a text that is no macro$__$ AS note, extract(epoch from created_at)::bigint * 1000 AS time FROM orders ORDER BY 2 LIMIT 3

-- !varies
SELECT now() AS time, sum(numbackends) AS connections FROM pg_stat_database

-- !varies
SELECT now() AS time, datname, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, tup_fetched, deadlocks, temp_bytes FROM pg_stat_database WHERE datname = current_database()

-- !varies
SELECT pg_database.datname, pg_database_size(pg_database.datname) AS size FROM pg_database WHERE datallowconn

-- !varies
SELECT relname, n_live_tup, n_dead_tup, last_vacuum, last_autoanalyze, seq_scan, idx_scan FROM pg_stat_user_tables ORDER BY relname

SELECT s.relname, s.indexrelname, pg_size_pretty(pg_relation_size(s.indexrelid)) AS size, i.indisunique FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) ORDER BY 1, 2

-- !varies
SELECT mode, count(*) FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY mode

-- !varies
SELECT sum(heap_blks_hit)::float / nullif(sum(heap_blks_hit) + sum(heap_blks_read), 0) AS ratio FROM pg_statio_user_tables

-- !varies
SELECT checkpoints_timed, checkpoints_req, buffers_checkpoint, buffers_clean FROM pg_stat_bgwriter

-- !varies
SELECT slot_name, slot_type, active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS lag FROM pg_replication_slots

-- DBeaver

SELECT current_schema(), session_user

SELECT db.oid, db.datname, db.datdba, db.encoding, db.datcollate, db.datistemplate, db.datallowconn, db.datconnlimit, dsc.description FROM pg_catalog.pg_database db LEFT JOIN pg_catalog.pg_shdescription dsc ON dsc.objoid = db.oid WHERE datallowconn ORDER BY db.datname

SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass WHERE nspname !~ '^pg_t' ORDER BY nspname

SELECT c.oid, c.relname, c.relkind, c.relowner, c.relpersistence, c.relnatts, c.relhasindex, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY c.relname

SELECT c.relname, a.attname, a.atttypid, a.attnum, a.attnotnull, a.attidentity, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.oid = {{'customers'::regclass}} ORDER BY a.attnum

SELECT c.oid, c.conname, c.contype, c.condeferrable, c.confrelid, c.conkey, c.confkey, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description, CASE WHEN c.contype = 'c' THEN substring(pg_get_constraintdef(c.oid), 7) ELSE NULL END AS consrc_copy FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass WHERE t.relnamespace = 'public'::regnamespace ORDER BY c.oid

SELECT i.indexrelid, i.indrelid, i.indkey, i.indclass, i.indoption, c.relname, c.relnamespace, c.relam, tc.relname AS tabrelname, dsc.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid, true) AS pred_expr, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) >= 0 AS scanned FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid WHERE i.indrelid = {{'products'::regclass}} ORDER BY c.relname

SELECT t.oid, t.typname, t.typcategory, t.typinput::text, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C') ORDER BY t.oid

SELECT p.oid, p.proname, p.prokind, p.proretset, p.provolatile, l.lanname, pg_catalog.pg_get_expr(p.proargdefaults, 0) AS arg_defaults, pg_get_function_result(p.oid), pg_get_function_identity_arguments(p.oid), d.description FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid AND d.objsubid = 0 WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.oid

select c.oid, pg_catalog.pg_total_relation_size(c.oid) as total_rel_size, pg_catalog.pg_relation_size(c.oid) as rel_size FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace and c.relkind not in ('i', 'I', 'c') order by 1

SELECT pg_catalog.pg_get_viewdef({{'recent_orders'::regclass}}, true)

SELECT x.oid, x.tgname, x.tgfoid, x.tgenabled, p.relnamespace AS func_schema_id, d.description FROM pg_catalog.pg_trigger x JOIN pg_class p ON p.oid = x.tgrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid WHERE NOT tgisinternal ORDER BY 1

SELECT DISTINCT dep.deptype, dep.classid, dep.objid, cl.relkind, CASE WHEN cl.relkind IS NOT NULL THEN cl.relkind::text WHEN co.oid IS NOT NULL THEN 'C' WHEN ad.oid IS NOT NULL THEN 'A' ELSE '' END AS type, coalesce(cl.relname, co.conname) AS refname FROM pg_depend dep LEFT JOIN pg_class cl ON dep.objid = cl.oid LEFT JOIN pg_constraint co ON dep.objid = co.oid LEFT JOIN pg_attrdef ad ON dep.objid = ad.oid WHERE dep.refobjid = {{'customers'::regclass}} ORDER BY dep.classid, dep.objid, cl.relkind

-- !masked email, ssn, card
SELECT x.* FROM public.customers x ORDER BY x.id LIMIT 200

EXPLAIN (FORMAT JSON) SELECT * FROM public.orders WHERE id = 3

-- !varies
EXPLAIN (FORMAT JSON, ANALYSE) SELECT status, count(*) FROM public.orders GROUP BY status

-- pgAdmin

SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; SET client_encoding='utf-8';

SELECT db.oid as did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding, has_database_privilege(db.oid, 'CREATE') as cancreate, datistemplate FROM pg_catalog.pg_database db WHERE db.datname = current_database()

SELECT roles.oid as id, roles.rolname as name, roles.rolsuper as is_superuser, CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END as can_create_role, CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreatedb END as can_create_db, CASE WHEN 'pg_signal_backend' = ANY (ARRAY(WITH RECURSIVE cte AS (SELECT pg_roles.oid, pg_roles.rolname FROM pg_roles WHERE pg_roles.oid = roles.oid UNION ALL SELECT m.roleid, pgr.rolname FROM cte cte_1 JOIN pg_auth_members m ON m.member = cte_1.oid JOIN pg_roles pgr ON pgr.oid = m.roleid) SELECT rolname FROM cte)) THEN true ELSE false END as can_signal_backend FROM pg_catalog.pg_roles as roles WHERE rolname = current_user

SELECT pg_is_in_recovery() AS inrecovery, CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE FALSE END AS isreplaypaused

SELECT EXISTS(SELECT 1 FROM pg_settings WHERE name = 'ssl'), (SELECT count(*) FROM pg_stat_gssapi WHERE pid = pg_backend_pid()) > 0 AS gss, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) IS NOT NULL AS known

SELECT nsp.oid, nsp.nspname AS name, has_schema_privilege(nsp.oid, 'CREATE') AS can_create, has_schema_privilege(nsp.oid, 'USAGE') AS has_usage, des.description FROM pg_namespace nsp LEFT OUTER JOIN pg_description des ON (des.objoid = nsp.oid AND des.classoid = 'pg_namespace'::regclass) WHERE nspname NOT LIKE E'pg\\_%' AND NOT (nsp.nspname = 'pg_catalog' AND EXISTS (SELECT 1 FROM pg_class WHERE relname = 'pg_class' AND relnamespace = nsp.oid LIMIT 1)) ORDER BY nspname

SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount, (SELECT count(1) FROM pg_inherits WHERE inhrelid = rel.oid LIMIT 1) AS is_inherits, (CASE WHEN rel.relkind = 'p' THEN true ELSE false END) AS is_partitioned FROM pg_class rel WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = {{'public'::regnamespace}}::oid AND NOT rel.relispartition ORDER BY rel.relname

SELECT DISTINCT att.attname as name, att.attnum, att.attnotnull as not_null, CASE WHEN att.attidentity in ('a', 'd') THEN 'i' WHEN att.attgenerated in ('s') THEN 'g' ELSE 'n' END AS colconstype, format_type(ty.oid, NULL) AS datatype, pg_catalog.pg_get_serial_sequence('public.orders', att.attname) AS seq, (SELECT count(1) FROM pg_type t2 WHERE t2.typname = ty.typname) > 1 AS isdup FROM pg_attribute att JOIN pg_type ty ON ty.oid = atttypid WHERE att.attrelid = {{'orders'::regclass}}::oid AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum

SELECT rel.reltuples::bigint, pg_size_pretty(pg_table_size(rel.oid)), array_to_string(rel.relacl::text[], ', ') AS acl, (aclexplode(acldefault('r', rel.relowner))).privilege_type FROM pg_class rel WHERE rel.oid = {{'orders'::regclass}} ORDER BY 4

-- !varies
SELECT 'session_stats' AS chart_name, pg_catalog.row_to_json(t) AS chart_data FROM (SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = (SELECT datname FROM pg_catalog.pg_database WHERE datname = current_database())) AS "Total") t

-- !varies
SELECT 'tps_stats' AS chart_name, pg_catalog.row_to_json(t) AS chart_data FROM (SELECT (SELECT sum(xact_commit) + sum(xact_rollback) FROM pg_catalog.pg_stat_database) AS "Transactions", (SELECT sum(xact_commit) FROM pg_catalog.pg_stat_database) AS "Commits") t UNION ALL SELECT 'bio_stats' AS chart_name, pg_catalog.row_to_json(t) FROM (SELECT (SELECT sum(blks_read) FROM pg_catalog.pg_stat_database) AS "Reads") t

-- !varies
SELECT pid, datname, usename, application_name, client_addr, backend_start, state, wait_event_type, wait_event, pg_catalog.pg_blocking_pids(pid) AS blocking_pids FROM pg_catalog.pg_stat_activity WHERE datname = current_database() ORDER BY pid

-- !varies
SELECT locktype, datname, relation::regclass, page, tuple, virtualxid, transactionid, classid::regclass, objid, virtualtransaction, mode, granted, fastpath FROM pg_catalog.pg_locks l LEFT OUTER JOIN pg_catalog.pg_database d ON (l.database = d.oid) ORDER BY pid, locktype

SELECT gid, database, owner, transaction FROM pg_catalog.pg_prepared_xacts ORDER BY gid, database, owner

SELECT name, category, setting, unit, short_desc FROM pg_catalog.pg_settings WHERE name IN ('work_mem', 'shared_buffers') ORDER BY category, name

-- !masked email, ssn, card
SELECT * FROM public.customers ORDER BY id ASC LIMIT 100

-- DataGrip

select current_database() as a, current_schemas(false) as b

select version() as v, pg_catalog.current_setting('is_superuser') = 'on' as s, current_setting('server_version_num')

-- !varies
select case when pg_catalog.pg_is_in_recovery() then null else (pg_catalog.txid_current() % (2^32)::bigint)::varchar::bigint end as current_txid

-- !varies
select round(extract(epoch from pg_catalog.pg_postmaster_start_time() at time zone 'UTC')) as startup_time

-- !varies
select N.oid::bigint as id, N.nspname as name, N.xmin as state_number, D.description, pg_catalog.pg_get_userbyid(N.nspowner) as "owner" from pg_catalog.pg_namespace N left join pg_catalog.pg_description D on N.oid = D.objoid order by case when N.nspname = pg_catalog.current_schema() then -1::bigint else N.oid::bigint end

select T.relkind as table_kind, T.relname as table_name, T.oid as table_id, pg_catalog.age(T.xmin) >= 0 as known, (select array_agg(inhparent::bigint order by inhseqno)::varchar from pg_catalog.pg_inherits where T.oid = inhrelid) as ancestors, pg_catalog.array_to_string(T.reloptions, ', ') as options, pg_catalog.pg_get_userbyid(T.relowner) as "owner" from pg_catalog.pg_class T where relnamespace = {{'public'::regnamespace}}::oid and relkind in ('r', 'm', 'v', 'f', 'p') order by table_kind, table_id

with T as (select distinct T.oid as table_id, T.relname as table_name from pg_catalog.pg_class T, pg_catalog.pg_attribute A where T.relnamespace = {{'public'::regnamespace}}::oid and T.relkind in ('r', 'm', 'v', 'f', 'p') and (pg_catalog.age(A.xmin) <= 2147483647 or pg_catalog.age(T.xmin) <= 2147483647) and A.attrelid = T.oid)
select T.table_id, C.attnum as column_position, C.attname as column_name, C.attislocal, C.atttypmod as type_mod, C.attndims as dimensions_number, pg_catalog.format_type(C.atttypid, C.atttypmod) as type_spec, C.attnotnull as mandatory, D.adbin is not null as has_default, pg_catalog.pg_get_expr(D.adbin, T.table_id) as column_default_expression, C.attisdropped as column_is_dropped from T join pg_catalog.pg_attribute C on T.table_id = C.attrelid left join pg_catalog.pg_attrdef D on (C.attrelid, C.attnum) = (D.adrelid, D.adnum) where attnum > 0 order by table_id, attnum

select tab.oid table_id, ind_stor.oid index_id, ind_stor.relname index_name, ind.indisunique is_unique, ind.indisprimary is_primary, amname, pg_catalog.pg_get_expr(ind.indpred, tab.oid) as condition, array_length(ind.indkey, 1), opcname from pg_catalog.pg_class tab join pg_catalog.pg_index ind on ind.indrelid = tab.oid join pg_catalog.pg_class ind_stor on ind.indexrelid = ind_stor.oid join pg_catalog.pg_am am on am.oid = ind_stor.relam join pg_catalog.pg_opclass o on o.oid = ind.indclass[0] where tab.relnamespace = 'public'::regnamespace order by 1, 3

with languages as (select oid as lang_oid, lanname as lang from pg_catalog.pg_language), routines as (select proname as r_name, prolang as lang_oid, oid as r_id, proargnames as arg_names, proargmodes as arg_modes, proargtypes::int[] as in_arg_types, proallargtypes::int[] as all_arg_types, pg_catalog.pg_get_expr(proargdefaults, 0) as arg_defaults, prorettype as ret_type_id, prokind as kind, provolatile as volatile_kind, proisstrict as is_strict, prosecdef as is_security_definer from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace and not (prokind = 'a')) select * from routines natural join languages order by r_id

select T.relkind as view_kind, T.oid as view_id, pg_catalog.pg_get_viewdef(T.oid, true) as source_text from pg_catalog.pg_class T join pg_catalog.pg_namespace N on T.relnamespace = N.oid where N.nspname = 'public' and T.relkind in ('m', 'v') order by 2

select member id, roleid role_id, admin_option from pg_catalog.pg_auth_members order by id, roleid::text

select oid, array_to_string(datacl, ',') from pg_catalog.pg_database where datname = current_database()

-- Superset, Looker, Redash, Hex

SELECT pg_type.typname, t.region AS region, sum(o.total) AS "SUM(total)" FROM public.customers t JOIN public.orders o ON o.customer_id = t.id CROSS JOIN pg_type WHERE pg_type.typname = 'int4' GROUP BY 1, 2 ORDER BY "SUM(total)" DESC LIMIT 10000

SELECT DATE_TRUNC('day', created_at) AS __timestamp, status AS status, COUNT(*) AS count FROM public.orders JOIN (SELECT status AS status__, COUNT(*) AS mme_inner__ FROM public.orders GROUP BY status ORDER BY mme_inner__ DESC, 1 LIMIT 2) AS series_limit ON status = status__ WHERE created_at >= TO_TIMESTAMP('2024-02-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY 1, 2 ORDER BY 1, 2

SELECT * FROM (SELECT *, DENSE_RANK() OVER (ORDER BY z___min_rank) as z___pivot_row_rank, RANK() OVER (PARTITION BY z__pivot_col_rank ORDER BY z___min_rank) as z__pivot_col_ordering FROM (SELECT *, MIN(z___rank) OVER (PARTITION BY "orders.month") as z___min_rank FROM (SELECT *, RANK() OVER (ORDER BY "orders.month" DESC, z__pivot_col_rank) AS z___rank FROM (SELECT *, DENSE_RANK() OVER (ORDER BY "customers.region" NULLS LAST) AS z__pivot_col_rank FROM (SELECT customers.region AS "customers.region", TO_CHAR(DATE_TRUNC('month', orders.created_at), 'YYYY-MM') AS "orders.month", COUNT(DISTINCT orders.id) AS "orders.count" FROM public.orders AS orders LEFT JOIN public.customers AS customers ON orders.customer_id = customers.id GROUP BY 1, 2) ww) bb) aa) xx) zz WHERE (z__pivot_col_rank <= 50 OR z__pivot_col_rank = 1) AND z___pivot_row_rank <= 500 ORDER BY z___pivot_row_rank, z__pivot_col_rank

SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') UNION SELECT s.nspname AS table_schema, c.relname AS table_name, a.attname AS column_name, NULL AS data_type FROM pg_class c JOIN pg_namespace s ON c.relnamespace = s.oid AND s.nspname NOT IN ('pg_catalog', 'information_schema') JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relkind = 'm' AND has_table_privilege(s.nspname || '.' || c.relname, 'select') AND has_schema_privilege(s.nspname, 'usage') ORDER BY 1, 2, 3

SELECT * FROM reporting.monthly ORDER BY month

SELECT t.month, t.goal, m.total, round(m.total / t.goal * 100, 1) AS percent FROM reporting.targets t LEFT JOIN reporting.monthly m ON m.month::date = t.month ORDER BY 1
