//! The description of the API is checked in; a change of the API must show in it.

use std::path::Path;

#[test]
fn the_description_that_is_checked_in_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&sallyport_console::openapi()).unwrap());
    if std::env::var_os("SALLYPORT_UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "docs/openapi.json differs from the API: run this test with SALLYPORT_UPDATE=1 and review the change"
    );
}
