"""paramiko through the way in: programs, streams, SFTP, tunnels, keys exchanged anew, both ways to log in."""

import io
import socketserver
import stat
import threading
import time

import paramiko

from common import check, expect, main
from ssh_common import FILES, KEY, PORT, THROUGH, TOKEN, TUNNEL, USER, content, program, recorded, words


def connect(**more):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    login = {"password": TOKEN} if THROUGH else {"key_filename": KEY}
    client.connect("127.0.0.1", PORT, USER, allow_agent=False, look_for_keys=False, timeout=20, **login, **more)
    return client


@check
def login_with_password():
    if THROUGH:
        with connect() as client:
            expect(client.get_transport().is_authenticated(), True)
        wrong = paramiko.Transport(("127.0.0.1", PORT))
        try:
            wrong.connect(username=USER, password="sp_wrong")
            raise AssertionError("a wrong token logs in")
        except paramiko.AuthenticationException:
            pass
        finally:
            wrong.close()


@check
def login_with_keyboard_interactive():
    if THROUGH:
        asked = []

        def answer(title, instructions, prompts):
            asked.extend(prompts)
            return [TOKEN for _ in prompts]

        transport = paramiko.Transport(("127.0.0.1", PORT))
        transport.start_client(timeout=20)
        expect(transport.auth_interactive(USER, answer), [])
        expect((len(asked), asked[0][1]), (1, False))
        transport.close()


@check
def exec_with_status():
    path = program("p3", "cat; echo err >&2; exit 3")
    with connect() as client:
        stdin, stdout, stderr = client.exec_command(str(path))
        stdin.write(b"typed\n")
        stdin.channel.shutdown_write()
        expect((stdout.read(), stderr.read(), stdout.channel.recv_exit_status()), (b"typed\n", b"err\n", 3))
    recorded("bin/p3")


@check
def streams_of_20_mb_both_ways_at_once():
    data = content(20_000_000)
    with connect() as client:
        channel = client.get_transport().open_session()
        channel.exec_command("cat -")
        sender = threading.Thread(target=lambda: (channel.sendall(data), channel.shutdown_write()))
        sender.start()
        back = io.BytesIO()
        while part := channel.recv(65536):
            back.write(part)
        sender.join()
        expect((back.getvalue() == data, channel.recv_exit_status()), (True, 0))
    recorded("cat -")


@check
def keys_are_exchanged_anew_while_data_flows():
    exchanges(content(12_000_000, 2))


@check
def keys_are_exchanged_anew_while_compressed_data_flows():
    transport = exchanges(words(12_000_000, 2), compress=True)
    expect((transport.local_compression, transport.remote_compression), ("zlib@openssh.com", "zlib@openssh.com"))


def exchanges(data, **more):
    (FILES / "big").write_bytes(data)
    with connect(**more) as client:
        transport = client.get_transport()
        channel = transport.open_session()
        channel.exec_command(f"cat {FILES}/big")
        back = io.BytesIO()
        exchanged = 0
        while part := channel.recv(65536):
            back.write(part)
            if back.tell() > (exchanged + 1) * 2_500_000:
                exchanged += 1
                transport.renegotiate_keys()
        expect((back.getvalue() == data, exchanged), (True, 4))
    recorded(f"cat {FILES}/big")
    return transport


@check
def keepalive():
    with connect() as client:
        client.get_transport().set_keepalive(1)
        time.sleep(4)
        _, stdout, _ = client.exec_command("echo still")
        expect(stdout.read(), b"still\n")


@check
def terminal_and_resize():
    path = program("size", "stty size; read go; stty size")
    with connect() as client:
        channel = client.get_transport().open_session()
        channel.get_pty("xterm", 100, 40)
        channel.exec_command(str(path))
        seen = b""
        while b"40 100\r\n" not in seen:
            seen += channel.recv(1000)
        channel.resize_pty(90, 30)
        channel.sendall(b"go\n")
        while part := channel.recv(1000):
            seen += part
        expect(b"30 90" in seen, True)


@check
def sftp_operations():
    data = content(6_000_000, 3)
    place = FILES / "pm"
    with connect() as client, client.open_sftp() as sftp:
        sftp.mkdir(str(place))
        expect(sftp.putfo(io.BytesIO(data), f"{place}/one").st_size, len(data))
        back = io.BytesIO()
        sftp.getfo(f"{place}/one", back)
        expect(back.getvalue() == data, True)
        expect((place / "one").read_bytes() == data, True)
        sftp.rename(f"{place}/one", f"{place}/two")
        sftp.chmod(f"{place}/two", 0o600)
        sftp.utime(f"{place}/two", (1_000_000_000, 1_100_000_000))
        found = sftp.stat(f"{place}/two")
        expect((found.st_size, stat.S_IMODE(found.st_mode), found.st_mtime), (len(data), 0o600, 1_100_000_000))
        sftp.symlink(f"{place}/two", f"{place}/link")
        expect((sftp.readlink(f"{place}/link"), stat.S_ISLNK(sftp.lstat(f"{place}/link").st_mode)), (f"{place}/two", True))
        expect(sorted(sftp.listdir(str(place))), ["link", "two"])
        expect(sorted(entry.filename for entry in sftp.listdir_iter(str(place))), ["link", "two"])
        with sftp.open(f"{place}/two", "r+") as file:
            file.seek(1000)
            file.write(b"changed")
            file.seek(990)
            expect(file.read(20), data[990:1000] + b"changed" + data[1007:1010])
        with sftp.open(f"{place}/two") as file:
            parts = file.readv([(0, 10), (5_000_000, 100_000), (999, 10)])
            expect([len(part) for part in parts], [10, 100_000, 10])
        sftp.truncate(f"{place}/two", 5)
        expect((place / "two").read_bytes(), data[:5])
        sftp.posix_rename(f"{place}/two", f"{place}/link")
        sftp.remove(f"{place}/link")
        sftp.rmdir(str(place))
        expect(place.exists(), False)
        try:
            sftp.stat(f"{FILES}/none")
            raise AssertionError("a file that is none")
        except FileNotFoundError:
            pass
        if THROUGH:
            try:
                sftp.open("/etc/hostname").read()
                raise AssertionError("a file that no rule allows")
            except PermissionError:
                pass
    recorded(f"put {place}/one", f"get {place}/one", f"{place}/two")


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


@check
def tunnel():
    data = content(3_000_000, 4)
    with socketserver.ThreadingTCPServer(("127.0.0.1", TUNNEL), Echo) as server, connect() as client:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        channel = client.get_transport().open_channel("direct-tcpip", ("127.0.0.1", TUNNEL), ("127.0.0.1", 1))
        threading.Thread(target=channel.sendall, args=(data,)).start()
        back = io.BytesIO()
        while back.tell() < len(data):
            back.write(channel.recv(65536))
        expect(back.getvalue() == data, True)
        channel.close()
        if THROUGH:
            try:
                client.get_transport().open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1))
                raise AssertionError("a place that no rule names")
            except paramiko.ChannelException as error:
                expect(error.code, 1)
        server.shutdown()
    recorded(f"tunnel to 127.0.0.1:{TUNNEL}")


@check
def many_channels():
    with connect() as client:
        for _ in range(3):
            running = [client.exec_command(f"echo {at}")[1] for at in range(25)]
            expect([int(out.read()) for out in running], list(range(25)))
    recorded(*(f"echo {at}" for at in range(25)), together=True)


main()
