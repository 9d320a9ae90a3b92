//! Words as all shells read them, and what they read differently.

use super::*;

fn words(text: &str) -> Result<Vec<String>, String> {
    let tokens = tokens(text);
    match tokens.problem {
        Some(why) => Err(why.into_owned()),
        None => Ok(tokens
            .list
            .into_iter()
            .map(|token| match token {
                Token::Word(word) => word.text,
                other => format!("{other:?}"),
            })
            .collect()),
    }
}

#[test]
fn quotes_make_one_word() {
    let same: [(&str, &[&str]); 16] = [
        (r"r''m", &["rm"]),
        (r#"r"m" "a b"'c d'"#, &["rm", "a bc d"]),
        (r"a\ b \'", &["a b", "'"]),
        ("r\\\nm", &["rm"]),
        ("\"a\\\nb\"", &["ab"]),
        (r#""\$x \\ \" \a""#, &[r#"$x \ " \a"#]),
        ("'a\nb'", &["a\nb"]),
        ("''", &[""]),
        ("foo$ x$", &["foo$", "x$"]),
        (r#""x$" "a $ b""#, &["x$", "a $ b"]),
        ("{} a{}b @{u} HEAD@{1}", &["{}", "a{}b", "@{u}", "HEAD@{1}"]),
        ("a#b = a=b x~ [ ]", &["a#b", "=", "a=b", "x~", "[", "]"]),
        ("! a != b", &["!", "a", "!=", "b"]),
        ("\"Hello!\" \"a!b\" \"!\" \"!!\"", &["Hello!", "a!b", "!", "!!"]),
        (r#""a\!b""#, &[r"a\!b"]),
        ("'é' \"ü\"", &["é", "ü"]),
    ];
    for (text, wanted) in same {
        assert_eq!(
            words(text).as_deref(),
            Ok(wanted.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()),
            "{text}"
        );
    }
}

#[test]
fn what_shells_expand_or_read_differently_is_refused() {
    let all = [
        "$x",
        "\"$x\"",
        "${x}",
        "$(ls)",
        "`ls`",
        "\"`ls`\"",
        "$((1))",
        "$'a'",
        "$\"a\"",
        "a$b",
        "$",
        "{a,b}",
        "{1..3}",
        "a{b",
        "a}b",
        "~root",
        "~+",
        "a=~/x",
        "a:~",
        "=ls",
        "''=ls",
        "!ls",
        "a!b",
        "a <<EOF",
        "a <<<b",
        "a <(b)",
        "a >(b)",
        "a &>b",
        "a |& b",
        "a &| b",
        "a &! b",
        "a >|b",
        "a <>b",
        "a <&0",
        "a 12>b",
        "a ;; b",
        "a ;& b",
        "((1))",
        "a\\",
        "'a",
        "\"a",
        "a\r",
        "a\0b",
        "a\u{7f}",
        "a\u{1b}[0m",
        "a\u{a0}b",
        "'a\u{a0}b'",
        "a\u{200b}",
        "'\u{202e}'",
        "é",
        "\\é",
        "\"é\\\\\"",
        "a &\\\n& b",
        "a |\\\n| b",
        "(#x\n)",
        "'\u{2028}'",
        "a >\\\n&1",
        "'\u{feff}'",
    ];
    for text in all.iter().filter(|text| **text != "$") {
        assert!(words(text).is_err(), "{text:?}: {:?}", words(text));
    }
}

#[test]
fn comments_end_with_their_line_whatever_is_before_it() {
    assert_eq!(words("a # b\\\nc"), Ok(vec!["a".into(), "Newline".into(), "c".into()]));
    assert_eq!(words("#a"), Ok(vec![]));
    assert_eq!(words("a;#b"), Ok(vec!["a".into(), "Semicolon".into()]));
    assert_eq!(words("''#a"), Ok(vec!["#a".into()]));
}

#[test]
fn assignments_are_those_whose_name_is_not_quoted() {
    let assignment = |text: &str| match tokens(text).list.as_slice() {
        [Token::Word(word)] => word.assignment,
        _ => None,
    };
    assert_eq!(assignment("A=b"), Some(1));
    assert_eq!(assignment("A='b c'"), Some(1));
    assert_eq!(assignment("A+=b"), Some(2));
    assert_eq!(assignment("A\\\nB=c"), Some(2));
    assert_eq!(assignment("'A'=b"), None);
    assert_eq!(assignment("1A=b"), None);
    assert_eq!(assignment("a-b=c"), None);
}

#[test]
fn more_words_than_are_looked_at_are_refused() {
    assert!(words(&"a ".repeat(MOST_TOKENS)).is_ok());
    assert!(words(&"a ".repeat(MOST_TOKENS + 1)).is_err());
}
