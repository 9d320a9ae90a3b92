//! What a provider answers to a login with the browser. Nothing in it is believed: texts that a terminal will show are printable ASCII and
//! short, pages are where the issuer may send a browser, times are cut.

use std::time::Duration;

use gate::Micros;
use gate::ports::{AuthFailure, LoginPrompt};
use reqwest::{StatusCode, Url};
use serde_json::{Map, Value};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{AWAY, Begun, DENIED, EXPIRED, LONGEST, SLOWEST, Tokens};
use crate::oidc::jwt::TOKEN_LIMIT;

/// Most bytes of a page's address: more does not fit a terminal.
const URL_LIMIT: usize = 512;
/// Most bytes of the code that a person compares or types.
const CODE_LIMIT: usize = 64;
/// Most bytes of a device code.
const DEVICE_CODE_LIMIT: usize = 4096;
/// Seconds between two polls when the provider does not say (RFC 8628, section 3.2).
const INTERVAL: u64 = 5;

/// What a poll comes to.
pub(super) enum Polled {
    /// Somebody has logged in.
    Tokens(Tokens),
    /// Not yet.
    Pending,
    /// Not yet, and not so often.
    SlowDown,
    /// No answer, or one that cannot be read: it may be better the next time.
    Nothing(&'static str),
    /// It is over: what the client is told, and what the log is.
    Ended(AuthFailure, &'static str),
}

/// The answer to the first request (RFC 8628, section 3.2).
///
/// # Errors
/// What is wrong with it, for the log.
pub(super) fn begun(body: &[u8], now: Micros, may_name: impl Fn(&Url) -> bool) -> Result<Begun, &'static str> {
    let answer: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| "the answer to a login with the browser is not JSON")?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let device_code = text("device_code").filter(|code| is_plain(code, DEVICE_CODE_LIMIT));
    let device_code = device_code.ok_or("a device_code is missing or malformed")?;
    // Whoever knows the device code could take the token: it is in nothing that is shown.
    let shown = |text: &&str| !text.contains(device_code);
    let code = text("user_code").map(str::trim).filter(|code| is_plain(code, CODE_LIMIT)).filter(shown);
    let page = |url: &&str| {
        let plain = is_plain(url, URL_LIMIT) && !url.contains(' ');
        plain && Url::parse(url).is_ok_and(|url| is_page(&url) && may_name(&url))
    };
    // Some providers still write it as the draft did.
    let url = text("verification_uri").or_else(|| text("verification_url")).filter(page).filter(shown);
    let complete = text("verification_uri_complete").filter(page).filter(shown);
    let seconds = |name: &str| answer.get(name).and_then(Value::as_u64);
    let good_for = Duration::from_secs(seconds("expires_in").unwrap_or(0)).min(LONGEST);
    if good_for.is_zero() {
        return Err("expires_in is missing or 0");
    }
    let interval = u32::try_from(seconds("interval").unwrap_or(INTERVAL)).unwrap_or(SLOWEST).clamp(1, SLOWEST);
    Ok(Begun {
        interval,
        at: Instant::now(),
        prompt: LoginPrompt {
            url: url.ok_or("verification_uri is missing, or no page where people may be sent")?.to_owned(),
            complete_url: complete.map(str::to_owned),
            code: code.ok_or("a user_code is missing or malformed")?.to_owned(),
            begun: now,
            good_for,
        },
        device_code: Zeroizing::new(device_code.to_owned()),
    })
}

/// The answer to a poll (RFC 8628, section 3.5; RFC 6749, sections 5.1 and 5.2).
pub(super) fn polled(status: StatusCode, body: &[u8]) -> Polled {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Polled::SlowDown;
    }
    if status.is_success() {
        return tokens(body)
            .map_or(Polled::Nothing("the answer with the tokens is not what it must be"), Polled::Tokens);
    }
    if !status.is_client_error() {
        return Polled::Nothing("the issuer answered with an error or a redirect");
    }
    match error(body) {
        "authorization_pending" => Polled::Pending,
        "slow_down" => Polled::SlowDown,
        known @ "access_denied" => Polled::Ended(DENIED, known),
        known @ "expired_token" => Polled::Ended(EXPIRED, known),
        UNREADABLE => Polled::Nothing(UNREADABLE),
        other => Polled::Ended(AWAY, other),
    }
}

const UNREADABLE: &str = "the issuer's error cannot be read";

/// The error that an answer names, as one of those that are known: its own words go nowhere.
pub(super) fn error(body: &[u8]) -> &'static str {
    const KNOWN: [&str; 11] = [
        "authorization_pending",
        "slow_down",
        "access_denied",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "server_error",
    ];
    let answer: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    let Some(named) = answer.as_ref().and_then(|answer| answer.get("error")?.as_str()) else {
        return UNREADABLE;
    };
    KNOWN.into_iter().find(|known| *known == named).unwrap_or("the issuer names an error that is not known here")
}

fn tokens(body: &[u8]) -> Option<Tokens> {
    let mut answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut token = |name: &str| match answer.remove(name) {
        Some(Value::String(token)) if token.len() <= TOKEN_LIMIT => Some(token),
        _ => None,
    };
    let tokens = Tokens { id: token("id_token"), access: token("access_token") };
    (tokens.id.is_some() || tokens.access.is_some()).then_some(tokens)
}

fn is_plain(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// An address that says all of where it leads: nothing that looks like a host in front of the host.
fn is_page(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.host_str().is_some()
}
