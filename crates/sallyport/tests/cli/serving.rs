//! Start, reload, stop, and what keeps a gateway from starting.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::world::{CONFIG, POLICY, World};

#[test]
fn it_starts_answers_and_stops_in_order() {
    let world = World::new();
    let mut gateway = world.serve();
    gateway.wait("it is ready", |log| log.contains("the gateway is ready"));
    let listen = world.listen();
    for key in ["postgres", "api"] {
        assert!(listen[key].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{listen}");
    }
    // The commands go through the running gateway now, as its operator.
    let given = world.good(&["token", "--as", "agent-7", "--target", "orders-db", "--json"]);
    let given: serde_json::Value = serde_json::from_str(&given).unwrap();
    assert!(world.bad(&["token", "--as", "a", "--target", "nowhere"]).contains("targets are: orders-db"));
    assert!(world.good(&["tokens", "ls"]).contains("agent-7"));
    assert!(world.good(&["targets", "ls"]).contains("orders-db"));
    assert_eq!(world.good(&["sessions", "ls", "--json"]).trim(), "[]");
    assert_eq!(world.good(&["approvals", "ls", "--json"]).trim(), "[]");
    world.good(&["tokens", "revoke", given["id"].as_str().unwrap()]);
    let out = world.good(&["ca"]);
    assert!(out.starts_with("-----BEGIN CERTIFICATE-----"), "{out}");
    gateway.signal("TERM");
    let log = gateway.log();
    assert_eq!(gateway.end(), Some(0), "{log}");
    assert!(!world.path("data/listen.json").exists());
    assert!(world.bad(&["approvals", "ls"]).contains("no gateway runs"));
    assert!(world.good(&["sessions", "verify"]).contains("all whole"));
}

#[test]
fn a_token_for_a_database_is_no_key_to_the_api() {
    let world = World::new();
    let _gateway = world.serve();
    let token = world.good(&["token", "--as", "agent-7", "--target", "orders-db", "--quiet"]);
    let ended = world.command(&["sessions", "ls"]).env("SALLYPORT_TOKEN", token.trim()).output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert!(err.contains("not good for this target") || err.contains("unauthenticated"), "{err}");
    // One for the API, with no rule that covers it, is told by whom and why.
    let token = world.good(&[
        "token",
        "--as",
        "alice",
        "--kind",
        "human",
        "--groups",
        "dba",
        "--target",
        "sallyport",
        "--quiet",
    ]);
    let ended = world.command(&["sessions", "ls"]).env("SALLYPORT_TOKEN", token.trim()).output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert!(err.contains("denied") && err.contains("/api/v1/sessions"), "{err}");
    let ended = world.command(&["approvals", "ls", "--json"]).env("SALLYPORT_TOKEN", token.trim()).output().unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap().trim(), "[]", "an approver needs no rule to look");
}

#[test]
fn a_second_gateway_on_the_same_data_is_refused() {
    let world = World::new();
    let _gateway = world.serve();
    let out = world.bad(&["serve"]);
    assert!(out.contains("a gateway already runs on this data directory (process "), "{out}");
}

#[test]
fn after_a_kill_the_next_start_is_clean() {
    let world = World::new();
    let gateway = world.serve();
    gateway.signal("KILL");
    assert_eq!(gateway.end(), None);
    assert!(world.path("data/listen.json").exists(), "nobody removed it");
    assert!(world.bad(&["approvals", "ls"]).contains("no gateway runs"), "a file left behind is no gateway");
    let mut gateway = world.serve();
    gateway.wait("it is ready", |log| log.contains("the gateway is ready"));
    gateway.signal("INT");
    assert_eq!(gateway.end(), Some(0));
}

#[test]
fn a_port_in_use_is_named_with_its_setting() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.with("postgres: \"127.0.0.1:0\"", &format!("postgres: \"{address}\""));
    let out = world.bad(&["serve"]);
    assert!(out.contains(&address) && out.contains("in use") && out.contains("listen.postgres"), "{out}");
    world.with("api: \"127.0.0.1:0\"", &format!("api: \"{address}\""));
    let out = world.bad(&["serve"]);
    assert!(out.contains(&address) && out.contains("in use") && out.contains("api"), "{out}");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let world = World::new();
    world.write("file", "in the way");
    let out = world.bad(&["serve", "--data-dir", "file"]);
    assert!(out.contains("file") && out.contains("data directory"), "{out}");
    // The superuser may write where the mode forbids it, but not here.
    let closed = if rustix::process::geteuid().is_root() {
        std::path::PathBuf::from("/sys/sallyport-test")
    } else {
        let path = world.path("closed");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).unwrap();
        path.join("data")
    };
    let out = world.bad(&["serve", "--data-dir", closed.to_str().unwrap()]);
    assert!(out.contains("cannot be written") && out.contains("--data-dir"), "{out}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let world = World::new();
    world.serve().signal("TERM");
    std::thread::sleep(std::time::Duration::from_secs(1));
    for key in ["operator.token", "mask.key", "master.key", "recording.pk8"] {
        let path = world.path("data/keys").join(key);
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let out = world.bad(&["serve"]);
        assert!(out.contains(key) && out.contains("chmod 600"), "{key}: {out}");
        mode(0o600);
    }
    std::fs::set_permissions(world.path("data"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let out = world.bad(&["serve"]);
    assert!(out.contains("others can write to it"), "{out}");
}

#[test]
fn a_good_edit_takes_effect_and_a_bad_one_does_not() {
    let world = World::new();
    let mut gateway = world.serve();
    gateway.wait("it is ready", |log| log.contains("the gateway is ready"));
    let version = |world: &World| {
        let shown = world.good(&["policy", "check"]);
        shown.split("version ").nth(1).and_then(|rest| rest.split(',').next()).unwrap().to_owned()
    };
    world.write("policy.yaml", &POLICY.replace("agents read", "agents may read"));
    let new = version(&world);
    gateway.wait("the good edit is in force", |log| log.contains("were reloaded") && log.contains(&new));
    world.write("policy.yaml", "rules:\n  - name: [\n");
    gateway.wait("the bad edit is refused", |log| log.contains("REFUSED") && log.contains("policy.yaml:"));
    world.write("policy.yaml", &POLICY.replace("agents read", "agents may read"));
    gateway.wait("the repaired file is noticed", |log| log.contains("in force again"));
    // Another target, and a slip in the configuration.
    world.write("sallyport.yaml", &CONFIG.replace("policy: policy.yaml", "  - { name: two, kind: postgres, address: '127.0.0.1:1', roles: { app: { user: app } } }\npolicy: policy.yaml"));
    gateway.wait("the new target is there", |log| log.contains("targets_changed=true"));
    assert!(world.good(&["targets", "ls"]).contains("two"));
    world.with("kind: postgres", "kind: mystery");
    gateway.wait("the slip is refused", |log| log.contains("`kind` must be one of"));
    // The commands read the configuration to find the gateway; with the slip in it they are told where it is.
    assert!(world.good(&["targets", "ls", "--data-dir", "data"]).contains("two"));
    assert!(world.good(&["audit", "ls", "--data-dir", "data"]).contains("policy.reload"));
    gateway.signal("TERM");
    assert_eq!(gateway.end(), Some(0));
}

#[test]
fn issuers_are_reloaded_and_audited_and_other_keys_wait_for_a_start() {
    let world = World::new();
    let mut gateway = world.serve();
    gateway.wait("it is ready", |log| log.contains("the gateway is ready"));
    let issuer = "issuers: [{ url: 'http://127.0.0.1:1', audience: sallyport }]\n";
    world.write("sallyport.yaml", &format!("{CONFIG}{issuer}"));
    gateway.wait("the issuer is there", |log| log.contains("issuers_changed=true"));
    let audited = world.good(&["audit", "ls", "--data-dir", "data"]);
    assert!(
        audited.contains("policy.reload") && audited.contains("changed issuers; now 1 targets, 1 issuers"),
        "{audited}"
    );
    let waits = "take effect at the next start";
    assert!(!gateway.log().contains(waits), "{}", gateway.log());
    world.write("sallyport.yaml", &format!("{CONFIG}{issuer}drain: 5s\nrecordings: {{ keep: 9d }}\n"));
    gateway.wait("the other keys are named", |log| log.contains(waits) && log.contains("recordings, drain"));
    world.write("sallyport.yaml", &format!("{CONFIG}{issuer}"));
    gateway.wait("they are as before", |log| log.contains("as they were at this one again"));
    assert_eq!(world.good(&["audit", "ls", "--data-dir", "data"]), audited, "nothing came into force since");
}
