//! Issuers' keys over time: rotation, floods, outages, and answers that are not what they must be.

use super::*;

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
    type Change = Box<dyn Fn(&mut crate::oidc::testing::Answer)>;
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
