//! The reader under all views: bounds are checked before bytes are touched, and an end that is not the end is an error.

/// Bytes that are not the message that they should be. It says what was read, never what the bytes were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message breaks the protocol: {0}")]
pub struct WireError(pub &'static str);

/// A text that is none, in a message that is whole.
pub const NOT_TEXT: WireError = WireError("a text that is not UTF-8, or a name with a NUL");

/// Reads fields from the front of a message (RFC 4251, section 5).
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// So many bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(WireError("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// `byte`.
    ///
    /// # Errors
    /// At the end.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        self.take(1).map(|taken| taken.first().copied().unwrap_or(0))
    }

    /// `boolean`: anything but 0 is true.
    ///
    /// # Errors
    /// At the end.
    pub fn boolean(&mut self) -> Result<bool, WireError> {
        Ok(self.byte()? != 0)
    }

    /// `uint32`.
    ///
    /// # Errors
    /// At the end.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        let taken = self.take(4)?;
        taken.try_into().map(u32::from_be_bytes).map_err(|_| WireError("it ends too early"))
    }

    /// `uint64`.
    ///
    /// # Errors
    /// At the end.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        let taken = self.take(8)?;
        taken.try_into().map(u64::from_be_bytes).map_err(|_| WireError("it ends too early"))
    }

    /// `string`: bytes behind their length.
    ///
    /// # Errors
    /// When it is longer than what is left.
    pub fn string(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.u32()?;
        self.take(usize::try_from(len).map_err(|_| WireError("a length above the limit"))?)
    }

    /// `string` that is text.
    ///
    /// # Errors
    /// As [`string`](Self::string), and when it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.string()?).map_err(|_| NOT_TEXT)
    }

    /// `string` that names a file.
    ///
    /// # Errors
    /// As [`text`](Self::text), and [`NOT_TEXT`] when it has a NUL.
    pub fn path(&mut self) -> Result<&'a str, WireError> {
        let path = self.text()?;
        if path.contains('\0') { Err(NOT_TEXT) } else { Ok(path) }
    }

    /// `name-list`: names with commas between them.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn names(&mut self) -> Result<&'a str, WireError> {
        let names = self.text()?;
        if names.is_ascii() { Ok(names) } else { Err(WireError("a name that is not ASCII")) }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// When something is.
    pub const fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError("it goes on behind its end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_and_ends_are_ends() {
        let mut cursor = Cursor::new(b"\0\0\0\x02hi\x01");
        assert_eq!(cursor.text().unwrap(), "hi");
        assert!(cursor.end().is_err());
        assert!(cursor.boolean().unwrap());
        cursor.end().unwrap();
        assert!(cursor.byte().is_err());
        assert!(Cursor::new(b"\xff\xff\xff\xff").string().is_err());
        assert!(Cursor::new(b"\0\0\0\x01\xff").text().is_err());
        assert!(Cursor::new(b"\0\0").u32().is_err());
    }
}
