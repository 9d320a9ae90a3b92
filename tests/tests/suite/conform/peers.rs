//! Peers that send garbage, far too much, or nearly nothing: each is ended, memory stays bounded, others do not notice.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Client, Closes, Heard, PATIENCE, Protocol, Verb, World};

/// The gateway's limits in these tests.
const LIMITS: &str = "limits:\n  login_timeout: 3s\n  max_logins_per_address: 100000\n";
/// How long a peer may stay that is not logged in: the timeout, and what a busy machine adds.
const STAYS: Duration = Duration::from_secs(6);
/// What all of them may cost, in KiB.
const MEMORY: u64 = 48 * 1024;
/// How long others may wait meanwhile.
const OTHERS: Duration = Duration::from_secs(1);
/// Rounds of random bytes, each by its own seed.
const ROUNDS: u64 = 6;

pub(super) fn garbage_at_any_stage_ends_and_disturbs_nobody<P: Protocol>() {
    let world = World::<P>::with("60s", LIMITS);
    let mut honest = world.connect();
    others_are_served(&mut honest, 0);
    let before = resident(world.gateway.id());
    let mut peers = 0;
    for seed in 1..=ROUNDS {
        let noise = noise(seed);
        for (stage, mut closes) in P::garbage(&world.gateway, &world.token, &noise) {
            assert!(closes(STAYS), "seed {seed}: {stage} is still open");
            peers += 1;
        }
        others_are_served(&mut honest, seed);
    }
    let cost = resident(world.gateway.id()).saturating_sub(before);
    println!("{peers} peers cost {cost} KiB");
    assert!(cost < MEMORY, "{cost} KiB");
    assert!(!world.gateway.log().contains("panicked"), "a panic in the log");
}

pub(super) fn slow_and_oversized_peers_are_bounded<P: Protocol>() {
    let world = World::<P>::with("60s", LIMITS);
    let mut honest = world.connect();
    others_are_served(&mut honest, 0);
    let before = resident(world.gateway.id());
    let start = Instant::now();
    let mut slow: Vec<TcpStream> = (0..30).flat_map(|_| P::halves(&world.gateway)).collect();
    let mut big: Vec<(&str, Closes)> = (0..20).flat_map(|_| P::oversize(&world.gateway, &world.token)).collect();
    while start.elapsed() < Duration::from_secs(2) {
        for peer in &mut slow {
            // One that was turned away already is as good.
            let _turned_away = peer.write_all(b"\0");
        }
        others_are_served(&mut honest, 1);
        std::thread::sleep(Duration::from_millis(100));
    }
    let cost = resident(world.gateway.id()).saturating_sub(before);
    println!("{} slow and {} oversized peers cost {cost} KiB", slow.len(), big.len());
    assert!(cost < MEMORY, "{cost} KiB for {} peers", slow.len() + big.len());
    for (stage, closes) in &mut big {
        assert!(closes(STAYS), "{stage} is still open");
    }
    for peer in slow {
        assert!(closes(peer)(STAYS), "still open after the login timeout");
    }
    others_are_served(&mut honest, 2);
}

fn others_are_served(honest: &mut impl Client, round: u64) {
    let asked = Instant::now();
    let marker = format!("honest{round}");
    honest.say(Verb::Allowed, &marker);
    assert!(Heard::whole(honest).text.contains(&marker));
    assert!(asked.elapsed() < OTHERS, "{:?}", asked.elapsed());
}

/// Whether a raw connection is closed in time; what comes before that is read away.
pub(super) fn closes(mut peer: TcpStream) -> Closes {
    Box::new(move |limit| {
        let until = Instant::now() + limit.min(PATIENCE);
        peer.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut buffer = [0; 4096];
        while Instant::now() < until {
            match peer.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    _ => return true,
                },
            }
        }
        false
    })
}

/// Random bytes by xorshift64*, the same for the same seed.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
    };
    (0..70_000).map(|_| next()).collect()
}

/// What a process has in memory, in KiB.
pub(super) fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
