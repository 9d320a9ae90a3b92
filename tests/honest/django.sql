-- What Django sends: inspectdb, showmigrations, a few queries.

SELECT set_config('TimeZone', 'UTC', false)

SELECT oid, typarray FROM pg_type WHERE typname = 'hstore'

SELECT
                c.relname,
                CASE
                    WHEN c.relispartition THEN 'p'
                    WHEN c.relkind IN ('m', 'v') THEN 'v'
                    ELSE 't'
                END,
                obj_description(c.oid, 'pg_class')
            FROM pg_catalog.pg_class c
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
                AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
                AND pg_catalog.pg_table_is_visible(c.oid)

SELECT a1.attname, c2.relname, a2.attname
            FROM pg_constraint con
            LEFT JOIN pg_class c1 ON con.conrelid = c1.oid
            LEFT JOIN pg_class c2 ON con.confrelid = c2.oid
            LEFT JOIN
                pg_attribute a1 ON c1.oid = a1.attrelid AND a1.attnum = con.conkey[1]
            LEFT JOIN
                pg_attribute a2 ON c2.oid = a2.attrelid AND a2.attnum = con.confkey[1]
            WHERE
                c1.relname = 'contacts' AND
                con.contype = 'f' AND
                c1.relnamespace = c2.relnamespace AND
                pg_catalog.pg_table_is_visible(c1.oid)

SELECT
                c.conname,
                array(
                    SELECT attname
                    FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx)
                    JOIN pg_attribute AS ca ON cols.colid = ca.attnum
                    WHERE ca.attrelid = c.conrelid
                    ORDER BY cols.arridx
                ),
                c.contype,
                (SELECT fkc.relname || '.' || fka.attname
                FROM pg_attribute AS fka
                JOIN pg_class AS fkc ON fka.attrelid = fkc.oid
                WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]),
                cl.reloptions
            FROM pg_constraint AS c
            JOIN pg_class AS cl ON c.conrelid = cl.oid
            WHERE cl.relname = 'contacts' AND pg_catalog.pg_table_is_visible(cl.oid)

SELECT
                indexname,
                array_agg(attname ORDER BY arridx),
                indisunique,
                indisprimary,
                array_agg(ordering ORDER BY arridx),
                amname,
                exprdef,
                s2.attoptions
            FROM (
                SELECT
                    c2.relname as indexname, idx.*, attr.attname, am.amname,
                    CASE
                        WHEN idx.indexprs IS NOT NULL THEN
                            pg_get_indexdef(idx.indexrelid)
                    END AS exprdef,
                    CASE am.amname
                        WHEN 'btree' THEN
                            CASE (option & 1)
                                WHEN 1 THEN 'DESC' ELSE 'ASC'
                            END
                    END as ordering,
                    c2.reloptions as attoptions
                FROM (
                    SELECT *
                    FROM
                        pg_index i,
                        unnest(i.indkey, i.indoption)
                            WITH ORDINALITY koi(key, option, arridx)
                ) idx
                LEFT JOIN pg_class c ON idx.indrelid = c.oid
                LEFT JOIN pg_class c2 ON idx.indexrelid = c2.oid
                LEFT JOIN pg_am am ON c2.relam = am.oid
                LEFT JOIN
                    pg_attribute attr ON attr.attrelid = c.oid AND attr.attnum = idx.key
                WHERE c.relname = 'contacts' AND pg_catalog.pg_table_is_visible(c.oid)
            ) s2
            GROUP BY indexname, indisunique, indisprimary, amname, exprdef, attoptions;

SELECT
                a.attname AS column_name,
                NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable,
                pg_get_expr(ad.adbin, ad.adrelid) AS column_default,
                CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation,
                a.attidentity != '' AS is_autofield,
                col_description(a.attrelid, a.attnum) AS column_comment
            FROM pg_attribute a
            LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
            LEFT JOIN pg_collation co ON a.attcollation = co.oid
            JOIN pg_type t ON a.atttypid = t.oid
            JOIN pg_class c ON a.attrelid = c.oid
            JOIN pg_namespace n ON c.relnamespace = n.oid
            WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v')
                AND c.relname = 'contacts'
                AND n.nspname NOT IN ('pg_catalog', 'pg_toast')
                AND pg_catalog.pg_table_is_visible(c.oid)

-- !masked contact
SELECT * FROM "contacts" LIMIT 1

-- !masked email, ssn, card
SELECT * FROM "customers" LIMIT 1

SELECT * FROM "employees" LIMIT 1

SELECT * FROM "events" LIMIT 1

SELECT * FROM "events_2024_01" LIMIT 1

SELECT * FROM "events_2024_02" LIMIT 1

SELECT * FROM "events_rest" LIMIT 1

SELECT * FROM "items" LIMIT 1

SELECT * FROM "notes" LIMIT 1

SELECT * FROM "old_notes" LIMIT 1

SELECT * FROM "orders" LIMIT 1

SELECT * FROM "products" LIMIT 1

SELECT * FROM "recent_orders" LIMIT 1

SELECT * FROM "sales" LIMIT 1

SELECT * FROM "scratch" LIMIT 1

SELECT
                s.relname AS sequence_name,
                a.attname AS colname
            FROM
                pg_class s
                JOIN pg_depend d ON d.objid = s.oid
                    AND d.classid = 'pg_class'::regclass
                    AND d.refclassid = 'pg_class'::regclass
                JOIN pg_attribute a ON d.refobjid = a.attrelid
                    AND d.refobjsubid = a.attnum
                JOIN pg_class tbl ON tbl.oid = d.refobjid
                    AND tbl.relname = 'customers'
                    AND pg_catalog.pg_table_is_visible(tbl.oid)
            WHERE
                s.relkind = 'S';

SELECT "customers"."id", "customers"."name", "customers"."region" FROM "customers" ORDER BY "customers"."id" ASC LIMIT 10

SELECT COUNT(*) AS "__count" FROM "customers"

SELECT 1 AS "a" FROM "customers" WHERE "customers"."region" = 'eu' LIMIT 1

SELECT "orders"."id", "orders"."customer_id", "orders"."status", "orders"."total", "orders"."created_at", "customers"."id", "customers"."name", "customers"."region", "customers"."joined" FROM "orders" INNER JOIN "customers" ON ("orders"."customer_id" = "customers"."id") ORDER BY "orders"."created_at" DESC, "orders"."id" ASC LIMIT 5

SELECT "customers"."id", "customers"."name" FROM "customers" WHERE "customers"."id" < 4 ORDER BY "customers"."id" ASC

SELECT "orders"."id", "orders"."customer_id", "orders"."status", "orders"."total", "orders"."created_at" FROM "orders" WHERE "orders"."customer_id" IN (1, 2, 3)

SELECT DATE_TRUNC('month', "orders"."created_at" AT TIME ZONE 'America/Chicago') AS "m", SUM("orders"."total") AS "s", COUNT("orders"."id") AS "n" FROM "orders" GROUP BY 1 ORDER BY 1 ASC

SELECT "orders"."id" AS "id", RANK() OVER (PARTITION BY "orders"."status" ORDER BY "orders"."total" DESC) AS "r" FROM "orders" ORDER BY 1 ASC LIMIT 20

SELECT "customers"."id" AS "id", COUNT("orders"."id") FILTER (WHERE "orders"."status" = 'paid') AS "n" FROM "customers" LEFT OUTER JOIN "orders" ON ("customers"."id" = "orders"."customer_id") GROUP BY 1, "customers"."name", "customers"."email", "customers"."region", "customers"."joined" ORDER BY 2 DESC, 1 ASC LIMIT 10

SELECT "orders"."status" AS "status", AVG("orders"."total") AS "avg", MAX("orders"."total") AS "mx", STDDEV_POP("orders"."total") AS "sd" FROM "orders" GROUP BY 1 ORDER BY 1 ASC

SELECT "customers"."id" AS "id", (SELECT U0."total" AS "total" FROM "orders" U0 WHERE U0."customer_id" = ("customers"."id") ORDER BY U0."created_at" DESC LIMIT 1) AS "last" FROM "customers" ORDER BY 1 ASC LIMIT 10

SELECT "products"."sku" AS "sku", ("products"."doc" #> '{stock,berlin}') AS "doc__stock__berlin" FROM "products" WHERE ("products"."doc" -> 'color') = '"red"'::jsonb ORDER BY "products"."id" ASC

SELECT "products"."sku" AS "sku" FROM "products" WHERE ("products"."doc" -> 'size') @> '[1]'::jsonb

SELECT "products"."sku" AS "sku" FROM "products" WHERE "products"."doc" ? 'color' ORDER BY "products"."id" ASC

SELECT "products"."sku" AS "sku", ts_rank(to_tsvector(COALESCE("products"."title", '')), plainto_tsquery('green chair')) AS "rank" FROM "products" ORDER BY 2 DESC, "products"."id" ASC LIMIT 5

SELECT "products"."sku" AS "sku", SIMILARITY("products"."title", 'blue char') AS "sim" FROM "products" ORDER BY 2 DESC, "products"."id" ASC LIMIT 5

SELECT "customers"."region" AS "region", STRING_AGG("customers"."name", 'Value('', '')' ORDER BY "customers"."id") AS "names", ARRAY_AGG("customers"."id" ORDER BY "customers"."id") AS "ids" FROM "customers" GROUP BY 1 ORDER BY 1 ASC

SELECT EXTRACT(YEAR FROM "orders"."created_at" AT TIME ZONE 'America/Chicago') AS "y", EXTRACT(DOW FROM "orders"."created_at" AT TIME ZONE 'America/Chicago') + 1 AS "wd" FROM "orders" ORDER BY "orders"."id" ASC LIMIT 5

SELECT "orders"."id" AS "id" FROM "orders" WHERE ("orders"."created_at" AT TIME ZONE 'America/Chicago')::date = '2024-02-01'::date ORDER BY 1 ASC

SELECT DISTINCT DATE_TRUNC('month', "orders"."created_at" AT TIME ZONE 'America/Chicago') AS "datefield" FROM "orders" WHERE "orders"."created_at" IS NOT NULL ORDER BY 1 ASC

SELECT "orders"."id" AS "id" FROM "orders" WHERE UPPER("orders"."status"::text) LIKE UPPER('%ship%') ORDER BY 1 ASC LIMIT 5

SELECT "orders"."id" AS "id" FROM "orders" WHERE "orders"."status"::text ~* '^s' ORDER BY 1 ASC LIMIT 3

SELECT LENGTH("customers"."name") AS "l", UPPER("customers"."region") AS "u", (COALESCE("customers"."region", '') || COALESCE((COALESCE('-', '') || COALESCE("customers"."name", '')), '')) AS "c", COALESCE("customers"."region", 'x') AS "co", CASE WHEN "customers"."region" = 'eu' THEN 1 ELSE 0 END AS "x" FROM "customers" ORDER BY "customers"."id" ASC LIMIT 4

(SELECT "orders"."id" AS "id" FROM "orders" WHERE "orders"."id" < 3) UNION (SELECT "orders"."id" AS "id" FROM "orders" WHERE "orders"."id" > 598) ORDER BY 1 ASC

SELECT SUM("orders"."total") AS "total__sum", MIN("orders"."created_at") AS "created_at__min" FROM "orders" WHERE "orders"."id" < 9

EXPLAIN SELECT "orders"."id", "orders"."customer_id", "orders"."status", "orders"."total", "orders"."created_at" FROM "orders" WHERE "orders"."id" = 1

BEGIN

SELECT "customers"."id", "customers"."name" FROM "customers" WHERE "customers"."id" = 1 LIMIT 21

SAVEPOINT "s140244816109632_x1"

SELECT "orders"."total" AS "total" FROM "orders" WHERE "orders"."id" = 1 ORDER BY "orders"."id" ASC LIMIT 1

RELEASE SAVEPOINT "s140244816109632_x1"

COMMIT

DECLARE "_django_curs_140244816109632_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "orders"."id" AS "id" FROM "orders" ORDER BY 1 ASC

FETCH FORWARD 200 FROM "_django_curs_140244816109632_sync_1"

CLOSE "_django_curs_140244816109632_sync_1"
