//! Tokens made to deceive: other algorithms, keys that they bring along, other forms, changed characters.

use proptest::prelude::*;

use super::*;

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
    assert_eq!(
        why(&issuer, &format!("{}.", unsigned(&header("RS256", "rsa"), &body))).await,
        "its signature does not hold"
    );
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
    let huge =
        signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&provider.url, json!({"x": "x".repeat(20_000)})));
    assert_eq!(why(&issuer, &huge).await, "it is larger than 16 KiB");
    let requests = provider.requests();
    assert_eq!(requests, 2, "none of these asked the issuer for anything");
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
