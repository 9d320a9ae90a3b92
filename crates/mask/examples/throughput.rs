//! Prints how fast the scan is on this machine, one thread, in MB/s:
//! `cargo run --release -p sallyport-mask --example throughput [dense|sparse|prose|terminal]`.
//!
//! *Dense*: 12 short cells of about 130 bytes a row, most of them personal data. *Sparse*: the same shape without any. *Prose*:
//! long cells of text. *Terminal*: the same rows as lines of a terminal, in packets of 16 KiB, plain and with colours. Each figure is the median of the rounds, with the slowest and fastest, by the time this thread was on a
//! core (Linux only), so that a busy machine does not distort it much.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use sallyport_mask::{DetectorSet, Format, Hit, MaskKey, Masker, Style, TerminalMasker, ValueType, scan};

/// Rows of short cells, about as many as one read from a socket brings.
const ROWS: usize = 500;
/// How often the rows are gone over in a round.
const PASSES: u32 = 400;
const ROUNDS: usize = 9;

/// A small generator, so that every run sees the same rows.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let index = usize::try_from(self.next(u64::try_from(from.len()).unwrap_or(1))).unwrap_or(0);
        from.get(index).copied().unwrap_or_default()
    }
}

const FIRST: &[&str] = &["Alice", "Bob", "Jürgen", "Amelia", "Kofi", "Sarah", "Jun", "Olga", "Andre", "Mary"];
const LAST: &[&str] = &["Smith", "Johnson", "Müller", "Okafor", "Tanaka", "Garcia", "Ivanova", "Brown"];
const WORDS: &[&str] = &[
    "order", "shipped", "late", "customer", "asked", "for", "a", "refund", "and", "we", "agreed", "to", "send", "it",
    "again", "tomorrow",
];

fn card(numbers: &mut Numbers) -> String {
    let body = format!("4{:014}", numbers.next(100_000_000_000_000));
    let sum: u64 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| (u64::from(byte - b'0'), index))
        .fold(0, |sum, (digit, index)| sum + if index % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit });
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn dense(numbers: &mut Numbers) -> Vec<String> {
    let (first, last) = (numbers.pick(FIRST), numbers.pick(LAST));
    vec![
        numbers.next(10_000_000).to_string(),
        format!("{first} {last}"),
        format!("{}.{}{}@example.com", first.to_lowercase(), last.to_lowercase(), numbers.next(100)),
        card(numbers),
        format!("+1 415 555 {:04}", numbers.next(10_000)),
        format!("{}.{}.{}.{}", numbers.next(256), numbers.next(256), numbers.next(256), numbers.next(256)),
        format!(
            "2026-{:02}-{:02} 01:40:{:02}.{:06}+00",
            1 + numbers.next(12),
            1 + numbers.next(28),
            numbers.next(60),
            numbers.next(1_000_000)
        ),
        format!("{}.{:02}", numbers.next(10_000), numbers.next(100)),
        numbers.pick(&["active", "closed", "new"]).to_owned(),
        numbers.next(2).to_string(),
        "t".to_owned(),
        numbers.pick(&["DE", "US", "FR"]).to_owned(),
    ]
}

fn sparse(numbers: &mut Numbers) -> Vec<String> {
    let mut cells: Vec<String> =
        (0..8).map(|_| format!("{} {} {}", numbers.pick(WORDS), numbers.pick(WORDS), numbers.pick(WORDS))).collect();
    cells.push(numbers.next(1_000_000).to_string());
    cells.push(format!("2026-{:02}-{:02}", 1 + numbers.next(12), 1 + numbers.next(28)));
    cells.push("active".to_owned());
    cells.push("f".to_owned());
    cells
}

fn prose(numbers: &mut Numbers) -> Vec<String> {
    vec![(0..200).map(|_| numbers.pick(WORDS)).collect::<Vec<_>>().join(" ")]
}

/// How long this thread has run.
fn time_on_core() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = schedule.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// Cells one after the other, as they lie in a buffer that was just read.
#[derive(Default)]
struct Cells {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Cells {
    fn push(&mut self, cell: &str) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(cell.as_bytes());
        self.ranges.push(start..self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.iter().filter_map(|range| self.bytes.get(range.clone()))
    }
}

/// Runs `work` over all cells and prints MB/s.
fn measure(name: &str, cells: &Cells, mut work: impl FnMut(&[u8]) -> usize) {
    let mut finds = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = time_on_core();
            for _ in 0..PASSES {
                finds = cells.iter().map(|cell| work(black_box(cell))).sum();
            }
            time_on_core() - start
        })
        .collect();
    times.sort_unstable();
    let bytes = f64::from(u32::try_from(cells.bytes.len()).unwrap_or(u32::MAX) * PASSES);
    let megabytes = |time: Option<&Duration>| time.map_or(0.0, |time| bytes / 1e6 / time.as_secs_f64());
    println!(
        "{name:<24} {:>7.0} MB/s  [{:.0}..{:.0}]  {finds} finds in {} cells, {} bytes",
        megabytes(times.get(ROUNDS / 2)),
        megabytes(times.last()),
        megabytes(times.first()),
        cells.ranges.len(),
        cells.bytes.len(),
    );
}

/// Bytes of a packet of a terminal's output.
const PACKET: usize = 16 * 1024;

/// Rows as the lines that a terminal shows, in packets.
fn packets(numbers: &mut Numbers, row: fn(&mut Numbers) -> Vec<String>, joint: &str) -> Cells {
    let text: String = (0..ROWS).map(|_| format!("{}\r\n", row(numbers).join(joint))).collect();
    let mut cells = Cells::default();
    text.as_bytes().chunks(PACKET).for_each(|packet| cells.push(&String::from_utf8_lossy(packet)));
    cells
}

fn terminal(numbers: &mut Numbers, masker: &Masker) {
    for (name, row, joint) in [
        ("plain prose", prose as fn(&mut Numbers) -> Vec<String>, " "),
        ("plain sparse", sparse, " "),
        ("plain dense", dense, "  "),
        ("coloured sparse", sparse, "\x1b[0m \x1b[1;32m"),
        ("coloured dense", dense, "\x1b[0m  \x1b[1;32m"),
        ("painted sparse", sparse, "\x1b[K\x1b[20C"),
    ] {
        let cells = packets(numbers, row, joint);
        let mut stream = TerminalMasker::new(masker.clone(), DetectorSet::ALL, Style::Partial);
        let mut out = Vec::with_capacity(2 * PACKET);
        measure(&format!("terminal: {name}"), &cells, |packet| {
            out.clear();
            stream.push(packet, &mut out);
            black_box(&out);
            0
        });
    }
}

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    let mut numbers = Numbers(1);
    let masker = Masker::new(&MaskKey::new([1; 32]));
    if "terminal".starts_with(&only) {
        terminal(&mut numbers, &masker);
    }
    for (name, row, rows) in [
        ("dense", dense as fn(&mut Numbers) -> Vec<String>, ROWS),
        ("sparse", sparse, ROWS),
        ("prose", prose, ROWS / 8),
    ] {
        if !name.starts_with(&only) {
            continue;
        }
        let mut cells = Cells::default();
        for _ in 0..rows {
            row(&mut numbers).iter().for_each(|cell| cells.push(cell));
        }
        let mut hits: Vec<Hit> = Vec::new();
        let mut out = Vec::with_capacity(1 << 16);
        measure(&format!("{name}: scan"), &cells, |cell| {
            scan(cell, DetectorSet::ALL, &mut hits);
            hits.len()
        });
        for style in [Style::Redact, Style::Partial, Style::Token] {
            measure(&format!("{name}: scan, {style}"), &cells, |cell| {
                out.clear();
                match masker.content(style, DetectorSet::ALL, ValueType::Text, Format::Text, cell, &mut hits, &mut out)
                {
                    sallyport_mask::Content::Clean => out.extend_from_slice(cell),
                    sallyport_mask::Content::Bytes | sallyport_mask::Content::Null => {}
                }
                black_box(&out);
                hits.len()
            });
        }
    }
}
