//! The demo does what it says.

use sallyport_tests::demo;

use crate::passes;

#[test]
fn every_step_behaves_as_it_claims() {
    passes(demo::main, &["--once"]);
}
