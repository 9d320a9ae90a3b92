//! The gateway's Ed25519 key: signs recordings; the public half alone verifies them.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a signature.
pub(crate) const SIGNATURE: usize = 64;
/// A public key in ASN.1 (RFC 8410) is these bytes and the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A key that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// No key could be made.
    #[error("no signing key could be made: the system's random source failed")]
    Random,
    /// Not a private Ed25519 key in PKCS#8.
    #[error("not an Ed25519 private key in PKCS#8 form")]
    Private,
    /// Not a public Ed25519 key.
    #[error("not an Ed25519 public key: expected PEM (`{BEGIN}`), or 32 bytes in Base64")]
    Public,
    /// The signature could not be made.
    #[error("the signature could not be made")]
    Sign,
}

/// The first half of the BLAKE3 of a public key: enough to tell keys apart, said aloud in eight digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key from its 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut id = [0; 16];
        let hash = blake3::hash(&self.0);
        id.copy_from_slice(hash.as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
        KeyId(id)
    }

    /// The key as PEM, as other tools read it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let mut der = SPKI_PREFIX.to_vec();
        der.extend_from_slice(&self.0);
        format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der))
    }

    /// Reads PEM, or 32 bytes in Base64.
    ///
    /// # Errors
    /// [`KeyError::Public`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let inner = match text.strip_prefix(BEGIN) {
            Some(rest) => rest.strip_suffix(END).ok_or(KeyError::Public)?,
            None => text,
        };
        let inner: String = inner.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(inner).map_err(|_| KeyError::Public)?;
        let key = bytes.strip_prefix(&SPKI_PREFIX).unwrap_or(&bytes);
        key.try_into().map(Self).map_err(|_| KeyError::Public)
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

/// A private key. It cannot be printed, compared or cloned.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Random)?;
        Self::with(pair)
    }

    /// A key from its PKCS#8 bytes.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(bytes).map_err(|_| KeyError::Private)?;
        Self::with(pair)
    }

    /// A key from its 32-byte seed: for tests and fixed files.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Private)?;
        Self::with(pair)
    }

    fn with(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let bytes = pair.public_key().as_ref();
        let public = PublicKey(bytes.try_into().map_err(|_| KeyError::Private)?);
        Ok(Self { pair, public })
    }

    /// The key in PKCS#8, to be stored where only the gateway reads it.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let document = self.pair.to_pkcs8().map_err(|_| KeyError::Private)?;
        Ok(document.as_ref().to_vec())
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE], KeyError> {
        let signature = self.pair.try_sign(message).map_err(|_| KeyError::Sign)?;
        signature.as_ref().try_into().map_err(|_| KeyError::Sign)
    }
}
