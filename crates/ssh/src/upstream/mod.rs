//! The target's side of a session: dialled under the grant, its host key checked, logged in with the leased credential.

mod login;

use std::fmt;

use gate::ports::LeaseError;
use gate::{Grant, Outbox, ToTarget};
use net::{DialError, Transport};

use crate::config::{HostKey, TargetOptions};
use crate::keys::{self, own::KeyError, public};
use crate::known::KnownKeys;
use crate::link::socket::{Socket, SocketError};
use crate::link::{Link, LinkError};
use crate::wire::WireError;
use login::Login;

/// A target that is logged in.
pub(crate) struct Upstream {
    pub(crate) socket: Socket,
    /// The target's own user.
    pub(crate) user: String,
    /// How it was reached, for the recording.
    pub(crate) link: String,
}

/// Why a target is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("target {target} did not answer as an SSH server: {error}")]
    Socket { target: String, error: SocketError },
    #[error("target {target} took too long to log in")]
    Late { target: String },
    #[error("the host keys of target {target} cannot be read: {error}")]
    Known { target: String, error: String },
    #[error(
        "the host key of target {target} is not known: {found}; look at it, then accept it with `sallyport targets trust {target}`"
    )]
    UnknownKey { target: String, found: String },
    #[error(
        "THE HOST KEY OF TARGET {target} HAS CHANGED: it is {found} now; somebody may be in between. If the change is meant, take the old key out of `host_keys` and accept the new one with `sallyport targets trust {target}`"
    )]
    ChangedKey { target: String, found: String },
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error("the secret of role {role} of target {target}: {error}")]
    Key { target: String, role: String, error: KeyError },
    #[error("target {target} does not accept the credential of role {role}")]
    Refused { target: String, role: String },
}

impl UpstreamError {
    /// The same for the client, which learns nothing of where targets are.
    pub(crate) fn for_client(&self) -> String {
        match self {
            Self::Dial(error) => error.for_client(),
            Self::Socket { target, .. } | Self::Late { target } => {
                format!("target {target} is away: it did not answer as an SSH server; the gateway's log says why")
            }
            Self::UnknownKey { target, .. } | Self::Known { target, .. } => {
                format!("target {target} is not opened: its host key is not known to the gateway")
            }
            Self::ChangedKey { target, .. } => format!(
                "TARGET {target} IS NOT OPENED: ITS HOST KEY HAS CHANGED. Somebody may be in between; tell whoever keeps the gateway"
            ),
            Self::Lease(_) | Self::Key { .. } | Self::Refused { .. } => {
                "the gateway has no credential that opens the target; its log says why".to_owned()
            }
        }
    }
}

/// The link is broken, or too late, before any target is there.
struct Broken(SocketError);

impl<E: Into<SocketError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

fn malformed(error: WireError) -> SocketError {
    SocketError::Link(LinkError::Malformed(error))
}

/// Dials, checks, logs in, within the option's time.
///
/// # Errors
/// [`UpstreamError`].
pub(crate) async fn connect(
    grant: &Grant,
    options: &TargetOptions,
    known: &KnownKeys,
) -> Result<Upstream, UpstreamError> {
    let target = grant.target().name.clone();
    let open = open(grant, options, known);
    tokio::time::timeout(options.connect_timeout, open).await.map_err(|_| UpstreamError::Late { target })?
}

/// The key that a target proves itself with now, whoever it is.
///
/// # Errors
/// [`UpstreamError`].
pub(crate) async fn host_key(grant: &Grant, options: &TargetOptions) -> Result<HostKey, UpstreamError> {
    let target = || grant.target().name.clone();
    let dialled = tokio::time::timeout(options.connect_timeout, dial(grant, options, keys::ALGORITHMS));
    let Dialled { socket, .. } = dialled.await.map_err(|_| UpstreamError::Late { target: target() })??;
    let found = HostKey::of_blob(socket.link().server_key());
    socket.shutdown().await;
    found.ok_or_else(|| UpstreamError::Socket {
        target: target(),
        error: malformed(WireError("a host key of an unknown kind")),
    })
}

/// A target whose keys are exchanged.
struct Dialled {
    socket: Socket,
    outbox: Outbox<ToTarget>,
    /// The gateway's own address.
    from: std::net::IpAddr,
}

async fn dial(grant: &Grant, options: &TargetOptions, algorithms: &str) -> Result<Dialled, UpstreamError> {
    let broken = |Broken(error)| UpstreamError::Socket { target: grant.target().name.clone(), error };
    let stream = net::dial(grant, options.connect_timeout).await?;
    let from = stream.local_addr().map_err(|error| broken(error.into()))?.ip();
    let transport = Transport::dialled(stream).map_err(|error| broken(error.into()))?;
    let link = Link::client(algorithms).map_err(|error| broken(error.into()))?;
    let mut socket = Socket::new(link, transport);
    let mut outbox = Outbox::<ToTarget>::default();
    socket.exchange_keys(&mut outbox).await.map_err(|error| broken(error.into()))?;
    Ok(Dialled { socket, outbox, from })
}

async fn open(grant: &Grant, options: &TargetOptions, known: &KnownKeys) -> Result<Upstream, UpstreamError> {
    let target = || grant.target().name.clone();
    let mut host_keys = known.of(&target()).map_err(|error| UpstreamError::Known { target: target(), error })?;
    host_keys.extend(options.host_keys.iter().cloned());
    let Dialled { mut socket, mut outbox, from } = dial(grant, options, &wanted_keys(&host_keys)).await?;
    check_key(grant, &host_keys, socket.link().server_key())?;
    let lease = grant.lease().await?;
    let user = lease.user.clone();
    let mut login = Login { grant, socket: &mut socket, outbox: &mut outbox, from };
    if !login.run(&lease).await? {
        return Err(UpstreamError::Refused { target: target(), role: grant.role().to_owned() });
    }
    let server = String::from_utf8_lossy(socket.link().greeting()).into_owned();
    let link = format!("{}, {server}, {}", grant.endpoint().address, public::fingerprint(socket.link().server_key()));
    Ok(Upstream { socket, user, link })
}

/// Algorithms of the keys that the target is known by first, so that it proves one of those.
fn wanted_keys(known: &[HostKey]) -> String {
    let known = known.iter().flat_map(|key| keys::algorithms_of(&key.kind)).copied();
    let mut names: Vec<&str> = known.collect();
    if names.is_empty() {
        names.extend(keys::ALGORITHMS.split(','));
    }
    names.join(",")
}

fn check_key(grant: &Grant, known: &[HostKey], found: &[u8]) -> Result<(), UpstreamError> {
    if known.iter().any(|known| known.blob == found) {
        return Ok(());
    }
    let target = grant.target().name.clone();
    let found = line(found);
    Err(if known.is_empty() {
        UpstreamError::UnknownKey { target, found }
    } else {
        UpstreamError::ChangedKey { target, found }
    })
}

/// A public key as one line.
fn line(blob: &[u8]) -> String {
    HostKey::of_blob(blob).map_or_else(|| "a key of an unknown kind".to_owned(), |key| key.line())
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("link", &self.link).finish_non_exhaustive()
    }
}
