//! Ten thousand ways to say what is forbidden: spelled, wrapped, nested at random. None of them is harmless.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod kit;

use kit::{Random, spelled};
use model::{Effect, Tool};
use sallyport_shell::{Analysis, Tools, analyze, analyze_with};

const TEXTS: usize = 10_000;

/// What nobody may do here.
const FORBIDDEN: [&[&str]; 24] = [
    &["rm", "-rf", "/srv/data"],
    &["rm", "/srv/data/it's"],
    &["mv", "/srv/a", "/srv/b"],
    &["chmod", "-R", "777", "/srv"],
    &["chown", "root:root", "/srv/x y"],
    &["dd", "if=/dev/zero", "of=/dev/sda"],
    &["truncate", "-s", "0", "/srv/x"],
    &["tee", "/etc/passwd"],
    &["cp", "/tmp/x", "/etc/cron.d/x"],
    &["ln", "-s", "/etc/shadow", "/srv/x"],
    &["kill", "-9", "1"],
    &["systemctl", "stop", "nginx"],
    &["reboot"],
    &["useradd", "eve"],
    &["curl", "http://127.0.0.1/$(x)"],
    &["find", "/srv", "-delete"],
    &["sed", "-i", "s/a/b/", "/etc/hosts"],
    &["awk", "BEGIN{system(\"rm /x\")}"],
    &["python3", "-c", "import os; os.remove('/srv/x')"],
    &["perl", "-e", "unlink '/srv/x'"],
    &["kubectl", "delete", "ns", "prod"],
    &["docker", "run", "-v", "/:/x", "y"],
    &["git", "push", "--force"],
    &["sort", "-o", "/etc/passwd", "/tmp/x"],
];

/// The same where a policy says what a house's own program does.
const OF_THE_HOUSE: [&[&str]; 12] = [
    &["deployctl", "restart", "web"],
    &["deployctl", "--env=prod", "stop", "web-1"],
    &["/usr/local/bin/deployctl", "restart"],
    &["deployctl", "status", "--prune"],
    &["deployctl", "status", "-vp"],
    &["deployctl", "status", "--not-listed"],
    &["deployctl", "status", "a", "b"],
    &["deployctl", "status-all"],
    &["deployctl", "not-listed", "status"],
    &["deployctl"],
    &["./deployctl", "status"],
    &["showctl", "-x", "--write=/srv/x"],
];

fn house() -> Tools {
    let tool = |command: &str, does: Effect, options: &str| Tool {
        command: command.to_owned(),
        does: std::iter::once(does).collect(),
        options: (!options.is_empty()).then(|| options.to_owned()),
        why: String::new(),
    };
    Tools::new(&[
        tool("deployctl", Effect::Execute, "--env="),
        tool("deployctl status", Effect::Read, "-vo: -p!delete --prune!delete most:1!admin"),
        tool("deployctl restart|stop", Effect::Admin, ""),
        tool("showctl", Effect::Read, "-x --write=!write"),
    ])
    .unwrap()
}

fn command(random: &mut Random, forbidden: &[&[&str]]) -> String {
    let words = random.pick(forbidden);
    let mut text = String::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            text.push_str(random.pick(&[" ", "  ", "\t", " \\\n"]));
        }
        text.push_str(&if random.one_in(3) { spelled(random, word) } else { quoted(word) });
    }
    text
}

/// As plain as it can be said.
fn quoted(word: &str) -> String {
    model::argv::join(&[word.to_owned()])
}

/// A text around a text. `inner` may be several lines, but never ends with a separator.
fn wrapped(random: &mut Random, inner: &str) -> String {
    let literal = quoted(inner);
    let simple = !inner.contains(['\n', ';', '|', '&', '(', '{']) && !inner.contains("$") && !inner.contains('`');
    let prefix = random.pick(&[
        "timeout 5",
        "nice -n 3",
        "env",
        "nohup",
        "setsid",
        "command",
        "exec",
        "time",
        "sudo -n",
        "busybox",
        "stdbuf -oL",
        "ionice -c3",
        "xargs",
        "strace",
        "doas",
        "chroot /",
    ]);
    match random.below(44) {
        0..=5 if simple => format!("{prefix} {inner}"),
        0 => format!("({inner})"),
        1 => format!("{{ {inner}; }}"),
        2 => format!("if true; then {inner}; fi"),
        3 => format!("if {inner}; then true; fi"),
        4 => format!("for i in 1 2; do {inner}; done"),
        5 => format!("while true; do {inner}; break; done"),
        6 => format!("ls; {inner}"),
        7 => format!("{inner}; ls"),
        8 => format!("ls && {inner}"),
        9 => format!("ls || {inner}"),
        10 => format!("ls | {inner}"),
        11 => format!("{inner} | cat"),
        12 => format!("{inner} &"),
        13 => format!("ls # harmless\n{inner}"),
        14 => format!("ls\n{inner}"),
        15 => format!("f() {{ {inner}; }}; f"),
        16 => format!("eval {literal}"),
        17 => format!("sh -c {literal}"),
        18 => format!("bash -lc {literal}"),
        19 => format!("echo {} | base64 -d | sh", base64(inner.as_bytes())),
        20 => format!("echo $({inner})"),
        21 => format!("echo `{inner}`"),
        22 => format!("echo \"$({inner})\""),
        23 => format!("x={literal}; eval \"$x\""),
        24 => format!("cat <<'EOF' | sh\n{inner}\nEOF"),
        25 => format!("sh <<< {literal}"),
        26 => format!("sh <(echo {literal})"),
        27 => format!("trap {literal} EXIT"),
        28 => format!("alias ls={literal}; ls"),
        29 => format!("ssh localhost {literal}"),
        30 => format!("echo {literal} | sh"),
        31 => format!("find . -maxdepth 0 -exec sh -c {literal} \\;"),
        32 => format!("printf %s {literal} | bash -s"),
        33 => format!("! {inner}"),
        34 => format!("case x in x) {inner};; esac"),
        35 => format!("watch {literal}"),
        36 => format!("echo {literal} | at now"),
        37 => format!("until {inner}; do sleep 1; done"),
        38 => format!("echo {literal} > ~/.bashrc"),
        39 => format!("su -c {literal}"),
        40 => format!("coproc {inner}"),
        41 => format!("{{ {inner}; }} >/dev/null 2>&1"),
        42 => format!("(cd /srv; {inner}) 2>/dev/null"),
        _ => format!("true;{inner}"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_usize, |group, byte| group << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            out.push(if at <= chunk.len() { char::from(LETTERS[group >> (18 - 6 * at) & 63]) } else { '=' });
        }
    }
    out
}

fn is_harmless(analysis: &Analysis) -> bool {
    analysis.actions.iter().all(|action| matches!(action.effect, Effect::Read | Effect::Session | Effect::Connect))
}

#[test]
fn nothing_forbidden_is_harmless_however_it_is_said() {
    nothing_is_harmless(&FORBIDDEN, &Tools::default());
}

#[test]
fn nothing_is_harmless_that_a_policy_does_not_say_is() {
    let house = house();
    for fine in ["deployctl status web", "deployctl --env=prod status -v", "showctl -x y | grep y"] {
        assert!(is_harmless(&analyze_with(fine.as_bytes(), &house)), "{fine}");
    }
    nothing_is_harmless(&OF_THE_HOUSE, &house);
    nothing_is_harmless(&FORBIDDEN, &house);
}

fn nothing_is_harmless(forbidden: &[&[&str]], tools: &Tools) {
    let mut random = Random::new(7);
    let mut certain = 0;
    for _ in 0..TEXTS {
        let mut text = command(&mut random, forbidden);
        for _ in 0..random.below(4) {
            text = wrapped(&mut random, &text);
        }
        let analysis = analyze_with(text.as_bytes(), tools);
        assert!(!is_harmless(&analysis), "{text:?}: {:?}", analysis.actions);
        certain += usize::from(!analysis.actions.iter().any(|action| action.effect == Effect::Unknown));
    }
    // The test would say nothing if all were refused for some other reason.
    assert!(certain > TEXTS / 5, "{certain}");
}

#[test]
fn a_command_alone_is_always_seen_through() {
    let mut random = Random::new(8);
    for _ in 0..TEXTS / 5 {
        let words = random.pick(&FORBIDDEN);
        let text = words.iter().map(|word| spelled(&mut random, word)).collect::<Vec<_>>().join(" ");
        let analysis = analyze(text.as_bytes());
        assert_eq!(
            analysis.parts.first().map(|part| part.argv.iter().map(String::as_str).collect::<Vec<_>>()),
            Some(words.to_vec()),
            "{text:?}"
        );
        assert_eq!(
            analysis.actions,
            analyze(model::argv::join(&analysis.parts[0].argv).as_bytes()).actions,
            "{text:?}"
        );
    }
}
