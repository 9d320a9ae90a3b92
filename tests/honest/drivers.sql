-- What other drivers, ORMs and migration tools ask before they work: written in their shape.

-- Rails

SET client_min_messages TO 'warning'

SET standard_conforming_strings = on

SET SESSION timezone TO 'UTC'

SET intervalstyle = iso_8601

SELECT t.oid, t.typname FROM pg_type as t WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric', 'bool', 'timestamp', 'timestamptz') ORDER BY 1

SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type as t LEFT JOIN pg_range as r ON oid = rngtypid WHERE t.typname IN ('date', 'text', 'jsonb', 'hstore', 'uuid') OR t.typtype IN ('r', 'e', 'd') OR t.typinput IN ('array_in(cstring,oid,integer)'::regprocedure, 'record_in(cstring,oid,integer)'::regprocedure) OR t.typelem != 0 ORDER BY t.oid

SHOW max_identifier_length

SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY 1

SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated as attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"customers"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT a.attname FROM (SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index WHERE indrelid = '"items"'::regclass AND indisprimary) i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.idx] ORDER BY i.idx

SELECT distinct i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), pg_catalog.obj_description(i.oid, 'pg_class') AS comment, d.indisvalid, ARRAY(SELECT pg_get_indexdef(d.indexrelid, k + 1, true) FROM generate_subscripts(d.indkey, 1) AS k ORDER BY k) AS columns FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'products' AND n.nspname = 'public' ORDER BY i.relname

SELECT t2.oid::regclass::text AS to_table, a1.attname AS column, a2.attname AS primary_key, c.conname AS name, c.confupdtype AS on_update, c.confdeltype AS on_delete, c.convalidated AS valid, c.condeferrable AS deferrable, c.conkey, c.confkey FROM pg_constraint c JOIN pg_class t1 ON c.conrelid = t1.oid JOIN pg_class t2 ON c.confrelid = t2.oid JOIN pg_attribute a1 ON a1.attnum = c.conkey[1] AND a1.attrelid = t1.oid JOIN pg_attribute a2 ON a2.attnum = c.confkey[1] AND a2.attrelid = t2.oid JOIN pg_namespace t3 ON c.connamespace = t3.oid WHERE c.contype = 'f' AND t1.relname = 'orders' AND t3.nspname = 'public' ORDER BY c.conname

SELECT "customers"."id", "customers"."name" FROM "customers" WHERE "customers"."region" = 'eu' ORDER BY "customers"."id" ASC LIMIT 1

SELECT 1 AS one FROM "orders" WHERE "orders"."status" = 'paid' LIMIT 1

SELECT DISTINCT "customers"."id", "customers"."name" AS alias_0 FROM "customers" LEFT OUTER JOIN "orders" ON "orders"."customer_id" = "customers"."id" WHERE "orders"."total" > 90 ORDER BY "customers"."name" LIMIT 5

-- Sequelize, TypeORM, Knex, Drizzle

SHOW SERVER_VERSION

SELECT typname, typtype, oid, typarray FROM pg_type WHERE (typtype = 'b' AND typname IN ('hstore', 'geometry', 'geography')) OR (typtype = 'e') ORDER BY oid

SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type LIKE '%TABLE' AND table_name != 'spatial_ref_sys' ORDER BY 1

SELECT pk.constraint_type as "Constraint", c.column_name as "Field", c.column_default as "Default", c.is_nullable as "Null", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid = e.enumtypid WHERE t.typname = c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid = st.relid) WHERE c.ordinal_position = pgd.objsubid AND c.table_name = st.relname AND st.schemaname = c.table_schema) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN information_schema.KEY_COLUMN_USAGE cu ON tc.table_schema = cu.table_schema and tc.table_name = cu.table_name and tc.constraint_name = cu.constraint_name and tc.constraint_type = 'PRIMARY KEY') pk ON pk.table_schema = c.table_schema AND pk.table_name = c.table_name AND pk.column_name = c.column_name WHERE c.table_name = 'customers' AND c.table_schema = 'public' ORDER BY c.ordinal_position

SELECT * FROM current_schema()

SELECT * FROM current_database()

SELECT "table_schema", "table_name", obj_description(('"' || "table_schema" || '"."' || "table_name" || '"')::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'customers')

SELECT columns.*, pg_catalog.col_description(('"' || table_catalog || '"."' || table_schema || '"."' || table_name || '"')::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype" AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = (SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema") WHERE ("table_schema" = 'public' AND "table_name" = 'orders') ORDER BY ordinal_position

SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND "ns"."nspname" = 'public' ORDER BY 2, 3, 6

select "id", "name", "region" from "customers" where "joined" between '2024-02-01' and '2024-03-01' order by "id" limit 10

select "customers"."id", "customers"."name", (select coalesce(json_agg(json_build_array("o"."id", "o"."total") order by "o"."id"), '[]'::json) from "orders" "o" where "o"."customer_id" = "customers"."id") as "orders" from "customers" order by "customers"."id" limit 3

-- Hibernate, Flyway, Liquibase

select current_schema()

select count(*) from information_schema.tables where table_schema = 'public' and table_name = 'flyway_schema_history'

SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'public')

SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_name = 'databasechangeloglock' AND table_schema = 'public')

select * from information_schema.sequences where sequence_schema = 'public' order by sequence_name

select c1_0.id, c1_0.name, o1_0.customer_id, o1_0.id, o1_0.total from customers c1_0 left join orders o1_0 on c1_0.id = o1_0.customer_id where c1_0.region = 'apac' order by c1_0.id, o1_0.id offset 0 rows fetch first 10 rows only

SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user

SHOW transaction_read_only

SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('in_hot_standby', true)

-- Ecto, GORM, sqlx, asyncpg, Diesel, JOOQ

SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem), coalesce(r.rngsubtype, 0), ARRAY(SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid LEFT JOIN pg_range AS r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid OR (t.typbasetype <> 0 AND r.rngtypid = t.typbasetype) WHERE (t.typrelid = 0) AND (t.typelem = 0 OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type s WHERE s.typrelid != 0 AND s.oid = t.typelem)) ORDER BY t.oid

SELECT count(*) FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'orders' AND table_type = 'BASE TABLE'

SELECT c.column_name, c.is_nullable = 'YES', c.udt_name, c.character_maximum_length, c.numeric_precision, c.numeric_precision_radix, c.numeric_scale, c.datetime_precision, 8 * typlen, c.column_default, pd.description, c.identity_increment FROM information_schema.columns AS c JOIN pg_type AS pgt ON c.udt_name = pgt.typname LEFT JOIN pg_catalog.pg_description as pd ON pd.objsubid = c.ordinal_position AND pd.objoid = (SELECT oid FROM pg_catalog.pg_class WHERE relname = c.table_name AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = c.table_schema)) where table_catalog = current_database() AND table_schema = 'public' AND table_name = 'products' ORDER BY c.ordinal_position

SELECT oid, typname, typtype, typcategory, typrelid, typelem, typbasetype FROM pg_catalog.pg_type WHERE oid = {{'mood'::regtype}}

-- !with 'mood'
SELECT $1::regtype::oid IS NOT NULL, to_regtype('positive') IS NOT NULL

SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = {{'mood'::regtype}} ORDER BY enumsortorder

WITH RECURSIVE typeinfo_tree(oid, ns, name, kind, basetype, elemtype, attrtypoids, depth) AS (SELECT ti.oid, ti.ns, ti.name, ti.kind, ti.basetype, ti.elemtype, ti.attrtypoids, 0 FROM (SELECT t.oid AS oid, ns.nspname AS ns, t.typname AS name, t.typtype AS kind, t.typbasetype AS basetype, t.typelem AS elemtype, (SELECT array_agg(ia.atttypid ORDER BY ia.attnum) FROM pg_attribute ia INNER JOIN pg_class c ON (ia.attrelid = c.oid) WHERE ia.attnum > 0 AND NOT ia.attisdropped AND c.reltype = t.oid) AS attrtypoids FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace)) AS ti WHERE ti.oid = any(ARRAY[{{'address'::regtype}}, {{'span'::regtype}}]::oid[]) UNION ALL SELECT ti.oid, ti.nspname, ti.typname, ti.typtype, ti.typbasetype, ti.typelem, NULL::oid[], tt.depth + 1 FROM (SELECT t.*, ns.nspname FROM pg_type t JOIN pg_namespace ns ON ns.oid = t.typnamespace) AS ti, typeinfo_tree tt WHERE (tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype) OR (tt.attrtypoids IS NOT NULL AND ti.oid = any(tt.attrtypoids))) SELECT DISTINCT oid, ns, name, kind, basetype, elemtype, attrtypoids, depth FROM typeinfo_tree ORDER BY depth DESC, oid

PREPARE one(int) AS SELECT id, status FROM orders WHERE id = $1

EXECUTE one(5)

DEALLOCATE one

DEALLOCATE ALL

DISCARD ALL

-- !with '7'
SELECT id, name FROM customers WHERE id = $1

-- !with 'eu', '2024-02-01'
SELECT count(*) FROM customers WHERE region = $1 AND joined >= $2

BEGIN READ ONLY

DECLARE c NO SCROLL CURSOR FOR SELECT id, total FROM orders ORDER BY id

FETCH FORWARD 100 FROM c

MOVE 10 IN c

FETCH NEXT FROM c

CLOSE c

COMMIT

BEGIN

SAVEPOINT "sp1"

SELECT id FROM customers WHERE id = 1

RELEASE SAVEPOINT "sp1"

SAVEPOINT "sp2"

ROLLBACK TO SAVEPOINT "sp2"

COMMIT

LISTEN orders_changed

UNLISTEN *

RESET ALL
