//! Keys that sign for the gateway: its host key, and what it opens targets with.

use std::fmt;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::{algorithms_of, private, public};
use crate::wire::{Cursor, encode};

/// The kind of the keys that are made here.
pub const ED25519: &str = "ssh-ed25519";

/// Why a key cannot be used. Nothing of the key is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private key in a format that is known.
    #[error(
        "not a private key in OpenSSH's or OpenSSL's format; `puttygen KEY.ppk -O private-openssh -o KEY` converts PuTTY's, `ssh-keygen -t ed25519` makes a new one"
    )]
    Unreadable,
    /// Encrypted with a passphrase.
    #[error("the key has a passphrase; store it without one (`ssh-keygen -p -N '' -f KEY`), it is sealed anyway")]
    Encrypted,
    /// Of another kind.
    #[error("the key is of kind {0}; ed25519, ECDSA and RSA keys can sign here")]
    Kind(String),
    /// An RSA key that is too short, or too long.
    #[error("an RSA key has to have 2048 to 8192 bits")]
    Length,
    /// The target says which signatures it takes, and none of this key's are among them.
    #[error("the target takes no signatures with SHA-2 of RSA keys; use an ed25519 key")]
    NotTaken,
    /// It cannot sign.
    #[error("the key cannot sign")]
    Signing,
    /// The system has no random bytes.
    #[error("no random bytes can be had")]
    Random,
}

/// A private key by its kind; ECDSA's with its curve's name.
pub(super) enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(&'static str, EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    /// The public key, as it is sent (RFC 4253, section 6.6; RFC 5656, section 3.1; RFC 8709, section 4).
    fn blob(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::Ed25519(pair) => {
                encode::string(&mut out, ED25519.as_bytes());
                encode::string(&mut out, pair.public_key().as_ref());
            }
            Self::Ecdsa(curve, pair) => {
                encode::string(&mut out, format!("ecdsa-sha2-{curve}").as_bytes());
                encode::string(&mut out, curve.as_bytes());
                encode::string(&mut out, pair.public_key().as_ref());
            }
            Self::Rsa(pair) => {
                let (n, e) = numbers(pair.public_key().as_ref())?;
                encode::string(&mut out, b"ssh-rsa");
                encode::mpint(&mut out, e);
                encode::mpint(&mut out, n);
            }
        }
        Some(out)
    }

    /// What stands behind the algorithm's name in a signature.
    fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Ed25519(pair) => pair.try_sign(message).map(|it| it.as_ref().to_vec()).map_err(|_| KeyError::Signing),
            Self::Ecdsa(_, pair) => {
                let fixed = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Signing)?;
                let (r, s) = fixed.as_ref().split_at(fixed.as_ref().len() / 2);
                let mut out = Vec::with_capacity(144);
                encode::mpint(&mut out, r);
                encode::mpint(&mut out, s);
                Ok(out)
            }
            Self::Rsa(pair) => {
                let scheme: &'static dyn RsaEncoding =
                    if algorithm == "rsa-sha2-512" { &RSA_PKCS1_SHA512 } else { &RSA_PKCS1_SHA256 };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(scheme, &SystemRandom::new(), message, &mut out).map_err(|_| KeyError::Signing)?;
                Ok(out)
            }
        }
    }
}

/// A private key. It has no `Debug` of its content and no `Clone`.
pub struct SigningKey {
    pair: Pair,
    blob: Vec<u8>,
    algorithms: &'static [&'static str],
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    fn new(pair: Pair) -> Result<Self, KeyError> {
        let blob = pair.blob().ok_or(KeyError::Unreadable)?;
        let algorithms = algorithms_of(Cursor::new(&blob).text()?);
        Ok(Self { pair, blob, algorithms })
    }

    /// Whether this is a file of a private key, readable or not.
    #[must_use]
    pub fn is_file(text: &[u8]) -> bool {
        private::is_file(text)
    }

    /// Reads a private key in OpenSSH's format, or as OpenSSL writes it (PKCS#1, SEC 1, PKCS#8).
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(text: &[u8]) -> Result<Self, KeyError> {
        Self::new(private::read(text)?)
    }

    /// Makes a new one of kind ed25519; the text is it in OpenSSH's format.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn generate(comment: &str) -> Result<(Self, Zeroizing<String>), KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(seed.as_mut()).map_err(|_| KeyError::Random)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| KeyError::Unreadable)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Unreadable)?;
        let key = Self::new(Pair::Ed25519(pair))?;
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

    /// What it signs with, the preferred first.
    #[must_use]
    pub const fn algorithms(&self) -> &'static [&'static str] {
        self.algorithms
    }

    /// What it signs with where nobody says what they take.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        self.algorithms.first().copied().unwrap_or_default()
    }

    /// The public key as one line without a comment: `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn public_line(&self) -> String {
        public::line(&self.blob).unwrap_or_default()
    }

    /// A signature as it is sent, by one of its [`algorithms`](Self::algorithms).
    ///
    /// # Errors
    /// When the algorithm is another key's, or the library fails.
    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::Signing);
        }
        let signature = self.pair.sign(algorithm, message)?;
        let mut out = Vec::with_capacity(signature.len() + 32);
        encode::string(&mut out, algorithm.as_bytes());
        encode::string(&mut out, &signature);
        Ok(out)
    }
}

/// The modulus and the exponent of a public RSA key in DER (RFC 8017, appendix A.1.1).
fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(0x30, der)?;
    let (n, rest) = element(0x02, sequence)?;
    let (e, _) = element(0x02, rest)?;
    Some((n, e))
}

/// The content of the element of this tag at the front, and what is behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let more = usize::from(first & 0x7f);
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(more).filter(|_| more <= 4)?;
        (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
    };
    rest.split_at_checked(len)
}

/// A fresh RSA key.
#[cfg(test)]
pub(crate) fn rsa_for_tests() -> SigningKey {
    SigningKey::new(Pair::Rsa(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap())).unwrap()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    };
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::keys::{SignatureError, verify};

    fn pem(label: &str, bytes: &[u8]) -> String {
        let text = STANDARD.encode(bytes);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    /// A file in OpenSSH's format, of the fields of a private key.
    fn openssh(cipher: &[u8], kind: &str, fields: &[u8]) -> String {
        let mut out = b"openssh-key-v1\0".to_vec();
        for text in [cipher, b"none", b""] {
            encode::string(&mut out, text);
        }
        encode::u32(&mut out, 1);
        encode::string(&mut out, b"");
        let mut private = vec![1, 2, 3, 4, 1, 2, 3, 4];
        encode::string(&mut private, kind.as_bytes());
        private.extend_from_slice(fields);
        encode::string(&mut private, b"comment");
        private.extend_from_slice(&[1, 2, 3]);
        encode::string(&mut out, &private);
        pem("OPENSSH PRIVATE KEY", &out)
    }

    fn mpints(numbers: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        numbers.iter().for_each(|number| encode::mpint(&mut out, number));
        out
    }

    /// The key of each text is the same one, and signs.
    fn same(texts: &[String]) {
        let keys: Vec<SigningKey> = texts.iter().map(|text| SigningKey::read(text.as_bytes()).unwrap()).collect();
        for key in &keys {
            assert_eq!(key.blob(), keys[0].blob());
            let kind = Cursor::new(key.blob()).text().unwrap();
            assert!(key.public_line().starts_with(&format!("{kind} AAAA")), "{}", key.public_line());
            for algorithm in key.algorithms() {
                let signature = key.sign(algorithm, b"words").unwrap();
                assert_eq!(verify(algorithm, key.blob(), b"words", &signature), Ok(None), "{algorithm}");
                assert_eq!(verify(algorithm, key.blob(), b"other", &signature), Err(SignatureError::Wrong));
            }
            assert_eq!(key.sign("ssh-rsa", b"words"), Err(KeyError::Signing));
        }
    }

    #[test]
    fn a_key_survives_its_file_and_its_signatures_fit() {
        let (key, text) = SigningKey::generate("gateway").unwrap();
        same(&[text.to_string(), format!("\n{}", text.replace('\n', "\r\n"))]);
        let again = SigningKey::read(text.as_bytes()).unwrap();
        assert_eq!((key.blob(), key.algorithm()), (again.blob(), ED25519));
        let signature = again.sign(ED25519, b"words").unwrap();
        assert_eq!(verify("rsa-sha2-256", key.blob(), b"words", &signature), Err(SignatureError::Algorithm));
    }

    #[test]
    fn rsa_keys_are_read_in_every_format() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // RFC 5208: the version, the algorithm, and the key (RFC 8017, appendix A.1.2) as a string of bytes.
        let (info, _) = element(0x30, pkcs8.as_ref()).unwrap();
        let (_, rest) = element(0x02, info).unwrap();
        let (_, rest) = element(0x30, rest).unwrap();
        let (pkcs1, _) = element(0x04, rest).unwrap();
        let (mut rest, _) = element(0x30, pkcs1).unwrap();
        let mut numbers = Vec::new();
        while let Some((number, more)) = element(0x02, rest) {
            numbers.push(number);
            rest = more;
        }
        let [_version, n, e, d, p, q, to_p, to_q, inverse] = numbers[..] else { panic!() };
        for (prime, expected) in [(p, to_p), (q, to_q)] {
            let found = super::super::remainder::of_one_less(d, prime).unwrap();
            let digits = |number: &[u8]| mpints(&[number]);
            assert_eq!(digits(&found), digits(expected));
        }
        let own = openssh(b"none", "ssh-rsa", &mpints(&[n, e, d, inverse, p, q]));
        same(&[own, pem("RSA PRIVATE KEY", pkcs1), pem("PRIVATE KEY", pkcs8.as_ref())]);
        // Another prime, another exponent, an even prime.
        for wrong in [[n, e, d, inverse, p, p], [n, e, e, inverse, p, q], [n, e, d, inverse, p, b"\x10"]] {
            let text = openssh(b"none", "ssh-rsa", &mpints(&wrong));
            assert_eq!(SigningKey::read(text.as_bytes()).err(), Some(KeyError::Unreadable));
        }
        let long = vec![0xff; 1025];
        let text = openssh(b"none", "ssh-rsa", &mpints(&[&long, e, d, inverse, p, q]));
        assert_eq!(SigningKey::read(text.as_bytes()).err(), Some(KeyError::Length));
    }

    #[test]
    fn ecdsa_keys_are_read_in_every_format() {
        for (curve, algorithm, len) in [
            ("nistp256", &ECDSA_P256_SHA256_FIXED_SIGNING, 32),
            ("nistp384", &ECDSA_P384_SHA384_FIXED_SIGNING, 48),
            ("nistp521", &ECDSA_P521_SHA512_FIXED_SIGNING, 66),
        ] {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let sec1: EcPrivateKeyRfc5915Der<'_> = pair.private_key().as_der().unwrap();
            let (sequence, _) = element(0x30, sec1.as_ref()).unwrap();
            let (private, _) = element(0x04, element(0x02, sequence).unwrap().1).unwrap();
            assert_eq!(private.len(), len);
            let mut fields = Vec::new();
            encode::string(&mut fields, curve.as_bytes());
            encode::string(&mut fields, pair.public_key().as_ref());
            encode::mpint(&mut fields, private);
            let kind = format!("ecdsa-sha2-{curve}");
            let sec1 = pem("EC PRIVATE KEY", sec1.as_ref());
            let parameters = pem("EC PARAMETERS", &[6, 8, 42]);
            same(&[
                openssh(b"none", &kind, &fields),
                pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()),
                format!("{parameters}{sec1}"),
                sec1,
            ]);
            let other = if curve == "nistp256" { "ecdsa-sha2-nistp384" } else { "ecdsa-sha2-nistp256" };
            let text = openssh(b"none", other, &fields);
            assert_eq!(SigningKey::read(text.as_bytes()).err(), Some(KeyError::Unreadable));
        }
    }

    #[test]
    fn what_cannot_sign_is_named() {
        const END: &str = "-----END RSA PRIVATE KEY-----\n";
        let pkcs8 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        same(&[pem("PRIVATE KEY", pkcs8.as_ref())]);
        for (text, error) in [
            (openssh(b"aes256-ctr", "ssh-ed25519", b""), KeyError::Encrypted),
            (pem("ENCRYPTED PRIVATE KEY", b"x"), KeyError::Encrypted),
            (format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n{END}"), KeyError::Encrypted),
            (openssh(b"none", "sk-ssh-ed25519@openssh.com", b""), KeyError::Kind("sk-ssh-ed25519@openssh.com".into())),
            (openssh(b"none", "ssh-dss", b""), KeyError::Kind("ssh-dss".into())),
            (pem("DSA PRIVATE KEY", b"x"), KeyError::Kind("ssh-dss".into())),
            (pem("PRIVATE KEY", b"x"), KeyError::Unreadable),
            (pem("RSA PRIVATE KEY", b"x"), KeyError::Unreadable),
            (pem("CERTIFICATE", b"x"), KeyError::Unreadable),
            (openssh(b"none", "ssh-rsa", b"x"), KeyError::Unreadable),
            ("-----BEGIN".into(), KeyError::Unreadable),
            ("PuTTY-User-Key-File-3: ssh-ed25519".into(), KeyError::Unreadable),
            (format!("-----BEGIN {}", "x".repeat(70_000)), KeyError::Unreadable),
        ] {
            assert_eq!(SigningKey::read(text.as_bytes()).err(), Some(error), "{text:.60}");
        }
        assert!(SigningKey::is_file(b"  PuTTY-User-Key-File-2: ssh-rsa") && SigningKey::is_file(b"-----BEGIN X"));
        assert!(!SigningKey::is_file(b"hunter2") && !SigningKey::is_file(b""));
    }
}
