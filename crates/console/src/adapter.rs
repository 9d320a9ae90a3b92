//! The real gate as the console's [`Gateway`]: only translation of types, no decision of its own.

use std::net::IpAddr;
use std::sync::Arc;

use gate::hold::AnswerError;
use gate::ports::{BoxFuture, StoredApproval};
use gate::{Gate, LiveSession};
use model::{ApprovalId, Effect, Identity, SessionId, TokenId};

use crate::ports::{AnswerRefused, Gateway, Refused};
use crate::view::{SessionView, rfc3339};

/// A running gate, seen from the console.
pub struct GateAdapter(pub Arc<Gate>);

impl Gateway for GateAdapter {
    fn live(&self) -> Vec<SessionView> {
        self.0.live().iter().map(session_view).collect()
    }

    fn kill(&self, id: SessionId, reason: &str) -> bool {
        self.0.kill(id, reason)
    }

    fn kill_token(&self, id: TokenId) -> usize {
        self.0.kill_token(id)
    }

    fn authorize(&self, identity: &Identity, effect: Effect, path: &str, from: Option<IpAddr>) -> Result<(), Refused> {
        self.0
            .authorize(identity, effect, path, from)
            .map_err(|denied| Refused { rules: denied.rules, reasons: denied.reasons })
    }

    fn answer<'a>(
        &'a self,
        id: ApprovalId,
        approver: &'a Identity,
        approve: bool,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<StoredApproval, AnswerRefused>> {
        Box::pin(async move {
            self.0.answer(id, approver, approve, reason).await.map_err(|error| match error {
                AnswerError::Unknown => AnswerRefused::NotFound,
                AnswerError::Answered { by, state } => AnswerRefused::Answered(by, state),
                AnswerError::Over(state) => AnswerRefused::Over(state),
                AnswerError::ReasonRequired => AnswerRefused::ReasonRequired,
                AnswerError::NotApprover | AnswerError::Involved | AnswerError::NotHuman => {
                    AnswerRefused::NotApprover(error.to_string())
                }
                AnswerError::Store(away) => {
                    tracing::warn!(approval = %id, error = %away, "an answer could not be stored");
                    AnswerRefused::StoreAway
                }
            })
        })
    }

    fn metrics(&self) -> String {
        self.0.metrics().encode()
    }
}

fn session_view(live: &LiveSession) -> SessionView {
    SessionView {
        id: live.id.to_string(),
        state: "live".to_owned(),
        identity: live.identity.display(),
        subject: live.identity.subject.clone(),
        target: live.target.clone(),
        role: live.role.clone(),
        protocol: live.protocol.to_owned(),
        from: live.from.map(|ip| ip.to_string()).unwrap_or_default(),
        opened: rfc3339(live.opened),
        closed: None,
        reason: None,
        commands: live.commands,
        denied: None,
        held: None,
        bytes: None,
    }
}
