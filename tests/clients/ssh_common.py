"""What the SSH client suites share: the way in, files at the target, and what the recordings say."""

import hashlib
import json
import os
import pathlib
import subprocess
import time

from common import expect, run

FILES = pathlib.Path(os.environ["SUITE_FILES"])
CONFIG = os.environ["SUITE_SSH_CONFIG"]
PORT = int(os.environ["SUITE_SSH_PORT"])
USER = os.environ["SUITE_SSH_USER"]
TOKEN = os.environ["SUITE_SSH_TOKEN"]
KEY = os.environ["SUITE_SSH_KEY"]
# A port of loopback that a rule names as a place for tunnels.
TUNNEL = int(os.environ["SUITE_TUNNEL"])
# Whether there is a gateway in between.
THROUGH = "SUITE_SALLYPORT" in os.environ


def openssh(program, *args, **more):
    """Runs one of OpenSSH's programs; the result has `returncode`, `stdout` and `stderr`, as bytes."""
    stdin = more.pop("stdin", b"")
    return subprocess.run([program, "-F", CONFIG, *args], input=stdin, capture_output=True, timeout=120, check=False, **more)


def ssh(command, *options, stdin=b"", status=0):
    """Runs a command and gives its standard output; `status` is what it has to end with."""
    done = openssh("ssh", *options, "gw", command, stdin=stdin)
    if done.returncode != status:
        raise AssertionError(f"{command!r} ended with {done.returncode}, not {status}: {done.stderr[-300:]!r}")
    return done.stdout


def program(name, text):
    """Makes a program at the target; rules allow those in `bin`."""
    path = FILES / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def content(size, seed=1):
    """Bytes that no compression and no repetition makes smaller."""
    return hashlib.shake_256(str(seed).encode()).digest(size)


def words(size, seed=1):
    """A log of so many bytes, such as compression makes much smaller. It has letters for digits: of numbers, some look like a card's, and are masked."""
    lines, length = [], 0
    letters = bytes.maketrans(b"0123456789", b"abcdefghij")
    while length < size:
        number = int.from_bytes(hashlib.blake2b(f"{seed}/{len(lines)}".encode(), digest_size=6).digest(), "big")
        line = b"%02d:%02d web-%d nginx[%d]: GET /orders/%d %d bytes\n" % (
            len(lines) // 60 % 60, len(lines) % 60, number % 7, number % 9973, number, number % 60_000)
        lines.append(line.translate(letters))
        length += len(line)
    return b"".join(lines)[:size]


def sallyport(*args, status=0):
    """The gateway's own command line."""
    return run(os.environ["SUITE_SALLYPORT"], "--data-dir", os.environ["SUITE_DATA"], *args, status=status)


def sessions():
    """This client's sessions, newest first."""
    return json.loads(sallyport("sessions", "ls", "--as", os.environ["SUITE_AS"], "--json", "--limit", "30"))


def recorded(*needles, together=False):
    """Fails unless for each of these words there is a session, whose recording is whole, with an allowed command or file operation that
    holds it; `together` wants them all in one session."""
    if not THROUGH:
        return
    until = time.monotonic() + 15
    while True:
        left = set(needles)
        for session in sessions():
            name = session["id"]
            text = sallyport("sessions", "export", name, "--format", "jsonl", status=None).stdout
            events = [json.loads(line) for line in text.splitlines()]
            said = [event["text"] for event in events if event.get("event") == "command" and event.get("outcome") == "allow"]
            found = {needle for needle in left if any(needle in text for text in said)}
            if found and (not together or found == left):
                sallyport("sessions", "verify", name)
                left -= found
            if not left:
                return
        if time.monotonic() > until:
            raise AssertionError(f"no whole recording holds {sorted(left)!r}")
        time.sleep(0.3)


def refused(done):
    """Fails unless the gateway refused, in words."""
    text = done.stderr.decode(errors="replace")
    if THROUGH and not (done.returncode != 0 and "sallyport: denied" in text):
        raise AssertionError(f"status {done.returncode}, {text[-300:]!r}")


def same(path, data):
    """Fails unless the file holds exactly this."""
    expect(hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest(), hashlib.sha256(data).hexdigest())
