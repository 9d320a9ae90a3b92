//! The gateway's login at a target (RFC 4252, RFC 4256): by a key of the session's own, a sealed key, or a password.

use std::net::IpAddr;
use std::time::SystemTime;

use gate::ports::{Authority, Lease};
use gate::{Grant, Outbox, ToTarget};

use super::{UpstreamError, malformed};
use crate::keys::certificate::{ED25519_CERTIFICATE, Wanted, certify};
use crate::keys::own::{KeyError, SigningKey};
use crate::link::socket::{Framed, Socket, SocketError};
use crate::wire::{Cursor, WireError, encode, limits, number};

/// How far a target's clock may be behind ours, in seconds.
const SKEW: u64 = 60;

/// A key, and the certificate of it, of which the algorithm is [`ED25519_CERTIFICATE`].
struct Identification {
    key: SigningKey,
    certificate: Option<Vec<u8>>,
}

/// Why a step of the login cannot be taken.
enum StepError {
    Socket(SocketError),
    Key(KeyError),
}

impl From<SocketError> for StepError {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}

impl From<KeyError> for StepError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
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
        let (target, role) = (self.grant.target().name.clone(), self.grant.role().to_owned());
        let secret = lease.password.as_ref().map(gate::Secret::expose).unwrap_or_default();
        let done = match self.key(lease) {
            Ok(key) => self.steps(&lease.user, secret, key.as_ref()).await,
            Err(error) => Err(StepError::Key(error)),
        };
        done.map_err(|error| match error {
            StepError::Socket(error) => UpstreamError::Socket { target, error },
            StepError::Key(error) => UpstreamError::Key { target, role, error },
        })
    }

    /// What is signed with, if not a password opens the target.
    fn key(&self, lease: &Lease) -> Result<Option<Identification>, KeyError> {
        if let Some(authority) = &lease.authority {
            return self.certified(authority).map(Some);
        }
        let secret = lease.password.as_ref().map(gate::Secret::expose).unwrap_or_default();
        if !SigningKey::is_file(secret) {
            return Ok(None);
        }
        Ok(Some(Identification { key: SigningKey::read(secret)?, certificate: None }))
    }

    /// A key of this session's own, certified for minutes. The session's id is its name, so that the target's log leads to the recording.
    fn certified(&self, authority: &Authority) -> Result<Identification, KeyError> {
        let signer = SigningKey::read(authority.key.expose())?;
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
        let certificate = Some(certify(&signer, &key, &wanted)?);
        Ok(Identification { key, certificate })
    }

    async fn steps(&mut self, user: &str, secret: &[u8], key: Option<&Identification>) -> Result<bool, StepError> {
        self.send(&encode::message(number::SERVICE_REQUEST, |out| encode::string(out, b"ssh-userauth")));
        let accept = self.socket.receive(self.outbox).await?;
        if accept.first() != Some(&number::SERVICE_ACCEPT) {
            return Err(malformed(WireError("the service of logins is not there")).into());
        }
        match key {
            Some(key) => {
                let link = self.socket.link();
                // What the target takes it has said by now, if it says it at all.
                let message = signed(user, key, link.signatures(), link.session())?;
                self.send(&message);
            }
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
                        return Ok(self.dialogue(user, secret).await?);
                    }
                    return Ok(false);
                }
                Some(number::USERAUTH_BANNER) => {}
                _ => return Err(malformed(WireError("not an answer to a login")).into()),
            }
        }
        Err(malformed(WireError("a login without an end")).into())
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

/// What a key signs with for a target that takes these (RFC 8308, section 3.1). A key with one kind of signatures
/// is tried whatever the target says. Of RSA's two, a target that says nothing is sent the one with SHA-256: RFC 8332 recommends it, and leaves
/// the other to the server (section 3).
fn algorithm(key: &SigningKey, taken: Option<&str>) -> Result<&'static str, KeyError> {
    let own = key.algorithms();
    match (own, taken) {
        ([only], _) => Ok(only),
        (_, None) => own.last().copied().ok_or(KeyError::NotTaken),
        (_, Some(taken)) => {
            let is_taken = |name: &&&str| taken.split(',').any(|other| other == **name);
            own.iter().find(is_taken).copied().ok_or(KeyError::NotTaken)
        }
    }
}

/// A request that a key signs (RFC 4252, section 7).
fn signed(user: &str, with: &Identification, taken: Option<&str>, session: &[u8]) -> Result<Vec<u8>, KeyError> {
    let plain = algorithm(&with.key, taken)?;
    let (name, blob) = match &with.certificate {
        Some(certificate) => (ED25519_CERTIFICATE, certificate.as_slice()),
        None => (plain, with.key.blob()),
    };
    let unsigned = request(user, "publickey", |out| {
        encode::boolean(out, true);
        encode::string(out, name.as_bytes());
        encode::string(out, blob);
    });
    let mut words = Vec::with_capacity(unsigned.len() + session.len() + 4);
    encode::string(&mut words, session);
    words.extend_from_slice(&unsigned);
    let mut message = unsigned;
    encode::string(&mut message, &with.key.sign(plain, &words)?);
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_one_kind_of_signatures_is_used_whatever_the_target_says() {
        let (key, _) = SigningKey::generate("").unwrap();
        for taken in [None, Some(""), Some("rsa-sha2-256")] {
            assert_eq!(algorithm(&key, taken), Ok("ssh-ed25519"));
        }
    }

    #[test]
    fn what_the_target_takes_of_an_rsa_key_is_used() {
        let key = crate::keys::own::rsa_for_tests();
        for (taken, expected) in [
            (None, Ok("rsa-sha2-256")),
            (Some("ssh-ed25519,rsa-sha2-256,rsa-sha2-512"), Ok("rsa-sha2-512")),
            (Some("ssh-rsa,rsa-sha2-256"), Ok("rsa-sha2-256")),
            (Some("ssh-ed25519,ssh-rsa"), Err(KeyError::NotTaken)),
            (Some(""), Err(KeyError::NotTaken)),
        ] {
            assert_eq!(algorithm(&key, taken), expected, "{taken:?}");
        }
        let with = Identification { key, certificate: None };
        let message = signed("deploy", &with, None, b"session").unwrap();
        assert!(
            message.windows(12).any(|word| word == b"rsa-sha2-256")
                && !message.windows(12).any(|word| word == b"rsa-sha2-512")
        );
    }
}
