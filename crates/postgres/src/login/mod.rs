//! A client's login, up to a proven identity. Pure: [`Login`] takes packets and answers, and says what to send and whom to ask;
//! [`io`] carries it. The session, and whatever the client is told about it, begins after this.
//!
//! ```text
//! [ SSLRequest → TLS | GSSENCRequest → N ]  StartupMessage → what is offered → password | SCRAM | OAUTHBEARER → AuthenticationOk
//! ```
//!
//! - [`io`]: the packets' way over a transport, with a deadline
//! - [`startup`]: what a startup message asks for
//! - [`bearer`]: OAUTHBEARER; SCRAM is in [`crate::scram`]

pub mod bearer;
pub mod io;
pub mod startup;
#[cfg(test)]
mod tests;

use gate::ports::{AuthFailure, ScramAttempt, ScramParameters};
use zeroize::Zeroizing;

pub use io::{LoggedIn, LoginEnd, Terms, run};
pub use startup::Wanted;

use crate::config::LoginSettings;
use crate::scram::{self, Exchange, SCRAM, SCRAM_PLUS, ScramError};
use crate::wire::{Initial, Report, SaslInitialResponse, StartupMessage, WireError, encode, password_message};

/// A login that failed, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoginFailure {
    /// The SQLSTATE.
    pub sqlstate: &'static str,
    /// What was wrong, and what to do.
    pub message: String,
}

impl LoginFailure {
    /// Makes one.
    #[must_use]
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into() }
    }

    /// Appends it as an ErrorResponse that ends the connection.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let report = Report { severity: "FATAL", sqlstate: self.sqlstate, message: &self.message, ..Report::default() };
        encode::error(out, &report);
    }
}

impl From<WireError> for LoginFailure {
    fn from(error: WireError) -> Self {
        Self::new(error.sqlstate(), error.to_string())
    }
}

impl From<AuthFailure> for LoginFailure {
    fn from(failure: AuthFailure) -> Self {
        let sqlstate = match failure {
            AuthFailure::Unknown
            | AuthFailure::Expired
            | AuthFailure::Revoked
            | AuthFailure::Refused(_)
            | AuthFailure::UnknownKey
            | AuthFailure::Untouched
            | AuthFailure::Certificate(_)
            | AuthFailure::Browser(_) => "28P01",
            AuthFailure::WrongTarget => "28000",
            // What clients take as "try again".
            AuthFailure::Unavailable => "57P03",
        };
        Self::new(sqlstate, failure.to_string())
    }
}

impl From<ScramError> for LoginFailure {
    fn from(error: ScramError) -> Self {
        let sqlstate = match error {
            ScramError::Malformed(_) => "08P01",
            ScramError::Downgrade | ScramError::Binding | ScramError::Nonce => "28000",
        };
        Self::new(sqlstate, error.to_string())
    }
}

/// What a packet without a tag led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// Send this byte and read on.
    Answer(u8),
    /// Send `S`, then speak TLS. Nothing may have been read beyond the packet.
    StartTls,
    /// End another session's command; then close without a word.
    Cancel {
        /// Which.
        pid: i32,
        /// The proof that one may.
        key: Vec<u8>,
    },
    /// The startup message was understood: send these bytes, which ask for a proof.
    Ask(Vec<u8>),
}

/// What the client's answer led to.
#[derive(Debug)]
pub enum Proof {
    /// Send these bytes and read on.
    Answer(Vec<u8>),
    /// Ask whether this token is good: a password or a bearer.
    Token(Zeroizing<String>),
    /// Ask whose proof this is.
    Scram(ScramAttempt),
}

/// Where a login stands.
#[derive(Debug)]
enum State {
    /// Before the startup message.
    Opening,
    /// A password was asked for.
    AwaitPassword,
    /// SASL mechanisms were offered.
    AwaitMechanism,
    /// A SCRAM challenge was sent.
    AwaitScramProof(Exchange),
    /// Bearer discovery was sent: an acknowledgement follows, and nothing else counts any more.
    AwaitAcknowledgement(LoginFailure),
    /// Someone is being asked, or it is over.
    Asked,
}

/// What the connection is like.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// Whether it is TLS by now.
    pub is_tls: bool,
    /// Whether it can become TLS.
    pub can_tls: bool,
    /// Our certificate's `tls-server-end-point`.
    pub binding: Option<Vec<u8>>,
}

/// What it takes to judge a login.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How clients log in here.
    pub settings: LoginSettings,
    /// The parameters of SCRAM.
    pub scram: ScramParameters,
    /// Our half of the SCRAM nonce: fresh and printable.
    pub nonce: String,
    /// The issuer's URL and the scope for OAUTHBEARER's discovery.
    pub discovery: Option<(String, String)>,
}

/// How an identity was proven, for records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The password message.
    Password,
    /// SCRAM-SHA-256.
    Scram,
    /// SCRAM-SHA-256-PLUS.
    ScramPlus,
    /// OAUTHBEARER.
    OauthBearer,
}

impl Method {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Scram => "scram-sha-256",
            Self::ScramPlus => "scram-sha-256-plus",
            Self::OauthBearer => "oauthbearer",
        }
    }
}

/// One login.
#[derive(Debug)]
pub struct Login {
    facts: Facts,
    channel: Channel,
    state: State,
    asked_tls: bool,
    asked_gss: bool,
    minor: u16,
    wanted: Option<Wanted>,
    method: Method,
}

impl Login {
    /// A connection that has said nothing yet.
    #[must_use]
    pub const fn new(facts: Facts, channel: Channel) -> Self {
        let (asked_tls, asked_gss) = (false, false);
        Self {
            facts,
            channel,
            state: State::Opening,
            asked_tls,
            asked_gss,
            minor: 0,
            wanted: None,
            method: Method::Password,
        }
    }

    /// The channel has become TLS.
    pub fn secured(&mut self, binding: Option<Vec<u8>>) {
        self.channel = Channel { is_tls: true, can_tls: false, binding };
        self.asked_tls = true;
    }

    /// Whether tagged messages are awaited; else packets without a tag.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Opening)
    }

    /// Takes a packet without a tag. `rest` is whether more was read than the packet.
    ///
    /// # Errors
    /// [`LoginFailure`], to be sent; the login is over.
    pub fn opening(&mut self, packet: Initial<'_>, rest: bool) -> Result<Opening, LoginFailure> {
        match packet {
            Initial::Ssl => self.ssl_request(rest),
            Initial::Gss => {
                if std::mem::replace(&mut self.asked_gss, true) || self.channel.is_tls {
                    return Err(LoginFailure::new("08P01", "GSSAPI encryption was asked for at the wrong moment"));
                }
                no_early_bytes(rest)?;
                Ok(Opening::Answer(b'N'))
            }
            Initial::Cancel { pid, key } => Ok(Opening::Cancel { pid, key: key.to_vec() }),
            Initial::Startup(message) => self.startup(&message).map(Opening::Ask),
        }
    }

    fn ssl_request(&mut self, rest: bool) -> Result<Opening, LoginFailure> {
        if std::mem::replace(&mut self.asked_tls, true) {
            return Err(LoginFailure::new("08P01", "TLS was asked for twice"));
        }
        // Whoever sits in between could have put these bytes there, to be taken for the client's own once TLS is up (CVE-2021-23214).
        no_early_bytes(rest)?;
        Ok(if self.channel.can_tls { Opening::StartTls } else { Opening::Answer(b'N') })
    }

    fn startup(&mut self, message: &StartupMessage<'_>) -> Result<Vec<u8>, LoginFailure> {
        let wanted = startup::read(message)?;
        if self.facts.settings.require_tls && !self.channel.is_tls {
            return Err(LoginFailure::new(
                "28000",
                "this gateway takes connections with TLS only; set sslmode=require or stronger",
            ));
        }
        let mut out = Vec::new();
        if message.needs_negotiation() {
            encode::negotiate(&mut out, message.agreed_minor(), &message.options);
        }
        self.minor = message.agreed_minor();
        self.wanted = Some(wanted);
        self.offer(&mut out)?;
        Ok(out)
    }

    /// Asks for the best proof that this channel can carry.
    fn offer(&mut self, out: &mut Vec<u8>) -> Result<(), LoginFailure> {
        let methods = self.facts.settings.methods;
        if self.channel.is_tls && methods.password && !methods.oauthbearer {
            encode::authentication_cleartext(out);
            self.state = State::AwaitPassword;
            return Ok(());
        }
        let mechanisms = self.mechanisms();
        if mechanisms.is_empty() {
            return Err(LoginFailure::new("28000", "logins here need TLS; set sslmode=require or stronger"));
        }
        encode::authentication_sasl(out, &mechanisms);
        self.state = State::AwaitMechanism;
        Ok(())
    }

    fn mechanisms(&self) -> Vec<&'static str> {
        let methods = self.facts.settings.methods;
        let mut mechanisms = Vec::new();
        if methods.scram {
            if self.channel.binding.is_some() {
                mechanisms.push(SCRAM_PLUS);
            }
            mechanisms.push(SCRAM);
        }
        if methods.oauthbearer && self.channel.is_tls {
            mechanisms.push(bearer::OAUTHBEARER);
        }
        mechanisms
    }

    /// Takes the body of a `p` message.
    ///
    /// # Errors
    /// [`LoginFailure`], to be sent; the login is over.
    pub fn answer(&mut self, body: &[u8]) -> Result<Proof, LoginFailure> {
        match std::mem::replace(&mut self.state, State::Asked) {
            State::AwaitPassword => {
                self.method = Method::Password;
                let password = password_message(body)?;
                if password.is_empty() {
                    return Err(LoginFailure::new("28P01", "the password is empty; give a token as password"));
                }
                Ok(Proof::Token(Zeroizing::new(password.to_owned())))
            }
            State::AwaitMechanism => self.mechanism(body),
            State::AwaitScramProof(exchange) => Ok(Proof::Scram(exchange.finish(body)?)),
            State::AwaitAcknowledgement(failure) => Err(failure),
            State::Opening | State::Asked => {
                Err(LoginFailure::new("08P01", "a password was sent that nobody asked for"))
            }
        }
    }

    fn mechanism(&mut self, body: &[u8]) -> Result<Proof, LoginFailure> {
        let response = SaslInitialResponse::parse(body)?;
        if !self.mechanisms().contains(&response.mechanism) {
            return Err(LoginFailure::new("28000", "the client chose a SASL mechanism that was not offered"));
        }
        let data = response.data.ok_or_else(|| LoginFailure::new("08P01", "the SASL response is missing"))?;
        if response.mechanism == bearer::OAUTHBEARER {
            self.method = Method::OauthBearer;
            let token = bearer::token(data).map_err(|error| LoginFailure::new("08P01", error.to_string()))?;
            return Ok(match token {
                Some(token) => Proof::Token(token),
                None => {
                    let failure =
                        LoginFailure::new("28000", "a bearer token is needed; the client was told where to get one");
                    Proof::Answer(self.discover(failure))
                }
            });
        }
        let plus = response.mechanism == SCRAM_PLUS;
        self.method = if plus { Method::ScramPlus } else { Method::Scram };
        let exchange =
            Exchange::start(data, plus, self.channel.binding.as_deref(), &self.facts.scram, &self.facts.nonce)?;
        let mut out = Vec::new();
        encode::authentication_sasl_continue(&mut out, exchange.server_first().as_bytes());
        self.state = State::AwaitScramProof(exchange);
        Ok(Proof::Answer(out))
    }

    fn discover(&mut self, failure: LoginFailure) -> Vec<u8> {
        let mut out = Vec::new();
        encode::authentication_sasl_continue(&mut out, bearer::discovery(self.facts.discovery.as_ref()).as_bytes());
        self.state = State::AwaitAcknowledgement(failure);
        out
    }

    /// The identity was proven: what to send.
    #[must_use]
    pub fn proven(&self, signature: Option<&[u8; 32]>) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(signature) = signature {
            encode::authentication_sasl_final(&mut out, scram::server_final(signature).as_bytes());
        }
        encode::authentication_ok(&mut out);
        out
    }

    /// The identity was not proven. A bearer's client is told where to get a token, and acknowledges, before it is told so; others are
    /// told at once.
    ///
    /// # Errors
    /// [`LoginFailure`], to be sent; the login is over.
    pub fn refused(&mut self, failure: AuthFailure) -> Result<Vec<u8>, LoginFailure> {
        let failure = LoginFailure::from(failure);
        match self.method {
            Method::OauthBearer => Ok(self.discover(failure)),
            Method::Password | Method::Scram | Method::ScramPlus => Err(failure),
        }
    }

    /// The target that was asked for, once the startup message was understood.
    #[must_use]
    pub fn target(&self) -> &str {
        self.wanted.as_ref().map_or("", |wanted| &wanted.target)
    }

    /// What came of it: what was asked for, the minor version, the method.
    #[must_use]
    pub fn into_parts(self) -> Option<(Wanted, u16, Method)> {
        let (minor, method) = (self.minor, self.method);
        self.wanted.map(|wanted| (wanted, minor, method))
    }
}

/// What a listener sends to a client that it turns away: see [`Limits`](net::Limits).
#[must_use]
pub fn turned_away() -> Vec<u8> {
    let mut out = Vec::new();
    let text = "too many connections, or too many unfinished logins from your address; try again shortly";
    LoginFailure::new("53300", text).encode(&mut out);
    out
}

fn no_early_bytes(rest: bool) -> Result<(), LoginFailure> {
    if rest {
        return Err(LoginFailure::new("08P01", "unencrypted bytes were sent before encryption was agreed on"));
    }
    Ok(())
}
