//! The tables of pg_catalog's functions: sorted texts, searched where they stand, so that nothing is built at the start.
//!
//! `functions.tsv`, `aggregates.tsv`, `windows.tsv` and `operators.tsv` are made by `cargo xtask functions` from a server's catalogue and
//! `rules.tsv`; `supplement.tsv` holds what other versions have, by hand.

use std::cmp::Ordering;

use model::Effect;

use super::Builtin;

const TABLES: [&str; 3] = [include_str!("functions.tsv"), include_str!("aggregates.tsv"), include_str!("windows.tsv")];
const SUPPLEMENT: &str = include_str!("supplement.tsv");
const OPERATORS: &str = include_str!("operators.tsv");
const CASTS: &str = include_str!("casts.tsv");

/// Numbers of the server's types whose values statements are mostly about.
const TYPES: &[(u32, &str)] = &[
    (16, "bool"),
    (17, "bytea"),
    (19, "name"),
    (20, "int8"),
    (21, "int2"),
    (23, "int4"),
    (25, "text"),
    (26, "oid"),
    (114, "json"),
    (700, "float4"),
    (701, "float8"),
    (869, "inet"),
    (1009, "_text"),
    (1042, "bpchar"),
    (1043, "varchar"),
    (1082, "date"),
    (1083, "time"),
    (1114, "timestamp"),
    (1184, "timestamptz"),
    (1186, "interval"),
    (1700, "numeric"),
    (2205, "regclass"),
    (2950, "uuid"),
    (3802, "jsonb"),
];

/// The name of one of the server's common types.
pub(crate) fn common_type(oid: u32) -> Option<&'static str> {
    TYPES.iter().find(|(number, _)| *number == oid).map(|(_, name)| *name)
}

/// The number of one of the server's common types.
pub(crate) fn common_type_named(name: &str) -> Option<u32> {
    TYPES.iter().find(|(_, one)| *one == name).map(|(number, _)| *number)
}

/// Whether the server itself converts values of one of its types to another wherever that is asked for.
pub(crate) fn has_implicit_cast(from: &str, to: &str) -> bool {
    from == to || rows(CASTS, from).any(|row| cells(row)[0] == to)
}

/// A function that a name may mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) what: Builtin,
    /// Why it is not harmless; empty for most that are.
    pub(crate) reason: &'static str,
}

impl Known {
    pub(crate) const HARMLESS: Self = Self { what: Builtin::Harmless, reason: "" };
}

/// The rows of a name in a sorted table. Lines that start with `# ` are remarks.
fn rows(table: &'static str, name: &str) -> impl Iterator<Item = &'static str> {
    let bytes = table.as_bytes();
    let line_at = |at: usize| memchr::memrchr(b'\n', bytes.get(..at).unwrap_or_default()).map_or(0, |end| end + 1);
    let line_from = |start: usize| {
        let rest = bytes.get(start..).unwrap_or_default();
        start + memchr::memchr(b'\n', rest).map_or(rest.len(), |len| len + 1)
    };
    // The first line whose name is not smaller begins at `low`.
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let start = line_at(usize::midpoint(low, high));
        let line = bytes.get(start..).unwrap_or_default();
        if compare(line, name.as_bytes()) == Ordering::Less {
            low = line_from(start);
        } else {
            high = start;
        }
    }
    let found = table.get(low..).unwrap_or_default();
    found.lines().take_while(move |line| compare(line.as_bytes(), name.as_bytes()) == Ordering::Equal)
}

/// Compares a line's name, which ends with a tab.
fn compare(line: &[u8], name: &[u8]) -> Ordering {
    if line.starts_with(b"# ") {
        return Ordering::Less;
    }
    let end = memchr::memchr2(b'\t', b'\n', line).unwrap_or(line.len());
    line.get(..end).unwrap_or_default().cmp(name)
}

/// A row's cells: argument types, volatility or version, class, reason.
fn cells(row: &'static str) -> [&'static str; 4] {
    let mut cells = row.split('\t').skip(1);
    let mut next = || cells.next().unwrap_or_default();
    [next(), next(), next(), next()]
}

/// Whether a call with so many arguments may mean a function with these.
fn takes(args: &str, count: usize) -> bool {
    if args == "*" {
        return true;
    }
    let (mut all, mut optional, mut variadic) = (0, 0, false);
    for arg in args.split(',').filter(|arg| !arg.is_empty()) {
        all += 1;
        optional += usize::from(arg.ends_with('='));
        variadic |= arg.starts_with("variadic ");
    }
    if variadic { count + optional + 1 >= all } else { count <= all && count + optional >= all }
}

fn known(row: &'static str) -> (&'static str, Known) {
    let [args, _, class, reason] = cells(row);
    (args, Known { what: what(class), reason })
}

/// Every function of pg_catalog that a call of this name with so many arguments may mean; with `None`, all of that name.
pub(crate) fn functions(name: &str, count: Option<usize>) -> Vec<Known> {
    let mut found = Vec::new();
    let mut add = |row: &'static str| {
        let (args, known) = known(row);
        if count.is_none_or(|count| takes(args, count)) && !found.contains(&known) {
            found.push(known);
        }
    };
    TABLES.into_iter().chain([SUPPLEMENT]).flat_map(|table| rows(table, name)).for_each(&mut add);
    if found.is_empty() {
        let pattern = |row: &&str| {
            let start = row.split('\t').next().and_then(|pattern| pattern.strip_suffix('*'));
            start.is_some_and(|start| name.starts_with(start))
        };
        SUPPLEMENT.lines().filter(pattern).take(1).for_each(|row| found.push(known(row).1));
    }
    found
}

/// Whether pg_catalog has a function of this name with exactly these argument types, all of them given.
pub(crate) fn has_function(name: &str, types: &[&str]) -> bool {
    TABLES.into_iter().flat_map(|table| rows(table, name)).any(|row| {
        let mut args = cells(row)[0].split(',').filter(|arg| !arg.is_empty());
        types.iter().all(|wanted| args.next().is_some_and(|arg| arg.trim_end_matches('=') == *wanted))
            && args.next().is_none()
    })
}

/// Whether pg_catalog of the server that the table is made from has an operator of this name.
pub(crate) fn has_operator(name: &str) -> bool {
    rows(OPERATORS, name).next().is_some()
}

/// The type that pg_catalog's operator of this name for exactly these types gives, if there is one; an operand that is not there is an empty
/// name.
pub(crate) fn operator_result(name: &str, left: &str, right: &str) -> Option<&'static str> {
    rows(OPERATORS, name).find_map(|row| {
        let [has_left, has_right, result, _] = cells(row);
        (has_left == left && has_right == right).then_some(result)
    })
}

/// What a class of the tables means. An unknown word is the worst.
fn what(class: &str) -> Builtin {
    match class {
        "harmless" => Builtin::Harmless,
        "counts" => Builtin::Counts,
        "statistic" => Builtin::Statistic,
        "reveals" => Builtin::Reveals,
        "echoes" => Builtin::Echoes,
        "format" => Builtin::Format,
        "sequence:read" => Builtin::SequenceRead,
        "sequence:write" => Builtin::SequenceWrite,
        "lastval" => Builtin::LastValue,
        "seed" => Builtin::Seed,
        "setting" => Builtin::SetConfig,
        "notify" => Builtin::Notify,
        "session" => Builtin::Session,
        "export" => Builtin::File(Effect::Export),
        "import" => Builtin::File(Effect::Import),
        "admin" => Builtin::Admin,
        "large:read" => Builtin::LargeObject(Effect::Read),
        "large:write" => Builtin::LargeObject(Effect::Write),
        "large:delete" => Builtin::LargeObject(Effect::Delete),
        "waits" => Builtin::Waits,
        _ => match class.strip_prefix("sized:").map(str::parse) {
            Some(Ok(at)) => Builtin::Sized(at),
            Some(Err(_)) | None => Builtin::Runs,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(name: &str, count: Option<usize>) -> Vec<Builtin> {
        functions(name, count).into_iter().map(|known| known.what).collect()
    }

    #[test]
    fn every_row_is_found_where_it_stands() {
        let mut all = 0;
        for table in TABLES.into_iter().chain([SUPPLEMENT, OPERATORS, CASTS]) {
            for line in table.lines().filter(|line| !line.starts_with("# ")) {
                let name = line.split('\t').next().unwrap();
                assert!(rows(table, name).any(|row| row == line), "{line}");
                all += 1;
            }
        }
        assert!(all > 4000, "{all}");
        for name in ["", "a", "zzz", "lowe", "lowerr", "~~~~", "#", "# PostgreSQL 15", "\u{e9}"] {
            assert_eq!(rows(TABLES[0], name).count(), 0, "{name:?}");
        }
    }

    #[test]
    fn what_is_not_harmless_has_a_reason() {
        let exact = ["text", "execute", "internal"];
        for line in TABLES.into_iter().chain([SUPPLEMENT]).flat_map(str::lines).filter(|line| !line.starts_with("# ")) {
            let [_, volatility, class, reason] = cells(line);
            let calm = matches!(class, "harmless" | "counts" | "statistic");
            assert!(calm || !reason.is_empty(), "{line}");
            assert!(volatility != "v" || !reason.is_empty(), "{line}");
            assert!(what(class) != Builtin::Runs || exact.contains(&class), "no class {class:?}: {line}");
        }
    }

    #[test]
    fn of_every_aggregate_is_said_why_it_is_a_statistic_or_none() {
        for line in TABLES[1].lines().filter(|line| !line.starts_with("# ")) {
            assert!(!cells(line)[3].is_empty(), "{line}");
        }
        for name in ["sum", "avg", "stddev_samp", "regr_slope", "corr", "bool_or"] {
            assert_eq!(whats(name, None), [Builtin::Statistic], "{name}");
        }
        for name in ["min", "array_agg", "any_value", "percentile_cont", "mode", "bit_or", "json_agg_strict", "abs"] {
            assert_eq!(whats(name, None), [Builtin::Harmless], "{name}");
        }
    }

    #[test]
    fn the_number_of_arguments_tells_overloads_apart() {
        assert_eq!(whats("ts_rewrite", Some(3)), [Builtin::Harmless]);
        assert_eq!(whats("ts_rewrite", Some(2)), [Builtin::Runs]);
        assert_eq!(whats("ts_rewrite", None).len(), 2);
        assert_eq!(whats("rank", Some(0)), [Builtin::Counts]);
        assert_eq!(whats("concat", Some(7)), [Builtin::Harmless]);
        assert_eq!(whats("jsonb_path_query", Some(2)), [Builtin::Harmless]);
        assert_eq!(whats("jsonb_path_query", Some(5)), []);
        assert_eq!(whats("random", Some(2)), [Builtin::Harmless]);
        assert_eq!(whats("pg_stat_reset_moon", Some(9)), [Builtin::Admin]);
        assert_eq!(whats("no_such_function", None), []);
        assert!(has_function("lower", &["text"]) && !has_function("lower", &["int4"]) && !has_function("lower", &[]));
        assert_eq!(operator_result("=", "int4", "int8"), Some("bool"));
        assert_eq!(operator_result("-", "", "int4"), Some("int4"));
        assert_eq!(operator_result("=", "int4", "text"), None);
        assert!(has_implicit_cast("int4", "int8") && has_implicit_cast("varchar", "text"));
        assert!(!has_implicit_cast("int8", "int4") && !has_implicit_cast("int4", "text"));
    }
}
