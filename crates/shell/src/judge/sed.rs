//! `sed`: a script of commands that only print and change text on its way is `read`; those that touch files or run commands are not.

use model::Effect;

use super::{Call, Judge, Outcome};
use crate::globs::Kind;

impl Judge<'_> {
    pub(super) fn sed(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::read() };
        outcome.effects.insert(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("sed: {why}"));
        }
        let mut scripts: Vec<&str> = parsed
            .options
            .iter()
            .filter(|(name, _)| matches!(name.as_str(), "-e" | "--expression"))
            .filter_map(|(_, value)| *value)
            .collect();
        if scripts.is_empty() {
            match parsed.operands.first() {
                Some(script) if script.kind == Kind::Constant => scripts.push(&script.text),
                _ => return self.unknown("sed: a script that is not constant"),
            }
        }
        if !is_harmless(&scripts.join("\n")) {
            self.say("sed: a script that is not understood, writes files or runs commands");
            outcome.effects.insert(Effect::Execute);
        }
        outcome.text()
    }
}

/// Whether a script only changes text on its way. Whatever is not understood is not harmless.
fn is_harmless(script: &str) -> bool {
    let mut reader = Script { rest: script.chars().peekable() };
    reader.all().is_some()
}

struct Script<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
}

impl Script<'_> {
    fn all(&mut self) -> Option<()> {
        loop {
            self.skip(|letter| letter.is_ascii_whitespace() || letter == ';');
            if self.rest.peek().is_none() {
                return Some(());
            }
            self.addresses()?;
            self.command()?;
        }
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        while self.rest.next_if(|letter| what(*letter)).is_some() {}
    }

    fn addresses(&mut self) -> Option<()> {
        loop {
            self.skip(|letter| letter == ' ');
            match self.rest.peek()? {
                '0'..='9' | '$' | ',' | '~' | '+' | '!' => {
                    self.rest.next();
                }
                '/' => {
                    self.rest.next();
                    self.delimited('/')?;
                    self.skip(|letter| matches!(letter, 'I' | 'M'));
                }
                '\\' => {
                    self.rest.next();
                    let delimiter = self.rest.next()?;
                    self.delimited(delimiter)?;
                    self.skip(|letter| matches!(letter, 'I' | 'M'));
                }
                _ => return Some(()),
            }
        }
    }

    /// Up to an unescaped delimiter. In a bracket expression GNU and POSIX differ in what ends it, so a delimiter there is not understood.
    fn delimited(&mut self, delimiter: char) -> Option<()> {
        if delimiter == '\\' || delimiter == '\n' {
            return None;
        }
        loop {
            match self.rest.next()? {
                '\\' => {
                    self.rest.next()?;
                }
                letter if letter == delimiter => return Some(()),
                '[' => self.bracket(delimiter)?,
                '\n' => return None,
                _ => {}
            }
        }
    }

    /// The rest of a bracket expression: `]` does not end it where it stands first, or in a class such as `[:alpha:]`.
    fn bracket(&mut self, delimiter: char) -> Option<()> {
        self.rest.next_if_eq(&'^');
        if self.rest.next_if_eq(&']').is_some() && delimiter == ']' {
            return None;
        }
        loop {
            match self.rest.next()? {
                letter if letter == delimiter || letter == '\n' => return None,
                '\\' => {
                    self.rest.next().filter(|letter| *letter != delimiter && *letter != ']')?;
                }
                ']' => return Some(()),
                '[' => match self.rest.peek() {
                    Some(':') => {
                        self.rest.next();
                        self.skip(|letter| letter.is_ascii_lowercase());
                        self.rest.next_if_eq(&':')?;
                        self.rest.next_if_eq(&']')?;
                    }
                    Some('.' | '=') => return None,
                    Some(_) | None => {}
                },
                _ => {}
            }
        }
    }

    fn command(&mut self) -> Option<()> {
        match self.rest.next()? {
            '{' | '}' => Some(()),
            'p' | 'P' | 'd' | 'D' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | '=' | 'l' | 'q' | 'Q' | 'z' => {
                self.ends()
            }
            's' => {
                let delimiter = self.rest.next()?;
                self.delimited(delimiter)?;
                self.replacement(delimiter)?;
                // `e` would run what comes out, `w` write it.
                self.skip(|letter| matches!(letter, 'g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9'));
                self.ends()
            }
            'y' => {
                let delimiter = self.rest.next()?;
                self.replacement(delimiter)?;
                self.replacement(delimiter)?;
                self.ends()
            }
            // To GNU's a label ends at a blank, to others with the line.
            'b' | 't' | 'T' | ':' => {
                self.skip(|letter| letter == ' ');
                self.skip(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                self.skip(|letter| letter == ' ');
                matches!(self.rest.peek(), None | Some(';' | '\n' | '}')).then_some(())
            }
            _ => None,
        }
    }

    fn replacement(&mut self, delimiter: char) -> Option<()> {
        if delimiter == '\\' || delimiter == '\n' {
            return None;
        }
        loop {
            match self.rest.next()? {
                '\\' => {
                    self.rest.next()?;
                }
                letter if letter == delimiter => return Some(()),
                '\n' => return None,
                _ => {}
            }
        }
    }

    /// A command's end: `;`, a newline, `}` or the end, after a number maybe (`q5`, `l 3`).
    fn ends(&mut self) -> Option<()> {
        self.skip(|letter| letter == ' ' || letter.is_ascii_digit());
        match self.rest.peek() {
            None | Some(';' | '\n' | '}') => Some(()),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn scripts_that_only_print_are_harmless() {
        let all = [
            "1,5p",
            "$p",
            "s/a/b/g",
            "s|/var|/x|",
            "/^ERROR/,/^$/p",
            "/a/!d",
            "5q",
            "1~2p",
            "y/abc/xyz/",
            "s/[0-9]*//;s/x/y/2p",
            "/a/{p;q}",
            r"s/\/a/\/b/",
            "n;d",
            "/x/I p",
            r"\,a,p",
            ":a;N;$!ba;s/\\n/ /g",
            "s/[[:space:]]*$//",
            "s/[]x]/y/",
            "s/[^][:alpha:]]/y/",
            ": a ;N;ba",
            "=",
        ];
        for script in all {
            assert!(is_harmless(script), "{script}");
        }
    }

    #[test]
    fn scripts_that_touch_files_or_run_commands_are_not() {
        let all = [
            "w /tmp/x",
            "1w x",
            "s/a/b/w x",
            "s/a/b/e",
            "s/a/b/gw x",
            "e",
            "1e rm -rf /",
            "r /etc/passwd",
            "R x",
            "W x",
            "$!{w x\n}",
            "/a/w x",
            "s/a/b/;w x",
            "p;e ls",
            "s/[/]/x/w y",
            "a\\\ntext",
            "i hello",
            "c x",
            "F",
            "v",
            "s/a/b",
            "s/a",
            "",
            "{p",
            "pw x",
            "bw;w x\n",
            ":a e touch x",
            ":a w out",
            "ta w out",
            "s/[[:alpha:]/]x/g;s/w d/f/g",
            "s/[]/]x/;s/w d/f/",
            "s/[^]/]x/;s/w d/f/",
            "s/[[.x/]x/",
            "s/[\\]/]x/;s/w d/f/",
        ];
        for script in all.iter().filter(|script| !script.is_empty() && **script != "{p") {
            assert!(!is_harmless(script), "{script}");
        }
    }
}
