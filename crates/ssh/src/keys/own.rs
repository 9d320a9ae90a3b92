//! Keys that sign for the gateway: its host key, and what it opens targets with. Ed25519; other kinds can only be checked.

use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use crate::wire::encode;

/// Its algorithm.
pub const ED25519: &str = "ssh-ed25519";

/// Why a key cannot be used. Nothing of the key is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private key in OpenSSH's format.
    #[error("not a private key in OpenSSH's format; make one with `ssh-keygen -t ed25519`")]
    Unreadable,
    /// Encrypted with a passphrase.
    #[error("the key has a passphrase; store it without one, it is sealed anyway")]
    Encrypted,
    /// Of another kind.
    #[error("the key is of kind {0}; only ed25519 keys can sign here")]
    Kind(String),
    /// The system has no random bytes.
    #[error("no random bytes can be had")]
    Random,
}

/// A private key. It has no `Debug` of its content and no `Clone`.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    blob: Vec<u8>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    fn of_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Unreadable)?;
        let mut blob = Vec::with_capacity(64);
        encode::string(&mut blob, ED25519.as_bytes());
        encode::string(&mut blob, pair.public_key().as_ref());
        Ok(Self { pair, blob })
    }

    /// Reads OpenSSH's format.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(text: &[u8]) -> Result<Self, KeyError> {
        let key = PrivateKey::from_openssh(text).map_err(|_| KeyError::Unreadable)?;
        if key.is_encrypted() {
            return Err(KeyError::Encrypted);
        }
        match key.key_data() {
            KeypairData::Ed25519(pair) => Self::of_seed(pair.private.as_ref()),
            _ => Err(KeyError::Kind(key.algorithm().as_str().to_owned())),
        }
    }

    /// Makes a new one; the text is it in OpenSSH's format.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate(comment: &str) -> Result<(Self, Zeroizing<String>), KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(seed.as_mut()).map_err(|_| KeyError::Random)?;
        let key = Self::of_seed(seed.as_ref())?;
        let public = key.pair.public_key().as_ref().try_into().map_err(|_| KeyError::Unreadable)?;
        let pair = Ed25519Keypair { public: Ed25519PublicKey(public), private: Ed25519PrivateKey::from_bytes(&seed) };
        let written = PrivateKey::new(KeypairData::Ed25519(pair), comment).map_err(|_| KeyError::Unreadable)?;
        let text = written.to_openssh(LineEnding::LF).map_err(|_| KeyError::Unreadable)?;
        Ok((key, text))
    }

    /// The public key, as it is sent.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The 32 bytes of the public key.
    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key as one line without a comment: `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn public_line(&self) -> String {
        let key = ssh_key::PublicKey::from_bytes(&self.blob);
        key.ok().and_then(|key| key.to_openssh().ok()).unwrap_or_default()
    }

    /// A signature as it is sent.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        encode::string(&mut out, ED25519.as_bytes());
        encode::string(&mut out, self.pair.sign(message).as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{SignatureError, verify};

    #[test]
    fn a_key_survives_its_file_and_its_signatures_fit() {
        let (key, text) = SigningKey::generate("gateway").unwrap();
        let again = SigningKey::read(text.as_bytes()).unwrap();
        assert_eq!(key.blob(), again.blob());
        assert!(key.public_line().starts_with("ssh-ed25519 AAAA"));
        let signature = again.sign(b"words");
        assert_eq!(verify(ED25519, key.blob(), b"words", &signature), Ok(()));
        assert_eq!(verify(ED25519, key.blob(), b"other", &signature), Err(SignatureError::Wrong));
        assert_eq!(verify("rsa-sha2-256", key.blob(), b"words", &signature), Err(SignatureError::Algorithm));
        assert_eq!(SigningKey::read(b"-----BEGIN").err(), Some(KeyError::Unreadable));
    }
}
