//! Public keys of known identities, and authorities whose certificates prove identities (OpenSSH, PROTOCOL.certkeys).
//!
//! A key by itself has no end: its sessions end after 12 hours at the latest, and begin anew with a new login. A certificate's own end counts
//! where it is earlier.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gate::Micros;
use gate::ports::{AuthFailure, CertifiedKey, ClientKey, Proven};
use model::Identity;

use crate::config::{KeyAuthority, KnownKey, NamedBy, SshConfig};

/// How long a login by key is good at most, in seconds.
const LONGEST: i64 = 12 * 3600;
/// What such identities' issuer is called; an authority's name stands behind a slash.
const ISSUER: &str = "ssh";
/// Most keys and authorities of one gateway.
const KEYS_LIMIT: usize = 4096;
/// The extension of a certificate that asks for no touch (OpenSSH, PROTOCOL.certkeys).
const UNTOUCHED: &str = "no-touch-required";
/// Longest subject.
const SUBJECT_LIMIT: usize = 256;

/// Keys that were checked.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    known: BTreeMap<Vec<u8>, KnownKey>,
    authorities: BTreeMap<Vec<u8>, KeyAuthority>,
}

/// What is wrong with the configuration's keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeysError(String);

impl Keys {
    /// Checks what the configuration says.
    ///
    /// # Errors
    /// [`KeysError`] names the key and what is wrong with it.
    pub fn new(config: &SshConfig) -> Result<Self, KeysError> {
        if config.keys.len() + config.authorities.len() > KEYS_LIMIT {
            return Err(KeysError(format!("more than {KEYS_LIMIT} keys")));
        }
        let mut keys = Self::default();
        for known in &config.keys {
            let of = || format!("ssh.keys: the key of {:?}", known.subject);
            if known.subject.is_empty() || known.subject.len() > SUBJECT_LIMIT {
                return Err(KeysError("ssh.keys: `subject` has 1 to 256 bytes".to_owned()));
            }
            let blob = blob(&known.key).ok_or_else(|| KeysError(format!("{}: {FORM}", of())))?;
            if keys.known.insert(blob, known.clone()).is_some() {
                return Err(KeysError(format!("{} is there twice: whose it is must not depend on an order", of())));
            }
        }
        let mut names = BTreeSet::new();
        for authority in &config.authorities {
            let of = || format!("ssh.authorities: {:?}", authority.name);
            let named = !authority.name.is_empty() && authority.name.len() <= SUBJECT_LIMIT;
            if !named || !names.insert(&authority.name) {
                return Err(KeysError("ssh.authorities: every one has a `name` of its own".to_owned()));
            }
            let blob = blob(&authority.key).ok_or_else(|| KeysError(format!("{}: {FORM}", of())))?;
            if keys.known.contains_key(&blob) || keys.authorities.insert(blob, authority.clone()).is_some() {
                return Err(KeysError(format!("{}: its key is there twice", of())));
            }
        }
        Ok(keys)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.authorities.is_empty()
    }

    /// Those that the others have not, or of which the others say something else.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut left = self.clone();
        left.known.retain(|blob, known| others.known.get(blob) != Some(known));
        left.authorities.retain(|blob, authority| others.authorities.get(blob) != Some(authority));
        left
    }

    /// Whether one of these may have proved this identity.
    #[must_use]
    pub fn proved(&self, identity: &Identity) -> bool {
        match identity.issuer.split_once('/') {
            None => identity.issuer == ISSUER && self.known.values().any(|known| known.subject == identity.subject),
            Some((ISSUER, name)) => self.authorities.values().any(|authority| authority.name == name),
            Some(_) => false,
        }
    }

    /// Whether a security key need not be touched: where the configuration says so, and with it the certificate, if it is one.
    #[must_use]
    pub fn may_be_untouched(&self, key: ClientKey<'_>) -> bool {
        match key {
            ClientKey::Plain(blob) => self.known.get(blob).is_some_and(|known| !known.touch),
            ClientKey::Certified(key) => {
                let says_so = key.extensions.iter().any(|name| name == UNTOUCHED);
                says_so && self.authorities.get(&key.authority).is_some_and(|authority| !authority.touch)
            }
        }
    }

    /// Who holds this key.
    ///
    /// # Errors
    /// [`AuthFailure`].
    pub fn verify(&self, key: ClientKey<'_>, now: Micros) -> Result<Proven, AuthFailure> {
        match key {
            ClientKey::Plain(blob) => {
                let known = self.known.get(blob).ok_or(AuthFailure::UnknownKey)?;
                Ok(known_key(known, now))
            }
            ClientKey::Certified(key) => {
                let authority = self.authorities.get(&key.authority).ok_or(AuthFailure::UnknownKey)?;
                certified(authority, key, now)
            }
        }
    }
}

const FORM: &str = "`key` is a public key as `ssh-keygen` writes it: \"ssh-ed25519 AAAA…\"";

/// The key in a line such as `ssh-ed25519 AAAA… comment`.
fn blob(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split_ascii_whitespace();
    let (kind, text) = (words.next()?, words.next()?);
    let blob = STANDARD.decode(text).ok()?;
    let len = usize::try_from(u32::from_be_bytes(*blob.first_chunk::<4>()?)).ok()?;
    let inside = blob.get(4..)?.get(..len)?;
    // A certificate is no key: what it says would be believed without a look.
    (inside == kind.as_bytes() && !kind.contains("-cert-")).then_some(blob)
}

fn known_key(known: &KnownKey, now: Micros) -> Proven {
    let identity = Identity {
        subject: known.subject.clone(),
        issuer: ISSUER.to_owned(),
        groups: sorted(&known.groups),
        kind: known.kind.into(),
        on_behalf_of: known.on_behalf_of.clone(),
        task: None,
        claims: BTreeMap::new(),
    };
    Proven { identity, expires: at_most(now, None), token: None, targets: known.targets.clone() }
}

fn certified(authority: &KeyAuthority, key: &CertifiedKey, now: Micros) -> Result<Proven, AuthFailure> {
    let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or(0);
    if seconds < key.after {
        return Err(AuthFailure::Certificate("it is not good yet"));
    }
    if seconds >= key.before {
        return Err(AuthFailure::Certificate("it has expired; get a new one"));
    }
    // To OpenSSH's servers a certificate without principals is good for nobody, too.
    let first = key.principals.first().ok_or(AuthFailure::Certificate("it names no principal"))?;
    let subject = match authority.subject {
        NamedBy::Principal => first,
        NamedBy::KeyId => &key.key_id,
    };
    if subject.is_empty() || subject.len() > SUBJECT_LIMIT || subject.chars().any(char::is_control) {
        return Err(AuthFailure::Certificate("its name is empty, too long, or no text"));
    }
    let mut claims = BTreeMap::new();
    claims.insert("ssh_key_id".to_owned(), key.key_id.clone().into());
    claims.insert("ssh_principals".to_owned(), key.principals.clone().into());
    claims.insert("ssh_extensions".to_owned(), key.extensions.clone().into());
    let identity = Identity {
        subject: subject.clone(),
        issuer: format!("{ISSUER}/{}", authority.name),
        groups: sorted(&authority.groups),
        kind: authority.kind.into(),
        on_behalf_of: Vec::new(),
        task: None,
        claims,
    };
    Ok(Proven { identity, expires: at_most(now, Some(key.before)), token: None, targets: authority.targets.clone() })
}

fn at_most(now: Micros, before: Option<u64>) -> Micros {
    let longest = now.0.saturating_add(LONGEST * 1_000_000);
    let end = before.and_then(|before| i64::try_from(before).ok()).map(|before| before.saturating_mul(1_000_000));
    Micros(end.unwrap_or(longest).min(longest))
}

fn sorted(groups: &[String]) -> Vec<String> {
    let groups: BTreeSet<&String> = groups.iter().collect();
    groups.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests;
