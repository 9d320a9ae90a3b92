//! Files of private keys: OpenSSH's format (OpenSSH, PROTOCOL.key), and PEM as OpenSSL writes it (RFC 8017 appendix A.1.2, RFC 5915, RFC 5208).

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::own::{KeyError, Pair};
use super::remainder;
use crate::wire::{Cursor, WireError};

/// What files of private keys begin with. Those of PuTTY are not read here.
const BEGINNINGS: [&[u8]; 2] = [b"-----BEGIN ", b"PuTTY-User-Key-File-"];
/// The largest file: an RSA key of 16,384 bits takes some 13 KiB.
const LARGEST: usize = 64 * 1024;
/// Bytes of an RSA key's longest number.
const LONGEST: usize = 8192 / 8;
/// What OpenSSH's format begins with.
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The curves, with their names in SSH and the lengths of their numbers.
static CURVES: [(&str, usize, &EcdsaSigningAlgorithm); 3] = [
    ("nistp256", 32, &ECDSA_P256_SHA256_FIXED_SIGNING),
    ("nistp384", 48, &ECDSA_P384_SHA384_FIXED_SIGNING),
    ("nistp521", 66, &ECDSA_P521_SHA512_FIXED_SIGNING),
];

impl From<WireError> for KeyError {
    fn from(_: WireError) -> Self {
        Self::Unreadable
    }
}

/// Whether this is a file of a private key, readable or not: it is no password then.
pub(super) fn is_file(text: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| text.trim_ascii_start().starts_with(beginning))
}

/// Reads a file.
pub(super) fn read(text: &[u8]) -> Result<Pair, KeyError> {
    if text.len() > LARGEST {
        return Err(KeyError::Unreadable);
    }
    let (label, bytes) = unwrap(text)?;
    match label {
        "OPENSSH PRIVATE KEY" => openssh(&bytes),
        "RSA PRIVATE KEY" => rsa(RsaKeyPair::from_der(&bytes)),
        "EC PRIVATE KEY" => on_some_curve(|curve| EcdsaKeyPair::from_private_key_der(curve, &bytes).ok()),
        "PRIVATE KEY" => pkcs8(&bytes),
        "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encrypted),
        "DSA PRIVATE KEY" => Err(KeyError::Kind("ssh-dss".to_owned())),
        _ => Err(KeyError::Unreadable),
    }
}

/// The label of a PEM text and its bytes.
fn unwrap(text: &[u8]) -> Result<(&str, Zeroizing<Vec<u8>>), KeyError> {
    let text = std::str::from_utf8(text).map_err(|_| KeyError::Unreadable)?.trim_start();
    // OpenSSL may write the curve's name before the key.
    let text = text.split_once("-----END EC PARAMETERS-----").map_or(text, |(_, rest)| rest.trim_start());
    let rest = text.strip_prefix("-----BEGIN ").ok_or(KeyError::Unreadable)?;
    let (label, rest) = rest.split_once("-----").ok_or(KeyError::Unreadable)?;
    let (body, _) = rest.split_once("-----END ").ok_or(KeyError::Unreadable)?;
    // Headers are there only where it is encrypted (RFC 1421).
    if body.contains("ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    // Room at once: what is moved leaves its bytes behind.
    let mut digits = Zeroizing::new(Vec::with_capacity(body.len()));
    digits.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; digits.len()]);
    let len = STANDARD.decode_slice(digits.as_slice(), &mut bytes).map_err(|_| KeyError::Unreadable)?;
    bytes.truncate(len);
    Ok((label, bytes))
}

fn rsa(pair: Result<RsaKeyPair, aws_lc_rs::error::KeyRejected>) -> Result<Pair, KeyError> {
    pair.map(Pair::Rsa).map_err(|error| match error.description_() {
        "TooSmall" | "TooLarge" => KeyError::Length,
        _ => KeyError::Unreadable,
    })
}

fn on_some_curve(read: impl Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>) -> Result<Pair, KeyError> {
    let found = CURVES.iter().find_map(|(name, _, curve)| Some(Pair::Ecdsa(name, read(curve)?)));
    found.ok_or(KeyError::Unreadable)
}

fn pkcs8(bytes: &[u8]) -> Result<Pair, KeyError> {
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes) {
        return Ok(Pair::Ed25519(pair));
    }
    let of_curve = on_some_curve(|curve| EcdsaKeyPair::from_pkcs8(curve, bytes).ok());
    of_curve.or_else(|_| rsa(RsaKeyPair::from_pkcs8(bytes)))
}

/// OpenSSH's own format, of one key.
fn openssh(bytes: &[u8]) -> Result<Pair, KeyError> {
    let mut cursor = Cursor::new(bytes.strip_prefix(MAGIC).ok_or(KeyError::Unreadable)?);
    let (cipher, _kdf, _options) = (cursor.string()?, cursor.string()?, cursor.string()?);
    if cipher != b"none" {
        return Err(KeyError::Encrypted);
    }
    if cursor.u32()? != 1 {
        return Err(KeyError::Unreadable);
    }
    let (_public, private) = (cursor.string()?, cursor.string()?);
    let mut cursor = Cursor::new(private);
    if cursor.u32()? != cursor.u32()? {
        return Err(KeyError::Unreadable);
    }
    let kind = cursor.text()?;
    match kind {
        "ssh-ed25519" => {
            let (public, private) = (cursor.string()?, cursor.string()?);
            let seed = private.get(..32).ok_or(KeyError::Unreadable)?;
            let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| KeyError::Unreadable)?;
            Ok(Pair::Ed25519(pair))
        }
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
            let (name, public, private) = (cursor.text()?, cursor.string()?, cursor.string()?);
            let curve = CURVES.iter().find(|(known, ..)| *known == name && kind.ends_with(name));
            let (name, len, curve) = curve.ok_or(KeyError::Unreadable)?;
            let private = of_length(private, *len).ok_or(KeyError::Unreadable)?;
            let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &private, public);
            Ok(Pair::Ecdsa(name, pair.map_err(|_| KeyError::Unreadable)?))
        }
        "ssh-rsa" => rsa_parts(&mut cursor),
        other => Err(KeyError::Kind(other.chars().filter(char::is_ascii_graphic).take(64).collect())),
    }
}

fn rsa_parts(cursor: &mut Cursor<'_>) -> Result<Pair, KeyError> {
    let mut number = || cursor.string().map(digits);
    let (n, e, d, q_inverse, p, q) = (number()?, number()?, number()?, number()?, number()?, number()?);
    if [n, e, d, q_inverse, p, q].iter().any(|number| number.len() > LONGEST) {
        return Err(KeyError::Length);
    }
    let [to_p, to_q] = [p, q].map(|prime| remainder::of_one_less(d, prime));
    let (to_p, to_q) = (to_p.ok_or(KeyError::Unreadable)?, to_q.ok_or(KeyError::Unreadable)?);
    rsa(RsaKeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d,
        p,
        q,
        dP: to_p.as_slice(),
        dQ: to_q.as_slice(),
        qInv: q_inverse,
    }))
}

/// A positive `mpint` without its leading zeros.
fn digits(mpint: &[u8]) -> &[u8] {
    let start = mpint.iter().position(|byte| *byte != 0).unwrap_or(mpint.len());
    mpint.get(start..).unwrap_or_default()
}

/// An `mpint` with so many bytes.
fn of_length(mpint: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let digits = digits(mpint);
    let mut out = Zeroizing::new(vec![0; len]);
    out.get_mut(len.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(out)
}
