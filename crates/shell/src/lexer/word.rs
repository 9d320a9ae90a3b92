//! One word: quotes resolved, and what is left that a shell would expand.

use super::{Lexer, Why};
use crate::globs;

/// A word as every shell of the list passes it on, unless it has globs or a tilde, which are kept as written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Word {
    /// Its text without the quotes.
    pub(crate) text: String,
    /// Nothing in it is quoted, escaped or continued: it may be a reserved word.
    pub(crate) plain: bool,
    /// Goes on after a backslash and a newline, without being quoted elsewhere: shells differ in whether it may be a reserved word.
    pub(crate) continued: bool,
    /// Where in the text unquoted `*`, `?` and `[` are, in order.
    pub(crate) globs: Vec<usize>,
    /// Starts with an unquoted `~`, alone or before `/`.
    pub(crate) tilde: bool,
    /// Where the `=` of `name=value` is, if the shell takes it for an assignment at the front of a command.
    pub(crate) assignment: Option<usize>,
}

/// A word being read.
#[derive(Default)]
struct Builder {
    bytes: Vec<u8>,
    quoted: bool,
    continued: bool,
    globs: Vec<usize>,
    /// Up to here no set is open.
    closed: usize,
    tilde: bool,
    assignment: Option<usize>,
}

impl Builder {
    /// Nothing at all is read yet, not even empty quotes.
    fn is_fresh(&self) -> bool {
        self.bytes.is_empty() && !self.quoted && !self.continued
    }

    /// Within a set, as `[a-` is. What is quoted there closes none, which the text alone does not say.
    fn is_in_set(&mut self) -> bool {
        while let Some(at) = self.globs.get(self.globs.partition_point(|at| *at < self.closed)) {
            let behind = self.bytes.get(at + 1..).unwrap_or_default();
            let slash = || behind.iter().position(|byte| *byte == b'/');
            let length = match self.bytes.get(*at) {
                Some(b'[') => match globs::set(behind).map(|(_, length)| length).or_else(slash) {
                    Some(length) => length,
                    None => return true,
                },
                _ => 0,
            };
            self.closed = at + 1 + length;
        }
        false
    }

    fn finish(self) -> Result<Word, Why> {
        let (plain, continued) = (!self.quoted && !self.continued, self.continued && !self.quoted);
        let text = String::from_utf8(self.bytes).map_err(|_| "not UTF-8")?;
        Ok(Word { text, plain, continued, globs: self.globs, tilde: self.tilde, assignment: self.assignment })
    }
}

impl Lexer<'_> {
    /// Reads the word that starts here.
    pub(super) fn word(&mut self) -> Result<Word, Why> {
        let mut word = Builder::default();
        while let Some(byte) = self.peek() {
            if matches!(byte, b'\'' | b'"' | b'\\') && word.is_in_set() {
                return Err("quotes in a set of a glob".into());
            }
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => break,
                b'\'' => self.single(&mut word)?,
                b'"' => self.double(&mut word)?,
                b'\\' => self.escaped(&mut word)?,
                _ => self.unquoted(byte, &mut word)?,
            }
        }
        word.finish()
    }

    /// Whether the word would end after `by` more bytes, by a blank or a newline or with the text.
    fn ends(&self, by: usize) -> bool {
        matches!(self.ahead(by), None | Some(b' ' | b'\t' | b'\n'))
    }

    fn take(&mut self, byte: u8, word: &mut Builder) {
        word.bytes.push(byte);
        self.at += 1;
    }

    fn unquoted(&mut self, byte: u8, word: &mut Builder) -> Result<(), Why> {
        match byte {
            b'$' if !self.ends(1) => return Err("an expansion (`$`)".into()),
            b'`' => return Err("a command substitution".into()),
            b'*' | b'?' => word.globs.push(word.bytes.len()),
            b'[' if !(word.is_fresh() && self.ends(1)) => word.globs.push(word.bytes.len()),
            b'{' | b'}' => return self.brace(byte, word),
            b'~' => self.tilde(word)?,
            b'!' if !(self.ends(1) || self.ahead(1) == Some(b'=')) => return Err("`!` of a history expansion".into()),
            b'=' => self.equals(word)?,
            0x80.. => return Err("a letter outside of ASCII that is not quoted".into()),
            _ => {}
        }
        self.take(byte, word);
        Ok(())
    }

    /// `{` and `}` are themselves in `{}`, as reserved words, and in git's `@{1}`; else some shell expands them.
    fn brace(&mut self, byte: u8, word: &mut Builder) -> Result<(), Why> {
        let fresh = word.is_fresh();
        if fresh && self.ends(1) || fresh && byte == b'}' && matches!(self.ahead(1), Some(b';' | b'&' | b'|' | b')')) {
            self.take(byte, word);
            return Ok(());
        }
        if byte == b'{' && self.ahead(1) == Some(b'}') {
            self.take(b'{', word);
            self.take(b'}', word);
            return Ok(());
        }
        let inner = self.text.get(self.at + 1..).unwrap_or_default();
        let length = inner.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        if byte == b'{' && word.bytes.last() == Some(&b'@') && length > 0 && inner.get(length) == Some(&b'}') {
            word.bytes.extend(self.text.get(self.at..self.at + length + 2).unwrap_or_default());
            self.at += length + 2;
            return Ok(());
        }
        Err("a brace that some shells expand".into())
    }

    fn tilde(&self, word: &mut Builder) -> Result<(), Why> {
        if word.is_fresh() {
            if self.ends(1) || matches!(self.ahead(1), Some(b'/' | b';' | b'&' | b'|' | b')')) {
                word.tilde = true;
                return Ok(());
            }
            return Err("`~` before a name".into());
        }
        // bash expands `~` after `=` and `:` in words that look like assignments; csh and zsh elsewhere by option.
        match word.bytes.last() {
            None | Some(b'=' | b':') => Err("`~` that some shells expand".into()),
            Some(_) => Ok(()),
        }
    }

    fn equals(&self, word: &mut Builder) -> Result<(), Why> {
        if word.bytes.is_empty() && !(word.is_fresh() && self.ends(1)) {
            return Err("`=name`, which zsh expands".into());
        }
        let name = word.bytes.strip_suffix(b"+").unwrap_or(&word.bytes);
        if word.assignment.is_none() && !word.quoted && word.globs.is_empty() && is_name(name) {
            word.assignment = Some(word.bytes.len());
        }
        Ok(())
    }

    /// A backslash outside of quotes, and what it quotes.
    fn escaped(&mut self, word: &mut Builder) -> Result<(), Why> {
        match self.ahead(1) {
            None => return Err("a backslash at the end".into()),
            Some(b'\n') => word.continued = true,
            Some(0x80..) => return Err("a letter outside of ASCII that is not quoted".into()),
            Some(byte) => {
                word.quoted = true;
                word.bytes.push(byte);
            }
        }
        self.at += 2;
        Ok(())
    }

    fn single(&mut self, word: &mut Builder) -> Result<(), Why> {
        word.quoted = true;
        self.at += 1;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\'').ok_or("a quote that is not closed")?;
        word.bytes.extend(rest.get(..length).unwrap_or_default());
        self.at += length + 1;
        Ok(())
    }

    /// Between double quotes. A `!` is itself there, as it is between single ones: bash expands it only where it reads lines from a person, and csh
    /// between both kinds of quotes.
    fn double(&mut self, word: &mut Builder) -> Result<(), Why> {
        word.quoted = true;
        self.at += 1;
        loop {
            let next = self.ahead(1);
            match self.peek() {
                None => return Err("a quote that is not closed".into()),
                Some(b'"') => break,
                Some(b'`') => return Err("a command substitution".into()),
                // At its end it is itself; before anything else some shell reads a name into it.
                Some(b'$') if !matches!(next, Some(b'"' | b' ')) => return Err("an expansion (`$`)".into()),
                Some(b'\\') => {
                    self.escaped_in_double(word)?;
                    continue;
                }
                Some(byte) => word.bytes.push(byte),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    /// A backslash between double quotes: before `$`, `` ` ``, `"`, `\` and a newline it quotes, else it is itself (POSIX 2.2.3).
    fn escaped_in_double(&mut self, word: &mut Builder) -> Result<(), Why> {
        let before = self.at.checked_sub(1).and_then(|at| self.text.get(at));
        if before.is_some_and(|byte| !byte.is_ascii()) {
            // In encodings like Shift JIS the two bytes may be one letter.
            return Err("a backslash right after a letter outside of ASCII".into());
        }
        match self.ahead(1) {
            None => return Err("a quote that is not closed".into()),
            Some(b'\n') => {}
            Some(byte @ (b'$' | b'`' | b'"' | b'\\')) => word.bytes.push(byte),
            Some(_) => {
                self.take(b'\\', word);
                return Ok(());
            }
        }
        self.at += 2;
        Ok(())
    }
}

/// A name of a variable.
fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| !byte.is_ascii_digit())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
