//! Sessions that are ended from outside or by time: both sides are closed within a second, with a command in flight and without.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, End, Heard, PATIENCE, Protocol, Verb, World};

/// What is promised, from the moment at which the end is decided.
const PROMISED: Duration = Duration::from_secs(1);

/// Ends the sessions of `world` and says when that was decided.
fn check<P: Protocol>(world: &World<P>, token: &str, end: impl FnOnce() -> Instant) {
    let before = at_rest(world);
    let connect = || P::connect(&world.gateway, token, P::TARGET).unwrap();
    let (mut idle, mut busy) = (connect(), connect());
    idle.say(Verb::Allowed, "idle");
    assert!(Heard::whole(&mut idle).text.contains("idle"));
    busy.say(Verb::Endless, "busy");
    assert_eq!(busy.hear(Duration::from_millis(300)).end, End::Open);
    world.reaches("busy");
    assert!(world.target.open() >= before + 2, "both are there");
    let decided = end();
    for (name, client) in [("busy", &mut busy), ("idle", &mut idle)] {
        // Whoever is idle hears of it by being closed.
        client.say(Verb::Allowed, "after-the-end");
        let mut heard = Heard::default();
        while heard.end != End::Closed && decided.elapsed() < PATIENCE {
            heard = client.hear(Duration::from_millis(20));
            if heard.end == End::Done {
                client.say(Verb::Allowed, "after-the-end");
            }
        }
        assert!(decided.elapsed() < PROMISED, "{name}: closed after {:?}: {heard:?}", decided.elapsed());
    }
    while world.target.open() > before && decided.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("both sides closed {:?} after the end was decided", decided.elapsed());
    assert!(decided.elapsed() < PROMISED, "the target's side after {:?}", decided.elapsed());
}

/// How many connections the gateway has without a session: it may keep one of its own once there was one.
fn at_rest<P: Protocol>(world: &World<P>) -> usize {
    let mut first = world.connect();
    first.say(Verb::Allowed, "first");
    assert!(Heard::whole(&mut first).text.contains("first"));
    drop(first);
    std::thread::sleep(Duration::from_millis(500));
    world.target.open()
}

pub(super) fn a_kill_closes_both_sides_at_once<P: Protocol>() {
    let world = World::<P>::new();
    check(&world, &world.token, || {
        let list: Value = serde_json::from_str(&world.gateway.cli(&["sessions", "ls", "--json"]).unwrap()).unwrap();
        let mut decided = None;
        for session in list.as_array().unwrap().iter().filter(|session| session["state"] == "live") {
            let id = session["id"].as_str().unwrap_or_else(|| panic!("{session}"));
            world.gateway.cli(&["sessions", "kill", id, "--reason", "enough"]).unwrap();
            decided = Some(Instant::now());
        }
        decided.unwrap()
    });
    assert!(!world.target.has("after-the-end"));
}

pub(super) fn a_revoked_token_closes_both_sides_at_once<P: Protocol>() {
    let world = World::<P>::new();
    check(&world, &world.token, || {
        revoke(&world, "agent-7");
        Instant::now()
    });
    assert!(!world.target.has("after-the-end"));
}

pub(super) fn a_token_that_expires_closes_both_sides_at_once<P: Protocol>() {
    let world = World::<P>::new();
    let issued = Instant::now();
    let text = [
        "token",
        "--as",
        "agent-8",
        "--kind",
        "agent",
        "--groups",
        "agents",
        "--target",
        P::TARGET,
        "--ttl",
        "4s",
        "--quiet",
    ];
    let token = world.gateway.cli(&text).unwrap();
    // It was issued between these two moments; its life is counted from the later one.
    let known = Instant::now();
    check(&world, token.trim(), || {
        let expires = known + Duration::from_secs(4);
        assert!(issued.elapsed() < Duration::from_secs(3), "too slow to tell");
        std::thread::sleep(expires.saturating_duration_since(Instant::now()));
        expires
    });
}

pub(super) fn a_policy_that_lets_nobody_in_closes_both_sides_at_once<P: Protocol>() {
    let world = World::<P>::new();
    check(&world, &world.token, || {
        world.gateway.set_policy("rules: []\n").unwrap();
        Instant::now()
    });
}

/// Takes back every token of a subject.
pub(super) fn revoke<P: Protocol>(world: &World<P>, subject: &str) {
    let list: Value = serde_json::from_str(&world.gateway.cli(&["tokens", "ls", "--json"]).unwrap()).unwrap();
    let of = |token: &&Value| token.to_string().contains(subject);
    for token in list.as_array().unwrap().iter().filter(of) {
        world.gateway.cli(&["tokens", "revoke", token["id"].as_str().unwrap()]).unwrap();
    }
}
