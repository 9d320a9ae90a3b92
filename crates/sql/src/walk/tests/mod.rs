//! Statements and what they do.

mod aggregates;
mod bodies;
mod comparands;
mod effects;
mod families;
mod hidden;
mod hostile;
mod lineage;
mod moves;
mod revealing;

use model::{ColumnRef, SourceColumn};

use crate::analysis::{Analysis, Caps, Context, Deps, Outputs};
use crate::catalog::{Builder, Catalog};
use crate::walk::analyze;

fn row(builder: &mut Builder, query: &str, cells: &[&str]) {
    let cells: Vec<Option<&str>> = cells.iter().map(|cell| (*cell != "NULL").then_some(*cell)).collect();
    builder.row(query, &cells).unwrap();
}

/// Relations: number, schema, name, kind, columns (`!` not null, `*` unique).
const RELATIONS: &[(&str, &str, &str, &str, &str)] = &[
    ("20000", "public", "customers", "r", "id!* name! email* ssn card tags"),
    ("20001", "public", "orders", "r", "id!* customer_id total status drop deleted_at"),
    ("20002", "public", "notes", "r", "id!* body"),
    ("20003", "public", "inbox", "r", "id!* body"),
    ("20004", "public", "secrets", "r", "k v"),
    ("20005", "public", "v_contacts", "v", "id contact"),
    ("20006", "public", "v_top", "v", "contact"),
    ("20007", "public", "seq", "S", "last_value log_cnt is_called"),
    ("20008", "other", "orders", "r", "id hidden"),
    ("20009", "other", "lonely", "r", "id"),
    ("20010", "public", "parts", "p", "at val"),
    ("20011", "public", "parts_1", "r", "at val"),
    ("20012", "public", "v_loop", "v", "x"),
    ("20013", "pg_temp_3", "scratch", "r", "x"),
    ("20014", "pg_temp_3", "orders", "r", "x"),
    ("20015", "public", "stamped", "r", "a b"),
    ("20016", "public", "defaulted", "r", "a b"),
    ("20017", "public", "generated", "r", "a sum"),
    ("20019", "public", "ruled", "r", "a b"),
    ("20020", "public", "guarded", "r", "id owner"),
    ("20021", "public", "v_guarded", "v", "id"),
    ("20022", "public", "left_guard", "r", "id"),
    ("20023", "public", "right_guard", "r", "id"),
    ("20024", "public", "ranked", "r", "id rank"),
    ("20025", "public", "ranks", "r", "ranks"),
    ("20026", "public", "tagged", "r", "t"),
    ("20027", "public", "v_ranked", "v", "rank"),
    ("20028", "public", "staff", "r", "id! region salary bonus active since note"),
    ("20029", "public", "v_pay", "v", "region total each"),
    ("20018", "public", "plain", "r", "val more"),
    ("1259", "pg_catalog", "pg_class", "r", "oid relname relkind relnamespace"),
    ("1260", "pg_catalog", "pg_authid", "r", "oid rolname rolpassword"),
    ("11000", "pg_catalog", "pg_stats", "v", "tablename attname most_common_vals histogram_bounds n_distinct"),
    ("11002", "pg_catalog", "pg_stat_activity", "v", "pid state backend_start query"),
    ("11005", "pg_catalog", "pg_prepared_statements", "v", "name statement"),
    ("11006", "pg_catalog", "pg_cursors", "v", "name statement"),
    ("11003", "pg_catalog", "pg_statistic", "r", "starelid stanullfrac stavalues1 stanumbers1"),
    ("11004", "public", "pg_stat_statements", "v", "queryid calls query"),
    ("11001", "pg_catalog", "pg_settings", "v", "name setting"),
    ("6100", "pg_catalog", "pg_subscription", "r", "oid subname subconninfo"),
];

type FunctionRow =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// Functions: number, schema, name, kind, volatility, language, arguments, extension.
const FUNCTIONS: &[FunctionRow] = &[
    ("30000", "public", "purge_customers", "f", "v", "plpgsql", "0", "NULL"),
    ("30001", "public", "get_email", "f", "s", "sql", "1", "NULL"),
    ("30002", "public", "wipe", "p", "v", "plpgsql", "0", "NULL"),
    ("30003", "public", "trg_inbox", "f", "v", "plpgsql", "0", "NULL"),
    ("30004", "public", "op_purge", "f", "v", "plpgsql", "2", "NULL"),
    ("30005", "public", "upper", "f", "v", "plpgsql", "1", "NULL"),
    ("30006", "public", "spill", "f", "s", "sql", "1", "NULL"),
    ("30007", "public", "hstore", "f", "i", "c", "1", "40000"),
    ("30008", "public", "crosstab", "f", "s", "c", "1", "40001"),
    ("30009", "public", "dblink_exec", "f", "v", "c", "2", "40002"),
    ("30010", "other", "lower", "f", "v", "plpgsql", "1", "NULL"),
    ("30011", "public", "cast_it", "f", "v", "plpgsql", "1", "NULL"),
    ("30020", "public", "may_see", "f", "s", "sql", "1", "NULL"),
    ("30021", "public", "may_write", "f", "s", "sql", "1", "NULL"),
    ("30022", "public", "rank_cmp", "f", "i", "plpgsql", "2", "NULL"),
    ("30023", "public", "to_rank", "f", "i", "plpgsql", "1", "NULL"),
    ("30026", "public", "rank_number", "f", "v", "plpgsql", "1", "NULL"),
    ("30025", "public", "from_rank", "f", "i", "plpgsql", "1", "NULL"),
    ("30024", "public", "tag_text", "f", "i", "plpgsql", "1", "NULL"),
    ("30012", "public", "uuid_generate_v4", "f", "v", "c", "0", "40003"),
];

pub(super) fn world() -> Catalog {
    let mut builder = Builder::new();
    row(&mut builder, "settings", &["search_path", "\"$user\", public"]);
    for (oid, schema, name, kind, columns) in RELATIONS {
        row(&mut builder, "relations", &[oid, schema, name, kind, if name.ends_with("_1") { "t" } else { "f" }]);
        let mut unique = Vec::new();
        for (at, column) in columns.split(' ').enumerate() {
            let number = (at + 1).to_string();
            if column.contains('*') {
                unique.push(number.clone());
            }
            let not_null = if column.contains('!') { "t" } else { "f" };
            let type_oid = match (*name, column) {
                (_, "tags") => "1009",
                ("ranked", "rank") => "50002",
                ("ranks", _) => "50003",
                ("tagged", _) => "50004",
                ("staff", "salary") => "1700",
                ("staff", "bonus") => "23",
                ("staff", "active") => "16",
                ("staff", "since") => "1082",
                _ => "25",
            };
            row(&mut builder, "columns", &[oid, &number, column.trim_end_matches(['!', '*']), type_oid, not_null]);
        }
        row(&mut builder, "unique", &[oid, &unique.join(" ")]);
    }
    for (oid, definition) in [
        ("20005", " SELECT customers.id,\n    customers.email AS contact\n   FROM public.customers;"),
        ("20006", " SELECT upper(v.contact) AS contact FROM public.v_contacts v WHERE v.id > 0;"),
        ("20021", " SELECT guarded.id FROM public.guarded;"),
        ("20027", " SELECT ranked.rank FROM public.ranked;"),
        (
            "20029",
            " SELECT staff.region,\n    sum((staff.salary)::numeric) AS total,\n    (staff.salary * (2)::numeric) AS each\n   FROM public.staff\n  GROUP BY staff.region, staff.salary;",
        ),
        ("20012", " SELECT v_loop.x FROM public.v_loop;"),
    ] {
        row(&mut builder, "views", &[oid, definition]);
    }
    for (oid, schema, name, kind, volatility, language, arguments, extension) in FUNCTIONS {
        row(
            &mut builder,
            "functions",
            &[oid, schema, name, kind, volatility, language, arguments, "0", "f", extension, "NULL", ""],
        );
    }
    for (oid, name) in [("40000", "hstore"), ("40001", "tablefunc"), ("40002", "dblink"), ("40003", "uuid-ossp")] {
        row(&mut builder, "extensions", &[oid, name]);
    }
    row(&mut builder, "operators", &["public", "<-!->", "30004", "23", "23"]);
    row(&mut builder, "triggers", &["20003", "5", "30003", "public", "trg_inbox"]);
    row(&mut builder, "triggers", &["20015", "31", "30003", "public", "trg_inbox"]);
    row(&mut builder, "uses", &["20016", "NULL", "30000", "2"]);
    row(&mut builder, "generated", &["20017", "2", "1"]);
    let rule = "CREATE RULE r AS ON UPDATE TO public.notes DO DELETE FROM public.customers;";
    row(&mut builder, "rules", &["20002", "2", "f", rule]);
    let rule = "CREATE RULE r AS ON UPDATE TO public.ruled DO INSTEAD SELECT 1 AS a;";
    row(&mut builder, "rules", &["20019", "2", "t", rule]);
    row(&mut builder, "foreign_keys", &["20001", "20000", "c", "c", "{1}"]);
    row(&mut builder, "inherits", &["20011", "20010"]);
    row(&mut builder, "uses", &["20004", "NULL", "30000", "NULL"]);
    row(&mut builder, "types", &["50000", "public", "mood", "e", "0", "0", "0"]);
    row(&mut builder, "types", &["50001", "public", "evil", "e", "0", "0", "0"]);
    row(&mut builder, "casts", &["25", "50001", "30011", "e", "made"]);
    row(&mut builder, "types", &["50002", "public", "rank", "b", "0", "0", "0"]);
    row(&mut builder, "types", &["50003", "public", "_rank", "b", "0", "0", "50002"]);
    row(&mut builder, "types", &["50004", "public", "tag", "b", "0", "0", "0"]);
    row(&mut builder, "orders", &["50002", "30022"]);
    row(&mut builder, "casts", &["25", "50002", "30023", "a", "made"]);
    row(&mut builder, "casts", &["50002", "25", "30025", "a", "text"]);
    row(&mut builder, "casts", &["50002", "23", "30026", "e", "int4"]);
    row(&mut builder, "types", &["50005", "public", "number", "d", "23", "0", "0"]);
    row(&mut builder, "casts", &["50004", "25", "30024", "i", "text"]);
    let policies: [&[&str]; 4] = [
        &[
            "20020",
            "r",
            "(public.may_see(owner) AND (EXISTS ( SELECT 1 FROM public.secrets WHERE secrets.k = guarded.owner)))",
            "NULL",
        ],
        &["20020", "a", "NULL", "public.may_write(owner)"],
        &["20022", "*", "(EXISTS ( SELECT 1 FROM public.right_guard))", "NULL"],
        &["20023", "*", "((EXISTS ( SELECT 1 FROM public.left_guard)) AND public.may_see('x'::text))", "NULL"],
    ];
    for policy in policies {
        row(&mut builder, "policies", policy);
    }
    builder.finish(7)
}

pub(super) fn ask(text: &str) -> Analysis {
    ask_in(text, &["public"])
}

pub(super) fn ask_in(text: &str, path: &[&str]) -> Analysis {
    let catalog = world();
    let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
    analyze(
        text,
        &Context { catalog: &catalog, search_path: &path, fresh: &crate::Fresh::default(), caps: Caps::default() },
    )
}

/// `effect object` of every action.
pub(super) fn pairs(analysis: &Analysis) -> Vec<String> {
    let actions = analysis.intent.actions.iter();
    actions
        .map(|action| match &action.object {
            Some(object) => format!("{} {object}", action.effect),
            None => action.effect.to_string(),
        })
        .collect()
}

fn name_of(column: &ColumnRef) -> String {
    format!("{}.{}", column.relation.trim_start_matches("public."), column.column)
}

/// A column of which only a statistic is there has a `~` in front.
fn source_of(source: &SourceColumn) -> String {
    let mark = if source.aggregated { "~" } else { "" };
    mark.to_owned() + &name_of(&source.column)
}

pub(super) fn columns(deps: &Deps) -> String {
    match deps {
        Deps::Clean => "-".to_owned(),
        Deps::Unknown => "?".to_owned(),
        Deps::Anything => "!".to_owned(),
        Deps::Same { names, .. } => names.iter().map(name_of).collect::<Vec<_>>().join("+"),
        Deps::Columns(sources) => sources.iter().map(source_of).collect::<Vec<_>>().join("+"),
    }
}

/// The outputs of the only statement: `-` clean, `?` unknown.
pub(super) fn outputs(text: &str) -> String {
    let analysis = ask(text);
    match &analysis.statements[0].outputs {
        Outputs::None => "none".to_owned(),
        Outputs::Unknown => "unknown".to_owned(),
        Outputs::Mixed(None) => "anything".to_owned(),
        Outputs::Columns(all) | Outputs::Mixed(Some(all)) => all.iter().map(columns).collect::<Vec<_>>().join(", "),
    }
}
