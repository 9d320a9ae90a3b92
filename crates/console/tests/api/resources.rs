//! Sessions, approvals and tokens through the API.

use std::sync::atomic::Ordering;

use crate::world::{OPERATOR, World, approval};
use model::Effect;

const APPROVAL: &str = "/api/v1/approvals/apr_00000000000000000000000000000001";
const SESSION: &str = "/api/v1/sessions/ses_00000000000000000000000000000001";

#[tokio::test]
async fn an_approver_sees_and_answers_what_names_it_and_nothing_else() {
    let world = World::new().await;
    world.double.state.lock().unwrap().approvals = vec![approval(1, &["dba"]), approval(2, &["security"])];
    // No rule of the policy covers the calls; the terms of the first request name alice's group.
    let listed = world.call("GET", "/api/v1/approvals", "alice", None).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(listed[0]["command"], "DELETE FROM orders WHERE id = $1");
    assert_eq!(listed[0]["values"], serde_json::json!(["7", null]));
    assert_eq!(world.call("GET", "/api/v1/approvals", "bob", None).await.json(), serde_json::json!([]));
    assert_eq!(world.call("GET", APPROVAL, "bob", None).await.status, 404);
    assert_eq!(world.call("GET", APPROVAL, "agent", None).await.status, 404, "an agent in the group is no approver");
    let other = APPROVAL.replace("0001", "0002");
    assert_eq!(world.call("POST", &format!("{other}/approve"), "alice", Some("{\"reason\":\"x\"}")).await.status, 404);

    let answer = world.call("POST", &format!("{APPROVAL}/approve"), "alice", Some("{}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "a reason is required");
    let answer =
        world.call("POST", &format!("{APPROVAL}/approve"), "alice", Some("{\"reason\":\"ticket 4711\"}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["state"], "approved");
    assert_eq!(answer.json()["answers"][0]["by"], "alice");
    let again = world.call("POST", &format!("{APPROVAL}/deny"), "alice", Some("{\"reason\":\"no\"}")).await;
    assert_eq!((again.status, again.code().as_str()), (409, "conflict"));
    assert_eq!(again.message(), "already answered by alice; the request is approved");
}

#[tokio::test]
async fn a_deny_rule_keeps_even_a_named_approver_out() {
    let world = World::new().await;
    world.double.state.lock().unwrap().approvals = vec![approval(1, &["dba"])];
    world.double.state.lock().unwrap().denied = vec!["/api/v1/approvals"];
    let answer = world.call("GET", "/api/v1/approvals", "alice", None).await;
    assert_eq!(answer.status, 403);
    assert!(answer.message().contains("never"), "{}", answer.message());
}

#[tokio::test]
async fn a_kill_is_audited_first_or_does_not_happen() {
    let world = World::new().await;
    world.double.audit_away.store(true, Ordering::SeqCst);
    let answer = world.call("POST", &format!("{SESSION}/kill"), OPERATOR, Some("{}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert!(!answer.body.contains("disk"), "the store's own words stay in the log");
    assert!(world.double.state.lock().unwrap().killed.is_empty());
    world.double.audit_away.store(false, Ordering::SeqCst);
    let answer = world.call("POST", &format!("{SESSION}/kill"), OPERATOR, Some("{\"reason\":\"wrong host\"}")).await;
    assert_eq!(answer.json()["sessions"], 1);
    let state = world.double.state.lock().unwrap();
    assert_eq!(state.killed, ["ended by root: wrong host"]);
    assert_eq!((state.audit[0].action, state.audit[0].actor.as_str()), ("session.kill", "root"));
}

#[tokio::test]
async fn sessions_are_listed_shown_and_read() {
    let world = World::new().await;
    let listed = world.call("GET", "/api/v1/sessions?limit=2", OPERATOR, None).await.json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    let live = world.call("GET", "/api/v1/sessions?live=true", OPERATOR, None).await.json();
    assert_eq!(live[0]["state"], "live");
    let lists = world.double.state.lock().unwrap().lists;
    assert_eq!(world.call("GET", SESSION, OPERATOR, None).await.json()["state"], "live");
    assert_eq!(world.call("GET", &SESSION.replace("01", "02"), OPERATOR, None).await.json()["state"], "closed");
    assert_eq!(world.call("GET", &SESSION.replace("01", "77"), OPERATOR, None).await.status, 404);
    assert_eq!(world.double.state.lock().unwrap().lists, lists, "one session is looked up, not searched in the list");
    assert_eq!(world.call("GET", "/api/v1/sessions/tok_1", OPERATOR, None).await.status, 400);
    assert_eq!(world.call("GET", "/api/v1/sessions?sinse=1", OPERATOR, None).await.status, 400);
    let events = world.call("GET", &format!("{SESSION}/events"), OPERATOR, None).await;
    assert!(events.whole && events.body.lines().count() == 3, "{events:?}");
    assert!(world.double.state.lock().unwrap().audit.iter().any(|entry| entry.action == "session.read"));
    let damaged = world.call("GET", &format!("{}/events", SESSION.replace("01", "03")), OPERATOR, None).await;
    assert!(!damaged.whole, "a reader must see that the answer is not whole: {damaged:?}");
}

#[tokio::test]
async fn a_followed_session_ends_when_its_reader_is_revoked() {
    let world = World::new().await;
    let path = "/api/v1/sessions/ses_00000000000000000000000000000001/events";
    world.allow(Effect::Read, path);
    let (double, address) = (world.double.clone(), world.address);
    let started = std::time::Instant::now();
    let revoke = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        double.revoked.store(true, Ordering::SeqCst);
        address
    });
    let answer = world.call("GET", &format!("{path}?follow=true"), "alice", None).await;
    revoke.await.unwrap();
    assert_eq!(answer.body.lines().count(), 3);
    assert!(started.elapsed() < std::time::Duration::from_secs(15));
}

#[tokio::test]
async fn tokens_are_issued_within_what_the_caller_has() {
    let world = World::new().await;
    let order = r#"{"subject":"agent-7","groups":["dba"],"targets":["orders-db"],"ttl_seconds":60}"#;
    let given = world.call("POST", "/api/v1/tokens", OPERATOR, Some(order)).await;
    assert_eq!(given.status, 201, "{given:?}");
    assert_eq!(given.json()["token"], "sp_secret");
    assert_eq!(given.json()["expires"], "1970-01-01T00:01:00Z");
    world.allow(Effect::Create, "/api/v1/tokens");
    let given = world.call("POST", "/api/v1/tokens", "alice", Some(order)).await;
    assert_eq!(given.status, 201, "{given:?}");
    assert_eq!(world.double.state.lock().unwrap().issued[1].on_behalf_of, ["alice"]);
    let answer = world.call("POST", "/api/v1/tokens", "bob", Some(order)).await;
    assert_eq!(answer.status, 403, "bob is not in dba");
    for (order, word) in [
        (r#"{"subject":"a","targets":["other"]}"#, "orders-db"),
        (r#"{"subject":"a","targets":[]}"#, "empty"),
        (r#"{"subject":"a","kind":"robot"}"#, "human"),
        (r#"{"kind":"agent"}"#, "`subject` is missing"),
        (r#"{"subject":"a","tll":1}"#, "line 1"),
        (r#"{"subject""#, "not JSON"),
    ] {
        let answer = world.call("POST", "/api/v1/tokens", OPERATOR, Some(order)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid"), "{order}");
        assert!(answer.message().contains(word), "{order}: {}", answer.message());
    }
    let gone = world.call("DELETE", "/api/v1/tokens/tok_00000000000000000000000000000009", OPERATOR, None).await;
    assert_eq!(gone.json()["sessions"], 2);
    assert_eq!(
        world.call("DELETE", "/api/v1/tokens/tok_00000000000000000000000000000008", OPERATOR, None).await.status,
        404
    );
    assert_eq!(world.call("GET", "/api/v1/tokens", OPERATOR, None).await.status, 503);
}
