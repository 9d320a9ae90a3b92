//! Where clients and the API come in. Addresses are taken before anything else is made, so that a port in use ends the start
//! at once; nobody is served before everything is ready.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use console::{Api, GateAdapter, Operator, Server, TlsSource};
use net::{Drain, Listener, ServerTls, Workers};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use store::SystemClock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::build::{Built, worker_threads};
use crate::config::Config;
use crate::data::listen::{Listen, Written};
use crate::data::{Layout, key};
use crate::recordings::Shelf;
use crate::{local, protocols};

/// Time for the API to stop. Its own drain takes less; nothing that its callers do may keep the gateway from ending.
const API_STOPS: Duration = Duration::from_secs(10);

/// Bound addresses, not yet serving.
pub(super) struct Listeners {
    postgres: Listener,
    ssh: Option<Listener>,
    api: Server,
    /// A door for the commands of this machine when the API itself is bound elsewhere.
    local_api: Option<Server>,
    tls: Arc<Tls>,
}

/// The gateway's certificate for both sorts of clients.
pub(super) struct Tls {
    /// For the protocols.
    pub(super) server: Arc<ServerTls>,
    api: ArcSwap<ServerConfig>,
    source: net::tls::server::Source,
}

impl Tls {
    fn new(config: &Config, layout: &Layout) -> Result<Arc<Self>> {
        let source = match (&config.tls.cert, &config.tls.key) {
            (Some(cert), Some(key)) => {
                let meta = std::fs::metadata(key).with_context(|| format!("{}: look at the key", key.display()))?;
                key::private(key, &meta)?;
                net::tls::server::Source::Files { cert: cert.clone(), key: key.clone() }
            }
            _ => net::tls::server::Source::Own { directory: layout.tls(), names: config.tls.names.clone() },
        };
        let server = Arc::new(ServerTls::new(source.clone())?);
        let api = ArcSwap::from(https(&source)?);
        Ok(Arc::new(Self { server, api, source }))
    }

    /// Reads the files again, renewing our own certificate near its end.
    ///
    /// # Errors
    /// When they cannot be used; the old certificate stays in use.
    pub(super) fn refresh(&self) -> Result<bool> {
        let changed = self.server.refresh()?;
        if changed {
            self.api.store(https(&self.source)?);
        }
        Ok(changed)
    }
}

impl Listeners {
    /// Takes the addresses.
    ///
    /// # Errors
    /// Which address cannot be had, and what to change.
    pub(super) async fn bind(config: &Config, layout: &Layout) -> Result<Self> {
        let tls = Tls::new(config, layout)?;
        let postgres = Listener::bind(&config.postgres.to_string(), "listen.postgres")?;
        let ssh = config.ssh.map(|address| Listener::bind(&address.to_string(), "listen.ssh")).transpose()?;
        let loopback = config.api.ip().to_canonical().is_loopback();
        let newest: TlsSource = {
            let tls = Arc::clone(&tls);
            Arc::new(move || tls.api.load_full())
        };
        let api = Server::bind(config.api, (!loopback).then_some(newest)).await?;
        let local_api = match loopback {
            true => None,
            false => Some(Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await?),
        };
        Ok(Self { postgres, ssh, api, local_api, tls })
    }

    /// Serves.
    ///
    /// # Errors
    /// When a thread cannot be started or `listen.json` cannot be written.
    pub(super) fn start(self, built: &Arc<Built>, layout: &Layout) -> Result<Running> {
        let config = built.config.load_full();
        let operator = key::once(&layout.operator(), key::random_hex)?;
        let operator = String::from_utf8(operator)
            .with_context(|| format!("{}: not a credential", layout.operator().display()))?;
        let router = console::router(Arc::new(api(built, operator.trim(), config.metrics.open)));
        let listen = self.describe();
        let (stop_api, stopped) = watch::channel(false);
        let mut api = Vec::new();
        for server in [Some(self.api), self.local_api].into_iter().flatten() {
            api.push(tokio::spawn(server.run(router.clone(), stopped.clone())));
        }
        let workers = Arc::new(Workers::start(worker_threads(&config)).context("start the worker threads")?);
        let drain = Drain::default();
        let server = protocols::postgres_server(&built.gate, &self.tls.server, &config)?;
        let serve = move |accepted| Arc::clone(&server).serve(accepted);
        let limits = protocols::postgres_limits(&config)?;
        let mut accepting = vec![tokio::spawn(self.postgres.run(limits, Arc::clone(&workers), drain.watch(), serve))];
        if let Some(listener) = self.ssh {
            let server = protocols::ssh_server(&built.gate, key::ssh_host(&layout.ssh_host_key())?, layout);
            let serve = move |accepted| Arc::clone(&server).serve(accepted);
            let limits = protocols::ssh_limits(&config)?;
            accepting.push(tokio::spawn(listener.run(limits, Arc::clone(&workers), drain.watch(), serve)));
        }
        let written = Written::new(&layout.listen(), &listen)?;
        Ok(Running { listen, tls: self.tls, drain, workers, accepting, stop_api, api, _written: written })
    }

    fn describe(&self) -> Listen {
        let scheme = if self.api.is_tls() { "https" } else { "http" };
        let api_url = match &self.local_api {
            Some(local) => format!("http://{}", local.address()),
            None => format!("{scheme}://{}", self.api.address()),
        };
        Listen {
            postgres: self.postgres.address().to_string(),
            ssh: self.ssh.as_ref().map(|listener| listener.address().to_string()),
            api: self.api.address().to_string(),
            api_url,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

fn api(built: &Arc<Built>, operator: &str, open_metrics: bool) -> Api {
    Api {
        gateway: Arc::new(GateAdapter(Arc::clone(&built.gate))),
        identities: Arc::clone(built.gate.identities()),
        approvals: Arc::clone(built.gate.approvals()),
        audit: Arc::clone(built.gate.audit()),
        clock: Arc::new(SystemClock),
        tokens: Arc::new(built.tokens()),
        library: Arc::new(Shelf(built.recordings.library())),
        runtime: Arc::clone(&built.state) as _,
        operator: Operator::new(operator, &local::os_user()),
        open_metrics,
    }
}

/// The same certificate for HTTPS: its handshake names another protocol than a database's.
fn https(source: &net::tls::server::Source) -> Result<Arc<ServerConfig>> {
    let (cert, key) = match source {
        net::tls::server::Source::Own { directory, .. } => (directory.join("cert.pem"), directory.join("key.pem")),
        net::tls::server::Source::Files { cert, key } => (cert.clone(), key.clone()),
    };
    let chain = CertificateDer::pem_file_iter(&cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("{}: read the certificate", cert.display()))?;
    let secret = PrivateKeyDer::from_pem_file(&key).with_context(|| format!("{}: read the key", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("{} and {} do not belong together", cert.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What serves.
pub(super) struct Running {
    /// Where.
    pub(super) listen: Listen,
    tls: Arc<Tls>,
    drain: Drain,
    workers: Arc<Workers>,
    accepting: Vec<JoinHandle<std::io::Result<()>>>,
    stop_api: watch::Sender<bool>,
    api: Vec<JoinHandle<()>>,
    _written: Written,
}

impl Running {
    /// The certificates in use.
    pub(super) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// Stops accepting, waits for connections until `grace` is over, cuts the rest, and stops the API last: approvals can be
    /// answered until the end. How many connections are left.
    pub(super) async fn stop(self, grace: impl Future<Output = ()>) -> usize {
        self.drain.start();
        for accepting in self.accepting {
            match accepting.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a listener had failed"),
                Err(error) => tracing::error!(%error, "a listener had stopped"),
            }
        }
        let left = self.drain.finish(grace).await;
        let stopped = self.stop_api.send(true);
        if stopped.is_ok() {
            for mut server in self.api {
                match tokio::time::timeout(API_STOPS, &mut server).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "the API had stopped"),
                    Err(_) => {
                        tracing::error!("the API did not stop in time and is cut");
                        server.abort();
                    }
                }
            }
        }
        // Nobody else holds the workers now; dropping them would do the same without waiting for the threads.
        if let Some(workers) = Arc::into_inner(self.workers) {
            let joined = tokio::task::spawn_blocking(move || workers.stop()).await;
            if joined.is_err() {
                tracing::error!("the workers did not stop in order");
            }
        }
        left
    }
}
