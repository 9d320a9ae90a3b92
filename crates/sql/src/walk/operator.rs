//! Operators: what they do.

use model::{Effect, ObjectKind};
use pg_query::protobuf::{AExpr, Node};

use super::scope::Scope;
use super::types::Type;
use super::{Walker, qualified};
use crate::functions;

/// Operators that ask something about their operands: by their answer, or by failing for some values. The others put values together.
pub(super) fn compares(operator: &str) -> bool {
    !matches!(operator, "||" | "->" | "->>" | "#>" | "#>>")
}

/// Arithmetic: chains of it are walked in a loop.
pub(super) fn is_chained(operator: &str) -> bool {
    matches!(operator, "+" | "-" | "*" | "/" | "%" | "||" | "->" | "->>" | "#>" | "#>>" | "&" | "|" | "#")
}

impl<'c> Walker<'c> {
    /// An operator by its name list; answers whether its result can hold anything.
    pub(super) fn operator(&mut self, name: &[Node]) -> bool {
        let (schema, name) = qualified(name);
        self.operator_named(schema, name)
    }

    /// The same, where the operands are known.
    pub(super) fn operator_on(
        &mut self,
        name: &[Node],
        left: Option<&Node>,
        right: Option<&Node>,
        scope: &Scope<'_, 'c>,
    ) -> bool {
        let (schema, name) = qualified(name);
        if self.catalog.operators_named(name).iter().all(|operator| operator.harmless) {
            return self.operator_named(schema, name);
        }
        let types = (self.type_of(left, scope), self.type_of(right, scope));
        self.operator_for(schema, name, types)
    }

    /// Whether the server uses an operator of its own: a user's of the same name may ask anything.
    pub(super) fn is_servers_own(&mut self, expression: &AExpr, scope: &Scope<'_, 'c>) -> bool {
        let (schema, name) = qualified(&expression.name);
        match schema {
            Some(schema) => schema == "pg_catalog",
            None if self.is_only_servers(name) => true,
            None if self.fresh.doubts(name) => false,
            None => {
                let left = self.type_of(expression.lexpr.as_deref(), scope);
                let right = self.type_of(expression.rexpr.as_deref(), scope);
                let catalog = self.catalog;
                self.operator_settled(name, left, right).is_some()
                    || catalog.operators_named(name).iter().all(|operator| self.cannot_operate(operator, left, right))
            }
        }
    }

    /// Whether no user has made an operator of this name.
    pub(super) fn is_only_servers(&self, name: &str) -> bool {
        self.catalog.operators_named(name).is_empty() && !self.fresh.doubts(name)
    }

    pub(super) fn operator_named(&mut self, schema: Option<&str>, name: &str) -> bool {
        self.operator_for(schema, name, (Type::Open, Type::Open))
    }

    fn operator_for(&mut self, schema: Option<&str>, name: &str, (left, right): (Type, Type)) -> bool {
        let mut anything = false;
        if schema != Some("pg_catalog") {
            self.check_fresh(name);
        }
        let builtin = functions::is_builtin_operator(name) && schema.is_none_or(|schema| schema == "pg_catalog");
        let catalog = self.catalog;
        let mut found = builtin;
        let settled = builtin && schema.is_none() && self.operator_settled(name, left, right).is_some();
        for operator in catalog.operators_named(name) {
            if settled || self.cannot_operate(operator, left, right) {
                continue;
            }
            let reachable = match schema {
                Some(schema) => operator.schema == schema,
                None => self.looks_in(&operator.schema) || operator.schema == "pg_catalog",
            };
            if reachable {
                found = true;
                if !operator.harmless {
                    anything |= self.set_off_by(&operator.function, &format!("operator {name} runs"));
                }
            }
        }
        // BETWEEN, LIKE and the like name no operator of the catalogue.
        let keyword = name.is_empty() || name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b' ');
        if !found && !keyword {
            let object = self.unresolved(schema.unwrap_or(""), name, ObjectKind::Function);
            self.reason(format!("operator {name} is not known"));
            self.act(Effect::Execute, object);
            anything = true;
        }
        anything
    }
}
