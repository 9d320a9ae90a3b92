//! The routes and their description, from one source.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use tower_http::timeout::TimeoutLayer;
use utoipa::Modify;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::guard::guard;
use crate::routes::{approvals, health, policy, sessions, targets, tokens};

/// Largest body of a request.
const MAX_BODY: usize = 64 * 1024;

/// Longest time until an answer begins. A followed session may then go on for as long as its caller stays proven.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sallyport API",
        description = "Sessions, approvals, targets, tokens and policy of one gateway. Every call is judged by the gateway's own policy, as an effect on the path of the target `sallyport`."
    ),
    components(schemas(crate::view::SessionView, crate::error::ErrorBody)),
    modifiers(&Bearer)
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("A Sallyport token for the target `sallyport`, or a configured issuer's JWT"))
                .build(),
        );
        openapi.components.get_or_insert_default().add_security_scheme("bearer", scheme);
        openapi.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    }
}

fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(health::whoami))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show))
        .routes(routes!(sessions::events))
        .routes(routes!(sessions::kill))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::deny))
        .routes(routes!(targets::list))
        .routes(routes!(tokens::list, tokens::issue))
        .routes(routes!(tokens::revoke))
        .routes(routes!(policy::show))
}

/// The description of the API, OpenAPI 3.1.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// All routes behind the guard.
pub fn router(api: Arc<Api>) -> Router {
    let (router, description) = described().split_for_parts();
    router
        .route("/api/v1/openapi.json", get(move || std::future::ready(Json(description.clone()))))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER_WITHIN))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&api), guard))
        .with_state(api)
}
