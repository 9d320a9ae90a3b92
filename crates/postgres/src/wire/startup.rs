//! What a client sends before messages have tags: requests for encryption, cancel requests, the startup message (54.2.1, 54.7).

use super::WireError;
use super::cursor::Cursor;
use super::limits::{CANCEL_KEY, CANCEL_KEY_LEAST, LENGTH_FIELD, STARTUP, STARTUP_PARAMETERS};

/// The code of an SSLRequest.
pub const SSL_REQUEST: u32 = 80_877_103;
/// The code of a GSSENCRequest.
pub const GSS_REQUEST: u32 = 80_877_104;
/// The code of a CancelRequest.
pub const CANCEL_REQUEST: u32 = 80_877_102;
/// The only major version.
pub const MAJOR: u16 = 3;
/// The newest minor version that the gateway speaks. 3.1 was never used; a client that asks for it is served as one of 3.0.
pub const NEWEST_MINOR: u16 = 2;
/// The first byte of a TLS record that holds a handshake: a client that starts with it wants direct TLS (54.2.10).
pub const TLS_HANDSHAKE: u8 = 0x16;

/// What is at the front of an untagged buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialNext<'a> {
    /// A whole packet and its length in bytes.
    Packet(Initial<'a>, usize),
    /// The start of one.
    Partial {
        /// Bytes of it that are here.
        have: usize,
        /// Bytes that are needed to go on.
        need: usize,
    },
}

/// A packet without a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initial<'a> {
    /// May we speak TLS?
    Ssl,
    /// May we speak GSSAPI encryption?
    Gss,
    /// End what another connection is doing.
    Cancel {
        /// The process number, as it was given in BackendKeyData.
        pid: i32,
        /// The key: 4 bytes in protocol 3.0, up to 256 in 3.2.
        key: &'a [u8],
    },
    /// Let us begin.
    Startup(StartupMessage<'a>),
}

/// A StartupMessage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupMessage<'a> {
    /// The minor version that the client asked for, whatever it is.
    pub minor: u16,
    /// Every parameter, in the order in which it came; no name comes twice. Protocol options are not among them.
    pub parameters: Vec<(&'a str, &'a str)>,
    /// The names of the protocol options (`_pq_.…`) that were asked for. None of them is known.
    pub options: Vec<&'a str>,
}

impl<'a> StartupMessage<'a> {
    /// A parameter's value.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The minor version that is spoken from here on.
    #[must_use]
    pub const fn agreed_minor(&self) -> u16 {
        if self.minor >= NEWEST_MINOR { NEWEST_MINOR } else { 0 }
    }

    /// Whether a NegotiateProtocolVersion has to be sent: for a version that is not ours, or for options that we do not know.
    #[must_use]
    pub const fn needs_negotiation(&self) -> bool {
        self.minor != self.agreed_minor() || !self.options.is_empty()
    }
}

/// Reads the packet at the front of `bytes`.
///
/// # Errors
/// When the length is impossible or over 10,000 bytes, the protocol is not 3, the fields do not fill the packet exactly, a
/// parameter is given twice, or text is not UTF-8.
pub fn read(bytes: &[u8]) -> Result<InitialNext<'_>, WireError> {
    let Some((length, _)) = bytes.split_first_chunk::<LENGTH_FIELD>() else {
        return Ok(InitialNext::Partial { have: bytes.len(), need: LENGTH_FIELD });
    };
    let length = u32::from_be_bytes(*length);
    let need = usize::try_from(length).unwrap_or(usize::MAX);
    if need < 2 * LENGTH_FIELD {
        return Err(WireError::TooShort(length));
    }
    if need > STARTUP {
        let max = u64::try_from(STARTUP).unwrap_or(u64::MAX);
        return Err(WireError::TooLong { length: u64::from(length), max });
    }
    let Some(body) = bytes.get(LENGTH_FIELD..need) else {
        return Ok(InitialNext::Partial { have: bytes.len(), need });
    };
    Ok(InitialNext::Packet(packet(body)?, need))
}

fn packet(body: &[u8]) -> Result<Initial<'_>, WireError> {
    let mut cursor = Cursor::new(body);
    let code = cursor.u32("request code")?;
    match code {
        SSL_REQUEST => cursor.finish().map(|()| Initial::Ssl),
        GSS_REQUEST => cursor.finish().map(|()| Initial::Gss),
        CANCEL_REQUEST => {
            let pid = cursor.i32("process number")?;
            let key = cursor.rest();
            if key.len() < CANCEL_KEY_LEAST || key.len() > CANCEL_KEY {
                return Err(WireError::BadCount("cancel key"));
            }
            Ok(Initial::Cancel { pid, key })
        }
        version => startup(version, cursor).map(Initial::Startup),
    }
}

fn startup(version: u32, mut cursor: Cursor<'_>) -> Result<StartupMessage<'_>, WireError> {
    let [a, b, c, d] = version.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if major != MAJOR {
        return Err(WireError::UnknownProtocol { major, minor });
    }
    let mut message = StartupMessage { minor, parameters: Vec::new(), options: Vec::new() };
    loop {
        let name = cursor.utf8("startup parameter's name")?;
        if name.is_empty() {
            break;
        }
        let value = cursor.utf8("startup parameter's value")?;
        if message.parameters.len().saturating_add(message.options.len()) >= STARTUP_PARAMETERS {
            return Err(WireError::BadCount("number of startup parameters"));
        }
        if name.starts_with("_pq_.") {
            if message.options.contains(&name) {
                return Err(WireError::DuplicateParameter);
            }
            message.options.push(name);
        } else {
            if message.parameter(name).is_some() {
                return Err(WireError::DuplicateParameter);
            }
            message.parameters.push((name, value));
        }
    }
    cursor.finish()?;
    Ok(message)
}
