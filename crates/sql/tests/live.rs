//! Against an installed PostgreSQL: the lists of functions and operators, the catalogue queries, the honest statements, and what is set off.
//! Skipped with a message when no server binaries are found.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

mod bodies;
mod support;

use model::{ColumnRef, Effect};
use sallyport_sql::{Analysis, Caps, Catalog, Context, Deps, Fresh, Outputs, analyze};
use support::Server;

/// Starts the server once per process; all checks of this file share it.
fn with_server(check: impl FnOnce(&Server) + Send + 'static) {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) if why.starts_with("no PostgreSQL") => {
            println!("SKIPPED: {why}");
            return;
        }
        Err(why) => panic!("{why}"),
    };
    let body = std::thread::Builder::new().stack_size(sallyport_sql::STACK).spawn(move || check(&server));
    if let Err(panic) = body.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

fn statements(text: &str) -> Vec<&str> {
    text.split("\n\n").map(str::trim).filter(|one| !one.is_empty() && !one.starts_with("-- ")).collect()
}

fn ask(catalog: &Catalog, text: &str) -> Analysis {
    let path = vec!["public".to_owned()];
    analyze(text, &Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() })
}

fn pairs(analysis: &Analysis) -> Vec<String> {
    let actions = analysis.intent.actions.iter();
    actions
        .map(|action| match &action.object {
            Some(object) => format!("{} {object}", action.effect),
            None => action.effect.to_string(),
        })
        .collect()
}

fn world(server: &Server) -> Catalog {
    let none: [&str; 0] = [];
    let script = "CREATE ROLE app LOGIN; CREATE DATABASE app OWNER app;";
    server.psql("postgres", "postgres", &none, script).unwrap();
    let schema = "ALTER SCHEMA public OWNER TO app; CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION dblink;
        CREATE EXTENSION tablefunc; CREATE EXTENSION pg_trgm; CREATE EXTENSION \"uuid-ossp\"; CREATE EXTENSION pgcrypto; CREATE EXTENSION pg_stat_statements;";
    server.psql("app", "postgres", &none, schema).unwrap();
    server.psql("app", "app", &none, include_str!("data/fixture.sql")).unwrap();
    // Operator classes are for a superuser to make.
    server.psql("app", "postgres", &none, include_str!("data/classes.sql")).unwrap();
    server.psql("app", "app", &none, include_str!("data/functions.sql")).unwrap();
    server.catalog("app", "app").unwrap()
}

#[test]
fn a_real_server_agrees() {
    with_server(|server| {
        types_are_the_servers(server);
        let catalog = world(server);
        snapshot_is_complete(server, &catalog);
        honest_statements_only_read(&catalog);
        honest_statements_run(server);
        what_is_returned_is_not_what_was_there(&catalog);
        what_is_set_off_is_seen(&catalog);
        views_and_kin_are_expanded(&catalog);
        column_counts_are_the_servers(server, &catalog);
        bodies::functions_are_judged_by_what_they_do(&catalog);
        bodies::results_come_from_what_is_read(&catalog);
        bodies::what_is_not_understood_stays_execute(&catalog);
        bodies::names_in_bodies_mean_what_they_mean_there(&catalog);
        bodies::an_overload_elsewhere_counts_where_it_may_be_meant(&catalog);
        bodies::decisions_by_constants_are_not_kept_by_shape(&catalog);
        bodies::statements_run(server);
    });
}

/// The types that the lists name are the server's. Its functions and operators are compared by `cargo xtask functions --check`.
fn types_are_the_servers(server: &Server) {
    let file = include_str!("../src/functions/types.txt");
    let types: Vec<&str> =
        file.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_ascii_whitespace).collect();
    let real = server
        .psql(
            "postgres",
            "postgres",
            &["-A", "-t"],
            "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype <> 'c' AND typcategory <> 'A';",
        )
        .unwrap();
    for name in real.lines() {
        assert!(types.contains(&name), "type {name} is missing");
    }
}

fn snapshot_is_complete(server: &Server, catalog: &Catalog) {
    assert_eq!(catalog.search_path(), ["$user", "public"]);
    assert!(catalog.conforming_strings());
    assert!(catalog.server_version() >= 120_000);
    assert!(catalog.extensions().iter().any(|name| name == "dblink"));
    let options = ["-A", "-t"];
    let oid = server.psql("app", "app", &options, "SELECT 'customers'::regclass::oid;").unwrap();
    let oid: u32 = oid.trim().parse().unwrap();
    assert_eq!(catalog.column(oid, 3), Some(("public.customers", "email")));
    let oid = server.psql("app", "app", &options, "SELECT 'v_nested'::regclass::oid;").unwrap();
    let below = catalog.below_column(oid.trim().parse().unwrap(), 2);
    let columns = names(&below);
    assert!(columns.contains(&"public.customers.email".to_owned()), "{columns:?}");
    let oid = server.psql("app", "app", &options, "SELECT 'get_email'::regproc::oid;").unwrap();
    assert_eq!(catalog.function_name(oid.trim().parse().unwrap()), Some(("public", "get_email")));
}

fn honest() -> Vec<&'static str> {
    let mut all = statements(include_str!("data/honest.sql"));
    all.extend(statements(include_str!("data/tools.sql")));
    all
}

fn honest_statements_only_read(catalog: &Catalog) {
    let all = honest();
    assert!(all.len() >= 150, "{}", all.len());
    let mut wrong = Vec::new();
    for text in all {
        let analysis = ask(catalog, text);
        let calm = analysis.intent.actions.iter().all(|action| matches!(action.effect, Effect::Read | Effect::Session));
        // Objects named by number or missing in this world do not matter; a name that is in no catalogue does.
        if !calm || !analysis.misses.is_empty() || analysis.problem.is_some() {
            wrong.push(format!(
                "{text}\n   {:?} {:?} {:?} {:?}",
                pairs(&analysis),
                analysis.intent.reasons,
                analysis.misses,
                analysis.problem
            ));
        }
    }
    assert!(wrong.is_empty(), "{} honest statements refused:\n{}", wrong.len(), wrong.join("\n"));
}

/// The honest statements are real: the server runs them (those without parameters).
fn honest_statements_run(server: &Server) {
    let mut script = String::from("\\set ON_ERROR_STOP 1\n");
    for text in statements(include_str!("data/honest.sql")) {
        let skip = ["SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "BEGIN", "START"];
        if skip.iter().any(|word| text.starts_with(word)) || text.contains("$1") && !text.starts_with("PREPARE") {
            continue;
        }
        // Whatever it sets must not reach the next.
        script.push_str(&format!("BEGIN;\n{text};\nROLLBACK;\n"));
    }
    let none: [&str; 0] = [];
    server.psql("app", "app", &none, &script).unwrap();
}

fn what_is_set_off_is_seen(catalog: &Catalog) {
    for (text, expected) in [
        ("INSERT INTO inbox(body) VALUES ('x')", "execute function:public.trg_inbox"),
        ("UPDATE notes SET body = 'x' WHERE id = 1", "delete public.customers"),
        ("DELETE FROM v_contacts WHERE id = 1", "delete public.customers"),
        ("UPDATE v_nested SET loud = 'x' WHERE id = 1", "write public.customers"),
        ("DELETE FROM customers WHERE id = 1", "delete public.orders"),
        ("DELETE FROM customers WHERE id = 1", "write public.items"),
        ("UPDATE customers SET id = 2 WHERE id = 1", "write public.orders"),
        ("INSERT INTO defaulted(id) VALUES (1)", "execute function:public.purge_customers"),
        ("INSERT INTO checked VALUES (1)", "execute function:public.is_fine"),
        ("INSERT INTO indexed VALUES (1)", "execute function:public.is_fine"),
        ("SELECT 5::odd", "execute function:public.is_fine"),
        ("SELECT 1 <-!-> 2", "execute function:public.op_purge"),
        ("SELECT 1 OPERATOR(public.<-!->) 2", "execute function:public.op_purge"),
        ("SELECT dblink_exec('x', 'y')", "export function:public.dblink_exec"),
        ("SELECT * FROM crosstab('select 1') AS t(a int)", "execute function:public.crosstab"),
        ("SELECT * FROM events_2024", "read public.events"),
        ("SELECT * FROM parents", "read public.kids"),
        ("DELETE FROM parents WHERE id = 1", "delete public.kids"),
        ("TRUNCATE customers CASCADE", "destroy public.orders"),
        ("SELECT nextval('seq')", "write sequence:public.seq"),
        ("SELECT nextval('public.\"seq\"'::regclass)", "write sequence:public.seq"),
        ("SELECT pg_stat_statements_reset()", "admin function:public.pg_stat_statements_reset"),
        ("SELECT id FROM guarded", "execute function:public.may_look"),
        ("SELECT id FROM guarded", "read public.secrets"),
        ("UPDATE guarded SET owner = 'x' WHERE id = 1", "execute function:public.may_look"),
        ("INSERT INTO hashed VALUES (1)", "execute function:public.part_of"),
        ("INSERT INTO levels SELECT 'x'::text", "execute function:public.text_to_level"),
        ("SELECT body FROM sorted ORDER BY key", "execute function:public.weight_cmp"),
        ("INSERT INTO backwards VALUES (1)", "execute function:public.backwards_cmp"),
        ("SELECT most_common_vals FROM pg_stats", "read ?."),
        ("SELECT s FROM pg_stats_ext s", "read ?."),
        ("TABLE pg_stats_ext_exprs", "read ?."),
        ("SELECT stxdmcv FROM pg_statistic_ext_data", "read ?."),
        ("SELECT query FROM pg_stat_activity", "read ?."),
        ("SELECT query FROM pg_stat_statements", "read ?."),
        ("SELECT query FROM pg_stat_statements(true)", "read ?."),
        ("SELECT query FROM v_activity", "read ?."),
        ("SELECT subconninfo FROM pg_subscription", "admin pg_catalog.pg_subscription"),
        ("SELECT * FROM pg_subscription", "admin pg_catalog.pg_subscription"),
        ("SELECT s FROM pg_subscription s", "admin pg_catalog.pg_subscription"),
    ] {
        let analysis = ask(catalog, text);
        assert!(
            pairs(&analysis).iter().any(|pair| pair == expected),
            "{text}: {:?} lacks {expected}",
            pairs(&analysis)
        );
    }
    for (text, forbidden) in [
        ("UPDATE customers SET name = 'x' WHERE id = 1", "public.orders"),
        ("SELECT pid, state, backend_start FROM pg_stat_activity", "?."),
        ("SELECT body, l FROM notes, levels", "execute"),
        ("SELECT body FROM hashed", "execute"),
        ("SELECT hstore(c) FROM customers c", "execute"),
        (
            "SELECT 'a'::citext = 'A', 'a' % 'b', similarity('a', 'b'), uuid_generate_v4(), digest('a', 'sha256')",
            "execute",
        ),
        ("INSERT INTO notes(body) VALUES ('x')", "execute"),
        ("SELECT lower('A')", "execute"),
    ] {
        let analysis = ask(catalog, text);
        assert!(!pairs(&analysis).iter().any(|pair| pair.contains(forbidden)), "{text}: {:?}", pairs(&analysis));
    }
    // With the schema in the path the other function may be meant.
    let path = vec!["other".to_owned(), "public".to_owned()];
    let context = Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() };
    assert!(pairs(&analyze("SELECT lower('A')", &context)).contains(&"execute function:other.lower".to_owned()));
    let both = pairs(&analyze("SELECT * FROM orders", &context));
    assert!(
        both.contains(&"read other.orders".to_owned()) && both.contains(&"read public.orders".to_owned()),
        "{both:?}"
    );
}

/// Values that a change itself puts into columns, by the server's own catalogue.
fn what_is_returned_is_not_what_was_there(catalog: &Catalog) {
    for (text, expected) in [
        ("UPDATE customers SET name = email WHERE id = 2 RETURNING name", Some("public.customers.email")),
        ("UPDATE summed SET a = ascii(c.email) FROM customers c RETURNING total", Some("public.customers.email")),
        ("SELECT total FROM summed", Some("public.summed.a")),
        ("INSERT INTO stamped(id) VALUES (1) RETURNING at", None),
        ("INSERT INTO defaulted(id) VALUES (1) RETURNING made", None),
        ("INSERT INTO defaulted(id) VALUES (1) RETURNING id", Some("public.defaulted.id")),
        ("INSERT INTO events VALUES (now()) RETURNING kind", None),
    ] {
        let analysis = ask(catalog, text);
        let columns = analysis.statements[0].outputs.columns(1);
        let names = match columns.and_then(|columns| columns.first()) {
            Some(Deps::Anything) if expected.is_none() => continue,
            Some(deps) => names(deps),
            None => panic!("{text}: no column"),
        };
        assert!(expected.is_some_and(|expected| names.iter().any(|name| name == expected)), "{text}: {names:?}");
    }
    let analysis = ask(catalog, "INSERT INTO events VALUES (now())");
    assert!(pairs(&analysis).contains(&"execute function:public.stamp".to_owned()), "{:?}", pairs(&analysis));
    let domain = ask(catalog, "SELECT p FROM amounts");
    let same = matches!(domain.statements[0].outputs.columns(1), Some([Deps::Same { type_oid: 23, .. }]));
    assert!(same, "{:?}", domain.statements[0].outputs);
}

/// The columns that a value can come from.
fn names(deps: &Deps) -> Vec<String> {
    let name = |one: &ColumnRef| format!("{}.{}", one.relation, one.column);
    match deps {
        Deps::Columns(sources) => sources.iter().map(|source| name(&source.column)).collect(),
        Deps::Same { names, .. } => names.iter().map(name).collect(),
        Deps::Clean | Deps::Unknown | Deps::Anything => panic!("{deps:?}"),
    }
}

fn views_and_kin_are_expanded(catalog: &Catalog) {
    for (text, column, expected) in [
        ("SELECT contact FROM v_contacts", 0, "public.customers.email"),
        ("SELECT loud FROM v_nested", 0, "public.customers.email"),
        ("SELECT * FROM v_recent", 1, "public.customers.name"),
        ("SELECT payload FROM events_2024", 0, "public.events.payload"),
        ("SELECT pet FROM parents", 0, "public.kids.pet"),
        ("SELECT x.contact FROM (SELECT * FROM v_contacts) x", 0, "public.customers.email"),
        ("SELECT v FROM v_contacts v", 0, "public.customers.email"),
        ("SELECT total FROM mv_totals", 0, "public.orders.total"),
    ] {
        let analysis = ask(catalog, text);
        let Outputs::Columns(columns) = &analysis.statements[0].outputs else {
            panic!("{text}: {:?}", analysis.statements[0].outputs);
        };
        let names = names(&columns[column]);
        assert!(names.iter().any(|name| name == expected), "{text}: {names:?}");
    }
}

/// Where the analysis says how many columns a query has, the server agrees.
fn column_counts_are_the_servers(server: &Server, catalog: &Catalog) {
    let mut script = String::new();
    let mut counted = Vec::new();
    for text in honest() {
        let first = text.split_ascii_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if !matches!(first.as_str(), "SELECT" | "WITH" | "VALUES" | "TABLE")
            || text.contains("$1")
            || text.contains("set_config")
        {
            continue;
        }
        let analysis = ask(catalog, text);
        let Outputs::Columns(columns) = &analysis.statements[0].outputs else {
            continue;
        };
        counted.push((text, columns.len()));
        // A row type of the query tells the number of columns without reading a row.
        script.push_str(&format!("\\echo {}\n{text}\n\\gdesc\n", counted.len()));
    }
    let out = server.psql("app", "postgres", &["-A", "-t"], &script).unwrap();
    let mut at = 0;
    let mut seen = vec![0; counted.len() + 1];
    for line in out.lines() {
        if let Ok(number) = line.parse::<usize>()
            && number == at + 1
        {
            at = number;
        } else if line.contains('|') {
            seen[at] += 1;
        }
    }
    assert!(counted.len() > 100, "{}", counted.len());
    for (number, (text, columns)) in counted.iter().enumerate() {
        assert_eq!(seen[number + 1], *columns, "{text}");
    }
}
