//! Carries a [`Login`] over a transport: bounded bytes, bounded time, and a slow answer to whoever fails.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use gate::ports::{AuthFailure, Identities, Proven};
use gate::{Outbox, ToClient};
use net::tls::{ALPN, HandshakeError};
use net::{ServerTls, Transport, pool};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Channel, Facts, Login, LoginFailure, Method, Opening, Proof};
use crate::config::LoginSettings;
use crate::wire::startup::{self, TLS_HANDSHAKE};
use crate::wire::{Frames, InitialNext, Next, limits};

/// Random bytes of our half of a SCRAM nonce; libpq uses as many.
const NONCE: usize = 18;

/// On whose terms a client logs in.
pub struct Terms<'a> {
    /// Our certificate; `None` where no TLS is offered.
    pub tls: Option<&'a ServerTls>,
    /// Who proves identities.
    pub identities: &'a dyn Identities,
    /// How clients log in here.
    pub settings: &'a LoginSettings,
    /// When it must be done.
    pub deadline: Instant,
}

impl std::fmt::Debug for Terms<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms").field("settings", self.settings).finish_non_exhaustive()
    }
}

/// A client whose identity is proven. It was sent AuthenticationOk; parameters, the cancel key and ReadyForQuery are the session's to
/// send, or an error.
#[derive(Debug)]
pub struct LoggedIn {
    /// Who it is.
    pub proven: Proven,
    /// How that was proven.
    pub method: Method,
    /// The target that is asked for.
    pub target: String,
    /// The database in it, if one is named.
    pub database: Option<String>,
    /// The startup user: a role's name, or anything.
    pub role: Option<String>,
    /// The protocol is 3.`minor`.
    pub minor: u16,
    /// Settings that are asked for, in order, for policy to judge as SET.
    pub settings: Vec<(String, String)>,
    /// What the client calls itself.
    pub application_name: Option<String>,
    /// The connection.
    pub transport: Transport,
    /// What the client has sent beyond its login.
    pub unread: Vec<u8>,
}

/// How a connection ended before anybody was proven. Whatever there was to say to the client has been said.
#[derive(Debug, thiserror::Error)]
pub enum LoginEnd {
    /// It was no login: end another session's command. The connection is closed; no answer is given.
    #[error("a cancel request")]
    Cancel {
        /// Which session.
        pid: i32,
        /// The proof that one may.
        key: Vec<u8>,
    },
    /// The client left. Port scanners do, and clients that first ask their user for a password.
    #[error("the client left during the login")]
    Left,
    /// It took too long.
    #[error("the login was not done in time")]
    Late,
    /// TLS did not come about.
    #[error("TLS with the client failed: {0}")]
    Tls(#[from] HandshakeError),
    /// The client was refused.
    #[error("the login was refused: {0}")]
    Refused(#[from] LoginFailure),
    /// The connection broke.
    #[error("the connection broke during the login: {0}")]
    Io(#[from] io::Error),
}

/// Logs a client in. Not cancel safe: dropped, the connection is closed.
///
/// # Errors
/// [`LoginEnd`]; the connection is closed.
pub async fn run(transport: Transport, terms: &Terms<'_>) -> Result<LoggedIn, LoginEnd> {
    timeout_at(terms.deadline, attempt(transport, terms)).await.unwrap_or(Err(LoginEnd::Late))
}

async fn attempt(transport: Transport, terms: &Terms<'_>) -> Result<LoggedIn, LoginEnd> {
    let facts = Facts {
        settings: *terms.settings,
        scram: terms.identities.scram_parameters(),
        nonce: nonce()?,
        discovery: terms.identities.bearer_discovery(),
    };
    let channel =
        Channel { is_tls: transport.is_tls(), can_tls: terms.tls.is_some(), binding: transport.tls_server_end_point() };
    let mut login = Login::new(facts, channel);
    let mut line = Line { transport, unread: Vec::new() };
    if let Some(tls) = terms.tls
        && !line.transport.is_tls()
        && line.starts_with_tls().await?
    {
        line = line.secure(tls).await?;
        // Without it, whoever redirects a browser's or another server's handshake to us could be taken for a client (54.2.10).
        if line.transport.alpn() != Some(ALPN) {
            return Err(LoginEnd::Tls(HandshakeError::NothingInCommon));
        }
        login.secured(line.transport.tls_server_end_point());
    }
    match converse(line, &mut login, terms).await {
        Ok((line, proven)) => {
            let Some((wanted, minor, method)) = login.into_parts() else {
                return Err(LoginEnd::Left);
            };
            Ok(LoggedIn {
                proven,
                method,
                target: wanted.target,
                database: wanted.database,
                role: wanted.role,
                minor,
                settings: wanted.settings,
                application_name: wanted.application_name,
                transport: line.transport,
                unread: line.unread,
            })
        }
        Err(Stop::End(end)) => Err(end),
        Err(Stop::Tell(line, failure)) => {
            line.dismiss(&failure).await;
            Err(LoginEnd::Refused(failure))
        }
    }
}

/// Why a conversation stopped.
enum Stop {
    /// With nothing to say.
    End(LoginEnd),
    /// With this to say, over this line.
    Tell(Box<Line>, LoginFailure),
}

impl<E: Into<LoginEnd>> From<E> for Stop {
    fn from(end: E) -> Self {
        Self::End(end.into())
    }
}

async fn converse(mut line: Line, login: &mut Login, terms: &Terms<'_>) -> Result<(Line, Proven), Stop> {
    while !login.is_open() {
        let opening = match line.packet(login).await? {
            Ok(opening) => opening,
            Err(failure) => return Err(Stop::Tell(Box::new(line), failure)),
        };
        match opening {
            Opening::Answer(byte) => line.send(&[byte]).await?,
            Opening::Ask(bytes) => line.send(&bytes).await?,
            Opening::Cancel { pid, key } => return Err(Stop::End(LoginEnd::Cancel { pid, key })),
            Opening::StartTls => {
                let Some(tls) = terms.tls else {
                    return Err(Stop::End(LoginEnd::Left));
                };
                line.send(b"S").await?;
                line = line.secure(tls).await?;
                login.secured(line.transport.tls_server_end_point());
            }
        }
    }
    loop {
        let proof = match line.answer(login).await? {
            Ok(proof) => proof,
            Err(failure) => return Err(Stop::Tell(Box::new(line), failure)),
        };
        let verified = match proof {
            Proof::Answer(bytes) => {
                line.send(&bytes).await?;
                continue;
            }
            Proof::Token(token) => terms.identities.verify(&token, login.target()).await.map(|proven| (proven, None)),
            Proof::Scram(attempt) => {
                let verified = terms.identities.verify_scram(&attempt, login.target()).await;
                verified.map(|(proven, signature)| (proven, Some(signature)))
            }
        };
        match verified {
            Ok((proven, signature)) => {
                line.send(&login.proven(signature.as_ref())).await?;
                return Ok((line, proven));
            }
            Err(failure) => line = refuse(line, login, failure, terms).await?,
        }
    }
}

/// Tells a client that its proof was not good, after a while.
async fn refuse(mut line: Line, login: &mut Login, failure: AuthFailure, terms: &Terms<'_>) -> Result<Line, Stop> {
    sleep(terms.settings.failure_delay).await;
    match login.refused(failure) {
        Ok(bytes) => {
            line.send(&bytes).await?;
            Ok(line)
        }
        Err(failure) => Err(Stop::Tell(Box::new(line), failure)),
    }
}

fn nonce() -> io::Result<String> {
    let mut bytes = [0; NONCE];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(STANDARD_NO_PAD.encode(bytes))
}

/// A transport with what was read from it and not used yet.
struct Line {
    transport: Transport,
    unread: Vec<u8>,
}

impl Line {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut outbox = Outbox::<ToClient>::default();
        outbox.login(bytes);
        self.transport.flush(&mut outbox).await
    }

    /// Whether the client begins with a TLS handshake, without taking a byte of it.
    async fn starts_with_tls(&mut self) -> Result<bool, LoginEnd> {
        let mut first = [0];
        match self.transport.peek(&mut first).await? {
            0 => Err(LoginEnd::Left),
            _ => Ok(first == [TLS_HANDSHAKE]),
        }
    }

    async fn secure(self, tls: &ServerTls) -> Result<Self, LoginEnd> {
        let transport = self.transport.accept_tls(tls.current()).await?;
        Ok(Self { transport, unread: Vec::new() })
    }

    /// Reads one packet without a tag and gives it to the login.
    async fn packet(&mut self, login: &mut Login) -> Result<Result<Opening, LoginFailure>, LoginEnd> {
        loop {
            let (result, used) = match startup::read(&self.unread) {
                Ok(InitialNext::Packet(packet, used)) => (login.opening(packet, self.unread.len() > used), used),
                Ok(InitialNext::Partial { .. }) => {
                    self.more().await?;
                    continue;
                }
                Err(error) => return Ok(Err(error.into())),
            };
            self.unread.drain(..used);
            return Ok(result);
        }
    }

    /// Reads one `p` message and gives it to the login.
    async fn answer(&mut self, login: &mut Login) -> Result<Result<Proof, LoginFailure>, LoginEnd> {
        loop {
            let mut frames = Frames::new(&self.unread, limits::LOGIN);
            let frame = match frames.advance() {
                Ok(Next::Frame(frame)) => frame,
                Ok(Next::Partial { have, .. }) => {
                    // What is not an answer is refused by its first byte, however long it says it is.
                    if have > 0 && self.unread.first() != Some(&b'p') {
                        return unexpected(&self.unread);
                    }
                    self.more().await?;
                    continue;
                }
                Err(error) => return Ok(Err(error.into())),
            };
            if frame.tag != b'p' {
                return unexpected(frame.whole);
            }
            let result = login.answer(frame.body);
            let used = frames.consumed();
            wipe(&mut self.unread, used);
            return Ok(result);
        }
    }

    async fn more(&mut self) -> Result<(), LoginEnd> {
        match poll_fn(|cx| self.poll_more(cx)).await? {
            0 => Err(LoginEnd::Left),
            _ => Ok(()),
        }
    }

    /// The buffer comes from the pool for the moment of reading only: ten thousand half-open logins hold none.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = pool::take();
        let read = ready!(self.transport.poll_read(cx, &mut buffer))?;
        self.unread.extend_from_slice(buffer.get(..read).unwrap_or_default());
        // A password may have been in it, and the buffer goes to the next session.
        if let Some(used) = buffer.get_mut(..read) {
            used.fill(0);
        }
        Poll::Ready(Ok(read))
    }

    /// Says why, and closes.
    async fn dismiss(mut self, failure: &LoginFailure) {
        let mut bytes = Vec::new();
        failure.encode(&mut bytes);
        // A client that is gone does not need to be told.
        if self.send(&bytes).await.is_ok() {
            self.transport.shutdown().await;
        }
    }
}

/// Takes `used` bytes off the front and leaves nothing of them behind: a password was in them.
fn wipe(unread: &mut Vec<u8>, used: usize) {
    let rest = unread.get(used..).unwrap_or_default().to_vec();
    unread.fill(0);
    *unread = rest;
}

fn unexpected(message: &[u8]) -> Result<Result<Proof, LoginFailure>, LoginEnd> {
    match message.first() {
        Some(b'X') => Err(LoginEnd::Left),
        _ => Ok(Err(LoginFailure::new("08P01", "an answer to the request for authentication was expected"))),
    }
}
