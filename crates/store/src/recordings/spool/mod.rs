//! The spool: where an event is after `append` returned and before the scribe has written it to its recording.
//!
//! One shard per worker thread, so that its lock is never waited for. A shard is a few memory-mapped files, allocated on
//! the disk when the gateway starts; what is in a shared mapping survives the process. Frames carry a checksum, the
//! generation of the segment's use, and their place, so that recovery tells the last whole event from what was before.
//!
//! - [`frame`]: one entry of the spool; [`segment`]: one file; [`map`]: the only unsafe call
//! - [`ring`]: the segments of a shard in turn

pub(super) mod frame;
mod map;
pub(super) mod ring;
pub(super) mod segment;

pub(super) use ring::{Full, Ring, Span};
