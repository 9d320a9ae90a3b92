//! The gateway's login at a target (RFC 4252, RFC 4256): by a key of the session's own, a sealed key, or a password.

use std::net::IpAddr;
use std::time::SystemTime;

use gate::ports::{Authority, Lease};
use gate::{Grant, Outbox, ToTarget};

use super::{UpstreamError, malformed};
use crate::keys::certificate::{ED25519_CERTIFICATE, Wanted, certify};
use crate::keys::own::{self, KeyError, SigningKey};
use crate::link::socket::{Framed, Socket, SocketError};
use crate::wire::{Cursor, WireError, encode, limits, number};

/// The first words of a private key in OpenSSH's format.
const PRIVATE_KEY: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";
/// How far a target's clock may be behind ours, in seconds.
const SKEW: u64 = 60;

/// A key, and what is said of it.
struct Identification {
    algorithm: &'static str,
    /// The public key, or its certificate.
    blob: Vec<u8>,
    key: SigningKey,
}

/// The login at the target (RFC 4252), as the gateway.
pub(super) struct Login<'a> {
    pub(super) grant: &'a Grant,
    pub(super) socket: &'a mut Socket,
    pub(super) outbox: &'a mut Outbox<ToTarget>,
    /// The gateway's own address, as the connection has it.
    pub(super) from: IpAddr,
}

impl Login<'_> {
    /// Whether the target lets us in.
    pub(super) async fn run(&mut self, lease: &Lease) -> Result<bool, UpstreamError> {
        let target = self.grant.target().name.clone();
        let key = self.key(lease).map_err(|error| UpstreamError::Key {
            target: target.clone(),
            role: self.grant.role().to_owned(),
            error,
        })?;
        let secret = lease.password.as_ref().map(gate::Secret::expose).unwrap_or_default();
        let broken = |error| UpstreamError::Socket { target, error };
        self.steps(&lease.user, secret, key.as_ref()).await.map_err(broken)
    }

    /// What is signed with, if not a password opens the target.
    fn key(&self, lease: &Lease) -> Result<Option<Identification>, KeyError> {
        if let Some(authority) = &lease.authority {
            return self.certified(authority).map(Some);
        }
        let secret = lease.password.as_ref().map(gate::Secret::expose).unwrap_or_default().trim_ascii_start();
        if !secret.starts_with(PRIVATE_KEY) {
            return Ok(None);
        }
        let key = SigningKey::read(secret)?;
        Ok(Some(Identification { algorithm: own::ED25519, blob: key.blob().to_vec(), key }))
    }

    /// A key of this session's own, certified for minutes. The session's id is its name, so that the target's log leads to the recording.
    fn certified(&self, authority: &Authority) -> Result<Identification, KeyError> {
        let signer = SigningKey::read(authority.key.expose().trim_ascii_start())?;
        let (key, _text) = SigningKey::generate("")?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let own = || vec![self.from.to_canonical().to_string()];
        let wanted = Wanted {
            key_id: &format!("sallyport {} {}", self.grant.session(), self.grant.identity().display()),
            principals: &authority.principals,
            sources: &authority.sources.clone().unwrap_or_else(own),
            after: now.saturating_sub(SKEW),
            before: now.saturating_add(authority.seconds),
        };
        let blob = certify(&signer, &key, &wanted)?;
        Ok(Identification { algorithm: ED25519_CERTIFICATE, blob, key })
    }

    async fn steps(&mut self, user: &str, secret: &[u8], key: Option<&Identification>) -> Result<bool, SocketError> {
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
fn signed(user: &str, with: &Identification, session: &[u8]) -> Vec<u8> {
    let unsigned = request(user, "publickey", |out| {
        encode::boolean(out, true);
        encode::string(out, with.algorithm.as_bytes());
        encode::string(out, &with.blob);
    });
    let mut words = Vec::with_capacity(unsigned.len() + session.len() + 4);
    encode::string(&mut words, session);
    words.extend_from_slice(&unsigned);
    let mut message = unsigned;
    encode::string(&mut message, &with.key.sign(&words));
    message
}
