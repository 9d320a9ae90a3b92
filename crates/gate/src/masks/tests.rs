//! Which mask a column wears, and which moves undo one.

use model::{
    Action, Aggregates, ColumnRef, Effect, Intent, MaskRule, MaskStyle, Move, Notifications, Object, Predicates,
    SourceColumn,
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
