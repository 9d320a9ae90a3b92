//! What is known about functions, operators, types and settings without asking the catalogue.
//!
//! - `table`: pg_catalog's functions, with what each does and why
//! - [`extensions`]: extensions whose functions only compute
//! - [`settings`]: which settings a client may change
//!
//! The lists are allow-lists: a built-in function that is not listed is `execute`.

pub(crate) mod extensions;
pub(crate) mod settings;
mod table;

use std::collections::HashSet;
use std::sync::OnceLock;

use model::Effect;

pub(crate) use table::{
    Known, common_type, common_type_named, functions as builtins, has_function, has_implicit_cast, operator_result,
};

/// What a built-in function does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Builtin {
    /// Only computes from its arguments or shows state of the server.
    Harmless,
    /// Harmless to run, but shows data that belongs to other relations or sessions.
    Reveals,
    /// Shows statements of the own session, with the values that stand for what the client sent.
    Echoes,
    /// Makes a value as long as the argument of this index says.
    Sized(usize),
    /// `format`: widths in the first argument.
    Format,
    /// nextval, setval: change the sequence named by the first argument.
    SequenceWrite,
    /// currval: shows a sequence.
    SequenceRead,
    /// lastval: what this session's own nextval gave.
    LastValue,
    /// setseed: what random gives from then on tells the argument.
    Seed,
    /// set_config.
    SetConfig,
    /// pg_notify.
    Notify,
    /// Changes state of the own session only.
    Session,
    /// Reads or writes files of the server.
    File(Effect),
    /// Runs the server itself.
    Admin,
    /// Reads, changes or removes large objects.
    LargeObject(Effect),
    /// Runs a text as SQL, reads relations that a text names, or does what nobody has looked at.
    Runs,
    /// Waits, or holds locks that others wait for.
    Waits,
    /// Aggregates whose result does not carry the argument's data.
    Counts,
    /// Aggregates whose result is one number made of all values of a group.
    Statistic,
}

/// The largest constant that [`Builtin::Sized`] and [`Builtin::Format`] accept.
pub(crate) const MAX_SIZE: i64 = 1 << 20;

fn words(texts: &[&'static str]) -> HashSet<&'static str> {
    texts
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| !line.starts_with("# "))
        .filter(|line| *line != "#")
        .flat_map(str::split_ascii_whitespace)
        .collect()
}

/// Whether an operator name is one of pg_catalog's.
pub(crate) fn is_builtin_operator(name: &str) -> bool {
    table::has_operator(name)
}

/// Whether a type name is one of pg_catalog's, array types (`_int4`) included.
pub(crate) fn is_builtin_type(name: &str) -> bool {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let set = SET.get_or_init(|| words(&[include_str!("types.txt")]));
    set.contains(name) || name.strip_prefix('_').is_some_and(|element| set.contains(element))
}

/// Functions that put values together or pick one, and fail for none: using one tells nothing but what it returns.
pub(crate) fn is_total(name: &str) -> bool {
    matches!(
        name,
        "to_json"
            | "to_jsonb"
            | "row_to_json"
            | "json_build_object"
            | "jsonb_build_object"
            | "json_build_array"
            | "jsonb_build_array"
            | "json_agg"
            | "jsonb_agg"
            | "json_object_agg"
            | "jsonb_object_agg"
            | "array_agg"
            | "string_agg"
            | "max"
            | "min"
            | "concat"
            | "concat_ws"
            | "format"
            | "upper"
            | "lower"
            | "initcap"
            | "btrim"
            | "ltrim"
            | "rtrim"
            | "md5"
            | "reverse"
            | "quote_literal"
            | "quote_ident"
            | "quote_nullable"
            | "first_value"
            | "last_value"
            | "lag"
            | "lead"
            | "sum"
            | "avg"
            | "hstore"
            | "any_value"
            | "xmlagg"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_what_they_should_and_nothing_that_acts() {
        let whats = |name: &str| builtins(name, None).into_iter().map(|known| known.what).collect::<Vec<_>>();
        for name in ["lower", "now", "max", "jsonb_build_object", "pg_get_viewdef", "random", "any_value"] {
            assert_eq!(whats(name), [Builtin::Harmless], "{name}");
        }
        for name in
            ["query_to_xml", "pg_read_file", "pg_sleep", "nextval", "lo_export", "ts_stat", "repeat", "domain_in"]
        {
            assert!(!whats(name).contains(&Builtin::Harmless), "{name}");
        }
        assert!(is_builtin_operator("=") && is_builtin_operator("#>>") && is_builtin_operator("#"));
        assert!(!is_builtin_operator("<-!->") && !is_builtin_operator(""));
        assert!(is_builtin_type("int4") && is_builtin_type("_text") && !is_builtin_type("hstore"));
    }
}
