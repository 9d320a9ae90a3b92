//! What programs of targets do, as a policy says it: the gateway's own tables know the usual ones, nobody else knows a house's own.

use serde::Serialize;

use crate::EffectSet;

/// What a policy says of one program, or of some of its subcommands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tool {
    /// The program and its subcommands: `deployctl status`; `|` stands between alternatives of one word.
    pub command: String,
    /// What it does.
    pub does: EffectSet,
    /// The options that it has, in the words of the tables; `None`: none is known.
    pub options: Option<String>,
    /// Why, for people; may be empty.
    pub why: String,
}

/// Where in an entry something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolPart {
    /// Its command.
    Command,
    /// What it does.
    Does,
    /// Its options.
    Options,
}

/// What is wrong, or odd, about one entry of a list of tools.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolFault {
    /// Which entry, from 0.
    pub tool: usize,
    /// Where in it.
    pub part: ToolPart,
    /// What it is and what to do. It quotes the entry, never data.
    pub message: String,
}
