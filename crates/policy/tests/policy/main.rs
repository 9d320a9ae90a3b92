//! Policy through its public API.
//!
//! - `kit`: identities, targets and questions in few words
//! - `keys`: every key of the form, one table each
//! - `verdicts`: what several rules come to together
//! - `results`: masks, limits and recording
//! - `copies`: masked values that a command would copy
//! - `errors`: texts with line and column
//! - `lint`: findings
//! - `example`: the documented example and its cases
//! - `suggestions`: rules for what was seen
//! - `tools`: what programs do
//! - `properties`: what holds for all policies and requests

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails; the helpers here are not marked as tests themselves"
)]

mod copies;
mod errors;
mod example;
mod keys;
mod kit;
mod lint;
mod properties;
mod results;
mod suggestions;
mod tools;
mod verdicts;
