//! What honest tools send: nothing of it is refused or changed by a narrow policy but for masked values.

use sallyport_tests::honest;

use crate::passes;

#[test]
fn honest_tools_are_not_hurt() {
    passes(honest::main, &[]);
}
