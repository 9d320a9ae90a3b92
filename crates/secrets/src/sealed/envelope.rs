//! One sealed secret: a value under a data key of its own, the data key under the master key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gate::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SealError;
use crate::key::{KEY_BYTES, MasterKey};

/// The only format so far.
const FORMAT: u32 = 1;

/// A secret as it is stored. Everything in it may be seen by anyone; nothing in it may be changed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Envelope {
    format: u32,
    pub(super) name: String,
    pub(super) version: u64,
    /// Microseconds since 1970.
    pub(super) set: i64,
    /// Which master key wraps the data key.
    pub(super) key: String,
    /// Nonce, encrypted data key, tag; base64.
    wrapped: String,
    /// Nonce, encrypted value, tag; base64.
    sealed: String,
}

impl Envelope {
    pub(super) fn seal(
        name: &str,
        version: u64,
        set: i64,
        value: &Secret,
        master: &MasterKey,
    ) -> Result<Self, SealError> {
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(data_key.as_mut_slice()).map_err(|_| SealError::Random)?;
        let mut envelope = Self {
            format: FORMAT,
            name: name.to_owned(),
            version,
            set,
            key: String::new(),
            wrapped: String::new(),
            sealed: String::new(),
        };
        envelope.sealed = STANDARD.encode(encrypt(&data_key, &envelope.bound_to("value"), value.expose())?);
        envelope.wrap(&data_key, master)?;
        Ok(envelope)
    }

    /// Opens the value. `name` is the file's, so that a file under another secret's name does not open.
    pub(super) fn open(&self, name: &str, master: &MasterKey) -> Result<Secret, SealError> {
        let data_key = self.unwrap(name, master)?;
        let tampered = || SealError::Tampered { name: name.to_owned() };
        let sealed = STANDARD.decode(&self.sealed).map_err(|_| tampered())?;
        decrypt(&data_key, &self.bound_to("value"), sealed).map(Secret::new).ok_or_else(tampered)
    }

    /// The same secret under another master key; its value is not decrypted.
    pub(super) fn rewrap(mut self, name: &str, old: &MasterKey, new: &MasterKey) -> Result<Self, SealError> {
        let data_key = self.unwrap(name, old)?;
        self.wrap(&data_key, new)?;
        Ok(self)
    }

    /// Whether this binary knows the format.
    pub(super) fn known(&self) -> bool {
        self.format == FORMAT
    }

    fn wrap(&mut self, data_key: &[u8; KEY_BYTES], master: &MasterKey) -> Result<(), SealError> {
        self.key = master.id().to_owned();
        self.wrapped = STANDARD.encode(encrypt(master.bytes(), &self.bound_to("key"), data_key)?);
        Ok(())
    }

    fn unwrap(&self, name: &str, master: &MasterKey) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
        let tampered = || SealError::Tampered { name: name.to_owned() };
        if self.name != name {
            return Err(tampered());
        }
        let wrapped = STANDARD.decode(&self.wrapped).map_err(|_| tampered())?;
        let opened = Zeroizing::new(decrypt(master.bytes(), &self.bound_to("key"), wrapped).ok_or_else(tampered)?);
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Err(tampered());
        }
        data_key.copy_from_slice(&opened);
        Ok(data_key)
    }

    /// What both ciphertexts are bound to: purpose, name, version and time; lengths first, so that no two read alike.
    fn bound_to(&self, purpose: &str) -> Vec<u8> {
        let mut bound = b"sallyport secret 1".to_vec();
        for text in [purpose, &self.name] {
            bound.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            bound.extend_from_slice(text.as_bytes());
        }
        bound.extend_from_slice(&self.version.to_be_bytes());
        bound.extend_from_slice(&self.set.to_be_bytes());
        bound
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| SealError::Random)
}

fn encrypt(key: &[u8; KEY_BYTES], bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_LEN];
    // Random nonces: a data key encrypts once, and a master key far fewer than the 2^32 times that are safe.
    rand::fill(&mut nonce).map_err(|_| SealError::Random)?;
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(AES_256_GCM.tag_len())));
    body.extend_from_slice(plain);
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut *body)
        .map_err(|_| SealError::Random)?;
    Ok([nonce.as_slice(), body.as_slice()].concat())
}

fn decrypt(key: &[u8; KEY_BYTES], bound: &[u8], mut stored: Vec<u8>) -> Option<Vec<u8>> {
    let (nonce, body) = stored.split_first_chunk_mut::<NONCE_LEN>()?;
    let opened = cipher(key).ok()?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound), body).ok()?;
    let plain = opened.to_vec();
    zeroize::Zeroize::zeroize(&mut stored);
    Some(plain)
}
