//! Conditions: what is refused at reading, and what hostile values do to an evaluation.

use std::collections::BTreeMap;

use model::{Action, Effect, Flags, Identity, IdentityKind, Object, Target};
use serde_json::json;

use super::values::{CommandValues, SessionValues, Values};
use super::*;
use crate::policy::Subject;

fn identity() -> Identity {
    Identity {
        subject: "agent-7".to_owned(),
        issuer: "https://id.example".to_owned(),
        groups: vec!["agents".to_owned(), "shop".to_owned()],
        kind: IdentityKind::Agent,
        on_behalf_of: vec!["alice".to_owned()],
        task: None,
        claims: BTreeMap::from([
            ("team".to_owned(), json!("shop")),
            ("level".to_owned(), json!(3)),
            ("tags".to_owned(), json!(["a", "b"])),
        ]),
    }
}

fn target() -> Target {
    Target {
        name: "orders-db".to_owned(),
        kind: "postgres".to_owned(),
        labels: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
        roles: vec!["readonly".to_owned()],
        default_role: "readonly".to_owned(),
    }
}

fn eval_with(source: &str, identity: &Identity) -> Result<bool, &'static str> {
    let target = target();
    let subject = Subject { identity, target: &target, role: "readonly", from: None };
    let actions = [Action::on(Effect::Read, Object::relation("public", "orders")), Action::bare(Effect::Session)];
    let session = SessionValues::new(&subject);
    let command = CommandValues::new(&actions, Flags::default(), true);
    When::compile(source, true).unwrap().holds(&Values {
        session: &session,
        command: Some(&command),
        now: Some("2026-01-15T12:30:00Z".parse().unwrap()),
    })
}

fn eval(source: &str) -> Result<bool, &'static str> {
    eval_with(source, &identity())
}

#[test]
fn conditions_look_at_everything_that_is_documented() {
    for (source, expected) in [
        ("identity.claims.team == target.labels.team", true),
        ("identity.claims.level >= 3", true),
        ("identity.claims.level + 1 == 4", true),
        ("'shop' in identity.groups", true),
        ("identity.groups.exists(g, g.startsWith('ag'))", true),
        ("identity.groups.all(g, identity.claims.tags.exists(t, t == g))", false),
        ("identity.groups.exists_one(g, g == 'shop')", true),
        ("identity.kind == 'agent' && identity.subject.matches('^agent-[0-9]+$')", true),
        ("has(identity.claims.team) && !has(identity.claims.other)", true),
        ("identity.task == null", true),
        ("identity.on_behalf_of[0] == 'alice'", true),
        ("role == 'readonly' && target.kind == 'postgres' && target.name == 'orders-db'", true),
        ("command.effects == ['read', 'session'] && 'public.orders' in command.objects", true),
        ("command.in_transaction && !command.unbounded && !command.multi", true),
        ("timestamp(now).getHours('Europe/Berlin') == 13", true),
        ("timestamp(now) < timestamp('2026-01-16T00:00:00Z')", true),
        ("identity.claims['team'].size() == 4", true),
        ("identity.issuer == \"https://id.example\" ? true : false", true),
    ] {
        assert_eq!(eval(source), Ok(expected), "{source}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_an_error_without_values() {
    for (source, part) in [
        ("identity.claims.absent == 'x'", "absent"),
        ("identity.claims.team > 3", "type"),
        ("identity.subject", "not true or false"),
        ("identity.on_behalf_of[7] == 'x'", "index"),
        ("1 / (identity.claims.level - 3) == 1", "zero"),
        ("9223372036854775807 + identity.claims.level > 0", "too large"),
        ("int(identity.subject) == 1", "refused"),
    ] {
        let error = eval(source).unwrap_err();
        assert!(error.contains(part), "{source}: {error}");
        assert!(!error.contains("agent-7"), "{error}");
    }
}

#[test]
fn texts_that_are_refused() {
    for (source, part) in [
        ("", "empty"),
        ("identity.subject ==", "not an expression"),
        ("identity.grops == []", "has no `grops`: use one of subject"),
        ("user.name == 'x'", "`user` is not known"),
        ("role.name == 'x'", "is a text"),
        ("identity.groups.map(g, g) == []", "`map` and `filter`"),
        ("identity.groups.filter(g, true) == []", "`map` and `filter`"),
        ("identity.groups.exists(role, true)", "rename"),
        ("identity.subject.matches(identity.task)", "written as a text"),
        ("identity.subject.matches('(')", "not a regular expression"),
        ("identity.groups.exists(g, g.matches('a'))", "in a loop"),
        ("frobnicate(identity)", "`frobnicate` is not available"),
        ("[1].exists(a, [1].exists(b, [1].exists(c, true)))", "more than two loops"),
        ("Foo{a: 1} == 1", "message types"),
        ("'\u{7}' == ''", "control characters"),
    ] {
        let error = When::compile(source, true).unwrap_err();
        assert!(error.contains(part), "{source}: {error}");
    }
    let error = When::compile("identity.kind == 'a' && identity.grops == []", true).unwrap_err();
    assert!(error.ends_with("(character 33)"), "{error}");
    assert!(When::compile("command.multi", false).unwrap_err().contains("not known here"));
    assert!(When::compile(&"a".repeat(MAX_WHEN_BYTES + 1), true).unwrap_err().contains("longer"));
}

#[test]
fn what_it_uses_decides_about_caching() {
    let uses = |source| When::compile(source, true).unwrap().uses();
    let fixed = uses("identity.claims.team == target.labels.team");
    assert!(!fixed.command && !fixed.now && !fixed.in_transaction);
    let shape = uses("command.multi");
    assert!(shape.command && !shape.in_transaction);
    assert!(uses("command.in_transaction").in_transaction);
    assert!(uses("command == command").in_transaction);
    assert!(uses("timestamp(now).getHours() > 3").now);
}

/// The longest texts that nest, on a small stack.
#[test]
fn hostile_texts_neither_crash_nor_hang() {
    let texts = [
        "(".repeat(2000),
        "!".repeat(2000),
        "-".repeat(2000),
        "- ".repeat(1000),
        "[".repeat(2000),
        "{".repeat(2000),
        "a?b:".repeat(500),
        "true&&".repeat(340),
        format!("{}true", "true&&".repeat(330)),
        format!("{}true", "true||".repeat(330)),
        format!("{}1==1", "1+".repeat(1000)),
        format!("role{}", ".a".repeat(1000)),
        format!("role{}", "[0]".repeat(600)),
        format!("role{}", ".size()".repeat(280)),
        format!("{}1{}==1", "size([".repeat(7), "])".repeat(7)),
        format!("{}true", "1 in [1] == ".repeat(160)),
        "\"".repeat(2001),
        "'\\".repeat(1000),
        "/*".repeat(1000),
        "r\"\"\"".repeat(400),
        "identity.groups.exists(a,".repeat(80),
        "\u{1F600}".repeat(500),
        "b'\\377'".repeat(200),
        "0x".repeat(1000),
        "9".repeat(2000),
        "1e".repeat(1000),
    ];
    let identity = identity();
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let target = target();
            let subject = Subject { identity: &identity, target: &target, role: "r", from: None };
            let session = SessionValues::new(&subject);
            for text in texts {
                if let Ok(when) = When::compile(&text, true) {
                    let _ = when.holds(&Values { session: &session, command: None, now: None });
                }
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn large_claims_count_as_not_evaluable() {
    let mut large = identity();
    large.claims.insert("blob".to_owned(), json!("x".repeat(17 << 10)));
    assert_eq!(eval_with("identity.kind == 'agent'", &large), Err("the identity's claims are too large"));

    let mut deep = identity();
    let nested = (0..40).fold(json!(1), |inner, _| json!([inner]));
    deep.claims.insert("deep".to_owned(), nested);
    assert_eq!(eval_with("true", &deep), Err("the identity's claims are too large"));

    let mut long = identity();
    long.claims.insert("tags".to_owned(), json!((0..3000).collect::<Vec<_>>()));
    assert_eq!(eval_with("identity.claims.tags.exists(t, t == 2999)", &long), Ok(true));
    assert_eq!(
        eval_with("identity.claims.tags.exists(a, identity.claims.tags.exists(b, a == b + 1))", &long),
        Err("the lists it goes through are too long")
    );
}
