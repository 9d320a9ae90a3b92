//! Messages of the connection protocol as borrowed views (RFC 4254), and those that the gateway writes.

use super::{Cursor, WireError, encode, number};

/// `SSH_OPEN_ADMINISTRATIVELY_PROHIBITED`.
pub const PROHIBITED: u32 = 1;
/// `SSH_OPEN_CONNECT_FAILED`.
pub const CONNECT_FAILED: u32 = 2;
/// `SSH_OPEN_RESOURCE_SHORTAGE`.
pub const SHORTAGE: u32 = 4;
/// The stream of standard error.
pub const STDERR: u32 = 1;

/// A message of the connection protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A request about the whole connection.
    Global {
        /// What is asked.
        kind: &'a str,
        /// An answer is wanted.
        reply: bool,
        /// What else the kind has.
        rest: &'a [u8],
    },
    /// It was granted.
    GlobalSuccess {
        /// What else the answer says.
        rest: &'a [u8],
    },
    /// It was not.
    GlobalFailure,
    /// A new channel.
    Open(Open<'a>),
    /// It is open.
    Confirmation {
        /// The receiver's number of the channel, as everywhere below.
        recipient: u32,
        /// The sender's.
        sender: u32,
        /// Bytes that may be sent to the sender.
        window: u32,
        /// Bytes of data that one message to the sender may have.
        packet: u32,
    },
    /// It is not.
    OpenFailure {
        /// The channel.
        recipient: u32,
        /// Why, as a number.
        reason: u32,
    },
    /// More may be sent.
    Adjust {
        /// The channel.
        recipient: u32,
        /// So many bytes more.
        bytes: u32,
    },
    /// Data.
    Data {
        /// The channel.
        recipient: u32,
        /// The data.
        data: &'a [u8],
    },
    /// Data of another stream.
    Extended {
        /// The channel.
        recipient: u32,
        /// The stream: [`STDERR`].
        stream: u32,
        /// The data.
        data: &'a [u8],
    },
    /// No more data.
    Eof {
        /// The channel.
        recipient: u32,
    },
    /// The channel is over.
    Close {
        /// The channel.
        recipient: u32,
    },
    /// A request about a channel.
    Request {
        /// The channel.
        recipient: u32,
        /// What is asked.
        kind: &'a str,
        /// An answer is wanted.
        reply: bool,
        /// What else the kind has.
        rest: &'a [u8],
    },
    /// It was granted.
    Success {
        /// The channel.
        recipient: u32,
    },
    /// It was not.
    Failure {
        /// The channel.
        recipient: u32,
    },
}

/// A new channel, asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// `session`, `direct-tcpip`, …
    pub kind: &'a str,
    /// The sender's number of it.
    pub sender: u32,
    /// Bytes that may be sent to the sender.
    pub window: u32,
    /// Bytes of data that one message to the sender may have.
    pub packet: u32,
    /// What else the kind has.
    pub rest: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a whole message.
    ///
    /// # Errors
    /// When it is not one of the connection protocol's.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(bytes);
        let first = cursor.byte()?;
        let message = match first {
            number::GLOBAL_REQUEST => {
                let (kind, reply) = (cursor.names()?, cursor.boolean()?);
                return Ok(Self::Global { kind, reply, rest: cursor.rest() });
            }
            number::REQUEST_SUCCESS => return Ok(Self::GlobalSuccess { rest: cursor.rest() }),
            number::REQUEST_FAILURE => Self::GlobalFailure,
            number::CHANNEL_OPEN => {
                let kind = cursor.names()?;
                let (sender, window, packet) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
                return Ok(Self::Open(Open { kind, sender, window, packet, rest: cursor.rest() }));
            }
            number::CHANNEL_OPEN_CONFIRMATION => {
                let (recipient, sender) = (cursor.u32()?, cursor.u32()?);
                // What may follow belongs to kinds that nobody speaks.
                return Ok(Self::Confirmation { recipient, sender, window: cursor.u32()?, packet: cursor.u32()? });
            }
            number::CHANNEL_OPEN_FAILURE => {
                return Ok(Self::OpenFailure { recipient: cursor.u32()?, reason: cursor.u32()? });
            }
            number::CHANNEL_WINDOW_ADJUST => Self::Adjust { recipient: cursor.u32()?, bytes: cursor.u32()? },
            number::CHANNEL_DATA => Self::Data { recipient: cursor.u32()?, data: cursor.string()? },
            number::CHANNEL_EXTENDED_DATA => {
                Self::Extended { recipient: cursor.u32()?, stream: cursor.u32()?, data: cursor.string()? }
            }
            number::CHANNEL_EOF => Self::Eof { recipient: cursor.u32()? },
            number::CHANNEL_CLOSE => Self::Close { recipient: cursor.u32()? },
            number::CHANNEL_REQUEST => {
                let (recipient, kind, reply) = (cursor.u32()?, cursor.names()?, cursor.boolean()?);
                return Ok(Self::Request { recipient, kind, reply, rest: cursor.rest() });
            }
            number::CHANNEL_SUCCESS => Self::Success { recipient: cursor.u32()? },
            number::CHANNEL_FAILURE => Self::Failure { recipient: cursor.u32()? },
            _ => return Err(WireError("not a message of the connection protocol")),
        };
        cursor.end()?;
        Ok(message)
    }
}

/// Appends data of a channel, standard output and input where there is no other stream.
pub fn data(out: &mut Vec<u8>, recipient: u32, stream: Option<u32>, data: &[u8]) {
    out.push(if stream.is_some() { number::CHANNEL_EXTENDED_DATA } else { number::CHANNEL_DATA });
    encode::u32(out, recipient);
    if let Some(stream) = stream {
        encode::u32(out, stream);
    }
    encode::string(out, data);
}

/// A message that has nothing but a channel's number.
#[must_use]
pub fn bare(number: u8, recipient: u32) -> Vec<u8> {
    encode::message(number, |out| encode::u32(out, recipient))
}

/// More may be sent.
#[must_use]
pub fn adjust(recipient: u32, bytes: u32) -> Vec<u8> {
    encode::message(number::CHANNEL_WINDOW_ADJUST, |out| {
        encode::u32(out, recipient);
        encode::u32(out, bytes);
    })
}

/// A channel is asked for.
#[must_use]
pub fn open(open: &Open<'_>) -> Vec<u8> {
    encode::message(number::CHANNEL_OPEN, |out| {
        encode::string(out, open.kind.as_bytes());
        encode::u32(out, open.sender);
        encode::u32(out, open.window);
        encode::u32(out, open.packet);
        out.extend_from_slice(open.rest);
    })
}

/// A channel is open.
#[must_use]
pub fn confirmation(recipient: u32, sender: u32, window: u32, packet: u32) -> Vec<u8> {
    encode::message(number::CHANNEL_OPEN_CONFIRMATION, |out| {
        for value in [recipient, sender, window, packet] {
            encode::u32(out, value);
        }
    })
}

/// A channel is not opened.
#[must_use]
pub fn open_failure(recipient: u32, reason: u32, words: &str) -> Vec<u8> {
    encode::message(number::CHANNEL_OPEN_FAILURE, |out| {
        encode::u32(out, recipient);
        encode::u32(out, reason);
        encode::string(out, words.as_bytes());
        encode::string(out, b"en");
    })
}

/// A request about a channel.
#[must_use]
pub fn request(recipient: u32, kind: &str, reply: bool, rest: &[u8]) -> Vec<u8> {
    encode::message(number::CHANNEL_REQUEST, |out| {
        encode::u32(out, recipient);
        encode::string(out, kind.as_bytes());
        encode::boolean(out, reply);
        out.extend_from_slice(rest);
    })
}

/// A request about the whole connection.
#[must_use]
pub fn global(kind: &str, reply: bool, rest: &[u8]) -> Vec<u8> {
    encode::message(number::GLOBAL_REQUEST, |out| {
        encode::string(out, kind.as_bytes());
        encode::boolean(out, reply);
        out.extend_from_slice(rest);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let it = Open { kind: "session", sender: 3, window: 9, packet: 7, rest: b"" };
        assert_eq!(Message::read(&open(&it)), Ok(Message::Open(it)));
        let mut out = Vec::new();
        data(&mut out, 5, Some(STDERR), b"words");
        assert_eq!(Message::read(&out), Ok(Message::Extended { recipient: 5, stream: 1, data: b"words" }));
        assert_eq!(Message::read(&adjust(5, 6)), Ok(Message::Adjust { recipient: 5, bytes: 6 }));
        let exec = request(5, "exec", true, b"\0\0\0\x02ls");
        assert_eq!(
            Message::read(&exec),
            Ok(Message::Request { recipient: 5, kind: "exec", reply: true, rest: b"\0\0\0\x02ls" })
        );
        assert_eq!(Message::read(&bare(number::CHANNEL_EOF, 5)), Ok(Message::Eof { recipient: 5 }));
        assert!(Message::read(b"\x60\0\0\0\x05\0").is_err() && Message::read(b"").is_err());
        assert!(Message::read(b"\x5e\0\0\0\x05\0\0\0\x09").is_err());
    }
}
