//! What a client's request is about, and what it would do.

use std::borrow::Cow;

use model::Effect;

use super::attributes::Attributes;
use super::packet::{INIT, LENGTH};
use super::path;
use crate::wire::{Cursor, NOT_TEXT, WireError};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RMDIR: u8 = 15;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const READLINK: u8 = 19;
const SYMLINK: u8 = 20;
const EXTENDED: u8 = 200;

/// Bits of an OPEN that let its handle do more than read: write, append, create, truncate, exclusive.
const MORE_THAN_READ: u32 = 0x02 | 0x04 | 0x08 | 0x10 | 0x20;
/// The bit of an OPEN that lets its handle read.
const TO_READ: u32 = 0x01;

/// A path in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<'a> {
    /// As the client gave it; what a link says is seen from where the link is.
    pub path: Cow<'a, str>,
    /// If it is a link, it is the link that is meant, not what it points to.
    pub itself: bool,
    /// What is done to it.
    pub effect: Effect,
    /// Where it leads depends on what is put there later.
    pub lost: bool,
}

impl<'a> Named<'a> {
    fn to(effect: Effect, path: impl Into<Cow<'a, str>>) -> Self {
        Self { path: path.into(), itself: false, effect, lost: false }
    }

    fn itself(effect: Effect, path: impl Into<Cow<'a, str>>) -> Self {
        Self { path: path.into(), itself: true, effect, lost: false }
    }

    /// As [`itself`](Self::itself), where a slash at the end says that a link is to be followed after all (POSIX, 4.16).
    fn last(effect: Effect, path: &'a str) -> Self {
        if path.ends_with('/') { Self::to(effect, path) } else { Self::itself(effect, path) }
    }

    /// What is asked of the target to know where it is: the path, or the directory that it is in.
    #[must_use]
    pub fn question(&self) -> &str {
        if self.is_beside() { path::parent(&self.path) } else { &self.path }
    }

    /// Whether the answer to the question is the directory, and not the place itself.
    #[must_use]
    pub fn is_beside(&self) -> bool {
        self.itself && path::has_name(&self.path)
    }
}

/// In which order a request for a link has its two names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOrder {
    /// What it says, then the link: OpenSSH's (OpenSSH, PROTOCOL, section 4.1).
    OpenSsh,
    /// Nobody has said.
    Unknown,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// What its answer is known by; 0 for the first one, which has none.
    pub id: u32,
    /// One word for what it does: `get`, `put`, `list`, …
    pub word: &'static str,
    /// What it is about.
    pub about: About<'a>,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About<'a> {
    /// The first packet, which has no number and no answer that has one.
    Greeting {
        /// The highest version that the client speaks.
        version: u32,
    },
    /// Nothing that is judged: limits, where a path is.
    Nothing,
    /// Paths, and what is done to each.
    Paths(Vec<Named<'a>>),
    /// Something that was opened before.
    Handle {
        /// Its name.
        handle: &'a [u8],
        /// What is done with it.
        does: Does<'a>,
    },
    /// Something that is not carried.
    Unknown,
    /// Names that rules cannot be matched against: not UTF-8, or with a NUL.
    Unreadable,
}

/// What is done with something that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does<'a> {
    /// It is closed.
    Close,
    /// It is read from here on.
    Read {
        /// Where.
        offset: u64,
    },
    /// It is written.
    Write {
        /// Where.
        offset: u64,
        /// With what.
        data: &'a [u8],
    },
    /// Names are read, or what is known of it.
    Look,
    /// What is known of it is changed.
    Change(Attributes),
}

impl<'a> Request<'a> {
    /// Reads a whole packet, its length included.
    ///
    /// # Errors
    /// When it breaks the protocol.
    pub fn read(packet: &'a [u8], order: LinkOrder) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet.get(LENGTH..).unwrap_or_default());
        let kind = cursor.byte()?;
        if kind == INIT {
            return Ok(Self { id: 0, word: "init", about: About::Greeting { version: cursor.u32()? } });
        }
        let id = cursor.u32()?;
        match Self::body(kind, &mut cursor, order) {
            Ok((word, about)) => Ok(Self { id, word, about }),
            Err(error) if error == NOT_TEXT => Ok(Self { id, word: "unreadable", about: About::Unreadable }),
            Err(error) => Err(error),
        }
    }

    fn body(kind: u8, cursor: &mut Cursor<'a>, order: LinkOrder) -> Result<(&'static str, About<'a>), WireError> {
        Ok(match kind {
            OPEN => open(cursor)?,
            CLOSE => ("close", handle(cursor, Does::Close)?),
            READ => {
                let name = cursor.string()?;
                let offset = cursor.u64()?;
                ("read", About::Handle { handle: name, does: Does::Read { offset } })
            }
            WRITE => {
                let name = cursor.string()?;
                let (offset, data) = (cursor.u64()?, cursor.string()?);
                ("write", About::Handle { handle: name, does: Does::Write { offset, data } })
            }
            FSTAT => ("stat", handle(cursor, Does::Look)?),
            READDIR => ("list", handle(cursor, Does::Look)?),
            FSETSTAT => {
                let handle = cursor.string()?;
                let does = Does::Change(Attributes::read(cursor)?);
                ("setstat", About::Handle { handle, does })
            }
            STAT => ("stat", one(Named::to(Effect::Read, cursor.path()?))),
            LSTAT => ("stat", one(Named::last(Effect::Read, cursor.path()?))),
            // Where something is, which clients ask before anything else; that it is there is all that it tells.
            REALPATH => ("realpath", About::Nothing),
            READLINK => ("readlink", one(Named::itself(Effect::Read, cursor.path()?))),
            OPENDIR => ("list", one(Named::to(Effect::Read, cursor.path()?))),
            SETSTAT => ("setstat", one(Named::to(Effect::Alter, cursor.path()?))),
            REMOVE => ("remove", one(Named::itself(Effect::Delete, cursor.path()?))),
            RMDIR => ("rmdir", one(Named::itself(Effect::Delete, cursor.path()?))),
            MKDIR => ("mkdir", one(Named::itself(Effect::Create, cursor.path()?))),
            RENAME => ("rename", rename(cursor)?),
            SYMLINK => ("symlink", symlink(cursor, order)?),
            EXTENDED => extended(cursor)?,
            _ => ("unknown", About::Unknown),
        })
    }

    /// The paths of something that is known by another name, or at another place, from then on.
    #[must_use]
    pub fn moves(&self) -> Option<(usize, usize)> {
        match self.word {
            "rename" => Some((0, 1)),
            "link" => Some((0, 2)),
            _ => None,
        }
    }
}

fn one(named: Named<'_>) -> About<'_> {
    About::Paths(vec![named])
}

fn handle<'a>(cursor: &mut Cursor<'a>, does: Does<'a>) -> Result<About<'a>, WireError> {
    Ok(About::Handle { handle: cursor.string()?, does })
}

fn open<'a>(cursor: &mut Cursor<'a>) -> Result<(&'static str, About<'a>), WireError> {
    let (path, flags) = (cursor.path()?, cursor.u32()?);
    let attributes = Attributes::read(cursor)?;
    let mut paths = Vec::new();
    if flags & TO_READ != 0 || flags & MORE_THAN_READ == 0 {
        paths.push(Named::to(Effect::Read, path));
    }
    if flags & MORE_THAN_READ != 0 {
        paths.push(Named::to(Effect::Write, path));
        if attributes.special {
            paths.push(Named::to(Effect::Alter, path));
        }
    }
    Ok((if flags & MORE_THAN_READ != 0 { "put" } else { "get" }, About::Paths(paths)))
}

/// What is renamed is altered where it was, and may take the place of something where it goes.
fn rename<'a>(cursor: &mut Cursor<'a>) -> Result<About<'a>, WireError> {
    let (from, to) = (cursor.path()?, cursor.path()?);
    Ok(About::Paths(vec![
        Named::itself(Effect::Alter, from),
        Named::itself(Effect::Alter, to),
        Named::itself(Effect::Write, to),
    ]))
}

/// Through a link, what it points to could be read and written under another name: judged as both. Where the order of the two is not known, both
/// are judged as either.
fn symlink<'a>(cursor: &mut Cursor<'a>, order: LinkOrder) -> Result<About<'a>, WireError> {
    let (first, second) = (cursor.path()?, cursor.path()?);
    let made = |says: &'a str, link: &'a str| {
        let there = || path::led(path::parent(link), says);
        // Another link in the place of what stands before `..` would lead it elsewhere.
        let to = |effect| Named { lost: path::leads_back(says), ..Named::to(effect, there()) };
        vec![to(Effect::Read), to(Effect::Write), Named::itself(Effect::Create, link)]
    };
    let mut paths = made(first, second);
    if order == LinkOrder::Unknown {
        paths.extend(made(second, first));
    }
    Ok(About::Paths(paths))
}

fn extended<'a>(cursor: &mut Cursor<'a>) -> Result<(&'static str, About<'a>), WireError> {
    let name = cursor.text()?;
    Ok(match name {
        "posix-rename@openssh.com" => ("rename", rename(cursor)?),
        "hardlink@openssh.com" => {
            let (from, to) = (cursor.path()?, cursor.path()?);
            let from = [Named::itself(Effect::Read, from), Named::itself(Effect::Write, from)];
            ("link", About::Paths([from.as_slice(), &[Named::itself(Effect::Create, to)]].concat()))
        }
        "statvfs@openssh.com" => ("stat", one(Named::to(Effect::Read, cursor.path()?))),
        "fstatvfs@openssh.com" => ("stat", handle(cursor, Does::Look)?),
        "fsync@openssh.com" => ("sync", handle(cursor, Does::Look)?),
        "lsetstat@openssh.com" => ("setstat", one(Named::last(Effect::Alter, cursor.path()?))),
        "expand-path@openssh.com" => ("realpath", About::Nothing),
        "limits@openssh.com" | "users-groups-by-id@openssh.com" => ("info", About::Nothing),
        _ => ("unknown", About::Unknown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sftp::packet::packet;
    use crate::wire::encode;

    fn with_paths(kind: u8, paths: &[&str], tail: &[u8]) -> Vec<u8> {
        packet(kind, |out| {
            encode::u32(out, 9);
            for path in paths {
                encode::string(out, path.as_bytes());
            }
            out.extend_from_slice(tail);
        })
    }

    fn effects(packet: &[u8]) -> Vec<(Effect, String)> {
        match Request::read(packet, LinkOrder::OpenSsh).unwrap().about {
            About::Paths(paths) => paths.into_iter().map(|it| (it.effect, it.question().to_owned())).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_open_does_what_its_flags_let_it() {
        for (flags, expected) in [
            (0x01, vec![Effect::Read]),
            (0x00, vec![Effect::Read]),
            (0x1a, vec![Effect::Write]),
            (0x03, vec![Effect::Read, Effect::Write]),
            (0x08, vec![Effect::Write]),
        ] {
            let open = |attributes: &[u8]| {
                let tail = [&u32::to_be_bytes(flags), attributes].concat();
                effects(&with_paths(OPEN, &["/a/b"], &tail)).into_iter().map(|it| it.0).collect::<Vec<_>>()
            };
            assert_eq!(open(&[0; 4]), expected, "{flags}");
            assert_eq!(open(&[0, 0, 0, 4, 0, 0, 0o1, 0o244]), expected, "{flags}");
            // A file that lends its owner's rights is more than one that is written.
            let lends = open(&[0, 0, 0, 4, 0, 0, 0x09, 0xed]);
            assert_eq!(lends.contains(&Effect::Alter), expected.contains(&Effect::Write), "{flags}");
        }
    }

    #[test]
    fn links_are_followed_or_meant_themselves() {
        assert_eq!(effects(&with_paths(STAT, &["/a/b"], b"")), [(Effect::Read, "/a/b".to_owned())]);
        assert_eq!(effects(&with_paths(LSTAT, &["/a/b"], b"")), [(Effect::Read, "/a".to_owned())]);
        assert_eq!(effects(&with_paths(LSTAT, &["/a/b/"], b"")), [(Effect::Read, "/a/b/".to_owned())]);
        let lsetstat = packet(EXTENDED, |out| {
            encode::u32(out, 1);
            encode::string(out, b"lsetstat@openssh.com");
            encode::string(out, b"/a/link/");
        });
        assert_eq!(effects(&lsetstat), [(Effect::Alter, "/a/link/".to_owned())]);
        assert_eq!(effects(&with_paths(REMOVE, &["/a/.."], b"")), [(Effect::Delete, "/a/..".to_owned())]);
        assert_eq!(
            effects(&with_paths(SYMLINK, &["up/it", "/srv/x"], b""))[0],
            (Effect::Read, "/srv/up/it".to_owned())
        );
        let either = with_paths(SYMLINK, &["/a/b", "/srv/x"], b"");
        let About::Paths(either) = Request::read(&either, LinkOrder::Unknown).unwrap().about else { panic!() };
        assert_eq!(either.iter().filter(|named| named.effect == Effect::Create).count(), 2);
        let made = effects(&with_paths(SYMLINK, &["/etc/shadow", "/tmp/x"], b""));
        assert!(
            made.contains(&(Effect::Read, "/etc/shadow".to_owned()))
                && made.contains(&(Effect::Create, "/tmp".to_owned()))
        );
    }

    #[test]
    fn what_is_not_known_is_not_carried() {
        let copy = packet(EXTENDED, |out| {
            encode::u32(out, 1);
            encode::string(out, b"copy-data");
        });
        assert_eq!(Request::read(&copy, LinkOrder::Unknown).unwrap().about, About::Unknown);
        assert_eq!(Request::read(&with_paths(77, &[], b""), LinkOrder::Unknown).unwrap().about, About::Unknown);
        assert!(Request::read(&with_paths(OPEN, &[], b""), LinkOrder::Unknown).is_err());
        for name in [b"/caf\xe9", b"/a\0/..".as_slice()] {
            let stat = packet(STAT, |out| {
                encode::u32(out, 7);
                encode::string(out, name);
            });
            let request = Request::read(&stat, LinkOrder::Unknown).unwrap();
            assert_eq!((request.id, request.about), (7, About::Unreadable));
        }
    }
}
