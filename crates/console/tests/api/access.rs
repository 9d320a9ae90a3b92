//! Who may call what: every route is behind the guard, and every error has the closed form.

use std::sync::atomic::Ordering;

use crate::world::{OPERATOR, World};
use model::Effect;

/// Every route that needs an identity, with the effect that policy must allow.
const ROUTES: &[(&str, &str, Effect)] = &[
    ("GET", "/api/v1/sessions", Effect::Read),
    ("GET", "/api/v1/sessions/ses_00000000000000000000000000000001", Effect::Read),
    ("GET", "/api/v1/sessions/ses_00000000000000000000000000000001/events", Effect::Read),
    ("POST", "/api/v1/sessions/ses_00000000000000000000000000000001/kill", Effect::Delete),
    ("GET", "/api/v1/targets", Effect::Read),
    ("GET", "/api/v1/tokens", Effect::Read),
    ("POST", "/api/v1/tokens", Effect::Create),
    ("DELETE", "/api/v1/tokens/tok_00000000000000000000000000000009", Effect::Delete),
    ("GET", "/api/v1/policy", Effect::Read),
];

/// Routes that need an identity and are open to whom an approval's terms name.
const APPROVALS: &[(&str, &str)] = &[
    ("GET", "/api/v1/approvals"),
    ("GET", "/api/v1/approvals/apr_00000000000000000000000000000001"),
    ("POST", "/api/v1/approvals/apr_00000000000000000000000000000001/approve"),
    ("POST", "/api/v1/approvals/apr_00000000000000000000000000000001/deny"),
];

#[tokio::test]
async fn every_route_refuses_whoever_is_not_proven_or_not_permitted() {
    let world = World::new().await;
    for (method, path, effect) in ROUTES {
        let body = (*method == "POST").then_some("{}");
        for bearer in ["", "wrong"] {
            let answer = world.call(method, path, bearer, body).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{method} {path}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
        }
        let answer = world.call(method, path, "alice", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "denied"), "{method} {path}");
        assert!(answer.message().contains(effect.as_str()), "{}", answer.message());
        assert!(answer.json()["request_id"].as_str().is_some_and(|id| answer.head.contains(id)));
    }
    for (method, path) in APPROVALS {
        let answer = world.call(method, path, "", (*method == "POST").then_some("{}")).await;
        assert_eq!(answer.status, 401, "{method} {path}");
    }
    assert!(world.double.state.lock().unwrap().audit.is_empty());
    assert!(world.double.state.lock().unwrap().issued.is_empty());
    assert!(world.double.state.lock().unwrap().killed.is_empty());
}

#[tokio::test]
async fn every_route_of_the_description_is_in_the_table_above() {
    let description = serde_json::to_value(sallyport_console::openapi()).unwrap();
    let open = ["/healthz", "/readyz", "/metrics", "/api/v1/whoami"];
    let mut listed = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        if open.contains(&path.as_str()) {
            continue;
        }
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "delete", "put", "patch"].contains(&key.as_str()))
        {
            let fits = |m: &str, p: &str| {
                m.eq_ignore_ascii_case(method)
                    && p.split('/').count() == path.split('/').count()
                    && p.split('/').zip(path.split('/')).all(|(have, want)| want.starts_with('{') || have == want)
            };
            let known = ROUTES.iter().any(|(m, p, _)| fits(m, p)) || APPROVALS.iter().any(|(m, p)| fits(m, p));
            assert!(known, "{method} {path} has no row in the table of this test");
            listed += 1;
        }
    }
    assert_eq!(listed, ROUTES.len() + APPROVALS.len(), "a row of the table has no route");
}

#[tokio::test]
async fn policy_lets_in_by_effect_and_path() {
    let world = World::new().await;
    world.allow(Effect::Read, "/api/v1/targets");
    let answer = world.call("GET", "/api/v1/targets", "alice", None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()[0]["name"], "orders-db");
    assert_eq!(world.call("GET", "/api/v1/policy", "alice", None).await.status, 403);
}

#[tokio::test]
async fn the_operator_needs_no_rule_and_its_credential_must_fit_whole() {
    let world = World::new().await;
    assert_eq!(world.call("GET", "/api/v1/targets", OPERATOR, None).await.status, 200);
    let who = world.call("GET", "/api/v1/whoami", OPERATOR, None).await.json();
    assert_eq!(who["operator"], true);
    assert_eq!(who["identity"]["groups"][0], "sallyport-operators");
    assert_eq!(world.double.state.lock().unwrap().verified, 0, "the credential went to no identity provider");
    for wrong in [&OPERATOR[..OPERATOR.len() - 1], &format!("{OPERATOR}x")] {
        assert_eq!(world.call("GET", "/api/v1/targets", wrong, None).await.status, 401);
    }
}

#[tokio::test]
async fn one_resource_has_one_spelling() {
    let world = World::new().await;
    world.allow(Effect::Read, "/api/v1/targets");
    for path in ["/api/v1/%74argets", "/api/v1//targets", "/api/v1/x/../targets", "//api/v1/targets"] {
        let answer = world.call("GET", path, "alice", None).await;
        assert!(matches!(answer.status, 400 | 401 | 403), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn health_is_open_and_the_rest_only_here() {
    let world = World::new().await;
    assert_eq!(world.call("GET", "/healthz", "", None).await.body, "ok\n");
    let answer = world.call("GET", "/readyz", "", None).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["checks"][0]["name"], "store");
    // What is wrong in whose words is for callers that are proven and permitted.
    for stranger in ["", "wrong", "alice"] {
        let answer = world.call("GET", "/readyz", stranger, None).await;
        assert_eq!((answer.status, &answer.json()["checks"][0]["detail"]), (503, &"see the log".into()), "{stranger}");
        assert!(!answer.body.contains("x.db"), "{answer:?}");
    }
    world.allow(Effect::Read, "/readyz");
    for known in ["alice", OPERATOR] {
        let answer = world.call("GET", "/readyz", known, None).await;
        assert_eq!(answer.json()["checks"][0]["detail"], "/var/lib/x.db: a word", "{known}");
    }
    world.double.ready.store(true, Ordering::SeqCst);
    assert_eq!(world.call("GET", "/readyz", "", None).await.status, 200);
    let metrics = world.call("GET", "/metrics", "", None).await;
    assert!(metrics.body.ends_with("# EOF\n") && metrics.head.contains("openmetrics-text"), "{metrics:?}");
    // A browser that was pointed at this address under another name gets nothing.
    let forged = b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec();
    assert_eq!(world.raw(forged).await.status, 401);
}

#[tokio::test]
async fn unknown_paths_tell_nothing_to_strangers() {
    let world = World::new().await;
    assert_eq!(world.call("GET", "/api/v1/secrets", "", None).await.status, 401);
    let answer = world.call("GET", "/api/v1/secrets", OPERATOR, None).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    let answer = world.call("PUT", "/api/v1/tokens", OPERATOR, None).await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert!(answer.head.contains("allow: "), "{}", answer.head);
}

#[tokio::test]
async fn every_answer_carries_the_protective_headers() {
    let world = World::new().await;
    for (path, bearer) in
        [("/healthz", ""), ("/api/v1/targets", ""), ("/api/v1/targets", OPERATOR), ("/nothing", OPERATOR)]
    {
        let head = world.call("GET", path, bearer, None).await.head;
        for header in [
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
            "x-request-id: ",
        ] {
            assert!(head.contains(header), "{path}: {header} is missing in {head}");
        }
        assert!(!head.contains("access-control-allow"), "no other origin may read answers");
    }
}
