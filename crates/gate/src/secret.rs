//! A secret: bytes that cannot be printed, logged or serialised, and are wiped when dropped.

use zeroize::Zeroizing;

/// Secret bytes. No `Debug`, no `Display`, no `Serialize`, no `Clone`, on purpose.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Shows the bytes to whoever opens the target. Reached through a grant only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}
