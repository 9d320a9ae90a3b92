"""scp by both of its protocols, sftp, rsync of a tree, git: what arrives is compared byte by byte."""

import os
import pathlib
import shutil
import subprocess
import time

from common import check, expect, main, run
from ssh_common import FILES, THROUGH, content, openssh, recorded, refused, same, words

HERE = pathlib.Path.cwd()


def scp(*args, status=0):
    done = openssh("scp", "-q", *args)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{args}: {done.returncode}: {done.stderr[-300:]!r}")
    return done


def sftp(*args, **more):
    # `-b` turns every question off, the one for the password too.
    return openssh("sftp", "-oBatchMode=no", "-b", "-", *args, **more)


@check
def scp_new_protocol():
    both_ways("new")


@check
def scp_old_protocol():
    both_ways("old", "-O")


def both_ways(name, *options):
    data = content(5_000_000, name)
    (HERE / f"{name}.up").write_bytes(data)
    scp(*options, f"{name}.up", f"gw:{FILES}/{name}")
    same(FILES / name, data)
    scp(*options, f"gw:{FILES}/{name}", f"{name}.down")
    same(HERE / f"{name}.down", data)
    for at in range(20):
        path = HERE / f"{name}.tree" / f"d{at % 3}" / f"with space {at}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(at * 100, at))
    scp(*options, "-r", "-p", f"{name}.tree", f"gw:{FILES}/")
    scp(*options, "-r", f"gw:{FILES}/{name}.tree", f"{name}.back")
    run("diff", "-r", f"{name}.tree", f"{name}.back")
    run("diff", "-r", f"{name}.tree", str(FILES / f"{name}.tree"))
    recorded(f"{FILES}/{name}", f"{FILES}/{name}.tree")
    done = scp(*options, "gw:/etc/hostname", "stolen", status=None if THROUGH else 0)
    expect((done.returncode != 0, (HERE / "stolen").exists()), (THROUGH, not THROUGH))
    (HERE / "stolen").unlink(missing_ok=True)


@check
def scp_compressed():
    data = words(20_000_000, "packed")
    (HERE / "packed.up").write_bytes(data)
    scp("-C", "packed.up", f"gw:{FILES}/packed")
    same(FILES / "packed", data)
    scp("-C", f"gw:{FILES}/packed", "packed.down")
    same(HERE / "packed.down", data)
    recorded(f"put {FILES}/packed", f"get {FILES}/packed")


@check
def sftp_batch():
    data = content(4_000_000, "sftp")
    (HERE / "one").write_bytes(data)
    place = FILES / "sftp"
    batch = f"""
        mkdir {place}
        cd {place}
        put one two
        chmod 600 two
        rename two three
        symlink {place}/three link
        get link back
        ls -la
        ls -1 th*
        df -h
        -rm none
        mkdir gone
        rmdir gone
        put one four
        rm four
        pwd
    """
    # A gateway that allows what lies below a place does not say how full its disk is.
    batch = batch.replace("df -h", "-df -h")
    done = sftp("gw", stdin=batch.encode())
    expect((done.returncode, done.stderr[-300:] if done.returncode else b""), (0, b""))
    same(place / "three", data)
    same(HERE / "back", data)
    expect(sorted(os.listdir(place)), ["link", "three"])
    expect((os.readlink(place / "link"), (place / "three").stat().st_mode & 0o777), (f"{place}/three", 0o600))
    recorded(f"put {place}/two", f"get {place}/three", f"{place}/four")


@check
def sftp_reget_and_reput():
    data = content(3_000_000, "resume")
    (FILES / "whole").write_bytes(data)
    (HERE / "part").write_bytes(data[:1_234_567])
    (HERE / "all").write_bytes(data)
    (FILES / "half").write_bytes(data[:777_777])
    done = sftp("gw", stdin=f"reget {FILES}/whole part\nreput all {FILES}/half\n".encode())
    expect((done.returncode, done.stderr[-300:] if done.returncode else b""), (0, b""))
    same(HERE / "part", data)
    same(FILES / "half", data)
    recorded(f"get {FILES}/whole", f"put {FILES}/half")


@check
def sftp_outside_is_refused():
    if THROUGH:
        done = sftp("gw", stdin=b"get /etc/hostname stolen\n")
        expect((done.returncode, (HERE / "stolen").exists()), (1, False))


@check
def rsync_tree():
    count = int(os.environ["SUITE_TREE"])
    tree = HERE / "tree"
    for at in range(count):
        path = tree / f"d{at % 97}" / f"e{at % 7}" / f"f{at}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(at % 3000, at))
    times = {}
    for host in ("bare", "gw") if THROUGH else ("gw",):
        place = FILES / f"rsync-{host}"
        times[host, "up"] = timed("rsync", "-a", "tree/", f"{host}:{place}")
        times[host, "again"] = timed("rsync", "-a", "-c", "tree/", f"{host}:{place}")
        times[host, "down"] = timed("rsync", "-a", f"{host}:{place}/", f"back-{host}")
        run("diff", "-r", "tree", f"back-{host}")
        run("diff", "-r", "tree", str(place))
        shutil.rmtree(HERE / f"back-{host}")
    for what in ("up", "again", "down"):
        bare = f"direct {times['bare', what]:.2f} s, " if THROUGH else ""
        print(f"note rsync of {count} files, {what}: {bare}{'through' if THROUGH else 'direct'} {times['gw', what]:.2f} s")
    (tree / "d0" / "more").write_bytes(content(100_000))
    shutil.rmtree(tree / "d1")
    run("rsync", "-a", "--delete", "tree/", f"gw:{FILES}/rsync-gw")
    run("diff", "-r", "tree", str(FILES / "rsync-gw"))
    recorded("rsync --server")
    if THROUGH:
        expect(run("rsync", "-a", "tree/d0/", "gw:/srv/elsewhere", status=None).returncode != 0, True)
        expect(pathlib.Path("/srv/elsewhere").exists(), False)


def timed(*args):
    start = time.monotonic()
    run(*args)
    return time.monotonic() - start


def git(*args, where="."):
    names = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    return run("git", *names, "-C", where, *args)


@check
def git_clone_fetch_and_push():
    bare = FILES / "repo.git"
    git("init", "-q", "--bare", str(bare))
    url = f"gw:{bare}"
    git("clone", "-q", url, "work")
    for at in range(30):
        (HERE / "work" / f"f{at}").write_bytes(content(20_000, at))
        git("add", "-A", where="work")
        git("commit", "-q", "-m", str(at), where="work")
    git("push", "-q", "origin", "HEAD:main", where="work")
    git("clone", "-q", "-b", "main", url, "other")
    run("diff", "-r", "-x", ".git", "work", "other")
    (HERE / "work" / "late").write_text("late\n")
    git("add", "-A", where="work")
    git("commit", "-q", "-m", "late", where="work")
    git("push", "-q", "origin", "HEAD:main", "HEAD:refs/tags/t", where="work")
    git("pull", "-q", "--ff-only", where="other")
    run("diff", "-r", "-x", ".git", "work", "other")
    expect(git("fsck", "--no-progress", where=str(bare)), "")
    expect(git("ls-remote", url).count("\n"), 3)
    recorded(f"git-upload-pack '{bare}'", f"git-receive-pack '{bare}'")
    if THROUGH:
        done = subprocess.run(["git", "clone", "-q", "gw:/srv/other.git", "none"], capture_output=True, timeout=60, check=False)
        refused(done)


main()
