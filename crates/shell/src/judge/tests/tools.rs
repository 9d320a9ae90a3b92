//! What the words of single tools do.

use super::*;

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
