//! What a recording holds: one [`Event`] per thing that happened, in the order in which it happened.
//!
//! Events borrow, so that writing one allocates nothing; [`Event`] read back borrows from the decompressed block.
//! Everything in them is what the client saw or sent: results are masked before they get here.

use std::borrow::Cow;

use model::{Action, Flags, Move, Object, Outcome};
use serde::{Deserialize, Serialize};

/// A point in time: microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Micros(pub i64);

/// One entry of a recording. New variants are added at the end only: the order is the stored format.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Event<'a> {
    /// The first event of every recording.
    Opened(#[serde(borrow)] Opened<'a>),
    /// Which credential opened the target; never the credential.
    Leased {
        /// The target's own user name.
        user: Cow<'a, str>,
        /// How the target was reached: `127.0.0.1:5432, TLS 1.3`.
        link: Cow<'a, str>,
    },
    /// A command, as recordings had it before [`Event::Judged`]: without what conditions and masks were judged by.
    Command(#[serde(borrow)] CommandEvent<'a>),
    /// A command waits for a human.
    Held {
        /// The command's number.
        number: u64,
        /// The approval request.
        approval: Cow<'a, str>,
        /// When the request expires.
        expires: Micros,
    },
    /// How the wait ended.
    Answered {
        /// The command's number.
        number: u64,
        /// The approval request.
        approval: Cow<'a, str>,
        /// `approved`, `denied`, `expired`, `cancelled`, `disconnected`, `stale`.
        answer: Cow<'a, str>,
        /// Who answered, with reasons.
        by: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    },
    /// A prepared command runs again with these values.
    Values {
        /// The command's number.
        number: u64,
        /// Bind values as text; `None` is NULL.
        values: Vec<Option<Cow<'a, str>>>,
    },
    /// The shape of a result.
    Columns {
        /// The command's number.
        number: u64,
        /// Name, type as the protocol names it, whether values are in a binary format, and the mask applied, if any.
        columns: Vec<Column<'a>>,
    },
    /// Rows of a result as the client saw them. Each row: u16 count, then per value i32 length (-1 is NULL) and bytes, big-endian.
    Rows {
        /// The command's number.
        number: u64,
        /// How many.
        count: u32,
        /// The rows, back to back.
        #[serde(with = "bytes")]
        data: Cow<'a, [u8]>,
    },
    /// Bytes of a bulk transfer (COPY).
    Bulk {
        /// The command's number.
        number: u64,
        /// Whether it went to the target.
        to_target: bool,
        /// The bytes.
        #[serde(with = "bytes")]
        data: Cow<'a, [u8]>,
    },
    /// The end of one command.
    Finished(#[serde(borrow)] Finished<'a>),
    /// A notice, notification or parameter change that the client saw.
    Message {
        /// `notice`, `notification`, `parameter`.
        kind: Cow<'a, str>,
        /// The text, as the client saw it.
        text: Cow<'a, str>,
    },
    /// A control message: cancel, ping, resize.
    Control {
        /// What it was.
        what: Cow<'a, str>,
        /// What became of it.
        outcome: Cow<'a, str>,
    },
    /// The last event of a recording that was closed in order.
    Closed {
        /// Why: `client closed`, `expired`, `revoked`, …
        reason: Cow<'a, str>,
        /// Commands judged in the session.
        commands: u64,
        /// Bytes received from the client and from the target.
        bytes: (u64, u64),
    },
    /// Written by recovery after a crash: what follows the last complete entry is not known.
    Recovered {
        /// When it was recovered.
        at: Micros,
    },
    /// A command with all that it was judged by, written before it is sent.
    Judged(#[serde(borrow)] Judged<'a>),
    /// Bytes of a stream as the client saw or sent them, masked: a terminal's, an exec's, a tunnel's, a transfer's.
    Stream {
        /// The number of the command (exec, shell, subsystem, tunnel) that it belongs to.
        number: u64,
        /// Which of its streams.
        stream: StreamKind,
        /// The bytes of one packet, or of a few that came together.
        #[serde(with = "bytes")]
        data: Cow<'a, [u8]>,
    },
    /// A terminal began, or its size changed.
    Terminal {
        /// The command's number.
        number: u64,
        /// What the client calls its terminal (`xterm-256color`); empty when only the size changed.
        term: Cow<'a, str>,
        /// Its width in characters.
        columns: u32,
        /// Its height in characters.
        rows: u32,
    },
    /// One finished operation on a file of the target (SFTP, SCP).
    File {
        /// The number of the command (subsystem, exec) that it belongs to.
        number: u64,
        /// What was done, in one lower-case word: `get`, `put`, `list`, `stat`, `remove`, `rename`, `mkdir`, `rmdir`, `setstat`, `link`.
        operation: Cow<'a, str>,
        /// The path as the client gave it.
        path: Cow<'a, str>,
        /// The other path, of operations that have two.
        to: Option<Cow<'a, str>>,
        /// Bytes of content that passed.
        size: u64,
        /// BLAKE3 of the content that passed, when any did.
        digest: Option<[u8; 32]>,
        /// How it ended: `ok`, or the target's or the gateway's word for why not.
        outcome: Cow<'a, str>,
    },
    /// Content of a file of the target that passed, where a rule wants all of it kept. Pieces come in any order, and one may lie over another.
    Content {
        /// The number of the command that opened the file; its [`Event::File`] has the same.
        number: u64,
        /// Whether it went to the target.
        to_target: bool,
        /// Where in the file it is, in bytes.
        offset: u64,
        /// The bytes.
        #[serde(with = "bytes")]
        data: Cow<'a, [u8]>,
    },
}

impl<'a> Event<'a> {
    /// The command, and all that it was judged by where the recording has it.
    #[must_use]
    pub const fn command(&self) -> Option<(&CommandEvent<'a>, Option<&Context<'a>>)> {
        match self {
            Self::Command(command) => Some((command, None)),
            Self::Judged(Judged { command, context }) => Some((command, Some(context))),
            Self::Opened(_)
            | Self::Leased { .. }
            | Self::Held { .. }
            | Self::Answered { .. }
            | Self::Values { .. }
            | Self::Columns { .. }
            | Self::Rows { .. }
            | Self::Bulk { .. }
            | Self::Finished(_)
            | Self::Message { .. }
            | Self::Control { .. }
            | Self::Closed { .. }
            | Self::Recovered { .. }
            | Self::Stream { .. }
            | Self::Terminal { .. }
            | Self::File { .. }
            | Self::Content { .. } => None,
        }
    }
}

/// Who opened what.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opened<'a> {
    /// The session's id.
    pub session: Cow<'a, str>,
    /// The protocol.
    pub protocol: Cow<'a, str>,
    /// The identity as JSON: subject, issuer, kind, groups, on_behalf_of, task. JSON and not fields: claims differ by issuer.
    pub identity: Cow<'a, str>,
    /// The target's name.
    pub target: Cow<'a, str>,
    /// The role.
    pub role: Cow<'a, str>,
    /// Where the client connected from.
    pub from: Cow<'a, str>,
    /// What the client calls itself.
    pub client: Cow<'a, str>,
    /// The version of the policy.
    pub policy: Cow<'a, str>,
    /// The rules that let it connect.
    pub rules: Vec<Cow<'a, str>>,
    /// The version of Sallyport.
    pub gateway: Cow<'a, str>,
}

/// A command and its verdict.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommandEvent<'a> {
    /// Its number in the session, from 1.
    pub number: u64,
    /// One word: `SELECT`.
    pub label: Cow<'a, str>,
    /// The exact text.
    pub text: Cow<'a, str>,
    /// Bind values as text; `None` is NULL.
    pub values: Vec<Option<Cow<'a, str>>>,
    /// What it would do.
    pub actions: Cow<'a, [Action]>,
    /// Its flags.
    pub flags: Flags,
    /// Allow, hold or deny.
    pub outcome: Outcome,
    /// The rules that decided.
    pub rules: Cow<'a, [String]>,
    /// Why, for a person; empty when allowed.
    pub reasons: Cow<'a, [String]>,
    /// Shadow rules that would have changed the outcome.
    pub shadow: Cow<'a, [(String, Outcome)]>,
    /// The version of the policy that decided.
    pub policy: Cow<'a, str>,
}

/// A command with all that it was judged by.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judged<'a> {
    /// The command and its verdict.
    #[serde(borrow)]
    pub command: CommandEvent<'a>,
    /// What else was looked at.
    #[serde(borrow)]
    pub context: Context<'a>,
}

/// What a verdict looks at beside actions and flags, so that the command can be judged again by another policy. Four bytes where there
/// is nothing of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Context<'a> {
    /// Bits: see [`Context::IN_TRANSACTION`] and those after it.
    pub bits: u8,
    /// Columns that it uses other than by returning them.
    #[serde(borrow)]
    pub used: Vec<Used<'a>>,
    /// Values that it puts into other places than they come from.
    pub moves: Cow<'a, [Move]>,
    /// Relations whose data it may put anywhere; only with [`Context::MOVES_UNKNOWN`], which asks for them.
    pub reads: Cow<'a, [Object]>,
}

impl Context<'_> {
    /// A transaction of the client was open.
    pub const IN_TRANSACTION: u8 = 1;
    /// It reads data from where its text does not tell.
    pub const READS_UNKNOWN: u8 = 2;
    /// It puts values somewhere whose origin its text does not tell.
    pub const MOVES_UNKNOWN: u8 = 4;

    /// Whether a bit is set.
    #[must_use]
    pub const fn has(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }
}

/// A column that a command uses other than by returning it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Used<'a> {
    /// Schema and name of the relation.
    pub relation: Cow<'a, str>,
    /// The column; `*` stands for all of them.
    pub column: Cow<'a, str>,
    /// How: [`Used::ANYHOW`], [`Used::EQUALITY`] or [`Used::IN_CLEAR`]; other numbers are for later, and mean the first.
    pub kind: u8,
}

impl Used<'_> {
    /// In a condition, a join, an order or the like; which is not said.
    pub const ANYHOW: u8 = 0;
    /// Only compared, as it is, for being equal.
    pub const EQUALITY: u8 = 1;
    /// In no condition: the client asked to see it in clear.
    pub const IN_CLEAR: u8 = 2;
}

/// One column of a result.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Column<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// The protocol's own type name or number.
    pub ty: Cow<'a, str>,
    /// Whether its values are in a binary format.
    pub binary: bool,
    /// How it is masked, or empty. `aggregate`: a statistic of masked columns that a rule lets pass. `lifted`: shown in clear because a person
    /// approved it for this command; then rows are not recorded.
    pub mask: Cow<'a, str>,
}

/// How one command ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finished<'a> {
    /// The command's number.
    pub number: u64,
    /// The target's completion tag, or empty after an error.
    pub tag: Cow<'a, str>,
    /// The error's code and the text that the client saw.
    pub error: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// Rows returned.
    pub rows: u64,
    /// Bytes of the result as the client saw them.
    pub bytes: u64,
    /// BLAKE3 of all rows or bulk bytes as the client saw them, when there were any and they were not all recorded.
    pub digest: Option<[u8; 32]>,
    /// Values masked in this result.
    pub masked: u64,
    /// Microseconds that the target took, from sending the command to its end.
    pub target_micros: u64,
    /// Microseconds that Sallyport added before sending.
    pub gateway_micros: u64,
}

/// Which way a [`Event::Stream`] goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum StreamKind {
    /// From the client to the target: standard input, or what was typed.
    Input,
    /// From the target to the client: standard output, or what the terminal showed.
    Output,
    /// From the target to the client: standard error.
    Error,
}

impl StreamKind {
    /// The lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Error => "error",
        }
    }
}

mod bytes {
    //! Byte strings as bytes, not as sequences of numbers.
    use std::borrow::Cow;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(data)
    }

    pub(super) fn deserialize<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Cow<'a, [u8]>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Cow<'de, [u8]>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_borrowed_bytes<E: Error>(self, v: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(v))
            }
            fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Self::Value, E> {
                Ok(Cow::Owned(v.to_vec()))
            }
        }
        d.deserialize_bytes(Bytes)
    }
}
