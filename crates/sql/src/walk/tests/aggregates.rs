//! Which columns only a statistic carries (`~` in front of them), and which are there as values.

use super::outputs;

#[test]
fn a_statistic_of_a_column_is_no_value_of_it() {
    for (expression, expected) in [
        ("sum(salary)", "~staff.salary"),
        ("pg_catalog.avg(salary)", "~staff.salary"),
        ("stddev_pop(DISTINCT salary)", "~staff.salary"),
        ("sum(salary * 2)", "~staff.salary"),
        ("sum(-salary / 100 + 1)", "~staff.salary"),
        ("sum(salary + bonus)", "~staff.bonus+~staff.salary"),
        ("avg(salary) + 1", "~staff.salary"),
        ("round(avg(salary), 2)", "~staff.salary"),
        ("sum(salary) FILTER (WHERE region = 'x')", "~staff.salary"),
        ("sum(salary::float8)", "~staff.salary"),
        ("sum((salary * 2)::int)", "~staff.salary"),
        ("avg(COALESCE(bonus, 0)::numeric(10, 2))", "~staff.bonus"),
        ("sum(COALESCE(salary, 0))", "~staff.salary"),
        ("sum(COALESCE(salary, '0'::numeric))", "~staff.salary"),
        ("sum(CASE WHEN region = 'x' THEN salary ELSE 0 END)", "staff.region+~staff.salary"),
        ("sum((CASE WHEN active THEN bonus END)::float8)", "staff.active+~staff.bonus"),
        ("corr(salary, bonus)", "~staff.bonus+~staff.salary"),
        ("regr_slope(salary, bonus)", "~staff.bonus+~staff.salary"),
        ("bool_or(active)", "~staff.active"),
        ("sum(since - '2020-01-01'::date)", "~staff.since"),
        ("count(salary)", "-"),
        ("COALESCE(sum(salary), 0) / count(*)", "~staff.salary"),
        ("sum(salary * $1)", "~staff.salary"),
    ] {
        assert_eq!(outputs(&format!("SELECT {expression} FROM staff")), expected, "{expression}");
    }
}

#[test]
fn what_gives_back_values_or_spells_them_out_is_none() {
    for (expression, expected) in [
        ("max(salary)", "staff.salary"),
        ("min(salary)", "staff.salary"),
        ("array_agg(salary)", "staff.salary"),
        ("any_value(salary)", "staff.salary"),
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY salary)", "staff.salary"),
        ("mode() WITHIN GROUP (ORDER BY salary)", "staff.salary"),
        ("bit_or(bonus)", "staff.bonus"),
        ("json_agg(salary)", "staff.salary"),
        ("JSON_ARRAYAGG(salary)", "staff.salary"),
        ("sum(salary) OVER ()", "staff.salary"),
        ("sum(salary) OVER (ORDER BY id ROWS BETWEEN 0 PRECEDING AND CURRENT ROW)", "staff.salary"),
        ("sum(salary) OVER w", "staff.salary"),
        ("sum(ascii(note))", "staff.note"),
        ("sum(length(note) * salary)", "staff.note+~staff.salary"),
        ("sum(note::int)", "staff.note"),
        ("sum(note)", "staff.note"),
        ("sum(salary::text::numeric)", "staff.salary"),
        ("sum(abs(salary))", "staff.salary"),
        ("sum(salary % 10)", "staff.salary"),
        ("sum(greatest(salary, 5))", "staff.salary"),
        ("sum(COALESCE(salary, bonus))", "staff.bonus+staff.salary"),
        ("sum(CASE WHEN salary > 5 THEN 1 ELSE 0 END)", "staff.salary"),
        ("sum(CASE salary WHEN 5 THEN bonus END)", "~staff.bonus+staff.salary"),
        ("sum(CASE WHEN salary > 5 THEN salary END)", "staff.salary+~staff.salary"),
        ("bool_and(salary > 5)", "staff.salary"),
        ("sum(salary) + max(salary)", "staff.salary+~staff.salary"),
        ("sum((SELECT s.salary FROM staff s WHERE s.id = staff.id))", "staff.salary"),
        ("sum(salary ORDER BY note)", "staff.note+~staff.salary"),
        ("sum(f(salary))", "?"),
        ("sum(salary + f(1))", "?"),
    ] {
        let from = if expression.ends_with('w') { "staff WINDOW w AS (PARTITION BY id)" } else { "staff" };
        assert_eq!(outputs(&format!("SELECT {expression} FROM {from}")), expected, "{expression}");
    }
}

#[test]
fn a_statistic_stays_one_wherever_it_goes() {
    for (text, expected) in [
        ("SELECT x FROM (SELECT sum(salary) x FROM staff GROUP BY region) s", "~staff.salary"),
        ("SELECT max(x), array_agg(x) FROM (SELECT sum(salary) x FROM staff) s", "~staff.salary, ~staff.salary"),
        ("WITH t AS (SELECT region, sum(salary) x FROM staff GROUP BY 1) SELECT x / 2 FROM t", "~staff.salary"),
        ("SELECT (SELECT avg(salary) FROM staff)", "~staff.salary"),
        ("SELECT total, sum(total) OVER () FROM v_pay", "~staff.salary+v_pay.total, ~staff.salary+v_pay.total"),
        ("SELECT salary, sum(salary) FROM staff GROUP BY salary", "staff.salary, ~staff.salary"),
        ("SELECT s.x - salary FROM staff, (SELECT avg(salary) x FROM staff) s", "staff.salary+~staff.salary"),
        ("SELECT sum(salary) FROM staff UNION ALL SELECT salary FROM staff", "staff.salary+~staff.salary"),
        // What a query below made of a column may spell it out.
        ("SELECT sum(x) FROM (SELECT ascii(note) x FROM staff) s", "staff.note"),
        ("SELECT sum(each) FROM v_pay", "staff.salary+v_pay.each"),
        ("SELECT sum(x) FROM (SELECT salary x FROM staff) s", "~staff.salary"),
        (
            "WITH RECURSIVE a AS (SELECT salary x FROM staff), b AS (SELECT max(x) m, sum(x) s FROM a) SELECT m, s FROM b",
            "staff.salary, staff.salary",
        ),
    ] {
        assert_eq!(outputs(text), expected, "{text}");
    }
}
