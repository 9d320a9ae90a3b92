//! Small pieces of text: colours, durations, and making foreign text harmless.

use std::borrow::Cow;
use std::fmt::Write;

/// Adds ANSI colours, when told to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn allow(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn hold(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn deny(self, text: &str) -> String {
        self.with("31", text)
    }
}

/// Text with everything escaped that a terminal would act on: control characters and direction overrides. Tabs stay.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if acts(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// Whether a character acts on a terminal, or on the order or the look of the text around it, rather than showing something.
#[must_use]
pub const fn acts(char: char) -> bool {
    (char.is_ascii_control() && char != '\t')
        || matches!(char, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text of at most so many characters, with a mark when it was cut.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    let width = width.max(2);
    match text.char_indices().nth(width) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let end = text.char_indices().nth(width - 1).map_or(text.len(), |(at, _)| at);
            Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
        }
    }
}

/// `1 row`, `2 rows`.
pub(super) fn plural(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// A measured time: `850 µs`, `1.2 ms`, `3.4 s`.
pub(super) fn duration(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A time that people feel: `3.4 s`, `2 min 5 s`, `1 h 10 min`.
pub(super) fn span(micros: i64) -> String {
    let micros = micros.max(0).unsigned_abs();
    let seconds = micros / 1_000_000;
    match seconds {
        0..60 => duration(micros),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The lines of a header that say who it was, from the identity's JSON.
pub(super) fn who(identity: &str) -> Vec<(&'static str, String)> {
    let Ok(identity) = serde_json::from_str::<serde_json::Value>(identity) else {
        return vec![("who", identity.to_owned())];
    };
    let text = |name: &str| identity.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let list = |name: &str| -> Vec<String> {
        let items = identity.get(name).and_then(|value| value.as_array());
        items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let mut who = text("subject");
    for principal in list("on_behalf_of") {
        let _ = write!(who, " for {principal}");
    }
    let _ = write!(who, " ({}, proven by {})", text("kind"), text("issuer"));
    let mut lines = vec![("who", who)];
    let groups = list("groups");
    if !groups.is_empty() {
        lines.push(("groups", groups.join(", ")));
    }
    let task = text("task");
    if !task.is_empty() {
        lines.push(("task", task));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(harmless("a\x1b[2Jb\r\u{202e}c"), "a\\u{1b}[2Jb\\r\\u{202e}c");
        assert_eq!(harmless("über\t1"), "über\t1");
    }

    #[test]
    fn texts_are_cut_at_characters_and_times_read_well() {
        assert_eq!(cut("ääää", 4), "ääää");
        assert_eq!(cut("äääää", 4), "äää…");
        assert_eq!(duration(999), "999 µs");
        assert_eq!(duration(1250), "1.2 ms");
        assert_eq!(span(125_000_000), "2 min 5 s");
    }
}
