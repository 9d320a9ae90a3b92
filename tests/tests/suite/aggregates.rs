//! Statistics of masked columns, under a mask that shows them: the numbers come through as the server computes them, values do not.

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::Wire;

const POLICY: &str = "
rules:
  - name: agents read
    who: { groups: [agents] }
    do: [connect, session, read, write, create]
    then: allow
masks:
  - name: pay
    who: { groups: [agents] }
    columns: [public.staff.salary, public.staff.active]
    with: redact
    aggregates: allow
  - name: names
    who: { groups: [agents] }
    columns: [public.staff.name, public.staff.bonus]
    with: redact
";

const SCHEMA: &str = "CREATE TABLE staff(id int PRIMARY KEY, region text, name text, salary numeric, bonus int, active bool);
    CREATE TABLE notes(value numeric);
    CREATE VIEW pay AS SELECT region, sum(salary) AS total, max(salary) AS top FROM staff GROUP BY region;
    CREATE FUNCTION mean(text) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT avg(salary) FROM staff WHERE region = $1';
    INSERT INTO staff SELECT n, CASE WHEN n < 3 THEN 'north' ELSE 'south' END, 'ann' || n, 41000 + n, 777000, true FROM generate_series(1, 4) n;
    GRANT ALL ON staff, notes, pay TO app; GRANT CREATE ON SCHEMA public TO app";

struct World {
    server: Server,
    gateway: Gateway,
    wire: Wire,
}

fn world() -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    for statement in SCHEMA.split(";\n") {
        server.sql("postgres", statement).unwrap();
    }
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", POLICY)).unwrap();
    let wire = login(&gateway);
    World { server, gateway, wire }
}

fn login(gateway: &Gateway) -> Wire {
    Wire::login(&gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap()
}

impl World {
    /// What comes back through the gateway: rows, or the words of a failure.
    fn through(&mut self, sql: &str) -> String {
        self.wire.rows(sql).map_or_else(|error| format!("{error:#}"), |rows| format!("{rows:?}"))
    }

    fn direct(&self, sql: &str) -> String {
        format!("{:?}", self.server.sql("postgres", sql).unwrap())
    }
}

#[test]
fn statistics_come_through_and_values_do_not() {
    let mut world = world();
    for sql in [
        "SELECT region, sum(salary), avg(salary) FROM staff GROUP BY region ORDER BY 1",
        "SELECT round(stddev(salary * 12), 2), variance(DISTINCT salary::float8) FROM staff",
        "SELECT COALESCE(sum(COALESCE(salary, 0)) FILTER (WHERE id < 3), 0) / count(*) FROM staff",
        "SELECT sum(CASE WHEN region = 'north' THEN salary ELSE 0 END) FROM staff",
        "SELECT bool_and(active) FROM staff",
        "SELECT x + 1 FROM (SELECT sum(salary) AS x FROM staff) s",
        "SELECT region, total FROM pay ORDER BY 1",
        "SELECT mean('south')",
        "SELECT max(total) FROM pay",
    ] {
        assert_eq!(world.through(sql), world.direct(sql), "{sql}");
    }
    for sql in [
        "SELECT salary FROM staff",
        "SELECT max(salary) FROM staff",
        "SELECT array_agg(salary) FROM staff",
        "SELECT percentile_cont(0) WITHIN GROUP (ORDER BY salary) FROM staff",
        "SELECT sum(salary) OVER (ORDER BY id ROWS BETWEEN 0 PRECEDING AND CURRENT ROW) FROM staff",
        "SELECT sum(abs(salary)) FROM staff WHERE id = 1",
        "SELECT sum(salary) + max(salary) FROM staff WHERE id = 1",
        "SELECT sum(salary) FROM staff WHERE id = 0 UNION ALL SELECT salary FROM staff",
        "SELECT salary FROM staff GROUP BY salary",
        "SELECT top FROM pay",
        "SELECT sum(bonus) FROM staff",
        "SELECT sum(salary + bonus) FROM staff",
        "SELECT sum(ascii(name)) FROM staff",
    ] {
        let through = world.through(sql);
        assert_ne!(through, world.direct(sql), "{sql}");
        assert!(
            !through.contains("4100") && !through.contains("777") && !through.contains("ERROR"),
            "{sql}: {through}"
        );
    }
    // Stored, a statistic is something made of the column like any other.
    for sql in ["INSERT INTO notes SELECT sum(salary) FROM staff", "CREATE TABLE kept AS SELECT avg(salary) FROM staff"]
    {
        let through = world.through(sql);
        assert!(through.contains("denied by policy: rule \"pay\""), "{sql}: {through}");
    }
}

#[test]
fn what_a_user_calls_a_sum_is_none() {
    let mut world = world();
    for sql in [
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine.last(numeric, numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $2'",
        "CREATE AGGREGATE mine.sum(numeric) (SFUNC = mine.last, STYPE = numeric)",
        "CREATE FUNCTION mine.spell(numeric, text) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT ascii($2)::numeric'",
        "CREATE OPERATOR mine.* (LEFTARG = numeric, RIGHTARG = text, FUNCTION = mine.spell)",
        "GRANT USAGE ON SCHEMA mine TO app",
        "ALTER ROLE app SET search_path = mine, public",
    ] {
        world.server.sql("postgres", sql).unwrap();
    }
    world.wire = login(&world.gateway);
    for sql in [
        "SELECT mine.sum(salary) FROM staff WHERE id = 1",
        "SELECT sum(salary OPERATOR(mine.*) name) FROM staff",
        "SELECT sum(salary * name) FROM staff",
    ] {
        let through = world.through(sql);
        assert!(!through.contains("41001") && !through.contains("Some(\"388\")"), "{sql}: {through}");
    }
}
