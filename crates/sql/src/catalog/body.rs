//! What a function in the language SQL does: its body, analyzed on first use.

use std::sync::{Arc, Mutex, PoisonError};

use model::{Effect, Move, Predicate};
use pg_query::protobuf::{
    CreateFunctionStmt, DefElem, FunctionParameterMode, Node, TypeName, VariableSetKind, node::Node as N,
};

use super::{Catalog, Collected, Function, guard};
use crate::analysis::{Caps, Deps};
use crate::functions::settings::{self, Setting};
use crate::prescan;
use crate::walk::{Walker, text_of, type_name};

/// Functions that call functions are followed this deep; fewer where nothing is kept of what was found out.
const MAX_DEPTH: usize = 24;
const MAX_GUARDED_DEPTH: usize = 8;

/// Search paths for which a function's body is kept.
const MAX_KEPT: usize = 8;

/// What the result of a function is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fields {
    /// One value, under the function's own name.
    Value,
    /// Columns of these names.
    Named(Vec<String>),
    /// The call says, or it is not known.
    Open,
}

/// A function's body, analyzed.
#[derive(Debug)]
pub(crate) struct Body {
    /// What calling it does.
    pub(crate) runs: Collected,
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) moves: Vec<Move>,
    pub(crate) moves_unknown: bool,
    pub(crate) unbounded: bool,
    pub(crate) fields: Fields,
    /// Where each column of its result comes from beside the arguments, in order; `None` when not known.
    pub(crate) columns: Option<Vec<Deps>>,
}

/// Bodies kept, by the path in which their names were looked up. `None` is a body that is not understood.
#[derive(Debug, Default)]
pub(crate) struct Bodies(Mutex<Vec<(Vec<String>, Option<Arc<Body>>)>>);

impl Bodies {
    fn get(&self, path: &[String]) -> Option<Option<Arc<Body>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| known == path).map(|(_, body)| body.clone())
    }

    fn keep(&self, path: &[String], body: Option<Arc<Body>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.push((path.to_vec(), body));
    }
}

impl Body {
    /// Whether something of its arguments may stay anywhere.
    pub(crate) fn keeps(&self) -> bool {
        self.runs.actions.iter().any(|action| !matches!(action.effect, Effect::Read | Effect::Execute))
    }

    /// Whether its result is made of its arguments alone, and nothing is left of them.
    pub(crate) fn only_computes(&self) -> bool {
        let clean = self.columns.as_ref().is_some_and(|columns| columns.iter().all(|deps| *deps == Deps::Clean));
        clean && !self.keeps()
    }

    /// The body of a function called where names are looked up in `path`, from the cache or analyzed now; `None` when it is in another language,
    /// runs with its owner's rights, or is not understood. `open` are the relations and functions being expanded around this one.
    pub(crate) fn of(catalog: &Catalog, function: &Function, path: &[String], open: &[u32]) -> Option<Arc<Self>> {
        function.definition.as_ref()?;
        if let Some(kept) = function.bodies.get(path) {
            return kept;
        }
        // Inside the expansion of a table's policies that table's own are left out, so nothing is kept.
        let guarded = open.iter().any(|oid| guard::is_guarded(catalog, *oid));
        let depth = if guarded { MAX_GUARDED_DEPTH } else { MAX_DEPTH };
        if open.contains(&function.oid) || open.len() >= depth {
            return None;
        }
        let body = Self::expand(catalog, function, path, open).map(Arc::new);
        if !guarded {
            function.bodies.keep(path, body.clone());
        }
        body
    }

    fn expand(catalog: &Catalog, function: &Function, path: &[String], open: &[u32]) -> Option<Self> {
        let definition = parse(function.definition.as_deref()?)?;
        let [raw] = definition.stmts.as_slice() else {
            return None;
        };
        let Some(N::CreateFunctionStmt(create)) = raw.stmt.as_deref().and_then(|node| node.node.as_ref()) else {
            return None;
        };
        let options = Options::read(create)?;
        let path = options.path.as_deref().unwrap_or(path);
        let text = options.text.as_deref().map(parse);
        let statements: Vec<&Node> = match (&text, create.sql_body.as_deref()) {
            (Some(tree), None) => tree.as_ref()?.stmts.iter().filter_map(|raw| raw.stmt.as_deref()).collect(),
            (_, Some(body)) => parts(body),
            (None, None) => return None,
        };
        let mut open = open.to_vec();
        open.push(function.oid);
        // Definitions of bodies that the server has parsed itself come with schemas on every name but pg_catalog's.
        let own: &[String] = if create.sql_body.is_some() { &[] } else { path };
        let mut walker = Walker::new(catalog, own);
        walker.body(path, open, create, &statements, Fields::of(catalog, create))
    }
}

fn parse(text: &str) -> Option<pg_query::protobuf::ParseResult> {
    prescan::check(text, &Caps::default()).ok()?;
    pg_query::parse(text, pg_query::ParserOptions::DEFAULT).ok().map(|tree| tree.protobuf)
}

/// The statements of `RETURN …` or `BEGIN ATOMIC …`, which are lists in a list.
fn parts(body: &Node) -> Vec<&Node> {
    match &body.node {
        Some(N::List(list)) => list.items.iter().flat_map(parts).collect(),
        _ => vec![body],
    }
}

/// What a definition says beside its body.
struct Options {
    text: Option<String>,
    path: Option<Vec<String>>,
}

impl Options {
    /// `None` when its body is not judged: another language, another's rights, settings that guard something.
    fn read(create: &CreateFunctionStmt) -> Option<Self> {
        let mut found = Self { text: None, path: None };
        for node in &create.options {
            let Some(N::DefElem(option)) = &node.node else {
                return None;
            };
            match option.defname.as_str() {
                "language" if text_of(option.arg.as_deref()?)? != "sql" => return None,
                "security" if !matches!(flag(option), Some(false)) => return None,
                "as" => match option.arg.as_deref().and_then(|node| node.node.as_ref()) {
                    Some(N::List(list)) => found.text = list.items.first().and_then(text_of),
                    _ => return None,
                },
                "set" => found.setting(option)?,
                _ => {}
            }
        }
        Some(found)
    }

    fn setting(&mut self, option: &DefElem) -> Option<()> {
        let Some(N::VariableSetStmt(set)) = option.arg.as_deref().and_then(|node| node.node.as_ref()) else {
            return None;
        };
        let values: Option<Vec<String>> = set.args.iter().map(text_of).collect();
        let name = set.name.to_ascii_lowercase();
        match (set.kind(), values) {
            (VariableSetKind::VarSetValue, Some(values)) if name == "search_path" => {
                // Whose `$user` it is, a snapshot does not say.
                if values.iter().any(|one| one == "$user") {
                    return None;
                }
                self.path = Some(values.into_iter().filter(|one| !one.is_empty()).collect());
                Some(())
            }
            (VariableSetKind::VarSetValue, Some(values)) => {
                let harmless = settings::judge(&name, Some(&values.join(", "))) == Setting::Harmless;
                harmless.then_some(())
            }
            _ => None,
        }
    }
}

fn flag(option: &DefElem) -> Option<bool> {
    match option.arg.as_deref().and_then(|node| node.node.as_ref()) {
        Some(N::Boolean(flag)) => Some(flag.boolval),
        _ => None,
    }
}

impl Fields {
    fn of(catalog: &Catalog, create: &CreateFunctionStmt) -> Self {
        let mut named = Vec::new();
        for node in &create.parameters {
            if let Some(N::FunctionParameter(parameter)) = &node.node
                && matches!(
                    parameter.mode(),
                    FunctionParameterMode::FuncParamOut
                        | FunctionParameterMode::FuncParamInout
                        | FunctionParameterMode::FuncParamTable
                )
            {
                let number = named.len() + 1;
                named.push(if parameter.name.is_empty() { format!("column{number}") } else { parameter.name.clone() });
            }
        }
        if !named.is_empty() {
            return Self::Named(named);
        }
        match &create.return_type {
            Some(name) => Self::of_type(catalog, name),
            None => Self::Open,
        }
    }

    /// Types come with their schema unless they are the server's own.
    fn of_type(catalog: &Catalog, name: &TypeName) -> Self {
        let (schema, last) = type_name(name);
        if !name.array_bounds.is_empty() {
            return Self::Value;
        }
        match schema {
            None | Some("pg_catalog") if crate::functions::is_builtin_type(last) => {
                if last == "record" || last.starts_with("any") { Self::Open } else { Self::Value }
            }
            Some(schema) => {
                let mut rows = catalog.relations_named(last).filter(|relation| relation.schema == schema);
                match (rows.next(), rows.next()) {
                    (Some(row), None) => Self::Named(row.columns.iter().map(|column| column.name.clone()).collect()),
                    // Not a row: an enum, a domain, a base type.
                    (None, _) if catalog.types_named(last).iter().any(|one| one.schema == schema) => Self::Value,
                    _ => Self::Open,
                }
            }
            None => Self::Open,
        }
    }
}
