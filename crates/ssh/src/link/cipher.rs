//! Packets on the wire, sealed and opened (RFC 4253, section 6; OpenSSH's PROTOCOL, PROTOCOL.chacha20poly1305; RFC 5647).
//!
//! Only ciphers that authenticate what they encrypt are spoken.

use std::ops::Range;

use aws_lc_rs::aead::chacha20_poly1305_openssh as chacha;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use crate::wire::limits;

/// Bytes of the length before every packet.
const LENGTH: usize = 4;
/// Bytes of every tag.
const TAG: usize = 16;
/// The least padding (RFC 4253, section 6).
const LEAST_PADDING: usize = 4;

/// A cipher by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cipher {
    Aes256Gcm,
    Aes128Gcm,
    ChaCha,
}

impl Cipher {
    /// Every cipher, the fastest first.
    pub(crate) const ALL: [Self; 3] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::ChaCha];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes256-gcm@openssh.com",
            Self::Aes128Gcm => "aes128-gcm@openssh.com",
            Self::ChaCha => "chacha20-poly1305@openssh.com",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.name() == name)
    }

    /// Bytes of its key.
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::Aes256Gcm => 32,
            Self::Aes128Gcm => 16,
            Self::ChaCha => chacha::KEY_LEN,
        }
    }

    /// Bytes of its initial vector.
    pub(crate) const fn iv_len(self) -> usize {
        match self {
            Self::Aes256Gcm | Self::Aes128Gcm => 12,
            Self::ChaCha => 0,
        }
    }

    fn gcm(self) -> Option<&'static Algorithm> {
        match self {
            Self::Aes256Gcm => Some(&AES_256_GCM),
            Self::Aes128Gcm => Some(&AES_128_GCM),
            Self::ChaCha => None,
        }
    }
}

/// A packet that cannot be opened, or keys that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("a packet is longer than {} bytes", limits::PACKET)]
    TooLong,
    #[error("a packet's length or padding is not possible")]
    Length,
    #[error("a packet was changed on its way")]
    Changed,
    #[error("the keys cannot be used")]
    Keys,
}

/// AES-GCM with the counter that SSH keeps in the nonce.
struct Gcm {
    key: LessSafeKey,
    fixed: [u8; 4],
    counter: u64,
}

impl Gcm {
    fn new(algorithm: &'static Algorithm, key: &[u8], iv: &[u8]) -> Result<Self, PacketError> {
        let key = UnboundKey::new(algorithm, key).map_err(|_| PacketError::Keys)?;
        let (fixed, counter) = iv.split_at_checked(4).ok_or(PacketError::Keys)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            fixed: fixed.try_into().map_err(|_| PacketError::Keys)?,
            counter: u64::from_be_bytes(counter.try_into().map_err(|_| PacketError::Keys)?),
        })
    }

    /// The next nonce. It wraps after 2^64 packets; keys are exchanged long before.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        let (fixed, counter) = nonce.split_at_mut(4);
        fixed.copy_from_slice(&self.fixed);
        counter.copy_from_slice(&self.counter.to_be_bytes());
        self.counter = self.counter.wrapping_add(1);
        Nonce::assume_unique_for_key(nonce)
    }
}

enum SealKey {
    Clear,
    ChaCha(Box<chacha::SealingKey>),
    Gcm(Box<Gcm>),
}

/// Makes packets of one direction.
pub(crate) struct Sealer {
    key: SealKey,
    sequence: u32,
    /// Under the present key.
    pub(crate) packets: u64,
    /// Under the present key.
    pub(crate) bytes: u64,
}

impl Sealer {
    /// Before keys are exchanged.
    pub(crate) const fn clear() -> Self {
        Self { key: SealKey::Clear, sequence: 0, packets: 0, bytes: 0 }
    }

    /// From here on the new keys. `restart` counts packets from 0 again, as strict key exchange has it.
    pub(crate) fn rekey(&mut self, cipher: Cipher, key: &[u8], iv: &[u8], restart: bool) -> Result<(), PacketError> {
        self.key = match cipher.gcm() {
            Some(algorithm) => SealKey::Gcm(Box::new(Gcm::new(algorithm, key, iv)?)),
            None => {
                let key = key.try_into().map_err(|_| PacketError::Keys)?;
                SealKey::ChaCha(Box::new(chacha::SealingKey::new(key)))
            }
        };
        (self.packets, self.bytes) = (0, 0);
        if restart {
            self.sequence = 0;
        }
        Ok(())
    }

    /// Appends the payload as one packet. Padding is zeros: it is encrypted, or before any secret.
    pub(crate) fn seal(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), PacketError> {
        let (block, outside) = match self.key {
            SealKey::Clear => (8, LENGTH),
            SealKey::ChaCha(_) => (8, 0),
            SealKey::Gcm(_) => (16, 0),
        };
        let mut padding = block - (outside + 1 + payload.len()) % block;
        if padding < LEAST_PADDING {
            padding += block;
        }
        let len = 1 + payload.len() + padding;
        let start = out.len();
        out.reserve(LENGTH + len + TAG);
        out.extend_from_slice(&u32::try_from(len).map_err(|_| PacketError::TooLong)?.to_be_bytes());
        out.push(u8::try_from(padding).map_err(|_| PacketError::Length)?);
        out.extend_from_slice(payload);
        out.resize(start + LENGTH + len, 0);
        let packet = out.get_mut(start..).ok_or(PacketError::Length)?;
        match &mut self.key {
            SealKey::Clear => {}
            SealKey::ChaCha(key) => {
                let mut tag = [0; TAG];
                key.seal_in_place(self.sequence, packet, &mut tag);
                out.extend_from_slice(&tag);
            }
            SealKey::Gcm(gcm) => {
                let nonce = gcm.nonce();
                let (length, body) = packet.split_at_mut(LENGTH);
                let tag = gcm.key.seal_in_place_separate_tag(nonce, Aad::from(&*length), body);
                out.extend_from_slice(tag.map_err(|_| PacketError::Keys)?.as_ref());
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.bytes += len as u64;
        Ok(())
    }
}

enum OpenKey {
    Clear,
    ChaCha(Box<chacha::OpeningKey>),
    Gcm(Box<Gcm>),
}

/// What is at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Not a whole packet: so many bytes are needed in all.
    Needs(usize),
    /// A packet: where its payload is, and how many bytes the packet took.
    Packet { payload: Range<usize>, used: usize },
}

/// Opens packets of one direction.
pub(crate) struct Opener {
    key: OpenKey,
    sequence: u32,
    /// Under the present key.
    pub(crate) packets: u64,
    /// Under the present key.
    pub(crate) bytes: u64,
}

impl Opener {
    /// Before keys are exchanged.
    pub(crate) const fn clear() -> Self {
        Self { key: OpenKey::Clear, sequence: 0, packets: 0, bytes: 0 }
    }

    /// From here on the new keys. `restart` counts packets from 0 again, as strict key exchange has it.
    pub(crate) fn rekey(&mut self, cipher: Cipher, key: &[u8], iv: &[u8], restart: bool) -> Result<(), PacketError> {
        self.key = match cipher.gcm() {
            Some(algorithm) => OpenKey::Gcm(Box::new(Gcm::new(algorithm, key, iv)?)),
            None => {
                let key = key.try_into().map_err(|_| PacketError::Keys)?;
                OpenKey::ChaCha(Box::new(chacha::OpeningKey::new(key)))
            }
        };
        (self.packets, self.bytes) = (0, 0);
        if restart {
            self.sequence = 0;
        }
        Ok(())
    }

    /// Opens the packet at the front of the input, in place. Nothing of it is used before its tag is checked, but its length.
    pub(crate) fn open(&mut self, input: &mut [u8]) -> Result<Opened, PacketError> {
        let Some(length) = input.first_chunk::<LENGTH>() else { return Ok(Opened::Needs(LENGTH)) };
        let (block, tag_len, plain) = match &self.key {
            OpenKey::Clear => (8, 0, *length),
            OpenKey::ChaCha(key) => (8, TAG, key.decrypt_packet_length(self.sequence, *length)),
            OpenKey::Gcm(_) => (16, TAG, *length),
        };
        let len = usize::try_from(u32::from_be_bytes(plain)).map_err(|_| PacketError::TooLong)?;
        if len > limits::PACKET {
            return Err(PacketError::TooLong);
        }
        let outside = if tag_len == 0 { LENGTH } else { 0 };
        if len < 1 + LEAST_PADDING || (outside + len) % block != 0 {
            return Err(PacketError::Length);
        }
        let used = LENGTH + len + tag_len;
        let Some(packet) = input.get_mut(..used) else { return Ok(Opened::Needs(used)) };
        self.decrypt(packet, len)?;
        let padding = usize::from(packet.get(LENGTH).copied().unwrap_or(0));
        if padding < LEAST_PADDING || padding + 1 > len {
            return Err(PacketError::Length);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.bytes += len as u64;
        Ok(Opened::Packet { payload: LENGTH + 1..LENGTH + len - padding, used })
    }

    fn decrypt(&mut self, packet: &mut [u8], len: usize) -> Result<(), PacketError> {
        match &mut self.key {
            OpenKey::Clear => Ok(()),
            OpenKey::ChaCha(key) => {
                let (sealed, tag) = packet.split_at_mut(LENGTH + len);
                let tag = (&*tag).try_into().map_err(|_| PacketError::Length)?;
                key.open_in_place(self.sequence, sealed, tag).map(drop).map_err(|_| PacketError::Changed)
            }
            OpenKey::Gcm(gcm) => {
                let nonce = gcm.nonce();
                let (length, body) = packet.split_at_mut(LENGTH);
                let opened = gcm.key.open_in_place(nonce, Aad::from(&*length), body);
                opened.map(drop).map_err(|_| PacketError::Changed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(cipher: Option<Cipher>) -> (Sealer, Opener) {
        let (mut sealer, mut opener) = (Sealer::clear(), Opener::clear());
        if let Some(cipher) = cipher {
            let (key, iv) = (vec![7; cipher.key_len()], vec![9; cipher.iv_len()]);
            sealer.rekey(cipher, &key, &iv, true).unwrap();
            opener.rekey(cipher, &key, &iv, true).unwrap();
        }
        (sealer, opener)
    }

    #[test]
    fn what_is_sealed_is_opened_at_any_length() {
        for cipher in [None, Some(Cipher::Aes128Gcm), Some(Cipher::Aes256Gcm), Some(Cipher::ChaCha)] {
            let (mut sealer, mut opener) = pair(cipher);
            for len in [0, 1, 3, 7, 8, 15, 16, 17, 255, 4096, 65_536] {
                let payload: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
                let mut wire = Vec::new();
                sealer.seal(&payload, &mut wire).unwrap();
                let whole = wire.len();
                assert_eq!(opener.open(&mut wire[..3]), Ok(Opened::Needs(4)));
                assert_eq!(opener.open(&mut wire[..whole - 1]), Ok(Opened::Needs(whole)));
                let Ok(Opened::Packet { payload: range, used }) = opener.open(&mut wire) else { panic!("{cipher:?}") };
                assert_eq!((&wire[range], used), (payload.as_slice(), whole));
            }
        }
    }

    #[test]
    fn a_changed_bit_anywhere_is_seen() {
        for cipher in Cipher::ALL {
            let mut wire = Vec::new();
            pair(Some(cipher)).0.seal(b"hello, world", &mut wire).unwrap();
            for at in 0..wire.len() {
                let mut changed = wire.clone();
                changed[at] ^= 1;
                let opened = pair(Some(cipher)).1.open(&mut changed);
                assert!(!matches!(opened, Ok(Opened::Packet { .. })), "{cipher:?} {at}");
            }
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for (wire, error) in [
            (&b"\xff\xff\xff\xff\x04"[..], PacketError::TooLong),
            (&b"\0\0\0\x04\x04\0\0\0"[..], PacketError::Length),
            (&b"\0\0\0\x0d\x04\0\0\0"[..], PacketError::Length),
            (&b"\0\0\0\x0c\x0c\0\0\0\0\0\0\0\0\0\0\0"[..], PacketError::Length),
            (&b"\0\0\0\x0c\x03\0\0\0\0\0\0\0\0\0\0\0"[..], PacketError::Length),
        ] {
            assert_eq!(Opener::clear().open(&mut wire.to_vec()), Err(error), "{wire:?}");
        }
    }
}
