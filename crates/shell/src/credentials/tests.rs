//! What is asked for, and what it takes to know.

use super::overlap::STEPS;
use super::*;
use crate::analyze;
use crate::globs::Kind;

#[test]
fn a_word_is_no_file() {
    let read = |text: &str| {
        let args: Vec<Arg> = text.split(' ').map(Arg::constant).collect();
        read_by(&args, 0, &mut Globs::default())
            .iter()
            .filter_map(|action| Some(action.object.as_ref()?.name.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(read("grep root /etc/shadow"), ["/etc/shadow"]);
    assert_eq!(read("grep -e root shadow"), ["shadow"]);
    assert_eq!(read("grep -ie credentials shadow"), ["shadow"]);
    assert_eq!(read("curl -d @/etc/shadow --cert=/etc/ssl/private/a.pem x"), ["/etc/shadow", "/etc/ssl/private/a.pem"]);
    assert_eq!(read("sort -o/srv/.ssh/id_rsa"), ["/srv/.ssh/id_rsa"]);
    let glob = Arg { text: "/srv/app/.aws/*".to_owned(), kind: Kind::Glob };
    assert!(!read_by(&[Arg::constant("tail"), glob], 0, &mut Globs::default()).is_empty());
    for text in [
        "awk {print} /etc/shadow",
        "awk BEGIN{ARGV[1]=\"/etc/shadow\";ARGC=2}{print}",
        "sed -n p /etc/shadow",
        "sed -n r/etc/shadow x",
        "git diff --no-index /dev/null /etc/shadow",
        "git -C /etc grep --no-index root -- shadow",
        "date -uf/etc/shadow",
        "date --file=/etc/shadow",
        "du --files0-from=/etc/shadow",
        "tar -C /etc -cf - shadow",
        "getent -s files shadow",
        "grep -rf /etc/shadow x",
        "grep -Fof/etc/shadow x",
        "jq --rawfile x /etc/shadow -n .",
        "ps auxe",
        "ps e",
        "ps aux e",
        "cat /var/lib/kubelet/pki/kubelet-client-current.pem",
        "tail .bash_history",
        "cat /dev/sda",
        "grep -a x /dev/mapper/root",
        "strings /proc/1/mem",
        "cat /dev/disk/by-label/a=b",
        "cat /proc/kcore",
        "find /etc -name shadow -exec cat {} +",
        "find /etc -name sh*ow -exec cat {} ;",
        "find / -iname ID_R?A -execdir cat {} ;",
        "find / -path */.ssh/id_* -ok cat {} ;",
        "find / -name *env -exec cat {} ;",
        "find /etc -name *_rsa_ke? -exec cat {} ;",
        "grep -r --include=sh* x /etc",
        "grep -r --include sha*w x /etc",
        "grep -r --inc=sha?ow x /etc",
        "grep -r --include=[[:alpha:]]hadow x /etc",
        "grep -r --include=ssh_host_*_ke? x /etc",
        "rg -g sh*ow x /etc",
        "rg -uug/etc/sh*ow x",
        "rg --glob=**/sh*ow x",
        "rg --iglob SH*OW x",
        "rg -g {sh,x}ado[w] x",
        "rg -g .n?trc x",
        "rg --hidden -g **/.ss?/* x",
        "find / -path */.[s]sh/* -exec cat {} +",
        "find /etc -name shadow[-] -exec cat {} +",
        "find /etc -regex .*sh.dow -exec cat {} +",
        "find / -iregex .*/ID_RSA -exec cat {} +",
        "find / -regextype egrep -regex .*\\.(pem|key) -exec cat {} +",
        "find / -regex .*\\.key$ -exec cat {} +",
        "find / -iregex .*\\.ENV -exec cat {} +",
        "find / -name *.env -exec cat {} +",
        "find / -name *.[n]etrc -exec cat {} +",
        "find / -path */*.env -exec cat {} +",
        "find / -name *.ssh -exec grep -r x {} +",
        "grep -r --include=*.env x /srv",
        "rg --hidden -g **/*.ssh/* x",
        "rg -g {shadow,x} y /etc",
        "rg -g {x,{y,sh*}ow} y /etc",
        "rg -g {a,.env} y",
        "rg -g x{/,y}.ssh/* y",
        "find /srv -name secrets[--9]yaml -exec cat {} +",
        "find /srv -name [[:c]r[e:][d]entials -exec cat {} +",
        "find /etc -name sh\\adow -exec cat {} +",
        "find /etc -name shadow[\\]-] -exec cat {} +",
        "find /srv -name sit\\e.\\k\\ey -exec cat {} +",
        "grep -r --include=sha\\dow x /etc",
        "find / -name [éc]\\redentials -exec cat {} +",
        "find / -path /etc?shadow -exec cat {} +",
        "find / -path /etc[/]shadow -exec cat {} +",
        "find / -path /etc[.-0]shadow -exec cat {} +",
        "find / -path /e*dow -exec cat {} +",
        "find / -path */etc*shadow -exec cat {} +",
        "find / -ipath */run*ecrets* -exec cat {} +",
        "yq eval load(\"/etc/shadow\") x",
        "logger -f /etc/shadow",
        "logger -tsf shadow",
        "logger -f/etc/shadow",
        "logger --file=/etc/shadow",
        "logger --fi /etc/shadow",
        "logger -f /dev/sda",
        "wall /etc/shadow",
        "wall -n /etc/shadow",
    ] {
        assert!(!read(text).is_empty(), "{text}");
    }
    for text in ["/var/lib/*/.ssh/id_rsa", "/proc/*/environ", "*/.env", "/srv/[ab]/.aws/credentials"] {
        let glob = Arg { text: text.to_owned(), kind: Kind::Glob };
        assert_eq!(read_by(&[Arg::constant("cat"), glob], 0, &mut Globs::default()).len(), 1, "{text}");
    }
    for text in [
        "cat /dev/null",
        "sort /dev/stdin",
        "smartctl -a /dev/sda",
        "find /etc -name shadow",
        "find /srv -name *.conf -exec grep x {} +",
        "find /srv -name app* -exec grep x {} +",
        "grep -r --include=*.yaml x /etc",
        "grep -r --include *.conf x /etc",
        "grep -r --include=app* x /etc",
        "grep -r --exclude=sh* x /etc",
        "rg -g *.{yml,json} x",
        "find /srv -name *.* -exec grep x {} +",
        "find /srv -name *.??? -exec grep x {} +",
        "find /srv -name *.py -exec grep x {} +",
        "grep -r --include=*.y*ml x",
        "rg -g {src,test*}/**/*.{js,jsx,ts,tsx,css,html} x",
        "find /var/log -regex .*\\.log -exec grep x {} +",
        "rg -g !.git/** x",
        "rg -g src/**/s*/* x",
        "find / -path */.cache/* -exec cat {} +",
        "find / -path /proc/* -prune -o -name *.log -exec cat {} +",
        "find /srv -path */logs/*.log -exec cat {} +",
        "find /srv -path ./src/*test* -exec cat {} +",
        "find /srv -name a\\[b*.c -exec cat {} +",
        "rg --glob *.rs sh*ow",
        "grep -g x",
        "find /srv -type f -exec wc -l {} +",
        "head -c 9 /dev/urandom",
        "grep credentials app.log",
        "kubectl get secret credentials",
        "ls -l /etc/shadow",
        "id",
        "echo /etc/shadow",
        "logger /dev/sda1 is full",
        "logger -t f /etc/shadow was read",
        "wall credentials",
        "wall hello",
        "du -s /etc/shadow",
        "ps aux",
        "ps -ef",
        "ps -eo pid,comm",
        "ps -o time",
        "ps -C sleeve",
        "git log --oneline",
        "awk {print$1/2} x",
    ] {
        assert!(read(text).is_empty(), "{text}");
    }
}

/// What a command reads of which the last word is a glob.
fn read_glob(tool: &str, text: &str) -> Vec<String> {
    let kind = if text.starts_with(['*', '?', '[']) { Kind::Wild } else { Kind::Glob };
    let found = read_by(&[Arg::constant(tool), Arg { text: text.to_owned(), kind }], 0, &mut Globs::default());
    found.into_iter().filter_map(|action| Some(action.object?.name)).collect()
}

#[test]
fn a_glob_that_may_mean_a_file_of_credentials_is_asked_for_as_it_stands() {
    for text in [
        "/pro?/1/environ",
        "/proc/1/env*",
        "/proc/1/me*",
        "/proc/*/task/*/m?m",
        "/proc/kcor?",
        "/pr[o]c/kcore",
        "/de*/sda",
        "/d[e]v/sda",
        "/dev/sd[a-z]",
        "/srv/../d?v/sda",
        "../../d?v/sda",
        "/proc/1/root/d?v/sda",
        "/proc/1/ro?t/etc/krb5.k*",
        "/etc/krb5.k*",
        "/etc/[k]rb5.keytab",
        "/etc/[[:alpha:]]rb5.keytab",
        "/etc/[[=k=]]rb5.keytab",
        "[[:alpha:]]d_rsa",
        "/srv/a=b/../../dev/s*",
        "/etc/security/op*",
        "/e**/op*",
        "/etc/ssh/ssh_host_ecdsa_ke?",
        "/etc/kub*/admin.conf",
        "/etc/ss?/private/server.pem",
        "/run/secr*/kubernetes.io/serviceaccount/token",
        "~/.config/gcl*/application_default_credentials.json",
        "/srv/app/secrets.y*ml",
        "/srv/app/sec*.yaml",
        "/srv/keys/site.k?y",
        "/srv/id_*",
        "cred*",
        "/srv/id_rsa.b*",
        "/srv/secrets.yaml.*",
        "/etc/wiregu*/wg0.conf",
        "/etc/letsencrypt/live/*/privk*.pem",
        "/etc/letsencrypt/archive/x/privkey[0-9].pem",
        "/SRV/ID_R*",
        "/etc/gshadow[-]",
        "/srv/www/wp[0-]config.php",
        "/srv/secrets[--9]yaml",
        "/etc/krb5[--9]keytab",
        "/srv/site[+-9]key",
        "/srv/terraform[0-9.]tfstate",
        "/srv/secrets[[.period.]]yaml",
        "/srv/wp[[=-=]]config.php",
        "/srv/[[=c=]r[e]dentials",
        "/srv/[x.k?y",
        "/srv/site[.][k][e][y]",
        "/srv/site[-][k][e][y].pem",
        "/srv/[s][e][c]*.yaml",
    ] {
        assert!(read_glob("cat", text).iter().any(|name| name == text), "{text}");
        assert!(read_glob("ls", text).is_empty(), "{text}");
    }
    let long = format!("/srv/{}", "a*".repeat(4_000));
    assert_eq!(read_glob("cat", &long), [long]);
    assert!(!read_glob("kubectl", "/srv/cred*").is_empty());
    assert!(read_glob("kubectl", "cred*").is_empty());
    assert!(read_glob("smartctl", "/dev/sd*").is_empty());
}

#[test]
fn a_glob_of_anything_else_is_not() {
    for text in [
        "/var/log/app.*",
        "/var/log/*.log",
        "/var/log/*/*.gz",
        "/var/log/app.log.[0-9]*",
        "/var/log/app-20??????.log",
        "/var/log/20??????",
        "/etc/nginx/conf.d/*",
        "/etc/nginx/*.conf",
        "/etc/ssl/certs/*.pem",
        "/etc/ssh/*.pub",
        "/etc/*release",
        "/etc/cron.*/*",
        "logs/s*",
        "/run/*/x.pid",
        "/run/systemd/*",
        "*.log",
        "*.yaml",
        "*.p*y",
        "*",
        "*/*",
        "app-*",
        "*.py",
        "*/app.log",
        "../*/app.log",
        "/proc/*/status",
        "/proc/[0-9]*/io",
        "/proc/net/*",
        "/proc/sys/vm/*",
        "/proc/mem*",
        "/dev/tty*",
        "/dev/shm/*",
        "/sys/block/*/size",
        "/srv/*/config.json",
        "~/.ssh/*.pub",
        "~/.kube/cache/*",
        "~/.kube/cache/*/x",
        "/etc/letsencrypt/live/*/fullchain.pem",
        "/var/log/app.*.log",
        "*.bak",
        "*~",
        "/var/log/app.log.?",
        "/srv/releases/2026*",
        "/srv/wp[0-9]config.php",
        "/srv/[!.][!.]*.yaml",
        "/srv/[a-z]*.yaml",
        "/srv/releases/[0-9a-f]*",
        "/srv/secrets[[:digit:]]yaml",
        "/var/log/app[.-]*.log",
        ".items[]",
        ".items[].name",
    ] {
        let found = read_glob("cat", text);
        assert!(found.iter().all(|name| name != text), "{text}: {found:?}");
    }
}

/// How often a place of a glob may meet one of a list, for the longest text.
const MOST_STEPS: usize = 1_000_000;

fn steps(text: &str) -> usize {
    STEPS.set(0);
    assert!(!analyze(text.as_bytes()).actions.is_empty());
    STEPS.get()
}

/// The longest text of this command, its end repeated, so many bytes of it at once, and no two alike.
fn longest(start: &str, unit: &str, each: usize) -> String {
    let command = |at| format!("{start}{at}{}", unit.repeat((each - start.len()) / unit.len()));
    (0..(crate::analysis::MOST_BYTES / (each + 5)).min(512)).map(command).collect::<Vec<_>>().join("; ")
}

#[test]
fn globs_of_a_text_take_no_more_work_than_those_of_one_command() {
    let sudo = "sudo ".repeat(7);
    let starts = [
        "cat /srv/",
        "tail x",
        "kubectl get /x",
        "find / -exec cat {} + -name ",
        "find / -exec cat {} + -path /",
        "grep -r x --include=",
        "rg x -g ",
    ];
    for start in starts {
        for unit in ["*.", "*", "?", "a*", "[a]", "[!a]", "*/", "/*", ".*k", " a* /b?", " -name s?"] {
            for each in [120, 1_000, 60_000] {
                for wrapped in [start.to_owned(), format!("{sudo}{start}")] {
                    let text = longest(&wrapped, unit, each);
                    assert!(text.len() <= crate::analysis::MOST_BYTES);
                    let steps = steps(&text);
                    assert!(steps <= MOST_STEPS, "{steps}: {wrapped}{unit} by {each}");
                }
            }
        }
    }
}

#[test]
fn globs_of_texts_in_a_text_are_those_of_the_text() {
    let distinct = |at: usize| format!("cat /srv/{at}{}", "*.".repeat(150));
    let script = |from: usize| (from..from + 40).map(distinct).collect::<Vec<_>>().join("; ");
    let text = (0..4).map(|at| format!("sh -c '{}'", script(at * 40))).collect::<Vec<_>>().join("; ");
    let steps = steps(&text);
    assert!((1..=MOST_STEPS).contains(&steps), "{steps}");
}

#[test]
fn what_is_beyond_the_globs_that_are_looked_at_is_asked_for() {
    let asks = |text: &str| {
        let paths = |action: &Action| action.object.as_ref().is_some_and(|object| object.kind == ObjectKind::Path);
        analyze(text.as_bytes()).parts.last().is_some_and(|part| part.actions.iter().any(paths))
    };
    let before: Vec<String> = (0..40).map(|at| format!("cat /var/log/app/{at}/today/*.log")).collect();
    let after = |last: &str| format!("{}; {last}", before.join("; "));
    for last in [
        "cat /srv/a/folder/of/some/depth/x*",
        "find / -name 'a-name-of-many-letters-and-*.c' -exec cat {} +",
        "grep -r --include='*-name-of-many-letters-and.h' x /srv",
    ] {
        assert!(!asks(last) && asks(&after(last)), "{last}");
    }
    assert!(!asks(&after("cat /srv/x")) && !asks(&after("ls /srv/x*")));
    // The same words again, and those that wrappers show once more, are known.
    assert!(!asks(&vec!["cat /srv/app/logs/*.log"; 400].join("; ")));
    let long = format!("cat /srv/{}*.log", "x".repeat(600));
    assert!(!asks(&format!("{}{long}", "sudo ".repeat(7))));
    assert!(!asks(&before[..30].join("; ")));
}

#[test]
fn what_wrappers_have_in_words_of_their_own_is_looked_at() {
    let paths = |text: &str| {
        let found = analyze(text.as_bytes()).actions.into_iter().filter_map(|action| action.object);
        found.filter(|object| object.kind == ObjectKind::Path).map(|object| object.name).collect::<Vec<_>>()
    };
    assert_eq!(paths("sudo nohup cat /etc/shadow"), ["/etc/shadow"]);
    assert_eq!(paths("sudo nohup ls /srv/id_rsa"), ["/srv/id_rsa"]);
    assert_eq!(paths("sudo -u /srv/id_rsa nohup cat /srv/x"), ["/srv/id_rsa"]);
    assert_eq!(paths("sudo find /srv/id_rsa -exec cat a b c d \\;"), ["/srv/id_rsa"]);
    assert_eq!(paths("sudo find /srv -exec cat a b c d \\; -path /srv/id_rsa"), ["/srv/id_rsa"]);
}
