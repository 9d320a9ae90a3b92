//! Logins with the browser: who may begin one, and what comes of it.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gate::Secret;
use gate::ports::{AuthFailure, BoxFuture, BrowserLogin, Clock, LoginPrompt, Proven};
use secrets::SecretRef;

use super::Directory;
use crate::oidc::Issuer;
use crate::oidc::device::places::{Bounds, Place, Places};
use crate::oidc::device::{Begun, Client, GONE};
use crate::tokens::covers;

/// Opens the secret of the gateway's client at an issuer; the error is for the log.
pub type OpenSecret = Arc<dyn Fn(&SecretRef) -> Result<Secret, String> + Send + Sync>;

/// Too many at once.
const CROWDED: AuthFailure = AuthFailure::Browser("too many of them are under way; try again shortly, or use a token");
/// The provider, or the client's secret, cannot be had.
const AWAY: AuthFailure = AuthFailure::Browser("the identity provider cannot be asked right now");

/// What all logins with the browser share.
pub(super) struct Logins {
    pub(super) open: Option<OpenSecret>,
    pub(super) places: Arc<Places>,
}

impl Default for Logins {
    fn default() -> Self {
        Self { open: None, places: Places::new(Bounds::default()) }
    }
}

/// One that has begun.
struct Pending {
    issuer: Arc<Issuer>,
    client: Client,
    begun: Begun,
    target: String,
    issuers: Arc<ArcSwap<Vec<Arc<Issuer>>>>,
    clock: Arc<dyn Clock>,
    place: Place,
}

impl Directory {
    /// The issuer where people log in for a target: the first with a client for it.
    pub(super) fn login_issuer(&self, target: &str) -> Option<Arc<Issuer>> {
        let issuers = self.issuers.load();
        let good = |issuer: &&Arc<Issuer>| {
            issuer.config().device.is_some() && covers(issuer.config().targets.as_ref(), target)
        };
        issuers.iter().find(good).cloned()
    }

    pub(super) async fn begin(&self, target: &str, from: IpAddr) -> Result<Box<dyn BrowserLogin>, AuthFailure> {
        let issuer = self.login_issuer(target).ok_or(GONE)?;
        let url = &issuer.config().url;
        let Some(place) = self.logins.places.take(from) else {
            tracing::warn!(issuer = %url, "too many logins with the browser: one more is not begun");
            return Err(CROWDED);
        };
        let device = issuer.config().device.as_ref().ok_or(GONE)?;
        let secret = match &device.client_secret {
            Some(reference) => Some(self.open_secret(reference).map_err(|problem| {
                tracing::error!(issuer = %url, problem, "the secret of the gateway's client cannot be opened");
                AWAY
            })?),
            None => None,
        };
        let (client, begun) = issuer.begin_login(secret, self.clock.now()).await.map_err(|problem| {
            tracing::warn!(issuer = %url, problem, "a login with the browser cannot begin");
            AWAY
        })?;
        tracing::info!(%target, issuer = %url, "a login with the browser has begun");
        let (issuers, clock) = (Arc::clone(&self.issuers), Arc::clone(&self.clock));
        Ok(Box::new(Pending { issuer, client, begun, target: target.to_owned(), issuers, clock, place }))
    }

    fn open_secret(&self, reference: &SecretRef) -> Result<Secret, String> {
        let open = self.logins.open.as_ref().ok_or("no secrets can be opened here")?;
        open(reference)
    }
}

impl BrowserLogin for Pending {
    fn prompt(&self) -> &LoginPrompt {
        self.begun.prompt()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Proven, AuthFailure>> {
        Box::pin(async move {
            let Self { issuer, client, begun, target, issuers, clock, place } = *self;
            let proven = issuer.finish_login(client, begun, || clock.now()).await?;
            drop(place);
            // What somebody logged in to minutes ago may have been taken out of the configuration since.
            if !issuers.load().iter().any(|known| Arc::ptr_eq(known, &issuer)) {
                return Err(GONE);
            }
            if covers(proven.targets.as_ref(), &target) { Ok(proven) } else { Err(AuthFailure::WrongTarget) }
        })
    }
}
