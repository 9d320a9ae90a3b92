//! The recording format from outside: one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_range_loop,
    reason = "helpers of tests fail by panicking"
)]

mod common;
mod directory;
mod format;
mod golden;
