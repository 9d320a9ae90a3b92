//! The one door of the API: every request passes here before any handler and every answer on its way back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::Api;
use crate::auth::{Peer, caller, host_is_local};
use crate::error::{ApiError, ErrorBody, of_status};

/// Carries the request id to the caller.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Paths that need no identity at all.
const OPEN: &[&str] = &["/healthz", "/api/v1/openapi.json"];

/// Paths that need none on loopback, or anywhere when so configured.
const WATCHED: &[&str] = &["/readyz", "/metrics"];

/// Proves and judges the caller, runs the handler, words errors, and sets the headers of every answer.
pub async fn guard(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = match admit(&api, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = worded(response, &id, &method, &path);
    }
    finish(&mut response, &id);
    response
}

async fn admit(api: &Api, request: &mut Request) -> Result<(), ApiError> {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return Ok(());
    }
    // Policy judges the path as text, so one resource has one spelling.
    if path.contains('%') || path.contains("//") || path.contains("..") {
        return Err(ApiError::Invalid(
            "the path must be written plainly: no percent signs, empty parts or dots".to_owned(),
        ));
    }
    let peer = request.extensions().get::<Peer>().copied().ok_or(ApiError::Failed)?;
    let from = peer.0.ip().to_canonical();
    let open =
        WATCHED.contains(&path) && (api.open_metrics || (from.is_loopback() && host_is_local(request.headers())));
    match caller(api, request.headers(), request.method(), path, from).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(())
        }
        // Whoever is not proven is answered there, too, as a stranger.
        Err(_) if open => Ok(()),
        Err(error) => Err(error),
    }
}

/// Replaces the body of an error by the closed form.
fn worded(response: Response, id: &str, method: &Method, path: &str) -> Response {
    let status = response.status();
    if response.extensions().get::<Worded>().is_some() {
        return response;
    }
    let (code, message) = match response.extensions().get::<ApiError>() {
        Some(error) => (error.code(), error.message()),
        None => {
            let (code, message) = of_status(status);
            (code, message.to_owned())
        }
    };
    if status.is_server_error() {
        tracing::warn!(request = id, %method, path, status = status.as_u16(), code, "an API call failed");
    } else {
        tracing::debug!(request = id, %method, path, status = status.as_u16(), code, "an API call was refused");
    }
    let allow = response.headers().get(axum::http::header::ALLOW).cloned();
    let body = ErrorBody { code: code.to_owned(), message, request_id: id.to_owned() };
    let mut worded = (status, Json(body)).into_response();
    if let Some(allow) = allow {
        worded.headers_mut().insert(axum::http::header::ALLOW, allow);
    }
    if status == axum::http::StatusCode::UNAUTHORIZED {
        worded.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sallyport\""));
    }
    worded
}

/// Marks an answer whose status is an error and whose body is right as it is, such as `/readyz`.
#[derive(Clone, Copy)]
pub(crate) struct Worded;

fn finish(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}
