//! What a client wants a file to be known as (draft-ietf-secsh-filexfer-02, section 5).

use crate::wire::{Cursor, WireError};

const SIZE: u32 = 0x01;
const OWNER: u32 = 0x02;
const MODE: u32 = 0x04;
const TIMES: u32 = 0x08;
const KNOWN: u32 = SIZE | OWNER | MODE | TIMES;
/// Bits of a mode that change whose rights a program has, or who may remove a file.
const SPECIAL: u32 = 0o7000;

/// What is to be changed about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Its length from now on.
    pub size: Option<u64>,
    /// Its owner, bits that lend rights, or something that is not known: more than whoever writes a file says about it.
    pub special: bool,
}

impl Attributes {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let flags = cursor.u32()?;
        let size = if flags & SIZE == 0 { None } else { Some(cursor.u64()?) };
        if flags & OWNER != 0 {
            let _owner_and_group = (cursor.u32()?, cursor.u32()?);
        }
        let mode = if flags & MODE == 0 { 0 } else { cursor.u32()? };
        Ok(Self { size, special: flags & OWNER != 0 || flags & !KNOWN != 0 || mode & SPECIAL != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Result<Attributes, WireError> {
        Attributes::read(&mut Cursor::new(&parts.concat()))
    }

    #[test]
    fn what_lends_rights_is_told_from_what_writers_say() {
        let mode = |mode: u32| read(&[&[0, 0, 0, 4], &mode.to_be_bytes()]).unwrap();
        assert_eq!(mode(0o100_644), Attributes::default());
        assert!(mode(0o104_755).special && mode(0o2755).special && mode(0o1777).special);
        assert!(read(&[&[0, 0, 0, 2], &[0; 8]]).unwrap().special, "an owner");
        assert!(read(&[&[0x80, 0, 0, 0], &[0; 4]]).unwrap().special, "an extension");
        let sized = read(&[&[0, 0, 0, 0x0d], &9_u64.to_be_bytes(), &0o600_u32.to_be_bytes(), &[0; 8]]).unwrap();
        assert_eq!(sized, Attributes { size: Some(9), special: false });
        assert_eq!(read(&[&[0; 4]]).unwrap(), Attributes::default());
        assert!(read(&[&[0, 0, 0, 1], &[0; 4]]).is_err() && read(&[]).is_err());
    }
}
