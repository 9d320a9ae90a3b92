//! What the configuration says of SSH clients' keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;

/// Who is proven by an SSH key. Tokens prove identities there, too, as passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SshConfig {
    /// Public keys of known identities.
    pub keys: Vec<KnownKey>,
    /// Authorities whose user certificates prove identities.
    pub authorities: Vec<KeyAuthority>,
}

/// A public key and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownKey {
    /// The key, as `ssh-keygen` writes it: `ssh-ed25519 AAAA…`.
    pub key: String,
    /// Whose it is.
    pub subject: String,
    /// What sort of caller holds it; `agent` when absent.
    #[serde(default)]
    pub kind: Kind,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// For whom it acts, nearest first.
    #[serde(default)]
    pub on_behalf_of: Vec<String>,
    /// The targets for which it is good; every target that policy permits when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// Whether a security key has to be touched for each login; true when absent.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub touch: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
const fn is_yes(yes: &bool) -> bool {
    *yes
}

/// An authority that certifies users' keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAuthority {
    /// What it is called: such an identity's issuer is `ssh/NAME`.
    pub name: String,
    /// Its public key, as `ssh-keygen` writes it.
    pub key: String,
    /// What sort of caller holds its certificates; `agent` when absent.
    #[serde(default)]
    pub kind: Kind,
    /// The groups of everybody whom it certifies.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What in a certificate names the subject.
    #[serde(default)]
    pub subject: NamedBy,
    /// The targets for which its certificates are good; every target that policy permits when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// Whether security keys have to be touched for each login; true when absent. With false, a certificate's `no-touch-required` counts.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub touch: bool,
}

/// What in a certificate names the subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// Its first principal.
    #[default]
    Principal,
    /// Its key id.
    KeyId,
}
