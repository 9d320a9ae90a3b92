//! The gateway killed under load loses no record.

use sallyport_tests::chaos;

use crate::passes;

#[test]
fn kill_9_loses_no_statement() {
    passes(chaos::main, &["kill9", "--rounds", "3"]);
}
