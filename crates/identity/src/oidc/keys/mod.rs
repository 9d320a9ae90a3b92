//! An issuer's public keys (RFC 7517, RFC 7518, RFC 8037) and signatures checked with them.

pub(super) mod cache;
pub(super) mod fetch;

use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::jwt::{Jwt, KEY_ID_LIMIT};
use crate::config::Algorithm;

/// Most keys that are kept of one issuer; the largest providers publish about ten.
const KEYS_LIMIT: usize = 64;
/// Most keys that one signature is tried with, when several have the same id or none.
const TRIES: usize = 16;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of one issuer.
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// How a signature stands to a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// It was made with one of the keys.
    Good,
    /// There is a key for it, and it was not made with it.
    Bad,
    /// No key has its id: the issuer may have a new one.
    UnknownKey,
    /// Keys have its id, and none of them is for its algorithm.
    WrongAlgorithm,
}

struct Key {
    id: Option<String>,
    /// What the issuer says the key is for; a key without it serves every algorithm of its type.
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point, for the algorithm of its curve.
    Ec {
        algorithm: Algorithm,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
}

impl KeySet {
    /// Reads a JWK set. Keys that are for something else, or of a type unknown here, are passed over; `None` when the document is
    /// no key set or has no key for signatures.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(document).ok()?;
        let keys = document.get("keys")?.as_array()?;
        let keys: Vec<Key> = keys.iter().filter_map(Key::parse).take(KEYS_LIMIT).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// Checks a token's signature.
    pub(super) fn check(&self, token: &Jwt<'_>) -> Check {
        // RFC 7517, 4.5: ids should be unique and need not be. A token without an id may be of any key.
        let named = |key: &&Key| token.key_id.is_none() || key.id == token.key_id;
        let mut named = self.keys.iter().filter(named).peekable();
        if named.peek().is_none() {
            return Check::UnknownKey;
        }
        let mut fitting = named.filter(|key| key.serves(token.algorithm)).take(TRIES).peekable();
        if fitting.peek().is_none() {
            return Check::WrongAlgorithm;
        }
        match (fitting.any(|key| key.verify(token)), &token.key_id) {
            (true, _) => Check::Good,
            (false, Some(_)) => Check::Bad,
            // Without an id it may be of a key that is not here yet.
            (false, None) => Check::UnknownKey,
        }
    }
}

impl Key {
    fn parse(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if !for_signatures(jwk) {
            return None;
        }
        let id = match jwk.get("kid") {
            Some(Value::String(id)) if id.len() <= KEY_ID_LIMIT => Some(id.clone()),
            None => None,
            Some(_) => return None,
        };
        let algorithm = match jwk.get("alg") {
            Some(name) => Some(Algorithm::parse(name.as_str()?)?),
            None => None,
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::rsa(text("n")?, text("e")?)?,
            ("EC", Some("P-256")) => Material::ec(Algorithm::ES256, 32, text("x")?, text("y")?)?,
            ("EC", Some("P-384")) => Material::ec(Algorithm::ES384, 48, text("x")?, text("y")?)?,
            ("EC", Some("P-521")) => Material::ec(Algorithm::ES512, 66, text("x")?, text("y")?)?,
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(text("x")?).filter(|x| x.len() == 32)?),
            // Symmetric keys (`oct`) above all: a published one proves nothing.
            _ => return None,
        };
        let key = Self { id, algorithm, material };
        // A key whose own `alg` is of another type is a mistake, or a trap.
        key.algorithm.is_none_or(|algorithm| key.material.fits(algorithm)).then_some(key)
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        self.material.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn verify(&self, token: &Jwt<'_>) -> bool {
        let message = token.signed.as_bytes();
        let with = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, &token.signature).is_ok()
        };
        match (&self.material, token.algorithm) {
            (Material::Rsa { n, e }, algorithm) => rsa_parameters(algorithm).is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, &token.signature).is_ok()
            }),
            (Material::Ec { point, .. }, Algorithm::ES256) => with(&ECDSA_P256_SHA256_FIXED, point),
            (Material::Ec { point, .. }, Algorithm::ES384) => with(&ECDSA_P384_SHA384_FIXED, point),
            (Material::Ec { point, .. }, Algorithm::ES512) => with(&ECDSA_P521_SHA512_FIXED, point),
            (Material::Ed25519(key), Algorithm::EdDSA) => with(&ED25519, key),
            (Material::Ec { .. } | Material::Ed25519(_), _) => false,
        }
    }
}

impl Material {
    fn rsa(n: &str, e: &str) -> Option<Self> {
        let strip = |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
        let (n, e) = (strip(bytes(n)?), strip(bytes(e)?));
        (RSA_BYTES.contains(&n.len()) && (1..=8).contains(&e.len())).then_some(Self::Rsa { n, e })
    }

    fn ec(algorithm: Algorithm, size: usize, x: &str, y: &str) -> Option<Self> {
        let (x, y) = (bytes(x)?, bytes(y)?);
        // SEC 1, 2.3.3: 04 and both coordinates in full length.
        (x.len() == size && y.len() == size).then(|| Self::Ec { algorithm, point: [&[4], x.as_slice(), &y].concat() })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa { .. } => rsa_parameters(algorithm).is_some(),
            Self::Ec { algorithm: own, .. } => *own == algorithm,
            Self::Ed25519(_) => algorithm == Algorithm::EdDSA,
        }
    }
}

/// Whether a key may check signatures (RFC 7517, 4.2 and 4.3).
fn for_signatures(jwk: &Value) -> bool {
    let usage = jwk.get("use").is_none_or(|usage| usage == "sig");
    let operations = jwk
        .get("key_ops")
        .is_none_or(|operations| operations.as_array().is_some_and(|list| list.iter().any(|one| one == "verify")));
    usage && operations
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::EdDSA => None,
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
