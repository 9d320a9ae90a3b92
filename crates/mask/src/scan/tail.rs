//! What the end of a text may still become: how much of it must wait for more, and how much of that is doubtful.

use super::bytes::{self, before, left_free, may_be};
use super::secret::{self, is_jwt_byte, is_token_byte};
use super::{card, dotted, email, iban};
use crate::detector::{Detector, DetectorSet};

/// The longest e-mail address: a local part, the `@` and a domain, and what is looked at around them.
const EMAIL: usize = 400;
/// The longest IPv6 address with what is looked at around it.
const ADDRESS: usize = 80;
/// The longest number in groups, with separators and what is looked at around it: a card of 19 digits, a telephone number with
/// an extension.
const NUMBER: usize = 64;
/// The longest IBAN in groups of four.
const IBAN: usize = 48;
/// The longest header of a PEM block.
const PEM: usize = 96;
/// Digits after which a number that can be a card is doubtful: more than an issuer's range has, fewer than any card.
const DOUBTFUL_DIGITS: usize = 8;
/// Letters and digits after which what can be an IBAN is doubtful: country, check digits and a bank.
const DOUBTFUL_IBAN: usize = 8;

/// Where the end of `text` begins that may still become a value, or change whether one is there. What is before has been decided.
pub(crate) fn undecided(text: &[u8], set: DetectorSet) -> usize {
    let mut from = text.len();
    let mut take = |start: Option<usize>| from = start.map_or(from, |start| from.min(start));
    if set.intersects(DetectorSet::SECRET) {
        take(token(text, set).map(|(start, _)| start));
        // A command line that reaches the right margin goes on after a space and a carriage return.
        if let Some(text) = text.strip_suffix(b" ") {
            take(token(text, set).map(|(start, _)| start));
        }
        take(pem(text));
    }
    if set.contains(Detector::Email) {
        take(run(text, EMAIL, |byte| byte == b'@' || may_be(byte, bytes::LOCAL | bytes::LABEL)));
    }
    if set.contains(Detector::Ip) {
        take(run(text, ADDRESS, |byte| may_be(byte, bytes::ADDRESS)));
    }
    if set.contains(Detector::Card)
        || set.contains(Detector::Phone)
        || set.contains(Detector::Ssn)
        || set.contains(Detector::Ip)
    {
        take(number(text));
    }
    if set.contains(Detector::Card) {
        take(track(text));
    }
    if set.contains(Detector::Iban) {
        take(iban_start(text).map(|(start, _)| start));
    }
    from
}

/// Where a part of the undecided end begins that is more likely than not part of a value; `fresh` is where the bytes begin that
/// nobody has seen.
pub(crate) fn doubtful(text: &[u8], fresh: usize, set: DetectorSet) -> Option<usize> {
    let mut from: Option<usize> = None;
    let mut take = |start: Option<usize>| {
        if let Some(start) = start {
            from = Some(from.map_or(start, |from| from.min(start)));
        }
    };
    if set.intersects(DetectorSet::SECRET) {
        take(token(text, set).and_then(|(_, body)| body));
    }
    if set.contains(Detector::Email) {
        take(email_with_host(text, fresh));
    }
    if set.contains(Detector::Card) {
        take(long_number(text, fresh));
    }
    if set.contains(Detector::Iban) {
        take(iban_start(text).filter(|(_, count)| *count > DOUBTFUL_IBAN).map(|(start, _)| start));
    }
    from
}

/// The start of the run of bytes at the end that `belongs` accepts, at most so many; none if it is empty.
fn run(text: &[u8], most: usize, belongs: impl Fn(u8) -> bool) -> Option<usize> {
    let length = text.iter().rev().take(most).take_while(|byte| belongs(**byte)).count();
    (length > 0).then(|| text.len() - length)
}

/// The first place in the last run of token bytes where a token may have begun, and where its body begins if its prefix is
/// whole.
fn token(text: &[u8], set: DetectorSet) -> Option<(usize, Option<usize>)> {
    let word = run(text, usize::MAX, is_token_byte).unwrap_or(text.len());
    let parts = if set.contains(Detector::ApiKey) { dotted::begins(text, word) } else { None };
    let whole = in_run(text, word, set);
    match (parts, whole) {
        (Some(parts), Some(whole)) => {
            let body = parts.1.into_iter().chain(whole.1).min();
            Some((parts.0.min(whole.0), body))
        }
        (parts, whole) => parts.or(whole),
    }
}

/// The same for those that are all of one run of token bytes and dots, which ends with the bytes from `word` on.
fn in_run(text: &[u8], word: usize, set: DetectorSet) -> Option<(usize, Option<usize>)> {
    let start = run(text, usize::MAX, is_jwt_byte)?;
    let at = |at: usize| {
        // Inside of a JSON Web Token nothing else begins before its end.
        let previous = before(text, at, 1);
        let starts = !is_token_byte(previous) || (previous.is_ascii_alphanumeric() && left_free(text, at));
        if set.contains(Detector::Jwt) && starts {
            let rest = text.get(at..).unwrap_or_default();
            if rest.starts_with(b"eyJ") || rest.starts_with(b"eyA") {
                return Some((at, Some(at + 3)));
            }
            if at >= word && b"ey".starts_with(rest) {
                return Some((at, None));
            }
        }
        if !left_free(text, at) {
            return None;
        }
        let rest = text.get(at..).unwrap_or_default();
        let dotted = || set.contains(Detector::ApiKey).then(|| dotted::begins_dotted(rest)).flatten();
        let found = (at >= word).then(|| secret::begins(rest, set)).flatten().or_else(dotted);
        found.map(|body| (at, body.map(|body| at + body)))
    };
    (start..text.len()).find_map(at)
}

/// The start of what may be the header of a private key.
fn pem(text: &[u8]) -> Option<usize> {
    let from = text.len().saturating_sub(PEM);
    (from..text.len()).find(|at| {
        let rest = text.get(*at..).unwrap_or_default();
        match rest.strip_prefix(b"-----BEGIN ") {
            None => b"-----BEGIN ".starts_with(rest),
            Some(label) => {
                let letters = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ';
                let dashes = label.get(label.iter().take_while(letters).count()..).unwrap_or_default();
                dashes.len() < 5 && dashes.iter().all(|byte| *byte == b'-')
            }
        }
    })
}

/// The start of the groups of digits at the end, joined as numbers are. An `e` or `ex` after them may begin `ext`.
fn number(text: &[u8]) -> Option<usize> {
    let text = text.strip_suffix(b"e").or_else(|| text.strip_suffix(b"ex")).unwrap_or(text);
    let mut start = text.len();
    let mut first = None;
    while start > 0 && text.len() - start < NUMBER {
        match before(text, start, 1) {
            b'0'..=b'9' | b'+' | b'(' => first = Some(start - 1),
            b' ' if before(text, start, 2) == b' ' => break,
            b' ' | b'-' | b'.' | b'/' | b')' => {}
            _ => break,
        }
        start -= 1;
    }
    first
}

/// The start of the digits of a magnetic stripe's track, when their caret is escaped and not whole yet.
fn track(text: &[u8]) -> Option<usize> {
    let escape = (1..=4).filter_map(|length| text.split_at_checked(text.len().checked_sub(length)?));
    let digits = escape.filter(|(_, escape)| b"%255".starts_with(escape) || *escape == b"%5").map(|(digits, _)| digits);
    digits.filter_map(number).find(|start| card::is_track(text, *start))
}

/// A number at the end that is as long as no ordinary one and begins as cards do. Where the reader has seen its beginning, the
/// rest.
fn long_number(text: &[u8], fresh: usize) -> Option<usize> {
    let start = number(text)?;
    let groups = start..text.len();
    let begins = |at: &usize| card::may_stand(text, *at) && before(text, *at, 1) != b'.' && card::may_begin(text, *at);
    let first = groups.clone().find(begins)?;
    let digits: Vec<usize> = (first..text.len()).filter(|at| text.get(*at).is_some_and(u8::is_ascii_digit)).collect();
    let doubtful = digits.get(DOUBTFUL_DIGITS - 1)?;
    Some(if first >= fresh { first } else { *doubtful })
}

/// An address whose local part nobody has seen yet. One that was typed letter by letter (`ssh root@web`) is shown until it is
/// certain: its beginning is known already.
fn email_with_host(text: &[u8], fresh: usize) -> Option<usize> {
    let start = run(text, EMAIL, |byte| byte == b'@' || may_be(byte, bytes::LOCAL | bytes::LABEL))?;
    let word = text.get(start..)?;
    let sign = (0..word.len()).find(|at| email::sign(word, *at).is_some())?;
    (start >= fresh && sign > 0 && sign + email::sign(word, sign)? < word.len()).then_some(start)
}

/// The start of what may become an IBAN, and how many letters and digits of it are there.
fn iban_start(text: &[u8]) -> Option<(usize, usize)> {
    let from = text.len().saturating_sub(IBAN);
    (from..text.len()).find_map(|at| Some((at, iban::begins(text, at)?)))
}
