//! Tunnels: what is said of one before it is open.

use super::doubles::{Rig, policy};
use crate::session::End;
use crate::wire::channel::{self as words, Message, Open};
use crate::wire::encode;

const RULES: &str = "
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: tunnels, who: any, do: [tunnel], objects: [\"host:db:5432\", \"host:listen:localhost:0\", \"path:/srv/app/*\"], then: allow }
";

fn direct(sender: u32, host: &str) -> Vec<u8> {
    let mut rest = Vec::new();
    encode::string(&mut rest, host.as_bytes());
    encode::u32(&mut rest, 5432);
    encode::string(&mut rest, b"127.0.0.1");
    encode::u32(&mut rest, 1);
    words::open(&Open { kind: "direct-tcpip", sender, window: 1 << 20, packet: 1 << 15, rest: &rest })
}

fn socket(path: &str) -> Vec<u8> {
    let mut rest = Vec::new();
    encode::string(&mut rest, path.as_bytes());
    encode::string(&mut rest, b"");
    encode::u32(&mut rest, 0);
    words::open(&Open {
        kind: "direct-streamlocal@openssh.com",
        sender: 0,
        window: 1 << 20,
        packet: 1 << 15,
        rest: &rest,
    })
}

fn opens(rig: &mut Rig) -> usize {
    let mut opens = 0;
    rig.each_at_target(|message| opens += usize::from(matches!(message, Message::Open(_))));
    opens
}

/// What the client was sent, in letters: confirmation, failure, data, close.
fn told(rig: &mut Rig) -> String {
    let mut told = String::new();
    rig.each_at_client(|message| {
        told.push(match message {
            Message::Confirmation { .. } => 'c',
            Message::OpenFailure { .. } => 'f',
            Message::Data { .. } => 'd',
            Message::Close { .. } => 'x',
            _ => '?',
        });
    });
    told
}

#[test]
fn nothing_is_said_of_a_tunnel_before_it_is_open() {
    for early in [words::bare(97, 0), words::bare(96, 0), words::adjust(0, 1)] {
        let mut rig = Rig::new(RULES, "", "", 0);
        rig.client(&direct(0, "db"));
        assert_eq!(opens(&mut rig), 1);
        // Its number would be free for another one, and the target's answer would be taken for that one's.
        assert!(matches!(rig.relay.client(&early), Err(End::Client(_))));
    }
}

#[test]
fn a_policy_edit_while_a_tunnel_is_opened_refuses_it() {
    let mut rig = Rig::new(RULES, "", "", 0);
    rig.client(&direct(5, "db"));
    rig.gate.replace_policy(policy(&RULES.replace("host:db:5432", "host:other:1")));
    rig.relay.tick().unwrap();
    assert_eq!((told(&mut rig).as_str(), opens(&mut rig)), ("f", 1));
    // The next channel is another one to the target, which has not answered yet.
    rig.client(&words::open(&Open { kind: "session", sender: 6, window: 1 << 20, packet: 1 << 15, rest: b"" }));
    rig.each_at_target(|message| assert!(matches!(message, Message::Open(open) if open.sender == 1)));
    rig.target(&words::confirmation(0, 40, 1 << 20, 1 << 15));
    let mut closed = false;
    rig.each_at_target(|message| closed |= matches!(message, Message::Close { recipient: 40 }));
    assert!(closed && told(&mut rig).is_empty(), "the client knows of no tunnel");
    rig.target(&words::bare(97, 0));
    assert!(told(&mut rig).is_empty());
    rig.client(&direct(7, "db"));
    assert_eq!(told(&mut rig), "f");
}

#[test]
fn what_was_refused_while_it_was_opened_is_not_the_clients_to_open() {
    for late in [words::open_failure(0, 1, ""), words::confirmation(0, 9, 1 << 20, 1 << 15)] {
        for confirmed in [false, true] {
            let mut rig = Rig::new(RULES, "", "", 0);
            rig.client(&direct(5, "db"));
            rig.gate.replace_policy(policy(&RULES.replace("host:db:5432", "host:other:1")));
            rig.relay.tick().unwrap();
            assert_eq!((told(&mut rig).as_str(), opens(&mut rig)), ("f", 1));
            if confirmed {
                rig.target(&words::confirmation(0, 40, 1 << 20, 1 << 15));
            }
            // Its number would be free for another tunnel, and the target's answer for this one would be taken for that one's.
            assert!(matches!(rig.relay.client(&late), Err(End::Client(_))));
        }
    }
}

#[test]
fn a_tunnel_leads_where_its_rule_says() {
    for path in ["/srv/app/../other.sock", "/srv/app//x", "/srv/app/./x", "/srv/app/x/"] {
        let mut rig = Rig::new(RULES, "", "", 0);
        rig.client(&socket(path));
        assert_eq!((opens(&mut rig), told(&mut rig).as_str()), (0, "f"), "{path}");
    }
    let mut rig = Rig::new(RULES, "", "", 0);
    rig.client(&socket("/srv/app/x.sock"));
    assert_eq!(opens(&mut rig), 1);
}

/// The target listens at a port that it chose, and somebody has connected to it.
fn connected() -> Rig {
    let mut rig = Rig::new(RULES, "", "", 0);
    let mut rest = Vec::new();
    encode::string(&mut rest, b"localhost");
    encode::u32(&mut rest, 0);
    rig.client(&words::global("tcpip-forward", true, &rest));
    rig.target(&[81, 0, 0, 0x9c, 0x40]);
    let mut rest = Vec::new();
    encode::string(&mut rest, b"localhost");
    encode::u32(&mut rest, 40_000);
    encode::string(&mut rest, b"127.0.0.1");
    encode::u32(&mut rest, 1);
    rig.target(&words::open(&Open {
        kind: "forwarded-tcpip",
        sender: 3,
        window: 1 << 20,
        packet: 1 << 15,
        rest: &rest,
    }));
    rig
}

#[test]
fn a_port_that_the_target_chooses_is_what_was_asked_for() {
    let mut rig = connected();
    let mut asked = false;
    rig.each_at_client(|message| asked |= matches!(message, Message::Open(_)));
    assert!(asked);
}

#[test]
fn a_policy_edit_while_the_client_opens_a_tunnel_refuses_it() {
    let mut rig = connected();
    told(&mut rig);
    rig.gate.replace_policy(policy(&RULES.replace("host:listen:localhost:0", "host:other:1")));
    rig.relay.tick().unwrap();
    let mut refused = false;
    rig.each_at_target(|message| refused |= matches!(message, Message::OpenFailure { recipient: 3, .. }));
    assert!(refused);
    rig.client(&words::confirmation(0, 9, 1 << 20, 1 << 15));
    assert_eq!(told(&mut rig), "x");
    rig.client(&words::bare(97, 0));
    assert!(rig.relay.quiet());
}

#[test]
fn many_places_to_listen_at_are_refused_and_end_nothing() {
    let mut rig = Rig::new(&RULES.replace("localhost:0", "*"), "", "", 0);
    for port in 1..=200_u32 {
        let mut rest = Vec::new();
        encode::string(&mut rest, b"localhost");
        encode::u32(&mut rest, port);
        rig.client(&words::global("tcpip-forward", true, &rest));
    }
    let mut asked = 0;
    rig.each_at_target(|message| asked += usize::from(matches!(message, Message::Global { .. })));
    assert_eq!(asked, 64);
}
