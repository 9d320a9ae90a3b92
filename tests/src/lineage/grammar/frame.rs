//! What stands around a query: cursors, PREPARE, COPY, EXPLAIN, changes in a transaction that is rolled back, casts that fail, and
//! places where a value could be put to be read unmasked.

use super::schema::{CLEAN, TABLES, Ty};
use super::select::TOP;
use super::{Generator, Query, Scope};

/// Query `number`, made by `generator`.
pub(super) fn query(generator: &mut Generator, number: u64) -> Query {
    let mut made = Query::empty(number);
    match generator.dice.below(100) {
        0..60 => made.body = generator.top(),
        60..67 => generator.cursor(&mut made),
        67..73 => generator.prepared(&mut made),
        73..81 => generator.copy(&mut made),
        81..85 => generator.explain(&mut made),
        85..92 => generator.change(&mut made),
        92..95 => generator.failing(&mut made),
        95..97 => generator.sink(&mut made),
        _ => generator.table_as_it_is(&mut made),
    }
    made.clean = !generator.touched_table;
    made.untouched = !generator.touched_column;
    made.marks &= !made.body.contains("base64");
    made
}

/// Changes of several connections at once take the rows in one order, so that none waits for one that waits for it.
fn begun() -> Vec<String> {
    vec!["BEGIN".to_owned(), "SELECT id FROM ledger ORDER BY id FOR UPDATE".to_owned()]
}

impl Generator {
    fn top(&mut self) -> String {
        self.select(None, &Vec::new(), TOP).text
    }

    fn cursor(&mut self, made: &mut Query) {
        made.kind = "cursor";
        let name = self.name("k");
        let how = self.dice.pick(&["CURSOR", "BINARY CURSOR", "SCROLL CURSOR", "NO SCROLL CURSOR"]);
        made.marks = !how.starts_with("BINARY");
        made.setup = vec!["BEGIN".to_owned(), format!("DECLARE {name} {how} FOR {}", self.top())];
        made.marks &= !made.setup[1].contains("base64");
        made.body = format!("FETCH {} FROM {name}", self.dice.pick(&["ALL", "3", "NEXT", "FORWARD 4"]));
        made.teardown = vec![format!("CLOSE {name}"), "ROLLBACK".to_owned()];
    }

    fn prepared(&mut self, made: &mut Query) {
        made.kind = "prepared";
        let name = self.name("p");
        let (query, row) = (self.top(), self.name("s"));
        made.setup = vec![format!("PREPARE {name}(text) AS SELECT $1 AS given, {row}.* FROM ({query}) AS {row}")];
        made.marks &= !made.setup[0].contains("base64");
        made.body = format!("EXECUTE {name}('one')");
        made.teardown = vec![format!("DEALLOCATE {name}")];
    }

    fn copy(&mut self, made: &mut Query) {
        made.kind = "copy";
        let format = self.dice.pick(&[
            "",
            " WITH (FORMAT csv)",
            " WITH (FORMAT csv, HEADER, FORCE_QUOTE *)",
            " WITH (FORMAT binary)",
            " WITH (DELIMITER ';')",
            " WITH (FORMAT csv, DELIMITER '|', QUOTE '~')",
        ]);
        made.marks = !format.contains("binary") && !format.contains("HEADER");
        made.body = format!("COPY ({}) TO STDOUT{format}", self.top());
    }

    fn explain(&mut self, made: &mut Query) {
        made.kind = "explain";
        made.marks = false;
        let options = self.dice.pick(&[
            "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF",
            "ANALYZE, VERBOSE, TIMING OFF, SUMMARY OFF",
            "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON",
            "VERBOSE",
        ]);
        made.body = format!("EXPLAIN ({options}) {}", self.top());
    }

    /// A value of one type read as another: the server's error would show it.
    fn failing(&mut self, made: &mut Query) {
        made.kind = "failing";
        let (from, scope) = self.from(&Vec::new(), 1);
        let (text, json) = (self.value(Ty::Text, &scope), self.value(Ty::Json, &scope));
        let bytes = self.value(Ty::Bytes, &scope);
        let wrong = match self.dice.below(12) {
            0 => format!("({text})::int"),
            1 => format!("({text})::date"),
            2 => format!("({text})::uuid"),
            3 => format!("({text})::jsonb"),
            4 => format!("({text})::numeric"),
            5 => format!("({text})::mood"),
            6 => format!("({json} ->> 'name')::inet"),
            7 => format!("to_timestamp({text}, 'YYYY-MM-DD')"),
            8 => format!("convert_from({bytes}, 'UTF8')"),
            9 => format!("({text})::xml IS DOCUMENT"),
            10 => format!("decode({text}, 'hex')"),
            _ => format!("({text})::text[]"),
        };
        made.body = format!("SELECT {wrong} FROM {from}");
    }

    /// Secrets that would go where the session could read them.
    fn sink(&mut self, made: &mut Query) {
        made.kind = "sink";
        made.hostile = true;
        self.touched_table = true;
        self.touched_column = true;
        let scope: Scope = vec![];
        let (from, item) = self.people();
        let mut inner = scope;
        inner.push(item);
        let value = self.leaf(Ty::Text, &inner);
        made.setup = begun();
        made.teardown = vec!["ROLLBACK".to_owned()];
        made.body = match self.dice.below(7) {
            0 => "UPDATE ledger SET label = s_name RETURNING label".to_owned(),
            1 => format!("INSERT INTO ledger(id, label) SELECT id + 50, {value} FROM {from} RETURNING label"),
            2 => format!("SELECT set_config('application_name', {value}, true) FROM {from} LIMIT 1"),
            3 => format!("SELECT pg_notify('news', {value}) FROM {from}"),
            4 => format!("UPDATE ledger AS l SET label = (SELECT {value} FROM {from} LIMIT 1) RETURNING l.label, l.*"),
            5 => {
                format!(
                    "MERGE INTO ledger AS l USING (SELECT {value} AS word FROM {from} LIMIT 1) AS m ON l.id = 1 WHEN MATCHED THEN UPDATE SET label = m.word"
                )
            }
            _ => "WITH d AS (UPDATE ledger SET label = reverse(s_name) RETURNING label) SELECT label FROM d".to_owned(),
        };
        if made.body.contains("pg_notify") {
            made.setup.insert(0, "LISTEN news".to_owned());
            made.teardown = vec!["COMMIT".to_owned(), "UNLISTEN news".to_owned()];
        }
    }

    fn people(&mut self) -> (String, std::rc::Rc<super::Item>) {
        loop {
            let (text, item) = self.clean_or_not();
            if item.masked {
                return (text, item);
            }
        }
    }

    fn clean_or_not(&mut self) -> (String, std::rc::Rc<super::Item>) {
        self.clean = false;
        self.table()
    }

    /// A whole table without any expression.
    fn table_as_it_is(&mut self, made: &mut Query) {
        made.kind = "table";
        let at = if self.clean { CLEAN + self.dice.below(TABLES.len() - CLEAN) } else { self.dice.below(TABLES.len()) };
        let table = &TABLES[at];
        self.touched_table = table.masked();
        self.touched_column = table.masked();
        let name = table.name;
        let plain = !(name.starts_with("v_") || name.contains(' '));
        let columns: Vec<&str> =
            table.columns.iter().map(|(name, _, _)| *name).filter(|name| !name.starts_with('(')).collect();
        let columns = columns.join(", ");
        made.body = match self.dice.below(7) {
            0 if !name.contains(' ') => format!("TABLE {name}"),
            1 => format!("SELECT {columns} FROM {name}"),
            2 if plain && !name.starts_with('e') && name != "m_people" => format!("COPY {name} TO STDOUT"),
            3 if plain && name != "events" && name != "m_people" => {
                format!("COPY {name} ({}) TO STDOUT (FORMAT csv)", columns.replace(", loud, double", ""))
            }
            4 => format!("SELECT t FROM {name} t"),
            5 => format!("SELECT to_json(t) FROM {name} t"),
            _ => format!("SELECT * FROM {name}"),
        };
    }

    /// A change that returns rows, rolled back.
    fn change(&mut self, made: &mut Query) {
        made.kind = "change";
        self.touched_table = true;
        made.setup = begun();
        made.teardown = vec!["ROLLBACK".to_owned()];
        let (target, own) = self.ledger();
        let (other, item) = self.table();
        let both: Scope = vec![own.clone(), item.clone()];
        let alone: Scope = vec![own];
        let by_id = item.columns.iter().any(|column| column.name == "id" && column.ty == Ty::Int);
        let on = if by_id { format!("{}.id = {target}.id", item.alias) } else { "true".to_owned() };
        let label =
            self.dice.pick(&["'new'", "upper(l.label)", "l.label || l.amount"]).replace("l.", &format!("{target}."));
        let s_name = self
            .dice
            .pick(&["upper(l.s_name)", "l.s_name || 'a'", "'new'", "NULL"])
            .replace("l.", &format!("{target}."));
        made.body = match self.dice.below(8) {
            0 => format!("UPDATE ledger AS {target} SET label = {label} RETURNING {}", self.returned(&alone)),
            1 => {
                format!(
                    "UPDATE ledger AS {target} SET s_name = {s_name}, label = {label} RETURNING {}",
                    self.returned(&alone)
                )
            }
            2 => {
                format!(
                    "UPDATE ledger AS {target} SET label = {label} FROM {other} WHERE {on} RETURNING {}",
                    self.returned(&both)
                )
            }
            3 => format!("DELETE FROM ledger AS {target} USING {other} WHERE {on} RETURNING {}", self.returned(&both)),
            4 => format!(
                "INSERT INTO ledger AS {target}(id, label, s_name) SELECT o.id + 50, o.label, o.s_name FROM ledger AS o RETURNING {}",
                self.returned(&alone)
            ),
            5 => format!(
                "INSERT INTO ledger AS {target}(id, label) SELECT id, label FROM things ON CONFLICT (id) DO UPDATE SET label = \
                 excluded.label || {target}.label RETURNING {}",
                self.returned(&alone)
            ),
            6 => format!(
                "MERGE INTO ledger AS {target} USING things AS o ON {target}.id = o.id WHEN MATCHED THEN UPDATE SET label = o.label \
                 WHEN NOT MATCHED THEN INSERT (id, label) VALUES (o.id, o.label)"
            ),
            _ => {
                let change =
                    format!("UPDATE ledger AS {target} SET label = {label} RETURNING {}", self.returned(&alone));
                let name = self.name("n");
                format!("WITH {name} AS ({change}) SELECT {name}.*, {name}::text FROM {name}")
            }
        };
    }

    fn ledger(&mut self) -> (String, std::rc::Rc<super::Item>) {
        let alias = self.name("l");
        let columns = TABLES.iter().filter(|table| table.name == "ledger").flat_map(|table| table.columns);
        let columns = columns
            .map(|(name, ty, masked)| super::Col { name: (*name).to_owned(), ty: *ty, masked: *masked })
            .collect();
        (alias.clone(), std::rc::Rc::new(super::Item { alias, columns, row: true, masked: true }))
    }

    /// What a change returns.
    fn returned(&mut self, scope: &Scope) -> String {
        match self.dice.below(5) {
            0 => {
                self.touched_column = true;
                "*".to_owned()
            }
            1 => self.row(scope).unwrap_or_default(),
            _ => {
                let ty = self.ty();
                let (one, two) = (self.value(ty, scope), self.value(Ty::Text, scope));
                format!("{one} AS {}, {two} AS {}", self.name("c"), self.name("c"))
            }
        }
    }
}
