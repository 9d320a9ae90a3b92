//! Which door a token goes through, and what comes of changing issuers.

use model::IdentityKind;
use serde_json::json;

use super::*;
use crate::oidc::testing::{AUDIENCE, NOW, Provider, Signer, claims};
use crate::testing::{Fixture, fixture};
use crate::tokens::IssueRequest;

async fn directory(fixture: &Fixture, issuers: Vec<IssuerConfig>) -> Result<Directory, SetupError> {
    Directory::new(fixture.store.clone(), TokenSettings::default(), issuers, fixture.clock.clone()).await
}

fn token(signer: &Signer, issuer: &str, changes: serde_json::Value) -> String {
    signer.sign(&json!({"alg": "EdDSA", "kid": "1"}), &claims(issuer, changes))
}

async fn provider() -> (Provider, Signer) {
    let signer = Signer::ed25519();
    (Provider::start(vec![signer.public(json!({"kid": "1"}))]).await, signer)
}

#[tokio::test]
async fn each_token_goes_to_its_own_issuer() {
    let fixture = fixture().await;
    let ((one, by_one), (two, by_two), (other, by_other)) = (provider().await, provider().await, provider().await);
    let configs = vec![IssuerConfig::new(&one.url, AUDIENCE), IssuerConfig::new(&two.url, AUDIENCE)];
    let directory = directory(&fixture, configs).await.unwrap();
    for (provider, signer) in [(&one, &by_one), (&two, &by_two)] {
        let proven = directory.verify(&token(signer, &provider.url, json!({})), "orders-db").await.unwrap();
        assert_eq!(proven.identity.issuer, provider.url);
    }
    // The key of one does not sign for the other, and who is not configured is not even asked.
    let crossed = directory.verify(&token(&by_one, &two.url, json!({})), "orders-db").await;
    assert!(matches!(crossed, Err(AuthFailure::Refused("its signature does not hold"))));
    let unknown = directory.verify(&token(&by_other, &other.url, json!({})), "orders-db").await;
    assert_eq!(unknown.unwrap_err(), AuthFailure::Unknown);
    let nobody = directory.verify(&token(&by_one, &one.url, json!({"iss": null})), "orders-db").await;
    assert_eq!(nobody.unwrap_err(), AuthFailure::Unknown);
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn a_sallyport_token_works_beside_issuers_and_without() {
    let fixture = fixture().await;
    let directory = directory(&fixture, Vec::new()).await.unwrap();
    assert_eq!(directory.bearer_discovery(), None);
    let request = IssueRequest {
        subject: "ci".to_owned(),
        kind: IdentityKind::Ci,
        groups: Vec::new(),
        on_behalf_of: Vec::new(),
        task: None,
        targets: None,
        ttl: None,
    };
    let issued = directory.tokens().issue(&request, "dana").await.unwrap();
    let proven = directory.verify(issued.token.reveal(), "orders-db").await.unwrap();
    assert_eq!(proven.identity.kind, IdentityKind::Ci);
    for wrong in ["", "hunter2", "sp_", "ey", "Bearer x", "eyJ.eyJ", &"x".repeat(100_000)] {
        assert_eq!(directory.verify(wrong, "orders-db").await.unwrap_err(), AuthFailure::Unknown, "{wrong:.20}");
    }
    assert_eq!(directory.scram_parameters().iterations, 4096);
}

#[tokio::test]
async fn an_issuer_may_be_bound_to_targets() {
    let fixture = fixture().await;
    let (provider, signer) = provider().await;
    let mut config = IssuerConfig::new(&provider.url, AUDIENCE);
    config.targets = Some(vec!["orders-db".to_owned()]);
    config.scope = "openid db".to_owned();
    let directory = directory(&fixture, vec![config]).await.unwrap();
    assert_eq!(directory.bearer_discovery(), Some((provider.url.clone(), "openid db".to_owned())));
    let token = token(&signer, &provider.url, json!({}));
    let proven = directory.verify(&token, "orders-db").await.unwrap();
    assert_eq!(proven.targets.as_deref(), Some(["orders-db".to_owned()].as_slice()));
    assert_eq!(directory.verify(&token, "billing").await.unwrap_err(), AuthFailure::WrongTarget);
    fixture.clock.pass(700);
    assert_eq!(directory.verify(&token, "orders-db").await.unwrap_err(), AuthFailure::Expired);
}

fn for_logins(provider: &Provider) -> IssuerConfig {
    let mut config = IssuerConfig::new(&provider.url, AUDIENCE);
    let device = json!({"client_id": "gateway", "client_secret": {"env": "X"}});
    config.device = Some(serde_json::from_value(device).unwrap());
    config.targets = Some(vec!["web-1".to_owned()]);
    config
}

/// A provider where everybody is logged in at once.
async fn login_provider() -> Provider {
    let (provider, signer) = provider().await;
    let url = provider.url.clone();
    let token = token(&signer, &url, json!({"aud": "gateway"}));
    provider.change(|answer| {
        answer.discovery =
            json!({"device_authorization_endpoint": format!("{url}/device"), "token_endpoint": format!("{url}/token")});
        let begin = json!({"device_code": "secret", "user_code": "A-B", "verification_uri": url, "expires_in": 60, "interval": 1});
        answer.begin = (200, begin.to_string());
        answer.polls = vec![(200, json!({"id_token": token}).to_string())];
    });
    provider
}

const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn people_log_in_with_the_browser_where_an_issuer_has_a_client_for_it() {
    let fixture = fixture().await;
    let (provider, (other, _)) = (login_provider().await, provider().await);
    let configs = vec![IssuerConfig::new(&other.url, AUDIENCE), for_logins(&provider)];
    let directory = directory(&fixture, configs).await.unwrap();
    assert!(directory.offers_login("web-1") && !directory.offers_login("orders-db"));
    let failed = |failure: AuthFailure| failure.to_string();
    let refused = directory.begin_login("orders-db", HERE).await.map(drop).map_err(failed).unwrap_err();
    assert!(refused.contains("no longer configured"), "{refused}");
    let shut = directory.begin_login("web-1", HERE).await.map(drop).map_err(failed).unwrap_err();
    assert!(shut.contains("cannot be asked"), "its secret cannot be opened: {shut}");
    assert_eq!(provider.requests(), 0);
    let directory = directory.with_secrets(Arc::new(|_| Ok(gate::Secret::new(b"s3cret".to_vec()))));
    let login = directory.begin_login("web-1", HERE).await.map_err(failed).unwrap();
    assert_eq!(login.prompt().code, "A-B");
    let proven = login.finish().await.unwrap();
    assert_eq!((proven.identity.subject.as_str(), &proven.identity.issuer), ("alice", &provider.url));
    assert!(provider.posts("/device")[0].head.contains("Basic Z2F0ZXdheTpzM2NyZXQ="));

    // What is begun at an issuer that is gone by then proves nothing.
    let login = directory.begin_login("web-1", HERE).await.map_err(failed).unwrap();
    let mut changed = for_logins(&provider);
    changed.scope = "openid more".to_owned();
    directory.put_issuers(directory.prepare_issuers(vec![changed]).unwrap());
    let gone = login.finish().await.map(drop).map_err(failed).unwrap_err();
    assert!(gone.contains("no longer configured"), "{gone}");
}

#[tokio::test]
async fn logins_with_the_browser_are_bounded() {
    let fixture = fixture().await;
    let provider = login_provider().await;
    let directory = directory(&fixture, vec![for_logins(&provider)]).await.unwrap();
    let directory = directory.with_secrets(Arc::new(|_| Ok(gate::Secret::new(b"s3cret".to_vec()))));
    let mut begun = Vec::new();
    while let Ok(login) = directory.begin_login("web-1", HERE).await {
        begun.push(login);
    }
    assert_eq!(begun.len(), 8);
    drop(begun);
    let crowded = directory.begin_login("web-1", HERE).await.map(drop).unwrap_err();
    assert!(crowded.to_string().contains("too many of them"), "{crowded}");
    assert_eq!(provider.posts("/device").len(), 8, "giving up and asking again asks the provider for nothing");
    let elsewhere = "10.0.0.1".parse().unwrap();
    assert!(directory.begin_login("web-1", elsewhere).await.is_ok());
}

#[tokio::test]
async fn issuers_are_exchanged_whole() {
    let fixture = fixture().await;
    let ((one, by_one), (two, by_two)) = (provider().await, provider().await);
    let config = IssuerConfig::new(&one.url, AUDIENCE);
    let directory = directory(&fixture, vec![config.clone()]).await.unwrap();
    let status = directory.warm().await;
    assert_eq!(status, [IssuerStatus { url: one.url.clone(), usable: true, problem: None }]);
    assert_eq!(one.requests(), 2);
    let more = vec![config.clone(), IssuerConfig::new(&two.url, AUDIENCE)];
    let prepared = directory.prepare_issuers(more).unwrap();
    assert_eq!(directory.status().len(), 1, "nothing changes before it is put in force");
    directory.put_issuers(prepared);
    for (provider, signer) in [(&one, &by_one), (&two, &by_two)] {
        directory.verify(&token(signer, &provider.url, json!({})), "orders-db").await.unwrap();
    }
    assert_eq!(one.requests(), 2, "its keys were kept");
    for bad in [
        vec![config.clone(), config.clone()],
        vec![IssuerConfig::new("http://idp.example", AUDIENCE)],
        vec![IssuerConfig::new("https://idp.example", "")],
    ] {
        assert!(directory.prepare_issuers(bad.clone()).is_err());
        assert!(check_issuers(&bad, &tokio::runtime::Handle::current()).is_err());
    }
    assert_eq!(directory.status().len(), 2, "a bad change changes nothing");
    directory.put_issuers(directory.prepare_issuers(vec![IssuerConfig::new(&two.url, AUDIENCE)]).unwrap());
    let gone = directory.verify(&token(&by_one, &one.url, json!({})), "orders-db").await;
    assert_eq!(gone.unwrap_err(), AuthFailure::Unknown);
}

#[tokio::test]
async fn an_issuer_that_is_away_stops_nobody_else() {
    let fixture = fixture().await;
    let ((one, by_one), (two, by_two)) = (provider().await, provider().await);
    one.change(|answer| answer.down = true);
    let configs = vec![IssuerConfig::new(&one.url, AUDIENCE), IssuerConfig::new(&two.url, AUDIENCE)];
    let directory = directory(&fixture, configs).await.unwrap();
    let status = directory.warm().await;
    assert_eq!(status.iter().map(|one| one.usable).collect::<Vec<_>>(), [false, true]);
    directory.verify(&token(&by_two, &two.url, json!({})), "orders-db").await.unwrap();
    let away = directory.verify(&token(&by_one, &one.url, json!({})), "orders-db").await;
    assert_eq!(away.unwrap_err(), AuthFailure::Unavailable);
}

#[tokio::test]
async fn failures_repeat_nothing_of_the_token() {
    let fixture = fixture().await;
    let (provider, signer) = provider().await;
    let directory = directory(&fixture, vec![IssuerConfig::new(&provider.url, AUDIENCE)]).await.unwrap();
    for changes in [
        json!({"aud": "hunter2"}),
        json!({"sub": "hunter2\n"}),
        json!({"groups": {"hunter2": 1}}),
        json!({"exp": NOW - 3600, "x": "hunter2"}),
        json!({"iss": "hunter2"}),
        json!({"act": "hunter2"}),
    ] {
        let failure = directory.verify(&token(&signer, &provider.url, changes), "orders-db").await.unwrap_err();
        let shown = format!("{failure} {failure:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
