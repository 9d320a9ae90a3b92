//! What can be found in content, and sets of it as a policy names them.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One kind of value that [`scan`](crate::scan) recognises.
///
/// No letter or digit touches a value, but for those of an escape before it: `\n`, `%3D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Detector {
    /// Payment card number (ISO/IEC 7812): 13 to 19 digits, known issuer range and length, Luhn. Plain, or in groups with
    /// single spaces or dashes as cards are printed. Letters may touch it that name it (`PAN4111…`), or begin the first track of
    /// a magnetic stripe (`%B4111…^`).
    Card,
    /// IBAN (ISO 13616): known country, its length, mod 97. Plain, or in groups of four; either case.
    Iban,
    /// E-mail address with a dotted domain; international ones included, and those whose `@` and dots are escaped as URLs do.
    /// Names of files that have an `@` (`getty@tty1.service`, `icon@2x.png`) are none.
    Email,
    /// Telephone number: `+` and country code, or a national layout that is clearly one. A bare digit run is not.
    Phone,
    /// United States social security number with dashes or spaces, by the rules on area, group and serial.
    Ssn,
    /// IPv4 or IPv6 address.
    Ip,
    /// JSON Web Token (RFC 7519), signed or encrypted: its header decodes to a JSON object.
    Jwt,
    /// AWS access key id: `AKIA`, `ASIA`, `ABIA` or `ACCA` and 16 more.
    AwsKey,
    /// GitHub token: `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`. Truncated ones count too.
    GithubToken,
    /// PEM private key block, encrypted or not. Certificates and public keys are no secret.
    Pem,
    /// Other well-known key prefixes: Stripe, Slack, GitLab, Google, npm, PyPI and the like; keys of SendGrid, tokens of Vault
    /// and of Telegram's bots, age identities; of the address of a Slack webhook its last part.
    ApiKey,
}

impl Detector {
    /// Every detector, in the order that breaks ties.
    pub const ALL: [Self; 11] = [
        Self::Card,
        Self::Iban,
        Self::Email,
        Self::Phone,
        Self::Ssn,
        Self::Ip,
        Self::Jwt,
        Self::AwsKey,
        Self::GithubToken,
        Self::Pem,
        Self::ApiKey,
    ];

    /// The policy's word for this detector.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Ssn => "ssn",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::AwsKey => "aws",
            Self::GithubToken => "github",
            Self::Pem => "pem",
            Self::ApiKey => "apikey",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name in a policy's `detect` list that is no detector and no group of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown detector {name:?}; use card, iban, email, phone, ssn, ip, jwt, aws, github, pem, apikey, or secret for the last five"
)]
pub struct UnknownDetector {
    /// The name as written, cut to 40 characters.
    pub name: String,
}

/// A set of detectors. Cheap to copy and to test.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DetectorSet(u16);

impl DetectorSet {
    /// Finds nothing.
    pub const EMPTY: Self = Self(0);
    /// The group a policy calls `secret`: tokens and private keys.
    pub const SECRET: Self = Self(
        Detector::Jwt.bit()
            | Detector::AwsKey.bit()
            | Detector::GithubToken.bit()
            | Detector::Pem.bit()
            | Detector::ApiKey.bit(),
    );
    /// Everything.
    pub const ALL: Self = Self((1 << Detector::ALL.len()) - 1);

    /// Reads a policy's `detect` list. Names repeat and groups overlap freely.
    ///
    /// # Errors
    /// The first name that is neither a detector nor the group `secret`.
    pub fn parse<I>(names: I) -> Result<Self, UnknownDetector>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        names.into_iter().try_fold(Self::EMPTY, |set, name| Ok(set | name.as_ref().parse()?))
    }

    /// Whether `detector` is in the set.
    #[must_use]
    pub const fn contains(self, detector: Detector) -> bool {
        self.0 & detector.bit() != 0
    }

    /// Whether any of `other` is in the set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set finds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with `detector` in it.
    #[must_use]
    pub const fn with(self, detector: Detector) -> Self {
        Self(self.0 | detector.bit())
    }

    /// The detectors of the set, in the order of [`Detector::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Detector> {
        Detector::ALL.into_iter().filter(move |detector| self.contains(*detector))
    }
}

impl BitOr for DetectorSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<Detector> for DetectorSet {
    fn from(detector: Detector) -> Self {
        Self(detector.bit())
    }
}

impl FromIterator<Detector> for DetectorSet {
    fn from_iter<I: IntoIterator<Item = Detector>>(detectors: I) -> Self {
        detectors.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// Reads one name of a policy's `detect` list: a detector, or the group `secret`.
impl FromStr for DetectorSet {
    type Err = UnknownDetector;

    fn from_str(name: &str) -> Result<Self, UnknownDetector> {
        if name == "secret" {
            return Ok(Self::SECRET);
        }
        Detector::ALL
            .into_iter()
            .find(|detector| detector.name() == name)
            .map(Self::from)
            .ok_or_else(|| UnknownDetector { name: name.chars().take(40).collect() })
    }
}

impl fmt::Debug for DetectorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Detector::name)).finish()
    }
}

impl Serialize for DetectorSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Detector::name))
    }
}

impl<'de> Deserialize<'de> for DetectorSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::parse(names).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_names_make_sets() {
        let set = DetectorSet::parse(["card", "email", "secret"]).unwrap();
        assert!(set.contains(Detector::Card) && set.contains(Detector::Pem) && set.contains(Detector::ApiKey));
        assert!(!set.contains(Detector::Ip));
        let every = DetectorSet::parse([
            "card", "iban", "email", "phone", "ssn", "ip", "jwt", "aws", "github", "pem", "secret",
        ]);
        assert_eq!(every, Ok(DetectorSet::ALL));
        assert_eq!(DetectorSet::parse([] as [&str; 0]), Ok(DetectorSet::EMPTY));
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let error = DetectorSet::parse(["card", "cards"]).unwrap_err();
        assert!(error.to_string().contains("\"cards\""));
    }

    #[test]
    fn serde_is_the_list_of_names() {
        let set: DetectorSet = serde_json::from_str(r#"["ip","jwt"]"#).unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["ip","jwt"]"#);
        assert!(serde_json::from_str::<DetectorSet>(r#"["nope"]"#).is_err());
    }
}
