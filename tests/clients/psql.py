"""psql: meta-commands, \\copy, \\watch, interrupts, transactions, errors, large results."""

import os
import tempfile

from common import PERSON, ROWS, check, expect, expect_person, interrupted, main, run

PSQL = ("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1")


def psql(sql, *more, status=0):
    return run(*PSQL, *more, "-c", sql, status=status)


@check
def describes():
    psql('CREATE TABLE t(id serial PRIMARY KEY, name text NOT NULL, tags text[], at timestamptz DEFAULT now())')
    psql("CREATE VIEW v AS SELECT id, name FROM t; CREATE INDEX ON t(name)")
    assert "Indexes:" in run("psql", "-X", "-c", r"\d t")
    assert "backend_start" in run("psql", "-X", "-c", r"\d+ pg_stat_activity")
    assert "table" in run("psql", "-X", "-c", r"\dt+")
    assert "View" in run("psql", "-X", "-c", r"\d+ v")
    for command in (r"\l", r"\du", r"\dn", r"\df", r"\di", r"\dv", r"\ds", r"\dx", r"\dT", r"\conninfo", r"\sf now", r"\dp", r"\z t", r"\encoding"):
        done = run("psql", "-X", "-c", command, status=None)
        # \sf of a C function is an error of its own on every server.
        if command != r"\sf now":
            expect((command, done.returncode), (command, 0))


@check
def transactions():
    psql("CREATE TABLE tx(n int)")
    run(*PSQL, "-1", "-c", "INSERT INTO tx VALUES (1)", "-c", "INSERT INTO tx VALUES (2)")
    script = "BEGIN; INSERT INTO tx VALUES (3); ROLLBACK; BEGIN; INSERT INTO tx VALUES (4); SAVEPOINT s; INSERT INTO tx VALUES (5); ROLLBACK TO s; COMMIT;"
    run(*PSQL, stdin=script)
    expect(psql("SELECT string_agg(n::text, ',' ORDER BY n) FROM tx").strip(), "1,2,4")


@check
def errors_in_and_out_of_a_transaction():
    script = "SELECT 1/0;\nSELECT 'after';\nBEGIN;\nSELECT 1/0;\nSELECT 'skipped';\nROLLBACK;\nSELECT 'end';\n"
    done = run("psql", "-X", "-A", "-t", stdin=script, status=None)
    expect([line for line in done.stdout.split() if line in ("after", "skipped", "end")], ["after", "end"])
    expect(done.stderr.count("division by zero"), 2)
    expect(done.stderr.count("current transaction is aborted"), 1)


@check
def several_statements_in_one_message():
    out = psql("SELECT 1; SELECT 2; SELECT 3")
    expect(out.split(), ["1", "2", "3"])
    done = psql("CREATE TABLE half(n int); SELECT 1/0", status=None)
    assert done.returncode != 0
    expect(psql("SELECT to_regclass('half') IS NULL").strip(), "t")


@check
def large_result():
    out = psql(f"SELECT n, repeat('x', 50) FROM generate_series(1, {ROWS}) n")
    expect(out.count("\n"), ROWS)


@check
def fetch_count():
    out = run(*PSQL, "-v", "FETCH_COUNT=1000", "-c", f"SELECT n FROM generate_series(1, {ROWS}) n")
    expect(out.count("\n"), ROWS)


@check
def copy_in_and_out():
    psql("CREATE TABLE c(n int, s text)")
    with tempfile.TemporaryDirectory() as folder:
        path, back = os.path.join(folder, "in"), os.path.join(folder, "out")
        with open(path, "w", encoding="utf-8") as file:
            for n in range(20_000):
                file.write(f"{n}\tline {n}\n" if n % 10 else f"{n}\t\\N\n")
        run(*PSQL, "-c", rf"\copy c FROM '{path}'")
        expect(psql("SELECT count(*), count(s) FROM c").strip(), "20000|18000")
        run(*PSQL, "-c", rf"\copy (SELECT * FROM c ORDER BY n) TO '{back}'")
        with open(path, encoding="utf-8") as a, open(back, encoding="utf-8") as b:
            assert a.read() == b.read(), "what came back differs from what went in"
    bad = run("psql", "-X", "-c", "COPY c FROM STDIN", stdin="one\ttwo\n\\.\n", status=None)
    assert "invalid input syntax" in bad.stderr, bad.stderr


@check
def nulls_arrays_and_types():
    out = psql("SELECT NULL, ARRAY[1,2,NULL], '\\x00ff'::bytea, 1.50::numeric, true, '2024-02-29'::date, '{\"a\":1}'::jsonb")
    expect(out.strip(), '|{1,2,NULL}|\\x00ff|1.50|t|2024-02-29|{"a": 1}')


@check
def prepared_by_sql():
    script = "PREPARE p(int) AS SELECT $1 * 2;\n" + "".join(f"EXECUTE p({n});\n" for n in range(200)) + "DEALLOCATE p;\n"
    out = run(*PSQL, "-q", stdin=script)
    expect([int(line) for line in out.split()], [n * 2 for n in range(200)])


@check
def cursors_by_sql():
    script = "BEGIN; DECLARE c CURSOR FOR SELECT n FROM generate_series(1,10) n; FETCH 3 FROM c; MOVE 2 IN c; FETCH 2 FROM c; CLOSE c; COMMIT;"
    out = run(*PSQL, "-q", stdin=script)
    expect(out.split(), ["1", "2", "3", "6", "7"])


@check
def gexec_and_variables():
    out = run(*PSQL, "-q", stdin="SELECT 'SELECT ' || n FROM generate_series(1,3) n \\gexec\nSELECT 5 AS five \\gset\n\\echo :five\n")
    expect(out.split(), ["1", "2", "3", "5"])


@check
def watches():
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("SELECT 'tick'\n\\watch 0.2\n")
        script.flush()
        _, out, _ = interrupted(*PSQL, "-f", script.name, after=1.5)
    assert out.count("tick") >= 2, out


@check
def interrupt_cancels_the_statement():
    status, _, err = interrupted(*PSQL, "-c", "SELECT pg_sleep(60)", after=1.0, timeout=15)
    assert "canceling statement due to user request" in err, (status, err)
    expect(psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").strip(), "0")


@check
def notices_and_notifications():
    done = run("psql", "-X", stdin="DROP TABLE IF EXISTS never_was;\nLISTEN ch;\nNOTIFY ch, 'paid';\nSELECT 1;\n", status=None)
    assert "never_was" in done.stderr and "skipping" in done.stderr, done.stderr
    assert '"ch" with payload "paid"' in done.stdout, done.stdout


@check
def masks_and_rules():
    expect_person(2, *psql(PERSON + "2").rstrip("\n").split("|")[1:])
    expect_person(2, *psql(f"COPY ({PERSON} 2) TO STDOUT (DELIMITER '|', NULL '')").rstrip("\n").split("|")[1:])
    done = psql("SELECT * FROM payroll", status=None)
    expect(done.returncode, 1)
    assert "payroll" in done.stderr or "secrets" in done.stderr, done.stderr


main()
