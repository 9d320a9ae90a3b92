//! Cuts a buffer into messages: a tag, a length that counts itself, a body (54.1.1). Nothing is copied.

use super::WireError;
use super::limits::{HEADER, LENGTH_FIELD};

/// One complete message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What sort of message.
    pub tag: u8,
    /// Its body, without tag and length.
    pub body: &'a [u8],
    /// All of it, as it came: what is forwarded when nothing is to be changed.
    pub whole: &'a [u8],
}

/// What comes next in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A whole message.
    Frame(Frame<'a>),
    /// The start of a message, or nothing at all.
    Partial {
        /// Bytes of it that are here.
        have: usize,
        /// Bytes that are needed to go on: the whole message once its header is here, else the header.
        need: usize,
    },
}

/// A header, read alone: for messages that are passed on in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What sort of message.
    pub tag: u8,
    /// Length of its body in bytes.
    pub body: usize,
}

impl Header {
    /// Reads a header; `None` when it is not all there. `max` bounds the length field.
    ///
    /// # Errors
    /// [`WireError::TooShort`] below 4, [`WireError::TooLong`] above `max`. Both are found before any byte of a body is awaited.
    pub fn read(bytes: &[u8], max: usize) -> Result<Option<Self>, WireError> {
        let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        let size = usize::try_from(length).map_err(|_| too_long(length, max))?;
        let body = size.checked_sub(LENGTH_FIELD).ok_or(WireError::TooShort(length))?;
        if size > max {
            return Err(too_long(length, max));
        }
        Ok(Some(Self { tag, body }))
    }
}

fn too_long(length: u32, max: usize) -> WireError {
    WireError::TooLong { length: u64::from(length), max: u64::try_from(max).unwrap_or(u64::MAX) }
}

/// Cuts messages off the front of a buffer.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    consumed: usize,
    max: usize,
}

impl<'a> Frames<'a> {
    /// Starts at the front of `bytes`; `max` bounds every length field.
    #[must_use]
    pub const fn new(bytes: &'a [u8], max: usize) -> Self {
        Self { rest: bytes, consumed: 0, max }
    }

    /// The next message, or what is missing of it. After an error the boundaries are lost: the same error comes again.
    ///
    /// # Errors
    /// As [`Header::read`].
    pub fn advance(&mut self) -> Result<Next<'a>, WireError> {
        let Some(header) = Header::read(self.rest, self.max)? else {
            return Ok(Next::Partial { have: self.rest.len(), need: HEADER });
        };
        let need = HEADER.saturating_add(header.body);
        let Some((whole, tail)) = self.rest.split_at_checked(need) else {
            return Ok(Next::Partial { have: self.rest.len(), need });
        };
        self.rest = tail;
        self.consumed = self.consumed.saturating_add(need);
        let body = whole.get(HEADER..).unwrap_or_default();
        Ok(Next::Frame(Frame { tag: header.tag, body, whole }))
    }

    /// Bytes of the complete messages that were handed out.
    #[must_use]
    pub const fn consumed(&self) -> usize {
        self.consumed
    }

    /// What was not handed out.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}
