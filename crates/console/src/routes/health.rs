//! Whether the gateway lives, whether it can work, what it counts, and who is asking.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::Api;
use crate::auth::Caller;
use crate::guard::Worded;
use crate::ports::Check;
use crate::view::{Readiness, WhoAmI, rfc3339};

/// Alive: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String)))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: store, recorder, policy and identity keys work and new sessions are taken. 503 when one does not.
///
/// Details are for callers that are proven and whom policy lets read this path.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn readyz(State(api): State<Arc<Api>>, caller: Option<Caller>) -> Response {
    let mut checks = api.runtime.checks().await;
    if caller.is_none() {
        checks = checks.into_iter().map(Check::for_strangers).collect();
    }
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(Readiness { ready, checks })).into_response();
    response.extensions_mut().insert(Worded);
    response
}

/// What is counted, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text")))]
pub async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], api.gateway.metrics()).into_response()
}

/// Who the caller is to the gateway.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "identity", responses((status = 200, body = WhoAmI)))]
pub async fn whoami(caller: Caller) -> Json<WhoAmI> {
    Json(WhoAmI {
        identity: caller.identity.as_ref().into(),
        operator: caller.operator,
        expires: caller.proven.map(|proven| rfc3339(proven.expires)),
    })
}
