//! A link over a connection. What it writes are the link's own packets and what an [`Outbox`] holds: nothing that the gate has not passed
//! can be written by mistake.
//!
//! An outbox towards an SSH peer holds messages one after another, each behind its length ([`Framed`]).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use gate::{Encode, Outbox};
use net::{Transport, Wire};

use super::{Link, LinkError};

/// A message as an outbox holds it.
#[derive(Debug)]
pub struct Framed<B>(pub B);

impl<B: AsRef<[u8]>> Encode for Framed<B> {
    fn encode(&self, out: &mut Vec<u8>) {
        frame(out, |out| out.extend_from_slice(self.0.as_ref()));
    }
}

/// Appends a message behind its length.
pub fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&len.to_be_bytes());
    }
}

/// Why nothing more comes.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The link is over.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for SocketError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// A link and its connection.
pub struct Socket {
    link: Link,
    transport: Transport,
}

impl Wire for Link {
    fn unwritten(&self) -> &[u8] {
        Link::unwritten(self)
    }

    fn wrote(&mut self, len: usize) {
        Link::wrote(self, len);
    }
}

impl Socket {
    /// A link over a connection on which nothing was read yet.
    #[must_use]
    pub const fn new(link: Link, transport: Transport) -> Self {
        Self { link, transport }
    }

    /// Whom we speak with.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.transport.peer()
    }

    /// The link.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// Reads once; how many bytes came.
    ///
    /// # Errors
    /// [`SocketError::Closed`] at the end.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, SocketError>> {
        let mut buffer = net::pool::take();
        let read = ready!(self.transport.poll_read(cx, &mut buffer))?;
        if read == 0 {
            return Poll::Ready(Err(SocketError::Closed));
        }
        self.link.feed(buffer.get(..read).unwrap_or_default());
        Poll::Ready(Ok(read))
    }

    /// The next message, as [`Link::advance`].
    ///
    /// # Errors
    /// When the link is over.
    pub fn advance(&mut self) -> Result<Option<Range<usize>>, SocketError> {
        Ok(self.link.advance()?)
    }

    /// A message's bytes, as [`Link::message`].
    #[must_use]
    pub fn message(&self, range: Range<usize>) -> &[u8] {
        self.link.message(range)
    }

    /// Whether something waits that the socket has not taken.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.link.unwritten().is_empty()
    }

    /// Seals what is pending and writes it. Ready when all is written that may be: while keys are exchanged, messages stay in the outbox.
    ///
    /// # Errors
    /// What the system reports, or keys that cannot be used.
    pub fn poll_flush<D>(&mut self, cx: &mut Context<'_>, outbox: &mut Outbox<D>) -> Poll<Result<(), SocketError>> {
        loop {
            while self.link.may_send()
                && let Some((payload, used)) = first(outbox.pending())
            {
                self.link.send(payload)?;
                outbox.wrote(used);
            }
            if self.link.unwritten().is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.transport.poll_write(cx, &mut self.link))?;
        }
    }

    /// Writes all that is pending, key exchanges of the peer's included. Cancel safe.
    ///
    /// # Errors
    /// As [`poll_flush`](Self::poll_flush).
    pub async fn flush<D>(&mut self, outbox: &mut Outbox<D>) -> Result<(), SocketError> {
        poll_fn(|cx| self.poll_flush(cx, outbox)).await
    }

    /// The next message, after what is pending was written. Cancel safe.
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn receive<D>(&mut self, outbox: &mut Outbox<D>) -> Result<Vec<u8>, SocketError> {
        poll_fn(|cx| {
            loop {
                if let Some(range) = self.advance()? {
                    return Poll::Ready(Ok(self.message(range).to_vec()));
                }
                if let Poll::Ready(Err(error)) = self.poll_flush(cx, outbox) {
                    return Poll::Ready(Err(error));
                }
                ready!(self.poll_read(cx))?;
            }
        })
        .await
    }

    /// Exchanges the first keys. Cancel safe.
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn exchange_keys<D>(&mut self, outbox: &mut Outbox<D>) -> Result<(), SocketError> {
        poll_fn(|cx| {
            while !self.link.exchange_keys()? {
                if let Poll::Ready(Err(error)) = self.poll_flush(cx, outbox) {
                    return Poll::Ready(Err(error));
                }
                ready!(self.poll_read(cx))?;
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Gives memory back when nothing is pending.
    pub fn rest(&mut self) {
        self.link.rest();
    }

    /// Closes, after the peer had a moment to read what was sent.
    pub async fn shutdown(self) {
        self.transport.shutdown().await;
    }
}

/// The first message of an outbox, and how many bytes it takes with its length.
fn first(pending: &[u8]) -> Option<(&[u8], usize)> {
    let len = usize::try_from(u32::from_be_bytes(*pending.first_chunk::<4>()?)).ok()?;
    let used = len.checked_add(4)?;
    Some((pending.get(4..used)?, used))
}
