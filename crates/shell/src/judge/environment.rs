//! `name=value` in front of a command: harmless where it only changes looks.

use crate::lexer::Word;

/// Whether the assignment changes nothing but looks. The error says that it may.
pub(super) fn check(word: &Word) -> Result<(), String> {
    let at = word.assignment.unwrap_or_default();
    let name = word.text.get(..at).unwrap_or_default();
    let value = word.text.get(at + 1..).unwrap_or_default();
    let fine = word.globs.is_empty() && !word.tilde && is_harmless(name, value);
    if fine { Ok(()) } else { Err(format!("`{}=…` may change what the command does", super::options::shown(name))) }
}

fn is_harmless(name: &str, value: &str) -> bool {
    // Names of locales, time zones and terminals are also looked up as paths: no way out of their folders.
    let word = |more: &str| value.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter));
    match name {
        "LANG" | "LANGUAGE" => word("_.@-:"),
        _ if name.starts_with("LC_") => word("_.@-"),
        "TZ" => word("_/+-") && !value.starts_with('/'),
        "TERM" | "COLORTERM" => word("+-_"),
        "COLUMNS" | "LINES" | "NO_COLOR" | "CLICOLOR" | "FORCE_COLOR" | "SYSTEMD_COLORS" => word(""),
        "DEBIAN_FRONTEND" => word(""),
        // Programs; `cat` and none are the two that start nothing else.
        "PAGER" | "GIT_PAGER" | "SYSTEMD_PAGER" | "MANPAGER" | "AWS_PAGER" => matches!(value, "" | "cat"),
        _ => false,
    }
}
