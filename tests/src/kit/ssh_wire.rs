//! A raw SSH client: says what it is told to, message by message, in or out of order, and keeps what comes back.
//!
//! It writes packets with the gateway's own link, so it proves nothing about the cryptography; stock clients do that.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ssh::link::Link;
use ssh::wire::{encode, number};

/// How long one read of the socket may take before the deadline is looked at again.
const TURN: Duration = Duration::from_millis(100);
/// How long the exchange of keys and the login may take.
const LOGIN: Duration = Duration::from_secs(20);

/// What the next message is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// This one.
    Message(Vec<u8>),
    /// Nothing came in time.
    Silent,
    /// The other side is gone, or has said goodbye.
    Closed,
}

/// A connection with keys.
pub struct SshWire {
    link: Link,
    stream: TcpStream,
    last_words: String,
}

impl SshWire {
    /// Connects to a port of loopback and exchanges keys.
    ///
    /// # Errors
    /// When nobody listens or the other side does not come to terms in time.
    #[expect(clippy::disallowed_methods, reason = "a client of the tests, which no grant is for")]
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
        stream.set_read_timeout(Some(TURN))?;
        let mut wire = Self { link: Link::client(ssh::keys::ALGORITHMS)?, stream, last_words: String::new() };
        let until = Instant::now() + LOGIN;
        while !wire.link.may_send() {
            wire.flush()?;
            if Instant::now() > until || !wire.read()? {
                bail!("no exchange of keys");
            }
            wire.link.advance()?;
        }
        Ok(wire)
    }

    /// Logs in by password; `false` when it is refused.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn login(&mut self, user: &str, password: &str) -> Result<bool> {
        self.send(&encode::message(number::SERVICE_REQUEST, |out| encode::string(out, b"ssh-userauth")))?;
        self.send(&password_request(user, password))?;
        let until = Instant::now() + LOGIN;
        loop {
            match self.next(until)? {
                Next::Message(message) => match message.first() {
                    Some(&number::USERAUTH_SUCCESS) => return Ok(true),
                    Some(&number::USERAUTH_FAILURE) => return Ok(false),
                    Some(&number::USERAUTH_BANNER) => self.last_words.push_str(&String::from_utf8_lossy(&message)),
                    _ => {}
                },
                Next::Closed => return Ok(false),
                Next::Silent => bail!("no answer to the login"),
            }
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        self.link.send(message)?;
        self.flush()
    }

    /// Sends bytes as they are, below the packets.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// The next message for a client: authentication and connection.
    ///
    /// # Errors
    /// When the socket fails in another way than by ending.
    pub fn next(&mut self, until: Instant) -> Result<Next> {
        loop {
            match self.link.advance() {
                Ok(Some(range)) => return Ok(Next::Message(self.link.message(range).to_vec())),
                Err(error) => {
                    self.last_words.push_str(&error.to_string());
                    return Ok(Next::Closed);
                }
                Ok(None) => {}
            }
            // An exchange of keys that the other side began is answered here.
            if !self.link.unwritten().is_empty() && self.flush().is_err() {
                return Ok(Next::Closed);
            }
            if Instant::now() > until {
                return Ok(Next::Silent);
            }
            if !self.read()? {
                return Ok(Next::Closed);
            }
        }
    }

    /// What was said beside the messages: banners at the login, and why the connection is over, if that was said.
    pub fn last_words(&self) -> &str {
        &self.last_words
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = self.link.unwritten().to_vec();
        self.stream.write_all(&bytes)?;
        self.link.wrote(bytes.len());
        Ok(())
    }

    /// Reads once; `false` at the end.
    fn read(&mut self) -> Result<bool> {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.link.feed(buffer.get(..read).unwrap_or_default());
                Ok(true)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(true),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(false),
                _ => Err(error).context("read"),
            },
        }
    }
}

/// A login by password (RFC 4252, section 8).
pub fn password_request(user: &str, password: &str) -> Vec<u8> {
    encode::message(number::USERAUTH_REQUEST, |out| {
        for text in [user, "ssh-connection", "password"] {
            encode::string(out, text.as_bytes());
        }
        encode::boolean(out, false);
        encode::string(out, password.as_bytes());
    })
}
