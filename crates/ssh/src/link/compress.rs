//! Compression of messages (RFC 4253, section 6.2; RFC 1950; OpenSSH's PROTOCOL, section 1.2): `zlib@openssh.com`, which begins once a login
//! is done, so no stranger's bytes are unpacked here.
//!
//! Each direction has a stream of its own. It goes on from packet to packet and begins anew with new keys, as the RFC has it and as OpenSSH,
//! asyncssh and Paramiko do.

use std::fmt;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use crate::wire::limits;

/// The one method.
pub(super) const DELAYED: &str = "zlib@openssh.com";
/// No compression.
pub(super) const NONE: &str = "none";
/// How hard is looked for what repeats, of 9. Above this it costs more of the gateway's time than it spares of the line.
const LEVEL: u32 = 3;
/// What an unpacked message has room for at first.
const FIRST: usize = 4096;
/// What a packed message may be longer than it was: the ends of blocks.
const MORE: usize = 256;

/// Why a message cannot be packed or unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// It is above the limit once it is unpacked.
    #[error("a message is longer than {} bytes once it is unpacked", limits::PAYLOAD)]
    TooLong,
    /// There are too many that are for nobody.
    #[error("more than {} bytes of packed messages are for nobody", limits::FOR_NOBODY)]
    ForNobody,
    /// It is no part of a stream, or one that ends.
    #[error("a packed message cannot be unpacked")]
    Broken,
}

/// Packs the messages of one direction. It holds some 330 KiB.
pub struct Packer {
    stream: Compress,
    packed: Vec<u8>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self { stream: Compress::new(flate2::Compression::new(LEVEL), true), packed: Vec::new() }
    }
}

impl Packer {
    /// The message as its packet carries it. All of it is there: what is read from the stream up to here is the message.
    ///
    /// # Errors
    /// When the stream does not go on, which it always does.
    pub fn pack(&mut self, message: &[u8]) -> Result<&[u8], CompressionError> {
        self.packed.clear();
        let mut rest = message;
        loop {
            self.packed.reserve(rest.len() + MORE);
            let (taken, made) = (self.stream.total_in(), self.packed.len());
            let packed = self.stream.compress_vec(rest, &mut self.packed, FlushCompress::Sync);
            packed.map_err(|_| CompressionError::Broken)?;
            rest = behind(rest, self.stream.total_in() - taken);
            if rest.is_empty() && self.packed.len() < self.packed.capacity() {
                return Ok(&self.packed);
            }
            if self.packed.len() == made {
                return Err(CompressionError::Broken);
            }
        }
    }
}

/// Unpacks the messages of one direction. It holds some 45 KiB, and the longest message since it last rested.
pub struct Unpacker {
    stream: Decompress,
    /// Room for a message.
    room: Vec<u8>,
    /// What of it is the last message.
    len: usize,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Default for Unpacker {
    fn default() -> Self {
        Self { stream: Decompress::new(true), room: Vec::new(), len: 0 }
    }
}

impl Unpacker {
    /// Unpacks what a packet carries; see [`message`](Self::message). No room is made beyond the limit of a message.
    ///
    /// # Errors
    /// [`CompressionError`]; the stream is over.
    pub fn unpack(&mut self, packed: &[u8]) -> Result<(), CompressionError> {
        self.len = 0;
        let mut rest = packed;
        loop {
            self.make_room();
            let (taken, made) = (self.stream.total_in(), self.stream.total_out());
            let room = self.room.get_mut(self.len..).unwrap_or_default();
            let status = self.stream.decompress(rest, room, FlushDecompress::Sync);
            if !matches!(status, Ok(Status::Ok | Status::BufError)) {
                return Err(CompressionError::Broken);
            }
            let (taken, made) = (self.stream.total_in() - taken, self.stream.total_out() - made);
            rest = behind(rest, taken);
            self.len += usize::try_from(made).unwrap_or(0);
            if self.len > limits::PAYLOAD {
                return Err(CompressionError::TooLong);
            }
            // Only when nothing moves is nothing left inside.
            if taken == 0 && made == 0 {
                return if rest.is_empty() { Ok(()) } else { Err(CompressionError::Broken) };
            }
        }
    }

    /// The message that was unpacked last.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }

    /// There is room for at least one byte more: one above the limit, by which a message that is too long is known.
    fn make_room(&mut self) {
        if self.len == self.room.len() {
            let more = (2 * self.len).clamp(FIRST, limits::PAYLOAD + 1);
            self.room.reserve_exact(more.saturating_sub(self.len));
            self.room.resize(more, 0);
        }
    }
}

fn behind(bytes: &[u8], taken: u64) -> &[u8] {
    usize::try_from(taken).ok().and_then(|taken| bytes.get(taken..)).unwrap_or_default()
}

/// Where the compression of a link stands.
#[derive(Default)]
pub(super) struct Compression {
    /// What was agreed on with the keys that are in use: whether what we send is packed, and what the peer sends.
    agreed: (bool, bool),
    /// The login is done.
    begun: bool,
    pub(super) packer: Option<Packer>,
    pub(super) unpacker: Option<Unpacker>,
    /// Bytes of messages for nobody since the last that was for somebody.
    idle: usize,
}

impl Compression {
    /// The login is done: what was agreed on begins.
    pub(super) fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.packer = self.agreed.0.then(Packer::default);
            self.unpacker = self.agreed.1.then(Unpacker::default);
        }
    }

    /// What is sent from here on is under new keys.
    pub(super) fn new_sent(&mut self, agreed: bool) {
        self.agreed.0 = agreed;
        self.packer = (self.begun && agreed).then(Packer::default);
    }

    /// What the peer sends from here on is under new keys.
    pub(super) fn new_taken(&mut self, agreed: bool) {
        self.agreed.1 = agreed;
        self.unpacker = (self.begun && agreed).then(Unpacker::default);
    }

    /// A message of the peer was for those above.
    pub(super) const fn for_others(&mut self) {
        self.idle = 0;
    }

    /// A message of the peer, so long, was for nobody, or for the link itself.
    ///
    /// # Errors
    /// When these are too many, and packed: the peer makes us work for nothing.
    pub(super) const fn for_nobody(&mut self, len: usize) -> Result<(), CompressionError> {
        self.idle = if self.unpacker.is_some() { self.idle.saturating_add(len) } else { 0 };
        if self.idle > limits::FOR_NOBODY { Err(CompressionError::ForNobody) } else { Ok(()) }
    }

    /// Gives the room of messages back; the streams go on.
    pub(super) fn rest(&mut self) {
        if let Some(packer) = &mut self.packer {
            packer.packed = Vec::new();
        }
        if let Some(unpacker) = &mut self.unpacker {
            (unpacker.room, unpacker.len) = (Vec::new(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(message: &[u8]) -> Vec<u8> {
        Packer::default().pack(message).unwrap().to_vec()
    }

    #[test]
    fn messages_of_any_length_come_out_as_they_went_in() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
        for len in [0, 1, 2, 100, 4095, 4096, 4097, 32_768, 65_536, 200_000, limits::PAYLOAD, 5] {
            for noise in [0, 1, u64::MAX] {
                let mut state: u64 = 7;
                let message: Vec<u8> = (0..len)
                    .map(|at| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(at as u64);
                        ((state >> 33) & noise) as u8
                    })
                    .collect();
                let packed = packer.pack(&message).unwrap();
                assert!(packed.len() < len + MORE, "{len} bytes became {}", packed.len());
                unpacker.unpack(packed).unwrap();
                assert!(unpacker.message() == message, "{len}");
            }
        }
    }

    #[test]
    fn what_unpacks_to_more_than_a_message_may_be_is_refused_within_its_room() {
        let mut unpacker = Unpacker::default();
        unpacker.unpack(&packed(&vec![0; limits::PAYLOAD])).unwrap();
        assert_eq!(unpacker.message().len(), limits::PAYLOAD);
        for len in [limits::PAYLOAD + 1, 100 * limits::PAYLOAD] {
            let mut unpacker = Unpacker::default();
            let bomb = packed(&vec![0; len]);
            assert!(bomb.len() < limits::PACKET, "it fits into a packet");
            assert_eq!(unpacker.unpack(&bomb), Err(CompressionError::TooLong));
            assert_eq!(unpacker.room.capacity(), limits::PAYLOAD + 1);
        }
    }

    #[test]
    fn streams_that_are_none_and_streams_that_end_are_refused() {
        let whole = |words: &[u8]| {
            let mut out = Vec::with_capacity(100);
            Compress::new(flate2::Compression::new(6), true)
                .compress_vec(words, &mut out, FlushCompress::Finish)
                .unwrap();
            out
        };
        let mut behind = packed(b"words");
        behind.extend_from_slice(b"\xff\xff\xff");
        let dictionary = [0x78, 0xbb, 1, 2, 3, 4, 5];
        for wrong in [&b"words"[..], &whole(b"words"), &whole(b""), &behind, &dictionary] {
            let mut unpacker = Unpacker::default();
            assert_eq!(unpacker.unpack(wrong), Err(CompressionError::Broken), "{wrong:?}");
            assert!(unpacker.unpack(&packed(b"more")).is_err(), "it stays over");
        }
    }

    #[test]
    fn an_idle_link_keeps_its_streams_and_no_room() {
        let mut one = Compression::default();
        one.new_sent(true);
        one.new_taken(true);
        assert!(one.packer.is_none() && one.unpacker.is_none(), "not before the login");
        one.begin();
        let (packer, unpacker) = (one.packer.as_mut().unwrap(), one.unpacker.as_mut().unwrap());
        for words in [b"first words", b"other words"] {
            unpacker.unpack(packer.pack(words).unwrap()).unwrap();
        }
        one.rest();
        let (packer, unpacker) = (one.packer.as_mut().unwrap(), one.unpacker.as_mut().unwrap());
        assert_eq!((packer.packed.capacity(), unpacker.room.capacity(), unpacker.message()), (0, 0, &b""[..]));
        let packed = packer.pack(b"first words, other words").unwrap();
        assert!(packed.len() < 20, "what was said before counts: {}", packed.len());
        unpacker.unpack(packed).unwrap();
        assert_eq!(unpacker.message(), b"first words, other words");
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0_usize..60,
            good in proptest::collection::vec(0_u8..4, 0..2000),
        ) {
            let mut unpacker = Unpacker::default();
            let _refused = unpacker.unpack(&bytes);
            let mut changed = packed(&good);
            let len = changed.len();
            if let (Some(byte), Some(other)) = (changed.get_mut(at % len), bytes.first()) {
                *byte = *other;
            }
            let mut unpacker = Unpacker::default();
            let _refused = unpacker.unpack(&changed);
            prop_assert!(unpacker.message().len() <= limits::PAYLOAD + 1);
        }
    }
}
