//! The grammar that all shells share.

use super::*;

fn commands(text: &str) -> Result<Vec<String>, String> {
    let script = parse(text);
    let texts = |command: &Simple| command.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    match script.problem {
        Some(why) => Err(why.into_owned()),
        None => Ok(script.commands.iter().map(texts).collect()),
    }
}

#[test]
fn every_command_of_a_text_is_found() {
    let all: [(&str, &[&str]); 16] = [
        ("a b", &["a b"]),
        ("a; b && c || d | e", &["a", "b", "c", "d", "e"]),
        ("a\nb\n\nc\n", &["a", "b", "c"]),
        ("a &\nb & c", &["a", "b", "c"]),
        ("! a | b", &["a", "b"]),
        ("(a; b) && c", &["a", "b", "c"]),
        ("{ a; b; } >/dev/null 2>&1", &["a", "b"]),
        ("if a; then b; elif c; then d; else e; fi", &["a", "b", "c", "d", "e"]),
        ("while a\ndo b\ndone", &["a", "b"]),
        ("until a; do b; done | c", &["a", "b", "c"]),
        ("for i in 1 2 *.c; do a; b; done", &["a", "b"]),
        ("a && \n b |\n c", &["a", "b", "c"]),
        ("2>/dev/null a </dev/null b >>/dev/null", &["a b"]),
        ("if (a); then { b; }; fi", &["a", "b"]),
        ("time -p a", &["time -p a"]),
        ("a if then fi do", &["a if then fi do"]),
    ];
    for (text, wanted) in all {
        assert_eq!(
            commands(text).as_deref(),
            Ok(wanted.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()),
            "{text}"
        );
    }
}

#[test]
fn other_grammar_is_refused() {
    let all = [
        "f() { a; }",
        "function f { a; }",
        "case a in a) b;; esac",
        "select x in a; do b; done",
        "[[ a ]]",
        "coproc a",
        "a=(b)",
        "a=b",
        "A=b;c",
        "for PATH in a; do b; done",
        "for path in a; do b; done",
        "for x; do a; done",
        "for x do a; done",
        "for x in a; { b; }",
        "a > b",
        "a >> b",
        "a < b",
        "a 2> b",
        "a >& b",
        "a 3>&1",
        "a 2>&-",
        "a >&-",
        "a 2>&3",
        ">/dev/null",
        "a >",
        "; a",
        "a ;; b",
        "a || ",
        "| a",
        "(a",
        "a)",
        "{ a",
        "{ a }",
        "if a; then b",
        "if a then b; fi",
        "while a; do b",
        "! ! a",
        "!",
        "repeat 3 a",
        "a (b)",
        "a(b)",
        "'' a",
        "*a b",
        "/bin/r? x",
        "-a",
        "%1",
        "~ a",
        "A=b if",
        "A=b time a",
        ">/dev/null if a; then b; fi",
        "i\\\nf a; then b; fi",
        "export A=b",
        "a }",
        "a {",
        "do a; done",
        "always",
        "noglob a",
        "a >&2>/dev/null",
        "a 2>&12",
        "in a",
        "time; if a; then b",
    ];
    for text in all {
        assert!(commands(text).is_err(), "{text:?}: {:?}", commands(text));
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |deep: usize| format!("{}a{}", "( ".repeat(deep), " )".repeat(deep));
    assert!(commands(&nested(MOST_DEPTH - 1)).is_ok());
    assert!(commands(&nested(MOST_DEPTH)).is_err());
    assert!(commands(&nested(15_000)).is_err());
    assert!(commands(&"a;".repeat(MOST_COMMANDS)).is_ok());
    assert!(commands(&"a;".repeat(MOST_COMMANDS + 1)).is_err());
}

#[test]
fn a_command_that_is_cut_short_by_a_problem_is_not_taken_for_a_whole_one() {
    let script = parse("a; b $x");
    assert_eq!(script.commands.len(), 1);
    assert!(script.problem.is_some());
}

#[test]
fn what_runs_behind_is_marked() {
    let marks = |text: &str| parse(text).commands.iter().map(|command| command.background).collect::<Vec<_>>();
    assert_eq!(marks("a; b && (c; d) & e"), [false, true, true, true, false]);
}
