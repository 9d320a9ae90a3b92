//! Signatures of others, checked (RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8332; RFC 8709; OpenSSH's PROTOCOL.u2f for those of security
//! keys).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::wire::{Cursor, WireError};

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Its algorithm is not known, not the key's, or not the one that was agreed on.
    #[error("the key's or signature's algorithm is not accepted")]
    Algorithm,
    /// It is not of this key and these bytes.
    #[error("the signature does not fit")]
    Wrong,
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] WireError),
}

/// What a security key says of whoever holds it (PROTOCOL.u2f, "SSH U2F Signatures").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// It was touched for this signature.
    pub touched: bool,
    /// It has checked a PIN or a finger for it.
    pub verified: bool,
}

/// The flag of a touch, as authenticators write it.
const TOUCHED: u8 = 0x01;
/// The flag of a PIN or finger.
const VERIFIED: u8 = 0x04;
/// An ed25519 key in a security key.
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
/// A P-256 key in a security key.
const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com";

/// The signature algorithms of a key type, the preferred first; nothing for a type that is not known.
#[must_use]
pub fn algorithms_of(key_type: &str) -> &'static [&'static str] {
    match key_type {
        "ssh-ed25519" => &["ssh-ed25519"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
        SK_ED25519 => &[SK_ED25519],
        SK_ECDSA => &[SK_ECDSA],
        _ => &[],
    }
}

/// Checks that `signature` was made over `message` by the key of `blob`, with this algorithm and no other. What a security key says of its holder
/// comes back for the caller to judge; nothing for another key.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    algorithm: &str,
    blob: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<Option<Presence>, SignatureError> {
    let mut key = Cursor::new(blob);
    let key_type = key.text()?;
    if !algorithms_of(key_type).contains(&algorithm) {
        return Err(SignatureError::Algorithm);
    }
    let mut cursor = Cursor::new(signature);
    if cursor.text()? != algorithm {
        return Err(SignatureError::Algorithm);
    }
    let bytes = cursor.string()?;
    if matches!(key_type, SK_ED25519 | SK_ECDSA) {
        return security_key(key_type, key, message, bytes, cursor).map(Some);
    }
    cursor.end()?;
    match key_type {
        "ssh-ed25519" => check(&ED25519, key.string()?, message, bytes)?,
        "ssh-rsa" => {
            let (e, n) = (number(key.string()?), number(key.string()?));
            let scheme =
                if algorithm == "rsa-sha2-512" { &RSA_PKCS1_2048_8192_SHA512 } else { &RSA_PKCS1_2048_8192_SHA256 };
            RsaPublicKeyComponents { n, e }.verify(scheme, message, bytes).map_err(|_| SignatureError::Wrong)?;
        }
        _ => ecdsa(key_type, &mut key, message, bytes)?,
    }
    key.end()?;
    Ok(None)
}

/// A security key signs what it was asked for, by whom, and what it saw of its holder.
fn security_key(
    key_type: &str,
    mut key: Cursor<'_>,
    message: &[u8],
    signature: &[u8],
    mut rest: Cursor<'_>,
) -> Result<Presence, SignatureError> {
    let (flags, counter) = (rest.byte()?, rest.u32()?);
    rest.end()?;
    // The key first, then the application, which is a part of it.
    let mut after = key.clone();
    let fields = if key_type == SK_ECDSA { 2 } else { 1 };
    for _ in 0..fields {
        after.string()?;
    }
    let application = after.string()?;
    after.end()?;
    let mut signed = Vec::with_capacity(69);
    signed.extend_from_slice(digest(&SHA256, application).as_ref());
    signed.push(flags);
    signed.extend_from_slice(&counter.to_be_bytes());
    signed.extend_from_slice(digest(&SHA256, message).as_ref());
    if key_type == SK_ECDSA {
        ecdsa("ecdsa-sha2-nistp256", &mut key, &signed, signature)?;
    } else {
        check(&ED25519, key.string()?, &signed, signature)?;
    }
    Ok(Presence { touched: flags & TOUCHED != 0, verified: flags & VERIFIED != 0 })
}

fn check(
    scheme: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    UnparsedPublicKey::new(scheme, key).verify(message, signature).map_err(|_| SignatureError::Wrong)
}

fn ecdsa(key_type: &str, key: &mut Cursor<'_>, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let (curve, len, scheme): (_, _, &'static dyn VerificationAlgorithm) = match key_type {
        "ecdsa-sha2-nistp256" => ("nistp256", 32, &ECDSA_P256_SHA256_FIXED),
        "ecdsa-sha2-nistp384" => ("nistp384", 48, &ECDSA_P384_SHA384_FIXED),
        "ecdsa-sha2-nistp521" => ("nistp521", 66, &ECDSA_P521_SHA512_FIXED),
        _ => return Err(SignatureError::Algorithm),
    };
    if key.text()? != curve {
        return Err(SignatureError::Algorithm);
    }
    let point = key.string()?;
    let mut cursor = Cursor::new(signature);
    let (r, s) = (number(cursor.string()?), number(cursor.string()?));
    cursor.end()?;
    let mut fixed = vec![0; 2 * len];
    for (half, digits) in fixed.chunks_exact_mut(len).zip([r, s]) {
        let at = len.checked_sub(digits.len()).ok_or(SignatureError::Wrong)?;
        half.get_mut(at..).ok_or(SignatureError::Wrong)?.copy_from_slice(digits);
    }
    check(scheme, point, message, &fixed)
}

/// A positive `mpint` without its leading zeros.
fn number(mpint: &[u8]) -> &[u8] {
    let start = mpint.iter().position(|byte| *byte != 0).unwrap_or(mpint.len());
    mpint.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::wire::encode;

    /// A security key, as PROTOCOL.u2f has it.
    enum Security {
        Ed25519(Ed25519KeyPair),
        Ecdsa(EcdsaKeyPair),
    }

    impl Security {
        fn both() -> [Self; 2] {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            [Self::Ed25519(Ed25519KeyPair::generate().unwrap()), Self::Ecdsa(pair)]
        }

        fn algorithm(&self) -> &'static str {
            match self {
                Self::Ed25519(_) => SK_ED25519,
                Self::Ecdsa(_) => SK_ECDSA,
            }
        }

        fn blob(&self, application: &str) -> Vec<u8> {
            let mut out = Vec::new();
            encode::string(&mut out, self.algorithm().as_bytes());
            match self {
                Self::Ed25519(pair) => encode::string(&mut out, pair.public_key().as_ref()),
                Self::Ecdsa(pair) => {
                    encode::string(&mut out, b"nistp256");
                    encode::string(&mut out, pair.public_key().as_ref());
                }
            }
            encode::string(&mut out, application.as_bytes());
            out
        }

        fn sign(&self, application: &str, flags: u8, counter: u32, message: &[u8]) -> Vec<u8> {
            let hash = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
            let words =
                [hash(application.as_bytes()), vec![flags], counter.to_be_bytes().to_vec(), hash(message)].concat();
            let mut out = Vec::new();
            encode::string(&mut out, self.algorithm().as_bytes());
            match self {
                Self::Ed25519(pair) => encode::string(&mut out, pair.sign(&words).as_ref()),
                Self::Ecdsa(pair) => {
                    let fixed = pair.sign(&SystemRandom::new(), &words).unwrap();
                    let mut numbers = Vec::new();
                    encode::mpint(&mut numbers, &fixed.as_ref()[..32]);
                    encode::mpint(&mut numbers, &fixed.as_ref()[32..]);
                    encode::string(&mut out, &numbers);
                }
            }
            out.push(flags);
            encode::u32(&mut out, counter);
            out
        }
    }

    #[test]
    fn a_security_keys_signature_says_what_it_saw() {
        for key in Security::both() {
            for (flags, touched, verified) in
                [(0, false, false), (1, true, false), (5, true, true), (0xc4, false, true)]
            {
                let signature = key.sign("ssh:", flags, 7, b"words");
                let found = verify(key.algorithm(), &key.blob("ssh:"), b"words", &signature);
                assert_eq!(found, Ok(Some(Presence { touched, verified })), "{} {flags}", key.algorithm());
            }
        }
    }

    #[test]
    fn a_security_keys_signature_is_bound_to_application_flags_counter_and_words() {
        for key in Security::both() {
            let (algorithm, blob) = (key.algorithm(), key.blob("ssh:"));
            let good = key.sign("ssh:", 0, 7, b"words");
            let wrong = Err(SignatureError::Wrong);
            assert_eq!(verify(algorithm, &blob, b"other", &good), wrong);
            assert_eq!(verify(algorithm, &key.blob("ssh:other"), b"words", &good), wrong);
            assert_eq!(verify(algorithm, &blob, b"words", &key.sign("https://web", 1, 7, b"words")), wrong);
            for at in good.len() - 5..good.len() {
                let mut changed = good.clone();
                changed[at] ^= 1;
                assert_eq!(
                    verify(algorithm, &blob, b"words", &changed),
                    wrong,
                    "byte {at} of the flags and the counter"
                );
            }
            for other in ["ssh-ed25519", "ecdsa-sha2-nistp256"] {
                assert_eq!(verify(other, &blob, b"words", &good), Err(SignatureError::Algorithm));
            }
            for len in 0..good.len() {
                assert!(verify(algorithm, &blob, b"words", &good[..len]).is_err(), "{len} bytes of a signature");
            }
            for len in 0..blob.len() {
                assert!(verify(algorithm, &blob[..len], b"words", &good).is_err(), "{len} bytes of a key");
            }
            assert!(verify(algorithm, &blob, b"words", &[&good[..], b"x"].concat()).is_err());
            assert!(verify(algorithm, &[&blob[..], b"x"].concat(), b"words", &good).is_err());
        }
    }

    /// A plain key's signature under a security key's name, and the other way round.
    #[test]
    fn a_plain_keys_signature_is_none_of_a_security_key() {
        let [Security::Ed25519(pair), _] = Security::both() else { panic!() };
        let mut signature = Vec::new();
        encode::string(&mut signature, SK_ED25519.as_bytes());
        encode::string(&mut signature, pair.sign(b"words").as_ref());
        signature.extend_from_slice(&[1, 0, 0, 0, 7]);
        let blob = Security::Ed25519(pair).blob("ssh:");
        assert_eq!(verify(SK_ED25519, &blob, b"words", &signature), Err(SignatureError::Wrong));
    }
}
