//! Targets as callers may know them: names, labels and roles; no address, no credential.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::Api;
use crate::view::TargetView;

/// Lists the targets.
#[utoipa::path(get, path = "/api/v1/targets", tag = "targets", responses((status = 200, body = Vec<TargetView>)))]
pub async fn list(State(api): State<Arc<Api>>) -> Json<Vec<TargetView>> {
    Json(api.runtime.targets())
}
