//! What is refused, with line and column, and what the text tells the author to do.

use sallyport_policy::{MAX_SOURCE_BYTES, Policy, Source};

use crate::kit::errors;

const RULE: &str = "rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n";

/// Compares the first error of each text, and shows all that differ at once.
fn check<'a>(table: impl IntoIterator<Item = (String, &'a str)>) {
    let wrong: Vec<String> = table
        .into_iter()
        .filter_map(|(text, expected)| {
            let found = errors(&text);
            let first = found.first()?;
            (!first.contains(expected)).then(|| format!("{text}\n  says  {first}\n  not   {expected}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn places_and_texts() {
    let table = [
        // The form.
        ("rulez: []\n", "p.yaml:1:1: unknown key `rulez`: use one of rules, masks, limits, records"),
        (
            "rules:\n  - name: r\n    who: any\n    do: [drop]\n    then: allow\n",
            "p.yaml:4:10: unknown word `drop`: use one of connect, session",
        ),
        (
            "rules:\n  - name: r\n    who: any\n    do: [read]\n    then: permit\n",
            "p.yaml:5:11: unknown word `permit`: use one of allow, approve, deny",
        ),
        ("rules:\n  - name: r\n    do: [read]\n    then: allow\n", "p.yaml:4:5: `who` is missing: add it"),
        ("rules:\n  - name: r\n    name: s\n", "p.yaml:3:5: the key `name` is there twice: remove one"),
        (
            "rules:\n  - name: r\n    who: everybody\n    do: [read]\n    then: allow\n",
            "p.yaml:3:5: invalid value: string \"everybody\", expected `any` or",
        ),
        (
            "rules:\n  - name: r\n    who: { teams: [a] }\n    do: [read]\n    then: allow\n",
            "p.yaml:3:12: unknown key `teams`: use one of users, groups",
        ),
        (
            "rules:\n  - name: r\n    who: { groups: dba }\n    do: [read]\n    then: allow\n",
            "expected a list such as [a, b]",
        ),
        (
            "rules:\n  - name: r\n    who: { kinds: [robot] }\n    do: [read]\n    then: allow\n",
            "unknown word `robot`: use one of human, agent, ci, service",
        ),
        (
            "rules:\n  - name: r\n    who: { claims: { a: { b: c } } }\n    do: any\n    then: allow\n",
            "expected a text, whole number or boolean, or a list of them",
        ),
        (
            "rules:\n  - name: r\n    who: { claims: { a: 1.5 } }\n    do: any\n    then: allow\n",
            "expected a text, whole number or boolean",
        ),
        ("rules: {}\n", "expected a list such as [a, b]"),
        ("rules:\n", "expected a list such as [a, b]"),
        ("rules: [\n", "p.yaml:1:8: unclosed bracket"),
        // Absent is not the same as empty: commented-out entries must not turn "these" into "all".
        (
            "rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n    objects:\n",
            "expected a list such as [a, b]",
        ),
        ("rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n    on:\n", "p.yaml:6:"),
        ("rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n    if:\n", "p.yaml:6:"),
        ("rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n    when:\n", "p.yaml:6:"),
        (
            "rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n    on: { targets: }\n",
            "expected a list such as [a, b]",
        ),
        ("rules:\n  - name: r\n    who:\n    do: [read]\n    then: allow\n", "p.yaml:3:"),
        (
            "rules:\n  - name: r\n    who: any\n    do: [read]\n    then: allow\n    if: { unbounded: yes }\n",
            "p.yaml:6:22: expected true or false",
        ),
    ];
    check(table.map(|(text, expected)| (text.to_owned(), expected)));
}

#[test]
fn meanings() {
    let table = [
        ("    objects: []\n", "p.yaml:2:5: `objects` is an empty list, which nothing fits"),
        (
            "    objects: [fucntion:public.f]\n",
            "p.yaml:6:15: `fucntion` is not a kind of object; did you mean `function:public.f`?",
        ),
        ("    objects: [ok, '']\n", "p.yaml:6:19: an empty name matches nothing"),
        ("    on: {}\n", "p.yaml:6:9: an empty `on`: leave it out"),
        ("    on: { targets: [] }\n", "p.yaml:6:9: `on.targets` is an empty list"),
        ("    on: { labels: { env: [] } }\n", "`on.labels.env` is an empty list"),
        ("    on: { kinds: ['post*'] }\n", "p.yaml:6:19: `on.kinds` is compared exactly"),
        ("    if: {}\n", "p.yaml:6:9: `if` has no condition"),
        ("    if: { hours: 08:00-18:00 }\n", "p.yaml:6:18: `08:00-18:00` is not a daily window with a time zone"),
        (
            "    if: { from: [10.0.0.1/8] }\n",
            "p.yaml:6:18: `10.0.0.1/8` has bits set behind its prefix: did you mean 10.0.0.0/8?",
        ),
        ("    if: { from: [] }\n", "p.yaml:6:9: `if.from` is an empty list"),
        ("    when: identity.subject =\n", "p.yaml:6:11: `when`: not an expression"),
        (
            "    when: user == 'x'\n",
            "p.yaml:6:11: `when`: `user` is not known: use identity, target, role, command, now (character 1)",
        ),
        ("    approval: { by: { groups: [a] } }\n", "p.yaml:6:15: `approval` is for `then: approve`"),
        ("    message: ''\n", "p.yaml:6:14: a message has 1 to 1000 characters"),
        ("    message: \"a\\x1b[2Jb\"\n", "no control characters"),
        ("  - { name: r, who: any, do: any, then: deny }\n", "p.yaml:6:13: the name \"r\" is used before, at p.yaml:2"),
        ("  - { name: '', who: any, do: any, then: deny }\n", "p.yaml:6:13: the name is empty"),
        ("  - { name: s, who: {}, do: any, then: deny }\n", "p.yaml:6:21: an empty `who`: write `who: any`"),
        ("  - { name: s, who: { users: [] }, do: any, then: deny }\n", "`who.users` is an empty list"),
        ("  - { name: s, who: { groups: ['a*'] }, do: any, then: deny }\n", "`who.groups` is compared exactly"),
        ("  - { name: s, who: { claims: { a: 'b*' } }, do: any, then: deny }\n", "`who.claims` is compared exactly"),
        ("  - { name: s, who: { claims: {} }, do: any, then: deny }\n", "an empty `who`"),
        ("  - { name: s, who: { on_behalf_of: [] }, do: any, then: deny }\n", "`who.on_behalf_of` is an empty list"),
        ("  - { name: s, who: any, do: [], then: deny }\n", "p.yaml:6:30: `do` is an empty list"),
    ];
    check(table.map(|(more, expected)| (format!("{RULE}{more}"), expected)));
}

#[test]
fn approvals() {
    for (approval, expected) in [
        ("", "p.yaml:1:9: `then: approve` needs `approval"),
        (", approval: { quorum: 1 }", "`by` is missing"),
        (", approval: { by: {} }", "nobody may approve"),
        (", approval: { by: { users: ['*'] } }", "`approval.by.users` is compared exactly"),
        (", approval: { by: { users: [a] }, quorum: 2 }", "a quorum of 2 cannot be reached by 1 users"),
        (", approval: { by: { users: [a, a] }, quorum: 2 }", "cannot be reached by 1 users"),
        (", approval: { by: { groups: [a] }, quorum: 0 }", "`quorum` is from 1 to 20"),
        (", approval: { by: { groups: [a] }, expires: 15 }", "`15` is not a duration"),
        (", approval: { by: { groups: [a] }, expires: 15 min }", "`15 min` is not a duration"),
        (", approval: { by: { groups: [a] }, reason: yes }", "unknown word `yes`: use one of required, optional"),
    ] {
        let text = format!("rules: [{{ name: r, who: any, do: any, then: approve{approval} }}]");
        let found = errors(&text);
        assert!(found[0].contains(expected), "{text}\n{}", found[0]);
    }
}

#[test]
fn other_sections() {
    let table = [
        ("masks: [{ name: m, who: any, with: redact }]", "a mask needs `columns`, `detect` or both"),
        ("masks: [{ name: m, who: any, columns: [a.b.c] }]", "`with` is missing"),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: blur }]",
            "unknown word `blur`: use one of partial, token, hash, redact, fixed, null",
        ),
        ("masks: [{ name: m, who: any, columns: [], with: redact }]", "`columns` is an empty list"),
        ("masks: [{ name: m, who: any, detect: [faces], with: redact }]", "unknown word `faces`"),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: redact, predicates: hold }]",
            "`predicates: hold` needs `approval",
        ),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: redact, approval: { by: { groups: [a] } } }]",
            "`approval` of a mask is for `predicates: hold`",
        ),
        (
            "masks: [{ name: m, who: any, detect: [card], with: redact, predicates: deny }]",
            "`predicates` is about `columns`",
        ),
        (
            "masks: [{ name: m, who: any, detect: [card], with: redact, aggregates: allow }]",
            "`aggregates` is about `columns`",
        ),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: redact, aggregates: show }]",
            "unknown word `show`: use one of allow, mask",
        ),
        (
            "masks: [{ name: m, who: any, detect: [card], with: redact, unmask: { by: { groups: [a] } } }]",
            "`unmask` is about `columns`",
        ),
        ("masks: [{ name: m, who: any, columns: [a.b.c], with: redact, unmask: { by: {} } }]", "nobody may approve"),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: redact, unmask: { by: { groups: ['*'] } } }]",
            "`unmask.by.groups` is compared exactly",
        ),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: redact, when: command.multi }]",
            "`command` is not known here",
        ),
        (
            "masks: [{ name: m, who: any, columns: [a.b.c], with: redact, if: { multi: true } }]",
            "unknown key `multi`: use one of hours, from",
        ),
        ("limits: [{ name: l, who: any }]", "no limit is given"),
        ("limits: [{ name: l, who: any, rows_returned: -1 }]", "p.yaml:1:46: not a whole number"),
        ("limits: [{ name: l, who: any, rows_returned: }]", "p.yaml:1:"),
        (
            "limits: [{ name: l, who: any, rows_returned: 1 }, { name: l, who: any, rows_returned: 1 }]",
            "is used before",
        ),
        ("records: [{ name: r, who: any, results: some }]", "unknown word `some`: use one of none, digest, head, full"),
        ("records: [{ name: r, results: full }]", "`who` is missing"),
    ];
    check(table.map(|(text, expected)| (text.to_owned(), expected)));
}

#[test]
fn all_faults_of_all_files_are_shown() {
    let one = Source { name: "a.yaml", text: "rules:\n  - { name: r, who: {}, do: [], then: approve }\n" };
    let two = Source {
        name: "b.yaml",
        text: "rules:\n  - { name: r, who: any, do: any, then: deny }\n---\nlimits: [{ name: l, who: any }]\n",
    };
    let found: Vec<String> = Policy::parse(&[one, two]).unwrap_err().iter().map(ToString::to_string).collect();
    let starts = [
        "a.yaml:2:5: `then: approve`",
        "a.yaml:2:21: an empty `who`",
        "a.yaml:2:29: `do`",
        "b.yaml:2:13: the name",
        "b.yaml:4:10: no limit",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (text, start) in found.iter().zip(starts) {
        assert!(text.starts_with(start), "{text}");
    }
}

#[test]
fn bombs_and_large_files() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in ('a'..='z').zip('b'..='z') {
        bomb.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(", ")));
    }
    assert!(!errors(&bomb).is_empty());
    let bomb = bomb.replace("a: &a", "rules: &a");
    assert!(!errors(&bomb).is_empty());
    for deep in
        ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "rules: ".to_owned() + &"[".repeat(1000)]
    {
        assert!(!errors(&deep).is_empty());
    }
    let large = "#".repeat(MAX_SOURCE_BYTES + 1);
    assert_eq!(errors(&large), ["p.yaml:0:0: the file is larger than 8 MiB: split it"]);
}

#[test]
fn anchors_work_within_bounds() {
    let policy = crate::kit::policy(
        "rules:\n  - { name: a, who: &w { groups: [agents] }, do: [read], then: allow }\n  - { name: b, who: *w, do: [write], then: allow }\n",
    );
    assert_eq!(policy.rule_names().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn the_version_names_the_content() {
    let version = |text: &str| crate::kit::policy(text).version().to_owned();
    let one = version(
        "rules:\n  - { name: a, who: { groups: [x, y] }, do: [read, write], then: allow }\n  - { name: b, who: any, do: any, then: deny }\n",
    );
    let same = version(
        "# other\nrules:\n  - name: b\n    who: any\n    do: any\n    then: deny\n    mode: enforce\n---\nrules:\n  - { then: allow, do: [write, read], who: { groups: [y, x] }, name: a }\n",
    );
    assert_eq!(one, same);
    assert_eq!(one.len(), 16);
    assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for other in [
        "rules: []",
        "rules:\n  - { name: a, who: { groups: [x] }, do: [read, write], then: allow }\n  - { name: b, who: any, do: any, then: deny }\n",
        "rules:\n  - { name: a, who: { groups: [x, y] }, do: [read, write], then: allow }\n  - { name: b, who: any, do: any, then: deny, mode: shadow }\n",
    ] {
        assert_ne!(one, version(other));
    }
}

#[test]
fn the_schema_knows_every_section() {
    let schema = serde_json::to_value(Policy::json_schema()).unwrap();
    for section in ["rules", "masks", "limits", "records"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    let text = schema.to_string();
    for key in
        ["on_behalf_of", "in_transaction", "rows_affected", "predicates", "aggregates", "unknown", "digest", "quorum"]
    {
        assert!(text.contains(key), "{key}");
    }
}
