//! Names to relations, columns to lineage: as the server resolves them, or wider.

use model::{Object, ObjectKind};
use pg_query::protobuf::{ColumnRef, RangeVar, node::Node as N};

use super::scope::{Item, Scope, Source};
use super::{Walker, strings};
use crate::analysis::Deps;
use crate::catalog::{Relation, RelationKind};
use crate::lineage::{Lineage, Same, another};

/// What looking up names may cost in one statement: an item or a column that is compared by name is one, a column that is copied
/// [`COPY`]. Names times items grows with the square of a text; statements that people or programs write stay far below it.
pub(super) const MAX_LOOKS: usize = 10_000_000;
/// See [`MAX_LOOKS`].
pub(super) const COPY: usize = 100;

/// Columns that every table has and that carry no data.
fn is_system_column(name: &str) -> bool {
    matches!(name, "ctid" | "xmin" | "xmax" | "cmin" | "cmax" | "tableoid")
}

impl<'c> Walker<'c> {
    /// Whether what looking up names may cost is used up, `cost` included. The statement is not understood then.
    pub(super) fn is_spent(&mut self, cost: usize) -> bool {
        let before = self.looks;
        self.looks = before.saturating_add(cost);
        if before <= MAX_LOOKS && self.looks > MAX_LOOKS {
            self.not_understood("more columns and tables than can be followed");
        }
        self.looks > MAX_LOOKS
    }

    /// Whether names without a schema may be looked up in this one. Whose `$user` it is, a text that sets it does not say.
    pub(super) fn looks_in(&self, schema: &str) -> bool {
        self.path.iter().any(|known| known == schema || known == "$user")
    }

    /// Every relation that the name may mean. Empty when the catalogue has none.
    pub(super) fn resolve(&self, schema: &str, name: &str, wanted: fn(RelationKind) -> bool) -> Vec<&'c Relation> {
        if self.fresh.doubts(name) && !(schema == "pg_catalog" || schema == "information_schema") {
            return Vec::new();
        }
        let named = self.catalog.relations_named(name).filter(|relation| wanted(relation.kind));
        let mut found: Vec<&'c Relation> = if schema.is_empty() {
            named
                .filter(|relation| {
                    relation.is_temporary() || relation.schema == "pg_catalog" || self.looks_in(&relation.schema)
                })
                .collect()
        } else if schema == "pg_temp" {
            named.filter(|relation| relation.is_temporary()).collect()
        } else {
            named.filter(|relation| relation.schema == schema).collect()
        };
        // Another session's temporary table looks like one's own; it must not widen what a permanent name means. One's own holds what this session put there.
        if schema.is_empty() && found.iter().any(|relation| !relation.is_temporary()) {
            found.retain(|relation| !relation.is_temporary());
        } else {
            found.dedup_by(|a, b| a.full == b.full);
        }
        found
    }

    pub(super) fn resolve_range(&self, range: &RangeVar) -> Vec<&'c Relation> {
        self.resolve(&range.schemaname, &range.relname, |kind| {
            !matches!(kind, RelationKind::Index | RelationKind::Composite)
        })
    }

    /// The object of a relation name: resolved, or `?.name` and a miss.
    pub(super) fn objects(&mut self, range: &RangeVar) -> Vec<Object> {
        let found = self.resolve_range(range);
        if found.is_empty() {
            return vec![self.unresolved(&range.schemaname, &range.relname, ObjectKind::Relation)];
        }
        found.into_iter().map(Relation::object).collect()
    }

    /// The object of a name that the catalogue does not have: a table made just now, or one that is not resolved.
    pub(super) fn unresolved(&mut self, schema: &str, name: &str, kind: ObjectKind) -> Object {
        if kind == ObjectKind::Relation
            && let Some(full) = self.fresh.made(schema, name)
        {
            return Object::new(kind, full);
        }
        let doubtful = self.fresh.doubts(name);
        let name = if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") };
        if doubtful {
            return Object::new(kind, format!("??.{name}"));
        }
        let object = Object::new(kind, format!("?.{name}"));
        self.miss(name);
        object
    }

    /// The schema in which an unqualified CREATE makes its object.
    pub(super) fn creation_schema(&self) -> String {
        self.path
            .iter()
            .find(|schema| *schema != "pg_catalog" && *schema != "pg_temp")
            .map_or_else(|| "?".to_owned(), Clone::clone)
    }

    /// The name of an object to be made.
    pub(super) fn new_name(&self, schema: &str, name: &str, persistence: &str) -> String {
        if persistence == "t" || schema == "pg_temp" {
            format!("pg_temp.{name}")
        } else if schema.is_empty() {
            format!("{}.{name}", self.creation_schema())
        } else {
            format!("{schema}.{name}")
        }
    }

    /// Where a table's column comes from: itself and everything below it.
    pub(super) fn table_column(&mut self, relation: &'c Relation, column: &str) -> Lineage {
        let mut lineage = Lineage::default();
        let own = self.columns.id(&relation.full, column);
        lineage.add(own);
        if super::effects::reveals(relation, column) || super::effects::echoes(relation, column) {
            lineage.set_anything();
        }
        let below = crate::catalog::View::below(self.catalog, relation, column, &self.views);
        self.add_deps(&mut lineage, &below);
        let known = relation.column(column);
        let same = match &below {
            Deps::Same { column, type_oid, .. } => {
                Some(Same { column: self.columns.id(&column.relation, &column.column), type_oid: *type_oid })
            }
            _ if relation.is_view() && !relation.is_system() => None,
            _ => known
                .filter(|column| column.made_of.is_empty())
                .map(|column| Same { column: own, type_oid: column.value_oid }),
        };
        lineage.set_same(same);
        lineage
    }

    /// All columns of a table, as one value.
    pub(super) fn table_whole(&mut self, relation: &'c Relation) -> Lineage {
        let mut lineage = Lineage::default();
        lineage.add(self.columns.id(&relation.full, "*"));
        let shown =
            |column: &str| super::effects::reveals(relation, column) || super::effects::echoes(relation, column);
        if relation.columns.iter().any(|column| shown(&column.name)) {
            lineage.set_anything();
        }
        self.add_deps(&mut lineage, &crate::catalog::View::whole(self.catalog, relation, &self.views));
        lineage
    }

    pub(super) fn add_deps(&mut self, lineage: &mut Lineage, deps: &Deps) {
        match deps {
            Deps::Clean => {}
            Deps::Columns(sources) => self.columns.add_sources(lineage, sources),
            Deps::Same { names, .. } => {
                for column in names {
                    lineage.add(self.columns.id(&column.relation, &column.column));
                }
            }
            Deps::Unknown => lineage.set_unknown(),
            Deps::Anything => lineage.set_anything(),
        }
    }

    /// The column of an item; `None` when it has none of that name.
    pub(super) fn item_column(&mut self, item: &Item<'c>, name: &str) -> Option<Lineage> {
        if self.is_spent(item.width()) {
            return Some(Lineage::unknown());
        }
        match &item.source {
            Source::Tables { relations, renames } => {
                let mut found = self.tables_column(relations, renames, name);
                if let (Some(lineage), Some(assigned)) = (&mut found, &item.assigned)
                    && !is_system_column(name)
                {
                    assigned.add_to(name, lineage);
                }
                found
            }
            Source::Derived(columns) => {
                let mut found: Option<Lineage> = None;
                for column in columns.iter().filter(|column| column.name == name) {
                    another(&mut found, column.lineage.clone());
                }
                found
            }
            Source::Open(lineage) => Some(lineage.clone()),
        }
    }

    fn tables_column(&mut self, relations: &[&'c Relation], renames: &[String], name: &str) -> Option<Lineage> {
        let mut found: Option<Lineage> = None;
        for relation in relations {
            for (at, column) in relation.columns.iter().enumerate() {
                if renames.get(at).unwrap_or(&column.name) == name {
                    self.use_column(relation, &column.name);
                    let lineage = self.table_column(relation, &column.name);
                    another(&mut found, lineage);
                }
            }
        }
        if found.is_none() && is_system_column(name) {
            return Some(Lineage::default());
        }
        found
    }

    /// The columns of an item with this name are used.
    pub(super) fn use_named(&mut self, item: &Item<'c>, name: &str) {
        let Source::Tables { relations, renames } = &item.source else {
            return;
        };
        if self.is_spent(item.width()) {
            return;
        }
        for relation in relations {
            for (at, column) in relation.columns.iter().enumerate() {
                if renames.get(at).unwrap_or(&column.name) == name {
                    self.use_column(relation, &column.name);
                }
            }
        }
    }

    /// All columns of an item are used.
    pub(super) fn use_item(&mut self, item: &Item<'c>) {
        if let Source::Tables { relations, .. } = &item.source {
            for relation in relations {
                for column in &relation.columns {
                    self.use_column(relation, &column.name);
                }
            }
        }
    }

    /// All columns of an item as one value: a whole-row reference.
    pub(super) fn item_whole(&mut self, item: &Item<'c>) -> Lineage {
        if self.is_spent(item.width()) {
            return Lineage::unknown();
        }
        let mut lineage = Lineage::default();
        match &item.source {
            Source::Tables { relations, .. } => {
                for relation in relations {
                    let whole = self.table_whole(relation);
                    lineage.merge(&whole);
                }
                if let Some(assigned) = &item.assigned {
                    lineage.merge(&assigned.whole());
                }
                self.use_item(item);
            }
            Source::Derived(columns) => {
                for column in columns {
                    lineage.merge(&column.lineage);
                }
            }
            Source::Open(open) => lineage.merge(open),
        }
        lineage
    }

    /// Resolves `a`, `t.a`, `s.t.a`, `t.*` as a value; adds to `sink`, and to the predicates when `predicate`.
    pub(super) fn column(&mut self, reference: &ColumnRef, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let lineage = self.meaning(reference, scope);
        if predicate {
            self.predicates.merge(&lineage);
        }
        sink.merge(&lineage);
    }

    /// What a reference means, as it is.
    pub(super) fn meaning(&mut self, reference: &ColumnRef, scope: &Scope<'_, 'c>) -> Lineage {
        let parts = strings(&reference.fields);
        let star = matches!(reference.fields.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_)));
        let lineage = match (parts.as_slice(), star) {
            ([name], false) => self.bare_column(name, scope),
            ([table, name], false) => self.qualified_column(None, table, name, scope),
            ([.., schema, table, name], false) => self.qualified_column(Some(schema), table, name, scope),
            ([], true) => self.everything(scope),
            ([.., table], true) => self.whole_row(table, scope),
            ([], false) => None,
        };
        lineage.unwrap_or_else(|| self.unresolved_column(scope))
    }

    /// A name that means nothing known: anything in scope.
    fn unresolved_column(&mut self, scope: &Scope<'_, 'c>) -> Lineage {
        let mut lineage = self.everything(scope).unwrap_or_default();
        lineage.set_unknown();
        lineage
    }

    fn everything(&mut self, scope: &Scope<'_, 'c>) -> Option<Lineage> {
        let mut lineage = Lineage::default();
        for item in scope.visible() {
            item.touched.set(true);
            let whole = self.item_whole(item);
            lineage.merge(&whole);
        }
        Some(lineage)
    }

    fn bare_column(&mut self, name: &str, scope: &Scope<'_, 'c>) -> Option<Lineage> {
        if self.is_spent(scope.items.len()) {
            return Some(Lineage::unknown());
        }
        let mut found: Option<Lineage> = None;
        let mut level = Some(scope);
        while let Some(current) = level {
            let mut certain = false;
            for item in current.visible() {
                if let Some(lineage) = self.item_column(item, name) {
                    item.touched.set(true);
                    another(&mut found, lineage);
                    // An item whose columns are not known may not have this one: look on.
                    certain |= !matches!(item.source, Source::Open(_));
                }
            }
            if certain {
                return found;
            }
            level = current.parent;
        }
        // An item whose columns are not known need not have this one either: then it is a row of that name.
        if let Some(row) = self.whole_row(name, scope) {
            another(&mut found, row);
        }
        found
    }

    fn whole_row(&mut self, table: &str, scope: &Scope<'_, 'c>) -> Option<Lineage> {
        if self.is_spent(scope.items.len()) {
            return Some(Lineage::unknown());
        }
        let mut level = Some(scope);
        while let Some(current) = level {
            let mut found: Option<Lineage> = None;
            for item in current.visible().filter(|item| item.name == table) {
                item.touched.set(true);
                let lineage = self.item_whole(item);
                found.get_or_insert_default().merge(&lineage);
            }
            if found.is_some() {
                return found;
            }
            level = current.parent;
        }
        None
    }

    fn qualified_column(
        &mut self,
        schema: Option<&str>,
        table: &str,
        name: &str,
        scope: &Scope<'_, 'c>,
    ) -> Option<Lineage> {
        if self.is_spent(scope.items.len()) {
            return Some(Lineage::unknown());
        }
        let mut level = Some(scope);
        while let Some(current) = level {
            let mut found: Option<Lineage> = None;
            for item in current.visible().filter(|item| item.name == table) {
                let same = match (schema, &item.schema) {
                    (Some(wanted), Some(has)) => wanted == has,
                    _ => true,
                };
                if !same {
                    continue;
                }
                item.touched.set(true);
                let lineage = match self.item_column(item, name) {
                    Some(mut lineage) => {
                        if matches!(item.source, Source::Open(_)) {
                            self.attribute_function(name, &mut lineage);
                        }
                        lineage
                    }
                    // `t.f` may also mean f(t).
                    None => self.attribute(name, item),
                };
                another(&mut found, lineage);
            }
            if found.is_some() {
                return found;
            }
            level = current.parent;
        }
        // `a.b` may be field b of a composite column a; its data is a's.
        self.field_of(table, name, scope)
    }

    fn attribute(&mut self, name: &str, item: &Item<'c>) -> Lineage {
        let mut lineage = self.item_whole(item);
        self.attribute_function(name, &mut lineage);
        lineage
    }

    fn field_of(&mut self, column: &str, field: &str, scope: &Scope<'_, 'c>) -> Option<Lineage> {
        let mut lineage = self.bare_column(column, scope)?;
        self.attribute_function(field, &mut lineage);
        Some(lineage)
    }
}
