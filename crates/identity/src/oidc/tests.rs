//! Whole verifications against a provider: keys, rotation, outages, and tokens made to deceive.

use std::time::Duration;

use model::IdentityKind;
use proptest::prelude::*;
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
async fn follows_a_rotation_and_forgets_the_old_key() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let provider = Provider::start(vec![old.public(json!({"kid": "1"}))]).await;
    let issuer = issuer(&provider);
    let body = claims(&provider.url, json!({}));
    let by_old = old.sign(&json!({"alg": "ES256", "kid": "1"}), &body);
    let by_new = new.sign(&json!({"alg": "ES256", "kid": "2"}), &body);
    verify(&issuer, &by_old).await.unwrap();
    assert_eq!(why(&issuer, &by_new).await, "it was signed with a key that the issuer does not publish");
    provider.change(|answer| answer.keys = vec![new.public(json!({"kid": "2"}))]);
    verify(&issuer, &by_new).await.unwrap();
    assert_eq!(why(&issuer, &by_old).await, "it was signed with a key that the issuer does not publish");
}

#[tokio::test]
async fn a_rotation_is_noticed_without_key_ids() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let provider = Provider::start(vec![old.public(json!({}))]).await;
    let issuer = issuer(&provider);
    let body = claims(&provider.url, json!({}));
    verify(&issuer, &old.sign(&json!({"alg": "ES256"}), &body)).await.unwrap();
    provider.change(|answer| answer.keys = vec![Signer::rsa().jwk.clone(), old.jwk.clone(), new.jwk.clone()]);
    verify(&issuer, &new.sign(&json!({"alg": "ES256"}), &body)).await.unwrap();
}

#[tokio::test]
async fn made_up_key_ids_do_not_flood_the_issuer() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    let issuer = issuer_with(&provider, Timing { pause: Duration::from_secs(30), ..TIMING }, |_| {});
    let body = claims(&provider.url, json!({}));
    let good = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &body);
    verify(&issuer, &good).await.unwrap();
    let forged: Vec<_> =
        (0..200).map(|number| signer.sign(&json!({"alg": "ES256", "kid": format!("x{number}")}), &body)).collect();
    for result in futures(forged.iter().map(|token| verify(&issuer, token))).await {
        assert!(matches!(result, Err(AuthFailure::Refused(_))));
    }
    assert_eq!(provider.key_requests(), 1);
    verify(&issuer, &good).await.unwrap();
}

#[tokio::test]
async fn many_first_clients_make_one_request() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    provider.change(|answer| answer.delay = Duration::from_millis(100));
    let issuer = issuer(&provider);
    let token = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({})));
    for result in futures((0..50).map(|_| verify(&issuer, &token))).await {
        result.unwrap();
    }
    assert_eq!(provider.requests(), 2);
}

/// Runs futures of one task side by side.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, slot) in all.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn keys_outlive_an_outage_for_a_while() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    let timing = Timing { fresh: Duration::ZERO, hard: Duration::from_millis(1500), ..TIMING };
    let issuer = issuer_with(&provider, timing, |_| {});
    let token = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({})));
    verify(&issuer, &token).await.unwrap();
    assert!(issuer.is_usable() && issuer.problem().is_none());
    provider.change(|answer| answer.down = true);
    verify(&issuer, &token).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert!(matches!(verify(&issuer, &token).await, Err(AuthFailure::Unavailable)), "no key is trusted for ever");
    assert!(!issuer.is_usable() && issuer.problem().is_some());
    provider.change(|answer| answer.down = false);
    verify(&issuer, &token).await.unwrap();
    assert!(issuer.is_usable() && issuer.problem().is_none());
}

#[tokio::test]
async fn an_issuer_that_is_away_is_asked_again_soon_but_not_by_everyone() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    provider.change(|answer| answer.down = true);
    let issuer = issuer_with(&provider, Timing { pause_without: Duration::from_millis(300), ..TIMING }, |_| {});
    let token = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({})));
    for _ in 0..20 {
        assert!(matches!(verify(&issuer, &token).await, Err(AuthFailure::Unavailable)));
    }
    assert!(provider.requests() <= 4, "{}", provider.requests());
    provider.change(|answer| answer.down = false);
    tokio::time::sleep(Duration::from_millis(350)).await;
    verify(&issuer, &token).await.unwrap();
}

#[tokio::test]
async fn a_slow_issuer_costs_bounded_time_and_does_not_hold_up_those_with_keys() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    let timing = Timing { timeout: Duration::from_millis(400), fresh: Duration::ZERO, ..TIMING };
    let issuer = issuer_with(&provider, timing, |_| {});
    let token = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({})));
    provider.change(|answer| answer.delay = Duration::from_secs(60));
    let begun = std::time::Instant::now();
    assert!(matches!(verify(&issuer, &token).await, Err(AuthFailure::Unavailable)));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(issuer.problem(), Some("no answer in time"));
    provider.change(|answer| answer.delay = Duration::ZERO);
    verify(&issuer, &token).await.unwrap();
    // Stale keys are renewed beside; whoever has a token for them does not wait.
    provider.change(|answer| answer.delay = Duration::from_secs(60));
    let begun = std::time::Instant::now();
    verify(&issuer, &token).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_end_the_request_of_others() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    provider.change(|answer| answer.delay = Duration::from_millis(100));
    let issuer = issuer(&provider);
    let token = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({})));
    tokio::time::timeout(Duration::from_millis(20), verify(&issuer, &token)).await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(issuer.is_usable());
    assert_eq!(provider.requests(), 2);
}

#[tokio::test]
async fn answers_that_are_not_what_they_must_be_give_no_keys() {
    let signer = Signer::p256();
    let key = signer.public(json!({"kid": "1"}));
    let provider = Provider::start(vec![key.clone()]).await;
    let token = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({})));
    type Change = Box<dyn Fn(&mut super::testing::Answer)>;
    let elsewhere = Provider::start(vec![key]).await;
    let target = format!("{}/keys", elsewhere.url);
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|answer| answer.issuer = Some("https://evil.example".to_owned())), "of another issuer"),
        (Box::new(|answer| answer.issuer = Some("http://127.0.0.1".to_owned())), "of another issuer"),
        (Box::new(|answer| answer.jwks_uri = Some("http://169.254.169.254/latest".to_owned())), "not https"),
        (Box::new(|answer| answer.jwks_uri = Some("http://127.0.0.1.evil.example/".to_owned())), "not https"),
        (Box::new(|answer| answer.jwks_uri = Some("file:///etc/passwd".to_owned())), "not https"),
        (Box::new(|answer| answer.jwks_uri = Some("keys".to_owned())), "not a URL"),
        (Box::new(move |answer| answer.redirect = Some(target.clone())), "an error or a redirect"),
        (Box::new(|answer| answer.raw_keys = Some("x".repeat(300 * 1024))), "too large"),
        (Box::new(|answer| answer.raw_keys = Some("{\"keys\":{}}".to_owned())), "no usable key"),
        (Box::new(|answer| answer.raw_keys = Some("<html>".to_owned())), "no usable key"),
        (Box::new(|answer| answer.keys = vec![json!({"kty": "oct", "k": "AAAA", "kid": "1"})]), "no usable key"),
    ];
    for (change, problem) in cases {
        let before = provider.state_copy();
        provider.change(|answer| change(answer));
        let issuer = issuer(&provider);
        assert!(matches!(verify(&issuer, &token).await, Err(AuthFailure::Unavailable)), "{problem}");
        assert!(issuer.problem().unwrap().contains(problem), "{problem}: {:?}", issuer.problem());
        provider.change(|answer| *answer = before);
    }
    assert_eq!(elsewhere.requests(), 0, "no redirect is followed");
    verify(&issuer(&provider), &token).await.unwrap();
}

#[tokio::test]
async fn algorithms_cannot_be_confused() {
    let (rsa, p256) = (Signer::rsa(), Signer::p256());
    let keys = vec![
        rsa.public(json!({"kid": "rsa"})),
        rsa.public(json!({"kid": "only-512", "alg": "RS512"})),
        p256.public(json!({"kid": "p256"})),
        rsa.public(json!({"kid": "enc", "use": "enc"})),
        rsa.public(json!({"kid": "wrap", "key_ops": ["wrapKey"]})),
        p256.public(json!({"kid": "lies", "alg": "RS256"})),
        json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}),
    ];
    let provider = Provider::start(keys).await;
    let issuer = issuer(&provider);
    let body = claims(&provider.url, json!({}));
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    // A MAC made with what everybody knows: the published key, in each form that a library might use.
    let (n, e) = (rsa.jwk["n"].as_str().unwrap(), rsa.jwk["e"].as_str().unwrap());
    for material in [n.to_owned(), rsa.jwk.to_string(), format!("{n}{e}"), String::new()] {
        let mac = jsonwebtoken::EncodingKey::from_secret(material.as_bytes());
        for kid in ["rsa", "p256", "shared"] {
            let signed = unsigned(&header("HS256", kid), &body);
            let tag = jsonwebtoken::crypto::sign(signed.as_bytes(), &mac, jsonwebtoken::Algorithm::HS256).unwrap();
            assert_eq!(why(&issuer, &format!("{signed}.{tag}")).await, "its signature algorithm is not accepted");
        }
    }
    for none in ["none", "None", "NONE", "nOnE", "", "HS512", "RS1", "rs256", "ES256K", "dir"] {
        for tail in ["", "AAAA"] {
            let token = format!("{}.{tail}", unsigned(&header(none, "rsa"), &body));
            assert_eq!(why(&issuer, &token).await, "its signature algorithm is not accepted", "{none}");
        }
    }
    let wrong = "its key is not for its signature algorithm";
    assert_eq!(why(&issuer, &p256.sign(&header("ES256", "rsa"), &body)).await, wrong);
    assert_eq!(why(&issuer, &rsa.sign(&header("RS256", "p256"), &body)).await, wrong);
    assert_eq!(why(&issuer, &rsa.sign(&header("RS256", "only-512"), &body)).await, wrong);
    verify(&issuer, &rsa.sign(&header("RS512", "only-512"), &body)).await.unwrap();
    let unpublished = "it was signed with a key that the issuer does not publish";
    for kid in ["enc", "wrap", "lies", "shared"] {
        assert_eq!(why(&issuer, &rsa.sign(&header("RS256", kid), &body)).await, unpublished, "{kid}");
    }
    assert_eq!(why(&issuer, &p256.sign(&header("ES256", "lies"), &body)).await, unpublished);
    // Signed under one algorithm, presented as another.
    let token = rsa.sign(&header("RS256", "rsa"), &body);
    let signature = token.rsplit('.').next().unwrap();
    let moved = format!("{}.{signature}", unsigned(&header("PS256", "rsa"), &body));
    assert_eq!(why(&issuer, &moved).await, "its signature does not hold");
    assert_eq!(why(&issuer, &format!("{}.", unsigned(&header("RS256", "rsa"), &body))).await, "its signature does not hold");
    // What the issuer allows may be narrowed.
    let narrow = issuer_with(&provider, TIMING, |config| config.algorithms = vec![Algorithm::ES256]);
    assert_eq!(why(&narrow, &token).await, "its signature algorithm is not accepted");
    verify(&narrow, &p256.sign(&header("ES256", "p256"), &body)).await.unwrap();
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_used() {
    let (ours, theirs) = (Signer::p256(), Signer::p256());
    let provider = Provider::start(vec![ours.public(json!({"kid": "1"}))]).await;
    let elsewhere = Provider::start(vec![theirs.public(json!({"kid": "1"}))]).await;
    let header = json!({
        "alg": "ES256", "kid": "1", "jwk": theirs.jwk, "jku": format!("{}/keys", elsewhere.url), "x5u": elsewhere.url,
    });
    let issuer = issuer(&provider);
    let token = theirs.sign(&header, &claims(&provider.url, json!({})));
    assert_eq!(why(&issuer, &token).await, "its signature does not hold");
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn equal_key_ids_are_all_tried() {
    let (first, second) = (Signer::p256(), Signer::p256());
    let keys = [&first, &second].map(|signer| signer.public(json!({"kid": "same"})));
    let rsa = Signer::rsa().public(json!({"kid": "same"}));
    let provider = Provider::start([keys.to_vec(), vec![rsa]].concat()).await;
    let issuer = issuer(&provider);
    let body = claims(&provider.url, json!({}));
    for signer in [&first, &second] {
        verify(&issuer, &signer.sign(&json!({"alg": "ES256", "kid": "same"}), &body)).await.unwrap();
    }
    verify(&issuer, &Signer::rsa().sign(&json!({"alg": "RS256", "kid": "same"}), &body)).await.unwrap();
    let stranger = Signer::p256().sign(&json!({"alg": "ES256", "kid": "same"}), &body);
    assert_eq!(why(&issuer, &stranger).await, "its signature does not hold");
}

#[tokio::test]
async fn forms_that_are_not_for_us_are_refused() {
    let signer = Signer::p256();
    let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
    let issuer = issuer(&provider);
    let body = claims(&provider.url, json!({}));
    let sign = |more: serde_json::Value| {
        let mut header = json!({"alg": "ES256", "kid": "1"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signer.sign(&header, &body)
    };
    for good in ["JWT", "jwt", "at+jwt", "application/at+jwt", "JOSE"] {
        verify(&issuer, &sign(json!({"typ": good}))).await.unwrap();
    }
    for bad in ["logout+jwt", "dpop+jwt", "secevent+jwt", "", "JWE"] {
        assert_eq!(why(&issuer, &sign(json!({"typ": bad}))).await, "it is a token for another purpose (`typ`)");
    }
    let extension = sign(json!({"crit": ["b64"], "b64": false}));
    assert_eq!(why(&issuer, &extension).await, "it needs an extension that is not supported");
    let shape = "it is not a well-formed token";
    let good = sign(json!({}));
    let long_id = sign(json!({"kid": "k".repeat(300)}));
    for bad in ["ey.ey.ey", "..", "ey..", "", &format!("{good}="), &format!("{good}."), &format!(".{good}"), &long_id] {
        assert_eq!(why(&issuer, bad).await, shape, "{bad}");
    }
    let huge = signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({"x": "x".repeat(20_000)})));
    assert_eq!(why(&issuer, &huge).await, "it is larger than 16 KiB");
    let requests = provider.requests();
    assert_eq!(requests, 2, "none of these asked the issuer for anything");
}

#[tokio::test]
async fn bad_issuer_urls_are_refused_at_the_start() {
    let refused = |url: &str| {
        Issuer::new(IssuerConfig::new(url, AUDIENCE), Handle::current()).err().unwrap_or_else(|| panic!("{url}"))
    };
    for url in ["http://idp.example", "http://127.0.0.1.example", "http://10.0.0.1", "ftp://localhost", "file:///etc"] {
        assert_eq!(refused(url), "`url` must be https; http is for an issuer on this machine", "{url}");
    }
    for url in ["https://idp.example/?a", "https://idp.example/#a", "https://u@idp.example", "https://u:p@idp.example"] {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![any::<String>(), "[A-Za-z0-9_.=-]{0,200}", "ey[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}"]) {
        if let Ok(token) = Jwt::parse(&text) {
            token.unverified_issuer();
        }
    }

    /// No change of one character leaves a token good.
    #[test]
    fn any_changed_character_is_noticed(place: prop::sample::Index, with in "[A-Za-z0-9_.-]") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let signer = Signer::ed25519();
            let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
            let issuer = issuer(&provider);
            let token = signer.sign(&json!({"alg": "EdDSA", "kid": "1"}), &claims(&provider.url, json!({})));
            let mut changed = token.clone().into_bytes();
            let place = place.index(changed.len());
            changed[place] = with.as_bytes()[0];
            let changed = String::from_utf8(changed).unwrap();
            let result = verify(&issuer, &changed).await;
            assert_eq!(result.is_ok(), changed == token, "{changed}");
        });
    }
}
