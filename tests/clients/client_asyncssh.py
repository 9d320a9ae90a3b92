"""asyncssh through the way in: programs, streams, SFTP, tunnels, keys exchanged anew, keepalive, both ways to log in."""

import asyncio
import hashlib
import os

import asyncssh

from common import check, expect, main
from ssh_common import FILES, KEY, PORT, THROUGH, TOKEN, TUNNEL, USER, content, program, recorded, words


def connect(**more):
    login = {"password": TOKEN, "client_keys": None, "preferred_auth": "password"} if THROUGH else {"client_keys": [KEY]}
    return asyncssh.connect("127.0.0.1", PORT, username=USER, known_hosts=None, config=None, agent_path=None, **{**login, **more})


class Answers(asyncssh.SSHClient):
    """Answers keyboard-interactive's questions with the token."""

    asked = []

    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        Answers.asked.extend(prompts)
        return [TOKEN for _ in prompts]


@check
async def login_with_password():
    if THROUGH:
        async with connect() as conn:
            expect((await conn.run("echo in", check=True)).stdout, "in\n")
        try:
            await connect(password="sp_wrong")
            raise AssertionError("a wrong token logs in")
        except asyncssh.PermissionDenied:
            pass


@check
async def login_with_keyboard_interactive():
    if THROUGH:
        async with connect(password=None, preferred_auth="keyboard-interactive", client_factory=Answers) as conn:
            expect((await conn.run("echo in", check=True)).stdout, "in\n")
        expect(len(Answers.asked), 1)


@check
async def every_way_to_encrypt_and_exchange():
    ciphers = ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com"]
    methods = ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"]
    data = content(300_000)
    (FILES / "some").write_bytes(data)
    for cipher, method in [(cipher, methods[0]) for cipher in ciphers] + [(ciphers[0], method) for method in methods]:
        async with connect(encryption_algs=[cipher], kex_algs=[method]) as conn:
            expect((await conn.run(f"cat {FILES}/some", encoding=None)).stdout == data, True)
            expect((conn.get_extra_info("send_cipher"), conn.get_extra_info("recv_cipher")), (cipher, cipher))


@check
async def exec_with_status_and_signal():
    status = program("a3", "cat; echo err >&2; exit 3")
    dies = program("adies", "kill -TERM $$")
    async with connect() as conn:
        done = await conn.run(str(status), input="typed\n")
        expect((done.stdout, done.stderr, done.exit_status, done.exit_signal), ("typed\n", "err\n", 3, None))
        done = await conn.run(str(dies))
        expect((done.exit_status, done.exit_signal[0]), (-1, "TERM"))
    recorded("bin/a3", "bin/adies")


@check
async def signal_to_a_program():
    if os.geteuid() == 0:
        return  # sshd passes no signals on to the programs of root
    path = program("waits", "trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    async with connect() as conn:
        process = await conn.create_process(str(path))
        expect(await process.stdout.readline(), "ready\n")
        process.send_signal("TERM")
        expect((await process.stdout.read(), (await process.wait()).exit_status), ("caught\n", 9))
    recorded("bin/waits")


@check
async def streams_of_20_mb_both_ways_at_once():
    await stream(20_000_000)
    recorded("cat -")


@check
async def keys_are_exchanged_anew_while_data_flows():
    sent = await stream(20_000_000, rekey_bytes=1_000_000)
    # Both sides' data count, so there are some forty exchanges.
    print(f"note {sent} key exchanges in 20 MB each way")
    expect(sent > 10, True)


@check
async def compressed_streams_and_new_keys():
    sent = await stream(10_000_000, words, compression_algs=["zlib@openssh.com"], rekey_bytes=200_000)
    print(f"note {sent} key exchanges in 10 MB each way, compressed")
    expect(sent > 10, True)


async def stream(size, made=content, **more):
    data = made(size)
    exchanges = 0

    class Counting(asyncssh.SSHClient):
        pass

    async with connect(client_factory=Counting, **more) as conn:
        packed = "zlib@openssh.com" if "compression_algs" in more else "none"
        expect((conn.get_extra_info("send_compression"), conn.get_extra_info("recv_compression")), (packed, packed))
        ours = conn._send_kexinit

        def counted():
            nonlocal exchanges
            exchanges += 1
            ours()

        conn._send_kexinit = counted
        process = await conn.create_process("cat -", encoding=None)

        async def feed():
            for at in range(0, size, 100_000):
                process.stdin.write(data[at : at + 100_000])
                await process.stdin.drain()
            process.stdin.write_eof()

        feeding = asyncio.create_task(feed())
        digest, length = hashlib.sha256(), 0
        while part := await process.stdout.read(65536):
            digest.update(part)
            length += len(part)
        await feeding
        expect((length, digest.digest()), (size, hashlib.sha256(data).digest()))
        expect((await process.wait()).exit_status, 0)
    return exchanges


@check
async def keepalive():
    async with connect(keepalive_interval=1, keepalive_count_max=2) as conn:
        await asyncio.sleep(5)
        expect((await conn.run("echo still")).stdout, "still\n")


@check
async def sftp_operations():
    data = content(6_000_000, 3)
    place = FILES / "as"
    with open("up", "wb") as file:
        file.write(data)
    async with connect() as conn, conn.start_sftp_client() as sftp:
        await sftp.makedirs(f"{place}/deep/er")
        await sftp.put("up", f"{place}/one")
        await sftp.get(f"{place}/one", "down")
        with open("down", "rb") as file:
            expect(file.read() == data, True)
        expect((place / "one").read_bytes() == data, True)
        await sftp.rename(f"{place}/one", f"{place}/two")
        await sftp.setstat(f"{place}/two", asyncssh.SFTPAttrs(permissions=0o600))
        found = await sftp.stat(f"{place}/two")
        expect((found.size, found.permissions & 0o777), (len(data), 0o600))
        # asyncssh sends a link's two names in OpenSSH's order to a server whose greeting says OpenSSH, and in the draft's to the gateway.
        (place / "link").symlink_to(place / "two")
        expect(await sftp.readlink(f"{place}/link"), f"{place}/two")
        expect(sorted(await sftp.listdir(str(place))), [".", "..", "deep", "link", "two"])
        expect(sorted(await sftp.glob(f"{place}/t*")), [f"{place}/two"])
        expect((await sftp.exists(f"{place}/none"), await sftp.isdir(str(place)), await sftp.islink(f"{place}/link")), (False, True, True))
        async with sftp.open(f"{place}/two", "rb") as file:
            await file.seek(5_000_000)
            expect(await file.read(10), data[5_000_000:5_000_010])
        async with sftp.open(f"{place}/two", "r+b") as file:
            await file.write(b"changed", 1000)
        expect((place / "two").read_bytes()[1000:1007], b"changed")
        await sftp.posix_rename(f"{place}/two", f"{place}/three")
        await sftp.remove(f"{place}/link")
        await sftp.put("up", f"{place}/deep/er/x")
        await sftp.get(str(place), "tree", recurse=True)
        await sftp.rmtree(str(place))
        expect(place.exists(), False)
        if THROUGH:
            try:
                await sftp.get("/etc/hostname", "stolen")
                raise AssertionError("a file that no rule allows")
            except asyncssh.SFTPPermissionDenied:
                pass
    recorded(f"put {place}/one", f"get {place}/one", f"{place}/deep/er/x")


@check
async def tunnel():
    data = content(3_000_000, 4)

    async def echo(reader, writer):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", TUNNEL), connect() as conn:
        reader, writer = await conn.open_connection("127.0.0.1", TUNNEL)
        writer.write(data)
        writer.write_eof()
        expect(await reader.read() == data, True)
        listener = await conn.forward_local_port("127.0.0.1", 0, "127.0.0.1", TUNNEL)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.get_port())
        writer.write(data)
        writer.write_eof()
        expect(await reader.read() == data, True)
        writer.close()
        listener.close()
        if THROUGH:
            try:
                await conn.open_connection("127.0.0.1", 22)
                raise AssertionError("a place that no rule names")
            except asyncssh.ChannelOpenError as error:
                expect(error.code, asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED)
    recorded(f"tunnel to 127.0.0.1:{TUNNEL}")


@check
async def many_channels():
    async with connect() as conn:
        done = await asyncio.gather(*(conn.run(f"echo {at}") for at in range(60)))
        expect([int(one.stdout) for one in done], list(range(60)))
    recorded(*(f"echo {at}" for at in range(60)), together=True)


main()
