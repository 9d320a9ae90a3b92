//! The walk over PostgreSQL's own tree: every node is looked at once, what is not known makes the statement `unknown`.
//!
//! | statement | effects |
//! |---|---|
//! | SELECT, VALUES, TABLE | `read` on every relation, base tables of views included; `write` with FOR UPDATE/SHARE (it takes locks that writers wait for) |
//! | SELECT INTO, CREATE TABLE AS, CREATE [MATERIALIZED] VIEW | `create`, and the query's own |
//! | INSERT, UPDATE, MERGE, ON CONFLICT DO UPDATE | `write` on the target, base tables of views and parents included |
//! | DELETE | `delete` likewise |
//! | what a write sets off | `execute` on functions of triggers, defaults, checks, index expressions, partition keys, assignment casts; the effects of rules; `delete`/`write` on tables that a foreign key cascades to |
//! | what any use of a relation sets off | the effects of its row security; `execute` on implicit casts of its columns' types and on what compares their values; on explicit casts of them where something is converted to their target |
//! | functions and operators | nothing when known to be harmless; `write` for nextval, setval, pg_notify; `execute`, `export`, `import`, `admin` |
//! | COPY … TO STDOUT | `read` |
//! | COPY … FROM STDIN | `write` |
//! | COPY to/from a file or program | `export`/`import` on the file, and the table's |
//! | EXPLAIN | `read` on every relation mentioned; with ANALYZE the statement's own |
//! | BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, SHOW, LISTEN, UNLISTEN, DEALLOCATE, CLOSE, DISCARD PLANS/SEQUENCES/TEMP, SET CONSTRAINTS | `session` |
//! | SET, RESET, set_config | `session` for harmless settings, `admin` on the setting otherwise; RESET ALL and DISCARD ALL put back what the session began with: `session`, also on `setting:application_name`; SET ROLE and SET SESSION AUTHORIZATION are `admin` |
//! | FETCH, MOVE | `read`, without an object; the session adds the cursor's |
//! | NOTIFY | `write` on the channel |
//! | CREATE … | `create`; functions it calls now or later are `execute` when not harmless |
//! | ALTER, COMMENT, SECURITY LABEL, REINDEX, CLUSTER, VACUUM, ANALYZE, REFRESH | `alter` |
//! | DROP, TRUNCATE | `destroy` |
//! | GRANT, REVOKE, roles, OWNER, policies, default privileges | `grant` |
//! | DROP OWNED | `grant` and `destroy`; REASSIGN OWNED `grant` |
//! | ALTER SYSTEM, ALTER DATABASE/ROLE … SET, LOCK stronger than ROW EXCLUSIVE, servers, wrappers, mappings, subscriptions, publications, event triggers, tablespaces, databases, CHECKPOINT, PREPARE TRANSACTION | `admin` |
//! | LOCK … ACCESS SHARE | `read`; ROW SHARE, ROW EXCLUSIVE `write` |
//! | CREATE/ALTER EXTENSION, CREATE LANGUAGE, LOAD, IMPORT FOREIGN SCHEMA | `import` |
//! | DO, CALL | `execute` |
//! | anything else | `unknown` |
//!
//! - `text`: a text of several statements; `statement`: which statement it is; `intent`: what was collected, as one intent
//! - `body`: functions in the language SQL, by what they do
//! - `query`, `with`, `from`, `join`, `expr`, `json`, `call`, `operator`, `aggregate`: the walk over queries; `scope`, `names`, `types`: what names mean;
//!   `comparand`: constants that stand for one column's value
//! - `dml`, `assign`, `copy`, `effects`: changes and what they set off; `convert`: what conversions set off; `moves`: values that go to another place
//! - `ddl`, `alter`, `asked`, `control`, `server`, `set`: definitions and what they ask of values, permissions, the server, settings

mod aggregate;
mod alter;
mod asked;
mod assign;
mod body;
mod call;
mod comparand;
mod constant;
mod control;
mod convert;
mod copy;
mod ddl;
mod dml;
mod effects;
mod expr;
mod from;
mod intent;
mod join;
mod json;
mod moves;
mod names;
mod operator;
mod query;
mod scope;
mod server;
mod set;
mod statement;
#[cfg(test)]
mod tests;
mod text;
mod types;
mod with;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Action, Effect, Flags, Intent, IntentId, Object, ObjectKind};
use pg_query::protobuf::{Node, node::Node as N};

use crate::analysis::{Deps, Kind, Outputs, Statement};
use crate::catalog::Catalog;
use crate::fresh::Fresh;
use crate::lineage::{Columns, Lineage};
use crate::unbounded::Bound;
pub(crate) use body::type_name;
pub(crate) use constant::setting as text_of;
use intent::finish;
pub(crate) use intent::running;
use moves::Moves;
pub use text::analyze;
use text::changes_one;

/// What one statement would do, collected while its tree is walked.
pub(crate) struct Walker<'c> {
    catalog: &'c Catalog,
    path: &'c [String],
    /// Where the bodies of functions look names up.
    calls_path: &'c [String],
    /// What is kept of the walk says what is read, not what is put where.
    stored: bool,
    /// Names and types of the parameters of the function whose body this is.
    parameters: Vec<(String, types::Type)>,
    /// Names count as relied on: they are looked up when it runs.
    relies: bool,
    relied: BTreeSet<String>,
    /// The columns of the call just walked, if it is one of a function whose columns are known.
    call_columns: scope::Shape,
    actions: BTreeSet<Action>,
    predicates: Lineage,
    /// Columns that are, as they are, compared for being equal.
    compared: Lineage,
    /// Constants and parameters that are compared with one column's value, by the byte of the text where they stand.
    compared_with: comparand::Found,
    reads: BTreeSet<Object>,
    reads_unknown: bool,
    reasons: BTreeSet<String>,
    misses: BTreeSet<String>,
    columns: Columns,
    literal: bool,
    /// The type of a constant was looked at.
    constants: Cell<bool>,
    unbounded: bool,
    /// Parts of the statement that change a table.
    changes: usize,
    /// What is put into other places, and where.
    moves: Moves,
    /// Values that this statement itself put into columns, or that a system relation shows of other data, may be in the result.
    mixed: bool,
    bound: Option<Arc<Bound>>,
    label: &'static str,
    /// Tables read so far, for locking clauses.
    read_log: Vec<Object>,
    /// Names and numbers of relations read.
    numbers: Vec<(String, u32)>,
    /// Views being expanded, against cycles.
    views: Vec<u32>,
    /// Relations whose rules are being expanded, against cycles.
    rules: Vec<(u32, char)>,
    /// Recursive CTEs being solved.
    markers: usize,
    /// First arms of recursive CTEs walked twice so far.
    rewalks: usize,
    /// What looking up names has cost so far; see [`MAX_LOOKS`](names::MAX_LOOKS).
    looks: usize,
    /// The call just judged puts its arguments in another place.
    stores_arguments: bool,
    /// Conversions to types of the server's own, and values that they may meet.
    converts: convert::Conversions,
    /// Schemas that the search path may hold afterwards.
    new_path: Vec<String>,
    /// Names that earlier statements changed: the snapshot does not show it.
    fresh: Fresh,
    /// What this statement does to tables leaves the meaning of their names as it was.
    plain: bool,
}

impl<'c> Walker<'c> {
    pub(crate) fn new(catalog: &'c Catalog, path: &'c [String]) -> Self {
        Self {
            catalog,
            path,
            calls_path: path,
            stored: false,
            parameters: Vec::new(),
            relies: false,
            relied: BTreeSet::new(),
            call_columns: None,
            actions: BTreeSet::new(),
            predicates: Lineage::default(),
            compared: Lineage::default(),
            compared_with: comparand::Found::default(),
            reads: BTreeSet::new(),
            reads_unknown: false,
            reasons: BTreeSet::new(),
            misses: BTreeSet::new(),
            columns: Columns::default(),
            literal: false,
            constants: Cell::new(false),
            unbounded: false,
            changes: 0,
            moves: Moves::default(),
            mixed: false,
            bound: None,
            label: "UNKNOWN",
            read_log: Vec::new(),
            numbers: Vec::new(),
            views: Vec::new(),
            rules: Vec::new(),
            markers: 0,
            rewalks: 0,
            looks: 0,
            stores_arguments: false,
            converts: convert::Conversions::default(),
            new_path: Vec::new(),
            fresh: Fresh::default(),
            plain: false,
        }
    }

    /// For a definition that the server keeps, with schemas on every name but pg_catalog's. Whoever uses it may have any schema in the path.
    pub(crate) fn of_definition(catalog: &'c Catalog) -> Self {
        Self { calls_path: catalog.schemas(), stored: true, ..Self::new(catalog, &[]) }
    }

    fn run(&mut self, node: Option<&Node>) -> Statement {
        let (kind, outputs) = match inner(node) {
            Some(node) => self.statement(node),
            None => {
                self.not_understood("an empty statement");
                (Kind::Unparsed, Outputs::Unknown)
            }
        };
        self.finish(kind, outputs)
    }

    /// The statement as collected.
    fn finish(&mut self, kind: Kind, outputs: Outputs) -> Statement {
        self.pass_on();
        self.convert();
        let predicates = self.predicate_columns();
        let intent = finish(Intent {
            id: IntentId(0),
            label: self.label.to_owned(),
            actions: std::mem::take(&mut self.actions).into_iter().collect(),
            flags: Flags { unbounded: self.unbounded, multi: false },
            predicates,
            reads: std::mem::take(&mut self.reads).into_iter().collect(),
            reads_unknown: self.reads_unknown,
            moves: self.moves.named(&self.columns),
            moves_unknown: self.moves.unknown,
            reasons: std::mem::take(&mut self.reasons).into_iter().collect(),
        });
        let counted =
            matches!(kind, Kind::Dml | Kind::CopyIn { .. }) && self.changes == 1 && changes_one(&intent.actions);
        Statement {
            intent: Arc::new(intent),
            kind,
            outputs,
            counted,
            bound: self.bound.take(),
            path: std::mem::take(&mut self.new_path),
            start: 0,
            len: 0,
        }
    }

    /// The columns of a view's own query; `open` are the views around it, itself included.
    pub(crate) fn view_columns(&mut self, node: Option<&Node>, open: Vec<u32>) -> Option<Vec<Lineage>> {
        self.views = open;
        let Some(N::SelectStmt(select)) = inner(node) else {
            self.not_understood("a view that is not a query");
            return None;
        };
        let columns = self.select(select, None)?;
        let anything = self.convert();
        let lineage = |column: query::OutputColumn| {
            let mut lineage = column.lineage;
            if anything {
                lineage.set_anything();
            }
            lineage
        };
        Some(columns.into_iter().map(lineage).collect())
    }

    /// A condition of a row security policy on `relation`; `open` are the relations around it, itself included.
    pub(crate) fn policy(&mut self, tree: Option<&pg_query::protobuf::ParseResult>, relation: u32, open: &[u32]) {
        self.views = open.to_vec();
        let statement = tree.and_then(|tree| tree.stmts.first()).and_then(|raw| inner(raw.stmt.as_deref()));
        let (Some(N::SelectStmt(select)), Some(relation)) = (statement, self.catalog.relation(relation)) else {
            self.not_understood("a row security policy");
            return;
        };
        let mut scope = scope::Scope::under(None);
        from::push_tables(&mut scope, relation.name.clone(), None, vec![relation]);
        self.select(select, Some(&scope));
    }

    /// What was collected, for a view.
    pub(crate) fn collected(&mut self) -> crate::catalog::Collected {
        self.convert();
        self.numbers.sort();
        self.numbers.dedup();
        crate::catalog::Collected {
            actions: std::mem::take(&mut self.actions).into_iter().collect(),
            reads: std::mem::take(&mut self.reads).into_iter().collect(),
            bases: std::mem::take(&mut self.numbers),
            reads_unknown: self.reads_unknown,
            reasons: std::mem::take(&mut self.reasons).into_iter().collect(),
            misses: std::mem::take(&mut self.misses).into_iter().collect(),
            relied: std::mem::take(&mut self.relied),
        }
    }

    pub(crate) fn deps_of(&self, lineage: &Lineage) -> Deps {
        self.columns.deps(lineage)
    }

    fn act(&mut self, effect: Effect, object: Object) {
        self.actions.insert(Action::on(effect, object));
    }

    fn bare(&mut self, effect: Effect) {
        self.actions.insert(Action::bare(effect));
    }

    fn reason(&mut self, text: String) {
        // Enough to explain; a hostile text must not make megabytes of them.
        if self.reasons.len() < 64 {
            self.reasons.insert(text);
        }
    }

    fn not_understood(&mut self, what: &str) {
        self.bare(Effect::Unknown);
        self.reads_unknown = true;
        self.reason(format!("not understood: {what}"));
    }

    /// SET search_path and set_config('search_path', …): where names may be looked up from now on.
    fn path_changes(&mut self, value: Option<&str>) {
        let names = match value {
            Some(value) => crate::catalog::split_path(value),
            None => self.catalog.search_path().to_vec(),
        };
        self.new_path.extend(names);
    }

    /// A name whose meaning an earlier statement changed.
    fn check_fresh(&mut self, name: &str) {
        if self.relies {
            self.relied.insert(name.to_owned());
        }
        if self.fresh.doubts(name) {
            self.in_doubt(name);
        }
    }

    fn in_doubt(&mut self, name: &str) {
        self.act(Effect::Execute, Object::new(ObjectKind::Function, format!("??.{name}")));
        self.reads_unknown = true;
        self.reason(format!("{name} was made or changed just before; send statements one by one"));
    }

    fn miss(&mut self, name: String) {
        if self.misses.len() < 256 {
            self.misses.insert(name);
        }
    }

    /// `execute` on a function by `schema.name`.
    fn runs(&mut self, function: &str, why: &str) {
        self.act(Effect::Execute, Object::new(ObjectKind::Function, function));
        self.reads_unknown = true;
        self.reason(format!("{why} {function}, which is not known to be harmless"));
    }
}

/// The node inside the wrapper.
fn inner(node: Option<&Node>) -> Option<&N> {
    node.and_then(|node| node.node.as_ref())
}

/// The names of an object node: a list, a string, a function with arguments, a type.
fn names_of(node: Option<&Node>) -> Vec<&str> {
    match inner(node) {
        Some(N::List(list)) => strings(&list.items),
        Some(N::String(name)) => vec![name.sval.as_str()],
        Some(N::ObjectWithArgs(object)) => strings(&object.objname),
        Some(N::TypeName(name)) => strings(&name.names),
        _ => Vec::new(),
    }
}

/// The strings of a name list: `[schema, name]`.
fn strings(nodes: &[Node]) -> Vec<&str> {
    nodes
        .iter()
        .filter_map(|node| match node.node.as_ref() {
            Some(N::String(text)) => Some(text.sval.as_str()),
            _ => None,
        })
        .collect()
}

/// Splits a name list into schema and name; a database in front is dropped.
fn qualified(nodes: &[Node]) -> (Option<&str>, &str) {
    let parts = strings(nodes);
    match parts.as_slice() {
        [] => (None, ""),
        [name] => (None, name),
        [.., schema, name] => (Some(schema), name),
    }
}
