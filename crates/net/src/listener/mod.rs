//! Listening: bind, accept, admit. Accepting never waits for a client: whatever a client has to send first is awaited by a worker.
//!
//! - [`admission`]: the limits and who counts against them
//! - `proxy`: the PROXY protocol's header

pub mod admission;
mod proxy;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub use admission::{Admission, Turned};

use crate::drain::DrainWatch;
use crate::workers::Workers;

/// Connections that the kernel may hold for us while we are busy.
const BACKLOG: i32 = 1024;
/// The first pause after a failed accept, doubled up to [`LONGEST_PAUSE`]: when file descriptors run out, trying again at once
/// fails again at once.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause after a failed accept.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a listener lets in.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once that have not logged in, per source: an IPv4 address or an IPv6 /64.
    pub max_unauthenticated_per_source: usize,
    /// How long a client may take from connecting to being logged in.
    pub handshake: Duration,
    /// Networks whose connections begin with a PROXY header.
    pub proxies: Vec<IpNet>,
    /// What a client is sent that is turned away, in its protocol's words. Short: it is sent without waiting.
    pub turned_away: Vec<u8>,
}

impl Default for Limits {
    /// 10,000 connections, 512 unfinished logins per source (pools of one host start all at once), 10 seconds, no proxies.
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_unauthenticated_per_source: 512,
            handshake: Duration::from_secs(10),
            proxies: Vec::new(),
            turned_away: Vec::new(),
        }
    }
}

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Someone else does.
    #[error("cannot listen on {address}: it is in use; stop what listens there, or set `{setting}` to another address")]
    InUse {
        /// The address.
        address: String,
        /// The setting that names it.
        setting: String,
    },
    /// Not for this user.
    #[error(
        "cannot listen on {address}: not permitted; ports below 1024 need a privilege; set `{setting}` to another address"
    )]
    NotPermitted {
        /// The address.
        address: String,
        /// The setting that names it.
        setting: String,
    },
    /// Not an address of this machine, or not an address.
    #[error(
        "cannot listen on {address}: {source}; set `{setting}` to HOST:PORT of this machine, such as 127.0.0.1:5432"
    )]
    Address {
        /// The address.
        address: String,
        /// The setting that names it.
        setting: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A bound address, not yet accepting.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// The client, as a trusted proxy names it if there is one.
    pub peer: SocketAddr,
    /// A handle to its place; tell it when the login is done.
    pub admission: Admission,
    /// When the login has to be done.
    pub deadline: Instant,
}

impl Listener {
    /// Binds `address` (`HOST:PORT`; port 0 takes any). `setting` is what the error tells the operator to change.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(address: &str, setting: &str) -> Result<Self, BindError> {
        let failed = |source: io::Error| {
            let (address, setting) = (address.to_owned(), setting.to_owned());
            match source.kind() {
                io::ErrorKind::AddrInUse => BindError::InUse { address, setting },
                io::ErrorKind::PermissionDenied => BindError::NotPermitted { address, setting },
                _ => BindError::Address { address, setting, source },
            }
        };
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let resolved = address.to_socket_addrs().map_err(failed)?.next().ok_or_else(missing).map_err(failed)?;
        let socket = bind(resolved).map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address: bound })
    }

    /// Where it listens; with the real port when 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until draining starts. Each connection goes to a worker, where `serve` makes its task; it is dropped when the drain
    /// cuts, however far its login or session has come. Cancel safe: a connection is either handed over or closed.
    ///
    /// # Errors
    /// When the socket cannot be registered with the runtime; failures of single connections are logged and survived.
    pub async fn run<S, F>(
        self,
        limits: Limits,
        workers: Arc<Workers>,
        mut drain: DrainWatch,
        serve: S,
    ) -> io::Result<()>
    where
        S: Fn(Accepted) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let socket = tokio::net::TcpListener::from_std(self.socket)?;
        let door = admission::Door::new(limits.max_connections, limits.max_unauthenticated_per_source);
        let limits = Arc::new(limits);
        let mut pause = FIRST_PAUSE;
        let handed = drain.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.draining() => return Ok(()),
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    let greeter = Greeter { peer, limits: Arc::clone(&limits), drain: handed.clone() };
                    greeter.admit(stream, &door, &workers, serve.clone());
                }
                Err(error) if of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, address = %self.address, "accepting failed; trying again in {pause:?}");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the last run to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Errors that `accept` passes on from a connection which is already gone: nothing is wrong with the listener.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// What a connection needs between being accepted and being served.
struct Greeter {
    peer: SocketAddr,
    limits: Arc<Limits>,
    drain: DrainWatch,
}

impl Greeter {
    fn admit<S, F>(self, stream: TcpStream, door: &Arc<admission::Door>, workers: &Workers, serve: S)
    where
        S: Fn(Accepted) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let trusted = self.limits.proxies.iter().any(|network| network.contains(&self.peer.ip().to_canonical()));
        let place = door.enter().and_then(|place| {
            if !trusted {
                place.count_source(self.peer.ip())?;
            }
            Ok(place)
        });
        let place = match place {
            Ok(place) => place,
            Err(turned) => return turn_away(&stream, &self.limits, self.peer, turned),
        };
        let peer = self.peer;
        let handed = stream.into_std().map(|stream| {
            workers.spawn(stream, move |stream| async move {
                // Held here: a task that drops its handle early must not look as if it had ended.
                let _place = Arc::clone(&place);
                let mut drain = self.drain.clone();
                let served = async {
                    if let Some(accepted) = self.greet(stream, place, trusted).await {
                        serve(accepted).await;
                    }
                };
                tokio::select! {
                    biased;
                    () = served => {}
                    () = drain.cut() => tracing::warn!(%peer, "a connection was cut: the gateway is stopping"),
                }
            })
        });
        match handed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a connection was closed"),
            Err(error) => tracing::warn!(%error, "a connection was closed"),
        }
    }

    async fn greet(self, mut stream: TcpStream, place: Arc<admission::Place>, trusted: bool) -> Option<Accepted> {
        let deadline = Instant::now().checked_add(self.limits.handshake)?;
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return None;
        }
        let mut peer = self.peer;
        if trusted {
            let header = tokio::time::timeout_at(deadline, proxy::read(&mut stream)).await;
            match header {
                Ok(Ok(Some(client))) => peer = client,
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, proxy = %self.peer, "a connection was closed");
                    return None;
                }
                Err(_late) => {
                    tracing::warn!(proxy = %self.peer, "a connection was closed: no PROXY header in time");
                    return None;
                }
            }
            if let Err(turned) = place.count_source(peer.ip()) {
                turn_away(&stream, &self.limits, peer, turned);
                return None;
            }
        }
        Some(Accepted { stream, peer, admission: Admission(place), deadline })
    }
}

/// Says why and closes, without waiting for anybody.
fn turn_away(stream: &TcpStream, limits: &Limits, peer: SocketAddr, turned: Turned) {
    tracing::warn!(%peer, reason = %turned, "a connection was turned away");
    // Whether the client still hears it does not matter.
    let _sent = stream.try_write(&limits.turned_away);
    let _shut = SockRef::from(stream).shutdown(std::net::Shutdown::Write);
}

/// Settings for every connection, accepted or dialled: no delay of small packets, and a dead peer is noticed after two minutes.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15)).with_retries(4);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
