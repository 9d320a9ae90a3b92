//! Functions in the language SQL, and functions and operators with the names of the server's own.

use model::ColumnRef;
use sallyport_sql::{Analysis, Caps, Catalog, Context, Deps, Fresh, Outputs, analyze};

use crate::support::Server;
use crate::{ask, pairs};

fn columns(analysis: &Analysis) -> String {
    let (Outputs::Columns(columns) | Outputs::Mixed(Some(columns))) = &analysis.statements[0].outputs else {
        return format!("{:?}", analysis.statements[0].outputs);
    };
    let name = |column: &ColumnRef| format!("{}.{}", column.relation.trim_start_matches("public."), column.column);
    let one = |deps: &Deps| match deps {
        Deps::Clean => "-".to_owned(),
        Deps::Unknown => "?".to_owned(),
        Deps::Anything => "!".to_owned(),
        Deps::Columns(sources) => sources.iter().map(|source| name(&source.column)).collect::<Vec<_>>().join("+"),
        Deps::Same { names, .. } => names.iter().map(name).collect::<Vec<_>>().join("+"),
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(catalog: &Catalog, text: &str, expected: &str) {
    let analysis = ask(catalog, text);
    assert_eq!(pairs(&analysis).join("; "), expected, "{text}\n{:?}", analysis.intent.reasons);
}

pub(crate) fn functions_are_judged_by_what_they_do(catalog: &Catalog) {
    for (text, expected) in [
        ("SELECT add_tax(5), shout('x'), returned(1)", ""),
        ("SELECT get_email(1)", "read public.customers"),
        ("SELECT atomic_email(1)", "read public.customers"),
        ("SELECT c.spill FROM customers c", "read public.customers"),
        ("SELECT * FROM contacts(1)", "read public.customers"),
        ("SELECT outer_email(1)", "read public.customers"),
        ("SELECT by_view()", "read public.customers; read public.v_contacts"),
        ("SELECT forget(1)", "delete public.notes"),
        ("SELECT log_it('x')", "write public.notes"),
        ("SELECT calls_purge()", "execute function:public.purge_customers"),
        ("SELECT name FROM v_shouting", "read public.customers; read public.v_shouting"),
        ("SELECT with_default(1, 'x')", "read public.customers"),
        ("SELECT wanted(5)", ""),
        ("SELECT oddly(5)", "execute function:public.is_fine"),
        ("INSERT INTO short(word) VALUES ('x')", "write public.short"),
        ("INSERT INTO known(word) VALUES ('x')", "read public.customers; write public.known"),
        ("SELECT 1 <~> 2", ""),
        ("SELECT distance(1, 2)", ""),
    ] {
        let analysis = ask(catalog, text);
        // What touches no object is a read all the same.
        let found: Vec<String> = pairs(&analysis).into_iter().filter(|pair| pair != "read").collect();
        assert_eq!(found.join("; "), expected, "{text}\n{:?}", analysis.intent.reasons);
        assert!(!analysis.intent.reads_unknown || expected.contains("execute"), "{text}");
    }
    assert!(ask(catalog, "SELECT forget_all()").intent.flags.unbounded);
    assert!(!ask(catalog, "SELECT forget(1)").intent.flags.unbounded);
}

pub(crate) fn results_come_from_what_is_read(catalog: &Catalog) {
    for (text, expected) in [
        ("SELECT get_email(1), add_tax(2)", "customers.email, -"),
        ("SELECT atomic_email(1)", "customers.email"),
        ("SELECT shout(email) FROM customers", "customers.email"),
        ("SELECT outer_email(id) FROM customers", "customers.email+customers.id"),
        ("SELECT id, spill(c) FROM customers c", "customers.id, customers.*"),
        ("SELECT * FROM get_email(1)", "customers.email"),
        ("SELECT x FROM get_email(1) AS x", "customers.email"),
        ("SELECT x.y FROM get_email(1) AS x(y)", "customers.email"),
        ("SELECT email, name FROM all_customers()", "customers.email, customers.name"),
        ("SELECT a.id, a.ssn FROM all_customers() a", "customers.id, customers.ssn"),
        ("SELECT m FROM all_customers() AS c(i, n, m)", "customers.email"),
        ("SELECT mail, who FROM contacts(1)", "customers.email, customers.name"),
        ("SELECT * FROM contacts(1) WITH ORDINALITY", "customers.name, customers.email, -"),
        ("SELECT a, b FROM pair()", "customers.id, customers.ssn"),
        ("SELECT (pair()).*", "customers.id, customers.ssn"),
        ("SELECT x FROM by_view() x", "customers.email+v_contacts.contact"),
        ("SELECT id, name FROM v_shouting", "customers.id+v_shouting.id, customers.name+v_shouting.name"),
        ("SELECT mail FROM v_shouting", "customers.email+customers.id+v_shouting.mail"),
        ("SELECT hidden FROM in_other() AS hidden", "other.orders.hidden"),
        ("SELECT with_default(1, 'x')", "customers.email"),
        ("SELECT e FROM loose() AS l(i int, e text)", "customers.email+customers.id"),
        ("SELECT forget(1)", "-"),
        ("SELECT log_it('x')", "!"),
        ("SELECT calls_purge()", "?"),
        ("SELECT 1 <~> id FROM customers", "customers.id"),
        ("SELECT 1 <!~> id FROM customers", "?"),
    ] {
        assert_eq!(columns(&ask(catalog, text)), expected, "{text}");
    }
    // A row as one value has all of it.
    assert!(columns(&ask(catalog, "SELECT email FROM as_rows()")).contains("customers.*"));
    assert!(columns(&ask(catalog, "SELECT all_customers()")).contains("customers.ssn"));
    let predicates = |text: &str| -> Vec<String> {
        ask(catalog, text).intent.predicates.iter().map(|one| format!("{}.{}", one.relation, one.column)).collect()
    };
    assert_eq!(predicates("SELECT asks('a%')"), ["public.customers.email"], "what it is asked, it asks");
    assert!(predicates("SELECT by_view()").is_empty());
    let copied = ask(catalog, "SELECT copy_out()").intent;
    assert!(copied.moves.iter().any(|step| step.from.column == "email"), "{:?}", copied.moves);
    let logged = ask(catalog, "SELECT log_it(email) FROM customers").intent;
    assert!(logged.moves.iter().any(|step| step.from.column == "email"), "{:?}", logged.moves);
}

pub(crate) fn what_is_not_understood_stays_execute(catalog: &Catalog) {
    for (text, expected) in [
        ("SELECT as_owner()", "execute function:public.as_owner"),
        ("SELECT set_role()", "execute function:public.set_role"),
        ("SELECT in_users()", "execute function:public.in_users"),
        ("EXPLAIN SELECT folded()", "execute function:public.folded"),
        ("SELECT makes()", "execute function:public.makes"),
        ("SELECT again(3)", "execute function:public.again"),
        ("SELECT purge_customers()", "execute function:public.purge_customers"),
        ("SELECT * FROM purge_customers()", "execute function:public.purge_customers"),
        ("SELECT 1 <-!-> 2", "execute function:public.op_purge"),
        ("SELECT 1 <!~> 2", "execute function:public.leaks"),
        ("SELECT domain_in('1', 'odd'::regtype::oid, -1) IS NULL", "execute function:pg_catalog.domain_in"),
        ("SELECT array_in('{1}', 'odd'::regtype::oid, -1)", "execute function:pg_catalog.array_in"),
    ] {
        let analysis = ask(catalog, text);
        assert!(pairs(&analysis).iter().any(|pair| pair == expected), "{text}: {:?}", pairs(&analysis));
        let told = columns(&analysis);
        let clean = told == "-" || told.contains("customers");
        assert!(!clean || text.contains("NULL"), "{text}: {told}");
    }
}

pub(crate) fn names_in_bodies_mean_what_they_mean_there(catalog: &Catalog) {
    // The body of `get_email` says `customers`, of `orders_of` would say `orders`: the caller's path decides.
    let path = vec!["other".to_owned(), "public".to_owned()];
    let context = Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() };
    let shouted = pairs(&analyze("SELECT shout('x')", &context));
    assert_eq!(shouted, ["read"], "upper has no overload there");
    let lowered = pairs(&analyze("SELECT outer_email(1)", &context));
    assert!(lowered.contains(&"execute function:other.lower".to_owned()), "{lowered:?}");
    let own = pairs(&analyze("SELECT in_other()", &context));
    assert_eq!(own, ["read other.orders"]);
    // Without the schema of its table nobody knows what it reads.
    let path = vec!["nowhere".to_owned()];
    let context = Context { catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() };
    let lost = pairs(&analyze("SELECT public.get_email(1)", &context));
    assert_eq!(lost, ["execute function:public.get_email"]);
    assert_eq!(pairs(&analyze("SELECT public.atomic_email(1)", &context)), ["read public.customers"]);
    check(catalog, "SELECT public.in_other()", "read other.orders");
    // What was changed just before is in doubt, in a body as in a statement, and below a view.
    for (change, text) in [
        ("CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS ''", "SELECT shout('x')"),
        ("CREATE FUNCTION lower(int) RETURNS int LANGUAGE plpgsql AS ''", "SELECT outer_email(1)"),
        ("ALTER TABLE customers RENAME TO c2", "SELECT get_email(1)"),
        ("CREATE TEMP TABLE customers(id int, email text)", "SELECT get_email(1)"),
        ("CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE plpgsql AS ''", "SELECT name FROM v_shouting"),
        ("CREATE FUNCTION upper(int) RETURNS int LANGUAGE plpgsql AS ''", "SELECT name FROM v_shouting"),
    ] {
        let both = ask(catalog, &format!("{change}; {text}"));
        let doubted = pairs(&both).iter().any(|pair| pair.starts_with("execute function:"));
        assert!(doubted, "{change}; {text}: {:?}", pairs(&both));
    }
}

pub(crate) fn an_overload_elsewhere_counts_where_it_may_be_meant(catalog: &Catalog) {
    for (text, harmful) in [
        ("SELECT length('x')", false),
        ("SELECT length(1, 2)", true),
        ("SELECT abs(id) FROM customers", false),
        ("SELECT abs(-5)", false),
        ("SELECT abs(5::numeric)", false),
        ("SELECT abs(name) FROM customers", true),
        ("SELECT abs('x'::text)", true),
        ("SELECT abs('5')", true),
        ("SELECT abs($1)", true),
        ("SELECT initcap(name) FROM customers", false),
        ("SELECT initcap('x'::text)", false),
        ("SELECT initcap(c) FROM customers c", true),
        ("SELECT initcap(x) FROM (SELECT c AS x FROM customers c) s", true),
        ("SELECT chr(id) FROM customers", false),
        ("SELECT chr(card) FROM customers", true),
        ("SELECT chr(5000000000)", true),
        ("SELECT pg_catalog.abs('x')", false),
        ("SELECT trim_scale(1)", false),
        ("SELECT other.trim_scale(1)", true),
        ("SELECT id FROM customers WHERE id # 5 = 1", false),
        ("SELECT id FROM customers WHERE name # 5", true),
        ("SELECT '7' # 5", false),
        ("SELECT id FROM customers WHERE card # 5::bigint = 1", false),
        ("SELECT card # $1 FROM customers", false),
        ("SELECT id # id # id FROM customers", false),
        ("SELECT $1 # $2", true),
        ("SELECT @ id FROM customers", false),
        ("SELECT id @ card FROM customers", true),
        ("SELECT name OPERATOR(pg_catalog.#) 5 FROM customers", false),
    ] {
        let analysis = ask(catalog, text);
        let runs = pairs(&analysis).iter().any(|pair| pair.starts_with("execute"));
        assert_eq!(runs, harmful, "{text}: {:?}", pairs(&analysis));
    }
}

/// A text's shape tells strings and small numbers apart; of what type another number is, it does not tell.
pub(crate) fn decisions_by_constants_are_not_kept_by_shape(catalog: &Catalog) {
    for (text, depends) in [
        ("SELECT abs(5)", false),
        ("SELECT abs(3000000000)", true),
        ("SELECT abs(5.5)", true),
        ("SELECT abs(id) FROM customers", false),
        ("SELECT abs(5::numeric)", false),
        ("SELECT id # 5 FROM customers", false),
        ("SELECT id # 3000000000 FROM customers", true),
        ("SELECT id FROM customers WHERE id = 5 AND name = 'x' AND lower(name) LIKE 'a%'", false),
    ] {
        assert_eq!(ask(catalog, text).literal_dependent, depends, "{text}");
    }
}

/// What is judged here is real: the server runs it.
pub(crate) fn statements_run(server: &Server) {
    let none: [&str; 0] = [];
    let script = "BEGIN; SELECT add_tax(5), shout('x'), returned(1), get_email(1), atomic_email(1), outer_email(1), by_view();
        SELECT a, b FROM pair(); SELECT (pair()).*; SELECT * FROM contacts(0); SELECT email FROM as_rows();
        SELECT e FROM loose() AS l(i int, e text); SELECT forget(1), log_it('x'), again(3), as_owner(), set_role();
        SELECT hidden FROM in_other() AS hidden; INSERT INTO short(word) VALUES ('x'); SELECT with_default(), 1 <~> 2, 1 <!~> 2;
        SELECT abs(-5), initcap('x'::text), chr(65), '7' # 5; ROLLBACK;";
    server.psql("app", "app", &none, script).unwrap();
}
