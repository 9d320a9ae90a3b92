//! A snapshot of one database's catalogue: enough to resolve names and to know what a statement sets off.
//!
//! - [`queries`](QUERIES): what to run on the target
//! - [`Builder`]: rows in, snapshot out
//! - `body`: what a function in the language SQL does, by its body, found out on first use
//! - `guard`: what row security runs when a table is used
//! - `view`: what a view reads, expanded to its base tables on first use

mod attach;
mod body;
mod build;
mod guard;
mod queries;
mod view;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use model::{Object, ObjectKind};

pub(crate) use body::{Bodies, Body, Fields};
pub use build::{Builder, CatalogError, split_path};
pub(crate) use guard::{Use, guard};
pub use queries::{FINGERPRINT, QUERIES};
pub(crate) use view::{Collected, View};

use crate::analysis::Deps;
use crate::functions::extensions::{self, Trust};

/// What sort of relation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelationKind {
    /// Ordinary table.
    Table,
    /// Partitioned table.
    Partitioned,
    /// View.
    View,
    /// Materialised view.
    Materialized,
    /// Foreign table.
    Foreign,
    /// Sequence.
    Sequence,
    /// Composite type.
    Composite,
    /// Index.
    Index,
}

/// A column as the snapshot knows it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) number: i16,
    pub(crate) name: String,
    pub(crate) type_oid: u32,
    /// The type of its values; of a domain's, what the domain is made of.
    pub(crate) value_oid: u32,
    pub(crate) not_null: bool,
    /// Numbers of the columns that it is generated from.
    pub(crate) made_of: Vec<i16>,
}

/// A rule other than a view's own.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// `2` UPDATE, `3` INSERT, `4` DELETE, as in pg_rewrite.
    pub(crate) event: char,
    /// Runs instead of the statement, so that the rule says what is returned.
    pub(crate) instead: bool,
    /// `CREATE RULE …`, names with their schemas.
    pub(crate) definition: String,
}

/// A condition of a row security policy.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// `r` SELECT, `a` INSERT, `w` UPDATE, `d` DELETE, `*` all, as in pg_policy.
    pub(crate) command: char,
    /// An expression over the table's columns, names with their schemas.
    pub(crate) condition: String,
}

/// A trigger's events, as in pg_trigger.tgtype, and its function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trigger {
    pub(crate) bits: i16,
    pub(crate) function: String,
    pub(crate) harmless: bool,
}

impl Trigger {
    pub(crate) const INSERT: i16 = 4;
    pub(crate) const DELETE: i16 = 8;
    pub(crate) const UPDATE: i16 = 16;
    pub(crate) const TRUNCATE: i16 = 32;
    const ROW: i16 = 1;
    const BEFORE: i16 = 2;
    const INSTEAD: i16 = 64;

    /// Whether it may put other values into the rows that one of these events changes.
    pub(crate) fn alters_row(&self, events: i16) -> bool {
        let first = self.bits & Self::INSTEAD != 0
            // What BEFORE DELETE answers is not looked at.
            || (self.bits & Self::ROW != 0 && self.bits & Self::BEFORE != 0 && events & Self::DELETE == 0);
        first && self.bits & events != 0 && self.function != "pg_catalog.suppress_redundant_updates_trigger"
    }
}

/// A foreign key, seen from the table that it points to.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    /// The table that points.
    pub(crate) from: u32,
    /// `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default.
    pub(crate) on_delete: char,
    pub(crate) on_update: char,
    /// The columns pointed to.
    pub(crate) key: Vec<i16>,
}

/// A relation with everything that a statement on it may set off.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `schema.name`.
    pub(crate) full: String,
    pub(crate) kind: RelationKind,
    pub(crate) is_partition: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) definition: Option<String>,
    pub(crate) view: OnceLock<Arc<View>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) referenced_by: Vec<Reference>,
    pub(crate) parents: Vec<u32>,
    pub(crate) children: Vec<u32>,
    /// Numbers of the columns in unique indexes.
    pub(crate) unique: Vec<i16>,
    /// Functions that run when a row is written: `schema.name`.
    pub(crate) on_write: Vec<String>,
    /// Functions that may run when a value is read or converted: casts of a column's type.
    pub(crate) on_read: Vec<String>,
    /// Functions that may run when a value of it is put into a column elsewhere.
    pub(crate) on_pass: Vec<String>,
    /// Functions that run when a value of it is converted to a type of the server's own: that type's name, and the function.
    pub(crate) on_cast: Vec<(String, String)>,
    /// Numbers of the columns whose default or conversion runs code that may put anything there.
    pub(crate) filled: Vec<i16>,
    pub(crate) policies: Vec<Policy>,
    /// What the policies run, for reading and for changing.
    pub(crate) guards: (OnceLock<Arc<Collected>>, OnceLock<Arc<Collected>>),
}

impl Relation {
    pub(crate) fn is_view(&self) -> bool {
        matches!(self.kind, RelationKind::View | RelationKind::Materialized)
    }

    pub(crate) fn is_system(&self) -> bool {
        self.schema == "pg_catalog" || self.schema == "information_schema"
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.schema.starts_with("pg_temp_")
    }

    pub(crate) fn object(&self) -> Object {
        Object::new(ObjectKind::Relation, self.full.clone())
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A function that is not the server's own.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) volatility: char,
    pub(crate) arguments: usize,
    pub(crate) defaults: usize,
    pub(crate) variadic: bool,
    /// Types of its arguments.
    pub(crate) types: Vec<u32>,
    pub(crate) extension: Option<String>,
    /// `CREATE FUNCTION …` of a function in the language SQL.
    pub(crate) definition: Option<String>,
    pub(crate) bodies: Bodies,
}

impl Function {
    pub(crate) fn full(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Whether a call with so many arguments may mean this function.
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        if self.variadic {
            arguments + self.defaults + 1 >= self.arguments
        } else {
            arguments <= self.arguments && arguments + self.defaults >= self.arguments
        }
    }

    pub(crate) fn trust(&self) -> Option<Trust> {
        self.extension.as_deref().and_then(extensions::trust)
    }

    /// Whether it is known to only compute.
    pub(crate) fn is_harmless(&self) -> bool {
        let Some(extension) = self.extension.as_deref() else {
            return false;
        };
        if extensions::is_calm_volatile(extension, &self.name) {
            return true;
        }
        match extensions::trust(extension) {
            Some(Trust::Calm) => matches!(self.volatility, 'i' | 's'),
            Some(Trust::ImmutableOnly) => self.volatility == 'i',
            Some(Trust::Remote) | None => false,
        }
    }
}

/// An operator that is not the server's own.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) schema: String,
    pub(crate) function: String,
    pub(crate) harmless: bool,
    /// Types of its operands, 0 for one that is not there.
    pub(crate) types: [u32; 2],
}

/// A type that is not the server's own.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    pub(crate) schema: String,
    /// Functions that a conversion to it may run.
    pub(crate) runs: Vec<String>,
    /// Functions that run when a value of it is converted to a type of the server's own: that type's name, and the function.
    pub(crate) on_cast: Vec<(String, String)>,
    /// A conversion to it is one to types of the server's own, too: a domain of one, a row.
    pub(crate) opens: bool,
}

/// A snapshot of one database's catalogue.
#[derive(Debug, Default)]
pub struct Catalog {
    version: u64,
    relations: Vec<Relation>,
    by_oid: HashMap<u32, usize>,
    by_name: HashMap<String, Vec<usize>>,
    functions: HashMap<String, Vec<Function>>,
    function_names: HashMap<u32, (String, String)>,
    operators: HashMap<String, Vec<Operator>>,
    types: HashMap<String, Vec<Type>>,
    /// Letters of pg_type.typtype.
    type_kinds: HashMap<u32, char>,
    /// Casts that are made unasked and are not the server's own.
    implicit_casts: HashSet<(u32, u32)>,
    conversions: HashMap<u32, Vec<(String, String)>>,
    event_triggers: Vec<String>,
    /// Schemas of users.
    schemas: Vec<String>,
    extensions: Vec<String>,
    search_path: Vec<String>,
    conforming_strings: bool,
    server_version: u32,
}

impl Catalog {
    /// A snapshot that knows nothing but what the server is born with.
    #[must_use]
    pub fn empty() -> Self {
        Builder::new().finish(0)
    }

    /// The version given to [`Builder::finish`].
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The server's version, such as 150018; 0 when not known.
    #[must_use]
    pub const fn server_version(&self) -> u32 {
        self.server_version
    }

    /// The role's default search_path, quotes removed, `$user` not expanded.
    #[must_use]
    pub fn search_path(&self) -> &[String] {
        &self.search_path
    }

    /// Whether `standard_conforming_strings` is on by default. When it is not, the gateway must switch it on before anything else.
    #[must_use]
    pub const fn conforming_strings(&self) -> bool {
        self.conforming_strings
    }

    /// The names of installed extensions.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// `schema.relation` and the column's name, by RowDescription's table number and attribute number.
    #[must_use]
    pub fn column(&self, table_oid: u32, attnum: i16) -> Option<(&str, &str)> {
        let relation = self.relation(table_oid)?;
        let column = relation.columns.iter().find(|column| column.number == attnum)?;
        Some((&relation.full, &column.name))
    }

    /// The numbers of a relation and of its column, by their names as stored.
    #[must_use]
    pub fn find_column(&self, schema: &str, relation: &str, column: &str) -> Option<(u32, i16)> {
        let relation = self.relations_named(relation).find(|found| found.schema == schema)?;
        Some((relation.oid, relation.column(column)?.number))
    }

    /// What sort of relation it is.
    #[must_use]
    pub fn relation_kind(&self, oid: u32) -> Option<RelationKind> {
        self.relation(oid).map(|relation| relation.kind)
    }

    /// `schema.relation` of a relation.
    #[must_use]
    pub fn relation_name(&self, oid: u32) -> Option<&str> {
        self.relation(oid).map(|relation| relation.full.as_str())
    }

    /// `schema` and `name` of a function, by its number.
    #[must_use]
    pub fn function_name(&self, oid: u32) -> Option<(&str, &str)> {
        self.function_names.get(&oid).map(|(schema, name)| (schema.as_str(), name.as_str()))
    }

    /// Whether a column's values are made of other columns of its row: it is generated.
    #[must_use]
    pub fn is_generated(&self, oid: u32, attnum: i16) -> bool {
        let relation = self.relation(oid);
        relation.is_some_and(|it| it.columns.iter().any(|column| column.number == attnum && !column.made_of.is_empty()))
    }

    /// Where the values of a column come from below the relation itself: the base columns of a view's column, the parents' column of a
    /// partition's, the sources of a generated one. [`Deps::Clean`] when there is nothing below. Needs [`crate::STACK`] when the view was not expanded yet.
    #[must_use]
    pub fn below_column(&self, oid: u32, attnum: i16) -> Deps {
        let Some(relation) = self.relation(oid) else {
            return Deps::Unknown;
        };
        let Some(column) = relation.columns.iter().find(|column| column.number == attnum) else {
            return Deps::Unknown;
        };
        view::below(self, relation, &column.name)
    }

    pub(crate) fn relation(&self, oid: u32) -> Option<&Relation> {
        self.by_oid.get(&oid).and_then(|at| self.relations.get(*at))
    }

    /// Every relation.
    pub(crate) fn all_relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter()
    }

    /// Materialised views.
    pub(crate) fn materialized(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter().filter(|relation| relation.kind == RelationKind::Materialized)
    }

    /// All relations of a name, in any schema.
    pub(crate) fn relations_named<'c>(&'c self, name: &str) -> impl Iterator<Item = &'c Relation> + use<'c> {
        self.by_name.get(name).map_or(&[][..], Vec::as_slice).iter().filter_map(|at| self.relations.get(*at))
    }

    pub(crate) fn functions_named(&self, name: &str) -> &[Function] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn operators_named(&self, name: &str) -> &[Operator] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }

    /// The functions that may run where a value of this type is converted to one of the server's own, as far as they are not known to be
    /// harmless.
    pub fn conversions_of(&self, type_oid: u32) -> impl Iterator<Item = &str> {
        self.conversions.get(&type_oid).into_iter().flatten().map(|(_, function)| function.as_str())
    }

    /// The same for every type, with the names of what it is converted to.
    pub(crate) fn conversions(&self) -> impl Iterator<Item = &(String, String)> {
        self.conversions.values().flatten()
    }

    pub(crate) fn types_named(&self, name: &str) -> &[Type] {
        self.types.get(name).map_or(&[], Vec::as_slice)
    }

    /// What sort of type of users it is: a letter of pg_type.typtype.
    pub(crate) fn type_kind(&self, oid: u32) -> Option<char> {
        self.type_kinds.get(&oid).copied()
    }

    /// Whether users made a cast that the server makes unasked.
    pub(crate) fn has_implicit_cast(&self, from: u32, to: u32) -> bool {
        self.implicit_casts.contains(&(from, to))
    }

    /// Parents of a partition or child (its rows are the parents' too), and children by plain inheritance.
    pub(crate) fn kin<'c>(&'c self, relation: &Relation) -> Vec<&'c Relation> {
        let mut found: Vec<&'c Relation> = Vec::new();
        let mut ahead: Vec<u32> = relation.parents.clone();
        while let Some(oid) = ahead.pop() {
            if let Some(parent) = self.relation(oid)
                && found.len() < 64
                && !found.iter().any(|seen| seen.oid == oid)
            {
                ahead.extend(&parent.parents);
                found.push(parent);
            }
        }
        let mut ahead: Vec<u32> = relation.children.clone();
        while let Some(oid) = ahead.pop() {
            if let Some(child) = self.relation(oid)
                && !child.is_partition
                && found.len() < 1024
                && !found.iter().any(|seen| seen.oid == oid)
            {
                ahead.extend(&child.children);
                found.push(child);
            }
        }
        found
    }

    /// The schemas that functions and relations other than the server's own are in.
    pub(crate) fn schemas(&self) -> &[String] {
        &self.schemas
    }

    /// Functions of event triggers, `schema.name`.
    pub(crate) fn event_triggers(&self) -> &[String] {
        &self.event_triggers
    }
}
