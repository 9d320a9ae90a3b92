//! The policy in force: its version, since when, and whether a later edit was refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::Api;
use crate::view::PolicyView;

/// Names the policy in force.
#[utoipa::path(get, path = "/api/v1/policy", tag = "policy", responses((status = 200, body = PolicyView)))]
pub async fn show(State(api): State<Arc<Api>>) -> Json<PolicyView> {
    Json(api.runtime.policy())
}
