//! Asks an issuer for its keys: discovery (OpenID Connect Discovery 1.0, section 4), then the key set that it names.
//!
//! Only the configured URL is asked, and what it names by `https`; no redirect is followed, and every answer is bounded in size
//! and time. Plain `http` is for an issuer on this machine, and for keys beside it.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode, Url};
use serde::Deserialize;

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
            .pool_max_idle_per_host(1)
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
    pub(super) async fn fetch(&self) -> Result<KeySet, &'static str> {
        tokio::time::timeout(self.timeout, self.ask()).await.unwrap_or(Err("no answer in time"))
    }

    async fn ask(&self) -> Result<KeySet, &'static str> {
        let discovery = self.get(self.discovery.clone(), DISCOVERY_LIMIT).await?;
        let discovery: Discovery =
            serde_json::from_slice(&discovery).map_err(|_| "the discovery document is not what it must be")?;
        if discovery.issuer != self.issuer {
            return Err("the discovery document is of another issuer; `url` must be exactly its `issuer`");
        }
        let url = Url::parse(&discovery.jwks_uri).map_err(|_| "jwks_uri is not a URL")?;
        if url.scheme() != "https" && !(self.loopback && url.scheme() == "http" && is_loopback(&url)) {
            return Err("jwks_uri is not https");
        }
        let keys = self.get(url, KEYS_LIMIT).await?;
        KeySet::parse(&keys).ok_or("the key set has no usable key")
    }

    async fn get(&self, url: Url, limit: usize) -> Result<Vec<u8>, &'static str> {
        let mut response = self.client.get(url).send().await.map_err(|error| class(&error))?;
        if response.status() != StatusCode::OK {
            return Err("the issuer answered with an error or a redirect");
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| class(&error))? {
            if body.len().saturating_add(chunk.len()) > limit {
                return Err("the answer is too large");
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
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
