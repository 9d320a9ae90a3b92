//! Values of a type, and conditions.

use std::rc::Rc;

use super::schema::{TYPES, Ty};
use super::{Generator, Item, Scope};

/// Types whose values compare and sort.
const SORTED: [Ty; 10] =
    [Ty::Text, Ty::Int, Ty::Big, Ty::Num, Ty::Real, Ty::Date, Ty::Moment, Ty::Uuid, Ty::Texts, Ty::Json];

impl Generator {
    /// A type, texts most of all.
    pub(super) fn ty(&mut self) -> Ty {
        if self.dice.percent(40) { Ty::Text } else { self.dice.pick(&TYPES) }
    }

    pub(super) fn sorted_ty(&mut self) -> Ty {
        if self.dice.percent(40) { Ty::Text } else { self.dice.pick(&SORTED) }
    }

    /// A value of this type.
    pub(super) fn value(&mut self, ty: Ty, scope: &Scope) -> String {
        if !self.spend() || self.dice.percent(30) {
            return self.leaf(ty, scope);
        }
        match self.dice.below(14) {
            0 => {
                let condition = self.condition(scope);
                format!("CASE WHEN {condition} THEN {} ELSE {} END", self.value(ty, scope), self.value(ty, scope))
            }
            1 => format!("COALESCE({}, {})", self.value(ty, scope), self.value(ty, scope)),
            2 if SORTED.contains(&ty) => format!("NULLIF({}, {})", self.value(ty, scope), self.value(ty, scope)),
            3 if SORTED.contains(&ty) => {
                let name = self.dice.pick(&["GREATEST", "LEAST"]);
                format!("{name}({}, {})", self.value(ty, scope), self.value(ty, scope))
            }
            4 => format!("({})", self.scalar(ty, scope)),
            5 if ty != Ty::Texts => {
                format!("(ARRAY[{}, {}])[{}]", self.value(ty, scope), self.value(ty, scope), 1 + self.dice.below(2))
            }
            6 if ty != Ty::Texts => format!("(ARRAY({}))[1]", self.scalar(ty, scope)),
            7 if ty != Ty::Texts => format!("((ARRAY[{}])[1:1])[1]", self.value(ty, scope)),
            8 => format!(
                "CASE {} WHEN 2 THEN {} ELSE {} END",
                self.value(Ty::Int, scope),
                self.value(ty, scope),
                self.value(ty, scope)
            ),
            9 => format!("CAST({} AS {})", self.value(ty, scope), ty.name()),
            _ => self.made(ty, scope),
        }
    }

    /// A value made of others of any type.
    fn made(&mut self, ty: Ty, scope: &Scope) -> String {
        match ty {
            Ty::Text => self.text(scope),
            Ty::Int => self.int(scope),
            Ty::Big => self.big(scope),
            Ty::Num => self.num(scope),
            Ty::Real => format!("({})::float8", self.value(Ty::Num, scope)),
            Ty::Date => self.date(scope),
            Ty::Moment => self.moment(scope),
            Ty::Uuid => format!("({}::text)::uuid", self.value(Ty::Uuid, scope)),
            Ty::Json => self.json(scope),
            Ty::Texts => self.texts(scope),
            Ty::Bytes => self.bytes(scope),
            Ty::Address => format!("ROW({}, {})::address", self.value(Ty::Text, scope), self.value(Ty::Int, scope)),
            Ty::Mood => format!("({}::text)::mood", self.value(Ty::Mood, scope)),
            Ty::Bool => format!("({})", self.condition(scope)),
        }
    }

    /// A column, or a constant where there is none.
    pub(super) fn leaf(&mut self, ty: Ty, scope: &Scope) -> String {
        let mut found: Vec<(Rc<Item>, usize)> = Vec::new();
        for item in scope {
            found.extend(
                (0..item.columns.len()).filter(|at| item.columns[*at].ty == ty).map(|at| (Rc::clone(item), at)),
            );
        }
        if found.is_empty() || self.dice.one_in(12) {
            return self.constant(ty);
        }
        if self.dice.percent(70) && found.iter().any(|(item, at)| item.columns[*at].masked) {
            found.retain(|(item, at)| item.columns[*at].masked);
        }
        let (item, at) = found[self.dice.below(found.len())].clone();
        let column = &item.columns[at];
        self.touched_column |= column.masked;
        self.reference(scope, &item, &column.name)
    }

    /// A column by one of its names.
    fn reference(&mut self, scope: &Scope, item: &Item, column: &str) -> String {
        if let Some(rest) = column.strip_prefix("(whole)") {
            return format!("({}.whole){rest}", item.alias);
        }
        let same = scope.iter().flat_map(|item| &item.columns).filter(|other| other.name == column).count();
        match self.dice.below(10) {
            0 if item.row => {
                self.touched_column |= item.masked;
                format!("({}).{column}", item.alias)
            }
            1 | 2 if same == 1 && column.starts_with('c') => column.to_owned(),
            _ => format!("{}.{column}", item.alias),
        }
    }

    /// A row of the scope.
    pub(super) fn row(&mut self, scope: &Scope) -> Option<String> {
        let rows: Vec<&Rc<Item>> = scope.iter().filter(|item| item.row).collect();
        if rows.is_empty() {
            return None;
        }
        let item = rows[self.dice.below(rows.len())];
        self.touched_column |= item.masked;
        Some(item.alias.clone())
    }

    /// A constant; texts without the letters of secrets.
    pub(super) fn constant(&mut self, ty: Ty) -> String {
        let number = 1 + self.dice.below(9);
        match ty {
            Ty::Text => format!("'{}'::text", self.dice.pick(&["one", "plain 2", "a-b-c", "", "red"])),
            Ty::Int => number.to_string(),
            Ty::Big => format!("{number}::bigint"),
            Ty::Num => format!("{number}.5"),
            Ty::Real => format!("{number}.25::float8"),
            Ty::Date => format!("'2001-02-0{number}'::date"),
            Ty::Moment => format!("'2001-02-0{number} 04:05:06+00'::timestamptz"),
            Ty::Uuid => "'00000000-0000-4000-8000-000000000000'::uuid".to_owned(),
            Ty::Json => format!("'{{\"name\": \"plain {number}\", \"list\": [\"a\", \"b\"]}}'::jsonb"),
            Ty::Texts => "ARRAY['red', 'blue']".to_owned(),
            Ty::Bytes => "'\\x0102'::bytea".to_owned(),
            Ty::Address => format!("ROW('main street', {number})::address"),
            Ty::Mood => "NULL::mood".to_owned(),
            Ty::Bool => self.dice.pick(&["true", "false", "NULL::boolean"]).to_owned(),
        }
    }

    fn int(&mut self, scope: &Scope) -> String {
        match self.dice.below(14) {
            0 => format!("length({})", self.value(Ty::Text, scope)),
            1 => format!("ascii({})", self.value(Ty::Text, scope)),
            2 => format!("cardinality({})", self.value(Ty::Texts, scope)),
            3 => format!("strpos({}, 'a')", self.value(Ty::Text, scope)),
            4 => format!("({}).code", self.value(Ty::Address, scope)),
            5 => format!("extract(year FROM {})::int", self.value(Ty::Date, scope)),
            6 => format!("({} % 1000000007)::int", self.value(Ty::Big, scope)),
            7 => format!("octet_length({})", self.value(Ty::Bytes, scope)),
            8 => format!("abs({})", self.value(Ty::Int, scope)),
            9 => format!("({} - DATE '2000-01-01')", self.value(Ty::Date, scope)),
            10 => format!("get_byte({}, 1)", self.leaf(Ty::Bytes, scope)),
            11 => format!("({} # 5)", self.value(Ty::Int, scope)),
            _ => format!("({} {} {})", self.value(Ty::Int, scope), self.dice.pick(&["+", "-"]), 1 + self.dice.below(9)),
        }
    }

    fn big(&mut self, scope: &Scope) -> String {
        match self.dice.below(5) {
            0 => format!("({}::bigint * 10)", self.value(Ty::Int, scope)),
            1 => format!("extract(epoch FROM {})::bigint", self.value(Ty::Moment, scope)),
            2 => format!("({}::text)::bigint", self.value(Ty::Big, scope)),
            3 => format!("({} / 10)", self.value(Ty::Big, scope)),
            _ => format!("({} + 7)", self.value(Ty::Big, scope)),
        }
    }

    fn num(&mut self, scope: &Scope) -> String {
        match self.dice.below(7) {
            0 => format!("round({}, 2)", self.value(Ty::Num, scope)),
            1 => format!("{}::numeric", self.value(Ty::Big, scope)),
            2 => format!("({} * 10)", self.value(Ty::Num, scope)),
            3 => format!("trunc({})", self.value(Ty::Num, scope)),
            4 => format!("(to_jsonb({}) #>> '{{}}')::numeric", self.value(Ty::Num, scope)),
            5 => format!("{}::numeric", self.leaf(Ty::Real, scope)),
            _ => format!("(- {})", self.value(Ty::Num, scope)),
        }
    }

    fn date(&mut self, scope: &Scope) -> String {
        match self.dice.below(4) {
            0 => format!("{}::date", self.value(Ty::Moment, scope)),
            1 => format!("to_date({}::text, 'YYYY-MM-DD')", self.leaf(Ty::Date, scope)),
            2 => format!("({} + 0)", self.value(Ty::Date, scope)),
            _ => format!("date_trunc('day', {})::date", self.value(Ty::Date, scope)),
        }
    }

    fn moment(&mut self, scope: &Scope) -> String {
        match self.dice.below(4) {
            0 => format!("date_trunc('second', {})", self.value(Ty::Moment, scope)),
            1 => format!("({} + interval '1 microsecond')", self.value(Ty::Moment, scope)),
            2 => format!("{}::timestamptz", self.value(Ty::Date, scope)),
            _ => format!("({} AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'", self.value(Ty::Moment, scope)),
        }
    }

    fn json(&mut self, scope: &Scope) -> String {
        match self.dice.below(12) {
            0 | 1 => match self.row(scope) {
                Some(row) => format!("{}({row})::jsonb", self.dice.pick(&["to_jsonb", "row_to_json", "to_json"])),
                None => self.constant(Ty::Json),
            },
            2 => format!("jsonb_build_object('a', {}, 'b', {})", self.any(scope), self.any(scope)),
            3 => format!("jsonb_build_array({}, {})", self.any(scope), self.any(scope)),
            4 => format!("to_jsonb({})", self.any(scope)),
            5 => format!("({} -> 'list')", self.value(Ty::Json, scope)),
            6 => format!("({} || jsonb_build_object('k', {}))", self.leaf(Ty::Json, scope), self.any(scope)),
            7 => format!("jsonb_set({}, '{{name}}', to_jsonb({}))", self.leaf(Ty::Json, scope), self.any(scope)),
            8 => format!("jsonb_path_query_array({}, '$.*')", self.value(Ty::Json, scope)),
            9 => format!("json_object(ARRAY['a', {}])::jsonb", self.value(Ty::Text, scope)),
            10 => format!("array_to_json({})::jsonb", self.value(Ty::Texts, scope)),
            _ => format!("jsonb_strip_nulls({})", self.value(Ty::Json, scope)),
        }
    }

    fn texts(&mut self, scope: &Scope) -> String {
        match self.dice.below(8) {
            0 => format!("ARRAY[{}, {}]", self.value(Ty::Text, scope), self.value(Ty::Text, scope)),
            1 => format!("string_to_array({}, '8')", self.value(Ty::Text, scope)),
            2 => format!("regexp_split_to_array({}, '[0-9]')", self.value(Ty::Text, scope)),
            3 => format!("({})[1:2]", self.value(Ty::Texts, scope)),
            4 => format!("array_append({}, {})", self.value(Ty::Texts, scope), self.value(Ty::Text, scope)),
            5 => format!("({} || {})", self.value(Ty::Texts, scope), self.value(Ty::Texts, scope)),
            6 => format!("regexp_match({}, '(.)(.{{6}})')", self.value(Ty::Text, scope)),
            _ => format!("ARRAY({})", self.scalar(Ty::Text, scope)),
        }
    }

    fn bytes(&mut self, scope: &Scope) -> String {
        match self.dice.below(5) {
            0 => format!("convert_to({}, 'UTF8')", self.value(Ty::Text, scope)),
            1 => format!("({} || {})", self.value(Ty::Bytes, scope), self.value(Ty::Bytes, scope)),
            2 => format!("decode(encode({}, 'hex'), 'hex')", self.value(Ty::Bytes, scope)),
            3 => format!("int4send({})", self.value(Ty::Int, scope)),
            _ => format!("substring({} FROM 2 FOR 9)", self.value(Ty::Bytes, scope)),
        }
    }

    /// A value of any type.
    pub(super) fn any(&mut self, scope: &Scope) -> String {
        let ty = self.ty();
        self.value(ty, scope)
    }

    /// A condition. Most are true of most rows: a query without rows tells nothing.
    pub(super) fn condition(&mut self, scope: &Scope) -> String {
        if !self.spend() {
            return "true".to_owned();
        }
        let ty = self.sorted_ty();
        match self.dice.below(16) {
            0 => format!("{} = {}", self.value(ty, scope), self.value(ty, scope)),
            1 => format!("{} <> {}", self.value(ty, scope), self.value(ty, scope)),
            2 => format!("{} LIKE '%a%'", self.value(Ty::Text, scope)),
            3 => format!("({}) IS NULL", self.value(ty, scope)),
            4 => format!("EXISTS (SELECT 1 FROM {})", self.exists(scope)),
            5 => format!("{} IN ({})", self.value(ty, scope), self.scalar_many(ty, scope)),
            6 => format!("{} = ANY ({})", self.value(Ty::Text, scope), self.value(Ty::Texts, scope)),
            7 => format!("({} OR {})", self.condition(scope), self.condition(scope)),
            8 => format!("({} AND {})", self.condition(scope), self.condition(scope)),
            9 => format!("{} IS DISTINCT FROM {}", self.value(ty, scope), self.value(ty, scope)),
            10 => {
                format!("{} BETWEEN {} AND {}", self.value(ty, scope), self.value(ty, scope), self.value(ty, scope))
            }
            11 => format!("({} > 0 OR true)", self.value(Ty::Int, scope)),
            _ => format!("({}) IS NOT NULL", self.leaf(ty, scope)),
        }
    }
}
