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
    let rename = |id: u32, from: &str, to: &str| {
        packet(18, |out| {
            encode::u32(out, id);
            encode::string(out, from.as_bytes());
            encode::string(out, to.as_bytes());
        })
    };
    let mut rig = Rig::new(rules, "subsystem", "sftp", 1 << 20);
    rig.at_target();
    // Where the first is allowed, a verdict kept by the words would allow the second.
    for (id, from, to, allowed) in [(1, "/up/a", "/up/b /srv/c", true), (2, "/up/a /up/b", "/srv/c", false)] {
        let sent = rename(id, from, to);
        rig.client_says(&sent);
        let mut out = rig.at_target();
        while out.get(4) == Some(&packet::REALPATH) {
            let asked = String::from_utf8(out[13..].to_vec()).unwrap();
            rig.target_says(&place(&out, &asked));
            out = rig.at_target();
        }
        assert_eq!(out == sent, allowed, "{from} to {to}");
    }
}
