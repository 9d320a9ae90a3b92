//! Inputs made to crash, hang or fill memory; and large honest ones.

use model::Effect;
use proptest::prelude::*;

use super::{ask, world};
use crate::analysis::{Caps, Context};
use crate::walk::analyze;

/// Runs on a thread of the documented size.
fn on_stack<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(crate::STACK).spawn(body).unwrap().join().unwrap()
}

fn nested(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

/// Texts by depth: each is the deepest of its sort that is let through, or is refused before the parser.
fn deep(times: usize) -> Vec<String> {
    vec![
        format!("SELECT {}", nested("(", "1", ")", times)),
        format!("SELECT {}", nested("(SELECT ", "1", ")", times)),
        format!("SELECT {}", nested("abs(", "1", ")", times)),
        format!("SELECT {}", nested("CASE WHEN true THEN ", "1", " END", times)),
        format!("SELECT {}", nested("ARRAY[", "1", "]", times)),
        format!("SELECT {}", nested("JSON_ARRAY(", "1", ")", times)),
        nested("SELECT * FROM (", "SELECT 1", ") x", times),
        format!("{} SELECT 1", nested("WITH a AS (", "SELECT 1", ") SELECT 1", times))
            .replace(") SELECT 1 SELECT 1", ") SELECT 1"),
        format!("SELECT 1 WHERE {}", nested("EXISTS (SELECT 1 WHERE ", "true", ")", times)),
        format!("DELETE FROM orders WHERE {}", nested("NOT (id = 1 OR ", "true", ")", times)),
        format!("SELECT {}1", "NOT ".repeat(times)),
        format!("SELECT {}1", "- ".repeat(times)),
        format!("SELECT 1{}", "::int".repeat(times)),
        format!("SELECT 1{}", " IS NULL".repeat(times)),
        format!("SELECT 'a'{}", " COLLATE \"C\"".repeat(times)),
        format!("SELECT now(){}", " AT TIME ZONE 'UTC'".repeat(times)),
        format!("SELECT {}", vec!["a"; times].join(" || ")),
        format!("SELECT {}", vec!["1"; times].join("+")),
        format!("SELECT 1 FROM {}", vec!["orders"; times].join(" CROSS JOIN ")),
        format!(
            "SELECT 1 FROM {} {}",
            vec!["orders"; times].join(" JOIN "),
            "ON true ".repeat(times.saturating_sub(1))
        ),
        vec!["SELECT 1"; times].join(" UNION "),
        vec!["SELECT 1, 2"; times].join(" EXCEPT "),
        format!("SELECT {}", vec!["mode() WITHIN GROUP (ORDER BY 1)"; times].join(" || ")),
        format!("SELECT {}", vec!["1 BETWEEN 1 AND 2"; times].join(" IS NULL BETWEEN 1 AND ")),
        format!("SELECT {}1{}", "CASE WHEN t.end THEN ".repeat(times), " END".repeat(times)),
        format!("WITH {} SELECT 1", (0..times).map(|at| format!("a{at} AS (SELECT 1)")).collect::<Vec<_>>().join(", ")),
        nested(
            "WITH RECURSIVE r AS (SELECT * FROM orders UNION ALL SELECT * FROM (",
            "SELECT 1",
            ") q) SELECT * FROM r",
            times,
        ),
    ]
}

#[test]
fn the_deepest_texts_neither_crash_nor_hang() {
    on_stack(|| {
        let mut parsed = 0;
        for times in [10, 150, 199, 700, 1_400, 2_900, 20_000] {
            for text in deep(times) {
                let analysis = ask(&text);
                parsed += usize::from(analysis.problem.is_none());
                // Refused or understood: what cannot be parsed is unknown.
                if analysis.problem.is_some() {
                    assert_eq!(analysis.intent.actions[0].effect, Effect::Unknown);
                }
            }
        }
        assert!(parsed > 80, "only {parsed} were let through: the limits are too tight to test anything");
    });
}

#[test]
fn large_honest_texts_are_understood() {
    on_stack(|| {
        let join: Vec<String> =
            (0..47).map(|at| format!("JOIN orders t{at} ON t{at}.id = o.id AND t{at}.status = 'x'")).collect();
        let rows: Vec<String> =
            (0..1_000).map(|at| format!("({at}, {at}, 1.5, 'text, number {at}', 'no', NULL)")).collect();
        let list: Vec<String> = (0..2_000).map(|at| at.to_string()).collect();
        let terms: Vec<String> = (0..5_000).map(|at| format!("(id = {at} AND status = 'x')")).collect();
        let wide: Vec<String> = (0..1_600).map(|at| format!("total AS c{at}")).collect();
        for text in [
            format!("SELECT o.id FROM orders o {}", join.join(" ")),
            format!("INSERT INTO orders VALUES {}", rows.join(", ")),
            format!("SELECT id FROM orders WHERE id IN ({})", list.join(",")),
            format!("SELECT id FROM orders WHERE {}", terms.join(" OR ")),
            format!("SELECT {} FROM orders", wide.join(", ")),
            format!("SELECT {}", vec!["status"; 400].join(" || ',' || ")) + " FROM orders",
            vec!["SELECT id, total FROM orders"; 300].join(" UNION ALL "),
            vec!["INSERT INTO orders(id) VALUES (1)"; 200].join(";"),
        ] {
            let analysis = ask(&text);
            assert!(analysis.problem.is_none(), "{:?} {}", analysis.problem, &text[..80]);
            assert!(analysis.intent.actions.iter().all(|action| matches!(action.effect, Effect::Read | Effect::Write)));
        }
    });
}

#[test]
fn limits_are_enforced_and_say_so() {
    for (text, word) in [
        (format!("SELECT 1 /*{}*/; DROP TABLE customers", "x".repeat(2 << 20)), "bytes"),
        ("SELECT 1;".repeat(300), "statements"),
        (format!("SELECT {}1", "(".repeat(60_000)), "brackets"),
        (format!("SELECT {}", vec!["a"; 60_000].join("+")), "deeper"),
        (format!("SELECT {}", vec!["a=1"; 60_000].join(" OR ")), "operators"),
        (format!("SELECT {}", vec!["1"; 150_000].join(",")), "tokens"),
        ("SELECT 'a".to_owned(), "tokens"),
        ("SELECT \u{0}".to_owned(), "NUL"),
        ("SELEC 1".to_owned(), "syntax"),
    ] {
        let analysis = ask(&text);
        let problem = analysis.problem.expect("a problem");
        assert!(problem.message.contains(word), "{}: {problem}", &text[..12]);
        assert_eq!(analysis.intent.actions.len(), 1);
        assert_eq!(analysis.intent.actions[0].effect, Effect::Unknown);
        assert!(analysis.literal_dependent);
    }
}

#[test]
fn work_does_not_explode() {
    // Constructions whose walk could double at each level.
    let mut nested_calls = "1".to_owned();
    let mut nested_config = "'x'".to_owned();
    let mut recursive = "SELECT * FROM orders".to_owned();
    for _ in 0..60 {
        nested_calls = format!("pg_notify('a', {nested_calls}::text)");
        nested_config = format!("set_config('search_path', {nested_config}, false)");
        recursive =
            format!("WITH RECURSIVE r AS (SELECT * FROM ({recursive}) q UNION ALL SELECT * FROM r) SELECT * FROM r");
    }
    let views = vec!["v_top"; 400].join(" CROSS JOIN ");
    on_stack(move || {
        let start = std::time::Instant::now();
        for text in [
            format!("SELECT {nested_calls}"),
            format!("SELECT {nested_config}"),
            recursive,
            format!("SELECT * FROM {views}"),
            format!("UPDATE notes SET body = 'x' WHERE {}", vec!["id = 1"; 4_000].join(" OR ")),
        ] {
            let analysis = ask(&text);
            assert!(analysis.problem.is_none(), "{:?}", analysis.problem);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
    });
}

#[test]
fn names_times_tables_are_bounded() {
    let many = |word: &str, count: usize| vec![word; count].join(", ");
    let understood = format!("SELECT * FROM {}", vec!["customers"; 600].join(" NATURAL JOIN "));
    let wide = format!("SELECT {} FROM customers c, orders o, notes n, secrets s", many("c.email, o.total", 15_000));
    let spent = [
        format!("SELECT {} FROM {}", many("email", 40_000), many("customers", 40_000)),
        format!("SELECT {} FROM {}", many("customers.email", 25_000), many("orders", 40_000)),
        format!("SELECT {} FROM {}", many("*", 40_000), many("customers", 40_000)),
        format!("WITH a AS (SELECT {} FROM customers) SELECT 1 FROM {}", many("*", 2_000), many("a", 40_000)),
    ];
    on_stack(move || {
        let start = std::time::Instant::now();
        for text in [understood, wide] {
            assert!(
                !ask(&text).intent.actions.iter().any(|action| action.effect == Effect::Unknown),
                "{}",
                &text[..40]
            );
        }
        for text in spent {
            let analysis = ask(&text);
            assert!(analysis.intent.actions.iter().any(|action| action.effect == Effect::Unknown), "{}", &text[..40]);
            assert!(analysis.intent.reads_unknown);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
    });
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "orders",
    "customers",
    "id",
    "email",
    "*",
    ",",
    "(",
    ")",
    "=",
    "1",
    "'a'",
    "$1",
    "AND",
    "OR",
    "NOT",
    "WITH",
    "RECURSIVE",
    "AS",
    "x",
    ".",
    "JOIN",
    "ON",
    "USING",
    "LEFT",
    "LATERAL",
    "UNION",
    "ALL",
    "VALUES",
    "INSERT",
    "INTO",
    "UPDATE",
    "SET",
    "DELETE",
    "RETURNING",
    "GROUP",
    "BY",
    "ORDER",
    "LIMIT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "IN",
    "LIKE",
    "BETWEEN",
    "IS",
    "NULL",
    "::",
    "text",
    "ARRAY",
    "[",
    "]",
    "count",
    "OVER",
    "FILTER",
    "EXISTS",
    "COPY",
    "TO",
    "STDOUT",
    "EXPLAIN",
    "ANALYZE",
    "CREATE",
    "TABLE",
    "DROP",
    "ALTER",
    "GRANT",
    "MERGE",
    "MATCHED",
    ";",
    "||",
    "->>",
    "BEGIN",
    "COMMIT",
    "PREPARE",
    "EXECUTE",
    "DECLARE",
    "CURSOR",
    "FOR",
    "LOCK",
    "SHOW",
    "RESET",
    "v_contacts",
    "v_top",
    "TRUNCATE",
    "DISTINCT",
    "EXCEPT",
    "purge_customers",
    "nextval",
    "'seq'",
    "TABLESAMPLE",
    "JSON_TABLE",
    "XMLTABLE",
    "ROW",
    "COLLATE",
];

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(WORDS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any tokens: no panic, never without an action, problems are unknown.
    #[test]
    fn token_soup(words in proptest::collection::vec(word(), 0..25)) {
        let text = words.join(" ");
        let analysis = ask(&text);
        prop_assert!(!analysis.intent.actions.is_empty());
        if analysis.problem.is_some() {
            prop_assert_eq!(analysis.intent.actions[0].effect, Effect::Unknown);
        }
        for statement in &analysis.statements {
            prop_assert!(text.get(statement.start..statement.start + statement.len).is_some());
        }
    }

    /// Any characters.
    #[test]
    fn any_text(text in ".{0,60}") {
        let _ = ask(&text);
    }

    /// Pieces of real statements, put together anew.
    #[test]
    fn spliced(at in 0usize..200, from in 0usize..200, first in 0usize..8, second in 0usize..8) {
        const TEXTS: [&str; 8] = [
            "WITH RECURSIVE t(a) AS (SELECT id FROM orders UNION ALL SELECT a + 1 FROM t) SELECT * FROM t JOIN customers c ON c.id = a WHERE email LIKE 'x%'",
            "INSERT INTO customers AS c (id, name) SELECT id, v FROM orders, secrets ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE c.id > 1 RETURNING *",
            "MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET total = 1 WHEN NOT MATCHED THEN DO NOTHING",
            "SELECT sum(total) FILTER (WHERE id > 1) OVER (PARTITION BY status ORDER BY id ROWS 1 PRECEDING) FROM orders GROUP BY GROUPING SETS ((id), ()) HAVING count(*) > 1",
            "UPDATE notes n SET (body) = (SELECT v FROM secrets WHERE k = n.body) FROM orders o WHERE o.id = n.id RETURNING n.*, o.total",
            "COPY (SELECT * FROM v_contacts ORDER BY 1) TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';')",
            "EXPLAIN (ANALYZE, VERBOSE) DELETE FROM orders USING customers c WHERE c.id = customer_id AND c.email IS NOT NULL",
            "CREATE TABLE a (id int PRIMARY KEY DEFAULT nextval('seq'), b text CHECK (b <> '') REFERENCES orders (id)) PARTITION BY RANGE (id)",
        ];
        let (left, right) = (TEXTS[first], TEXTS[second]);
        let text = format!("{}{}", left.get(..at.min(left.len())).unwrap_or(left), right.get(from.min(right.len())..).unwrap_or(""));
        prop_assert!(!ask(&text).intent.actions.is_empty());
    }
}

#[test]
fn caps_are_the_callers() {
    let catalog = world();
    let context = Context {
        catalog: &catalog,
        search_path: &[],
        fresh: &crate::Fresh::default(),
        caps: Caps { bytes: 10, ..Caps::default() },
    };
    assert!(analyze("SELECT 1", &context).problem.is_none());
    assert!(analyze("SELECT 1 + 1", &context).problem.is_some());
}
