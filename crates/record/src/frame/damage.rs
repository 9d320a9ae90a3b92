//! What is wrong with a file, and from which byte on.

use std::fmt;

/// The first bad place of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The first bad byte, counted from 0; where the cause is not a single byte, the first byte of the bad frame.
    pub offset: u64,
    /// Whether `offset` is the very byte; else the damage is somewhere from `offset` up to `end`.
    pub exact: bool,
    /// The first byte after the bad frame, as far as it is known.
    pub end: u64,
    /// The frame's number in the file, from 0; the file's header has none.
    pub frame: Option<u64>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The first bytes are not those of such a file.
    #[error("not a {0} of Sallyport")]
    NotOurs(&'static str),
    /// The format is newer than this program.
    #[error("format version {0} is not known to this version of Sallyport; use a newer one")]
    Version(u16),
    /// The file ends within a frame or the header.
    #[error("the file ends in the middle: it was cut off")]
    Truncated,
    /// Bytes were changed.
    #[error("bytes were changed")]
    Changed,
    /// The frame is whole but does not follow the one before it.
    #[error("this frame does not follow the one before it: a frame was removed, moved or put in")]
    OutOfPlace,
    /// A length is above the format's limit.
    #[error("a length is above the limit of the format")]
    TooLong,
    /// A frame of an unknown kind, or one that has no place here.
    #[error("a frame of a kind that has no place here")]
    Kind,
    /// Entry numbers do not continue.
    #[error("entry numbers do not continue: entries are missing or repeated")]
    Numbers,
    /// The signature does not match.
    #[error("the signature is not valid for what comes before it")]
    Signature,
    /// The file names another key.
    #[error("signed by another key ({found}) than the one to verify with ({expected})")]
    WrongKey {
        /// The key that the file names.
        found: String,
        /// The key that was given.
        expected: String,
    },
    /// More bytes without a signature than a gateway writes.
    #[error("a signature is missing")]
    MissingSignature,
    /// Something follows the final signature.
    #[error("something follows the end of the recording")]
    AfterEnd,
    /// The frame is whole and yet its content is not an entry list.
    #[error("the content is not readable: {0}")]
    Content(&'static str),
    /// The session in the file is not the one expected.
    #[error("this is the recording of another session")]
    OtherSession,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, exact, end, frame, reason } = self;
        if *exact || end <= offset {
            write!(f, "byte {offset}")?;
        } else {
            write!(f, "byte {offset} or later, before byte {end}")?;
        }
        if let Some(frame) = frame {
            write!(f, " (frame {frame})")?;
        }
        write!(f, ": {reason}")
    }
}

impl std::error::Error for Damage {}
