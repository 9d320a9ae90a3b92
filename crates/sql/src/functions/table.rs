//! The tables of pg_catalog's functions, operators and casts: sorted texts, each indexed by name when it is first asked.
//!
//! `functions.tsv`, `aggregates.tsv`, `windows.tsv` and `operators.tsv` are made by `cargo xtask functions` from a server's catalogue and
//! `rules.tsv`; `supplement.tsv` holds what other versions have, by hand.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use model::Effect;

use super::Builtin;

const SERVERS: [&str; 3] = [include_str!("functions.tsv"), include_str!("aggregates.tsv"), include_str!("windows.tsv")];

/// The functions of the server that the tables are made from.
static FUNCTIONS: LazyLock<Table> = LazyLock::new(|| Table::of(&SERVERS));
static SUPPLEMENT: LazyLock<Table> = LazyLock::new(|| Table::of(&[include_str!("supplement.tsv")]));
static OPERATORS: LazyLock<Table> = LazyLock::new(|| Table::of(&[include_str!("operators.tsv")]));
static CASTS: LazyLock<Table> = LazyLock::new(|| Table::of(&[include_str!("casts.tsv")]));

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
    from == to || CASTS.rows(from).iter().any(|row| row.cells[0] == to)
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

/// Rows by the name they begin with. Lines that start with `# ` are remarks.
struct Table(HashMap<&'static str, Vec<Row>>);

struct Row {
    /// Argument types, volatility or version, class, reason; of operators and casts what their tables say.
    cells: [&'static str; 4],
    /// How many arguments a call may have.
    arguments: RangeInclusive<usize>,
}

impl Table {
    fn of(texts: &[&'static str]) -> Self {
        let mut rows: HashMap<&str, Vec<Row>> = HashMap::new();
        for line in texts.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with("# ")) {
            let mut cells = line.split('\t');
            let mut next = || cells.next().unwrap_or_default();
            let (name, cells) = (next(), [next(), next(), next(), next()]);
            rows.entry(name).or_default().push(Row { cells, arguments: arguments(cells[0]) });
        }
        Self(rows)
    }

    fn rows(&self, name: &str) -> &[Row] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Row {
    fn known(&self) -> Known {
        let [_, _, class, reason] = self.cells;
        Known { what: what(class), reason }
    }
}

/// How many arguments a function with these types takes.
fn arguments(types: &str) -> RangeInclusive<usize> {
    if types == "*" {
        return 0..=usize::MAX;
    }
    let (mut all, mut optional, mut variadic) = (0_usize, 0, 0);
    for one in types.split(',').filter(|one| !one.is_empty()) {
        all += 1;
        optional += usize::from(one.ends_with('='));
        variadic |= usize::from(one.starts_with("variadic "));
    }
    let least = all.saturating_sub(optional + variadic);
    least..=if variadic > 0 { usize::MAX } else { all }
}

/// Every function of pg_catalog that a call of this name with so many arguments may mean; with `None`, all of that name.
pub(crate) fn functions(name: &str, count: Option<usize>) -> Vec<Known> {
    let mut found = Vec::new();
    for row in FUNCTIONS.rows(name).iter().chain(SUPPLEMENT.rows(name)) {
        let known = row.known();
        if count.is_none_or(|count| row.arguments.contains(&count)) && !found.contains(&known) {
            found.push(known);
        }
    }
    if found.is_empty() {
        found.extend(beginning(name).map(Row::known));
    }
    found
}

/// What is said of all names that begin like this one.
fn beginning(name: &str) -> Option<&'static Row> {
    let begins = |pattern: &&str| pattern.strip_suffix('*').is_some_and(|start| name.starts_with(start));
    SUPPLEMENT.0.keys().copied().find(begins).and_then(|pattern| SUPPLEMENT.rows(pattern).first())
}

/// Whether pg_catalog has a function of this name with exactly these argument types, all of them given.
pub(crate) fn has_function(name: &str, types: &[&str]) -> bool {
    FUNCTIONS.rows(name).iter().any(|row| {
        let mut args = row.cells[0].split(',').filter(|arg| !arg.is_empty());
        types.iter().all(|wanted| args.next().is_some_and(|arg| arg.trim_end_matches('=') == *wanted))
            && args.next().is_none()
    })
}

/// Whether pg_catalog of the server that the table is made from has an operator of this name.
pub(crate) fn has_operator(name: &str) -> bool {
    !OPERATORS.rows(name).is_empty()
}

/// The type that pg_catalog's operator of this name for exactly these types gives, if there is one; an operand that is not there is an empty
/// name.
pub(crate) fn operator_result(name: &str, left: &str, right: &str) -> Option<&'static str> {
    OPERATORS.rows(name).iter().find_map(|row| {
        let [has_left, has_right, result, _] = row.cells;
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

    fn all() -> impl Iterator<Item = (&'static str, &'static Row)> {
        [&FUNCTIONS, &SUPPLEMENT]
            .into_iter()
            .flat_map(|table| &table.0)
            .flat_map(|(name, rows)| rows.iter().map(|row| (*name, row)))
    }

    #[test]
    fn every_row_is_read() {
        assert!(all().count() + OPERATORS.0.values().map(Vec::len).sum::<usize>() > 4000);
        for name in ["", "a", "zzz", "lowe", "lowerr", "~~~~", "#", "# PostgreSQL 15", "\u{e9}"] {
            assert!(FUNCTIONS.rows(name).is_empty(), "{name:?}");
        }
        let patterns: Vec<&str> = SUPPLEMENT.0.keys().copied().filter(|name| name.ends_with('*')).collect();
        assert!(
            patterns.len() > 3
                && !patterns.iter().any(|one| patterns
                    .iter()
                    .any(|other| { one != other && one.starts_with(other.trim_end_matches('*')) })),
            "one name, one pattern: {patterns:?}"
        );
    }

    #[test]
    fn what_is_not_harmless_has_a_reason() {
        let exact = ["text", "execute", "internal"];
        for (name, row) in all() {
            let [_, volatility, class, reason] = row.cells;
            let calm = matches!(class, "harmless" | "counts" | "statistic");
            assert!(calm || !reason.is_empty(), "{name}");
            assert!(volatility != "v" || !reason.is_empty(), "{name}");
            assert!(what(class) != Builtin::Runs || exact.contains(&class), "no class {class:?}: {name}");
        }
    }

    #[test]
    fn of_every_aggregate_is_said_why_it_is_a_statistic_or_none() {
        let aggregates = Table::of(&[include_str!("aggregates.tsv")]);
        for (name, row) in aggregates.0.iter().flat_map(|(name, rows)| rows.iter().map(move |row| (name, row))) {
            assert!(!row.cells[3].is_empty(), "{name}");
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
