//! Tokens and keys by their prefixes, AWS key ids, JSON Web Tokens.

use super::Found;
use super::bytes::{before, byte, left_free, looked_at, right_free};
use super::{dotted, pem};
use crate::detector::{Detector, DetectorSet};

/// A token's prefix, where in it the anchor (`_` or `-`) stands, and the fewest bytes that must follow.
struct Prefix {
    text: &'static [u8],
    anchor: usize,
    least: usize,
    detector: Detector,
}

const fn prefix(text: &'static [u8], least: usize, detector: Detector) -> Prefix {
    let mut anchor = 0;
    while anchor < text.len() && text[anchor] != b'_' && text[anchor] != b'-' {
        anchor += 1;
    }
    Prefix { text, anchor, least, detector }
}

/// The minimum is what a truncated token still has, not the issued length: a gateway would rather hide a stump.
/// GitHub's checksum tail is not asked for, for the same reason.
static PREFIXES: [Prefix; 41] = [
    prefix(b"ghp_", 20, Detector::GithubToken),
    prefix(b"gho_", 20, Detector::GithubToken),
    prefix(b"ghu_", 20, Detector::GithubToken),
    prefix(b"ghs_", 20, Detector::GithubToken),
    prefix(b"ghr_", 20, Detector::GithubToken),
    prefix(b"github_pat_", 20, Detector::GithubToken),
    prefix(b"sk_live_", 10, Detector::ApiKey),
    prefix(b"sk_test_", 10, Detector::ApiKey),
    prefix(b"rk_live_", 10, Detector::ApiKey),
    prefix(b"rk_test_", 10, Detector::ApiKey),
    prefix(b"whsec_", 20, Detector::ApiKey),
    prefix(b"xoxb-", 10, Detector::ApiKey),
    prefix(b"xoxp-", 10, Detector::ApiKey),
    prefix(b"xoxa-", 10, Detector::ApiKey),
    prefix(b"xoxr-", 10, Detector::ApiKey),
    prefix(b"xoxs-", 10, Detector::ApiKey),
    prefix(b"xoxe-", 10, Detector::ApiKey),
    prefix(b"xoxc-", 10, Detector::ApiKey),
    prefix(b"xoxd-", 10, Detector::ApiKey),
    prefix(b"xapp-", 10, Detector::ApiKey),
    prefix(b"glpat-", 16, Detector::ApiKey),
    prefix(b"gldt-", 16, Detector::ApiKey),
    prefix(b"glrt-", 16, Detector::ApiKey),
    prefix(b"npm_", 30, Detector::ApiKey),
    prefix(b"pypi-AgE", 20, Detector::ApiKey),
    prefix(b"rubygems_", 40, Detector::ApiKey),
    prefix(b"dckr_pat_", 20, Detector::ApiKey),
    prefix(b"dop_v1_", 40, Detector::ApiKey),
    prefix(b"doo_v1_", 40, Detector::ApiKey),
    prefix(b"dor_v1_", 40, Detector::ApiKey),
    prefix(b"AGE-SECRET-KEY-1", 20, Detector::ApiKey),
    prefix(b"shpat_", 20, Detector::ApiKey),
    prefix(b"shpss_", 20, Detector::ApiKey),
    prefix(b"hf_", 30, Detector::ApiKey),
    prefix(b"sk-ant-", 20, Detector::ApiKey),
    prefix(b"sk-proj-", 20, Detector::ApiKey),
    prefix(b"sk-svcacct-", 20, Detector::ApiKey),
    prefix(b"sk-admin-", 20, Detector::ApiKey),
    prefix(b"lin_api_", 20, Detector::ApiKey),
    prefix(b"pat-na1-", 20, Detector::ApiKey),
    prefix(b"key-live_", 20, Detector::ApiKey),
];

/// Bytes of a Google API key after `AIza`.
const GOOGLE: usize = 35;
/// Bytes of an AWS key id after its four-letter prefix.
const AWS: usize = 16;
/// Longest header part of a JSON Web Token that is decoded. Real ones have a few dozen bytes; certificates in a header a
/// thousand or two.
pub(super) const JWT_HEADER: usize = 4096;
/// Shortest header part: `{"alg":1}` in base64.
const JWT_LEAST_HEADER: usize = 12;
/// Fewest bytes after the header's dot.
const JWT_LEAST_REST: usize = 8;

/// Bytes of a token after its prefix.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Bytes of a JSON Web Token after its header.
pub(crate) const fn is_jwt_byte(byte: u8) -> bool {
    is_token_byte(byte) || byte == b'.'
}

/// Looks at `_`, `-`, `A`, `G`, `J`, `T` or `v`; returns where to go on.
#[inline(never)]
pub(super) fn at_key(bytes: &[u8], at: usize, set: DetectorSet, found: &mut Found<'_>) -> usize {
    match byte(bytes, at) {
        b'A' => at_capital_a(bytes, at, set, found),
        b'J' => {
            if set.contains(Detector::Jwt) {
                jwt(bytes, at, found);
            }
        }
        b'G' | b'T' | b'v' => {
            if set.contains(Detector::ApiKey) {
                dotted::at_letter(bytes, at, found);
            }
        }
        mark => {
            if mark == b'-'
                && set.contains(Detector::Pem)
                && let Some(header_end) = pem::header_end(bytes, at)
                && header_end > found.pem_end
            {
                (found.pem_end, found.pem_tail) = pem::block_end(bytes, header_end);
                found.add(Detector::Pem, at..found.pem_end);
            }
            // The byte before an anchor is one of these in every prefix, which rules out dates and most identifiers.
            if matches!(before(bytes, at, 1), b'a'..=b'z' | b'E') && set.intersects(DetectorSet::SECRET) {
                token(bytes, at, set, found);
            }
        }
    }
    at + 1
}

fn token(bytes: &[u8], anchor: usize, set: DetectorSet, found: &mut Found<'_>) {
    let last = before(bytes, anchor, 1);
    for prefix in &PREFIXES {
        if prefix.text.get(prefix.anchor - 1) != Some(&last) || !set.contains(prefix.detector) {
            continue;
        }
        let Some(start) = anchor.checked_sub(prefix.anchor) else {
            continue;
        };
        let body = start + prefix.text.len();
        if start < found.token_end || bytes.get(start..body) != Some(prefix.text) || !left_free(bytes, start) {
            continue;
        }
        let end = run_end(bytes, body, is_token_byte);
        if end - body >= prefix.least {
            found.token_end = end;
            found.add(prefix.detector, start..end);
        }
    }
}

/// Whether `rest`, all of it token bytes from where a token may start on, may become a token or key of the set; if its prefix is
/// whole, with the length of the prefix.
pub(super) fn begins(rest: &[u8], set: DetectorSet) -> Option<Option<usize>> {
    let mut partly = false;
    for prefix in PREFIXES.iter().filter(|prefix| set.contains(prefix.detector)) {
        if rest.starts_with(prefix.text) {
            return Some(Some(prefix.text.len()));
        }
        partly |= prefix.text.starts_with(rest);
    }
    let body = |known: &[&[u8]], most: usize, fits: fn(&u8) -> bool| match rest.split_at_checked(4) {
        Some((head, body)) => (known.contains(&head) && body.len() <= most && body.iter().all(fits)).then_some(Some(4)),
        None => known.iter().any(|known| known.starts_with(rest)).then_some(None),
    };
    let capital = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let aws = || body(&[b"AKIA", b"ASIA", b"ABIA", b"ACCA"], AWS, capital);
    let google = || body(&[b"AIza"], GOOGLE, |byte| is_token_byte(*byte));
    set.contains(Detector::AwsKey)
        .then(aws)
        .flatten()
        .or_else(|| set.contains(Detector::ApiKey).then(google).flatten())
        .or(partly.then_some(None))
}

/// End of the run of bytes that `belongs` accepts.
pub(super) fn run_end(bytes: &[u8], start: usize, belongs: fn(u8) -> bool) -> usize {
    let run = bytes.get(start..).map_or(0, |rest| rest.iter().take_while(|byte| belongs(**byte)).count());
    looked_at(run);
    start + run
}

/// AWS and Google keys, and JWTs whose header begins with `{` and a space.
fn at_capital_a(bytes: &[u8], at: usize, set: DetectorSet, found: &mut Found<'_>) {
    if before(bytes, at, 1) == b'y' && set.contains(Detector::Jwt) {
        jwt(bytes, at, found);
    }
    if before(bytes, at, 1) == b':' && set.contains(Detector::ApiKey) {
        dotted::at_bot(bytes, at, found);
    }
    let Some(prefix) = bytes.get(at..at + 4) else {
        return;
    };
    let body = bytes.get(at + 4..).unwrap_or_default();
    if matches!(prefix, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA") && set.contains(Detector::AwsKey) {
        let fits = body
            .get(..AWS)
            .is_some_and(|body| body.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        if fits && left_free(bytes, at) && right_free(bytes, at + 4 + AWS) {
            found.add(Detector::AwsKey, at..at + 4 + AWS);
        }
    } else if prefix == b"AIza" && set.contains(Detector::ApiKey) {
        let fits = body.get(..GOOGLE).is_some_and(|body| body.iter().all(|byte| is_token_byte(*byte)));
        if fits && left_free(bytes, at) && right_free(bytes, at + 4 + GOOGLE) {
            found.add(Detector::ApiKey, at..at + 4 + GOOGLE);
        }
    }
}

/// A JSON Web Token whose first three bytes end at `third`: `eyJ` is `{"`, `eyA` is `{ ` in base64. The header must decode to
/// text in braces; what follows its dot may have any number of parts, as encrypted and cut tokens do.
fn jwt(bytes: &[u8], third: usize, found: &mut Found<'_>) {
    let Some(start) = third.checked_sub(2) else {
        return;
    };
    if start < found.jwt_end || bytes.get(start..third) != Some(b"ey") {
        return;
    }
    // Only at the start of a run, so that no run is decoded from each of its bytes.
    let previous = before(bytes, start, 1);
    if is_token_byte(previous) && !(previous.is_ascii_alphanumeric() && left_free(bytes, start)) {
        return;
    }
    let limit = bytes.len().min(start + JWT_HEADER + 1);
    let dot = bytes.get(..limit).map_or(start, |bytes| run_end(bytes, start, is_token_byte));
    if byte(bytes, dot) != b'.' || !(JWT_LEAST_HEADER..=JWT_HEADER).contains(&(dot - start)) {
        return;
    }
    if !bytes.get(start..dot).is_some_and(is_json_object) {
        return;
    }
    let run = run_end(bytes, dot + 1, is_jwt_byte);
    let dots = bytes.get(dot + 1..run).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'.').count();
    let end = run - dots;
    if end - dot > JWT_LEAST_REST {
        (found.jwt_end, found.jwt_run) = (end, run);
        found.add(Detector::Jwt, start..end);
    }
}

/// Whether unpadded base64url text decodes to something in braces without control bytes other than white space.
fn is_json_object(text: &[u8]) -> bool {
    looked_at(text.len());
    let mut last = 0;
    let mut first = true;
    for quad in text.chunks(4) {
        let mut bits = 0_u32;
        for byte in quad {
            bits = bits << 6 | u32::from(sextet(*byte));
        }
        bits <<= 6 * (4 - quad.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        for byte in decoded.into_iter().take(quad.len() * 3 / 4) {
            if first && byte != b'{' || byte < b' ' && !byte.is_ascii_whitespace() {
                return false;
            }
            first = false;
            last = if byte.is_ascii_whitespace() { last } else { byte };
        }
    }
    last == b'}' && text.len() % 4 != 1
}

/// The six bits of a base64url letter; 0 for any other byte, which callers have excluded.
const fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => 0,
    }
}
