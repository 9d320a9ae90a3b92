"""asyncpg: binary throughout, prepared statements, cursors, COPY, pools with reset, cancel by timeout, notifications."""

import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg
from common import PERSON, ROWS, check, expect, expect_person, main


@check
async def transactions():
    conn = await asyncpg.connect()
    await conn.execute("CREATE TABLE tx(n int)")
    async with conn.transaction():
        await conn.execute("INSERT INTO tx VALUES (1)")
        try:
            async with conn.transaction():
                await conn.execute("INSERT INTO tx VALUES (2)")
                raise ValueError
        except ValueError:
            pass
    expect(await conn.fetchval("SELECT array_agg(n) FROM tx"), [1])
    await conn.close()


@check
async def prepared_many_times():
    conn = await asyncpg.connect()
    statement = await conn.prepare("SELECT $1::int + 1")
    for n in range(500):
        expect(await statement.fetchval(n), n + 1)
    for n in range(150):
        expect(await conn.fetchval(f"SELECT $1::int + {n}", n), 2 * n)
    await conn.close()


@check
async def types():
    conn = await asyncpg.connect()
    values = (None, True, 2**40, 1.5, decimal.Decimal("1.25"), "tést", b"\x00\xff", datetime.date(2024, 2, 29), uuid.UUID(int=7), [1, None], '{"a": 1}')
    row = await conn.fetchrow(
        "SELECT $1::text, $2::bool, $3::int8, $4::float8, $5::numeric, $6::text, $7::bytea, $8::date, $9::uuid, $10::int[], $11::jsonb", *values
    )
    expect(tuple(row), values)
    await conn.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text)")
    expect(await conn.fetchval("SELECT 'ok'::mood"), "ok")
    expect(tuple(await conn.fetchval("SELECT ROW(1, 'x')::pair")), (1, "x"))
    await conn.close()


@check
async def errors_and_recovery():
    conn = await asyncpg.connect()
    try:
        await conn.fetch("SELECT 1 / $1::int", 0)
        raise AssertionError("no error")
    except asyncpg.DivisionByZeroError:
        pass
    expect(await conn.fetchval("SELECT 1"), 1)
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute("SELECT nothing")
    except asyncpg.UndefinedColumnError:
        pass
    try:
        await conn.execute("SELECT 1")
        raise AssertionError("no error")
    except asyncpg.InFailedSQLTransactionError:
        pass
    await transaction.rollback()
    expect(await conn.fetchval("SELECT 1"), 1)
    await conn.close()


@check
async def large_result():
    conn = await asyncpg.connect()
    rows = await conn.fetch(f"SELECT n, repeat('x', 40) FROM generate_series(1, {ROWS}) n")
    expect((len(rows), rows[-1][0]), (ROWS, ROWS))
    await conn.close()


@check
async def cursor_with_partial_fetches():
    conn = await asyncpg.connect()
    total = 0
    async with conn.transaction():
        async for row in conn.cursor("SELECT n FROM generate_series(1, 5000) n", prefetch=100):
            total += row[0]
    expect(total, 12502500)
    await conn.close()


@check
async def copy_in_and_out():
    conn = await asyncpg.connect()
    await conn.execute("CREATE TABLE c(n int, s text)")
    await conn.copy_records_to_table("c", records=[(n, None if n % 5 == 0 else str(n)) for n in range(5000)])
    out = io.BytesIO()
    await conn.copy_from_query("SELECT * FROM c ORDER BY n", output=out, format="csv")
    expect(out.getvalue().count(b"\n"), 5000)
    await conn.copy_to_table("c", source=io.BytesIO(b"-1,x\n"), format="csv")
    expect(await conn.fetchval("SELECT s FROM c WHERE n = -1"), "x")
    await conn.close()


@check
async def executemany():
    conn = await asyncpg.connect()
    await conn.execute("CREATE TABLE em(n int)")
    await conn.executemany("INSERT INTO em VALUES ($1)", [(n,) for n in range(1000)])
    expect(await conn.fetchval("SELECT sum(n) FROM em"), 499500)
    await conn.close()


@check
async def a_timeout_cancels():
    conn = await asyncpg.connect()
    try:
        await conn.execute("SELECT pg_sleep(30)", timeout=0.5)
        raise AssertionError("not cancelled")
    except asyncio.TimeoutError:
        pass
    expect(await conn.fetchval("SELECT 1"), 1)
    await conn.close()


@check
async def pool_with_reset():
    async with asyncpg.create_pool(min_size=2, max_size=4) as pool:
        async def one(n):
            async with pool.acquire() as conn:
                return await conn.fetchval("SELECT $1::int", n)

        expect(await asyncio.gather(*(one(n) for n in range(100))), list(range(100)))


@check
async def notifications():
    listener, sender = await asyncpg.connect(), await asyncpg.connect()
    got = asyncio.get_running_loop().create_future()
    await listener.add_listener("ch", lambda _c, _pid, channel, payload: got.set_result((channel, payload)))
    await sender.execute("NOTIFY ch, 'paid'")
    expect(await asyncio.wait_for(got, 10), ("ch", "paid"))
    await listener.close()
    await sender.close()


@check
async def masks_and_rules():
    conn = await asyncpg.connect()
    expect_person(*await conn.fetchrow(PERSON + "$1", 2))
    try:
        await conn.fetch("SELECT * FROM payroll WHERE id = $1", 1)
        raise AssertionError("no error")
    except asyncpg.InsufficientPrivilegeError:
        pass
    expect_person(*await conn.fetchrow(PERSON + "$1", 2))
    await conn.close()


main()
