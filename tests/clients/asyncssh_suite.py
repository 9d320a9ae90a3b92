"""Runs asyncssh's own tests, and prints `ok NAME` or `not ok NAME: why` per test.

The suite has no server outside: each class of tests starts one of its own, with handlers that answer in ways that no sshd would. So that
server is the target. It listens on the port that the gateway dials, with a host key that the gateway knows, and the tests' clients connect to
the gateway with a token. Arguments: the modules of the suite.
"""

import os
import pathlib
import shutil
import socket
import sys
import unittest

import asyncssh
from asyncssh.misc import async_context_manager

from tests import server

# Port of the suite's server; port of the gateway, or 0 for a direct run.
OWN, GATEWAY = int(os.environ["SUITE_OWN"]), int(os.environ["SUITE_SSH_PORT"])
HOST_KEY = str(pathlib.Path(os.environ["SUITE_HOST_KEY"]).resolve())
# What a test says about itself goes nowhere: the gateway's client is a token's.
OWN_LOGIN = ("username", "client_username", "client_keys", "client_host_keys", "client_host_keysign", "known_hosts", "password", "agent_path")


@classmethod
@async_context_manager
async def listen(cls, *, server_factory=(), options=None, **more):
    """As the suite's own, but the first of a class has its fixed place and one more key."""
    options = asyncssh.SSHServerConnectionOptions(
        options=options, server_factory=server_factory or server.Server, gss_host=None, server_host_keys=["skey", HOST_KEY]
    )
    port = OWN if cls._server is None else 0
    return await asyncssh.listen(port=port, family=socket.AF_INET, reuse_address=True, options=options, **more)


@async_context_manager
async def connect(self, host=(), port=(), gss_host=None, options=None, **more):
    """As the suite's own, but by the gateway."""
    if not GATEWAY or port not in ((), OWN):
        return await asyncssh.connect(host or self._server_addr, port or self._server_port, gss_host=gss_host, options=options, **more)
    for name in OWN_LOGIN:
        more.pop(name, None)
    login = {"username": "asyncssh", "password": os.environ["SUITE_SSH_TOKEN"], "preferred_auth": "password"}
    bare = {"client_keys": None, "agent_path": None, "known_hosts": None, "gss_host": None}
    return await asyncssh.connect("127.0.0.1", GATEWAY, options=options, **login, **bare, **more)


class Result(unittest.TestResult):
    """Says what came of each test as soon as it is known."""

    def addSuccess(self, test):
        print(f"ok {name(test)}", flush=True)

    def addFailure(self, test, error):
        print(f"not ok {name(test)}: {type(error[1]).__name__}: {' '.join(str(error[1]).split())[:200]}", flush=True)

    addError = addFailure


def name(test):
    """Without the package."""
    return test.id().removeprefix("tests.")


if shutil.which("ssh-agent") is None:
    sys.exit("ssh-agent is missing")
server.ServerTestCase.listen, server.ServerTestCase.connect = listen, connect
unittest.defaultTestLoader.loadTestsFromNames([f"tests.{module}" for module in sys.argv[1:]]).run(Result())
