//! What a shell command line would do: its simple commands and their effects. Pure: no IO, no policy; total: any bytes have an answer.
//!
//! Which shell of the target reads the text is not known: sh, dash, bash, zsh, ksh or busybox. Whatever does not mean the same constant words in
//! all of them is `unknown`. Two words must be kept apart: `execute` is a constant command of which it is not known what it does, and a policy may
//! allow it by its words; `unknown` is a text of which it is not certain what it runs.
//!
//! - [`analyze`]: text → [`Analysis`]; [`analyze_with`]: where a policy says what other programs do, as [`Tools`]
//! - [`analysis`]: the types of the answer, and the limits
//! - `lexer`: characters, quoting, words
//! - `parser`: the grammar of lists and compounds, down to simple commands
//! - `judge`: one simple command → effects; wrappers, and tools that need more than a table
//! - `table`: what is known about tools: subcommands, options, effects
//! - `credentials`: files that hold credentials by their names
//! - `transfer`: scp, rsync and git as their clients start them on the far side: paths instead of commands
//! - `globs`: what a word with `*` may turn into

pub mod analysis;
mod credentials;
mod globs;
mod judge;
mod lexer;
mod parser;
mod table;
mod transfer;

pub use analysis::{Analysis, Part, analyze, analyze_with};
pub use table::tools::Tools;
pub use transfer::links;
pub use transfer::scp::{Scp, scp};
