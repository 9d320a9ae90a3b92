//! A JWT taken apart (RFC 7515, RFC 7519). Nothing here is believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gate::ports::AuthFailure;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::refused;
use crate::config::Algorithm;

/// Most bytes of a token. Large ones carry a few hundred groups.
pub const TOKEN_LIMIT: usize = 16 * 1024;
/// Most bytes of its header, decoded.
const HEADER_LIMIT: usize = 4 * 1024;
/// Most bytes of its signature, decoded: RSA with 8192 bits.
const SIGNATURE_LIMIT: usize = 1024;
/// Most bytes of a key id.
pub(super) const KEY_ID_LIMIT: usize = 256;

/// The parts of a token.
pub(crate) struct Jwt<'a> {
    /// Header and payload as they were signed.
    pub(super) signed: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Unverified {
    iss: Option<Value>,
}

/// Whether the text is a JWT rather than a Sallyport token: three parts, the first the start of a JSON object.
pub(crate) fn looks_like_jwt(text: &str) -> bool {
    text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'a str) -> Result<Self, AuthFailure> {
        const SHAPE: AuthFailure = refused("it is not a well-formed token");
        if token.len() > TOKEN_LIMIT {
            return Err(refused("it is larger than 16 KiB"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(SHAPE)?;
        let (header, payload) = signed.split_once('.').ok_or(SHAPE)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| SHAPE);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        if header.len() > HEADER_LIMIT || signature.len() > SIGNATURE_LIMIT {
            return Err(SHAPE);
        }
        let header: Header = serde_json::from_slice(&header).map_err(|_| SHAPE)?;
        if header.crit.is_some() {
            // RFC 7515, 4.1.11: whoever does not understand an extension named there must refuse.
            return Err(refused("it needs an extension that is not supported"));
        }
        if header.typ.as_deref().is_some_and(|kind| !is_access_type(kind)) {
            return Err(refused("it is a token for another purpose (`typ`)"));
        }
        if header.kid.as_ref().is_some_and(|id| id.len() > KEY_ID_LIMIT) {
            return Err(SHAPE);
        }
        let algorithm = Algorithm::parse(&header.alg).ok_or(refused("its signature algorithm is not accepted"))?;
        Ok(Self { signed, algorithm, key_id: header.kid, payload, signature })
    }

    /// Who it says issued it: good for choosing among the configured issuers and for nothing else.
    pub(crate) fn unverified_issuer(&self) -> Option<String> {
        let Unverified { iss } = serde_json::from_slice(&self.payload).ok()?;
        match iss {
            Some(Value::String(issuer)) => Some(issuer),
            Some(_) | None => None,
        }
    }

    /// The claims. To be called once the signature holds.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, AuthFailure> {
        serde_json::from_slice(&self.payload).map_err(|_| refused("its claims are not a JSON object"))
    }
}

/// Types that stand for an identity: not logout tokens, DPoP proofs, security events and the like (RFC 8725, 3.11).
fn is_access_type(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt" | "jose")
}
