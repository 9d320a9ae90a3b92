//! Joins: which columns two sides share, and what a join hides.

use pg_query::protobuf::JoinExpr;

use super::from::push;
use super::query::{OutputColumn, rename};
use super::scope::{Scope, Shape, Source};
use super::{Walker, strings};
use crate::lineage::Lineage;

impl<'c> Walker<'c> {
    pub(super) fn join(&mut self, join: &JoinExpr, scope: &mut Scope<'_, 'c>, asks: bool) -> Shape {
        let asks = asks || join.is_natural || !join.using_clause.is_empty() || join.alias.is_some();
        let start = scope.items.len();
        let left = join.larg.as_deref().and_then(|node| self.item_of_from(node, scope, asks));
        let right = join.rarg.as_deref().and_then(|node| self.item_of_from(node, scope, asks));
        // ON sees the two sides and what is around the query, not the items before.
        let first = std::mem::replace(&mut scope.first, start);
        if let Some(condition) = join.quals.as_deref() {
            self.predicate(condition, scope);
        }
        scope.first = first;
        let mut shared: Option<Vec<String>> =
            Some(strings(&join.using_clause).into_iter().map(str::to_owned).collect());
        if join.is_natural {
            shared = match (&left, &right) {
                (Some(left), Some(right)) => Some(
                    left.iter()
                        .filter(|column| right.iter().any(|other| other.name == column.name))
                        .map(|column| column.name.clone())
                        .collect(),
                ),
                _ => None,
            };
        }
        if shared.as_ref().is_none_or(|shared| !shared.is_empty()) {
            self.operator_named(None, "=");
        }
        let columns = self.join_columns(left, right, shared.as_deref(), scope, start);
        self.name_join(join, columns.as_ref(), scope, start);
        columns
    }

    /// USING looks its `=` up by name.
    fn joined_by(&mut self, lineage: &Lineage) {
        if self.is_only_servers("=") {
            self.equal(lineage);
        } else {
            self.predicates.merge(lineage);
        }
    }

    /// What a star lists: the shared columns once, then the rest of both sides.
    fn join_columns(
        &mut self,
        left: Shape,
        right: Shape,
        shared: Option<&[String]>,
        scope: &Scope<'_, 'c>,
        start: usize,
    ) -> Shape {
        let (Some(left), Some(right), Some(shared)) = (left, right, shared) else {
            match shared {
                Some(shared) => {
                    for name in shared {
                        for item in scope.items.iter().skip(start) {
                            if let Some(lineage) = self.item_column(item, name) {
                                self.joined_by(&lineage);
                            }
                        }
                    }
                }
                None => self.predicates.set_unknown(),
            }
            return None;
        };
        let mut columns = Vec::with_capacity(left.len() + right.len());
        for name in shared {
            // Named by both sides, so used.
            for item in scope.items.iter().skip(start) {
                self.use_named(item, name);
            }
            let mut lineage = Lineage::default();
            let mut sides = Vec::new();
            for column in left.iter().chain(&right).filter(|column| column.name == *name) {
                self.joined_by(&column.lineage);
                lineage.merge(&column.lineage);
                sides.push(column.lineage.same());
            }
            // Either side's value stands for both.
            if let [Some(one), Some(other)] = sides.as_slice()
                && one.type_oid == other.type_oid
            {
                lineage.set_same(Some(*one));
            }
            columns.push(OutputColumn { name: name.clone(), lineage });
        }
        columns.extend(left.into_iter().chain(right).filter(|column| !shared.contains(&column.name)));
        Some(columns)
    }

    /// `(a JOIN b) AS j` hides a and b; `USING (x) AS u` adds u.
    fn name_join(
        &mut self,
        join: &JoinExpr,
        columns: Option<&Vec<OutputColumn>>,
        scope: &mut Scope<'_, 'c>,
        start: usize,
    ) {
        if let Some(alias) = &join.join_using_alias {
            let shared = strings(&join.using_clause);
            let source = columns.map_or_else(
                || Source::Open(Lineage::unknown()),
                |columns| {
                    Source::Derived(
                        columns.iter().filter(|column| shared.contains(&column.name.as_str())).cloned().collect(),
                    )
                },
            );
            push(scope, alias.aliasname.clone(), None, source);
        }
        if let Some(alias) = &join.alias {
            let mut lineage = Lineage::default();
            for item in scope.items.iter_mut().skip(start) {
                item.hidden = true;
            }
            // From here on their columns are the join's, and nothing tells which are used.
            for item in scope.items.iter().skip(start) {
                self.use_item(item);
            }
            let source = match columns {
                Some(columns) => {
                    let mut columns = columns.clone();
                    rename(&mut columns, &alias.colnames);
                    Source::Derived(columns)
                }
                None => {
                    for item in scope.items.iter().skip(start) {
                        let whole = self.item_whole(item);
                        lineage.merge(&whole);
                    }
                    lineage.set_unknown();
                    Source::Open(lineage)
                }
            };
            push(scope, alias.aliasname.clone(), None, source);
        }
    }
}
