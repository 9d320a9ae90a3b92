//! Effects by family.

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
fn options_that_do_more_are_seen() {
    all_are(
        "grant",
        &[
            "aws ssm get-parameter --name x --with-decryption",
            "aws ssm get-parameters-by-path --path / --with-d",
            "kubectl get secret x -o yaml",
            "kubectl get -ojson Secrets.v1.",
            "kubectl describe secret x --v=9",
            "kubectl --v=9 -n x describe secret y",
            "kubectl -v 8 get secrets",
            "kubectl get pods,secrets -o 'jsonpath={.data}'",
            "kubectl get pod/a secret/b --output=yaml",
            "kubectl get secrets --template='{{.}}'",
            "kubectl get -f x.yaml -o yaml",
            "kubectl get --raw /api/v1/namespaces/x/secrets/y",
            "kubectl get s?cret x -o yaml",
            "terraform output -json",
            "tofu output -raw db_password",
            "terraform output db_password",
            "helm get values web",
            "helm -n x get all web",
            "helm get manifest web --revision=3",
            "helm status web -o json",
            "docker compose -f x.yaml config --format json",
            "docker-compose config",
        ],
    );
    all_are(
        "write",
        &[
            "sort -o x y",
            "sort -uo x y",
            "sort --output=x y",
            "uniq a b",
            "sed -i s/a/b/ x",
            "git log --output=x",
            "xxd a b",
            "xxd -r -p a b",
            "xxd -r -ps a b",
            "xxd -ps -r a b",
            "xxd -c8 a *",
            "tree -o x",
        ],
    );
    all_are(
        "execute",
        &[
            "sort --compress-program=sh x",
            "sort --outp=x y",
            "sed --in-pl x",
            "git diff --ext-diff",
            "xxd -pc a b",
            "xxd -rps a b",
            "tree -Po pattern out",
            "tree -aLo 2 out",
            "atop -b 10:00 -w x",
            "top -n 1 x -b",
            "jq -n 'import \"x\" as $d {search: \"/srv\"}; $d'",
            "jq -nf /srv/x",
            "sed ':a e touch x' in",
            "kubectl get --raw /api/v1/namespaces/x/services/y:80/proxy/delete",
            "kubectl get --raw=/api/v1/nodes/n/proxy/run/x",
            "kubectl get -f https://x/y",
            "kubectl get --raw /api/v1/nodes/n/pr%6fxy/run/x",
            "nft list ruleset ';' flush ruleset",
            "nft list 'ruleset; flush ruleset'",
            "dnf history undo last",
            "nstat -d 1",
            "getent -s x/evil passwd root",
            "nm @opts",
            "haproxy -c -- ev.cfg",
            "haproxy -qc -- ev.cfg",
            "rpm -Vp evil.rpm",
            "rpm -qp http://h/x.rpm",
            "xmllint http://h/x",
            "openssl x509 -in http://h/x",
            "gawk 1 /inet/tcp/0/h/80",
            "zpool status -c x",
            "lspci -qq -O net.cache_name=/x",
            "docker buildx history rm --all",
            "uuidgen -o f",
            "arch -x86_64 rm x",
            "aws gamelift get-game-session-log --game-session-id x --save-as f",
            "aws emr get --cluster-id x --src a --dest b",
            "docker -H tcp://x ps",
            "sed -f x y",
        ],
    );
    all_are(
        "unknown",
        &["rg --pre sh x", "git -c a=b log", "git grep -Osh x", "git -p log", "git --exec-path=/x log", "fd -x rm"],
    );
    all_are(
        "admin",
        &[
            "dmesg -C",
            "ss -K dst 1.2.3.4",
            "date -s 12:00",
            "date 010203042026",
            "hostname x",
            "journalctl --rotate",
            "sysctl -w a=b",
        ],
    );
    all_are("delete", &["journalctl --vacuum-size=1M", "find / -delete", "git branch -D x", "crontab -r"]);
    all_are("grant", &["kubectl --as=root get pods", "chmod 777 /x", "useradd x"]);
    all_are(
        "execute",
        &[
            "kubectl --kubeconfig=/tmp/x get pods",
            "kubectl -s http://x get pods",
            "aws ec2 describe-instances --endpoint-url http://x",
        ],
    );
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
fn find_is_its_actions() {
    each_is(
        "read",
        &[
            "find / -name 'x' -o -type f",
            "find . -exec cat {} \\;",
            "find . -exec grep -l x {} +",
            "find -L /x -newermt 2020-01-01",
        ],
    );
    all_are("delete", &["find / -delete", "find . -exec rm {} \\;", "find . -name x -exec rm -f {} + -print"]);
    all_are(
        "unknown",
        &[
            "find . -exec sh -c 'ls' {} \\;",
            "find . -execdir ls {} \\;",
            "find . -ok ls {} \\;",
            "find . -exec {} \\;",
            "find . -exec sed {} x \\;",
            "find . -exec awk {} \\;",
            "find . -exec ls",
            "find *",
            "find . -name *.c",
            "find . -exec timeout 5 {} \\;",
            "find . -exec python3 {} \\;",
            "find . -exec env A=b ls \\;",
            "find . -exec xargs rm \\;",
        ],
    );
    all_are("write", &["find . -fprint /x", "find . -fls /x", "find . -exec uniq x {} \\;"]);
    all_are("execute", &["find . -fprintf /x y", "find . -nosuch"]);
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
fn archives_and_copies() {
    each_is("read", &["tar tzf x", "tar -tvf x", "tar czf - /srv", "tar -xOf x y", "dd if=/x bs=1M count=1"]);
    all_are("write", &["tar xzf x", "tar -czf x y", "dd if=/x of=/y", "tar rf x y", "tar -xf x -C /"]);
    all_are(
        "execute",
        &[
            "tar -xf x --to-command=sh",
            "tar -cf x --checkpoint-action=exec=sh y",
            "tar -I sh -xf y",
            "tar --use-compress-program=sh -xf y",
            "tar -tF sh -f x",
            "tar -T x -cf y",
        ],
    );
    all_are("unknown", &["tar -tf host:x"]);
}

#[test]
fn clusters_and_clouds() {
    each_is(
        "read",
        &[
            "kubectl get pods -n dev",
            "kubectl -n dev logs -f web",
            "docker ps -a",
            "aws iam list-users",
            "aws s3 ls",
            "gcloud sql instances list",
            "az vm list",
        ],
    );
    each_is(
        "execute",
        &[
            "kubectl exec x -- rm -rf /",
            "docker run x",
            "kubectl foo",
            "kubectl 'config view'",
            "git 'log x'",
            "aws foo",
        ],
    );
    each_is("tunnel", &["kubectl port-forward x 80", "kubectl proxy"]);
    all_are("export", &["kubectl cp a:/x y", "docker cp a:/x y"]);
    all_are(
        "grant",
        &[
            "kubectl create rolebinding x",
            "aws iam create-user --user-name x",
            "aws sts get-session-token",
            "kubectl create token x",
        ],
    );
    all_are(
        "execute",
        &[
            "aws ec2 describe-instances --cli-input-json file://x",
            "aws ec2 describe-instances x",
            "gcloud compute ssh list",
            "gcloud compute instances list --flags-file=x",
        ],
    );
    all_are(
        "write",
        &[
            "aws s3api get-object --bucket a --key b /etc/x",
            "kubectl apply -f x",
            "kubectl cluster-info dump --output-directory=/x",
        ],
    );
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

#[test]
fn what_other_parsers_read_is_more_than_reading() {
    for text in [
        "httpd -v",
        "busybox httpd -vv",
        "resolvectl dns eth0 6.6.6.6",
        "service ../../srv/evil status",
        "service /srv/evil status",
        "chrt -o rm ls x",
        "xz -td f.xz",
        "zstd -ld f.zst",
        "bzip2 -tk f.bz2",
        "arp -Dd 10.0.0.1",
        "arp -Df FILE",
        "smartctl -l scterc,70,70 /dev/sda",
        "arping -U -c 1 -I eth0 10.0.0.1",
        "apache2ctl status stop",
        "nvidia-smi -dm=1",
        "aws omics get-read-set --id 1 out",
        "aws redshift get-cluster-credentials-with-iam",
    ] {
        assert_ne!(effects(text), "read", "{text}");
    }
    for text in [
        "nft list ruleset",
        "kubectl get --raw '/readyz?verbose'",
        "kubectl get pods -o wide",
        "kubectl get secrets -n x",
        "kubectl describe secret x --v=2",
        "kubectl -v4 get secrets",
        "kubectl get secrets -o name",
        "terraform output",
        "helm get notes web",
        "helm status web --show-resources",
        "kubectl get pod secret -n secrets -o yaml",
        "kubectl get externalsecrets -o yaml",
        "nft list table inet filter",
        "nm -D /usr/lib/x.so",
        "rpm -qi openssl",
        "rpm -qa",
        "getent passwd root",
        "xz -dc f.xz",
        "gzip -l f.gz",
        "xz -t f.xz",
        "zcat f",
        "lspci -vnn",
        "resolvectl dns",
        "openssl x509 -in /etc/ssl/a.pem -noout -dates",
        "service nginx status",
        "dnf history list",
        "arp -an",
        "nvidia-smi",
        "nvidia-smi --query-gpu=name --format=csv",
        "xmllint --xpath '//a[@b=\"c\"]' x.xml",
    ] {
        assert_eq!(effects(text), "read", "{text}");
    }
}
