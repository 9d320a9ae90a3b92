//! Approvals: held commands and their answers. What an answer counts for is decided by the rule's terms in the gate.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use gate::ports::StoredApproval;
use model::ApprovalId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Body;
use crate::Api;
use crate::auth::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::view::{ApprovalView, Reason};

/// Most requests of one answer, newest first.
const MAX_LISTED: u32 = 1000;

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Also those that are over.
    #[serde(default)]
    all: bool,
}

/// Lists held commands, newest first. A caller whom no rule of the policy lets read approvals sees those that name it
/// as approver.
///
/// # Errors
/// When the store is away.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "approvals", params(ListQuery),
    responses((status = 200, body = Vec<ApprovalView>), (status = 403, body = ErrorBody)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<ApprovalView>>, ApiError> {
    let Query(query) = query.map_err(|_| ApiError::Invalid("the query may have: all=true".to_owned()))?;
    let stored = api.approvals.list(!query.all, MAX_LISTED).await?;
    Ok(Json(stored.iter().filter(|stored| caller.sees(&stored.request.terms)).map(ApprovalView::from).collect()))
}

/// Shows one held command with its answers.
///
/// # Errors
/// When there is none, or none that this caller may see.
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "approvals", params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, body = ApprovalView), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ApprovalView>, ApiError> {
    Ok(Json((&visible(&api, &caller, &id).await?).into()))
}

/// Approves a held command.
///
/// # Errors
/// When the caller may not, when a reason is missing, or when the request is over.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/approve", tag = "approvals", request_body = Reason,
    params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, body = ApprovalView), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn approve(
    state: State<Arc<Api>>,
    caller: Caller,
    id: Path<String>,
    Body(reason): Body<Reason>,
) -> Result<Json<ApprovalView>, ApiError> {
    answer(state, &caller, id, true, &reason).await
}

/// Denies a held command.
///
/// # Errors
/// As for approving.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/deny", tag = "approvals", request_body = Reason,
    params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, body = ApprovalView), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn deny(
    state: State<Arc<Api>>,
    caller: Caller,
    id: Path<String>,
    Body(reason): Body<Reason>,
) -> Result<Json<ApprovalView>, ApiError> {
    answer(state, &caller, id, false, &reason).await
}

async fn answer(
    State(api): State<Arc<Api>>,
    caller: &Caller,
    Path(id): Path<String>,
    approve: bool,
    reason: &Reason,
) -> Result<Json<ApprovalView>, ApiError> {
    let stored = visible(&api, caller, &id).await?;
    let stored = api.gateway.answer(stored.request.id, &caller.identity, approve, reason.reason.trim()).await?;
    Ok(Json((&stored).into()))
}

/// A request that the caller may know of; for others it does not exist.
async fn visible(api: &Api, caller: &Caller, id: &str) -> Result<StoredApproval, ApiError> {
    let id: ApprovalId = id.parse().map_err(|error: model::ids::BadId| ApiError::Invalid(error.to_string()))?;
    let stored = api.approvals.get(id).await?;
    stored.filter(|stored| caller.sees(&stored.request.terms)).ok_or(ApiError::NotFound("approval request"))
}
