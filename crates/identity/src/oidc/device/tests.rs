//! Logins with the browser, against a provider that answers as it is told.

use gate::Micros;
use gate::ports::Proven;
use serde_json::{Value, json};

use super::*;
use crate::config::{IssuerConfig, Span};
use crate::oidc::Issuer;
use crate::oidc::keys::cache::Timing;
use crate::oidc::testing::{AUDIENCE, NOW, Provider, Signer, claims};

const CLIENT: &str = "sallyport gateway";
const DEVICE_CODE: &str = "dev1ce-c0de-that-is-secret";

/// A second of twenty milliseconds: a poll takes less on a busy machine.
const TIMING: Timing = Timing {
    fresh: Duration::from_secs(30),
    hard: Duration::from_secs(60),
    pause: Duration::ZERO,
    pause_without: Duration::ZERO,
    timeout: Duration::from_millis(700),
    second: Duration::from_millis(20),
};

struct World {
    provider: Provider,
    signer: Signer,
}

impl World {
    async fn new() -> Self {
        let signer = Signer::p256();
        let provider = Provider::start(vec![signer.public(json!({"kid": "1"}))]).await;
        let url = provider.url.clone();
        provider.change(|answer| {
            answer.discovery =
                json!({"device_authorization_endpoint": format!("{url}/device"), "token_endpoint": format!("{url}/token")});
            answer.begin = (200, begin(&url, json!({})));
        });
        Self { provider, signer }
    }

    fn polls(&self, polls: &[(u16, Value)]) {
        let polls = polls.iter().map(|(status, body)| (*status, body.to_string())).collect();
        self.provider.change(|answer| answer.polls = polls);
    }

    fn token(&self, changes: Value) -> String {
        let mut all = json!({"aud": CLIENT});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.signer.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&self.provider.url, all))
    }

    fn good(&self) -> (u16, Value) {
        (200, json!({"id_token": self.token(json!({})), "access_token": "opaque", "refresh_token": "unasked"}))
    }

    fn issuer(&self, change: impl FnOnce(&mut IssuerConfig)) -> Issuer {
        let mut config = IssuerConfig::new(&self.provider.url, AUDIENCE);
        config.device = Some(DeviceConfig {
            client_id: CLIENT.to_owned(),
            client_secret: None,
            scope: "openid groups".to_owned(),
            session: None,
        });
        change(&mut config);
        Issuer::with_timing(config, Handle::current(), TIMING).unwrap()
    }

    async fn log_in(&self) -> Result<Proven, AuthFailure> {
        log_in(&self.issuer(|_| {}), None).await
    }

    async fn why(&self) -> String {
        self.log_in().await.unwrap_err().to_string()
    }
}

fn begin(url: &str, changes: Value) -> String {
    let mut answer = json!({
        "device_code": DEVICE_CODE, "user_code": "WDJB-MJHT", "verification_uri": format!("{url}/activate"),
        "verification_uri_complete": format!("{url}/activate?user_code=WDJB-MJHT"), "expires_in": 600, "interval": 1,
    });
    for (name, value) in changes.as_object().unwrap() {
        answer[name] = value.clone();
    }
    answer.to_string()
}

async fn log_in(issuer: &Issuer, secret: Option<&str>) -> Result<Proven, AuthFailure> {
    let secret = secret.map(|secret| Secret::new(secret.as_bytes().to_vec()));
    let (client, begun) = issuer.begin_login(secret, Micros(0)).await.unwrap();
    issuer.finish_login(client, begun, || Micros(NOW * 1_000_000)).await
}

fn error(name: &str) -> (u16, Value) {
    (400, json!({"error": name, "error_description": "hunter2"}))
}

#[tokio::test]
async fn whoever_logs_in_is_proven_by_the_id_token() {
    let world = World::new().await;
    world.polls(&[error("authorization_pending"), error("authorization_pending"), world.good()]);
    let issuer = world.issuer(|_| {});
    let (client, begun) = issuer.begin_login(None, Micros(7)).await.unwrap();
    let prompt = begun.prompt().clone();
    assert_eq!((prompt.code.as_str(), prompt.begun), ("WDJB-MJHT", Micros(7)));
    assert_eq!(prompt.url, format!("{}/activate", world.provider.url));
    assert_eq!(prompt.complete_url, Some(format!("{}/activate?user_code=WDJB-MJHT", world.provider.url)));
    assert_eq!(prompt.good_for, Duration::from_secs(300), "never more than five minutes");
    assert!(!format!("{prompt:?}").contains(DEVICE_CODE));
    assert_eq!(world.provider.posts("/token").len(), 0, "nobody polls before somebody waits");
    let proven = issuer.finish_login(client, begun, || Micros(NOW * 1_000_000)).await.unwrap();
    assert_eq!((proven.identity.subject.as_str(), &proven.identity.issuer), ("alice", &world.provider.url));
    assert_eq!(proven.identity.groups, ["agents", "dev"]);
    assert_eq!(proven.identity.claims["sallyport_login"], "device");
    assert_eq!(proven.expires, Micros((NOW + 660) * 1_000_000), "as long as the token");
    let begin = &world.provider.posts("/device")[0];
    assert_eq!(begin.form, "scope=openid+groups&client_id=sallyport+gateway");
    let polls = world.provider.posts("/token");
    assert_eq!(polls.len(), 3);
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    assert_eq!(polls[0].form, format!("{grant}&device_code={DEVICE_CODE}&client_id=sallyport+gateway"));
    assert!(!polls[0].head.to_ascii_lowercase().contains("authorization:"));
}

#[tokio::test]
async fn a_login_lasts_as_long_as_the_configuration_says() {
    let world = World::new().await;
    world.polls(&[world.good()]);
    let issuer = world.issuer(|config| {
        config.device.as_mut().unwrap().session = Some(Span::from_seconds(3600));
        config.targets = Some(vec!["web-1".to_owned()]);
    });
    let proven = log_in(&issuer, None).await.unwrap();
    assert_eq!(proven.expires, Micros((NOW + 3600) * 1_000_000));
    assert_eq!(proven.targets.as_deref(), Some(&["web-1".to_owned()][..]));
}

#[tokio::test]
async fn a_secret_is_sent_as_the_provider_takes_it() {
    let world = World::new().await;
    world.polls(&[world.good()]);
    log_in(&world.issuer(|_| {}), Some("s&cr=t :%")).await.unwrap();
    let post = &world.provider.posts("/token")[0];
    // sallyport+gateway:s%26cr%3Dt+%3A%25
    assert!(post.head.contains("Basic c2FsbHlwb3J0K2dhdGV3YXk6cyUyNmNyJTNEdCslM0ElMjU="), "{post:?}");
    assert!(!post.form.contains("client_secret"), "{post:?}");
    world.provider.change(|answer| {
        answer.discovery["token_endpoint_auth_methods_supported"] = json!(["client_secret_post", "private_key_jwt"]);
    });
    log_in(&world.issuer(|_| {}), Some("s&cr=t")).await.unwrap();
    let post = world.provider.posts("/token").pop().unwrap();
    assert!(post.form.ends_with("&client_secret=s%26cr%3Dt") && !post.head.contains("Basic"), "{post:?}");
}

#[tokio::test]
async fn the_pace_is_the_providers() {
    let world = World::new().await;
    world.polls(&[error("slow_down"), error("authorization_pending"), world.good()]);
    let start = Instant::now();
    world.log_in().await.unwrap();
    // 1, then twice 1 + 5.
    assert!(start.elapsed() >= TIMING.second * 13, "{:?}", start.elapsed());
    let world = World::new().await;
    world.polls(&[(429, json!({})), world.good()]);
    let start = Instant::now();
    world.log_in().await.unwrap();
    assert!(start.elapsed() >= TIMING.second * 7, "{:?}", start.elapsed());
}

#[tokio::test]
async fn denials_ends_and_refusals_say_what_they_are() {
    let world = World::new().await;
    for (answer, said) in [
        (error("access_denied"), "denied at the identity provider"),
        (error("expired_token"), "not used in time"),
        (error("invalid_client"), "cannot be asked right now"),
        ((401, json!({"error": "hunter2"})), "cannot be asked right now"),
        ((200, json!({"access_token": "opaque"})), "none that says who has logged in"),
    ] {
        world.polls(&[error("authorization_pending"), answer]);
        let why = world.why().await;
        assert!(why.contains(said) && !why.contains("hunter2"), "{said}: {why}");
    }
    let before = world.provider.posts("/token").len();
    assert_eq!(before, 10, "what has ended is not asked for again");
}

#[tokio::test]
async fn a_code_that_nobody_uses_ends_in_its_time() {
    let world = World::new().await;
    let url = world.provider.url.clone();
    world.provider.change(|answer| answer.begin = (200, begin(&url, json!({"expires_in": 1}))));
    world.polls(&[error("authorization_pending")]);
    let start = Instant::now();
    assert_eq!(world.log_in().await.unwrap_err(), EXPIRED);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_provider_that_stumbles_is_asked_again_less_often() {
    let world = World::new().await;
    let good = world.good();
    let answers = vec![(500, "x".to_owned()), (200, "not JSON".to_owned()), (0, String::new())];
    let rest = [(good.0, good.1.to_string())];
    world.provider.change(|answer| answer.polls = [answers, rest.to_vec()].concat());
    let start = Instant::now();
    world.log_in().await.unwrap();
    // 1 + 2 + 4 + 8.
    assert!(start.elapsed() >= TIMING.second * 15, "{:?}", start.elapsed());
    for nothing in [
        "",
        "[]",
        "{}",
        "{\"id_token\": 7}",
        &"x".repeat(100_000),
        &json!({"id_token": "x".repeat(20_000)}).to_string(),
    ] {
        world.provider.change(|answer| answer.polls = vec![(200, nothing.to_owned())]);
        let before = world.provider.posts("/token").len();
        assert_eq!(world.log_in().await.unwrap_err(), AWAY, "{nothing:.40}");
        assert_eq!(world.provider.posts("/token").len() - before, 5);
    }
    let (client, begun) = world.issuer(|_| {}).begin_login(None, Micros(0)).await.unwrap();
    world.provider.change(|answer| {
        answer.redirect = Some(format!("{}/moved", world.provider.url));
        answer.polls = vec![(307, String::new())];
    });
    assert_eq!(client.wait(&begun).await.err(), Some(AWAY));
    assert!(world.provider.posts("/moved").is_empty(), "a redirect is not followed");
}

/// A connection that the provider is about to close is none to send a code or a poll over, which nobody would send again.
#[tokio::test]
async fn no_connection_is_used_twice() {
    let world = World::new().await;
    world.provider.change(|answer| answer.lingers = true);
    let issuer = world.issuer(|_| {});
    for _ in 0..2 {
        world.polls(&[error("authorization_pending"), error("authorization_pending"), world.good()]);
        let before = world.provider.posts("/token").len();
        log_in(&issuer, None).await.unwrap();
        assert_eq!(world.provider.posts("/token").len() - before, 3);
    }
}

#[tokio::test]
async fn a_slow_provider_is_not_waited_for() {
    let world = World::new().await;
    let issuer = world.issuer(|_| {});
    issuer.warm().await;
    world.provider.change(|answer| answer.delay = Duration::from_secs(20));
    let start = Instant::now();
    assert!(issuer.begin_login(None, Micros(0)).await.is_err());
    assert!(start.elapsed() < BEGIN_TIMEOUT + Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn tokens_of_somebody_else_prove_nothing() {
    let world = World::new().await;
    let stranger = Signer::p256();
    let by_stranger =
        stranger.sign(&json!({"alg": "ES256", "kid": "1"}), &claims(&world.provider.url, json!({"aud": CLIENT})));
    let cases = [
        (world.token(json!({"aud": "another-client"})), "another audience"),
        (world.token(json!({"aud": AUDIENCE})), "another audience"),
        (world.token(json!({"aud": [CLIENT, "another"]})), "another audience"),
        (world.token(json!({"aud": [CLIENT, "another"], "azp": "another"})), "another audience"),
        (world.token(json!({"azp": "another"})), "another audience"),
        (world.token(json!({"iss": "https://idp.example"})), "its issuer is another one"),
        (world.token(json!({"exp": NOW - 3600})), "expired"),
        (world.token(json!({"sub": null})), "subject"),
        (world.token(json!({"cnf": {"jkt": "x"}})), "bound to a key"),
        (by_stranger, "signature does not hold"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.".to_owned(), "algorithm is not accepted"),
        ("garbage".to_owned(), "not a well-formed token"),
    ];
    for (token, said) in cases {
        world.polls(&[(200, json!({"id_token": token, "access_token": world.token(json!({"aud": AUDIENCE}))}))]);
        let why = world.why().await;
        assert!(why.contains(said) && !why.contains(&token), "{said}: {why}");
    }
    for good in [json!({"aud": [CLIENT, "another"], "azp": CLIENT}), json!({"aud": [CLIENT]}), json!({"azp": CLIENT})] {
        world.polls(&[(200, json!({"id_token": world.token(good)}))]);
        world.log_in().await.unwrap();
    }
    // Without an id token, an access token counts for what it would count for if a client showed it.
    world.polls(&[(200, json!({"access_token": world.token(json!({}))}))]);
    assert!(world.why().await.contains("another audience"));
    world.polls(&[(200, json!({"access_token": world.token(json!({"aud": AUDIENCE, "sallyport_login": "x"}))}))]);
    let proven = world.log_in().await.unwrap();
    assert_eq!(proven.identity.claims["sallyport_login"], "device");
    // An id token is good for nothing when a client shows it.
    let shown = world.token(json!({"sallyport_login": "device"}));
    let issuer = world.issuer(|config| config.audience = crate::config::OneOrMany::One(AUDIENCE.to_owned()));
    let token = crate::oidc::jwt::Jwt::parse(&shown).unwrap();
    let refused = issuer.verify(&token, || Micros(NOW * 1_000_000)).await;
    assert_eq!(refused.unwrap_err(), AuthFailure::Refused("it is for another audience"));
    let shown = world.token(json!({"aud": AUDIENCE, "sallyport_login": "device"}));
    let token = crate::oidc::jwt::Jwt::parse(&shown).unwrap();
    let proven = issuer.verify(&token, || Micros(NOW * 1_000_000)).await.unwrap();
    assert!(!proven.identity.claims.contains_key("sallyport_login"), "no token claims how somebody logged in");
}

#[tokio::test]
async fn what_a_terminal_would_act_on_is_not_shown() {
    let world = World::new().await;
    let url = world.provider.url.clone();
    let issuer = world.issuer(|_| {});
    for (changes, said) in [
        (json!({"user_code": "A\u{1b}[2J"}), "user_code"),
        (json!({"user_code": "ÄÖ"}), "user_code"),
        (json!({"user_code": ""}), "user_code"),
        (json!({"user_code": "x".repeat(65)}), "user_code"),
        (json!({"user_code": format!("A {DEVICE_CODE}")}), "user_code"),
        (json!({"user_code": null}), "user_code"),
        (json!({"verification_uri": "javascript:alert(1)"}), "verification_uri"),
        (json!({"verification_uri": "http://idp.example/"}), "verification_uri"),
        (json!({"verification_uri": "https://idp.example@evil.example/"}), "verification_uri"),
        (json!({"verification_uri": "https://idp.example/\n"}), "verification_uri"),
        (json!({"verification_uri": "https://idp.example/ and more words"}), "verification_uri"),
        (json!({"verification_uri": format!("https://idp.example/{}", "x".repeat(600))}), "verification_uri"),
        (json!({"verification_uri": format!("{url}/{DEVICE_CODE}")}), "verification_uri"),
        (json!({"device_code": ""}), "device_code"),
        (json!({"device_code": "x".repeat(5000)}), "device_code"),
        (json!({"device_code": 7}), "device_code"),
        (json!({"expires_in": 0}), "expires_in"),
        (json!({"expires_in": -1}), "expires_in"),
        (json!({"expires_in": "soon"}), "expires_in"),
    ] {
        world.provider.change(|answer| answer.begin = (200, begin(&url, changes.clone())));
        let why = issuer.begin_login(None, Micros(0)).await.err().unwrap_or_default();
        assert!(why.contains(said), "{changes}: {why}");
    }
    for complete in ["http://idp.example/", "https://idp.example/\u{7}", &format!("{url}/?code={DEVICE_CODE}")] {
        let changes = json!({"verification_uri_complete": complete});
        world.provider.change(|answer| answer.begin = (200, begin(&url, changes)));
        let (_, begun) = issuer.begin_login(None, Micros(0)).await.unwrap();
        assert_eq!(begun.prompt().complete_url, None, "{complete}");
    }
    let old = json!({"verification_uri": null, "verification_url": format!("{url}/go"), "interval": null});
    world.provider.change(|answer| answer.begin = (200, begin(&url, old)));
    let (_, begun) = issuer.begin_login(None, Micros(0)).await.unwrap();
    assert_eq!((begun.prompt().url.as_str(), begun.interval), (format!("{url}/go").as_str(), 5));
    for (status, body) in [
        (200, String::new()),
        (200, "x".repeat(100_000)),
        (200, "[]".to_owned()),
        (302, String::new()),
        (400, json!({"error": "unauthorized_client"}).to_string()),
        (500, String::new()),
    ] {
        world.provider.change(|answer| answer.begin = (status, body.clone()));
        assert!(issuer.begin_login(None, Micros(0)).await.is_err(), "{status} {body:.20}");
    }
}

#[tokio::test]
async fn an_issuer_without_endpoints_still_proves_tokens() {
    let world = World::new().await;
    for discovery in [
        json!({"device_authorization_endpoint": null, "token_endpoint": 7}),
        json!({"device_authorization_endpoint": "http://idp.example/device"}),
        json!({"token_endpoint": "ftp://127.0.0.1/"}),
    ] {
        world.provider.change(|answer| {
            for (name, value) in discovery.as_object().unwrap() {
                answer.discovery[name] = value.clone();
            }
        });
        let issuer = world.issuer(|_| {});
        let why = issuer.begin_login(None, Micros(0)).await.err().unwrap_or_default();
        assert!(why.contains("device_authorization_endpoint"), "{discovery}: {why}");
        let token = world.token(json!({"aud": AUDIENCE}));
        issuer.verify(&crate::oidc::jwt::Jwt::parse(&token).unwrap(), || Micros(NOW * 1_000_000)).await.unwrap();
    }
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let check = |change: fn(&mut DeviceConfig)| {
        let mut config = DeviceConfig {
            client_id: CLIENT.to_owned(),
            client_secret: None,
            scope: "openid".to_owned(),
            session: None,
        };
        change(&mut config);
        config.check(Span::from_seconds(7200)).err().unwrap_or_default()
    };
    assert_eq!(check(|_| {}), "");
    assert_eq!(check(|config| config.session = Some(Span::from_seconds(7200))), "");
    assert!(check(|config| config.client_id = String::new()).contains("client_id"));
    assert!(check(|config| config.client_id = "a\n".to_owned()).contains("client_id"));
    assert!(check(|config| config.scope = "email".to_owned()).contains("openid"));
    assert!(check(|config| config.scope = "openid offline_access".to_owned()).contains("offline_access"));
    assert!(check(|config| config.session = Some(Span::from_seconds(0))).contains("12h"));
    assert!(check(|config| config.session = Some(Span::from_seconds(50_000))).contains("12h"));
    assert!(check(|config| config.session = Some(Span::from_seconds(7201))).contains("max_age"));
}
