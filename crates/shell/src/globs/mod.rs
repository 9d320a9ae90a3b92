//! Words of a command as tools see them, and what a word with globs may turn into.
//!
//! - `sets`: what is between brackets

mod sets;

use crate::lexer::{Why, Word};
pub(crate) use sets::{Set, set};

/// What a word may be when the shell is done with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// This text.
    Constant,
    /// `~` or a path below it: one word, a path.
    Home,
    /// Any number of words that begin as this text does: operands.
    Glob,
    /// Any number of words, which may be options as well.
    Wild,
}

/// A word of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Arg {
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

impl Arg {
    /// A word that is what it says.
    pub(crate) fn constant(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: Kind::Constant }
    }

    /// Whether the shell makes other words of it.
    pub(crate) fn is_glob(&self) -> bool {
        matches!(self.kind, Kind::Glob | Kind::Wild)
    }

    /// A word of a text. The error says why nobody knows what it turns into.
    pub(crate) fn of(word: &Word) -> Result<Self, Why> {
        let kind = match word.globs.first() {
            None if word.tilde => Kind::Home,
            None => Kind::Constant,
            Some(first) => glob(word, *first)?,
        };
        Ok(Self { text: word.text.clone(), kind })
    }
}

fn glob(word: &Word, first: usize) -> Result<Kind, Why> {
    let before = word.text.get(..first).unwrap_or_default();
    if before.starts_with('-') {
        // `--include=*.log` stays the same option whatever it becomes.
        return match before.split_once('=') {
            Some((name, _)) if name.len() > 2 && name.starts_with("--") => Ok(Kind::Glob),
            _ => Err("an option with a glob in it".into()),
        };
    }
    let components = components(word);
    let from = components.iter().position(|component| component.wild).unwrap_or_default();
    for component in components.iter().skip(from) {
        if component.text == ".." || (component.wild && component.text.starts_with('.')) {
            return Err("a glob that may lead out of where it begins".into());
        }
    }
    if may_be_secret(&components) {
        return Err("a glob that may mean a file of credentials".into());
    }
    Ok(if before.is_empty() { Kind::Wild } else { Kind::Glob })
}

/// One name of a path.
struct Component<'t> {
    text: &'t str,
    /// An unquoted glob is in it.
    wild: bool,
}

fn components(word: &Word) -> Vec<Component<'_>> {
    let mut start = 0;
    let mut list = Vec::new();
    for text in word.text.split('/') {
        let end = start + text.len();
        // They are in order: a path of thousands of components is looked through once.
        let next = word.globs.get(word.globs.partition_point(|at| *at < start));
        let wild = next.is_some_and(|at| *at < end);
        list.push(Component { text, wild });
        start = end + 1;
    }
    list.retain(|component| !component.text.is_empty() && component.text != ".");
    list
}

/// Names of files that hold credentials, wherever they are.
pub(crate) const NAMES: [&str; 39] = [
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".env",
    ".git-credentials",
    ".vault-token",
    ".htpasswd",
    ".npmrc",
    ".pypirc",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials",
    "shadow",
    "gshadow",
    "secring.gpg",
    "krb5.keytab",
    ".bash_history",
    ".zsh_history",
    ".psql_history",
    ".mysql_history",
    ".rediscli_history",
    ".python_history",
    ".boto",
    ".s3cfg",
    ".dockercfg",
    ".terraformrc",
    "rclone.conf",
    "kubeconfig",
    "opasswd",
    "master.key",
    "wp-config.php",
    "terraform.tfstate",
    "secrets.yaml",
    "secrets.yml",
    "secrets.json",
    "secrets.env",
];
/// Names that mean a secret: where they are (the folders before, `**` for any, `*` for one), and the name itself. A rule of a policy that
/// names such a file by its text must not be passed by a glob that only might mean it.
const SECRETS: [(&[&str], &str); 27] = [
    (&["etc"], "shadow"),
    (&["etc"], "shadow-"),
    (&["etc"], "gshadow"),
    (&["etc"], "sudoers"),
    (&["etc", "ssh"], "ssh_host_rsa_key"),
    (&["etc", "ssh"], "ssh_host_ed25519_key"),
    (&["etc", "ssl"], "private"),
    (&["etc", "kubernetes"], "admin.conf"),
    (&[], "root"),
    (&["**"], ".ssh"),
    (&["**"], ".aws"),
    (&["**"], ".kube"),
    (&["**"], ".gnupg"),
    (&["**"], ".docker"),
    (&["**"], ".azure"),
    (&["**"], ".config"),
    (&["**"], ".netrc"),
    (&["**"], ".pgpass"),
    (&["**"], ".env"),
    (&["**"], ".git-credentials"),
    (&["**"], ".vault-token"),
    (&["**"], "id_rsa"),
    (&["**"], "id_ed25519"),
    (&["**"], "credentials"),
    (&["**"], "authorized_keys"),
    (&["proc", "*"], "environ"),
    (&["proc", "*", "task", "*"], "environ"),
];

/// In at most so many folders [`SECRETS`] says they are.
const MOST_FOLDERS: usize = 4;

/// Whether a glob in the path may stand for one of [`SECRETS`], as more than "anything in here".
fn may_be_secret(path: &[Component<'_>]) -> bool {
    path.iter().enumerate().filter(|(_, component)| component.wild).any(|(at, component)| {
        // A bare `*` names nothing in particular: it is what a listing of the folder is. Except where the folder is that of secrets.
        let particular = component.text.bytes().any(|byte| byte != b'*');
        if !particular && at > MOST_FOLDERS {
            return false;
        }
        let glob = pieces(component.text);
        let length = (!glob.contains(&Piece::Run)).then_some(glob.len());
        let hidden = component.text.starts_with('.');
        let means = |name: &str| {
            name.starts_with('.') == hidden && length.is_none_or(|length| length == name.len()) && fits(&glob, name)
        };
        // Of other names those that nobody means by a glob for something else.
        hidden && NAMES.iter().any(|name| means(name))
            || SECRETS.iter().any(|(folders, name)| {
                (particular || !(folders.is_empty() || folders.contains(&"**")))
                    && means(name)
                    && in_folders(path.get(..at).unwrap_or_default(), folders)
            })
    })
}

fn in_folders(path: &[Component<'_>], folders: &[&str]) -> bool {
    folders.contains(&"**")
        || path.len() == folders.len()
            && path.iter().zip(folders).all(|(component, folder)| {
                *folder == "*" || component.text == *folder || component.wild && matches(component.text, folder)
            })
}

/// Whether a glob may match a name.
pub(crate) fn matches(glob: &str, name: &str) -> bool {
    name.starts_with('.') == glob.starts_with('.') && fits(&pieces(glob), name)
}

/// The same where their first letters may be. Two pointers, one step back: linear but for the star, which is bounded by the short name.
fn fits(pattern: &[Piece], name: &str) -> bool {
    let name = name.as_bytes();
    let (mut p, mut n, mut back) = (0, 0, None);
    while let Some(letter) = name.get(n) {
        match pattern.get(p) {
            Some(Piece::Run) => {
                back = Some((p + 1, n + 1));
                p += 1;
            }
            Some(piece) if piece.may_be(*letter) => (p, n) = (p + 1, n + 1),
            Some(_) | None => match back {
                Some((after, from)) => {
                    (p, n) = (after, from);
                    back = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|piece| *piece == Piece::Run)
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Letter(u8),
    Any,
    Run,
    /// What is between brackets.
    Set(Set),
}

impl Piece {
    fn may_be(&self, letter: u8) -> bool {
        match self {
            Self::Letter(own) => *own == letter,
            Self::Any | Self::Run => true,
            Self::Set(set) => set.may_be(letter),
        }
    }
}

fn pieces(glob: &str) -> Vec<Piece> {
    let mut list = Vec::new();
    let mut rest = glob.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'*' if list.last() == Some(&Piece::Run) => {}
            b'*' => list.push(Piece::Run),
            b'?' => list.push(Piece::Any),
            b'[' => {
                // Without an end it may be anything.
                let Some((set, length)) = set(after) else {
                    list.push(Piece::Run);
                    break;
                };
                list.push(Piece::Set(set));
                rest = after.get(length..).unwrap_or_default();
            }
            letter => list.push(Piece::Letter(*letter)),
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::{Token, tokens};

    fn kind(text: &str) -> Option<Kind> {
        match tokens(text).list.as_slice() {
            [Token::Word(word)] => Arg::of(word).ok().map(|arg| arg.kind),
            _ => None,
        }
    }

    #[test]
    fn globs_below_a_constant_are_operands() {
        for text in [
            "/var/log/*.log",
            "logs/*.gz",
            "./*",
            "~/logs/*",
            "--include=*.log",
            "/proc/[0-9]*/status",
            "/users/*",
            "app-?.txt",
            "/etc/[[:digit:]]hadow",
            "logs/[0-9]'a b'",
        ] {
            assert_eq!(kind(text), Some(Kind::Glob), "{text}");
        }
        assert_eq!(kind("*.log"), Some(Kind::Wild));
        assert_eq!(kind("''*"), Some(Kind::Wild));
        assert_eq!(kind("'*'"), Some(Kind::Constant));
    }

    #[test]
    fn globs_that_hide_where_they_lead_are_refused() {
        let all = [
            "/etc/sh?dow",
            "/etc/s[h]adow",
            "/e*c/shado?",
            "/etc/*",
            "/etc/*ow",
            "/users/app/.s??/id",
            "/srv/.*",
            "/srv/*/../x",
            "-*",
            "--x*",
            "/roo?",
            "/proc/*/envir?n",
            "~/.ss?/known_hosts",
            "/srv/i[d]_rsa",
            "/proc/self/e*n",
            "/etc/[s",
            "/etc/[[:alpha:]]hadow",
            "/etc/[[.s.]]hadow",
            "/etc/[[=s=]]hadow",
            "/etc/[a[:alpha:]]hadow",
            "/etc/[^[:digit:]]hadow",
            "/etc/[]s]hadow",
            "/etc/[!]]hadow",
            "/etc/[[:alpha]hadow",
            "/etc/[[:alpha:]hadow",
            "/etc/[s\"]\"]hadow",
            "/etc/[s\\]]hadow",
            "/etc/[]']'s]hadow",
        ];
        for text in all {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_are_in_so_many_folders() {
        assert_eq!(SECRETS.iter().map(|(folders, _)| folders.len()).max(), Some(MOST_FOLDERS));
    }

    #[test]
    fn a_long_glob_takes_no_time() {
        let long = format!("/etc/{}", "*a?".repeat(10_000));
        assert_eq!(kind(&long), Some(Kind::Glob));
        for piece in ["[a]", "[a]''", "[/", "[[:/", "[/''", "[[:alpha:]]/''"] {
            let long = piece.repeat(60_000 / piece.len());
            let known = kind(&format!("/srv/{long}''"));
            assert_eq!(known.is_some(), !piece.contains("/") || piece.contains(":]"), "{piece}");
        }
    }
}
