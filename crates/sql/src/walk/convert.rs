//! Conversions: what a cast that somebody made runs, and where.
//!
//! A cast to a type of the server's own runs its function where a value of the other type is, and the text shows only what it is converted
//! to. So both are collected over the whole statement: the types that something is converted to, and the values that are there.

use std::collections::BTreeSet;

use pg_query::protobuf::{Node, TypeName, node::Node as N};

use super::{Walker, inner, qualified};
use crate::catalog::Relation;
use crate::functions;

/// What one statement converts.
#[derive(Default)]
pub(super) struct Conversions {
    /// Types of the server's own that something is converted to.
    into: BTreeSet<String>,
    /// Something is converted to a row or a domain: to any type.
    into_any: bool,
    /// Casts of the types that are named and of the relations that are changed.
    values: Vec<(String, String)>,
    /// Parameters that stand right under a conversion, and to what: their types are that, unless they are used elsewhere or declared.
    parameters: Vec<(i32, String)>,
    /// Parameters that stand anywhere else.
    used: BTreeSet<i32>,
    /// The statement is prepared with types for its parameters.
    declared: bool,
    /// Functions of extensions give values of types that are not named.
    values_any: bool,
}

impl<'c> Walker<'c> {
    /// A conversion to a type: harmless unless the type, or a cast to it, has a function of its own.
    /// Answers whether its result may be anything.
    pub(super) fn conversion(&mut self, name: &TypeName) -> bool {
        let (into, anything) = self.conversion_into(name);
        self.converts.into.extend(into);
        anything
    }

    /// `argument::name`. A constant has no type before it is converted. Answers whether the argument was a parameter, and whether the result
    /// may be anything.
    pub(super) fn conversion_of(&mut self, name: &TypeName, argument: Option<&Node>) -> (bool, bool) {
        let (into, anything) = self.conversion_into(name);
        match (inner(argument), into) {
            (Some(N::AConst(_)), _) => (false, anything),
            (Some(N::ParamRef(parameter)), Some(into)) => {
                self.converts.parameters.push((parameter.number, into));
                (true, anything)
            }
            (_, into) => {
                self.converts.into.extend(into);
                (false, anything)
            }
        }
    }

    /// Parameters have the types that were declared for them.
    pub(super) fn declared(&mut self) {
        self.converts.declared = true;
    }

    /// A parameter that takes its type from where it stands.
    pub(super) fn parameter(&mut self, number: i32) {
        self.converts.used.insert(number);
    }

    /// What this statement converts goes on in the one inside it.
    pub(super) fn hand_on(&mut self) -> Conversions {
        let mut converts = std::mem::take(&mut self.converts);
        converts.declared |= !converts.values.is_empty();
        converts
    }

    /// The server's own type that this is, if it is one, and whether the result may be anything.
    fn conversion_into(&mut self, name: &TypeName) -> (Option<String>, bool) {
        let (schema, name) = qualified(&name.names);
        let builtin = functions::is_builtin_type(name);
        let mut into = None;
        if builtin && schema.is_none_or(|schema| schema == "pg_catalog") {
            into = Some(name.strip_prefix('_').unwrap_or(name).to_owned());
            if self.fresh.doubts(super::ddl::ANY_CAST) {
                self.check_fresh(super::ddl::ANY_CAST);
            }
            if schema.is_some() {
                return (into, false);
            }
        }
        if self.fresh.doubts(name) {
            // Made just now: an enum or a table of the same migration. Its conversions are its own unless a cast was made too.
            if self.fresh.doubts(super::ddl::ANY_CAST) {
                self.check_fresh(super::ddl::ANY_CAST);
            }
            return (into, false);
        }
        let mut found = builtin && schema.is_none();
        let mut runs: Vec<String> = Vec::new();
        let mut opens = false;
        for candidate in self.catalog.types_named(name) {
            let reachable = match schema {
                Some(schema) => {
                    candidate.schema == schema || schema == "pg_temp" && candidate.schema.starts_with("pg_temp_")
                }
                None => {
                    self.looks_in(&candidate.schema)
                        || candidate.schema == "pg_catalog"
                        || candidate.schema.starts_with("pg_temp_")
                }
            };
            if reachable {
                found = true;
                runs.extend(candidate.runs.iter().cloned());
                self.converts.values.extend(candidate.on_cast.iter().cloned());
                opens |= candidate.opens;
            }
        }
        let mut anything = false;
        self.converts.into_any |= opens;
        for function in runs {
            anything |= self.set_off_by(&function, "a conversion runs");
        }
        if found {
            return (into, anything);
        }
        // Row types of system tables and views are not in the list.
        self.converts.into_any = true;
        let rows = self.resolve(schema.unwrap_or(""), name, |_| true);
        for relation in &rows {
            self.values_of(relation);
        }
        if rows.is_empty() {
            let object = self.unresolved(schema.unwrap_or(""), name, model::ObjectKind::Type);
            self.reason(format!("type {} is not known", object.name));
            self.act(model::Effect::Execute, object);
            anything = true;
        }
        (into, anything)
    }

    /// Values of a relation that is changed are there without being read.
    pub(super) fn values_of(&mut self, relation: &Relation) {
        self.converts.values.extend(relation.on_cast.iter().cloned());
    }

    /// A function gives values of types that the text does not name.
    pub(super) fn values_of_any(&mut self) {
        self.converts.values_any = true;
    }

    /// Runs the casts between what is there and what something is converted to, as far as the statement is read. Which value they give is not
    /// followed, so what may be anything may be in any of the statement's; answers whether some may.
    pub(super) fn convert(&mut self) -> bool {
        let converts = &mut self.converts;
        for (number, into) in std::mem::take(&mut converts.parameters) {
            if converts.declared || converts.used.contains(&number) {
                converts.into.insert(into);
            } else {
                converts.parameters.push((number, into));
            }
        }
        let converts = &self.converts;
        if converts.into.is_empty() && !converts.into_any {
            return false;
        }
        let catalog = self.catalog;
        let read = self.numbers.iter().filter_map(|(_, oid)| catalog.relation(*oid));
        let met: BTreeSet<String> = read
            .flat_map(|relation| &relation.on_cast)
            .chain(&converts.values)
            .chain(catalog.conversions().filter(|_| converts.values_any))
            .filter(|(into, _)| converts.into_any || converts.into.contains(into))
            .map(|(_, function)| function.clone())
            .collect();
        let mut anything = false;
        for function in met {
            anything |= self.set_off_by(&function, "a conversion runs");
        }
        self.mixed |= anything;
        anything
    }
}
