//! The same words as real shells see: texts are run by dash and bash with `printf` as the command, and what they print is compared.
//! A shell that is not installed is left out; at least one must be there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod kit;

use std::path::Path;
use std::process::{Command, Stdio};

use kit::{Random, spelled};
use sallyport_shell::analyze;

/// How many texts each test runs in each shell.
const TEXTS: usize = 1500;

fn shells() -> Vec<&'static str> {
    let all = ["dash", "bash", "zsh", "ksh", "ksh93", "mksh", "busybox"];
    let there =
        |shell: &&str| Command::new(shell).args(words_of(shell, ":")).output().is_ok_and(|out| out.status.success());
    let found: Vec<&str> = all.into_iter().filter(there).collect();
    assert!(!found.is_empty(), "no shell to compare with");
    found
}

fn words_of<'a>(shell: &str, text: &'a str) -> Vec<&'a str> {
    if shell == "busybox" { vec!["sh", "-c", text] } else { vec!["-c", text] }
}

/// What the commands of a text print, one after the other, in an empty folder.
fn printed(shell: &str, text: &str, folder: &Path) -> Option<Vec<u8>> {
    let out =
        Command::new(shell).args(words_of(shell, text)).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    out.status.success().then_some(out.stdout)
}

/// What `printf '%s\0'` prints for these words.
fn expected(words: &[String]) -> Vec<u8> {
    if words.is_empty() {
        return vec![0];
    }
    words.iter().flat_map(|word| word.bytes().chain([0])).collect()
}

#[test]
fn words_in_any_constant_spelling_are_the_same_words_everywhere() {
    let mut random = Random::new(11);
    let (shells, folder) = (shells(), tempfile::tempdir().unwrap());
    for _ in 0..TEXTS {
        let words: Vec<String> = (0..1 + random.below(4)).map(|_| word(&mut random)).collect();
        let blank = random.pick(&[" ", "\t", "  ", " \\\n", "\\\n\t"]);
        let text = words.iter().fold("printf '%s\\0'".to_owned(), |text, word| {
            text + blank.trim_end_matches('\\') + " " + &spelled(&mut random, word)
        });
        let analysis = analyze(text.as_bytes());
        let part = analysis.parts.first().unwrap_or_else(|| panic!("{text:?}: {:?}", analysis.reasons));
        assert_eq!((analysis.parts.len(), part.constant, &part.argv[2..]), (1, true, &words[..]), "{text:?}");
        for shell in &shells {
            assert_eq!(printed(shell, &text, folder.path()), Some(expected(&words)), "{shell}: {text:?}");
        }
    }
}

fn word(random: &mut Random) -> String {
    const LETTERS: [char; 44] = [
        'a', 'b', 'Z', '0', '9', '_', '-', '.', '/', ',', ':', '=', '+', '@', '%', '^', ' ', '\t', '\n', '\'', '"',
        '\\', '$', '`', '*', '?', '[', ']', '{', '}', '(', ')', '<', '>', '|', '&', ';', '#', '~', '!', 'é', '日', 'x',
        'n',
    ];
    (0..random.below(8)).map(|_| random.pick(&LETTERS)).collect()
}

#[test]
fn what_is_called_constant_is_what_shells_make_of_it() {
    let mut random = Random::new(12);
    let (shells, folder) = (shells(), tempfile::tempdir().unwrap());
    let (mut certain, mut tries) = (0, 0);
    while certain < TEXTS {
        tries += 1;
        assert!(tries < TEXTS * 200, "only {certain} texts were certain");
        let text = (0..1 + random.below(3)).fold(String::new(), |text, _| {
            text + "printf '%s\\0' " + &noise(&mut random) + random.pick(&["\n", ";", " && ", "; "])
        });
        let text = text.trim_end_matches([';', '&', ' ', '\n']);
        let analysis = analyze(text.as_bytes());
        let all_print = analysis.parts.iter().all(|part| {
            part.constant
                && !part.background
                && part.argv.first().is_some_and(|name| name == "printf")
                && part.argv.get(1).is_some_and(|format| format == "%s\\0")
        });
        let unknown = analysis.actions.iter().any(|action| action.effect == model::Effect::Unknown);
        if unknown || !all_print {
            continue;
        }
        certain += 1;
        let wanted: Vec<u8> = analysis.parts.iter().flat_map(|part| expected(&part.argv[2..])).collect();
        for shell in &shells {
            let got = printed(shell, text, folder.path());
            assert_eq!(
                got.as_deref().map(String::from_utf8_lossy),
                Some(String::from_utf8_lossy(&wanted)),
                "{shell}: {text:?}"
            );
        }
    }
}

/// Letters that mean something to shells, without those that start a second process or open files.
fn noise(random: &mut Random) -> String {
    const PIECES: [&str; 48] = [
        "a", "b", "c", " ", " ", "\t", "'", "'", "\"", "\"", "\\", "\\\n", "\\\\", "\\'", "\\\"", "$", "\\$", "~",
        "~/", "!", "=", "#", " #", "{", "}", "{}", "@{0}", "[", "]", "*", "?", "^", "%", "@", "+", ",", "-", ".", "..",
        "/", ":", "_", "0", "2", "''", "\"\"", "x=y", "''é''",
    ];
    (0..1 + random.below(12)).map(|_| random.pick(&PIECES)).collect()
}

#[test]
fn no_shell_runs_a_command_that_was_not_seen() {
    let mut random = Random::new(13);
    let (shells, folder) = (shells(), tempfile::tempdir().unwrap());
    let (mut read, mut tries) = (0, 0);
    while read < TEXTS / 2 {
        tries += 1;
        assert!(tries < TEXTS * 100, "only {read} texts were read");
        let mut tokens = list(&mut random, 3);
        for _ in 0..random.below(3) {
            let at = random.below(tokens.len());
            match random.below(3) {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, random.pick(&MARKS).to_owned()),
                _ => tokens[at] = random.pick(&MARKS).to_owned(),
            }
            if tokens.is_empty() {
                tokens.push(":".to_owned());
            }
        }
        let text = tokens
            .iter()
            .fold(String::new(), |text, token| text + token + random.pick(&[" ", " ", " ", "", "\t", " \\\n"]));
        let analysis = analyze(text.as_bytes());
        if analysis.actions.iter().any(|action| action.effect == model::Effect::Unknown) {
            continue;
        }
        read += 1;
        let said: Vec<String> = analysis.parts.iter().map(|part| part.argv[1..].join(" ")).collect();
        for shell in &shells {
            let out = Command::new(shell)
                .args(words_of(shell, &text))
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            // What a shell itself says came by `2>&1`.
            for line in String::from_utf8_lossy(&out.stdout).lines().filter(|line| !line.contains(':')) {
                assert!(said.iter().any(|part| part == line), "{shell}: {text:?} printed {line:?}");
            }
        }
    }
}

/// What lists are made of. No loops that might not end. Words that shells print are numbers.
const MARKS: [&str; 30] = [
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
    "elif",
    "fi",
    "for",
    "in",
    "do",
    "done",
    "!",
    "#",
    "echo",
    "17",
    "18",
    "i",
    "2>&1",
    ">/dev/null",
    "'",
    "\"",
    "case",
];

/// A list of commands by the grammar, so deep at most.
fn list(random: &mut Random, depth: usize) -> Vec<String> {
    let mut out = Vec::new();
    for at in 0..1 + random.below(3) {
        if at > 0 {
            out.push(random.pick(&[";", "\n", "&&", "||", "|", "; !", "&& !"]).to_owned());
        }
        let inner = |random: &mut Random| list(random, depth - 1).join(" ");
        let one = match random.below(if depth == 0 { 1 } else { 8 }) {
            1 => format!("( {} )", inner(random)),
            2 => format!("{{ {} ; }}", inner(random)),
            3 => format!("if {} ; then {} ; fi", inner(random), inner(random)),
            4 => format!("if {} ; then {} ; else {} ; fi", inner(random), inner(random), inner(random)),
            5 => format!("! {}", inner(random)),
            6 => format!("for i in 1 2 ; do {} ; done", inner(random)),
            _ => format!("echo {}", random.below(1000)),
        };
        out.extend(one.split(' ').map(str::to_owned));
    }
    out
}

/// Files of credentials, in a folder of their own.
const SECRETS: [&str; 7] =
    ["secrets.yaml", "wp-config.php", "id_rsa", "credentials", "site-key.pem", "backup.kdbx", "privkey1.pem"];

#[test]
fn no_shell_finds_a_file_of_credentials_by_a_glob_that_is_not_asked_for() {
    let mut random = Random::new(14);
    let (shells, folder) = (shells(), tempfile::tempdir().unwrap());
    for name in SECRETS {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let mut globs: Vec<String> = Vec::new();
    let mut found = 0;
    for _ in 0..TEXTS * 20 {
        globs.push(holed(&mut random));
        // A shell is slow to start, and says by lines which globs it filled in.
        if globs.len() < 500 {
            continue;
        }
        let text: String = globs.iter().map(|glob| format!("printf '%s ' {glob}\necho\n")).collect();
        for shell in &shells {
            let out = printed(shell, &text, folder.path()).unwrap();
            let lines = String::from_utf8_lossy(&out).lines().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(lines.len(), globs.len(), "{shell}");
            for (glob, line) in globs.iter().zip(lines) {
                if line.split(' ').any(|name| SECRETS.contains(&name)) {
                    found += 1;
                    assert!(is_asked_for(glob), "{shell}: {glob} is {line}");
                }
            }
        }
        globs.clear();
    }
    assert!(found > TEXTS, "{found}");
}

/// Whether a command that reads what a glob means is more than that command.
fn is_asked_for(glob: &str) -> bool {
    let asks = |action: &model::Action| {
        let of_path = action.object.as_ref().is_some_and(|object| object.kind == model::ObjectKind::Path);
        of_path || action.effect == model::Effect::Unknown
    };
    analyze(format!("cat /srv/{glob}").as_bytes()).actions.iter().any(asks)
}

/// A name of which some letters are sets that may be them.
fn holed(random: &mut Random) -> String {
    const PIECES: [&str; 30] = [
        "0",
        "9",
        "0-9",
        "9-0",
        "-",
        "--",
        "-9",
        "+-",
        "*-9",
        ",-.",
        "[!]-[~]",
        ".",
        "!",
        "^",
        "[",
        "]",
        "a",
        "x-z",
        "[:digit:]",
        "[:alpha:]",
        "[:punct:]",
        "[:",
        ":]",
        "[=-=]",
        "[.-.]",
        "[.period.]",
        "[=",
        "=]",
        "[.",
        ".]",
    ];
    let name = random.pick(&SECRETS);
    let mut glob = String::new();
    for letter in name.chars() {
        let odd = !letter.is_ascii_alphanumeric();
        if !random.one_in(if odd { 2 } else { 6 }) {
            glob.push(letter);
            continue;
        }
        glob.push('[');
        let at = random.below(3);
        for place in 0..3 {
            if place == at {
                glob.push(letter);
            } else if random.one_in(2) {
                glob.push_str(random.pick(&PIECES));
            }
        }
        if !random.one_in(12) {
            glob.push(']');
        }
    }
    glob
}
