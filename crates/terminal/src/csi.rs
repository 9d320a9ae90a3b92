//! What is in a control sequence.

/// A control sequence, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Csi<'a> {
    /// `<`, `=`, `>` or `?` before the parameters; 0 where there is none.
    pub private: u8,
    /// The parameters with `;` and `:` between them, and control characters as they came.
    pub parameters: &'a [u8],
    /// The intermediate byte; 0 where there is none.
    pub intermediate: u8,
    /// The final byte, which says what it does.
    pub last: u8,
}

impl<'a> Csi<'a> {
    /// Takes apart the bytes of a token of kind [`Kind::Csi`](crate::Kind::Csi).
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let body = bytes.strip_prefix(b"\x1b[").or_else(|| bytes.strip_prefix(b"\xc2\x9b"))?;
        let (last, body) = body.split_last()?;
        let (private, body) = match body.split_first() {
            Some((first @ b'<'..=b'?', rest)) => (*first, rest),
            _ => (0, body),
        };
        let (intermediate, parameters) = match body.split_last() {
            Some((byte @ 0x20..=0x2f, rest)) => (*byte, rest),
            _ => (0, body),
        };
        Some(Self { private, parameters, intermediate, last: *last })
    }

    /// The parameter at `index`, or `default` where it is absent or zero.
    #[must_use]
    pub fn number(&self, index: usize, default: usize) -> usize {
        let part = self.parameters.split(|byte| *byte == b';').nth(index).unwrap_or_default();
        // Of sub-parameters (`38:2::1:2:3`) the first.
        let digits = part.iter().take_while(|byte| **byte != b':').filter(|byte| byte.is_ascii_digit());
        let number = digits.fold(0_usize, |all, digit| all.saturating_mul(10).saturating_add(usize::from(digit & 15)));
        if number == 0 { default } else { number }
    }

    /// The parameters as numbers; absent ones are 0.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.parameters.split(|byte| *byte == b';').count()).map(|index| self.number(index, 0))
    }

    /// Whether it leaves the cursor, and what is on the screen, where they are: colours, modes, reports, the cursor's form.
    #[must_use]
    pub const fn stays(&self) -> bool {
        matches!(self.last, b'm' | b'h' | b'l' | b'n' | b'c' | b'q' | b't' | b'p' | b's' | b'r' | b'x' | b'g' | b'i')
            && !(self.last == b'r' && self.private == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_taken_apart() {
        let csi = Csi::read(b"\x1b[?1049h").unwrap();
        assert_eq!((csi.private, csi.number(0, 1), csi.last, csi.stays()), (b'?', 1049, b'h', true));
        let csi = Csi::read("\u{9b};12H".as_bytes()).unwrap();
        assert_eq!((csi.number(0, 1), csi.number(1, 1), csi.number(2, 1), csi.stays()), (1, 12, 1, false));
        let csi = Csi::read(b"\x1b[2 q").unwrap();
        assert_eq!((csi.number(0, 0), csi.intermediate, csi.last), (2, b' ', b'q'));
        assert_eq!(Csi::read(b"\x1b[99999999999999999999999C").unwrap().number(0, 1), usize::MAX);
        assert_eq!(Csi::read(b"\x1b[1;;3m").unwrap().numbers().collect::<Vec<_>>(), [1, 0, 3]);
    }
}
