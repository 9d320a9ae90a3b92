//! The judge must find what leaks and must not be fooled by noise.

use serde_json::json;

use super::*;

fn case(expect: &str, oracle: &serde_json::Value) -> Case {
    let line = json!({"id": "x", "protocol": "postgres", "input": "SELECT 1", "expect": expect, "policy_assumed": "k: y", "oracle": oracle});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), line.to_string()).unwrap();
    super::super::case::read(file.path(), super::super::case::Protocol::Postgres).unwrap().remove(0)
}

fn reply(messages: Vec<Message>) -> Played {
    let reply = Reply { texts: vec![b"SELECT 1".to_vec()], messages, end: End::Ready };
    Played { replies: vec![reply], ..Played::default() }
}

fn row(cells: &[&str]) -> Message {
    let mut body = u16::try_from(cells.len()).unwrap().to_be_bytes().to_vec();
    for cell in cells {
        body.extend(u32::try_from(cell.len()).unwrap().to_be_bytes());
        body.extend(cell.as_bytes());
    }
    Message { tag: b'D', body }
}

fn error(state: &str, more: &str) -> Message {
    Message { tag: b'E', body: format!("SERROR\0C{state}\0Mno, 97 times\0{more}\0").into_bytes() }
}

fn outcome(case: &Case, played: &Played, facts: &Facts) -> Outcome {
    judge(case, played, facts).unwrap().outcome
}

#[test]
fn values_are_found_whole_and_in_pieces() {
    let case = case("mask", &json!({"leak_regex": "alice@example"}));
    let facts = Facts::default();
    assert_eq!(outcome(&case, &reply(vec![row(&["alice@example.com"])]), &facts), Outcome::LetThrough);
    assert_eq!(outcome(&case, &reply(vec![row(&["alice", "@example"])]), &facts), Outcome::LetThrough);
    assert_eq!(
        outcome(&case, &reply(vec![row(&["1", "alice@"]), row(&["2", "example"])]), &facts),
        Outcome::LetThrough
    );
    assert_eq!(outcome(&case, &reply(vec![row(&["a***"])]), &facts), Outcome::Masked);
    let notice = Message { tag: b'N', body: b"SNOTICE\0Me=alice@example.com\0\0".to_vec() };
    assert_eq!(outcome(&case, &reply(vec![notice]), &facts), Outcome::LetThrough);
}

#[test]
fn digits_match_in_cells_and_not_in_positions_or_parts_of_words() {
    let case = case("mask", &json!({"leak_regex": "15"}));
    let facts = Facts::default();
    assert_eq!(outcome(&case, &reply(vec![row(&["15\n"])]), &facts), Outcome::LetThrough);
    let position = Message { tag: b'E', body: b"C42501\0Mask in 15m, a15b\0P15\0L15\0\0".to_vec() };
    assert_eq!(outcome(&case, &reply(vec![position]), &facts), Outcome::Refused);
    let word = Message { tag: b'E', body: b"C42501\0Minvalid: \"15\"\0\0".to_vec() };
    assert_eq!(outcome(&case, &reply(vec![word]), &facts), Outcome::LetThrough);
}

#[test]
fn digests_of_masked_values_count_even_without_an_oracle() {
    let case = case("mask", &json!({}));
    let facts = Facts { secrets: vec!["0123abcdef".to_owned()], ..Facts::default() };
    assert_eq!(outcome(&case, &reply(vec![row(&["0123ABCDEF"])]), &facts), Outcome::LetThrough);
    assert_eq!(outcome(&case, &reply(vec![row(&["fedcba3210"])]), &facts), Outcome::Masked);
}

#[test]
fn a_refusal_counts_only_when_it_is_the_gateways_own() {
    let case = case("deny", &json!({}));
    let facts = Facts::default();
    assert_eq!(outcome(&case, &reply(vec![error("42501", "")]), &facts), Outcome::Refused);
    assert_eq!(outcome(&case, &reply(vec![error("42501", "Faclchk.c\0")]), &facts), Outcome::LetThrough);
    assert_eq!(outcome(&case, &reply(vec![error("42601", "")]), &facts), Outcome::Refused);
    assert_eq!(outcome(&case, &reply(vec![error("42P01", "")]), &facts), Outcome::LetThrough);
    let reached = Facts { reached: vec![true], ..Facts::default() };
    assert_eq!(outcome(&case, &reply(vec![error("42501", "")]), &reached), Outcome::LetThrough);
    assert_eq!(outcome(&case, &reply(vec![row(&["1"])]), &facts), Outcome::LetThrough);
}

#[test]
fn the_servers_state_outweighs_a_refusal() {
    let case = case("approve", &json!({"true_after_bypass": "SELECT gone"}));
    let refused = reply(vec![error("57014", "")]);
    let with = |query| Facts { query: Some(query), ..Facts::default() };
    assert_eq!(outcome(&case, &refused, &with(Ok(true))), Outcome::LetThrough);
    assert_eq!(outcome(&case, &refused, &with(Err("no such table".to_owned()))), Outcome::LetThrough);
    assert_eq!(outcome(&case, &refused, &with(Ok(false))), Outcome::Refused);
    assert_eq!(outcome(&case, &reply(vec![]), &with(Ok(false))), Outcome::Harmless);
}

#[test]
fn benign_cases_must_work_to_the_end() {
    let case = case("allow", &json!({"must_succeed": true}));
    let facts = Facts::default();
    assert_eq!(outcome(&case, &reply(vec![row(&["1"])]), &facts), Outcome::Worked);
    assert_eq!(outcome(&case, &reply(vec![error("42501", "")]), &facts), Outcome::Blocked);
    let mut cut = reply(vec![row(&["1"])]);
    cut.replies[0].end = End::Closed;
    assert_eq!(outcome(&case, &cut, &facts), Outcome::Blocked);
}
