//! Types of arguments where they are certain, to tell which of several functions or operators of one name the server cannot choose.
//!
//! A type is certain when it is a constant's, a cast's to one of the server's types, or a column's of the only table that may have it.

use pg_query::protobuf::{AConst, AExprKind, ColumnRef, Node, TypeName, a_const::Val, node::Node as N};

use super::scope::{Scope, Source};
use super::{Walker, inner, qualified, strings};
use crate::catalog::{Function, Operator};
use crate::functions;

/// Expressions in expressions are followed this deep.
const MAX_STEPS: usize = 6;

/// What is known about an operand's type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    /// One of the server's own.
    Server(&'static str),
    /// A text in quotes: whatever is asked for.
    Literal,
    /// A bit of everything.
    Open,
    /// An operand that is not there.
    Missing,
}

impl<'c> Walker<'c> {
    /// The types of arguments. What is decided by them may be decided by constants.
    pub(super) fn types_of(&mut self, nodes: &[Node], scope: &Scope<'_, 'c>) -> Vec<Type> {
        nodes.iter().map(|node| self.type_of(Some(node), scope)).collect()
    }

    pub(super) fn type_of(&mut self, node: Option<&Node>, scope: &Scope<'_, 'c>) -> Type {
        let found = self.type_within(node, scope, MAX_STEPS);
        self.literal |= self.constants.take();
        found
    }

    fn type_within(&self, node: Option<&Node>, scope: &Scope<'_, 'c>, steps: usize) -> Type {
        match inner(node) {
            None => Type::Missing,
            Some(N::AConst(constant)) => self.type_of_constant(constant),
            Some(N::TypeCast(cast)) => cast.type_name.as_ref().map_or(Type::Open, |name| self.type_named(name)),
            Some(N::ColumnRef(reference)) => self.type_of_column(reference, scope),
            Some(N::ParamRef(parameter)) => {
                let at = usize::try_from(parameter.number).ok().and_then(|number| number.checked_sub(1));
                at.and_then(|at| self.parameters.get(at)).map_or(Type::Open, |(_, known)| *known)
            }
            Some(N::AExpr(expression)) if steps > 0 && expression.kind() == AExprKind::AexprOp => {
                let left = self.type_within(expression.lexpr.as_deref(), scope, steps - 1);
                let right = self.type_within(expression.rexpr.as_deref(), scope, steps - 1);
                let (schema, name) = qualified(&expression.name);
                let own = schema.is_none_or(|schema| schema == "pg_catalog");
                let result = self.operator_settled(name, left, right).filter(|_| own);
                let known = result.and_then(functions::common_type_named).and_then(functions::common_type);
                known.map_or(Type::Open, Type::Server)
            }
            // The items of IN: of one type, or of none that is certain.
            Some(N::List(list)) => {
                let mut types = list.items.iter().map(|item| self.type_within(Some(item), scope, 0));
                let first = types.next().unwrap_or(Type::Open);
                if types.all(|next| next == first) { first } else { Type::Open }
            }
            Some(_) => Type::Open,
        }
    }

    fn type_of_constant(&self, constant: &AConst) -> Type {
        // In texts of one shape a string stays a string and a small number a small one; others may be of several types.
        if matches!(constant.val, Some(Val::Fval(_))) {
            self.constants.set(true);
        }
        match &constant.val {
            Some(Val::Ival(_)) => Type::Server("int4"),
            // Numbers that do not fit are of a type with more digits.
            Some(Val::Fval(number)) if number.fval.parse::<i64>().is_ok() => Type::Server("int8"),
            Some(Val::Fval(number)) if number.fval.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
                Type::Server("numeric")
            }
            Some(Val::Boolval(_)) => Type::Server("bool"),
            Some(Val::Sval(_)) => Type::Literal,
            Some(Val::Fval(_) | Val::Bsval(_)) | None => Type::Open,
        }
    }

    /// One of the server's types by name.
    pub(super) fn type_named(&self, name: &TypeName) -> Type {
        let (schema, last) = qualified(&name.names);
        // An unqualified name is the server's own unless the path says otherwise.
        let own = schema == Some("pg_catalog") || (schema.is_none() && self.own_first());
        let known = functions::common_type_named(last).and_then(functions::common_type);
        known.filter(|_| own && name.array_bounds.is_empty()).map_or(Type::Open, Type::Server)
    }

    /// Whether the server looks its own names up before all others, as it does unless the path holds pg_catalog.
    fn own_first(&self) -> bool {
        !self.path.iter().any(|schema| schema == "pg_catalog")
    }

    fn type_of_column(&self, reference: &ColumnRef, scope: &Scope<'_, 'c>) -> Type {
        let parts = strings(&reference.fields);
        let (table, name) = match (parts.as_slice(), reference.fields.len()) {
            ([name], 1) => (None, *name),
            ([table, name], 2) => (Some(*table), *name),
            _ => return Type::Open,
        };
        let mut level = Some(scope);
        while let Some(current) = level {
            let mut items = current.visible().filter(|item| {
                table.is_none_or(|table| item.name == table)
                    && match &item.source {
                        Source::Tables { relations, renames } => relations.iter().any(|relation| {
                            let names = relation.columns.iter().enumerate();
                            names.into_iter().any(|(at, column)| renames.get(at).unwrap_or(&column.name) == name)
                        }),
                        Source::Derived(columns) => columns.iter().any(|column| column.name == name),
                        Source::Open(_) => true,
                    }
            });
            match (items.next(), items.next()) {
                // Around all of a body stand its parameters.
                (Some(_), None) if current.parent.is_none() && !self.parameters.is_empty() => {
                    let known = self.parameters.iter().find(|(parameter, _)| parameter == name);
                    return known.map_or(Type::Open, |(_, known)| *known);
                }
                (Some(item), None) => return column_type(&item.source, name).map_or(Type::Open, Type::Server),
                (Some(_), Some(_)) => return Type::Open,
                (None, _) => level = current.parent,
            }
        }
        Type::Open
    }

    /// Whether the server chooses its own function of this name for arguments of these types: none fits better than one made for them.
    pub(super) fn settled(&self, name: &str, types: &[Type]) -> bool {
        let names: Option<Vec<&str>> = types
            .iter()
            .map(|one| match one {
                Type::Server(name) => Some(*name),
                Type::Literal | Type::Open | Type::Missing => None,
            })
            .collect();
        self.own_first() && names.is_some_and(|names| functions::has_function(name, &names))
    }

    /// The same of operators: the type of the result where the server chooses its own. A text in quotes is taken for what the other side is.
    pub(super) fn operator_settled(&self, name: &str, left: Type, right: Type) -> Option<&'static str> {
        let (left, right) = match (left, right) {
            (Type::Literal, Type::Server(right)) => (right, right),
            (Type::Server(left), Type::Literal) => (left, left),
            (Type::Server(left), Type::Server(right)) => (left, right),
            (Type::Missing, Type::Server(right)) => ("", right),
            _ => return None,
        };
        self.own_first().then(|| functions::operator_result(name, left, right)).flatten()
    }

    /// Whether the server cannot choose this function for arguments of these types.
    pub(super) fn cannot_take(&self, function: &Function, types: &[Type]) -> bool {
        let plain = function.types.len() - usize::from(function.variadic && !function.types.is_empty());
        types.iter().zip(function.types.iter().take(plain)).any(|(given, wanted)| self.cannot_become(*given, *wanted))
    }

    /// Whether the server cannot choose this operator for operands of these types.
    pub(super) fn cannot_operate(&self, operator: &Operator, left: Type, right: Type) -> bool {
        let [wants_left, wants_right] = operator.types;
        let one = |given: Type, wanted: u32| {
            (given == Type::Missing) != (wanted == 0) || (wanted != 0 && self.cannot_become(given, wanted))
        };
        (left, right) != (Type::Open, Type::Open) && (one(left, wants_left) || one(right, wants_right))
    }

    /// Whether a value of this type is not converted to that one unasked.
    fn cannot_become(&self, given: Type, wanted: u32) -> bool {
        let Type::Server(given) = given else {
            return false;
        };
        if self.catalog.has_implicit_cast(functions::common_type_named(given).unwrap_or(0), wanted)
            || self.fresh.doubts(super::ddl::ANY_CAST)
        {
            return false;
        }
        match functions::common_type(wanted) {
            Some(wanted) => !functions::has_implicit_cast(given, wanted),
            // Rows, enums, base and range types of users; a domain takes what it is made of.
            None => self.catalog.type_kind(wanted).is_some_and(|kind| matches!(kind, 'c' | 'e' | 'b' | 'r' | 'm')),
        }
    }
}

fn column_type(source: &Source<'_>, name: &str) -> Option<&'static str> {
    let Source::Tables { relations, renames } = source else {
        return None;
    };
    let [relation] = relations.as_slice() else {
        return None;
    };
    let mut columns = relation.columns.iter().enumerate();
    let (_, column) = columns.find(|(at, column)| renames.get(*at).unwrap_or(&column.name) == name)?;
    // A domain may have functions of its own.
    (column.type_oid == column.value_oid).then(|| functions::common_type(column.type_oid)).flatten()
}
