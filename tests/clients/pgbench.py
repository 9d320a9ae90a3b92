"""pgbench: initialisation (COPY), its three protocols, pipelines, and a script with errors in it."""

import re
import tempfile

from common import PERSON, check, expect, main, run


def bench(*args):
    out = run("pgbench", "-n", *args)
    failed = re.search(r"number of failed transactions: (\d+)", out)
    expect(int(failed.group(1)) if failed else 0, 0)
    return int(re.search(r"number of transactions actually processed: (\d+)", out).group(1))


@check
def initialises():
    run("pgbench", "-i", "-s", "2", "-q")
    expect(run("psql", "-XAtc", "SELECT count(*) FROM pgbench_accounts").strip(), "200000")


@check
def simple_protocol():
    expect(bench("-M", "simple", "-c", "4", "-t", "200"), 800)


@check
def extended_protocol():
    expect(bench("-M", "extended", "-c", "4", "-t", "200"), 800)


@check
def prepared_protocol():
    expect(bench("-M", "prepared", "-c", "4", "-t", "200"), 800)


@check
def select_only():
    expect(bench("-S", "-M", "prepared", "-c", "8", "-j", "2", "-t", "500"), 4000)


@check
def a_connection_per_transaction():
    expect(bench("-S", "-C", "-c", "2", "-t", "30"), 60)


@check
def pipelines():
    text = "\\startpipeline\n" + "SELECT abalance FROM pgbench_accounts WHERE aid = 1;\n" * 20 + "\\endpipeline\n"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(text)
        script.flush()
        expect(bench("-M", "extended", "-f", script.name, "-c", "2", "-t", "50"), 100)
        expect(bench("-M", "prepared", "-f", script.name, "-c", "2", "-t", "50"), 100)


@check
def money_is_where_it_belongs():
    sums = run("psql", "-XAtc", "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)")
    expect(sums.strip(), "t")


@check
def masks_and_rules():
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PERSON + "2 \\gset\n\\if :id <> 2\nSELECT wrong;\n\\endif\n")
        script.flush()
        for mode in ("simple", "extended", "prepared"):
            expect(bench("-M", mode, "-f", script.name, "-c", "2", "-t", "50"), 100)
    refused = run("pgbench", "-n", "-f", "/dev/stdin", "-t", "1", stdin="SELECT * FROM payroll;\n", status=None)
    assert refused.returncode != 0 and "payroll" in refused.stderr, refused.stderr


main()
