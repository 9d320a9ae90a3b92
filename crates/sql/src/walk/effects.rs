//! What reading or changing a relation sets off.

use model::{Action, Effect, Object, ObjectKind};
use pg_query::protobuf::{RangeVar, node::Node as N};

use super::Walker;
use super::scope::{Item, Scope, Source};
use crate::catalog::{Collected, Relation, Trigger, Use, View, guard};

/// Rules and cascades are followed this deep.
pub(super) const MAX_CHAIN: usize = 16;

/// System relations that hold credentials or the server's configuration.
fn is_credential(relation: &Relation) -> bool {
    relation.is_system()
        && matches!(
            relation.name.as_str(),
            "pg_authid"
                | "pg_shadow"
                | "pg_hba_file_rules"
                | "pg_ident_file_mappings"
                | "pg_file_settings"
                | "pg_user_mapping"
                | "pg_largeobject"
                | "user_mapping_options"
                | "_pg_user_mappings"
        )
}

/// System columns that hold credentials, in relations whose other columns every tool reads.
fn is_credential_column(relation: &Relation, column: &str) -> bool {
    relation.schema == "pg_catalog"
        && matches!(
            (relation.name.as_str(), column),
            ("pg_subscription", "subconninfo") | ("pg_user_mappings", "umoptions")
        )
}

/// Columns of system relations that show values of other relations, or words of other sessions; beside them are columns that every tool reads.
pub(super) fn reveals(relation: &Relation, column: &str) -> bool {
    // An extension's view is in whatever schema the extension was put.
    if relation.name == "pg_stat_statements" {
        return column == "query";
    }
    if relation.schema != "pg_catalog" {
        return false;
    }
    match relation.name.as_str() {
        "pg_stat_activity" => column == "query",
        "pg_largeobject" => column == "data",
        "pg_statistic" => column.starts_with("stavalues"),
        "pg_statistic_ext_data" => matches!(column, "stxdmcv" | "stxdexpr"),
        // Harmless are names and numbers about a column; values come under ever new names.
        "pg_stats" | "pg_stats_ext" | "pg_stats_ext_exprs" => {
            column.ends_with("_vals")
                || column.ends_with("_elems")
                || column.ends_with("_bounds")
                || (column.ends_with("_histogram") && column != "elem_count_histogram")
        }
        _ => false,
    }
}

/// Columns of system relations that show the session's own statements as the target got them.
pub(super) fn echoes(relation: &Relation, column: &str) -> bool {
    relation.schema == "pg_catalog"
        && matches!(relation.name.as_str(), "pg_prepared_statements" | "pg_cursors")
        && column == "statement"
}

/// What a write does to the rows of its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Change {
    const fn effect(self) -> Effect {
        match self {
            Self::Insert | Self::Update => Effect::Write,
            Self::Delete => Effect::Delete,
            Self::Truncate => Effect::Destroy,
        }
    }

    pub(super) const fn trigger(self) -> i16 {
        match self {
            Self::Insert => Trigger::INSERT,
            Self::Update => Trigger::UPDATE,
            Self::Delete => Trigger::DELETE,
            Self::Truncate => Trigger::TRUNCATE,
        }
    }

    /// pg_rewrite.ev_type.
    pub(super) const fn rule(self) -> Option<char> {
        match self {
            Self::Update => Some('2'),
            Self::Insert => Some('3'),
            Self::Delete => Some('4'),
            Self::Truncate => None,
        }
    }
}

impl<'c> Walker<'c> {
    /// Reads a relation named in FROM; answers what it may be.
    pub(super) fn read(&mut self, range: &RangeVar) -> Vec<&'c Relation> {
        let found = self.resolve_range(range);
        if found.is_empty() {
            let object = self.unresolved(&range.schemaname, &range.relname, ObjectKind::Relation);
            self.act(Effect::Read, object.clone());
            self.reads_unknown |= object.is_unresolved();
            self.reads.insert(object);
            return found;
        }
        for relation in &found {
            self.read_relation(relation);
        }
        found
    }

    pub(super) fn read_relation(&mut self, relation: &'c Relation) {
        let object = relation.object();
        self.read_log.push(object.clone());
        self.numbers.push((object.name.clone(), relation.oid));
        self.act(Effect::Read, object.clone());
        self.reads.insert(object.clone());
        if is_credential(relation) {
            self.act(Effect::Admin, object);
            self.reason(format!("{} holds credentials or configuration", relation.full));
        }
        for function in &relation.on_read {
            self.set_off_by(function, "a column's type is compared or converted by");
        }
        for other in self.catalog.kin(relation) {
            let object = other.object();
            self.act(Effect::Read, object.clone());
            self.reads.insert(object);
        }
        if relation.is_view() && !relation.is_system() {
            let view = View::of(self.catalog, relation, &self.views);
            self.add_collected(&format!("view {}", relation.full), &view.read);
        }
        if let Some(guard) = guard(self.catalog, relation, Use::Reading, &self.views) {
            self.add_collected(&format!("row security of {}", relation.full), &guard);
        }
    }

    /// Called for every column of a relation that is named or falls under a star.
    pub(super) fn use_column(&mut self, relation: &Relation, column: &str) {
        if is_credential_column(relation, column) {
            self.act(Effect::Admin, relation.object());
            self.reason(format!("{}.{column} holds credentials", relation.full));
        }
        if reveals(relation, column) {
            self.reads_anything(&format!("{}.{column}", relation.full));
        }
        if echoes(relation, column) {
            self.echo();
        }
    }

    /// Values of what is read are put into columns of other types.
    pub(super) fn pass_on(&mut self) {
        let writes = |action: &Action| {
            action.effect == Effect::Write
                && action.object.as_ref().is_some_and(|object| object.kind == ObjectKind::Relation)
        };
        if !self.actions.iter().any(writes) {
            return;
        }
        let read: Vec<&'c Relation> = self.numbers.iter().filter_map(|(_, oid)| self.catalog.relation(*oid)).collect();
        for function in read.into_iter().flat_map(|relation| &relation.on_pass) {
            self.set_off_by(function, "a column's type is converted by");
        }
    }

    /// Something that shows data of relations which are not named.
    pub(super) fn reads_anything(&mut self, what: &str) {
        self.act(Effect::Read, Object::new(ObjectKind::Relation, "?."));
        self.reads_unknown = true;
        self.mixed = true;
        self.reason(format!("{what} shows data of other relations or sessions"));
    }

    /// Something that shows statements of this session, in which values may stand for what the client sent.
    pub(super) fn echo(&mut self) {
        self.reads_unknown = true;
        self.mixed = true;
    }

    pub(super) fn add_collected(&mut self, what: &str, view: &Collected) {
        for action in &view.actions {
            if let Some(object) = &action.object
                && object.kind == ObjectKind::Relation
                && action.effect == Effect::Read
            {
                self.read_log.push(object.clone());
            }
            self.changes += usize::from(matches!(action.effect, Effect::Write | Effect::Delete | Effect::Destroy));
            self.actions.insert(action.clone());
        }
        self.reads.extend(view.reads.iter().cloned());
        self.numbers.extend(view.bases.iter().cloned());
        self.reads_unknown |= view.reads_unknown;
        for reason in &view.reasons {
            self.reason(format!("{what}: {reason}"));
        }
        for miss in &view.misses {
            self.miss(miss.clone());
        }
        if let Some(name) = view.relied.iter().find(|name| self.fresh.touches(name)) {
            self.in_doubt(name);
        }
        self.relied.extend(view.relied.iter().cloned());
    }

    /// Changes a relation: its own effect and everything it sets off. `columns` are the columns assigned, for foreign keys; empty for all.
    pub(super) fn change(&mut self, range: &RangeVar, change: Change, columns: &[&str]) -> Vec<&'c Relation> {
        self.changes += 1;
        let found = self.resolve_range(range);
        if found.is_empty() {
            let object = self.unresolved(&range.schemaname, &range.relname, ObjectKind::Relation);
            self.act(change.effect(), object.clone());
            self.reads.insert(object);
            return found;
        }
        for relation in &found {
            self.change_relation(relation, change, columns, 0);
        }
        found
    }

    fn change_relation(&mut self, relation: &'c Relation, change: Change, columns: &[&str], depth: usize) {
        let object = relation.object();
        self.act(change.effect(), object.clone());
        if change != Change::Insert {
            // Error details show the row.
            self.reads.insert(object);
        }
        if depth >= MAX_CHAIN {
            self.not_understood("a chain of rules, views or cascades that is too long");
            return;
        }
        if relation.is_system() {
            self.act(Effect::Admin, relation.object());
        }
        self.set_off(relation, change);
        if change != Change::Truncate {
            for function in relation.on_read.iter().chain(&relation.on_pass) {
                self.set_off_by(function, "a column's type is compared or converted by");
            }
            self.values_of(relation);
        }
        if change != Change::Truncate
            && let Some(guard) = guard(self.catalog, relation, Use::Changing, &self.views)
        {
            self.add_collected(&format!("row security of {}", relation.full), &guard);
        }
        for other in self.catalog.kin(relation) {
            self.act(change.effect(), other.object());
            self.set_off(other, change);
            self.cascade(other, change, columns, depth);
        }
        self.cascade(relation, change, columns, depth);
        if relation.is_view() && !relation.is_system() {
            self.change_below(relation, change, depth);
        }
    }

    /// Triggers, rules, and functions that run when a row is written.
    fn set_off(&mut self, relation: &'c Relation, change: Change) {
        for trigger in &relation.triggers {
            if trigger.bits & change.trigger() != 0 && !trigger.harmless {
                self.runs(&trigger.function, "a trigger runs");
            }
        }
        if change == Change::Insert {
            // Defaults may keep the statement's own words.
            self.compared_with.forget();
        }
        if matches!(change, Change::Insert | Change::Update) {
            for function in &relation.on_write {
                self.set_off_by(function, "a default, check, index or conversion runs");
            }
        }
        let Some(event) = change.rule() else {
            return;
        };
        if self.rules.contains(&(relation.oid, event)) {
            return;
        }
        for rule in relation.rules.iter().filter(|rule| rule.event == event) {
            self.rules.push((relation.oid, event));
            self.rule(relation, &rule.definition);
            self.rules.pop();
        }
    }

    /// The effects of a rule's actions; NEW and OLD are rows of the relation.
    fn rule(&mut self, relation: &'c Relation, definition: &str) {
        if self.rules.len() > MAX_CHAIN || crate::prescan::check(definition, &crate::analysis::Caps::default()).is_err()
        {
            self.not_understood("a rule");
            return;
        }
        let Ok(tree) = pg_query::parse(definition, pg_query::ParserOptions::DEFAULT) else {
            self.not_understood("a rule");
            return;
        };
        self.reason(format!("a rule on {} runs more", relation.full));
        self.compared_with.forget();
        for raw in &tree.protobuf.stmts {
            let Some(N::RuleStmt(rule)) = super::inner(raw.stmt.as_deref()) else {
                self.not_understood("a rule");
                continue;
            };
            let mut scope = Scope::under(None);
            for name in ["new", "old"] {
                scope.items.push(Item {
                    name: name.to_owned(),
                    schema: None,
                    hidden: false,
                    touched: std::cell::Cell::new(false),
                    source: Source::Tables { relations: vec![relation], renames: Vec::new() },
                    assigned: None,
                });
            }
            let label = self.label;
            let (unbounded, bound, moves) = (self.unbounded, self.bound.take(), self.moves.clone());
            for action in &rule.actions {
                if let Some(action) = super::inner(Some(action)) {
                    self.rule_action(action, &scope);
                }
            }
            if let Some(condition) = rule.where_clause.as_deref() {
                let mut sink = crate::lineage::Lineage::default();
                self.expr(condition, &scope, &mut sink, false);
            }
            // The rule's own WHERE was written by whoever made the rule.
            self.label = label;
            self.unbounded = unbounded;
            self.bound = bound;
            self.moves = moves;
        }
    }

    fn cascade(&mut self, relation: &'c Relation, change: Change, columns: &[&str], depth: usize) {
        for reference in &relation.referenced_by {
            let follow = match change {
                Change::Insert => None,
                Change::Truncate => None,
                Change::Delete => match reference.on_delete {
                    'c' => Some(Change::Delete),
                    'n' | 'd' => Some(Change::Update),
                    _ => None,
                },
                Change::Update => {
                    let touches = columns.is_empty()
                        || relation.columns.iter().any(|column| {
                            reference.key.contains(&column.number) && columns.contains(&column.name.as_str())
                        });
                    (touches && matches!(reference.on_update, 'c' | 'n' | 'd')).then_some(Change::Update)
                }
            };
            let (Some(change), Some(other)) = (follow, self.catalog.relation(reference.from)) else {
                continue;
            };
            if [reference.on_delete, reference.on_update].contains(&'d') {
                self.compared_with.forget();
            }
            self.changes += 1;
            // Once is enough: cycles of foreign keys exist.
            if self.actions.contains(&Action::on(change.effect(), other.object())) {
                continue;
            }
            self.reason(format!("a foreign key of {} cascades", other.full));
            self.change_relation(other, change, &[], depth + 1);
        }
    }

    /// TRUNCATE … CASCADE empties every table that points here.
    pub(super) fn truncate_cascade(&mut self, relation: &'c Relation) {
        let mut ahead: Vec<u32> = relation.referenced_by.iter().map(|reference| reference.from).collect();
        let mut seen = vec![relation.oid];
        while let Some(oid) = ahead.pop() {
            if seen.contains(&oid) || seen.len() > 4096 {
                continue;
            }
            seen.push(oid);
            if let Some(other) = self.catalog.relation(oid) {
                self.act(Effect::Destroy, other.object());
                self.set_off(other, Change::Truncate);
                ahead.extend(other.referenced_by.iter().map(|reference| reference.from));
            }
        }
    }

    /// A change of a view changes the tables below it.
    fn change_below(&mut self, relation: &'c Relation, change: Change, depth: usize) {
        let view = &View::of(self.catalog, relation, &self.views).read;
        for object in &view.reads {
            let Some(oid) = view.bases.iter().find(|(name, _)| *name == object.name).map(|(_, oid)| *oid) else {
                self.act(change.effect(), object.clone());
                continue;
            };
            if let Some(base) = self.catalog.relation(oid)
                && !base.is_view()
            {
                self.change_relation(base, change, &[], depth + 1);
            } else {
                self.act(change.effect(), object.clone());
                if let Some(inner) = self.catalog.relation(oid) {
                    self.set_off(inner, change);
                }
            }
        }
        if view.reads_unknown {
            self.not_understood(&format!("the definition of view {}", relation.full));
        }
    }

    /// Inserting or changing a value of a unique column tells whether it exists.
    pub(super) fn unique_probe(&mut self, relations: &[&'c Relation], assigned: Option<&[String]>) {
        for relation in relations {
            for column in &relation.columns {
                let is_assigned = assigned.is_none_or(|names| names.contains(&column.name));
                if is_assigned && relation.unique.contains(&column.number) {
                    let lineage = self.table_column(relation, &column.name);
                    self.equal(&lineage);
                }
            }
        }
    }

    /// An object of the target's catalogue.
    pub(super) fn catalog_object(&mut self, effect: Effect, name: impl Into<String>) {
        self.act(effect, Object::new(ObjectKind::Catalog, name));
    }
}
