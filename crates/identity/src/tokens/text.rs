//! The text of a Sallyport token: `sp_`, 26 characters of 130 random bits, 2 characters of checksum.
//!
//! Crockford's base 32, lower case: no `i`, `l`, `o`, `u`, so it can be read aloud. 31 characters fit every driver's password
//! limit. The checksum tells a typo, or half a paste, from a token that was never issued, before anything is looked up.

use aws_lc_rs::{digest, rand};
use gate::ports::StoreAway;
use zeroize::Zeroizing;

/// What every token starts with; secret scanners can look for it.
pub const PREFIX: &str = "sp_";
/// The length of every token.
pub const LENGTH: usize = 31;
const RANDOM: usize = 26;
const CHECK: usize = 2;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A token as its holder keeps it. It is shown once and cannot be printed by accident: no `Debug`, no `Display`.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    pub(super) fn generate() -> Result<Self, StoreAway> {
        let mut random = Zeroizing::new([0; RANDOM]);
        rand::fill(random.as_mut_slice()).map_err(|_| StoreAway("the system gives no random numbers".to_owned()))?;
        // Room for all of it at once: growing would leave copies behind that nothing wipes.
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        // 256 is a multiple of 32, so every character is equally likely.
        random.iter().for_each(|byte| text.push(character(*byte)));
        let check = checksum(text.strip_prefix(PREFIX).unwrap_or_default());
        check.into_iter().for_each(|c| text.push(c));
        Ok(Self(text))
    }

    /// Shows the token, to whoever asked for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Whether the text can be a token at all.
pub(super) fn is_well_formed(text: &str) -> bool {
    let Some((random, check)) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(RANDOM)) else {
        return false;
    };
    random.bytes().all(|byte| ALPHABET.contains(&byte)) && check.chars().eq(checksum(random))
}

fn checksum(random: &str) -> [char; CHECK] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"sallyport token check 1");
    context.update(random.as_bytes());
    let hash = context.finish();
    let mut bytes = hash.as_ref().iter().copied();
    std::array::from_fn(|_| character(bytes.next().unwrap_or_default()))
}

fn character(byte: u8) -> char {
    // The index is below 32.
    char::from(ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0'))
}
