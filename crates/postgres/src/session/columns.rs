//! Where a result's values come from: what the target says of each column, joined with what the text tells.

use std::borrow::Cow;

use gate::{ColumnInfo, Origin, ValueType};
use model::ColumnRef;
use sql::catalog::RelationKind;
use sql::{Catalog, Deps, Kind, Outputs, Statement};

use super::prepared::{Portal, Shape};
use super::{Relay, expect::Run};
use crate::wire::Format;
use crate::{classify, types};

/// The columns of a described result.
pub(crate) fn described<'s>(shapes: &'s [Shape], outputs: &Outputs, catalog: &Catalog) -> Vec<ColumnInfo<'s>> {
    let deps = match outputs {
        Outputs::Columns(deps) if deps.len() == shapes.len() => Some(deps),
        Outputs::Columns(_) | Outputs::None | Outputs::Unknown => None,
    };
    shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| {
            let by_text = deps.and_then(|deps| deps.get(index)).cloned().unwrap_or(Deps::Unknown);
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
/// expression has no origin on the wire, and is what the text proves.
fn origin(table: u32, attribute: i16, by_text: Deps, catalog: &Catalog) -> (Option<ColumnRef>, Origin) {
    if table == 0 || attribute <= 0 {
        // A whole row has its table and no attribute: then all columns of it.
        let whole = (table != 0).then(|| catalog.relation_name(table)).flatten();
        let origin = match (whole, by_text) {
            (Some(relation), Deps::Clean | Deps::Columns(_)) => Origin::Columns(vec![all_of(relation)]),
            (_, deps) => of(deps),
        };
        return (None, origin);
    }
    let Some((relation, column)) = catalog.column(table, attribute) else {
        // A table that the snapshot does not know yet.
        return (None, Origin::Unknown);
    };
    match catalog.relation_kind(table) {
        Some(RelationKind::View | RelationKind::Materialized) => {
            let through = match catalog.base_columns_of_view_column(table, attribute) {
                Deps::Columns(mut columns) => {
                    columns.push(ColumnRef { relation: relation.to_owned(), column: column.to_owned() });
                    Origin::Columns(columns)
                }
                Deps::Clean => {
                    Origin::Columns(vec![ColumnRef { relation: relation.to_owned(), column: column.to_owned() }])
                }
                Deps::Unknown => Origin::Unknown,
            };
            (None, both(through, by_text))
        }
        _ => {
            let exact = ColumnRef { relation: relation.to_owned(), column: column.to_owned() };
            (Some(exact), of(by_text))
        }
    }
}

/// The target's word on a view's column together with the text's: the text can only add.
fn both(by_target: Origin, by_text: Deps) -> Origin {
    match (by_target, by_text) {
        (Origin::Columns(mut columns), Deps::Columns(more)) => {
            columns.extend(more);
            Origin::Columns(columns)
        }
        (origin, _) => origin,
    }
}

fn of(deps: Deps) -> Origin {
    match deps {
        Deps::Clean => Origin::Clean,
        Deps::Columns(columns) => Origin::Columns(columns),
        Deps::Unknown => Origin::Unknown,
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
    let deps = match outputs {
        Outputs::Columns(deps) if deps.len() == count => Some(deps),
        Outputs::Columns(_) | Outputs::None | Outputs::Unknown => None,
    };
    (0..count)
        .map(|index| ColumnInfo {
            name: Cow::Owned(format!("column {}", index + 1)),
            type_name: Cow::Borrowed(""),
            ty: ValueType::Other,
            format: format(of_column(index)),
            exact: None,
            origin: deps.and_then(|deps| deps.get(index)).cloned().map_or(Origin::Unknown, of),
        })
        .collect()
}

/// Columns of COPY … TO STDOUT.
pub(crate) fn copied(count: usize, outputs: &Outputs, binary: bool) -> Vec<ColumnInfo<'static>> {
    let mut columns = undescribed(count, outputs, |_| if binary { Format::Binary } else { Format::Text });
    if !binary {
        for column in &mut columns {
            column.ty = ValueType::Text;
        }
    }
    columns
}

impl Relay {
    /// Where the result of the statement at `index` of a simple query comes from.
    pub(super) fn outputs_of_run(&self, run: &Run, index: usize) -> Outputs {
        run.text.analysis.statements.get(index).map_or(Outputs::Unknown, |it| self.outputs_of(it, run.seq))
    }

    /// Where the result of a portal comes from.
    pub(super) fn outputs_of_portal(&self, portal: &Portal) -> Outputs {
        match portal.text.analysis.statements.as_slice() {
            [only] => self.outputs_of(only, u64::MAX),
            _ => Outputs::Unknown,
        }
    }

    fn outputs_of(&self, statement: &Statement, seq: u64) -> Outputs {
        match &statement.kind {
            Kind::Prepare { inner, .. } => inner.outputs.clone(),
            Kind::ExecutePrepared { name } => self
                .statements
                .find(name, seq)
                .one()
                .and_then(|prepared| classify::analyze(&prepared.sql, &self.names))
                .and_then(|text| text.analysis.statements.first().map(|it| self.prepared_outputs(it)))
                .unwrap_or(Outputs::Unknown),
            Kind::Fetch { cursor } => self
                .portals
                .find(cursor, seq)
                .one()
                .and_then(|portal| declared(portal, cursor))
                .unwrap_or(Outputs::Unknown),
            _ => statement.outputs.clone(),
        }
    }

    fn prepared_outputs(&self, statement: &Statement) -> Outputs {
        match &statement.kind {
            Kind::Prepare { inner, .. } => inner.outputs.clone(),
            // A name that leads to another name is followed no further.
            Kind::ExecutePrepared { .. } | Kind::Fetch { .. } => Outputs::Unknown,
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
