//! What several rules come to together, and what the verdict says about it.

use model::{Action, ApprovalTerms, Effect, Flags, Outcome, Predicate};

use crate::kit::{Asked, column, on, policy, read};

const BASE: &str = r#"
rules:
  - { name: reads, who: any, do: [connect, session, read], then: allow }
  - name: writes
    who: any
    do: [write, delete]
    if: { unbounded: false }
    then: approve
    approval: { by: { users: [ann], groups: [dba, sec] }, quorum: 1, expires: 1h }
  - name: deletes
    who: any
    do: [delete]
    then: approve
    approval: { by: { groups: [dba] }, quorum: 2, expires: 15m, reason: required }
    message: Deletes need two.
  - { name: never, who: any, do: [destroy], then: deny, message: "Ask in #dba" }
"#;

#[test]
fn an_allow_names_the_rules_and_nothing_else() {
    let verdict = Asked::default().of(&policy(BASE));
    assert_eq!(verdict.outcome, Outcome::Allow);
    assert_eq!(verdict.rules, ["reads"]);
    assert!(verdict.reasons.is_empty() && verdict.approval.is_none() && verdict.message.is_none());
    assert!(verdict.cacheable);
}

#[test]
fn a_hold_combines_the_strictest_terms() {
    let verdict = Asked::actions([read("public.a"), on(Effect::Delete, "public.b"), on(Effect::Write, "public.c")])
        .of(&policy(BASE));
    assert_eq!(verdict.outcome, Outcome::Hold);
    assert_eq!(verdict.rules, ["deletes", "writes"]);
    assert_eq!(verdict.message.as_deref(), Some("Deletes need two."));
    assert_eq!(
        verdict.approval,
        Some(ApprovalTerms {
            users: vec![],
            groups: vec!["dba".to_owned()],
            quorum: 2,
            expires_seconds: 900,
            reason_required: true,
            dry_run: false,
        })
    );
    assert_eq!(
        verdict.reasons,
        [
            "delete on public.b needs approval by \"deletes\"",
            "delete on public.b needs approval by \"writes\"",
            "write on public.c needs approval by \"writes\"",
        ]
    );
}

#[test]
fn approvers_without_anyone_in_common_deny() {
    let text = format!(
        "{BASE}  - {{ name: audit, who: any, do: [delete], then: approve, approval: {{ by: {{ groups: [audit] }} }} }}\n"
    );
    let verdict = Asked::actions([on(Effect::Delete, "public.b")]).of(&policy(&text));
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert_eq!(verdict.rules, ["audit", "deletes", "writes"]);
    assert!(verdict.approval.is_none());
    let clash = "\"audit\" and \"deletes\" both want an approval and have too few approvers in common";
    assert!(verdict.reasons.iter().any(|reason| reason == clash), "{:?}", verdict.reasons);
}

#[test]
fn a_deny_wins_over_everything_and_says_so() {
    let actions = [on(Effect::Destroy, "public.b"), on(Effect::Delete, "public.b"), read("public.a")];
    let verdict = Asked::actions(actions).of(&policy(BASE));
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert_eq!(verdict.rules, ["never"]);
    assert_eq!(verdict.message.as_deref(), Some("Ask in #dba"));
    assert_eq!(verdict.reasons, ["destroy on public.b is denied by \"never\""]);
}

#[test]
fn what_no_rule_covers_is_denied_with_the_nearest_rule() {
    let policy = policy(BASE);
    let verdict = Asked::actions([on(Effect::Grant, "role:root"), read("public.a")]).of(&policy);
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert!(verdict.rules.is_empty());
    assert_eq!(verdict.reasons, ["grant on role:root is not covered by any rule"]);

    let unbounded = Asked {
        flags: Flags { unbounded: true, multi: false },
        ..Asked::actions([on(Effect::Write, "public.orders")])
    };
    assert_eq!(
        unbounded.of(&policy).reasons,
        [
            "write on public.orders is not covered by any rule",
            "\"writes\" does not apply: if.unbounded is false and the command touches all rows",
        ]
    );
}

#[test]
fn nothing_is_denied_too() {
    let verdict = Asked::actions([]).of(&policy(BASE));
    assert_eq!(verdict.outcome, Outcome::Deny);
    assert_eq!(verdict.reasons, ["the command has no effect that is known"]);
    for empty in ["", "rules: []", "# nothing\n", "---\n---\n"] {
        assert_eq!(Asked::default().outcome(&policy(empty)), Outcome::Deny, "{empty:?}");
    }
}

#[test]
fn reasons_are_bounded() {
    let many = (0..5000).map(|number| on(Effect::Grant, &format!("public.t{number}")));
    let verdict = Asked::actions(many).of(&policy(BASE));
    assert_eq!(verdict.reasons.len(), 17);
    assert_eq!(verdict.reasons[16], "and 4984 more");
}

#[test]
fn shadow_rules_are_reported_when_they_would_have_changed_the_outcome() {
    let text = format!(
        "{BASE}
  - {{ name: s-deny, who: any, do: [read], then: deny, mode: shadow }}
  - {{ name: s-hold, who: any, do: [read], then: approve, approval: {{ by: {{ groups: [dba] }} }}, mode: shadow }}
  - {{ name: s-allow, who: any, do: [read, grant], then: allow, mode: shadow }}
  - {{ name: s-half, who: any, do: [grant], objects: [public.a], then: allow, mode: shadow }}
"
    );
    let policy = policy(&text);
    let own = |pairs: &[(&str, Outcome)]| -> Vec<(String, Outcome)> {
        pairs.iter().map(|(name, outcome)| ((*name).to_owned(), *outcome)).collect()
    };
    let reads = Asked::default().of(&policy);
    assert_eq!(reads.outcome, Outcome::Allow);
    assert_eq!(reads.rules, ["reads"]);
    assert_eq!(reads.shadow, own(&[("s-deny", Outcome::Deny), ("s-hold", Outcome::Hold)]));
    let grants = Asked::actions([on(Effect::Grant, "public.a"), on(Effect::Grant, "public.b")]).of(&policy);
    assert_eq!(grants.outcome, Outcome::Deny);
    assert_eq!(grants.shadow, own(&[("s-allow", Outcome::Allow)]));
    let both = Asked::actions([on(Effect::Grant, "public.a"), on(Effect::Delete, "public.b")]).of(&policy);
    assert_eq!(both.shadow, own(&[("s-allow", Outcome::Hold), ("s-half", Outcome::Hold)]));
}

#[test]
fn conditions_on_masked_columns() {
    let masks = |more: &str| {
        policy(&format!("{BASE}masks: [{{ name: pii, who: any, columns: ['*.email'], with: redact, {more} }}]"))
    };
    let hold = "predicates: hold, approval: { by: { groups: [dba] } }";
    for (relation, name, unknown, allow, held, deny) in [
        ("public.customers", "email", false, Outcome::Allow, Outcome::Hold, Outcome::Deny),
        ("public.customers", "*", false, Outcome::Allow, Outcome::Hold, Outcome::Deny),
        ("?.customers", "email", false, Outcome::Allow, Outcome::Hold, Outcome::Deny),
        ("public.customers", "name", false, Outcome::Allow, Outcome::Allow, Outcome::Allow),
        ("public.customers", "name", true, Outcome::Allow, Outcome::Hold, Outcome::Deny),
    ] {
        let asked = Asked { predicates: vec![column(relation, name)], reads_unknown: unknown, ..Asked::default() };
        assert_eq!(asked.outcome(&masks("predicates: allow")), allow, "{relation}.{name}");
        assert_eq!(asked.outcome(&masks(hold)), held, "{relation}.{name}");
        assert_eq!(asked.outcome(&masks("predicates: deny")), deny, "{relation}.{name}");
    }
    let asked = Asked { predicates: vec![column("public.customers", "email")], ..Asked::default() };
    let denied = asked.of(&masks("predicates: deny"));
    assert_eq!(denied.rules, ["pii"]);
    assert_eq!(denied.reasons, ["a condition on public.customers.email, masked by \"pii\", is denied"]);
    let held = asked.of(&masks(hold));
    assert_eq!(held.rules, ["pii"]);
    assert_eq!(held.approval.unwrap().groups, ["dba"]);
    // What only asks for equality, of the column itself, is another question.
    let equal = Predicate { equality: true, ..column("public.customers", "email") };
    let asked = Asked { predicates: vec![equal.clone()], ..Asked::default() };
    assert_eq!(asked.outcome(&masks("predicates: equality")), Outcome::Allow);
    assert_eq!(asked.outcome(&masks("predicates: deny")), Outcome::Deny);
    assert_eq!(asked.outcome(&masks(hold)), Outcome::Hold);
    let both = Asked { predicates: vec![column("public.customers", "email"), equal.clone()], ..Asked::default() };
    let denied = both.of(&masks("predicates: equality"));
    assert_eq!((denied.outcome, denied.rules.as_slice()), (Outcome::Deny, ["pii".to_owned()].as_slice()));
    assert!(denied.reasons[0].contains("unless it only asks for equality"), "{:?}", denied.reasons);
    let unknown = Asked { predicates: vec![equal], reads_unknown: true, ..Asked::default() };
    assert_eq!(unknown.outcome(&masks("predicates: equality")), Outcome::Deny);
    // A mask never makes anything milder, and its approvers must satisfy the rules too.
    let deletes = Asked {
        predicates: vec![column("public.customers", "email")],
        ..Asked::actions([on(Effect::Delete, "public.customers")])
    };
    assert_eq!(deletes.of(&masks(hold)).approval.unwrap().quorum, 2);
    assert_eq!(deletes.outcome(&masks("predicates: hold, approval: { by: { groups: [pii] } }")), Outcome::Deny);
}

#[test]
fn verdicts_that_depend_on_more_than_the_command_are_not_cached() {
    let cacheable = |body: &str| {
        let text =
            format!("rules: [{{ name: all, who: any, do: any, then: allow }}, {{ name: r, {body}, then: deny }}]");
        Asked::default().of(&policy(&text)).cacheable
    };
    for body in [
        "who: any, do: [read], if: { hours: '00:00-00:01 UTC' }",
        "who: any, do: [read], if: { in_transaction: true }",
        "who: any, do: [read], when: 'command.in_transaction'",
        "who: any, do: [read], when: 'timestamp(now).getHours() > 25'",
        "who: any, do: [read], objects: [public.other], if: { hours: '00:00-00:01 UTC' }",
        "who: any, do: [read], if: { hours: '00:00-00:01 UTC' }, mode: shadow",
    ] {
        assert!(!cacheable(body), "{body}");
    }
    for body in [
        "who: any, do: [write], if: { hours: '00:00-00:01 UTC' }",
        "who: { users: [x] }, do: [read], if: { hours: '00:00-00:01 UTC' }",
        "who: any, do: [read], if: { unbounded: true, from: [192.0.2.0/24] }",
        "who: any, do: [read], when: 'command.multi'",
        "who: any, do: [read], when: 'identity.claims.team == \"hr\"'",
    ] {
        assert!(cacheable(body), "{body}");
    }
    let masked = policy(
        "rules: [{ name: all, who: any, do: any, then: allow }]
masks: [{ name: m, who: any, columns: ['*.email'], with: null, predicates: deny, if: { hours: '00:00-00:01 UTC' } }]",
    );
    let asked = Asked { predicates: vec![column("public.t", "email")], ..Asked::default() };
    assert!(!asked.of(&masked).cacheable);
    assert!(Asked::default().of(&masked).cacheable);
}

#[test]
fn views_of_different_sessions_have_different_keys() {
    let one = policy(BASE);
    let other = policy("rules: []");
    let key = |asked: &Asked| one.view(&asked.subject()).key();
    let base = Asked::default();
    assert_eq!(key(&base), key(&Asked::default()));
    assert_ne!(key(&base), other.view(&base.subject()).key());
    let changes: [fn(&mut Asked); 9] = [
        |asked| asked.identity.subject.push('x'),
        |asked| asked.identity.issuer.push('x'),
        |asked| asked.identity.groups = vec!["agents".to_owned()],
        |asked| asked.identity.on_behalf_of.clear(),
        |asked| asked.identity.task = None,
        |asked| {
            asked.identity.claims.clear();
        },
        |asked| asked.target.name.push('x'),
        |asked| asked.role.push('x'),
        |asked| asked.from = None,
    ];
    let mut keys = vec![key(&base)];
    for change in changes {
        let mut asked = Asked::default();
        change(&mut asked);
        keys.push(key(&asked));
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 10);
}

#[test]
fn a_view_decides_like_the_policy() {
    let policy = policy(BASE);
    let asked = Asked::actions([Action::bare(Effect::Connect), on(Effect::Delete, "public.b")]);
    let view = policy.view(&asked.subject());
    assert_eq!(view.decide(&asked.actions, asked.flags, false, &[], false, asked.now), asked.of(&policy));
    assert_eq!(view.version(), policy.version());
}

/// The claim must not rest on a trial: a rule that looks at the command shows itself only to some of them.
#[test]
fn everything_is_allowed_only_if_no_rule_could_say_otherwise() {
    let all = "{ name: all, who: any, do: any, then: allow }";
    let open = |rules: &str, more: &str| {
        let asked = Asked::default();
        policy(&format!("rules: [{rules}]\n{more}")).view(&asked.subject()).allows_everything()
    };
    assert!(open(all, ""));
    assert!(open("{ name: a, who: any, do: any, objects: [x, '*'], then: allow }", ""));
    assert!(open(&format!("{all}, {{ name: d, who: {{ users: [x] }}, do: any, then: deny }}"), ""));
    assert!(open("{ name: a, who: any, do: any, when: \"role == 'readonly'\", then: allow }", ""));
    for more in [
        "{ name: d, who: any, do: any, when: \"'public.secret' in command.objects\", then: deny }",
        "{ name: d, who: any, do: [read], objects: [public.secret], then: deny }",
        "{ name: d, who: any, do: [read], if: { hours: '00:00-00:01 UTC' }, then: deny }",
        "{ name: d, who: any, do: [read], then: deny, mode: shadow }",
        "{ name: d, who: any, do: [read], then: approve, approval: { by: { groups: [dba] } } }",
    ] {
        assert!(!open(&format!("{all}, {more}"), ""), "{more}");
    }
    for one in [
        "",
        "{ name: a, who: any, do: [read, write], then: allow }",
        "{ name: a, who: any, do: any, objects: ['public.*'], then: allow }",
        "{ name: a, who: any, do: any, if: { unbounded: false }, then: allow }",
        "{ name: a, who: any, do: any, when: \"command.objects.size() < 9\", then: allow }",
        "{ name: a, who: any, do: any, if: { hours: '00:00-23:00 UTC' }, then: allow }",
    ] {
        assert!(!open(one, ""), "{one}");
    }
    assert!(!open(all, "masks: [{ name: m, who: any, detect: [card], with: redact }]"));
}

#[test]
fn explanations_say_of_each_rule_why() {
    let policy = policy(BASE);
    let asked = Asked {
        flags: Flags { unbounded: true, multi: false },
        ..Asked::actions([on(Effect::Write, "public.orders")])
    };
    let explanation = policy.explain(&asked.request());
    let expected = format!(
        "deny
  who       agent-7 for bob for alice (agent)
  where     orders-db as readonly
  policy    {}
  because   write on public.orders is not covered by any rule
            \"writes\" does not apply: if.unbounded is false and the command touches all rows
  masks     none
  limits    none
  recorded  the head of the result

write on public.orders
  - deletes  approve           do does not list write
  - never    deny              do does not list write
  - reads    allow             do does not list write
  - writes   approve           if.unbounded is false and the command touches all rows
",
        policy.version()
    );
    assert_eq!(explanation.to_string(), expected);
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["outcome"], "deny");
    assert_eq!(json["actions"][0]["rules"][3]["matched"], false);
    let held = policy.explain(&Asked::actions([on(Effect::Write, "public.orders")]).request());
    assert!(held.to_string().contains("  + writes   approve\n"), "{held}");
    assert!(held.to_string().contains("1 of ann or a member of dba or a member of sec within 3600s"), "{held}");
}
