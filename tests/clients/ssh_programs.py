"""OpenSSH's ssh: programs with input, statuses, signals, terminals, many channels in one connection, tunnels."""

import hashlib
import pathlib
import re
import socket
import socketserver
import subprocess
import threading
import time

from common import check, expect, main
from ssh_common import CONFIG, FILES, THROUGH, TUNNEL, content, openssh, program, recorded, refused, ssh, words


@check
def exec_with_input_and_status():
    data = content(3_000_000)
    expect(ssh("cat -", stdin=data), data)
    expect(ssh("wc -c", stdin=data).strip(), b"3000000")
    for status in (0, 1, 3, 44, 255):
        path = program(f"exit{status}", f"echo out; echo err >&2; exit {status}")
        done = openssh("ssh", "gw", str(path))
        expect((done.returncode, done.stdout, done.stderr), (status, b"out\n", b"err\n"))
    recorded("cat -", "wc -c", "bin/exit44")


@check
def compressed_streams_and_new_keys():
    for data, limit, most, least in [(words(20_000_000), "1G", 1, 0.3), (content(3_000_000), "64K", 10_000, 0.0)]:
        done = openssh("ssh", "-v", "-C", "-o", f"RekeyLimit={limit}", "gw", "cat -", stdin=data)
        said = done.stderr.decode(errors="replace")
        expect((done.returncode, hashlib.sha256(done.stdout).digest()), (0, hashlib.sha256(data).digest()))
        exchanges = said.count("SSH2_MSG_NEWKEYS received")
        expect((exchanges <= most, exchanges > 20 or most == 1), (True, True))
        # The last one may have been agreed on and not be done when the connection ends.
        expect(said.count("compression: zlib@openssh.com") in (2 * exchanges, 2 * exchanges + 2), True)
        for way in ("outgoing", "incoming"):
            line = next(line for line in said.splitlines() if f"compress {way}" in line)
            raw, packed = (int(number) for number in re.search(r"raw data (\d+), compressed (\d+)", line).groups())
            print(f"note {line.strip()} ({exchanges} exchanges)")
            # OpenSSH counts from the latest keys on.
            expect(least == 0.0 or packed < raw * least, True)
    # Nobody compresses for a client that does not ask.
    said = openssh("ssh", "-v", "gw", "echo plain").stderr.decode(errors="replace")
    expect((said.count("compression: none"), "compress outgoing" in said), (2, False))
    recorded("cat -", "echo plain")


@check
def exec_that_dies_of_a_signal():
    path = program("dies", "echo before; kill -SEGV $$")
    done = openssh("ssh", "-v", "gw", str(path))
    # OpenSSH's client gives 255 for a program that a signal ended, and says so in its log.
    expect((done.returncode, done.stdout), (255, b"before\n"))
    if b"exit-signal" not in done.stderr:
        raise AssertionError(f"no exit-signal in {done.stderr[-300:]!r}")
    recorded("bin/dies")


@check
def killed_client_ends_its_program():
    path = program("lasts", f"trap 'echo gone > {FILES}/lasts; exit' HUP TERM PIPE; echo on; while :; do sleep 0.1; echo tick; done")
    child = subprocess.Popen(["ssh", "-F", CONFIG, "gw", str(path)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    expect(child.stdout.readline(), b"on\n")
    child.kill()
    child.wait()
    child.stdout.close()
    until = time.monotonic() + 10
    while not (FILES / "lasts").exists():
        if time.monotonic() > until:
            raise AssertionError("the program still runs")
        time.sleep(0.1)
    recorded("bin/lasts")


@check
def standard_error_stays_apart():
    path = program("both", "i=0; while [ $i -lt 2000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done")
    done = openssh("ssh", "gw", str(path))
    expect(done.stdout, b"".join(b"out%d\n" % at for at in range(2000)))
    expect(done.stderr, b"".join(b"err%d\n" % at for at in range(2000)))


@check
def terminal_for_a_program():
    path = program("tty", "tty > /dev/null && echo terminal $(stty size); exit 7")
    done = openssh("ssh", "-tt", "gw", str(path))
    expect((done.returncode, done.stdout), (7, b"terminal 0 0\r\n"))
    recorded("bin/tty")


@check
def terminal_for_a_shell():
    done = openssh("ssh", "-tt", "gw", stdin=b"PS1=; stty -echo\necho mar''ker; exit 5\n")
    expect(done.returncode, 5)
    if b"marker" not in done.stdout:
        raise AssertionError(f"{done.stdout[-200:]!r}")
    recorded("interactive shell")


@check
def many_channels_in_one_connection():
    control = pathlib.Path("control").resolve()
    # What the master says goes nowhere, so that nobody waits for its end.
    openssh_quiet = ["ssh", "-F", CONFIG, "-o", f"ControlPath={control}"]
    subprocess.run(
        [*openssh_quiet, "-M", "-N", "-f", "gw"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=True
    )
    (FILES / "many").write_bytes(content(400_000))
    children = [
        subprocess.Popen([*openssh_quiet, "gw", f"cat {FILES}/many; echo {at}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) for at in range(40)
    ]
    for at, child in enumerate(children):
        out, _ = child.communicate(timeout=60)
        expect((child.returncode, len(out)), (0, 400_000 + len(str(at)) + 1))
    subprocess.run([*openssh_quiet, "-O", "exit", "gw"], capture_output=True, timeout=30, check=True)
    recorded(*(f"echo {at}" for at in range(40)), together=True)


@check
def what_no_rule_allows_is_refused():
    kept = FILES / "kept"
    kept.write_text("x")
    if THROUGH:
        for command in (f"rm {kept}", f"cat {kept} > {kept}2", f"sh -c 'rm {kept}'", f"$(echo rm) {kept}"):
            refused(openssh("ssh", "gw", command))
        expect(kept.exists() and not pathlib.Path(f"{kept}2").exists(), True)


class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.shutdown(socket.SHUT_WR)


@check
def tunnel_to_a_place_that_a_rule_names():
    with socketserver.ThreadingTCPServer(("127.0.0.1", TUNNEL), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for place, opens in ((f"127.0.0.1:{TUNNEL}", True), (f"localhost:{TUNNEL}", not THROUGH)):
            expect((place, through(place)), (place, opens))
        # The same over standard input and output.
        data = content(2_000_000, 5)
        done = openssh("ssh", "-W", f"127.0.0.1:{TUNNEL}", "gw", stdin=data)
        expect((done.returncode, done.stdout == data), (0, True))
        server.shutdown()
    recorded(f"tunnel to 127.0.0.1:{TUNNEL}")


def through(place):
    """Whether 2 MB come back from a place by `ssh -L`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    child = subprocess.Popen(
        ["ssh", "-F", CONFIG, "-N", "-L", f"{port}:{place}", "gw"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            try:
                stream = socket.create_connection(("127.0.0.1", port), timeout=10)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        data, back = content(2_000_000, 4), b""
        with stream:
            threading.Thread(target=feed, args=(stream, data), daemon=True).start()
            try:
                while part := stream.recv(65536):
                    back += part
            except ConnectionResetError:
                pass
        return back == data
    finally:
        child.terminate()
        child.wait()


def feed(stream, data):
    try:
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
    except OSError:
        pass


main()
