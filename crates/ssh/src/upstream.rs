//! The target's side of a session: dialled under the grant, its host key checked, logged in with the leased credential.

use std::fmt;

use gate::ports::{Lease, LeaseError};
use gate::{Grant, Outbox, ToTarget};
use net::{DialError, Transport};

use crate::config::TargetOptions;
use crate::keys::own::{KeyError, SigningKey};
use crate::keys::{self, own};
use crate::link::socket::{Framed, Socket, SocketError};
use crate::link::{Link, LinkError};
use crate::wire::{Cursor, WireError, encode, limits, number};

/// The first words of a private key in OpenSSH's format.
const PRIVATE_KEY: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";

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
    #[error("the host key of target {target} is not known; look at it, and name it in `host_keys`: {found}")]
    UnknownKey { target: String, found: String },
    #[error(
        "THE HOST KEY OF TARGET {target} HAS CHANGED: it is {found} now; somebody may be in between. If the change is meant, name the new key in `host_keys`"
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
            Self::UnknownKey { target, .. } => {
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
pub(crate) async fn connect(grant: &Grant, options: &TargetOptions) -> Result<Upstream, UpstreamError> {
    let target = grant.target().name.clone();
    let late = || UpstreamError::Late { target: target.clone() };
    tokio::time::timeout(options.connect_timeout, open(grant, options)).await.map_err(|_| late())?
}

async fn open(grant: &Grant, options: &TargetOptions) -> Result<Upstream, UpstreamError> {
    let target = || grant.target().name.clone();
    let broken = |Broken(error)| UpstreamError::Socket { target: target(), error };
    let stream = net::dial(grant, options.connect_timeout).await?;
    let transport = Transport::dialled(stream).map_err(|error| broken(error.into()))?;
    let link = Link::client(&wanted_keys(options)).map_err(|error| broken(error.into()))?;
    let mut socket = Socket::new(link, transport);
    let mut outbox = Outbox::<ToTarget>::default();
    socket.exchange_keys(&mut outbox).await.map_err(|error| broken(error.into()))?;
    check_key(grant, options, socket.link().server_key())?;
    let lease = grant.lease().await?;
    let user = lease.user.clone();
    let mut login = Login { grant, socket: &mut socket, outbox: &mut outbox };
    if !login.run(&lease).await? {
        return Err(UpstreamError::Refused { target: target(), role: grant.role().to_owned() });
    }
    let server = String::from_utf8_lossy(socket.link().greeting()).into_owned();
    let link = format!("{}, {server}, {}", grant.endpoint().address, fingerprint(socket.link().server_key()));
    Ok(Upstream { socket, user, link })
}

/// Algorithms of the keys that the target is known by first, so that it proves one of those.
fn wanted_keys(options: &TargetOptions) -> String {
    let known = options.host_keys.iter().flat_map(|key| keys::algorithms_of(&key.kind)).copied();
    let mut names: Vec<&str> = known.collect();
    if names.is_empty() {
        names.extend(keys::ALGORITHMS.split(','));
    }
    names.join(",")
}

fn check_key(grant: &Grant, options: &TargetOptions, found: &[u8]) -> Result<(), UpstreamError> {
    if options.host_keys.iter().any(|known| known.blob == found) {
        return Ok(());
    }
    let target = grant.target().name.clone();
    let found = line(found);
    Err(if options.host_keys.is_empty() {
        UpstreamError::UnknownKey { target, found }
    } else {
        UpstreamError::ChangedKey { target, found }
    })
}

/// A public key as one line.
fn line(blob: &[u8]) -> String {
    let key = ssh_key::PublicKey::from_bytes(blob).ok().and_then(|key| key.to_openssh().ok());
    key.unwrap_or_else(|| "a key of an unknown kind".to_owned())
}

/// A public key's fingerprint, as OpenSSH shows it.
pub(crate) fn fingerprint(blob: &[u8]) -> String {
    let key = ssh_key::PublicKey::from_bytes(blob).ok();
    key.map(|key| key.fingerprint(ssh_key::HashAlg::Sha256).to_string()).unwrap_or_default()
}

/// The login at the target (RFC 4252), as the gateway.
struct Login<'a> {
    grant: &'a Grant,
    socket: &'a mut Socket,
    outbox: &'a mut Outbox<ToTarget>,
}

impl Login<'_> {
    /// Whether the target lets us in.
    async fn run(&mut self, lease: &Lease) -> Result<bool, UpstreamError> {
        let target = || self.grant.target().name.clone();
        let secret = lease.password.as_ref().map(gate::Secret::expose).unwrap_or_default();
        let key = if secret.trim_ascii_start().starts_with(PRIVATE_KEY) {
            let read = SigningKey::read(secret.trim_ascii_start());
            let role = self.grant.role().to_owned();
            Some(read.map_err(|error| UpstreamError::Key { target: target(), role, error })?)
        } else {
            None
        };
        let target = target();
        let broken = |error| UpstreamError::Socket { target, error };
        self.steps(&lease.user, secret, key.as_ref()).await.map_err(broken)
    }

    async fn steps(&mut self, user: &str, secret: &[u8], key: Option<&SigningKey>) -> Result<bool, SocketError> {
        self.send(&encode::message(number::SERVICE_REQUEST, |out| encode::string(out, b"ssh-userauth")));
        let accept = self.socket.receive(self.outbox).await?;
        if accept.first() != Some(&number::SERVICE_ACCEPT) {
            return Err(malformed(WireError("the service of logins is not there")));
        }
        match key {
            Some(key) => self.send(&signed(user, key, self.socket.link().session())),
            None => self.send(&request(user, "password", |out| {
                encode::boolean(out, false);
                encode::string(out, secret);
            })),
        }
        for _ in 0..limits::LOGIN_MESSAGES {
            let message = self.socket.receive(self.outbox).await?;
            match message.first().copied() {
                Some(number::USERAUTH_SUCCESS) => return Ok(true),
                Some(number::USERAUTH_FAILURE) => {
                    let mut cursor = Cursor::new(&message);
                    cursor.byte().map_err(malformed)?;
                    let more = cursor.names().map_err(malformed)?;
                    // Servers that ask for passwords only in a dialogue.
                    if key.is_none() && more.split(',').any(|name| name == "keyboard-interactive") {
                        return self.dialogue(user, secret).await;
                    }
                    return Ok(false);
                }
                Some(number::USERAUTH_BANNER) => {}
                _ => return Err(malformed(WireError("not an answer to a login"))),
            }
        }
        Err(malformed(WireError("a login without an end")))
    }

    /// The password as the answer to the one question that is asked (RFC 4256).
    async fn dialogue(&mut self, user: &str, secret: &[u8]) -> Result<bool, SocketError> {
        self.send(&request(user, "keyboard-interactive", |out| {
            encode::string(out, b"");
            encode::string(out, b"");
        }));
        for _ in 0..limits::LOGIN_MESSAGES {
            let message = self.socket.receive(self.outbox).await?;
            match message.first().copied() {
                Some(number::USERAUTH_SUCCESS) => return Ok(true),
                Some(number::USERAUTH_FAILURE) => return Ok(false),
                Some(number::USERAUTH_BANNER) => {}
                Some(number::USERAUTH_INFO_REQUEST) => {
                    let questions = questions(&message).map_err(malformed)?;
                    if questions > 1 {
                        return Ok(false);
                    }
                    self.send(&encode::message(number::USERAUTH_INFO_RESPONSE, |out| {
                        encode::u32(out, questions);
                        if questions == 1 {
                            encode::string(out, secret);
                        }
                    }));
                }
                _ => return Err(malformed(WireError("not an answer to a login"))),
            }
        }
        Err(malformed(WireError("a login without an end")))
    }

    fn send(&mut self, message: &[u8]) {
        let mut framed = Vec::with_capacity(message.len() + 4);
        gate::Encode::encode(&Framed(message), &mut framed);
        self.outbox.handshake(self.grant, &framed);
        zeroize::Zeroize::zeroize(&mut framed);
    }
}

fn questions(message: &[u8]) -> Result<u32, WireError> {
    let mut cursor = Cursor::new(message);
    cursor.byte()?;
    let _words = (cursor.string()?, cursor.string()?, cursor.string()?);
    cursor.u32()
}

fn request(user: &str, method: &str, rest: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    encode::message(number::USERAUTH_REQUEST, |out| {
        encode::string(out, user.as_bytes());
        encode::string(out, b"ssh-connection");
        encode::string(out, method.as_bytes());
        rest(out);
    })
}

/// A request that a key signs (RFC 4252, section 7).
fn signed(user: &str, key: &SigningKey, session: &[u8]) -> Vec<u8> {
    let unsigned = request(user, "publickey", |out| {
        encode::boolean(out, true);
        encode::string(out, own::ED25519.as_bytes());
        encode::string(out, key.blob());
    });
    let mut words = Vec::with_capacity(unsigned.len() + session.len() + 4);
    encode::string(&mut words, session);
    words.extend_from_slice(&unsigned);
    let mut message = unsigned;
    encode::string(&mut message, &key.sign(&words));
    message
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("link", &self.link).finish_non_exhaustive()
    }
}
