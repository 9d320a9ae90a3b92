//! The recording format from outside: one binary.

mod common;
mod directory;
mod format;
mod golden;
