//! Fuzzers in stable Rust: valid messages and recordings, broken on purpose, against everything that reads untrusted bytes.
//!
//! - [`targets`]: what is fuzzed; one module and one program (`src/bin`) each
//! - [`driver`]: the command line, the loop, and what counts as a finding
//! - [`mutate`]: how valid bytes are broken
//! - [`random`]: the one source of chance, so that a seed says it all
//! - [`memory`]: the allocator that counts
//!
//! There is no coverage feedback: inputs are made from valid ones, so that most of them get past the first check.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "fuzzers report to the terminal")]

pub mod driver;
pub mod memory;
pub mod mutate;
pub mod random;
pub mod targets;
