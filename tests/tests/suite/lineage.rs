//! Random queries over planted secrets: none comes back, and what touches none is as the server gives it.

use sallyport_tests::lineage;

use crate::passes;

#[test]
fn no_secret_comes_back() {
    passes(lineage::main, &["--queries", "10000", "--seed", "7"]);
}
