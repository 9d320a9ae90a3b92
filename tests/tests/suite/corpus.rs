//! The bypass corpus: nothing is let through, nothing benign is blocked.

use sallyport_tests::corpus;

use crate::passes;

/// Without a gateway every attack works: else its case would prove nothing.
#[test]
fn every_oracle_fires_without_a_gateway() {
    passes(corpus::main, &["--direct"]);
}

#[test]
fn read_only() {
    passes(corpus::main, &["--key", "ro"]);
}

#[test]
fn bounded_writes() {
    passes(corpus::main, &["--key", "rw"]);
}

#[test]
fn session_identity() {
    passes(corpus::main, &["--key", "id"]);
}

#[test]
fn some_tables() {
    passes(corpus::main, &["--key", "tables"]);
}

#[test]
fn masks() {
    passes(corpus::main, &["--key", "mask"]);
}

#[test]
fn masks_with_predicates() {
    passes(corpus::main, &["--key", "mask-strict"]);
}

#[test]
fn budgets() {
    passes(corpus::main, &["--key", "budget"]);
}

#[test]
fn open_reads() {
    passes(corpus::main, &["--key", "open"]);
}
