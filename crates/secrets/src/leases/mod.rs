//! Opens a role's credential for one session.
//!
//! A static secret is read when a session opens and wiped when the session's login is over, and nothing has to be taken back at the end. So is an
//! SSH authority's key, with which the session's own key is certified for minutes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gate::Secret;
use gate::ports::{Authority, BoxFuture, Lease, LeaseError, Secrets};
use model::SessionId;

use crate::config::{CertificateConfig, RoleConfig, SecretRef, SshCertificateConfig};
use crate::files;
use crate::sealed::{SealedStore, VALUE_LIMIT};

/// The roles of every target: target → role → credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(pub BTreeMap<String, BTreeMap<String, RoleConfig>>);

/// Opens credentials by the configuration's roles.
pub struct Leases {
    sealed: Arc<SealedStore>,
    roles: ArcSwap<Roles>,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases").field("sealed", &self.sealed).finish_non_exhaustive()
    }
}

impl Leases {
    /// Leases from this store by these roles.
    #[must_use]
    pub fn new(sealed: Arc<SealedStore>, roles: Roles) -> Self {
        Self { sealed, roles: ArcSwap::from_pointee(roles) }
    }

    /// Other roles from the next lease on; sessions under way keep what they have.
    pub fn replace_roles(&self, roles: Roles) {
        self.roles.store(Arc::new(roles));
    }

    /// Whether a lease would succeed now: opens the credential and drops it.
    ///
    /// # Errors
    /// What the lease would fail with.
    pub fn check(&self, target: &str, role: &str) -> Result<(), LeaseError> {
        self.open(target, role).map(drop)
    }

    fn open(&self, target: &str, role: &str) -> Result<Lease, LeaseError> {
        let roles = self.roles.load();
        let Some(config) = roles.0.get(target).and_then(|roles| roles.get(role)) else {
            return Err(LeaseError::Sealed(format!("{target} has no role {role} in the configuration")));
        };
        let from = |reference: &SecretRef| self.value(reference, target, role);
        Ok(Lease {
            user: config.user.clone(),
            password: config
                .password
                .as_ref()
                .map(|reference| from(reference).and_then(without_line_break))
                .transpose()?,
            certificate: config
                .certificate
                .as_ref()
                .map(|CertificateConfig { cert, key }| Ok((public_file(cert)?, from(key)?)))
                .transpose()?,
            authority: config
                .ssh_certificate
                .as_ref()
                .map(|minted| Ok(authority(minted, from(&minted.authority)?, &config.user)))
                .transpose()?,
        })
    }

    fn value(&self, reference: &SecretRef, target: &str, role: &str) -> Result<Secret, LeaseError> {
        let missing = |name: &str| LeaseError::Missing {
            target: target.to_owned(),
            role: role.to_owned(),
            name: name.to_owned(),
        };
        open(&self.sealed, reference)?.map_err(missing)
    }
}

/// The secret of the gateway's own client elsewhere, at an identity provider for one: no target's, so no session's lease.
///
/// # Errors
/// What is wrong and what to do; nothing of the secret.
pub fn client_secret(sealed: &SealedStore, reference: &SecretRef) -> Result<Secret, String> {
    let missing = |name: &str| match reference {
        SecretRef::Secret(_) => format!("the secret is not set; run `sallyport secrets set {name}`"),
        SecretRef::Env(_) | SecretRef::File(_) => format!("{reference} is not set"),
    };
    let opened = open(sealed, reference).map_err(|error| error.to_string())?;
    without_line_break(opened.map_err(missing)?).map_err(|error| error.to_string())
}

/// What a reference names; the name alone when there is no such thing.
fn open<'a>(sealed: &SealedStore, reference: &'a SecretRef) -> Result<Result<Secret, &'a str>, LeaseError> {
    match reference {
        SecretRef::Secret(name) => match sealed.open_value(name) {
            Ok(value) => Ok(value.ok_or(name.as_str())),
            Err(error) => Err(LeaseError::Sealed(error.to_string())),
        },
        SecretRef::Env(name) => match std::env::var_os(name) {
            Some(value) => Ok(Ok(Secret::new(value.into_encoded_bytes()))),
            None => Ok(Err(name)),
        },
        SecretRef::File(path) => secret_file(path).map(Ok),
    }
}

impl Secrets for Leases {
    fn lease<'a>(
        &'a self,
        target: &'a str,
        role: &'a str,
        _session: SessionId,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        // Local files of a few hundred bytes and two AES blocks: tens of microseconds, less than a hop to another thread.
        Box::pin(async move { self.open(target, role) })
    }

    fn release<'a>(&'a self, _target: &'a str, _role: &'a str, _session: SessionId) -> BoxFuture<'a, ()> {
        // A static credential lives on; the session's copy was wiped when its lease was dropped.
        Box::pin(std::future::ready(()))
    }
}

fn authority(minted: &SshCertificateConfig, key: Secret, user: &str) -> Authority {
    let mut principals = minted.principals.clone();
    if principals.is_empty() {
        principals.push(user.to_owned());
    }
    Authority { key, principals, seconds: minted.valid_seconds, sources: minted.sources.clone() }
}

/// Passwords are lines: an editor, `echo` and most secret managers end the file with a break that is no part of it.
fn without_line_break(value: Secret) -> Result<Secret, LeaseError> {
    let bytes = value.expose();
    let bytes = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(bytes);
    if bytes.is_empty() {
        return Err(LeaseError::Sealed("a password is empty".to_owned()));
    }
    if bytes.len() == value.expose().len() { Ok(value) } else { Ok(Secret::new(bytes.to_vec())) }
}

fn secret_file(path: &Path) -> Result<Secret, LeaseError> {
    let content = files::read_bounded(path, VALUE_LIMIT).map_err(|error| refused(path, &error))?;
    Ok(Secret::new(content.to_vec()))
}

fn public_file(path: &Path) -> Result<Vec<u8>, LeaseError> {
    files::read_bounded(path, VALUE_LIMIT).map(|content| content.to_vec()).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &std::io::Error) -> LeaseError {
    LeaseError::Sealed(format!("{}: cannot be read: {}", path.display(), error.kind()))
}

#[cfg(test)]
mod tests;
