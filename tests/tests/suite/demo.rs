//! The demo does what it says.

use sallyport_tests::demo;

use crate::passes;

#[test]
fn every_step_behaves_as_it_claims() {
    passes(demo::main, &["--once"]);
}

#[test]
fn every_step_of_ssh_behaves_as_it_claims() {
    passes(demo::main, &["ssh", "--once"]);
}
