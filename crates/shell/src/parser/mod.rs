//! Tokens to simple commands, by the part of POSIX's shell grammar (Shell Command Language, 2.10) that all shells of the list share.
//!
//! Lists, pipelines, `!`, subshells, groups, `if`, `while`, `until` and `for` are read. Which of their commands run, and how often, is not
//! asked: all of them may. Whatever else a shell knows (functions, `case`, `select`, `[[`, arrays) ends the reading with a reason.

use crate::lexer::{Redirect, RedirectKind, Token, Why, Word, tokens};

/// How deep compounds may lie in each other. Scripts of people stay below ten; the parser's stack is a few hundred bytes for each.
const MOST_DEPTH: usize = 32;
/// Simple commands in one text; a person cannot judge more, and each makes objects as long as itself.
const MOST_COMMANDS: usize = 512;

/// One simple command. Its redirections are harmless, or it would not be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Simple {
    /// `name=value` in front of it.
    pub(crate) assignments: Vec<Word>,
    /// Name and operands, at least one.
    pub(crate) words: Vec<Word>,
    /// It, or what it is in, is started with `&`.
    pub(crate) background: bool,
}

/// What a text consists of.
pub(crate) struct Script {
    /// Its simple commands in order; up to the problem, if there is one.
    pub(crate) commands: Vec<Simple>,
    /// What is not understood.
    pub(crate) problem: Option<Why>,
}

/// Reads a text.
pub(crate) fn parse(text: &str) -> Script {
    let tokens = tokens(text);
    let mut parser = Parser { tokens: &tokens.list, at: 0, depth: 0, commands: Vec::new() };
    // What was read before a problem of the tokens is parsed for its commands alone.
    let ended = parser.list(&[]).and_then(|()| parser.end());
    let cut = tokens.problem.is_some() && matches!(tokens.list.last(), Some(Token::Word(_) | Token::Redirect(_)));
    if cut && ended.is_ok() {
        parser.commands.pop();
    }
    let problem = tokens.problem.or(ended.err());
    Script { commands: parser.commands, problem }
}

/// Words that some shell of the list reads as grammar where a command's name is expected, if they are not quoted.
const RESERVED: [&str; 38] = [
    "!",
    "{",
    "}",
    "if",
    "then",
    "elif",
    "else",
    "fi",
    "while",
    "until",
    "for",
    "do",
    "done",
    "case",
    "esac",
    "in",
    "[[",
    "]]",
    "function",
    "select",
    "time",
    "coproc",
    "repeat",
    "foreach",
    "end",
    "nocorrect",
    "noglob",
    "namespace",
    "declare",
    "typeset",
    "local",
    "export",
    "readonly",
    "integer",
    "float",
    "-",
    "((",
    "always",
];

/// Whether an unquoted word is grammar, or may be, at the front of a command.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Names of loop variables that mean nothing to any shell. (zsh ties `path` to PATH; `IFS` and the like change what follows.)
const LOOP_NAMES: [&str; 11] =
    ["attempt", "count", "try", "retry", "round", "num", "host", "pod", "file", "node", "item"];

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    commands: Vec<Simple>,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn newlines(&mut self) {
        while self.eat(&Token::Newline) {}
    }

    /// The reserved word here, if one stands here.
    fn reserved(&self) -> Option<&'t str> {
        match self.peek()? {
            Token::Word(word) if word.plain && is_reserved(&word.text) => Some(&word.text),
            _ => None,
        }
    }

    fn eat_reserved(&mut self, word: &str) -> bool {
        let found = self.reserved() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &'static str) -> Result<(), Why> {
        if self.eat_reserved(word) { Ok(()) } else { Err(format!("`{word}` is missing").into()) }
    }

    fn end(&self) -> Result<(), Why> {
        if self.peek().is_none() { Ok(()) } else { Err("grammar that is not understood".into()) }
    }

    /// Whether a list ends here: at the end, at `)`, or at one of these reserved words.
    fn stops(&self, at: &[&str]) -> bool {
        matches!(self.peek(), None | Some(Token::Close)) || self.reserved().is_some_and(|word| at.contains(&word))
    }

    /// `and_or (separator and_or)* [separator]`, with at least one command in it.
    fn list(&mut self, until: &[&str]) -> Result<(), Why> {
        self.newlines();
        loop {
            let first = self.commands.len();
            self.and_or()?;
            let separated = match self.peek() {
                Some(Token::Semicolon) => true,
                Some(Token::Ampersand) => {
                    self.commands.iter_mut().skip(first).for_each(|command| command.background = true);
                    true
                }
                Some(Token::Newline) => true,
                _ => false,
            };
            self.at += usize::from(separated);
            self.newlines();
            if self.stops(until) {
                // `fi`, `}` and the like are only such after a separator; zsh also takes them elsewhere.
                let closed = separated || until.is_empty() || matches!(self.peek(), None | Some(Token::Close));
                return if closed { Ok(()) } else { Err("a reserved word without `;` before it".into()) };
            }
            if !separated {
                return Err("grammar that is not understood".into());
            }
        }
    }

    fn and_or(&mut self) -> Result<(), Why> {
        self.pipeline()?;
        while self.eat(&Token::And) || self.eat(&Token::Or) {
            self.newlines();
            self.pipeline()?;
        }
        Ok(())
    }

    fn pipeline(&mut self) -> Result<(), Why> {
        self.eat_reserved("!");
        self.command()?;
        while self.eat(&Token::Pipe) {
            self.newlines();
            self.command()?;
        }
        Ok(())
    }

    fn command(&mut self) -> Result<(), Why> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err("nested too deep".into());
        }
        let done = match (self.peek(), self.reserved()) {
            (Some(Token::Open), _) => self.subshell(),
            (_, Some("{")) => self.group(),
            (_, Some("if")) => self.conditional(),
            (_, Some("while" | "until")) => self.repeated(),
            (_, Some("for")) => self.counted(),
            // In bash and zsh a reserved word, in dash a program: `judge` takes it for a prefix in both senses.
            (_, None | Some("time")) => return self.simple().inspect(|()| self.depth -= 1),
            (_, Some(word)) => Err(format!("`{word}`").into()),
        };
        done?;
        self.depth -= 1;
        while let Some(Token::Redirect(redirect)) = self.peek() {
            self.at += 1;
            self.target(*redirect)?;
        }
        Ok(())
    }

    fn subshell(&mut self) -> Result<(), Why> {
        self.at += 1;
        self.list(&[])?;
        if self.eat(&Token::Close) { Ok(()) } else { Err("`)` is missing".into()) }
    }

    fn group(&mut self) -> Result<(), Why> {
        self.at += 1;
        self.list(&["}"])?;
        self.expect("}")
    }

    fn conditional(&mut self) -> Result<(), Why> {
        self.at += 1;
        loop {
            self.list(&["then"])?;
            self.expect("then")?;
            self.list(&["elif", "else", "fi"])?;
            if !self.eat_reserved("elif") {
                break;
            }
        }
        if self.eat_reserved("else") {
            self.list(&["fi"])?;
        }
        self.expect("fi")
    }

    fn repeated(&mut self) -> Result<(), Why> {
        self.at += 1;
        self.list(&["do"])?;
        self.body()
    }

    fn body(&mut self) -> Result<(), Why> {
        self.expect("do")?;
        self.list(&["done"])?;
        self.expect("done")
    }

    /// `for name in words; do … done`. Only the number of turns depends on the words: whoever uses the variable is refused by the lexer.
    fn counted(&mut self) -> Result<(), Why> {
        self.at += 1;
        let harmless = |name: &str| LOOP_NAMES.contains(&name) || matches!(name.as_bytes(), [b'a'..=b'z']);
        match self.peek() {
            Some(Token::Word(word)) if word.plain && harmless(&word.text) => self.at += 1,
            _ => return Err("a loop variable that a shell may know".into()),
        }
        self.expect("in")?;
        while let Some(Token::Word(word)) = self.peek() {
            no_brace(word)?;
            self.at += 1;
        }
        if !(self.eat(&Token::Semicolon) || self.eat(&Token::Newline)) {
            return Err("`for` without `;` before `do`".into());
        }
        self.newlines();
        self.body()
    }

    fn simple(&mut self) -> Result<(), Why> {
        let (start, mut assignments, mut words) = (self.at, Vec::new(), Vec::new());
        loop {
            match self.peek() {
                Some(Token::Word(word)) => {
                    if words.is_empty() && word.assignment.is_some() {
                        assignments.push(word.clone());
                    } else {
                        check_word(word, words.is_empty(), self.at > start)?;
                        words.push(word.clone());
                    }
                    self.at += 1;
                }
                Some(Token::Redirect(redirect)) => {
                    self.at += 1;
                    self.target(*redirect)?;
                }
                Some(Token::Open) if !words.is_empty() => return Err("`(` after a word".into()),
                _ => break,
            }
        }
        if words.is_empty() {
            let why = if assignments.is_empty() { "nothing where a command is expected" } else { "an assignment" };
            return Err(why.into());
        }
        if self.commands.len() >= MOST_COMMANDS {
            return Err("more commands than are looked at".into());
        }
        self.commands.push(Simple { assignments, words, background: false });
        Ok(())
    }

    /// Where a redirection points to: nowhere (`/dev/null`), or standard output and error to one another. All else is refused.
    fn target(&mut self, redirect: Redirect) -> Result<(), Why> {
        let Some(Token::Word(word)) = self.peek() else {
            return Err("a redirection without a target".into());
        };
        self.at += 1;
        let constant = word.globs.is_empty() && !word.tilde;
        let fine = match (redirect.kind, redirect.fd) {
            (RedirectKind::From, None | Some(0)) | (RedirectKind::To, None | Some(1 | 2)) => {
                constant && word.text == "/dev/null"
            }
            (RedirectKind::Duplicate, None | Some(1 | 2)) => word.plain && matches!(word.text.as_str(), "1" | "2"),
            (RedirectKind::From | RedirectKind::To | RedirectKind::Duplicate, _) => false,
        };
        if fine { Ok(()) } else { Err("a redirection to or from a file".into()) }
    }
}

/// Words that no shell reads as grammar where they stand.
fn check_word(word: &Word, first: bool, follows: bool) -> Result<(), Why> {
    no_brace(word)?;
    if !first {
        return Ok(());
    }
    // `time` at the very front was let through by `command`.
    let grammar = is_reserved(&word.text) && (word.plain || word.continued);
    if grammar && (follows || word.continued) {
        return Err("a reserved word after an assignment or a redirection, or on two lines".into());
    }
    if word.text.is_empty() || !word.globs.is_empty() || (word.tilde && !word.text.starts_with("~/")) {
        return Err("a command's name that is not constant".into());
    }
    if word.text.starts_with(['-', '+', '%', '=']) {
        return Err("a command's name that some shells take for something else".into());
    }
    Ok(())
}

/// A brace alone is grammar for zsh wherever it stands.
fn no_brace(word: &Word) -> Result<(), Why> {
    if word.plain && matches!(word.text.as_str(), "{" | "}") { Err("a brace between words".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
