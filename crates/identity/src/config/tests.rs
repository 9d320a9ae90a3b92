//! What an issuer's configuration may say.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn the_smallest_configuration_has_every_default() {
    let read: IssuerConfig =
        serde_json::from_value(json!({"url": "https://idp.example", "audience": "sallyport"})).unwrap();
    assert_eq!(read, IssuerConfig::new("https://idp.example", "sallyport"));
    assert_eq!(
        (read.subject.as_str(), read.skew, read.max_age),
        ("sub", Span::from_seconds(60), Span::from_seconds(86_400))
    );
    assert_eq!(read.kind, KindConfig::Always(Kind::Agent));
    assert_eq!(read.algorithms.len(), 10);
}

#[test]
fn every_key_is_read_and_written_back() {
    let full = json!({
        "url": "https://idp.example", "audience": ["a", "b"], "algorithms": ["RS256", "EdDSA"], "subject": "email",
        "groups": ["groups", "/realm_access/roles"], "kind": {"claim": "type", "map": {"person": "human"}, "default": "agent"},
        "on_behalf_of": "none", "delegated_groups": "both", "task": "task", "skew": "5s", "max_age": "1h",
        "claims": ["team"], "targets": ["orders-db"], "scope": "openid groups", "ca": "ca.pem",
        "device": {"client_id": "gateway", "client_secret": {"file": "idp.txt"}, "scope": "openid email", "session": "1h"},
    });
    let read: IssuerConfig = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), full);
    let placed = read.relative_to(std::path::Path::new("/etc/sallyport"));
    assert_eq!(placed.ca.as_deref(), Some(std::path::Path::new("/etc/sallyport/ca.pem")));
    let secret = placed.device.unwrap().client_secret.unwrap();
    assert_eq!(secret, secrets::SecretRef::File("/etc/sallyport/idp.txt".into()));
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |more: serde_json::Value| {
        let mut config = json!({"url": "https://idp.example", "audience": "sallyport"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<IssuerConfig>(config).unwrap_err().to_string()
    };
    for algorithm in ["none", "HS256", "HS512", "rs256"] {
        assert!(refused(json!({"algorithms": [algorithm]})).contains("unknown variant"), "{algorithm}");
    }
    assert!(refused(json!({"audiense": "x"})).contains("unknown field `audiense`"));
    assert!(refused(json!({"device": {}})).contains("missing field `client_id`"));
    assert!(refused(json!({"device": {"client_id": "a", "x": 1}})).contains("unknown field `x`"));
    let written = refused(json!({"device": {"client_id": "a", "client_secret": "hunter2"}}));
    assert!(written.contains("never stands in the configuration") && !written.contains("hunter2"), "{written}");
    assert!(refused(json!({"kind": "robot"})).contains("human, agent, ci, service, or { claim: NAME"));
    assert!(refused(json!({"kind": {"claim": "a", "map": {}, "x": 1}})).contains("human, agent"));
    assert!(refused(json!({"skew": "60"})).contains("60s, 15m, 24h, 7d"));
    assert!(refused(json!({"skew": 60})).contains("invalid type"));
    assert!(serde_json::from_value::<IssuerConfig>(json!({"url": "https://idp.example"})).is_err());
}

#[test]
fn has_a_schema() {
    let schema = serde_json::to_string(&schemars::schema_for!(IssuerConfig)).unwrap();
    for key in ["url", "audience", "on_behalf_of", "delegated_groups", "RS256", "max_age"] {
        assert!(schema.contains(&format!("\"{key}\"")), "{key}");
    }
    assert!(!schema.contains("HS256"));
}

proptest! {
    #[test]
    fn spans_round_trip(seconds in any::<u32>()) {
        let span = Span::from_seconds(seconds);
        prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
    }

    #[test]
    fn no_text_makes_a_span_panic(text in any::<String>()) {
        if let Ok(span) = text.parse::<Span>() {
            prop_assert!(text.ends_with(['s', 'm', 'h', 'd']));
            prop_assert!(i64::from(span.seconds()) * 1_000_000 == span.micros());
        }
    }
}
