-- What Prisma's introspection and client ask, written after its published queries.

SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = 'public'), version(), current_setting('server_version_num')::integer as numeric_version

-- !with '{public,reporting}'
SELECT namespace.nspname AS namespace_name FROM pg_namespace AS namespace WHERE namespace.nspname = ANY ($1::text[]) ORDER BY namespace_name

-- !with '{public,reporting}'
SELECT tbl.relname AS table_name, namespace.nspname AS namespace, (tbl.relhassubclass AND tbl.relkind = 'p') AS is_partition, (tbl.relhassubclass AND tbl.relkind = 'r') AS has_subclass,
  tbl.relrowsecurity AS has_row_level_security, reloptions, obj_description(tbl.oid, 'pg_class') AS description
FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace
WHERE ((tbl.relkind = 'r' AND tbl.relispartition = 'f') OR tbl.relkind = 'p') AND namespace.nspname = ANY ($1) ORDER BY namespace, table_name

-- !with '{public,reporting}'
SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) AS formatted_type, info.numeric_precision, info.numeric_scale, info.numeric_precision_radix, info.datetime_precision,
  info.data_type, info.udt_schema AS type_schema_name, info.udt_name AS full_data_type, pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default, info.is_nullable, info.is_identity, info.character_maximum_length, col_description(att.attrelid, ordinal_position) AS description
FROM information_schema.columns info
JOIN pg_attribute att ON att.attname = info.column_name
JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname AS namespace FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = ANY ($1)
      WHERE reltype > 0) AS oid ON oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema
LEFT OUTER JOIN pg_attrdef attdef ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum AND table_schema = namespace
WHERE table_schema = ANY ($1) ORDER BY namespace, table_name, ordinal_position

-- !with '{public}'
WITH rawindex AS (
  SELECT indrelid, indexrelid, indisunique, indisprimary, unnest(indkey) AS indkeyid, generate_subscripts(indkey, 1) AS indkeyidx, unnest(indclass) AS indclass, unnest(indoption) AS indoption
  FROM pg_index WHERE indpred IS NULL AND NOT indisexclusion
)
SELECT schemainfo.nspname AS namespace, indexinfo.relname AS index_name, tableinfo.relname AS table_name, columninfo.attname AS column_name, rawindex.indisunique AS is_unique, rawindex.indisprimary AS is_primary_key,
  rawindex.indkeyidx AS column_index, opclass.opcname AS opclass, opclass.opcdefault AS opcdefault, indexaccess.amname AS index_algo,
  CASE rawindex.indoption & 1 WHEN 1 THEN 'DESC' ELSE 'ASC' END AS column_order, CASE rawindex.indoption & 2 WHEN 2 THEN true ELSE false END AS nulls_first, pc.condeferrable AS condeferrable, pc.condeferred AS condeferred
FROM rawindex, pg_class AS tableinfo, pg_class AS indexinfo LEFT JOIN pg_constraint pc ON pc.conindid = indexinfo.oid, pg_namespace AS schemainfo, pg_attribute AS columninfo, pg_opclass AS opclass, pg_am AS indexaccess
WHERE indexinfo.oid = rawindex.indexrelid AND tableinfo.oid = rawindex.indrelid AND schemainfo.oid = tableinfo.relnamespace AND columninfo.attrelid = tableinfo.oid AND columninfo.attnum = rawindex.indkeyid
  AND opclass.oid = rawindex.indclass AND indexaccess.oid = indexinfo.relam AND schemainfo.nspname = ANY ($1)
ORDER BY namespace, table_name, index_name, column_index

-- !with '{public}'
SELECT con.oid AS con_id, att2.attname AS child_column, cl.relname AS parent_table, att.attname AS parent_column, con.confdeltype, con.confupdtype, rel_ns.nspname AS referenced_schema_name, conname AS constraint_name, child, parent, table_name, namespace, condeferrable, condeferred
FROM (SELECT ns.nspname AS namespace, unnest(con1.conkey) AS parent, unnest(con1.confkey) AS child, cl.relname AS table_name, ns.nspname AS schema_name, generate_subscripts(con1.conkey, 1) AS colidx, con1.oid, con1.confrelid, con1.conrelid, con1.conname, con1.confdeltype, con1.confupdtype, con1.condeferrable, con1.condeferred
      FROM pg_class cl JOIN pg_constraint con1 ON con1.conrelid = cl.oid JOIN pg_namespace ns ON cl.relnamespace = ns.oid
      WHERE ns.nspname = ANY ($1) AND con1.contype = 'f' ORDER BY colidx) con
JOIN pg_attribute att ON att.attrelid = con.confrelid AND att.attnum = con.child JOIN pg_class cl ON cl.oid = con.confrelid JOIN pg_attribute att2 ON att2.attrelid = con.conrelid AND att2.attnum = con.parent
JOIN pg_class rel_cl ON con.confrelid = rel_cl.oid JOIN pg_namespace rel_ns ON rel_cl.relnamespace = rel_ns.oid ORDER BY con_id, con.colidx

-- !with '{public}'
SELECT schemainfo.nspname AS namespace, tableinfo.relname AS table_name, constraintinfo.conname AS constraint_name, constraintinfo.contype AS constraint_type, pg_get_constraintdef(constraintinfo.oid) AS constraint_definition, constraintinfo.condeferrable AS is_deferrable
FROM pg_constraint constraintinfo JOIN pg_class tableinfo ON tableinfo.oid = constraintinfo.conrelid JOIN pg_namespace schemainfo ON schemainfo.oid = tableinfo.relnamespace
WHERE schemainfo.nspname = ANY ($1) AND contype NOT IN ('p', 'u', 'f') ORDER BY namespace, table_name, constraint_type, constraint_name

-- !with '{public}'
SELECT t.typname AS name, e.enumlabel AS value, n.nspname AS namespace, obj_description(t.oid, 'pg_type') AS description FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = ANY ($1) ORDER BY e.enumsortorder

-- !with '{public}'
SELECT sequence_name, sequence_schema AS namespace, data_type, start_value, minimum_value, maximum_value, increment, cycle_option FROM information_schema.sequences WHERE sequence_schema = ANY ($1) ORDER BY sequence_name

-- !with '{public}'
SELECT viewname AS view_name, definition AS view_sql, schemaname AS namespace FROM pg_catalog.pg_views WHERE schemaname = ANY ($1) ORDER BY 1

-- !with '{public}'
SELECT p.proname AS name, n.nspname AS namespace, CASE WHEN l.lanname = 'internal' THEN p.prosrc ELSE pg_get_functiondef(p.oid) END AS definition FROM pg_proc p LEFT JOIN pg_namespace n ON p.pronamespace = n.oid LEFT JOIN pg_language l ON p.prolang = l.oid
WHERE n.nspname = ANY ($1) AND p.prokind NOT IN ('a', 'w') AND l.lanname <> 'c' ORDER BY 1

SELECT ext.extname AS extension_name, ext.extversion AS extension_version, ext.extrelocatable AS extension_relocatable, pn.nspname AS extension_schema FROM pg_extension ext INNER JOIN pg_namespace pn ON ext.extnamespace = pn.oid ORDER BY ext.extname

SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = current_schema()

SELECT "public"."customers"."id", "public"."customers"."name", "public"."customers"."region" FROM "public"."customers" WHERE ("public"."customers"."region" = 'eu' AND "public"."customers"."id" > 3) ORDER BY "public"."customers"."id" ASC LIMIT 10 OFFSET 0

-- !with '1', '2', '3'
SELECT "public"."orders"."id", "public"."orders"."customer_id", "public"."orders"."total" FROM "public"."orders" WHERE "public"."orders"."customer_id" IN ($1, $2, $3) ORDER BY "public"."orders"."id" OFFSET 0

SELECT COUNT(*) FROM (SELECT "public"."orders"."id" FROM "public"."orders" WHERE "public"."orders"."status" = 'paid' OFFSET 0) AS "sub"

SELECT COUNT(*), SUM("public"."orders"."total"), "public"."orders"."status" FROM "public"."orders" WHERE 1=1 GROUP BY "public"."orders"."status" HAVING COUNT(*) > 10 ORDER BY "public"."orders"."status" ASC OFFSET 0

SELECT "t0"."id", "t0"."name", COALESCE("aggr_selection_0_Order"."_aggr_count_orders", 0) AS "_aggr_count_orders" FROM "public"."customers" AS "t0" LEFT JOIN (SELECT "public"."orders"."customer_id", COUNT(*) AS "_aggr_count_orders" FROM "public"."orders" WHERE 1=1 GROUP BY "public"."orders"."customer_id") AS "aggr_selection_0_Order" ON ("t0"."id" = "aggr_selection_0_Order"."customer_id") ORDER BY "t0"."id" LIMIT 5

SELECT "t1"."id", "t1"."name", "Customer_orders"."__prisma_data__" AS "orders" FROM "public"."customers" AS "t1" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t3"."__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "t2"."id", 'total', "t2"."total") AS "__prisma_data__", "t2"."id" FROM "public"."orders" AS "t2" WHERE "t1"."id" = "t2"."customer_id" ORDER BY "t2"."id") AS "t3") AS "t4") AS "Customer_orders" ON TRUE ORDER BY "t1"."id" LIMIT 4

SELECT "public"."products"."sku" FROM "public"."products" WHERE ("public"."products"."doc"#>ARRAY['stock','berlin']::text[])::jsonb = '3' OFFSET 0

SELECT "public"."products"."sku" FROM "public"."products" WHERE to_tsvector(concat_ws(' ', "public"."products"."title")) @@ to_tsquery('green & chair') ORDER BY 1

-- !masked email
SELECT "public"."customers"."id", "public"."customers"."email" FROM "public"."customers" WHERE "public"."customers"."id" = 7 LIMIT 1 OFFSET 0

BEGIN ISOLATION LEVEL SERIALIZABLE

SELECT 1

COMMIT
