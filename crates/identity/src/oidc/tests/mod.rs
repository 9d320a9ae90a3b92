//! Whole verifications against a provider. What all of them need, and what must be accepted.

mod deceit;
mod keys;

use std::time::Duration;

use model::IdentityKind;
use serde_json::json;
use tokio::runtime::Handle;

use super::testing::{AUDIENCE, NOW, Provider, Signer, claims, unsigned};
use super::*;
use crate::config::Algorithm;

/// Times short enough for tests and far enough apart not to be confused on a busy machine.
const TIMING: Timing = Timing {
    fresh: Duration::from_secs(30),
    hard: Duration::from_secs(60),
    pause: Duration::ZERO,
    pause_without: Duration::ZERO,
    timeout: Duration::from_secs(5),
    second: Duration::from_millis(20),
};

fn issuer_with(provider: &Provider, timing: Timing, change: impl FnOnce(&mut IssuerConfig)) -> Issuer {
    let mut config = IssuerConfig::new(&provider.url, AUDIENCE);
    change(&mut config);
    Issuer::with_timing(config, Handle::current(), timing).unwrap()
}

fn issuer(provider: &Provider) -> Issuer {
    issuer_with(provider, TIMING, |_| {})
}

async fn verify(issuer: &Issuer, token: &str) -> Result<Proven, AuthFailure> {
    issuer.verify(&Jwt::parse(token)?, || Micros(NOW * 1_000_000)).await
}

async fn why(issuer: &Issuer, token: &str) -> &'static str {
    match verify(issuer, token).await {
        Err(AuthFailure::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn accepts_every_algorithm_from_another_implementation() {
    let (rsa, p256, p384, ed) = (Signer::rsa(), Signer::p256(), Signer::p384(), Signer::ed25519());
    let keys = vec![
        rsa.public(json!({"kid": "rsa", "use": "sig", "x5c": ["ignored"]})),
        p256.public(json!({"kid": "p256", "alg": "ES256"})),
        p384.public(json!({"kid": "p384", "key_ops": ["verify"]})),
        ed.public(json!({"kid": "ed"})),
    ];
    let provider = Provider::start(keys).await;
    let issuer = issuer(&provider);
    let cases = [
        (rsa, "rsa", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        (&p256, "p256", &["ES256"]),
        (&p384, "p384", &["ES384"]),
        (&ed, "ed", &["EdDSA"]),
    ];
    for (signer, kid, algorithms) in cases {
        for alg in algorithms {
            let token = signer.sign(&json!({"alg": alg, "kid": kid}), &claims(&provider.url, json!({})));
            let proven = verify(&issuer, &token).await.unwrap_or_else(|error| panic!("{alg}: {error}"));
            assert_eq!(proven.identity.subject, "alice");
            assert_eq!(proven.identity.issuer, provider.url);
            assert_eq!(proven.identity.kind, IdentityKind::Agent);
            assert_eq!(proven.identity.groups, ["agents", "dev"]);
            assert_eq!(proven.expires, Micros((NOW + 660) * 1_000_000), "expiry and skew");
            assert_eq!((proven.token, proven.targets), (None, None));
        }
    }
    assert_eq!(provider.key_requests(), 1, "one set of keys served all of them");
}

#[tokio::test]
async fn accepts_p521() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty": "EC", "crv": "P-521", "kid": "k", "x": encode(&point[1..67]), "y": encode(&point[67..])});
    let provider = Provider::start(vec![jwk]).await;
    let signed = unsigned(&json!({"alg": "ES512", "kid": "k"}), &claims(&provider.url, json!({})));
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    verify(&issuer(&provider), &format!("{signed}.{}", encode(signature.as_ref()))).await.unwrap();
}

#[tokio::test]
async fn bad_issuer_urls_are_refused_at_the_start() {
    let refused = |url: &str| {
        Issuer::new(IssuerConfig::new(url, AUDIENCE), Handle::current()).err().unwrap_or_else(|| panic!("{url}"))
    };
    for url in ["http://idp.example", "http://127.0.0.1.example", "http://10.0.0.1", "ftp://localhost", "file:///etc"] {
        assert_eq!(refused(url), "`url` must be https; http is for an issuer on this machine", "{url}");
    }
    for url in ["https://idp.example/?a", "https://idp.example/#a", "https://u@idp.example", "https://u:p@idp.example"]
    {
        assert_eq!(refused(url), "`url` must have no query, fragment, user or password", "{url}");
    }
    assert!(refused("idp.example").starts_with("`url` is not a URL"));
    for url in ["https://idp.example", "https://idp.example/realms/a/", "http://localhost:8080", "http://[::1]:1"] {
        Issuer::new(IssuerConfig::new(url, AUDIENCE), Handle::current()).unwrap();
    }
    let mut config = IssuerConfig::new("https://idp.example", AUDIENCE);
    config.ca = Some("/nowhere/ca.pem".into());
    let error = Issuer::new(config, Handle::current()).err().unwrap();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}
