//! Definitions: CREATE, ALTER, DROP, GRANT and the rest of the catalogue's statements.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{
    ColumnDef, Constraint, CreateStmt, CreateTableAsStmt, IndexStmt, Node, ObjectType, PartitionBoundSpec, RangeVar,
    RuleStmt, ViewStmt, node::Node as N,
};

use super::from::push_tables;
use super::scope::Scope;
use super::{Walker, inner, qualified};
use crate::analysis::Kind;

/// Stands among fresh names for a cast, which has none.
pub(super) const ANY_CAST: &str = "a cast";

/// The kind of object that a name of this type is.
pub(super) fn kind_of(object: ObjectType) -> ObjectKind {
    match object {
        ObjectType::ObjectTable
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectForeignTable
        | ObjectType::ObjectIndex
        | ObjectType::ObjectColumn
        | ObjectType::ObjectTabconstraint
        | ObjectType::ObjectTrigger
        | ObjectType::ObjectRule
        | ObjectType::ObjectPolicy => ObjectKind::Relation,
        ObjectType::ObjectSequence => ObjectKind::Sequence,
        ObjectType::ObjectFunction
        | ObjectType::ObjectProcedure
        | ObjectType::ObjectRoutine
        | ObjectType::ObjectAggregate
        | ObjectType::ObjectOperator => ObjectKind::Function,
        ObjectType::ObjectSchema => ObjectKind::Schema,
        ObjectType::ObjectDatabase => ObjectKind::Database,
        ObjectType::ObjectType
        | ObjectType::ObjectDomain
        | ObjectType::ObjectDomconstraint
        | ObjectType::ObjectAttribute => ObjectKind::Type,
        ObjectType::ObjectRole => ObjectKind::Role,
        ObjectType::ObjectParameterAcl => ObjectKind::Setting,
        _ => ObjectKind::Catalog,
    }
}

/// Types of object that belong to the server's administration.
pub(super) fn is_administration(object: ObjectType) -> bool {
    matches!(
        object,
        ObjectType::ObjectForeignServer
            | ObjectType::ObjectFdw
            | ObjectType::ObjectUserMapping
            | ObjectType::ObjectPublication
            | ObjectType::ObjectPublicationNamespace
            | ObjectType::ObjectPublicationRel
            | ObjectType::ObjectSubscription
            | ObjectType::ObjectEventTrigger
            | ObjectType::ObjectTablespace
            | ObjectType::ObjectAccessMethod
            | ObjectType::ObjectDatabase
            | ObjectType::ObjectLanguage
    )
}

/// The name of an object of the catalogue, with what it is: `extension hstore`.
pub(super) fn titled(what: ObjectType, name: &str) -> String {
    let title = match what {
        ObjectType::ObjectExtension => "extension",
        ObjectType::ObjectForeignServer | ObjectType::ObjectUserMapping => "server",
        ObjectType::ObjectFdw => "wrapper",
        ObjectType::ObjectPublication => "publication",
        ObjectType::ObjectSubscription => "subscription",
        ObjectType::ObjectEventTrigger => "event trigger",
        ObjectType::ObjectTablespace => "tablespace",
        ObjectType::ObjectAccessMethod => "access method",
        ObjectType::ObjectLanguage => "language",
        _ => return name.to_owned(),
    };
    format!("{title} {name}")
}

impl<'c> Walker<'c> {
    /// Functions of event triggers run with every definition.
    pub(super) fn ddl_triggers(&mut self) {
        let catalog = self.catalog;
        for function in catalog.event_triggers() {
            self.runs(function, "an event trigger runs");
        }
    }

    pub(super) fn definition(&mut self, node: &N) -> Kind {
        self.ddl_triggers();
        let known = self.define(node)
            || self.alter(node)
            || self.alter_object(node)
            || self.permission(node)
            || self.administration(node);
        if known {
            Kind::Ddl
        } else {
            self.label = "UNKNOWN";
            self.not_understood("a sort of statement");
            Kind::Unparsed
        }
    }

    fn create(&mut self, kind: ObjectKind, name: String) {
        self.label = "CREATE";
        self.act(Effect::Create, Object::new(kind, name));
    }

    fn create_named(&mut self, kind: ObjectKind, names: &[Node]) {
        let (schema, name) = qualified(names);
        let name = self.new_name(schema.unwrap_or(""), name, "");
        self.create(kind, name);
    }

    fn create_range(&mut self, kind: ObjectKind, range: Option<&RangeVar>) {
        match range {
            Some(range) => {
                let name = self.new_name(&range.schemaname, &range.relname, &range.relpersistence);
                self.create(kind, name);
            }
            None => self.not_understood("a CREATE without a name"),
        }
    }

    /// An effect on existing relations by name.
    pub(super) fn on_relation(&mut self, effect: Effect, range: Option<&RangeVar>) {
        match range {
            Some(range) => {
                for object in self.objects(range) {
                    self.act(effect, object);
                }
            }
            None => self.bare(effect),
        }
    }

    fn define(&mut self, node: &N) -> bool {
        match node {
            N::CreateStmt(create) => {
                self.create_table(create);
                self.made(create);
            }
            N::CreateForeignTableStmt(create) => {
                if let Some(base) = &create.base_stmt {
                    self.create_table(base);
                }
                // Its options name files, programs or queries on other servers.
                self.catalog_object(Effect::Admin, format!("server {}", create.servername));
            }
            N::CreateTableAsStmt(create) => self.create_as(create),
            N::ViewStmt(view) => self.create_view(view),
            N::IndexStmt(index) => self.create_index(index),
            N::CreateSeqStmt(sequence) => self.create_range(ObjectKind::Sequence, sequence.sequence.as_ref()),
            N::CreateSchemaStmt(schema) => {
                let role = schema.authrole.as_ref().map(|role| role.rolename.clone()).unwrap_or_default();
                let name = if schema.schemaname.is_empty() { role } else { schema.schemaname.clone() };
                self.create(ObjectKind::Schema, name);
                if schema.authrole.is_some() {
                    self.bare(Effect::Grant);
                }
                for element in &schema.schema_elts {
                    if let Some(element) = inner(Some(element)) {
                        self.definition(element);
                    }
                }
                self.label = "CREATE";
            }
            N::CreateFunctionStmt(function) => {
                self.create_named(ObjectKind::Function, &function.funcname);
                if function.replace {
                    self.redefined(&[], qualified(&function.funcname).1);
                }
                self.function_language(&function.options);
                for parameter in &function.parameters {
                    if let Some(N::FunctionParameter(parameter)) = inner(Some(parameter)) {
                        self.walk_loose(parameter.defexpr.as_deref(), "a default");
                    }
                }
            }
            N::CreateTrigStmt(trigger) => {
                self.label = "CREATE";
                self.on_relation(Effect::Create, trigger.relation.as_ref());
                let (schema, name) = qualified(&trigger.funcname);
                self.function_effect(schema, name, 0);
                self.moves_of_trigger(trigger);
            }
            N::RuleStmt(rule) => {
                self.label = "CREATE";
                self.on_relation(Effect::Create, rule.relation.as_ref());
                self.new_rule(rule);
                self.replaced(rule.relation.as_ref());
            }
            _ => return self.define_type(node),
        }
        true
    }

    fn define_type(&mut self, node: &N) -> bool {
        match node {
            N::CreateEnumStmt(create) => self.create_named(ObjectKind::Type, &create.type_name),
            N::CreateRangeStmt(create) => self.create_named(ObjectKind::Type, &create.type_name),
            N::CompositeTypeStmt(create) => {
                self.create_range(ObjectKind::Type, create.typevar.as_ref());
            }
            N::CreateDomainStmt(create) => {
                self.create_named(ObjectKind::Type, &create.domainname);
                for constraint in &create.constraints {
                    self.constraint_node(constraint);
                }
            }
            N::DefineStmt(define) => {
                let kind = kind_of(define.kind());
                self.create_named(kind, &define.defnames);
            }
            N::CreateStatsStmt(create) => {
                self.create_named(ObjectKind::Catalog, &create.defnames);
                for relation in &create.relations {
                    if let Some(N::RangeVar(range)) = inner(Some(relation)) {
                        self.on_relation(Effect::Alter, Some(range));
                    }
                }
            }
            N::CreateOpClassStmt(create) => self.create_named(ObjectKind::Catalog, &create.opclassname),
            N::CreateOpFamilyStmt(create) => self.create_named(ObjectKind::Catalog, &create.opfamilyname),
            N::CreateConversionStmt(create) => self.create_named(ObjectKind::Catalog, &create.conversion_name),
            N::CreateCastStmt(_) => {
                self.fresh.doubt(ANY_CAST);
                self.create(ObjectKind::Catalog, "cast".to_owned());
            }
            N::CreateTransformStmt(_) => self.create(ObjectKind::Catalog, "transform".to_owned()),
            _ => return false,
        }
        true
    }

    /// A table without parents is new and nothing but itself.
    fn made(&mut self, create: &CreateStmt) {
        self.plain = create.partbound.is_none() && create.inh_relations.is_empty() && create.of_typename.is_none();
        let Some(range) = &create.relation else { return };
        let full = self.new_name(&range.schemaname, &range.relname, &range.relpersistence);
        let others = self.resolve(&range.schemaname, &range.relname, |_| true);
        if others.iter().any(|other| other.full != full) {
            // It hides another, or is hidden.
            self.fresh.doubt(&range.relname);
        } else if self.plain && others.is_empty() {
            self.fresh.make(&range.relname, full);
        }
    }

    fn create_table(&mut self, create: &CreateStmt) {
        self.create_range(ObjectKind::Relation, create.relation.as_ref());
        for node in create.table_elts.iter().chain(&create.constraints) {
            match inner(Some(node)) {
                Some(N::ColumnDef(column)) => self.column_definition(column),
                Some(N::Constraint(constraint)) => self.constraint(constraint),
                Some(N::TableLikeClause(like)) => self.on_relation(Effect::Read, like.relation.as_ref()),
                _ => self.not_understood("an element of a table"),
            }
        }
        if let Some(spec) = &create.partspec {
            for node in &spec.part_params {
                if let Some(N::PartitionElem(element)) = inner(Some(node)) {
                    self.walk_loose(element.expr.as_deref(), "a partition key");
                }
            }
        }
        self.partition_bound(create.partbound.as_ref());
        for node in &create.inh_relations {
            if let Some(N::RangeVar(range)) = inner(Some(node)) {
                // Its rows become rows of the parent.
                self.on_relation(Effect::Alter, Some(range));
            }
        }
    }

    /// Bounds are evaluated when the partition is made.
    pub(super) fn partition_bound(&mut self, bound: Option<&PartitionBoundSpec>) {
        let Some(bound) = bound else {
            return;
        };
        for node in bound.listdatums.iter().chain(&bound.lowerdatums).chain(&bound.upperdatums) {
            match inner(Some(node)) {
                Some(N::PartitionRangeDatum(datum)) => self.walk_loose(datum.value.as_deref(), "a bound"),
                // MINVALUE and MAXVALUE come as column references.
                Some(N::ColumnRef(_)) | None => {}
                Some(_) => self.walk_loose(Some(node), "a bound"),
            }
        }
    }

    /// What a new rule will do is part of making it.
    fn new_rule(&mut self, rule: &RuleStmt) {
        let Some(range) = &rule.relation else {
            return;
        };
        let relations = self.resolve_range(range);
        let mut scope = Scope::under(None);
        for name in ["new", "old"] {
            push_tables(&mut scope, name.to_owned(), None, relations.clone());
        }
        let unbounded = self.unbounded;
        for action in &rule.actions {
            if let Some(action) = inner(Some(action)) {
                self.rule_action(action, &scope);
            }
        }
        self.unbounded = unbounded;
        self.bound = None;
        if let Some(condition) = rule.where_clause.as_deref() {
            self.predicate(condition, &scope);
        }
    }

    /// Functions in C load a file; those in an untrusted language may do anything on the server.
    fn function_language(&mut self, options: &[Node]) {
        let option = |wanted: &str| {
            options.iter().find_map(|node| match inner(Some(node)) {
                Some(N::DefElem(option)) if option.defname == wanted => option.arg.as_deref(),
                _ => None,
            })
        };
        let Some(language) = option("language").and_then(super::constant::setting) else {
            return;
        };
        let language = language.to_ascii_lowercase();
        if matches!(language.as_str(), "c" | "internal") {
            let file = match inner(option("as")) {
                Some(N::List(list)) => list.items.first().and_then(super::constant::setting),
                _ => None,
            };
            self.act(Effect::Import, Object::new(ObjectKind::File, file.unwrap_or(language)));
        } else if !matches!(language.as_str(), "sql" | "plpgsql" | "plperl" | "pltcl" | "plv8") {
            self.catalog_object(Effect::Import, format!("language {language}"));
        }
    }

    pub(super) fn column_definition(&mut self, column: &ColumnDef) {
        self.walk_loose(column.raw_default.as_deref(), "a default");
        for constraint in &column.constraints {
            self.constraint_node(constraint);
        }
    }

    fn constraint_node(&mut self, node: &Node) {
        if let Some(N::Constraint(constraint)) = inner(Some(node)) {
            self.constraint(constraint);
        }
    }

    pub(super) fn constraint(&mut self, constraint: &Constraint) {
        self.walk_loose(constraint.raw_expr.as_deref(), "a constraint");
        self.walk_loose(constraint.where_clause.as_deref(), "a constraint");
        if let Some(table) = &constraint.pktable {
            // A foreign key tells which values exist and holds back deletes.
            self.on_relation(Effect::Alter, Some(table));
        }
    }

    fn create_as(&mut self, create: &CreateTableAsStmt) {
        if let Some(into) = create.into.as_deref() {
            self.make_into(into);
        }
        match inner(create.query.as_deref()) {
            Some(N::SelectStmt(select)) => {
                let columns = self.select(select, None);
                // Reading a materialised view leads back to the tables, as reading any view does.
                if create.objtype() != ObjectType::ObjectMatview {
                    self.store(columns.as_deref());
                }
            }
            Some(N::ExecuteStmt(_)) => {
                // What it runs is known to the session only, and this statement is more than that.
                self.not_understood("CREATE TABLE AS EXECUTE");
                self.moves.unknown = true;
            }
            _ => self.not_understood("the query of CREATE TABLE AS"),
        }
        self.label = "CREATE";
    }

    fn create_view(&mut self, view: &ViewStmt) {
        self.create_range(ObjectKind::Relation, view.view.as_ref());
        match inner(view.query.as_deref()) {
            // What is read through it keeps its origin.
            Some(N::SelectStmt(select)) => {
                self.select(select, None);
            }
            _ => self.not_understood("the query of a view"),
        }
        if view.replace {
            self.on_existing(Effect::Alter, view.view.as_ref());
            self.replaced(view.view.as_ref());
        }
    }

    /// An effect on a relation if it exists.
    fn on_existing(&mut self, effect: Effect, range: Option<&RangeVar>) {
        if let Some(range) = range {
            for relation in self.resolve_range(range) {
                self.act(effect, relation.object());
            }
        }
    }

    fn create_index(&mut self, index: &IndexStmt) {
        self.plain = true;
        self.label = "CREATE";
        self.on_relation(Effect::Create, index.relation.as_ref());
        let table = index.relation.as_ref();
        for node in &index.index_params {
            if let Some(N::IndexElem(element)) = inner(Some(node)) {
                self.walk_loose(element.expr.as_deref(), "an index");
                self.table_expression(table, element.expr.as_deref());
                if index.unique && !element.name.is_empty() {
                    self.told_apart(table, &element.name);
                }
            }
        }
        self.walk_loose(index.where_clause.as_deref(), "an index");
        self.table_expression(table, index.where_clause.as_deref());
    }

    /// An expression over the columns of one table: a policy, a trigger's condition.
    pub(super) fn table_expression(&mut self, range: Option<&RangeVar>, node: Option<&Node>) {
        let (Some(range), Some(node)) = (range, node) else {
            return;
        };
        let relations = self.resolve_range(range);
        let mut scope = Scope::under(None);
        push_tables(&mut scope, range.relname.clone(), None, relations);
        self.predicate(node, &scope);
    }
}
