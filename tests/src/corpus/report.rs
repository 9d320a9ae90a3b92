//! The corpus' results for people and for programs.

use serde_json::json;

use super::judge::{Judged, Outcome};

/// One JSON object per case.
pub fn json(judged: &[Judged]) {
    for one in judged {
        let line = json!({
            "id": one.id, "key": one.key, "class": one.class, "expect": one.expect.as_str(),
            "outcome": one.outcome.as_str(), "why": one.why, "oracle": one.oracle,
        });
        println!("{line}");
    }
}

/// One line for one case.
pub fn line(one: &Judged) {
    println!("{:<12} {:<12} {:<32} {}", one.key, one.outcome.as_str(), one.id, one.why);
}

/// The table per key, and every case that is not as it must be.
pub fn table(judged: &[Judged]) {
    let head = ["key", "cases", "refused", "masked", "harmless", "worked", "let through", "blocked", "errors"];
    let outcomes = [
        Outcome::Refused,
        Outcome::Masked,
        Outcome::Harmless,
        Outcome::Worked,
        Outcome::LetThrough,
        Outcome::Blocked,
        Outcome::Broken,
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for key in keys(judged).into_iter().map(Some).chain([None]) {
        let of_key: Vec<&Judged> = judged.iter().filter(|one| key.is_none_or(|key| one.key == key)).collect();
        let mut row = vec![key.unwrap_or("all").to_owned(), of_key.len().to_string()];
        row.extend(
            outcomes.iter().map(|outcome| of_key.iter().filter(|one| one.outcome == *outcome).count().to_string()),
        );
        rows.push(row);
    }
    aligned(&rows);
    list("let through", judged, Outcome::LetThrough);
    list("benign, but blocked", judged, Outcome::Blocked);
    list("could not be run", judged, Outcome::Broken);
    list("not refused, and without effect", judged, Outcome::Harmless);
}

/// Without a gateway: which oracles fire, and which cases they say nothing about.
pub fn direct(judged: &[Judged]) {
    let mut rows =
        vec![["key", "cases", "with oracle", "fire", "benign", "work", "errors"].map(str::to_owned).to_vec()];
    for key in keys(judged).into_iter().map(Some).chain([None]) {
        let of_key = || judged.iter().filter(|one| key.is_none_or(|key| one.key == key));
        let count = |keep: fn(&Judged) -> bool| of_key().filter(|one| keep(one)).count().to_string();
        rows.push(vec![
            key.unwrap_or("all").to_owned(),
            of_key().count().to_string(),
            count(|one| one.oracle),
            count(|one| one.oracle && one.outcome == Outcome::LetThrough),
            count(|one| one.expect.as_str() == "allow"),
            count(|one| one.outcome == Outcome::Worked),
            count(|one| one.outcome == Outcome::Broken),
        ]);
    }
    aligned(&rows);
    println!("\noracles that do not fire without a gateway:");
    for one in judged.iter().filter(|one| one.oracle && one.outcome != Outcome::LetThrough) {
        println!("  {:<32} {:<9} {}", one.id, one.outcome.as_str(), one.why);
    }
    list("benign, but not working", judged, Outcome::Blocked);
    list("could not be run", judged, Outcome::Broken);
}

fn keys(judged: &[Judged]) -> Vec<&str> {
    let mut keys: Vec<&str> = judged.iter().map(|one| one.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn list(title: &str, judged: &[Judged], outcome: Outcome) {
    let some: Vec<&Judged> = judged.iter().filter(|one| one.outcome == outcome).collect();
    if some.is_empty() {
        return;
    }
    println!("\n{title}:");
    for one in some {
        println!("  {:<32} {:<8} {}", one.id, one.expect.as_str(), one.why);
    }
}

/// Prints rows with aligned columns; the first column to the left, the others to the right.
pub fn aligned(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(
            |(at, (cell, width))| {
                if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            },
        );
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
