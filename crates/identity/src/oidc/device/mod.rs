//! Logins with the browser: the OAuth 2.0 device authorization grant (RFC 8628), for clients that have no browser of their own.
//!
//! - `answers`: what the provider says, as values
//! - [`places`]: how many logins may be under way at once
//!
//! The provider is asked by whoever asks the gateway, known or not. So requests are bounded in size and time, polls keep to the pace that the
//! provider wants, and [`places`] bounds how many logins there are. The device code and tokens stay in here.

mod answers;
pub(crate) mod places;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gate::ports::{AuthFailure, LoginPrompt};
use gate::{Micros, Secret};
use reqwest::Url;
use tokio::runtime::Handle;
use tokio::time::Instant;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::keys::fetch::{Endpoints, Source};
use crate::config::DeviceConfig;
use answers::Polled;

/// For discovery and the first request together: a client waits for it.
pub(super) const BEGIN_TIMEOUT: Duration = Duration::from_secs(3);
/// What may pass after a code's end before a wait is cut: a last request and its timeout.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The longest that a code counts, whatever the provider says: somebody waits at a terminal with the page in front of them.
const LONGEST: Duration = Duration::from_secs(300);
/// What `slow_down` adds, in seconds (RFC 8628, section 3.5).
const SLOWER: u32 = 5;
/// The longest pause between two polls, in seconds.
const SLOWEST: u32 = 60;
/// Polls in a row that come to nothing before the provider counts as away.
const FAILURES: u32 = 5;
/// Most bytes of an answer: two tokens of the largest size, a refresh token that nobody asked for, and what is around them.
const ANSWER_LIMIT: usize = 64 * 1024;
/// The grant's name (RFC 8628, section 3.4).
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The code is no longer good.
pub(crate) const EXPIRED: AuthFailure = AuthFailure::Browser("the code was not used in time");
/// The person said no, or the provider did.
const DENIED: AuthFailure = AuthFailure::Browser("it was denied at the identity provider");
/// The provider does not answer, or not as it must.
const AWAY: AuthFailure = AuthFailure::Browser("the identity provider cannot be asked right now");
/// The configuration has changed meanwhile.
pub(crate) const GONE: AuthFailure = AuthFailure::Browser("the identity provider is no longer configured as it was");

/// The gateway as a client of a provider, for one login.
pub(crate) struct Client {
    source: Arc<Source>,
    endpoints: Endpoints,
    config: DeviceConfig,
    secret: Option<Secret>,
    second: Duration,
}

/// A login that waits for somebody. Its device code is for the provider alone.
pub(crate) struct Begun {
    device_code: Zeroizing<String>,
    /// Seconds between two polls.
    interval: u32,
    at: Instant,
    prompt: LoginPrompt,
}

/// What a login ends with. A refresh token is not asked for, and not kept when one comes.
#[derive(ZeroizeOnDrop)]
pub(super) struct Tokens {
    pub(super) id: Option<String>,
    pub(super) access: Option<String>,
}

impl Begun {
    /// What the person has to be told.
    pub(crate) fn prompt(&self) -> &LoginPrompt {
        &self.prompt
    }

    /// How long the code is still good.
    pub(super) fn left(&self) -> Duration {
        self.ends().saturating_duration_since(Instant::now())
    }

    fn ends(&self) -> Instant {
        self.at + self.prompt.good_for
    }
}

impl Client {
    /// # Errors
    /// When the secret is no text.
    pub(super) fn new(
        source: Arc<Source>,
        endpoints: Endpoints,
        config: DeviceConfig,
        secret: Option<Secret>,
        second: Duration,
    ) -> Result<Self, &'static str> {
        if secret.as_ref().is_some_and(|secret| std::str::from_utf8(secret.expose()).is_err()) {
            return Err("the client's secret is not a text");
        }
        Ok(Self { source, endpoints, config, secret, second })
    }

    /// Asks for a code (RFC 8628, section 3.1).
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub(super) async fn begin(&self, now: Micros) -> Result<Begun, &'static str> {
        let form = [("scope", self.config.scope.as_str())];
        let (status, body) = self.post(&self.endpoints.device, &form).await?;
        if !status.is_success() {
            return Err(answers::error(&body));
        }
        answers::begun(&body, now, |url| self.source.may_name(url))
    }

    /// Polls until there is a token (RFC 8628, sections 3.4 and 3.5).
    ///
    /// # Errors
    /// [`AuthFailure::Browser`].
    pub(super) async fn wait(&self, begun: &Begun) -> Result<Tokens, AuthFailure> {
        let (mut pace, mut failures) = (begun.interval, 0);
        let mut next = begun.at + self.second * pace;
        loop {
            if next >= begun.ends() {
                return Err(EXPIRED);
            }
            tokio::time::sleep_until(next).await;
            let problem = match self.poll(&begun.device_code).await {
                Polled::Tokens(tokens) => return Ok(tokens),
                Polled::Ended(failure, problem) => {
                    tracing::info!(problem, "a login with the browser ended at the identity provider");
                    return Err(failure);
                }
                Polled::Pending => None,
                Polled::SlowDown => {
                    pace = pace.saturating_add(SLOWER).min(SLOWEST);
                    None
                }
                Polled::Nothing(problem) => Some(problem),
            };
            failures = if problem.is_some() { failures + 1 } else { 0 };
            if let Some(problem) = problem {
                tracing::info!(problem, "a login with the browser could not be asked for");
                // Section 3.5: less and less often.
                pace = pace.saturating_mul(2).min(SLOWEST);
            }
            if failures >= FAILURES {
                return Err(AWAY);
            }
            next = Instant::now() + self.second * pace;
        }
    }

    async fn poll(&self, device_code: &str) -> Polled {
        let form = [("grant_type", GRANT), ("device_code", device_code)];
        match self.post(&self.endpoints.token, &form).await {
            Ok((status, body)) => answers::polled(status, &body),
            Err(problem) => Polled::Nothing(problem),
        }
    }

    /// Posts as the client that the gateway is (RFC 6749, section 2.3.1).
    async fn post(
        &self,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<(reqwest::StatusCode, Zeroizing<Vec<u8>>), &'static str> {
        let id = self.config.client_id.as_str();
        let secret = self.secret.as_ref().and_then(|secret| std::str::from_utf8(secret.expose()).ok());
        let mut fields = form.to_vec();
        fields.push(("client_id", id));
        let basic = match secret {
            Some(secret) if self.endpoints.secret_in_form => {
                fields.push(("client_secret", secret));
                None
            }
            Some(secret) => Some((word(id), word(secret))),
            None => None,
        };
        let basic = basic.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str()));
        self.source.post(url, encoded(&fields), basic, ANSWER_LIMIT).await
    }
}

/// `application/x-www-form-urlencoded`.
fn encoded(fields: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("form:x") else {
        return String::new();
    };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// The same for one value.
fn word(text: &str) -> Zeroizing<String> {
    let field = encoded(&[("", text)]);
    Zeroizing::new(field.strip_prefix('=').unwrap_or_default().to_owned())
}

/// Does this on the gateway's own runtime, where connections to providers live; `None` when it takes longer. It ends with whoever waits for it.
pub(super) async fn within<T: Send + 'static>(
    control: &Handle,
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    struct Ends(tokio::task::AbortHandle);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let task = control.spawn(tokio::time::timeout(limit, work));
    let _ends = Ends(task.abort_handle());
    task.await.ok()?.ok()
}
