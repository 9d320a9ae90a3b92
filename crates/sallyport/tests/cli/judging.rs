//! `policy check`, `test` and `explain`.

use crate::world::{POLICY, World};

#[test]
fn a_statement_is_explained() {
    let world = World::new();
    let out = world.good(&[
        "policy",
        "explain",
        "--as",
        "agent-7",
        "--groups",
        "agents",
        "--target",
        "orders-db",
        "DELETE FROM orders WHERE id = 1",
    ]);
    assert!(
        out.starts_with("hold") && out.contains("writes need a human") && out.contains("delete on public.orders"),
        "{out}"
    );
    let json =
        world.good(&["policy", "explain", "--as", "x", "--target", "orders-db", "--json", "SELECT 1 FROM orders"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["explanation"]["outcome"], "deny");
    let ended = world.feed(
        &["policy", "explain", "--as", "a", "--groups", "agents", "--target", "orders-db", "-"],
        "SELECT * FROM orders",
    );
    assert!(ended.out.starts_with("allow"), "{ended:?}");
    let out = world.bad(&["policy", "explain", "--as", "a", "--target", "nowhere", "SELECT 1"]);
    assert!(out.contains("there is no target nowhere; targets are: orders-db"), "{out}");
    let out = world.bad(&["policy", "explain", "--as", "a", "--target", "orders-db", "--role", "root", "SELECT 1"]);
    assert!(out.contains("has no role root; roles are: app"), "{out}");
}

#[test]
fn statements_that_nobody_can_parse_are_unknown_and_deep_ones_do_not_crash() {
    let world = World::new();
    let explain = |text: &str| {
        world.feed(&["policy", "explain", "--as", "a", "--groups", "agents", "--target", "orders-db", "-"], text)
    };
    let ended = explain("SELEC oops");
    assert!(ended.out.starts_with("deny") && ended.out.contains("unknown"), "{ended:?}");
    let ended = explain(&format!("SELECT {}1{}", "(".repeat(50_000), ")".repeat(50_000)));
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.starts_with("deny"), "{}", ended.out.lines().next().unwrap_or_default());
}

#[test]
fn cases_are_run_and_a_failed_one_fails() {
    let world = World::new();
    let case = |expect: &str| {
        format!(
            "cases:\n  - name: agents delete\n    as: {{ subject: a, kind: agent, groups: [agents] }}\n    target: orders-db\n    command: {{ sql: \"DELETE FROM orders WHERE id = 1\" }}\n    expect: {expect}\n"
        )
    };
    world.write("cases.yaml", &case("hold"));
    assert!(world.good(&["policy", "test", "cases.yaml"]).contains("1 cases, 0 failed"));
    world.write("cases.yaml", &case("allow"));
    let out = world.bad(&["policy", "test", "cases.yaml"]);
    assert!(out.contains("FAIL agents delete") && out.contains("cases.yaml:2"), "{out}");
    world.write("cases.yaml", "cases:\n  - nam: x\n");
    assert!(world.bad(&["policy", "test", "cases.yaml"]).contains("cases.yaml:2"), "a slip in the cases is named");
}

#[test]
fn a_policy_is_checked_alone_and_with_the_configuration() {
    let world = World::new();
    assert!(world.good(&["policy", "check"]).contains("the policy is good"));
    std::fs::remove_file(world.path("sallyport.yaml")).unwrap();
    assert!(world.good(&["policy", "check", "policy.yaml"]).contains("2 rules"));
    world.write("policy.yaml", &POLICY.replace("do: [write, delete]", "do: [wirte]"));
    let out = world.bad(&["policy", "check", "policy.yaml"]);
    assert!(out.contains("policy.yaml:8:") && out.contains("wirte"), "{out}");
}

#[test]
fn copies_of_masked_values_are_judged_too() {
    let world = World::new();
    let masks = "masks:\n  - { name: emails, who: any, columns: [public.customers.email], with: redact }\n";
    let open = "rules:\n  - { name: all, who: any, do: [connect, read, write], then: allow }\n";
    world.write("policy.yaml", &format!("{open}{masks}"));
    let explain = |text: &str| world.good(&["policy", "explain", "--as", "a", "--target", "orders-db", text]);
    let out = explain("INSERT INTO archive (note) SELECT c.email FROM customers c");
    assert!(out.starts_with("deny") && out.contains("emails") && out.contains("masked for you"), "{out}");
    assert!(explain("INSERT INTO archive VALUES (1)").starts_with("allow"));
    assert!(explain("UPDATE orders SET note = id").starts_with("allow"));
    let cases = "cases:\n  - name: no copies\n    as: { subject: a, kind: agent }\n    target: orders-db\n    command: { sql: \"INSERT INTO archive SELECT email FROM customers\" }\n    expect: deny\n    rule: emails\n";
    world.write("cases.yaml", cases);
    assert!(world.good(&["policy", "test", "cases.yaml"]).contains("1 cases, 0 failed"));
    world.write("policy.yaml", open);
    assert!(world.bad(&["policy", "test", "cases.yaml"]).contains("expected deny, got allow"));
}

#[test]
fn columns_in_clear_are_judged_without_the_target() {
    let world = World::new();
    let mask = "masks:
  - { name: pii, who: any, columns: ['*.email'], with: redact, unmask: { by: { groups: [dpo] } } }
  - { name: firm, who: any, columns: ['*.ssn'], with: redact }
";
    world.write("policy.yaml", &format!("{POLICY}{mask}"));
    let explain = |text: &str| {
        world.feed(&["policy", "explain", "--as", "a", "--groups", "agents", "--target", "orders-db", "-"], text)
    };
    let ended = explain("/* sallyport: unmask public.orders.email */ SELECT * FROM orders");
    assert!(ended.out.starts_with("hold"), "{ended:?}");
    assert!(ended.out.contains("shows public.orders.email in clear, masked by \"pii\""), "{ended:?}");
    assert!(ended.out.contains("1 of a member of dpo"), "{ended:?}");
    let ended = explain("/* sallyport: unmask public.orders.ssn */ SELECT * FROM orders");
    assert!(ended.out.starts_with("deny") && ended.out.contains("firm"), "{ended:?}");
    assert!(explain("/* sallyport: unmask public.orders.id */ SELECT * FROM orders").out.starts_with("allow"));
    let ended = explain("/* sallyport: unmask email */ SELECT * FROM orders");
    assert!(ended.code != Some(0) && ended.err.contains("write schema.table.column"), "{ended:?}");
    let case = "cases:
  - name: an email in clear
    as: { subject: a, kind: agent, groups: [agents] }
    target: orders-db
    command: { sql: '/* sallyport: unmask public.orders.email */ SELECT email FROM orders' }
    expect: hold
    rule: pii
";
    world.write("cases.yaml", case);
    assert!(world.good(&["policy", "test", "cases.yaml"]).contains("1 cases, 0 failed"));
}

/// A world with a target of kind `ssh` as well.
fn with_ssh() -> World {
    let world = World::new();
    let target = "  - { name: web-1, kind: ssh, address: 'web-1.internal:22', roles: { ops: { user: ops, ssh_certificate: {} } } }\n";
    let config = std::fs::read_to_string(world.path("sallyport.yaml")).unwrap();
    world.write("sallyport.yaml", &config.replace("targets:\n", &format!("targets:\n{target}")));
    world
}

#[test]
fn what_ssh_clients_ask_for_is_read_as_that() {
    let world = with_ssh();
    let rules = "rules:
  - { name: looks, who: any, do: [connect, read], commands: [\"systemctl status *\", \"tail *\"], then: allow }
  - { name: files, who: any, do: [read], objects: [\"path:/srv/**\"], then: allow }
";
    world.write("policy.yaml", rules);
    let explain = |request: &str, text: &str| {
        world.good(&["policy", "explain", "--as", "a", "--target", "web-1", "--request", request, text])
    };
    assert!(explain("exec", "systemctl status nginx | tail -n 3").starts_with("allow"));
    assert!(explain("exec", "systemctl restart nginx").starts_with("deny"));
    assert!(explain("terminal", "tail -f /var/log/syslog").starts_with("deny"), "a terminal is asked for, too");
    assert!(explain("sftp", "get /srv/a/b").starts_with("allow"));
    assert!(explain("sftp", "put /srv/a/b").starts_with("deny"));
    assert!(explain("tunnel", "db:5432").starts_with("deny"));
    let out = world.bad(&["policy", "explain", "--as", "a", "--target", "web-1", "--request", "sftp", "eat /x"]);
    assert!(out.contains("get, put"), "{out}");
    let case = |key: &str, expect: &str| {
        format!(
            "cases:\n  - name: it\n    as: {{ subject: a, kind: agent }}\n    target: web-1\n    command: {{ {key}: \"tail /etc/shadow\" }}\n    expect: {expect}\n"
        )
    };
    world.write("cases.yaml", &case("exec", "deny"));
    assert!(world.good(&["policy", "test", "cases.yaml"]).contains("1 cases, 0 failed"));
    world.write("cases.yaml", &case("sql", "deny"));
    assert!(world.bad(&["policy", "test", "cases.yaml"]).contains("`exec` for ssh"));
}

#[test]
fn what_a_policy_says_of_programs_is_used_and_checked() {
    let world = with_ssh();
    let rules = "rules:
  - { name: looks, who: any, do: [connect, read], commands: [\"deployctl *\"], then: allow }
tools:
  - { command: deployctl status, does: read, options: \"-v\" }
  - command: deployctl restart
    does: admin
    why: stops what serves customers
";
    world.write("policy.yaml", rules);
    assert!(world.good(&["policy", "check"]).contains("the policy is good"));
    let explain = |text: &str| world.good(&["policy", "explain", "--as", "a", "--target", "web-1", text]);
    assert!(explain("deployctl status -v web").starts_with("allow"));
    assert!(explain("deployctl status --all").starts_with("deny"));
    let out = explain("deployctl restart web");
    assert!(out.starts_with("deny") && out.contains("deployctl: stops what serves customers"), "{out}");
    let case = |text: &str, expect: &str| {
        format!(
            "cases:\n  - name: it\n    as: {{ subject: a, kind: agent }}\n    target: web-1\n    command: {{ exec: \"{text}\" }}\n    expect: {expect}\n"
        )
    };
    world.write("cases.yaml", &case("deployctl status", "allow"));
    assert!(world.good(&["policy", "test", "cases.yaml"]).contains("1 cases, 0 failed"));
    // The tools of the policy that is asked about count, not those of the configuration's.
    world.write("other.yaml", &rules.replace("deployctl status", "deployctl list"));
    assert!(
        world.bad(&["policy", "test", "cases.yaml", "--policy", "other.yaml"]).contains("expected allow, got deny")
    );

    world.write("policy.yaml", &rules.replace("deployctl restart", "xargs deployctl"));
    for args in [&["policy", "check"][..], &["config", "check"]] {
        let out = world.bad(args);
        assert!(out.contains("policy.yaml:5:14: `xargs` runs what its words, files or input say"), "{out}");
    }
    world.write("policy.yaml", &rules.replace("-v", "--env=NAME"));
    assert!(world.bad(&["policy", "check"]).contains("policy.yaml:4:55: `--env=NAME`: options are written"));
    world.write("policy.yaml", &rules.replace("deployctl status", "vault"));
    let out = world.good(&["policy", "check"]);
    assert!(out.contains("policy.yaml:4:16: warning: \"vault\": it speaks of `vault` whatever its words are"), "{out}");
}
