//! FROM: tables, views, CTEs, sub-selects, VALUES, functions, and joins of every kind.

use std::rc::Rc;

use super::schema::{CLEAN, Col, TABLES, Ty};
use super::{Generator, Item, Scope};

impl Generator {
    /// The items of a FROM clause. Expressions inside may refer to `outer` and, where LATERAL allows it, to the items before.
    pub(super) fn from(&mut self, outer: &Scope, depth: usize) -> (String, Scope) {
        let (mut text, item) = self.item(&Vec::new(), outer, depth);
        let mut scope = vec![item];
        let more = self.dice.pick(&[0, 0, 0, 1, 1, 2]);
        for left in (0..more).rev() {
            if self.budget == 0 {
                break;
            }
            let (next, item) = self.item(&scope, outer, depth);
            text = if left == 0 && self.dice.one_in(6) {
                scope.push(item);
                format!("{text}, {next}")
            } else {
                self.join(text, &next, &mut scope, item, outer)
            };
        }
        (text, scope)
    }

    /// A table, with something to say about `outer` in its condition.
    pub(super) fn exists(&mut self, outer: &Scope) -> String {
        let (text, item) = self.table();
        let mut scope = vec![item];
        scope.extend(outer.iter().cloned());
        let condition = self.condition(&scope);
        format!("{text} WHERE {condition}")
    }

    fn join(&mut self, left: String, right: &str, scope: &mut Scope, item: Rc<Item>, outer: &Scope) -> String {
        let lateral = right.starts_with("LATERAL") || !item.row;
        let by_id = |item: &Item| item.columns.iter().any(|column| column.name == "id" && column.ty == Ty::Int);
        let ids: Vec<Rc<Item>> = scope.iter().filter(|item| by_id(item)).cloned().collect();
        let with_id = by_id(&item) && !lateral;
        let single = scope.len() == 1 && ids.len() == 1;
        let partner = ids.first().map(|item| item.alias.clone());
        let alias = item.alias.clone();
        scope.push(item);
        let kind = self.dice.pick(&["JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "INNER JOIN", "FULL JOIN", "RIGHT JOIN"]);
        match (self.dice.below(9), partner) {
            (0, Some(_)) if with_id && single => {
                format!("{left} NATURAL {} {right}", self.dice.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]))
            }
            (1 | 2, Some(_)) if with_id && single => {
                let both = self.shared(scope);
                let alias = if self.dice.one_in(2) { format!(" AS {}", self.name("u")) } else { String::new() };
                format!("{left} {kind} {right} USING ({both}){alias}")
            }
            (3..=5, Some(partner)) if with_id => format!("{left} {kind} {right} ON {partner}.id = {alias}.id"),
            (6, _) if !lateral => {
                let mut inner = scope.clone();
                inner.extend(outer.iter().cloned());
                let condition = self.condition(&inner);
                format!("{left} {} {right} ON {condition}", self.dice.pick(&["JOIN", "LEFT JOIN", "INNER JOIN"]))
            }
            (7, _) => format!("{left} LEFT JOIN {right} ON true"),
            (8, Some(partner)) if with_id && single => self.named_join(&left, right, scope, &partner),
            _ => format!("{left} CROSS JOIN {right}"),
        }
    }

    /// Columns that both items have, `id` among them.
    fn shared(&mut self, scope: &Scope) -> String {
        let [.., left, right] = scope.as_slice() else {
            return "id".to_owned();
        };
        let same: Vec<&Col> = left
            .columns
            .iter()
            .filter(|column| right.columns.iter().any(|other| other.name == column.name && other.ty == column.ty))
            .filter(|column| column.name != "id")
            .collect();
        if same.is_empty() || self.dice.one_in(2) {
            return "id".to_owned();
        }
        let column = same[self.dice.below(same.len())];
        self.touched_column |= column.masked;
        format!("id, {}", column.name)
    }

    /// `(a JOIN b) AS j(…)`: only the join's own names are left.
    fn named_join(&mut self, left: &str, right: &str, scope: &mut Scope, partner: &str) -> String {
        let (name, alias) = (self.name("j"), scope.last().map(|item| item.alias.clone()).unwrap_or_default());
        let inner = std::mem::take(scope);
        let mut columns: Vec<Col> = inner.first().map(|item| item.columns.clone()).unwrap_or_default();
        for column in &mut columns {
            column.name = self.name("c");
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let masked = inner.iter().any(|item| item.masked);
        let text = format!("({left} JOIN {right} ON {partner}.id = {alias}.id) AS {name}({})", names.join(", "));
        scope.push(Rc::new(Item { alias: name, columns, row: true, masked }));
        text
    }

    /// One item; `before` are the items of the same FROM.
    fn item(&mut self, before: &Scope, outer: &Scope, depth: usize) -> (String, Rc<Item>) {
        let mut visible = before.clone();
        visible.extend(outer.iter().cloned());
        match self.dice.below(12) {
            0 | 1 if depth > 0 && self.spend() => self.sub_select(outer, false, depth),
            2 if depth > 0 && !before.is_empty() && self.spend() => self.sub_select(&visible, true, depth),
            3 | 4 if !before.is_empty() => self.function(&visible),
            5 => self.values(outer),
            6 | 7 if !self.ctes.is_empty() => self.cte(),
            _ => self.table(),
        }
    }

    /// A table or view, now and then with other names for its columns.
    pub(super) fn table(&mut self) -> (String, Rc<Item>) {
        let at = if self.clean || self.dice.one_in(8) {
            CLEAN + self.dice.below(TABLES.len() - CLEAN)
        } else if self.dice.one_in(3) {
            0
        } else {
            self.dice.below(CLEAN)
        };
        let table = &TABLES[at];
        self.touched_table |= table.masked();
        let alias = self.name("t");
        let mut columns: Vec<Col> = table
            .columns
            .iter()
            .map(|(name, ty, masked)| Col { name: (*name).to_owned(), ty: *ty, masked: *masked })
            .collect();
        let mut text = format!("{} AS {alias}", table.name);
        if self.dice.one_in(6) && !columns.iter().any(|column| column.name.starts_with('(')) {
            let count = 1 + self.dice.below(columns.len());
            for column in columns.iter_mut().take(count) {
                column.name = self.name("c");
            }
            let names: Vec<&str> = columns.iter().take(count).map(|column| column.name.as_str()).collect();
            text = format!("{text}({})", names.join(", "));
        } else if self.dice.one_in(20) && !table.name.starts_with("v_") && !table.name.starts_with("ONLY") {
            text.push_str(" TABLESAMPLE BERNOULLI (100)");
        }
        (text, Rc::new(Item { alias, columns, row: true, masked: table.masked() }))
    }

    fn sub_select(&mut self, outer: &Scope, lateral: bool, depth: usize) -> (String, Rc<Item>) {
        let part = self.select(None, outer, depth - 1);
        let alias = self.name("s");
        let (start, mut columns) = (if lateral { "LATERAL " } else { "" }, part.columns);
        let mut names = String::new();
        if self.dice.one_in(4) && !columns.is_empty() {
            let count = 1 + self.dice.below(columns.len());
            for column in columns.iter_mut().take(count) {
                column.name = self.name("c");
            }
            let list: Vec<&str> = columns.iter().take(count).map(|column| column.name.as_str()).collect();
            names = format!("({})", list.join(", "));
        }
        let masked = columns.iter().any(|column| column.masked);
        (format!("{start}({}) AS {alias}{names}", part.text), Rc::new(Item { alias, columns, row: true, masked }))
    }

    fn cte(&mut self) -> (String, Rc<Item>) {
        let (name, columns) = self.ctes[self.dice.below(self.ctes.len())].clone();
        let alias = self.name("w");
        let masked = columns.iter().any(|column| column.masked);
        (format!("{name} AS {alias}"), Rc::new(Item { alias, columns, row: true, masked }))
    }

    fn values(&mut self, outer: &Scope) -> (String, Rc<Item>) {
        let (one, two) = (self.ty(), self.ty());
        let ((a, b), first) = self.tracked(|it| (it.value(one, outer), it.value(two, outer)));
        let ((c, d), second) = self.tracked(|it| (it.value(one, outer), it.value(two, outer)));
        let alias = self.name("v");
        let masked = first || second;
        let columns = vec![self.column(one, masked), self.column(two, masked)];
        let text = format!(
            "(VALUES (({a})::{}, ({b})::{}), ({c}, {d})) AS {alias}({}, {})",
            one.name(),
            two.name(),
            columns[0].name,
            columns[1].name
        );
        (text, Rc::new(Item { alias, columns, row: true, masked }))
    }

    /// A function of the items before it.
    fn function(&mut self, scope: &Scope) -> (String, Rc<Item>) {
        let alias = self.name("f");
        let (a, b) = (self.name("c"), self.name("c"));
        let ((text, types), masked) = self.tracked(|it| it.function_text(scope, &alias, &a, &b));
        let columns = [a, b].into_iter().zip(types).map(|(name, ty)| Col { name, ty, masked }).collect();
        (text, Rc::new(Item { alias, columns, row: false, masked }))
    }

    fn function_text(&mut self, scope: &Scope, alias: &str, a: &str, b: &str) -> (String, Vec<Ty>) {
        let one = vec![Ty::Text];
        match self.dice.below(15) {
            0 | 1 => (format!("unnest({}) AS {alias}({a})", self.value(Ty::Texts, scope)), one),
            2 => {
                let (left, right) = (self.value(Ty::Texts, scope), self.value(Ty::Texts, scope));
                (format!("unnest({left}, {right}) AS {alias}({a}, {b})"), vec![Ty::Text, Ty::Text])
            }
            3 => (format!("generate_series(1, 3) AS {alias}({a})"), vec![Ty::Int]),
            4 => (format!("jsonb_each({}) AS {alias}({a}, {b})", self.object(scope)), vec![Ty::Text, Ty::Json]),
            5 => (format!("jsonb_each_text({}) AS {alias}({a}, {b})", self.object(scope)), vec![Ty::Text, Ty::Text]),
            6 => {
                let (left, right) = (self.any(scope), self.any(scope));
                (format!("jsonb_array_elements_text(jsonb_build_array({left}, {right})) AS {alias}({a})"), one)
            }
            7 => {
                let object = self.object(scope);
                (format!("jsonb_to_record({object}) AS {alias}(s_name text, label text)"), Vec::new())
            }
            8 => {
                let value = self.any(scope);
                (
                    format!(
                        "json_to_recordset(json_build_array(json_build_object('{a}', {value}))) AS {alias}({a} text)"
                    ),
                    one,
                )
            }
            9 => (
                format!("jsonb_populate_record(NULL::papers, {}) AS {alias}(id, {a}, {b})", self.object(scope)),
                Vec::new(),
            ),
            10 => {
                let pattern = self.dice.pick(&["'8'", "'[0-9]'", "''"]);
                (format!("regexp_split_to_table({}, {pattern}) AS {alias}({a})", self.value(Ty::Text, scope)), one)
            }
            11 => (format!("string_to_table({}, '9') AS {alias}({a})", self.value(Ty::Text, scope)), one),
            12 => {
                let value = self.value(Ty::Texts, scope);
                let text =
                    format!("ROWS FROM (unnest({value}), generate_series(1, 2)) WITH ORDINALITY AS {alias}({a}, {b})");
                (text, vec![Ty::Text, Ty::Int])
            }
            13 => {
                let value = self.value(Ty::Text, scope);
                let text = format!(
                    "XMLTABLE('/r/text()' PASSING xmlelement(name r, {value}) COLUMNS {a} text PATH '.') AS {alias}"
                );
                (text, one)
            }
            _ => {
                let json = self.value(Ty::Json, scope);
                (format!("jsonb_path_query({json}, '$.*') AS {alias}({a})"), vec![Ty::Json])
            }
        }
    }

    /// A JSON object: of a row, or of values.
    fn object(&mut self, scope: &Scope) -> String {
        match self.row(scope) {
            Some(row) if self.dice.percent(70) => format!("to_jsonb({row})"),
            _ => {
                let (left, right) = (self.any(scope), self.any(scope));
                format!("jsonb_build_object('s_name', {left}, 'k', {right})")
            }
        }
    }
}
