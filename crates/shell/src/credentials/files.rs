//! Which paths are files of credentials, by lists that constant paths and globs are judged by alike.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::overlap::{Glob, Overlap, Pattern};
use super::sought::{alternatives, is_sought, without_backslashes};
use crate::globs::{NAMES, matches};

/// Endings of names.
const ENDINGS: [&str; 10] =
    ["shadow-", "_rsa_key", "_ed25519_key", "_ecdsa_key", "-key.pem", ".key", ".p12", ".pfx", ".ppk", ".kdbx"];
/// Devices that are no disks, memory and the like, in which everything is.
const DEVICES: [&str; 12] =
    ["null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "tty", "console", "log", "ptmx"];
/// Folders of `/dev` in which no disks are.
const NO_DISKS: [&str; 5] = ["fd", "pts", "shm", "tcp", "udp"];
/// A folder and what in it is meant; `*` is anything, at any depth.
const PLACES: [(&str, &str); 15] = [
    (".kube", "*"),
    (".docker", "config.json"),
    (".gnupg", "*"),
    (".azure", "*"),
    (".ssh", "*"),
    (".aws", "*"),
    (".config/gh", "hosts.yml"),
    (".cargo", "credentials.toml"),
    (".claude", ".credentials.json"),
    ("etc/wireguard", "*"),
    ("gcloud", "*"),
    ("kubernetes", "admin.conf"),
    ("ssl/private", "*"),
    ("kubelet/pki", "*"),
    ("run/secrets", "*"),
];
/// Folders of credentials: whoever reads all that is in them reads those.
pub(super) const FOLDERS: [&str; 9] =
    [".ssh", ".aws", ".kube", ".docker", ".gnupg", ".azure", "ssl/private", "run/secrets", "etc/wireguard"];
/// Folders in those places in which there are none.
const HARMLESS: [(&str, &str); 1] = [(".kube", "cache")];
/// How names begin and end, with a number between.
const NUMBERED: [(&str, &str); 1] = [("privkey", ".pem")];
/// What editors, people and tools that rotate files put behind the name of a copy. `#` is a digit, of which there may be more.
const COPIES: [&str; 13] =
    ["~", "-", ".bak", ".old", ".orig", ".save", ".swp", ".swo", ".#", ".##", ".###", ".####", ".########"];
/// Beside keys, and no secrets themselves.
const PUBLIC: [&str; 3] = ["known_hosts", "config", "authorized_keys"];
/// Names that are words as well: files only to tools that read files by their names.
const WORDS: [&str; 3] = ["shadow", "gshadow", "credentials"];
/// Files of which a glob need not say much: where they are, it says. What else is in their folders is not read by globs.
const ANCHORED: [&str; 6] =
    ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd", "/etc/krb5.keytab"];
/// What a process may have of others in `/proc`.
const OF_PROCESSES: [&str; 2] = ["environ", "mem"];
/// How many bytes of a text's globs are looked at. One beyond them may be anything.
pub(super) const MOST_GLOBS: usize = 1024;

pub(super) static BY_NAME: LazyLock<Pattern> = LazyLock::new(|| by_name(&[]));
static BY_NAME_BUT_WORDS: LazyLock<Pattern> = LazyLock::new(|| by_name(&WORDS));
pub(super) static BY_ENDING: LazyLock<Pattern> = LazyLock::new(|| Pattern::ending(&ENDINGS, &COPIES));
pub(super) static BY_FOLDER: LazyLock<Pattern> = LazyLock::new(|| {
    let below = PLACES.iter().map(|(folder, meant)| match *meant {
        "*" => format!("{folder}/**"),
        meant => format!("{folder}/{meant}/**"),
    });
    let folders = FOLDERS.iter().map(|folder| (*folder).to_owned());
    Pattern::anywhere(&below.chain(folders).collect::<Vec<_>>(), &[])
});
pub(super) static BY_PATH: LazyLock<Pattern> = LazyLock::new(|| {
    let of_processes = OF_PROCESSES.iter().flat_map(|name| {
        let of = move |process| [format!("/proc/{process}/{name}"), format!("/proc/{process}/task/*/{name}")];
        ["#*", "self", "thread-self"].into_iter().flat_map(of)
    });
    let list = ANCHORED.iter().map(|path| (*path).to_owned()).chain(["/proc/kcore".to_owned()]);
    Pattern::at(&list.chain(of_processes).collect::<Vec<_>>())
});
static DISKS: LazyLock<Pattern> = LazyLock::new(|| Pattern::at(&["/dev/**".to_owned()]));

fn by_name(without: &[&str]) -> Pattern {
    let names = NAMES.iter().filter(|name| !without.contains(name)).map(|name| (*name).to_owned());
    let places = PLACES.iter().filter(|(_, meant)| *meant != "*").map(|(folder, meant)| format!("{folder}/{meant}"));
    let numbered = NUMBERED.iter().map(|(start, end)| format!("{start}*{end}"));
    Pattern::anywhere(&names.chain(places).chain(numbered).collect::<Vec<_>>(), &COPIES)
}

/// The names of a path without `.`, and without `..` as far as the text says where that leads; a folder of `/proc` that is another name of the
/// root is none.
fn names(path: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
        let root = match names.as_slice() {
            [proc, _, root] | [proc, _, _, _, root] => {
                may_be(proc, "proc") && (may_be(root, "root") || may_be(root, "cwd"))
            }
            _ => false,
        };
        if root {
            names.clear();
        }
    }
    names
}

/// Whether a name of a path is this one, or a glob that may be it and says something of it.
fn may_be(name: &str, wanted: &str) -> bool {
    name == wanted || name.bytes().any(|byte| byte != b'*') && matches(name, wanted)
}

/// Whether a path is that of a disk, or of memory.
pub(super) fn is_device(path: &str) -> bool {
    let names = names(path);
    match names.as_slice() {
        ["dev", name, ..] => !NO_DISKS.contains(name) && !is_no_disk(name),
        ["proc", "kcore", ..] => true,
        ["proc", _, within @ ..] => within.contains(&"mem"),
        _ => false,
    }
}

fn is_no_disk(name: &str) -> bool {
    DEVICES.contains(&name) || name.starts_with("tty")
}

/// Whether a path is one word that need not be a file.
pub(super) fn is_word(path: &str) -> bool {
    WORDS.contains(&original(path)) && !ENDINGS.contains(&path)
}

/// The name that a file has of which this may be a copy: `x` of `x~`, `x.bak`, `x.20260101`, and of `.x.swp`.
fn original(name: &str) -> &str {
    let mut name = name;
    while let Some(before) = COPIES.iter().find_map(|copy| before_copy(name, copy)).filter(|before| !before.is_empty())
    {
        // An editor's name for its own copy begins with a dot.
        let of_editor = name.ends_with(".swp") || name.ends_with(".swo");
        name = before.strip_prefix('.').filter(|_| of_editor).unwrap_or(before);
    }
    name
}

fn before_copy<'n>(name: &'n str, copy: &str) -> Option<&'n str> {
    if copy.ends_with('#') {
        return name.rsplit_once('.').filter(|(_, number)| is_number(number)).map(|(before, _)| before);
    }
    name.strip_suffix(copy)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_secret(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let names = names(path);
    is_secret_of(&parts) || names != parts && is_secret_of(&names)
}

fn is_secret_of(parts: &[&str]) -> bool {
    let Some((name, folders)) = parts.split_last() else { return false };
    let lower = name.to_ascii_lowercase();
    let known = original(&lower);
    if known.ends_with(".pub") {
        return false;
    }
    if is_name(&lower) || is_name(known) || parts.first() == Some(&"proc") && lower == "environ" {
        return true;
    }
    if FOLDERS.iter().any(|folder| ends_with(parts, folder)) {
        return true;
    }
    let below = |at: usize, place: &str, meant: &str| {
        let next = parts.get(at).copied().unwrap_or_default();
        let public = place == ".ssh" && PUBLIC.contains(&known);
        (meant == "*" || next == meant || original(next) == meant) && !public && !HARMLESS.contains(&(place, next))
    };
    (1..=folders.len()).any(|at| {
        let above = folders.get(..at).unwrap_or_default();
        PLACES.iter().any(|(place, meant)| ends_with(above, place) && below(at, place, meant))
    })
}

/// Whether the names of a path end with those of a folder.
fn ends_with(names: &[&str], folder: &str) -> bool {
    let mut names = names.iter().rev();
    folder.rsplit('/').all(|wanted| names.next().is_some_and(|name| *name == wanted))
}

/// Whether a file is one of credentials by its name alone.
fn is_name(name: &str) -> bool {
    // `.env.production`, and not `.env.example`.
    let environment = name
        .strip_prefix(".env.")
        .is_some_and(|rest| !matches!(original(rest), "example" | "sample" | "template" | "dist"));
    let numbered = |(start, end): &(&str, &str)| {
        let number = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        number.is_some_and(|number| number.is_empty() || is_number(number))
    };
    environment
        || NAMES.contains(&name)
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || NUMBERED.iter().any(numbered)
}

/// The globs of a whole text, those of all commands and of the texts in it: looking at them is dear.
#[derive(Debug)]
pub(crate) struct Globs {
    /// How many bytes of them are still looked at.
    left: usize,
    /// What is known of those that were: wrappers show the words that they run once more.
    known: BTreeMap<String, [Option<bool>; 4]>,
}

/// What a glob is used for.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// A tool reads what it means.
    Read,
    /// Another tool gets it.
    Word,
    /// A tool looks for such names in folders.
    Search,
    /// The same for paths.
    SearchPaths,
}

impl Default for Globs {
    fn default() -> Self {
        Self { left: MOST_GLOBS, known: BTreeMap::new() }
    }
}

impl Globs {
    /// Whether a glob may mean a file of credentials, or a device where that counts, as more than all that is in a folder.
    pub(super) fn may_be_secret(&mut self, path: &str, reader: bool) -> bool {
        self.once(if reader { Use::Read } else { Use::Word }, path, || may_be_secret(path, reader))
    }

    /// Whether a pattern of a search, for names or for whole paths, may mean files of credentials.
    pub(super) fn is_sought(&mut self, pattern: &str, path: bool) -> bool {
        let used = if path { Use::SearchPaths } else { Use::Search };
        let lower = without_backslashes(&pattern.to_ascii_lowercase());
        let Some(meant) = alternatives(&lower) else { return true };
        // Else the word was looked at as the path of a file.
        let quoted = |one: &str| pattern.contains('\\') || one != lower && !one.contains(['*', '?', '[']);
        meant.iter().any(|one| quoted(one) && is_secret(one) || self.once(used, one, || is_sought(one, path)))
    }

    /// What is said of a glob, which may be anything when too many were looked at.
    fn once(&mut self, used: Use, glob: &str, look: impl FnOnce() -> bool) -> bool {
        let known = self.known.get(glob).and_then(|uses| uses.get(used as usize).copied().flatten());
        if let Some(known) = known {
            return known;
        }
        let Some(left) = self.left.checked_sub(glob.len()) else { return true };
        self.left = left;
        let found = look();
        if let Some(known) = self.known.entry(glob.to_owned()).or_default().get_mut(used as usize) {
            *known = Some(found);
        }
        found
    }
}

fn may_be_secret(path: &str, reader: bool) -> bool {
    let lower = path.to_ascii_lowercase();
    let names = names(&lower);
    let glob = Glob::of(&names);
    let by_name: &Pattern = if reader || path.contains('/') { &BY_NAME } else { &BY_NAME_BUT_WORDS };
    let particular = |pattern| glob.overlap(pattern).is_some_and(Overlap::is_particular);
    // Where it begins at the root, the path says enough; else `*/x` might be anywhere.
    let anchored = |pattern| match glob.overlap(pattern) {
        Some(overlap) => path.starts_with('/') || overlap.is_particular(),
        None => false,
    };
    glob.overlap(&BY_ENDING).is_some_and(Overlap::is_said)
        || particular(by_name)
        || particular(&BY_FOLDER)
        || anchored(&BY_PATH)
        || reader && !is_elsewhere(&names) && anchored(&DISKS)
}

/// Whether a path that may be one of `/dev` is none of a disk.
fn is_elsewhere(names: &[&str]) -> bool {
    names.get(1).is_some_and(|name| NO_DISKS.contains(name)) || names.last().is_some_and(|name| is_no_disk(name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "id_rsa~",
            "/etc/shadow.bak",
            "/etc/gshadow-",
            "/srv/.netrc.old",
            "/srv/wp-config.php.orig",
            "/srv/wp-config.php.save",
            "/srv/.wp-config.php.swp",
            "/srv/..env.swo",
            "/srv/secrets.yaml.1",
            "/srv/secrets.yaml.20260101",
            "/srv/secrets.yaml.bak.2",
            "/etc/ssl/site.key.old",
            "~/.docker/config.json.bak",
            "~/.aws/config",
            "~/.aws/models/x",
            "~/.kube/prod.yaml",
            "~/.kube/config-prod",
            "~/.config/gh/hosts.yml",
            "~/.config/gh/hosts.yml~",
            "~/.cargo/credentials.toml",
            "~/.claude/.credentials.json",
            "/etc/wireguard/wg0.conf",
            "/etc/wireguard",
            "/etc/letsencrypt/live/x/privkey.pem",
            "/etc/letsencrypt/archive/x/privkey12.pem",
        ] {
            assert!(is_secret(path), "{path}");
        }
        for path in ["/srv/../proc/1/environ", "/proc/1/root/proc/2/environ"] {
            assert!(is_secret(path), "{path}");
        }
        for path in [
            "/etc/passwd",
            "~/.ssh/known_hosts",
            "~/.ssh/config",
            "~/.ssh/id_rsa.pub",
            ".env.example",
            ".env.example.bak",
            ".env.example~",
            "~/.ssh/known_hosts.old",
            "~/.ssh/config.bak",
            "~/.ssh/id_rsa.pub.bak",
            "~/.kube/cache",
            "~/.kube/cache/discovery/x.json",
            "~/.cargo/config.toml",
            "~/.config/gh/config.yml",
            "/etc/letsencrypt/live/x/fullchain.pem",
            "/srv/private-keys.md",
            "/var/log/app.log.1",
            "app~",
            "~",
            "-",
            ".1",
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

    #[test]
    fn copies_of_copies_take_no_time() {
        for copy in ["~", ".1", ".swp", "-"] {
            assert_eq!(original(&format!("id_rsa{}", copy.repeat(20_000))), "id_rsa", "{copy}");
        }
    }

    #[test]
    fn devices_are_known_by_where_their_paths_lead() {
        for path in [
            "/dev/sda",
            "/srv/../dev/sda",
            "../../dev/sda",
            "/proc/1/root/dev/sda",
            "/proc/self/task/1/cwd/dev/mapper/x",
            "/proc/../proc/1/mem",
            "/./dev//mem",
            "/proc/1/root/proc/kcore",
        ] {
            assert!(is_device(path), "{path}");
        }
        for path in ["/dev/null", "/dev/../srv/x", "/srv/../dev/tty1", "/dev/fd/3", "/proc/1/root/srv/x", "dev"] {
            assert!(!is_device(path), "{path}");
        }
    }

    #[test]
    fn what_a_glob_may_be_is_what_constants_are() {
        // One letter of each path as a glob: it says as much as may be said without being constant.
        let ending = ENDINGS.map(|ending| format!("/srv/x{ending}"));
        let names = NAMES.map(|name| format!("/srv/{name}"));
        let places = PLACES.map(|(folder, meant)| format!("/srv/{folder}/{}", meant.replace('*', "x")));
        let copies = COPIES.map(|copy| format!("/srv/id_rsa{}", copy.replace('#', "7")));
        let numbered = NUMBERED.map(|(start, end)| format!("/srv/{start}4{end}"));
        let folders = FOLDERS.map(|folder| format!("/srv/{folder}"));
        let of_processes = OF_PROCESSES.map(|name| format!("/proc/1/{name}"));
        let all =
            [&ending[..], &names, &places, &copies, &numbered, &folders, &of_processes, &ANCHORED.map(str::to_owned)]
                .concat();
        for path in all.iter().map(String::as_str).chain(["/dev/sda", "/proc/kcore"]) {
            assert!(is_secret(path) || is_device(path), "{path}");
            let meant = path.strip_suffix("/x").unwrap_or(path);
            let at = meant.len() - 2;
            let glob = format!("{}?{}", &path[..at], &path[at + 1..]);
            assert!(Globs::default().may_be_secret(&glob, true), "{glob}");
        }
    }
}
