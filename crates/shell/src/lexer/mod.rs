//! Text to tokens, by the rules that sh, dash, bash, zsh, ksh and busybox have in common.
//!
//! - `word`: quoting, and the characters that make a word more than itself
//! - `characters`: what no text may hold anywhere
//!
//! Token recognition follows POSIX.1-2017, Shell Command Language, 2.3. Wherever a shell of the list reads more into a text than POSIX, the
//! text is refused: the error says what it was.

mod characters;
mod word;

use std::borrow::Cow;

pub(crate) use word::Word;

/// Tokens in one text: bounds the memory of what is made of them. 64 KiB of one-letter words stay below.
const MOST_TOKENS: usize = 40_000;

/// Why a text is not certain, in words for people.
pub(crate) type Why = Cow<'static, str>;

/// One token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    Word(Word),
    Semicolon,
    Ampersand,
    And,
    Or,
    Pipe,
    Open,
    Close,
    Newline,
    Redirect(Redirect),
}

/// A redirection operator, without what it points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Redirect {
    /// The digit before it, if there is one.
    pub(crate) fd: Option<u8>,
    pub(crate) kind: RedirectKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RedirectKind {
    /// `<`
    From,
    /// `>` and `>>`
    To,
    /// `>&`
    Duplicate,
}

/// The tokens of a text up to its end, or up to the first thing that is not certain.
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    pub(crate) problem: Option<Why>,
}

/// Reads all tokens.
pub(crate) fn tokens(text: &str) -> Tokens {
    let mut list = Vec::new();
    let problem = characters::check(text).and_then(|()| Lexer { text: text.as_bytes(), at: 0 }.all(&mut list)).err();
    Tokens { list, problem }
}

/// Bytes of the text and where we are in them.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<u8> {
        self.text.get(self.at + by).copied()
    }

    fn all(&mut self, list: &mut Vec<Token>) -> Result<(), Why> {
        while let Some(token) = self.next()? {
            if list.len() >= MOST_TOKENS {
                return Err("more words than are looked at".into());
            }
            list.push(token);
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Token>, Why> {
        self.blanks()?;
        let Some(byte) = self.peek() else {
            return Ok(None);
        };
        match byte {
            b'\n' => {
                self.at += 1;
                Ok(Some(Token::Newline))
            }
            b';' | b'&' | b'|' | b'(' | b')' => self.operator(byte).map(Some),
            b'<' | b'>' => self.redirect(None).map(Some),
            _ => self.word_or_redirect().map(Some),
        }
    }

    /// Skips blanks, continued lines and comments between tokens.
    fn blanks(&mut self) -> Result<(), Why> {
        loop {
            match (self.peek(), self.ahead(1)) {
                (Some(b' ' | b'\t'), _) => self.at += 1,
                (Some(b'\\'), Some(b'\n')) => self.at += 2,
                (Some(b'#'), _) => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// A comment, up to its newline. A backslash at its end does not continue it.
    fn comment(&mut self) -> Result<(), Why> {
        let before = self.at.checked_sub(1).and_then(|at| self.text.get(at));
        if !matches!(before, None | Some(b' ' | b'\t' | b'\n' | b';')) {
            return Err("`#` right after an operator".into());
        }
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
        Ok(())
    }

    fn operator(&mut self, first: u8) -> Result<Token, Why> {
        self.at += 1;
        let (token, length) = match (first, self.peek()) {
            (b'&', Some(b'&')) => (Token::And, 1),
            (b'|', Some(b'|')) => (Token::Or, 1),
            (b'&', Some(b'>' | b'|' | b'!')) => return Err("`&>`, `&|` and `&!` differ between shells".into()),
            (b'|', Some(b'&')) => return Err("`|&` differs between shells".into()),
            (b';', Some(b';' | b'&' | b'|')) => return Err("`;;`, `;&` and `;|` outside of what is understood".into()),
            (b'(', Some(b'(')) => return Err("`((` is arithmetic in some shells".into()),
            (b';', _) => (Token::Semicolon, 0),
            (b'&', _) => (Token::Ampersand, 0),
            (b'|', _) => (Token::Pipe, 0),
            (b'(', _) => (Token::Open, 0),
            _ => (Token::Close, 0),
        };
        self.at += length;
        self.no_continuation()?;
        Ok(token)
    }

    /// Shells differ in whether a line that is continued inside of an operator goes on with it.
    fn no_continuation(&self) -> Result<(), Why> {
        match (self.peek(), self.ahead(1)) {
            (Some(b'\\'), Some(b'\n')) => Err("a line continued right after an operator".into()),
            _ => Ok(()),
        }
    }

    fn redirect(&mut self, fd: Option<u8>) -> Result<Token, Why> {
        let first = self.peek();
        self.at += 1;
        let kind = match (first, self.peek()) {
            (Some(b'<'), Some(b'<' | b'>' | b'&' | b'(')) => {
                return Err("here-document, here-string, `<>`, `<&` or `<(`".into());
            }
            (Some(b'<'), _) => RedirectKind::From,
            (_, Some(b'|' | b'(' | b'<' | b'!')) => return Err("`>|`, `>(` or `>!`".into()),
            (_, Some(b'&')) => {
                self.at += 1;
                RedirectKind::Duplicate
            }
            (_, Some(b'>')) => {
                self.at += 1;
                RedirectKind::To
            }
            _ => RedirectKind::To,
        };
        if matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'|' | b'(' | b'!')) {
            return Err("a redirection that shells read differently".into());
        }
        self.no_continuation()?;
        Ok(Token::Redirect(Redirect { fd, kind }))
    }

    /// A word; or a redirection with a digit right before it.
    fn word_or_redirect(&mut self) -> Result<Token, Why> {
        let word = self.word()?;
        let redirected = matches!(self.peek(), Some(b'<' | b'>'));
        if !redirected || !word.plain || !word.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Token::Word(word));
        }
        // More than one digit is a descriptor in bash and a word in dash.
        match word.text.as_bytes() {
            [digit] => self.redirect(Some(digit - b'0')),
            _ => Err("a descriptor of more than one digit".into()),
        }
    }
}

#[cfg(test)]
mod tests;
