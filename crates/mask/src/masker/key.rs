//! The secret behind tokens and hashes.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes. Whoever has them can test guesses against tokens and hashes. Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MaskKey([u8; 32]);

impl MaskKey {
    /// Takes the bytes, which must come from a secret store or a random source.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<[u8; 32]> for MaskKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(..)")
    }
}

/// What a digest is for. Part of what is digested, so that a hash and a token of one value are unrelated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Token,
    Hash,
    /// One block of the key stream of a token.
    Stream(u8),
    /// One round of a permutation.
    Round(u8),
}

/// HMAC-SHA256 under the mask key.
#[derive(Clone)]
pub(super) struct Digester(hmac::Key);

impl Digester {
    pub(super) fn new(key: &MaskKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &key.0))
    }

    /// The digest of a value in a domain: purpose, length of the domain, domain, value, so no two inputs run together.
    pub(super) fn digest(&self, purpose: Purpose, domain: &str, value: &[u8]) -> [u8; 32] {
        let purpose = match purpose {
            Purpose::Token => [b't', 0],
            Purpose::Hash => [b'h', 0],
            Purpose::Stream(block) => [b's', block],
            Purpose::Round(round) => [b'r', round],
        };
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&purpose);
        context.update(&domain.len().to_be_bytes());
        context.update(domain.as_bytes());
        context.update(value);
        let tag = context.sign();
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        digest
    }

    /// A keyed permutation of the `bits` low bits of `value` (`bits` is even and at most 128): a balanced Feistel network of four rounds, each an
    /// HMAC. Distinct values keep distinct stand-ins, so joins on them stay exact.
    pub(super) fn permute(&self, domain: &str, value: u128, bits: u32) -> u128 {
        let (mut left, mut right) = halves(value, bits);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, domain, right, bits));
        }
        join(left, right, bits)
    }

    /// The value that [`permute`](Self::permute) made this of.
    pub(super) fn restore(&self, domain: &str, value: u128, bits: u32) -> u128 {
        let (mut left, mut right) = halves(value, bits);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, domain, left, bits), left);
        }
        join(left, right, bits)
    }

    fn round(&self, round: u8, domain: &str, half: u64, bits: u32) -> u64 {
        first_u64(&self.digest(Purpose::Round(round), domain, &half.to_be_bytes())) & half_mask(bits)
    }
}

/// Rounds of the permutation.
const ROUNDS: u8 = 4;

const fn half_mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits / 2)
}

fn halves(value: u128, bits: u32) -> (u64, u64) {
    let mask = u128::from(half_mask(bits));
    let half = |value: u128| u64::try_from(value & mask).unwrap_or(0);
    (half(value >> (bits / 2)), half(value))
}

fn join(left: u64, right: u64, bits: u32) -> u128 {
    u128::from(left) << (bits / 2) | u128::from(right)
}

/// The first eight bytes of a digest as a number.
pub(super) fn first_u64(digest: &[u8; 32]) -> u64 {
    digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}
