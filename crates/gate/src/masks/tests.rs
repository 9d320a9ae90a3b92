//! Which mask a column wears.

use model::{ColumnRef, MaskRule, MaskStyle, Predicates};

use super::*;

fn rule(name: &str, columns: &[&str], style: MaskStyle) -> MaskRule {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    MaskRule { name: name.to_owned(), columns, detect: Vec::new(), style, predicates: Predicates::Allow }
}

fn column(name: &str) -> ColumnRef {
    let (relation, column) = name.rsplit_once('.').unwrap();
    ColumnRef { relation: format!("public.{relation}"), column: column.to_owned() }
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
    for (exact, origin, expected) in [
        (Some("customers.email"), Origin::Unknown, "partial"),
        (Some("customers.email"), Origin::Same(columns(&["customers.email", "v.contact"])), "partial"),
        (Some("customers.id"), Origin::Same(columns(&["customers.id", "v.email"])), "partial"),
        (Some("customers.name"), Origin::Columns(columns(&["customers.email", "customers.name"])), "redact"),
        (Some("customers.email"), Origin::Columns(columns(&["customers.email", "customers.name"])), "partial"),
        (Some("customers.email"), Origin::Columns(columns(&["customers.email", "archive.email"])), "redact"),
        (Some("customers.name"), Origin::Unknown, ""),
        (None, Origin::Columns(columns(&["customers.email"])), "redact"),
        (None, Origin::Unknown, "redact"),
        (None, Origin::Clean, ""),
    ] {
        let info = result(exact, origin);
        assert_eq!(masks.plan(&info, true).label(), expected, "{info:?}");
    }
}
