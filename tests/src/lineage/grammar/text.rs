//! The many ways to make a text.

use super::schema::{TYPES, Ty};
use super::{Generator, Scope};

impl Generator {
    /// A text made of other values.
    pub(super) fn text(&mut self, scope: &Scope) -> String {
        match self.dice.below(5) {
            0 => self.text_of_other(scope),
            1 => self.text_of_json(scope),
            2 => self.text_joined(scope),
            3 => self.text_encoded(scope),
            _ => self.text_changed(scope),
        }
    }

    fn text_of_other(&mut self, scope: &Scope) -> String {
        match self.dice.below(8) {
            0 => format!("to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')", self.value(Ty::Moment, scope)),
            1 => format!("({}).street", self.value(Ty::Address, scope)),
            2 => format!("({})[1]", self.value(Ty::Texts, scope)),
            3 => format!("array_to_string({}, ',')", self.value(Ty::Texts, scope)),
            4 => format!("to_hex({})", self.value(Ty::Int, scope)),
            5 => match self.row(scope) {
                Some(row) => match self.dice.below(4) {
                    0 => format!("{row}::text"),
                    1 => format!("({row}.*)::text"),
                    2 => format!("ROW({row}.*)::text"),
                    _ => format!("concat({row})"),
                },
                None => self.leaf(Ty::Text, scope),
            },
            6 => format!("ROW({}, {})::text", self.any(scope), self.any(scope)),
            _ => {
                let ty = self.dice.pick(&TYPES);
                format!("({})::{}", self.value(ty, scope), self.dice.pick(&["text", "varchar", "varchar(30)", "text"]))
            }
        }
    }

    fn text_of_json(&mut self, scope: &Scope) -> String {
        match self.dice.below(7) {
            0 => format!("({} ->> 'name')", self.value(Ty::Json, scope)),
            1 => format!("({} #>> '{{list,0}}')", self.value(Ty::Json, scope)),
            2 => format!("jsonb_pretty({})", self.value(Ty::Json, scope)),
            3 => format!("json_build_array({}, {})::text", self.any(scope), self.any(scope)),
            4 => format!("xmlserialize(content xmlelement(name n, {}) AS text)", self.value(Ty::Text, scope)),
            5 => format!("xmlforest({} AS a, {} AS b)::text", self.any_printable(scope), self.value(Ty::Text, scope)),
            _ => match self.row(scope) {
                Some(row) => {
                    format!("(to_jsonb({row}) ->> {})", self.dice.pick(&["'s_name'", "'label'", "'contact'", "'name'"]))
                }
                None => format!("({} ->> 'name')", self.leaf(Ty::Json, scope)),
            },
        }
    }

    /// A type that XML has a form for.
    fn any_printable(&mut self, scope: &Scope) -> String {
        let ty = self.dice.pick(&[Ty::Text, Ty::Int, Ty::Big, Ty::Num, Ty::Date, Ty::Moment]);
        self.value(ty, scope)
    }

    fn text_joined(&mut self, scope: &Scope) -> String {
        match self.dice.below(5) {
            0 => format!("concat({}, '/', {})", self.any(scope), self.any(scope)),
            1 => format!("concat_ws('-', {}, {})", self.any(scope), self.value(Ty::Text, scope)),
            2 => format!("format('%s of %L', {}, {})", self.value(Ty::Text, scope), self.any(scope)),
            3 => format!("format('%I', {})", self.value(Ty::Text, scope)),
            _ => format!("({} || {})", self.value(Ty::Text, scope), self.value(Ty::Text, scope)),
        }
    }

    fn text_encoded(&mut self, scope: &Scope) -> String {
        match self.dice.below(8) {
            0 => format!("encode({}, 'hex')", self.value(Ty::Bytes, scope)),
            1 => format!("encode({}, 'base64')", self.value(Ty::Bytes, scope)),
            2 => format!("encode({}, 'escape')", self.value(Ty::Bytes, scope)),
            3 => format!("encode(convert_to({}, 'UTF8'), 'base64')", self.value(Ty::Text, scope)),
            4 => format!("convert_from(convert_to({}, 'UTF8'), 'UTF8')", self.value(Ty::Text, scope)),
            5 => format!("quote_literal({})", self.value(Ty::Text, scope)),
            6 => format!("encode(convert_to({}, 'UTF8'), 'hex')", self.value(Ty::Text, scope)),
            _ => format!("chr(ascii({}))", self.leaf(Ty::Text, scope)),
        }
    }

    fn text_changed(&mut self, scope: &Scope) -> String {
        let text = self.value(Ty::Text, scope);
        match self.dice.below(20) {
            0 => format!("upper({text})"),
            1 => format!("lower({text})"),
            2 => format!("initcap({text})"),
            3 => format!("reverse({text})"),
            4 => format!("substring({text} FROM {} FOR 8)", 1 + self.dice.below(6)),
            5 => format!("substr({text}, 2)"),
            6 => format!("left({text}, 8)"),
            7 => format!("right({text}, 8)"),
            8 => format!("overlay({text} PLACING 'ab' FROM 2 FOR 1)"),
            9 => format!("translate({text}, 'a8', 'bc')"),
            10 => format!("replace({text}, 'a', 'b')"),
            11 => format!("lpad({text}, 24, '-')"),
            12 => format!("rpad({text}, 24, '-')"),
            13 => format!("split_part({text}, '8', 1)"),
            14 => format!("regexp_replace({text}, '[a-c]', '-', 'g')"),
            15 => format!("regexp_substr({text}, '.{{7}}')"),
            16 => format!("(regexp_match({text}, '(.{{7}})'))[1]"),
            17 => format!("btrim({text}, 'ab')"),
            18 => format!("{text} COLLATE \"C\""),
            _ => format!("normalize({text})"),
        }
    }
}
