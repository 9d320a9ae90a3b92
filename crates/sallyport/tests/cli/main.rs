//! The binary from outside: what it prints, what it refuses and how it ends. No database is needed: a target that is away does
//! not keep the gateway from starting.
//!
//! - [`world`]: a directory with a configuration, and the binary run in it
//! - [`help`]: every command explains itself
//! - [`configuration`]: slips in files are named with their place and what to do
//! - [`state`]: tokens, secrets and the audit log without a running gateway
//! - [`serving`]: start, reload, stop, and what keeps a gateway from starting
//! - [`terminals`]: what a terminal showed, played, followed and exported
//! - [`judging`]: `policy check`, `test` and `explain`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

mod configuration;
mod help;
mod judging;
mod past;
mod serving;
mod state;
mod terminals;
mod world;
