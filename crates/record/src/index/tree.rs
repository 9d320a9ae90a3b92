//! The Merkle tree of RFC 6962, section 2.1 (SHA-256), kept as its frontier, and the head that signs its root.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::event::Micros;
use crate::sign::{KeyError, KeyId, PublicKey, SIGNATURE, SigningKey};

type Node = [u8; 32];

const CONTEXT: &[u8] = b"sallyport tree head v1\n";
/// Bytes of a tree head: size, root, time, key id, signature.
pub(super) const TREE_HEAD_BODY: usize = 8 + 32 + 8 + 16 + SIGNATURE;

/// The roots of the perfect subtrees that cover all leaves so far, largest first: one per one-bit of the size.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    size: u64,
    frontier: Vec<Node>,
}

impl Tree {
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn push(&mut self, leaf: &[u8]) {
        let mut node = hash(&[&[0], leaf]);
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.frontier.pop() {
                node = hash(&[&[1], &left, &node]);
            }
        }
        self.frontier.push(node);
        self.size += 1;
    }

    pub(super) fn root(&self) -> Node {
        let mut nodes = self.frontier.iter().rev();
        let Some(last) = nodes.next() else {
            return hash(&[]);
        };
        nodes.fold(*last, |right, left| hash(&[&[1], left, &right]))
    }
}

/// The root over a list of leaves: what a verifier of another make computes.
#[must_use]
pub fn root_of<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut tree = Tree::default();
    for leaf in leaves {
        tree.push(leaf);
    }
    tree.root()
}

fn hash(parts: &[&[u8]]) -> Node {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut node = [0; 32];
    for (to, from) in node.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    node
}

/// A signed statement: these were all the entries of the index at this time.
///
/// As text it is one line, to be kept where the gateway cannot change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeHead {
    /// How many entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: [u8; 32],
    /// When.
    pub at: Micros,
    /// By which key.
    pub key: KeyId,
    signature: [u8; SIGNATURE],
}

impl TreeHead {
    pub(super) fn sign(key: &SigningKey, size: u64, root: [u8; 32], at: Micros) -> Result<Self, KeyError> {
        let mut head = Self { size, root, at, key: key.public().id(), signature: [0; SIGNATURE] };
        head.signature = key.sign(&head.message())?;
        Ok(head)
    }

    fn message(&self) -> Vec<u8> {
        let covered = self.encode();
        let covered = covered.get(..TREE_HEAD_BODY - SIGNATURE).unwrap_or_default();
        [CONTEXT, covered].concat()
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn verify(&self, key: &PublicKey) -> bool {
        key.id() == self.key && key.verify(&self.message(), &self.signature)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TREE_HEAD_BODY);
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(&self.at.0.to_le_bytes());
        out.extend_from_slice(&self.key.0);
        out.extend_from_slice(&self.signature);
        out
    }

    pub(super) fn decode(body: &[u8; TREE_HEAD_BODY]) -> Self {
        Self {
            size: u64::from_le_bytes(part(body, 0)),
            root: part(body, 8),
            at: Micros(i64::from_le_bytes(part(body, 40))),
            key: KeyId(part(body, 48)),
            signature: part(body, 64),
        }
    }
}

fn part<const N: usize>(body: &[u8; TREE_HEAD_BODY], at: usize) -> [u8; N] {
    let bytes = body.get(at..).and_then(|rest| rest.first_chunk::<N>());
    bytes.copied().unwrap_or([0; N])
}

impl fmt::Display for TreeHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sallyport-head:{}", STANDARD.encode(self.encode()))
    }
}

/// A text that is not a tree head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a tree head: expected one line that begins with `sallyport-head:`")]
pub struct BadTreeHead;

impl FromStr for TreeHead {
    type Err = BadTreeHead;

    fn from_str(text: &str) -> Result<Self, BadTreeHead> {
        let text = text.trim().strip_prefix("sallyport-head:").ok_or(BadTreeHead)?;
        let bytes = STANDARD.decode(text).map_err(|_| BadTreeHead)?;
        let body = bytes.as_slice().try_into().map_err(|_| BadTreeHead)?;
        Ok(Self::decode(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962, section 2.1, word for word.
    fn slow(leaves: &[Vec<u8>]) -> Node {
        match leaves {
            [] => hash(&[]),
            [one] => hash(&[&[0], one]),
            many => {
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                hash(&[&[1], &slow(left), &slow(right)])
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let leaves: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; usize::from(n % 7)]).collect();
        for count in 0..=leaves.len() {
            let some = &leaves[..count];
            assert_eq!(root_of(some.iter().map(Vec::as_slice)), slow(some), "{count} leaves");
        }
    }

    #[test]
    fn heads_are_signed_and_travel_as_text() {
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let head = TreeHead::sign(&key, 7, [9; 32], Micros(5)).unwrap();
        assert!(head.verify(key.public()));
        let text = head.to_string();
        assert_eq!(text.parse(), Ok(head));
        let other = TreeHead { size: 6, ..head };
        assert!(!other.verify(key.public()));
        assert!("sallyport-head:AAAA".parse::<TreeHead>().is_err());
    }
}
