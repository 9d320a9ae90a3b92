//! Functions in the language SQL: walked as statements of their own, and what they do taken over by whoever calls them.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Action, ColumnRef, Effect, Predicate};
use pg_query::protobuf::{CreateFunctionStmt, FunctionParameterMode, Node, TypeName, node::Node as N};

use super::query::OutputColumn;
use super::scope::{Scope, Shape, Source};
use super::types::Type;
use super::{Walker, inner, qualified};
use crate::analysis::Deps;
use crate::catalog::{Body, Fields, Function};
use crate::functions::extensions::Trust;
use crate::lineage::Lineage;

/// Schema and name of a type.
pub(crate) fn type_name(name: &TypeName) -> (Option<&str>, &str) {
    qualified(&name.names)
}

impl<'c> Walker<'c> {
    /// What a function's body does; `path` is where the functions that it calls look names up. `None` when it is not understood.
    pub(crate) fn body(
        &mut self,
        path: &'c [String],
        open: Vec<u32>,
        create: &CreateFunctionStmt,
        statements: &[&Node],
        fields: Fields,
    ) -> Option<Body> {
        self.views = open;
        self.calls_path = path;
        self.relies = true;
        let mut given = Lineage::default();
        let scope = self.parameters(create, &mut given);
        self.declared();
        let mut columns: Shape = None;
        for node in statements {
            columns = self.body_statement(inner(Some(node))?, &scope)?;
        }
        if let Some(name) = &create.return_type {
            self.conversion(name);
            if type_name(name).1 == "void" {
                columns = Some(Vec::new());
            }
        }
        self.pass_on();
        self.convert();
        self.rely_on_objects();
        let columns = columns.map(|columns| columns.iter().map(|one| self.result_column(one, &given)).collect());
        let predicates = self.predicate_columns();
        let body = Body {
            predicates,
            moves: self.moves.named(&self.columns),
            moves_unknown: self.moves.unknown,
            // What is left to decide depends on the arguments.
            unbounded: self.unbounded || self.bound.is_some(),
            runs: self.collected(),
            fields,
            columns,
        };
        let doubtful = |action: &Action| {
            action.effect == Effect::Unknown
                || action.object.as_ref().is_some_and(|object| object.name.starts_with("??."))
        };
        let certain = body.runs.misses.is_empty() && !body.runs.actions.iter().any(doubtful);
        (certain && self.new_path.is_empty()).then_some(body)
    }

    /// The names of the parameters, around every statement. Defaults run when a call leaves them out.
    fn parameters<'s>(&mut self, create: &CreateFunctionStmt, given: &mut Lineage) -> Scope<'s, 'c> {
        let mut names = Vec::new();
        for node in &create.parameters {
            let Some(N::FunctionParameter(parameter)) = inner(Some(node)) else {
                continue;
            };
            if matches!(parameter.mode(), FunctionParameterMode::FuncParamTable) {
                continue;
            }
            if let Some(name) = &parameter.arg_type {
                self.conversion(name);
            }
            let known = parameter.arg_type.as_ref().map_or(Type::Open, |name| self.type_named(name));
            // `$1` counts what is put in.
            if !matches!(parameter.mode(), FunctionParameterMode::FuncParamOut) {
                self.parameters.push((parameter.name.clone(), known));
            }
            if let Some(default) = parameter.defexpr.as_deref() {
                let value = self.value(default, &Scope::under(None));
                given.merge(&value);
            }
            names.push(OutputColumn { name: parameter.name.clone(), lineage: Lineage::default() });
        }
        let mut scope = Scope::under(None);
        let name = qualified(&create.funcname).1.to_owned();
        super::from::push(&mut scope, name, None, Source::Derived(names));
        scope
    }

    fn body_statement(&mut self, node: &N, scope: &Scope<'_, 'c>) -> Option<Shape> {
        match node {
            N::SelectStmt(select) if select.into_clause.is_none() => Some(self.select(select, Some(scope))),
            N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_) => {
                Some(self.change_statement(node, Some(scope)))
            }
            N::ReturnStmt(result) => {
                let lineage = self.value(result.returnval.as_deref()?, scope);
                Some(Some(vec![OutputColumn { name: String::new(), lineage }]))
            }
            _ => None,
        }
    }

    fn result_column(&self, column: &OutputColumn, given: &Lineage) -> Deps {
        let mut lineage = column.lineage.clone();
        if self.mixed {
            lineage.set_anything();
        }
        // The value is converted to the type that the function returns.
        lineage.merge(given);
        self.columns.deps(&lineage)
    }

    /// What the names of tables stand for may change under a body that is a text.
    fn rely_on_objects(&mut self) {
        for object in self.actions.iter().filter_map(|action| action.object.as_ref()) {
            for (at, _) in object.name.match_indices('.') {
                self.relied.insert(object.name.get(at + 1..).unwrap_or_default().to_owned());
            }
        }
    }

    /// The body of a function, where it alone says what a call does.
    pub(super) fn body_of(&self, function: &Function) -> Option<Arc<Body>> {
        if function.trust() == Some(Trust::Remote) || function.schema.starts_with("pg_temp") {
            return None;
        }
        let body = Body::of(self.catalog, function, self.calls_path, &self.views)?;
        // What is kept of a view or a policy says what it reads, not what it puts where.
        // What is said to change nothing may run while a statement is only planned.
        let hidden = body.keeps() && (self.stored || function.volatility != 'v');
        let fits = self.still_holds(&body.runs.relied) && !hidden;
        fits.then_some(body)
    }

    /// Whether none of these names was given another meaning just now.
    pub(super) fn still_holds(&self, names: &BTreeSet<String>) -> bool {
        self.fresh.is_empty() || !names.iter().any(|name| self.fresh.touches(name))
    }

    /// What a function's body does is done by whoever calls it; answers where its result comes from beside the arguments.
    pub(super) fn take_over(&mut self, function: &Function, body: &Body) -> Lineage {
        self.add_collected(&format!("function {}", function.full()), &body.runs);
        self.unbounded |= body.unbounded;
        self.also_moves(&body.moves, body.moves_unknown);
        // What it asks without being given anything is whoever made it who asks.
        if function.arguments > 0 {
            for column in &body.predicates {
                let id = self.columns.id(&column.relation, &column.column);
                if column.equality { self.compared.add(id) } else { self.predicates.add(id) }
            }
        }
        self.stores_arguments |= body.keeps();
        if body.keeps() {
            self.compared_with.forget();
        }
        self.relied.insert(function.name.clone());
        let mut all = Lineage::default();
        match &body.columns {
            Some(columns) => columns.iter().for_each(|deps| self.add_deps(&mut all, deps)),
            None => all.set_unknown(),
        }
        // One value of several columns is no column's value.
        all.set_same(None);
        all
    }

    /// The columns that a call of this function has in FROM.
    pub(super) fn columns_of_body(&mut self, body: &Body) -> Shape {
        let deps = body.columns.as_ref()?;
        let names = match &body.fields {
            Fields::Value => vec![String::new()],
            Fields::Named(names) => names.clone(),
            Fields::Open => return None,
        };
        let mut all = Lineage::default();
        deps.iter().for_each(|deps| self.add_deps(&mut all, deps));
        let each = deps.len() == names.len();
        let columns = names.into_iter().enumerate().map(|(at, name)| {
            let mut lineage = Lineage::default();
            match deps.get(at).filter(|_| each) {
                Some(deps) => self.add_deps(&mut lineage, deps),
                // One value with all the fields.
                None => lineage.merge(&all),
            }
            OutputColumn { name, lineage }
        });
        Some(columns.collect())
    }

    /// A function that something sets off, by `schema.name`. What is not seen here is where its result goes, so that has to be made of its arguments
    /// alone; answers whether it may be anything.
    pub(super) fn set_off_by(&mut self, function: &str, why: &str) -> bool {
        match self.bodies_of(function) {
            Some(bodies) => {
                for (function, body) in bodies {
                    self.take_over(function, &body);
                }
                false
            }
            None => {
                self.runs(function, why);
                true
            }
        }
    }

    /// The bodies of the functions of this full name, where they say that all of them only compute.
    fn bodies_of(&self, function: &str) -> Option<Vec<(&'c Function, Arc<Body>)>> {
        let catalog = self.catalog;
        let name = function.rsplit('.').next().unwrap_or(function);
        let candidates = catalog.functions_named(name).iter().filter(|candidate| candidate.full() == function);
        let bodies: Option<Vec<_>> =
            candidates.map(|one| Some((one, self.body_of(one).filter(|body| body.only_computes())?))).collect();
        bodies.filter(|bodies| !bodies.is_empty() && !self.fresh.doubts(name))
    }

    /// The columns on which conditions depend, by name.
    pub(super) fn predicate_columns(&self) -> Vec<Predicate> {
        let mut columns = self.columns.list(&self.predicates);
        if self.predicates.is_unknown() || self.compared.is_unknown() {
            let all = |object: &model::Object| ColumnRef { relation: object.name.clone(), column: "*".to_owned() };
            columns.extend(self.reads.iter().map(all));
        }
        let mut compared = self.columns.list(&self.compared);
        compared.retain(|column| !columns.contains(column));
        let equal = |column: ColumnRef| Predicate { equality: true, ..column.into() };
        columns.into_iter().map(Predicate::from).chain(compared.into_iter().map(equal)).collect()
    }
}
