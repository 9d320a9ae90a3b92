//! The two logins against real programs: `upstream` against a PostgreSQL server, `login` with psql as its client.
//!
//! A server is started for this binary alone, on a free port, with its data in a temporary directory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

#[cfg(test)]
mod doubles;
#[cfg(test)]
mod psql;
#[cfg(test)]
mod server;
#[cfg(test)]
mod upstream;
