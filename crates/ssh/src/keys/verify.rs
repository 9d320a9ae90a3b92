//! Signatures of others, checked (RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8332; RFC 8709).

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

/// The signature algorithms of a key type, the preferred first; nothing for a type that is not known.
#[must_use]
pub fn algorithms_of(key_type: &str) -> &'static [&'static str] {
    match key_type {
        "ssh-ed25519" => &["ssh-ed25519"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
        _ => &[],
    }
}

/// Checks that `signature` was made over `message` by the key of `blob`, with this algorithm and no other.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(algorithm: &str, blob: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
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
    Ok(())
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
