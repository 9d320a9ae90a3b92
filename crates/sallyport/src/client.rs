//! The API as the command line uses it: as the local operator of a running gateway, or as an identity with its token.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::Global;
use crate::data::listen::Listen;
use crate::data::{Layout, key, lock};

/// Time for an answer to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
/// Time for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Largest answer that is read whole.
const MAX_ANSWER: u64 = 64 << 20;

/// A gateway's API.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
}

/// Why there is no API to talk to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoGateway {
    /// No gateway runs on the data directory.
    #[error("no gateway runs on {0}; start it with `sallyport serve`, or name one with --api URL and --token TOKEN")]
    NotRunning(String),
}

/// An error answer of the API.
#[derive(Debug, thiserror::Error)]
#[error("{message} [{code}, request {request}]")]
pub(crate) struct Refused {
    /// The word for programs.
    pub(crate) code: String,
    /// The text for people.
    pub(crate) message: String,
    /// The request in the gateway's log.
    pub(crate) request: String,
}

impl Client {
    /// The gateway that the options mean: `--api` with `--token`, or the one that runs on the data directory, as the operator
    /// or with the token.
    ///
    /// # Errors
    /// [`NoGateway`] when none runs; others when it cannot be used.
    pub(crate) fn find(global: &Global) -> Result<Self> {
        if let Some(api) = &global.api {
            let Some(token) = &global.token else {
                bail!("--api needs --token TOKEN or SALLYPORT_TOKEN: the gateway must know who asks")
            };
            let ca = global
                .places()
                .data_dir()
                .map(|dir| Layout::new(dir).ca())
                .ok()
                .and_then(|path| std::fs::read(path).ok());
            return Self::new(api, token, ca.as_deref());
        }
        let layout = Layout::new(global.places().data_dir()?);
        let running = if lock::is_held(&layout.lock()) { Listen::read(&layout.listen())? } else { None };
        let Some(listen) = running else {
            return Err(NoGateway::NotRunning(layout.root().display().to_string()).into());
        };
        let token = match &global.token {
            Some(token) => token.clone(),
            None => operator_token(&layout)?,
        };
        let ca = std::fs::read(layout.ca()).ok();
        Self::new(&listen.api_url, &token, ca.as_deref())
    }

    /// The running gateway, or `None` when there is none and none was named.
    ///
    /// # Errors
    /// When one was named or runs and cannot be used.
    pub(crate) fn find_running(global: &Global) -> Result<Option<Self>> {
        match Self::find(global) {
            Ok(client) => Ok(Some(client)),
            Err(error) if error.is::<NoGateway>() && global.token.is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn new(base: &str, token: &str, ca: Option<&[u8]>) -> Result<Self> {
        let base = Url::parse(base).with_context(|| format!("{base} is not a URL such as http://127.0.0.1:8460"))?;
        let local = base.host_str().is_some_and(|host| {
            host == "localhost"
                || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        if base.scheme() != "https" && !local {
            bail!("{base}: the token would travel in clear text; use https");
        }
        let mut value =
            HeaderValue::from_str(&format!("Bearer {token}")).context("the token has characters that no token has")?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .no_proxy();
        if let Some(ca) = ca {
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(ca).context("read the gateway's ca.pem")?);
        }
        Ok(Self { http: builder.build().context("make an HTTP client")?, base })
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// [`Refused`] as the gateway says it; others when it cannot be reached.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(self.send(Method::GET, path, None::<&()>).await?).await
    }

    /// Sends a body and reads the answer.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        read(self.send(Method::POST, path, Some(body)).await?).await
    }

    /// Removes a resource.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(self.send(Method::DELETE, path, None::<&()>).await?).await
    }

    /// Reads a resource piece by piece. `each` gets the bytes as they come.
    ///
    /// # Errors
    /// As [`Client::get`], and when the answer ends early.
    pub(crate) async fn stream(&self, path: &str, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut response = self.send(Method::GET, path, None::<&()>).await?;
        while let Some(chunk) = response.chunk().await.map_err(|_| {
            anyhow!(
                "the gateway ended the answer early; `sallyport sessions verify` tells whether the recording is whole"
            )
        })? {
            each(&chunk)?;
        }
        Ok(())
    }

    async fn send(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Response> {
        let url = self.base.join(path).context("make the URL")?;
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = match tokio::time::timeout(ANSWER_WITHIN, request.send()).await {
            Ok(sent) => sent.map_err(|error| self.unreachable(&error))?,
            Err(_) => bail!("{}: it does not answer in time", self.base),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        match read::<console::ErrorBody>(response).await {
            Ok(body) => Err(Refused { code: body.code, message: body.message, request: body.request_id }.into()),
            Err(_) => bail!("{}: the answer is not Sallyport's (HTTP {})", self.base, status.as_u16()),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let why = if error.is_connect() {
            "it cannot be reached, or its certificate is not trusted (`--data-dir` of the gateway has its ca.pem)"
        } else {
            "the call failed"
        };
        anyhow!("{}: {why}", self.base)
    }
}

/// The credential of the local operator.
fn operator_token(layout: &Layout) -> Result<String> {
    let path = layout.operator();
    let bytes =
        key::read(&path).with_context(|| "only the operator of the gateway may do this; else pass --token TOKEN")?;
    let Some(bytes) = bytes else {
        bail!("{}: the running gateway has no operator credential; start it again", path.display())
    };
    String::from_utf8(bytes)
        .map(|text| text.trim().to_owned())
        .with_context(|| format!("{}: not a credential", path.display()))
}

async fn read<T: DeserializeOwned>(mut response: Response) -> Result<T> {
    let mut bytes = Vec::new();
    let late = || anyhow!("the gateway stopped in the middle of an answer; try again");
    while let Some(chunk) =
        tokio::time::timeout(ANSWER_WITHIN, response.chunk()).await.map_err(|_| late())?.map_err(|_| late())?
    {
        if bytes.len() as u64 + chunk.len() as u64 > MAX_ANSWER {
            bail!("the answer is larger than 64 MiB; ask for less");
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).context("the answer is not what this version of Sallyport expects")
}

/// A value as part of a query.
pub(crate) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let mut url = form(pairs);
    if !url.is_empty() {
        url.insert(0, '?');
    }
    url
}

fn form(pairs: &[(&str, Option<String>)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
    };
    let parts: Vec<String> = pairs
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", escape(value))))
        .collect();
    parts.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(query(&[("a", Some("x&y=z é".into())), ("b", Some("1".into()))]), "?a=x%26y%3Dz%20%C3%A9&b=1");
    }

    #[test]
    fn a_token_never_travels_in_clear_text_to_another_machine() {
        assert!(Client::new("http://gateway.example:8460", "t", None).is_err());
        assert!(Client::new("http://127.0.0.1:8460", "t", None).is_ok());
        assert!(Client::new("http://[::1]:8460", "t", None).is_ok());
    }
}
