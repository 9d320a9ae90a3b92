//! OAUTHBEARER (RFC 7628), the server's side: reading the client's response, wording the discovery answer.

use zeroize::Zeroizing;

/// The mechanism.
pub const OAUTHBEARER: &str = "OAUTHBEARER";
/// Between, and after, key-value pairs.
const SEPARATOR: char = '\u{1}';
/// What a client sends after the discovery answer, and all of it.
pub const ACKNOWLEDGEMENT: &[u8] = b"\x01";

/// Why a response is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed OAUTHBEARER message: {0}")]
pub struct BearerError(&'static str);

/// Reads the client's response; `None` means that it has no token yet and asks where to get one.
///
/// # Errors
/// [`BearerError`]: not as RFC 7628, section 3.1, writes it.
pub fn token(message: &[u8]) -> Result<Option<Zeroizing<String>>, BearerError> {
    let message = std::str::from_utf8(message).map_err(|_| BearerError("not UTF-8"))?;
    // `n,,` or `y,,`: the mechanism has no channel binding, and nobody asks to act as someone else.
    let rest = message.strip_prefix("n,,").or_else(|| message.strip_prefix("y,,"));
    let rest = rest.ok_or(BearerError("a channel binding or an authorization identity is not supported"))?;
    let pairs = rest.strip_prefix(SEPARATOR).ok_or(BearerError("separator is missing"))?;
    let pairs = pairs.strip_suffix("\u{1}\u{1}").ok_or(BearerError("end is missing"))?;
    let mut found = None;
    for pair in pairs.split(SEPARATOR) {
        let (key, value) = pair.split_once('=').ok_or(BearerError("a pair has no value"))?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(BearerError("a key is not a word"));
        }
        if key == "auth" {
            if found.is_some() {
                return Err(BearerError("auth is given twice"));
            }
            found = Some(value);
        }
    }
    let value = found.ok_or(BearerError("auth is missing"))?;
    if value.is_empty() {
        return Ok(None);
    }
    let (scheme, token) = value.split_once(' ').ok_or(BearerError("auth names no scheme"))?;
    let token = token.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(BearerError("the scheme is not Bearer"));
    }
    // The alphabet of RFC 6750, section 2.1.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(allowed) {
        return Err(BearerError("the token has characters that no token has"));
    }
    Ok(Some(Zeroizing::new(token.to_owned())))
}

/// The server's answer to a missing or refused token (RFC 7628, section 3.2.2): where the client can get one.
#[must_use]
pub fn discovery(issuer: Option<&(String, String)>) -> String {
    let mut answer = serde_json::Map::new();
    answer.insert("status".to_owned(), "invalid_token".into());
    if let Some((issuer, scope)) = issuer {
        let url = if issuer.contains("/.well-known/") {
            issuer.clone()
        } else {
            format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
        };
        answer.insert("openid-configuration".to_owned(), url.into());
        answer.insert("scope".to_owned(), scope.as_str().into());
    }
    serde_json::Value::Object(answer).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_read() {
        let read = |message: &[u8]| token(message).map(|token| token.map(|token| token.to_string()));
        assert_eq!(read(b"n,,\x01auth=Bearer abc.DEF-1_~+/=\x01\x01"), Ok(Some("abc.DEF-1_~+/=".to_owned())));
        assert_eq!(read(b"y,,\x01host=db\x01auth=bearer  t\x01port=5432\x01\x01"), Ok(Some("t".to_owned())));
        assert_eq!(read(b"n,,\x01auth=\x01\x01"), Ok(None));
        for wrong in [
            &b""[..],
            b"n,,",
            b"n,,\x01",
            b"n,,\x01\x01",
            b"n,,\x01\x01\x01",
            b"n,a=admin,\x01auth=Bearer t\x01\x01",
            b"p=tls-server-end-point,,\x01auth=Bearer t\x01\x01",
            b"n,,\x01auth=Basic t\x01\x01",
            b"n,,\x01auth=Bearer\x01\x01",
            b"n,,\x01auth=Bearer t t\x01\x01",
            b"n,,\x01auth=Bearer t\x01",
            b"n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
            b"n,,\x01host=db\x01\x01",
            b"n,,\x01auth=Bearer \xff\x01\x01",
        ] {
            assert!(read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn discovery_is_json_that_names_the_issuer() {
        let issuer = ("https://id.example.com/".to_owned(), "openid \"x\"".to_owned());
        let value: serde_json::Value = serde_json::from_str(&discovery(Some(&issuer))).unwrap();
        assert_eq!(value["openid-configuration"], "https://id.example.com/.well-known/openid-configuration");
        assert_eq!(value["scope"], "openid \"x\"");
        assert_eq!(value["status"], "invalid_token");
        assert_eq!(discovery(None), r#"{"status":"invalid_token"}"#);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(message in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = token(&message);
        }
    }
}
