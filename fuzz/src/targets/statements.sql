SELECT 1
SELECT c.id, c.email AS mail, upper(c.name) FROM customers c WHERE c.id = $1 AND c.email LIKE 'a%' ORDER BY 2 LIMIT 10
SELECT * FROM customers NATURAL JOIN orders WHERE total > 10.5
SELECT o.*, c FROM orders AS o(a, b) LEFT JOIN customers c USING (id) AS u WHERE u.id IN (1, 2, 3)
SELECT (c).email, (c.*)::text, to_jsonb(c) ->> 'email', ROW(c.id, c.name) FROM customers AS c
SELECT j.x FROM (customers a CROSS JOIN orders b) AS j(x, y, z) FULL JOIN parts p ON p.at = j.x
SELECT grp, count(*) FILTER (WHERE email IS NOT NULL), string_agg(email, ',' ORDER BY id DESC) FROM customers GROUP BY GROUPING SETS ((grp), ()) HAVING max(id) > 3
SELECT DISTINCT ON (name) name, lag(email, 1) OVER w, sum(id) OVER (PARTITION BY grp ORDER BY id ROWS 2 PRECEDING) FROM customers WINDOW w AS (ORDER BY id)
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY status) FROM orders GROUP BY ROLLUP (status), CUBE (id)
SELECT email FROM customers UNION ALL SELECT status FROM orders EXCEPT (SELECT body FROM notes INTERSECT SELECT 'x')
WITH a AS MATERIALIZED (SELECT id, email FROM customers), b(x) AS (SELECT email FROM a) SELECT x FROM b, a
WITH RECURSIVE t(n, e) AS (SELECT 1, email FROM customers UNION ALL SELECT n + 1, e || 'x' FROM t WHERE n < 5) SEARCH DEPTH FIRST BY n SET o CYCLE n SET c USING p SELECT * FROM t
WITH d AS (DELETE FROM orders WHERE id = 1 RETURNING *), i AS (INSERT INTO notes(id, body) SELECT id, status FROM d RETURNING body) SELECT * FROM i
SELECT * FROM v_contacts v, LATERAL (SELECT v.contact || 'x' AS y) l, unnest(ARRAY[v.contact]) WITH ORDINALITY AS u(a, b)
SELECT * FROM ROWS FROM (unnest(ARRAY[1, 2]), generate_series(1, 3)) AS r(a, b), jsonb_each_text('{"a": 1}') AS e(k, v)
SELECT * FROM json_to_record('{"a": 1}') AS x(a int, b text), XMLTABLE('/r' PASSING '<r/>' COLUMNS a text PATH '.' DEFAULT 'x', n FOR ORDINALITY) AS t
SELECT CASE WHEN id > 3 THEN email WHEN id IS NULL THEN 'x' ELSE NULL END, CASE id WHEN 1 THEN 2 END, COALESCE(email, name), NULLIF(a, b), GREATEST(1, 2) FROM customers
SELECT (ARRAY[email, name])[1:2], tags[1], ARRAY(SELECT email FROM customers), (SELECT max(email) FROM customers), EXISTS (SELECT 1 FROM orders) FROM customers
SELECT email::int, CAST(name AS varchar(10)), 'x'::mood, interval '1 day', DATE '2001-01-01', B'101', X'1F', E'a\nb', U&'\0041', $$x$$, $t$y$t$
SELECT substring(email FROM 2 FOR 3), overlay(email PLACING 'x' FROM 1), trim(both 'x' from email), position('a' in email), extract(year FROM now()), email COLLATE "C", email AT TIME ZONE 'UTC' FROM customers
SELECT id = ANY (ARRAY[1, 2]), id <> ALL (SELECT id FROM orders), (id, email) IN (SELECT 1, 'x'), id BETWEEN SYMMETRIC 1 AND 3, email SIMILAR TO 'a', email IS DISTINCT FROM 'b', email ILIKE '%x' ESCAPE '!' FROM customers
SELECT xmlelement(name a, xmlattributes(email AS b), 'c'), xmlforest(email, name AS n), xmlserialize(content '<a/>' AS text), xmlpi(name p), '<a/>' IS DOCUMENT FROM customers
SELECT JSON_OBJECT('a': email, 'b': 1 NULL ON NULL), JSON_ARRAY(email, 1), JSON_ARRAYAGG(email), email IS JSON OBJECT, JSON_VALUE('{}', '$.a' RETURNING int DEFAULT 1 ON EMPTY), JSON_QUERY('{}', '$') FROM customers
SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a int PATH '$.a', NESTED PATH '$.b' COLUMNS (c text))) AS t
SELECT OPERATOR(pg_catalog.-) 1, 1 OPERATOR(pg_catalog.+) 2, a <-!-> b, -1, @ 5, 2 ^ 3 FROM orders
SELECT count(DISTINCT email), format('%s %10I', email, name), repeat('x', 3), lpad(email, 10), set_config('search_path', 'public', true), nextval('seq'), pg_notify('c', email), pg_read_file('x'), lo_get(5), query_to_xml('SELECT 1', true, true, '') FROM customers
SELECT f(a => 1, VARIADIC ARRAY[1]), public.get_email(1), purge_customers(), (SELECT public.upper('x')), mytype(email) FROM customers
SELECT id FROM customers FOR UPDATE OF customers NOWAIT
SELECT * FROM customers TABLESAMPLE BERNOULLI (10) REPEATABLE (3) FOR NO KEY UPDATE SKIP LOCKED
SELECT id INTO TEMP t FROM customers
VALUES (1, 'a'), (2, (SELECT email FROM customers LIMIT 1)) ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES
TABLE customers
INSERT INTO notes(id, body) VALUES (1, 'a'), (2, DEFAULT) ON CONFLICT (id) WHERE id > 3 DO UPDATE SET body = EXCLUDED.body || notes.body WHERE notes.id > 1 RETURNING *
INSERT INTO inbox SELECT id, email FROM customers RETURNING body
INSERT INTO parts OVERRIDING SYSTEM VALUE DEFAULT VALUES
UPDATE customers c SET (name, email) = (SELECT body, 'x' FROM notes), tags[1] = 'a', ssn = DEFAULT FROM orders o WHERE o.id = c.id RETURNING c.email, o
UPDATE notes SET body = (SELECT email FROM customers LIMIT 1) WHERE CURRENT OF k
UPDATE customers SET name = 'x' WHERE true OR id = 1
DELETE FROM ONLY orders USING customers c WHERE c.id = orders.id AND 1 = 1 RETURNING c.email
MERGE INTO notes n USING customers c ON n.id = c.id WHEN MATCHED AND c.id > 3 THEN UPDATE SET body = c.email WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, body) VALUES (c.id, c.name) RETURNING merge_action(), n.*
COPY customers (id, email) TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'x', FORCE_QUOTE *)
COPY (SELECT email FROM customers) TO STDOUT (FORMAT binary)
COPY notes FROM STDIN WHERE id > 3
COPY notes TO PROGRAM 'cat'
COPY notes FROM '/tmp/x' CSV
EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT email FROM customers
EXPLAIN EXECUTE p(1)
PREPARE p(text, int) AS SELECT $1, email FROM customers WHERE id = $2
EXECUTE p('a', 1)
DEALLOCATE ALL
DECLARE k SCROLL CURSOR WITH HOLD FOR SELECT email FROM customers
FETCH FORWARD 3 FROM k
MOVE ABSOLUTE -1 IN k
CLOSE k
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE
COMMIT AND CHAIN
SAVEPOINT s
ROLLBACK TO SAVEPOINT s
RELEASE s
PREPARE TRANSACTION 'x'
COMMIT PREPARED 'x'
SET LOCAL search_path TO other, public
SET statement_timeout = '5s'
SET ROLE admin_role
SET SESSION AUTHORIZATION DEFAULT
RESET ALL
SHOW search_path
DISCARD ALL
LISTEN c
NOTIFY c, 'payload'
LOCK TABLE customers IN ACCESS SHARE MODE NOWAIT
SET CONSTRAINTS ALL DEFERRED
CREATE TABLE t (id int PRIMARY KEY DEFAULT purge_customers(), e text CHECK (upper(e) = e), g int GENERATED ALWAYS AS (id * 2) STORED, s serial, FOREIGN KEY (id) REFERENCES customers(id) ON DELETE CASCADE, EXCLUDE USING gist (e WITH =)) INHERITS (parts) PARTITION BY RANGE (id) WITH (fillfactor = 70) TABLESPACE x
CREATE TEMP TABLE t ON COMMIT DROP AS SELECT email FROM customers WITH NO DATA
CREATE TABLE t PARTITION OF parts FOR VALUES FROM (1) TO (MAXVALUE)
CREATE TABLE t (LIKE customers INCLUDING ALL)
CREATE OR REPLACE RECURSIVE VIEW v(a) AS SELECT email FROM customers
CREATE MATERIALIZED VIEW m AS SELECT * FROM v_contacts
CREATE UNIQUE INDEX CONCURRENTLY i ON customers USING btree (upper(email) DESC) INCLUDE (name) WHERE id > 3
CREATE FUNCTION f(a int, OUT b text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = x AS 'SELECT email FROM customers'
CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT id FROM customers; DELETE FROM orders; END
CREATE TRIGGER t AFTER INSERT OR UPDATE OF email ON customers FOR EACH ROW WHEN (NEW.id > 3) EXECUTE FUNCTION trg_inbox('a')
CREATE RULE r AS ON INSERT TO notes WHERE id > 3 DO INSTEAD (DELETE FROM customers; NOTIFY c)
CREATE POLICY p ON customers FOR SELECT TO app USING (email = current_user) WITH CHECK (true)
CREATE TYPE mood2 AS ENUM ('a', 'b')
CREATE TYPE addr AS (street text, code int)
CREATE DOMAIN d AS text CHECK (VALUE <> '') DEFAULT f()
CREATE SEQUENCE s OWNED BY customers.id
CREATE SCHEMA x AUTHORIZATION app CREATE TABLE t (id int) CREATE VIEW v AS SELECT 1
CREATE EXTENSION dblink CASCADE
CREATE ROLE r LOGIN PASSWORD 'x' IN ROLE admin_role
CREATE CAST (text AS mood) WITH FUNCTION f(text) AS IMPLICIT
CREATE OPERATOR <#> (LEFTARG = text, RIGHTARG = text, FUNCTION = f)
CREATE AGGREGATE a(text) (SFUNC = f, STYPE = text, INITCOND = '')
CREATE STATISTICS st (dependencies) ON id, email FROM customers
CREATE FOREIGN TABLE ft (id int) SERVER s OPTIONS (table_name 'x')
CREATE PUBLICATION p FOR TABLE customers WHERE (id > 3)
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()
ALTER TABLE customers ADD COLUMN x int DEFAULT f(), ALTER email TYPE int USING email::int, DROP COLUMN name CASCADE, ADD CHECK (id > 3), ATTACH PARTITION p DEFAULT, ENABLE ROW LEVEL SECURITY, OWNER TO app, RENAME TO y
ALTER TABLE customers RENAME email TO mail
ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO public
ALTER SYSTEM SET x = 1
ALTER DATABASE app SET search_path = x
ALTER FUNCTION f(int) OWNER TO app
DROP TABLE IF EXISTS customers, orders CASCADE
DROP OWNED BY app
REASSIGN OWNED BY app TO postgres
TRUNCATE customers, orders RESTART IDENTITY CASCADE
GRANT SELECT (email), UPDATE ON customers TO PUBLIC WITH GRANT OPTION
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM app
COMMENT ON COLUMN customers.email IS 'x'
SECURITY LABEL ON TABLE customers IS 'x'
VACUUM (FULL, ANALYZE) customers (email)
ANALYZE customers
REINDEX TABLE CONCURRENTLY customers
CLUSTER customers USING i
REFRESH MATERIALIZED VIEW CONCURRENTLY m WITH DATA
CALL wipe(1, (SELECT max(id) FROM customers))
DO LANGUAGE plpgsql $$ BEGIN PERFORM 1; END $$
IMPORT FOREIGN SCHEMA s FROM SERVER x INTO public
LOAD 'x'
CHECKPOINT
