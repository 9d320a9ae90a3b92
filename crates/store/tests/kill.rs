//! `kill -9` in the middle of appending at full speed: every event that was acknowledged is in a recording that verifies.
//!
//! The test starts itself as the child: with `SALLYPORT_KILL_DIR` set it appends until it is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gate::ports::{RecordFailure, Recorder, Recordings};
use model::SessionId;
use record::{Event, Micros, Opened};
use sallyport_store::recordings::{FileRecordings, Filter, SessionState, Settings};
use uuid::Uuid;

const DIR: &str = "SALLYPORT_KILL_DIR";
const ROUNDS: u32 = 20;
const SESSIONS: usize = 3;

/// Waits for a future without a runtime: everything here is ready when it is asked, or soon after.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn opened() -> Opened<'static> {
    Opened {
        session: "".into(),
        protocol: "postgres".into(),
        identity: r#"{"subject":"agent-7","on_behalf_of":["alice"]}"#.into(),
        target: "orders".into(),
        role: "readonly".into(),
        from: "127.0.0.1:1".into(),
        client: "test".into(),
        policy: "v1".into(),
        rules: vec![],
        gateway: "0".into(),
    }
}

/// Appends numbered events to a few sessions, one of them large now and then, and prints each after it was acknowledged.
fn child(dir: &Path) {
    let recordings = FileRecordings::start(&Settings::new(dir, 2)).unwrap();
    let mut recorders: Vec<(SessionId, Box<dyn Recorder>)> = Vec::new();
    for _ in 0..SESSIONS {
        let id = SessionId(Uuid::now_v7());
        // Each from a thread of its own, as from several workers, so that every shard is in use.
        let open = || wait(recordings.open(id, now(), &opened())).unwrap();
        recorders.push((id, std::thread::scope(|scope| scope.spawn(open).join().unwrap())));
    }
    let mut out = std::io::stdout().lock();
    let large = "x".repeat(300_000);
    for number in 0_u64.. {
        let count = recorders.len();
        let (id, recorder) = &mut recorders[number as usize % count];
        let tail = if number % 701 == 0 { large.as_str() } else { "" };
        let text = format!("{number} {tail}");
        let event = Event::Message { kind: "notice".into(), text: text.into() };
        loop {
            match recorder.append(now(), &event) {
                Ok(()) => break,
                Err(RecordFailure::Behind) => std::thread::sleep(Duration::from_millis(1)),
                Err(failure) => panic!("{failure}"),
            }
        }
        writeln!(out, "{id} {number}").unwrap();
    }
}

fn now() -> Micros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Micros(i64::try_from(since.as_micros()).unwrap())
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed_at_any_time_nothing_acknowledged_is_lost", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_time_nothing_acknowledged_is_lost() {
    if let Some(dir) = std::env::var_os(DIR) {
        return child(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 0..ROUNDS {
        let mut process = start(dir.path());
        let stdout = process.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut last: BTreeMap<SessionId, u64> = BTreeMap::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The last line may be cut off: only what ends in a whole number after a space was acknowledged for sure.
                if let Some((id, number)) = line.split_once(' ')
                    && let (Ok(id), Ok(number)) = (id.parse::<SessionId>(), number.parse::<u64>())
                {
                    let known = last.entry(id).or_default();
                    *known = number.max(*known);
                }
            }
            last
        });
        // From before the first block is written to well into several.
        std::thread::sleep(Duration::from_millis(60 + u64::from(round) * 61));
        process.kill().unwrap();
        process.wait().unwrap();
        let acknowledged = reader.join().unwrap();
        check(dir.path(), &acknowledged);
    }
}

fn check(dir: &Path, acknowledged: &BTreeMap<SessionId, u64>) {
    let recordings = FileRecordings::start(&Settings::new(dir, 2)).unwrap();
    assert_eq!(recordings.recovery().lost, 0);
    let library = recordings.library();
    let report = library.verify_all(&[], None).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.open, 0);
    for (id, last) in acknowledged {
        assert_eq!(library.summary(*id).unwrap().state, SessionState::Recovered);
        let mut reader = library.open(*id).unwrap();
        let mut numbers: Vec<u64> = Vec::new();
        let mut recovered = false;
        while let Some(entry) = reader.next_entry().unwrap() {
            match entry.event {
                Event::Message { text, .. } => numbers.push(text.split(' ').next().unwrap().parse().unwrap()),
                Event::Recovered { .. } => recovered = true,
                _ => {}
            }
        }
        assert!(recovered);
        // A cut last line may have named a number that begins like a larger one, never one that was not reached.
        assert!(numbers.last() >= Some(last), "acknowledged {last}, found {:?}", numbers.last());
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + SESSIONS as u64), "entries are missing or repeated");
    }
    let all = Filter { limit: usize::MAX, ..Filter::default() };
    assert!(library.list(&all).unwrap().iter().all(|session| session.state == SessionState::Recovered));
}
