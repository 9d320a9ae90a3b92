//! A client's login, up to a proven identity (RFC 4252, RFC 4256). Success is not said here: only once there is a session.
//!
//! The user's name is `TARGET` or `ROLE:TARGET`. What proves the identity is a token, as a password or as the answer to a question, a login with
//! the browser (`interactive`), or a key that is known or certified (`public_key`).

mod interactive;
mod public_key;

use std::time::Duration;

use gate::ports::{AuthFailure, Identities, Proven};
use gate::{Outbox, ToClient};
use tokio::time::Instant;

use crate::link::socket::{Framed, Socket, SocketError};
use crate::link::{Link, LinkError};
use crate::wire::{Cursor, WireError, encode, limits, number};
use interactive::Deadline;
use public_key::{Answer, Offer};

/// The service of logins.
const USERAUTH: &str = "ssh-userauth";
/// The service after a login.
const CONNECTION: &str = "ssh-connection";
/// What a client may prove itself with.
const METHODS: &str = "password,keyboard-interactive";
/// The same where keys are known.
const METHODS_WITH_KEYS: &str = "publickey,password,keyboard-interactive";
/// The longest user name: a role's and a target's, and room for slips.
const USER: usize = 256;
/// The longest secret.
const SECRET: usize = 16 * 1024;
/// `SSH_DISCONNECT_BY_APPLICATION` (RFC 4253, section 11.1).
const BY_APPLICATION: u32 = 11;
/// `SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE`.
const NO_MORE: u32 = 14;

/// A client that has proven who it is.
pub(crate) struct LoggedIn {
    pub(crate) proven: Proven,
    /// The target that it asks for.
    pub(crate) target: String,
    /// The role that it asks for.
    pub(crate) role: Option<String>,
    /// What the client calls itself.
    pub(crate) client: String,
    /// Whether the person logged in with the browser.
    pub(crate) by_browser: bool,
}

/// Why there is no login.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginEnd {
    /// The client is gone, or the link is broken.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Too late.
    #[error("the login took too long")]
    Late,
    /// Nothing proved anything.
    #[error("too many attempts; the last one: {0}")]
    Attempts(AuthFailure),
}

impl From<WireError> for LoginEnd {
    fn from(error: WireError) -> Self {
        Self::Socket(LinkError::Malformed(error).into())
    }
}

/// A login that goes on.
pub(crate) struct Login<'a> {
    pub(crate) socket: &'a mut Socket,
    pub(crate) outbox: &'a mut Outbox<ToClient>,
    pub(crate) identities: &'a dyn Identities,
    pub(crate) failure_delay: Duration,
    /// A request that has come in place of an answer.
    pub(crate) next: Option<Vec<u8>>,
}

impl Login<'_> {
    /// Carries the login out before `deadline`.
    ///
    /// # Errors
    /// [`LoginEnd`]; the client was told where it could be.
    pub(crate) async fn run(&mut self, deadline: Instant) -> Result<LoggedIn, LoginEnd> {
        let deadline = Deadline::new(deadline);
        let done = tokio::select! {
            biased;
            done = self.steps(&deadline) => done,
            () = deadline.over() => Err(LoginEnd::Late),
        };
        match &done {
            Err(LoginEnd::Attempts(failure)) => self.say_goodbye(NO_MORE, &failure.to_string()).await,
            Err(late @ LoginEnd::Late) if deadline.was_moved() => self.say_goodbye(NO_MORE, &late.to_string()).await,
            Ok(_) | Err(LoginEnd::Late | LoginEnd::Socket(_)) => {}
        }
        done
    }

    async fn steps(&mut self, deadline: &Deadline) -> Result<LoggedIn, LoginEnd> {
        self.socket.exchange_keys(self.outbox).await?;
        self.service().await?;
        let (mut attempts, mut queries) = (0, 0);
        let mut last = AuthFailure::Unknown;
        for _ in 0..limits::LOGIN_MESSAGES {
            let message = match self.next.take() {
                Some(message) => message,
                None => self.socket.receive(self.outbox).await?,
            };
            let request = Request::read(&message)?;
            let mut by_browser = false;
            let proven = match request.method {
                "password" => match password(request.rest)? {
                    Some(secret) => self.prove(&secret, request.target).await,
                    None => Err(AuthFailure::Unknown),
                },
                "keyboard-interactive" => {
                    let attempt = self.interactive(request.target, deadline).await?;
                    by_browser = attempt.by_browser;
                    attempt.proven
                }
                "publickey" if queries < limits::QUERIES => match self.key(&message, &request).await? {
                    Some(proven) => proven,
                    None => {
                        queries += 1;
                        continue;
                    }
                },
                _ => {
                    self.fail();
                    continue;
                }
            };
            match proven {
                Ok(proven) => return Ok(self.done(proven, &request, by_browser)),
                Err(failure) => last = failure,
            }
            attempts += 1;
            if attempts >= limits::ATTEMPTS {
                break;
            }
            // What the client has left for something else gets no answer.
            if self.next.is_some() {
                continue;
            }
            self.banner(&last.to_string());
            self.fail();
        }
        Err(LoginEnd::Attempts(last))
    }

    async fn service(&mut self) -> Result<(), LoginEnd> {
        let message = self.socket.receive(self.outbox).await?;
        let mut cursor = Cursor::new(&message);
        if cursor.byte()? != number::SERVICE_REQUEST || cursor.text()? != USERAUTH {
            return Err(WireError("the login does not begin with its service").into());
        }
        let accept = encode::message(number::SERVICE_ACCEPT, |out| encode::string(out, USERAUTH.as_bytes()));
        self.send(&accept);
        Ok(())
    }

    async fn prove(&self, secret: &str, target: &str) -> Result<Proven, AuthFailure> {
        let proven = self.identities.verify(secret, target).await;
        if proven.is_err() {
            tokio::time::sleep(self.failure_delay).await;
        }
        proven
    }

    /// Deals with a key. Nothing when the client has not signed: it was told whether it should.
    async fn key(
        &mut self,
        message: &[u8],
        request: &Request<'_>,
    ) -> Result<Option<Result<Proven, AuthFailure>>, LoginEnd> {
        let offer = Offer::read(request.rest)?;
        let from = self.socket.peer().ip();
        let signed = (self.socket.link().session(), message);
        match offer.answer(self.identities, request.target, from, signed).await {
            Answer::Sign(words) => {
                self.send(&words);
                Ok(None)
            }
            Answer::Other => {
                self.fail();
                Ok(None)
            }
            Answer::Signed(proven) => {
                if proven.is_err() {
                    tokio::time::sleep(self.failure_delay).await;
                }
                Ok(Some(proven))
            }
        }
    }

    fn done(&self, proven: Proven, request: &Request<'_>, by_browser: bool) -> LoggedIn {
        let greeting = String::from_utf8_lossy(self.socket.link().greeting());
        let client = greeting.strip_prefix("SSH-2.0-").unwrap_or(&greeting);
        LoggedIn {
            proven,
            target: request.target.to_owned(),
            role: request.role.map(str::to_owned),
            client: client.chars().filter(|char| char.is_ascii_graphic() || *char == ' ').take(128).collect(),
            by_browser,
        }
    }

    fn fail(&mut self) {
        let methods = if self.identities.knows_keys() { METHODS_WITH_KEYS } else { METHODS };
        let failure = encode::message(number::USERAUTH_FAILURE, |out| {
            encode::string(out, methods.as_bytes());
            encode::boolean(out, false);
        });
        self.send(&failure);
    }

    /// Words for the person at the client.
    pub(crate) fn banner(&mut self, words: &str) {
        let banner = encode::message(number::USERAUTH_BANNER, |out| {
            encode::string(out, format!("sallyport: {words}\r\n").as_bytes());
            encode::string(out, b"en");
        });
        self.send(&banner);
    }

    fn send(&mut self, message: &[u8]) {
        let mut framed = Vec::with_capacity(message.len() + 4);
        gate::Encode::encode(&Framed(message), &mut framed);
        self.outbox.login(&framed);
    }

    /// Tells the client why and says goodbye. A client that does not read is left behind.
    pub(crate) async fn turn_away(&mut self, words: &str) {
        self.banner(words);
        self.say_goodbye(BY_APPLICATION, words.lines().next().unwrap_or_default()).await;
    }

    async fn say_goodbye(&mut self, reason: u32, words: &str) {
        self.send(&Link::goodbye(reason, &format!("sallyport: {words}")));
        let _told = tokio::time::timeout(self.failure_delay, self.socket.flush(self.outbox)).await;
    }
}

/// One request of a login.
struct Request<'a> {
    target: &'a str,
    role: Option<&'a str>,
    method: &'a str,
    rest: &'a [u8],
}

impl<'a> Request<'a> {
    fn read(message: &'a [u8]) -> Result<Self, LoginEnd> {
        let mut cursor = Cursor::new(message);
        if cursor.byte()? != number::USERAUTH_REQUEST {
            return Err(WireError("not a request of a login").into());
        }
        let (user, service, method) = (cursor.text()?, cursor.text()?, cursor.names()?);
        if service != CONNECTION {
            return Err(WireError("a login for a service that is not known").into());
        }
        if user.len() > USER || user.chars().any(char::is_control) {
            return Err(WireError("a user's name that cannot be").into());
        }
        let (role, target) = match user.split_once(':') {
            Some((role, target)) => (Some(role), target),
            None => (None, user),
        };
        Ok(Self { target, role, method, rest: cursor.rest() })
    }
}

fn password(rest: &[u8]) -> Result<Option<String>, LoginEnd> {
    let mut cursor = Cursor::new(rest);
    // With `true` it would be a new password: there is none to change here.
    if cursor.boolean()? {
        return Ok(None);
    }
    let secret = cursor.text()?;
    cursor.end()?;
    if secret.len() > SECRET { Err(WireError("a secret above the limit").into()) } else { Ok(Some(secret.to_owned())) }
}
