//! The handlers, by resource. Each is reached only through [`crate::guard`].
//!
//! - [`sessions`], [`approvals`], [`targets`], [`tokens`], [`policy`]: the resources
//! - [`health`]: `/healthz`, `/readyz`, `/metrics`, and who the caller is

pub mod approvals;
pub mod health;
pub mod policy;
pub mod sessions;
pub mod targets;
pub mod tokens;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;

use crate::error::ApiError;

/// A JSON body whose reading errors say where, and never repeat the body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Also what keeps a form of a web page out: it cannot send this type without asking first.
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
            return Err(ApiError::Invalid("send the body with `Content-Type: application/json`".to_owned()));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
                _ => ApiError::Invalid("the body could not be read to its end".to_owned()),
            }
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| ApiError::Invalid(place(&error)))
    }
}

/// The line and column of a JSON error. Its own text may repeat values; only the name of a missing field is taken from it.
fn place(error: &serde_json::Error) -> String {
    let what = if error.is_data() { "the body does not fit" } else { "the body is not JSON" };
    let text = error.to_string();
    let field = match text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        Some(name) => format!(": the field `{name}` is missing"),
        None if text.starts_with("unknown field") => ": a field that does not exist here".to_owned(),
        None => String::new(),
    };
    format!("{what} at line {} column {}{field}; see /api/v1/openapi.json", error.line(), error.column())
}
