//! System relations and functions that show values of other relations, or what other sessions say.

use super::{ask, outputs, pairs};

const ANY: &str = "read ?.";

#[test]
fn values_of_other_relations_count_as_any_object() {
    for (text, expected) in [
        ("SELECT most_common_vals FROM pg_stats", "!"),
        ("SELECT s.histogram_bounds::text FROM pg_stats s WHERE tablename = 'customers'", "!"),
        ("SELECT attname, array_to_string(most_common_vals, ',') FROM pg_stats", "pg_catalog.pg_stats.attname, !"),
        ("SELECT x.c FROM pg_stats AS x(a, b, c)", "!"),
        ("SELECT stavalues1 FROM pg_statistic", "!"),
        ("SELECT s FROM pg_stats s", "!"),
        ("SELECT (s).attname FROM pg_stats s", "!"),
        ("SELECT row_to_json(s) FROM pg_stats s", "!"),
        ("SELECT query FROM pg_stat_activity", "!"),
        ("SELECT query FROM pg_stat_statements", "!"),
        ("SELECT a.state FROM (pg_stat_activity JOIN orders ON true) AS a", "pg_catalog.pg_stat_activity.state"),
        ("SELECT pg_stat_get_backend_activity(1)", "?"),
        ("SELECT o.id FROM orders o NATURAL JOIN (SELECT 1 AS id) x, pg_stat_get_activity(1)", "orders.id"),
    ] {
        assert_eq!(outputs(text), expected, "{text}");
        assert!(pairs(&ask(text)).contains(&ANY.to_owned()), "{text}: {:?}", pairs(&ask(text)));
        assert!(ask(text).intent.reads_unknown, "{text}");
    }
    for text in [
        "TABLE pg_stats",
        "SELECT * FROM pg_stat_activity",
        "SELECT a.* FROM pg_stat_activity a JOIN orders o ON o.id = a.pid",
        "SELECT j.* FROM (pg_stat_activity a CROSS JOIN orders o) AS j",
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%secret%'",
        "SELECT 1 FROM pg_stat_activity ORDER BY query",
        "SELECT 1 FROM pg_stat_activity JOIN (SELECT 'x' AS query) x USING (query)",
        "SELECT 1 FROM pg_stat_activity NATURAL JOIN (SELECT 'x' AS query) x",
        "COPY pg_stats TO STDOUT",
        "WITH s AS (TABLE pg_stats) SELECT 1 FROM s",
        "INSERT INTO notes(body) SELECT query FROM pg_stat_activity",
    ] {
        assert!(pairs(&ask(text)).contains(&ANY.to_owned()), "{text}: {:?}", pairs(&ask(text)));
    }
}

#[test]
fn other_columns_are_plain_reads() {
    for text in [
        "SELECT pid, state, backend_start FROM pg_stat_activity WHERE state = 'active'",
        "SELECT count(*) FROM pg_stat_activity",
        "SELECT a.pid FROM pg_stat_activity a JOIN orders o ON o.id = a.pid",
        "SELECT tablename, attname, n_distinct FROM pg_stats",
        "SELECT starelid, stanullfrac FROM pg_statistic",
    ] {
        let analysis = ask(text);
        assert!(!pairs(&analysis).contains(&ANY.to_owned()), "{text}: {:?}", pairs(&analysis));
        assert!(!analysis.intent.reads_unknown, "{text}");
    }
}
