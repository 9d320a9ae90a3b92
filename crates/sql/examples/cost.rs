//! What an analysis costs, by stage: microseconds for typical statements, small to large.
//!
//! First seen, a text is scanned (`prescan`), parsed and walked; seen before, its shape finds what was kept.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use sallyport_sql::catalog::Builder;
use sallyport_sql::{Caps, Context, Fresh, analyze, prescan, shape};

fn main() {
    let mut builder = Builder::new();
    let wide: Vec<String> = (0..60).map(|at| format!("c{at}")).collect();
    for (oid, name) in [("1", "pgbench_accounts"), ("2", "wide"), ("3", "other"), ("4", "third")] {
        let cells = [Some(oid), Some("public"), Some(name), Some("r"), Some("f")];
        builder.row("relations", &cells).unwrap_or_default();
        for (at, column) in
            ["aid", "abalance", "bid"].iter().map(|name| (*name).to_owned()).chain(wide.clone()).enumerate()
        {
            let number = (at + 1).to_string();
            let cells = [Some(oid), Some(number.as_str()), Some(column.as_str()), Some("25"), Some("f")];
            builder.row("columns", &cells).unwrap_or_default();
        }
    }
    let catalog = builder.finish(1);
    let path = vec!["public".to_owned()];
    let context = Context { catalog: &catalog, search_path: &path, fresh: &Fresh::default(), caps: Caps::default() };
    let orm = format!(
        "SELECT {} FROM wide AS w JOIN other AS o ON o.aid = w.aid LEFT JOIN third AS t ON t.bid = w.bid WHERE w.c1 = 'x' AND o.c2 > 5 ORDER BY w.c3 LIMIT 20",
        wide.iter().map(|name| format!("w.{name} AS w_{name}")).collect::<Vec<_>>().join(", ")
    );
    let rows: Vec<String> = (0..1_000).map(|at| format!("({at}, 0, 'some text number {at}')")).collect();
    let insert = format!("INSERT INTO wide (aid, bid, c0) VALUES {}", rows.join(", "));
    let report = report(200);
    let texts = [
        ("pgbench select", "SELECT abalance FROM pgbench_accounts WHERE aid = 12345678;".to_owned()),
        ("pgbench update", "UPDATE pgbench_accounts SET abalance = abalance + 5 WHERE aid = 12345;".to_owned()),
        ("60-column ORM select", orm),
        ("200-line report", report),
        ("1,000-row insert", insert),
    ];
    println!(
        "{:<20} {:>6} {:>6} | {:>8} {:>8} {:>8} {:>9} | {:>8} {:>8}",
        "µs", "lines", "bytes", "prescan", "parse", "walk", "first", "shape", "kept"
    );
    for (name, text) in &texts {
        measure(name, text, &context);
    }
}

fn measure(name: &str, text: &str, context: &Context<'_>) {
    let mut out = Vec::new();
    let shape_time = fastest(|| {
        out.clear();
        black_box(shape::shape(black_box(text.as_bytes()), &mut out));
    });
    let first = analyze(text, context);
    assert!(first.problem.is_none(), "{name}: {:?}", first.problem);
    let mut kept = HashMap::new();
    kept.insert(out.clone(), &first);
    let kept_time = fastest(|| {
        out.clear();
        black_box(shape::shape(black_box(text.as_bytes()), &mut out));
        black_box(kept.get(out.as_slice()));
    });
    let prescan_time = fastest(|| {
        let _ = black_box(prescan::check(black_box(text), &Caps::default()));
    });
    let parse_time = fastest(|| {
        let _ = black_box(pg_query::parse(black_box(text), pg_query::ParserOptions::DEFAULT));
    });
    let all = fastest(|| {
        black_box(analyze(black_box(text), context));
    });
    let walk_time = (all - prescan_time - parse_time).max(0.0);
    println!(
        "{name:<20} {:>6} {:>6} | {prescan_time:>8.1} {parse_time:>8.1} {walk_time:>8.1} {all:>9.1} | {shape_time:>8.2} {kept_time:>8.2}",
        text.lines().count(),
        text.len()
    );
}

/// A report as people and tools write them: CTEs, joins, CASE, windows; so many lines.
fn report(lines: usize) -> String {
    let mut text =
        String::from("WITH base AS (\n  SELECT w.aid,\n    w.bid\n  FROM wide w\n  WHERE w.c1 IS NOT NULL\n)");
    let mut part = 0;
    while text.lines().count() + 2 * part + 16 < lines {
        part += 1;
        text.push_str(&format!(
            ",\npart{part} AS (\n  SELECT o.bid,\n    count(*) AS orders{part},\n    sum(CASE WHEN o.c{part} > 5 THEN 1 ELSE 0 END) AS high{part},\n    \
             max(lower(trim(o.c3)) || '-' || coalesce(t.c4, 'none')) AS label{part},\n    \
             row_number() OVER (PARTITION BY o.bid ORDER BY max(o.c5) DESC) AS place{part}\n  FROM other o\n  JOIN base b ON b.aid = o.aid\n  \
             LEFT JOIN third t ON t.bid = o.bid AND t.c6 = 'x{part}'\n  WHERE o.c7 BETWEEN 1 AND 100\n    AND o.c8 IN ('a', 'b', 'c')\n  \
             GROUP BY o.bid\n)"
        ));
    }
    text.push_str("\nSELECT base.bid");
    for at in 1..=part {
        text.push_str(&format!(",\n  p{at}.label{at}"));
    }
    text.push_str("\nFROM base");
    for at in 1..=part {
        text.push_str(&format!("\nLEFT JOIN part{at} p{at} ON p{at}.bid = base.bid"));
    }
    text.push_str("\nORDER BY 1");
    text
}

/// The time of one call in the fastest of many batches, in microseconds: what else a machine does only ever adds.
fn fastest(mut body: impl FnMut()) -> f64 {
    let mut batches = Vec::new();
    for _ in 0..40 {
        let start = Instant::now();
        let mut calls: u32 = 0;
        while start.elapsed() < Duration::from_millis(10) {
            body();
            calls += 1;
        }
        batches.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    batches.into_iter().fold(f64::INFINITY, f64::min)
}
