//! Tokens that a client sends back, and the values in their place. What is judged and recorded is the client's own text.

use gate::ValueType;
use model::Intent;
use sql::{Comparand, Place};

use super::Relay;
use super::prepared::Prepared;
use crate::classify::Text;
use crate::types;
use crate::wire::frontend::Bind;
use crate::wire::{Format, encode};

impl Relay {
    /// The text with values in place of the tokens in it; `None` when there are none.
    pub(super) fn with_values(&self, sql: &str, text: &Text, intent: &Intent) -> Option<String> {
        let comparands = &text.analysis.comparands;
        if comparands.is_empty() || !self.session.takes_tokens(intent) {
            return None;
        }
        let marks = sql::shape::marks(sql.as_bytes())?;
        let mut out = String::new();
        let mut done = 0;
        for comparand in comparands {
            let Place::String(index) = comparand.place else { continue };
            let range = marks.strings.get(index)?.clone();
            let constant = sql.get(range.start + 1..range.end - 1)?.replace("''", "'");
            let Some(value) = self.value_of(intent, comparand, Format::Text, constant.as_bytes()) else { continue };
            // What a backslash means in a string is for a setting of the server to say.
            let plain = |value: &String| !value.contains(['\0', '\\']);
            let Some(value) = String::from_utf8(value).ok().filter(plain) else { continue };
            out.push_str(sql.get(done..range.start)?);
            out.push('\'');
            out.push_str(&value.replace('\'', "''"));
            out.push('\'');
            done = range.end;
        }
        if done == 0 {
            return None;
        }
        out.push_str(sql.get(done..)?);
        Some(out)
    }

    /// The Bind with values in place of tokens; `None` when there are none.
    pub(super) fn bind_with_values(
        &self,
        bind: &Bind<'_>,
        prepared: &Prepared,
        text: &Text,
        intent: &Intent,
    ) -> Option<Vec<u8>> {
        if text.analysis.comparands.is_empty() {
            return None;
        }
        let mut values: Vec<Option<&[u8]>> = bind.values.iter().collect();
        let restored = self
            .restored(prepared, text, intent, |index| Some((bind.formats.of(index)?, *values.get(index)?.as_ref()?)));
        if restored.is_empty() {
            return None;
        }
        for (index, value) in &restored {
            if let Some(place) = values.get_mut(*index) {
                *place = Some(value);
            }
        }
        let formats: Vec<Format> = bind.formats.iter().collect();
        let results: Vec<Format> = bind.results.iter().collect();
        let mut message = Vec::new();
        encode::bind(&mut message, bind.portal, bind.statement, &formats, &values, &results);
        Some(message)
    }

    /// Bind values as texts, with values in place of tokens, for a preview.
    pub(super) fn values_restored(
        &self,
        prepared: &Prepared,
        text: &Text,
        intent: &Intent,
        values: &[Option<String>],
    ) -> Vec<Option<String>> {
        let given = |index: usize| Some((Format::Text, values.get(index)?.as_ref()?.as_bytes()));
        let mut all = values.to_vec();
        for (index, value) in self.restored(prepared, text, intent, given) {
            if let (Some(place), Ok(value)) = (all.get_mut(index), String::from_utf8(value)) {
                *place = Some(value);
            }
        }
        all
    }

    /// The parameters that are tokens, by their indexes, with the values that they stand for.
    fn restored<'v>(
        &self,
        prepared: &Prepared,
        text: &Text,
        intent: &Intent,
        given: impl Fn(usize) -> Option<(Format, &'v [u8])>,
    ) -> Vec<(usize, Vec<u8>)> {
        let of = |comparand: &Comparand| {
            let Place::Parameter(index) = comparand.place else { return None };
            let declared = prepared.declared.get(index).copied().unwrap_or(0);
            let (format, token) = given(index).filter(|_| keeps_whole(declared, comparand.type_oid))?;
            Some((index, self.value_of(intent, comparand, format, token)?))
        };
        text.analysis.comparands.iter().filter_map(of).collect()
    }

    fn value_of(&self, intent: &Intent, comparand: &Comparand, format: Format, token: &[u8]) -> Option<Vec<u8>> {
        let ty = types::value_type(comparand.type_oid);
        if !matches!(ty, ValueType::Text | ValueType::Uuid) {
            return None;
        }
        let format = match format {
            Format::Text => gate::Format::Text,
            Format::Binary => gate::Format::Binary,
        };
        self.session.restore(intent, &comparand.column, &comparand.names, ty, format, token)
    }
}

/// Whether a parameter of this declared type takes a value of the column's type whole: `"char"` would cut it, and so tell something of it.
const fn keeps_whole(declared: u32, column: u32) -> bool {
    matches!(declared, 0 | 25 | 705 | 1043) || declared == column
}

/// Whether a text may hold a token, so that what the target calls its position is not the client's.
pub(super) fn may_have_moved(words: &str) -> bool {
    words.match_indices(gate::TOKEN_MARK).any(|(at, _)| words.get(..at).is_some_and(|before| before.ends_with('\'')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_type_must_not_cut_the_value() {
        assert!(keeps_whole(0, 25) && keeps_whole(25, 1043) && keeps_whole(1042, 1042) && keeps_whole(2950, 2950));
        assert!(!keeps_whole(18, 25) && !keeps_whole(19, 25) && !keeps_whole(1042, 25));
    }
}
