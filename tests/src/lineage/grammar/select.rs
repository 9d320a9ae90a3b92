//! SELECT: targets, grouping, windows, set operations, WITH.

use super::schema::{Col, Ty};
use super::{Generator, Part, Scope};

/// How deep queries stand in queries.
pub(super) const TOP: usize = 2;

/// A constant is no key to group by.
fn is_column(value: &str) -> bool {
    let named = value.starts_with('c') || value.contains('.');
    named && value.contains(|letter: char| letter.is_ascii_alphabetic()) && !value.contains(['\'', ' ', ':'])
}

impl Generator {
    /// A query with columns of these types, or of any.
    pub(super) fn select(&mut self, types: Option<&[Ty]>, outer: &Scope, depth: usize) -> Part {
        let known = self.ctes.len();
        let with =
            if depth > 0 && self.dice.one_in(6) && self.spend() { self.with(outer, depth) } else { String::new() };
        let mut part = match self.dice.below(10) {
            0 | 1 if depth > 0 && self.spend() => self.set_operation(types, outer, depth),
            2 if self.dice.one_in(3) => self.values_query(types, outer),
            _ => self.plain(types, outer, depth),
        };
        self.ctes.truncate(known);
        part.text = with + &part.text;
        part
    }

    /// A query of one value.
    pub(super) fn scalar(&mut self, ty: Ty, outer: &Scope) -> String {
        self.scalar_many(ty, outer) + " LIMIT 1"
    }

    /// A query of one column and a few rows, without anything at its end.
    pub(super) fn scalar_many(&mut self, ty: Ty, outer: &Scope) -> String {
        let (from, item) = self.table();
        let mut scope = vec![item];
        let inner = scope.clone();
        if self.dice.one_in(2) {
            scope.extend(outer.iter().cloned());
        }
        let value = if self.dice.one_in(4) { self.aggregate(ty, &inner) } else { self.value(ty, &scope) };
        if self.dice.one_in(3) && !value.contains("(SELECT") {
            let condition = self.condition(&inner);
            return format!("SELECT {value} FROM {from} WHERE {condition}");
        }
        format!("SELECT {value} FROM {from}")
    }

    fn types(&mut self, given: Option<&[Ty]>) -> Vec<Ty> {
        match given {
            Some(types) => types.to_vec(),
            None => (0..=self.dice.below(3)).map(|_| self.ty()).collect(),
        }
    }

    fn values_query(&mut self, given: Option<&[Ty]>, outer: &Scope) -> Part {
        let types = self.types(given);
        let mut columns = Vec::new();
        let mut rows = Vec::new();
        let mut any = false;
        for _ in 0..2 {
            let (row, masked) = self.tracked(|it| {
                let cells: Vec<String> =
                    types.iter().map(|ty| format!("({})::{}", it.value(*ty, outer), ty.name())).collect();
                format!("({})", cells.join(", "))
            });
            any |= masked;
            rows.push(row);
        }
        for (at, ty) in types.iter().enumerate() {
            columns.push(Col { name: format!("column{}", at + 1), ty: *ty, masked: any });
        }
        Part { text: format!("VALUES {}", rows.join(", ")), columns }
    }

    fn set_operation(&mut self, given: Option<&[Ty]>, outer: &Scope, depth: usize) -> Part {
        let types: Vec<Ty> = if given.is_some() {
            self.types(given)
        } else {
            (0..=self.dice.below(2)).map(|_| self.sorted_ty()).collect()
        };
        // Rows are compared unless it is UNION ALL.
        let names: &[&str] = &["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "UNION ALL"];
        let name = self.dice.pick(names);
        let left = self.plain(Some(&types), outer, depth - 1);
        let right = self.select(Some(&types), outer, depth - 1);
        let mut columns = left.columns;
        for (column, other) in columns.iter_mut().zip(&right.columns) {
            column.masked |= other.masked;
        }
        let order = if self.dice.one_in(3) { " ORDER BY 1" } else { "" };
        Part { text: format!("({}) {name} ({}){order}", left.text, right.text), columns }
    }

    fn plain(&mut self, given: Option<&[Ty]>, outer: &Scope, depth: usize) -> Part {
        let (from, own) = self.from(outer, depth);
        let mut scope = own.clone();
        scope.extend(outer.iter().cloned());
        let condition = if self.dice.one_in(3) { format!(" WHERE {}", self.condition(&scope)) } else { String::new() };
        let types = self.types(given);
        let mut part = match self.dice.below(10) {
            0 | 1 => self.grouped(&types, &from, &condition, &own),
            2 => self.over_windows(&types, &from, &condition, &scope),
            3 => self.distinct(&types, &from, &condition, &scope),
            _ => self.rows(&types, given.is_some(), &from, &condition, &own, &scope),
        };
        // Joins of joins would make millions of rows.
        if depth < TOP || self.dice.one_in(3) {
            part.text.push_str(&format!(" LIMIT {}", 1 + self.dice.below(6)));
        }
        part
    }

    fn named(&mut self, ty: Ty, make: impl FnOnce(&mut Self) -> String) -> (String, Col) {
        let (value, masked) = self.tracked(make);
        let column = self.column(ty, masked);
        (format!("{value} AS {}", column.name), column)
    }

    /// Values of single rows; stars and whole rows when nobody counts the columns.
    fn rows(&mut self, types: &[Ty], counted: bool, from: &str, condition: &str, own: &Scope, scope: &Scope) -> Part {
        let (mut targets, mut columns) = (Vec::new(), Vec::new());
        for ty in types {
            let (target, column) = self.named(*ty, |it| it.value(*ty, scope));
            targets.push(target);
            columns.push(column);
        }
        if !counted {
            match self.dice.below(9) {
                0 => {
                    let item = &own[self.dice.below(own.len())];
                    self.touched_column |= item.masked;
                    targets.push(format!("{}.*", item.alias));
                    columns.extend(item.columns.iter().filter(|column| !column.name.starts_with('(')).cloned());
                }
                1 => {
                    self.touched_column |= own.iter().any(|item| item.masked);
                    targets.insert(0, "*".to_owned());
                }
                2 => targets.extend(self.row(scope)),
                3 => targets.push(format!("({}).*", self.value(Ty::Address, scope))),
                4 => targets.extend(self.row(scope).map(|row| format!("ROW({row}.*)"))),
                5 => {
                    // Its own name would come back as a key.
                    let name = self.name("c");
                    targets.extend(self.row(scope).map(|row| format!("row_to_json({row}) AS {name}")));
                }
                _ => {}
            }
        }
        let order = match self.dice.below(4) {
            0 => format!(" ORDER BY {}", self.any_sorted(scope)),
            1 if counted => " ORDER BY 1".to_owned(),
            _ => String::new(),
        };
        Part { text: format!("SELECT {} FROM {from}{condition}{order}", targets.join(", ")), columns }
    }

    fn grouped(&mut self, types: &[Ty], from: &str, condition: &str, own: &Scope) -> Part {
        let (mut targets, mut columns, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for ty in types {
            let key = keys.len() < 2 && self.dice.one_in(3);
            let (target, column) = self.named(*ty, |it| if key { it.leaf(*ty, own) } else { it.aggregate(*ty, own) });
            if let Some((value, _)) = target.rsplit_once(" AS ").filter(|(value, _)| key && is_column(value)) {
                keys.push(value.to_owned());
            }
            targets.push(target);
            columns.push(column);
        }
        let list = keys.join(", ");
        let group = match (keys.is_empty(), self.dice.below(5)) {
            (true, _) => String::new(),
            (false, 0) => format!(" GROUP BY GROUPING SETS (({list}), ())"),
            (false, 1) => format!(" GROUP BY ROLLUP ({list})"),
            (false, 2) => format!(" GROUP BY CUBE ({list})"),
            (false, _) => format!(" GROUP BY {list}"),
        };
        let having = if self.dice.one_in(5) {
            format!(" HAVING {} IS NOT NULL", self.aggregate(Ty::Text, own))
        } else {
            String::new()
        };
        Part { text: format!("SELECT {} FROM {from}{condition}{group}{having}", targets.join(", ")), columns }
    }

    fn over_windows(&mut self, types: &[Ty], from: &str, condition: &str, scope: &Scope) -> Part {
        let name = self.dice.one_in(2).then(|| self.name("o"));
        let (mut targets, mut columns) = (Vec::new(), Vec::new());
        for ty in types {
            let (target, column) = self.named(*ty, |it| it.windowed(*ty, scope, name.as_deref()));
            targets.push(target);
            columns.push(column);
        }
        let window = match &name {
            Some(name) => format!(" WINDOW {name} AS ({})", self.window(scope)),
            None => String::new(),
        };
        Part { text: format!("SELECT {} FROM {from}{condition}{window}", targets.join(", ")), columns }
    }

    fn distinct(&mut self, types: &[Ty], from: &str, condition: &str, scope: &Scope) -> Part {
        let mut part = Part { text: String::new(), columns: Vec::new() };
        let mut targets = Vec::new();
        for ty in types {
            let (target, column) = self.named(*ty, |it| it.value(*ty, scope));
            targets.push(target);
            part.columns.push(column);
        }
        let targets = targets.join(", ");
        let key = self.any_sorted(scope);
        part.text = if self.dice.one_in(3) {
            format!("SELECT DISTINCT {targets} FROM {from}{condition}")
        } else {
            let more = self.any_sorted(scope);
            format!("SELECT DISTINCT ON ({key}) {targets} FROM {from}{condition} ORDER BY {key}, {more}")
        };
        part
    }

    /// WITH: one or two queries by name, now and then one that refers to itself.
    fn with(&mut self, outer: &Scope, depth: usize) -> String {
        if self.dice.one_in(3) {
            return self.recursive(outer);
        }
        let mut parts = Vec::new();
        for _ in 0..=self.dice.below(2) {
            let part = self.select(None, outer, depth - 1);
            let (name, how) = (self.name("n"), self.dice.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]));
            let mut columns = part.columns;
            let mut list = String::new();
            if self.dice.one_in(3) && !columns.is_empty() {
                let count = 1 + self.dice.below(columns.len());
                for column in columns.iter_mut().take(count) {
                    column.name = self.name("c");
                }
                let names: Vec<&str> = columns.iter().take(count).map(|column| column.name.as_str()).collect();
                list = format!("({})", names.join(", "));
            }
            parts.push(format!("{name}{list} AS {how}({})", part.text));
            self.ctes.push((name, columns));
        }
        format!("WITH {} ", parts.join(", "))
    }

    fn recursive(&mut self, outer: &Scope) -> String {
        let (from, item) = self.table();
        let mut scope = vec![item];
        scope.extend(outer.iter().cloned());
        let ty = self.dice.pick(&[Ty::Text, Ty::Int, Ty::Num, Ty::Texts]);
        let (first, masked) = self.tracked(|it| it.leaf(ty, &scope));
        let (name, level, value, other) = (self.name("n"), self.name("c"), self.name("c"), self.name("c"));
        let step = match ty {
            Ty::Text => format!("{name}.{value} || 'a'"),
            Ty::Texts => format!("{name}.{value}"),
            _ => format!("{name}.{value} + 1"),
        };
        let all = self.dice.pick(&["ALL ", ""]);
        let limit = 1 + self.dice.below(3);
        let columns = [(&level, Ty::Int, masked), (&value, ty, masked), (&other, ty, masked)];
        self.ctes
            .push((name.clone(), columns.map(|(name, ty, masked)| Col { name: name.clone(), ty, masked }).to_vec()));
        format!(
            "WITH RECURSIVE {name}({level}, {value}, {other}) AS (SELECT 1, ({first})::{ty}, NULL::{ty} FROM {from} UNION {all}SELECT \
             {name}.{level} + 1, ({step})::{ty}, {name}.{value} FROM {name} WHERE {name}.{level} < {limit}) ",
            ty = ty.name()
        )
    }
}
