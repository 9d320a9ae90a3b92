//! Tokens of OpenID Connect providers: any issuer with discovery, several at once.
//!
//! - [`jwt`]: a token taken apart
//! - `keys`: the issuer's keys, how they are fetched and kept, and signatures
//! - `claims`: times, audience, and how claims become an identity
//!
//! The order is fixed: size, form, a configured issuer, an accepted algorithm, a key of that issuer for that algorithm, the
//! signature; only then are claims read.

mod claims;
pub mod jwt;
mod keys;
#[cfg(test)]
pub(crate) mod testing;

use gate::Micros;
use gate::ports::{AuthFailure, Proven};
use tokio::runtime::Handle;

use crate::config::IssuerConfig;
use jwt::Jwt;
use keys::Check;
use keys::cache::{Cache, Timing};
use keys::fetch::Source;

/// One configured issuer.
pub(crate) struct Issuer {
    config: IssuerConfig,
    keys: Cache,
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
        let source = Source::new(&config.url, config.ca.as_deref(), timing.timeout)?;
        let keys = Cache::new(config.url.clone(), source, timing, control);
        Ok(Self { config, keys })
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &IssuerConfig {
        &self.config
    }

    /// Asks for its keys, so that the first client does not wait for them.
    pub(crate) async fn warm(&self) {
        self.keys.renew().await;
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
            Check::Good => claims::prove(&self.config, token.claims()?, now()),
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
