//! What the configuration says of logins with the browser (RFC 8628, the OAuth 2.0 device authorization grant).

use schemars::JsonSchema;
use secrets::SecretRef;
use serde::{Deserialize, Serialize};

use super::Span;

/// The longest that one login may be good: a working day, as a login by SSH key.
const SESSION_LIMIT_SECONDS: u32 = 12 * 60 * 60;
/// Most bytes of a client's id and of a scope.
const TEXT_LIMIT: usize = 1024;

/// The gateway as a client of the identity provider, allowed the device authorization grant there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// The client's id at the identity provider. Id tokens that prove such logins are made out to it.
    pub client_id: String,
    /// Where the client's secret is; none for a public client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretRef>,
    /// The scopes to ask for, with spaces between them; `openid` has to be among them.
    #[serde(default = "scope")]
    pub scope: String,
    /// How long one login is good, at most 12h; as long as the id token is when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Span>,
}

impl DeviceConfig {
    /// What it says that cannot be. `max_age` is the issuer's.
    pub(crate) fn check(&self, max_age: Span) -> Result<(), String> {
        let plain = |text: &str| text.len() <= TEXT_LIMIT && !text.chars().any(char::is_control);
        if self.client_id.is_empty() || !plain(&self.client_id) {
            return Err("`device.client_id` is empty or no client's id".to_owned());
        }
        let mut scopes = self.scope.split(' ');
        if !plain(&self.scope) || !scopes.clone().any(|scope| scope == "openid") {
            return Err("`device.scope` must have openid in it: without it no token says who has logged in".to_owned());
        }
        if scopes.any(|scope| scope == "offline_access") {
            return Err(
                "`device.scope` must not have offline_access in it: the gateway keeps no refresh tokens".to_owned()
            );
        }
        match self.session {
            Some(session) if session.seconds() == 0 || session.seconds() > SESSION_LIMIT_SECONDS => {
                Err("`device.session` is 1s to 12h".to_owned())
            }
            Some(session) if session > max_age => Err("`device.session` is longer than `max_age`".to_owned()),
            Some(_) | None => Ok(()),
        }
    }
}

fn scope() -> String {
    "openid".to_owned()
}
