//! Files that hold credentials by their names. A rule for the command that reads one covers the command, not the file: that needs a rule for
//! its path.

use std::collections::BTreeSet;

use model::{Action, Effect, Object, ObjectKind};

use crate::globs::{Arg, NAMES, matches};

/// Endings of names.
const ENDINGS: [&str; 10] =
    ["shadow-", "_rsa_key", "_ed25519_key", "_ecdsa_key", "-key.pem", ".key", ".p12", ".pfx", ".ppk", ".kdbx"];
/// Devices that are no disks, memory and the like, in which everything is.
const DEVICES: [&str; 12] =
    ["null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "tty", "console", "log", "ptmx"];
/// A folder and what in it is meant; `*` is anything, at any depth.
const PLACES: [(&str, &str); 12] = [
    (".kube", "config"),
    (".docker", "config.json"),
    (".gnupg", "*"),
    (".azure", "*"),
    (".ssh", "*"),
    (".aws", "cli"),
    (".aws", "sso"),
    ("gcloud", "*"),
    ("kubernetes", "admin.conf"),
    ("ssl/private", "*"),
    ("kubelet/pki", "*"),
    ("run/secrets", "*"),
];
/// Folders of credentials: whoever reads all that is in them reads those.
const FOLDERS: [&str; 8] = [".ssh", ".aws", ".kube", ".docker", ".gnupg", ".azure", "ssl/private", "run/secrets"];
/// Beside keys, and no secrets themselves.
const PUBLIC: [&str; 3] = ["known_hosts", "config", "authorized_keys"];
/// Names that are words as well: files only to tools that read files by their names.
const WORDS: [&str; 3] = ["shadow", "gshadow", "credentials"];
/// Such tools.
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
    if TALKERS.contains(&tool) {
        return BTreeSet::new();
    }
    let lists = LISTERS.contains(&tool);
    let pattern = if SEARCHERS.contains(&tool) { pattern(words) } else { None };
    let words =
        words.iter().enumerate().filter(|(at, word)| Some(*at) != pattern && (!lists || word.text.starts_with("--")));
    let mut paths = BTreeSet::new();
    for (_, word) in words {
        let path = path(word);
        paths.insert(path);
        if word.is_glob() {
            paths.insert(before_glob(path));
        }
        if lists {
            continue;
        }
        paths.extend(behind_letters(&word.text));
        if PROGRAMS.contains(&tool) {
            paths.extend(named_in(&word.text));
        }
    }
    let runs =
        SEEKERS.contains(&tool) && args.iter().any(|arg| arg.text.starts_with("-exec") || arg.text.starts_with("-ok"));
    let reader = READERS.contains(&tool) || runs;
    let reads = |path: &&str| is_secret(path) && (reader || !WORDS.contains(path)) || reader && is_device(path);
    let mut found: BTreeSet<Action> = paths.into_iter().filter(reads).map(to_read).collect();
    if runs {
        found.extend(sought(args).map(to_read));
    }
    if tool == "ps" && shows_environments(args) {
        found.insert(to_read("/proc/*/environ"));
    }
    found
}

fn to_read(path: &str) -> Action {
    Action::on(Effect::Read, Object::new(ObjectKind::Path, path))
}

/// The patterns of a search that may mean files of credentials, as more than "all of a kind".
fn sought(args: &[Arg]) -> impl Iterator<Item = &str> {
    let means = |pattern: &str| {
        let pattern = pattern.rsplit('/').next().unwrap_or_default();
        let particular = !pattern.starts_with("*.") && pattern.bytes().any(|byte| byte != b'*');
        // To a search a star may be a dot, as it may be any letter but the first.
        let pattern = format!("/{}", pattern.to_ascii_lowercase());
        particular && NAMES.iter().any(|name| matches(&pattern, &format!("/{name}")))
    };
    let asked = args.iter().zip(args.iter().skip(1)).filter(|(test, _)| TESTS.contains(&test.text.as_str()));
    asked.map(|(_, pattern)| pattern.text.as_str()).filter(move |pattern| means(pattern))
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

/// The folder that a glob is in.
fn before_glob(path: &str) -> &str {
    let constant = path.split(['*', '?', '[']).next().unwrap_or_default();
    constant.rfind('/').and_then(|at| constant.get(..at)).unwrap_or_default()
}

/// Whether a path is that of a disk, or of memory.
fn is_device(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    match (parts.next(), parts.next()) {
        (Some("dev"), Some("fd" | "pts" | "shm" | "tcp" | "udp")) => false,
        (Some("dev"), Some(name)) => !DEVICES.contains(&name) && !name.starts_with("tty"),
        (Some("proc"), Some("kcore")) => true,
        (Some("proc"), Some(_)) => parts.any(|part| part == "mem"),
        _ => false,
    }
}

fn is_secret(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let Some((name, folders)) = parts.split_last() else { return false };
    let lower = name.to_ascii_lowercase();
    if lower.ends_with(".pub") {
        return false;
    }
    // `.env.production`, and not `.env.example`.
    let environment =
        lower.strip_prefix(".env.").is_some_and(|rest| !matches!(rest, "example" | "sample" | "template" | "dist"));
    if environment || NAMES.contains(&lower.as_str()) || ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
        return true;
    }
    if parts.first() == Some(&"proc") && lower == "environ" {
        return true;
    }
    let ends = |folder: &&str| {
        let folder: Vec<&str> = folder.split('/').collect();
        parts.ends_with(&folder)
    };
    if FOLDERS.iter().any(ends) {
        return true;
    }
    let below = |folder: &str, meant: &str| {
        let folder: Vec<&str> = folder.split('/').collect();
        folders.windows(folder.len()).enumerate().any(|(at, found)| {
            let next = parts.get(at + folder.len()).copied().unwrap_or_default();
            found == folder && (meant == "*" || next == meant) && !(folder == [".ssh"] && PUBLIC.contains(name))
        })
    };
    PLACES.iter().any(|(folder, meant)| below(folder, meant))
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
        assert_eq!(read_by(&[Arg::constant("tail"), glob]).len(), 1);
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
            "cat /proc/kcore",
            "find /etc -name shadow -exec cat {} +",
            "find /etc -name sh*ow -exec cat {} ;",
            "find / -iname ID_R?A -execdir cat {} ;",
            "find / -path */.ssh/id_* -ok cat {} ;",
            "find / -name *env -exec cat {} ;",
            "yq eval load(\"/etc/shadow\") x",
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
            "find /srv -type f -exec wc -l {} +",
            "head -c 9 /dev/urandom",
            "grep credentials app.log",
            "kubectl get secret credentials",
            "ls -l /etc/shadow",
            "id",
            "echo /etc/shadow",
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

    #[test]
    fn files_of_credentials_are_known_wherever_they_are() {
        for path in [
            "/etc/shadow",
            "shadow",
            "../etc/shadow-",
            "/etc/ssh/ssh_host_rsa_key",
            "~/.aws/credentials",
            "/srv/.ssh/id_ed25519",
            "/home2/a/.ssh/work",
            ".env",
            "app/.env.production",
            "/proc/self/environ",
            "/proc/7/task/8/environ",
            "~/.kube/config",
            "/etc/kubernetes/admin.conf",
            "/etc/ssl/private/site.pem",
            "/run/secrets/db",
            "~/.docker/config.json",
            ".//.netrc",
            "~/.aws/sso/cache/1.json",
            "/srv/.ssh",
            "~/.kube/",
            "/etc/ssl/private",
            "~/.config/gcloud/application_default_credentials.json",
            "~/.ssh//id_rsa",
        ] {
            assert!(is_secret(path), "{path}");
        }
        for path in [
            "/etc/passwd",
            "~/.ssh/known_hosts",
            "~/.ssh/config",
            "~/.ssh/id_rsa.pub",
            ".env.example",
            "/var/log/app.log",
            "config",
            "~/.config/app.toml",
            "/proc/cpuinfo",
            "/etc/ssl/certs/ca.pem",
            "environ",
            "",
        ] {
            assert!(!is_secret(path), "{path}");
        }
    }
}
