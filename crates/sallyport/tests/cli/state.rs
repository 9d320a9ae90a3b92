//! Tokens, secrets and the audit log without a running gateway.

use std::os::unix::fs::PermissionsExt;

use crate::world::{World, holds};

#[test]
fn a_token_is_issued_listed_and_revoked() {
    let world = World::new();
    let json = world.good(&[
        "token",
        "--as",
        "agent-7",
        "--groups",
        "agents,b",
        "--target",
        "orders-db",
        "--ttl",
        "5m",
        "--json",
    ]);
    let given: serde_json::Value = serde_json::from_str(&json).unwrap();
    let (token, id) = (given["token"].as_str().unwrap(), given["id"].as_str().unwrap());
    assert!(token.starts_with("sp_"));
    assert!(holds(&world.path("data"), token).is_none(), "the token itself is stored");
    let listed: serde_json::Value = serde_json::from_str(&world.good(&["tokens", "ls", "--json"])).unwrap();
    assert_eq!(listed[0]["id"], id);
    assert_eq!(listed[0]["groups"], serde_json::json!(["agents", "b"]));
    assert!(!listed.to_string().contains(token));
    world.good(&["tokens", "revoke", id]);
    assert_eq!(world.good(&["tokens", "ls", "--json"]).trim(), "[]");
    assert!(world.good(&["tokens", "ls", "--all"]).contains("revoked"));
    assert!(world.bad(&["tokens", "revoke", "tok_00000000000000000000000000000001"]).contains("there is no token"));
    assert!(world.bad(&["tokens", "revoke", "nonsense"]).contains("tok_<32 hex digits>"));
}

#[test]
fn an_unknown_target_is_refused_with_the_known_ones() {
    let world = World::new();
    let out = world.bad(&["token", "--as", "a", "--target", "order-db"]);
    assert!(out.contains("there is no target order-db; targets are: orders-db, and sallyport for the API"), "{out}");
    let out = world.bad(&["targets", "check", "order-db"]);
    assert!(out.contains("targets are: orders-db"), "{out}");
}

#[test]
fn a_token_that_lives_too_long_is_refused() {
    let world = World::new();
    let out = world.bad(&["token", "--as", "a", "--target", "orders-db", "--ttl", "30d"]);
    assert!(out.contains("error:"), "{out}");
    assert_eq!(world.run(&["token", "--as", "a", "--target", "orders-db", "--ttl", "soon"]).code, Some(2));
}

#[test]
fn a_secret_comes_from_standard_input_and_is_never_shown() {
    let world = World::new();
    let ended = world.feed(&["secrets", "set", "app-pw"], "correct horse battery\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(holds(&world.path("data"), "correct horse").is_none(), "the secret is stored in clear text");
    let out = world.good(&["secrets", "ls"]);
    assert!(out.contains("app-pw") && !out.contains("correct"), "{out}");
    assert!(world.good(&["secrets", "rotate"]).contains("1 secrets"));
    world.good(&["secrets", "rm", "app-pw"]);
    assert!(world.bad(&["secrets", "rm", "app-pw"]).contains("there is no secret app-pw"));
    assert_eq!(world.feed(&["secrets", "set", "app-pw"], "").code, Some(1));
    assert_eq!(world.feed(&["secrets", "set", "../x"], "v").code, Some(1));
    let actions = world.good(&["audit", "ls"]);
    for action in ["secret.set", "secret.rotate", "secret.rm"] {
        assert!(actions.contains(action), "{actions}");
    }
    assert!(world.good(&["audit", "verify"]).contains("intact"));
}

#[test]
fn files_of_the_state_are_for_one_user() {
    let world = World::new();
    world.good(&["token", "--as", "a", "--target", "orders-db"]);
    world.feed(&["secrets", "set", "app-pw"], "x");
    let mode = |name: &str| std::fs::metadata(world.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    assert_eq!(mode("data/keys"), 0o700);
    assert_eq!(mode("data/keys/master.key"), 0o600);
    assert_eq!(mode("data/sallyport.db"), 0o600);
}

#[test]
fn approvals_and_kills_say_that_a_gateway_must_run() {
    let world = World::new();
    for args in [
        &["approvals", "ls"][..],
        &["approvals", "approve", "apr_00000000000000000000000000000001"],
        &["sessions", "kill", "ses_00000000000000000000000000000001"],
    ] {
        let out = world.bad(args);
        assert!(out.contains("no gateway runs on") && out.contains("sallyport serve"), "{args:?}: {out}");
    }
}

#[test]
fn commands_that_read_do_not_make_a_data_directory() {
    let world = World::new();
    for args in [&["sessions", "ls"][..], &["sessions", "verify"], &["ca"]] {
        let out = world.bad(args);
        assert!(out.contains("there is no data directory here"), "{args:?}: {out}");
    }
    assert!(!world.path("data").exists());
}

#[test]
fn a_target_that_is_away_is_named() {
    let world = World::new();
    world.feed(&["secrets", "set", "app-pw"], "x");
    let out = world.bad(&["targets", "check", "orders-db"]);
    assert!(out.contains("orders-db as app: FAILED") && out.contains("127.0.0.1:1"), "{out}");
    world.good(&["secrets", "rm", "app-pw"]);
    let out = world.bad(&["targets", "check", "orders-db"]);
    assert!(out.contains("FAILED"), "{out}");
}
