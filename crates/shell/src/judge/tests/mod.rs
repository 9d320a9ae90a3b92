//! Effects by family.

mod tools;

use crate::analyze;

/// The effects of a text, mildest first.
fn effects(text: &str) -> String {
    let analysis = analyze(text.as_bytes());
    let mut all: Vec<_> = analysis.actions.iter().map(|action| action.effect).collect();
    all.sort_unstable();
    all.dedup();
    all.iter().map(|effect| effect.as_str()).collect::<Vec<_>>().join(",")
}

/// Each of these has the effect.
fn all_are(effect: &str, texts: &[&str]) {
    for text in texts {
        assert!(effects(text).split(',').any(|one| one == effect), "{text}: {} without {effect}", effects(text));
    }
}

/// Each of these has these effects and no others.
fn each_is(wanted: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(effects(text), wanted, "{text}: {:?}", analyze(text.as_bytes()).reasons);
    }
}

#[test]
fn quoting_hides_nothing() {
    each_is(
        "delete,destroy",
        &[
            "r''m -rf /x",
            "r\\m -rf /x",
            "'rm' -rf /x",
            "\"rm\" -rf /x",
            "r\\\nm -rf /x",
            "rm '-rf' /x",
            "/bin/rm -rf /x",
        ],
    );
    each_is("execute", &["/tmp/ls", "./ls", "~/bin/ls"]);
    all_are("execute", &["./ls", "/opt/bin/ls", "'if' x", "nosuch x", "/bin/x/ls"]);
}

#[test]
fn wrappers_are_what_they_wrap() {
    let prefixes = [
        "timeout 5",
        "timeout -k 1 -s KILL 5",
        "nice",
        "nice -n 5",
        "nice -5",
        "ionice -c 3",
        "env",
        "command",
        "exec",
        "time",
        "time -p",
        "stdbuf -oL",
        "busybox",
        "timeout 5 nice env",
        "chrt 5",
        "taskset 1",
    ];
    for prefix in prefixes {
        assert_eq!(effects(&format!("{prefix} ls /srv")), "read", "{prefix}");
        assert_eq!(effects(&format!("{prefix} rm -rf /srv")), "delete,destroy", "{prefix}");
        all_are("unknown", &[&format!("{prefix} sh")]);
    }
    each_is("delete,destroy,execute", &["nohup rm -rf /x", "setsid rm -rf /x"]);
    each_is(
        "delete,destroy,admin",
        &["sudo rm -rf /x", "sudo -n -u root rm -rf /x", "doas rm -rf /x", "runuser -u app -- rm -rf /x"],
    );
    all_are(
        "unknown",
        &[
            "env A=b ls",
            "env -i ls",
            "env -S 'rm x'",
            "sudo A=b ls",
            "sudo -i ls",
            "sudo -s",
            "sudo -E ls",
            "timeout 5 A=b",
            "nice if x",
            "su -c ls",
            "chroot /x ls",
            "watch ls",
            "parallel rm",
            "flock /x rm",
            "script -c ls",
            "strace ls",
            "tmux new ls",
            "at now",
            "crontab x",
            "crontab -",
            "ssh h ls",
            "systemd-run ls",
            "exec -a x ls",
            "time -f x ls",
            "nohup if x",
            "command -x ls",
            "builtin cd x",
        ],
    );
}

#[test]
fn deep_wrappers_end_somewhere() {
    all_are("unknown", &[&format!("{}ls", "nice ".repeat(50)), &format!("{}ls", "busybox ".repeat(5000))]);
}

#[test]
fn texts_of_shells_are_read() {
    each_is(
        "delete,destroy",
        &[
            "sh -c 'rm -rf /x'",
            "bash -lc \"rm -rf /x\"",
            "sh -c 'sh -c \"rm -rf /x\"'",
            "bash -euo pipefail -c 'rm -rf /x'",
        ],
    );
    each_is("read", &["sh -c 'ls; cat x | head'", "bash -lc 'cd /srv && git status'"]);
    all_are(
        "unknown",
        &[
            "sh",
            "bash -s",
            "bash -i",
            "sh -c",
            "sh -c 'ls' x",
            "sh -ic ls",
            "sh -c '$0' rm",
            "bash --rcfile x -c ls",
            "bash -o vi",
            "sh -",
            "bash /dev/stdin",
            "python3 /dev/fd/0",
            "bash -O extglob -c ls",
            "echo x | sh",
            "sh < /dev/null",
            "sh -c 'sh -c '\\''sh -c \"sh -c \\\"sh -c ls\\\"\"'\\'''",
            "fish -c ls",
            "eval ls",
            ". /x",
            "source x",
        ],
    );
    all_are("execute", &["sh x.sh", "bash /srv/x.sh -s", "python3 x.py", "node x.js"]);
    all_are(
        "unknown",
        &["python3 -c 'x'", "perl -e x", "python3", "node -e x", "python3 -", "ruby -rx", "php -r x", "lua -e x"],
    );
}

#[test]
fn words_from_elsewhere_reach_only_what_they_cannot_harm() {
    each_is("read,execute", &["xargs cat", "xargs -0 -n 1 grep -l x", "xargs -I{} ls {}"]);
    all_are(
        "unknown",
        &[
            "xargs rm",
            "xargs sh -c ls",
            "xargs sort",
            "xargs -I{} sh -c {}",
            "xargs nice",
            "xargs find",
            "xargs kubectl",
            "xargs -p rm",
            "xargs git log",
        ],
    );
}

#[test]
fn globs_reach_what_they_cannot_turn() {
    each_is(
        "read",
        &[
            "cat /var/log/*.log",
            "ls *",
            "cat *.txt",
            "grep x *",
            "ls ~/a/*",
            "head -n 5 /srv/*/x",
            "grep -r x --include=*.c /srv",
        ],
    );
    each_is("delete", &["rm /srv/tmp/*.pid"]);
    each_is("delete,destroy", &["rm *", "rm -r /srv/*", "rm -f *.tmp"]);
    all_are(
        "unknown",
        &[
            "cat /etc/sh?dow",
            "/bin/r? -rf /x",
            "l* x",
            "sort *",
            "sort -t * x",
            "git l*",
            "kubectl get* x",
            "nosuch /x/*",
            "tar -tf *",
            "find * -name x",
            "cat /x/../*",
            "cat /x/*/../y",
            "cat .*",
            "sed */x y",
            "awk /x/* y",
            "timeout * ls",
            "test -f *",
            "[ -f * ]",
            "cat -*",
            "python3 /x/*.py",
            "docker exec x ls /*a",
        ],
    );
}

#[test]
fn environments_are_checked() {
    each_is(
        "read",
        &[
            "LC_ALL=C ls",
            "LANG=en_US.UTF-8 TZ=Europe/Berlin date",
            "PAGER=cat git log",
            "NO_COLOR=1 ls",
            "COLUMNS=200 ps aux",
            "SYSTEMD_PAGER= systemctl status x",
        ],
    );
    all_are(
        "unknown",
        &[
            "PATH=/tmp ls",
            "LD_PRELOAD=/x ls",
            "IFS=x ls",
            "BASH_ENV=/x ls",
            "ENV=/x ls",
            "GIT_DIR=/x git log",
            "GIT_SSH_COMMAND=x git log",
            "PAGER=less git log",
            "TZ=/etc/shadow date",
            "TERM=../x ls",
            "LC_ALL=../x ls",
            "FOO=bar ls",
            "PS4=x ls",
            "KUBECONFIG=/x kubectl get pods",
            "A=b",
            "LESSOPEN=x ls",
            "LANG+=x ls",
            "LC_ALL=* ls",
            "PROMPT_COMMAND=x ls",
            "LC_ALL=~ ls",
        ],
    );
}

#[test]
fn builtins_that_change_what_follows_are_unknown() {
    all_are(
        "unknown",
        &[
            "alias ls=rm; ls",
            "export PATH=/x",
            "unset x",
            "read x",
            "trap 'rm x' EXIT",
            "set -f",
            "set -- a b",
            "shopt -s extglob",
            "hash -p /x ls",
            "enable -f /x y",
            "printf -v PATH /x",
            "printf '%n' x",
            "printf '%d' 'a[$(id)]'",
            "test -v 'a[0]'",
            "[ 'a[0]' -eq 1 ]",
            "[ x -lt 5 ]",
            "exit 'a[0]'",
            "cd a b",
            "cd -",
            "cd +1",
            "let x=1",
            "declare x",
            "mapfile x",
            "fc",
            "r",
            "history",
            "print x",
            "wait x",
            "ulimit -S 'x' ; eval ls",
        ],
    );
    each_is(
        "read",
        &[
            "set -e; ls",
            "set -euo pipefail; ls",
            "[ 1 -eq 2 ]",
            "[ a = b ]",
            "printf '%d %s' 1 x",
            "exit 1",
            "sleep 0.5",
            "sleep 5m",
            "cd /x",
            "true",
            ":",
        ],
    );
}

#[test]
fn paths_that_lead_back_are_not_certain() {
    all_are(
        "unknown",
        &["cat /var/log/../../etc/shadow", "cat ~/../x", "cat a/../b", "cat /../etc/x", "ls --dir=/a/../b"],
    );
    each_is("read", &["cat ../x", "ls ..", "echo a/../b", "sed -n 's/../x/p' y", "git log a..b", "cat a..b"]);
}

#[test]
fn reasons_are_short_and_show_no_control_characters() {
    let analysis = analyze(format!("'{}\n\t' x", "a\n".repeat(1000)).as_bytes());
    assert!(
        analysis.reasons.iter().all(|reason| reason.len() < 200 && !reason.contains(['\n', '\t'])),
        "{:?}",
        analysis.reasons
    );
    let many: String = (0..200).map(|at| format!("prog{at};")).collect();
    assert!(analyze(many.as_bytes()).reasons.len() <= 16);
}

#[test]
fn a_handler_named_in_the_table_exists() {
    for text in [
        "find", "sed p", "awk 1", "tar", "dd", "aws", "gcloud", "date", "ip", "sysctl", "test", "printf", "set", "cd",
        "exit", "env", "xargs", "git tag",
    ] {
        let reasons = analyze(text.as_bytes()).reasons;
        assert!(!reasons.iter().any(|reason| reason.contains("no rule")), "{text}: {reasons:?}");
    }
}
