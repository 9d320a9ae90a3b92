//! Messages of SSH as borrowed views, and what the gateway says itself (RFC 4250 to 4254).
//!
//! - `cursor`: the reader under all views; [`encode`] the writer
//! - [`number`]: message numbers
//! - [`channel`]: messages of the connection protocol
//! - [`limits`]: what a peer may send at most

pub mod channel;
mod cursor;
pub mod encode;
pub mod limits;
pub mod number;

pub use cursor::{Cursor, NOT_TEXT, WireError};
