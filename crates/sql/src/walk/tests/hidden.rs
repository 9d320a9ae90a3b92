//! Functions that run without being called: by row security, types and casts.

use super::{ask, pairs};

fn runs(text: &str, function: &str) -> bool {
    pairs(&ask(text)).contains(&format!("execute function:public.{function}"))
}

#[test]
fn row_security_runs_when_a_table_is_used() {
    // `guarded` may be read by whoever `may_see` and `secrets` say, and written by whoever `may_write`.
    for text in ["SELECT id FROM guarded", "TABLE guarded", "SELECT 1 FROM v_guarded", "COPY guarded TO STDOUT"] {
        assert!(runs(text, "may_see"), "{text}: {:?}", pairs(&ask(text)));
        assert!(!runs(text, "may_write"), "{text}");
        assert!(pairs(&ask(text)).contains(&"read public.secrets".to_owned()), "{text}");
    }
    for text in [
        "INSERT INTO guarded(id) VALUES (1)",
        "UPDATE guarded SET owner = 'x' WHERE id = 1",
        "DELETE FROM guarded WHERE id = 1",
        "COPY guarded FROM STDIN",
    ] {
        assert!(runs(text, "may_write") && runs(text, "may_see"), "{text}: {:?}", pairs(&ask(text)));
    }
    // What a policy looks at is not what the client asks.
    assert!(ask("SELECT id FROM guarded").intent.predicates.is_empty());
    // Two tables whose policies read each other.
    assert!(runs("SELECT 1 FROM left_guard", "may_see") && runs("SELECT 1 FROM right_guard", "may_see"));
}

#[test]
fn comparing_values_of_a_type_runs_its_functions() {
    for text in [
        "SELECT rank FROM ranked ORDER BY rank",
        "SELECT DISTINCT rank FROM ranked",
        "SELECT ranked FROM ranked",
        "SELECT 1 FROM ranks ORDER BY 1",
        "SELECT '1'::rank",
        "SELECT greatest('1'::rank, '2')",
    ] {
        assert!(runs(text, "rank_cmp"), "{text}: {:?}", pairs(&ask(text)));
    }
    assert!(!runs("SELECT name FROM customers ORDER BY name", "rank_cmp"));
}

#[test]
fn assignment_casts_run_in_writes_and_implicit_ones_everywhere() {
    assert!(runs("INSERT INTO ranked SELECT 1, 'x'::text", "to_rank"));
    assert!(runs("UPDATE ranked SET rank = 'x'", "to_rank"));
    assert!(!runs("SELECT rank FROM ranked", "to_rank"));
    assert!(!runs("SELECT name FROM customers", "to_rank"), "every table has texts");
    assert!(!runs("INSERT INTO customers(name) VALUES ('x')", "to_rank"));
    assert!(runs("SELECT t FROM tagged", "tag_text"));
    assert!(runs("UPDATE tagged SET t = 'x' WHERE t = 'y'::text", "tag_text"));
    assert!(!runs("SELECT name FROM customers", "tag_text"));
    // From its own type to texts, in assignments.
    assert!(runs("INSERT INTO notes(body) SELECT rank FROM ranked", "from_rank"));
    assert!(runs("INSERT INTO notes(body) SELECT rank FROM v_ranked", "from_rank"));
    assert!(!runs("SELECT rank FROM ranked", "from_rank"));
    assert!(!runs("INSERT INTO notes(body) VALUES ('x')", "from_rank"));
}

#[test]
fn explicit_casts_run_where_a_value_of_the_type_is_converted() {
    for text in [
        "SELECT rank::int FROM ranked",
        "SELECT CAST(rank AS integer) FROM v_ranked",
        "SELECT x.r::int4 FROM (SELECT rank AS r FROM ranked) x",
        "SELECT array_agg(rank)::int[] FROM ranked",
        "SELECT rank::number FROM ranked",
        "SELECT ROW(rank, 1)::pair FROM ranked",
        "SELECT '1'::rank::int",
        "SELECT (jsonb_populate_record(NULL::ranked, '{}')).rank::int",
        "WITH r AS (TABLE ranked) SELECT 1 FROM r WHERE rank::int = 1",
        "UPDATE ranked SET id = rank::int",
        "PREPARE p(rank) AS SELECT $1::int",
        "SELECT 1 FROM ranked WHERE rank = $1 AND $1::int = 1",
        "SELECT 1 FROM ranked WHERE $1::rank = rank AND $1::int = 1",
        "EXPLAIN ANALYZE SELECT rank::int FROM ranked",
    ] {
        assert!(runs(text, "rank_number"), "{text}: {:?}", pairs(&ask(text)));
    }
    for text in [
        "SELECT rank, 'x'::text, id::text FROM ranked",
        "SELECT '1'::int",
        "SELECT rank, 1::int FROM ranked WHERE id = $1::int",
        "SELECT id::int FROM customers",
    ] {
        assert!(!runs(text, "rank_number"), "{text}: {:?}", pairs(&ask(text)));
    }
}
