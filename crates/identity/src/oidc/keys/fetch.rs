//! Asks an issuer for its keys: discovery (OpenID Connect Discovery 1.0, section 4), then the key set that it names. The same document says
//! where logins with the browser are asked for.
//!
//! Only the configured URL is asked, and what it names by `https`; no redirect is followed, and every answer is bounded in size
//! and time. Plain `http` is for an issuer on this machine, and for keys beside it.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::KeySet;

const DISCOVERY_LIMIT: usize = 64 * 1024;
const KEYS_LIMIT: usize = 256 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where an issuer's keys are asked for.
pub(in crate::oidc) struct Source {
    client: Client,
    issuer: String,
    discovery: Url,
    loopback: bool,
    timeout: Duration,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    // What follows may be anything: an issuer without logins with the browser is none the worse for it.
    #[serde(default)]
    device_authorization_endpoint: Value,
    #[serde(default)]
    token_endpoint: Value,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Value,
}

/// What an issuer says of itself.
pub(super) struct Found {
    pub(super) keys: KeySet,
    pub(super) endpoints: Result<Endpoints, &'static str>,
}

/// Where logins with the browser are asked for.
#[derive(Clone, Debug)]
pub(in crate::oidc) struct Endpoints {
    pub(in crate::oidc) device: Url,
    pub(in crate::oidc) token: Url,
    /// Whether a client's secret goes into the form, because the issuer takes it nowhere else.
    pub(in crate::oidc) secret_in_form: bool,
}

impl Source {
    /// Prepares to ask.
    ///
    /// # Errors
    /// What is wrong with the URL or the certificate file, for the configuration's author.
    pub(in crate::oidc) fn new(issuer: &str, ca: Option<&Path>, timeout: Duration) -> Result<Self, String> {
        let url = Url::parse(issuer).map_err(|error| format!("`url` is not a URL: {error}"))?;
        let loopback = url.scheme() == "http" && is_loopback(&url);
        if url.scheme() != "https" && !loopback {
            return Err("`url` must be https; http is for an issuer on this machine".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err("`url` must have no query, fragment, user or password".to_owned());
        }
        let discovery = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
        let discovery = Url::parse(&discovery).map_err(|error| format!("`url` is not a URL: {error}"))?;
        let mut builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            // Polls come as far apart as many servers keep a connection open, so a kept one would be closed just when it is used again.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")));
        if loopback {
            builder = builder.no_proxy();
        }
        for certificate in ca.map(authorities).transpose()?.unwrap_or_default() {
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder.build().map_err(|_| "the system's certificate authorities cannot be read".to_owned())?;
        Ok(Self { client, issuer: issuer.to_owned(), discovery, loopback, timeout })
    }

    /// The issuer's keys, within the timeout for both requests together.
    ///
    /// # Errors
    /// What went wrong, for the log: nothing of the answers is in it.
    pub(super) async fn fetch(&self) -> Result<Found, &'static str> {
        tokio::time::timeout(self.timeout, self.ask()).await.unwrap_or(Err("no answer in time"))
    }

    /// Posts a form and reads the answer whatever its status; of that size at most, within the timeout. `basic` is the client's id and secret.
    ///
    /// # Errors
    /// What went wrong, as [`fetch`](Self::fetch).
    pub(in crate::oidc) async fn post(
        &self,
        url: &Url,
        form: String,
        basic: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), &'static str> {
        let mut request = self.client.post(url.clone()).header(ACCEPT, "application/json");
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        if let Some((id, secret)) = basic {
            request = request.basic_auth(id, Some(secret));
        }
        self.send(request, limit).await
    }

    /// Whether the issuer may send a browser there, or us.
    pub(in crate::oidc) fn may_name(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.loopback && url.scheme() == "http" && is_loopback(url))
    }

    async fn ask(&self) -> Result<Found, &'static str> {
        let discovery = self.get(self.discovery.clone(), DISCOVERY_LIMIT).await?;
        let discovery: Discovery =
            serde_json::from_slice(&discovery).map_err(|_| "the discovery document is not what it must be")?;
        if discovery.issuer != self.issuer {
            return Err("the discovery document is of another issuer; `url` must be exactly its `issuer`");
        }
        let url = Url::parse(&discovery.jwks_uri).map_err(|_| "jwks_uri is not a URL")?;
        if !self.may_name(&url) {
            return Err("jwks_uri is not https");
        }
        let keys = self.get(url, KEYS_LIMIT).await?;
        let keys = KeySet::parse(&keys).ok_or("the key set has no usable key")?;
        Ok(Found { keys, endpoints: self.endpoints(&discovery) })
    }

    fn endpoints(&self, discovery: &Discovery) -> Result<Endpoints, &'static str> {
        const NONE: &str = "it has no device_authorization_endpoint and token_endpoint that could be asked";
        let url = |value: &Value| Url::parse(value.as_str()?).ok().filter(|url| self.may_name(url));
        let device = url(&discovery.device_authorization_endpoint).ok_or(NONE)?;
        let token = url(&discovery.token_endpoint).ok_or(NONE)?;
        // RFC 8414, section 2: absent, it is client_secret_basic.
        let methods = discovery.token_endpoint_auth_methods_supported.as_array();
        let takes = |name: &str| methods.is_some_and(|all| all.iter().any(|one| one == name));
        let secret_in_form = takes("client_secret_post") && !takes("client_secret_basic");
        Ok(Endpoints { device, token, secret_in_form })
    }

    async fn get(&self, url: Url, limit: usize) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        match self.send(self.client.get(url), limit).await? {
            (StatusCode::OK, body) => Ok(body),
            _ => Err("the issuer answered with an error or a redirect"),
        }
    }

    async fn send(
        &self,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), &'static str> {
        let mut response = request.send().await.map_err(|error| class(&error))?;
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| class(&error))? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err("the answer is too large");
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}

fn class(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection: is it up, does its name resolve, is its certificate trusted (`ca`)?"
    } else {
        "the answer broke off"
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("`ca`: {}: {}", path.display(), error.kind()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(format!("`ca`: {}: no certificate in PEM", path.display())),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
