//! What the configuration says of a role's credential. It names secrets and holds none.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The credential of one role of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// The target's own user name.
    pub user: String,
    /// Where the password is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// A client certificate with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateConfig>,
    /// For SSH: a key of each session's own, certified for minutes by the gateway's authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_certificate: Option<SshCertificateConfig>,
}

/// The name under which the gateway seals its own SSH authority.
pub const SSH_AUTHORITY: &str = "ssh-ca";

/// What the certificate of a session's own key says (OpenSSH, PROTOCOL.certkeys).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SshCertificateConfig {
    /// Where the authority's private key is; the gateway's own, made at the first start, when absent.
    pub authority: SecretRef,
    /// The principals that it is good for; the role's `user` when absent.
    pub principals: Vec<String>,
    /// How long it is good, in seconds, from 30 to 3600. Only a login needs it: sessions go on.
    #[serde(deserialize_with = "valid_seconds")]
    pub valid_seconds: u64,
    /// Networks from which it may be used, as the target sees them; when absent the gateway's own address, as its connection has it. An empty
    /// list is no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<String>>,
}

impl Default for SshCertificateConfig {
    fn default() -> Self {
        Self {
            authority: SecretRef::Secret(SSH_AUTHORITY.to_owned()),
            principals: Vec::new(),
            valid_seconds: 300,
            sources: None,
        }
    }
}

fn valid_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if (30..=3600).contains(&seconds) { Ok(seconds) } else { Err(D::Error::custom("`valid_seconds` is 30 to 3600")) }
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// The certificate chain, PEM.
    pub cert: PathBuf,
    /// Where its key is, PEM.
    pub key: SecretRef,
}

/// Where a secret is. Exactly one of the three; a value is never written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// In the sealed store, under this name: `{ secret: orders-app }`.
    Secret(String),
    /// In this environment variable of the gateway: `{ env: ORDERS_APP_PASSWORD }`.
    Env(String),
    /// In this file, without the line break at its end: `{ file: /run/secrets/orders-app }`.
    File(PathBuf),
}

impl RoleConfig {
    /// The same with every relative path taken from `base`, the directory of the configuration file.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        Self {
            user: self.user,
            password: self.password.map(|password| password.relative_to(base)),
            certificate: self.certificate.map(|certificate| CertificateConfig {
                cert: base.join(certificate.cert),
                key: certificate.key.relative_to(base),
            }),
            ssh_certificate: self
                .ssh_certificate
                .map(|minted| SshCertificateConfig { authority: minted.authority.relative_to(base), ..minted }),
        }
    }
}

impl SecretRef {
    /// The same with a relative path taken from `base`.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(base.join(path)),
            Self::Secret(_) | Self::Env(_) => self,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "secret {name}"),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// By hand, because a derived error would quote what stands there: it may be a password.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor)
    }
}

const FORMS: &str =
    "write { secret: NAME }, { env: VARIABLE } or { file: PATH }; a value itself never stands in the configuration";

struct RefVisitor;

impl<'de> Visitor<'de> for RefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ secret: NAME }, { env: VARIABLE } or { file: PATH }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(A::Error::custom(FORMS));
        };
        let found = match key.as_str() {
            "secret" => SecretRef::Secret(map.next_value::<Word>()?.0),
            "env" => SecretRef::Env(map.next_value::<Word>()?.0),
            "file" => SecretRef::File(map.next_value::<Word>()?.0.into()),
            _ => return Err(A::Error::custom(FORMS)),
        };
        if map.next_key::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(FORMS));
        }
        match &found {
            SecretRef::Secret(name) if !crate::sealed::is_name(name) => Err(A::Error::custom(crate::sealed::NAME_RULE)),
            SecretRef::Env(name) if name.is_empty() || name.contains(['=', '\0']) => Err(A::Error::custom(FORMS)),
            SecretRef::File(path) if path.as_os_str().is_empty() => Err(A::Error::custom(FORMS)),
            SecretRef::Secret(_) | SecretRef::Env(_) | SecretRef::File(_) => Ok(found),
        }
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }

    fn visit_unit<E: Error>(self) -> Result<SecretRef, E> {
        Err(E::custom(FORMS))
    }
}

/// A text whose type error does not quote what stood there instead.
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom(FORMS))
    }
}

#[cfg(test)]
mod tests;
