//! What may not reach the target, or not yet.

use std::time::Duration;

use sallyport_tests::kit::gateway::Who;

use super::{Client, End, Heard, Protocol, Verb, World};

/// Long enough for bytes that are on their way to arrive.
const SETTLE: Duration = Duration::from_millis(700);

pub(super) fn denied_bytes_never_reach_the_target<P: Protocol>() {
    let world = World::<P>::new();
    let mut client = world.connect();
    for round in 0..3 {
        let (before, denied, after) = (format!("before{round}"), format!("denied{round}"), format!("after{round}"));
        client.say(Verb::Allowed, &before);
        assert!(Heard::whole(&mut client).text.contains(&before));
        client.say(Verb::Denied, &denied);
        let heard = Heard::whole(&mut client);
        assert!(heard.end == End::Done && heard.text.contains("never"), "the session goes on: {heard:?}");
        client.say(Verb::Allowed, &after);
        assert!(Heard::whole(&mut client).text.contains(&after));
        // What came later is there, so what was refused is not on its way.
        assert!(world.target.has(&before) && world.target.has(&after) && !world.target.has(&denied));
    }
    drop(client);
    std::thread::sleep(SETTLE);
    assert!(!world.target.has("denied"));
}

pub(super) fn nothing_is_dialled_before_the_grant<P: Protocol>() {
    let world = World::<P>::new();
    let stranger = Who { groups: vec!["strangers".to_owned()], ..Who::agent("stranger") };
    let stranger = world.gateway.token_for(&stranger, P::TARGET).unwrap();
    let elsewhere = world.gateway.token_for(&Who::agent("agent-8"), "sallyport").unwrap();
    let revoked = world.gateway.token_for(&Who::agent("agent-9"), P::TARGET).unwrap();
    super::ends::revoke(&world, "agent-9");
    let at_rest = world.target.dials();
    for (why, token, target) in [
        ("an unknown token", "spt_ThisIsNoTokenAtAllButLooksLikeOne", P::TARGET),
        ("no token", "", P::TARGET),
        ("a revoked token", &revoked, P::TARGET),
        ("a token for another target", &elsewhere, P::TARGET),
        ("an identity that may not connect", &stranger, P::TARGET),
        ("a role that policy does not give", &world.token, P::NOT_THEIRS),
        ("an unknown target", &world.token, "nowhere"),
        ("the gateway's own name", &world.token, "sallyport"),
    ] {
        world.refused(token, target);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(world.target.dials(), at_rest, "{why}");
    }
    let mut client = world.connect();
    client.say(Verb::Allowed, "granted");
    assert!(Heard::whole(&mut client).text.contains("granted"));
    assert!(world.target.dials() > at_rest, "the count can count");
}

pub(super) fn a_held_action_leaks_nothing_before_its_answer<P: Protocol>() {
    let world = World::<P>::new();
    for (answer, runs) in [("deny", false), ("approve", true)] {
        let (held, behind) = (format!("held-{answer}"), format!("behind-{answer}"));
        let mut client = world.connect();
        client.say(Verb::Held, &held);
        let id = world.waiting();
        client.say_behind(&behind);
        let notice = client.hear(SETTLE);
        assert!(notice.end == End::Open && notice.text.contains(&id), "{notice:?}");
        assert!(!world.target.has(&held) && !world.target.has(&behind), "before the answer");
        world.answer(answer, &id);
        let heard = Heard::whole(&mut client);
        assert_eq!(heard.end, End::Done, "{heard:?}");
        std::thread::sleep(SETTLE);
        assert_eq!(world.target.has(&held), runs, "{answer}: {heard:?}");
        assert_eq!(heard.text.contains("SP-APPROVAL-DENIED"), !runs, "{heard:?}");
    }
}

pub(super) fn a_held_action_that_nobody_answers_never_runs<P: Protocol>() {
    let world = World::<P>::with("2s", "");
    let mut client = world.connect();
    client.say(Verb::Held, "nobody-cares");
    let heard = Heard::whole(&mut client);
    assert!(heard.end == End::Done && heard.text.contains("SP-APPROVAL-EXPIRED"), "{heard:?}");
    client.say(Verb::Allowed, "goes-on");
    assert!(Heard::whole(&mut client).text.contains("goes-on"), "the session does");
    assert!(!world.target.has("nobody-cares"));
    // A client that goes away while it waits.
    let mut gone = world.connect();
    gone.say(Verb::Held, "went-away");
    world.waiting();
    drop(gone);
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!world.target.has("went-away"));
}
