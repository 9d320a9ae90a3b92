//! Approval requests: every path through their states, and races.

use std::sync::Arc;

use model::ApprovalTerms;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::db::testing::{Fixture, fixture, identity};

fn request(number: u128, quorum: u32, expires: i64) -> ApprovalRequest {
    ApprovalRequest {
        id: ApprovalId(Uuid::from_u128(number)),
        digest: [u8::try_from(number).unwrap_or(0); 32],
        session: SessionId(Uuid::from_u128(7)),
        number: 3,
        identity: identity("agent-7"),
        target: "orders-db".to_owned(),
        role: "app".to_owned(),
        text: "DELETE FROM orders WHERE id = $1 -- 'quoted' \u{1f980}".to_owned(),
        values: vec![Some("42".to_owned()), None],
        actions: vec!["delete public.orders".to_owned()],
        preview: vec!["about 3 rows".to_owned()],
        reasons: vec!["writes need a human".to_owned()],
        rules: vec!["writes".to_owned()],
        policy: "0123456789abcdef".to_owned(),
        terms: ApprovalTerms {
            quorum,
            groups: vec!["dba".to_owned()],
            expires_seconds: 900,
            ..ApprovalTerms::default()
        },
        created: Micros(10),
        expires: Micros(expires),
    }
}

fn answer(by: &str, approve: bool, at: i64) -> Answer {
    Answer { by: by.to_owned(), approve, reason: format!("{by} looked"), at: Micros(at) }
}

async fn asked(quorum: u32) -> (Fixture, ApprovalId) {
    let fixture = fixture().await;
    fixture.clock.set(20);
    let request = request(1, quorum, 1_000);
    fixture.store.create(&request).await.unwrap();
    (fixture, request.id)
}

async fn state(store: &Store, id: ApprovalId) -> ApprovalState {
    store.get(id).await.unwrap().unwrap().state
}

#[tokio::test]
async fn round_trips_every_field() {
    let (fixture, id) = asked(2).await;
    let stored = fixture.store.get(id).await.unwrap().unwrap();
    assert_eq!(format!("{:?}", stored.request), format!("{:?}", request(1, 2, 1_000)));
    assert_eq!((stored.state, stored.answers.len()), (ApprovalState::Pending, 0));
    assert!(fixture.store.get(ApprovalId(Uuid::from_u128(9))).await.unwrap().is_none());
}

#[tokio::test]
async fn an_approval_is_used_once() {
    let (fixture, id) = asked(1).await;
    let store = &fixture.store;
    assert!(!store.consume(id, Micros(30)).await.unwrap(), "nobody approved");
    let stored = store.answer(id, &answer("dana", true, 30)).await.unwrap().unwrap();
    assert_eq!(stored.state, ApprovalState::Approved);
    assert_eq!(stored.answers, [answer("dana", true, 30)]);
    assert_eq!(store.granted([1; 32], Micros(40)).await.unwrap().unwrap().request.id, id);
    assert!(store.consume(id, Micros(40)).await.unwrap());
    assert!(!store.consume(id, Micros(40)).await.unwrap());
    assert!(store.granted([1; 32], Micros(40)).await.unwrap().is_none());
    assert_eq!(state(store, id).await, ApprovalState::Used);
}

#[tokio::test]
async fn of_many_that_use_it_at_once_one_wins() {
    for round in 0..5 {
        let fixture = fixture().await;
        let request = request(1, 1, 1_000);
        fixture.store.create(&request).await.unwrap();
        fixture.store.answer(request.id, &answer("dana", true, 30)).await.unwrap();
        // Half of them through another process's connections.
        let other = Store::open(&fixture.path, tokio::runtime::Handle::current()).await.unwrap();
        let gate = Arc::new(tokio::sync::Barrier::new(16));
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let store = if number % 2 == 0 { fixture.store.clone() } else { other.clone() };
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    gate.wait().await;
                    store.consume(request.id, Micros(40)).await.unwrap()
                })
            })
            .collect();
        let wins = futures_util::future::join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(wins, 1, "round {round}");
    }
}

#[tokio::test]
async fn a_quorum_counts_people_not_answers() {
    let (fixture, id) = asked(2).await;
    let store = &fixture.store;
    store.answer(id, &answer("dana", true, 30)).await.unwrap();
    let again = store.answer(id, &answer("dana", true, 31)).await.unwrap().unwrap();
    assert_eq!((again.state, again.answers.len()), (ApprovalState::Pending, 1));
    let turned = store.answer(id, &answer("dana", false, 32)).await.unwrap().unwrap();
    assert_eq!(turned.answers, [answer("dana", true, 30)], "the first answer counts");
    assert_eq!(turned.state, ApprovalState::Pending);
    let second = store.answer(id, &answer("eli", true, 33)).await.unwrap().unwrap();
    assert_eq!(second.state, ApprovalState::Approved);
}

#[tokio::test]
async fn the_requester_and_whom_it_acts_for_never_count() {
    let (fixture, id) = asked(1).await;
    for own in ["agent-7", "alice"] {
        let stored = fixture.store.answer(id, &answer(own, true, 30)).await.unwrap().unwrap();
        assert_eq!((stored.state, stored.answers.len()), (ApprovalState::Pending, 0), "{own}");
    }
    let stored = fixture.store.answer(id, &answer("alice", false, 31)).await.unwrap().unwrap();
    assert_eq!(stored.state, ApprovalState::Denied, "they may take it back");
}

#[tokio::test]
async fn one_no_ends_it() {
    let (fixture, id) = asked(2).await;
    let store = &fixture.store;
    store.answer(id, &answer("dana", true, 30)).await.unwrap();
    assert_eq!(store.answer(id, &answer("eli", false, 31)).await.unwrap().unwrap().state, ApprovalState::Denied);
    let late = store.answer(id, &answer("fay", true, 32)).await.unwrap().unwrap();
    assert_eq!((late.state, late.answers.len()), (ApprovalState::Denied, 2));
    assert!(!store.consume(id, Micros(40)).await.unwrap());
}

#[tokio::test]
async fn nobody_is_no_quorum() {
    let (fixture, id) = asked(0).await;
    assert_eq!(state(&fixture.store, id).await, ApprovalState::Pending);
    assert!(!fixture.store.consume(id, Micros(40)).await.unwrap());
    let stored = fixture.store.answer(id, &answer("dana", true, 30)).await.unwrap().unwrap();
    assert_eq!(stored.state, ApprovalState::Approved);
}

#[tokio::test]
async fn expiry_needs_no_sweep() {
    let (fixture, id) = asked(1).await;
    let store = &fixture.store;
    fixture.clock.set(999);
    assert_eq!(store.list(true, 10).await.unwrap().len(), 1);
    fixture.clock.set(1_000);
    assert_eq!(state(store, id).await, ApprovalState::Expired);
    assert!(store.list(true, 10).await.unwrap().is_empty());
    assert_eq!(store.list(false, 10).await.unwrap()[0].state, ApprovalState::Expired);
    let late = store.answer(id, &answer("dana", true, 1_000)).await.unwrap().unwrap();
    assert_eq!((late.state, late.answers.len()), (ApprovalState::Expired, 0));
}

#[tokio::test]
async fn an_approval_expires_too() {
    let (fixture, id) = asked(1).await;
    let store = &fixture.store;
    store.answer(id, &answer("dana", true, 30)).await.unwrap();
    assert!(store.granted([1; 32], Micros(999)).await.unwrap().is_some());
    assert!(store.granted([1; 32], Micros(1_000)).await.unwrap().is_none());
    assert!(store.granted([2; 32], Micros(40)).await.unwrap().is_none(), "another command");
    assert!(!store.consume(id, Micros(1_000)).await.unwrap());
    assert!(store.consume(id, Micros(999)).await.unwrap());
}

#[tokio::test]
async fn only_pending_requests_end_and_only_as_ended() {
    let (fixture, id) = asked(1).await;
    let store = &fixture.store;
    for wrong in [ApprovalState::Pending, ApprovalState::Approved, ApprovalState::Used] {
        assert!(store.end(id, wrong).await.is_err());
        assert_eq!(state(store, id).await, ApprovalState::Pending);
    }
    store.end(id, ApprovalState::Cancelled).await.unwrap();
    assert_eq!(state(store, id).await, ApprovalState::Cancelled);
    store.end(id, ApprovalState::Denied).await.unwrap();
    assert_eq!(state(store, id).await, ApprovalState::Cancelled);
    assert_eq!(store.answer(id, &answer("dana", true, 30)).await.unwrap().unwrap().state, ApprovalState::Cancelled);
    assert!(store.answer(ApprovalId(Uuid::from_u128(9)), &answer("dana", true, 30)).await.unwrap().is_none());
}

#[tokio::test]
async fn lists_newest_first_and_purges() {
    let fixture = fixture().await;
    for number in 1..=4_u8 {
        let mut request = request(u128::from(number), 1, i64::from(number) * 100);
        request.created = Micros(i64::from(number));
        fixture.store.create(&request).await.unwrap();
    }
    let newest: Vec<_> = fixture.store.list(false, 2).await.unwrap().iter().map(|one| one.request.digest[0]).collect();
    assert_eq!(newest, [4, 3]);
    fixture.store.answer(request(1, 1, 0).id, &answer("dana", true, 30)).await.unwrap();
    assert_eq!(fixture.store.purge_approvals(Micros(250)).await.unwrap(), 2);
    assert_eq!(fixture.store.list(false, 10).await.unwrap().len(), 2);
}

/// One thing that may happen to a request.
#[derive(Clone, Debug)]
enum Step {
    Answer(usize, bool),
    Consume,
    End,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize, prop::bool::weighted(0.8)).prop_map(|(who, yes)| Step::Answer(who, yes)),
        2 => Just(Step::Consume),
        1 => Just(Step::End),
        2 => (1..60_i64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: a request is used at most once, in time, after enough distinct people said yes and
    /// nobody said no.
    #[test]
    fn is_used_only_as_it_should(quorum in 1..3_u32, steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            const PEOPLE: [&str; 4] = ["agent-7", "dana", "eli", "fay"];
            let fixture = fixture().await;
            let request = request(1, quorum, 200);
            fixture.store.create(&request).await.unwrap();
            let (mut now, mut yes, mut no, mut used, mut ended) = (10_i64, Vec::new(), false, 0, false);
            for step in steps {
                let approved = yes.len() >= quorum as usize;
                let open = now < 200 && !no && !ended && !approved;
                match step {
                    Step::Wait(time) => now += time,
                    Step::Answer(who, approve) => {
                        let by = PEOPLE[who];
                        fixture.store.answer(request.id, &answer(by, approve, now)).await.unwrap();
                        let counts = open && !yes.contains(&by) && !(approve && who == 0);
                        if counts && approve { yes.push(by); }
                        if counts && !approve { no = true; }
                    }
                    Step::End => {
                        fixture.store.end(request.id, ApprovalState::Cancelled).await.unwrap();
                        ended |= !approved && !no;
                    }
                    Step::Consume => {
                        let won = fixture.store.consume(request.id, Micros(now)).await.unwrap();
                        assert_eq!(won, approved && !no && !ended && now < 200 && used == 0);
                        used += i32::from(won);
                    }
                }
            }
            assert!(used <= 1);
        });
    }
}
