//! Programs: how they are ended, and what a client may say of them before.

use std::time::Duration;

use super::doubles::{Rig, policy};
use crate::wire::channel::{self as words, Message, Open};
use crate::wire::encode;

const RULES: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: all, who: any, do: [read, execute], then: allow }
";

fn was_killed(rig: &mut Rig) -> bool {
    let (mut killed, mut closed) = (false, false);
    rig.each_at_target(|message| match message {
        Message::Request { kind: "signal", rest, .. } => {
            assert!(rest.ends_with(b"KILL") && !closed);
            killed = true;
        }
        Message::Close { .. } => closed = true,
        _ => {}
    });
    killed
}

#[test]
fn what_may_run_no_more_is_killed() {
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    assert!(!was_killed(&mut rig));
    rig.gate.replace_policy(policy(&RULES.replace("read, ", "")));
    rig.relay.tick().unwrap();
    assert!(was_killed(&mut rig));
    // Of the end of the session it is told once.
    rig.relay.kill_all();
    assert!(!was_killed(&mut rig));
}

#[test]
fn the_end_of_a_session_kills_what_runs_in_it() {
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    was_killed(&mut rig);
    rig.relay.kill_all();
    assert!(was_killed(&mut rig));
    let mut ended = Rig::new(RULES, "exec", "true", 1 << 20);
    ended.target(&words::bare(97, 0));
    was_killed(&mut ended);
    ended.relay.kill_all();
    assert!(!was_killed(&mut ended));
}

#[test]
fn a_command_takes_no_longer_than_a_limit_allows() {
    let limits = format!("{RULES}limits:\n  - {{ name: short, who: any, statement_time: 1s }}\n");
    let mut rig = Rig::new(&limits, "exec", "sleep 100", 1 << 20);
    let mut files = Rig::new(&limits, "subsystem", "sftp", 1 << 20);
    rig.relay.tick().unwrap();
    assert!(!was_killed(&mut rig));
    std::thread::sleep(Duration::from_millis(1010));
    rig.relay.tick().unwrap();
    assert!(was_killed(&mut rig));
    let said = String::from_utf8_lossy(rig.relay.to_client.pending()).into_owned();
    assert!(said.contains("SP-LIMIT") && said.contains("at most 1 seconds for one command"), "{said}");
    files.relay.tick().unwrap();
    assert!(!was_killed(&mut files));
}

#[test]
fn any_environment_of_a_client_leaves_it_its_session() {
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    rig.client(&words::open(&Open { kind: "session", sender: 1, window: 1 << 21, packet: 1 << 15, rest: b"" }));
    rig.target(&words::confirmation(1, 1, 1 << 20, 1 << 15));
    for (name, value, passes) in [
        (b"LC_NAME".as_slice(), b"caf\xe9".as_slice(), true),
        (b"LC_ALL=1\nLD_PRELOAD", b"x", false),
        (b"LC_X=LD", b"x", false),
        (b"LANG", b"a\0b", false),
        (b"F\xe9O", b"x", false),
        (b"LANG", b"C", true),
    ] {
        was_killed(&mut rig);
        let mut rest = Vec::new();
        encode::string(&mut rest, name);
        encode::string(&mut rest, value);
        rig.client(&words::request(1, "env", true, &rest));
        let mut sent = false;
        rig.each_at_target(|message| sent |= matches!(message, Message::Request { kind: "env", .. }));
        assert_eq!(sent, passes, "{}", String::from_utf8_lossy(name));
    }
}

#[test]
fn a_target_names_no_two_channels_alike() {
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    rig.client(&words::open(&Open { kind: "session", sender: 1, window: 1 << 21, packet: 1 << 15, rest: b"" }));
    assert!(rig.relay.target(&words::confirmation(1, 0, 1 << 20, 1 << 15)).is_err());
}
