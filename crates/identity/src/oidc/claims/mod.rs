//! The claims of a token whose signature holds: is it for us, is it good now, and whom does it prove?

pub(super) mod identity;

use gate::Micros;
use gate::ports::{AuthFailure, Proven};
use serde_json::{Map, Value};

use super::refused;
use crate::config::{IssuerConfig, KindConfig};

/// A larger skew than this would make short-lived tokens pointless.
const SKEW_LIMIT_SECONDS: u32 = 300;
/// 1 January 10000: a later time is a mistake of the issuer, in milliseconds for instance.
const LAST_SECOND: i64 = 253_402_300_800;

/// What a configuration says that cannot be.
///
/// # Errors
/// Which key, and what it must be.
pub(super) fn check_config(config: &IssuerConfig) -> Result<(), String> {
    let empty = |key: &str| Err(format!("`{key}` is empty"));
    if config.audience.iter().next().is_none() || config.audience.iter().any(str::is_empty) {
        return Err(
            "`audience` is empty; name the audience that the issuer writes into tokens for this gateway".to_owned()
        );
    }
    if config.algorithms.is_empty() {
        return empty("algorithms");
    }
    if config.subject.is_empty() {
        return empty("subject");
    }
    if config.groups.iter().any(str::is_empty) {
        return empty("groups");
    }
    if config.skew.seconds() > SKEW_LIMIT_SECONDS {
        return Err("`skew` is more than 5m; set the clocks right instead".to_owned());
    }
    if config.max_age.seconds() == 0 {
        return Err("`max_age` is 0: no token would ever be good".to_owned());
    }
    if config.targets.as_ref().is_some_and(Vec::is_empty) {
        return Err("`targets` is empty: no token would be good for anything; leave it out for every target".to_owned());
    }
    if let Some(device) = &config.device {
        device.check(config.max_age)?;
    }
    match &config.kind {
        KindConfig::ByClaim(by) if by.claim.is_empty() => empty("kind.claim"),
        KindConfig::ByClaim(by) if by.map.is_empty() => empty("kind.map"),
        KindConfig::ByClaim(_) | KindConfig::Always(_) => Ok(()),
    }
}

/// To whom a token has to be made out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Audience<'a> {
    /// To an audience of the issuer's configuration: a token that a client shows.
    Configured,
    /// To the gateway as the provider's client, and to nobody instead: an id token that the provider gave to the gateway itself.
    Client(&'a str),
}

/// The identity that the claims prove, and until when.
///
/// # Errors
/// [`AuthFailure::Expired`], or [`AuthFailure::Refused`] with what is wrong.
pub(super) fn prove(
    config: &IssuerConfig,
    claims: Map<String, Value>,
    made_out: Audience<'_>,
    now: Micros,
) -> Result<Proven, AuthFailure> {
    if claims.get("iss").and_then(Value::as_str) != Some(config.url.as_str()) {
        return Err(refused("its issuer is another one"));
    }
    audience(config, &claims, made_out)?;
    if claims.get("cnf").is_some_and(|bound| !bound.is_null()) {
        // RFC 7800: only the holder of that key may use it, and a bearer shows no key.
        return Err(refused("it is bound to a key that the client cannot show here; ask for a bearer token"));
    }
    let expires = times(config, &claims, now)?;
    let identity = identity::from_claims(config, claims)?;
    Ok(Proven { identity, expires, token: None, targets: config.targets.clone() })
}

fn audience(config: &IssuerConfig, claims: &Map<String, Value>, made_out: Audience<'_>) -> Result<(), AuthFailure> {
    const OTHER: AuthFailure = refused("it is for another audience");
    let ours = |text: &str| match made_out {
        Audience::Configured => config.audience.iter().any(|own| own == text),
        Audience::Client(id) => text == id,
    };
    let (named, several) = match claims.get("aud") {
        Some(Value::String(text)) => (ours(text), false),
        Some(Value::Array(list)) => (list.iter().filter_map(Value::as_str).any(ours), list.len() > 1),
        _ => return Err(OTHER),
    };
    // OpenID Connect Core, 3.1.3.7, steps 3 to 5: of several audiences, the one that asked for the token is named.
    let asked = match (made_out, claims.get("azp")) {
        (Audience::Configured, _) => true,
        (Audience::Client(_), None | Some(Value::Null)) => !several,
        (Audience::Client(id), Some(party)) => party == id,
    };
    if named && asked { Ok(()) } else { Err(OTHER) }
}

/// Until when the token is good, if it is good now (RFC 7519, 4.1.4 to 4.1.6).
fn times(config: &IssuerConfig, claims: &Map<String, Value>, now: Micros) -> Result<Micros, AuthFailure> {
    let skew = config.skew.micros();
    let time = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => micros(value).map(Some).ok_or(refused("a time in it is not a number of seconds")),
    };
    let (expires, not_before, issued) = (time("exp")?, time("nbf")?, time("iat")?);
    let expires = expires.ok_or(refused("it has no expiry"))?.saturating_add(skew);
    if expires <= now.0 {
        return Err(AuthFailure::Expired);
    }
    let latest = now.0.saturating_add(skew);
    if not_before.is_some_and(|time| time > latest) {
        return Err(refused("it is not good yet; check the clocks"));
    }
    if issued.is_some_and(|time| time > latest) {
        return Err(refused("it was issued in the future; check the clocks"));
    }
    let max_age = config.max_age.micros().saturating_add(skew);
    match issued {
        Some(issued) => {
            let oldest = issued.saturating_add(max_age);
            if oldest <= now.0 { Err(AuthFailure::Expired) } else { Ok(Micros(expires.min(oldest))) }
        }
        // Without a time of issue its age is not known, but a token that lives longer than it may is no short-lived one.
        None if expires > now.0.saturating_add(max_age) => Err(refused("it lives longer than tokens may here")),
        None => Ok(Micros(expires)),
    }
}

/// A NumericDate in microseconds. Fractions are allowed (RFC 7519, section 2) and are cut off.
fn micros(value: &Value) -> Option<i64> {
    let seconds = match value.as_i64() {
        Some(seconds) => seconds,
        None => whole_seconds(value.as_f64()?)?,
    };
    (0..LAST_SECOND).contains(&seconds).then(|| seconds.saturating_mul(1_000_000))
}

fn whole_seconds(seconds: f64) -> Option<i64> {
    // The text of a float in this range is its digits: no cast that could wrap.
    (0.0..253_402_300_800.0).contains(&seconds).then(|| format!("{:.0}", seconds.trunc()).parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
