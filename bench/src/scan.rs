//! A wide scan: MB/s that reach the client, unmasked, with masked columns, and with detectors over all columns.

use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sallyport_tests::clients::ALLOW_ALL;
use sallyport_tests::kit::message;
use sallyport_tests::kit::wire::Wire;

use crate::Plan;
use crate::figures::Figure;
use crate::peers::{DATABASE, Way, World};
use crate::rate::{Slice, figures};
use crate::usage;

const COLUMNS: &str = "masks:\n  - name: columns\n    who: { groups: [agents] }\n    columns: [\"public.wide.email\", \"public.wide.card\"]\n    with: redact\n";
const DETECTORS: &str = "masks:\n  - name: content\n    who: { groups: [agents] }\n    detect: [card, iban, email, phone, secret]\n    with: partial\n";

/// The scenarios of this file.
pub(crate) fn names() -> Vec<String> {
    ["scan/unmasked", "scan/columns", "scan/detectors"].map(str::to_owned).to_vec()
}

/// Reads the whole table by every way, in rounds.
pub(crate) fn measure(world: &World, plan: &Plan, name: &str) -> Result<Vec<Figure>> {
    fill(world, plan)?;
    let masks = match name {
        "scan/columns" => COLUMNS,
        "scan/detectors" => DETECTORS,
        _ => "",
    };
    let special = world.another(&format!("{ALLOW_ALL}{masks}"), false)?;
    let mut ways: Vec<Way> = world.ways(false).into_iter().filter(|way| way.name != "gateway").collect();
    let mut keep = None;
    if let Some((gateway, way)) = special {
        ways.push(way);
        keep = Some(gateway);
    }
    let mut slices: Vec<Vec<Slice>> = ways.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.rounds {
        for (way, found) in ways.iter().zip(&mut slices) {
            found.push(scan(way)?);
        }
    }
    let found = figures(name, "MB/s", &ways, &slices);
    drop(keep);
    found
}

/// About 130 bytes a row, a third of the columns with something to find.
fn fill(world: &World, plan: &Plan) -> Result<()> {
    let mut admin = world.server().admin(DATABASE)?;
    if admin.value("SELECT to_regclass('public.wide') IS NOT NULL")? == "t" {
        return Ok(());
    }
    admin.rows("CREATE TABLE wide(id bigint, name text, email text, card text, phone text, ip text, note text, total numeric, at timestamptz)")?;
    let rows = format!(
        "INSERT INTO wide SELECT n, 'Name ' || n, 'user' || n || '@example.com', '4111 1111 1111 1111', '+49 30 ' || 1000000 + n, \
         '10.' || n % 256 || '.0.7', 'ordered by phone, deliver ' || n, n * 1.25, '2026-01-01'::timestamptz + n * interval '1 s' \
         FROM generate_series(1, {}) n",
        plan.rows
    );
    // Far longer than an ordinary statement of the kit.
    admin.send(&message::query(rows.as_bytes()))?;
    admin.until_ready(Duration::from_secs(600))?;
    admin.rows("GRANT SELECT ON wide TO app; ANALYZE wide")?;
    Ok(())
}

fn scan(way: &Way) -> Result<Slice> {
    let mut wire = Wire::login(&way.dsn)?;
    let before = way.pid.map(usage::cpu).transpose()?;
    let start = Instant::now();
    wire.send(&message::query(b"SELECT * FROM wide"))?;
    let bytes = drain(&mut wire)?;
    let took = start.elapsed().as_secs_f64();
    let cpu = match (before, way.pid) {
        (Some(before), Some(pid)) => usage::cpu(pid)?.saturating_sub(before),
        _ => Duration::ZERO,
    };
    #[expect(clippy::cast_precision_loss, reason = "sizes of results are far below 2^52")]
    let megabytes = bytes as f64 / 1e6;
    Ok(Slice { rate: megabytes / took, units: megabytes, cpu })
}

/// Reads to `ReadyForQuery` without keeping anything: the client must not be what is measured.
fn drain(wire: &mut Wire) -> Result<u64> {
    let mut buffer = vec![0_u8; 1 << 20];
    let mut total = 0_u64;
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let count = wire.reader().read(&mut buffer).context("read the scan")?;
        let part = buffer.get(..count).unwrap_or_default();
        total += u64::try_from(count)?;
        tail.extend_from_slice(part.get(count.saturating_sub(6)..).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(6));
        anyhow::ensure!(count > 0, "the connection closed before the scan ended");
        // ReadyForQuery, idle: nothing of a row's text can follow it, as a server speaks only when asked.
        if tail == b"Z\0\0\0\x05I" {
            return Ok(total);
        }
    }
}
