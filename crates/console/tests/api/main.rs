//! The API through its real listener, over doubles of everything behind it.
//!
//! - [`world`]: the doubles and a small HTTP client
//! - [`access`]: who may call what
//! - [`resources`]: sessions, approvals, tokens
//! - [`listener`]: limits and errors of the listener itself
//! - [`openapi`]: the description that is checked in

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

mod access;
mod listener;
mod openapi;
mod resources;
mod world;
