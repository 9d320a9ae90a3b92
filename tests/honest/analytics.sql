-- What analysts write.

SELECT date_trunc('month', created_at)::date AS month, count(*) AS orders, sum(total) AS revenue, round(avg(total), 2) AS average FROM orders GROUP BY 1 ORDER BY 1

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total) AS median, percentile_disc(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY total) AS deciles, mode() WITHIN GROUP (ORDER BY status) AS usual FROM orders

SELECT status, percentile_cont(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY total) AS quartiles FROM orders WHERE total > 0 GROUP BY status ORDER BY status

SELECT id, customer_id, total, sum(total) OVER (PARTITION BY customer_id ORDER BY created_at, id) AS running, lag(total) OVER w AS before, lead(total, 1, 0.0) OVER w AS after, first_value(total) OVER w, nth_value(total, 2) OVER w FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY created_at, id) ORDER BY id LIMIT 50

SELECT created_at::date AS day, sum(total) AS revenue, avg(sum(total)) OVER (ORDER BY created_at::date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS moving FROM orders GROUP BY 1 ORDER BY 1

SELECT id, total, rank() OVER (ORDER BY total DESC), dense_rank() OVER (ORDER BY total DESC), row_number() OVER (ORDER BY total DESC, id), ntile(10) OVER (ORDER BY total, id), percent_rank() OVER (ORDER BY total), cume_dist() OVER (ORDER BY total) FROM orders ORDER BY id LIMIT 40

SELECT id, total, sum(total) OVER (ORDER BY created_at RANGE BETWEEN interval '7 days' PRECEDING AND CURRENT ROW), count(*) OVER (ORDER BY total GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM orders ORDER BY id LIMIT 20

WITH monthly AS (SELECT date_trunc('month', created_at) AS month, sum(total) AS revenue FROM orders GROUP BY 1), grown AS (SELECT month, revenue, lag(revenue) OVER (ORDER BY month) AS before FROM monthly) SELECT month, revenue, round(100 * (revenue - before) / nullif(before, 0), 1) AS growth FROM grown ORDER BY month

WITH a AS (WITH b AS (WITH c AS (SELECT id, total FROM orders WHERE status = 'paid') SELECT id, total * 2 AS twice FROM c) SELECT sum(twice) AS s, count(*) AS n FROM b) SELECT s / n AS mean FROM a

WITH RECURSIVE chain AS (SELECT id, manager_id, name, 1 AS depth, ARRAY[id] AS path FROM employees WHERE manager_id IS NULL UNION ALL SELECT e.id, e.manager_id, e.name, c.depth + 1, c.path || e.id FROM employees e JOIN chain c ON c.id = e.manager_id) SELECT repeat('  ', 3) || name AS name, depth, path FROM chain ORDER BY path

WITH RECURSIVE tree AS (SELECT id, manager_id FROM employees WHERE id = 1 UNION ALL SELECT e.id, e.manager_id FROM employees e JOIN tree t ON e.manager_id = t.id) SEARCH DEPTH FIRST BY id SET ordering CYCLE id SET looped USING route SELECT id, looped FROM tree ORDER BY ordering

WITH RECURSIVE t(n, fact) AS (VALUES (1, 1::numeric) UNION ALL SELECT n + 1, fact * (n + 1) FROM t WHERE n < 20) SELECT max(fact), sum(n) FROM t

SELECT region, status, count(*), sum(total), grouping(region, status) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY GROUPING SETS ((region, status), (region), (status), ()) ORDER BY 1, 2

SELECT region, status, sum(total) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY CUBE (region, status) ORDER BY 1 NULLS LAST, 2 NULLS LAST

SELECT coalesce(region, 'all') AS region, coalesce(status, 'all') AS status, sum(total) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY ROLLUP (region, status) ORDER BY 1, 2

SELECT count(*) FILTER (WHERE status = 'paid') AS paid, count(*) FILTER (WHERE status = 'returned') AS returned, avg(total) FILTER (WHERE total > 50) AS large FROM orders

SELECT c.id, c.name, latest.id AS last_order, latest.total FROM customers c CROSS JOIN LATERAL (SELECT o.id, o.total FROM orders o WHERE o.customer_id = c.id ORDER BY o.created_at DESC LIMIT 2) latest ORDER BY c.id, latest.id LIMIT 30

SELECT c.id, x.n, x.s FROM customers c LEFT JOIN LATERAL (SELECT count(*) AS n, sum(total) AS s FROM orders WHERE customer_id = c.id AND total > 90) x ON true ORDER BY 1

SELECT DISTINCT ON (customer_id) customer_id, id, status, created_at FROM orders ORDER BY customer_id, created_at DESC

SELECT d::date AS day, count(o.id) AS orders, coalesce(sum(o.total), 0) AS revenue FROM generate_series('2024-01-01'::timestamptz, '2024-02-01', interval '1 day') AS d LEFT JOIN orders o ON date_trunc('day', o.created_at) = d GROUP BY d ORDER BY d

SELECT to_char(d, 'IYYY-IW') AS week, extract(isodow FROM d)::int AS dow, extract(quarter FROM d) AS quarter, d = date_trunc('month', d) AS first, (date_trunc('month', d) + interval '1 month - 1 day')::date AS last FROM generate_series(date '2024-01-01', date '2024-01-20', interval '1 day') d

SELECT make_date(2024, m, 1) AS month, make_interval(months => m), date_part('days', make_date(2024, m, 1) + interval '1 month' - make_date(2024, m, 1)) AS days FROM generate_series(1, 12) m

SELECT date_bin('15 minutes', created_at, timestamptz '2024-01-01') AS slot, count(*) FROM orders GROUP BY 1 ORDER BY 1 LIMIT 20

SELECT extract(dow FROM created_at) AS dow, extract(hour FROM created_at AT TIME ZONE 'Europe/Berlin') AS hour, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2

SELECT age(timestamp '2024-06-01', created_at::timestamp) AS age, justify_interval(interval '40 days 30 hours'), date_part('epoch', shipped_at - created_at) / 3600 AS hours FROM orders WHERE shipped_at IS NOT NULL ORDER BY id LIMIT 10

SELECT doc ->> 'color' AS color, doc #>> '{stock,berlin}' AS berlin, doc -> 'size' -> 0 AS size, doc @> '{"color": "red"}' AS red, doc ? 'stock', jsonb_typeof(doc -> 'size') FROM products ORDER BY id

SELECT sku, jsonb_path_query_array(doc, '$.size[*] ? (@ > 5)') AS sizes, jsonb_path_exists(doc, '$.stock.paris ? (@ > 2)'), jsonb_path_query_first(doc, '$.color') FROM products WHERE doc @? '$.stock.berlin' AND doc @@ '$.stock.berlin > 2' ORDER BY id

SELECT p.sku, s.key, s.value::int FROM products p CROSS JOIN LATERAL jsonb_each_text(p.doc -> 'stock') s ORDER BY 1, 2

SELECT p.sku, r.color, r.size FROM products p, jsonb_to_record(p.doc) AS r(color text, size int[]) ORDER BY p.id

SELECT p.sku, e.v, e.ord FROM products p, jsonb_array_elements_text(p.doc -> 'size') WITH ORDINALITY AS e(v, ord) ORDER BY 1, 3

SELECT jsonb_agg(jsonb_build_object('sku', sku, 'price', price) ORDER BY id) AS list, jsonb_object_agg(sku, doc -> 'color') AS map, jsonb_pretty(jsonb_build_array(1, 'a', null)) FROM products

SELECT doc || '{"new": true}' AS merged, doc - 'size' AS less, doc #- '{stock,paris}' AS cut, jsonb_set(doc, '{stock,oslo}', '7') AS more, jsonb_strip_nulls('{"a": null}') FROM products WHERE id = 3

SELECT json_agg(row_to_json(t)) FROM (SELECT id, status, total FROM orders ORDER BY id LIMIT 3) t

SELECT to_jsonb(o) - 'note' AS "order", json_build_object('items', (SELECT json_agg(i ORDER BY i.line) FROM items i WHERE i.order_id = o.id)) FROM orders o WHERE o.id < 4 ORDER BY o.id

SELECT array_agg(id ORDER BY id) FILTER (WHERE region = 'eu') AS ids, array_length(array_agg(DISTINCT region), 1), string_agg(DISTINCT region, '/' ORDER BY region) FROM customers

SELECT id, tags[1], tags && ARRAY['vip'] AS vip, 'new' = ANY (tags) AS fresh, array_position(tags, 'early'), cardinality(tags), array_to_string(tags || 'x'::text, '+'), array_remove(tags, 'vip'), tags @> '{vip}' FROM customers ORDER BY id LIMIT 12

SELECT tag, count(*) FROM customers, unnest(tags) AS tag GROUP BY tag ORDER BY 2 DESC, 1

SELECT a, b FROM unnest(ARRAY[1, 2, 3], ARRAY['x', 'y']) AS u(a, b) ORDER BY a

SELECT i, arr[i] FROM (SELECT ARRAY[3, 1, 2] AS arr) s, generate_subscripts(arr, 1) i ORDER BY 1

SELECT sku, ts_rank(search, q) AS rank, ts_headline('english', title, q) FROM products, to_tsquery('english', 'green | chair & !red') q WHERE search @@ q ORDER BY rank DESC, id

SELECT plainto_tsquery('english', 'the blue chairs'), phraseto_tsquery('blue chair'), websearch_to_tsquery('english', '"blue chair" -red'), to_tsvector('simple', 'A b A') || setweight(to_tsvector('english', 'cats'), 'A'), numnode('a & b'::tsquery)

SELECT title, similarity(title, 'blue chiar') AS s, title % 'blue chair number 3' AS near, word_similarity('char', title) FROM products ORDER BY s DESC, id LIMIT 5

SELECT customer_id, sum(CASE WHEN status = 'paid' THEN total ELSE 0 END) AS paid, sum(CASE WHEN status = 'shipped' THEN total ELSE 0 END) AS shipped, max(CASE WHEN status = 'returned' THEN created_at END) AS returned FROM orders GROUP BY customer_id ORDER BY customer_id LIMIT 20

WITH firsts AS (SELECT customer_id, min(date_trunc('month', created_at)) AS cohort FROM orders GROUP BY 1), activity AS (SELECT DISTINCT o.customer_id, f.cohort, date_trunc('month', o.created_at) AS month FROM orders o JOIN firsts f USING (customer_id)) SELECT cohort::date, (extract(year FROM age(month, cohort)) * 12 + extract(month FROM age(month, cohort)))::int AS offset_months, count(DISTINCT customer_id) AS customers FROM activity GROUP BY 1, 2 ORDER BY 1, 2

WITH sized AS (SELECT cohort, count(*) AS size FROM (SELECT customer_id, min(at)::date AS cohort FROM events GROUP BY 1) f GROUP BY 1), back AS (SELECT f.cohort, e.at::date - f.cohort AS day, count(DISTINCT e.customer_id) AS n FROM events e JOIN (SELECT customer_id, min(at)::date AS cohort FROM events GROUP BY 1) f ON f.customer_id = e.customer_id GROUP BY 1, 2) SELECT b.cohort, b.day, round(100.0 * b.n / s.size, 1) AS retained FROM back b JOIN sized s USING (cohort) WHERE b.day <= 14 ORDER BY 1, 2

WITH steps AS (SELECT customer_id, min(at) FILTER (WHERE kind = 'visit') AS visit, min(at) FILTER (WHERE kind = 'cart') AS cart, min(at) FILTER (WHERE kind = 'buy') AS buy FROM events GROUP BY customer_id) SELECT count(visit) AS visited, count(cart) FILTER (WHERE cart > visit) AS carted, count(buy) FILTER (WHERE buy > cart AND cart > visit) AS bought FROM steps

SELECT customer_id, min(day) AS since, max(day) AS until, count(*) AS days FROM (SELECT customer_id, day, day - (row_number() OVER (PARTITION BY customer_id ORDER BY day))::int AS island FROM (SELECT DISTINCT customer_id, at::date AS day FROM events) d) g GROUP BY customer_id, island HAVING count(*) > 1 ORDER BY 1, 2

WITH marked AS (SELECT customer_id, at, CASE WHEN at - lag(at) OVER (PARTITION BY customer_id ORDER BY at) < interval '6 days' THEN 0 ELSE 1 END AS opens FROM events), sessions AS (SELECT customer_id, at, sum(opens) OVER (PARTITION BY customer_id ORDER BY at) AS session FROM marked) SELECT customer_id, session, count(*), max(at) - min(at) AS lasted FROM sessions GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 40

SELECT missing FROM generate_series(1, 620) AS missing LEFT JOIN orders o ON o.id = missing WHERE o.id IS NULL ORDER BY 1

SELECT width_bucket(total, 0, 100, 5) AS bucket, count(*), numrange(min(total), max(total), '[]') AS span FROM orders GROUP BY bucket ORDER BY bucket

SELECT round(corr(total, id)::numeric, 6), round(regr_slope(total, id)::numeric, 6), round(stddev_samp(total), 4), round(var_pop(total), 4), round(covar_pop(total, id)::numeric, 3), regr_count(total, id) FROM orders

SELECT region, count(*) AS n, round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS share, sum(count(*)) OVER (ORDER BY count(*) DESC, region) AS pareto FROM customers GROUP BY region ORDER BY n DESC, region

SELECT p.title, sum(i.quantity * i.price) AS revenue FROM items i JOIN products p ON p.id = i.product_id JOIN orders o ON o.id = i.order_id AND o.status <> 'returned' GROUP BY p.id HAVING sum(i.quantity) > 10 ORDER BY revenue DESC, p.id LIMIT 5

SELECT a.product_id, b.product_id AS bought_with, count(*) FROM items a JOIN items b ON a.order_id = b.order_id AND a.product_id < b.product_id GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10

SELECT id FROM customers WHERE id IN (SELECT customer_id FROM orders WHERE status = 'paid') AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = customers.id AND o.status = 'returned') ORDER BY id

SELECT id FROM orders WHERE total > ALL (SELECT avg(total) FROM orders GROUP BY status) AND (customer_id, status) IN (SELECT customer_id, status FROM orders WHERE id < 300) ORDER BY id LIMIT 20

SELECT id FROM customers WHERE region = 'eu' EXCEPT SELECT customer_id FROM orders WHERE total > 95 ORDER BY 1

(SELECT 'order' AS what, count(*) FROM orders) UNION ALL (SELECT 'item', count(*) FROM items) UNION ALL (SELECT 'event', count(*) FROM events) ORDER BY 1

SELECT CASE WHEN total >= 80 THEN 'large' WHEN total >= 40 THEN 'middle' ELSE 'small' END AS size, status, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2

SELECT greatest(1, 2, 3), least('a', 'b'), nullif(1, 1), coalesce(NULL, 5), 7 / 2, 7 % 3, 2 ^ 10, |/ 16, @ -5, 7.5::int, 1e3, div(7, 2), mod(7, 3), gcd(12, 18), sign(-3), trunc(1.567, 2), ceil(1.2), ln(10)::numeric(6, 3), factorial(5), random() BETWEEN 0 AND 1

SELECT initcap('hello world'), left('abc', 2), right('abc', 2), split_part('a,b,c', ',', 2), regexp_replace('a1b22', '\d+', '#', 'g'), regexp_match('x=42', '=(\d+)'), regexp_split_to_array('a b  c', '\s+'), translate('abc', 'ab', 'xy'), overlay('abcdef' placing 'ZZ' from 2), position('c' in 'abc'), strpos('abc', 'b'), reverse('abc'), starts_with('abc', 'ab'), to_hex(255), encode('abc', 'base64'), md5('a'), length(sha256('a'))

SELECT lpad('7', 3, '0'), rpad('a', 4, '.'), repeat('ab', 3), format('%s is %L of %I', 'a', 'b', 'c d'), concat_ws('-', 1, NULL, 2), chr(65), ascii('A'), trim(both 'x' from 'xxaxx'), quote_literal('it''s'), quote_ident('a b'), string_to_array('a,b', ','), to_number('1,234.5', '9,999.9'), to_char(1234.5, 'FM9G999D00'), to_date('2024-03-01', 'YYYY-MM-DD')

SELECT regexp_matches('a1b2', '[a-z]\d', 'g'), regexp_split_to_table('1;2', ';'), string_to_table('p,q', ',')

SELECT '[2024-01-01,2024-02-01)'::daterange @> date '2024-01-15', range_merge(int4range(1, 3), int4range(7, 9)), range_agg(int4range(n, n + 1)), lower('[1,5)'::int4range), '{[1,3),[5,8)}'::int4multirange * '{[2,6)}' FROM generate_series(1, 3) n

SELECT '10.1.2.3/16'::inet, host('10.1.2.3/16'::inet), '10.0.0.0/8' >> '10.1.1.1'::inet, masklen('10.0.0.0/8'), point(1, 2) <-> point(4, 6), box '((0,0),(2,2))' @> point '(1,1)', B'101' & B'110', '\xdead'::bytea || '\xbeef', uuid_in('00000000-0000-0000-0000-000000000001') IS NOT NULL

SELECT attrs -> 'source' AS source, count(*), bool_and(exist(attrs, 'source')), hstore_to_json(min(attrs::text)::hstore) FROM customers GROUP BY 1 ORDER BY 1

SELECT (home).city AS city, count(*) AS n, min((home).street) FROM customers GROUP BY 1 ORDER BY 1

SELECT mood, count(*), enum_first(NULL::mood), enum_range('ok'::mood, NULL) FROM customers GROUP BY mood ORDER BY mood

SELECT price, gross, gross - price AS tax, max(price) OVER () FROM products ORDER BY id

SELECT tableoid::regclass AS part, count(*) FROM events GROUP BY 1 ORDER BY 1

SELECT id, author, body FROM notes ORDER BY id

SELECT * FROM recent_orders ORDER BY id LIMIT 10

SELECT s.month, s.total, t.goal, s.total >= t.goal AS met FROM (SELECT month, sum(total) AS total FROM sales GROUP BY month) s LEFT JOIN reporting.targets t ON t.month = s.month::date ORDER BY 1

SELECT count(*) > 0 AS some FROM orders TABLESAMPLE BERNOULLI (90) REPEATABLE (1)

SELECT id, total FROM orders ORDER BY total DESC, id FETCH FIRST 3 ROWS WITH TIES

SELECT id, total FROM orders ORDER BY total DESC NULLS LAST, id OFFSET 10 ROWS FETCH NEXT 5 ROWS ONLY

VALUES (1, 'one'), (2, 'two')

TABLE reporting.targets

SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) WITH ORDINALITY AS r(n, t, ord)

SELECT xmlelement(name item, xmlattributes(id AS id), status), xmlforest(total AS t) FROM orders WHERE id < 3 ORDER BY id

SELECT * FROM xmltable('/r/x' PASSING xmlparse(DOCUMENT '<r><x a="1">p</x><x a="2">q</x></r>') COLUMNS a int PATH '@a', v text PATH '.')

SELECT xpath('/a/b/text()', '<a><b>1</b><b>2</b></a>'::xml), xml_is_well_formed('<a/>')

EXPLAIN SELECT * FROM orders WHERE customer_id = 4 ORDER BY created_at DESC

EXPLAIN (COSTS OFF, VERBOSE) SELECT c.name, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.name

-- !varies
EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) SELECT region, count(*) FROM customers GROUP BY region

EXPLAIN (COSTS OFF) DELETE FROM items WHERE quantity = 1

COPY (SELECT id, status, total FROM orders WHERE id < 5 ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)

COPY employees (id, name) TO STDOUT

-- What touches masked columns, honestly

SELECT count(email), count(DISTINCT region), min(joined) FROM customers

SELECT c.id, c.name FROM customers c WHERE c.email IS NOT NULL ORDER BY c.id LIMIT 5

-- !masked email
SELECT id, name, email FROM customers ORDER BY id LIMIT 5

-- !masked contact
SELECT id, name, contact FROM contacts ORDER BY id LIMIT 5

-- !masked email, ssn, card
SELECT * FROM customers WHERE region = 'us' ORDER BY joined

-- !masked domain
SELECT split_part(email, '@', 2) AS domain, count(*) AS n FROM customers GROUP BY 1 ORDER BY 1

-- !masked mails
SELECT o.status, count(*) AS n, string_agg(DISTINCT c.email, ',') AS mails FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY 1 ORDER BY 1

-- !masked email, last4
WITH vip AS (SELECT id, name, email, right(card::text, 4) AS last4 FROM customers WHERE 'vip' = ANY (tags)), spent AS (SELECT customer_id, sum(total) AS spent FROM orders GROUP BY 1) SELECT v.id, v.name, v.email, v.last4, s.spent, rank() OVER (ORDER BY s.spent DESC) FROM vip v JOIN spent s ON s.customer_id = v.id ORDER BY v.id

-- !masked person
SELECT c.id, to_jsonb(c) AS person, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.id < 6 ORDER BY o.id

SELECT c.region, count(*) FROM customers c JOIN customers d ON d.email = c.email GROUP BY 1 ORDER BY 1

SELECT region, name, joined, row_number() OVER (PARTITION BY region ORDER BY joined) AS n FROM customers ORDER BY region, n LIMIT 10

SELECT json_build_object('id', id, 'name', name, 'region', region) FROM customers ORDER BY id LIMIT 3

-- !masked 3
COPY (SELECT id, name, ssn FROM customers ORDER BY id LIMIT 3) TO STDOUT
