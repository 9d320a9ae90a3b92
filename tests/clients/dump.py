"""pg_dump and pg_restore: what was dumped through the connection and restored elsewhere is the same."""

import os
import tempfile

from common import check, expect, expect_person, main, run

SCHEMA = """
CREATE SCHEMA shop;
CREATE TYPE shop.state AS ENUM ('new', 'paid');
CREATE TABLE shop.customer(id serial PRIMARY KEY, name text NOT NULL, tags text[], doc jsonb, raw bytea);
CREATE TABLE shop.orders(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES shop.customer ON DELETE CASCADE,
    total numeric(10,2) CHECK (total >= 0), state shop.state DEFAULT 'new', at timestamptz DEFAULT '2024-01-01');
CREATE INDEX ON shop.orders(customer);
CREATE VIEW shop.big AS SELECT * FROM shop.orders WHERE total > 50;
CREATE FUNCTION shop.double(i int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT i * 2 $$;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := trim(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.touch();
COMMENT ON TABLE shop.customer IS 'people; with a ; in it';
INSERT INTO shop.customer(name, tags, doc, raw) SELECT 'c' || n, ARRAY['a', NULL, 'q"uote'], jsonb_build_object('n', n), decode(md5(n::text), 'hex') FROM generate_series(1, 500) n;
INSERT INTO shop.orders(customer, total) SELECT 1 + n % 500, n % 100 FROM generate_series(1, 5000) n;
"""
DIGEST = "SELECT md5(string_agg(t::text, E'\\n' ORDER BY id)) FROM shop.{} t"
FRESH = {name: os.environ["RESTORE_" + name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")}
FRESH["PGSSLMODE"] = "disable"


def same(target):
    for table in ("customer", "orders"):
        here = run("psql", "-XAtc", DIGEST.format(table))
        there = run("psql", "-XAtc", DIGEST.format(table), env=target)
        expect(there, here)


def emptied():
    run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "DROP SCHEMA IF EXISTS shop CASCADE", env=FRESH)


@check
def makes_something_to_dump():
    run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", stdin=SCHEMA)


@check
def plain():
    emptied()
    text = run("pg_dump", "--schema=shop", "--no-owner")
    run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", stdin=text, env=FRESH)
    same(FRESH)


@check
def custom_format():
    emptied()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "dump")
        run("pg_dump", "--schema=shop", "--no-owner", "-Fc", "-f", file)
        run("pg_restore", "--no-owner", "--exit-on-error", "-d", FRESH["PGDATABASE"], file, env=FRESH)
    same(FRESH)


@check
def directory_in_parallel():
    emptied()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dump")
        run("pg_dump", "--schema=shop", "--no-owner", "-Fd", "-j", "3", "-f", path)
        run("pg_restore", "--no-owner", "--exit-on-error", "-j", "2", "-d", FRESH["PGDATABASE"], path, env=FRESH)
    same(FRESH)


@check
def as_inserts():
    emptied()
    text = run("pg_dump", "--schema=shop", "--no-owner", "--rows-per-insert=100")
    run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", stdin=text, env=FRESH)
    same(FRESH)


@check
def restores_through():
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "dump")
        run("pg_dump", "--schema=shop", "--no-owner", "-Fc", "-f", file, env=FRESH)
        run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "DROP SCHEMA shop CASCADE")
        run("pg_restore", "--no-owner", "--exit-on-error", "-d", os.environ["PGDATABASE"], file)
    same(FRESH)


@check
def masks():
    text = run("pg_dump", "--data-only", "--table=people")
    rows = [line.split("\t") for line in text.splitlines() if line.startswith("2\t")]
    expect_person(int(rows[0][0]), *("" if field == "\\N" else field for field in rows[0][1:]))


main()
