//! The index of a directory: a session that is missing, replaced, added or rolled back shows.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::common::{START, key};
use model::SessionId;
use sallyport_record::index::{IndexChain, IndexEntry, SessionClosed, SessionOpened, SessionRemoved};
use sallyport_record::{
    Directory, DirectoryReport, Event, Header, Mark, Micros, TreeHead, VerifyOptions, What, Writer, verify_directory,
};
use uuid::Uuid;

#[derive(Clone, Default)]
struct Memory {
    index: Vec<u8>,
    files: BTreeMap<[u8; 16], Vec<u8>>,
}

impl Directory for Memory {
    fn index(&mut self) -> io::Result<Option<Box<dyn Read + '_>>> {
        Ok(Some(Box::new(self.index.as_slice())))
    }
    fn recording(&mut self, session: SessionId, _: Micros) -> io::Result<Option<Box<dyn Read + '_>>> {
        Ok(self.files.get(session.0.as_bytes()).map(|bytes| Box::new(bytes.as_slice()) as Box<dyn Read>))
    }
    fn recordings(&mut self) -> io::Result<Vec<SessionId>> {
        Ok(self.files.keys().map(|id| SessionId(Uuid::from_bytes(*id))).collect())
    }
}

fn recording(id: [u8; 16], text: &str) -> (Vec<u8>, sallyport_record::Chain) {
    let header = Header { session: id, key: key().public().id(), opened: Micros(START) };
    let mut writer = Writer::new(Vec::new(), header).unwrap();
    let event = Event::Message { kind: "notice".into(), text: text.into() };
    writer.event(Micros(START), &event, &key()).unwrap();
    writer.seal(Micros(START), Mark::Closed, &key()).unwrap()
}

/// Sessions 1 to 4, closed, with a tree head after each; 5 is open. Returns the heads.
fn directory() -> (Memory, Vec<TreeHead>) {
    let header = Header { session: [0; 16], key: key().public().id(), opened: Micros(START) };
    let (mut chain, start) = IndexChain::new(header);
    let mut memory = Memory { index: start.to_vec(), ..Memory::default() };
    let mut heads = Vec::new();
    for n in 1..=5_u8 {
        let id = [n; 16];
        let opened = SessionOpened {
            session: id,
            at: Micros(START),
            protocol: "postgres".into(),
            subject: "alice".into(),
            identity: "alice".into(),
            target: "orders".into(),
            role: "readonly".into(),
        };
        chain.entry(&IndexEntry::Opened(opened), &mut memory.index).unwrap();
        let (mut bytes, state) = recording(id, "hello");
        if n == 5 {
            let last = bytes.len() - 96 - 104;
            bytes.truncate(last);
            memory.files.insert(id, bytes);
            break;
        }
        let closed = SessionClosed {
            session: id,
            at: Micros(START),
            recovered: false,
            size: state.size(),
            head: *state.head(),
            entries: state.entries(),
            commands: 0,
            denied: 0,
            held: 0,
            bytes: (0, 0),
            reason: "client closed".into(),
        };
        chain.entry(&IndexEntry::Closed(closed), &mut memory.index).unwrap();
        memory.files.insert(id, bytes);
        heads.push(chain.head(&key(), Micros(START), &mut memory.index).unwrap());
    }
    heads.push(chain.head(&key(), Micros(START), &mut memory.index).unwrap());
    (memory, heads)
}

fn check(memory: &Memory, trusted: Option<TreeHead>) -> DirectoryReport {
    let options = VerifyOptions { trusted, live: None };
    verify_directory(&mut memory.clone(), &[*key().public()], &options).unwrap()
}

fn problems(memory: &Memory) -> Vec<(Option<u8>, What)> {
    let report = check(memory, None);
    let first = |id: SessionId| *id.0.as_bytes().first().unwrap();
    report.problems.into_iter().map(|problem| (problem.session.map(first), problem.what)).collect()
}

#[test]
fn a_sound_directory_is_sound() {
    let (memory, heads) = directory();
    let report = check(&memory, None);
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.sessions, report.closed, report.open, report.unsigned), (5, 4, 1, 0));
    assert_eq!(report.head, heads.last().copied());
    for head in heads {
        assert!(check(&memory, Some(head)).is_sound());
    }
}

#[test]
fn a_missing_session_shows_live_or_not() {
    let (mut memory, _) = directory();
    memory.files.remove(&[2; 16]);
    memory.files.remove(&[5; 16]);
    assert_eq!(problems(&memory), vec![(Some(2), What::Missing), (Some(5), What::Missing)]);
}

#[test]
fn a_replaced_a_cut_and_an_added_session_show() {
    let (mut memory, _) = directory();
    memory.files.insert([1; 16], recording([1; 16], "something else").0);
    let cut = memory.files.get_mut(&[2; 16]).unwrap();
    cut.truncate(cut.len() - 96 - 104);
    let other = memory.files.get(&[4; 16]).cloned().unwrap();
    memory.files.insert([3; 16], other);
    memory.files.insert([9; 16], recording([9; 16], "hello").0);
    let found = problems(&memory);
    assert_eq!(found[0], (Some(1), What::Replaced));
    assert_eq!(found[1], (Some(2), What::CutOff));
    assert!(
        matches!(&found[2], (Some(3), What::Damaged(damage)) if damage.reason == sallyport_record::Reason::OtherSession)
    );
    assert_eq!(found[3], (Some(9), What::Added));
    assert_eq!(found.len(), 4);
}

#[test]
fn a_rolled_back_index_shows_to_whoever_kept_a_head() {
    let (memory, heads) = directory();
    let mut old = memory.clone();
    // As it was after the second session: everything in it is signed and sound.
    let frames: Vec<usize> = frame_ends(&old.index);
    old.index.truncate(frames[5]);
    for n in 3..=5 {
        old.files.remove(&[n; 16]);
    }
    assert!(check(&old, None).is_sound());
    assert!(check(&old, Some(heads[1])).is_sound());
    let report = check(&old, Some(heads[3]));
    assert_eq!(report.problems[0].what, What::RolledBack);
}

#[test]
fn any_change_of_the_index_is_named() {
    let (memory, _) = directory();
    for at in (0..memory.index.len()).step_by(3) {
        let mut bad = memory.clone();
        bad.index[at] ^= 1;
        let report = check(&bad, None);
        let named = report.problems.iter().any(|problem| match &problem.what {
            What::Index(damage) => damage.offset == at as u64,
            _ => false,
        });
        assert!(named, "byte {at}: {:?}", report.problems);
    }
}

#[test]
fn what_was_deleted_on_purpose_is_not_missing() {
    let header = Header { session: [0; 16], key: key().public().id(), opened: Micros(START) };
    let (mut chain, start) = IndexChain::new(header);
    let mut index = start.to_vec();
    let removed = SessionRemoved { session: [1; 16], at: Micros(START), reason: "older than 90 days".into() };
    chain.entry(&IndexEntry::Removed(removed.clone()), &mut index).unwrap();
    chain.entry(&IndexEntry::Lost(SessionRemoved { session: [2; 16], ..removed }), &mut index).unwrap();
    let memory = Memory { index, ..Memory::default() };
    let report = check(&memory, None);
    assert_eq!((report.removed, report.unsigned), (1, 2));
    assert_eq!(problems(&memory)[0], (Some(2), What::Lost));
}

fn frame_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 64;
    while let Some(length) = bytes.get(at..at + 4) {
        at += 96 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}
