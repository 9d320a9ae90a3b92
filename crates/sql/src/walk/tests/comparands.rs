//! Constants and parameters that stand for one column's value.

use super::{ask, outputs};
use crate::analysis::{Comparand, Place};

fn found(text: &str) -> String {
    let one = |comparand: &Comparand| {
        let place = match comparand.place {
            Place::String(index) => format!("'{index}"),
            Place::Parameter(index) => format!("${}", index + 1),
        };
        format!("{place} {}.{}", comparand.column.relation.trim_start_matches("public."), comparand.column.column)
    };
    ask(text).comparands.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_is_compared_with_a_column_as_it_is_stands_for_its_value() {
    for (text, expected) in [
        ("SELECT id FROM customers WHERE email = 'a'", "'0 customers.email"),
        ("SELECT 'x', id FROM customers WHERE 'a' <> email AND name = 'b'", "'1 customers.email, '2 customers.name"),
        ("SELECT 1 FROM customers WHERE email IN ('a', upper('b'), 'c')", "'0 customers.email, '2 customers.email"),
        ("SELECT 1 FROM customers WHERE email = ANY (ARRAY['a', $1])", "'0 customers.email, $1 customers.email"),
        ("SELECT 1 FROM customers WHERE email IS DISTINCT FROM 'a'::text", "'0 customers.email"),
        ("SELECT 1 FROM (SELECT email AS e FROM customers) s WHERE e = $2 AND $2::text = e", "$2 customers.email"),
        ("SELECT 1 FROM v_contacts WHERE contact = 'a'", "'0 customers.email"),
        ("UPDATE customers SET name = 'n' WHERE email = 'a' RETURNING id", "'1 customers.email"),
        ("DELETE FROM customers WHERE email = $1", "$1 customers.email"),
        ("COPY (SELECT id FROM customers WHERE email = 'a') TO STDOUT", "'0 customers.email"),
        ("SELECT email = 'a' FROM customers", "'0 customers.email"),
        ("SELECT 1; SELECT 2 FROM customers WHERE email = 'a'", "'0 customers.email"),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn what_else_would_show_it_does_not() {
    for text in [
        "SELECT $1 FROM customers WHERE email = $1",
        "SELECT id FROM customers WHERE email = $1 AND name = $1",
        "SELECT id FROM customers WHERE email = $1 LIMIT $1",
        "SELECT NULLIF('a', email) FROM customers",
        "SELECT id FROM customers WHERE email = 'a'::varchar(3)",
        "SELECT id FROM customers WHERE email = 'a'::int::text",
        "SELECT id FROM customers WHERE email = 'a' || ''",
        "SELECT id FROM customers WHERE email = upper('a')",
        "SELECT id FROM customers WHERE upper(email) = 'a'",
        "SELECT id FROM customers WHERE email > 'a' OR email LIKE 'a' OR email BETWEEN 'a' AND 'b'",
        "SELECT id FROM customers JOIN (SELECT 'a' AS x) s ON email = x",
        "SELECT CASE email WHEN 'a' THEN 1 END FROM customers",
        "SELECT 1 FROM (SELECT email AS e FROM customers UNION SELECT val FROM plain) s WHERE e = 'a'",
        "EXPLAIN SELECT id FROM customers WHERE email = 'a'",
        "PREPARE p AS SELECT id FROM customers WHERE email = 'a'",
        "DECLARE c CURSOR FOR SELECT id FROM customers WHERE email = 'a'",
        "CREATE VIEW w AS SELECT id FROM customers WHERE email = 'a'",
        "CREATE TABLE t AS SELECT id FROM customers WHERE email = 'a'",
        "SELECT id INTO t FROM customers WHERE email = 'a'",
        "SELECT id FROM customers WHERE email = E'a'",
        "SELECT id FROM customers WHERE email = $$a$$",
        "SELECT id FROM customers WHERE email = 'a'\n'b'",
        "INSERT INTO customers (email) VALUES ('a')",
        // Defaults, rules and cascades may keep the statement's own words.
        "INSERT INTO notes (id) SELECT id FROM customers WHERE email = 'a'",
        "WITH x AS (INSERT INTO notes (id) VALUES (1)) SELECT id FROM customers WHERE email = 'a'",
        "SELECT id FROM customers WHERE email = 'a'; INSERT INTO notes DEFAULT VALUES",
        "UPDATE customers SET name = DEFAULT WHERE email = 'a'",
        "MERGE INTO notes n USING customers c ON c.email = 'a' WHEN NOT MATCHED THEN INSERT (id) VALUES (1)",
        "SELECT id FROM customers WHERE email = 'a'; DECLARE c CURSOR FOR SELECT 1",
        "UPDATE ruled SET b = 1 FROM customers WHERE email = 'a'",
        "UPDATE customers SET email = 'a'",
    ] {
        assert_eq!(found(text), "", "{text}");
    }
}

/// Where the server shows statements as it got them, the values in them may show.
#[test]
fn the_sessions_own_statements_may_show_anything() {
    for (text, expected) in [
        ("SELECT current_query(), id FROM customers", "?, customers.id"),
        ("SELECT statement, name FROM pg_prepared_statements", "!, pg_catalog.pg_prepared_statements.name"),
        ("SELECT name FROM pg_cursors", "pg_catalog.pg_cursors.name"),
        ("SELECT statement FROM pg_cursors", "!"),
        ("SELECT pg_prepared_statement()", "?"),
    ] {
        assert_eq!(outputs(text), expected, "{text}");
        assert_eq!(ask(text).intent.reads_unknown, expected.contains(['?', '!']), "{text}");
    }
    assert!(ask("INSERT INTO notes (body) SELECT current_query()").intent.moves_unknown);
}
