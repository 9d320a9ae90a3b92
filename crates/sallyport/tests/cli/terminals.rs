//! `sessions replay`, `tail` and `export` of a session that had a terminal, over a recording that is written here.

use model::{Action, Effect};
use record::{Event, StreamKind};

use crate::past::{AGENT, Studio, Tape};
use crate::world::World;

/// What the terminal showed, with what a reader's terminal must not get.
const SHOWN: &str = "\x1b]0;title\x07\x1b[32mweb-1\x1b[0m:~$ \x1b]52;c;eA==\x07\x1b[6n";

fn stream(tape: &mut Tape, stream: StreamKind, data: &[u8]) {
    let number = tape.number;
    tape.put(&Event::Stream { number, stream, data: data.into() });
}

/// A session with an exec, and a shell after it.
fn recorded(world: &World) -> String {
    let studio = Studio::new(world);
    let mut tape = studio.open(AGENT);
    tape.allowed("uptime", &[Action { effect: Effect::Execute, object: None }]);
    stream(&mut tape, StreamKind::Output, b"up 3 days\n");
    tape.allowed("shell", &[Action { effect: Effect::Execute, object: None }]);
    let number = tape.number;
    tape.put(&Event::Terminal { number, term: "xterm".into(), columns: 100, rows: 30 });
    stream(&mut tape, StreamKind::Output, SHOWN.as_bytes());
    stream(&mut tape, StreamKind::Input, b"l");
    stream(&mut tape, StreamKind::Output, "ü".as_bytes().get(..1).unwrap());
    stream(&mut tape, StreamKind::Output, "ü".as_bytes().get(1..).unwrap());
    let id = tape.id.to_string();
    studio.done(vec![tape]);
    id
}

#[test]
fn a_terminal_is_played_without_what_acts_on_the_reader_s() {
    let world = World::new();
    let id = recorded(&world);
    let played = "\x1b[32mweb-1\x1b[0m:~$ ü";
    assert_eq!(world.good(&["sessions", "replay", &id, "--speed", "2", "--idle", "2s"]), played);
    assert_eq!(world.good(&["sessions", "tail", "last"]), played);
    assert_eq!(world.good(&["sessions", "replay", "last", "--command", "1"]), "up 3 days\r\n");
    assert!(world.bad(&["sessions", "replay", &id, "--command", "9"]).contains("no terminal and no output"));
    let text = world.good(&["sessions", "replay", &id, "--text"]);
    assert!(text.contains("│ up 3 days") && text.contains("│ web-1:~$ ü") && !text.contains('\x1b'), "{text}");
    assert_eq!(world.good(&["sessions", "tail", &id, "--text"]), text);
}

#[test]
fn a_terminal_is_exported_as_it_was() {
    let world = World::new();
    let id = recorded(&world);
    let file = world.path("last.cast");
    world.good(&["sessions", "export", &id, "--format", "asciicast", "-o", file.to_str().unwrap()]);
    let cast = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = cast.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["version"], &lines[0]["width"], &lines[0]["env"]["TERM"]),
        (&2.into(), &100.into(), &"xterm".into())
    );
    assert_eq!(lines[1][2], SHOWN);
    assert_eq!((&lines[2][1], &lines[3][2]), (&"i".into(), &"ü".into()));
    let exec = world.good(&["sessions", "export", &id, "--format", "asciicast-v3", "--command", "1"]);
    assert!(exec.starts_with('{') && exec.contains("\"version\":3") && exec.contains("up 3 days"), "{exec}");
    assert!(world.bad(&["sessions", "export", "--all", "--format", "asciicast"]).contains("one session"));
}

#[test]
fn a_session_without_streams_is_read() {
    let world = World::new();
    let studio = Studio::new(&world);
    let mut tape = studio.open(AGENT);
    tape.allowed("SELECT 1", &[Action { effect: Effect::Read, object: None }]);
    studio.done(vec![tape]);
    for command in ["replay", "tail"] {
        assert!(world.good(&["sessions", command, "last"]).contains("SELECT 1"));
    }
    assert!(world.bad(&["sessions", "export", "last", "--format", "asciicast"]).contains("terminal or output"));
}
