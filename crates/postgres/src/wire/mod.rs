//! PostgreSQL's messages as borrowed views, protocol 3.0 and 3.2. Pure: bytes in, views out; views in, bytes out.
//!
//! - [`limits`]: every length that the network may choose, bounded by name
//! - [`cursor`]: the reader under all views; it refuses missing and trailing bytes
//! - [`frames`]: cuts a buffer into messages
//! - [`startup`]: what a client sends before messages have tags
//! - [`frontend`]: what a client says
//! - [`backend`]: what a server says; [`row`] its descriptions and rows, [`fields`] its errors and notices
//! - [`encode`]: whatever the gateway itself says, to either side
//!
//! Section numbers are those of the PostgreSQL 18 manual, chapter 54, "Frontend/Backend Protocol".

pub mod backend;
pub mod cursor;
pub mod encode;
pub mod fields;
pub mod frames;
pub mod frontend;
pub mod limits;
pub mod row;
pub mod startup;

#[cfg(test)]
mod tests;

pub use backend::{
    Authentication, Backend, BackendKey, CopyResponse, Negotiate, Notification, ParameterStatus, TransactionStatus,
};
pub use cursor::{Cursor, Text};
pub use fields::{Report, ReportFields};
pub use frames::{Frame, Frames, Header, Next};
pub use frontend::{
    Bind, Close, Describe, Execute, Frontend, FunctionCall, Parse, SaslInitialResponse, Subject, password_message,
};
pub use row::{DataRow, Field, Format, ParameterTypes, RowDescription};
pub use startup::{Initial, InitialNext, StartupMessage};

/// Why bytes are not a message. The texts hold lengths, tags and names of fields, never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A message ends before its last field.
    #[error("the message ends within its {0}")]
    Missing(&'static str),
    /// A message goes on after its last field.
    #[error("{0} bytes follow the end of the message")]
    Trailing(usize),
    /// A length field below what it must at least be.
    #[error("message length {0} is too small")]
    TooShort(u32),
    /// A length field above the limit.
    #[error("message length {length} is above the limit of {max} bytes")]
    TooLong {
        /// What the peer announced, in bytes, the length field included.
        length: u64,
        /// The limit that holds here.
        max: u64,
    },
    /// A count or length that cannot be: negative, or more than fits.
    #[error("the {0} of the message is not possible")]
    BadCount(&'static str),
    /// A field has a value that the protocol does not know.
    #[error("the {0} of the message has a value that is not known")]
    BadValue(&'static str),
    /// Text of a client that is not UTF-8. The only failure that leaves the client in step with the protocol.
    #[error("invalid byte sequence for encoding \"UTF8\" in the {0}")]
    NotUtf8(&'static str),
    /// A message type that does not exist in this direction.
    #[error("message type 0x{0:02x} is not known here")]
    UnknownTag(u8),
    /// A startup packet for another protocol.
    #[error("protocol version {major}.{minor} is not supported; use 3.0 or 3.2")]
    UnknownProtocol {
        /// The major number.
        major: u16,
        /// The minor number.
        minor: u16,
    },
    /// A startup parameter given twice: which of them a server would take is not for us to guess.
    #[error("a startup parameter is given twice")]
    DuplicateParameter,
}

impl WireError {
    /// The SQLSTATE to answer with: 22021 for bad text, 54000 for too much, 0A000 for another protocol, else 08P01.
    #[must_use]
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::NotUtf8(_) => "22021",
            Self::TooLong { .. } => "54000",
            Self::UnknownProtocol { .. } => "0A000",
            Self::Missing(_)
            | Self::Trailing(_)
            | Self::TooShort(_)
            | Self::BadCount(_)
            | Self::BadValue(_)
            | Self::UnknownTag(_)
            | Self::DuplicateParameter => "08P01",
        }
    }

    /// Whether the boundaries of messages are still known, so that an ERROR (and not a FATAL) is an honest answer.
    #[must_use]
    pub const fn in_step(&self) -> bool {
        match self {
            Self::NotUtf8(_) | Self::Missing(_) | Self::Trailing(_) | Self::BadCount(_) | Self::BadValue(_) => true,
            Self::TooShort(_)
            | Self::TooLong { .. }
            | Self::UnknownTag(_)
            | Self::UnknownProtocol { .. }
            | Self::DuplicateParameter => false,
        }
    }
}
