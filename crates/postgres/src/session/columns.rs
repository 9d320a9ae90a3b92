//! Where a result's values come from: what the target says of each column, joined with what the text tells.

use std::borrow::Cow;

use gate::{ColumnInfo, Origin, ValueType};
use model::{ColumnRef, SourceColumn};
use sql::catalog::RelationKind;
use sql::{Catalog, Deps, Kind, Outputs, Statement};

use super::prepared::{Portal, Shape};
use super::{Relay, expect::Run};
use crate::wire::Format;
use crate::{classify, types};

/// The columns of a described result.
pub(crate) fn described<'s>(shapes: &'s [Shape], outputs: &Outputs, catalog: &Catalog) -> Vec<ColumnInfo<'s>> {
    let deps = outputs.columns(shapes.len());
    shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| {
            let by_text = deps.and_then(|deps| deps.get(index)).cloned().unwrap_or_else(|| outputs.otherwise());
            let (exact, origin) = origin(shape.table, shape.attribute, by_text, catalog);
            ColumnInfo {
                name: Cow::Borrowed(&shape.name),
                type_name: types::type_name(shape.ty),
                ty: types::value_type(shape.ty),
                format: format(shape.format),
                exact,
                origin,
            }
        })
        .collect()
}

/// Joins the target's word with the text's. A table's column is exact. A view's is what the view makes of base columns. An
/// expression has no origin on the wire, and is what the text proves. What may be anything is so whatever column the target names.
fn origin(table: u32, attribute: i16, by_text: Deps, catalog: &Catalog) -> (Option<ColumnRef>, Origin) {
    if by_text == Deps::Anything {
        return (None, Origin::Unknown);
    }
    if table == 0 || attribute <= 0 {
        // A whole row has its table and no attribute: then all columns of it.
        let whole = (table != 0).then(|| catalog.relation_name(table)).flatten();
        return match (whole, by_text) {
            (Some(relation), Deps::Clean) => (None, Origin::Columns(vec![all_of(relation).into()])),
            (Some(relation), Deps::Columns(mut sources)) => {
                sources.push(all_of(relation).into());
                (None, Origin::Columns(sources))
            }
            (Some(relation), Deps::Same { names, .. }) => {
                (None, Origin::Columns(plain(names).chain([all_of(relation).into()]).collect()))
            }
            (_, deps) => of(deps),
        };
    }
    let Some((relation, column)) = catalog.column(table, attribute) else {
        // A table that the snapshot does not know yet.
        return (None, Origin::Unknown);
    };
    let own = ColumnRef { relation: relation.to_owned(), column: column.to_owned() };
    match catalog.relation_kind(table) {
        Some(RelationKind::View | RelationKind::Materialized) => {
            through_view(own, catalog.below_column(table, attribute), by_text)
        }
        _ => of_table(own, catalog.below_column(table, attribute), catalog.is_generated(table, attribute), by_text),
    }
}

/// A table's column: itself under every name that it has, its parents' and children's too, or what it is generated from. The text need not
/// know which column it is.
fn of_table(own: ColumnRef, below: Deps, generated: bool, by_text: Deps) -> (Option<ColumnRef>, Origin) {
    let (mut sources, mut made) = match below {
        Deps::Same { names, .. } => (plain(names).collect(), generated),
        // Its names in parents and children.
        Deps::Columns(sources) => (sources, generated),
        Deps::Clean => (Vec::new(), generated),
        Deps::Unknown | Deps::Anything => return (None, Origin::Unknown),
    };
    match by_text {
        Deps::Same { names, .. } => sources.extend(plain(names)),
        Deps::Columns(more) => {
            sources.extend(more);
            made = true;
        }
        Deps::Clean | Deps::Unknown if sources.is_empty() => return (Some(own), of(by_text).1),
        Deps::Clean | Deps::Unknown | Deps::Anything => {}
    }
    let origin = if made {
        Origin::Columns(sources)
    } else {
        Origin::Same(sources.into_iter().map(|source| source.column).collect())
    };
    (Some(own), origin)
}

/// A view's column: what it is made of, together with what the text says. The text can only add.
fn through_view(own: ColumnRef, below: Deps, by_text: Deps) -> (Option<ColumnRef>, Origin) {
    let (exact, mut sources) = match below {
        Deps::Same { column, names, .. } => (Some(column), plain(names).collect()),
        Deps::Columns(sources) => (None, sources),
        Deps::Clean => (None, Vec::new()),
        Deps::Unknown | Deps::Anything => return (None, Origin::Unknown),
    };
    sources.push(own.into());
    match (by_text, exact) {
        (Deps::Columns(more), _) => {
            sources.extend(more);
            (None, Origin::Columns(sources))
        }
        (Deps::Same { names, .. }, exact) => {
            sources.extend(plain(names));
            same_or(exact, sources)
        }
        (Deps::Clean | Deps::Unknown | Deps::Anything, exact) => same_or(exact, sources),
    }
}

fn same_or(exact: Option<ColumnRef>, sources: Vec<SourceColumn>) -> (Option<ColumnRef>, Origin) {
    match exact {
        Some(exact) => (Some(exact), Origin::Same(sources.into_iter().map(|source| source.column).collect())),
        None => (None, Origin::Columns(sources)),
    }
}

fn plain(names: Vec<ColumnRef>) -> impl Iterator<Item = SourceColumn> {
    names.into_iter().map(SourceColumn::from)
}

/// What the text alone tells.
fn of(deps: Deps) -> (Option<ColumnRef>, Origin) {
    match deps {
        Deps::Clean => (None, Origin::Clean),
        Deps::Same { column, names, .. } => (Some(column), Origin::Same(names)),
        Deps::Columns(columns) => (None, Origin::Columns(columns)),
        Deps::Unknown | Deps::Anything => (None, Origin::Unknown),
    }
}

fn all_of(relation: &str) -> ColumnRef {
    ColumnRef { relation: relation.to_owned(), column: "*".to_owned() }
}

const fn format(format: Format) -> gate::Format {
    match format {
        Format::Text => gate::Format::Text,
        Format::Binary => gate::Format::Binary,
    }
}

/// Columns of a result that nobody described: their number, and for each what the text tells.
pub(crate) fn undescribed(
    count: usize,
    outputs: &Outputs,
    of_column: impl Fn(usize) -> Format,
) -> Vec<ColumnInfo<'static>> {
    by_text(count, outputs, ValueType::Other, of_column)
}

/// A column that is one of a table has that column's type, any other the type `otherwise`.
fn by_text(
    count: usize,
    outputs: &Outputs,
    otherwise: ValueType,
    of_column: impl Fn(usize) -> Format,
) -> Vec<ColumnInfo<'static>> {
    let deps = outputs.columns(count);
    (0..count)
        .map(|index| {
            let told = deps.and_then(|deps| deps.get(index)).cloned().unwrap_or_else(|| outputs.otherwise());
            let ty = match &told {
                Deps::Same { type_oid, .. } => types::value_type(*type_oid),
                Deps::Clean | Deps::Columns(_) | Deps::Unknown | Deps::Anything => otherwise,
            };
            let (exact, origin) = of(told);
            ColumnInfo {
                name: Cow::Owned(format!("column {}", index + 1)),
                type_name: Cow::Borrowed(""),
                ty,
                format: format(of_column(index)),
                exact,
                origin,
            }
        })
        .collect()
}

/// Columns of COPY … TO STDOUT.
pub(crate) fn copied(count: usize, outputs: &Outputs, binary: bool) -> Vec<ColumnInfo<'static>> {
    // What is no column's own value is a text like any other, in the text form.
    let (format, otherwise) = if binary { (Format::Binary, ValueType::Other) } else { (Format::Text, ValueType::Text) };
    by_text(count, outputs, otherwise, |_| format)
}

impl Relay {
    /// Where the result of the statement at `index` of a simple query comes from.
    pub(super) fn outputs_of_run(&self, run: &Run, index: usize) -> Outputs {
        run.text.analysis.statements.get(index).map_or(Outputs::Mixed(None), |it| self.outputs_of(it, run.seq))
    }

    /// Where the result of a portal comes from.
    pub(super) fn outputs_of_portal(&self, portal: &Portal) -> Outputs {
        match portal.text.analysis.statements.as_slice() {
            [only] => self.outputs_of(only, u64::MAX),
            _ => Outputs::Mixed(None),
        }
    }

    fn outputs_of(&self, statement: &Statement, seq: u64) -> Outputs {
        match &statement.kind {
            Kind::Prepare { inner, .. } => inner.outputs.clone(),
            // A plan shows the words of what it is of, with values in place of tokens.
            Kind::ExecutePrepared { .. } if statement.outputs != Outputs::Unknown => Outputs::Mixed(None),
            Kind::ExecutePrepared { name } => self
                .statements
                .find(name, seq)
                .one()
                .and_then(|prepared| classify::analyze(&prepared.sql, &self.names))
                .and_then(|text| text.analysis.statements.first().map(|it| self.prepared_outputs(it)))
                .unwrap_or(Outputs::Mixed(None)),
            Kind::Fetch { cursor } => self
                .portals
                .find(cursor, seq)
                .one()
                .and_then(|portal| declared(portal, cursor))
                .unwrap_or(Outputs::Mixed(None)),
            _ => statement.outputs.clone(),
        }
    }

    fn prepared_outputs(&self, statement: &Statement) -> Outputs {
        match &statement.kind {
            Kind::Prepare { inner, .. } => inner.outputs.clone(),
            // A name that leads to another name is followed no further.
            Kind::ExecutePrepared { .. } | Kind::Fetch { .. } => Outputs::Mixed(None),
            _ => statement.outputs.clone(),
        }
    }
}

fn declared(portal: &Portal, cursor: &str) -> Option<Outputs> {
    let statements = &portal.text.analysis.statements;
    let by_declare =
        statements.iter().find(|statement| matches!(&statement.kind, Kind::DeclareCursor { name } if name == cursor));
    match (by_declare, statements.as_slice()) {
        (Some(statement), _) => Some(statement.outputs.clone()),
        (None, [only]) if !matches!(only.kind, Kind::Fetch { .. } | Kind::ExecutePrepared { .. }) => {
            Some(only.outputs.clone())
        }
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use sql::{Caps, Context, Fresh};

    use super::*;

    /// `customers(email text, born date)` and a view of it; `parts(val, loud)` and a partition, `loud` generated from `val`.
    fn catalog() -> Catalog {
        let mut builder = sql::catalog::Builder::new();
        let rows: [(&str, &[&str]); 16] = [
            ("relations", &["20000", "public", "customers", "r", "f"]),
            ("columns", &["20000", "1", "email", "25", "f"]),
            ("columns", &["20000", "2", "born", "1082", "f"]),
            ("relations", &["20001", "public", "v", "v", "f"]),
            ("columns", &["20001", "1", "contact", "25", "f"]),
            ("columns", &["20001", "2", "loud", "25", "f"]),
            ("views", &["20001", "SELECT email AS contact, upper(email) AS loud FROM public.customers"]),
            ("relations", &["20002", "public", "parts", "p", "f"]),
            ("columns", &["20002", "1", "val", "25", "f"]),
            ("columns", &["20002", "2", "loud", "25", "f"]),
            ("relations", &["20003", "public", "parts_1", "r", "t"]),
            ("columns", &["20003", "1", "val", "25", "f"]),
            ("columns", &["20003", "2", "loud", "25", "f"]),
            ("inherits", &["20003", "20002"]),
            ("generated", &["20002", "2", "1"]),
            ("generated", &["20003", "2", "1"]),
        ];
        for (query, cells) in rows {
            let cells: Vec<Option<&str>> = cells.iter().map(|cell| Some(*cell)).collect();
            builder.row(query, &cells).unwrap();
        }
        builder.finish(1)
    }

    fn outputs(catalog: &Catalog, text: &str) -> Outputs {
        let path = ["public".to_owned()];
        let context = Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() };
        sql::analyze(text, &context).statements.remove(0).outputs
    }

    fn names(origin: &Origin) -> Vec<&str> {
        match origin {
            Origin::Same(names) => names.iter().map(|it| it.column.as_str()).collect(),
            Origin::Columns(sources) => sources.iter().map(|it| it.column.column.as_str()).collect(),
            Origin::Clean | Origin::Unknown => Vec::new(),
        }
    }

    #[test]
    fn copied_columns_keep_their_types_while_they_are_columns() {
        let catalog = catalog();
        for (text, expected) in [
            ("COPY customers TO STDOUT", [ValueType::Text, ValueType::Date]),
            ("COPY (SELECT upper(email), born FROM customers) TO STDOUT", [ValueType::Text, ValueType::Date]),
            ("COPY (SELECT contact, (born + 1)::text FROM v, customers) TO STDOUT", [ValueType::Text; 2]),
        ] {
            let columns = copied(2, &outputs(&catalog, text), false);
            assert_eq!([columns[0].ty, columns[1].ty], expected, "{text}");
        }
        let columns = copied(2, &outputs(&catalog, "COPY (SELECT email, born::text FROM customers) TO STDOUT"), false);
        assert_eq!(columns[0].exact.as_ref().map(|it| it.column.as_str()), Some("email"));
        assert_eq!((columns[1].exact.clone(), names(&columns[1].origin)), (None, vec!["born"]));
        let columns = undescribed(1, &outputs(&catalog, "SELECT contact FROM v"), |_| Format::Text);
        assert_eq!(columns[0].exact.as_ref().map(|it| it.column.as_str()), Some("email"));
        assert_eq!(names(&columns[0].origin), ["email", "contact"]);
    }

    #[test]
    fn the_targets_word_does_not_hide_what_was_assigned() {
        let catalog = catalog();
        let by_text = |text: &str| outputs_of(&catalog, text);
        let assigned = by_text("UPDATE customers SET born = email::date RETURNING born");
        let (exact, found) = origin(20000, 2, assigned, &catalog);
        assert_eq!((exact.unwrap().column.as_str(), names(&found)), ("born", vec!["born", "email"]));
        let unknown = by_text("UPDATE customers SET born = f() RETURNING born");
        assert_eq!(origin(20000, 2, unknown, &catalog), (None, Origin::Unknown));
        let through = by_text("UPDATE v SET contact = (SELECT min(born) FROM customers) RETURNING contact");
        let (exact, found) = origin(20001, 1, through, &catalog);
        assert!(exact.is_none() && names(&found).contains(&"born"), "{found:?}");
        let row = by_text("UPDATE customers c SET born = v.loud FROM v RETURNING c");
        let (exact, found) = origin(20000, 0, row, &catalog);
        assert!(exact.is_none() && names(&found).contains(&"loud"), "{found:?}");
        // More or fewer columns than the text gives: nothing is known of any.
        let columns = described(&[], &outputs(&catalog, "UPDATE customers SET born = NULL RETURNING *"), &catalog);
        assert!(columns.is_empty());
        assert_eq!(outputs(&catalog, "UPDATE customers SET born = NULL RETURNING *").otherwise(), Deps::Anything);
        assert_eq!(origin(20001, 2, Deps::Unknown, &catalog).1, Origin::Columns(names_of_loud()));
    }

    #[test]
    fn a_partition_and_a_generated_column_are_what_they_hold_even_where_the_text_does_not_tell() {
        let catalog = catalog();
        for by_text in [Deps::Unknown, Deps::Clean] {
            let (exact, found) = origin(20003, 1, by_text.clone(), &catalog);
            assert_eq!(exact.map(|it| it.relation), Some("public.parts_1".to_owned()));
            assert!(
                matches!(&found, Origin::Same(names) if names.iter().any(|it| it.relation == "public.parts")),
                "{found:?}"
            );
            let (_, found) = origin(20003, 2, by_text, &catalog);
            let Origin::Columns(sources) = &found else { panic!("{found:?}") };
            let mut columns = sources.iter().map(|it| &it.column);
            assert!(columns.any(|it| it.relation == "public.parts" && it.column == "val"), "{found:?}");
        }
        assert_eq!(origin(20000, 1, Deps::Unknown, &catalog).1, Origin::Unknown);
        assert!(matches!(
            origin(20003, 1, outputs_of(&catalog, "SELECT val FROM parts_1"), &catalog).1,
            Origin::Same(_)
        ));
    }

    fn outputs_of(catalog: &Catalog, text: &str) -> Deps {
        outputs(catalog, text).columns(1).map_or(Deps::Anything, |deps| deps[0].clone())
    }

    #[test]
    fn a_statistic_of_a_column_is_told_from_its_values() {
        let catalog = catalog();
        for (text, expected) in [
            ("SELECT sum(born - '2020-01-01'::date) FROM customers", vec![("born", true)]),
            ("SELECT max(born) FROM customers", vec![("born", false)]),
            ("SELECT sum(born - '2020-01-01'::date) - max(born) FROM customers", vec![("born", false), ("born", true)]),
        ] {
            let (exact, found) = origin(0, 0, outputs_of(&catalog, text), &catalog);
            let Origin::Columns(sources) = &found else { panic!("{found:?}") };
            let found: Vec<_> = sources.iter().map(|it| (it.column.column.as_str(), it.aggregated)).collect();
            assert_eq!((exact, found), (None, expected), "{text}");
        }
    }

    fn names_of_loud() -> Vec<SourceColumn> {
        let column = |relation: &str, column: &str| {
            ColumnRef { relation: relation.to_owned(), column: column.to_owned() }.into()
        };
        vec![column("public.customers", "email"), column("public.v", "loud")]
    }
}
