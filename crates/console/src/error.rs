//! What a caller reads when something is refused: `{code, message, request_id}` from a closed list, never a server's own text.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ports::{AnswerRefused, ReadFailure, TokenRefused};

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A word for programs: `not_found`, `denied`, …
    pub code: String,
    /// What was wrong and what to do, for people.
    pub message: String,
    /// Names this call in the gateway's log.
    pub request_id: String,
}

/// Why a call did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// The request is malformed; the text says where.
    Invalid(String),
    /// No identity was proven; the text is one of `gate::ports::AuthFailure`'s.
    Unauthenticated(String),
    /// Policy does not permit it; rules and reasons are the policy's own words.
    Denied(String),
    /// There is no such thing.
    NotFound(&'static str),
    /// It is no longer possible.
    Conflict(String),
    /// The body is larger than any call needs.
    TooLarge,
    /// A part of the gateway is away.
    Away(&'static str),
    /// The gateway failed; the log has the reason under the request id.
    Failed,
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Denied(_) => "denied",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::TooLarge => of_status(StatusCode::PAYLOAD_TOO_LARGE).0,
            Self::Away(_) => "unavailable",
            Self::Failed => "internal",
        }
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Invalid(text) | Self::Unauthenticated(text) | Self::Denied(text) | Self::Conflict(text) => {
                text.clone()
            }
            Self::NotFound(what) => format!("there is no such {what}"),
            Self::TooLarge => of_status(StatusCode::PAYLOAD_TOO_LARGE).1.to_owned(),
            Self::Away(part) => format!("{part} is away; try again shortly"),
            Self::Failed => "the gateway failed; its log names the reason under this request id".to_owned(),
        }
    }
}

/// The words for an answer that the framework gave before any handler ran.
pub(crate) fn of_status(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path; see /api/v1/openapi.json"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path does not take this method; see /api/v1/openapi.json")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is larger than 64 KiB"),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "the call took too long; try again"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("invalid", "send the body as application/json"),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            ("invalid", "the request cannot be read; see /api/v1/openapi.json for its form")
        }
        _ => ("internal", "the gateway failed; its log names the reason under this request id"),
    }
}

impl IntoResponse for ApiError {
    /// Carries the error to [`crate::guard`], which knows the request id and writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<gate::ports::StoreAway> for ApiError {
    fn from(error: gate::ports::StoreAway) -> Self {
        tracing::warn!(%error, "the API could not reach the store");
        Self::Away("the store")
    }
}

impl From<AnswerRefused> for ApiError {
    fn from(refused: AnswerRefused) -> Self {
        match refused {
            AnswerRefused::NotFound => Self::NotFound("approval request"),
            AnswerRefused::Answered(..) | AnswerRefused::Over(_) => Self::Conflict(refused.to_string()),
            AnswerRefused::NotApprover(_) => Self::Denied(refused.to_string()),
            AnswerRefused::ReasonRequired => Self::Invalid(refused.to_string()),
            AnswerRefused::StoreAway => Self::Away("the store"),
        }
    }
}

impl From<TokenRefused> for ApiError {
    fn from(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::Invalid(text) => Self::Invalid(text),
            TokenRefused::StoreAway => Self::Away("the store"),
        }
    }
}

impl From<ReadFailure> for ApiError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::NotFound => Self::NotFound("session"),
            ReadFailure::NothingShown => Self::Conflict(failure.to_string()),
            ReadFailure::Damaged(_) => {
                tracing::error!(%failure, "a recording could not be read; run `sallyport sessions verify`");
                Self::Conflict(
                    "the recording cannot be read; `sallyport sessions verify` names the first bad byte".to_owned(),
                )
            }
        }
    }
}
