//! Tokens from issue to revocation, and SCRAM against a client that is not ours.

use std::time::Duration;

use gate::ports::AuthFailure;
use model::IdentityKind;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{Fixture, fixture};

fn request(targets: Option<&[&str]>) -> IssueRequest {
    IssueRequest {
        subject: "agent-7".to_owned(),
        kind: IdentityKind::Agent,
        groups: vec!["b".to_owned(), "a".to_owned(), "b".to_owned()],
        on_behalf_of: vec!["alice".to_owned()],
        task: Some("ticket 7".to_owned()),
        targets: targets.map(|targets| targets.iter().map(|name| (*name).to_owned()).collect()),
        ttl: None,
    }
}

async fn opened() -> (Fixture, Tokens) {
    let fixture = fixture().await;
    let tokens = reopened(&fixture).await;
    (fixture, tokens)
}

async fn reopened(fixture: &Fixture) -> Tokens {
    Tokens::open(fixture.store.clone(), TokenSettings::default(), fixture.clock.clone()).await.unwrap()
}

/// A SCRAM login as libpq and its kin make it; whether the client accepted the gateway's signature is part of the proof.
async fn scram(tokens: &Tokens, password: &str, target: &str) -> Result<Proven, AuthFailure> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let parameters = tokens.scram_parameters();
    let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    let first = String::from_utf8(client.message().to_vec()).unwrap();
    let bare = first.strip_prefix("n,,").unwrap();
    let nonce = bare.split_once(",r=").unwrap().1;
    let salt = STANDARD.encode(&parameters.salt);
    let server_first = format!("r={nonce}gateway,s={salt},i={}", parameters.iterations);
    client.update(server_first.as_bytes()).unwrap();
    let last = String::from_utf8(client.message().to_vec()).unwrap();
    let (without_proof, proof) = last.rsplit_once(",p=").unwrap();
    let attempt = ScramAttempt {
        auth_message: format!("{bare},{server_first},{without_proof}").into_bytes(),
        proof: STANDARD.decode(proof).unwrap().try_into().unwrap(),
    };
    let (proven, signature) = tokens.verify_scram(&attempt, target).await?;
    client.finish(format!("v={}", STANDARD.encode(signature)).as_bytes()).expect("the client trusts the gateway");
    Ok(proven)
}

#[tokio::test]
async fn a_token_proves_what_it_was_issued_for() {
    let (fixture, tokens) = opened().await;
    let issued = tokens.issue(&request(Some(&["orders-db", "billing"])), "dana").await.unwrap();
    let proven = tokens.verify(issued.token.reveal(), "orders-db").await.unwrap();
    assert_eq!(proven.identity.display(), "agent-7 for alice");
    assert_eq!(proven.identity.groups, ["a", "b"]);
    assert_eq!((proven.identity.issuer.as_str(), proven.identity.kind), ("sallyport", IdentityKind::Agent));
    assert_eq!((proven.token, proven.expires), (Some(issued.id), issued.expires));
    assert_eq!(proven.targets.as_deref(), Some(["billing".to_owned(), "orders-db".to_owned()].as_slice()));
    assert_eq!(issued.expires.0 - fixture.clock.now().0, 15 * 60 * 1_000_000);
    let by_scram = scram(&tokens, issued.token.reveal(), "billing").await.unwrap();
    assert_eq!((by_scram.identity, by_scram.token), (proven.identity, proven.token));
    let everywhere = tokens.issue(&request(None), "dana").await.unwrap();
    assert_eq!(tokens.verify(everywhere.token.reveal(), "anything").await.unwrap().targets, None);
    scram(&tokens, everywhere.token.reveal(), "anything").await.unwrap();
}

#[tokio::test]
async fn says_what_is_wrong_with_a_token_either_way() {
    let (fixture, tokens) = opened().await;
    let issued = tokens.issue(&request(Some(&["orders-db"])), "dana").await.unwrap();
    let revoked = tokens.issue(&request(Some(&["orders-db"])), "dana").await.unwrap();
    assert_eq!(tokens.revoke(revoked.id, "dana").await.unwrap(), Revoked::Now);
    let stranger = TokenText::generate().unwrap();
    for (token, target, expected) in [
        (&issued.token, "billing", AuthFailure::WrongTarget),
        (&revoked.token, "orders-db", AuthFailure::Revoked),
        (&stranger, "orders-db", AuthFailure::Unknown),
    ] {
        assert_eq!(tokens.verify(token.reveal(), target).await.unwrap_err(), expected);
        assert_eq!(scram(&tokens, token.reveal(), target).await.unwrap_err(), expected);
    }
    fixture.clock.pass(15 * 60 - 1);
    tokens.verify(issued.token.reveal(), "orders-db").await.unwrap();
    fixture.clock.pass(1);
    assert_eq!(tokens.verify(issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Expired);
    assert_eq!(scram(&tokens, issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Expired);
    fixture.clock.pass(8 * 24 * 3600);
    assert_eq!(tokens.purge().await.unwrap(), 2);
    assert_eq!(tokens.verify(issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Unknown);
}

#[tokio::test]
async fn other_processes_count_at_once() {
    let (fixture, gateway) = opened().await;
    let issued = gateway.issue(&request(None), "dana").await.unwrap();
    scram(&gateway, issued.token.reveal(), "orders-db").await.unwrap();
    // The command line has its own connections and its own memory.
    let path = fixture.store.path().to_path_buf();
    let store = Store::open(path, tokio::runtime::Handle::current()).await.unwrap();
    let other = Tokens::open(store, TokenSettings::default(), fixture.clock.clone()).await.unwrap();
    assert_eq!(other.scram_parameters().salt, gateway.scram_parameters().salt);
    let theirs = other.issue(&request(None), "eli").await.unwrap();
    scram(&gateway, theirs.token.reveal(), "orders-db").await.unwrap();
    other.revoke(issued.id, "eli").await.unwrap();
    assert_eq!(scram(&gateway, issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Revoked);
    assert_eq!(gateway.verify(issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Revoked);
}

#[tokio::test]
async fn finds_one_token_among_many_and_refuses_made_up_proofs() {
    let (_fixture, tokens) = opened().await;
    let mut all = Vec::new();
    for number in 0..INLINE_CANDIDATES + 20 {
        let mut request = request(if number % 2 == 0 { None } else { Some(&["orders-db"]) });
        request.subject = format!("agent-{number}");
        all.push(tokens.issue(&request, "dana").await.unwrap());
    }
    for number in [0, 1, all.len() / 2, all.len() - 1] {
        let proven = scram(&tokens, all[number].token.reveal(), "orders-db").await.unwrap();
        assert_eq!(proven.identity.subject, format!("agent-{number}"));
    }
    for proof in [[0; 32], [0xff; 32]] {
        let attempt = ScramAttempt { auth_message: Vec::new(), proof };
        assert_eq!(tokens.verify_scram(&attempt, "orders-db").await.unwrap_err(), AuthFailure::Unknown);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_not_a_wrong_token() {
    let (fixture, tokens) = opened().await;
    let issued = tokens.issue(&request(None), "dana").await.unwrap();
    fixture.store.close().await;
    assert_eq!(tokens.verify(issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Unavailable);
    assert_eq!(scram(&tokens, issued.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::Unavailable);
    assert!(matches!(tokens.issue(&request(None), "dana").await, Err(IssueError::Store(_))));
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused() {
    let (fixture, tokens) = opened().await;
    type Change = fn(&mut IssueRequest);
    let cases: [(Change, &str); 13] = [
        (|request| request.subject.clear(), "the subject"),
        (|request| request.subject = "a\nb".to_owned(), "the subject"),
        (|request| request.subject = " a".to_owned(), "the subject"),
        (|request| request.subject = "x".repeat(257), "the subject"),
        (|request| request.groups = vec![String::new()], "each group name"),
        (|request| request.groups = vec!["g".to_owned(); 300], "more than 256 group names"),
        (|request| request.on_behalf_of = vec!["\u{7}".to_owned()], "each on-behalf-of name"),
        (|request| request.kind = IdentityKind::Human, "a human acts in person"),
        (|request| request.task = Some("a\u{1b}[31m".to_owned()), "the task"),
        (|request| request.targets = Some(Vec::new()), "good for no target"),
        (|request| request.targets = Some(vec![" ".to_owned()]), "each target name"),
        (|request| request.ttl = Some(Duration::from_millis(999)), "at least a second"),
        (|request| request.ttl = Some(Duration::from_secs(86_401)), "at most 86400 seconds"),
    ];
    for (change, expected) in cases {
        let mut request = request(None);
        change(&mut request);
        match tokens.issue(&request, "dana").await {
            Err(IssueError::Invalid(text)) => assert!(text.contains(expected), "{text}"),
            _ => panic!("{expected}"),
        }
    }
    assert_eq!(tokens.ls(false, 10).await.unwrap().len(), 0);
    assert_eq!(fixture.store.audit_head().await.unwrap().seq, 0);
    let mut longest = request(None);
    longest.ttl = Some(Duration::from_secs(86_400));
    tokens.issue(&longest, "dana").await.unwrap();
}

#[tokio::test]
async fn everything_is_audited_and_nothing_secret_is_kept() {
    let (fixture, tokens) = opened().await;
    let issued = tokens.issue(&request(Some(&["orders-db"])), "dana").await.unwrap();
    tokens.revoke(issued.id, "eli").await.unwrap();
    let rows = fixture.store.audit_list(None, 10).await.unwrap();
    let said: Vec<_> = rows.iter().map(|row| (row.actor.as_str(), row.action.as_str(), row.object.clone())).collect();
    assert_eq!(said, [("eli", "token.revoke", issued.id.to_string()), ("dana", "token.issue", issued.id.to_string())]);
    assert_eq!(rows[1].detail, "agent agent-7 for alice for orders-db, 900 s");
    let listed = tokens.ls(true, 10).await.unwrap();
    assert!(listed.is_empty());
    let listed = tokens.ls(false, 10).await.unwrap();
    assert_eq!((listed[0].revoked_by.as_deref(), listed[0].issued_by.as_str()), (Some("eli"), "dana"));
    fixture.store.close().await;
    let token = issued.token.reveal().as_bytes();
    for file in std::fs::read_dir(fixture.store.path().parent().unwrap()).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!content.windows(token.len()).any(|window| window == token));
    }
    assert!(!format!("{tokens:?} {listed:?}").contains(issued.token.reveal()));
}

#[tokio::test]
async fn an_exchange_never_widens() {
    let (fixture, tokens) = opened().await;
    let first = tokens.issue(&request(None), "dana").await.unwrap();
    let mut proven = tokens.verify(first.token.reveal(), "orders-db").await.unwrap();
    let refused = tokens.exchange(&proven, None, None).await.err().unwrap();
    assert!(refused.to_string().contains("cannot be exchanged"));
    proven.token = None;
    proven.targets = Some(vec!["orders-db".to_owned(), "billing".to_owned()]);
    proven.identity.issuer = "https://idp.example".to_owned();
    proven.identity.claims = [("team".to_owned(), json!("billing"))].into();
    proven.expires = Micros(fixture.clock.now().0 + 60 * 1_000_000);
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let second = tokens.exchange(&proven, named(&["billing"]), Some(Duration::from_secs(900))).await.unwrap();
    assert_eq!(second.expires, proven.expires);
    let shown = tokens.verify(second.token.reveal(), "billing").await.unwrap();
    assert_eq!(shown.identity, proven.identity);
    assert_eq!(tokens.verify(second.token.reveal(), "orders-db").await.unwrap_err(), AuthFailure::WrongTarget);
    let same = tokens.exchange(&proven, None, None).await.unwrap();
    assert_eq!(tokens.verify(same.token.reveal(), "other").await.unwrap_err(), AuthFailure::WrongTarget);
    assert!(tokens.exchange(&proven, named(&["billing", "other"]), None).await.is_err());
    fixture.clock.pass(60);
    assert!(tokens.exchange(&proven, None, None).await.is_err());
}

#[test]
fn tokens_have_their_form() {
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let token = TokenText::generate().unwrap();
        let text = token.reveal();
        assert_eq!(text.len(), text::LENGTH);
        assert!(text.starts_with(text::PREFIX) && text::is_well_formed(text), "{text}");
        assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
        assert!(seen.insert(text.to_owned()));
    }
}

#[test]
fn a_typo_is_noticed() {
    let token = TokenText::generate().unwrap();
    let text = token.reveal();
    let mut missed = 0;
    for place in 3..text.len() {
        for c in "0123456789abcdefghjkmnpqrstvwxyz".chars() {
            let typo: String = text.chars().enumerate().map(|(at, old)| if at == place { c } else { old }).collect();
            missed += u32::from(typo != text && text::is_well_formed(&typo));
        }
    }
    // Of 868 typos a checksum of 10 bits lets one through on average.
    assert!(missed <= 10, "{missed}");
    for bad in ["", "sp_", &text[..30], &format!("{text}0"), &text.to_uppercase(), &text.replace("sp_", "xx_"), " "] {
        assert!(!text::is_well_formed(bad), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in prop_oneof![any::<String>(), "sp_\\PC{0,40}", "sp_[0-9a-z]{28}"]) {
        text::is_well_formed(&text);
    }
}
