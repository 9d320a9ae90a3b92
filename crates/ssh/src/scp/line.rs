//! Lines of the source and answers of the sink. They are written anew from what was read, so both ends read the same.

use std::fmt::Write;

/// Bytes of a line or an answer, its end included, that are read at most: a path and words about it.
pub const LINE: usize = 8 * 1024;
/// Bytes of what is written: the smallest buffer that an scp is known to have is 2,048 bytes, and what is longer would be two lines to it.
const WRITTEN: usize = 2000;

/// A file or folder that the source names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// `D`: a folder, and what follows is in it until `E`. Else `C`: a file.
    pub folder: bool,
    /// Permissions, at most `0o7777`.
    pub mode: u16,
    /// Bytes of content that follow, at most `i64::MAX`; 0 for a folder.
    pub size: u64,
    /// One name, without `/`.
    pub name: String,
}

impl Item {
    /// Its line.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let letter = if self.folder { 'D' } else { 'C' };
        format!("{letter}{:04o} {} {}\n", self.mode, self.size, self.name).into_bytes()
    }
}

/// What the source says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// A file or folder.
    Item(Item),
    /// One whose name nobody can judge. The others go on.
    Odd(&'static str),
    /// `T`: times of what comes next, as the line for the sink.
    Times(Vec<u8>),
    /// `E`: the folder ends.
    Leave,
    /// Words about what could not be sent, and whether nothing more comes.
    Words {
        /// `\x02`.
        fatal: bool,
        /// Without control characters.
        text: String,
    },
}

impl Line {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// What breaks the protocol, in OpenSSH's words where it has some.
    pub fn read(line: &[u8]) -> Result<Self, &'static str> {
        match line.split_first() {
            Some((code @ (1 | 2), text)) => Ok(Self::Words { fatal: *code == 2, text: words(text) }),
            Some((b'E', [])) => Ok(Self::Leave),
            Some((b'T', rest)) => times(rest).map(Self::Times),
            Some((b'C', rest)) => item(false, rest),
            Some((b'D', rest)) => item(true, rest),
            Some(_) | None => Err("expected control record"),
        }
    }
}

/// `mode size name`.
fn item(folder: bool, rest: &[u8]) -> Result<Line, &'static str> {
    let (mode, rest) = rest.split_at_checked(4).ok_or("bad mode")?;
    let octal = |mode: u16, digit: &u8| matches!(digit, b'0'..=b'7').then(|| mode * 8 + u16::from(digit - b'0'));
    let mode = mode.iter().try_fold(0, octal).ok_or("bad mode")?;
    let rest = rest.strip_prefix(b" ").ok_or("mode not delimited")?;
    let (size, rest) = number(rest).ok_or("size not present")?;
    let name = rest.strip_prefix(b" ").ok_or("size not delimited")?;
    if i64::try_from(size).is_err() {
        return Err("size out of range");
    }
    if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
        return Err("unexpected filename");
    }
    // Where the text of a program in C ends, the gateway's does not.
    if name.contains(&0) {
        return Err("unexpected filename");
    }
    let Ok(name) = std::str::from_utf8(name) else { return Ok(Line::Odd("a name that is not UTF-8")) };
    let item = Item { folder, mode, size: if folder { 0 } else { size }, name: name.to_owned() };
    Ok(if item.line().len() > WRITTEN { Line::Odd("a name that is too long") } else { Line::Item(item) })
}

/// `modified.seconds modified.micros accessed.seconds accessed.micros`.
fn times(rest: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut line = String::from("T");
    let mut rest = rest;
    for at in 0..4 {
        if at > 0 {
            rest = rest.strip_prefix(b" ").ok_or("times not delimited")?;
            line.push(' ');
        }
        let (number, after) = number(rest).ok_or("times not present")?;
        if at % 2 == 1 && number > 999_999 {
            return Err("times out of range");
        }
        let _written = write!(line, "{number}");
        rest = after;
    }
    line.push('\n');
    if rest.is_empty() { Ok(line.into_bytes()) } else { Err("times not delimited") }
}

/// Digits at the front, as a number, and what follows.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Go on.
    Ok,
    /// Not this one; with `fatal`, nothing more.
    Error {
        /// `\x02`.
        fatal: bool,
        /// Without control characters.
        text: String,
    },
}

impl Reply {
    /// The answer at the front and its length; `None` while it is not whole.
    ///
    /// # Errors
    /// What breaks the protocol.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, &'static str> {
        match bytes.first() {
            None => Ok(None),
            Some(0) => Ok(Some((Self::Ok, 1))),
            Some(code @ (1 | 2)) => Ok(end(bytes)?.map(|end| {
                let text = words(bytes.get(1..end).unwrap_or_default());
                (Self::Error { fatal: *code == 2, text }, end + 1)
            })),
            Some(_) => Err("expected an answer"),
        }
    }

    /// The answer's bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Ok => vec![0],
            Self::Error { fatal, text } => said(*fatal, text),
        }
    }

    /// How an operation ended that was answered so, for the recording.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error { text, .. } if text.contains("Permission denied") => "permission denied",
            Self::Error { text, .. } if text.contains("No such file") => "no such file",
            Self::Error { .. } => "failed",
        }
    }
}

/// Where the line at the front ends; `None` while it does not.
///
/// # Errors
/// When it is longer than [`LINE`].
pub fn end(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let looked = bytes.get(..LINE.min(bytes.len())).unwrap_or_default();
    match looked.iter().position(|byte| *byte == b'\n') {
        Some(end) => Ok(Some(end)),
        None if bytes.len() >= LINE => Err("a line that is too long"),
        None => Ok(None),
    }
}

/// Words about a file, as a line or an answer.
#[must_use]
pub fn said(fatal: bool, text: &str) -> Vec<u8> {
    let mut out = vec![if fatal { 2 } else { 1 }];
    for letter in text.chars().map(|letter| if letter.is_control() { '?' } else { letter }) {
        if out.len() + letter.len_utf8() >= WRITTEN {
            break;
        }
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.push(b'\n');
    out
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}
