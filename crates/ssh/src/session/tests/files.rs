//! SFTP, operation by operation.

use super::doubles::{Rig, policy};
use crate::sftp::packet::{self, packet};
use crate::wire::encode;

const HELD: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: writes, who: any, do: [write], objects: [\"path:/srv/*\"], then: approve, approval: { by: { groups: [dba] }, expires: 60s } }
";
const OPEN: u8 = 3;
const WRITE: u8 = 6;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const SYMLINK: u8 = 20;

/// A request with two paths.
fn two(kind: u8, id: u32, first: &str, second: &str) -> Vec<u8> {
    packet(kind, |out| {
        encode::u32(out, id);
        encode::string(out, first.as_bytes());
        encode::string(out, second.as_bytes());
    })
}

fn hardlink(id: u32, from: &str, to: &str) -> Vec<u8> {
    packet(200, |out| {
        encode::u32(out, id);
        for text in ["hardlink@openssh.com", from, to] {
            encode::string(out, text.as_bytes());
        }
    })
}

/// What is at the place that the target is asked about.
enum There {
    File,
    Folder,
    Link(&'static str),
    /// Nobody knows.
    Odd,
}

/// Answers the gateway's questions as a target without links on the way would; what comes then.
fn answered(rig: &mut Rig, there: &There) -> Vec<u8> {
    loop {
        let out = rig.at_target();
        let ours =
            out.get(4..).and_then(|rest| rest.split_first()).filter(|(_, rest)| rest.first_chunk() == Some(&[0; 3]));
        let (Some((kind, rest)), true) = (ours, out.len() > 13) else { return out };
        let id = u32::from_be_bytes(*rest.first_chunk::<4>().unwrap());
        let asked = String::from_utf8(out[13..].to_vec()).unwrap();
        let answer = match (*kind, there) {
            (packet::REALPATH, _) => place(&out, &resolved(&asked)),
            (packet::LSTAT, There::Odd) => packet(packet::ATTRIBUTES, |out| {
                encode::u32(out, id);
                encode::u32(out, 0);
            }),
            (packet::LSTAT, there) => packet(packet::ATTRIBUTES, |out| {
                encode::u32(out, id);
                // A size, owners and permissions.
                encode::u32(out, 7);
                out.extend_from_slice(&[0; 16]);
                let kind = match there {
                    There::Folder => 0o040_755,
                    There::Link(_) => 0o120_777,
                    There::File | There::Odd => 0o100_644,
                };
                encode::u32(out, kind);
            }),
            (packet::READLINK, There::Link(says)) => {
                let mut question = out.clone();
                question[4] = packet::REALPATH;
                place(&question, says)
            }
            _ => return out,
        };
        rig.target_says(&answer);
    }
}

/// A path without dots.
fn resolved(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn open(id: u32, path: &str) -> Vec<u8> {
    packet(OPEN, |out| {
        encode::u32(out, id);
        encode::string(out, path.as_bytes());
        encode::u32(out, 0x1a);
        encode::u32(out, 0);
    })
}

/// Where the gateway's question has its number, and the answer to it.
fn place(question: &[u8], path: &str) -> Vec<u8> {
    assert_eq!(question[4], packet::REALPATH, "{question:?}");
    let id = u32::from_be_bytes(*question[5..].first_chunk::<4>().unwrap());
    packet(packet::NAME, |out| {
        encode::u32(out, id);
        encode::u32(out, 1);
        encode::string(out, path.as_bytes());
        encode::string(out, b"");
        encode::u32(out, 0);
    })
}

/// A put that a human has approved; the target is asked once more where its path is.
fn approved() -> (Rig, Vec<u8>) {
    let mut rig = Rig::new(HELD, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    rig.client_says(&open(7, "/srv/a"));
    let question = rig.at_target();
    rig.target_says(&place(&question, "/srv/a"));
    assert!(rig.waits() && rig.at_target().is_empty());
    rig.approve().unwrap();
    let question = rig.at_target();
    rig.at_client();
    (rig, place(&question, "/srv/a"))
}

#[test]
fn what_is_approved_is_carried_out() {
    let (mut rig, answer) = approved();
    rig.target_says(&answer);
    assert_eq!(rig.at_target(), open(7, "/srv/a"));
}

#[test]
fn what_policy_denies_since_the_approval_is_not_carried_out() {
    let (mut rig, answer) = approved();
    rig.gate.replace_policy(policy(
        &HELD.replace("then: approve, approval: { by: { groups: [dba] }, expires: 60s }", "then: deny"),
    ));
    rig.target_says(&answer);
    assert_eq!(rig.at_target(), b"", "the operation reached the target");
    let said = rig.at_client();
    assert_eq!((said[4], said[12]), (packet::STATUS, u8::try_from(packet::PERMISSION_DENIED).unwrap()), "{said:?}");
}

#[test]
fn what_waits_to_be_judged_is_bounded_whatever_the_target_has_room_for() {
    const MOST: u64 = 2 * 1024 * 1024;
    let mut rig = Rig::new(HELD, "subsystem", "sftp", u32::MAX);
    let mut granted = rig.granted();
    assert!(granted > 0 && granted <= MOST, "{granted} bytes may be sent at once");
    rig.client_says(&open(7, "/srv/a"));
    let question = rig.at_target();
    rig.target_says(&place(&question, "/srv/a"));
    assert!(rig.waits());
    let write = packet(WRITE, |out| {
        encode::u32(out, 8);
        encode::string(out, b"h");
        out.extend_from_slice(&[0; 8]);
        encode::string(out, &[b'x'; 32_000]);
    });
    let mut sent = open(7, "/srv/a").len() as u64;
    while sent + (write.len() as u64) <= granted {
        rig.client_says(&write);
        sent += write.len() as u64;
        granted += rig.granted();
        assert!(granted <= MOST, "{granted} bytes may be sent behind what is held");
    }
    assert!(sent > MOST / 2);
}

#[test]
fn words_that_look_alike_are_judged_by_what_they_mean() {
    let rules = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: up, who: any, do: [alter, write], objects: [\"path:/up/*\"], then: allow }
";
    let mut rig = Rig::new(rules, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    // Where the first is allowed, a verdict kept by the words would allow the second.
    for (id, from, to, allowed) in [(1, "/up/a", "/up/b /srv/c", true), (2, "/up/a /up/b", "/srv/c", false)] {
        let sent = two(RENAME, id, from, to);
        rig.client_says(&sent);
        assert_eq!(answered(&mut rig, &There::File) == sent, allowed, "{from} to {to}");
    }
}

const UP: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: up, who: any, do: [read, alter, write, create], objects: [\"path:/up/*\"], then: allow }
";

fn carried(rules: &str, request: &[u8], there: &There) -> bool {
    let mut rig = Rig::new(rules, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    rig.client_says(request);
    let out = answered(&mut rig, there);
    assert!(out.is_empty() || out == request, "{out:?}");
    if out.is_empty() {
        let said = rig.at_client();
        assert_eq!((said[4], said[12]), (packet::STATUS, u8::try_from(packet::PERMISSION_DENIED).unwrap()), "{said:?}");
    }
    !out.is_empty()
}

#[test]
fn a_link_that_is_moved_is_judged_by_where_it_leads_then() {
    for (from, to, there, allowed) in [
        ("/up/d/l", "/up/l", There::Link("../key"), false),
        ("/up/d/l", "/up/e/l", There::Link("../key"), true),
        ("/up/d/l", "/up/m", There::Link("/up/x"), true),
        ("/up/d/l", "/up/m", There::Link("/etc/shadow"), false),
        ("/up/d/l", "/up/m", There::Link("x/../../key"), false),
        ("/up/d/l", "/up/m", There::Link("x/../y"), false),
        ("/up/d/l", "/up/m", There::Link(""), false),
        ("/up/d/l", "/up/m", There::Odd, false),
        ("/up/a", "/up/d/b", There::File, true),
    ] {
        assert_eq!(carried(UP, &two(RENAME, 9 << 24, from, to), &there), allowed, "{from} to {to}");
        assert_eq!(carried(UP, &hardlink(9 << 24, from, to), &there), allowed, "{from} and {to}");
    }
}

#[test]
fn links_in_a_folder_that_is_moved_may_lead_anywhere() {
    assert!(carried(UP, &two(RENAME, 9 << 24, "/up/d", "/up/e"), &There::Folder));
    assert!(!carried(UP, &two(RENAME, 9 << 24, "/up/d/e", "/up/e"), &There::Folder));
    let links = format!("{UP}  - {{ name: links, who: any, do: [create], objects: [\"other:links\"], then: allow }}\n");
    assert!(carried(&links, &two(RENAME, 9 << 24, "/up/d/e", "/up/e"), &There::Folder));
}

#[test]
fn a_link_whose_way_others_can_change_is_not_made() {
    for (says, allowed) in
        [("a/b", true), ("../up/x", true), ("d/../x", false), ("/up/d/../x", false), ("../key", false)]
    {
        let request = two(SYMLINK, 9 << 24, says, "/up/l");
        let mut rig = Rig::new(UP, "subsystem", "sftp", 1 << 20);
        rig.relay.link_order = crate::sftp::request::LinkOrder::OpenSsh;
        rig.at_target();
        rig.client_says(&request);
        assert_eq!(answered(&mut rig, &There::File) == request, allowed, "{says}");
    }
}

#[test]
fn a_name_that_no_rule_can_speak_of_ends_nothing() {
    let mut rig = Rig::new(UP, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    for name in [b"/up/caf\xe9".as_slice(), b"/up/a\0b"] {
        rig.client_says(&packet(STAT, |out| {
            encode::u32(out, 9);
            encode::string(out, name);
        }));
        let said = rig.at_client();
        assert_eq!((said[4], said[12]), (packet::STATUS, u8::try_from(packet::BAD_MESSAGE).unwrap()), "{said:?}");
        assert!(rig.at_target().is_empty());
    }
    assert!(carried(UP, &two(RENAME, 9 << 24, "/up/a", "/up/b"), &There::File));
}

/// Puts two bytes to a file: what is recorded when the target says this of the write and of the close, which the client may send at once.
fn written(write: u32, close: u32, at_once: bool) -> String {
    const CLOSE: u8 = 4;
    let mut rig = Rig::new(UP, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    rig.client_says(&open(7, "/up/a"));
    answered(&mut rig, &There::File);
    rig.target_says(&packet(packet::HANDLE, |out| {
        encode::u32(out, 7);
        encode::string(out, b"h");
    }));
    rig.client_says(&packet(WRITE, |out| {
        encode::u32(out, 8);
        encode::string(out, b"h");
        out.extend_from_slice(&[0; 8]);
        encode::string(out, b"hi");
    }));
    let said = |id, code| packet::status(id, code, "");
    if !at_once {
        rig.target_says(&said(8, write));
    }
    rig.client_says(&packet(CLOSE, |out| {
        encode::u32(out, 9);
        encode::string(out, b"h");
    }));
    if at_once {
        rig.target_says(&said(8, write));
    }
    rig.target_says(&said(9, close));
    rig.recorded().pop().unwrap()
}

#[test]
fn what_the_target_did_not_take_is_no_file_that_was_put() {
    for (write, close, pipelined, outcome) in [
        (0, 0, false, "ok"),
        (4, 0, false, "failed with 4"),
        (4, 0, true, "failed with 4"),
        (0, 4, false, "failed with 4"),
    ] {
        let recorded = written(write, close, pipelined);
        assert!(recorded.starts_with("put /up/a 2 ") && recorded.ends_with(outcome), "{recorded}");
    }
}

const READS: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: files, who: any, do: [read, write], objects: [\"path:/up/*\"], then: allow }
";
const CLOSE: u8 = 4;
const READ: u8 = 5;
const FSETSTAT: u8 = 10;

/// Something that is open with these flags, by the handle `h`.
fn opened(rules: &str, flags: u32) -> Rig {
    let mut rig = Rig::new(rules, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    rig.client_says(&packet(OPEN, |out| {
        encode::u32(out, 7);
        encode::string(out, b"/up/a");
        encode::u32(out, flags);
        encode::u32(out, 0);
    }));
    answered(&mut rig, &There::File);
    rig.target_says(&packet(packet::HANDLE, |out| {
        encode::u32(out, 7);
        encode::string(out, b"h");
    }));
    rig.at_target();
    rig.recorded();
    rig
}

fn on_handle(kind: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    packet(kind, |out| {
        encode::u32(out, id);
        encode::string(out, b"h");
        out.extend_from_slice(rest);
    })
}

fn read(id: u32, offset: u64) -> Vec<u8> {
    on_handle(READ, id, &[offset.to_be_bytes().as_slice(), &[0, 0, 0, 9]].concat())
}

fn data(id: u32, bytes: &[u8]) -> Vec<u8> {
    packet(packet::DATA, |out| {
        encode::u32(out, id);
        encode::string(out, bytes);
    })
}

#[test]
fn what_is_read_and_closed_at_once_is_recorded() {
    let mut rig = opened(READS, 1);
    rig.client_says(&[read(8, 0), on_handle(CLOSE, 9, b"")].concat());
    rig.target_says(&data(8, b"secret"));
    rig.target_says(&packet::status(9, 0, ""));
    assert_eq!(rig.recorded(), ["get /up/a 6 digest: ok"]);
}

#[test]
fn what_was_opened_for_both_is_recorded_as_what_was_done() {
    let write = on_handle(WRITE, 20, &[[0; 8].as_slice(), &[0, 0, 0, 2], b"hi"].concat());
    for (sent, expected) in [
        (vec![], vec!["put /up/a 0: ok"]),
        (vec![read(8, 0)], vec!["get /up/a 6 digest: ok"]),
        (vec![write.clone()], vec!["put /up/a 2 digest: ok"]),
        (vec![read(8, 0), write], vec!["put /up/a 2 digest: ok", "get /up/a 6 digest: ok"]),
    ] {
        let mut rig = opened(READS, 3);
        for packet in &sent {
            rig.client_says(packet);
            let read = packet[4] == READ;
            rig.target_says(&if read { data(8, b"secret") } else { packet::status(20, 0, "") });
        }
        rig.client_says(&on_handle(CLOSE, 9, b""));
        rig.target_says(&packet::status(9, 0, ""));
        assert_eq!(rig.recorded(), expected);
    }
}

#[test]
fn what_is_changed_by_the_handle_is_judged_or_recorded() {
    // Its length is what a writer says, and then what was written is not what is there.
    let mut rig = opened(READS, 0x1a);
    rig.client_says(&on_handle(WRITE, 20, &[[0; 8].as_slice(), &[0, 0, 0, 2], b"hi"].concat()));
    rig.target_says(&packet::status(20, 0, ""));
    rig.client_says(&on_handle(FSETSTAT, 21, &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert!(!rig.at_target().is_empty());
    rig.target_says(&packet::status(21, 0, ""));
    rig.client_says(&on_handle(CLOSE, 9, b""));
    rig.target_says(&packet::status(9, 0, ""));
    assert_eq!(rig.recorded(), ["setstat /up/a 0: ok", "put /up/a 2: ok"]);
    // Whose rights a program has is not.
    for attributes in [[0, 0, 0, 4, 0, 0, 0x09, 0xff].as_slice(), &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let mut rig = opened(READS, 0x1a);
        rig.client_says(&on_handle(FSETSTAT, 21, attributes));
        assert!(rig.at_target().is_empty());
        assert_eq!(rig.recorded(), ["deny setstat /up/a"]);
    }
}

#[test]
fn requests_that_the_target_is_to_answer_wait_when_they_are_many() {
    const MANY: u32 = 10_000;
    let mut rig = opened(READS, 1);
    let (mut asked, mut answered) = (0, 0);
    let mut sent = Vec::new();
    for id in 0..MANY {
        rig.client_says(&read(100 + id, u64::from(id)));
        sent.extend(rig.at_target());
        assert!(sent.len() / read(0, 0).len() <= 5000, "the target has room for all");
    }
    while answered < MANY {
        asked = asked.max(u32::try_from(sent.len() / read(0, 0).len()).unwrap());
        assert!(asked > answered, "nothing goes on after {answered}");
        rig.target_says(&data(100 + answered, b"x"));
        rig.at_client();
        sent.extend(rig.at_target());
        answered += 1;
    }
    rig.client_says(&on_handle(CLOSE, 9, b""));
    rig.target_says(&packet::status(9, 0, ""));
    assert_eq!(rig.recorded(), [format!("get /up/a {MANY} digest: ok")]);
}

#[test]
fn one_version_is_spoken() {
    const ALL: &str = "rules: [{ name: all, who: any, do: [connect, session, read], then: allow }]";
    let version = |kind: u8, number: u32| {
        packet(kind, |out| {
            encode::u32(out, number);
            for text in ["newline", "\r\n"] {
                encode::string(out, text.as_bytes());
            }
        })
    };
    let bare = |kind: u8| packet(kind, |out| encode::u32(out, 3));
    for offered in [3, 4, 6, u32::MAX] {
        let mut rig = Rig::new(ALL, "subsystem", "sftp", 1 << 20);
        rig.at_target();
        rig.client_says(&version(packet::INIT, offered));
        assert_eq!(rig.at_target(), bare(packet::INIT));
        rig.target_says(&version(packet::VERSION, 3));
        assert_eq!(rig.at_client(), bare(packet::VERSION));
    }
    for other in [0, 2, 4, 6] {
        let mut rig = Rig::new(ALL, "subsystem", "sftp", 1 << 20);
        rig.client_says(&version(packet::INIT, 6));
        let mut message = Vec::new();
        crate::wire::channel::data(&mut message, 0, None, &version(packet::VERSION, other));
        assert!(rig.relay.target(&message).is_err(), "{other}");
    }
}
