//! Key exchange by Diffie-Hellman on a curve (RFC 5656, section 4; RFC 8731).

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use zeroize::Zeroizing;

use super::LinkError;
use crate::wire::encode;

/// A method of key exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    Curve25519,
    /// The same under the name that it had before it was a standard.
    Curve25519Libssh,
    NistP256,
    NistP384,
    NistP521,
}

impl Method {
    /// Every method, the preferred first.
    pub(super) const ALL: [Self; 5] =
        [Self::Curve25519, Self::Curve25519Libssh, Self::NistP256, Self::NistP384, Self::NistP521];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Curve25519 => "curve25519-sha256",
            Self::Curve25519Libssh => "curve25519-sha256@libssh.org",
            Self::NistP256 => "ecdh-sha2-nistp256",
            Self::NistP384 => "ecdh-sha2-nistp384",
            Self::NistP521 => "ecdh-sha2-nistp521",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    fn curve(self) -> &'static agreement::Algorithm {
        match self {
            Self::Curve25519 | Self::Curve25519Libssh => &X25519,
            Self::NistP256 => &ECDH_P256,
            Self::NistP384 => &ECDH_P384,
            Self::NistP521 => &ECDH_P521,
        }
    }

    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Curve25519 | Self::Curve25519Libssh | Self::NistP256 => &SHA256,
            Self::NistP384 => &SHA384,
            Self::NistP521 => &SHA512,
        }
    }
}

/// Our half.
pub(super) struct Half {
    method: Method,
    private: PrivateKey,
    /// What the peer is told.
    pub(super) public: Vec<u8>,
}

impl Half {
    pub(super) fn new(method: Method) -> Result<Self, LinkError> {
        let private = PrivateKey::generate(method.curve()).map_err(|_| LinkError::Random)?;
        let public = private.compute_public_key().map_err(|_| LinkError::Random)?.as_ref().to_vec();
        Ok(Self { method, private, public })
    }

    /// The shared secret as it is hashed: an `mpint`. A peer's half that is not on the curve, or of small order, is refused.
    pub(super) fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, LinkError> {
        let peer = UnparsedPublicKey::new(self.method.curve(), peer);
        agree(&self.private, peer, LinkError::Exchange, |secret| {
            let mut out = Zeroizing::new(Vec::with_capacity(secret.len() + 5));
            encode::mpint(&mut out, secret);
            Ok(out)
        })
    }
}

/// What the exchange hash is made of (RFC 5656, section 4).
pub(super) struct Transcript<'a> {
    pub(super) client_version: &'a [u8],
    pub(super) server_version: &'a [u8],
    pub(super) client_init: &'a [u8],
    pub(super) server_init: &'a [u8],
    pub(super) host_key: &'a [u8],
    pub(super) client_half: &'a [u8],
    pub(super) server_half: &'a [u8],
}

impl Transcript<'_> {
    pub(super) fn hash(&self, method: Method, secret: &[u8]) -> Vec<u8> {
        let mut bytes = Zeroizing::new(Vec::new());
        for part in [
            self.client_version,
            self.server_version,
            self.client_init,
            self.server_init,
            self.host_key,
            self.client_half,
            self.server_half,
        ] {
            encode::string(&mut bytes, part);
        }
        bytes.extend_from_slice(secret);
        digest::digest(method.hash(), &bytes).as_ref().to_vec()
    }
}

/// Keys made of one exchange (RFC 4253, section 7.2).
pub(super) struct Keys<'a> {
    pub(super) method: Method,
    pub(super) secret: &'a [u8],
    pub(super) hash: &'a [u8],
    pub(super) session: &'a [u8],
}

impl Keys<'_> {
    /// So many bytes for the letter.
    pub(super) fn derive(&self, letter: u8, len: usize) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(Vec::with_capacity(len + digest::MAX_OUTPUT_LEN));
        while key.len() < len {
            let mut context = digest::Context::new(self.method.hash());
            context.update(self.secret);
            context.update(self.hash);
            if key.is_empty() {
                context.update(&[letter]);
                context.update(self.session);
            } else {
                context.update(&key);
            }
            key.extend_from_slice(context.finish().as_ref());
        }
        key.truncate(len);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_same_secret() {
        for method in Method::ALL {
            let (one, other) = (Half::new(method).unwrap(), Half::new(method).unwrap());
            assert_eq!(one.agree(&other.public).unwrap(), other.agree(&one.public).unwrap(), "{method:?}");
            assert!(one.agree(&other.public[1..]).is_err());
        }
        assert!(Half::new(Method::Curve25519).unwrap().agree(&[0; 32]).is_err(), "a point of small order");
    }
}
