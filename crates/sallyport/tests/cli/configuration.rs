//! Slips in files are named with their place and what to do.

use crate::world::{CONFIG, POLICY, World};

#[test]
fn a_good_configuration_is_called_good() {
    let world = World::new();
    let out = world.good(&["config", "check"]);
    assert!(out.contains("the configuration is good") && out.contains("2 rules"), "{out}");
    let json: serde_json::Value = serde_json::from_str(&world.good(&["config", "check", "--json"])).unwrap();
    assert_eq!(json["ok"], true);
    assert!(!world.path("data").exists(), "checking makes nothing");
}

#[test]
fn slips_in_the_configuration_are_named_with_their_place() {
    let world = World::new();
    for (from, to, expected) in [
        ("targets:", "targts:", "sallyport.yaml:3:1: unknown field `targts`; did you mean `targets`?"),
        ("policy: policy.yaml", "polcy: policy.yaml", "did you mean `policy`?"),
        (
            "{ postgres: \"127.0.0.1:0\"",
            "{ postgrs: \"127.0.0.1:0\"",
            "sallyport.yaml:2:11: unknown field `postgrs`; did you mean `postgres`?",
        ),
        (
            "kind: postgres",
            "kind: postgre",
            "sallyport.yaml:5:11: `kind` must be one of: postgres, ssh; did you mean postgres?",
        ),
        ("127.0.0.1:1\n", "db.internal\n", "sallyport.yaml:6:14: `address` must be host:port"),
        ("    database: app", "    databse: app", "sallyport.yaml:8:5: target orders-db: unknown field `databse`"),
        ("tls: disable", "tls: perhaps", "sallyport.yaml:9:5: target orders-db: `tls`"),
        ("user: app, password", "usr: app, password", "unknown field `usr`; did you mean `user`?"),
        ("{ secret: app-pw }", "hunter2", "a value itself never stands in the configuration"),
        ("name: orders-db", "name: sallyport", "is not `sallyport`"),
        ("name: orders-db", "name: orders/db", "a target's name has"),
        ("\"127.0.0.1:0\", api", "\"nonsense\", api", "`listen.postgres` must be an address"),
        (
            "    roles:\n      app: {",
            "    default_role: ap\n    roles:\n      app: {",
            "`default_role` names no role of orders-db; roles are: app",
        ),
        (
            "    database: app",
            "    catalog: reader",
            "sallyport.yaml:8:5: `catalog` names no role of orders-db; roles are: app",
        ),
        ("data_dir: data", "data_dir: [", "sallyport.yaml:"),
        ("data_dir: data", "data_dir: data\ndrain: 30", "expected a duration such as 90s"),
        ("data_dir: data", "data_dir: data\ntls: { cert: a.pem }", "`tls` needs both"),
        ("data_dir: data", "data_dir: data\nlog: { level: \"no such=level=x\" }", "`log.level`"),
        ("data_dir: data", "data_dir: data\ndata_dir: data", "duplicate mapping key"),
        ("data_dir: data", "data_dir: data\nlisten: {}", "duplicate mapping key"),
    ] {
        world.with(from, to);
        let out = world.bad(&["config", "check"]);
        assert!(out.contains(expected), "{to}: expected {expected:?} in:\n{out}");
        assert!(!out.contains("hunter2"), "a value from the configuration is repeated:\n{out}");
        let served = world.bad(&["serve"]);
        assert!(served.contains(expected), "serve says less: {served}");
    }
}

#[test]
fn issuers_that_the_start_would_refuse_are_found_by_check() {
    let world = World::new();
    let issuer = |more: &str| format!("data_dir: data\nissuers: [{{ url: 'https://idp.example', audience: a{more} }}]");
    for (more, expected) in [
        (", skew: 1h", "issuer https://idp.example: `skew` is more than 5m"),
        (", ca: nowhere.pem", "nowhere.pem"),
        (", device: { client_id: x, scope: email }", "`device.scope` must have openid in it"),
        (", device: { client_id: x, scope: openid offline_access }", "no refresh tokens"),
        (", device: { client_id: x, session: 13h }", "`device.session` is 1s to 12h"),
        (", device: { client_id: x, secret: y }", "unknown field `secret`"),
        (", device: { client_id: x, client_secret: hunter2 }", "a value itself never stands in the configuration"),
    ] {
        world.with("data_dir: data", &issuer(more));
        let out = world.bad(&["config", "check"]);
        assert!(out.contains(expected) && !out.contains("hunter2"), "{more}: expected {expected:?} in:\n{out}");
        let served = world.bad(&["serve"]);
        assert!(served.contains(expected), "serve says less: {served}");
    }
    world.with("data_dir: data", &issuer(", device: { client_id: x, client_secret: { secret: idp-client } }"));
    world.feed(&["secrets", "set", "app-pw"], "x");
    let out = world.good(&["config", "check"]);
    assert!(out.contains("warning") && out.contains("sallyport secrets set idp-client"), "{out}");
}

#[test]
fn all_problems_are_told_at_once() {
    let world = World::new();
    world.write(
        "sallyport.yaml",
        &CONFIG.replace("kind: postgres", "kind: mystery").replace("127.0.0.1:1\n", "nowhere\n"),
    );
    let out = world.bad(&["config", "check"]);
    assert!(out.contains("`kind`") && out.contains("`address`"), "{out}");
}

#[test]
fn a_policy_that_does_not_parse_is_named_with_its_place() {
    let world = World::new();
    world.write("policy.yaml", &POLICY.replace("then: approve", "then: aprove"));
    for args in [&["config", "check"][..], &["policy", "check"], &["serve"]] {
        let out = world.bad(args);
        assert!(out.contains("policy.yaml:9:11:") && out.contains("aprove"), "{args:?}: {out}");
    }
    std::fs::remove_file(world.path("policy.yaml")).unwrap();
    let out = world.bad(&["serve"]);
    assert!(out.contains("policy.yaml: there is no such file"), "{out}");
}

#[test]
fn without_a_configuration_it_says_what_to_write() {
    let world = World::new();
    std::fs::remove_file(world.path("sallyport.yaml")).unwrap();
    if std::path::Path::new("/etc/sallyport").exists() {
        return;
    }
    let out = world.bad(&["serve"]);
    assert!(out.contains("--config FILE") && out.contains("targets:") && out.contains("policy:"), "{out}");
    assert!(out.lines().count() <= 6, "{out}");
}

#[test]
fn a_directory_is_merged_by_key_and_duplicates_are_refused() {
    let world = World::new();
    let (base, targets) = CONFIG.split_once("targets:").unwrap();
    let (targets, policy) = targets.split_once("policy:").unwrap();
    world.write("conf/a.yaml", &format!("{base}policy:{policy}"));
    world.write("conf/b.yaml", &format!("targets:{targets}"));
    world.write("conf/policy.yaml", POLICY);
    let out = world.good(&["config", "check", "--config", "conf"]);
    assert!(out.contains("1 targets") && out.contains("2 rules"), "{out}");
    world.write("conf/c.yaml", &format!("targets:{targets}"));
    let out = world.bad(&["config", "check", "--config", "conf"]);
    assert!(out.contains("conf/c.yaml: `targets` is in another file"), "{out}");
    // Without a `policy:` key, the files with rules are the policy.
    std::fs::remove_file(world.path("conf/c.yaml")).unwrap();
    world.write("conf/a.yaml", base);
    let out = world.good(&["config", "check", "--config", "conf"]);
    assert!(out.contains("2 rules"), "{out}");
}

#[test]
fn missing_files_and_secrets_are_found_by_check() {
    let world = World::new();
    world.with("tls: disable", "tls: verify-full\n    ca: nowhere.pem");
    let out = world.bad(&["config", "check"]);
    assert!(out.contains("`ca`") && out.contains("nowhere.pem: there is no such file"), "{out}");
    world.write("sallyport.yaml", CONFIG);
    world.feed(&["secrets", "set", "other"], "x");
    let out = world.good(&["config", "check"]);
    assert!(out.contains("warning") && out.contains("sallyport secrets set app-pw"), "{out}");
}

#[test]
fn what_is_in_force_is_shown_without_secrets() {
    let world = World::new();
    let shown: serde_json::Value = serde_json::from_str(&world.good(&["config", "show", "--json"])).unwrap();
    assert_eq!(shown["targets"][0]["roles"]["app"]["password"]["secret"], "app-pw");
    assert_eq!(shown["tokens"]["ttl"], "15m");
    assert!(world.good(&["config", "show"]).contains("orders-db"));
}

#[test]
fn schemas_are_json() {
    let world = World::new();
    for args in [&["config", "schema"][..], &["config", "schema", "--policy"]] {
        let schema: serde_json::Value = serde_json::from_str(&world.good(args)).unwrap();
        assert!(schema["properties"].is_object(), "{schema}");
    }
}
