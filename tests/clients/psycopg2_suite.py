"""Runs psycopg2's own tests (the folder `tests` of the current directory) and prints `ok ID` or `not ok ID` per test."""

import sys
import unittest


class Lines(unittest.TextTestResult):
    """One line per test; skipped tests are left out, as they say nothing about a connection."""

    def addSuccess(self, test):
        print(f"ok {test.id()}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print(f"not ok {test.id()}", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(f"not ok {test.id()}", flush=True)


import tests  # noqa: E402

unittest.TextTestRunner(stream=sys.stderr, resultclass=Lines).run(tests.test_suite())
