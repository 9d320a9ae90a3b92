//! Cases: reading, judging, and what failures say.

use std::collections::BTreeMap;

use model::{Intent, Target};

use super::*;
use crate::policy::Policy;

const POLICY: &str = r#"
rules:
  - { name: read, who: { groups: [agents] }, do: [connect, read], objects: ["public.*"], then: allow }
  - { name: never, who: any, do: [destroy, unknown], then: deny }
masks:
  - name: pii
    who: any
    columns: ["*.email"]
    with: redact
    unmask: { by: { groups: [dba] } }
"#;

fn targets() -> Vec<Target> {
    vec![Target {
        name: "orders-db".to_owned(),
        kind: "postgres".to_owned(),
        labels: BTreeMap::new(),
        roles: vec!["readonly".to_owned()],
        default_role: "readonly".to_owned(),
    }]
}

fn read_cases(text: &str) -> Result<Vec<Case>, Vec<PolicyError>> {
    parse(&[Source { name: "cases.yaml", text }])
}

fn results(cases: &str) -> Vec<CaseResult> {
    let policy = Policy::parse(&[Source { name: "policy.yaml", text: POLICY }]).unwrap();
    run(&policy, &read_cases(cases).unwrap(), &targets(), |case| match &case.command {
        CaseCommand::Sql(sql) if sql == "DROP TABLE t" => {
            let intent = Intent::simple(1, "DROP", Action::on(Effect::Destroy, Object::relation("public", "t")));
            Ok((intent, Vec::new()))
        }
        CaseCommand::Sql(_) | CaseCommand::Exec(_) | CaseCommand::Actions { .. } => Err("not understood"),
    })
}

#[test]
fn cases_that_hold_and_cases_that_do_not() {
    let found = results(
        r#"
cases:
  - name: reads
    as: { subject: agent-7, kind: agent, groups: [agents] }
    target: orders-db
    command: { actions: [{ effect: read, object: public.orders }, { effect: connect }] }
    expect: allow
    rule: read
  - name: drops
    as: { subject: agent-7, kind: agent, groups: [agents] }
    target: orders-db
    role: readonly
    at: 2026-01-15T22:00:00+01:00
    from: 10.1.2.3
    command: { sql: DROP TABLE t }
    expect: deny
    rule: never
  - name: asks for an email
    as: { subject: agent-7, kind: agent, groups: [agents] }
    target: orders-db
    command: { actions: [{ effect: read, object: public.orders }], unmask: [public.orders.email] }
    expect: hold
    rule: pii
  - name: wrong outcome and rule
    as: { subject: bob, kind: human }
    target: orders-db
    command: { actions: [{ effect: read, object: public.orders }] }
    expect: allow
    rule: reed
  - name: wrong target
    as: { subject: bob, kind: human }
    target: other
    command: { actions: [{ effect: read }] }
    expect: deny
  - name: wrong role
    as: { subject: bob, kind: human }
    target: orders-db
    role: admin
    command: { actions: [{ effect: read }] }
    expect: deny
  - name: unreadable
    as: { subject: bob, kind: human }
    target: orders-db
    command: { sql: SELEC }
    expect: deny
"#,
    );
    let failures: Vec<Vec<String>> = found.iter().map(|result| result.failures.clone()).collect();
    assert_eq!(
        failures,
        [
            vec![],
            vec![],
            vec![],
            vec![
                "expected allow, got deny: read on public.orders is not covered by any rule".to_owned(),
                "the policy has no rule \"reed\"".to_owned()
            ],
            vec!["there is no target `other` in the configuration".to_owned()],
            vec!["the target `orders-db` has no role `admin`".to_owned()],
            vec!["not understood".to_owned()],
        ]
    );
    assert!(found[0].passed() && !found[3].passed());
    assert_eq!(found[0].to_string(), "ok   reads");
    assert!(found[4].to_string().starts_with("FAIL wrong target\n     cases.yaml:"), "{}", found[4]);
}

#[test]
fn strict_reading() {
    let base = "cases:\n  - name: a\n    as: { subject: a, kind: agent }\n    target: t\n    expect: deny\n";
    for (text, expected) in [
        ("    command: { sql: x, actions: [] }\n", "cases.yaml:6:14: a command has one of `sql`, `exec` and `actions`"),
        ("    command: {}\n", "cases.yaml:6:14: a command has one of `sql`, `exec` and `actions`"),
        ("    command: { sql: x, multi: true }\n", "cases.yaml:6:14: unbounded, multi,"),
        ("    command: { sql: x }\n    when: now\n", "cases.yaml:7:5: unknown key `when`"),
        ("    command: { actions: [{ effect: drop }] }\n", "cases.yaml:6:36: unknown word `drop`: use one of connect"),
        ("    command: { sql: x }\n    at: noon\n", "cases.yaml:7:9: `at` is not a time"),
        ("    command: { sql: x }\n    from: home\n", "cases.yaml:7:11: `from` is not an address"),
        ("    command: { actions: [], predicates: [email] }\n", "cases.yaml:6:42: a column is written"),
        ("", "`command` is missing: add it"),
    ] {
        let errors = read_cases(&format!("{base}{text}")).unwrap_err();
        assert!(errors[0].to_string().contains(expected), "{}", errors[0]);
    }
    let twice = format!(
        "{base}    command: {{ sql: x }}\n  - name: a\n    as: {{ subject: a, kind: agent }}\n    target: t\n    expect: deny\n    command: {{ sql: x }}\n"
    );
    assert!(read_cases(&twice).unwrap_err()[0].message.contains("two cases named"));
}
