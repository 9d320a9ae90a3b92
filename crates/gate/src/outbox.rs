//! The only way to a socket. An [`Outbox`] takes proofs and hands out bytes; `net` flushes it and can put nothing in.
//!
//! `Outbox<ToTarget>` takes [`Permitted`] messages and, during the target's own handshake, bytes under a
//! [`Grant`]. `Outbox<ToClient>` takes [`Released`] messages and, before a session exists, the words of the login.

use std::marker::PhantomData;

use crate::Grant;
use crate::proof::{Permitted, Released};

/// Towards the target.
#[derive(Debug)]
pub enum ToTarget {}

/// Towards the client.
#[derive(Debug)]
pub enum ToClient {}

/// A message that knows its bytes.
pub trait Encode {
    /// Appends the message to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

impl Encode for &[u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Encode for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// Bytes that may be written to one peer, in order.
#[derive(Debug)]
pub struct Outbox<D> {
    bytes: Vec<u8>,
    sent: usize,
    /// Bytes behind this are not recorded yet and may not be written.
    ready: usize,
    direction: PhantomData<D>,
}

impl<D> Default for Outbox<D> {
    fn default() -> Self {
        Self { bytes: Vec::new(), sent: 0, ready: 0, direction: PhantomData }
    }
}

/// A drained buffer larger than this is given back to the allocator: an idle session keeps nothing.
const KEEP: usize = 512;

impl<D> Outbox<D> {
    /// What is to be written next.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..self.ready).unwrap_or_default()
    }

    /// Bytes not yet written, rows that are not recorded yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    /// Whether all is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says that the first `n` pending bytes are written.
    pub fn wrote(&mut self, n: usize) {
        self.sent = self.sent.saturating_add(n).min(self.ready);
        if self.sent == self.bytes.len() {
            (self.sent, self.ready) = (0, 0);
            self.bytes.clear();
        } else if self.sent > 64 * 1024 {
            self.bytes.drain(..self.sent);
            self.ready -= self.sent;
            self.sent = 0;
        }
    }

    /// Appends what may be written as soon as all before it may.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let settled = self.ready == self.bytes.len();
        write(&mut self.bytes);
        if settled {
            self.ready = self.bytes.len();
        }
    }

    /// Drops what is to be written: the session is over, and nobody reads it any more.
    pub fn forget(&mut self) {
        self.bytes.clear();
        (self.sent, self.ready) = (0, 0);
    }

    /// Gives memory back when nothing is pending. Called when a session goes idle.
    pub fn rest(&mut self) {
        if self.is_empty() && self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
            self.sent = 0;
        }
    }
}

impl Outbox<ToTarget> {
    /// Takes a judged message. What was judged is what is sent.
    pub fn push<M: Encode>(&mut self, message: Permitted<M>) {
        let message = message.into_inner();
        self.append(|out| message.encode(out));
    }

    /// Takes bytes of the target's own handshake, under the grant that opened it.
    pub fn handshake(&mut self, _grant: &Grant, bytes: &[u8]) {
        self.append(|out| out.extend_from_slice(bytes));
    }
}

impl Outbox<ToClient> {
    /// Takes a message that was masked and recorded.
    pub fn push<M: Encode>(&mut self, message: Released<M>) {
        let message = message.into_inner();
        self.append(|out| message.encode(out));
    }

    /// Takes bytes of the login, before any session exists and so before any of a target's data can.
    pub fn login(&mut self, bytes: &[u8]) {
        self.append(|out| out.extend_from_slice(bytes));
    }

    /// Masking writes rows straight into the buffer; only `Session` reaches it. They are written to no socket before [`settle`](Self::settle).
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Everything in the buffer is recorded.
    pub(crate) fn settle(&mut self) {
        self.ready = self.bytes.len();
    }

    /// Whether rows wait to be recorded.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.ready == self.bytes.len()
    }

    /// Takes back what could not be recorded.
    pub(crate) fn discard(&mut self) {
        self.bytes.truncate(self.ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_when_they_are_recorded() {
        let mut outbox = Outbox::<ToClient>::default();
        outbox.login(b"a");
        outbox.tail().extend_from_slice(b"row");
        outbox.login(b"b");
        assert_eq!((outbox.pending(), outbox.is_settled()), (b"a".as_slice(), false));
        outbox.wrote(1);
        assert!(outbox.pending().is_empty() && !outbox.is_empty());
        outbox.settle();
        assert_eq!(outbox.pending(), b"rowb");
        outbox.wrote(4);
        outbox.tail().extend_from_slice(b"lost");
        outbox.discard();
        outbox.login(b"end");
        assert_eq!(outbox.pending(), b"end");
    }

    #[test]
    fn partial_writes_keep_order_and_memory_returns() {
        let mut outbox = Outbox::<ToClient>::default();
        outbox.login(&[7; 100_000]);
        outbox.login(&[8; 10]);
        outbox.wrote(70_000);
        assert_eq!(outbox.len(), 30_010);
        outbox.wrote(30_000);
        assert_eq!(outbox.pending(), &[8; 10]);
        outbox.wrote(10);
        outbox.rest();
        assert!(outbox.is_empty());
    }
}
