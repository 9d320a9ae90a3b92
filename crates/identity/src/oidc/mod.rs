//! Tokens of OpenID Connect providers: any issuer with discovery, several at once.
//!
//! - [`jwt`]: a token taken apart
//! - `keys`: the issuer's keys, how they are fetched and kept, and signatures
//! - `claims`: times, audience, and how claims become an identity
//! - `device`: logins with the browser, up to the token that proves them
//!
//! The order is fixed: size, form, a configured issuer, an accepted algorithm, a key of that issuer for that algorithm, the
//! signature; only then are claims read.

mod claims;
pub(crate) mod device;
pub mod jwt;
mod keys;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::time::Duration;

use gate::ports::{AuthFailure, Proven};
use gate::{Micros, Secret};
use tokio::runtime::Handle;

use crate::config::IssuerConfig;
use claims::Audience;
use device::{Begun, Client, Tokens};
use jwt::Jwt;
use keys::Check;
use keys::cache::{Cache, Timing};
use keys::fetch::Source;

/// One configured issuer.
pub(crate) struct Issuer {
    config: IssuerConfig,
    keys: Cache,
    source: Arc<Source>,
    control: Handle,
    second: Duration,
}

impl Issuer {
    /// Prepares an issuer; nothing is asked of it yet.
    ///
    /// # Errors
    /// What is wrong with its configuration.
    pub(crate) fn new(config: IssuerConfig, control: Handle) -> Result<Self, String> {
        Self::with_timing(config, control, Timing::default())
    }

    fn with_timing(config: IssuerConfig, control: Handle, timing: Timing) -> Result<Self, String> {
        claims::check_config(&config)?;
        let source = Arc::new(Source::new(&config.url, config.ca.as_deref(), timing.timeout)?);
        let keys = Cache::new(config.url.clone(), Arc::clone(&source), timing, control.clone());
        Ok(Self { config, keys, source, control, second: timing.second })
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &IssuerConfig {
        &self.config
    }

    /// Asks for its keys, so that the first client does not wait for them.
    pub(crate) async fn warm(&self) {
        self.keys.renew().await;
        if self.config.device.is_some()
            && self.is_usable()
            && let Err(problem) = self.keys.endpoints().await
        {
            tracing::warn!(issuer = %self.config.url, problem, "nobody can log in with the browser at this issuer");
        }
    }

    /// Whether its keys may be used now.
    pub(crate) fn is_usable(&self) -> bool {
        self.keys.is_usable()
    }

    /// What is wrong with its keys.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.keys.problem()
    }

    /// The identity that a token of this issuer proves.
    ///
    /// # Errors
    /// [`AuthFailure`].
    pub(crate) async fn verify(&self, token: &Jwt<'_>, now: impl Fn() -> Micros) -> Result<Proven, AuthFailure> {
        self.verify_for(Audience::Configured, token, now).await
    }

    /// Begins a login with the browser, if the configuration has a client for it.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub(crate) async fn begin_login(
        &self,
        secret: Option<Secret>,
        now: Micros,
    ) -> Result<(Client, Begun), &'static str> {
        let config = self.config.device.clone().ok_or("its configuration has no `device`")?;
        let (source, keys, second) = (Arc::clone(&self.source), self.keys.clone(), self.second);
        let begin = async move {
            let client = Client::new(source, keys.endpoints().await?, config, secret, second)?;
            let begun = client.begin(now).await?;
            Ok((client, begun))
        };
        device::within(&self.control, device::BEGIN_TIMEOUT, begin).await.unwrap_or(Err("no answer in time"))
    }

    /// Waits for a login that has begun, and proves by its token who has logged in.
    ///
    /// # Errors
    /// [`AuthFailure`].
    pub(crate) async fn finish_login(
        &self,
        client: Client,
        begun: Begun,
        now: impl Fn() -> Micros,
    ) -> Result<Proven, AuthFailure> {
        let longest = begun.left().saturating_add(device::GRACE);
        let waiting = device::within(&self.control, longest, async move { client.wait(&begun).await });
        let tokens = waiting.await.unwrap_or(Err(device::EXPIRED))?;
        self.verify_login(&tokens, now).await
    }

    async fn verify_login(&self, tokens: &Tokens, now: impl Fn() -> Micros) -> Result<Proven, AuthFailure> {
        let Some(device) = &self.config.device else {
            return Err(device::GONE);
        };
        // An id token was made for the gateway as a client; an access token counts for what any client could show.
        let (text, audience) = match (&tokens.id, &tokens.access) {
            (Some(id), _) => (id, Audience::Client(&device.client_id)),
            (None, Some(access)) if jwt::looks_like_jwt(access) => (access, Audience::Configured),
            (None, _) => return Err(refused("there is none that says who has logged in")),
        };
        let now = now();
        let mut proven = self.verify_for(audience, &Jwt::parse(text)?, || now).await?;
        if let Some(session) = device.session {
            proven.expires = Micros(now.0.saturating_add(session.micros()));
        }
        proven.identity.claims.insert(claims::identity::LOGIN_CLAIM.to_owned(), "device".into());
        Ok(proven)
    }

    async fn verify_for(
        &self,
        audience: Audience<'_>,
        token: &Jwt<'_>,
        now: impl Fn() -> Micros,
    ) -> Result<Proven, AuthFailure> {
        if !self.config.algorithms.contains(&token.algorithm) {
            return Err(refused("its signature algorithm is not accepted"));
        }
        let keys = self.keys.keys().await.ok_or(AuthFailure::Unavailable)?;
        let mut check = keys.check(token);
        if check == Check::UnknownKey
            && let Some(newer) = self.keys.newer_than(&keys).await
        {
            check = newer.check(token);
        }
        match check {
            Check::Good => claims::prove(&self.config, token.claims()?, audience, now()),
            Check::Bad => Err(refused("its signature does not hold")),
            Check::UnknownKey => Err(refused("it was signed with a key that the issuer does not publish")),
            Check::WrongAlgorithm => Err(refused("its key is not for its signature algorithm")),
        }
    }
}

const fn refused(why: &'static str) -> AuthFailure {
    AuthFailure::Refused(why)
}

#[cfg(test)]
mod tests;
