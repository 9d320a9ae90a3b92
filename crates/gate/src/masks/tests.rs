//! Which mask a column wears, and which moves undo one.

use model::{
    Action, Aggregates, ApprovalTerms, ColumnRef, DetectorName, Effect, Intent, MaskRule, MaskStyle, Move,
    Notifications, Object, Predicates, SourceColumn, Unmask,
};

use super::*;

fn rule(name: &str, columns: &[&str], style: MaskStyle) -> MaskRule {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    MaskRule {
        name: name.to_owned(),
        columns,
        detect: Vec::new(),
        style,
        predicates: Predicates::Allow,
        notifications: Notifications::Withhold,
        aggregates: Aggregates::Mask,
        unmask: Some(ApprovalTerms::default()),
    }
}

fn column(name: &str) -> ColumnRef {
    let (relation, column) = name.rsplit_once('.').unwrap();
    ColumnRef { relation: format!("public.{relation}"), column: column.to_owned() }
}

fn intent(from: &str, to: Option<&str>, made: bool) -> Intent {
    let mut intent = Intent::simple(1, "UPDATE", Action::on(Effect::Write, Object::relation("public", "t")));
    intent.moves.push(Move { from: column(from), to: to.map(column), made });
    intent
}

#[test]
fn a_copy_needs_a_mask_as_strong_where_it_goes() {
    let masks = SessionMasks::new(vec![
        rule("weak", &["public.customers.email", "public.archive.email"], MaskStyle::Partial),
        rule("strong", &["*.ssn"], MaskStyle::Redact),
    ]);
    for (from, to, made, undone) in [
        ("customers.email", Some("archive.email"), false, None),
        ("customers.email", Some("archive.email"), true, Some("weak")),
        ("customers.email", Some("archive.note"), false, Some("weak")),
        ("customers.email", None, false, Some("weak")),
        ("customers.email", Some("archive.ssn"), true, None),
        ("customers.ssn", Some("archive.email"), false, Some("strong")),
        ("customers.ssn", Some("archive.ssn"), true, None),
        ("customers.*", Some("customers.note"), true, Some("strong")),
        ("customers.name", Some("archive.note"), false, None),
        ("customers.name", None, true, None),
    ] {
        let found = masks.undone(&intent(from, to, made));
        assert_eq!(found.as_ref().map(|undone| undone.rule.as_str()), undone, "{from} {to:?} {made}");
    }
    let reason = masks.undone(&intent("customers.email", None, false)).unwrap().reason;
    assert_eq!(reason, "it would copy public.customers.email, which is masked for you, to where it is not");
}

#[test]
fn a_place_where_conditions_are_freer_does_not_cover() {
    let mut strict = rule("strict", &["public.customers.email"], MaskStyle::Redact);
    strict.predicates = Predicates::Deny;
    let masks = SessionMasks::new(vec![strict, rule("free", &["public.archive.*"], MaskStyle::Redact)]);
    assert!(masks.undone(&intent("customers.email", Some("archive.email"), false)).is_some());
    assert!(masks.undone(&intent("archive.email", Some("customers.email"), false)).is_none());
}

#[test]
fn values_of_unknown_origin_are_stored_only_where_nothing_masked_is_near() {
    let masks = SessionMasks::new(vec![rule("emails", &["public.customers.email"], MaskStyle::Redact)]);
    let mut far = intent("orders.id", None, false);
    far.moves_unknown = true;
    assert_eq!(masks.undone(&far), None);
    let mut near = far.clone();
    near.reads.push(Object::relation("public", "customers"));
    assert_eq!(masks.undone(&near).unwrap().rule, "emails");
    let none = SessionMasks::new(Vec::new());
    assert_eq!(none.undone(&near), None);
}

fn result(exact: Option<&str>, origin: Origin) -> ColumnInfo<'static> {
    ColumnInfo {
        name: Cow::Borrowed("x"),
        type_name: Cow::Borrowed("text"),
        ty: ValueType::Text,
        format: Format::Text,
        exact: exact.map(column),
        origin,
    }
}

#[test]
fn a_columns_own_mask_shows_nothing_of_another_column() {
    let masks = SessionMasks::new(vec![rule("weak", &["*.email"], MaskStyle::Partial)]);
    let columns = |names: &[&str]| names.iter().map(|name| column(name)).collect::<Vec<_>>();
    let sources = |names: &[&str]| columns(names).into_iter().map(SourceColumn::from).collect::<Vec<_>>();
    for (exact, origin, expected) in [
        (Some("customers.email"), Origin::Unknown, "partial"),
        (Some("customers.email"), Origin::Same(columns(&["customers.email", "v.contact"])), "partial"),
        (Some("customers.id"), Origin::Same(columns(&["customers.id", "v.email"])), "partial"),
        (Some("customers.name"), Origin::Columns(sources(&["customers.email", "customers.name"])), "redact"),
        (Some("customers.email"), Origin::Columns(sources(&["customers.email", "customers.name"])), "partial"),
        (Some("customers.email"), Origin::Columns(sources(&["customers.email", "archive.email"])), "redact"),
        (Some("customers.name"), Origin::Unknown, ""),
        (None, Origin::Columns(sources(&["customers.email"])), "redact"),
        (None, Origin::Unknown, "redact"),
        (None, Origin::Clean, ""),
    ] {
        let info = result(exact, origin);
        assert_eq!(masks.plan(&info, true).label(), expected, "{info:?}");
    }
}

/// A column in front of which stands `~` is there as a statistic only.
fn sources(names: &[&str]) -> Vec<SourceColumn> {
    let source =
        |name: &&str| SourceColumn { column: column(name.trim_start_matches('~')), aggregated: name.starts_with('~') };
    names.iter().map(source).collect()
}

#[test]
fn a_statistic_passes_where_every_mask_of_its_columns_says_so() {
    let mut shown = rule("shown", &["public.staff.salary", "public.staff.bonus"], MaskStyle::Partial);
    shown.aggregates = Aggregates::Allow;
    let hidden = rule("hidden", &["*.bonus", "*.ssn"], MaskStyle::Partial);
    let masks = SessionMasks::new(vec![shown, hidden]);
    for (exact, names, expected) in [
        (None, ["~staff.salary", "staff.region"].as_slice(), "aggregate"),
        (None, &["~staff.region"], ""),
        (None, &["staff.salary"], "redact"),
        (None, &["~staff.salary", "staff.salary"], "redact"),
        (None, &["~staff.bonus"], "redact"),
        (None, &["~staff.salary", "~staff.ssn"], "redact"),
        (Some("staff.total"), &["staff.total", "~staff.salary"], ""),
        (Some("staff.total"), &["staff.total", "~staff.bonus"], "redact"),
        (Some("staff.salary"), &["~staff.salary"], "partial"),
    ] {
        let mut info = result(exact, Origin::Columns(sources(names)));
        info.ty = ValueType::Numeric;
        assert_eq!(masks.plan(&info, true).label(), expected, "{info:?}");
    }
    let same = result(None, Origin::Same(vec![column("staff.salary")]));
    assert_eq!(masks.plan(&same, true).label(), "redact");
}

/// Masks of `pii` and of one view's column, and what of them was lifted for columns with these other names.
fn lifted(asked: &[(&str, &[&str])]) -> (SessionMasks, Lift) {
    let masks = SessionMasks::new(vec![
        rule(
            "pii",
            &["public.customers.email", "public.customers.phone", "*.mail", "public.parent.val"],
            MaskStyle::Partial,
        ),
        rule("views", &["public.v.contact", "public.child.val"], MaskStyle::Redact),
    ]);
    let names = |names: &[&str]| names.iter().map(|name| column(name)).collect();
    let asked: Vec<Unmask> =
        asked.iter().map(|(own, more)| Unmask { column: column(own), names: names(more) }).collect();
    let lift = masks.lift(&asked);
    (masks, lift)
}

#[test]
fn only_what_comes_from_lifted_columns_alone_is_shown() {
    let columns = |names: &[&str]| names.iter().map(|name| column(name)).collect::<Vec<_>>();
    let (masks, lift) = lifted(&[("customers.email", &[])]);
    for (exact, origin, expected) in [
        (Some("customers.email"), Origin::Same(columns(&["customers.email"])), "lifted"),
        (Some("customers.email"), Origin::Unknown, "lifted"),
        (Some("customers.phone"), Origin::Same(columns(&["customers.phone"])), "partial"),
        (None, Origin::Columns(sources(&["customers.email"])), "lifted"),
        (None, Origin::Columns(sources(&["customers.email", "customers.name"])), "lifted"),
        (None, Origin::Columns(sources(&["customers.email", "customers.phone"])), "redact"),
        (Some("customers.name"), Origin::Columns(sources(&["customers.email"])), "lifted"),
        (Some("customers.email"), Origin::Columns(sources(&["customers.email", "customers.phone"])), "redact"),
        // The whole row, and what nobody knows.
        (None, Origin::Columns(sources(&["customers.*"])), "redact"),
        (None, Origin::Columns(sources(&["customers.email", "customers.*"])), "redact"),
        (None, Origin::Unknown, "redact"),
        // A view calls it `mail`: the same mask, and the value certainly is the column that was asked for.
        (Some("customers.email"), Origin::Same(columns(&["customers.email", "w.mail"])), "lifted"),
        // In an expression that name may stand for a column of its own.
        (None, Origin::Columns(sources(&["customers.email", "w.mail"])), "redact"),
        // Another mask means the view's column, and was not lifted.
        (Some("customers.email"), Origin::Same(columns(&["customers.email", "v.contact"])), "redact"),
        (Some("orders.id"), Origin::Same(columns(&["orders.id"])), ""),
    ] {
        let info = result(exact, origin);
        assert_eq!(masks.plan_lifted(&info, true, &lift).label(), expected, "{info:?}");
    }
}

#[test]
fn a_views_column_is_lifted_with_what_is_below_it_and_a_child_without_its_parent() {
    let columns = |names: &[&str]| names.iter().map(|name| column(name)).collect::<Vec<_>>();
    let below = ["customers.email", "v.contact"];
    let (masks, lift) = lifted(&[("v.contact", &below), ("customers.email", &below)]);
    let info = result(Some("customers.email"), Origin::Same(columns(&below)));
    assert_eq!(masks.plan_lifted(&info, true, &lift).label(), "lifted");
    let (masks, lift) = lifted(&[("child.val", &["parent.val"])]);
    for (exact, names, expected) in [
        ("child.val", ["child.val", "parent.val"], "lifted"),
        // Rows of the parent may be another child's.
        ("parent.val", ["parent.val", "child.val"], "redact"),
    ] {
        let info = result(Some(exact), Origin::Same(columns(&names)));
        assert_eq!(masks.plan_lifted(&info, true, &lift).label(), expected, "{exact}");
    }
}

#[test]
fn a_mask_is_lifted_with_its_detectors_and_others_still_look() {
    let mut both = rule("pii", &["*.email"], MaskStyle::Redact);
    both.detect.push(DetectorName::Email);
    let mut cards = rule("cards", &[], MaskStyle::Partial);
    cards.detect.push(DetectorName::Card);
    let masks = SessionMasks::new(vec![both.clone(), cards]);
    let lift = masks.lift(&[column("customers.email").into()]);
    let info = result(Some("customers.email"), Origin::Unknown);
    let plan = masks.plan_lifted(&info, true, &lift);
    let watch = Watch { detectors: DetectorSet::parse(["card"]).unwrap(), style: Style::Partial };
    assert_eq!(plan, CellPlan::Lifted(Some((ValueType::Text, Format::Text, watch))));
    assert!(!plan.passes());
    let alone = SessionMasks::new(vec![both]);
    assert!(alone.plan_lifted(&info, true, &alone.lift(&[column("customers.email").into()])).passes());
    let (masks, lift) = lifted(&[("customers.email", &[])]);
    assert!(masks.plan_lifted(&info, true, &lift).passes());
}

#[test]
fn what_is_lifted_has_one_way_to_be_written() {
    let mut all: Vec<Vec<String>> = [
        lifted(&[("customers.email", &[])]),
        lifted(&[("customers.phone", &[])]),
        lifted(&[("customers.email", &[]), ("customers.phone", &[])]),
        lifted(&[("v.contact", &[])]),
        lifted(&[("v.contact", &["customers.email"])]),
        lifted(&[("orders.id", &[])]),
    ]
    .map(|(_, lift)| lift.parts().collect())
    .into();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
    assert!(all.first().is_some_and(Vec::is_empty), "what is not masked is nothing to lift");
}
