//! Lines, places, and what comes next.

use super::line::{Item, Line, Reply, said};
use super::*;

fn far(command: &str, path: &str) -> Far {
    let words = model::argv::split(command).unwrap();
    Far::new(&shell::scp(&words).unwrap(), !command.contains(['*', '~']), path)
}

fn named(far: Far, line: &str) -> Result<Vec<String>, &'static str> {
    let mut state = State::new(far);
    let (source, sink) = if state.to_target() {
        (State::client as fn(&mut State, &[u8]), State::target as fn(&mut State, &[u8]))
    } else {
        (State::target as _, State::client as _)
    };
    sink(&mut state, b"\0");
    assert_eq!(state.advance(), Ok(Next::ToSource(vec![0])));
    source(&mut state, line.as_bytes());
    match state.advance()? {
        Next::Judge { place, .. } => Ok(place.paths),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_are_written_as_they_were_read() {
    let item = |folder, mode, size, name: &str| Line::Item(Item { folder, mode, size, name: name.to_owned() });
    assert_eq!(Line::read(b"C0644 12 a b"), Ok(item(false, 0o644, 12, "a b")));
    assert_eq!(Line::read("D4755 7 \u{fc}".as_bytes()), Ok(item(true, 0o4755, 0, "\u{fc}")));
    let Ok(Line::Item(read)) = Line::read(b"C0644 12 a b") else { panic!() };
    assert_eq!(read.line(), b"C0644 12 a b\n");
    assert_eq!(Line::read(b"T1 0 2 999999"), Ok(Line::Times(b"T1 0 2 999999\n".to_vec())));
    assert_eq!(Line::read(b"E"), Ok(Line::Leave));
    for broken in [
        "",
        "E ",
        "X",
        "C",
        "C0644",
        "C0844 1 x",
        "C0644 x x",
        "C0644 1",
        "C0644 1 ",
        "C0644  1 x",
        "C0644 +1 x",
        "C0644 9223372036854775808 x",
        "C0644 1 .",
        "C0644 1 ..",
        "C0644 1 a/b",
        "C0644 1 a\0b",
        "T1 0 2",
        "T1 0 2 0 ",
        "T1 1000000 2 0",
        "T-1 0 2 0",
    ] {
        assert!(Line::read(broken.as_bytes()).is_err(), "{broken:?}");
    }
    assert!(matches!(Line::read(b"C0644 1 \xff"), Ok(Line::Odd(_))));
    assert!(matches!(Line::read(format!("C0644 1 {}", "x".repeat(2000)).as_bytes()), Ok(Line::Odd(_))));
}

#[test]
fn answers_are_one_line_whatever_they_say() {
    assert_eq!(Reply::read(b""), Ok(None));
    assert_eq!(Reply::read(b"\x01half"), Ok(None));
    assert!(Reply::read(b"x").is_err());
    let Ok(Some((reply, 10))) = Reply::read(b"\x01a\0b \x1b[2J\n\0") else { panic!() };
    assert_eq!(reply.bytes(), b"\x01a?b ?[2J\n");
    let long = said(false, &"\u{fc}".repeat(5000));
    assert!(long.len() <= 2001 && long.iter().filter(|byte| **byte == b'\n').count() == 1, "{}", long.len());
}

#[test]
fn names_are_where_openssh_puts_them() {
    let at = |command: &str, path: &str, line: &str| named(far(command, path), line);
    let both = |one: &str, two: &str| Ok(vec![one.to_owned(), two.to_owned()]);
    let one = |path: &str| Ok(vec![path.to_owned()]);
    assert_eq!(at("scp -t /srv/x", "/srv/x", "C0644 1 f\n"), both("/srv/x", "/srv/x/f"));
    assert_eq!(at("scp -d -t /srv/x", "/srv/x", "C0644 1 f\n"), one("/srv/x/f"));
    assert_eq!(at("scp -t /srv/x/", "/srv/x", "C0644 1 f\n"), one("/srv/x/f"));
    // A folder that is not there yet is made under the command's own name.
    assert_eq!(at("scp -r -t /srv/x/", "/srv/x", "D0755 0 d\n"), both("/srv/x", "/srv/x/d"));
    assert_eq!(at("scp -t .", "~", "C0644 1 f\n"), one("~/f"));
    assert_eq!(at("scp -t ~", "~", "C0644 1 f\n"), one("~/f"));
    assert_eq!(at("scp -t /", "/", "C0644 1 f\n"), one("/f"));
    assert_eq!(at("scp -f /srv/x", "/srv/x", "C0644 1 x\n"), one("/srv/x"));
    assert_eq!(at("scp -f '/srv/*.log'", "/srv/*.log", "C0644 1 a.log\n"), one("/srv/a.log"));
    assert_eq!(at("scp -r -f ~", "~", "D0755 0 user\n"), one("~"));
    assert!(at("scp -f /srv/x", "/srv/x", "C0644 1 y\n").is_err());
    assert!(at("scp -f /srv/x", "/srv/x", "D0755 0 x\n").is_err());
}

#[test]
fn words_behind_a_folder_are_no_answer_to_what_comes_next() {
    let mut state = State::new(far("scp -r -d -t /srv", "/srv"));
    state.target(b"\0");
    state.client(b"D0755 0 d\nE\n");
    assert_eq!(state.advance(), Ok(Next::ToSource(vec![0])));
    assert!(matches!(state.advance(), Ok(Next::Judge { .. })));
    assert_eq!(state.permit(), Next::Name(b"D0755 0 d\n".to_vec()));
    assert_eq!(state.advance(), Ok(Next::Wait));
    state.target(b"\0");
    assert_eq!(state.advance(), Ok(Next::Done { answer: vec![0], outcome: "ok" }));
    assert_eq!(state.advance(), Ok(Next::ToSink(b"E\n".to_vec())));
    state.target(b"\0\x01scp: d: set times: not permitted\n");
    assert_eq!(state.advance(), Ok(Next::ToSource(vec![0])));
    assert_eq!(state.advance(), Ok(Next::Again));
    assert_eq!(state.advance(), Ok(Next::Wait));
    state.target(b"\0");
    assert!(state.advance().is_err());
}

#[test]
fn folders_in_each_other_are_bounded() {
    let mut state = State::new(far("scp -r -d -t /srv", "/srv"));
    state.target(b"\0");
    let mut deep = 0;
    assert_eq!(state.advance(), Ok(Next::ToSource(vec![0])));
    loop {
        state.client(b"D0755 0 d\n");
        match state.advance() {
            Ok(Next::Judge { .. }) => {}
            Ok(Next::Refuse(_)) => break,
            other => panic!("{other:?}"),
        }
        state.permit();
        state.target(b"\0");
        assert!(matches!(state.advance(), Ok(Next::Done { .. })));
        deep += 1;
    }
    assert_eq!(deep, 256);
}
