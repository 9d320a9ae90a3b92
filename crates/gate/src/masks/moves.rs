//! Values that a command would take from where they are masked to where they are not.

use model::Intent;
use policy::moves::{self, Undone};

use super::SessionMasks;

impl SessionMasks {
    /// Whether the command would put a masked value where this session could read it unmasked: see [`moves::undone`].
    pub(crate) fn undone(&self, intent: &Intent) -> Option<Undone> {
        moves::undone(&self.rules, intent)
    }
}
