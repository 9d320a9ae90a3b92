//! What an analysis costs: microseconds for a shape and for a full analysis of typical statements.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sallyport_sql::catalog::Builder;
use sallyport_sql::{Caps, Context, Fresh, analyze, shape};

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
    let texts = [
        ("pgbench select", "SELECT abalance FROM pgbench_accounts WHERE aid = 12345678;".to_owned()),
        ("pgbench update", "UPDATE pgbench_accounts SET abalance = abalance + 5 WHERE aid = 12345;".to_owned()),
        ("60-column ORM select", orm),
        ("1,000-row insert", insert),
    ];
    println!("{:<22} {:>8} {:>12} {:>12}", "statement", "bytes", "shape µs", "analyze µs");
    for (name, text) in &texts {
        let mut out = Vec::new();
        let shape_time = median(|| {
            out.clear();
            black_box(shape::shape(black_box(text.as_bytes()), &mut out));
        });
        let analyze_time = median(|| {
            black_box(analyze(black_box(text), &context));
        });
        println!("{name:<22} {:>8} {shape_time:>12.2} {analyze_time:>12.1}", text.len());
    }
}

/// The median over batches of the time of one call, in microseconds.
fn median(mut body: impl FnMut()) -> f64 {
    let mut batches = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        let mut calls: u32 = 0;
        while start.elapsed() < Duration::from_millis(20) {
            body();
            calls += 1;
        }
        batches.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
    }
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 2]
}
