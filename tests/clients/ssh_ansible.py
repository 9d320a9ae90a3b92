"""Ansible: a playbook of several modules, twice, with and without pipelining, under the policy that the documentation gives."""

import json
import os
import pathlib
import re
import subprocess
import sys

from common import check, expect, main
from ssh_common import FILES, PORT, THROUGH, TOKEN, USER, KEY, recorded, refused, openssh

HERE = pathlib.Path.cwd()
ANSIBLE = pathlib.Path(sys.executable).parent / "ansible-playbook"

PLAYBOOK = """
- hosts: all
  gather_facts: true
  gather_subset: [min]
  vars: { greeting: world }
  tasks:
    - file: { path: "{{ base }}", state: directory, mode: "0750" }
    - copy: { src: plain.txt, dest: "{{ base }}/plain.txt", mode: "0640", force: false }
    - copy: { content: "{{ greeting }}\\n", dest: "{{ base }}/said.txt", mode: "0600" }
    - template: { src: page.j2, dest: "{{ base }}/page.txt", mode: "0644" }
    - lineinfile: { path: "{{ base }}/plain.txt", line: one more }
    - file: { src: plain.txt, dest: "{{ base }}/link", state: link }
    - command: { cmd: "wc -l plain.txt", chdir: "{{ base }}" }
      register: counted
      changed_when: false
    - command: { cmd: "touch made", chdir: "{{ base }}", creates: made }
    - stat: { path: "{{ base }}/link" }
      register: linked
    - fetch: { src: "{{ base }}/page.txt", dest: "{{ here }}/", flat: true }
    - assert:
        that:
          - linked.stat.islnk
          - counted.stdout == '3 plain.txt'
          - ansible_facts.system == 'Linux'
          - ansible_facts.python.version.major == 3
"""


def playbook(base, pipelining):
    """Runs it and gives what changed, by task."""
    folder = HERE / base.name
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "site.yml").write_text(PLAYBOOK)
    (folder / "plain.txt").write_text("a\nb\n")
    (folder / "templates" / "page.j2").write_text("hello {{ greeting }} from {{ ansible_facts.system }}\n")
    login = f"ansible_password={TOKEN}" if THROUGH else f"ansible_ssh_private_key_file={KEY}"
    (folder / "inventory").write_text(
        f"web-1 ansible_host=127.0.0.1 ansible_port={PORT} ansible_user={USER} {login} ansible_python_interpreter=/usr/bin/python3\n"
    )
    ssh = "-o ControlMaster=auto -o ControlPersist=5s -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR" + (" -o PubkeyAuthentication=no" if THROUGH else "")
    # A home of its own, relative to nothing: `~` would be the home of a user with the target's name.
    (folder / "ansible.cfg").write_text(
        f"[defaults]\ninventory = inventory\nhost_key_checking = False\nremote_tmp = {FILES}/.ansible\nstdout_callback = ansible.builtin.default\n"
        f"nocows = true\n[ssh_connection]\nssh_args = {ssh}\npipelining = {pipelining}\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("SSH_ASKPASS")}
    env.update(ANSIBLE_CONFIG=str(folder / "ansible.cfg"), ANSIBLE_HOME=str(folder / "home"), LC_ALL="C.UTF-8", ANSIBLE_FORCE_COLOR="0")
    words = [str(ANSIBLE), "site.yml", "-e", json.dumps({"base": str(base), "here": str(folder / "fetched")})]
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=200, check=False)
    recap = re.search(r"web-1 +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", done.stdout)
    if done.returncode != 0 or not recap:
        raise AssertionError(f"{done.returncode}: {' '.join(done.stdout.split())[-500:]} {done.stderr[-300:]}")
    return tuple(int(number) for number in recap.groups())


def twice(name, pipelining):
    base = FILES / name
    expect(playbook(base, pipelining), (12, 8, 0, 0))
    expect(playbook(base, pipelining), (12, 0, 0, 0))
    expect((base / "plain.txt").read_text(), "a\nb\none more\n")
    expect((base / "page.txt").read_text(), "hello world from Linux\n")
    expect((base / "said.txt").read_text(), "world\n")
    expect(os.readlink(base / "link"), "plain.txt")
    expect([oct((base / name).stat().st_mode & 0o777) for name in (".", "plain.txt", "page.txt", "said.txt")], ["0o750", "0o640", "0o644", "0o600"])
    expect((HERE / name / "fetched" / "page.txt").read_text(), "hello world from Linux\n")
    expect(list((FILES / ".ansible").glob("ansible-tmp-*")), [])


@check
def playbook_without_pipelining():
    twice("plain", "False")
    recorded("AnsiballZ_lineinfile.py", "AnsiballZ_command.py", "/usr/bin/python3", "rm -f -r")


@check
def playbook_with_pipelining():
    twice("piped", "True")
    recorded("/bin/sh -c '/usr/bin/python3 && sleep 0'", f"put {FILES}/.ansible/")


@check
def what_ansible_does_not_need_is_refused():
    if THROUGH:
        for command in ("cat /etc/shadow", f"rm -f -r {FILES}/plain", "/usr/bin/python3 /srv/other.py", "uptime"):
            refused(openssh("ssh", "gw", command))
        expect((FILES / "plain").is_dir(), True)


main()
