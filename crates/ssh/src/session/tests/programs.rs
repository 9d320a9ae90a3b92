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

const HELD: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: all, who: any, do: [read, execute], then: approve, approval: { by: { groups: [dba] }, expires: 60s } }
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

/// A channel without a program, number 1 everywhere.
fn second(rig: &mut Rig) {
    rig.client(&words::open(&Open { kind: "session", sender: 1, window: 1 << 21, packet: 1 << 15, rest: b"" }));
    rig.target(&words::confirmation(1, 1, 1 << 20, 1 << 15));
    rig.each_at_target(|_| ());
}

fn terminal(modes: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    encode::string(&mut rest, b"xterm");
    [80, 24, 0, 0].into_iter().for_each(|size| encode::u32(&mut rest, size));
    encode::string(&mut rest, modes);
    words::request(1, "pty-req", true, &rest)
}

#[test]
fn a_terminal_changes_nothing_of_what_was_judged() {
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    second(&mut rig);
    // IGNCR, OLCUC, ECHO off, and the size of a character.
    rig.client(&terminal(&[35, 0, 0, 0, 1, 71, 0, 0, 0, 1, 53, 0, 0, 0, 0, 91, 0, 0, 0, 1, 0]));
    let mut modes = Vec::new();
    rig.each_at_target(|message| {
        if let Message::Request { kind: "pty-req", rest, .. } = message {
            modes = rest.to_vec();
        }
    });
    assert!(modes.ends_with(&[0, 0, 0, 6, 91, 0, 0, 0, 1, 0]), "{modes:?}");
    let mut sftp = Vec::new();
    encode::string(&mut sftp, b"sftp");
    rig.client(&words::request(1, "subsystem", true, &sftp));
    let mut asked = false;
    rig.each_at_target(|message| asked |= matches!(message, Message::Request { kind: "subsystem", .. }));
    assert!(!asked, "packets in a terminal are not what was read here");
}

#[test]
fn a_client_that_says_more_than_was_agreed_is_cut_off() {
    let mut rig = Rig::new(RULES, "exec", "sort", 1 << 20);
    let mut message = Vec::new();
    words::data(&mut message, 0, None, &[b'x'; (1 << 15) + 1]);
    assert!(rig.relay.client(&message).is_err());
    let mut rig = Rig::new(RULES, "exec", "sort", 1 << 20);
    rig.client_says(&[b'x'; 1 << 15]);
    assert_eq!(rig.at_target().len(), 1 << 15);
}

#[test]
fn a_window_may_change_as_often_as_it_likes_while_a_command_is_held() {
    let mut rig = Rig::new(HELD, "", "", 1 << 20);
    rig.client(&words::open(&Open { kind: "session", sender: 1, window: 1 << 21, packet: 1 << 15, rest: b"" }));
    rig.target(&words::confirmation(0, 1, 1 << 20, 1 << 15));
    rig.client(
        &terminal(&[0]).into_iter().enumerate().map(|(at, byte)| if at == 4 { 0 } else { byte }).collect::<Vec<_>>(),
    );
    let mut rest = Vec::new();
    encode::string(&mut rest, b"top");
    rig.client(&words::request(0, "exec", true, &rest));
    assert!(rig.waits());
    rig.each_at_target(|_| ());
    for columns in 0..1000_u32 {
        let size: Vec<u8> = [columns, 24, 0, 0].into_iter().flat_map(u32::to_be_bytes).collect();
        rig.client(&words::request(0, "window-change", false, &size));
    }
    rig.approve().unwrap();
    let mut sizes = Vec::new();
    rig.each_at_target(|message| {
        if let Message::Request { kind: "window-change", rest, .. } = message {
            sizes.push(rest.to_vec());
        }
    });
    assert_eq!(sizes.len(), 1, "the last one counts");
    assert!(sizes[0].starts_with(&999_u32.to_be_bytes()));
}

#[test]
fn commands_of_one_connection_that_wait_are_bounded() {
    let mut rig = Rig::new(HELD, "", "", 1 << 20);
    let mut rest = Vec::new();
    encode::string(&mut rest, b"top");
    for number in 0..100_u32 {
        rig.client(&words::open(&Open {
            kind: "session",
            sender: number,
            window: 1 << 21,
            packet: 1 << 15,
            rest: b"",
        }));
        rig.target(&words::confirmation(number, number, 1 << 20, 1 << 15));
        rig.client(&words::request(number, "exec", true, &rest));
    }
    assert_eq!(rig.relay.parking.len(), 32);
    assert_eq!(rig.relay.withdrawn.len(), 68);
    let said = String::from_utf8_lossy(rig.relay.to_client.pending()).into_owned();
    assert!(said.contains("SP-LIMIT") && said.contains("32 commands of this session wait"), "{said}");
}

#[test]
fn a_refusal_repeats_no_value_that_detectors_know() {
    let masked = RULES.replace("do: [read, execute]", "do: [read]")
        + "masks:\n  - { name: cards, who: any, detect: [card], with: redact }\n";
    for (kind, text) in [("exec", "nosuch 4111111111111111"), ("subsystem", "4111111111111111")] {
        let mut rig = Rig::new(&masked, kind, text, 1 << 20);
        let said = String::from_utf8_lossy(rig.relay.to_client.pending()).into_owned();
        assert!(said.contains("SP-NOT-COVERED") && !said.contains("4111111111111111"), "{said}");
        rig.at_client();
    }
}

/// Asks for a program in the second channel.
fn start(rig: &mut Rig, kind: &str, text: &str) {
    let mut rest = Vec::new();
    encode::string(&mut rest, text.as_bytes());
    rig.client(&words::request(1, kind, true, &rest));
}

fn said(data: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    words::data(&mut message, 1, None, data);
    message
}

#[test]
fn what_a_client_sends_behind_a_program_that_does_not_start_is_dropped() {
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    second(&mut rig);
    assert!(rig.relay.client(&said(b"early")).is_err());
    let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
    second(&mut rig);
    start(&mut rig, "subsystem", "backup");
    rig.target(&words::bare(100, 1));
    rig.at_target();
    rig.client(&said(b"hello"));
    rig.client(&words::bare(96, 1));
    rig.client(&words::bare(97, 1));
    assert!(rig.at_target().is_empty());
    rig.client_says(b"the other program goes on");
    assert_eq!(rig.at_target(), b"the other program goes on");
}

#[test]
fn what_is_typed_without_the_terminal_that_was_asked_for_is_recorded() {
    for (granted, reply) in [(false, true), (false, false), (true, true), (true, false)] {
        let mut rig = Rig::new(RULES, "exec", "sleep 100", 1 << 20);
        second(&mut rig);
        let mut request = terminal(&[0]);
        let place = request.iter().position(|byte| *byte == b'q').unwrap() + 1;
        request[place] = u8::from(reply);
        rig.client(&request);
        let mut wants = None;
        rig.each_at_target(|message| {
            if let Message::Request { kind: "pty-req", reply, .. } = message {
                wants = Some(reply);
            }
        });
        assert_eq!(wants, Some(true));
        rig.granted();
        start(&mut rig, "exec", "cat");
        assert_eq!(rig.granted(), 0, "nobody knows yet how input is recorded");
        rig.target(&words::bare(if granted { 99 } else { 100 }, 1));
        let mut told = false;
        rig.each_at_client(|message| told |= matches!(message, Message::Success { .. } | Message::Failure { .. }));
        assert_eq!(told, reply);
        rig.target(&words::bare(99, 1));
        rig.recorded();
        rig.client(&said(b"rm -rf /srv/data\n"));
        let recorded = rig.recorded();
        assert_eq!(recorded.contains(&"input rm -rf /srv/data\n".to_owned()), !granted, "{recorded:?}");
    }
}
