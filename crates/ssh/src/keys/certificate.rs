//! OpenSSH's certificates (OpenSSH, PROTOCOL.certkeys): those of clients read and checked, those for targets made.

use std::net::IpAddr;

use aws_lc_rs::rand;
use gate::ports::CertifiedKey;
use ipnet::IpNet;

use super::OF_CLIENTS;
use super::own::{KeyError, SigningKey};
use super::verify::{SignatureError, verify};
use crate::wire::{Cursor, WireError, encode};

/// What stands behind a key's kind in that of a certificate.
const SUFFIX: &str = "-cert-v01@openssh.com";
/// A certificate of a user's key.
const USER: u32 = 1;
/// Principals of one certificate.
const PRINCIPALS: usize = 256;

/// The kind of a certificate that is made here.
pub const ED25519_CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com";

/// Why a certificate is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// Its authority's signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is for hosts.
    #[error("it is not a user's")]
    NotOfUser,
    /// It has an option that must be obeyed and is not known here.
    #[error("it has a critical option other than source-address and verify-required")]
    Option,
    /// Its authority's key is a security key that nobody touched.
    #[error("its authority's key was not touched")]
    Untouched,
    /// It may not be used from there.
    #[error("it is not good from this address")]
    Source,
}

/// A certificate, its authority's signature checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certified key by itself.
    pub key: Vec<u8>,
    /// What it says.
    pub says: CertifiedKey,
    must: Must,
}

/// What a certificate's critical options ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Must {
    /// From where it may be used.
    sources: Option<Vec<IpNet>>,
    /// The security key has to have checked a PIN or finger.
    verified: bool,
}

/// The plain algorithm of a certificate's: `rsa-sha2-512` of `rsa-sha2-512-cert-v01@openssh.com`. Of security keys the name is
/// `sk-ssh-ed25519-cert-v01@openssh.com`, and the plain one `sk-ssh-ed25519@openssh.com`.
#[must_use]
pub fn plain(algorithm: &str) -> Option<&'static str> {
    let stem = algorithm.strip_suffix(SUFFIX)?;
    let known = OF_CLIENTS.split(',').chain(["ssh-rsa"]);
    known.into_iter().find(|known| known.strip_suffix("@openssh.com").unwrap_or(known) == stem)
}

impl Certificate {
    /// Reads a certificate and checks its authority's signature. Who the authority is, and the time, is for others to judge.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn read(blob: &[u8]) -> Result<Self, CertificateError> {
        let mut cursor = Cursor::new(blob);
        let kind = plain(cursor.text()?).ok_or(WireError("not a certificate"))?;
        let _nonce = cursor.string()?;
        let mut key = Vec::with_capacity(blob.len() / 2);
        encode::string(&mut key, kind.as_bytes());
        for _ in 0..parts(kind)? {
            encode::string(&mut key, cursor.string()?);
        }
        let serial = cursor.u64()?;
        if cursor.u32()? != USER {
            return Err(CertificateError::NotOfUser);
        }
        let key_id = cursor.text()?.to_owned();
        let principals = texts(cursor.string()?)?;
        let (after, before) = (cursor.u64()?, cursor.u64()?);
        let must = options(cursor.string()?)?;
        let extensions = options_of(cursor.string()?)?.into_iter().map(|(name, _)| name.to_owned()).collect();
        let _reserved = cursor.string()?;
        let authority = cursor.string()?.to_vec();
        let signed = blob.len() - cursor.rest().len();
        let signature = cursor.string()?;
        cursor.end()?;
        let algorithm = Cursor::new(signature).text()?;
        let presence = verify(algorithm, &authority, blob.get(..signed).unwrap_or_default(), signature)?;
        if presence.is_some_and(|presence| !presence.touched) {
            return Err(CertificateError::Untouched);
        }
        let says = CertifiedKey { authority, key_id, serial, principals, extensions, after, before };
        Ok(Self { key, says, must })
    }

    /// Whether it may be used from this address.
    ///
    /// # Errors
    /// When not.
    pub fn check_source(&self, from: IpAddr) -> Result<(), CertificateError> {
        let from = from.to_canonical();
        match &self.must.sources {
            Some(nets) if !nets.iter().any(|net| net.contains(&from)) => Err(CertificateError::Source),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether its holder has to have proven more than a touch to the security key.
    #[must_use]
    pub const fn wants_verified(&self) -> bool {
        self.must.verified
    }
}

/// How many fields a key of this kind has behind its name.
pub(super) fn parts(kind: &str) -> Result<usize, WireError> {
    match kind {
        "ssh-ed25519" => Ok(1),
        "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => Ok(2),
        "sk-ssh-ed25519@openssh.com" => Ok(2),
        "sk-ecdsa-sha2-nistp256@openssh.com" => Ok(3),
        _ => Err(WireError("a certificate of a kind that is not known")),
    }
}

fn texts(bytes: &[u8]) -> Result<Vec<String>, WireError> {
    let (mut cursor, mut texts) = (Cursor::new(bytes), Vec::new());
    while !cursor.rest().is_empty() {
        if texts.len() >= PRINCIPALS {
            return Err(WireError("too many principals"));
        }
        texts.push(cursor.text()?.to_owned());
    }
    Ok(texts)
}

/// Names and values; names ascend, so none is there twice.
fn options_of(bytes: &[u8]) -> Result<Vec<(&str, &[u8])>, WireError> {
    let mut cursor = Cursor::new(bytes);
    let mut options: Vec<(&str, &[u8])> = Vec::new();
    while !cursor.rest().is_empty() {
        let (name, value) = (cursor.text()?, cursor.string()?);
        if options.last().is_some_and(|(last, _)| *last >= name) {
            return Err(WireError("options out of order"));
        }
        options.push((name, value));
    }
    Ok(options)
}

/// The networks of `source-address`, and `verify-required`. Any other option says what must be obeyed, and is not known.
fn options(bytes: &[u8]) -> Result<Must, CertificateError> {
    let mut must = Must::default();
    for (name, value) in options_of(bytes)? {
        match name {
            "source-address" => {}
            "verify-required" => {
                must.verified = true;
                Cursor::new(value).end()?;
                continue;
            }
            _ => return Err(CertificateError::Option),
        }
        let mut cursor = Cursor::new(value);
        let list = cursor.text()?;
        cursor.end()?;
        let nets: Option<Vec<IpNet>> = list.split(',').map(net).collect();
        must.sources = Some(nets.ok_or(WireError("a source address that is none"))?);
    }
    Ok(must)
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// What a certificate for a target is to say.
pub struct Wanted<'a> {
    /// What the target's log shows of it.
    pub key_id: &'a str,
    /// The target's users that it is good for.
    pub principals: &'a [String],
    /// Networks from which it may be used.
    pub sources: &'a [String],
    /// The first second at which it is good, since 1970.
    pub after: u64,
    /// The first second at which it is no longer.
    pub before: u64,
}

/// Certifies a key of the gateway's own. All that a session may need is allowed: what it may do is the gate's to say.
///
/// # Errors
/// When the system has no random bytes.
pub fn certify(authority: &SigningKey, key: &SigningKey, wanted: &Wanted<'_>) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0; 32];
    rand::fill(&mut nonce).map_err(|_| KeyError::Random)?;
    let mut out = Vec::with_capacity(512);
    let mut fields = Cursor::new(key.blob());
    let kind = fields.text().map_err(|_| KeyError::Unreadable)?;
    encode::string(&mut out, format!("{kind}{SUFFIX}").as_bytes());
    encode::string(&mut out, &nonce);
    out.extend_from_slice(fields.rest());
    out.extend_from_slice(&0_u64.to_be_bytes());
    encode::u32(&mut out, USER);
    encode::string(&mut out, wanted.key_id.as_bytes());
    let mut principals = Vec::new();
    wanted.principals.iter().for_each(|name| encode::string(&mut principals, name.as_bytes()));
    encode::string(&mut out, &principals);
    out.extend_from_slice(&wanted.after.to_be_bytes());
    out.extend_from_slice(&wanted.before.to_be_bytes());
    let mut options = Vec::new();
    if !wanted.sources.is_empty() {
        let mut value = Vec::new();
        encode::string(&mut value, wanted.sources.join(",").as_bytes());
        encode::string(&mut options, b"source-address");
        encode::string(&mut options, &value);
    }
    encode::string(&mut out, &options);
    let mut extensions = Vec::new();
    for name in ["permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty"] {
        encode::string(&mut extensions, name.as_bytes());
        encode::string(&mut extensions, b"");
    }
    encode::string(&mut out, &extensions);
    encode::string(&mut out, b"");
    encode::string(&mut out, authority.blob());
    let signature = authority.sign(authority.algorithm(), &out)?;
    encode::string(&mut out, &signature);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(sources: &[String]) -> (SigningKey, SigningKey, Vec<u8>) {
        let (authority, _) = SigningKey::generate("ca").unwrap();
        let (key, _) = SigningKey::generate("key").unwrap();
        let principals = ["deploy".to_owned()];
        let wanted = Wanted { key_id: "session 1", principals: &principals, sources, after: 5, before: 10 };
        let blob = certify(&authority, &key, &wanted).unwrap();
        (authority, key, blob)
    }

    #[test]
    fn what_is_certified_is_read_again() {
        let (authority, key, blob) = made(&["10.0.0.0/8".to_owned(), "::1".to_owned()]);
        let found = Certificate::read(&blob).unwrap();
        assert_eq!((found.key.as_slice(), found.says.authority.as_slice()), (key.blob(), authority.blob()));
        assert_eq!((found.says.after, found.says.before, found.says.key_id.as_str()), (5, 10, "session 1"));
        assert_eq!(found.says.principals, ["deploy"]);
        assert_eq!(found.says.extensions.len(), 4);
        for (from, good) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("::1", true), ("192.168.0.1", false)] {
            assert_eq!(found.check_source(from.parse().unwrap()).is_ok(), good, "{from}");
        }
        // ssh-key's own reader agrees.
        let other = ssh_key::Certificate::from_bytes(&blob).unwrap();
        assert_eq!((other.key_id(), other.valid_principals()), ("session 1", &["deploy".to_owned()][..]));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let (.., blob) = made(&[]);
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert!(Certificate::read(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn options_that_must_be_obeyed_are_not_passed_over() {
        let mut options = Vec::new();
        encode::string(&mut options, b"force-command");
        encode::string(&mut options, b"");
        assert_eq!(super::options(&options), Err(CertificateError::Option));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut blob = Vec::new();
            encode::string(&mut blob, ED25519_CERTIFICATE.as_bytes());
            blob.extend_from_slice(&bytes);
            prop_assert!(Certificate::read(&blob).is_err());
        }
    }
}
