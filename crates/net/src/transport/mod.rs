//! A connection, plain or TLS.
//!
//! It implements neither `AsyncRead` nor `AsyncWrite`: bytes reach a peer through an [`Outbox`], or through what a protocol's own encryption
//! makes of one ([`Wire`]), and no other way, so nothing that the gate has not passed can be written by mistake. An idle plain connection holds no memory but the socket's; an idle TLS
//! connection holds what the library keeps, about 8 KiB.

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gate::Outbox;
use rustls::CommonState;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::listener::prepare;
use crate::tls::{ClientTls, Current, HandshakeError, binding};

/// Plaintext that TLS may hold while the peer does not read, in bytes. It is freed as soon as it is sent.
const TLS_UNSENT: usize = 64 * 1024;
/// How long a closing side listens on, so that the peer reads our last words before the kernel resets the connection.
const LINGER: Duration = Duration::from_millis(500);
/// What is read and thrown away at most in that time.
const LINGER_BYTES: usize = 1024 * 1024;

/// What TLS a connection has, for records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: String,
}

/// What a protocol that encrypts by itself makes of an [`Outbox`]: bytes as they go over the wire.
pub trait Wire {
    /// What is to be written next.
    fn unwritten(&self) -> &[u8];
    /// Says that the first `len` of them are written.
    fn wrote(&mut self, len: usize);
}

/// A connection to a client or a target.
#[derive(Debug)]
pub struct Transport {
    stream: Stream,
    peer: SocketAddr,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    // Boxed: a plain connection must not pay for what TLS keeps.
    Server(Box<tokio_rustls::server::TlsStream<TcpStream>>, Arc<Current>),
    Client(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Transport {
    /// A connection without TLS. `peer` is whom to name in records: with a trusted proxy in between it is not the socket's.
    #[must_use]
    pub const fn plain(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream: Stream::Plain(stream), peer }
    }

    /// A connection that was dialled.
    ///
    /// # Errors
    /// When it is already gone.
    pub fn dialled(stream: TcpStream) -> io::Result<Self> {
        prepare(&stream)?;
        let peer = stream.peer_addr()?;
        Ok(Self::plain(stream, peer))
    }

    /// Becomes the server side of TLS. Nothing that belongs to the handshake may have been read before. Not cancel safe; bound its
    /// time from outside.
    ///
    /// # Errors
    /// [`HandshakeError`]; the connection is closed then.
    pub async fn accept_tls(self, current: Arc<Current>) -> Result<Self, HandshakeError> {
        let peer = self.peer;
        let Stream::Plain(stream) = self.stream else {
            return Err(HandshakeError::Other);
        };
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&current.config));
        let mut stream = acceptor.accept(stream).await.map_err(|error| HandshakeError::of(&error))?;
        stream.get_mut().1.set_buffer_limit(Some(TLS_UNSENT));
        Ok(Self { stream: Stream::Server(Box::new(stream), current), peer })
    }

    /// Becomes the client side of TLS towards `host`, a DNS name or an IP address. Not cancel safe; bound its time from outside.
    ///
    /// # Errors
    /// [`HandshakeError`]; the connection is closed then.
    pub async fn connect_tls(self, tls: &ClientTls, host: &str) -> Result<Self, HandshakeError> {
        let peer = self.peer;
        let Stream::Plain(stream) = self.stream else {
            return Err(HandshakeError::Other);
        };
        let name = match ServerName::try_from(host.to_owned()) {
            Ok(name) => name,
            // A name that cannot be in a certificate matters only where names are checked.
            Err(_) if !tls.checks_name => ServerName::IpAddress(peer.ip().into()),
            Err(_) => return Err(HandshakeError::WrongName),
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&tls.config));
        let mut stream = connector.connect(name, stream).await.map_err(|error| HandshakeError::of(&error))?;
        stream.get_mut().1.set_buffer_limit(Some(TLS_UNSENT));
        Ok(Self { stream: Stream::Client(Box::new(stream)), peer })
    }

    /// Whom we speak with.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        match self.stream {
            Stream::Plain(_) => false,
            Stream::Server(..) | Stream::Client(_) => true,
        }
    }

    /// TLS version and cipher.
    #[must_use]
    pub fn tls(&self) -> Option<TlsInfo> {
        let state = self.state()?;
        let version = match state.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
            _ => "other",
        };
        let cipher = state.negotiated_cipher_suite()?.suite().as_str().unwrap_or("other").to_owned();
        Some(TlsInfo { version, cipher })
    }

    /// The application protocol that was agreed on.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.state()?.alpn_protocol()
    }

    /// The channel binding `tls-server-end-point`: of our own certificate on the server side, of the peer's on the client side.
    #[must_use]
    pub fn tls_server_end_point(&self) -> Option<Vec<u8>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Server(_, current) => current.end_point().map(<[u8]>::to_vec),
            Stream::Client(stream) => {
                let certificate = stream.get_ref().1.peer_certificates()?.first()?;
                binding::end_point(certificate)
            }
        }
    }

    fn state(&self) -> Option<&CommonState> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Server(stream, _) => Some(stream.get_ref().1),
            Stream::Client(stream) => Some(stream.get_ref().1),
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Server(stream, _) => stream.get_ref().0,
            Stream::Client(stream) => stream.get_ref().0,
        }
    }

    /// Reads into `buf`; 0 is the end. An end without TLS's own goodbye counts as an end, too: every protocol here has a goodbye
    /// of its own, and half a message is an error in its framing. What TLS still has to send is pushed on first.
    ///
    /// # Errors
    /// What the system or TLS reports.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut target = ReadBuf::new(buf);
        let unsent = self.has_unsent();
        let done = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, &mut target),
            Stream::Server(stream, _) => read_pushing(Pin::new(&mut **stream), cx, unsent, &mut target),
            Stream::Client(stream) => read_pushing(Pin::new(&mut **stream), cx, unsent, &mut target),
        };
        match ready!(done) {
            Ok(()) => Poll::Ready(Ok(target.filled().len())),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Whether TLS has taken bytes off an outbox that the network has not taken yet. While it has, an empty outbox still needs
    /// [`poll_flush`](Self::poll_flush), or a read, to get them on their way.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.state().is_some_and(CommonState::wants_write)
    }

    /// Writes what is pending, and hands it to the network. What was written is taken off the outbox, also when more is pending.
    ///
    /// # Errors
    /// What the system or TLS reports.
    pub fn poll_flush<D>(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox<D>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => poll_flush(Pin::new(stream), cx, outbox),
            Stream::Server(stream, _) => poll_flush(Pin::new(&mut **stream), cx, outbox),
            Stream::Client(stream) => poll_flush(Pin::new(&mut **stream), cx, outbox),
        }
    }

    /// Writes what a protocol that encrypts by itself has made of its outbox. Only without TLS.
    ///
    /// # Errors
    /// What the system reports; `Unsupported` on a TLS connection.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, wire: &mut impl Wire) -> Poll<io::Result<()>> {
        let Stream::Plain(stream) = &mut self.stream else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        while !wire.unwritten().is_empty() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, wire.unwritten()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            wire.wrote(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads into `buf`; 0 is the end. Cancel safe.
    ///
    /// # Errors
    /// As [`poll_read`](Self::poll_read).
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Writes all that is pending. Cancel safe: the outbox knows what was written.
    ///
    /// # Errors
    /// As [`poll_flush`](Self::poll_flush).
    pub async fn flush<D>(&mut self, outbox: &mut Outbox<D>) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx, outbox)).await
    }

    /// Looks at the first bytes without taking them; 0 is the end. Only before TLS. Cancel safe.
    ///
    /// # Errors
    /// What the system reports; `Unsupported` on a TLS connection.
    pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.stream {
            Stream::Plain(stream) => stream.peek(buf).await,
            Stream::Server(..) | Stream::Client(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Says goodbye and closes, after the peer had a moment to read what was sent. Takes at most a second; whatever fails on the
    /// way does not matter any more. Not cancel safe.
    pub async fn shutdown(mut self) {
        let goodbye = poll_fn(|cx| match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Server(stream, _) => Pin::new(&mut **stream).poll_shutdown(cx),
            Stream::Client(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        });
        if !matches!(tokio::time::timeout(LINGER, goodbye).await, Ok(Ok(()))) {
            return;
        }
        // Closing a socket that holds unread bytes resets the connection, and the peer may lose our last words.
        let socket = self.socket();
        let listen_on = async {
            let mut waste = crate::pool::take();
            let mut total = 0_usize;
            while total < LINGER_BYTES && socket.readable().await.is_ok() {
                match socket.try_read(&mut waste) {
                    Ok(0) => return,
                    Ok(n) => total = total.saturating_add(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        let _late = tokio::time::timeout(LINGER, listen_on).await;
    }
}

/// Reads, after pushing on what could not be sent before: a session that reads must not leave its own last bytes lying in TLS's buffer
/// because its outbox is empty. A peer that takes nothing more may have said why before: that is read first.
fn read_pushing<S: AsyncRead + AsyncWrite>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    unsent: bool,
    target: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if unsent {
        let _pushed = stream.as_mut().poll_flush(cx);
    }
    stream.poll_read(cx, target)
}

fn poll_flush<S: AsyncWrite, D>(
    mut stream: Pin<&mut S>,
    cx: &mut Context<'_>,
    outbox: &mut Outbox<D>,
) -> Poll<io::Result<()>> {
    while !outbox.pending().is_empty() {
        let written = ready!(stream.as_mut().poll_write(cx, outbox.pending()))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        outbox.wrote(written);
    }
    stream.poll_flush(cx)
}
