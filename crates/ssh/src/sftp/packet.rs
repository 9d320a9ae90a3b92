//! Packets of SFTP: a length, a type, and what the type has.

use crate::wire::{Cursor, WireError, encode};

/// Bytes of one packet behind its length, at most: what OpenSSH takes.
pub const MOST: usize = 256 * 1024;
/// The version that is decoded, and spoken by nearly everybody (draft-ietf-secsh-filexfer-02). Others lay their packets out differently.
const SPOKEN: u32 = 3;
/// Bytes of the length before a packet.
pub const LENGTH: usize = 4;

/// `SSH_FXP_INIT`.
pub const INIT: u8 = 1;
/// `SSH_FXP_LSTAT`.
pub const LSTAT: u8 = 7;
/// `SSH_FXP_READLINK`.
pub const READLINK: u8 = 19;
/// `SSH_FXP_ATTRS`.
pub const ATTRIBUTES: u8 = 105;

/// `SSH_FXP_VERSION`.
pub const VERSION: u8 = 2;
/// `SSH_FXP_REALPATH`.
pub const REALPATH: u8 = 16;
/// `SSH_FXP_STATUS`.
pub const STATUS: u8 = 101;
/// `SSH_FXP_HANDLE`.
pub const HANDLE: u8 = 102;
/// `SSH_FXP_DATA`.
pub const DATA: u8 = 103;
/// `SSH_FXP_NAME`.
pub const NAME: u8 = 104;

/// `SSH_FX_OK`.
pub const OK: u32 = 0;
/// `SSH_FX_EOF`.
pub const EOF: u32 = 1;
/// `SSH_FX_PERMISSION_DENIED`.
pub const PERMISSION_DENIED: u32 = 3;
/// `SSH_FX_BAD_MESSAGE`.
pub const BAD_MESSAGE: u32 = 5;
/// `SSH_FX_OP_UNSUPPORTED`.
pub const UNSUPPORTED: u32 = 8;

/// Extensions of a server that a client may be told of: those whose requests are known.
const EXTENSIONS: &[&[u8]] = &[
    b"posix-rename@openssh.com",
    b"statvfs@openssh.com",
    b"fstatvfs@openssh.com",
    b"hardlink@openssh.com",
    b"fsync@openssh.com",
    b"lsetstat@openssh.com",
    b"limits@openssh.com",
    b"expand-path@openssh.com",
    b"users-groups-by-id@openssh.com",
];

/// How many bytes the packet at the front takes in all; `None` while its length is not there.
///
/// # Errors
/// When it is longer than [`MOST`], or has no type.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    let Some(length) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length == 0 || length > MOST {
        return Err(WireError("a file transfer's packet has no possible length"));
    }
    Ok(Some(LENGTH + length))
}

/// A packet.
#[must_use]
pub fn packet(kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0; LENGTH];
    out.push(kind);
    body(&mut out);
    let length = u32::try_from(out.len() - LENGTH).unwrap_or(u32::MAX);
    if let Some(place) = out.first_chunk_mut::<LENGTH>() {
        *place = length.to_be_bytes();
    }
    out
}

/// How a request ended, in our words.
#[must_use]
pub fn status(id: u32, code: u32, words: &str) -> Vec<u8> {
    packet(STATUS, |out| {
        encode::u32(out, id);
        encode::u32(out, code);
        encode::string(out, words.as_bytes());
        encode::string(out, b"en");
    })
}

/// A question about a path: [`REALPATH`], what it is once links and dots are resolved; [`LSTAT`], what is there; [`READLINK`], what the link says.
#[must_use]
pub fn ask(kind: u8, id: u32, path: &[u8]) -> Vec<u8> {
    packet(kind, |out| {
        encode::u32(out, id);
        encode::string(out, path);
    })
}

/// A client's greeting as it goes on: in the version that is decoded, and with nothing of the client's own.
///
/// # Errors
/// When it cannot be read, or offers less.
pub fn greeting(version: u32) -> Result<Vec<u8>, WireError> {
    if version < SPOKEN {
        return Err(WireError("file transfers speak version 3 of SFTP"));
    }
    Ok(packet(INIT, |out| encode::u32(out, SPOKEN)))
}

/// What a server says of itself, without extensions that are not known.
///
/// # Errors
/// When it cannot be read, or is not in the version that it was asked for.
pub fn known_version(body: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut cursor = Cursor::new(body);
    let version = cursor.u32()?;
    if version != SPOKEN {
        return Err(WireError("the target speaks another version of SFTP than 3"));
    }
    let mut known = Vec::new();
    while !cursor.rest().is_empty() {
        let (name, value) = (cursor.string()?, cursor.string()?);
        if EXTENSIONS.contains(&name) {
            known.push((name, value));
        }
    }
    Ok(packet(VERSION, |out| {
        encode::u32(out, version);
        for (name, value) in known {
            encode::string(out, name);
            encode::string(out, value);
        }
    }))
}

/// A server's answer, as far as it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// What the server says of itself.
    Version {
        /// Behind the type.
        body: &'a [u8],
    },
    /// How a request ended.
    Status {
        /// The request.
        id: u32,
        /// 0 is well, 1 the end of a file.
        code: u32,
    },
    /// A file or directory is open.
    Handle {
        /// The request.
        id: u32,
        /// What it is called from here on.
        handle: &'a [u8],
    },
    /// Content.
    Data {
        /// The request.
        id: u32,
        /// The content.
        data: &'a [u8],
    },
    /// Names.
    Name {
        /// The request.
        id: u32,
        /// The first of them, where there is one.
        first: Option<&'a [u8]>,
    },
    /// What something is.
    Attributes {
        /// The request.
        id: u32,
        /// Its kind and permissions, as `st_mode` has them, if the target says so.
        mode: Option<u32>,
    },
    /// Anything else.
    Other {
        /// The request.
        id: u32,
    },
}

impl<'a> Answer<'a> {
    /// Reads a whole packet, its length included.
    ///
    /// # Errors
    /// When it is not an answer.
    pub fn read(packet: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet.get(LENGTH..).unwrap_or_default());
        let kind = cursor.byte()?;
        if kind == VERSION {
            return Ok(Self::Version { body: cursor.rest() });
        }
        let id = cursor.u32()?;
        Ok(match kind {
            STATUS => Self::Status { id, code: cursor.u32()? },
            HANDLE => Self::Handle { id, handle: cursor.string()? },
            DATA => Self::Data { id, data: cursor.string()? },
            NAME => {
                let first = if cursor.u32()? > 0 { Some(cursor.string()?) } else { None };
                Self::Name { id, first }
            }
            ATTRIBUTES => Self::Attributes { id, mode: mode(&mut cursor)? },
            _ => Self::Other { id },
        })
    }
}

/// The permissions in attributes (draft-ietf-secsh-filexfer-02, section 5).
fn mode(cursor: &mut Cursor<'_>) -> Result<Option<u32>, WireError> {
    const SIZE: u32 = 1;
    const OWNER: u32 = 2;
    const PERMISSIONS: u32 = 4;
    let flags = cursor.u32()?;
    if flags & SIZE != 0 {
        cursor.u64()?;
    }
    if flags & OWNER != 0 {
        let _owner = (cursor.u32()?, cursor.u32()?);
    }
    if flags & PERMISSIONS == 0 { Ok(None) } else { cursor.u32().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let denied = status(7, PERMISSION_DENIED, "no");
        assert_eq!(length(&denied), Ok(Some(denied.len())));
        assert_eq!(Answer::read(&denied), Ok(Answer::Status { id: 7, code: 3 }));
        assert_eq!(length(&[0, 0, 0]), Ok(None));
        assert!(length(&[0, 0, 0, 0]).is_err() && length(&[0xff; 4]).is_err());
        let version = packet(VERSION, |out| {
            encode::u32(out, 3);
            for name in [b"copy-data".as_slice(), b"fsync@openssh.com"] {
                encode::string(out, name);
                encode::string(out, b"1");
            }
        });
        let known = known_version(&version[5..]).unwrap();
        assert!(!known.windows(9).any(|it| it == b"copy-data") && known.windows(5).any(|it| it == b"fsync"));
    }
}
