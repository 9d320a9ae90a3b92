//! Files that hold credentials by their names. A rule for the command that reads one covers the command, not the file: that needs a rule for
//! its path.
//!
//! - `files`: which those are
//! - `overlap`: whether a glob may mean one

mod files;
mod overlap;

use std::collections::BTreeSet;

use model::{Action, Effect, Object, ObjectKind};

use crate::globs::Arg;
use files::{Globs, is_device, is_secret, is_sought, is_word};

/// Tools that read files by their names.
const READERS: [&str; 50] = [
    "cat", "tac", "head", "tail", "less", "more", "nl", "od", "xxd", "hexdump", "hd", "strings", "base64", "base32",
    "sort", "uniq", "cut", "paste", "join", "comm", "diff", "cmp", "rev", "fold", "fmt", "expand", "unexpand",
    "column", "look", "iconv", "sed", "gsed", "awk", "gawk", "mawk", "nawk", "cp", "grep", "egrep", "fgrep", "zgrep",
    "rg", "jq", "yq", "tar", "gtar", "bsdtar", "git", "date", "getent",
];
/// Tools that run others for the files that they find.
const SEEKERS: [&str; 2] = ["find", "gfind"];
/// What of a file's name they look for.
const TESTS: [&str; 6] = ["-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename"];
/// Tools whose first operand is a pattern, unless an option has it.
const SEARCHERS: [&str; 6] = ["grep", "egrep", "fgrep", "zgrep", "rg", "ag"];
/// Tools that tell of a file what a listing does; options of theirs may read it.
const LISTERS: [&str; 9] = ["ls", "stat", "test", "[", "du", "readlink", "realpath", "basename", "dirname"];
/// Tools to which words are texts.
const TALKERS: [&str; 11] =
    ["echo", "printf", "logger", "true", "false", ":", "wall", "write", "systemctl", "systemd-escape", "logname"];
/// Tools whose words may be programs that name files.
const PROGRAMS: [&str; 12] =
    ["awk", "gawk", "mawk", "nawk", "sed", "gsed", "find", "gfind", "jq", "yq", "perl", "python3"];

/// The files of credentials that a reading command of these words names, each to be read.
pub(crate) fn read_by(args: &[Arg]) -> BTreeSet<Action> {
    let Some((name, words)) = args.split_first() else { return BTreeSet::new() };
    let tool = name.text.rsplit('/').next().unwrap_or_default();
    let (texts, lists) = (TALKERS.contains(&tool), LISTERS.contains(&tool));
    let runs =
        SEEKERS.contains(&tool) && args.iter().any(|arg| arg.text.starts_with("-exec") || arg.text.starts_with("-ok"));
    let reader = READERS.contains(&tool) || texts || runs;
    let mut globs = Globs::new();
    let (mut paths, mut found) = (BTreeSet::new(), BTreeSet::new());
    for word in words_of_files(tool, words) {
        for path in [Some(path(word)), whole(&word.text)].into_iter().flatten() {
            paths.insert(path);
            if word.is_glob() {
                paths.insert(before_glob(path));
                if !lists && globs.may_be_secret(path, reader) {
                    found.insert(to_read(path));
                }
            }
        }
        if lists {
            continue;
        }
        paths.extend(behind_letters(&word.text));
        if PROGRAMS.contains(&tool) {
            paths.extend(named_in(&word.text));
        }
    }
    let reads = |path: &&str| is_secret(path) && (reader || !is_word(path)) || reader && is_device(path);
    found.extend(paths.into_iter().filter(reads).map(to_read));
    if runs || SEARCHERS.contains(&tool) {
        found.extend(sought(tool, args).map(to_read));
    }
    if tool == "ps" && shows_environments(args) {
        found.insert(to_read("/proc/*/environ"));
    }
    found
}

/// The words of a tool that may name files which it reads.
fn words_of_files<'a>(tool: &'a str, words: &'a [Arg]) -> impl Iterator<Item = &'a Arg> {
    let (texts, lists) = (TALKERS.contains(&tool), LISTERS.contains(&tool));
    let pattern = if SEARCHERS.contains(&tool) { pattern(words) } else { None };
    let before = std::iter::once(None).chain(words.iter().map(Some));
    let found = words.iter().zip(before).enumerate().filter(move |(at, (word, before))| {
        Some(*at) != pattern && (!lists || word.text.starts_with("--")) && (!texts || is_spoken(tool, *before, word))
    });
    found.map(|(_, (word, _))| word)
}

/// Whether a word of a tool to which words are texts is a file that it reads.
fn is_spoken(tool: &str, before: Option<&Arg>, word: &Arg) -> bool {
    let option = before.map(|before| before.text.as_str()).filter(|before| before.starts_with('-')).unwrap_or_default();
    match tool {
        "logger" if option.starts_with("--") => option.starts_with("--f") || word.text.starts_with('-'),
        "logger" => option.ends_with('f') || word.text.starts_with('-'),
        "wall" => word.text.contains('/') && !word.text.contains(char::is_whitespace),
        _ => false,
    }
}

fn to_read(path: &str) -> Action {
    Action::on(Effect::Read, Object::new(ObjectKind::Path, path))
}

/// The patterns by which a tool is to look for files that may mean those of credentials, as more than "all of a kind".
fn sought<'a>(tool: &str, args: &'a [Arg]) -> impl Iterator<Item = &'a str> {
    let searcher = SEARCHERS.contains(&tool);
    let asked = args.iter().zip(args.iter().skip(1).map(Some).chain([None]));
    let patterns = asked.filter_map(move |(test, next)| {
        let (test, next) = (test.text.as_str(), next.map(|next| next.text.as_str()));
        if searcher { included(test, next) } else { next.filter(|_| TESTS.contains(&test)) }
    });
    patterns.filter(|pattern| is_sought(pattern))
}

/// The pattern of the files to look into that an option of a search has; options may be cut short.
fn included<'a>(option: &'a str, next: Option<&'a str>) -> Option<&'a str> {
    if let Some(long) = option.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, next), |(name, value)| (name, Some(value)));
        let is = |full: &str, least: usize| name.len() >= least && full.starts_with(name);
        return value.filter(|_| is("include", "inc".len()) || is("glob", "glob".len()) || is("iglob", "iglob".len()));
    }
    // Letters before it have no values: else it is part of one, and asking is all that comes of it.
    let (_, value) = option.strip_prefix('-')?.split_once('g')?;
    if value.is_empty() { next } else { Some(value.strip_prefix('=').unwrap_or(value)) }
}

/// A path behind options that are packed into one word: `-uf/etc/x`.
fn behind_letters(text: &str) -> Option<&str> {
    let packed = text.starts_with('-') && !text.starts_with("--");
    packed.then(|| text.find(['/', '~']).and_then(|at| text.get(at..))).flatten()
}

/// The paths that a program of a tool may name.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    let between =
        |letter: char| letter.is_whitespace() || letter.is_control() || "\"'`()[]{}<>;,|&=:!".contains(letter);
    text.split(between).filter(|part| part.contains('/') || part.starts_with('.'))
}

/// Whether ps(1) is asked for the environment of processes: `e` among BSD's options, which have no dash and stand where no value does.
fn shows_environments(args: &[Arg]) -> bool {
    const LETTERS: &str = "aAcCeEfgGhHjklLmMnNorsStTuUvVwxXZ";
    const VALUED: &str = "oOpCuUgGts";
    let mut before = "";
    args.iter().skip(1).any(|arg| {
        let value = before.strip_prefix('-').is_some_and(|letters| letters.ends_with(|last| VALUED.contains(last)));
        before = &arg.text;
        !value && arg.text.contains(['e', 'E']) && arg.text.chars().all(|letter| LETTERS.contains(letter))
    })
}

/// Where the pattern is, when no option has it; else where the one is that is a word behind its option.
fn pattern(words: &[Arg]) -> Option<usize> {
    let packed = |word: &Arg, letter: char| {
        word.text.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains(letter))
    };
    let has = |word: &Arg| word.text.starts_with("--regexp") || packed(word, 'e');
    if let Some(at) = words.iter().position(has) {
        return words.get(at).filter(|word| word.text.ends_with('e')).map(|_| at + 1);
    }
    let from_file = |word: &Arg| word.text.starts_with("--file") || packed(word, 'f');
    if words.iter().any(from_file) { None } else { words.iter().position(|word| !word.text.starts_with('-')) }
}

/// The path that a word may be: itself, or what stands behind `=`, `@`, `HOST:` or an option's letter.
fn path(word: &Arg) -> &str {
    let text = word.text.as_str();
    let text = text.split_once('=').map_or(text, |(_, behind)| behind);
    let text =
        text.split_once(['@', ':']).filter(|(before, _)| !before.contains('/')).map_or(text, |(_, behind)| behind);
    let option = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    option.and_then(|rest| rest.char_indices().nth(1).and_then(|(at, _)| rest.get(at..))).unwrap_or(text)
}

/// A word of which a path, or a set of a glob, begins before anything that could be a name with a value: `/srv/a=b/x`, `[[:alpha:]]x`.
fn whole(text: &str) -> Option<&str> {
    let before = text.split(['=', '@', ':']).next().unwrap_or_default();
    (before.len() < text.len() && !text.starts_with('-') && before.contains(['/', '['])).then_some(text)
}

/// The folder that a glob is in.
fn before_glob(path: &str) -> &str {
    let constant = path.split(['*', '?', '[']).next().unwrap_or_default();
    constant.rfind('/').and_then(|at| constant.get(..at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globs::Kind;

    #[test]
    fn a_word_is_no_file() {
        let read = |text: &str| {
            let args: Vec<Arg> = text.split(' ').map(Arg::constant).collect();
            read_by(&args).iter().filter_map(|action| Some(action.object.as_ref()?.name.clone())).collect::<Vec<_>>()
        };
        assert_eq!(read("grep root /etc/shadow"), ["/etc/shadow"]);
        assert_eq!(read("grep -e root shadow"), ["shadow"]);
        assert_eq!(read("grep -ie credentials shadow"), ["shadow"]);
        assert_eq!(
            read("curl -d @/etc/shadow --cert=/etc/ssl/private/a.pem x"),
            ["/etc/shadow", "/etc/ssl/private/a.pem"]
        );
        assert_eq!(read("sort -o/srv/.ssh/id_rsa"), ["/srv/.ssh/id_rsa"]);
        let glob = Arg { text: "/srv/app/.aws/*".to_owned(), kind: Kind::Glob };
        assert!(!read_by(&[Arg::constant("tail"), glob]).is_empty());
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
            "find /srv -name secrets[--9]yaml -exec cat {} +",
            "find /srv -name [[:c]r[e:][d]entials -exec cat {} +",
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
            assert_eq!(read_by(&[Arg::constant("cat"), glob]).len(), 1, "{text}");
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
            "rg -g !.git/** x",
            "rg -g src/**/s*/* x",
            "find / -path */.cache/* -exec cat {} +",
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
        let found = read_by(&[Arg::constant(tool), Arg { text: text.to_owned(), kind }]);
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
}
