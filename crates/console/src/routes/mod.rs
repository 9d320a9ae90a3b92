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

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};

use crate::error::ApiError;

/// A JSON body whose reading errors say where, and never repeat the body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::Invalid("send the body with `Content-Type: application/json`".to_owned()))
            }
            Err(JsonRejection::BytesRejection(rejection)) if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::Invalid("the body is larger than 64 KiB".to_owned()))
            }
            Err(JsonRejection::JsonDataError(error)) => Err(ApiError::Invalid(place("the body does not fit", &error))),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(ApiError::Invalid(place("the body is not JSON", &error))),
            Err(_) => Err(ApiError::Invalid("the body cannot be read".to_owned())),
        }
    }
}

/// The line and column of a JSON error, from the innermost error; its own text may repeat values and is not used.
fn place(what: &str, error: &dyn std::error::Error) -> String {
    let mut inner: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(error) = inner {
        if let Some(json) = error.downcast_ref::<serde_json::Error>() {
            let field = unknown_or_missing(&json.to_string());
            return format!("{what} at line {} column {}{field}; see /api/v1/openapi.json", json.line(), json.column());
        }
        inner = error.source();
    }
    format!("{what}; see /api/v1/openapi.json")
}

/// `: unknown field` or `: missing field` with the name of a missing one, which is ours and no data.
fn unknown_or_missing(text: &str) -> String {
    if text.starts_with("unknown field") {
        return ": a field that does not exist here".to_owned();
    }
    match text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        Some(name) => format!(": the field `{name}` is missing"),
        None => String::new(),
    }
}
