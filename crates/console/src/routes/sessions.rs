//! Sessions: the live ones and the recordings of all.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use model::SessionId;
use record::Micros;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Body;
use crate::Api;
use crate::auth::{Caller, prove};
use crate::error::{ApiError, ErrorBody};
use crate::ports::{Format, Parts, Reading, SessionFilter};
use crate::view::{Done, Reason, SessionView};

/// How often the caller of a long answer is proven again.
const PROVE_AGAIN: Duration = Duration::from_secs(5);

/// Most sessions of one answer.
const MAX_LISTED: usize = 10_000;

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only live ones.
    #[serde(default)]
    live: bool,
    /// Only of this subject.
    subject: Option<String>,
    /// Only of this target.
    target: Option<String>,
    /// Only opened at or after this time, RFC 3339.
    since: Option<String>,
    /// At most this many, newest first; 100 when absent.
    limit: Option<usize>,
}

/// In which form the events are given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// `jsonl` (default), `text`, `ocsf`, or one command's terminal as `asciicast` (v2) or `asciicast-v3`.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Whether to go on with what a live session does next, until it closes.
    #[serde(default)]
    follow: bool,
    /// Rows shown per result in the text form; 20 when absent.
    rows: Option<usize>,
    /// Whether the text form has colours.
    #[serde(default)]
    color: bool,
    /// The number of the command that an asciicast is of; the first with a terminal, or else with output, when absent.
    command: Option<u64>,
}

/// Lists sessions, newest first.
///
/// # Errors
/// When the query does not fit or the recordings cannot be listed.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(ListQuery),
    responses((status = 200, body = Vec<SessionView>), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<SessionView>>, ApiError> {
    let Query(query) = query.map_err(|_| bad_query("live, subject, target, since, limit"))?;
    let filter = SessionFilter {
        subject: query.subject,
        target: query.target,
        since: query.since.as_deref().map(time).transpose()?,
        limit: query.limit.unwrap_or(100).min(MAX_LISTED),
    };
    let live = api.gateway.live();
    if query.live {
        let mut live: Vec<_> = live.into_iter().filter(|session| wanted(session, &filter)).collect();
        live.reverse();
        live.truncate(filter.limit);
        return Ok(Json(live));
    }
    let mut listed = api.library.list(&filter).await?;
    for session in &mut listed {
        if let Some(now) = live.iter().find(|live| live.id == session.id) {
            session.state = "live".to_owned();
            session.commands = session.commands.max(now.commands);
        }
    }
    Ok(Json(listed))
}

/// Shows one session.
///
/// # Errors
/// When there is none.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "`ses_…`")),
    responses((status = 200, body = SessionView), (status = 404, body = ErrorBody)))]
pub async fn show(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<SessionView>, ApiError> {
    let id = session_id(&id)?;
    let name = id.to_string();
    if let Some(live) = api.gateway.live().into_iter().find(|session| session.id == name) {
        return Ok(Json(live));
    }
    Ok(Json(api.library.session(id).await?))
}

/// Gives the events of one session, as they were recorded, in order; with `follow` it goes on until the session closes.
///
/// An asciicast holds one command: its output, what was typed, and changes of the terminal's size, each with its time. The bytes are
/// the client's own: whoever shows them on a terminal must keep from it what a terminal would act on.
///
/// # Errors
/// When there is no recording or it cannot be read; for an asciicast, when no command had a terminal or output so far.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/events", tag = "sessions",
    params(("id" = String, Path, description = "`ses_…`"), EventsQuery),
    responses((status = 200, description = "One event per line", content_type = "application/x-ndjson"), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn events(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) =
        query.map_err(|_| bad_query("format=jsonl|text|ocsf|asciicast|asciicast-v3, follow, rows, color, command"))?;
    let id = session_id(&id)?;
    let reading = Reading {
        format: query.format,
        follow: query.follow,
        rows: query.rows.unwrap_or(20),
        color: query.color,
        command: query.command,
    };
    api.audit(&caller, "session.read", &id.to_string(), if query.follow { "follow" } else { "" }).await?;
    let parts = api.library.read(id, reading).await?;
    let kind = match query.format {
        Format::Text => "text/plain; charset=utf-8",
        Format::Jsonl | Format::Ocsf => "application/x-ndjson",
        Format::Asciicast | Format::AsciicastV3 => "application/x-asciicast",
    };
    let stream = follow(api, caller, parts);
    Ok(([(CONTENT_TYPE, kind)], HttpBody::from_stream(stream)).into_response())
}

/// Ends a live session. Its client is told the reason.
///
/// # Errors
/// When the session is not live, or the action cannot be audited.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/kill", tag = "sessions", request_body = Reason,
    params(("id" = String, Path, description = "`ses_…`")),
    responses((status = 200, body = Done), (status = 404, body = ErrorBody)))]
pub async fn kill(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(reason): Body<Reason>,
) -> Result<Json<Done>, ApiError> {
    let id = session_id(&id)?;
    let reason = reason.reason.trim();
    api.audit(&caller, "session.kill", &id.to_string(), reason).await?;
    let told = if reason.is_empty() {
        format!("ended by {}", caller.actor())
    } else {
        format!("ended by {}: {reason}", caller.actor())
    };
    if api.gateway.kill(id, &told) { Ok(Json(Done { sessions: 1 })) } else { Err(ApiError::NotFound("live session")) }
}

/// The parts of a recording while the caller stays proven. A recording that cannot be read further ends the answer
/// abruptly, so that a reader sees that it is not whole.
fn follow(
    api: Arc<Api>,
    caller: Caller,
    parts: Parts,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    let next = tokio::time::Instant::now() + PROVE_AGAIN;
    futures_util::stream::unfold((api, caller, parts, next), |(api, caller, mut parts, mut next)| async move {
        loop {
            tokio::select! {
                part = parts.recv() => {
                    let part = part?.map_err(|failure| std::io::Error::other(failure.to_string()));
                    return Some((part, (api, caller, parts, next)));
                }
                () = tokio::time::sleep_until(next), if !caller.operator => {
                    if prove(&api, &caller.bearer).await.is_err() {
                        return None;
                    }
                    next = tokio::time::Instant::now() + PROVE_AGAIN;
                }
            }
        }
    })
}

fn wanted(session: &SessionView, filter: &SessionFilter) -> bool {
    filter.subject.as_ref().is_none_or(|subject| *subject == session.subject)
        && filter.target.as_ref().is_none_or(|target| *target == session.target)
}

fn session_id(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|error: model::ids::BadId| ApiError::Invalid(error.to_string()))
}

fn time(text: &str) -> Result<Micros, ApiError> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| ApiError::Invalid("`since` must be a time such as 2026-11-21T08:00:00Z".to_owned()))?;
    Ok(Micros(time.as_microsecond()))
}

fn bad_query(known: &str) -> ApiError {
    ApiError::Invalid(format!("the query does not fit; it may have: {known}"))
}
