//! Plays what a terminal showed: with its own timing ([`play`]), or as it happens ([`Live`]).
//!
//! - [`cast`]: the asciicast that recordings are read as; [`player`]: where a replay is and what comes next, without IO or clock
//! - [`keys`]: the reader's keyboard; [`screen`]: the loop between the two
//!
//! The bytes are those of the recorded session. What reaches the reader's terminal goes through [`terminal::Filter`], which lets
//! through nothing that asks, answers or writes elsewhere; at the end, and on Ctrl-C, the terminal is brought back to how it was.

mod cast;
mod keys;
mod player;
mod screen;

pub(crate) use cast::Show;
pub(crate) use screen::{Live, NoTerminal, Pace, play, stopped};
