//! Peers that send garbage, stop in the middle or never go on: memory stays bounded and nobody else notices.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sallyport_tests::clients::ALLOW_ALL;
use sallyport_tests::kit::dsn::Dsn;
use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::message;
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::{Wire, dial};

/// Peers of each kind at once.
const PEERS: usize = 40;
/// What they may cost altogether, in KiB: far below what their length fields speak of.
const MEMORY: u64 = 48 * 1024;

fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn peers(dsn: &Dsn, bytes: &[u8]) -> Vec<TcpStream> {
    (0..PEERS)
        .map(|_| {
            let mut peer = dial(dsn).unwrap();
            // One that was turned away already is as good.
            let _ = peer.write_all(bytes);
            peer
        })
        .collect()
}

#[test]
fn hostile_peers_cost_little_and_disturb_nobody() {
    let server = Server::start(&ServerOptions::default()).unwrap();
    let extra = "limits:\n  login_timeout: 3s\n  max_logins_per_address: 100000\n".to_owned();
    let options = Options { extra, tls: false, ..Options::new(server.port(), "postgres", ALLOW_ALL) };
    let gateway = Gateway::start(&options).unwrap();
    let dsn = gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap();
    let mut honest = Wire::login(&dsn).unwrap();
    assert_eq!(honest.value("SELECT 1").unwrap(), "1");
    let before = resident(gateway.id());

    let noise: Vec<u8> = (0..70_000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let gigabyte = [&1_073_741_823_i32.to_be_bytes()[..], &[0, 3, 0, 0]].concat();
    let startup =
        message::startup(&[("user".to_owned(), "app".to_owned()), ("database".to_owned(), "orders-db".to_owned())]);
    let mut kept = Vec::new();
    for bytes in [
        b"".as_slice(),
        b"\0\0\0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &noise,
        &gigabyte,
        &message::ssl_request(),
        &startup[..startup.len() / 2],
        &startup,
    ] {
        kept.extend(peers(&dsn, bytes));
    }
    // Logged in, then a message that says it is a gigabyte long, or half of one.
    let mut inside: Vec<Wire> = (0..8).map(|_| Wire::login(&dsn).unwrap()).collect();
    for (index, wire) in inside.iter_mut().enumerate() {
        let length = if index % 2 == 0 { 1_073_741_823_i32 } else { 1_000_000 };
        wire.send(&[&b"Q"[..], &length.to_be_bytes(), &[b'x'; 500]].concat()).unwrap();
    }
    // Others are served meanwhile, one drip at a time of those that are slow.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        for peer in kept.iter_mut().take(PEERS) {
            let _ = peer.write_all(b"\0");
        }
        let asked = Instant::now();
        assert_eq!(honest.value("SELECT 1").unwrap(), "1");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(Wire::login(&dsn).unwrap().value("SELECT 2").unwrap(), "2");
    let cost = resident(gateway.id()).saturating_sub(before);
    assert!(cost < MEMORY, "{cost} KiB for {} peers", kept.len() + inside.len());
    for wire in inside.iter_mut().step_by(2) {
        assert!(wire.closes_within(Duration::from_secs(10)).unwrap(), "a gigabyte is refused at its length field");
    }
    // Nobody is logged in for ever.
    let mut byte = [0];
    for mut peer in kept {
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        loop {
            match std::io::Read::read(&mut peer, &mut byte) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "still open after the login timeout");
                    break;
                }
            }
        }
    }
}
