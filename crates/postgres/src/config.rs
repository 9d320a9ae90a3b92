//! What configuration says about PostgreSQL: a target's options, and how clients log in.

use std::path::PathBuf;
use std::time::Duration;

use net::TlsMode;
use serde::{Deserialize, Deserializer, de};

/// How long connecting to a target may take, its login included, unless its options say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What `connect_timeout` may be at most: a client of a silent target waits as long.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a failed login waits for its answer, so that guessing is slow.
const FAILURE_DELAY: Duration = Duration::from_millis(300);

/// Options of a target of kind `postgres`, beside its name, address, labels and roles. Read strictly: an unknown one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetOptions {
    /// The database of a session that names none; without one, the target's own rule holds: a database named like the role's user.
    pub database: Option<String>,
    /// The role of the target whose credential reads the catalogue; without one, each session's own. Another role may see what theirs do not.
    pub catalog: Option<String>,
    /// How TLS is used, in libpq's words. Unset: `prefer` towards this machine itself, else `verify-full`.
    #[serde(deserialize_with = "tls_mode")]
    pub tls: Option<TlsMode>,
    /// A file of certificate authorities, PEM; unset: the system's.
    pub ca: Option<PathBuf>,
    /// How long connecting may take, the login included: `10s`, `500ms`, at most `5m`.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// Whether a password may be sent readable to a target that is not on this machine and has no TLS.
    pub allow_cleartext: bool,
    /// Whether link-local addresses are dialled.
    pub allow_link_local: bool,
    /// The protocol to ask the target for.
    pub protocol: ProtocolVersion,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            database: None,
            catalog: None,
            tls: None,
            ca: None,
            connect_timeout: CONNECT_TIMEOUT,
            allow_cleartext: false,
            allow_link_local: false,
            protocol: ProtocolVersion::V3_0,
        }
    }
}

/// Options that name a role of the target.
pub const ROLE_OPTIONS: &[&str] = &["catalog"];

/// Options that are paths: made relative to the configuration's file.
pub const PATH_OPTIONS: &[&str] = &["ca"];

/// A version of the protocol. 3.2 has longer cancel keys; servers and pools in between are less used to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Default)]
pub enum ProtocolVersion {
    /// 3.0, as all servers speak.
    #[serde(rename = "3.0")]
    #[default]
    V3_0,
    /// 3.2, or what the server offers instead.
    #[serde(rename = "3.2")]
    V3_2,
}

impl ProtocolVersion {
    /// The minor number.
    #[must_use]
    pub const fn minor(self) -> u16 {
        match self {
            Self::V3_0 => 0,
            Self::V3_2 => 2,
        }
    }
}

/// Options that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(String);

impl TargetOptions {
    /// Reads a target's options document.
    ///
    /// # Errors
    /// Names the option and what is wrong with it.
    pub fn from_value(options: &serde_json::Value) -> Result<Self, OptionsError> {
        let this = Self::deserialize(options).map_err(|error| OptionsError(error.to_string()))?;
        match (this.tls, &this.ca, this.database.as_deref()) {
            (Some(TlsMode::VerifyCa), None, _) => {
                let text = "`tls`: verify-ca needs `ca`: with the system's authorities anyone could have a certificate; use verify-full";
                Err(OptionsError(text.to_owned()))
            }
            (Some(TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer), Some(_), _) => {
                let text = "`ca` is not looked at unless `tls` is require, verify-ca or verify-full";
                Err(OptionsError(text.to_owned()))
            }
            (_, _, Some(name)) if name.is_empty() || name.contains('\0') => {
                Err(OptionsError("`database` must be a name".to_owned()))
            }
            _ => Ok(this),
        }
    }
}

fn tls_mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TlsMode>, D::Error> {
    let word = String::deserialize(deserializer)?;
    word.parse().map(Some).map_err(|error: net::tls::client::NotAMode| de::Error::custom(format!("`tls`: {error}")))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || de::Error::custom("`connect_timeout` is a number with a unit, such as 10s or 500ms, and at most 5m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(wrong()),
    };
    if duration.is_zero() || duration > LONGEST_TIMEOUT {
        return Err(wrong());
    }
    Ok(duration)
}

/// What a client may prove itself with; all of them carry a Sallyport token, the first and the last also an issuer's JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMethods {
    /// The password message. Inside TLS only.
    pub password: bool,
    /// SCRAM-SHA-256, inside TLS also SCRAM-SHA-256-PLUS.
    pub scram: bool,
    /// OAUTHBEARER (RFC 7628). Inside TLS only. While it is on, TLS clients are offered SASL instead of the password message.
    pub oauthbearer: bool,
}

impl Default for AuthMethods {
    /// What every stock client can do: inside TLS the password message, outside of it SCRAM.
    fn default() -> Self {
        Self { password: true, scram: true, oauthbearer: false }
    }
}

/// How clients log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// What they may prove themselves with.
    pub methods: AuthMethods,
    /// Whether connections without TLS are refused.
    pub require_tls: bool,
    /// How long a failed login waits for its answer.
    pub failure_delay: Duration,
}

impl Default for LoginSettings {
    fn default() -> Self {
        Self { methods: AuthMethods::default(), require_tls: false, failure_delay: FAILURE_DELAY }
    }
}

/// How one listener for PostgreSQL clients is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresListen {
    /// How clients log in.
    pub login: LoginSettings,
    /// A client's message at most, in bytes: SQL, bind values, COPY data.
    pub max_message: usize,
}

impl Default for PostgresListen {
    fn default() -> Self {
        Self { login: LoginSettings::default(), max_message: crate::wire::limits::CLIENT_MESSAGE }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_read_strictly() {
        assert_eq!(TargetOptions::from_value(&json!({})).unwrap(), TargetOptions::default());
        let options = json!({"database": "app", "catalog": "reader", "tls": "verify-ca", "ca": "/ca.pem", "connect_timeout": "500ms", "protocol": "3.2"});
        let options = TargetOptions::from_value(&options).unwrap();
        assert_eq!(options.catalog.as_deref(), Some("reader"));
        assert_eq!(options.tls, Some(TlsMode::VerifyCa));
        assert_eq!(options.connect_timeout, Duration::from_millis(500));
        assert_eq!(options.protocol.minor(), 2);
        for (wrong, word) in [
            (json!({"databse": "app"}), "databse"),
            (json!({"tls": "on"}), "`tls`"),
            (json!({"tls": "verify-ca"}), "`ca`"),
            (json!({"tls": "prefer", "ca": "x"}), "`ca`"),
            (json!({"connect_timeout": "5"}), "`connect_timeout`"),
            (json!({"connect_timeout": "0s"}), "`connect_timeout`"),
            (json!({"connect_timeout": "99999999999999999999s"}), "`connect_timeout`"),
            (json!({"connect_timeout": "1h"}), "`connect_timeout`"),
            (json!({"database": ""}), "`database`"),
            (json!({"protocol": "3.1"}), "3.1"),
        ] {
            let error = TargetOptions::from_value(&wrong).unwrap_err().to_string();
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }
}
