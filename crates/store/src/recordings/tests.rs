//! The recorder from end to end: write, read, follow, refuse, fail and come back.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use gate::ports::{RecordFailure, Recorder, Recordings};
use model::{Flags, Outcome, SessionId};
use proptest::prelude::*;
use record::{CommandEvent, Event, Micros, Opened, PublicKey, State, What};
use uuid::Uuid;

use super::shared::now;
use super::*;

fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn start(dir: &Path) -> FileRecordings {
    FileRecordings::start(&Settings::new(dir, 2)).unwrap()
}

fn open(recordings: &FileRecordings) -> (SessionId, Box<dyn Recorder>) {
    let id = SessionId(Uuid::now_v7());
    let opened = Opened {
        session: id.to_string().into(),
        protocol: "postgres".into(),
        identity: r#"{"subject":"agent-7","on_behalf_of":["alice"]}"#.into(),
        target: "orders".into(),
        role: "readonly".into(),
        from: "127.0.0.1:1".into(),
        client: "test".into(),
        policy: "v1".into(),
        rules: vec![],
        gateway: "0".into(),
    };
    (id, wait(recordings.open(id, now(), &opened)).unwrap())
}

fn command(number: u64, outcome: Outcome) -> Event<'static> {
    Event::Command(CommandEvent {
        number,
        label: "SELECT".into(),
        text: format!("SELECT {number}").into(),
        values: vec![],
        actions: vec![].into(),
        flags: Flags::default(),
        outcome,
        rules: vec![].into(),
        reasons: vec![].into(),
        shadow: vec![].into(),
        policy: "v1".into(),
    })
}

fn message(text: &str) -> Event<'_> {
    Event::Message { kind: "notice".into(), text: text.into() }
}

fn closed() -> Event<'static> {
    Event::Closed { reason: "client closed".into(), commands: 3, bytes: (10, 20) }
}

/// Looks until it is so, for up to ten seconds.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_session_is_recorded_listed_followed_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let library = recordings.library();
    let (id, mut recorder) = open(&recordings);
    for (number, outcome) in [(1, Outcome::Allow), (2, Outcome::Deny), (3, Outcome::Hold)] {
        recorder.append(now(), &command(number, outcome)).unwrap();
    }
    let live = library.summary(id).unwrap();
    assert_eq!((live.state, live.identity.as_str()), (SessionState::Live, "agent-7 for alice"));
    let written = || {
        let Ok(mut reader) = library.open(id) else { return 0 };
        std::iter::from_fn(|| reader.advance().is_ok_and(|more| more).then_some(())).count()
    };
    until("a live one is read", || written() == 4);
    recorder.append(now(), &closed()).unwrap();
    recorder.seal();
    assert!(matches!(recorder.append(now(), &closed()), Err(RecordFailure::Broken(_))));
    until("closed", || library.summary(id).unwrap().state == SessionState::Closed);
    let summary = library.summary(id).unwrap();
    assert_eq!((summary.commands, summary.denied, summary.held, summary.bytes), (3, 1, 1, (10, 20)));
    assert_eq!(summary.reason, "client closed");
    assert_eq!(written(), 5);
    let report = library.verify(id, &[]).unwrap();
    assert_eq!((report.state, report.entries, report.size), (State::Closed, 5, summary.size));
    until("a head over everything", || library.verify_all(&[], None).unwrap().unsigned == 0);
    let all = library.verify_all(&[recordings.public_key()], library.tree_head().unwrap()).unwrap();
    assert!(all.is_sound() && all.closed == 1, "{all:?}");
}

#[test]
fn the_list_filters() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let sessions: Vec<_> = (0..5).map(|_| open(&recordings)).collect();
    let list = |filter: Filter| recordings.library().list(&filter).unwrap().len();
    assert_eq!(list(Filter::default()), 5);
    assert_eq!(list(Filter { limit: 2, ..Filter::default() }), 2);
    assert_eq!(list(Filter { subject: Some("alice".to_owned()), ..Filter::default() }), 5);
    assert_eq!(list(Filter { subject: Some("bob".to_owned()), ..Filter::default() }), 0);
    assert_eq!(list(Filter { target: Some("other".to_owned()), ..Filter::default() }), 0);
    assert_eq!(list(Filter { state: Some(SessionState::Closed), ..Filter::default() }), 0);
    drop(sessions);
    until("dropped recorders seal", || list(Filter { state: Some(SessionState::Closed), ..Filter::default() }) == 5);
}

#[test]
fn an_orderly_stop_leaves_everything_on_disk_and_the_next_start_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for round in 0..3 {
        let recordings = start(dir.path());
        assert_eq!(recordings.recovery(), Recovery::default());
        let (id, mut recorder) = open(&recordings);
        recorder.append(now(), &message(&format!("round {round}"))).unwrap();
        drop(recorder);
        recordings.shut_down();
        ids.push(id);
    }
    let library = Library::open_dir(dir.path());
    let report = library.verify_all(&[], None).unwrap();
    assert!(report.is_sound() && report.closed == 3 && report.unsigned == 0, "{report:?}");
    for id in ids {
        assert_eq!(library.summary(id).unwrap().state, SessionState::Closed);
    }
}

#[test]
fn a_second_gateway_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path());
    let second = FileRecordings::start(&Settings::new(dir.path(), 1));
    assert!(matches!(second, Err(StartError::InUse(_))));
    let library = Library::open_dir(dir.path());
    assert!(matches!(library.remove_before(now(), "x"), Err(LibraryError::Start(StartError::InUse(_)))));
    drop(first);
    drop(start(dir.path()));
}

#[test]
fn the_key_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let key = start(dir.path()).public_key();
    let path = dir.path().join("keys/recording.pk8");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(dir.path().join("keys")).unwrap().permissions().mode() & 0o777, 0o700);
    let pem = dir.path().join("recordings/keys").join(format!("{}.pem", key.id()));
    assert_eq!(PublicKey::parse(&fs::read_to_string(pem).unwrap()), Ok(key));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = FileRecordings::start(&Settings::new(dir.path(), 1));
    assert!(matches!(refused, Err(StartError::KeyExposed(_))));
}

#[test]
fn a_spool_that_cannot_hold_the_largest_event_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { spool_bytes: 8 * 1024 * 1024, ..Settings::new(dir.path(), 1) };
    assert!(matches!(FileRecordings::start(&settings), Err(StartError::SpoolTooSmall { .. })));
}

#[test]
fn the_largest_event_goes_through_and_a_larger_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let (id, mut recorder) = open(&recordings);
    let text = "x".repeat(record::limits::MAX_EVENT - 64);
    recorder.append(now(), &message(&text)).unwrap();
    let more = "x".repeat(record::limits::MAX_EVENT + 1);
    assert!(matches!(recorder.append(now(), &message(&more)), Err(RecordFailure::Broken(_))));
    recorder.append(now(), &message("after")).unwrap();
    drop(recorder);
    drop(recordings);
    let mut reader = Library::open_dir(dir.path()).open(id).unwrap();
    reader.next_entry().unwrap().unwrap();
    let large = reader.next_entry().unwrap().unwrap();
    assert!(matches!(large.event, Event::Message { text: found, .. } if found == text));
    assert_eq!(reader.next_entry().unwrap().unwrap().event, message("after"));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_full_spool_holds_back_and_says_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = FileRecordings::start(&Settings::new(dir.path(), 1)).unwrap();
    let (id, mut recorder) = open(&recordings);
    // The scribe cannot take the book: it stands still as on a disk that hangs.
    let book = lock(&recordings.shared.book);
    let text = "y".repeat(4 * 1024 * 1024);
    let mut taken = 0_u64;
    loop {
        match recorder.append(now(), &message(&text)) {
            Ok(()) => taken += 1,
            Err(RecordFailure::Behind) => break,
            Err(failure) => panic!("{failure}"),
        }
        assert!(taken < 100);
    }
    assert!(taken >= 10, "{taken}");
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(recorder.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    drop(book);
    until("woken", || bell.0.load(Ordering::SeqCst) > 0);
    until("ready", || recorder.poll_ready(&mut Context::from_waker(&waker)).is_ready());
    recorder.append(now(), &message(&text)).unwrap();
    drop(recorder);
    drop(recordings);
    let mut reader = Library::open_dir(dir.path()).open(id).unwrap();
    let mut found = 0;
    while reader.next_entry().unwrap().is_some() {
        found += 1;
    }
    assert_eq!(found, taken + 2, "opened, what was taken, and one more");
}

#[test]
fn when_the_disk_fails_sessions_break_and_the_recorder_comes_back_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let (id, mut recorder) = open(&recordings);
    // A file where the day's directory must be: no recording can be made, for root neither.
    let year = recordings.shared.layout.day(now());
    let year = year.ancestors().nth(2).unwrap().to_owned();
    fs::write(&year, b"").unwrap();
    recorder.append(now(), &message("before the fault")).unwrap();
    until("unhealthy", || recordings.healthy().is_err());
    assert!(matches!(recorder.append(now(), &message("lost")), Err(RecordFailure::Broken(_))));
    let noop = Waker::noop();
    assert!(matches!(recorder.poll_ready(&mut Context::from_waker(noop)), Poll::Ready(Err(RecordFailure::Broken(_)))));
    let opened = Opened {
        session: "".into(),
        protocol: "".into(),
        identity: "".into(),
        target: "".into(),
        role: "".into(),
        from: "".into(),
        client: "".into(),
        policy: "".into(),
        rules: vec![],
        gateway: "".into(),
    };
    assert!(wait(recordings.open(SessionId(Uuid::now_v7()), now(), &opened)).is_err());
    fs::remove_file(&year).unwrap();
    until("healthy", || recordings.healthy().is_ok());
    // Broken for good, but what it had appended is there.
    assert!(matches!(recorder.append(now(), &message("lost")), Err(RecordFailure::Broken(_))));
    drop(recorder);
    let (_, mut again) = open(&recordings);
    again.append(now(), &message("works")).unwrap();
    drop(again);
    drop(recordings);
    let library = Library::open_dir(dir.path());
    let mut reader = library.open(id).unwrap();
    reader.next_entry().unwrap().unwrap();
    assert_eq!(reader.next_entry().unwrap().unwrap().event, message("before the fault"));
    assert!(library.verify_all(&[], None).unwrap().is_sound());
}

#[test]
fn many_idle_sessions_share_few_files() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let mut sessions: Vec<_> = (0..400).map(|_| open(&recordings)).collect();
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    until("written", || super::library::present(&recordings.shared.layout).unwrap().len() == 400);
    until("handed on", || files() < 330);
    for (_, recorder) in &mut sessions {
        recorder.append(now(), &message("again")).unwrap();
    }
    let ids: Vec<_> = sessions.iter().map(|(id, _)| *id).collect();
    drop(sessions);
    drop(recordings);
    let library = Library::open_dir(dir.path());
    assert!(library.verify_all(&[], None).unwrap().is_sound());
    for id in ids {
        assert_eq!(library.verify(id, &[]).unwrap().entries, 2);
    }
}

#[test]
fn a_changed_a_missing_and_a_deleted_recording_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let ids: Vec<SessionId> = (0..4).map(|_| open(&recordings).0).collect();
    let library = recordings.library();
    until("closed", || ids.iter().all(|id| library.summary(*id).unwrap().state == SessionState::Closed));
    let path = |id: SessionId| recordings.shared.layout.session(id, library.summary(id).unwrap().opened);
    let mut bytes = fs::read(path(ids[0])).unwrap();
    bytes[150] ^= 4;
    fs::write(path(ids[0]), &bytes).unwrap();
    fs::remove_file(path(ids[1])).unwrap();
    let report = library.verify_all(&[], None).unwrap();
    let found: Vec<_> = report.problems.iter().map(|problem| (problem.session, &problem.what)).collect();
    assert!(matches!(found[0], (Some(id), What::Damaged(damage)) if id == ids[0] && damage.offset == 150), "{found:?}");
    assert!(matches!(found[1], (Some(id), What::Missing) if id == ids[1]));
    assert_eq!(found.len(), 2);
    let error = library.verify(ids[0], &[]).unwrap_err().to_string();
    assert!(error.contains("byte 150"), "{error}");
    let removed = recordings.remove_before(Micros(i64::MAX), "older than 90 days").unwrap();
    assert_eq!(removed.sessions, 3);
    assert!(library.verify_all(&[], None).unwrap().is_sound());
    assert!(matches!(library.open(ids[2]), Err(LibraryError::Removed(..))));
}

#[test]
fn a_recording_deleted_while_it_is_live_closes_sessions_and_shows() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let library = recordings.library();
    let (id, mut recorder) = open(&recordings);
    let path = recordings.shared.layout.session(id, library.summary(id).unwrap().opened);
    until("written", || path.exists());
    fs::remove_file(&path).unwrap();
    // Enough others that its file is closed, so that the deletion is seen when it is opened again.
    let others: Vec<_> = (0..80).map(|_| open(&recordings)).collect();
    until("others written", || super::library::present(&recordings.shared.layout).unwrap().len() == 80);
    recorder.append(now(), &message("more")).unwrap();
    until("broken", || recorder.append(now(), &message("more")).is_err());
    until("told", || library.summary(id).unwrap().state == SessionState::Lost);
    drop((recorder, others));
    until("healthy again", || recordings.healthy().is_ok());
    let report = library.verify_all(&[], None).unwrap();
    assert!(report.problems.iter().any(|problem| problem.session == Some(id)));
}

#[test]
fn a_torn_end_is_cut_off_and_the_rest_comes_from_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let (id, mut recorder) = open(&recordings);
    for n in 0..50 {
        recorder.append(now(), &message(&format!("{n}"))).unwrap();
    }
    let library = recordings.library();
    let path = recordings.shared.layout.session(id, library.summary(id).unwrap().opened);
    until("written", || path.exists());
    // As after a crash: the spool and the files as they are now, in another place.
    let crash = tempfile::tempdir().unwrap();
    copy(dir.path(), crash.path());
    drop((recorder, recordings));
    let there = crash.path().join(path.strip_prefix(dir.path()).unwrap());
    let mut bytes = fs::read(&there).unwrap();
    bytes.extend_from_slice(b"half a frame");
    fs::write(&there, &bytes).unwrap();
    let recordings = start(crash.path());
    assert_eq!((recordings.recovery().sessions, recordings.recovery().lost), (1, 0));
    let library = recordings.library();
    let mut reader = library.open(id).unwrap();
    reader.next_entry().unwrap().unwrap();
    for n in 0..50 {
        assert_eq!(reader.next_entry().unwrap().unwrap().event, message(&format!("{n}")));
    }
    assert!(matches!(reader.next_entry().unwrap().unwrap().event, Event::Recovered { .. }));
    assert!(library.verify_all(&[], None).unwrap().is_sound());
}

#[test]
fn a_recording_deleted_after_a_crash_shows() {
    let dir = tempfile::tempdir().unwrap();
    let recordings = start(dir.path());
    let (id, mut recorder) = open(&recordings);
    recorder.append(now(), &message("evidence")).unwrap();
    let library = recordings.library();
    let path = recordings.shared.layout.session(id, library.summary(id).unwrap().opened);
    until("written", || path.exists());
    let crash = tempfile::tempdir().unwrap();
    copy(dir.path(), crash.path());
    drop((recorder, recordings));
    fs::remove_file(crash.path().join(path.strip_prefix(dir.path()).unwrap())).unwrap();
    for entry in fs::read_dir(crash.path().join("spool")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let recordings = start(crash.path());
    assert_eq!(recordings.recovery().lost, 1);
    assert_eq!(recordings.library().summary(id).unwrap().state, SessionState::Lost);
    let report = recordings.library().verify_all(&[], None).unwrap();
    assert!(report.problems.iter().any(|p| p.session == Some(id) && p.what == What::Lost), "{report:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is appended by however many sessions in whatever sizes comes back in order, and verifies.
    #[test]
    fn any_mixture_comes_back(sizes in proptest::collection::vec((0..4_usize, 0..400_000_usize), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let recordings = start(dir.path());
        let mut sessions: Vec<_> = (0..4).map(|_| open(&recordings)).collect();
        let mut expected: Vec<Vec<usize>> = vec![Vec::new(); 4];
        for (session, size) in sizes {
            let text = "z".repeat(size);
            loop {
                match sessions[session].1.append(now(), &message(&text)) {
                    Ok(()) => break,
                    Err(RecordFailure::Behind) => std::thread::sleep(Duration::from_millis(1)),
                    Err(failure) => panic!("{failure}"),
                }
            }
            expected[session].push(size);
        }
        let ids: Vec<_> = sessions.iter().map(|(id, _)| *id).collect();
        drop(sessions);
        drop(recordings);
        let library = Library::open_dir(dir.path());
        prop_assert!(library.verify_all(&[], None).unwrap().is_sound());
        for (id, expected) in ids.iter().zip(expected) {
            let mut reader = library.open(*id).unwrap();
            reader.next_entry().unwrap().unwrap();
            let mut found = Vec::new();
            while let Some(entry) = reader.next_entry().unwrap() {
                if let Event::Message { text, .. } = entry.event {
                    found.push(text.len());
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
