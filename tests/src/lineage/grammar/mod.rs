//! Queries from a grammar: well typed, seeded by their number, over every construct that can stand between a column and a result.
//!
//! - [`schema`]: the tables as the generator knows them.
//! - [`select`]: SELECT, set operations, WITH, grouping, windows.
//! - [`from`]: tables, sub-selects, functions, joins.
//! - [`expr`]: values of a type. [`text`]: the many ways to make a text. [`sets`]: aggregates and window functions.
//! - [`frame`]: what stands around a query: cursors, PREPARE, COPY, EXPLAIN, changes.

mod expr;
mod frame;
mod from;
mod schema;
mod select;
mod sets;
mod text;

use std::rc::Rc;

use super::dice::Dice;
use schema::{Col, Ty};

/// One query with what has to be done before and after it.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// Which one of its seed.
    pub(super) number: u64,
    /// The sort of frame that it is in.
    pub(super) kind: &'static str,
    /// Statements before it, each a message of its own.
    pub(super) setup: Vec<String>,
    /// The query.
    pub(super) body: String,
    /// Statements after it.
    pub(super) teardown: Vec<String>,
    /// It names no table with secrets.
    pub(super) clean: bool,
    /// It names no column with secrets, and no whole row that has one.
    pub(super) untouched: bool,
    /// A letter of a secret in a cell would be a leak: nothing honest in it has one.
    pub(super) marks: bool,
    /// It tries to put a secret where it would not be masked, so a refusal is right.
    pub(super) hostile: bool,
}

impl Query {
    /// Query `number` of `seed`.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        frame::query(&mut Generator::new(seed, number), number)
    }

    /// Nothing yet, with nothing known of it.
    pub(super) fn empty(number: u64) -> Self {
        Self {
            number,
            kind: "select",
            setup: Vec::new(),
            body: String::new(),
            teardown: Vec::new(),
            clean: false,
            untouched: false,
            marks: true,
            hostile: false,
        }
    }

    /// All its statements, for people.
    pub(super) fn text(&self) -> String {
        let all: Vec<&str> = self
            .setup
            .iter()
            .chain([&self.body])
            .chain(&self.teardown)
            .map(|text| text.trim_end_matches(';'))
            .collect();
        all.join(";\n") + ";"
    }
}

/// One item of FROM that expressions may refer to.
#[derive(Debug)]
struct Item {
    alias: String,
    columns: Vec<Col>,
    /// Whether `alias` alone is a row.
    row: bool,
    masked: bool,
}

type Scope = Vec<Rc<Item>>;

/// A query that others are built from.
struct Part {
    text: String,
    columns: Vec<Col>,
}

struct Generator {
    dice: Dice,
    names: usize,
    /// Expressions that may still branch.
    budget: usize,
    /// Queries that names in FROM may mean.
    ctes: Vec<(String, Vec<Col>)>,
    /// Only tables without secrets.
    clean: bool,
    touched_table: bool,
    touched_column: bool,
}

impl Generator {
    fn new(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed, number);
        let clean = dice.percent(15);
        let budget = 4 + dice.below(40);
        Self { dice, names: 0, budget, ctes: Vec::new(), clean, touched_table: false, touched_column: false }
    }

    /// A name that nothing else has, without the letters of secrets.
    fn name(&mut self, start: &str) -> String {
        self.names += 1;
        format!("{start}{}", self.names)
    }

    /// Runs `make` and says whether it named a column with secrets.
    fn tracked<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let before = std::mem::replace(&mut self.touched_column, false);
        let made = make(self);
        let masked = self.touched_column;
        self.touched_column |= before;
        (made, masked)
    }

    /// Whether to branch once more.
    fn spend(&mut self) -> bool {
        let left = self.budget > 0;
        self.budget = self.budget.saturating_sub(1);
        left
    }

    /// A column of these queries, with its type.
    fn column(&mut self, ty: Ty, masked: bool) -> Col {
        Col { name: self.name("c"), ty, masked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_always_the_same_query_and_they_differ() {
        let texts: Vec<String> = (0..500).map(|number| Query::new(3, number).text()).collect();
        let again: Vec<String> = (0..500).map(|number| Query::new(3, number).text()).collect();
        assert_eq!(texts, again);
        let different: std::collections::HashSet<&String> = texts.iter().collect();
        assert!(different.len() > 450, "{}", different.len());
        assert!(texts.iter().all(|text| text.len() < 64 * 1024));
    }

    #[test]
    fn every_construct_comes_up() {
        let all: String = (0..4000).map(|number| Query::new(1, number).text() + "\n").collect();
        for wanted in [
            "LATERAL",
            "NATURAL",
            "USING",
            "RECURSIVE",
            "MATERIALIZED",
            "INTERSECT",
            "EXCEPT",
            "OVER",
            "FILTER",
            "WITHIN GROUP",
            "GROUPING SETS",
            "ROLLUP",
            "DISTINCT ON",
            "to_jsonb(",
            "row_to_json(",
            "XMLTABLE",
            "xmlelement",
            "DECLARE",
            "FETCH",
            "PREPARE",
            "EXECUTE",
            "COPY (",
            "FORMAT binary",
            "EXPLAIN",
            "RETURNING",
            "unnest(",
            "jsonb_each",
            "json_to_record",
            "generate_series",
            "VALUES",
            "EXISTS",
            "CASE",
            "COALESCE",
            "NULLIF",
            "GREATEST",
            "encode(",
            "reverse(",
            "overlay(",
            "translate(",
            "regexp_",
            "split_part(",
            "ROW(",
            "m_people",
            "events_high",
            "papers_old",
            "v_over",
            "ORDINALITY",
            "BINARY CURSOR",
            "HAVING",
            "MERGE",
            "percentile_disc",
        ] {
            assert!(all.contains(wanted), "{wanted}");
        }
    }
}
