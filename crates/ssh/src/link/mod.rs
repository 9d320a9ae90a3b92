//! One SSH link without IO: greetings, key exchange, packets (RFC 4253). Bytes in, messages out; messages in, bytes out.
//!
//! - `negotiate`: what both sides speak; `exchange` the secret; `cipher` packets; [`compress`] what is in them
//! - `handshake`: the steps of a key exchange, the first and later ones
//! - [`socket`]: a link over a connection, the only thing here that does IO
//!
//! Strict about what may come before the keys (OpenSSH's PROTOCOL, section 1.9) with peers that are, too. Keys are exchanged anew by
//! themselves; while that lasts, nothing else is sent.

mod cipher;
pub mod compress;
mod exchange;
mod handshake;
mod negotiate;
pub mod socket;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use cipher::{Opened, Opener, PacketError, Sealer};
use compress::{Compression, CompressionError};
use handshake::Exchange;
pub use negotiate::Role;

use crate::keys::own::SigningKey;
use crate::wire::{Cursor, WireError, encode, limits, number};

/// How we greet (RFC 4253, section 4.2). Clients take from it in which order OpenSSH wants the names of a link.
const GREETING: &str = concat!("SSH-2.0-Sallyport_", env!("CARGO_PKG_VERSION"), " like OpenSSH");
/// What a server offers: the client's order decides, so it is compressed for whom asks for it.
const ON_REQUEST: &str = "none,zlib@openssh.com";
/// What is dropped from the front of the input at once, so that its bytes are not moved for every packet.
const SPENT: usize = 64 * 1024;

/// Why a link ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The peer greets as no SSH of version 2.
    #[error("the peer does not speak SSH 2.0")]
    NotSsh,
    /// The peer's greeting does not end.
    #[error("the peer's greeting is too long")]
    Greeting,
    /// No common algorithm.
    #[error("no common algorithm for: {0}")]
    NothingInCommon(&'static str),
    /// The exchange failed.
    #[error("the key exchange failed")]
    Exchange,
    /// The server's signature does not fit its key.
    #[error("the server did not prove its host key")]
    HostKey,
    /// A message at the wrong time.
    #[error("the peer sent message {0} at the wrong time")]
    Unexpected(u8),
    /// A message that cannot be read.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// A packet that cannot be opened.
    #[error("{0}")]
    Packet(String),
    /// The system has no random bytes.
    #[error("no random bytes can be had")]
    Random,
    /// The peer said goodbye, with this reason (RFC 4253, section 11.1).
    #[error("the peer ended the connection (reason {0})")]
    Disconnected(u32),
}

impl From<PacketError> for LinkError {
    fn from(error: PacketError) -> Self {
        Self::Packet(error.to_string())
    }
}

impl From<CompressionError> for LinkError {
    fn from(error: CompressionError) -> Self {
        Self::Packet(error.to_string())
    }
}

/// What one packet was.
enum Next {
    /// There is no whole one.
    Nothing,
    /// The link's own.
    Own,
    /// A message for those above.
    Message(Range<usize>),
}

/// One side of a link.
pub struct Link {
    role: Role,
    /// What signs for the server, when we are it.
    host_key: Option<Arc<SigningKey>>,
    /// Algorithms of host keys, as they are offered.
    host_keys: String,
    /// Methods of compression as they are offered, towards the server and towards the client.
    compressions: [&'static str; 2],
    /// The peer's greeting, without its end of line.
    greeting: Option<Vec<u8>>,
    exchange: Exchange,
    /// The hash of the first exchange.
    session: Vec<u8>,
    /// The server's key, when we are the client.
    server_key: Vec<u8>,
    strict: bool,
    sealer: Sealer,
    opener: Opener,
    compression: Compression,
    input: Vec<u8>,
    /// What of the input is dealt with.
    at: usize,
    sealed: Vec<u8>,
    /// What of `sealed` is written.
    written: usize,
    /// Signature algorithms that the server takes from clients, when it said so.
    signatures: Option<String>,
}

impl Link {
    /// The server's side, with the key that it proves itself with.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn server(host_key: Arc<SigningKey>) -> Result<Self, LinkError> {
        let algorithms = host_key.algorithms().join(",");
        Self::new(Role::Server, Some(host_key), algorithms, [ON_REQUEST; 2])
    }

    /// The client's side. `host_keys` are the algorithms of host keys that will do, the preferred first, with commas between them.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn client(host_keys: &str) -> Result<Self, LinkError> {
        Self::new(Role::Client, None, host_keys.to_owned(), [compress::NONE; 2])
    }

    fn new(
        role: Role,
        host_key: Option<Arc<SigningKey>>,
        host_keys: String,
        compressions: [&'static str; 2],
    ) -> Result<Self, LinkError> {
        let mut link = Self {
            role,
            host_key,
            host_keys,
            compressions,
            greeting: None,
            exchange: Exchange::Idle,
            session: Vec::new(),
            server_key: Vec::new(),
            strict: false,
            sealer: Sealer::clear(),
            opener: Opener::clear(),
            compression: Compression::default(),
            input: Vec::new(),
            at: 0,
            sealed: Vec::new(),
            written: 0,
            signatures: None,
        };
        link.sealed.extend_from_slice(GREETING.as_bytes());
        link.sealed.extend_from_slice(b"\r\n");
        link.begin_exchange()?;
        Ok(link)
    }

    /// The peer's greeting: its version and software. Nothing before it came.
    #[must_use]
    pub fn greeting(&self) -> &[u8] {
        self.greeting.as_deref().unwrap_or_default()
    }

    /// The hash that names the session (RFC 4253, section 7.2): signatures of clients are made over it. Empty before the first keys.
    #[must_use]
    pub fn session(&self) -> &[u8] {
        &self.session
    }

    /// The server's key as it was proven, when we are the client.
    #[must_use]
    pub fn server_key(&self) -> &[u8] {
        &self.server_key
    }

    /// Signature algorithms that the server said it takes from clients (RFC 8308).
    #[must_use]
    pub fn signatures(&self) -> Option<&str> {
        self.signatures.as_deref()
    }

    /// Whether the first keys are in use.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        !self.session.is_empty() && self.exchange.is_idle()
    }

    /// Whether messages may be sent now: not before the first keys, and not while others are exchanged.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.is_keyed() && self.unwritten().len() < limits::SEALED
    }

    /// Takes bytes off the wire.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.at == self.input.len() {
            self.input.clear();
            self.at = 0;
        } else if self.at >= SPENT {
            self.input.drain(..self.at);
            self.at = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// The next message for those above, if there is one: authentication and connection. See [`message`](Self::message).
    ///
    /// # Errors
    /// [`LinkError`]; the link is over.
    pub fn advance(&mut self) -> Result<Option<Range<usize>>, LinkError> {
        loop {
            match self.step()? {
                Next::Nothing => return Ok(None),
                Next::Own => {}
                Next::Message(range) => return Ok(Some(range)),
            }
        }
    }

    /// Goes on with the first exchange of keys; whether they are in use. What comes behind them is left for [`advance`](Self::advance).
    ///
    /// # Errors
    /// [`LinkError`]; the link is over.
    pub fn exchange_keys(&mut self) -> Result<bool, LinkError> {
        while !self.is_keyed() {
            match self.step()? {
                Next::Nothing => return Ok(false),
                Next::Own => {}
                Next::Message(range) => {
                    return Err(LinkError::Unexpected(self.message(range).first().copied().unwrap_or(0)));
                }
            }
        }
        Ok(true)
    }

    /// One packet.
    fn step(&mut self) -> Result<Next, LinkError> {
        if self.greeting.is_none() && !self.greet()? {
            return Ok(Next::Nothing);
        }
        let input = self.input.get_mut(self.at..).unwrap_or_default();
        let (payload, used) = match self.opener.open(input)? {
            Opened::Needs(_) => return Ok(Next::Nothing),
            Opened::Packet { payload, used } => (payload, used),
        };
        let mut range = self.at + payload.start..self.at + payload.end;
        self.at += used;
        if let Some(unpacker) = &mut self.compression.unpacker {
            unpacker.unpack(self.input.get(range).unwrap_or_default())?;
            range = 0..unpacker.message().len();
        }
        let len = range.len();
        if self.take(range.clone())? {
            self.compression.for_others();
            return Ok(Next::Message(range));
        }
        self.compression.for_nobody(len)?;
        Ok(Next::Own)
    }

    /// The bytes of the message that [`advance`](Self::advance) found last; good until more is fed, or sent.
    #[must_use]
    pub fn message(&self, range: Range<usize>) -> &[u8] {
        match &self.compression.unpacker {
            None => self.input.get(range).unwrap_or_default(),
            Some(unpacker) => unpacker.message().get(range).unwrap_or_default(),
        }
    }

    /// Gives memory back when nothing is pending.
    pub fn rest(&mut self) {
        if self.at == self.input.len() {
            self.input = Vec::new();
            self.at = 0;
        }
        if self.written == self.sealed.len() {
            self.sealed = Vec::new();
            self.written = 0;
        }
        self.compression.rest();
    }

    /// The peer's greeting. Lines before it are passed over (RFC 4253, section 4.2), but only from a server.
    fn greet(&mut self) -> Result<bool, LinkError> {
        loop {
            let rest = self.input.get(self.at..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return if rest.len() > limits::GREETING { Err(LinkError::Greeting) } else { Ok(false) };
            };
            let line = rest.get(..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-") {
                self.greeting = Some(line.to_vec());
                self.at += end + 1;
                return Ok(true);
            }
            if line.starts_with(b"SSH-") || self.role == Role::Server {
                return Err(LinkError::NotSsh);
            }
            self.at += end + 1;
            if self.at > limits::GREETING {
                return Err(LinkError::Greeting);
            }
        }
    }

    /// Deals with what belongs to the link itself; true for what belongs to those above.
    fn take(&mut self, range: Range<usize>) -> Result<bool, LinkError> {
        let Some(first) = self.message(range.clone()).first().copied() else {
            return Err(WireError("a message without a number").into());
        };
        if self.session.is_empty() && self.strict && !(number::KEXINIT..50).contains(&first) {
            return Err(LinkError::Unexpected(first));
        }
        match first {
            number::DISCONNECT => {
                let mut cursor = Cursor::new(self.message(range));
                cursor.byte()?;
                Err(LinkError::Disconnected(cursor.u32().unwrap_or(0)))
            }
            number::IGNORE | number::UNIMPLEMENTED | number::DEBUG => Ok(false),
            number::EXT_INFO if self.is_keyed() => self.extensions(range).map(|()| false),
            number::KEXINIT..=49 => {
                let message = self.message(range).to_vec();
                self.exchange_message(&message).map(|()| false)
            }
            _ if self.is_keyed() || self.exchange.only_ours() && !self.session.is_empty() => Ok(true),
            _ => Err(LinkError::Unexpected(first)),
        }
    }

    /// What else the peer can do. Only the server's signature algorithms matter.
    fn extensions(&mut self, range: Range<usize>) -> Result<(), LinkError> {
        let mut signatures = None;
        let mut cursor = Cursor::new(self.message(range));
        cursor.byte()?;
        for _ in 0..cursor.u32()?.min(64) {
            let (name, value) = (cursor.string()?, cursor.string()?);
            if name == b"server-sig-algs" && self.role == Role::Client {
                signatures = std::str::from_utf8(value).ok().map(str::to_owned);
            }
        }
        self.signatures = signatures.or(self.signatures.take());
        Ok(())
    }

    /// Seals one message. Only when [`may_send`](Self::may_send).
    ///
    /// # Errors
    /// When the keys cannot be used.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), LinkError> {
        self.seal(payload)?;
        if self.role == Role::Server && payload.first() == Some(&number::USERAUTH_SUCCESS) {
            self.compression.begin();
        }
        let due = |packets, bytes| packets >= limits::REKEY_PACKETS || bytes >= limits::REKEY_BYTES;
        if due(self.sealer.packets, self.sealer.bytes) || due(self.opener.packets, self.opener.bytes) {
            self.begin_exchange()?;
        }
        Ok(())
    }

    fn seal(&mut self, payload: &[u8]) -> Result<(), LinkError> {
        match &mut self.compression.packer {
            None => self.sealer.seal(payload, &mut self.sealed)?,
            Some(packer) => self.sealer.seal(packer.pack(payload)?, &mut self.sealed)?,
        }
        Ok(())
    }

    /// What waits to be written to the wire.
    #[must_use]
    pub fn unwritten(&self) -> &[u8] {
        self.sealed.get(self.written..).unwrap_or_default()
    }

    /// Says that so many bytes are written.
    pub fn wrote(&mut self, len: usize) {
        self.written = self.written.saturating_add(len).min(self.sealed.len());
        if self.written == self.sealed.len() {
            self.sealed.clear();
            self.written = 0;
        }
    }

    /// The goodbye, as a message (RFC 4253, section 11.1).
    #[must_use]
    pub fn goodbye(reason: u32, words: &str) -> Vec<u8> {
        encode::message(number::DISCONNECT, |out| {
            encode::u32(out, reason);
            encode::string(out, words.as_bytes());
            encode::string(out, b"");
        })
    }
}
