//! PEM private key blocks (RFC 7468), also with escaped line ends, and cut off.

use super::bytes::looked_at;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"END";
const DASHES: u8 = 5;
/// Longest label between the dashes. `ENCRYPTED PRIVATE KEY` has 21 bytes.
const LABEL: usize = 64;

/// The end of the private key block whose header ends at `header_end`, and what it then waits for. A block without a footer goes as far as its bytes could
/// be a key's: what was cut off is still a secret.
pub(super) fn block_end(bytes: &[u8], header_end: usize) -> (usize, Tail) {
    let mut tail = Tail::default();
    let mut at = header_end;
    while let Some(byte) = bytes.get(at) {
        match tail.push(*byte) {
            Step::Inside => at += 1,
            Step::Past => break,
        }
    }
    looked_at(at - header_end);
    (at, tail)
}

/// The end of the `-----BEGIN … PRIVATE KEY-----` (or `… KEY BLOCK-----`) whose first dash is at `start`.
pub(super) fn header_end(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?.strip_prefix(BEGIN)?;
    let label = rest.iter().take(LABEL).position(|byte| *byte == b'-')?;
    let (label, dashes) = rest.split_at_checked(label)?;
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    let known = label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ');
    (private && known && dashes.starts_with(b"-----"))
        .then_some(start + BEGIN.len() + label.len() + usize::from(DASHES))
}

/// Whether a byte belongs to the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Inside,
    Past,
}

/// Follows the bytes after a private key's header up to and including the footer, however they are cut into pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the body, with so many dashes just seen and so much of `END` after them.
    Body { dashes: u8, letters: usize },
    /// In the label of the footer.
    Label { length: usize },
    /// In the dashes after the label.
    Close { dashes: u8 },
}

impl Default for State {
    fn default() -> Self {
        // The dashes of the header: a footer may use them, so that a block inside a block ends where the outer one does.
        Self::Body { dashes: DASHES, letters: 0 }
    }
}

impl Tail {
    /// Takes the next byte, unless it is past the block.
    pub(crate) fn push(&mut self, byte: u8) -> Step {
        let next = match self.state {
            State::Body { dashes, letters } => body(byte, dashes, letters),
            State::Label { length } => match byte {
                b'-' => Some(State::Close { dashes: 1 }),
                b'A'..=b'Z' | b'0'..=b'9' | b' ' if length < LABEL => Some(State::Label { length: length + 1 }),
                _ => None,
            },
            State::Close { dashes } => (byte == b'-' && dashes < DASHES).then_some(State::Close { dashes: dashes + 1 }),
        };
        match next {
            Some(state) => {
                self.state = state;
                Step::Inside
            }
            None => Step::Past,
        }
    }
}

fn body(byte: u8, dashes: u8, letters: usize) -> Option<State> {
    if byte == b'-' {
        let dashes = if letters == 0 { (dashes + 1).min(DASHES) } else { 1 };
        return Some(State::Body { dashes, letters: 0 });
    }
    if dashes == DASHES && END.get(letters) == Some(&byte) {
        return Some(if letters + 1 == END.len() {
            State::Label { length: 0 }
        } else {
            State::Body { dashes, letters: letters + 1 }
        });
    }
    is_body(byte).then_some(State::Body { dashes: 0, letters: 0 })
}

/// Base64, line ends (escaped ones too) and the headers of old encrypted keys and PGP. No quote, tab or brace: there a JSON
/// string or a COPY field ends.
const fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'+' | b'/' | b'=' | b' ' | b'\r' | b'\n' | b'\\' | b':' | b',' | b'.' | b'(' | b')')
}
