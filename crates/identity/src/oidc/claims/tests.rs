//! Claims: times, audience, mapping, delegation.

use model::{Identity, IdentityKind};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::{DelegatedGroups, Kind, KindByClaim, OnBehalfOf, OneOrMany, Span};
use crate::oidc::testing::{AUDIENCE, NOW, claims};

const URL: &str = "https://idp.example";

fn config() -> IssuerConfig {
    IssuerConfig::new(URL, AUDIENCE)
}

fn proven(config: &IssuerConfig, changes: Value) -> Result<Proven, AuthFailure> {
    let claims = claims(URL, changes).as_object().unwrap().clone();
    prove(config, claims, Audience::Configured, Micros(NOW * 1_000_000))
}

fn identity(config: &IssuerConfig, changes: Value) -> Identity {
    proven(config, changes).unwrap().identity
}

fn why(config: &IssuerConfig, changes: Value) -> &'static str {
    match proven(config, changes.clone()) {
        Err(AuthFailure::Refused(why)) => why,
        other => panic!("{changes}: {other:?}"),
    }
}

fn expired(config: &IssuerConfig, changes: Value) -> bool {
    matches!(proven(config, changes), Err(AuthFailure::Expired))
}

#[test]
fn the_issuer_is_exact() {
    for other in [json!("https://idp.example/"), json!("https://IDP.example"), json!(null), json!([URL]), json!("")] {
        assert_eq!(why(&config(), json!({"iss": other})), "its issuer is another one");
    }
}

#[test]
fn the_audience_is_exact() {
    let other = "it is for another audience";
    for bad in [
        json!("sallyport"),
        json!("sallyport-test2"),
        json!("Sallyport-test"),
        json!("sallyport-test "),
        json!(["a", "b"]),
        json!([]),
        json!(null),
        json!(7),
        json!({ AUDIENCE: 1 }),
        json!([[AUDIENCE]]),
    ] {
        assert_eq!(why(&config(), json!({"aud": bad})), other, "{bad}");
    }
    proven(&config(), json!({"aud": ["other", AUDIENCE]})).unwrap();
    let mut several = config();
    several.audience = OneOrMany::Many(vec!["first".to_owned(), "second".to_owned()]);
    proven(&several, json!({"aud": "second"})).unwrap();
    assert_eq!(why(&several, json!({})), other);
}

#[test]
fn times_hold_with_the_skew_and_not_further() {
    let config = config();
    assert!(expired(&config, json!({"exp": NOW - 60})));
    proven(&config, json!({"exp": NOW - 59})).unwrap();
    assert_eq!(why(&config, json!({"nbf": NOW + 61})), "it is not good yet; check the clocks");
    proven(&config, json!({"nbf": NOW + 60})).unwrap();
    assert_eq!(why(&config, json!({"iat": NOW + 61})), "it was issued in the future; check the clocks");
    proven(&config, json!({"iat": NOW + 60})).unwrap();
    let mut strict = config;
    strict.skew = Span::from_seconds(0);
    assert!(expired(&strict, json!({"exp": NOW})));
    assert_eq!(proven(&strict, json!({"exp": NOW + 1})).unwrap().expires, Micros((NOW + 1) * 1_000_000));
}

#[test]
fn times_must_be_there_and_be_times() {
    assert_eq!(why(&config(), json!({"exp": null})), "it has no expiry");
    for bad in
        [json!("1800000600"), json!(-1), json!(1e300), json!([1]), json!(NOW * 1000), json!(u64::MAX), json!(true)]
    {
        assert_eq!(why(&config(), json!({"exp": bad})), "a time in it is not a number of seconds", "{bad}");
        assert_eq!(why(&config(), json!({"nbf": bad})), "a time in it is not a number of seconds", "{bad}");
        assert_eq!(why(&config(), json!({"iat": bad})), "a time in it is not a number of seconds", "{bad}");
    }
    let fraction = proven(&config(), json!({"exp": 1_800_000_600.75})).unwrap();
    assert_eq!(fraction.expires, Micros((NOW + 660) * 1_000_000));
}

#[test]
fn age_is_bounded_whatever_the_expiry_says() {
    let mut config = config();
    config.max_age = Span::from_seconds(3600);
    let year = NOW + 365 * 86_400;
    assert!(expired(&config, json!({"exp": year, "iat": NOW - 3660})));
    let proof = proven(&config, json!({"exp": year, "iat": NOW - 3000})).unwrap();
    assert_eq!(proof.expires, Micros((NOW + 660) * 1_000_000), "an hour and the skew after its issue");
    assert_eq!(why(&config, json!({"exp": year, "iat": null})), "it lives longer than tokens may here");
    proven(&config, json!({"exp": NOW + 3600, "iat": null})).unwrap();
}

#[test]
fn a_token_bound_to_a_key_is_no_bearer_token() {
    for bound in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!("x")] {
        assert!(why(&config(), json!({"cnf": bound})).contains("bound to a key"));
    }
}

#[test]
fn the_subject_is_a_name() {
    let bad = "its subject claim is missing or is no name";
    let long = "x".repeat(300);
    for subject in
        [json!(null), json!(""), json!(7), json!(["a"]), json!(" a"), json!("a\nb"), json!("a\u{202e}b"), json!(long)]
    {
        assert_eq!(why(&config(), json!({"sub": subject})), bad, "{subject}");
    }
    assert_eq!(identity(&config(), json!({"sub": "Zoë Ångström|7"})).subject, "Zoë Ångström|7");
    let mut by_email = config();
    by_email.subject = "email".to_owned();
    assert_eq!(why(&by_email, json!({})), bad);
    assert_eq!(identity(&by_email, json!({"email": "a@b.example", "email_verified": true})).subject, "a@b.example");
    let claims = json!({"email": "a@b.example", "email_verified": false});
    assert_eq!(why(&by_email, claims), "its email address is not verified");
}

#[test]
fn groups_come_in_three_forms() {
    let groups = |changes| identity(&config(), changes).groups;
    assert_eq!(groups(json!({"groups": ["b", "a", "b", "with space"]})), ["a", "b", "with space"]);
    assert_eq!(groups(json!({"groups": "b a,c,, d"})), ["a", "b", "c", "d"]);
    // The gateway's own groups are not an issuer's to give.
    assert_eq!(groups(json!({"groups": ["sallyport-operators", "a"]})), ["a"]);
    assert!(groups(json!({"groups": null})).is_empty());
    assert!(groups(json!({"groups": []})).is_empty());
    let form = "its groups claim is not a list of names";
    for bad in [json!(7), json!({"a": 1}), json!(["a", 7]), json!(["a", ""]), json!(["a\n"]), json!([["a"]])] {
        assert_eq!(why(&config(), json!({"groups": bad})), form, "{bad}");
    }
    let many: Vec<String> = (0..1025).map(|number| number.to_string()).collect();
    assert_eq!(why(&config(), json!({"groups": many})), "it has more than 1024 groups");
    let elsewhere = json!({"groups": null, "_claim_names": {"groups": "src1"}});
    assert!(why(&config(), elsewhere).contains("too many to be in the token"));
    let mut nested = config();
    nested.groups = OneOrMany::Many(vec![
        "/realm_access/roles".to_owned(),
        "https://example.com/groups".to_owned(),
        "/a~1b".to_owned(),
    ]);
    let changes = json!({"realm_access": {"roles": ["r"]}, "https://example.com/groups": ["g"], "a/b": "s"});
    assert_eq!(identity(&nested, changes).groups, ["g", "r", "s"]);
}

#[test]
fn the_kind_is_fixed_or_mapped() {
    assert_eq!(identity(&config(), json!({})).kind, IdentityKind::Agent);
    let mut config = config();
    config.kind = KindConfig::Always(Kind::Human);
    assert_eq!(identity(&config, json!({})).kind, IdentityKind::Human);
    let map = [("person", Kind::Human), ("bot", Kind::Agent), ("true", Kind::Ci)];
    let map = map.map(|(value, kind)| (value.to_owned(), kind)).into();
    let mut by = KindByClaim { claim: "type".to_owned(), map, default: None };
    config.kind = KindConfig::ByClaim(by.clone());
    assert_eq!(identity(&config, json!({"type": "person"})).kind, IdentityKind::Human);
    assert_eq!(identity(&config, json!({"type": ["x", "bot"]})).kind, IdentityKind::Agent);
    assert_eq!(identity(&config, json!({"type": true})).kind, IdentityKind::Ci);
    for unknown in [json!(null), json!("Person"), json!(["x"]), json!(1)] {
        assert!(why(&config, json!({"type": unknown})).contains("what kind of caller"));
    }
    by.default = Some(Kind::Service);
    config.kind = KindConfig::ByClaim(by);
    assert_eq!(identity(&config, json!({"type": "x"})).kind, IdentityKind::Service);
}

#[test]
fn the_actor_is_the_subject_and_acts_for_the_person() {
    let mut config = config();
    config.kind = KindConfig::Always(Kind::Human);
    let one = identity(&config, json!({"act": {"sub": "agent-7", "groups": ["bots"]}}));
    assert_eq!((one.subject.as_str(), one.on_behalf_of.as_slice()), ("agent-7", ["alice".to_owned()].as_slice()));
    assert_eq!(one.kind, IdentityKind::Agent, "a program is never taken for the person");
    assert_eq!(one.groups, ["bots"]);
    assert!(one.involves("alice"));
    let chain = json!({"sub": "sub-agent", "act": {"sub": "agent-7", "act": {"sub": "scheduler"}}});
    let three = identity(&config, json!({"act": chain}));
    assert_eq!(three.display(), "sub-agent for agent-7 for scheduler for alice");
    assert!(three.groups.is_empty());
    config.delegated_groups = DelegatedGroups::Subject;
    let act = json!({"sub": "agent-7", "groups": ["bots"]});
    assert_eq!(identity(&config, json!({"act": act})).groups, ["agents", "dev"]);
    config.delegated_groups = DelegatedGroups::Both;
    assert_eq!(identity(&config, json!({"act": act})).groups, ["agents", "bots", "dev"]);
    assert!(identity(&config, json!({})).on_behalf_of.is_empty());
}

#[test]
fn delegation_is_never_overlooked() {
    for bad in [json!("agent-7"), json!(["agent-7"]), json!(true)] {
        assert_eq!(why(&config(), json!({"act": bad})), "its `act` claim is not an object");
        assert_eq!(why(&config(), json!({"act": {"sub": "a", "act": bad}})), "its `act` claim is not an object");
    }
    // `null` takes the claim away in these tests, so it is put in by hand.
    let mut with_null = claims(URL, json!({})).as_object().unwrap().clone();
    with_null.insert("act".to_owned(), Value::Null);
    assert!(prove(&config(), with_null, Audience::Configured, Micros(NOW * 1_000_000)).is_err());
    for bad in
        [json!({}), json!({"sub": ""}), json!({"sub": 7}), json!({"client_id": "a"}), json!({"sub": "a", "act": {}})]
    {
        assert_eq!(why(&config(), json!({"act": bad})), "an actor in its delegation chain has no name");
    }
    let mut long = json!({"sub": "a"});
    for _ in 0..8 {
        long = json!({"sub": "a", "act": long});
    }
    assert_eq!(why(&config(), json!({"act": long})), "its delegation chain is too long");
    let mut none = config();
    none.on_behalf_of = OnBehalfOf::None;
    assert!(why(&none, json!({"act": {"sub": "agent-7"}})).contains("delegated token"));
    proven(&none, json!({})).unwrap();
}

#[test]
fn only_who_may_act_acts() {
    let act = json!({"sub": "agent-7", "iss": URL, "client_id": "c"});
    for good in [json!({"sub": "agent-7"}), json!({"sub": "agent-7", "iss": URL})] {
        proven(&config(), json!({"act": act, "may_act": good})).unwrap();
    }
    for bad in [
        json!({"sub": "agent-8"}),
        json!({"sub": "agent-7", "iss": "x"}),
        json!({}),
        json!("agent-7"),
        json!([act]),
        json!({"iss": URL}),
    ] {
        assert!(why(&config(), json!({"act": act, "may_act": bad})).contains("may_act"), "{bad}");
    }
    proven(&config(), json!({"may_act": {"sub": "agent-7"}})).unwrap();
}

#[test]
fn the_task_is_a_short_text() {
    let mut config = config();
    config.task = Some("task".to_owned());
    assert_eq!(identity(&config, json!({"task": "fix 7"})).task.as_deref(), Some("fix 7"));
    assert_eq!(identity(&config, json!({})).task, None);
    assert_eq!(identity(&config, json!({"task": ""})).task, None);
    for bad in [json!(7), json!("a\nb"), json!("x".repeat(2000))] {
        assert_eq!(why(&config, json!({"task": bad})), "its task claim is not a short text");
    }
}

#[test]
fn claims_are_kept_by_name_or_when_small_and_harmless() {
    let changes = json!({
        "team": "billing", "level": 3, "on_call": true, "scopes": ["a", "b"], "nested": {"a": 1}, "mixed": [{"a": 1}],
        "nonce": "n", "at_hash": "h", "access_token": "secret", "password": "secret", "large": "x".repeat(2000),
    });
    let kept = identity(&config(), changes.clone()).claims;
    let names: Vec<&str> = kept.keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "exp", "groups", "iat", "iss", "level", "on_call", "scopes", "sub", "team"]);
    let mut named = config();
    named.claims = Some(vec!["nested".to_owned(), "large".to_owned(), "absent".to_owned()]);
    let kept = identity(&named, changes).claims;
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["large", "nested"]);
    named.claims = Some(vec!["huge".to_owned()]);
    assert_eq!(why(&named, json!({"huge": "x".repeat(17_000)})), "its claims are larger than 16 KiB");
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let refused = |change: fn(&mut IssuerConfig), key: &str| {
        let mut config = config();
        check_config(&config).unwrap();
        change(&mut config);
        let problem = check_config(&config).unwrap_err();
        assert!(problem.starts_with(&format!("`{key}`")), "{problem}");
    };
    refused(|config| config.audience = OneOrMany::Many(Vec::new()), "audience");
    refused(|config| config.audience = OneOrMany::One(String::new()), "audience");
    refused(|config| config.algorithms.clear(), "algorithms");
    refused(|config| config.subject.clear(), "subject");
    refused(|config| config.groups = OneOrMany::One(String::new()), "groups");
    refused(|config| config.skew = Span::from_seconds(301), "skew");
    refused(|config| config.max_age = Span::from_seconds(0), "max_age");
    refused(|config| config.targets = Some(Vec::new()), "targets");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("sub|act|[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_claims_make_it_panic_or_prove_what_they_should_not(name in "iss|aud|sub|exp|iat|nbf|groups|act|may_act|cnf|_claim_names", value in any_json()) {
        let mut claims = claims(URL, json!({})).as_object().unwrap().clone();
        claims.insert(name.clone(), value);
        if let Ok(proof) = prove(&config(), claims.clone(), Audience::Configured, Micros(NOW * 1_000_000)) {
            prop_assert_eq!(claims["iss"].as_str(), Some(URL));
            prop_assert!(proof.expires.0 > NOW * 1_000_000);
            let acts = claims.get("act").is_some();
            prop_assert_eq!(acts, !proof.identity.on_behalf_of.is_empty());
            prop_assert!(!acts || proof.identity.subject != "alice" || claims["act"]["sub"] == "alice");
        }
    }
}
