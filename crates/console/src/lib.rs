//! The REST API, health and metrics of the gateway.
//!
//! ```text
//! server  →  guard  →  routes  →  ports  →  gate, store, recordings (given by the binary)
//! ```
//!
//! - [`server`]: the listener: TLS, limits, timeouts, drain
//! - [`guard`](mod@guard): the one door: identity, policy, words of errors, headers
//! - [`auth`]: who calls: the local operator or a bearer
//! - [`routes`]: the handlers, by resource
//! - [`view`]: the JSON that callers see
//! - [`error`]: what a caller reads when something is refused
//! - [`ports`]: what the console needs from the rest; [`adapter`] implements the gate's part
//! - [`openapi`](mod@openapi): the description at `/api/v1/openapi.json`, kept in `docs/openapi.json`

pub mod adapter;
pub mod auth;
pub mod error;
pub mod guard;
pub mod openapi;
pub mod ports;
pub mod routes;
pub mod server;
pub mod view;

use std::sync::Arc;

use gate::ports::{Approvals, Audit, AuditEntry, Clock, Identities};

pub use adapter::GateAdapter;
pub use auth::{Caller, OPERATOR_GROUP, Operator};
pub use error::{ApiError, ErrorBody};
pub use openapi::{openapi, router};
pub use server::{ServeError, Server, TlsSource};

/// Everything that the handlers reach.
pub struct Api {
    /// The running gate.
    pub gateway: Arc<dyn ports::Gateway>,
    /// Proves callers.
    pub identities: Arc<dyn Identities>,
    /// Held commands.
    pub approvals: Arc<dyn Approvals>,
    /// The log of admin actions.
    pub audit: Arc<dyn Audit>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Issues and revokes tokens.
    pub tokens: Arc<dyn ports::Tokens>,
    /// Reads recordings.
    pub library: Arc<dyn ports::Library>,
    /// What the binary knows about itself.
    pub runtime: Arc<dyn ports::Runtime>,
    /// The local operator.
    pub operator: Operator,
    /// Whether `/metrics` and `/readyz` need no identity from other machines either.
    pub open_metrics: bool,
}

impl Api {
    /// Writes an audit entry; the action it names happens only afterwards.
    pub(crate) async fn audit(
        &self,
        caller: &Caller,
        action: &'static str,
        object: &str,
        detail: &str,
    ) -> Result<(), ApiError> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: caller.actor(),
            action,
            object: object.to_owned(),
            detail: detail.chars().take(1000).collect(),
        };
        Ok(self.audit.write(&entry).await?)
    }
}
