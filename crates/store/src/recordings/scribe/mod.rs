//! The scribe: one thread that carries events from the spool into recordings, and one that brings them onto the disk.
//!
//! - [`book`]: where each open recording stands, and how its next block is written
//! - [`files`]: a bounded number of open files
//! - [`drain`]: the thread's loop: read the spool, write what is due, free the spool
//! - [`sync`]: fsync in groups, then the index; the scribe never waits for it

mod book;
mod drain;
mod files;
mod sync;

pub(super) use book::{Book, Counts, Done, Pen, Place, Taken};
pub(super) use drain::{Scribe, read_span};
