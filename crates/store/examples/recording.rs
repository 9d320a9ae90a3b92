//! What recording costs: `cargo run --release -p sallyport-store --example recording [directory]`.
//!
//! CPU time, not wall time: of the thread that appends, and of the whole process, which adds the scribe and the disk's
//! thread. The events are those of a small statement: the command, its columns, one row and its end.
#![expect(clippy::print_stdout, reason = "a program that prints its figures")]

use std::error::Error;
use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gate::ports::{RecordFailure, Recorder, Recordings};
use model::{Action, Effect, Flags, Object, Outcome, SessionId};
use record::{Column, CommandEvent, Event, Finished, Micros, Opened, rows};
use sallyport_store::recordings::{FileRecordings, Settings};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Sessions = Vec<Box<dyn Recorder>>;

const EVENTS: u64 = 400_000;
const ROW_BYTES: usize = 400 * 1024 * 1024;
const IDLE: usize = 1000;

fn main() -> Result<()> {
    let given = std::env::args().nth(1);
    let dir = tempfile::tempdir_in(given.unwrap_or_else(|| std::env::temp_dir().display().to_string()))?;
    let recordings = FileRecordings::start(&Settings::new(dir.path(), 2))?;
    idle(&recordings)?;
    commands(&recordings, 1)?;
    commands(&recordings, 16)?;
    wide_rows(&recordings)?;
    let began = process_cpu()?;
    let quiet = Duration::from_secs(5);
    std::thread::sleep(quiet + Duration::from_secs(6));
    let began_quiet = process_cpu()?;
    std::thread::sleep(quiet);
    let used = process_cpu()? - began_quiet;
    println!("nothing written for {quiet:?}: {used:?} CPU ({:?} while settling)", began_quiet - began);
    recordings.shut_down();
    Ok(())
}

/// Memory of sessions that are open and say nothing.
fn idle(recordings: &FileRecordings) -> Result<()> {
    let before = resident()?;
    let sessions = open(recordings, IDLE)?;
    std::thread::sleep(Duration::from_secs(2));
    let after = resident()?;
    let each = after.saturating_sub(before) * 1024 / IDLE as u64;
    println!("{IDLE} open recordings, idle: {each} bytes resident each ({before} KiB before, {after} KiB after)");
    drop(sessions);
    Ok(())
}

/// Small statements, every text different.
fn commands(recordings: &FileRecordings, count: usize) -> Result<()> {
    let mut sessions = open(recordings, count)?;
    let actions = [Action::on(Effect::Read, Object::relation("public", "pgbench_accounts"))];
    let rules = ["agents read orders".to_owned()];
    let (wall, thread, process) = (Instant::now(), thread_cpu()?, process_cpu()?);
    let mut row = Vec::new();
    let mut waits = 0_u64;
    for number in 0..EVENTS / 4 {
        let index = usize::try_from(number)? % sessions.len();
        let recorder = sessions.get_mut(index).ok_or("no session")?;
        let text = format!("SELECT abalance FROM pgbench_accounts WHERE aid = {};", number * 7919 % 100_000);
        waits += put(
            recorder,
            &Event::Command(CommandEvent {
                number,
                label: "SELECT".into(),
                text: text.into(),
                values: Vec::new(),
                actions: (&actions[..]).into(),
                flags: Flags::default(),
                outcome: Outcome::Allow,
                rules: (&rules[..]).into(),
                reasons: (&[][..]).into(),
                shadow: (&[][..]).into(),
                policy: "3f2a9c1b".into(),
            }),
        )?;
        let column = Column { name: "abalance".into(), ty: "int4".into(), binary: false, mask: "".into() };
        waits += put(recorder, &Event::Columns { number, columns: vec![column] })?;
        row.clear();
        rows::put_row(&mut row, &[Some(b"0")]);
        waits += put(recorder, &Event::Rows { number, count: 1, data: (&row[..]).into() })?;
        waits += put(
            recorder,
            &Event::Finished(Finished {
                number,
                tag: "SELECT 1".into(),
                error: None,
                rows: 1,
                bytes: 7,
                digest: None,
                masked: 0,
                target_micros: 80,
                gateway_micros: 4,
            }),
        )?;
    }
    let (wall, thread) = (wall.elapsed(), thread_cpu()? - thread);
    settle(recordings);
    let process = process_cpu()? - process;
    println!(
        "{count:>2} sessions, {EVENTS} events ({} statements): append {} ns CPU per event, all threads {} ns per event, \
         {} ns per statement; {wall:?} wall, {waits} waits",
        EVENTS / 4,
        thread.as_nanos() / u128::from(EVENTS),
        process.as_nanos() / u128::from(EVENTS),
        process.as_nanos() / u128::from(EVENTS / 4),
    );
    Ok(())
}

/// All rows of a wide scan.
fn wide_rows(recordings: &FileRecordings) -> Result<()> {
    let mut sessions = open(recordings, 1)?;
    let recorder = sessions.first_mut().ok_or("no session")?;
    let pieces: Vec<Vec<u8>> = (0..8).map(piece).collect();
    let (wall, thread, process) = (Instant::now(), thread_cpu()?, process_cpu()?);
    let (mut bytes, mut waits) = (0, 0);
    for data in pieces.iter().cycle() {
        waits += put(recorder, &Event::Rows { number: 1, count: 500, data: data.as_slice().into() })?;
        bytes += data.len();
        if bytes >= ROW_BYTES {
            break;
        }
    }
    let (wall, thread) = (wall.elapsed(), thread_cpu()? - thread);
    settle(recordings);
    let process = process_cpu()? - process;
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    println!(
        "rows, {} MB in events of 64 KiB: {:.0} MB/s per core in all threads, {:.0} MB/s in append alone; \
         {wall:?} wall, {waits} waits, {} KiB resident",
        bytes / 1_000_000,
        rate(process),
        rate(thread),
        resident()?,
    );
    Ok(())
}

/// About 64 KiB of rows that look like customers.
fn piece(seed: u64) -> Vec<u8> {
    let mut data = Vec::new();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while data.len() < 64 * 1024 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = state >> 33;
        let fields = [
            format!("{n}"),
            format!("user{}@example.com", n % 100_000),
            format!("{:04} {:04} {:04} {:04}", n % 9999, n / 7 % 9999, n / 77 % 9999, n / 777 % 9999),
            format!("2026-{:02}-{:02} 12:{:02}:00+00", n % 12 + 1, n % 28 + 1, n % 60),
            ["open", "paid", "shipped", "returned"]
                .get(usize::try_from(n % 4).unwrap_or(0))
                .copied()
                .unwrap_or("")
                .to_owned(),
            format!("{} Main Street, {:05} Springfield", n % 400, n % 90_000),
        ];
        let values: Vec<Option<&[u8]>> = fields.iter().map(|field| Some(field.as_bytes())).collect();
        rows::put_row(&mut data, &values);
    }
    data
}

fn put(recorder: &mut Box<dyn Recorder>, event: &Event<'_>) -> Result<u64> {
    let mut waits = 0;
    loop {
        match recorder.append(Micros(now()), event) {
            Ok(()) => return Ok(waits),
            Err(RecordFailure::Behind) => {
                waits += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

fn open(recordings: &FileRecordings, count: usize) -> Result<Sessions> {
    let opened = Opened {
        session: "".into(),
        protocol: "postgres".into(),
        identity: r#"{"subject":"agent-7"}"#.into(),
        target: "orders".into(),
        role: "readonly".into(),
        from: "127.0.0.1:1".into(),
        client: "cost".into(),
        policy: "v1".into(),
        rules: vec![],
        gateway: "0".into(),
    };
    (0..count).map(|_| Ok(wait(recordings.open(SessionId(Uuid::now_v7()), Micros(now()), &opened))?)).collect()
}

/// Waits until the spool is written.
fn settle(recordings: &FileRecordings) {
    let start = Instant::now();
    while recordings.stats().lag > 512 * 1024 && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(1500));
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// CPU time of this thread, as the scheduler counts it.
fn thread_cpu() -> Result<Duration> {
    scheduled("/proc/thread-self/schedstat")
}

/// CPU time of all threads that live.
fn process_cpu() -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in std::fs::read_dir("/proc/self/task")? {
        sum += scheduled(task?.path().join("schedstat"))?;
    }
    Ok(sum)
}

fn scheduled(path: impl AsRef<std::path::Path>) -> Result<Duration> {
    let text = std::fs::read_to_string(path)?;
    let nanos = text.split_ascii_whitespace().next().ok_or("an empty schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Resident memory in KiB.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
