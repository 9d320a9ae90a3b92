-- The world of the honest statements: a shop with one of every kind of object that tools describe. Run by the superuser; the shop is app's.
-- What is masked: customers.email, customers.ssn, customers.card.
CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION postgres_fdw;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE FUNCTION note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER noted ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION note_ddl();
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'example.invalid', dbname 'x');
CREATE USER MAPPING FOR app SERVER elsewhere OPTIONS (user 'nobody');
CREATE FOREIGN TABLE public.remote_rates(currency text, rate numeric) SERVER elsewhere;
ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor;
ALTER ROLE app IN DATABASE app SET work_mem = '8MB';
ALTER SCHEMA public OWNER TO app;
ALTER FOREIGN TABLE public.remote_rates OWNER TO app;
GRANT CREATE ON DATABASE app TO app;
SET ROLE app;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE address AS (street text, city text);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
CREATE SEQUENCE ticket START 100;
CREATE COLLATION german (provider = icu, locale = 'de-DE');

CREATE TABLE customers(id serial PRIMARY KEY, name text NOT NULL, email text UNIQUE, ssn text, card bigint, tags text[], mood mood DEFAULT 'ok',
    home address, attrs hstore, joined date NOT NULL, region text NOT NULL DEFAULT 'eu');
COMMENT ON TABLE customers IS 'Who buys';
COMMENT ON COLUMN customers.region IS 'eu, us or apac';
INSERT INTO customers(name, email, ssn, card, tags, mood, home, attrs, joined, region)
    SELECT 'Customer ' || n, 'c' || n || '@example.com', lpad((n * 7919 % 900 + 100)::text, 3, '0') || '-55-' || lpad((n * 31 % 10000)::text, 4, '0'),
        4111111111110000 + n, CASE WHEN n % 3 = 0 THEN ARRAY['vip', 'early'] ELSE ARRAY['new'] END, (ARRAY['sad', 'ok', 'happy'])[n % 3 + 1]::mood,
        ROW(n || ' Main Street', CASE WHEN n % 2 = 0 THEN 'Berlin' ELSE 'Paris' END)::address, hstore('source', CASE WHEN n % 2 = 0 THEN 'web' ELSE 'shop' END),
        date '2024-01-01' + n * 3, (ARRAY['eu', 'us', 'apac'])[n % 3 + 1] FROM generate_series(1, 60) n;

CREATE TABLE products(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text NOT NULL UNIQUE, title text NOT NULL, price positive NOT NULL,
    doc jsonb NOT NULL DEFAULT '{}', gross numeric GENERATED ALWAYS AS (price * 1.19) STORED, search tsvector, CHECK (length(sku) > 2));
INSERT INTO products(sku, title, price, doc, search) SELECT 'SKU-' || n, (ARRAY['red', 'green', 'blue'])[n % 3 + 1] || ' chair number ' || n, n * 10,
    jsonb_build_object('color', (ARRAY['red', 'green', 'blue'])[n % 3 + 1], 'size', jsonb_build_array(n, n * 2), 'stock', jsonb_build_object('berlin', n, 'paris', n % 4)),
    to_tsvector('english', (ARRAY['red', 'green', 'blue'])[n % 3 + 1] || ' chair number ' || n) FROM generate_series(1, 12) n;
CREATE INDEX products_search ON products USING gin (search);
CREATE INDEX products_title ON products USING gin (title gin_trgm_ops);
CREATE INDEX products_lower ON products (lower(title)) WHERE price > 20;
CREATE STATISTICS products_both (dependencies) ON sku, title FROM products;

CREATE TABLE orders(id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers ON DELETE CASCADE, status text NOT NULL, total numeric(10,2) NOT NULL,
    created_at timestamptz NOT NULL, shipped_at timestamptz, note text);
INSERT INTO orders(customer_id, status, total, created_at, shipped_at) SELECT n % 60 + 1, (ARRAY['new', 'paid', 'shipped', 'returned'])[n % 4 + 1], n % 97 + 0.5,
    timestamptz '2024-01-05 10:00:00+00' + n * interval '11 hours', CASE WHEN n % 4 = 2 THEN timestamptz '2024-01-07 10:00:00+00' + n * interval '11 hours' END
    FROM generate_series(1, 600) n;
CREATE INDEX orders_by_customer ON orders (customer_id, created_at DESC);
CREATE TABLE items(order_id int NOT NULL REFERENCES orders, line int NOT NULL, product_id bigint NOT NULL REFERENCES products, quantity int NOT NULL DEFAULT 1,
    price numeric NOT NULL, PRIMARY KEY (order_id, line));
INSERT INTO items SELECT o.id, l, (o.id + l) % 12 + 1, l, 10 * l FROM orders o, generate_series(1, 2) l;
CREATE TABLE employees(id int PRIMARY KEY, manager_id int REFERENCES employees, name text NOT NULL, salary int);
INSERT INTO employees SELECT n, CASE WHEN n > 1 THEN n / 2 END, 'Employee ' || n, 1000 * n FROM generate_series(1, 15) n;
CREATE TABLE events(id bigserial, customer_id int NOT NULL, kind text NOT NULL, at timestamptz NOT NULL, payload jsonb, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024_01 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE events_2024_02 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events(customer_id, kind, at, payload) SELECT n % 40 + 1, (ARRAY['visit', 'visit', 'cart', 'buy'])[n % 4 + 1],
    timestamptz '2024-01-03 00:00:00+00' + n * interval '3 hours 7 minutes', jsonb_build_object('page', '/p/' || n % 9) FROM generate_series(1, 500) n;
CREATE TABLE notes(id serial PRIMARY KEY, author text NOT NULL DEFAULT current_user, body text NOT NULL);
INSERT INTO notes(author, body) VALUES ('app', 'A quick brown fox'), ('app', 'jumps over the lazy dog'), ('other', 'hidden');
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON notes FOR SELECT USING (author = current_user);
CREATE TABLE old_notes(archived date) INHERITS (notes);
CREATE UNLOGGED TABLE scratch(k text PRIMARY KEY, v text);

CREATE VIEW recent_orders AS SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.created_at > '2024-06-01';
CREATE VIEW contacts AS SELECT id, name, email AS contact FROM customers;
CREATE MATERIALIZED VIEW sales AS SELECT status, date_trunc('month', created_at) AS month, sum(total) AS total FROM orders GROUP BY 1, 2;
CREATE UNIQUE INDEX sales_key ON sales (status, month);
CREATE FUNCTION net(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT $1 / 1.19 $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'touched'; RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE PROCEDURE tidy() LANGUAGE sql AS $$ DELETE FROM scratch $$;
CREATE FUNCTION mood_rank(mood) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT array_position(enum_range(NULL::mood), $1) $$;
CREATE FUNCTION keep_larger(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT greatest($1, $2) $$;
CREATE AGGREGATE largest(numeric) (SFUNC = keep_larger, STYPE = numeric);
CREATE OPERATOR |> (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = keep_larger);
CREATE RULE keep_scratch AS ON DELETE TO scratch DO INSTEAD NOTHING;
CREATE TEXT SEARCH CONFIGURATION shop (COPY = english);
CREATE SCHEMA reporting;
CREATE TABLE reporting.targets(month date PRIMARY KEY, goal numeric NOT NULL);
INSERT INTO reporting.targets SELECT month::date, 4000 FROM generate_series('2024-01-01'::date, '2024-12-01', '1 month') month;
CREATE VIEW reporting.monthly AS SELECT date_trunc('month', created_at) AS month, sum(total) AS total, count(*) AS orders FROM public.orders GROUP BY 1;
GRANT SELECT ON reporting.targets TO PUBLIC;
RESET ROLE;
CREATE CAST (public.mood AS integer) WITH FUNCTION public.mood_rank(public.mood);
ANALYZE;
