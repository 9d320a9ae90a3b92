//! What a terminal makes of bytes: where its control functions begin and end, and which of them a reader may be sent. Pure, no
//! dependencies.
//!
//! | module | what it does |
//! |---|---|
//! | [`Tokens`] → [`Token`] | cuts bytes into text, control characters, control sequences and control strings |
//! | [`Csi`] | what is in a control sequence |
//! | [`Filter`] | lets through what shows something, and nothing that asks, answers, writes a clipboard or sets a title |
//! | [`Plain`] | the text alone, as lines |
//!
//! Sources: ECMA-48 (fifth edition) for the form of control functions, the state machine of the VT500 for what ends them, and
//! xterm's `ctlseqs` for what they do.

mod csi;
mod filter;
mod plain;
mod token;

pub use csi::Csi;
pub use filter::Filter;
pub use plain::Plain;
pub use token::{Kind, MAX_SEQUENCE, StringKind, Token, Tokens};
