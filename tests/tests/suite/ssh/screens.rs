//! Terminals that others look at: a second person while they are used, and whoever plays the recording.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::world::World;

const POLICY: &str = "rules: [{ name: all, who: any, do: [connect, session, execute], then: allow }]";

/// What a process prints, line by line as it comes.
struct Watched {
    child: Child,
    lines: Receiver<String>,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.split(b'\n').map_while(Result::ok) {
                if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line with these words.
    fn wait_for(&self, words: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.contains(words) {
                return;
            }
            seen.push(line);
        }
        panic!("no {words:?} in {seen:?}");
    }
}

#[test]
fn a_second_person_sees_a_terminal_while_it_is_used() {
    let world = World::new(POLICY);
    let mut user = world.start("ssh", &["-tt", "gw"]);
    let mut keys = user.stdin.take().unwrap();
    keys.write_all(b"echo fir''st\n").unwrap();
    let mut id = String::new();
    sallyport_tests::kit::process::wait_for("a session", Duration::from_secs(20), || {
        let list: serde_json::Value = serde_json::from_str(&world.gateway.cli(&["sessions", "ls", "--json"])?)?;
        id = list.pointer("/0/id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Ok(!id.is_empty())
    })
    .unwrap();
    let mut other = Watched::start(world.gateway.command(&["sessions", "tail", &id]));
    // What was before is shown first, then what comes as it comes: the terminal is still open.
    other.wait_for("first");
    keys.write_all(b"echo sec''ond\n").unwrap();
    other.wait_for("second");
    assert!(user.try_wait().unwrap().is_none() && other.child.try_wait().unwrap().is_none());
    keys.write_all(b"exit\n").unwrap();
    assert_eq!(user.wait().unwrap().code(), Some(0));
    let since = Instant::now();
    assert!(other.child.wait().unwrap().success());
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

#[test]
fn a_terminal_is_recorded_as_it_looked() {
    let world = World::new(POLICY);
    let said = world.feed("ssh", &["-tt", "gw"], b"echo mar''ker; exit\n");
    assert!(said.out.contains("marker"), "{said:?}");
    assert!(world.replay().contains("marker"));
    let cast = world.gateway.cli(&["sessions", "export", "last", "--format", "asciicast"]).unwrap();
    assert!(cast.contains("\"version\":2") && cast.contains("marker"), "{cast}");
    let all = world.gateway.cli(&["sessions", "export", "last", "--format", "jsonl"]).unwrap();
    assert!(all.contains("interactive shell") && !all.contains("\"stream\":\"input\""), "{all}");
}

#[test]
fn asciinema_plays_what_is_exported() {
    let world = World::new(POLICY);
    world.feed("ssh", &["-tt", "gw"], b"echo mar''ker; exit\n");
    world.settle();
    let cast = world.home.path().join("terminal.cast");
    let to = cast.display().to_string();
    world.gateway.cli(&["sessions", "export", "last", "--format", "asciicast", "-o", &to]).unwrap();
    let python = std::env::var_os("SUITE_PYTHON").unwrap();
    let player = std::path::Path::new(&python).with_file_name("asciinema");
    for how in [&["cat"][..], &["play", "--speed", "50", "--idle-time-limit", "0.1"]] {
        let mut command = Command::new(&player);
        // It writes its settings into the home.
        command.args(how).arg(&cast).env("HOME", world.home.path()).stdin(Stdio::null());
        let said = super::world::Said::of(command.output().unwrap());
        assert!(said.code == Some(0) && said.out.contains("marker"), "{said:?}");
    }
}
