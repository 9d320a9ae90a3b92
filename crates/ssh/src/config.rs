//! What configuration says about SSH: a target's options, and how clients log in.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::keys::public;
use crate::known::KnownKeys;

/// How long connecting to a target may take, its login included, unless its options say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What `connect_timeout` may be at most: a client of a silent target waits as long.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a failed login waits for its answer, so that guessing is slow.
const FAILURE_DELAY: Duration = Duration::from_millis(300);

/// Options of a target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetOptions {
    /// The target's host keys, as in `known_hosts` without the name: `ssh-ed25519 AAAA…`. Another key is refused.
    #[serde(default, deserialize_with = "host_keys")]
    pub host_keys: Vec<HostKey>,
    /// How long connecting may take.
    #[serde(default = "connect_timeout", deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// Whether addresses may be dialled at which clouds hand out credentials; read by the dialler.
    #[serde(default)]
    pub allow_link_local: bool,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self { host_keys: Vec::new(), connect_timeout: CONNECT_TIMEOUT, allow_link_local: false }
    }
}

/// A public key that a target is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Its kind: `ssh-ed25519`.
    pub kind: String,
    /// The key, as it is sent.
    pub blob: Vec<u8>,
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
        Self::deserialize(options).map_err(|error| OptionsError(error.to_string()))
    }
}

impl HostKey {
    /// Reads `ssh-ed25519 AAAA…`, a comment behind it or not.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        Self::of_blob(&public::parse(line)?)
    }

    /// A key as it is sent.
    #[must_use]
    pub fn of_blob(blob: &[u8]) -> Option<Self> {
        Some(Self { kind: public::kind(blob)?.to_owned(), blob: blob.to_vec() })
    }

    /// As one line without a comment: `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn line(&self) -> String {
        public::line(&self.blob).unwrap_or_default()
    }

    /// Its fingerprint, as OpenSSH shows it: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        public::fingerprint(&self.blob)
    }
}

fn host_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HostKey>, D::Error> {
    let lines = Vec::<String>::deserialize(deserializer)?;
    let wrong = "`host_keys` are lines such as \"ssh-ed25519 AAAA…\"; `ssh-keyscan -p PORT HOST` prints them with the host's name before";
    lines.iter().map(|line| HostKey::parse(line).ok_or_else(|| de::Error::custom(wrong))).collect()
}

const fn connect_timeout() -> Duration {
    CONNECT_TIMEOUT
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
    if duration.is_zero() || duration > LONGEST_TIMEOUT { Err(wrong()) } else { Ok(duration) }
}

/// How one listener for SSH clients is set up.
#[derive(Clone, Debug)]
pub struct SshListen {
    /// Host keys of targets that somebody has accepted.
    pub known: KnownKeys,
    /// How long a failed login waits for its answer.
    pub failure_delay: Duration,
}

impl SshListen {
    /// The usual settings, with these accepted keys.
    #[must_use]
    pub const fn new(known: KnownKeys) -> Self {
        Self { known, failure_delay: FAILURE_DELAY }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_read_strictly() {
        assert_eq!(TargetOptions::from_value(&json!({})).unwrap(), TargetOptions::default());
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ a comment";
        let options = TargetOptions::from_value(&json!({"host_keys": [line], "connect_timeout": "5s"})).unwrap();
        assert_eq!((options.host_keys[0].kind.as_str(), options.host_keys[0].blob.len()), ("ssh-ed25519", 51));
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJ189KDBF31tiVkKlDlMjO4vVzSa+pbDU2k1/tmjiaIqkGHhL1Qp9VJL3te3H7LP3KtP0R8FZcOpQqZzBeXssu4=";
        assert_eq!(
            HostKey::parse(ecdsa).map(|key| (key.line(), key.kind)),
            Some((ecdsa.into(), "ecdsa-sha2-nistp256".into()))
        );
        for (wrong, word) in [
            (json!({"host_key": line}), "host_key"),
            (json!({"host_keys": ["web-1 ssh-ed25519 AAAA"]}), "`host_keys`"),
            (json!({"connect_timeout": "1h"}), "`connect_timeout`"),
        ] {
            let error = TargetOptions::from_value(&wrong).unwrap_err().to_string();
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }
}
