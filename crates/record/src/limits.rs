//! Every bound of the format, named: a reader refuses what is larger before it allocates.

/// The largest event, encoded: 48 MiB. A command text of 16 MiB with as many bytes of bind values in hexadecimal fits.
pub const MAX_EVENT: usize = 48 * 1024 * 1024;

/// The largest part of an event that is one entry of a block: 60 KiB. Larger events are stored in parts and joined when read.
pub const MAX_PART: usize = 60 * 1024;

/// A block is closed when its raw bytes reach this size: 64 KiB.
pub const BLOCK_TARGET: usize = 64 * 1024;

/// The largest block before compression: one that was just below [`BLOCK_TARGET`] when the largest part came.
pub const MAX_BLOCK: usize = BLOCK_TARGET + MAX_PART + 64;

/// The largest body of a frame. A block that does not get smaller is stored as it is, so no body is larger than a raw block.
pub const MAX_BODY: usize = MAX_BLOCK;

/// Raw bytes after which a signature follows: 4 MiB.
pub const SEGMENT: u64 = 4 * 1024 * 1024;

/// Raw bytes without a signature that a verifier accepts inside a recording: one segment and the block that ended it.
pub const MAX_UNSIGNED: u64 = SEGMENT + MAX_BLOCK as u64;

/// The longest name, path or reason kept in the index of a directory, in bytes; longer ones are cut at a character.
pub const MAX_INDEX_TEXT: usize = 1024;
