//! One good token, a gateway that only logs in, and a client made of raw bytes.

use std::time::Duration;

use aws_lc_rs::{digest, hmac, pbkdf2};
use gate::ports::{BoxFuture, Identities, Proven};
use gate::{Outbox, ToClient};
use net::tls::{Source, Trust};
use net::{ClientTls, ServerTls, TlsMode, Transport};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::config::LoginSettings;
use crate::login::*;
use crate::wire::{Authentication, Backend, Frames, Next, limits};

/// The token that is good.
pub(super) const TOKEN: &str = "sp_good_token";
/// What a client starts with in most tests.
pub(super) const WANTED: &[(&str, &str)] =
    &[("user", "app"), ("database", "orders-db/shop"), ("application_name", "test")];

/// Knows one token, which is good for the target `orders-db`.
pub(super) struct OneToken;

fn tag(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().try_into().unwrap()
}

impl Identities for OneToken {
    fn verify<'a>(&'a self, secret: &'a str, target: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        Box::pin(async move {
            match (secret, target) {
                (TOKEN, "orders-db") => Ok(doubles::agent()),
                (TOKEN, _) => Err(AuthFailure::WrongTarget),
                ("expired", _) => Err(AuthFailure::Expired),
                ("away", _) => Err(AuthFailure::Unavailable),
                _ => Err(AuthFailure::Unknown),
            }
        })
    }

    fn scram_parameters(&self) -> ScramParameters {
        ScramParameters { salt: b"one salt for all".to_vec(), iterations: 4096 }
    }

    fn verify_scram<'a>(
        &'a self,
        attempt: &'a ScramAttempt,
        _target: &'a str,
    ) -> BoxFuture<'a, Result<(Proven, [u8; 32]), AuthFailure>> {
        Box::pin(async move {
            let mut salted = [0; 32];
            let rounds = 4096.try_into().unwrap();
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"one salt for all", TOKEN.as_bytes(), &mut salted);
            let client_key = tag(&salted, b"Client Key");
            let stored = digest::digest(&digest::SHA256, &client_key);
            let signature = tag(stored.as_ref(), &attempt.auth_message);
            let recovered: Vec<u8> = attempt.proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
            if digest::digest(&digest::SHA256, &recovered).as_ref() != stored.as_ref() {
                return Err(AuthFailure::Unknown);
            }
            Ok((doubles::agent(), tag(&tag(&salted, b"Server Key"), &attempt.auth_message)))
        })
    }

    fn bearer_discovery(&self) -> Option<(String, String)> {
        Some(("https://id.example.com".to_owned(), "openid".to_owned()))
    }
}

/// A gateway that takes one connection and logs it in.
pub(super) struct Gateway {
    _dir: TempDir,
    pub(super) tls: ServerTls,
    pub(super) client: ClientTls,
    pub(super) settings: LoginSettings,
    pub(super) patience: Duration,
}

impl Gateway {
    pub(super) fn new(change: impl FnOnce(&mut LoginSettings)) -> Self {
        let dir = TempDir::new().unwrap();
        let tls = ServerTls::new(Source::Own { directory: dir.path().to_owned(), names: Vec::new() }).unwrap();
        let client =
            ClientTls::new(TlsMode::VerifyFull, &Trust { authorities: tls.authority(), certificate: None }).unwrap();
        let mut settings = LoginSettings { failure_delay: Duration::from_millis(5), ..LoginSettings::default() };
        change(&mut settings);
        Self { _dir: dir, tls, client, settings, patience: Duration::from_secs(10) }
    }

    /// Runs a login against `client`; what came of both.
    pub(super) async fn meet<T>(&self, client: impl AsyncFnOnce(Client) -> T) -> (Result<LoggedIn, LoginEnd>, T) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "the client of a test")]
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, peer) = listener.accept().await.unwrap();
        let terms = Terms {
            tls: Some(&self.tls),
            identities: &OneToken,
            settings: &self.settings,
            deadline: Instant::now() + self.patience,
        };
        let login = run(Transport::plain(accepted, peer), &terms);
        let client = client(Client { transport: Transport::dialled(dialled).unwrap(), unread: Vec::new() });
        let both = async { tokio::join!(login, client) };
        tokio::time::timeout(Duration::from_secs(20), both).await.unwrap()
    }
}

/// A client made of raw bytes.
pub(super) struct Client {
    pub(super) transport: Transport,
    unread: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Cleartext,
    Sasl(Vec<String>),
    Challenge(Vec<u8>),
    Final(Vec<u8>),
    Ok,
    Negotiate(u16),
    /// SQLSTATE and text.
    Refused(String, String),
    Closed,
}

impl Client {
    pub(super) async fn send(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        fill(&mut bytes);
        let mut outbox = Outbox::<ToClient>::default();
        outbox.login(&bytes);
        // The gateway may have closed already; what it said is what counts.
        let _gone = self.transport.flush(&mut outbox).await;
    }

    pub(super) async fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        (self.transport.read(&mut byte).await.unwrap() == 1).then_some(byte[0])
    }

    pub(super) async fn secure(mut self, gateway: &Gateway) -> Self {
        self.send(encode::ssl_request).await;
        assert_eq!(self.byte().await, Some(b'S'));
        self.upgrade(gateway).await
    }

    pub(super) async fn upgrade(self, gateway: &Gateway) -> Self {
        let transport = self.transport.connect_tls(&gateway.client, "localhost").await.unwrap();
        Self { transport, unread: Vec::new() }
    }

    pub(super) async fn startup(&mut self, parameters: &[(&str, &str)]) {
        self.send(|out| encode::startup(out, 0, parameters.iter().copied())).await;
    }

    pub(super) async fn hears(&mut self) -> Heard {
        loop {
            let mut frames = Frames::new(&self.unread, limits::GREETING);
            if let Next::Frame(frame) = frames.advance().unwrap() {
                let heard = understand(Backend::parse(frame.tag, frame.body).unwrap());
                let used = frames.consumed();
                self.unread.drain(..used);
                return heard;
            }
            let mut chunk = [0; 4096];
            match self.transport.read(&mut chunk).await {
                Ok(0) | Err(_) => return Heard::Closed,
                Ok(n) => self.unread.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

fn understand(message: Backend<'_>) -> Heard {
    match message {
        Backend::Authentication(Authentication::Cleartext) => Heard::Cleartext,
        Backend::Authentication(Authentication::Sasl(names)) => {
            Heard::Sasl(names.names().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
        }
        Backend::Authentication(Authentication::SaslContinue(data)) => Heard::Challenge(data.to_vec()),
        Backend::Authentication(Authentication::SaslFinal(data)) => Heard::Final(data.to_vec()),
        Backend::Authentication(Authentication::Ok) => Heard::Ok,
        Backend::Negotiate(negotiate) => Heard::Negotiate(negotiate.minor()),
        Backend::Error(fields) => {
            let text = fields.field(b'M').unwrap().lossy().into_owned();
            Heard::Refused(fields.sqlstate().unwrap().to_owned(), text)
        }
        other => panic!("unexpected: {other:?}"),
    }
}
