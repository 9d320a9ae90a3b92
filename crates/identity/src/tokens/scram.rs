//! SCRAM-SHA-256 (RFC 5802, RFC 7677) where the server finds out by the proof which token the client holds.

use aws_lc_rs::{digest, hmac, pbkdf2};
use gate::ports::ScramAttempt;
use store::{Candidate, TokenKeys};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// PBKDF2 rounds. What RFC 7677 asks for and libpq expects; tokens have 130 random bits, so rounds protect nothing here and a
/// client pays them at every connection.
pub const ITERATIONS: u32 = 4096;

/// What is stored of a token.
pub(super) fn keys(token: &str, salt: &[u8]) -> TokenKeys {
    let mut salted = Zeroizing::new([0; 32]);
    let rounds = std::num::NonZeroU32::new(ITERATIONS).unwrap_or(std::num::NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, token.as_bytes(), salted.as_mut_slice());
    let client_key = Zeroizing::new(mac(salted.as_slice(), b"Client Key"));
    TokenKeys {
        hash: sha256(token.as_bytes()),
        stored_key: sha256(client_key.as_slice()),
        server_key: mac(salted.as_slice(), b"Server Key"),
    }
}

/// Whether the attempt was made with this token.
pub(super) fn proves(candidate: &Candidate, attempt: &ScramAttempt) -> bool {
    let signature = mac(&candidate.stored_key, &attempt.auth_message);
    let mut client_key = attempt.proof;
    client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
    sha256(&client_key).ct_eq(&candidate.stored_key).into()
}

/// The gateway's own proof to the client.
pub(super) fn server_signature(candidate: &Candidate, attempt: &ScramAttempt) -> [u8; 32] {
    mac(&candidate.server_key, &attempt.auth_message)
}

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    tag.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref());
    tag
}
