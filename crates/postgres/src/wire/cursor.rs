//! The reader under all views: bounds are checked before bytes are touched, and an end that is not the end is an error.

use std::borrow::Cow;
use std::fmt;

use super::WireError;

/// Text of a server: bytes up to a NUL, in UTF-8 unless the database's encoding is `SQL_ASCII`. No `Debug` of its content:
/// it may hold data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<'a> Text<'a> {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, if it is UTF-8.
    #[must_use]
    pub const fn to_str(self) -> Option<&'a str> {
        match std::str::from_utf8(self.0) {
            Ok(text) => Some(text),
            Err(_) => None,
        }
    }

    /// The text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }
}

/// Reads fields from the front of a message body.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`WireError::Missing`] when fewer are left.
    pub fn bytes(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(WireError::Missing(what))?;
        self.rest = tail;
        Ok(head)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`WireError::Missing`] when none is left.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        let (&byte, tail) = self.rest.split_first().ok_or(WireError::Missing(what))?;
        self.rest = tail;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(WireError::Missing(what))?;
        self.rest = tail;
        Ok(*head)
    }

    /// An Int16.
    ///
    /// # Errors
    /// [`WireError::Missing`].
    pub fn i16(&mut self, what: &'static str) -> Result<i16, WireError> {
        self.array(what).map(i16::from_be_bytes)
    }

    /// An Int16 that counts something. The server reads parameter counts as unsigned: 65,535 bind values are possible.
    ///
    /// # Errors
    /// [`WireError::Missing`].
    pub fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// An Int32.
    ///
    /// # Errors
    /// [`WireError::Missing`].
    pub fn i32(&mut self, what: &'static str) -> Result<i32, WireError> {
        self.array(what).map(i32::from_be_bytes)
    }

    /// An Int32 without sign, such as an OID.
    ///
    /// # Errors
    /// [`WireError::Missing`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// A String: bytes up to a NUL, which is taken too.
    ///
    /// # Errors
    /// [`WireError::Missing`] when there is no NUL.
    pub fn text(&mut self, what: &'static str) -> Result<Text<'a>, WireError> {
        let end = memchr::memchr(0, self.rest).ok_or(WireError::Missing(what))?;
        let head = self.bytes(end, what)?;
        self.u8(what)?;
        Ok(Text(head))
    }

    /// A String of a client: the gateway pins UTF-8, so anything else is refused before a parser can read it differently
    /// than the server.
    ///
    /// # Errors
    /// [`WireError::Missing`], [`WireError::NotUtf8`].
    pub fn utf8(&mut self, what: &'static str) -> Result<&'a str, WireError> {
        self.text(what)?.to_str().ok_or(WireError::NotUtf8(what))
    }

    /// A value with a length before it; -1 is null.
    ///
    /// # Errors
    /// [`WireError::Missing`], or [`WireError::BadCount`] for other negative lengths.
    pub fn value(&mut self, what: &'static str) -> Result<Option<&'a [u8]>, WireError> {
        let length = self.i32(what)?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| WireError::BadCount(what))?;
        self.bytes(length, what).map(Some)
    }

    /// Says that the message ends here.
    ///
    /// # Errors
    /// [`WireError::Trailing`] when it does not.
    pub const fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.rest.len())) }
    }
}
