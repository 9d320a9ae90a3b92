//! Operations on files as cases write them, as packets (draft-ietf-secsh-filexfer-02 and OpenSSH's extensions).

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use ssh::wire::{Cursor, encode};

/// `SSH_FXP_INIT` of version 3.
pub const INIT: &[u8] = &[0, 0, 0, 5, 1, 0, 0, 0, 3];
/// `SSH_FXP_STATUS`.
pub const STATUS: u8 = 101;
/// `SSH_FXP_HANDLE`.
pub const HANDLE: u8 = 102;
/// `SSH_FXP_DATA`.
pub const DATA: u8 = 103;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const EXTENDED: u8 = 200;
/// `SSH_FXF_…` by the words of cases; for reading where a case has none.
const FLAGS: [(&str, u32); 6] = [("READ", 1), ("WRITE", 2), ("APPEND", 4), ("CREAT", 8), ("TRUNC", 16), ("EXCL", 32)];

/// What an operation of a case needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// One packet that names paths.
    Packet(Vec<u8>),
    /// A file is opened, and then read or written.
    File {
        /// The packet.
        open: Vec<u8>,
        /// It is written.
        writes: bool,
    },
    /// A directory is opened and listed.
    Directory(Vec<u8>),
    /// A file is opened, and a packet with its handle is sent.
    Handle {
        /// `SSH_FXP_OPEN`.
        open: Vec<u8>,
        /// The kind of the packet behind it.
        kind: u8,
        /// What follows the handle.
        rest: Vec<u8>,
    },
    /// `copy-data` from one file to another.
    Copy {
        /// `SSH_FXP_OPEN` of the one that is read.
        from: Vec<u8>,
        /// `SSH_FXP_OPEN` of the other.
        to: Vec<u8>,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its kind.
    pub kind: u8,
    /// What follows the request's number.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads a whole packet without its length.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn read(packet: &[u8]) -> Result<Self> {
        let (kind, body) = packet.split_first().context("an empty packet")?;
        Ok(Self { kind: *kind, body: body.get(4..).unwrap_or_default().to_vec() })
    }

    /// The words of a status that is neither success nor the end of a file.
    pub fn failure(&self) -> Option<String> {
        let mut cursor = Cursor::new(&self.body);
        let code = (self.kind == STATUS).then(|| cursor.u32().ok()).flatten().filter(|code| *code > 1)?;
        Some(format!("status {code}: {}", String::from_utf8_lossy(cursor.string().unwrap_or_default())))
    }

    /// A handle, or data.
    pub fn bytes(&self) -> Vec<u8> {
        Cursor::new(&self.body).string().unwrap_or_default().to_vec()
    }
}

/// Reads an operation.
///
/// # Errors
/// Names what is not understood.
pub fn op(fields: &Map<String, Value>) -> Result<Op> {
    let name = fields.get("sftp").and_then(Value::as_str).context("no `sftp`")?;
    let (name, extension) = name.split_once(' ').unwrap_or((name, ""));
    let name = name.trim_start_matches("SSH_FXP_").to_ascii_uppercase();
    let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name)?.as_str()).map(unquoted);
    let path = || text(&["path", "file", "from", "old", "oldpath"]).with_context(|| format!("{name} without a path"));
    let other = || text(&["to", "new", "newpath", "target", "dest"]).with_context(|| format!("{name} without `to`"));
    Ok(match name.as_str() {
        "OPEN" => {
            let flags = flags(fields)?;
            Op::File { open: open(path()?, flags), writes: flags & 1 == 0 }
        }
        "READ" => Op::File { open: open(path()?, 1), writes: false },
        "WRITE" => Op::File { open: open(path()?, 2 | 8), writes: true },
        "OPENDIR" | "READDIR" => Op::Directory(packet(11, &[path()?], &[])),
        "LSTAT" => Op::Packet(packet(7, &[path()?], &[])),
        "STAT" => Op::Packet(packet(17, &[path()?], &[])),
        "SETSTAT" => Op::Packet(packet(9, &[path()?], &attributes(fields))),
        "FSTAT" => Op::Handle { open: open(path()?, 1), kind: 8, rest: Vec::new() },
        "FSETSTAT" => Op::Handle { open: open(path()?, 1), kind: 10, rest: attributes(fields) },
        "REMOVE" => Op::Packet(packet(13, &[path()?], &[])),
        "MKDIR" => Op::Packet(packet(14, &[path()?], &[0; 4])),
        "RMDIR" => Op::Packet(packet(15, &[path()?], &[])),
        "REALPATH" => Op::Packet(packet(16, &[path()?], &[])),
        "RENAME" => Op::Packet(packet(18, &[path()?, other()?], &[])),
        "READLINK" => Op::Packet(packet(19, &[path()?], &[])),
        // OpenSSH takes what the link says first, then where it is made.
        "SYMLINK" => {
            let link = text(&["link", "linkpath", "path", "new"]).context("SYMLINK without a path")?;
            let says = text(&["target", "to", "targetpath", "from", "old"]).context("SYMLINK without a target")?;
            Op::Packet(packet(20, &[says, link], &[]))
        }
        "EXTENDED" => {
            let named = text(&["extension", "name", "request"]).unwrap_or(extension);
            extended(if extension.is_empty() { named } else { extension }, fields, path, other)?
        }
        _ => bail!("an operation of unknown kind {name:?}"),
    })
}

fn extended<'a>(
    name: &str,
    fields: &Map<String, Value>,
    path: impl Fn() -> Result<&'a str>,
    other: impl Fn() -> Result<&'a str>,
) -> Result<Op> {
    let bare = name.trim_end_matches("@openssh.com");
    let full =
        if matches!(bare, "copy-data" | "home-directory") { bare.to_owned() } else { format!("{bare}@openssh.com") };
    Ok(match bare {
        "copy-data" => Op::Copy { from: open(path()?, 1), to: open(other()?, 2 | 8) },
        "posix-rename" | "hardlink" => Op::Packet(packet(EXTENDED, &[&full, path()?, other()?], &[])),
        "lsetstat" => Op::Packet(packet(EXTENDED, &[&full, path()?], &attributes(fields))),
        "fsync" | "fstatvfs" => bail!("{full} of a handle is not played"),
        "limits" => Op::Packet(packet(EXTENDED, &[&full], &[])),
        _ => Op::Packet(packet(EXTENDED, &[&full, path()?], &[])),
    })
}

/// `handle of PATH` is what a case calls an open file.
fn unquoted(text: &str) -> &str {
    text.trim_start_matches("handle of ").trim()
}

fn flags(fields: &Map<String, Value>) -> Result<u32> {
    let words = match fields.get("flags") {
        None => return Ok(1),
        Some(Value::Number(number)) => return Ok(u32::try_from(number.as_u64().unwrap_or(1))?),
        Some(Value::String(words)) => words.clone(),
        Some(other) => other.to_string(),
    };
    let known = |word: &str| {
        let word = word.trim_start_matches("SSH_FXF_");
        FLAGS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, bit)| *bit)
    };
    let words = words.split(|at: char| !at.is_ascii_alphanumeric() && at != '_').filter(|word| !word.is_empty());
    words
        .map(|word| known(word).with_context(|| format!("an unknown flag {word:?}")))
        .try_fold(0, |all, bit| Ok(all | bit?))
}

/// Attributes of a case: a mode, an owner, a size; mode 0777 where it says none.
fn attributes(fields: &Map<String, Value>) -> Vec<u8> {
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    let mut out = Vec::new();
    if let Some(size) = number("size") {
        encode::u32(&mut out, 1);
        out.extend_from_slice(&size.to_be_bytes());
    } else if let Some(user) = number("uid") {
        encode::u32(&mut out, 2);
        encode::u32(&mut out, u32::try_from(user).unwrap_or(0));
        encode::u32(&mut out, u32::try_from(number("gid").unwrap_or(user)).unwrap_or(0));
    } else {
        let text = ["mode", "permissions", "perm"].iter().find_map(|name| fields.get(*name)?.as_str());
        let mode = text.and_then(|text| u32::from_str_radix(text.trim_start_matches("0o"), 8).ok());
        encode::u32(&mut out, 4);
        encode::u32(&mut out, mode.unwrap_or(0o777));
    }
    out
}

fn open(path: &str, flags: u32) -> Vec<u8> {
    let mut rest = Vec::new();
    encode::u32(&mut rest, flags);
    encode::u32(&mut rest, 0);
    packet(OPEN, &[path], &rest)
}

fn packet(kind: u8, texts: &[&str], rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for text in texts {
        encode::string(&mut body, text.as_bytes());
    }
    body.extend_from_slice(rest);
    framed(kind, &body)
}

/// A packet with the number 7, which all of ours have: there is only one at a time.
fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::u32(&mut out, u32::try_from(body.len() + 5).unwrap_or(u32::MAX));
    out.push(kind);
    encode::u32(&mut out, 7);
    out.extend_from_slice(body);
    out
}

/// A packet about an open file.
pub fn with_handle(kind: u8, handle: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    encode::string(&mut body, handle);
    body.extend_from_slice(rest);
    framed(kind, &body)
}

/// Asks for 32 KiB from this place.
pub fn read(handle: &[u8], at: u64) -> Vec<u8> {
    with_handle(READ, handle, &[&at.to_be_bytes()[..], &32768_u32.to_be_bytes()].concat())
}

/// Writes a few bytes.
pub fn write(handle: &[u8]) -> Vec<u8> {
    with_handle(WRITE, handle, &[&0_u64.to_be_bytes()[..], &7_u32.to_be_bytes(), b"corpus\n"].concat())
}

/// Asks for entries.
pub fn readdir(handle: &[u8]) -> Vec<u8> {
    with_handle(12, handle, &[])
}

/// Closes.
pub fn close(handle: &[u8]) -> Vec<u8> {
    with_handle(CLOSE, handle, &[])
}

/// `copy-data` of everything.
pub fn copy(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    encode::string(&mut body, b"copy-data");
    encode::string(&mut body, from);
    body.extend_from_slice(&[0; 16]);
    encode::string(&mut body, to);
    body.extend_from_slice(&[0; 8]);
    framed(EXTENDED, &body)
}

/// How the server's log begins the line of an operation that changes or reads something.
pub fn logged(fields: &Map<String, Value>) -> Option<&'static str> {
    let name = fields.get("sftp").and_then(Value::as_str)?.trim_start_matches("SSH_FXP_").to_ascii_uppercase();
    let table = [
        ("OPENDIR", "opendir \""),
        ("READDIR", "opendir \""),
        ("OPEN", "open \""),
        ("READLINK", "readlink \""),
        ("READ", "open \""),
        ("WRITE", "open \""),
        ("REMOVE", "remove name \""),
        ("MKDIR", "mkdir name \""),
        ("RMDIR", "rmdir name \""),
        ("RENAME", "rename old \""),
        ("SYMLINK", "symlink old \""),
        ("SETSTAT", "set \""),
        ("FSETSTAT", "open \""),
        ("EXTENDED POSIX-RENAME", "posix-rename old \""),
        ("EXTENDED HARDLINK", "hardlink old \""),
        ("EXTENDED LSETSTAT", "set \""),
        ("EXTENDED COPY-DATA", "copy-data"),
    ];
    table.iter().find(|(start, _)| name.starts_with(start)).map(|(_, log)| *log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<Op> {
        op(serde_json::from_str::<Value>(json).unwrap().as_object().unwrap())
    }

    #[test]
    fn operations_are_read_as_cases_write_them() {
        let open = parsed(r#"{"sftp": "SSH_FXP_OPEN", "path": "/a", "flags": "WRITE|CREAT"}"#).unwrap();
        assert!(matches!(open, Op::File { writes: true, .. }));
        let copy = r#"{"sftp": "SSH_FXP_EXTENDED copy-data", "from": "handle of /a", "to": "handle of /b"}"#;
        let Op::Copy { from, .. } = parsed(copy).unwrap() else { panic!() };
        assert_eq!(from, super::open("/a", 1));
        assert!(parsed(r#"{"sftp": "SSH_FXP_SURPRISE", "path": "/a"}"#).is_err());
        assert!(parsed(r#"{"sftp": "SSH_FXP_OPEN", "path": "/a", "flags": "MAYBE"}"#).is_err());
    }
}
