//! A login by key (RFC 4252, section 7): the client asks whether a key would do, then signs.

use std::net::IpAddr;

use gate::ports::{AuthFailure, ClientKey, Identities, Proven};

use crate::keys::certificate::{self, Certificate};
use crate::keys::{self, Presence, algorithms_of, verify};
use crate::wire::{Cursor, WireError, encode, number};

/// What a client says of a key.
pub(super) struct Offer<'a> {
    algorithm: &'a str,
    blob: &'a [u8],
    signature: Option<&'a [u8]>,
}

/// A key that would do.
struct Found {
    proven: Proven,
    /// Of a certified key.
    certificate: Option<Certificate>,
}

/// What becomes of it.
pub(super) enum Answer {
    /// It would do: the client may sign.
    Sign(Vec<u8>),
    /// It would not, which counts as no attempt.
    Other,
    /// It was signed.
    Signed(Result<Proven, AuthFailure>),
}

impl<'a> Offer<'a> {
    /// Reads what stands behind the method's name.
    pub(super) fn read(rest: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(rest);
        let signed = cursor.boolean()?;
        let (algorithm, blob) = (cursor.names()?, cursor.string()?);
        let signature = if signed { Some(cursor.string()?) } else { None };
        cursor.end()?;
        Ok(Self { algorithm, blob, signature })
    }

    /// Looks at the key, and at the signature over `session` and the request's bytes up to it.
    pub(super) async fn answer(
        &self,
        identities: &dyn Identities,
        target: &str,
        from: IpAddr,
        signed: (&[u8], &[u8]),
    ) -> Answer {
        let found = self.look(identities, target, from).await;
        let Some(signature) = self.signature else {
            return match found {
                Ok(_) => Answer::Sign(encode::message(number::USERAUTH_PK_OK, |out| {
                    encode::string(out, self.algorithm.as_bytes());
                    encode::string(out, self.blob);
                })),
                Err(_) => Answer::Other,
            };
        };
        let found = match found {
            Ok(found) => found,
            Err(failure) => return Answer::Signed(Err(failure)),
        };
        let (session, request) = signed;
        let unsigned = request.get(..request.len().saturating_sub(signature.len() + 4)).unwrap_or_default();
        let mut words = Vec::with_capacity(session.len() + unsigned.len() + 4);
        encode::string(&mut words, session);
        words.extend_from_slice(unsigned);
        let algorithm = certificate::plain(self.algorithm).unwrap_or(self.algorithm);
        let key = found.certificate.as_ref().map_or(self.blob, |certificate| &certificate.key);
        let checked = match verify(algorithm, key, &words, signature) {
            Ok(presence) => self.present(identities, presence, found.certificate.as_ref()),
            Err(_) => Err(AuthFailure::UnknownKey),
        };
        Answer::Signed(checked.map(|()| found.proven))
    }

    /// Whether a security key has seen its holder as it has to. Of other keys, only what a certificate asks for counts.
    fn present(
        &self,
        identities: &dyn Identities,
        presence: Option<Presence>,
        certificate: Option<&Certificate>,
    ) -> Result<(), AuthFailure> {
        if certificate.is_some_and(Certificate::wants_verified) && !presence.is_some_and(|presence| presence.verified) {
            return Err(AuthFailure::Certificate("it wants a PIN or finger, and its security key has checked none"));
        }
        let key =
            certificate.map_or(ClientKey::Plain(self.blob), |certificate| ClientKey::Certified(&certificate.says));
        match presence {
            Some(Presence { touched: false, .. }) if !identities.may_be_untouched(key) => Err(AuthFailure::Untouched),
            Some(_) | None => Ok(()),
        }
    }

    /// Whose key it is, and so who would be proven by its signature.
    async fn look(&self, identities: &dyn Identities, target: &str, from: IpAddr) -> Result<Found, AuthFailure> {
        let plain = certificate::plain(self.algorithm).unwrap_or(self.algorithm);
        if !keys::OF_CLIENTS.split(',').any(|known| known == plain) {
            return Err(AuthFailure::UnknownKey);
        }
        if plain == self.algorithm {
            let kind = Cursor::new(self.blob).text().map_err(|_| AuthFailure::UnknownKey)?;
            if !algorithms_of(kind).contains(&plain) {
                return Err(AuthFailure::UnknownKey);
            }
            let proven = identities.verify_key(ClientKey::Plain(self.blob), target).await?;
            return Ok(Found { proven, certificate: None });
        }
        let certificate = Certificate::read(self.blob).map_err(|error| refused(&error))?;
        certificate.check_source(from).map_err(|error| refused(&error))?;
        let proven = identities.verify_key(ClientKey::Certified(&certificate.says), target).await?;
        Ok(Found { proven, certificate: Some(certificate) })
    }
}

fn refused(error: &certificate::CertificateError) -> AuthFailure {
    use certificate::CertificateError as E;
    AuthFailure::Certificate(match error {
        E::Malformed(_) => "it cannot be read",
        E::Signature(_) => "its authority's signature does not fit",
        E::NotOfUser => "it is not a user's",
        E::Option => "it has a critical option other than source-address and verify-required",
        E::Untouched => "its authority's security key was not touched for it",
        E::Source => "it is not good from this address",
    })
}
