//! The hand-written scan against plain regular expressions and validators: the same spans, on generated data with planted values,
//! near misses and hostile neighbours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

mod oracle;

use proptest::prelude::*;
use sallyport_mask::{Detector, DetectorSet, Hit, MaskKey, Masker, StreamScanner, Style, scan};

fn found(bytes: &[u8], set: DetectorSet) -> Vec<Hit> {
    let mut hits = Vec::new();
    scan(bytes, set, &mut hits);
    hits
}

#[track_caller]
fn same(bytes: &[u8], set: DetectorSet) {
    assert_eq!(found(bytes, set), oracle::scan(bytes, set), "{:?} {set:?}", String::from_utf8_lossy(bytes));
}

/// Values of every kind, in the forms they are written in.
const VALUES: &[&str] = &[
    "4111111111111111",
    "4111 1111 1111 1111",
    "5555-5555-5555-4444",
    "378282246310005",
    "3782 822463 10005",
    "30569309025904",
    "4222222222222",
    "6011111111111117",
    "6304000000000000000",
    "DE89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "no9386011117947",
    "alice@example.com",
    "a.b+c@sub.example.co.uk",
    "jürgen@müller.de",
    "a@b.рф",
    "alice%40example.com",
    "q%3Dalice%2540sub.example%2Ecom",
    "+14155550132",
    "+1 (415) 555-0132",
    "+49 (0)30 1234567",
    "+33.1.23.45.67.89",
    "(415) 555-0132",
    "(030) 1234 5678",
    "415-555-0132",
    "1-800-555-0199",
    "415 555 0132",
    "01 23 45 67 89",
    "020 7946 0958",
    "0171/1234567",
    "0171-1234567",
    "090-1234-5678",
    "138 0013 8000",
    "123-45-6789",
    "123 45 6789",
    "10.1.2.3",
    "255.255.255.255",
    "::1",
    "fe80::1",
    "2001:db8:0:0:0:0:0:1",
    "::ffff:10.1.2.3",
    "1:2:3:4:5:6:10.1.2.3",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "eyJhbGciOiJkaXIifQ..aaaaaaaa.bbbb",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "xoxb-123456789012-abcdefghijkl",
    "SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc",
    "hvs.CAESIJlBf0wW3iwoG9WxXwuq7",
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-",
    "hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "-----BEGIN PRIVATE KEY-----\nMIIE+/=\n-----END PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----\\nMIIE",
];

/// Honest values and near misses.
const OTHERS: &[&str] = &[
    "4111111111111112",
    "2026-11-21 01:40:54.123456+00",
    "550e8400-e29b-41d4-a716-446655440000",
    "1.2.3",
    "v1.2.3.4",
    "256.1.1.1",
    "000-12-3456",
    "-----BEGIN CERTIFICATE-----",
    "-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "eyJ",
    "eyJhbGciOiJIUzI1NiJ9",
    "ghp_",
    "SG.",
    "hvb.short",
    "bot12345678:AA",
    "hooks.slack.com/services/T0/B0/",
    "DE88370400440532013000",
    "user@host",
    "getty@tty1.service",
    "a@b.com.socket",
    "icon@2x.png",
    "x@y.target",
    "a::b",
    "12",
    "4",
    "0",
    "123",
    "4111",
    "1111",
    "822463",
    "01",
    "030",
];

/// What may stand between and around values.
const JOINTS: &[&str] = &[
    "", "", "", " ", " ", "-", ".", "/", ":", "::", ",", "_", "@", "+", "(", ")", "\"", "'", "\\", "\\n", "\\\\n",
    "\\b", "\\u00e9", "x", "ext", "e", "A", "1", "0", "é", "€", "\t", "\n", "\0", "=", "{", "}", "--", "-----", "END",
    "%", "%20", "%3D", "%C3", "%E9", "%2541", "%253D", "%40", "%2E", "%252e", "%4", "B", "%B", "^", "%5E", "%255e",
    "PAN", "card", "aPAN",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(VALUES).prop_map(|text| text.as_bytes().to_vec()),
        3 => proptest::sample::select(OTHERS).prop_map(|text| text.as_bytes().to_vec()),
        6 => proptest::sample::select(JOINTS).prop_map(|text| text.as_bytes().to_vec()),
        1 => "[0-9]{1,20}".prop_map(String::into_bytes),
        1 => "[0-9 ./()+-]{1,24}".prop_map(String::into_bytes),
        1 => "[0-9a-f:.]{1,40}".prop_map(String::into_bytes),
        1 => "[a-zA-Z0-9._@-]{1,80}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..6),
    ];
    let pieces = proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat());
    // Sometimes one byte is changed, which makes near misses nobody thought of.
    (pieces, proptest::option::weighted(0.4, (any::<proptest::sample::Index>(), any::<u8>()))).prop_map(
        |(mut bytes, change)| {
            if let Some((index, byte)) = change
                && !bytes.is_empty()
            {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

fn sets() -> impl Strategy<Value = DetectorSet> {
    prop_oneof![
        3 => Just(DetectorSet::ALL),
        2 => proptest::sample::select(Detector::ALL.to_vec()).prop_map(DetectorSet::from),
        1 => proptest::sample::subsequence(Detector::ALL.to_vec(), 0..=Detector::ALL.len()).prop_map(DetectorSet::from_iter),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn spans_are_the_oracle_s(bytes in text(), set in sets()) {
        prop_assert_eq!(found(&bytes, set), oracle::scan(&bytes, set), "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn hits_are_sorted_disjoint_and_leave_utf8_whole(bytes in text(), set in sets()) {
        let hits = found(&bytes, set);
        prop_assert!(hits.iter().all(|hit| hit.range.start < hit.range.end && hit.range.end <= bytes.len()));
        prop_assert!(hits.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
        if let Ok(text) = str::from_utf8(&bytes) {
            prop_assert!(hits.iter().all(|hit| text.get(hit.range.clone()).is_some()), "{text:?}");
        }
    }

    #[test]
    fn a_stream_in_pieces_is_the_whole(bytes in text(), cuts in proptest::collection::vec(1..40_usize, 1..6), set in sets()) {
        let masker = Masker::new(&MaskKey::new([3; 32]));
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        masker.detected(Style::Redact, &found(&bytes, set), &bytes, &mut whole);
        let mut scanner = StreamScanner::new(masker, set, Style::Redact);
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            scanner.push(piece, &mut pieces);
            rest = after;
        }
        scanner.finish(&mut pieces);
        prop_assert_eq!(joined(&pieces), joined(&whole), "{:?}", String::from_utf8_lossy(&bytes));
    }
}

/// Replacements side by side as one: a stream may have replaced a value before it sees that another overlaps it.
fn joined(masked: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(masked).into_owned();
    while text.contains("[redacted][redacted]") {
        text = text.replace("[redacted][redacted]", "[redacted]");
    }
    text
}

#[test]
fn every_value_at_every_place() {
    for value in VALUES.iter().chain(OTHERS) {
        for left in JOINTS {
            for right in JOINTS {
                same(format!("{left}{value}{right}").as_bytes(), DetectorSet::ALL);
            }
        }
    }
}

#[test]
fn every_two_values_side_by_side() {
    for joint in [" ", "-", ".", ",", ""] {
        for first in VALUES.iter().chain(OTHERS) {
            for second in VALUES {
                same(format!("{first}{joint}{second}").as_bytes(), DetectorSet::ALL);
            }
        }
    }
}

#[test]
fn long_chains_of_groups() {
    for count in 1..24 {
        for tail in ["4111 1111 1111 1111", "415 555 0132", "10.1.2.3", "123 45 6789", "01 23 45 67 89"] {
            for group in ["7 ", "12-", "1.", "4111 ", "01 "] {
                same(format!("{}{tail}", group.repeat(count)).as_bytes(), DetectorSet::ALL);
                same(format!("{tail} {}", group.repeat(count)).as_bytes(), DetectorSet::ALL);
            }
        }
    }
}
