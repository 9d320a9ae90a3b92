//! WITH and WITH RECURSIVE.

use std::rc::Rc;

use pg_query::protobuf::{CommonTableExpr, SelectStmt, WithClause, node::Node as N};

use super::query::{OutputColumn, is_set_operation, output_name, rename};
use super::scope::{Cte, Scope, Shape};
use super::{Walker, inner};
use crate::lineage::Lineage;

/// The marker relation of a recursive CTE's own columns while it is being solved. No real relation's name starts with NUL.
const MARKER: &str = "\0recursive";

/// First arms walked twice in one statement.
const MAX_REWALKS: usize = 16;

impl<'c> Walker<'c> {
    /// WITH: each query in turn, visible to those after it.
    pub(super) fn with(&mut self, with: &WithClause, scope: &mut Scope<'_, 'c>) {
        if with.recursive {
            self.with_recursive(with, scope);
            return;
        }
        for node in &with.ctes {
            let Some(N::CommonTableExpr(cte)) = inner(Some(node)) else {
                self.not_understood("a WITH item");
                continue;
            };
            let columns = self.cte_query(cte, scope);
            self.add_cte(cte, columns, scope);
        }
    }

    fn cte_query(&mut self, cte: &CommonTableExpr, scope: &Scope<'_, 'c>) -> Shape {
        match inner(cte.ctequery.as_deref()) {
            Some(N::SelectStmt(select)) => self.select(select, Some(scope)),
            Some(node @ (N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_))) => {
                self.change_statement(node, Some(scope))
            }
            _ => {
                self.not_understood("a WITH query");
                None
            }
        }
    }

    fn add_cte(&mut self, cte: &CommonTableExpr, mut columns: Shape, scope: &mut Scope<'_, 'c>) {
        let mut all = Lineage::default();
        for column in columns.iter().flatten() {
            all.merge(&column.lineage);
        }
        if let Some(columns) = &mut columns {
            rename(columns, &cte.aliascolnames);
            // SEARCH and CYCLE add columns made of the others.
            let mut extra = Vec::new();
            if let Some(search) = &cte.search_clause {
                extra.push(search.search_seq_column.clone());
            }
            if let Some(cycle) = cte.cycle_clause.as_deref() {
                extra.push(cycle.cycle_mark_column.clone());
                extra.push(cycle.cycle_path_column.clone());
                self.predicates.merge(&all);
            }
            for name in extra {
                columns.push(OutputColumn { name, lineage: all.clone() });
            }
        }
        scope.ctes.push(Rc::new(Cte { name: cte.ctename.clone(), columns }));
    }

    /// WITH RECURSIVE: all names are visible to all queries. Each CTE's own columns are markers first; then what the markers stand for is solved.
    fn with_recursive(&mut self, with: &WithClause, scope: &mut Scope<'_, 'c>) {
        let mut open: Vec<(usize, &CommonTableExpr, usize)> = Vec::new();
        for node in &with.ctes {
            let Some(N::CommonTableExpr(cte)) = inner(Some(node)) else {
                self.not_understood("a WITH item");
                continue;
            };
            open.push((scope.ctes.len(), cte, self.markers));
            self.markers += 1;
            scope.ctes.push(Rc::new(Cte { name: cte.ctename.clone(), columns: None }));
        }
        for (slot, cte, number) in &open {
            let names = cte_names(cte).or_else(|| self.first_arm_names(cte, scope));
            let columns = names.map(|names| self.marked(names, *number, cte));
            if let Some(place) = scope.ctes.get_mut(*slot) {
                *place = Rc::new(Cte { name: cte.ctename.clone(), columns });
            }
        }
        let mut solved: Vec<(usize, Shape)> = Vec::new();
        for (_, cte, number) in &open {
            let columns = self.cte_query(cte, scope);
            solved.push((*number, columns));
        }
        self.solve(&mut solved);
        for ((slot, cte, _), (_, columns)) in open.iter().zip(solved) {
            let at = *slot;
            self.add_cte(cte, columns, scope);
            if let Some(finished) = scope.ctes.pop()
                && let Some(place) = scope.ctes.get_mut(at)
            {
                *place = finished;
            }
        }
    }

    fn marked(&mut self, names: Vec<String>, number: usize, cte: &CommonTableExpr) -> Vec<OutputColumn> {
        let mut columns: Vec<OutputColumn> = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| OutputColumn { name, lineage: self.marker(number, at) })
            .collect();
        rename(&mut columns, &cte.aliascolnames);
        columns
    }

    /// The columns of a recursive CTE whose first arm has a star: that arm is walked once more for its names.
    fn first_arm_names(&mut self, cte: &CommonTableExpr, scope: &Scope<'_, 'c>) -> Option<Vec<String>> {
        // Such CTEs inside each other double the work each.
        if self.rewalks >= MAX_REWALKS {
            return None;
        }
        self.rewalks += 1;
        let columns = self.select(first_arm(cte)?, Some(scope))?;
        Some(columns.into_iter().map(|column| column.name).collect())
    }

    fn marker(&mut self, number: usize, at: usize) -> Lineage {
        let mut lineage = Lineage::default();
        lineage.add(self.columns.id(&format!("{MARKER}{number}"), &at.to_string()));
        lineage
    }

    /// Replaces markers by what they stand for, until nothing changes.
    fn solve(&mut self, solved: &mut [(usize, Shape)]) {
        let mut meaning: std::collections::HashMap<u32, (usize, usize)> = std::collections::HashMap::new();
        for (slot, (number, columns)) in solved.iter().enumerate() {
            for at in 0..columns.as_ref().map_or(0, Vec::len) {
                meaning.extend(self.marker(*number, at).ids().map(|id| (id, (slot, at))));
            }
        }
        let expand = |lineage: &Lineage, solved: &[(usize, Shape)]| -> Lineage {
            let mut wide = lineage.clone();
            for id in lineage.ids() {
                if let Some((slot, at)) = meaning.get(&id)
                    && let Some((_, Some(columns))) = solved.get(*slot)
                    && let Some(column) = columns.get(*at)
                {
                    wide.merge(&column.lineage);
                }
            }
            wide
        };
        // Each round carries lineage one step further; there are no more steps than columns.
        for _ in 0..=meaning.len() {
            let mut changed = false;
            for slot in 0..solved.len() {
                let Some((_, Some(columns))) = solved.get(slot).map(|(number, columns)| (number, columns.clone()))
                else {
                    continue;
                };
                let wide: Vec<Lineage> = columns.iter().map(|column| expand(&column.lineage, solved)).collect();
                if let Some((_, Some(columns))) = solved.get_mut(slot) {
                    for (column, wide) in columns.iter_mut().zip(wide) {
                        changed |= column.lineage != wide;
                        column.lineage = wide;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        self.predicates = expand(&self.predicates, solved);
        self.compared = expand(&self.compared, solved);
        self.moves.expand(|id| meaning.contains_key(&id), |lineage| expand(lineage, solved));
        for (_, columns) in solved.iter_mut() {
            for column in columns.iter_mut().flatten() {
                column.lineage.retain(|id| !meaning.contains_key(&id));
            }
        }
        self.predicates.retain(|id| !meaning.contains_key(&id));
        self.compared.retain(|id| !meaning.contains_key(&id));
    }
}

/// The non-recursive arm of a recursive CTE.
fn first_arm(cte: &CommonTableExpr) -> Option<&SelectStmt> {
    let Some(N::SelectStmt(select)) = inner(cte.ctequery.as_deref()) else {
        return None;
    };
    let mut select = select.as_ref();
    while let (true, Some(left)) = (is_set_operation(select), select.larg.as_deref()) {
        select = left;
    }
    Some(select)
}

/// The columns of a CTE by its text alone; `None` when a star hides them.
fn cte_names(cte: &CommonTableExpr) -> Option<Vec<String>> {
    let select = first_arm(cte)?;
    if let Some(N::List(row)) = inner(select.values_lists.first()) {
        return Some((1..=row.items.len()).map(|at| format!("column{at}")).collect());
    }
    select
        .target_list
        .iter()
        .map(|node| {
            let Some(N::ResTarget(target)) = inner(Some(node)) else {
                return None;
            };
            let value = target.val.as_deref()?;
            let may_be_star = match inner(Some(value)) {
                Some(N::ColumnRef(reference)) => {
                    matches!(reference.fields.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_)))
                }
                Some(N::AIndirection(indirection)) => {
                    matches!(indirection.indirection.last().and_then(|node| node.node.as_ref()), Some(N::AStar(_)))
                }
                _ => false,
            };
            (!may_be_star).then(|| if target.name.is_empty() { output_name(value) } else { target.name.clone() })
        })
        .collect()
}
