//! Tokens of texts: stand-ins that are the same for the same value and domain, and that only whoever has the key can turn back.
//!
//! A token is `tok_` and, in base 32 (RFC 4648 in lower case, without padding):
//!
//! - of a text of up to [`SEALED`] bytes: [`PROOF`] bytes of its digest, then the text, padded to the next 16 bytes, under a key stream made of
//!   that digest. The digest is nonce and proof at once, as in SIV (RFC 5297): equal texts have equal tokens, nothing else is told but the
//!   length in steps of 16, and what was not made with this key for this domain is no token;
//! - of a longer text: 110 bits of its digest, which nobody can turn back.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::key::{Digester, Purpose};

/// What every token of a text begins with.
pub const TOKEN_MARK: &str = "tok_";
const MARK: &[u8] = TOKEN_MARK.as_bytes();
/// Bytes of a text that a token can hold.
const SEALED: usize = 63;
/// Bytes of the digest in a token that holds its text.
const PROOF: usize = 12;
/// The text with its length is padded to a multiple of this, so that a token tells little of how long it is.
const BLOCK: usize = 16;
/// Characters of a token that holds no text, after the mark.
const SHORT: usize = 22;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Appends the token of a text.
pub(super) fn seal(digester: &Digester, domain: &str, value: &[u8], out: &mut Vec<u8>) {
    let length = match u8::try_from(value.len()) {
        Ok(length) if value.len() <= SEALED => length,
        _ => return digest(digester, domain, value, out),
    };
    let proof = proof(digester, domain, value);
    let mut sealed = [0; PROOF + SEALED + 1];
    let (head, body) = sealed.split_at_mut(PROOF);
    head.copy_from_slice(&proof);
    let text = std::iter::once(&length).chain(value);
    for (to, from) in body.iter_mut().zip(text) {
        *to = *from;
    }
    let padded = (value.len() + 1).next_multiple_of(BLOCK);
    let body = body.get_mut(..padded).unwrap_or_default();
    stream(digester, domain, &proof, body);
    out.extend_from_slice(MARK);
    encode(sealed.get(..PROOF + padded).unwrap_or_default(), usize::MAX, out);
}

/// Appends a token that nobody can turn back.
pub(super) fn digest(digester: &Digester, domain: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(MARK);
    encode(&digester.digest(Purpose::Token, domain, value), SHORT, out);
}

/// The text that a token holds, if it is one of this key and domain.
pub(super) fn open(digester: &Digester, domain: &str, token: &[u8]) -> Option<Vec<u8>> {
    let mut sealed = decode(token.strip_prefix(MARK)?)?;
    if sealed.len() <= PROOF || sealed.len() > PROOF + SEALED + 1 || !(sealed.len() - PROOF).is_multiple_of(BLOCK) {
        return None;
    }
    let mut body = sealed.split_off(PROOF);
    let told: [u8; PROOF] = sealed.try_into().ok()?;
    stream(digester, domain, &told, &mut body);
    let (length, text) = body.split_first()?;
    let (value, padding) = text.split_at_checked(usize::from(*length))?;
    if padding.len() >= BLOCK || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    verify_slices_are_equal(&told, &proof(digester, domain, value)).ok()?;
    Some(value.to_vec())
}

fn proof(digester: &Digester, domain: &str, value: &[u8]) -> [u8; PROOF] {
    let digest = digester.digest(Purpose::Token, domain, value);
    let mut proof = [0; PROOF];
    proof.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    proof
}

/// Adds the key stream that belongs to a proof, or takes it away.
fn stream(digester: &Digester, domain: &str, proof: &[u8; PROOF], body: &mut [u8]) {
    for (number, block) in (0..).zip(body.chunks_mut(32)) {
        let key = digester.digest(Purpose::Stream(number), domain, proof);
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
    }
}

/// Appends at most `most` characters of five bits each; the last bits are filled up with zeros.
fn encode(bytes: &[u8], most: usize, out: &mut Vec<u8>) {
    let count = most.min((bytes.len() * 8).div_ceil(5));
    let (mut bits, mut held) = (0_u32, 0);
    let mut bytes = bytes.iter();
    for _ in 0..count {
        if held < 5 {
            bits = bits << 8 | u32::from(bytes.next().copied().unwrap_or(0));
            held += 8;
        }
        held -= 5;
        let five = usize::try_from(bits >> held & 31).unwrap_or(0);
        out.push(ALPHABET.get(five).copied().unwrap_or(b'a'));
        bits &= (1 << held) - 1;
    }
}

/// The bytes, if the characters are the ones that [`encode`] writes for them.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    // The longest token; more is not looked at.
    if text.len() > ((PROOF + SEALED + 1) * 8).div_ceil(5) {
        return None;
    }
    let (mut bits, mut held) = (0_u32, 0);
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    for letter in text {
        let five = match letter {
            b'a'..=b'z' => letter - b'a',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(five);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    (held < 5 && bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::masker::MaskKey;

    fn digester(key: u8) -> Digester {
        Digester::new(&MaskKey::new([key; 32]))
    }

    fn sealed(value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        seal(&digester(1), "email", value, &mut out);
        out
    }

    #[test]
    fn lengths_come_in_steps() {
        let lengths: Vec<usize> =
            [0, 15, 16, 31, 47, 63, 64, 1000].iter().map(|len| sealed(&vec![b'x'; *len]).len()).collect();
        assert_eq!(lengths, [49, 49, 75, 75, 100, 126, 26, 26]);
    }

    #[test]
    fn a_token_opens_with_its_own_key_and_domain_only() {
        let token = sealed(b"alice@example.com");
        assert_eq!(open(&digester(1), "email", &token).as_deref(), Some(&b"alice@example.com"[..]));
        assert_eq!(open(&digester(2), "email", &token), None);
        assert_eq!(open(&digester(1), "phone", &token), None);
        let long = sealed(&[b'x'; 64]);
        assert_eq!(open(&digester(1), "email", &long), None);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(value in proptest::collection::vec(any::<u8>(), 0..=63)) {
            prop_assert_eq!(open(&digester(1), "email", &sealed(&value)), Some(value));
        }

        #[test]
        fn an_altered_token_is_none(value in proptest::collection::vec(any::<u8>(), 0..=63), at in any::<usize>(), letter in 0_usize..32) {
            let mut token = sealed(&value);
            let at = 4 + at % (token.len() - 4);
            if token[at] != ALPHABET[letter] {
                token[at] = ALPHABET[letter];
                prop_assert_eq!(open(&digester(1), "email", &token), None);
            }
        }

        #[test]
        fn any_bytes_are_accepted(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(open(&digester(1), "email", &bytes), None);
            let mut marked = b"tok_".to_vec();
            marked.extend_from_slice(&bytes);
            prop_assert_eq!(open(&digester(1), "email", &marked), None);
        }
    }
}
