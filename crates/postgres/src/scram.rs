//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), without its arithmetic: whose proof it is,
//! [`Identities::verify_scram`](gate::ports::Identities::verify_scram) finds out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gate::ports::{ScramAttempt, ScramParameters};
use subtle::ConstantTimeEq as _;

/// The mechanism without channel binding.
pub const SCRAM: &str = "SCRAM-SHA-256";
/// The mechanism with it.
pub const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The only binding type.
const BINDING: &str = "p=tls-server-end-point";

/// Why an exchange failed before any proof was looked at. Texts hold nothing of what the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not as RFC 5802 writes it.
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// The client could bind to the channel and thinks that we cannot, although we said that we can: someone changed our offer.
    #[error(
        "SCRAM channel binding negotiation error: the offer of SCRAM-SHA-256-PLUS did not reach the client; something in between speaks TLS itself"
    )]
    Downgrade,
    /// The client is bound to another channel.
    #[error(
        "SCRAM channel binding check failed: the client sees another certificate; something in between speaks TLS itself"
    )]
    Binding,
    /// What the client repeats is not what was said.
    #[error("SCRAM nonce does not match")]
    Nonce,
}

/// An exchange whose first two messages are through.
#[derive(Debug)]
pub struct Exchange {
    /// What `c=` must hold.
    expected_binding: Vec<u8>,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

impl Exchange {
    /// Reads client-first-message. `binding` is our certificate's hash if [`SCRAM_PLUS`] was offered, `plus` whether the client chose it,
    /// `nonce` our own half: fresh, random, printable.
    ///
    /// # Errors
    /// [`ScramError`].
    pub fn start(
        message: &[u8],
        plus: bool,
        binding: Option<&[u8]>,
        parameters: &ScramParameters,
        nonce: &str,
    ) -> Result<Self, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))?;
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ScramError::Malformed("client-first-message is too short"));
        };
        if !authzid.is_empty() {
            return Err(ScramError::Malformed("an authorization identity is not supported"));
        }
        let mut expected_binding = format!("{flag},,").into_bytes();
        match (flag, plus, binding) {
            ("n", false, _) | ("y", false, None) => {}
            ("y", false, Some(_)) => return Err(ScramError::Downgrade),
            (BINDING, true, Some(binding)) => expected_binding.extend_from_slice(binding),
            _ => {
                return Err(ScramError::Malformed("channel binding flag does not fit the mechanism"));
            }
        }
        let mut attributes = bare.split(',');
        match attributes.next() {
            // The name does not matter: the startup message has it.
            Some(name) if name.starts_with("n=") => {}
            _ => {
                return Err(ScramError::Malformed(
                    "user name is missing, or an extension is required that is not known",
                ));
            }
        }
        let client_nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let client_nonce = client_nonce.ok_or(ScramError::Malformed("nonce is missing"))?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ScramError::Malformed("nonce is not printable"));
        }
        let nonce = format!("{client_nonce}{nonce}");
        let salt = STANDARD.encode(&parameters.salt);
        let server_first = format!("r={nonce},s={salt},i={}", parameters.iterations);
        Ok(Self { expected_binding, nonce, client_first_bare: bare.to_owned(), server_first })
    }

    /// server-first-message.
    #[must_use]
    pub fn server_first(&self) -> &str {
        &self.server_first
    }

    /// Reads client-final-message, and returns the proof to be verified.
    ///
    /// # Errors
    /// [`ScramError`].
    pub fn finish(self, message: &[u8]) -> Result<ScramAttempt, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed("not UTF-8"))?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed("proof is missing"))?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|attribute| attribute.strip_prefix("c="));
        let binding = binding.ok_or(ScramError::Malformed("channel binding is missing"))?;
        let binding = STANDARD.decode(binding).map_err(|_| ScramError::Malformed("channel binding is not base64"))?;
        if !bool::from(binding.ct_eq(&self.expected_binding)) {
            return Err(ScramError::Binding);
        }
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let nonce = nonce.ok_or(ScramError::Malformed("nonce is missing"))?;
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(ScramError::Nonce);
        }
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Malformed("proof is not base64"))?;
        let proof = proof.try_into().map_err(|_| ScramError::Malformed("proof has the wrong length"))?;
        let auth_message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first).into_bytes();
        Ok(ScramAttempt { auth_message, proof })
    }
}

/// server-final-message of a proof that was right.
#[must_use]
pub fn server_final(signature: &[u8; 32]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    use proptest::prelude::*;

    use super::*;

    fn parameters() -> ScramParameters {
        ScramParameters { salt: b"salt salt salt".to_vec(), iterations: 4096 }
    }

    fn start(message: &str, plus: bool, binding: Option<&[u8]>) -> Result<Exchange, ScramError> {
        Exchange::start(message.as_bytes(), plus, binding, &parameters(), "server")
    }

    #[test]
    fn the_exchange_of_the_rfc_is_read() {
        // RFC 7677, section 3.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let parameters = ScramParameters { salt, iterations: 4096 };
        let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let exchange = Exchange::start(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", false, None, &parameters, nonce).unwrap();
        let expected = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        assert_eq!(exchange.server_first(), expected);
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let attempt = exchange.finish(last.as_bytes()).unwrap();
        assert_eq!(STANDARD.encode(attempt.proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert!(attempt.auth_message.starts_with(b"n=user,r=rOprNGfwEbeRWgbNEkqO,r="));
    }

    #[test]
    fn a_client_of_ours_is_understood_with_and_without_binding() {
        let hash = vec![9; 32];
        for (binding, plus, offered) in [
            (ChannelBinding::unsupported(), false, None),
            (ChannelBinding::unsupported(), false, Some(&hash[..])),
            (ChannelBinding::unrequested(), false, None),
            (ChannelBinding::tls_server_end_point(hash.clone()), true, Some(&hash[..])),
        ] {
            let mut client = ScramSha256::new(b"token", binding);
            let exchange = Exchange::start(client.message(), plus, offered, &parameters(), "server").unwrap();
            client.update(exchange.server_first().as_bytes()).unwrap();
            assert!(exchange.finish(client.message()).is_ok());
        }
    }

    #[test]
    fn a_hidden_offer_and_another_channel_are_noticed() {
        assert_eq!(start("y,,n=,r=abc", false, Some(&[1; 32])).unwrap_err(), ScramError::Downgrade);
        let mut client = ScramSha256::new(b"token", ChannelBinding::tls_server_end_point(vec![2; 32]));
        let exchange = Exchange::start(client.message(), true, Some(&[1; 32]), &parameters(), "server").unwrap();
        client.update(exchange.server_first().as_bytes()).unwrap();
        assert_eq!(exchange.finish(client.message()).unwrap_err(), ScramError::Binding);
    }

    #[test]
    fn malformed_messages_are_refused() {
        for (message, plus, binding) in [
            ("", false, None),
            ("n,,", false, None),
            ("n,,n=", false, None),
            ("n,,n=,r=", false, None),
            ("n,,n=,r=a b", false, None),
            ("n,,m=ext,n=,r=abc", false, None),
            ("n,a=admin,n=,r=abc", false, None),
            ("p=tls-server-end-point,,n=,r=abc", false, Some(&[1; 32][..])),
            ("p=tls-unique,,n=,r=abc", true, Some(&[1; 32][..])),
            ("n,,n=,r=abc", true, Some(&[1; 32][..])),
            ("x,,n=,r=abc", false, None),
        ] {
            assert!(start(message, plus, binding).is_err(), "{message}");
        }
        let proof = STANDARD.encode([0; 32]);
        for (message, error) in [
            (format!("c=biws,r=abcserver,p={proof}"), None),
            (format!("c=biws,r=abcserveR,p={proof}"), Some(ScramError::Nonce)),
            (format!("c=eSws,r=abcserver,p={proof}"), Some(ScramError::Binding)),
            ("c=biws,r=abcserver,p=AAAA".to_owned(), Some(ScramError::Malformed("proof has the wrong length"))),
            ("c=biws,r=abcserver".to_owned(), Some(ScramError::Malformed("proof is missing"))),
            (format!("r=abcserver,p={proof}"), Some(ScramError::Malformed("channel binding is missing"))),
        ] {
            let exchange = start("n,,n=,r=abc", false, None).unwrap();
            assert_eq!(exchange.finish(message.as_bytes()).err(), error, "{message}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(first in "[nyp,=ra-z]{0,40}", last in "[cprn=,A-Za-z]{0,60}") {
            if let Ok(exchange) = start(&first, false, None) {
                let _ = exchange.finish(last.as_bytes());
            }
            if let Ok(exchange) = start("n,,n=,r=abc", false, None) {
                let _ = exchange.finish(last.as_bytes());
            }
        }
    }
}
