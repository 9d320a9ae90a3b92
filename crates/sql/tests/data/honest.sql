-- Statements of honest clients: they read and change nothing. Separated by empty lines.

SELECT 1

SELECT version()

SELECT current_database(), current_user, session_user, current_schema

SHOW server_version

SHOW transaction isolation level

SHOW standard_conforming_strings

SET client_encoding TO 'UTF8'

SET DateStyle = 'ISO, MDY'

SET TIME ZONE 'UTC'

SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED

SET search_path TO public

SET statement_timeout = '30s'

SET LOCAL lock_timeout = 5000

SET extra_float_digits = 3

SET client_min_messages TO WARNING

SET bytea_output = 'hex'

SET work_mem = '64MB'

SET enable_seqscan = off

BEGIN READ ONLY

BEGIN ISOLATION LEVEL SERIALIZABLE

START TRANSACTION

COMMIT

ROLLBACK

SAVEPOINT sa_savepoint_1

RELEASE SAVEPOINT sa_savepoint_1

ROLLBACK TO SAVEPOINT sa_savepoint_1

DEALLOCATE ALL

CLOSE ALL

UNLISTEN *

DISCARD PLANS

RESET ALL

SELECT lastval() WHERE false

LISTEN orders_changed

SELECT pg_advisory_unlock_all()

SELECT set_config('TimeZone', 'Europe/Berlin', false)

SELECT pg_catalog.set_config('search_path', '', false)

SELECT set_config('search_path', 'public', true)

SELECT * FROM orders WHERE id = $1

SELECT id, total FROM orders WHERE status = ANY($1) ORDER BY created_at DESC LIMIT $2 OFFSET $3

SELECT "orders"."id", "orders"."status" FROM "orders" WHERE ("orders"."total" > 10 AND "orders"."status" LIKE 'ship%') LIMIT 21

SELECT COUNT(*) AS "__count" FROM "orders"

SELECT (1) AS "a" FROM "orders" WHERE "orders"."id" = 1 LIMIT 1

SELECT DISTINCT ON (customer_id) customer_id, id, created_at FROM orders ORDER BY customer_id, created_at DESC

SELECT o.*, c.name FROM orders o LEFT JOIN customers c ON o.customer_id = c.id WHERE c.name ILIKE '%a%'

SELECT c.name, count(o.id) AS n, coalesce(sum(o.total), 0) AS total FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.name HAVING count(o.id) >= 0 ORDER BY total DESC NULLS LAST

SELECT date_trunc('month', created_at) AS month, sum(total) FROM orders GROUP BY 1 ORDER BY 1

SELECT to_char(created_at, 'YYYY-MM') AS month, round(avg(total), 2) FROM orders GROUP BY to_char(created_at, 'YYYY-MM')

SELECT extract(epoch FROM created_at)::bigint, extract(dow FROM created_at) FROM orders

SELECT id, total, row_number() OVER (PARTITION BY customer_id ORDER BY created_at) AS rn FROM orders

SELECT id, sum(total) OVER w, lag(total, 1, 0::numeric) OVER w, first_value(total) OVER w FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY total) FROM orders

SELECT mode() WITHIN GROUP (ORDER BY status) FROM orders

SELECT status, count(*) FILTER (WHERE total > 100) AS big, avg(total) FILTER (WHERE total <= 100) FROM orders GROUP BY status

SELECT customer_id, status, sum(total), grouping(customer_id, status) FROM orders GROUP BY GROUPING SETS ((customer_id, status), (customer_id), ())

SELECT customer_id, status, sum(total) FROM orders GROUP BY ROLLUP (customer_id, status)

SELECT customer_id, status, sum(total) FROM orders GROUP BY CUBE (customer_id, status)

WITH monthly AS (SELECT date_trunc('month', created_at) AS m, sum(total) AS t FROM orders GROUP BY 1), ranked AS (SELECT m, t, rank() OVER (ORDER BY t DESC) AS r FROM monthly) SELECT m, t FROM ranked WHERE r <= 3

WITH RECURSIVE chain AS (SELECT id, manager_id, name, 1 AS depth FROM employees WHERE manager_id IS NULL UNION ALL SELECT e.id, e.manager_id, e.name, c.depth + 1 FROM employees e JOIN chain c ON c.id = e.manager_id) SELECT * FROM chain ORDER BY depth

WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 100) SELECT sum(n) FROM t

WITH RECURSIVE sub AS (SELECT * FROM employees WHERE id = 1 UNION SELECT e.* FROM employees e JOIN sub s ON e.manager_id = s.id) SELECT id, name FROM sub

WITH x AS MATERIALIZED (SELECT id FROM orders), y AS NOT MATERIALIZED (SELECT id FROM customers) SELECT * FROM x FULL JOIN y USING (id)

SELECT * FROM orders o CROSS JOIN LATERAL (SELECT count(*) AS n FROM items i WHERE i.order_id = o.id) x

SELECT o.id, x.elem, x.ord FROM orders o, unnest(ARRAY[1, 2, 3]) WITH ORDINALITY AS x(elem, ord)

SELECT * FROM generate_series('2024-01-01'::timestamptz, now(), interval '1 month') AS g(month) LEFT JOIN orders ON date_trunc('month', created_at) = g.month

SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS r(n, t)

SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM items WHERE items.order_id = orders.id AND quantity > 1)

SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM items WHERE order_id IS NOT NULL)

SELECT id FROM orders WHERE total > ALL (SELECT price FROM items)

SELECT (SELECT max(total) FROM orders), (SELECT array_agg(id ORDER BY id) FROM customers), ARRAY(SELECT id FROM orders)

SELECT id FROM orders UNION SELECT id FROM customers

SELECT id FROM orders INTERSECT SELECT id FROM customers EXCEPT SELECT 1

SELECT id FROM orders UNION ALL (SELECT id FROM customers ORDER BY id LIMIT 1) ORDER BY 1

VALUES (1, 'a'), (2, 'b')

TABLE orders

SELECT CASE WHEN total > 100 THEN 'big' WHEN total IS NULL THEN 'none' ELSE 'small' END AS size, count(*) FROM orders GROUP BY 1

SELECT CASE status WHEN 'shipped' THEN 1 ELSE 0 END, nullif(status, ''), greatest(total, 0), least(total, 100) FROM orders

SELECT doc -> 'a', doc ->> 'a', doc #>> '{a,b}', doc @> '{"a": 1}', doc ? 'a', doc ?| ARRAY['a'], jsonb_typeof(doc) FROM orders

SELECT jsonb_agg(jsonb_build_object('id', id, 'total', total)) FROM orders

SELECT json_agg(row_to_json(t)) FROM (SELECT id, status FROM orders) t

SELECT coalesce(json_agg(t), '[]'::json) FROM (SELECT id FROM orders LIMIT 10) t

SELECT e.key, e.value FROM orders, jsonb_each_text(doc) AS e

SELECT r.a, r.b FROM orders, jsonb_to_record(doc) AS r(a int, b text)

SELECT jsonb_path_query_array(doc, '$.a') FROM orders WHERE doc @? '$.a'

SELECT string_agg(DISTINCT status, ', ' ORDER BY status) FROM orders

SELECT regexp_replace(status, '[aeiou]', '', 'g'), split_part(status, '-', 1), upper(left(status, 3)), md5(status) FROM orders

SELECT status ~ '^s', status ~* 'S', status !~ 'x', status SIMILAR TO '(a|b)%', status LIKE 'a!%' ESCAPE '!' FROM orders

SELECT lpad(id::text, 8, '0'), rpad(status, 10), repeat('-', 20), format('%s: %s', id, status) FROM orders

SELECT tags[1], tags[1:2], array_length(tags, 1), 'vip' = ANY (tags), tags || ARRAY['x'], cardinality(tags) FROM customers

SELECT created_at AT TIME ZONE 'UTC', created_at + interval '1 day', age(created_at), now() - created_at, created_at::date FROM orders

SELECT (now() AT TIME ZONE 'Europe/Berlin')::date, current_date, localtimestamp, clock_timestamp()

SELECT 'happy'::mood, 5::positive, '{1,2}'::int[], '2024-01-01'::date, '[1,5)'::int4range @> 3, '10.0.0.0/8'::inet >> '10.1.1.1'

SELECT enum_range(NULL::mood)

SELECT * FROM events WHERE at >= '2024-01-01' AND at < '2024-02-01' AND payload ->> 'kind' = 'x'

SELECT width_bucket(total, 0, 1000, 10) AS bucket, count(*) FROM orders GROUP BY bucket ORDER BY bucket

SELECT corr(total, id), stddev_samp(total), variance(total), regr_slope(total, id) FROM orders

SELECT ntile(4) OVER (ORDER BY total), percent_rank() OVER (ORDER BY total), cume_dist() OVER (ORDER BY total) FROM orders

SELECT to_tsvector('english', body) @@ plainto_tsquery('english', 'hello'), ts_rank(to_tsvector(body), to_tsquery('a & b')) FROM notes

SELECT * FROM orders TABLESAMPLE SYSTEM (10) REPEATABLE (1)

SELECT contact FROM v_contacts WHERE id = 1

SELECT * FROM v_recent ORDER BY total DESC

SELECT * FROM mv_totals

SELECT last_value FROM seq

SELECT gen_random_uuid(), random(), floor(random() * 10)::int

SELECT pg_size_pretty(pg_total_relation_size('orders')), pg_database_size(current_database())

SELECT has_table_privilege('orders', 'SELECT'), has_schema_privilege(current_user, 'public', 'USAGE')

SELECT pg_is_in_recovery(), pg_backend_pid(), inet_server_port(), pg_postmaster_start_time()

SELECT currval('seq'), lastval() WHERE false

EXPLAIN SELECT * FROM orders WHERE id = 1

EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT count(*) FROM orders

EXPLAIN UPDATE orders SET total = 0 WHERE id = 1

EXPLAIN (COSTS off) DELETE FROM items WHERE quantity = 1

COPY orders TO STDOUT

COPY (SELECT id, total FROM orders WHERE total > 1) TO STDOUT WITH (FORMAT csv, HEADER)

COPY orders (id, status) TO STDOUT (FORMAT binary)

DECLARE c CURSOR WITH HOLD FOR SELECT id FROM orders

PREPARE q(int) AS SELECT * FROM orders WHERE id = $1

SELECT xmlelement(name a, xmlattributes(1 AS b), 'x'), xmlforest(1 AS c)

SELECT * FROM xmltable('/r/x' PASSING xmlparse(DOCUMENT '<r><x a="1"/></r>') COLUMNS a int PATH '@a')

SELECT GREATEST(1, 2), 1 BETWEEN 0 AND 2, (1, 2) = (1, 2), ROW(1, 'a') FROM orders WHERE false AND (now(), now()) OVERLAPS (now(), interval '1 day')

SELECT 1 AS "select", 2 AS grant, 3 AS truncate, 'DROP TABLE x; DELETE FROM y' AS msg

SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2

SELECT tc.table_name, kcu.column_name, ccu.table_name AS foreign_table FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage ccu ON ccu.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY'

SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = current_schema()

SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_name = 'schema_migrations')

SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid)

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attrelid = 'orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT i.relname, ix.indisunique, ix.indisprimary, array_agg(a.attname ORDER BY k.ord) FROM pg_index ix JOIN pg_class i ON i.oid = ix.indexrelid CROSS JOIN LATERAL unnest(ix.indkey) WITH ORDINALITY AS k(attnum, ord) JOIN pg_attribute a ON a.attrelid = ix.indrelid AND a.attnum = k.attnum WHERE ix.indrelid = to_regclass('orders') GROUP BY 1, 2, 3

SELECT conname, pg_get_constraintdef(oid, true) FROM pg_constraint WHERE conrelid = 'orders'::regclass

SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, t.typelem, coalesce(r.rngsubtype, 0), ARRAY(SELECT a.atttypid FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) FROM pg_type AS t LEFT JOIN pg_range AS r ON r.rngtypid = t.oid

SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY t.oid

SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, elemtyp.oid AS elemtypoid FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive) AS typ LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = typ.elemoid) AS t JOIN pg_namespace AS ns ON (ns.oid = t.typnamespace)

SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND i.indisprimary

SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname

SELECT pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND c.relname = 'v_contacts'

SELECT hstore.typname FROM pg_type hstore WHERE hstore.typname = 'hstore'

SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typname = 'mood' ORDER BY e.enumsortorder

SELECT name, setting FROM pg_settings WHERE name = 'max_connections'

SELECT datname FROM pg_database WHERE datistemplate = false

SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1

SELECT schemaname, relname, seq_scan, idx_scan, n_live_tup FROM pg_stat_user_tables

SELECT indexrelname, idx_scan FROM pg_stat_user_indexes WHERE idx_scan = 0

SELECT locktype, mode, granted FROM pg_locks

SELECT oid, subname, subenabled FROM pg_subscription

SELECT l.a, r.b FROM (SELECT 1 AS a) AS l JOIN (SELECT 1 AS b) AS r ON l.a = r.b

SELECT * FROM (orders o JOIN items i ON i.order_id = o.id) AS j

SELECT o.id, (o).status, (o.*)::text, to_jsonb(o) FROM orders o

SELECT sum(x) FROM (VALUES (1), (2)) AS v(x)

SELECT count(*) FROM orders WHERE status IS DISTINCT FROM 'x' AND total IS NOT NULL AND (status = 'a') IS NOT TRUE

SELECT id::text COLLATE "C" FROM orders ORDER BY status COLLATE "C" USING <

SELECT b'101' | b'010', x'1F', E'a\nb', U&'\0061', $tag$it's$tag$, N'n', 1e3, .5, 1.

LOCK TABLE orders IN ACCESS SHARE MODE

SELECT count(*), min(created_at), max(created_at) FROM orders WHERE created_at >= now() - interval '7 days'

SELECT c.name, o.total - avg(o.total) OVER (PARTITION BY c.id) AS diff FROM orders o JOIN customers c ON c.id = o.customer_id

SELECT status, total, sum(total) OVER (ORDER BY created_at RANGE BETWEEN interval '7 days' PRECEDING AND CURRENT ROW) FROM orders

SELECT a.id FROM orders a NATURAL JOIN (SELECT id FROM customers) b

SELECT max(total) AS top FROM orders GROUP BY () HAVING max(total) > 0

SELECT id FROM orders ORDER BY total FETCH FIRST 5 ROWS WITH TIES
