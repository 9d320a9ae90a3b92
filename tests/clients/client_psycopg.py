"""psycopg 3: both its query styles, pipelines, COPY, cursors, cancel, notifications, binary results."""

import datetime
import decimal
import threading
import time
import uuid

import psycopg
from common import PERSON, ROWS, check, expect, expect_person, main


def connect(**more):
    return psycopg.connect(autocommit=True, **more)


@check
def transactions():
    with connect() as conn:
        conn.execute("CREATE TABLE tx(n int)")
        with conn.transaction():
            conn.execute("INSERT INTO tx VALUES (1)")
            try:
                with conn.transaction():
                    conn.execute("INSERT INTO tx VALUES (2)")
                    raise psycopg.Rollback
            except psycopg.Rollback:
                pass
            with conn.transaction():
                conn.execute("INSERT INTO tx VALUES (3)")
        with conn.transaction(force_rollback=True):
            conn.execute("INSERT INTO tx VALUES (4)")
        expect(conn.execute("SELECT array_agg(n ORDER BY n) FROM tx").fetchone(), ([1, 3],))


@check
def prepared_many_times():
    with connect(prepare_threshold=1) as conn:
        for n in range(500):
            expect(conn.execute("SELECT %s::int + 1", (n,)).fetchone(), (n + 1,))
    with connect() as conn:
        for n in range(300):
            expect(conn.execute(f"SELECT %s::int + {n}", (n,), prepare=True).fetchone(), (2 * n,))


@check
def errors_and_recovery():
    with connect() as conn:
        for _ in range(3):
            try:
                conn.execute("SELECT 1 / %s", (0,))
                raise AssertionError("no error")
            except psycopg.errors.DivisionByZero:
                pass
            expect(conn.execute("SELECT 1").fetchone(), (1,))
        conn.autocommit = False
        try:
            conn.execute("SELECT nothing FROM nowhere")
        except psycopg.errors.UndefinedTable as error:
            expect(error.diag.sqlstate, "42P01")
        try:
            conn.execute("SELECT 1")
            raise AssertionError("no error")
        except psycopg.errors.InFailedSqlTransaction:
            pass
        conn.rollback()
        expect(conn.execute("SELECT 1").fetchone(), (1,))


@check
def large_result():
    with connect() as conn:
        rows = conn.execute(f"SELECT n, repeat('x', 40) FROM generate_series(1, {ROWS}) n").fetchall()
        expect((len(rows), rows[-1][0]), (ROWS, ROWS))


@check
def one_large_value():
    with connect() as conn:
        text = "x" * 8_000_000
        expect(conn.execute("SELECT %s::text", (text,)).fetchone()[0] == text, True)


@check
def server_side_cursor():
    with connect() as conn, conn.transaction(), conn.cursor(name="big") as cursor:
        cursor.itersize = 1000
        cursor.execute("SELECT n FROM generate_series(1, 20000) n")
        expect(sum(row[0] for row in cursor), 200010000)


@check
def copy_in_and_out():
    with connect() as conn:
        conn.execute("CREATE TABLE c(n int, s text)")
        with conn.cursor().copy("COPY c FROM STDIN") as copy:
            for n in range(10000):
                copy.write_row((n, None if n % 7 == 0 else f"line\t{n}\n"))
        with conn.cursor().copy("COPY (SELECT * FROM c ORDER BY n) TO STDOUT") as copy:
            rows = list(copy.rows())
        expect((len(rows), rows[0], rows[1]), (10000, ("0", None), ("1", "line\t1\n")))
        with conn.cursor().copy("COPY c TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            expect(sum(row[0] for row in copy.rows()), 49995000)
        with conn.cursor().copy("COPY c FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((-1, "binary"))
        expect(conn.execute("SELECT s FROM c WHERE n = -1").fetchone(), ("binary",))


@check
def copy_given_up():
    with connect() as conn:
        conn.execute("CREATE TABLE cf(n int)")
        try:
            with conn.cursor().copy("COPY cf FROM STDIN") as copy:
                copy.write("1\n")
                raise ValueError("stop")
        except ValueError:
            pass
        expect(conn.execute("SELECT count(*) FROM cf").fetchone(), (0,))


@check
def types_in_both_formats():
    values = (None, True, 2**40, 1.5, decimal.Decimal("12345.678"), "tést", b"\x00\xff", datetime.date(2024, 2, 29),
              uuid.UUID(int=7), [1, None, 3], [["a", "b"], ["c", None]], datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc))
    sql = "SELECT %s::text, %s::bool, %s::int8, %s::float8, %s::numeric, %s::text, %s::bytea, %s::date, %s::uuid, %s::int[], %s::text[], %s::timestamptz"
    with connect() as conn:
        for binary in (False, True):
            expect(conn.cursor(binary=binary).execute(sql, values).fetchone(), values)


@check
def pipelines():
    with connect() as conn:
        conn.execute("CREATE TABLE p(n int PRIMARY KEY)")
        with conn.pipeline():
            for n in range(200):
                conn.execute("INSERT INTO p VALUES (%s)", (n,))
        expect(conn.execute("SELECT count(*) FROM p").fetchone(), (200,))
        failing = connect()
        try:
            with failing.pipeline():
                failing.execute("INSERT INTO p VALUES (1000)")
                failing.execute("INSERT INTO p VALUES (1)")
                failing.execute("INSERT INTO p VALUES (1001)")
            raise AssertionError("no error")
        except psycopg.errors.UniqueViolation:
            pass
        finally:
            # An error in the middle of a pipeline may leave psycopg in pipeline mode, with or without a gateway.
            failing.close()
        expect(conn.execute("SELECT count(*) FROM p WHERE n >= 1000").fetchone()[0] in (0, 1), True)


@check
def executemany():
    with connect() as conn:
        conn.execute("CREATE TABLE em(n int, s text)")
        conn.cursor().executemany("INSERT INTO em VALUES (%s, %s)", [(n, str(n)) for n in range(1000)])
        expect(conn.execute("SELECT sum(n) FROM em").fetchone(), (499500,))


@check
def cancel():
    with connect() as conn:
        threading.Timer(0.5, conn.cancel).start()
        start = time.monotonic()
        try:
            conn.execute("SELECT pg_sleep(30)")
            raise AssertionError("not cancelled")
        except psycopg.errors.QueryCanceled:
            pass
        assert time.monotonic() - start < 10
        expect(conn.execute("SELECT 1").fetchone(), (1,))


@check
def notifications():
    with connect() as listener, connect() as sender:
        listener.execute("LISTEN ch")
        sender.execute("SELECT pg_notify('ch', 'paid')")
        got = next(listener.notifies(timeout=10))
        expect((got.channel, got.payload), ("ch", "paid"))


@check
def several_results_of_one_message():
    with connect() as conn:
        cursor = conn.execute("SELECT 1; SELECT 2, 3")
        expect(cursor.fetchone(), (1,))
        expect(cursor.nextset(), True)
        expect(cursor.fetchone(), (2, 3))


@check
def rows_one_by_one():
    with connect() as conn:
        expect(sum(row[0] for row in conn.cursor().stream("SELECT n FROM generate_series(1, 5000) n")), 12502500)


@check
def masks_and_rules():
    with connect() as conn:
        for binary in (False, True):
            expect_person(*conn.execute(PERSON + "%s", (2,), binary=binary).fetchone())
        try:
            conn.execute("SELECT * FROM payroll WHERE id = %s", (1,))
            raise AssertionError("no error")
        except psycopg.errors.InsufficientPrivilege:
            conn.rollback()
        expect_person(*conn.execute(PERSON + "2").fetchone())


main()
