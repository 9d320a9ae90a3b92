//! The modes of a terminal that a client asks for (RFC 4254, section 8).
//!
//! A terminal changes what goes through it, and everything behind the gateway's judgement, masks and recordings is what went through. So a client
//! does not choose modes that drop or change letters, nor that what is typed is not shown: those are left out, and the target's own hold.
//! Programs may still ask for them, in words that are judged or seen.

use crate::wire::encode;

/// The end of the list.
const END: u8 = 0;
/// From here on operations have no argument that is known, and the list ends (RFC 4254, section 8).
const UNDEFINED: u8 = 160;
/// Whether what is typed is shown.
const ECHO: u8 = 53;
/// Modes that drop or change letters on their way: PARMRK, ISTRIP, INLCR, IGNCR, IUCLC, XCASE, OLCUC, CS7, PARENB, PARODD.
const CHANGING: [u8; 10] = [31, 33, 34, 35, 37, 52, 71, 90, 92, 93];

/// The same modes without those that a client does not choose.
pub(super) fn modes(asked: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(asked.len());
    for mode in asked.chunks_exact(5) {
        let Some((&name, value)) = mode.split_first() else { break };
        if name == END || name >= UNDEFINED {
            break;
        }
        let hides = name == ECHO && value == [0; 4];
        if !hides && !CHANGING.contains(&name) {
            kept.extend_from_slice(mode);
        }
    }
    kept.push(END);
    kept
}

/// A request for a terminal, in the order of RFC 4254, section 6.2.
pub(super) fn request(term: &str, size: [u32; 4], modes: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    encode::string(&mut rest, term.as_bytes());
    size.into_iter().for_each(|number| encode::u32(&mut rest, number));
    encode::string(&mut rest, modes);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(modes: &[(u8, u32)]) -> Vec<u8> {
        let mut list: Vec<u8> =
            modes.iter().flat_map(|(name, value)| [&[*name][..], &value.to_be_bytes()].concat()).collect();
        list.push(END);
        list
    }

    #[test]
    fn letters_stay_what_they_are_and_what_is_typed_is_shown() {
        let harmless = [(3, 127), (36, 1), (38, 1), (50, 1), (51, 0), (53, 1), (70, 1), (72, 1), (128, 38400)];
        assert_eq!(modes(&list(&harmless)), list(&harmless));
        for name in CHANGING {
            assert_eq!(modes(&list(&[(50, 1), (name, 1), (51, 1)])), list(&[(50, 1), (51, 1)]), "{name}");
            assert_eq!(modes(&list(&[(name, 0)])), [END], "{name}");
        }
        assert_eq!(modes(&list(&[(53, 0), (54, 1)])), list(&[(54, 1)]));
    }

    #[test]
    fn a_list_that_ends_early_is_what_it_was_up_to_there() {
        assert_eq!(modes(b""), [END]);
        assert_eq!(modes(&[50, 0, 0, 0]), [END]);
        assert_eq!(modes(&[50, 0, 0, 0, 1, END, 71, 0, 0, 0, 1]), list(&[(50, 1)]));
        assert_eq!(modes(&[50, 0, 0, 0, 1, 200, 0, 0, 0, 1, 71, 0, 0, 0, 1]), list(&[(50, 1)]));
    }
}
