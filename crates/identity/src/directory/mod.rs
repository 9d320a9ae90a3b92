//! All identities in one place: Sallyport tokens, the configured issuers' tokens, and SSH keys.
//!
//! - `login`: logins with the browser, from their beginning to a proven identity

mod login;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use gate::ports::{
    AuthFailure, BoxFuture, BrowserLogin, ClientKey, Clock, Identities, Proven, ScramAttempt, ScramParameters,
    StoreAway,
};
use store::Store;

use crate::config::IssuerConfig;
use crate::keys::Keys;
use crate::oidc::Issuer;
use crate::oidc::jwt::{self, Jwt};
use crate::tokens::{TokenSettings, Tokens, covers};
use login::Logins;
pub use login::OpenSecret;

/// Most issuers of one gateway.
const ISSUERS_LIMIT: usize = 64;

/// Proves identities by whatever token a client has.
pub struct Directory {
    tokens: Tokens,
    issuers: Arc<ArcSwap<Vec<Arc<Issuer>>>>,
    logins: Logins,
    keys: ArcSwap<Keys>,
    store: Store,
    clock: Arc<dyn Clock>,
}

/// Issuers whose configuration was checked, not in force yet.
pub struct Issuers(Vec<Arc<Issuer>>);

/// Why the directory cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An issuer's configuration says what cannot be.
    #[error("issuer {url}: {problem}")]
    Issuer {
        /// The issuer's URL, as configured.
        url: String,
        /// Which key, and what it must be.
        problem: String,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreAway),
}

/// How an issuer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerStatus {
    /// Its URL.
    pub url: String,
    /// Whether its tokens can be checked now.
    pub usable: bool,
    /// What is wrong, or was at the last try.
    pub problem: Option<&'static str>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("issuers", &self.issuers.load().len()).finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory of a store's tokens and these issuers. Issuers are not asked yet; see [`Directory::warm`].
    ///
    /// # Errors
    /// [`SetupError`] names the issuer whose configuration is wrong.
    pub async fn new(
        store: Store,
        settings: TokenSettings,
        issuers: Vec<IssuerConfig>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let tokens = Tokens::open(store.clone(), settings, Arc::clone(&clock)).await?;
        let (none, keys) = (Arc::default(), ArcSwap::default());
        let directory = Self { tokens, issuers: none, logins: Logins::default(), keys, store, clock };
        directory.put_issuers(directory.prepare_issuers(issuers)?);
        Ok(directory)
    }

    /// The same, with this to open the secrets of the gateway's clients at issuers; without, clients that have one cannot be used.
    #[must_use]
    pub fn with_secrets(mut self, open: OpenSecret) -> Self {
        self.logins.open = Some(open);
        self
    }

    /// The tokens that this gateway issues.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Makes ready what [`put_issuers`](Self::put_issuers) puts in force; until then nothing changes. An issuer whose
    /// configuration stays keeps its keys.
    ///
    /// # Errors
    /// [`SetupError::Issuer`].
    pub fn prepare_issuers(&self, configs: Vec<IssuerConfig>) -> Result<Issuers, SetupError> {
        check_set(&configs)?;
        let before = self.issuers.load();
        let mut after = Vec::with_capacity(configs.len());
        for config in configs {
            match before.iter().find(|issuer| *issuer.config() == config) {
                Some(issuer) => after.push(Arc::clone(issuer)),
                None => after.push(Arc::new(self.prepare(config)?)),
            }
        }
        Ok(Issuers(after))
    }

    /// These issuers from now on.
    pub fn put_issuers(&self, issuers: Issuers) {
        self.issuers.store(Arc::new(issuers.0));
    }

    /// These SSH keys from now on; those of before that are not among them.
    pub fn put_keys(&self, keys: Keys) -> Keys {
        let before = self.keys.load_full();
        let gone = before.without(&keys);
        self.keys.store(Arc::new(keys));
        gone
    }

    /// Asks every issuer for its keys, so that the first clients do not wait for them, and says how each is doing. An issuer that
    /// is away is asked again when the first of its tokens comes.
    pub async fn warm(&self) -> Vec<IssuerStatus> {
        for issuer in self.issuers.load_full().iter() {
            issuer.warm().await;
        }
        self.status()
    }

    /// How each issuer is doing.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        let status = |issuer: &Arc<Issuer>| IssuerStatus {
            url: issuer.config().url.clone(),
            usable: issuer.is_usable(),
            problem: issuer.problem(),
        };
        self.issuers.load().iter().map(status).collect()
    }

    fn prepare(&self, config: IssuerConfig) -> Result<Issuer, SetupError> {
        let url = config.url.clone();
        Issuer::new(config, self.store.control().clone()).map_err(|problem| SetupError::Issuer { url, problem })
    }

    async fn verify_any(&self, secret: &str, target: &str) -> Result<Proven, AuthFailure> {
        if !jwt::looks_like_jwt(secret) {
            return self.tokens.verify(secret, target).await;
        }
        let token = Jwt::parse(secret)?;
        let named = token.unverified_issuer().ok_or(AuthFailure::Unknown)?;
        let issuers = self.issuers.load_full();
        let issuer = issuers.iter().find(|issuer| issuer.config().url == named).ok_or(AuthFailure::Unknown)?;
        let proven = issuer.verify(&token, || self.clock.now()).await?;
        if covers(proven.targets.as_ref(), target) { Ok(proven) } else { Err(AuthFailure::WrongTarget) }
    }
}

impl Identities for Directory {
    fn verify<'a>(&'a self, secret: &'a str, target: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        Box::pin(self.verify_any(secret, target))
    }

    fn scram_parameters(&self) -> ScramParameters {
        self.tokens.scram_parameters()
    }

    fn verify_scram<'a>(
        &'a self,
        attempt: &'a ScramAttempt,
        target: &'a str,
    ) -> BoxFuture<'a, Result<(Proven, [u8; 32]), AuthFailure>> {
        Box::pin(self.tokens.verify_scram(attempt, target))
    }

    fn verify_key<'a>(&'a self, key: ClientKey<'a>, target: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        let proven = self.keys.load().verify(key, self.clock.now()).and_then(|proven| {
            if covers(proven.targets.as_ref(), target) { Ok(proven) } else { Err(AuthFailure::WrongTarget) }
        });
        Box::pin(std::future::ready(proven))
    }

    fn may_be_untouched(&self, key: ClientKey<'_>) -> bool {
        self.keys.load().may_be_untouched(key)
    }

    fn knows_keys(&self) -> bool {
        !self.keys.load().is_empty()
    }

    fn offers_login(&self, target: &str) -> bool {
        self.login_issuer(target).is_some()
    }

    fn begin_login<'a>(
        &'a self,
        target: &'a str,
        from: IpAddr,
    ) -> BoxFuture<'a, Result<Box<dyn BrowserLogin>, AuthFailure>> {
        Box::pin(self.begin(target, from))
    }

    fn bearer_discovery(&self) -> Option<(String, String)> {
        let issuers = self.issuers.load();
        issuers.first().map(|issuer| (issuer.config().url.clone(), issuer.config().scope.clone()))
    }
}

/// Checks issuers' configurations without a store: for `config check`.
///
/// # Errors
/// [`SetupError::Issuer`] for the first that cannot be.
pub fn check_issuers(configs: &[IssuerConfig], control: &tokio::runtime::Handle) -> Result<(), SetupError> {
    check_set(configs)?;
    for config in configs {
        Issuer::new(config.clone(), control.clone())
            .map_err(|problem| SetupError::Issuer { url: config.url.clone(), problem })?;
    }
    Ok(())
}

fn check_set(configs: &[IssuerConfig]) -> Result<(), SetupError> {
    let problem = |config: &IssuerConfig, problem: &str| {
        Err(SetupError::Issuer { url: config.url.clone(), problem: problem.to_owned() })
    };
    for (place, config) in configs.iter().enumerate() {
        if place >= ISSUERS_LIMIT {
            return problem(config, "more than 64 issuers");
        }
        // Which of two would decide is nothing to leave to their order.
        if configs.iter().take(place).any(|earlier| earlier.url == config.url) {
            return problem(config, "configured twice; name all its audiences in one `audience` list");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
