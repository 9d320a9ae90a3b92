//! Sallyport tokens: issued, listed, revoked.
//!
//! The operator may issue any. Anyone else whom policy lets `create` here can only hand on what it has itself: its own
//! groups, its own targets, for no longer than its own proof, in its own name or on its own behalf. So a token can be handed
//! to an agent, and nobody makes itself a second person.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use model::{IdentityKind, TokenId};

use super::Body;
use crate::Api;
use crate::auth::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::ports::TokenRequest;
use crate::view::{Done, TokenGiven, TokenOrder, TokenView, kind, rfc3339};

/// Issues a token. The answer is the only time it is shown.
///
/// # Errors
/// When the order asks for more than the caller has, or does not make sense.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenOrder,
    responses((status = 201, body = TokenGiven), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn issue(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Body(order): Body<TokenOrder>,
) -> Result<(StatusCode, Json<TokenGiven>), ApiError> {
    let mut request = read(order)?;
    known_targets(&api, request.targets.as_deref())?;
    if !caller.operator {
        narrow(&mut request, &caller)?;
    }
    let issued = api.tokens.issue(&request, &caller.actor()).await?;
    let given = TokenGiven {
        token: issued.token,
        id: issued.id.to_string(),
        expires: rfc3339(issued.expires),
        subject: request.subject,
        targets: request.targets,
    };
    Ok((StatusCode::CREATED, Json(given)))
}

/// Lists tokens, newest first; never a token itself.
///
/// # Errors
/// When the store is away.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses((status = 200, body = Vec<TokenView>)))]
pub async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<TokenView>>, ApiError> {
    Ok(Json(api.tokens.list().await?))
}

/// Revokes a token and ends the sessions that it opened.
///
/// # Errors
/// When there is no such token, or the store is away.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path, description = "`tok_…`")),
    responses((status = 200, body = Done), (status = 404, body = ErrorBody)))]
pub async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Done>, ApiError> {
    let id: TokenId = id.parse().map_err(|error: model::ids::BadId| ApiError::Invalid(error.to_string()))?;
    if !api.tokens.revoke(id, &caller.actor()).await? {
        return Err(ApiError::NotFound("token"));
    }
    Ok(Json(Done { sessions: api.gateway.kill_token(id) }))
}

fn read(order: TokenOrder) -> Result<TokenRequest, ApiError> {
    Ok(TokenRequest {
        kind: kind(order.kind.as_deref()).map_err(ApiError::Invalid)?,
        subject: order.subject,
        groups: order.groups,
        on_behalf_of: order.on_behalf_of,
        task: order.task,
        targets: order.targets,
        ttl_seconds: order.ttl_seconds,
        not_after: None,
    })
}

fn known_targets(api: &Api, targets: Option<&[String]>) -> Result<(), ApiError> {
    let Some(wanted) = targets else { return Ok(()) };
    if wanted.is_empty() {
        return Err(ApiError::Invalid(
            "`targets` must not be empty; leave it out for every target that policy permits".to_owned(),
        ));
    }
    let known = api.runtime.targets();
    for name in wanted {
        if name != gate::gate::OWN_TARGET && !known.iter().any(|target| target.name == *name) {
            let names: Vec<_> = known.iter().map(|target| target.name.as_str()).collect();
            return Err(ApiError::Invalid(format!(
                "there is no target of the name given; targets are: {}, and {} for the API",
                names.join(", "),
                gate::gate::OWN_TARGET
            )));
        }
    }
    Ok(())
}

/// Bounds a request to what the caller itself has.
fn narrow(request: &mut TokenRequest, caller: &Caller) -> Result<(), ApiError> {
    let own = &caller.identity;
    let proven = caller.proven.as_ref().ok_or(ApiError::Failed)?;
    if let Some(group) = request.groups.iter().find(|group| !own.groups.contains(group)) {
        return Err(ApiError::Denied(format!("a token can only have groups that you have; you are not in {group}")));
    }
    if let Some(have) = &proven.targets {
        let within = request.targets.as_ref().is_some_and(|wanted| wanted.iter().all(|name| have.contains(name)));
        if !within {
            return Err(ApiError::Denied(format!(
                "your own token is good for {} only; name targets among these",
                have.join(", ")
            )));
        }
    }
    let itself = request.subject == own.subject && request.kind == own.kind;
    if request.kind == IdentityKind::Human && !itself {
        return Err(ApiError::Denied(
            "a token for a person comes from the identity provider or from the operator".to_owned(),
        ));
    }
    if itself {
        request.on_behalf_of.clone_from(&own.on_behalf_of);
    } else {
        let chain = std::iter::once(&own.subject).chain(&own.on_behalf_of).cloned();
        request.on_behalf_of = chain.collect();
    }
    request.not_after = Some(proven.expires);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gate::ports::Proven;
    use model::Identity;
    use record::Micros;

    use super::*;
    use crate::auth::Access;

    fn caller(targets: Option<Vec<String>>) -> Caller {
        let identity = Identity {
            subject: "alice".into(),
            issuer: "https://idp".into(),
            groups: vec!["dba".into(), "dev".into()],
            kind: IdentityKind::Human,
            on_behalf_of: vec![],
            task: None,
            claims: BTreeMap::new(),
        };
        let proven = Proven { identity: identity.clone(), expires: Micros(9), token: None, targets };
        Caller {
            identity: Arc::new(identity),
            operator: false,
            proven: Some(Arc::new(proven)),
            access: Access::Granted,
            bearer: Arc::from(""),
        }
    }

    fn request(subject: &str, kind: IdentityKind, groups: &[&str], targets: Option<&[&str]>) -> TokenRequest {
        TokenRequest {
            subject: subject.into(),
            kind,
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            on_behalf_of: vec!["mallory".into()],
            task: None,
            targets: targets.map(|list| list.iter().map(|t| (*t).to_owned()).collect()),
            ttl_seconds: Some(1 << 40),
            not_after: None,
        }
    }

    #[test]
    fn nobody_hands_on_more_than_it_has() {
        let all = caller(None);
        let mut agent = request("agent-1", IdentityKind::Agent, &["dev"], None);
        assert_eq!(narrow(&mut agent, &all), Ok(()));
        assert_eq!(agent.on_behalf_of, vec!["alice"]);
        assert_eq!(agent.not_after, Some(Micros(9)));

        let denied =
            |request: &mut TokenRequest, caller: &Caller| matches!(narrow(request, caller), Err(ApiError::Denied(_)));
        assert!(denied(&mut request("agent-1", IdentityKind::Agent, &["root"], None), &all));
        assert!(denied(&mut request("bob", IdentityKind::Human, &["dba"], None), &all));
        let narrow_caller = caller(Some(vec!["a".into()]));
        assert!(denied(&mut request("x", IdentityKind::Agent, &[], None), &narrow_caller));
        assert!(denied(&mut request("x", IdentityKind::Agent, &[], Some(&["a", "b"])), &narrow_caller));
        assert_eq!(narrow(&mut request("x", IdentityKind::Agent, &[], Some(&["a"])), &narrow_caller), Ok(()));

        let mut own = request("alice", IdentityKind::Human, &["dba"], None);
        assert_eq!(narrow(&mut own, &all), Ok(()));
        assert!(own.on_behalf_of.is_empty());
    }
}
