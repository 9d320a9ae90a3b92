"""What the Python client suites share: checks that print `ok NAME` or `not ok NAME: why`, and the way in from PG* variables."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import traceback

_checks = []
ROWS = 100_000
PERSON = "SELECT id, name, email, born, note FROM people WHERE id = "


def check(function):
    """Registers a check under its own name."""
    _checks.append(function)
    return function


def main():
    """Runs every check, in order, and exits with 1 when one failed."""
    only = os.environ.get("SUITE_ONLY", "")
    failed = 0
    for function in _checks:
        if only and only != function.__name__:
            continue
        try:
            result = function()
            if inspect.isawaitable(result):
                asyncio.run(asyncio.wait_for(result, 120))
            print(f"ok {function.__name__}", flush=True)
        except BaseException as error:  # noqa: BLE001: whatever it is, the next check still runs
            failed += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = " ".join(str(error).split())[:400] or type(error).__name__
            print(f"not ok {function.__name__}: {type(error).__name__}: {text} (line {place.lineno})", flush=True)
    sys.exit(1 if failed else 0)


def expect(got, want):
    """Fails with both values when they differ."""
    if got != want:
        raise AssertionError(f"got {got!r:.200}, want {want!r:.200}")


def expect_person(id, name, email, born, note):
    """Fails when a row of `people` is not as it should look from here: as it is, or masked."""
    env = os.environ
    expect((id, name, email, str(born or ""), note), (2, "name 2", env["SUITE_EMAIL"], env["SUITE_BORN"], env["SUITE_NOTE"]))


def run(*args, env=None, stdin=None, timeout=120, status=0):
    """Runs a program with the PG* variables and gives its standard output."""
    done = subprocess.run(
        list(args), input=stdin, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})}, check=False
    )
    if status is not None and done.returncode != status:
        raise AssertionError(f"{args[0]} ended with {done.returncode}: {done.stderr[-400:]}")
    return done.stdout if status is not None else done


def interrupted(*args, after, timeout=30):
    """Runs a program, sends SIGINT after some seconds, and gives (status, stdout, stderr)."""
    child = subprocess.Popen(list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        child.communicate(timeout=after)
        raise AssertionError(f"{args[0]} ended before it was interrupted")
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=timeout)
    return child.returncode, out, err
