//! The configuration of an identity provider.
//!
//! # Delegation (RFC 8693, section 4.1)
//! A token obtained by token exchange says `sub` = the person and `act.sub` = the program that acts now; a further `act` inside
//! `act` is who acted before. With `on_behalf_of: act` (the default) the identity's subject is `act.sub`, and `on_behalf_of` is
//! everyone it acts for, nearest first: the earlier actors from the outermost to the innermost, then `sub`. For
//! `{"sub":"alice","act":{"sub":"sub-agent","act":{"sub":"agent-7"}}}` that is subject `sub-agent`, on behalf of `agent-7`, `alice`.
//! Such an identity is never of kind `human`: where the issuer's kind says `human`, it becomes `agent`. Its groups are its own,
//! out of `act`, unless `delegated_groups` says otherwise. If the token has a `may_act`, the actor must match it.
//! With `on_behalf_of: none` a token with `act` is refused, because reading it as the person's own would hide the program.

mod device;
mod duration;
mod ssh;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use model::IdentityKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use device::DeviceConfig;
pub use duration::Span;
pub use ssh::{KeyAuthority, KnownKey, NamedBy, SshConfig};

/// One identity provider whose tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The issuer's URL, exactly as its tokens' `iss` has it. `https`, or `http` on this machine.
    pub url: String,
    /// The audience that a token must name, exactly; with several, one of them.
    pub audience: OneOrMany,
    /// Signature algorithms to accept; all below when absent.
    #[serde(default = "all_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the subject. With `email`, a token that says `email_verified: false` is refused.
    #[serde(default = "subject_claim")]
    pub subject: String,
    /// The claim, or claims, with the groups: a list, or a text with spaces or commas between them. A name that starts with `/`
    /// is a JSON pointer, such as `/realm_access/roles`.
    #[serde(default = "groups_claim")]
    pub groups: OneOrMany,
    /// What sort of caller its tokens stand for.
    #[serde(default)]
    pub kind: KindConfig,
    /// How a token says for whom its bearer acts.
    #[serde(default)]
    pub on_behalf_of: OnBehalfOf,
    /// Whose groups the identity of a delegated token has.
    #[serde(default)]
    pub delegated_groups: DelegatedGroups,
    /// The claim that says what the bearer is doing, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// How far this machine's clock and the issuer's may be apart; at most 5m.
    #[serde(default = "default_skew")]
    pub skew: Span,
    /// How long after it was issued a token is good at most, whatever its own expiry.
    #[serde(default = "default_max_age")]
    pub max_age: Span,
    /// The claims that policy may look at. When absent: every text, number, truth value or list of them up to 1 KiB, except those
    /// known to be secrets or of no meaning outside the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<String>>,
    /// The targets for which its tokens are good; every target that policy permits when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// The scope that clients which discover this issuer should ask for.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// Certificate authorities for the issuer's own server, PEM, beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How people log in with the browser, where a client can ask them to (SSH); not at all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceConfig>,
}

impl IssuerConfig {
    /// An issuer with every default.
    #[must_use]
    pub fn new(url: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            audience: OneOrMany::One(audience.into()),
            algorithms: all_algorithms(),
            subject: subject_claim(),
            groups: groups_claim(),
            kind: KindConfig::default(),
            on_behalf_of: OnBehalfOf::default(),
            delegated_groups: DelegatedGroups::default(),
            task: None,
            skew: default_skew(),
            max_age: default_max_age(),
            claims: None,
            targets: None,
            scope: default_scope(),
            ca: None,
            device: None,
        }
    }

    /// The same with relative paths taken from `base`, the directory of the configuration file.
    #[must_use]
    pub fn relative_to(mut self, base: &std::path::Path) -> Self {
        self.ca = self.ca.map(|path| base.join(path));
        if let Some(device) = &mut self.device {
            device.client_secret = device.client_secret.take().map(|secret| secret.relative_to(base));
        }
        self
    }
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text or a list of texts")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
        .map(String::as_str)
    }
}

/// A signature algorithm (RFC 7518, RFC 8037). `none` and the HMAC family are not here, so they cannot be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Reads the registered name, as it stands in a token's header.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind of identity, as configuration writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    Human,
    /// An AI agent.
    #[default]
    Agent,
    /// A job of a build or deployment system.
    Ci,
    /// Any other program.
    Service,
}

impl From<Kind> for IdentityKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Human => Self::Human,
            Kind::Agent => Self::Agent,
            Kind::Ci => Self::Ci,
            Kind::Service => Self::Service,
        }
    }
}

/// What sort of caller an issuer's tokens stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "human, agent, ci, service, or { claim: NAME, map: { VALUE: KIND } }")]
pub enum KindConfig {
    /// Always this.
    Always(Kind),
    /// By a claim's value.
    ByClaim(KindByClaim),
}

/// Not `human`: only people may approve, so that takes somebody to say it.
impl Default for KindConfig {
    fn default() -> Self {
        Self::Always(Kind::Agent)
    }
}

/// The kind by a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindByClaim {
    /// The claim, or a JSON pointer that starts with `/`.
    pub claim: String,
    /// Its values. If it is a list, the first entry of it that is here decides.
    pub map: BTreeMap<String, Kind>,
    /// For tokens without the claim, or with another value; such tokens are refused when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Kind>,
}

/// How a token says for whom its bearer acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnBehalfOf {
    /// By the `act` claim.
    #[default]
    Act,
    /// Not at all: tokens with `act` are refused.
    None,
}

/// Whose groups the identity of a delegated token has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DelegatedGroups {
    /// The actor's own, out of `act`.
    #[default]
    Actor,
    /// Those of whom it acts for, out of the top-level claims.
    Subject,
    /// Both together.
    Both,
}

fn all_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

fn subject_claim() -> String {
    "sub".to_owned()
}

fn groups_claim() -> OneOrMany {
    OneOrMany::One("groups".to_owned())
}

/// Clocks that are set by the network are apart by less than a second; a minute also forgives a virtual machine after a pause.
fn default_skew() -> Span {
    Span::from_seconds(60)
}

fn default_max_age() -> Span {
    Span::from_seconds(24 * 60 * 60)
}

fn default_scope() -> String {
    "openid".to_owned()
}

#[cfg(test)]
mod tests;
