//! Suggested rules allow what was seen, have no findings, and allow little else.

use std::collections::BTreeMap;

use model::{Action, Effect, Flags, Identity, IdentityKind, Object, ObjectKind, Outcome, Target};
use proptest::prelude::*;
use sallyport_policy::suggest::{Observed, Options, Suggestion};
use sallyport_policy::{Policy, Subject};

use crate::kit::{on, policy, read};

/// Who did what where.
#[derive(Clone, Debug)]
struct Deed {
    who: Identity,
    role: &'static str,
    actions: Vec<Action>,
    flags: Flags,
}

fn person(subject: &str, groups: &[&str]) -> Identity {
    Identity {
        subject: subject.to_owned(),
        issuer: "sallyport".to_owned(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        kind: IdentityKind::Agent,
        on_behalf_of: Vec::new(),
        task: None,
        claims: BTreeMap::new(),
    }
}

fn target() -> Target {
    Target { roles: vec!["app".to_owned(), "ro".to_owned()], default_role: "app".to_owned(), ..crate::kit::target() }
}

fn deed(who: &Identity, actions: &[Action], flags: Flags) -> Deed {
    Deed { who: who.clone(), role: "app", actions: actions.to_vec(), flags }
}

fn suggest(deeds: &[Deed], options: Options) -> Suggestion {
    let mut observed = Observed::default();
    for deed in deeds {
        let by = observed.session(&deed.who, "orders-db", deed.role).unwrap();
        observed.command(&by, &deed.actions, deed.flags).unwrap();
    }
    observed.suggest(options)
}

fn outcome(policy: &Policy, deed: &Deed) -> Outcome {
    let target = target();
    let subject = Subject { identity: &deed.who, target: &target, role: deed.role, from: None };
    let now = "2026-01-15T12:00:00Z".parse().unwrap();
    policy.view(&subject).decide(&deed.actions, deed.flags, true, &[], false, now).outcome
}

const UNBOUNDED: Flags = Flags { unbounded: true, multi: false };

#[test]
fn what_was_seen_and_nothing_beside_it() {
    let a = person("agent-7", &["agents"]);
    let seen = [
        deed(&a, &[Action::bare(Effect::Session)], Flags::default()),
        deed(&a, &[read("public.orders"), on(Effect::Execute, "function:public.f")], Flags::default()),
        deed(&a, &[on(Effect::Session, "setting:search_path")], Flags::default()),
        deed(&a, &[on(Effect::Write, "public.jobs")], UNBOUNDED),
        deed(&a, &[on(Effect::Write, "public.orders")], Flags::default()),
    ];
    let suggestion = suggest(&seen, Options::default());
    let policy = policy(&suggestion.yaml);
    assert_eq!(policy.lint(&[target()]), [], "{}", suggestion.yaml);
    for deed in &seen {
        assert_eq!(outcome(&policy, deed), Outcome::Allow, "{deed:?}\n{}", suggestion.yaml);
    }
    let b = person("agent-8", &["agents"]);
    let not = [
        deed(&b, &[read("public.orders")], Flags::default()),
        Deed { role: "ro", ..deed(&a, &[read("public.orders")], Flags::default()) },
        deed(&a, &[read("public.jobs")], Flags::default()),
        deed(&a, &[on(Effect::Write, "public.orders")], UNBOUNDED),
        deed(&a, &[on(Effect::Session, "setting:role")], Flags::default()),
        deed(&a, &[on(Effect::Session, "channel:jobs")], Flags::default()),
        deed(&a, &[on(Effect::Execute, "function:public.g")], Flags::default()),
        deed(&a, &[read("public.orders")], Flags { unbounded: false, multi: true }),
        deed(&a, &[on(Effect::Delete, "public.orders")], Flags::default()),
    ];
    for deed in &not {
        assert_eq!(outcome(&policy, deed), Outcome::Deny, "{deed:?}\n{}", suggestion.yaml);
    }
}

#[test]
fn a_session_without_settings_gets_none() {
    let a = person("a", &[]);
    for seen in [Action::bare(Effect::Session), on(Effect::Session, "channel:jobs")] {
        let policy = policy(&suggest(&[deed(&a, &[seen], Flags::default())], Options::default()).yaml);
        assert_eq!(outcome(&policy, &deed(&a, &[on(Effect::Session, "setting:x")], Flags::default())), Outcome::Deny);
    }
}

#[test]
fn a_group_is_named_when_all_of_it_did_the_same() {
    let did = |name: &str, table: &str| deed(&person(name, &["agents", name]), &[read(table)], Flags::default());
    let alike = suggest(&[did("a", "public.t"), did("b", "public.t")], Options::default()).yaml;
    assert!(alike.contains("groups: [\"agents\"]") && alike.contains("all 2 members seen here"), "{alike}");
    let apart = suggest(&[did("a", "public.t"), did("b", "public.t"), did("c", "public.u")], Options::default()).yaml;
    assert!(!apart.contains("groups:") && apart.contains("users: [\"a\", \"b\"]"), "{apart}");
}

#[test]
fn many_objects_are_folded_only_when_asked() {
    let a = person("a", &[]);
    let mut seen: Vec<Deed> = (0..5).map(|n| deed(&a, &[read(&format!("public.t{n}"))], Flags::default())).collect();
    seen.push(deed(&a, &[read("public.t9")], UNBOUNDED));
    seen.push(deed(&a, &[read("other.t")], Flags::default()));
    assert!(!suggest(&seen, Options::default()).yaml.contains("public.*"));
    assert!(!suggest(&seen, Options { fold: Some(6), complete: false }).yaml.contains("public.*"));
    let folded = suggest(&seen, Options { fold: Some(5), complete: false });
    assert!(folded.yaml.contains("\"public.*\"  # 6 times") && folded.yaml.contains("\"other.t\""), "{}", folded.yaml);
    assert_eq!(policy(&folded.yaml).lint(&[target()]), []);
}

#[test]
fn what_should_hardly_be_allowed_is_said_and_left_out() {
    let a = person("a", &[]);
    let seen = [
        deed(&a, &[read("?.gone")], Flags::default()),
        deed(&a, &[on(Effect::Grant, "role:x")], Flags::default()),
        deed(&a, &[read("public.t")], Flags::default()),
    ];
    let suggestion = suggest(&seen, Options::default());
    assert_eq!(suggestion.left_out.len(), 2, "{suggestion:?}");
    let narrow = policy(&suggestion.yaml);
    assert_eq!(narrow.lint(&[target()]), []);
    assert_eq!(seen.each_ref().map(|deed| outcome(&narrow, deed)), [Outcome::Deny, Outcome::Deny, Outcome::Allow]);
    let complete = policy(&suggest(&seen, Options { complete: true, fold: None }).yaml);
    assert!(seen.iter().all(|deed| outcome(&complete, deed) == Outcome::Allow));
}

#[test]
fn a_name_that_would_mean_others_is_not_written() {
    let suggestion = suggest(&[deed(&person("a*", &[]), &[read("public.t")], Flags::default())], Options::default());
    assert_eq!(suggestion.rules, 0);
    assert!(suggestion.left_out[0].contains("cannot be named exactly"), "{suggestion:?}");
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let effect = proptest::sample::select(Effect::ALL.to_vec());
    let kind = proptest::sample::select(ObjectKind::ALL.to_vec());
    let name = prop_oneof![
        4 => "[ab]\\.[ab]",
        1 => "\\?\\??\\.[ab]?",
        1 => "\\PC{1,12}",
        1 => "[a \"*?.:\\n\u{7f}]{1,8}",
    ];
    let object = proptest::option::of((kind, name).prop_map(|(kind, name)| Object::new(kind, name)));
    let action = (effect, object).prop_map(|(effect, object)| Action { effect, object });
    let who = proptest::sample::select(vec![
        person("a", &["g"]),
        person("b", &["g"]),
        person("c", &["g", "h"]),
        Identity { kind: IdentityKind::Human, ..person("d", &["h"]) },
        Identity { issuer: "https://other".to_owned(), ..person("a", &["h"]) },
    ]);
    let role = proptest::sample::select(vec!["app", "ro"]);
    (who, role, proptest::collection::vec(action, 1..4), any::<bool>(), any::<bool>()).prop_map(
        |(who, role, actions, unbounded, multi)| Deed { who, role, actions, flags: Flags { unbounded, multi } },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// With everything asked for, all that was seen is allowed; without, all but what is listed as left out, and without a finding.
    #[test]
    fn what_was_seen_is_allowed(
        deeds in proptest::collection::vec(any_deed(), 1..20),
        fold in proptest::option::of(0_usize..4),
    ) {
        let complete = suggest(&deeds, Options { fold, complete: true });
        let all = policy(&complete.yaml);
        // What no rule can name is listed instead.
        let odd = |action: &Action| {
            action.effect == Effect::Tunnel || action.object.as_ref().is_some_and(|it| it.kind == ObjectKind::Command)
        };
        for deed in deeds.iter().filter(|deed| complete.left_out.is_empty() || !deed.actions.iter().any(odd)) {
            prop_assert_eq!(outcome(&all, deed), Outcome::Allow, "{:?}\n{}", deed, complete.yaml);
        }
        let narrow = suggest(&deeds, Options { fold, complete: false });
        let policy = policy(&narrow.yaml);
        let risky = |action: &Action| {
            matches!(action.effect, Effect::Grant | Effect::Admin | Effect::Unknown)
                || action.object.as_ref().is_some_and(Object::is_unresolved)
        };
        for deed in deeds.iter().filter(|deed| !deed.actions.iter().any(|it| risky(it) || odd(it))) {
            prop_assert_eq!(outcome(&policy, deed), Outcome::Allow, "{:?}\n{}", deed, narrow.yaml);
        }
    }

    /// Names as targets have them make a policy without a finding.
    #[test]
    fn plain_names_make_no_finding(
        names in proptest::collection::vec(("[a-c]\\.[a-c]", 0_usize..4, any::<bool>(), any::<bool>()), 1..30),
        fold in proptest::option::of(0_usize..4),
    ) {
        let who = [person("a", &["g"]), person("b", &["g"]), person("c", &["h"]), person("d", &[])];
        let effects = [Effect::Read, Effect::Write, Effect::Session, Effect::Execute];
        let deeds: Vec<Deed> = names
            .iter()
            .map(|(name, index, unbounded, multi)| {
                let action = on(effects[name.len() % 3 + usize::from(*multi)], name);
                Deed { flags: Flags { unbounded: *unbounded, multi: *multi }, ..deed(&who[*index], &[action], Flags::default()) }
            })
            .collect();
        let suggestion = suggest(&deeds, Options { fold, complete: false });
        prop_assert_eq!(policy(&suggestion.yaml).lint(&[target()]), [], "{}", suggestion.yaml);
    }
}
