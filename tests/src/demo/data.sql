-- Customers whose card numbers pass the check digit, as real ones do, and a few orders for each.
CREATE TABLE customers (
    id int PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    ssn text NOT NULL,
    card text NOT NULL,
    created date NOT NULL
);
CREATE TABLE orders (
    id int PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers,
    item text NOT NULL,
    amount numeric(10, 2) NOT NULL,
    status text NOT NULL,
    placed timestamptz NOT NULL
);
INSERT INTO customers
SELECT id, first || ' ' || last, lower(first || '.' || last) || id || '@example.com',
    format('%s-%s-%s', 100 + id, 10 + id % 89, 1000 + id * 7 % 9000),
    body || ((10 - digits % 10) % 10), date '2024-01-01' + id % 600
FROM generate_series(1, 300) AS id,
    LATERAL (SELECT
        (ARRAY['Alice', 'Bruno', 'Chiara', 'David', 'Elif', 'Farid', 'Grace', 'Hanna', 'Ivan', 'Jonas'])[1 + id % 10] AS first,
        (ARRAY['Smith', 'Rossi', 'Keller', 'Novak', 'Silva', 'Tanaka', 'Moreau'])[1 + id % 7] AS last,
        '4' || lpad((id * 7919::bigint * 1000003 % 100000000000000)::text, 14, '0') AS body) AS made,
    LATERAL (SELECT sum(CASE WHEN n % 2 = 1 THEN digit * 2 / 10 + digit * 2 % 10 ELSE digit END) AS digits
        FROM (SELECT n, substr(reverse(body), n, 1)::int AS digit FROM generate_series(1, 15) AS n) AS each) AS checked;
INSERT INTO orders
SELECT id, 1 + id * 37 % 300, (ARRAY['keyboard', 'monitor', 'desk', 'lamp', 'chair'])[1 + id % 5],
    (9.5 + id * 13 % 480)::numeric(10, 2), (ARRAY['new', 'paid', 'shipped', 'returned'])[1 + id % 4],
    timestamptz '2025-01-01 08:00Z' + id * interval '3 hours'
FROM generate_series(1, 700) AS id;
ANALYZE;
