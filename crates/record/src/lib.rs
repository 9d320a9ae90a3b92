//! The recording format: write, read, verify, export. Pure, over bytes and a sink.
//!
//! - [`event`]: what a recording holds; [`entry`]: events as bytes, and entries inside a block
//! - [`header`], [`frame`]: the two things a file is made of, byte by byte; [`limits`]: every bound
//! - [`Writer`] writes a recording into a sink; [`Chain`] is its state alone, for thousands of recordings at once
//! - [`Reader`] yields the events with bounded memory; [`verify()`] checks everything with the public key
//! - [`index`]: the index of a directory, its signed tree heads, and [`verify_directory`]
//! - [`export`]: JSON Lines, OCSF and asciicast; [`mod@render`]: as a person reads it; [`rows`]: result rows
//!
//! # A recording, byte by byte
//!
//! A [header] of 64 bytes, then [frames](frame). A frame holds a block of [entries](entry), compressed with zstd, or
//! a signature. Each frame carries the hash of the one before it, the first one the hash of the header, so no byte can
//! change, and no frame can go, come or move, without a break that the reader sees. A signature frame's body is
//!
//! ```text
//! offset size
//!  0      1   mark: 0 segment, 1 closed, 2 recovered
//!  1      7   zero
//!  8      8   entries so far
//! 16      8   where this frame starts in the file
//! 24      8   bytes of all blocks so far, before compression
//! 32      8   time, microseconds since the Unix epoch, signed
//! 40     64   Ed25519 over "sallyport recording signature v1\n", session id, key id, previous hash, and the 40 bytes above
//! ```
//!
//! A signature follows at least every [`limits::SEGMENT`] bytes, and one that is not `segment` ends the file. A file without
//! such an end is *open*: the session is live, or the rest is gone; the [index] knows which.

pub mod entry;
pub mod event;
pub mod export;
pub mod frame;
pub mod header;
pub mod index;
pub mod limits;
mod read;
pub mod render;
pub mod rows;
mod sign;
mod verify;
mod write;

pub use entry::{Block, EventError, Part, decode, encode_into, encode_to, parts};
pub use event::{Column, CommandEvent, Context, Event, Finished, Judged, Micros, Opened, StreamKind, Used};
pub use export::{CastVersion, ExportError, asciicast, json_lines, ocsf, pick_command};
pub use frame::{Damage, ReadError, Reason};
pub use header::{FileKind, Header};
pub use index::{Directory, DirectoryReport, Problem, TreeHead, VerifyOptions, What, verify_directory};
pub use read::{Entry, Reader, State};
pub use render::{Renderer, render};
pub use sign::{KeyError, KeyId, PublicKey, SigningKey};
pub use verify::{Report, verify};
pub use write::{Chain, Mark, Packer, WriteError, Writer};
