//! The stored format does not change by accident: files written once are read and written the same for ever.
//!
//! `GOLDEN=write cargo test -p sallyport-record --test suite golden` writes them anew: for a new format version, beside the old.

use std::path::PathBuf;

use crate::common::{judged_story, key, story, terminal_story, write};
use sallyport_record::render::Options;
use sallyport_record::{
    CastVersion, Event, Judged, Reader, State, asciicast, json_lines, ocsf, pick_command, render, verify,
};

fn golden(name: &str, found: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    std::fs::read(&path).unwrap()
}

fn text(name: &str, found: &[u8]) {
    let expected = String::from_utf8(golden(name, found)).unwrap();
    assert_eq!(String::from_utf8_lossy(found), expected, "{name}");
}

#[test]
fn version_1_is_read_and_verified() {
    let stored = golden("v1.spr", &write(&story()));
    let report = verify(stored.as_slice(), key().public()).unwrap();
    assert_eq!((report.state, report.entries), (State::Closed, story().len() as u64));
    let mut reader = Reader::new(stored.as_slice()).unwrap();
    for (at, event) in story() {
        let entry = reader.next_entry().unwrap().unwrap();
        assert_eq!((entry.at, entry.event), (at, event));
    }
}

#[test]
fn exports_and_replay_read_as_they_did() {
    let stored = golden("v1.spr", &write(&story()));
    let mut out = Vec::new();
    assert_eq!(json_lines(stored.as_slice(), &mut out).unwrap(), story().len() as u64);
    text("v1.jsonl", &out);
    out.clear();
    ocsf(stored.as_slice(), &mut out).unwrap();
    text("v1.ocsf.jsonl", &out);
    out.clear();
    let summary = render(stored.as_slice(), &Options::default(), &mut out).unwrap();
    text("v1.txt", &out);
    assert_eq!((summary.commands, summary.denied, summary.held), (3, 1, 1));
    assert!(!out.contains(&0x1b), "no escape of a client reaches the terminal");
}

#[test]
fn commands_with_what_they_were_judged_by_are_read_and_exported() {
    let stored = golden("v1-judged.spr", &write(&judged_story()));
    verify(stored.as_slice(), key().public()).unwrap();
    let mut reader = Reader::new(stored.as_slice()).unwrap();
    for (at, event) in judged_story() {
        let entry = reader.next_entry().unwrap().unwrap();
        assert_eq!((entry.at, entry.event), (at, event));
    }
    let mut out = Vec::new();
    json_lines(stored.as_slice(), &mut out).unwrap();
    text("v1-judged.jsonl", &out);
    out.clear();
    let summary = render(stored.as_slice(), &Options::default(), &mut out).unwrap();
    assert_eq!((summary.commands, summary.denied), (3, 1));
    out.clear();
    assert_eq!(ocsf(stored.as_slice(), &mut out).unwrap(), 5);
}

#[test]
fn what_a_command_was_judged_by_costs_four_bytes_when_there_is_nothing_of_it() {
    let size = |event: &Event<'_>| {
        let mut bytes = Vec::new();
        sallyport_record::encode_to(event, &mut bytes).unwrap();
        bytes.len()
    };
    let events = judged_story();
    let Event::Judged(Judged { command, .. }) = &events[1].1 else { panic!("the first command") };
    assert_eq!(size(&events[1].1), size(&Event::Command(command.clone())) + 4);
}

#[test]
fn streams_terminals_and_files_are_read_and_exported() {
    let stored = golden("v1-terminal.spr", &write(&terminal_story()));
    verify(stored.as_slice(), key().public()).unwrap();
    let mut reader = Reader::new(stored.as_slice()).unwrap();
    for (at, event) in terminal_story() {
        let entry = reader.next_entry().unwrap().unwrap();
        assert_eq!((entry.at, entry.event), (at, event));
    }
    let mut out = Vec::new();
    json_lines(stored.as_slice(), &mut out).unwrap();
    text("v1-terminal.jsonl", &out);
    out.clear();
    ocsf(stored.as_slice(), &mut out).unwrap();
    text("v1-terminal.ocsf.jsonl", &out);
    out.clear();
    let summary = render(stored.as_slice(), &Options::default(), &mut out).unwrap();
    text("v1-terminal.txt", &out);
    assert_eq!((summary.commands, summary.denied), (4, 1));
    assert!(!out.contains(&0x1b), "no escape of a terminal reaches the reader");
    assert_eq!(pick_command(stored.as_slice()).unwrap(), Some(1));
    for (name, version, number) in [
        ("v1-terminal.v2.cast", CastVersion::V2, 1),
        ("v1-terminal.v3.cast", CastVersion::V3, 1),
        ("v1-exec.v3.cast", CastVersion::V3, 2),
    ] {
        out.clear();
        asciicast(stored.as_slice(), version, number, &mut out).unwrap();
        text(name, &out);
    }
}

#[test]
fn a_terminal_without_a_size_is_shown_at_the_usual_one() {
    let mut events = terminal_story();
    for (_, event) in &mut events {
        if let Event::Terminal { columns, rows, .. } = event {
            (*columns, *rows) = (0, 0);
        }
    }
    let stored = write(&events);
    for (version, first) in [(CastVersion::V2, "\"width\":80"), (CastVersion::V3, "\"cols\":80")] {
        let mut out = Vec::new();
        asciicast(stored.as_slice(), version, 1, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(first) && !out.contains("0x0"), "{out}");
    }
}

#[test]
fn a_session_whose_end_is_not_there_does_not_read_as_complete() {
    let mut events = story();
    events.retain(|(_, event)| !matches!(event, Event::Closed { .. }));
    for (story, words) in [(story(), "complete and signed"), (events, "signed, without the session's end")] {
        let mut out = Vec::new();
        render(write(&story).as_slice(), &Options::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().last().unwrap().contains(words), "{text}");
    }
}
