//! Which statement it is.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{ExplainStmt, LockStmt, Node, node::Node as N};

use super::query::OutputColumn;
use super::{Walker, constant, inner};
use crate::analysis::{Deps, Kind, Outputs};
use crate::lineage::Lineage;

impl<'c> Walker<'c> {
    pub(super) fn outputs(&mut self, columns: Option<&[OutputColumn]>) -> Outputs {
        self.convert();
        let deps = columns
            .map(|columns| columns.iter().map(|column| self.columns.deps(&column.lineage)).collect::<Vec<Deps>>());
        match deps {
            deps if self.mixed => Outputs::Mixed(deps),
            Some(deps) => Outputs::Columns(deps),
            None => Outputs::Unknown,
        }
    }

    /// One statement of any sort.
    pub(super) fn statement(&mut self, node: &N) -> (Kind, Outputs) {
        match node {
            N::SelectStmt(select) => {
                self.label = "SELECT";
                let columns = self.select(select, None);
                if select.into_clause.is_some() {
                    self.literal = true;
                    return (Kind::Ddl, Outputs::None);
                }
                if self.actions.is_empty() {
                    // `SELECT 1` reads no object and is a read all the same.
                    self.bare(Effect::Read);
                }
                let outputs = self.outputs(columns.as_deref());
                (Kind::Query, outputs)
            }
            N::InsertStmt(insert) => self.dml("INSERT", node, insert.returning_clause.is_some()),
            N::UpdateStmt(update) => self.dml("UPDATE", node, update.returning_clause.is_some()),
            N::DeleteStmt(delete) => self.dml("DELETE", node, delete.returning_clause.is_some()),
            N::MergeStmt(merge) => self.dml("MERGE", node, merge.returning_clause.is_some()),
            N::TransactionStmt(statement) => (self.transaction(statement), Outputs::None),
            N::VariableSetStmt(set) => (self.set(set), Outputs::None),
            N::VariableShowStmt(show) => {
                let outputs = self.show(show);
                (Kind::Query, outputs)
            }
            N::CopyStmt(copy) => self.copy(copy),
            N::ExplainStmt(explain) => self.explain(explain),
            _ => {
                self.literal = true;
                self.session_statement(node)
            }
        }
    }

    fn dml(&mut self, label: &'static str, node: &N, returns: bool) -> (Kind, Outputs) {
        self.label = label;
        let columns = self.change_statement(node, None);
        if !returns {
            return (Kind::Dml, Outputs::None);
        }
        let outputs = self.outputs(columns.as_deref());
        (Kind::Dml, outputs)
    }

    /// Statements about cursors, prepared statements, channels and the session itself.
    fn session_statement(&mut self, node: &N) -> (Kind, Outputs) {
        let kind = match node {
            N::PrepareStmt(prepare) => {
                return self.prepare(&prepare.name, &prepare.argtypes, prepare.query.as_deref());
            }
            N::ExecuteStmt(execute) => {
                self.label = "EXECUTE";
                self.execute_arguments(&execute.params);
                return (Kind::ExecutePrepared { name: execute.name.clone() }, Outputs::Unknown);
            }
            N::DeclareCursorStmt(cursor) => {
                return self.declare(&cursor.portalname, cursor.query.as_deref());
            }
            N::FetchStmt(fetch) => {
                self.label = if fetch.ismove { "MOVE" } else { "FETCH" };
                self.bare(Effect::Read);
                let outputs = if fetch.ismove { Outputs::None } else { Outputs::Unknown };
                return (Kind::Fetch { cursor: fetch.portalname.clone() }, outputs);
            }
            N::ClosePortalStmt(close) => {
                self.label = "CLOSE";
                self.bare(Effect::Session);
                Kind::CloseCursor { name: (!close.portalname.is_empty()).then(|| close.portalname.clone()) }
            }
            N::DeallocateStmt(deallocate) => {
                self.label = "DEALLOCATE";
                self.bare(Effect::Session);
                Kind::Deallocate {
                    name: (!deallocate.isall && !deallocate.name.is_empty()).then(|| deallocate.name.clone()),
                }
            }
            N::ListenStmt(listen) => {
                self.label = "LISTEN";
                self.act(Effect::Session, Object::new(ObjectKind::Channel, listen.conditionname.clone()));
                Kind::Listen { channel: listen.conditionname.clone() }
            }
            N::UnlistenStmt(_) => {
                self.label = "UNLISTEN";
                self.bare(Effect::Session);
                Kind::Unlisten
            }
            N::NotifyStmt(notify) => {
                self.label = "NOTIFY";
                self.act(Effect::Write, Object::new(ObjectKind::Channel, notify.conditionname.clone()));
                Kind::Notify { channel: notify.conditionname.clone() }
            }
            _ => return self.other_statement(node),
        };
        (kind, Outputs::None)
    }

    /// Statements that act on the server at once, then definitions.
    fn other_statement(&mut self, node: &N) -> (Kind, Outputs) {
        let kind = match node {
            N::DiscardStmt(discard) => self.discard(discard),
            N::ConstraintsSetStmt(_) => {
                self.label = "SET CONSTRAINTS";
                self.bare(Effect::Session);
                Kind::Other
            }
            N::LockStmt(lock) => self.lock(lock),
            N::CheckPointStmt(_) => {
                self.label = "CHECKPOINT";
                self.catalog_object(Effect::Admin, "checkpoint");
                Kind::Other
            }
            N::LoadStmt(load) => {
                self.label = "LOAD";
                self.act(Effect::Import, Object::new(ObjectKind::File, load.filename.clone()));
                Kind::Other
            }
            N::DoStmt(_) => {
                self.label = "DO";
                self.bare(Effect::Execute);
                self.reads_unknown = true;
                self.moves.unknown = true;
                self.reason("what DO runs is decided when it runs".to_owned());
                Kind::Do
            }
            N::CallStmt(call) => return self.procedure(call.funccall.as_deref()),
            _ => return (self.definition(node), Outputs::None),
        };
        (kind, Outputs::None)
    }

    fn execute_arguments(&mut self, arguments: &[Node]) {
        let scope = super::scope::Scope::under(None);
        for argument in arguments {
            let mut lineage = Lineage::default();
            self.expr(argument, &scope, &mut lineage, true);
        }
    }

    fn prepare(&mut self, name: &str, types: &[Node], query: Option<&Node>) -> (Kind, Outputs) {
        for node in types {
            if let Some(N::TypeName(name)) = inner(Some(node)) {
                self.conversion(name);
            }
        }
        let inside = self.inside(query);
        self.label = "PREPARE";
        self.actions.extend(inside.intent.actions.iter().cloned());
        self.reads.extend(inside.intent.reads.iter().cloned());
        self.reads_unknown |= inside.intent.reads_unknown;
        self.unbounded |= inside.intent.flags.unbounded;
        for reason in &inside.intent.reasons {
            self.reason(reason.clone());
        }
        self.also_moves(&inside.intent.moves, inside.intent.moves_unknown);
        for column in &inside.intent.predicates {
            let id = self.columns.id(&column.relation, &column.column);
            self.predicates.add(id);
        }
        (Kind::Prepare { name: name.to_owned(), inner: Box::new(inside) }, Outputs::None)
    }

    /// A statement inside another, on its own.
    fn inside(&mut self, node: Option<&Node>) -> crate::analysis::Statement {
        let mut walker = Walker::new(self.catalog, self.path);
        walker.fresh.clone_from(&self.fresh);
        // Parameters of declared types are values in it.
        walker.converts = self.hand_on();
        let statement = walker.run(node);
        self.literal |= walker.literal;
        self.misses.append(&mut walker.misses);
        statement
    }

    /// What another statement moves is moved by this one.
    pub(super) fn also_moves(&mut self, moves: &[model::Move], unknown: bool) {
        for step in moves {
            let mut value = Lineage::default();
            value.add(self.columns.id(&step.from.relation, &step.from.column));
            let to = step.to.as_ref().map(|to| self.columns.id(&to.relation, &to.column));
            self.moves.add_as(&value, to, step.made);
        }
        self.moves.unknown |= unknown;
    }

    fn declare(&mut self, name: &str, query: Option<&Node>) -> (Kind, Outputs) {
        self.label = "DECLARE";
        let outputs = match inner(query) {
            Some(N::SelectStmt(select)) => {
                let columns = self.select(select, None);
                self.outputs(columns.as_deref())
            }
            _ => {
                self.not_understood("the query of a cursor");
                Outputs::Unknown
            }
        };
        if self.actions.is_empty() {
            self.bare(Effect::Read);
        }
        (Kind::DeclareCursor { name: name.to_owned() }, outputs)
    }

    fn lock(&mut self, lock: &LockStmt) -> Kind {
        self.label = "LOCK";
        // pg_query::LockMode: 1 ACCESS SHARE, 2 ROW SHARE, 3 ROW EXCLUSIVE, and upwards.
        let effect = match lock.mode {
            1 => Effect::Read,
            2 | 3 => Effect::Write,
            _ => Effect::Admin,
        };
        for node in &lock.relations {
            let Some(N::RangeVar(range)) = inner(Some(node)) else {
                self.not_understood("a table of LOCK");
                continue;
            };
            for object in self.objects(range) {
                self.act(effect, object);
            }
        }
        Kind::Other
    }

    fn procedure(&mut self, call: Option<&pg_query::protobuf::FuncCall>) -> (Kind, Outputs) {
        self.label = "CALL";
        let Some(call) = call else {
            self.not_understood("CALL without a procedure");
            return (Kind::Call, Outputs::Unknown);
        };
        let scope = super::scope::Scope::under(None);
        let mut lineage = Lineage::default();
        self.call(call, &scope, &mut lineage, false);
        // No procedure is known to be harmless.
        if !self.actions.iter().any(|action| matches!(action.effect, Effect::Execute | Effect::Export | Effect::Admin))
        {
            self.bare(Effect::Execute);
        }
        self.reads_unknown = true;
        (Kind::Call, Outputs::Unknown)
    }

    fn explain(&mut self, explain: &ExplainStmt) -> (Kind, Outputs) {
        let analyze = explain.options.iter().any(|node| match inner(Some(node)) {
            Some(N::DefElem(option)) if option.defname == "analyze" => option
                .arg
                .as_deref()
                .and_then(constant::setting)
                .is_none_or(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "0")),
            _ => false,
        });
        self.literal = true;
        let inside = self.inside(explain.query.as_deref());
        self.label = "EXPLAIN";
        for reason in &inside.intent.reasons {
            self.reason(reason.clone());
        }
        for column in &inside.intent.predicates {
            let id = self.columns.id(&column.relation, &column.column);
            self.predicates.add(id);
        }
        self.reads.extend(inside.intent.reads.iter().cloned());
        self.reads_unknown |= inside.intent.reads_unknown;
        if analyze || matches!(inside.kind, Kind::ExecutePrepared { .. } | Kind::Unparsed) {
            self.actions.extend(inside.intent.actions.iter().cloned());
            self.unbounded |= inside.intent.flags.unbounded;
            self.bound.clone_from(&inside.bound);
            self.also_moves(&inside.intent.moves, inside.intent.moves_unknown);
        } else {
            self.planned(&inside.intent.actions);
        }
        let outputs = self.plan_outputs();
        let kind = match inside.kind {
            // The session knows what it runs.
            Kind::ExecutePrepared { name } => Kind::ExecutePrepared { name },
            _ => Kind::Explain { analyze },
        };
        (kind, outputs)
    }

    /// Planning reads statistics of every relation, and may call functions that do not change anything to fold constants.
    fn planned(&mut self, actions: &[model::Action]) {
        self.bare(Effect::Read);
        // What would be made does not exist.
        for action in actions.iter().filter(|action| action.effect != Effect::Create) {
            let Some(object) = &action.object else {
                if action.effect == Effect::Unknown {
                    self.bare(Effect::Unknown);
                }
                continue;
            };
            match object.kind {
                ObjectKind::Relation | ObjectKind::Sequence => self.act(Effect::Read, object.clone()),
                ObjectKind::Function | ObjectKind::Type => {
                    self.actions.insert(action.clone());
                }
                ObjectKind::Schema
                | ObjectKind::Database
                | ObjectKind::Setting
                | ObjectKind::Role
                | ObjectKind::Channel
                | ObjectKind::Catalog
                | ObjectKind::File
                | ObjectKind::Host
                | ObjectKind::Path
                | ObjectKind::Command
                | ObjectKind::Other => {}
            }
            if action.effect == Effect::Admin {
                self.actions.insert(action.clone());
            }
        }
    }

    /// A plan shows the statement's own words and how many rows are expected or came, which answers what its conditions ask. The values of
    /// its result are not in it.
    fn plan_outputs(&mut self) -> Outputs {
        let mut lineage = Lineage::default();
        lineage.merge(&self.predicates);
        if self.reads_unknown {
            lineage.set_unknown();
        }
        Outputs::Columns(vec![self.columns.deps(&lineage)])
    }
}
