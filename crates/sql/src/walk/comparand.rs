//! Constants and parameters that stand for one column's value: compared with it as they are, for being equal.

use std::collections::BTreeMap;

use pg_query::protobuf::{AExpr, AExprKind, Node, TypeCast, a_const::Val, node::Node as N};

use super::scope::Scope;
use super::{Walker, inner, qualified};
use crate::analysis::{Comparand, Kind, Place};
use crate::lineage::{Columns, Lineage};
use crate::shape;

/// What one statement compares.
#[derive(Default)]
pub(super) struct Found {
    /// By the byte of the text where it stands: what it is, and the column that it is compared with; `None` when it is compared with several.
    at: BTreeMap<usize, Option<(What, Lineage)>>,
    /// The statement may store what its text does not show, its own words among it: nothing of it counts.
    forgotten: bool,
}

impl Found {
    /// The statement stores something that its text does not show, or what follows is not of its text.
    pub(super) fn forget(&mut self) {
        self.forgotten = true;
        self.at.clear();
    }

    fn add(&mut self, at: usize, found: (What, Lineage)) {
        if self.forgotten {
            return;
        }
        self.at
            .entry(at)
            .and_modify(|known| {
                if known.as_ref() != Some(&found) {
                    *known = None;
                }
            })
            .or_insert_with(|| Some(found.clone()));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    String,
    Parameter(usize),
}

impl<'c> Walker<'c> {
    /// `=`, `<>`, IN and the like: both sides, and what on one side stands for the other.
    pub(super) fn equality(&mut self, expression: &AExpr, scope: &Scope<'_, 'c>, sink: &mut Lineage) {
        let (left, right) = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
        let sides = [left, right].map(|node| node.map(|node| self.compared_to(node, scope)).unwrap_or_default());
        // What NULLIF compares with may be its result.
        if expression.kind() != AExprKind::AexprNullif {
            self.stands_for(right, &sides[0]);
            self.stands_for(left, &sides[1]);
        }
        for lineage in &sides {
            sink.merge(lineage);
        }
    }

    fn stands_for(&mut self, node: Option<&Node>, column: &Lineage) {
        if column.same().is_none() {
            return;
        }
        let (what, location) = match inner(node) {
            Some(N::List(list)) => return list.items.iter().for_each(|item| self.stands_for(Some(item), column)),
            Some(N::AArrayExpr(array)) => {
                return array.elements.iter().for_each(|item| self.stands_for(Some(item), column));
            }
            Some(N::TypeCast(cast)) if is_whole(cast) => return self.stands_for(cast.arg.as_deref(), column),
            Some(N::AConst(constant)) if matches!(constant.val, Some(Val::Sval(_))) => {
                (What::String, constant.location)
            }
            Some(N::ParamRef(parameter)) => match usize::try_from(parameter.number) {
                Ok(number @ 1..) => (What::Parameter(number - 1), parameter.location),
                _ => return,
            },
            _ => return,
        };
        if let Ok(location) = usize::try_from(location) {
            self.compared_with.add(location, (what, column.clone()));
        }
    }
}

fn leaves_no_words(kind: &Kind) -> bool {
    match kind {
        Kind::Query
        | Kind::Dml
        | Kind::CopyOut { .. }
        | Kind::Begin
        | Kind::Commit
        | Kind::Rollback
        | Kind::Savepoint
        | Kind::RollbackTo
        | Kind::Release
        | Kind::Set { .. }
        | Kind::Reset { .. } => true,
        Kind::Ddl
        | Kind::PrepareTransaction
        | Kind::CommitPrepared
        | Kind::RollbackPrepared
        | Kind::Prepare { .. }
        | Kind::ExecutePrepared { .. }
        | Kind::Deallocate { .. }
        | Kind::DeclareCursor { .. }
        | Kind::Fetch { .. }
        | Kind::CloseCursor { .. }
        | Kind::CopyIn { .. }
        | Kind::Discard { .. }
        | Kind::Listen { .. }
        | Kind::Unlisten
        | Kind::Notify { .. }
        | Kind::Explain { .. }
        | Kind::Call
        | Kind::Do
        | Kind::Other
        | Kind::Unparsed => false,
    }
}

/// Whether a cast leaves the whole value as it is: one that cuts or checks it would tell something of it.
fn is_whole(cast: &TypeCast) -> bool {
    let plain = cast.type_name.as_ref().is_some_and(|name| {
        let (schema, word) = qualified(&name.names);
        name.typmods.is_empty()
            && matches!(schema, None | Some("pg_catalog"))
            && matches!(word, "text" | "varchar" | "uuid")
    });
    plain && !matches!(inner(cast.arg.as_deref()), Some(N::TypeCast(_)))
}

/// The same of all statements of a text.
#[derive(Default)]
pub(super) struct Compared {
    at: BTreeMap<usize, (What, Comparand)>,
    forgotten: bool,
}

impl Compared {
    /// Adds those of one statement. Of a query or a change nothing is left when it is done; other statements keep their texts, or show them, and
    /// with theirs the whole message's.
    pub(super) fn take(&mut self, found: Found, kind: &Kind, columns: &Columns) {
        self.forgotten |= found.forgotten || !leaves_no_words(kind);
        for (at, found) in found.at {
            let Some((what, lineage)) = found else { continue };
            let Some(same) = lineage.same() else { continue };
            let Some(column) = columns.name(same.column) else { continue };
            let comparand = Comparand {
                place: Place::String(0),
                column: column.clone(),
                names: columns.list(&lineage),
                type_oid: same.type_oid,
            };
            self.at.insert(at, (what, comparand));
        }
    }

    /// With their places in the text. A parameter counts when every place of it stands for the same column.
    pub(super) fn places(mut self, text: &str) -> Vec<Comparand> {
        if self.forgotten || self.at.is_empty() {
            return Vec::new();
        }
        let Some(marks) = shape::marks(text.as_bytes()) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (index, range) in marks.strings.iter().enumerate() {
            if let Some((What::String, comparand)) = self.at.remove(&range.start) {
                all.push(Comparand { place: Place::String(index), ..comparand });
            }
        }
        let mut parameters: BTreeMap<usize, Option<Comparand>> = BTreeMap::new();
        for range in &marks.parameters {
            let number = text.get(range.start + 1..range.end).and_then(|digits| digits.parse::<usize>().ok());
            let Some(index) = number.and_then(|number| number.checked_sub(1)) else {
                return Vec::new();
            };
            let found = match self.at.remove(&range.start) {
                Some((What::Parameter(told), comparand)) if told == index => {
                    Some(Comparand { place: Place::Parameter(index), ..comparand })
                }
                _ => None,
            };
            parameters
                .entry(index)
                .and_modify(|known| {
                    if *known != found {
                        *known = None;
                    }
                })
                .or_insert_with(|| found.clone());
        }
        all.extend(parameters.into_values().flatten());
        all
    }
}
