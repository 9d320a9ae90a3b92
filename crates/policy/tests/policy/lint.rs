//! Findings of `policy check`.

use sallyport_policy::Level;

use crate::kit::{policy, target};

fn findings(text: &str) -> Vec<String> {
    policy(text).lint(&[target()]).iter().map(ToString::to_string).collect()
}

const OPEN: &str = "  - { name: open, who: any, do: [connect], then: allow }\n";

#[test]
fn rules() {
    for (rules, expected) in [
        (
            "  - { name: x, who: { groups: [a] }, do: [destroy], then: allow }\n  - { name: no, who: any, do: [destroy, grant], then: deny }\n",
            "p.yaml:3:13: error: \"x\": can never take effect: everything it means is denied by \"no\"",
        ),
        (
            "  - { name: x, who: { groups: [a] }, do: [read, destroy], then: allow }\n  - { name: no, who: any, do: [destroy], then: deny }\n",
            "warning: \"x\": destroy in `do` has no effect: denied by \"no\"",
        ),
        (
            "  - { name: x, who: { groups: [a] }, do: [read], objects: [public.a], then: allow }\n  - { name: no, who: any, do: [read], objects: ['public.*'], then: deny }\n",
            "error: \"x\": can never take effect",
        ),
        (
            "  - { name: x, who: { groups: [a] }, do: [write], then: allow }\n  - { name: ask, who: any, do: any, then: approve, approval: { by: { groups: [d] } } }\n",
            "error: \"x\": never decides: everything it allows needs approval by \"ask\"",
        ),
        (
            "  - { name: x, who: { groups: [a] }, do: [read], then: allow }\n  - { name: all, who: any, do: [read], then: allow }\n",
            "warning: \"x\": adds nothing: \"all\" means all of it",
        ),
        (
            "  - { name: x, who: { groups: [a] }, do: any, then: allow }\n",
            "warning: \"x\": allows unknown, admin, grant",
        ),
        (
            "  - { name: x, who: any, do: [connect], objects: ['*'], then: deny }\n",
            "error: \"x\": never applies: `connect` has no object",
        ),
        (
            "  - { name: x, who: any, do: [read], objects: ['path:/srv/key'], then: deny }\n  - { name: look, who: any, do: [read], commands: ['cat *'], then: allow }\n",
            "warning: \"x\": speaks of files that are moved, and of credentials that a command names: other commands that \"look\" lets run",
        ),
        ("  - { name: x, who: any, do: [read], objects: ['?.a'], then: allow }\n", "error: \"x\": `?.a` never fits"),
        (
            "  - { name: x, who: any, on: { targets: [order-db] }, do: [read], then: allow }\n",
            "p.yaml:3:30: error: \"x\": no target is named `order-db`",
        ),
        (
            "  - { name: x, who: any, on: { targets: [orders-db, b] }, do: [read], then: allow }\n",
            "warning: \"x\": no target is named `b`",
        ),
        (
            "  - { name: x, who: any, on: { labels: { stage: prod } }, do: [read], then: allow }\n",
            "error: \"x\": no target has a label `stage`",
        ),
        (
            "  - { name: x, who: any, on: { labels: { env: prd } }, do: [read], then: allow }\n",
            "error: \"x\": no target has the label `env: prd`",
        ),
        (
            "  - { name: x, who: any, on: { kinds: [mysql] }, do: [read], then: allow }\n",
            "error: \"x\": no target is of the kind `mysql`",
        ),
        (
            "  - { name: x, who: any, on: { roles: [admin] }, do: [read], then: allow }\n",
            "warning: \"x\": none of the targets it means has a role `admin`",
        ),
    ] {
        let found = findings(&format!("rules:\n{OPEN}{rules}"));
        assert!(found.iter().any(|text| text.contains(expected)), "{rules}{found:#?}");
    }
}

#[test]
fn masks_and_connect() {
    for (pattern, expected) in [
        ("email", "error: \"m\": `email` never fits: write schema.table.column"),
        ("customers.email", "error: \"m\": `customers.email` never fits: the schema or the column is missing"),
        ("relation:a.b.c", "error: \"m\": `relation:a.b.c` never fits"),
        ("*", "warning: \"m\": `*` masks every column of everything"),
        ("public.customers.Email", "warning: \"m\": `public.customers.Email` has capital letters"),
        ("public.*", "warning: \"m\": `public.*` masks every column of a whole schema"),
    ] {
        let text = format!("rules:\n{OPEN}masks:\n  - {{ name: m, who: any, columns: ['{pattern}'], with: redact }}\n");
        let found = findings(&text);
        assert!(found.iter().any(|text| text.contains(expected)), "{found:#?}");
    }
    assert_eq!(
        findings("rules: [{ name: r, who: any, do: [read], then: allow }]"),
        ["p.yaml:0:0: warning: no rule allows `connect`, so that no session can be opened: add it to a rule's `do`"]
    );
}

#[test]
fn aggregates_that_another_mask_hides() {
    for (who, columns, hidden) in [
        ("any", "['*.salary']", true),
        ("{ groups: [agents] }", "[public.staff.*]", true),
        ("any", "[public.staff.bonus]", false),
        ("{ groups: [others] }", "['*.salary']", false),
        ("{ groups: [agents] }, if: { hours: '22:00-23:00 UTC' }", "['*.salary']", false),
    ] {
        let text = format!(
            "rules:\n{OPEN}masks:\n  - {{ name: shown, who: {{ groups: [agents] }}, columns: [public.staff.salary], with: redact, aggregates: allow }}\n  - {{ name: hidden, who: {who}, columns: {columns}, with: redact }}\n"
        );
        let expected =
            "warning: \"shown\": `aggregates: allow` does nothing for `public.staff.salary`: \"hidden\" masks them";
        let found = findings(&text);
        assert_eq!(found.iter().any(|text| text.contains(expected)), hidden, "{who} {columns} {found:#?}");
    }
}

#[test]
fn what_is_meant_is_not_found_fault_with() {
    for rules in [
        // Conditions, narrower scopes and shadow rules leave others their use.
        "  - { name: x, who: any, do: [write], then: allow }\n  - { name: no, who: any, do: [write], if: { unbounded: true }, then: deny }\n",
        "  - { name: x, who: any, do: [write], then: allow }\n  - { name: no, who: { groups: [a] }, do: [write], then: deny }\n",
        "  - { name: x, who: any, do: [write], then: allow }\n  - { name: no, who: any, do: any, then: deny, mode: shadow }\n",
        "  - { name: x, who: any, do: [write], objects: ['public.*'], then: allow }\n  - { name: no, who: any, do: [write], objects: [public.a], then: deny }\n",
        "  - { name: x, who: { claims: { a: 1 } }, do: [read], then: allow }\n  - { name: no, who: { claims: { b: 1 } }, do: [read], then: deny }\n",
        "  - { name: x, who: any, do: [destroy], objects: ['public.*'], then: deny, message: Never. }\n  - { name: no, who: any, do: [destroy], then: deny }\n",
        "  - { name: x, who: any, do: [read], objects: ['path:/srv/*'], then: allow }\n  - { name: no, who: any, do: [read], objects: ['path:/srv/key'], then: deny }\n",
        "  - { name: x, who: any, do: [execute], commands: ['make'], then: allow }\n  - { name: no, who: any, do: [read], objects: ['path:/srv/key'], then: deny }\n",
        "  - { name: x, who: any, on: { targets: ['orders-*'], labels: { env: [prod] }, roles: ['*'], kinds: [postgres] }, do: [read], then: allow }\n",
    ] {
        let text = format!(
            "rules:\n{OPEN}{rules}masks:\n  - {{ name: m, who: any, columns: ['*.ssn', 'public.customers.*', 'public.customers.email', '*email*'], with: redact }}\n"
        );
        assert_eq!(findings(&text), Vec::<String>::new(), "{rules}");
    }
    // Without a configuration nothing is said about targets.
    let elsewhere = policy("rules: [{ name: r, who: any, on: { targets: [x] }, do: [connect], then: allow }]");
    assert!(elsewhere.lint(&[]).is_empty());
    assert_eq!(elsewhere.lint(&[target()])[0].level, Level::Error);
}
