//! A grant: permission to dial one target with one role for one session.

use std::sync::Arc;

use model::{Identity, SessionId, Target};

use crate::ports::{Lease, LeaseError, Secrets};

/// Where a target is and how to speak to it; policy never sees this.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `host:port`, as configured.
    pub address: String,
    /// The protocol's own options, parsed by the protocol's crate.
    pub options: serde_json::Value,
}

/// Permission to dial. Only a grant can dial, and only it reaches the credential.
pub struct Grant {
    pub(crate) session: SessionId,
    pub(crate) identity: Arc<Identity>,
    pub(crate) target: Arc<Target>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) role: String,
    pub(crate) secrets: Arc<dyn Secrets>,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Grant {
    /// The session that this grant opened.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Who asked.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// A grant to ask the same target what the gateway itself has to know for this session, with another of its roles. `None` when it has no
    /// such role. Nothing of the client's may be sent under it.
    #[must_use]
    pub fn beside(&self, role: &str) -> Option<Self> {
        self.target.roles.iter().any(|known| known == role).then(|| Self {
            session: self.session,
            identity: Arc::clone(&self.identity),
            target: Arc::clone(&self.target),
            endpoint: Arc::clone(&self.endpoint),
            role: role.to_owned(),
            secrets: Arc::clone(&self.secrets),
        })
    }

    /// The credential, opened as late as possible.
    ///
    /// # Errors
    /// When the secret is missing or sealed.
    pub async fn lease(&self) -> Result<Lease, LeaseError> {
        self.secrets.lease(&self.target.name, &self.role, self.session).await
    }

    /// The session is over: a credential that was made for it is revoked.
    pub async fn release(&self) {
        self.secrets.release(&self.target.name, &self.role, self.session).await;
    }
}
