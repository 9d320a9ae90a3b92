//! Who calls: the local operator by its credential file, or an identity by a bearer token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use gate::gate::OWN_TARGET;
use gate::ports::Proven;
use model::{ApprovalTerms, Effect, Identity, IdentityKind};
use subtle::ConstantTimeEq;

use crate::Api;
use crate::error::ApiError;

/// The group of the local operator, for `approval: { by: { groups: [sallyport-operators] } }`.
pub const OPERATOR_GROUP: &str = "sallyport-operators";

/// The longest bearer that is looked at.
const MAX_BEARER: usize = 16 * 1024;

/// The address of the peer, put into every request by the server.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The credential of the local operator: whoever can read its file runs this gateway anyway.
pub struct Operator {
    secret: Vec<u8>,
    identity: Arc<Identity>,
}

impl Operator {
    /// The operator with this credential. `user` is the operating system's user that runs the gateway, not a claim of the
    /// caller: one person cannot count as two approvers.
    #[must_use]
    pub fn new(secret: &str, user: &str) -> Self {
        Self {
            secret: secret.as_bytes().to_vec(),
            identity: Arc::new(Identity {
                subject: user.to_owned(),
                issuer: "local".to_owned(),
                groups: vec![OPERATOR_GROUP.to_owned()],
                kind: IdentityKind::Human,
                on_behalf_of: Vec::new(),
                task: None,
                claims: std::collections::BTreeMap::new(),
            }),
        }
    }

    fn is(&self, bearer: &str) -> bool {
        !self.secret.is_empty() && bool::from(bearer.as_bytes().ct_eq(&self.secret))
    }
}

/// What the policy says about the call as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The operator, or a rule allows the call.
    Granted,
    /// No rule covers the call, and none denies it. Only requests that name the caller as approver are open to it.
    NamedOnly,
}

/// A proven caller of one request.
#[derive(Clone)]
pub struct Caller {
    /// Who.
    pub identity: Arc<Identity>,
    /// Whether it is the local operator.
    pub operator: bool,
    /// What proved a caller that is not the operator.
    pub proven: Option<Arc<Proven>>,
    /// What policy says.
    pub access: Access,
    /// The bearer, to prove the caller again while a long answer runs. Never shown.
    pub(crate) bearer: Arc<str>,
}

impl Caller {
    /// Whether the caller may see and answer a request with these terms: a rule lets it, or the terms name it.
    #[must_use]
    pub fn sees(&self, terms: &ApprovalTerms) -> bool {
        match self.access {
            Access::Granted => true,
            Access::NamedOnly => {
                self.identity.kind == IdentityKind::Human
                    && (terms.users.contains(&self.identity.subject)
                        || terms.groups.iter().any(|group| self.identity.groups.contains(group)))
            }
        }
    }

    /// The name that the audit log keeps.
    #[must_use]
    pub fn actor(&self) -> String {
        self.identity.display()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    /// Taken from the request, where [`crate::guard`] put it: a handler that asks for a caller cannot run without one.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(no_bearer)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Proves the caller of a request and judges the call by the policy.
pub(crate) async fn caller(
    api: &Api,
    headers: &HeaderMap,
    method: &Method,
    path: &str,
    from: IpAddr,
) -> Result<Caller, ApiError> {
    let bearer = bearer(headers)?;
    // The credential file says who is on this machine; from another one it says that the file was copied.
    if from.is_loopback() && api.operator.is(bearer) {
        return Ok(Caller {
            identity: Arc::clone(&api.operator.identity),
            operator: true,
            proven: None,
            access: Access::Granted,
            bearer: Arc::from(bearer),
        });
    }
    let proven = prove(api, bearer).await?;
    let identity = Arc::new(proven.identity.clone());
    let access = judge(api, &identity, method, path, from)?;
    Ok(Caller { identity, operator: false, proven: Some(Arc::new(proven)), access, bearer: Arc::from(bearer) })
}

/// Proves an identity for the API. Also used again and again while a long answer runs.
pub(crate) async fn prove(api: &Api, bearer: &str) -> Result<Proven, ApiError> {
    api.identities.verify(bearer, OWN_TARGET).await.map_err(|failure| ApiError::Unauthenticated(failure.to_string()))
}

/// What a call would do, by method and path. A new route that fits nothing here is `unknown` and denied by default.
pub(crate) fn effect_of(method: &Method, path: &str) -> Effect {
    match *method {
        Method::GET | Method::HEAD => Effect::Read,
        Method::DELETE => Effect::Delete,
        Method::POST if path == "/api/v1/tokens" => Effect::Create,
        Method::POST if path.ends_with("/kill") => Effect::Delete,
        Method::POST if path.starts_with("/api/v1/approvals/") => Effect::Write,
        _ => Effect::Unknown,
    }
}

/// Whether `Host` names this machine: a page in a browser that was pointed here by a forged name does not.
pub(crate) fn host_is_local(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn judge(api: &Api, identity: &Identity, method: &Method, path: &str, from: IpAddr) -> Result<Access, ApiError> {
    if path == "/api/v1/whoami" {
        return Ok(Access::Granted);
    }
    let effect = effect_of(method, path);
    let Err(refused) = api.gateway.authorize(identity, effect, path, Some(from)) else {
        return Ok(Access::Granted);
    };
    let approvals = path == "/api/v1/approvals" || path.starts_with("/api/v1/approvals/");
    if refused.rules.is_empty() && approvals {
        // A rule's `approval.by` already says who may look at its requests and answer them.
        return Ok(Access::NamedOnly);
    }
    let why = if refused.reasons.is_empty() { "no rule covers it".to_owned() } else { refused.reasons.join("; ") };
    let rules =
        if refused.rules.is_empty() { String::new() } else { format!(" (rules: {})", refused.rules.join(", ")) };
    Err(ApiError::Denied(format!(
        "policy does not let {} {effect} {path} of target {OWN_TARGET}: {why}{rules}",
        identity.display()
    )))
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers.get(AUTHORIZATION).ok_or_else(no_bearer)?;
    let text = value.to_str().map_err(|_| no_bearer())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(no_bearer)?;
    let rest = rest.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || rest.is_empty() || rest.len() > MAX_BEARER {
        return Err(no_bearer());
    }
    Ok(rest)
}

fn no_bearer() -> ApiError {
    ApiError::Unauthenticated(
        "send `Authorization: Bearer TOKEN`; a token for the API comes from `sallyport token --target sallyport …`"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn effects_follow_method_and_path() {
        assert_eq!(effect_of(&Method::GET, "/api/v1/sessions"), Effect::Read);
        assert_eq!(effect_of(&Method::POST, "/api/v1/tokens"), Effect::Create);
        assert_eq!(effect_of(&Method::DELETE, "/api/v1/tokens/tok_1"), Effect::Delete);
        assert_eq!(effect_of(&Method::POST, "/api/v1/sessions/ses_1/kill"), Effect::Delete);
        assert_eq!(effect_of(&Method::POST, "/api/v1/approvals/apr_1/approve"), Effect::Write);
        assert_eq!(effect_of(&Method::PUT, "/api/v1/tokens"), Effect::Unknown);
        assert_eq!(effect_of(&Method::POST, "/api/v1/other"), Effect::Unknown);
    }

    #[test]
    fn only_this_machine_is_local() {
        let local = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            host_is_local(&headers)
        };
        assert!(local("localhost:8080") && local("127.0.0.1") && local("[::1]:80") && local("127.0.0.1:9"));
        assert!(!local("evil.example:8080") && !local("127.0.0.1.evil.example") && !local("localhost.evil.example:1"));
        assert!(!host_is_local(&HeaderMap::new()));
    }

    #[test]
    fn an_empty_operator_credential_fits_nothing() {
        assert!(!Operator::new("", "root").is(""));
        assert!(Operator::new("abc", "root").is("abc"));
        assert!(!Operator::new("abc", "root").is("abd"));
        assert!(!Operator::new("abc", "root").is("abcd"));
    }
}
