//! Texts of shell command lines: read, judged, and each constant command said again.

use anyhow::Result;
use model::{Effect, ObjectKind};
use shell::analyze;

use crate::driver::Target;
use crate::mutate::mutate;
use crate::random::Random;

/// The longest text has at most so many words, and each wrapper around a command holds its words again: 64 KiB eight deep, with an object for every
/// effect.
const MEMORY: usize = 64 * 1024 * 1024;

/// Texts of shell command lines.
pub const TARGET: Target = Target { name: "shell", make, memory: MEMORY, run };

/// Pieces of command lines, honest and not.
const PIECES: [&str; 96] = [
    "ls",
    "cat",
    "grep -r x",
    "rm -rf /srv",
    "git log",
    "git -c a=b",
    "kubectl get pods",
    "kubectl -n dev",
    "find . -name '*.c'",
    "-exec",
    "{} \\;",
    "{} +",
    "-delete",
    "sed -n",
    "'1,5p'",
    "'s/a/b/w x'",
    "awk",
    "'{print $1}'",
    "'BEGIN{system(\"x\")}'",
    "xargs",
    "sort -o",
    "tar xzf",
    "timeout 5",
    "nice",
    "nohup",
    "sudo -n",
    "env",
    "sh -c",
    "bash -lc",
    "'ls; rm x'",
    "\"ls | cat\"",
    "scp -t",
    "scp -r -f",
    "rsync --server --sender -logDtpre.iLsfxCIvu .",
    "git-upload-pack",
    "dd if=a",
    "of=b",
    "test -f",
    "[ -d x ]",
    "printf '%d'",
    "set -e",
    "docker ps",
    "aws ec2 describe-instances",
    "systemctl status x",
    "ip a",
    "date +%F",
    "/srv/x",
    "~/x",
    "~",
    "../x",
    "a/../b",
    "/var/log/*.log",
    "*",
    "?",
    "[a]",
    "/etc/sh?dow",
    ";",
    "\n",
    "&&",
    "||",
    "|",
    "&",
    "(",
    ")",
    "{",
    "}",
    "if",
    "then",
    "else",
    "fi",
    "while",
    "do",
    "done",
    "for i in",
    "!",
    "time",
    "#",
    "2>&1",
    ">/dev/null",
    "> x",
    "'",
    "\"",
    "\\",
    "\\\n",
    "$",
    "$x",
    "$(",
    "`",
    "A=b",
    "LC_ALL=C",
    "--",
    "-",
    "--x=y",
    "é",
    "\t",
    "''",
];

fn make(random: &mut Random) -> Result<Vec<u8>> {
    let mut text = pieces(random);
    if random.one_in(3) {
        let donor = pieces(random);
        mutate(random, &mut text, &donor);
    }
    if random.one_in(400) {
        // As long as it may be, and longer.
        text = text.repeat(1 + 70_000 / text.len().max(1));
    }
    Ok(text)
}

fn pieces(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=random.below(12) {
        text.extend_from_slice(random.pick(&PIECES).as_bytes());
        if !random.one_in(6) {
            text.push(b' ');
        }
    }
    text
}

fn run(data: &[u8]) {
    let analysis = analyze(data);
    assert!(!analysis.actions.is_empty() && analysis.actions.is_sorted(), "no actions, or out of order");
    assert!(analysis.actions.windows(2).all(|pair| pair.first() != pair.last()), "an action twice");
    assert!(
        analysis.reasons.len() <= 16 && analysis.reasons.iter().all(|reason| reason.len() < 400),
        "{:?}",
        analysis.reasons
    );
    assert!(analysis.reasons.iter().all(|reason| !reason.contains(char::is_control)), "{:?}", analysis.reasons);
    for part in &analysis.parts {
        assert!(!part.argv.is_empty() && !part.actions.is_empty());
        assert!(
            part.actions.iter().all(|action| analysis.actions.contains(action)),
            "an action of a part is missing in the whole"
        );
    }
    for object in analysis.actions.iter().filter_map(|action| action.object.as_ref()) {
        if object.kind == ObjectKind::Command && object.name != "?." {
            let words = model::argv::split(&object.name);
            assert!(words.is_some_and(|words| model::argv::join(&words) == object.name), "{}", object.name);
        }
    }
    for part in analysis.parts.iter().filter(|part| part.constant && !part.background) {
        again(part);
    }
}

/// The canonical text of a constant command means what the command meant; but for words that are grammar, assignments or expansions where they stand
/// bare.
fn again(part: &shell::Part) {
    let canonical = model::argv::join(&part.argv);
    let second = analyze(canonical.as_bytes());
    if second.parts.len() == 1 && second.parts.iter().all(|one| one.argv == part.argv && one.constant) {
        let uncertain = part.actions.iter().any(|action| action.effect == Effect::Unknown);
        assert!(
            second.actions == part.actions || uncertain,
            "{canonical}: {:?} then {:?}",
            part.actions,
            second.actions
        );
    } else {
        let bare = |word: &String| {
            word.starts_with(['=', '-', '+', '%', '@'])
                || word.contains('=')
                || !word.contains(|letter: char| !letter.is_ascii_lowercase())
        };
        assert!(part.argv.iter().any(bare) || canonical.len() > shell::analysis::MOST_BYTES, "{canonical}: {second:?}");
    }
}
