//! Copies of masked values: sessions, `explain` and cases give the same answer.

use model::{Action, ColumnRef, Effect, Intent, Move, Object, Outcome};

use crate::kit::{Asked, on, policy};

const MASKED: &str = "\
rules:
  - { name: all, who: any, do: [session, read, write], then: allow }
  - { name: never, who: any, do: [write], objects: [public.ledger], then: deny }
masks:
  - { name: weak, who: any, columns: [public.customers.email, public.archive.email], with: partial }
  - { name: strong, who: any, columns: [\"*.ssn\"], with: redact }
  - { name: others, who: { kinds: [human] }, columns: [public.orders.note], with: redact }
";

fn copy(from: &str, to: Option<&str>, made: bool) -> Intent {
    let name = |text: &str| {
        let (relation, name) = text.rsplit_once('.').unwrap();
        ColumnRef { relation: format!("public.{relation}"), column: name.to_owned() }
    };
    let mut intent = Intent::simple(1, "INSERT", Action::on(Effect::Write, Object::relation("public", "archive")));
    intent.moves.push(Move { from: name(from), to: to.map(name), made });
    intent
}

#[test]
fn a_place_that_shows_statistics_is_no_cover_for_one_that_does_not() {
    let masks = |from: &str, to: &str| {
        policy(&format!(
            "rules: [{{ name: all, who: any, do: [write], then: allow }}]\nmasks:\n  - {{ name: from, who: any, columns: [public.pay.a], with: redact, aggregates: {from} }}\n  - {{ name: to, who: any, columns: [public.pay.b], with: redact, aggregates: {to} }}\n"
        ))
    };
    let asked = Asked::default();
    for (from, to, outcome) in [
        ("mask", "mask", Outcome::Allow),
        ("allow", "allow", Outcome::Allow),
        ("allow", "mask", Outcome::Allow),
        ("mask", "allow", Outcome::Deny),
    ] {
        let copy = copy("pay.a", Some("pay.b"), false);
        let verdict = masks(from, to).judge(&asked.subject(), &copy, &[], false, asked.now);
        assert_eq!(verdict.outcome, outcome, "{from} {to}");
        let explained = masks(from, to).explain_judged(&asked.subject(), &copy, &[], false, asked.now);
        let shown: Vec<&str> =
            [("from", from), ("to", to)].iter().filter(|it| it.1 == "allow").map(|it| it.0).collect();
        assert_eq!(explained.aggregates, shown);
        assert_eq!(explained.to_string().contains("sums, means and the like"), !shown.is_empty(), "{explained}");
    }
}

/// Nobody else may be asked to show it there.
#[test]
fn a_place_that_others_may_show_in_clear_is_no_cover() {
    let asked = Asked::default();
    let (nobody, dba, sec) = ("", ", unmask: { by: { groups: [dba] } }", ", unmask: { by: { groups: [sec] } }");
    for (from, to, outcome) in [
        (nobody, nobody, Outcome::Allow),
        (dba, dba, Outcome::Allow),
        (dba, nobody, Outcome::Allow),
        (nobody, dba, Outcome::Deny),
        (dba, sec, Outcome::Deny),
    ] {
        let policy = policy(&format!(
            "rules: [{{ name: all, who: any, do: [write], then: allow }}]\nmasks:\n  - {{ name: from, who: any, columns: [public.pay.a], with: redact{from} }}\n  - {{ name: to, who: any, columns: [public.pay.b], with: redact{to} }}\n"
        ));
        let copy = copy("pay.a", Some("pay.b"), false);
        assert_eq!(policy.judge(&asked.subject(), &copy, &[], false, asked.now).outcome, outcome, "{from} {to}");
    }
}

#[test]
fn a_copy_is_denied_under_the_masks_name() {
    let policy = policy(MASKED);
    let asked = Asked::default();
    for (from, to, made, by) in [
        ("customers.email", Some("archive.email"), false, None),
        ("customers.email", Some("archive.email"), true, Some("weak")),
        ("customers.email", Some("archive.note"), false, Some("weak")),
        ("customers.email", None, false, Some("weak")),
        ("customers.ssn", Some("archive.email"), false, Some("strong")),
        ("customers.*", None, false, Some("strong")),
        ("orders.note", None, false, None),
    ] {
        let verdict = policy.judge(&asked.subject(), &copy(from, to, made), &[], false, asked.now);
        let explained = policy.explain_judged(&asked.subject(), &copy(from, to, made), &[], false, asked.now);
        let (outcome, rule) = by.map_or((Outcome::Allow, "all"), |rule| (Outcome::Deny, rule));
        assert_eq!(
            (verdict.outcome, verdict.rules.as_slice()),
            (outcome, [rule.to_owned()].as_slice()),
            "{from} {to:?}"
        );
        assert_eq!((explained.outcome, &explained.rules), (verdict.outcome, &verdict.rules), "{from} {to:?}");
        assert_eq!(explained.reasons, verdict.reasons);
    }
}

#[test]
fn a_rule_that_denies_keeps_its_name() {
    let policy = policy(MASKED);
    let asked = Asked::default();
    let mut intent = copy("customers.email", None, false);
    intent.actions = vec![on(Effect::Write, "public.ledger")];
    let verdict = policy.judge(&asked.subject(), &intent, &[], false, asked.now);
    assert_eq!(verdict.rules, ["never"]);
}

#[test]
fn values_of_unknown_origin_are_stored_where_nothing_masked_is_near() {
    let policy = policy(MASKED);
    let asked = Asked::default();
    let mut intent = copy("orders.id", Some("archive.id"), false);
    intent.actions = vec![on(Effect::Write, "public.jobs")];
    intent.moves_unknown = true;
    // `*.ssn` could be in any relation that is touched.
    let judged = |intent: &Intent, policy: &sallyport_policy::Policy| {
        policy.judge(&asked.subject(), intent, &[], false, asked.now).outcome
    };
    assert_eq!(judged(&intent, &policy), Outcome::Deny);
    let narrow = crate::kit::policy(&MASKED.replace("\"*.ssn\"", "public.customers.ssn"));
    assert_eq!(judged(&intent, &narrow), Outcome::Allow);
    intent.reads.push(Object::relation("public", "customers"));
    assert_eq!(judged(&intent, &narrow), Outcome::Deny);
}
