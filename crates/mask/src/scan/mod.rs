//! The one-pass matcher: a table says at which bytes something may begin, and one small function per anchor looks there.
//!
//! | file | anchor | finds |
//! |---|---|---|
//! | `number.rs` | first digit of a group, or `%` of an escape before it | the groups joined by ` -./`, handed to `card.rs`, `phone.rs`, SSN and IPv4 |
//! | `phone.rs` | `+`, `(`, groups | telephone numbers |
//! | `iban.rs` | first digit of a group after two letters | IBANs |
//! | `email.rs` | `@`, or `%` of `%40` | e-mail addresses |
//! | `ipv6.rs` | `:` | IPv6 addresses |
//! | `secret.rs`, `pem.rs` | `_ - A J` | tokens, keys, JWTs, PEM blocks |
//! | `dotted.rs` | `G T v`, `A` after `:` | keys of several parts |
//! | `tail.rs` | the end | what may still become a value when more follows |
//!
//! Every function looks a bounded distance around its anchor, or consumes what it walked over, so the whole is linear.
//! An anchor is examined whatever was found before it: which hits are found never depends on the order of looking.

mod bytes;
mod card;
mod dotted;
mod email;
mod iban;
mod ipv6;
mod number;
mod pem;
mod phone;
mod secret;
mod tail;

use std::ops::Range;

use crate::detector::{Detector, DetectorSet};
pub(crate) use pem::{Step as PemStep, Tail as PemTail};
pub(crate) use secret::{is_jwt_byte, is_token_byte};
pub(crate) use tail::{doubtful, undecided};

use bytes::{ANCHOR, AT, COLON, DIAL, DIGIT, KEY};

/// One found value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What it is. Where values of several kinds overlap they are one hit, named after the one that starts first (of
    /// those, the first in [`Detector::ALL`]).
    pub detector: Detector,
    /// Where it is, in bytes. Never empty; on character boundaries when the input is UTF-8.
    pub range: Range<usize>,
}

/// Finds every value of the kinds in `set`. Replaces the contents of `hits`, which are then sorted and disjoint.
///
/// Takes any bytes, whether UTF-8 or not, in time linear in their number. Allocates only when `hits` has to grow.
pub fn scan(bytes: &[u8], set: DetectorSet, hits: &mut Vec<Hit>) {
    scan_open(bytes, set, hits);
}

/// Kinds without a longest length whose last value reaches the end of the bytes, and so may go on after it.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) token: bool,
    pub(crate) jwt: bool,
    pub(crate) pem: Option<PemTail>,
}

/// [`scan`], for bytes that are not the last.
///
/// What looks at digits and keys is never inlined: in a short cell there are none, and the way in and out of this function is
/// what it costs.
pub(crate) fn scan_open(bytes: &[u8], set: DetectorSet, hits: &mut Vec<Hit>) -> Open {
    hits.clear();
    let mut found =
        Found { hits, token_end: 0, part_end: 0, jwt_end: 0, jwt_run: 0, pem_end: 0, pem_tail: PemTail::default() };
    let mask = anchors_of(set);
    let mut at = 0;
    while let Some(next) = next_anchor(bytes, at, mask) {
        at = match class(bytes::byte(bytes, next)) {
            DIGIT => number::at_digit(bytes, next, set, &mut found),
            AT => email::at_sign(bytes, next, 1, &mut found),
            COLON => ipv6::at_colon(bytes, next, &mut found),
            DIAL => phone::at_dial(bytes, next, &mut found),
            KEY => secret::at_key(bytes, next, set, &mut found),
            _ => at_percent(bytes, next, set, &mut found),
        };
    }
    let reaches = |end: usize| end == bytes.len() && end > 0;
    Open {
        token: reaches(found.token_end) || reaches(found.part_end),
        jwt: reaches(found.jwt_run),
        pem: reaches(found.pem_end).then_some(found.pem_tail),
    }
}

/// Looks at a `%`, which may begin the escape of an at sign or of what stands before a number; returns where to go on.
#[cold]
fn at_percent(bytes: &[u8], at: usize, set: DetectorSet, found: &mut Found<'_>) -> usize {
    if let Some((escaped, length)) = bytes::percent(bytes, at) {
        if escaped == b'@' && set.contains(Detector::Email) {
            email::at_sign(bytes, at, length, found);
        }
        // `%25` may be the sign itself, and the digits after it no escape's.
        for start in [at + 3, at + length] {
            number::after_escape(bytes, start, set, found);
        }
    }
    at + 1
}

/// Which anchors matter to `set`.
fn anchors_of(set: DetectorSet) -> u8 {
    const NUMBERS: DetectorSet = DetectorSet::EMPTY
        .with(Detector::Card)
        .with(Detector::Iban)
        .with(Detector::Phone)
        .with(Detector::Ssn)
        .with(Detector::Ip);
    let class = |wanted: bool, class: u8| if wanted { class } else { 0 };
    class(set.intersects(NUMBERS), DIGIT)
        | class(set.contains(Detector::Email), AT)
        | class(set.contains(Detector::Ip), COLON)
        | class(set.contains(Detector::Phone), DIAL)
        | class(set.intersects(DetectorSet::SECRET), KEY)
}

/// Bytes looked at one by one before eight at a time: in a short cell the next anchor is near.
const NEAR: usize = 16;

/// The next byte at or after `from` whose class is in `mask`. Eight table look-ups are joined by OR, which has no branch to
/// mispredict and is what makes long text fast.
#[inline]
fn next_anchor(bytes: &[u8], from: usize, mask: u8) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let is_anchor = |byte: &u8| class(*byte) & mask != 0;
    let (near, far) = rest.split_at_checked(NEAR).unwrap_or((rest, &[]));
    if let Some(inside) = near.iter().position(is_anchor) {
        return Some(from + inside);
    }
    let from = from + near.len();
    let (eights, tail) = far.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        if eight.iter().fold(0, |all, byte| all | class(*byte)) & mask != 0 {
            let inside = eight.iter().position(is_anchor)?;
            return Some(from + index * 8 + inside);
        }
    }
    let inside = tail.iter().position(is_anchor)?;
    Some(from + eights.len() * 8 + inside)
}

/// The anchor class of a byte.
#[inline]
fn class(byte: u8) -> u8 {
    ANCHOR.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Collects hits and keeps them sorted and disjoint.
struct Found<'a> {
    hits: &'a mut Vec<Hit>,
    /// End of the last run of token bytes taken as a token. Its inside is not walked again, which keeps the scan linear.
    token_end: usize,
    /// End of the last part of a key of several parts. It may have another token inside, which names it.
    part_end: usize,
    /// End of the last JSON Web Token, as for a token.
    jwt_end: usize,
    /// The same with the dots after it, which belong to it only if more follows.
    jwt_run: usize,
    /// The same for the last PEM block.
    pem_end: usize,
    /// What that block waits for.
    pem_tail: PemTail,
}

impl Found<'_> {
    /// Adds a hit if there is one.
    #[inline]
    fn add_some(&mut self, detector: Detector, range: Option<Range<usize>>) {
        if let Some(range) = range {
            self.add(detector, range);
        }
    }

    /// Adds a hit, joining it with those it overlaps. Touching hits stay apart.
    ///
    /// Anchors come in ascending order and a hit reaches back a bounded way, so only the last few can overlap.
    fn add(&mut self, detector: Detector, range: Range<usize>) {
        let mut hit = Hit { detector, range };
        if self.hits.last().is_none_or(|last| last.range.end <= hit.range.start) {
            self.hits.push(hit);
            return;
        }
        let mut later = Vec::new();
        while let Some(last) = self.hits.last() {
            if last.range.end <= hit.range.start {
                break;
            }
            let Some(last) = self.hits.pop() else { break };
            if last.range.start >= hit.range.end {
                later.push(last);
            } else {
                hit = joined(hit, last);
            }
        }
        self.hits.push(hit);
        self.hits.extend(later.into_iter().rev());
    }
}

fn joined(a: Hit, b: Hit) -> Hit {
    let range = a.range.start.min(b.range.start)..a.range.end.max(b.range.end);
    let first = if (a.range.start, a.detector) <= (b.range.start, b.detector) { a } else { b };
    Hit { detector: first.detector, range }
}

#[cfg(test)]
mod tests;
