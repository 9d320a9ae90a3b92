//! Aggregates and window functions: values of a type from many rows.

use super::schema::Ty;
use super::{Generator, Scope};

impl Generator {
    /// A value of this type from all rows of a group.
    pub(super) fn aggregate(&mut self, ty: Ty, scope: &Scope) -> String {
        let call = match ty {
            Ty::Text => return self.text_aggregate(scope),
            Ty::Int | Ty::Num | Ty::Date | Ty::Moment | Ty::Real => return self.sorted_aggregate(ty, scope),
            Ty::Big => match self.dice.below(4) {
                0 => "count(*)".to_owned(),
                1 => format!("count(DISTINCT {})", self.value(Ty::Text, scope)),
                2 => format!("sum({})", self.leaf(Ty::Int, scope)),
                _ => return self.sorted_aggregate(ty, scope),
            },
            Ty::Json => return self.json_aggregate(scope),
            Ty::Texts => return self.array(Ty::Text, scope),
            Ty::Bool => format!("{}({})", self.dice.pick(&["bool_or", "bool_and", "every"]), self.value(ty, scope)),
            Ty::Bytes if self.dice.one_in(2) => {
                format!("string_agg({}, '\\x00'::bytea)", self.value(Ty::Bytes, scope))
            }
            Ty::Uuid if self.dice.one_in(2) => return self.ordered_set(ty, scope),
            Ty::Uuid | Ty::Bytes | Ty::Address | Ty::Mood => {
                return format!("({})[{}]", self.array(ty, scope), 1 + self.dice.below(2));
            }
        };
        self.filtered(call, scope)
    }

    fn filtered(&mut self, call: String, scope: &Scope) -> String {
        if self.dice.one_in(5) { format!("{call} FILTER (WHERE {})", self.condition(scope)) } else { call }
    }

    fn array(&mut self, ty: Ty, scope: &Scope) -> String {
        let (value, key) = (self.value(ty, scope), self.value(Ty::Text, scope));
        let call = match self.dice.below(3) {
            0 => format!("array_agg({value})"),
            _ => format!("array_agg({value} ORDER BY {key})"),
        };
        self.filtered(call, scope)
    }

    fn sorted_aggregate(&mut self, ty: Ty, scope: &Scope) -> String {
        let name = match self.dice.below(5) {
            0 => return format!("({})[1]", self.array(ty, scope)),
            1 => return self.ordered_set(ty, scope),
            2 if ty == Ty::Num => self.dice.pick(&["sum", "avg"]),
            _ => self.dice.pick(&["min", "max"]),
        };
        let call = format!("{name}({})", self.value(ty, scope));
        self.filtered(call, scope)
    }

    fn ordered_set(&mut self, ty: Ty, scope: &Scope) -> String {
        let name = self.dice.pick(&["mode()", "percentile_disc(0.5)"]);
        format!("{name} WITHIN GROUP (ORDER BY {})", self.value(ty, scope))
    }

    fn text_aggregate(&mut self, scope: &Scope) -> String {
        match self.dice.below(8) {
            0 => self.ordered_set(Ty::Text, scope),
            1 => format!("({})[1]", self.array(Ty::Text, scope)),
            2 => format!("array_to_string({}, ';')", self.array(Ty::Text, scope)),
            3 => format!("jsonb_agg({})::text", self.any(scope)),
            4 => format!("xmlagg(xmlelement(name n, {}))::text", self.value(Ty::Text, scope)),
            5 | 6 => {
                let (value, key) = (self.value(Ty::Text, scope), self.any_sorted(scope));
                self.filtered(format!("string_agg({value}, ',' ORDER BY {key})"), scope)
            }
            _ => format!("{}({})", self.dice.pick(&["min", "max"]), self.value(Ty::Text, scope)),
        }
    }

    fn json_aggregate(&mut self, scope: &Scope) -> String {
        match self.dice.below(5) {
            0 => match self.row(scope) {
                Some(row) => format!("jsonb_agg({row})"),
                None => format!("jsonb_agg({})", self.any(scope)),
            },
            1 => format!("jsonb_object_agg(coalesce({}, 'k'), {})", self.value(Ty::Text, scope), self.any(scope)),
            2 => format!("json_object_agg('k', {})::jsonb", self.any(scope)),
            3 => format!("to_jsonb({})", self.array(Ty::Text, scope)),
            _ => format!("jsonb_agg({})", self.any(scope)),
        }
    }

    /// A value of a type that can be a sort key. A bare number would be a position.
    pub(super) fn any_sorted(&mut self, scope: &Scope) -> String {
        let ty = self.sorted_ty();
        let key = self.value(ty, scope);
        if key.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') { format!("{key} + 0") } else { key }
    }

    /// A value of this type from the rows around.
    pub(super) fn windowed(&mut self, ty: Ty, scope: &Scope, named: Option<&str>) -> String {
        let value = self.value(ty, scope);
        let call = match self.dice.below(7) {
            0 => format!("lag({value})"),
            1 => format!("lead({value}, 1)"),
            2 => format!("first_value({value})"),
            3 => format!("nth_value({value}, 2)"),
            4 if ty == Ty::Big => self.dice.pick(&["row_number()", "rank()", "count(*)"]).to_owned(),
            4 if ty == Ty::Text => format!("string_agg({value}, ',')"),
            4 if ty == Ty::Texts => format!("array_agg({})", self.value(Ty::Text, scope)),
            5 if matches!(ty, Ty::Text | Ty::Int | Ty::Date | Ty::Moment | Ty::Num) => format!("max({value})"),
            _ => format!("last_value({value})"),
        };
        match named {
            Some(name) if self.dice.one_in(2) => format!("{call} OVER {name}"),
            _ => format!("{call} OVER ({})", self.window(scope)),
        }
    }

    /// What stands inside OVER.
    pub(super) fn window(&mut self, scope: &Scope) -> String {
        let key = self.any_sorted(scope);
        let order = match self.dice.below(3) {
            0 => format!("ORDER BY {key}"),
            1 => format!("PARTITION BY {} ORDER BY {key}", self.any_sorted(scope)),
            _ => format!("ORDER BY {key} DESC NULLS LAST"),
        };
        let frame =
            self.dice.pick(&["", "", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " ROWS 2 PRECEDING"]);
        order + frame
    }
}
