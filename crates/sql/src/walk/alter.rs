//! ALTER TABLE, DROP, TRUNCATE and the upkeep of relations.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{
    AlterTableStmt, AlterTableType, DropBehavior, DropStmt, Node, ObjectType, RangeVar, TruncateStmt, node::Node as N,
};

use super::ddl::{is_administration, kind_of, titled};
use super::effects::Change;
use super::{Walker, inner};
use crate::catalog::{Relation, RelationKind, View};

/// Whether it changes which rows, triggers or rules a statement on the table reaches.
const fn changes_what_it_sets_off(what: AlterTableType) -> bool {
    matches!(
        what,
        AlterTableType::AtAttachPartition
            | AlterTableType::AtDetachPartition
            | AlterTableType::AtAddInherit
            | AlterTableType::AtDropInherit
            | AlterTableType::AtAddOf
            | AlterTableType::AtDropOf
            | AlterTableType::AtEnableTrig
            | AlterTableType::AtEnableAlwaysTrig
            | AlterTableType::AtEnableReplicaTrig
            | AlterTableType::AtEnableTrigAll
            | AlterTableType::AtEnableTrigUser
            | AlterTableType::AtEnableRule
            | AlterTableType::AtEnableAlwaysRule
            | AlterTableType::AtEnableReplicaRule
            | AlterTableType::Undefined
    )
}

impl<'c> Walker<'c> {
    pub(super) fn alter(&mut self, node: &N) -> bool {
        match node {
            N::AlterTableStmt(alter) => self.alter_table(alter),
            N::AlterSeqStmt(alter) => self.on_relation_as(Effect::Alter, alter.sequence.as_ref()),
            N::ReindexStmt(reindex) => {
                self.label = "REINDEX";
                match &reindex.relation {
                    Some(range) => self.on_any(Effect::Alter, range),
                    None => self.act(Effect::Alter, Object::new(ObjectKind::Schema, reindex.name.clone())),
                }
            }
            N::ClusterStmt(cluster) => {
                self.label = "CLUSTER";
                self.on_relation(Effect::Alter, cluster.relation.as_ref());
            }
            N::VacuumStmt(vacuum) => {
                self.label = if vacuum.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
                if vacuum.rels.is_empty() {
                    self.bare(Effect::Alter);
                }
                for node in &vacuum.rels {
                    match inner(Some(node)) {
                        Some(N::VacuumRelation(relation)) => {
                            self.on_relation(Effect::Alter, relation.relation.as_ref())
                        }
                        _ => self.not_understood("a table of VACUUM"),
                    }
                }
            }
            N::RefreshMatViewStmt(refresh) => {
                self.label = "REFRESH";
                self.on_relation(Effect::Alter, refresh.relation.as_ref());
                if let Some(range) = &refresh.relation {
                    // Its query runs.
                    for relation in self.resolve_range(range) {
                        let view = crate::catalog::View::of(self.catalog, relation, &[]);
                        self.actions
                            .extend(view.read.actions.iter().filter(|action| action.effect != Effect::Read).cloned());
                    }
                }
            }
            N::DropStmt(drop) => self.drop_objects(drop),
            N::TruncateStmt(truncate) => self.truncate(truncate),
            _ => return false,
        }
        true
    }

    fn on_relation_as(&mut self, effect: Effect, range: Option<&RangeVar>) {
        self.label = "ALTER";
        match range {
            Some(range) => self.on_any(effect, range),
            None => self.bare(effect),
        }
    }

    /// An effect on a relation of any kind: tables, indexes, sequences, composite types.
    pub(super) fn on_any(&mut self, effect: Effect, range: &RangeVar) {
        let found = self.resolve(&range.schemaname, &range.relname, |_| true);
        if found.is_empty() {
            let object = self.unresolved(&range.schemaname, &range.relname, ObjectKind::Relation);
            self.act(effect, object);
        }
        for relation in found {
            let kind = match relation.kind {
                RelationKind::Sequence => ObjectKind::Sequence,
                RelationKind::Composite => ObjectKind::Type,
                RelationKind::Table
                | RelationKind::Partitioned
                | RelationKind::View
                | RelationKind::Materialized
                | RelationKind::Foreign
                | RelationKind::Index => ObjectKind::Relation,
            };
            self.act(effect, Object::new(kind, relation.full.clone()));
        }
    }

    fn alter_table(&mut self, alter: &AlterTableStmt) {
        self.label = "ALTER";
        let Some(range) = &alter.relation else {
            self.not_understood("ALTER without a name");
            return;
        };
        self.on_any(Effect::Alter, range);
        self.plain = true;
        for node in &alter.cmds {
            let Some(N::AlterTableCmd(command)) = inner(Some(node)) else {
                self.not_understood("a part of ALTER TABLE");
                continue;
            };
            match command.subtype() {
                AlterTableType::AtChangeOwner => self.on_any(Effect::Grant, range),
                AlterTableType::AtDropColumn => self.on_any(Effect::Destroy, range),
                AlterTableType::Undefined => self.not_understood("a part of ALTER TABLE"),
                AlterTableType::AtGenericOptions | AlterTableType::AtAlterColumnGenericOptions => {
                    // Of a foreign table: files, programs or queries elsewhere.
                    self.on_any(Effect::Admin, range);
                }
                _ => {}
            }
            if command.behavior() == DropBehavior::DropCascade {
                match command.subtype() {
                    AlterTableType::AtDropColumn | AlterTableType::AtDropConstraint => {
                        let relations = self.resolve(&range.schemaname, &range.relname, |_| true);
                        self.drops_with(&relations);
                    }
                    _ => {}
                }
                if alter.objtype() == ObjectType::ObjectType {
                    self.reaches_typed_tables();
                }
            }
            self.moves_of_alter(range, command);
            self.asked_by_alter(range, command);
            self.plain &= !changes_what_it_sets_off(command.subtype());
            match inner(command.def.as_deref()) {
                Some(N::ColumnDef(column)) => self.column_definition(column),
                Some(N::Constraint(constraint)) => self.constraint(constraint),
                Some(N::PartitionCmd(partition)) => {
                    self.on_relation(Effect::Alter, partition.name.as_ref());
                    self.partition_bound(partition.bound.as_ref());
                }
                Some(N::RangeVar(other)) => self.on_relation(Effect::Alter, Some(other)),
                Some(
                    N::List(_)
                    | N::String(_)
                    | N::Integer(_)
                    | N::ReplicaIdentityStmt(_)
                    | N::AtalterConstraint(_)
                    | N::TypeName(_)
                    | N::RoleSpec(_)
                    | N::DefElem(_)
                    | N::IndexStmt(_)
                    | N::Boolean(_)
                    | N::Float(_),
                )
                | None => {}
                Some(_) => self.walk_loose(command.def.as_deref(), "a default"),
            }
        }
    }

    fn drop_objects(&mut self, drop: &DropStmt) {
        self.label = "DROP";
        let what = drop.remove_type();
        let effect = if is_administration(what) { Effect::Admin } else { Effect::Destroy };
        for node in &drop.objects {
            self.drop_one(node, what, effect);
        }
        if drop.behavior() == DropBehavior::DropCascade {
            self.drop_cascade(drop, what, effect);
        }
        if matches!(what, ObjectType::ObjectPolicy) {
            self.bare(Effect::Grant);
        }
    }

    fn drop_one(&mut self, node: &Node, what: ObjectType, effect: Effect) {
        let names = super::names_of(Some(node));
        // The last name of a trigger, rule or policy is its own; the object is its table.
        let names = match what {
            ObjectType::ObjectTrigger | ObjectType::ObjectRule | ObjectType::ObjectPolicy => {
                names.get(..names.len().saturating_sub(1)).unwrap_or_default()
            }
            _ => names.as_slice(),
        };
        self.on_named(effect, what, names);
    }

    fn drop_cascade(&mut self, drop: &DropStmt, what: ObjectType, effect: Effect) {
        let catalog = self.catalog;
        for node in &drop.objects {
            let names = super::names_of(Some(node));
            let (schema, name) = match names.as_slice() {
                [] => ("", ""),
                [name] => ("", *name),
                [.., schema, name] => (*schema, *name),
            };
            match what {
                ObjectType::ObjectTable
                | ObjectType::ObjectForeignTable
                | ObjectType::ObjectView
                | ObjectType::ObjectMatview => {
                    let relations = self.resolve(schema, name, |_| true);
                    self.drops_with(&relations);
                }
                ObjectType::ObjectSchema => {
                    let inside: Vec<&Relation> = catalog.all_relations().filter(|it| it.schema == name).collect();
                    for relation in &inside {
                        self.act(Effect::Destroy, relation.object());
                    }
                    self.drops_with(&inside);
                }
                // Defaults, or nothing at all, depend on these.
                ObjectType::ObjectSequence
                | ObjectType::ObjectIndex
                | ObjectType::ObjectTrigger
                | ObjectType::ObjectRule
                | ObjectType::ObjectPolicy => {}
                _ => self.cascades(effect, "CASCADE drops what depends on it"),
            }
        }
    }

    /// What CASCADE drops with relations or parts of them: views of them and tables that inherit; of tables that point to them the foreign keys.
    fn drops_with(&mut self, relations: &[&'c Relation]) {
        let catalog = self.catalog;
        let mut numbers: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
        let mut at = 0;
        while let Some(number) = numbers.get(at).copied() {
            for child in catalog.all_relations().filter(|other| other.parents.contains(&number)) {
                if !numbers.contains(&child.oid) {
                    self.act(Effect::Destroy, child.object());
                    numbers.push(child.oid);
                }
            }
            at += 1;
        }
        for view in catalog.all_relations().filter(|other| other.is_view() && !other.is_system()) {
            let below = View::of(catalog, view, &[]);
            if below.read.bases.iter().any(|(_, oid)| numbers.contains(oid)) {
                self.act(Effect::Destroy, view.object());
                self.reason(format!("CASCADE drops {}", view.full));
            }
        }
        for relation in numbers.iter().filter_map(|number| catalog.relation(*number)) {
            for reference in &relation.referenced_by {
                if let Some(other) = catalog.relation(reference.from) {
                    self.act(Effect::Alter, other.object());
                }
            }
        }
    }

    /// An effect on objects that the text does not name.
    fn cascades(&mut self, effect: Effect, why: &str) {
        self.act(effect, Object::new(ObjectKind::Relation, "?."));
        self.reason(why.to_owned());
    }

    /// Tables that are made of a type change with it: their columns get other names, or go.
    pub(super) fn reaches_typed_tables(&mut self) {
        self.cascades(Effect::Alter, "CASCADE changes the tables that are made of this type");
        self.reads_unknown = true;
        self.moves.unknown = true;
    }

    /// An effect on what a list of names means for a type of object.
    pub(super) fn on_named(&mut self, effect: Effect, what: ObjectType, names: &[&str]) {
        let (schema, name) = match names {
            [] => ("", "?"),
            [name] => ("", *name),
            [.., schema, name] => (*schema, *name),
        };
        match kind_of(what) {
            ObjectKind::Relation | ObjectKind::Sequence => {
                let range = RangeVar { schemaname: schema.to_owned(), relname: name.to_owned(), ..RangeVar::default() };
                self.on_any(effect, &range);
            }
            kind @ (ObjectKind::Function | ObjectKind::Type) => self.on_routine(effect, kind, schema, name),
            kind @ (ObjectKind::Schema
            | ObjectKind::Database
            | ObjectKind::Setting
            | ObjectKind::Role
            | ObjectKind::Channel
            | ObjectKind::Catalog
            | ObjectKind::File
            | ObjectKind::Host
            | ObjectKind::Path
            | ObjectKind::Command
            | ObjectKind::Other) => {
                self.act(effect, Object::new(kind, titled(what, &names.join("."))));
            }
        }
    }

    /// An effect on existing functions or types of a name.
    pub(super) fn on_routine(&mut self, effect: Effect, kind: ObjectKind, schema: &str, name: &str) {
        let catalog = self.catalog;
        let reachable = |other: &str| {
            if schema.is_empty() { other == "pg_catalog" || self.looks_in(other) } else { other == schema }
        };
        let mut found: Vec<String> = if kind == ObjectKind::Function {
            let functions = catalog.functions_named(name).iter();
            functions.filter(|function| reachable(&function.schema)).map(crate::catalog::Function::full).collect()
        } else {
            let types = catalog.types_named(name).iter();
            types.filter(|one| reachable(&one.schema)).map(|one| format!("{}.{name}", one.schema)).collect()
        };
        found.dedup();
        if found.is_empty() {
            let object = self.unresolved(schema, name, kind);
            self.act(effect, object);
        }
        for full in found {
            self.act(effect, Object::new(kind, full));
        }
    }

    fn truncate(&mut self, truncate: &TruncateStmt) {
        self.label = "TRUNCATE";
        self.unbounded = true;
        for node in &truncate.relations {
            let Some(N::RangeVar(range)) = inner(Some(node)) else {
                self.not_understood("a table of TRUNCATE");
                continue;
            };
            let relations = self.change(range, Change::Truncate, &[]);
            if truncate.behavior() == pg_query::protobuf::DropBehavior::DropCascade {
                for relation in relations {
                    self.truncate_cascade(relation);
                }
            }
        }
    }
}
