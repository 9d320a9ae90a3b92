//! The listener of the API: HTTP/1.1, bounded in connections, header size and time; TLS when bound beyond loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::auth::Peer;

/// Connections served at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 256;
/// Time for a TLS handshake and for the head of each request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Largest head of a request. A bearer may have 16 KiB.
const MAX_HEAD: usize = 64 * 1024;
/// Most header fields of a request.
const MAX_FIELDS: usize = 64;
/// A peer that takes no byte for this long is cut off.
const STALLED: Duration = Duration::from_secs(30);
/// Pause after an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time that open calls get to end when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another program has the address.
    #[error(
        "the API cannot listen on {0}: the address is in use by another program; set `listen: {{ api: … }}` to another port"
    )]
    InUse(SocketAddr),
    /// Any other reason.
    #[error("the API cannot listen on {0}: {1}; check `listen: {{ api: … }}`")]
    Other(SocketAddr, std::io::Error),
}

/// A bound listener, not yet serving.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsSource>,
}

/// Gives the newest TLS configuration for each handshake: a renewed certificate is used from then on.
pub type TlsSource = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

impl Server {
    /// Binds. Port 0 takes a free one; see [`Server::address`].
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr, tls: Option<TlsSource>) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::InUse(address),
            _ => ServeError::Other(address, error),
        })?;
        let bound = listener.local_addr().map_err(|error| ServeError::Other(address, error))?;
        Ok(Self { listener, address: bound, tls })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until `stop` is true or its sender is gone, then lets open calls end for a few seconds.
    pub async fn run(self, router: Router, mut stop: watch::Receiver<bool>) {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut tasks = JoinSet::new();
        while let Some((stream, peer, permit)) = self.next(&permits, &mut tasks, &mut stop).await {
            let tls = self.tls.as_ref().map(|newest| TlsAcceptor::from(newest()));
            let (router, stop) = (router.clone(), stop.clone());
            tasks.spawn(async move {
                connection(stream, peer, tls, router, stop).await;
                drop(permit);
            });
        }
        drop(self.listener);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::info!("API calls were still open after the drain and are cut");
        }
    }

    /// The next connection, as soon as there is room for it; `None` when the server stops, room or not. Cancel safe.
    async fn next(
        &self,
        permits: &Arc<Semaphore>,
        tasks: &mut JoinSet<()>,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        loop {
            let arrival = async {
                let permit = Arc::clone(permits).acquire_owned().await.ok()?;
                Some((self.listener.accept().await, permit))
            };
            let (accepted, permit) = tokio::select! {
                arrived = arrival => arrived?,
                () = stopped(stop) => return None,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            };
            match accepted {
                Ok((stream, peer)) => return Some((stream, peer, permit)),
                Err(error) => {
                    tracing::warn!(%error, "the API could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: the gateway is ending.
    let _ended = stop.wait_for(|stop| *stop).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "socket options of an API connection could not be set");
    }
    let Some(tls) = tls else {
        return http(stream, peer, router, stop).await;
    };
    match tokio::time::timeout(HEAD_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, peer, router, stop).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake with an API client failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake with an API client took too long"),
    }
}

fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(STALLED))?;
    socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(STALLED))
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        TowerToHyperService::new(router.clone()).call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "an API connection ended early");
    }
}
