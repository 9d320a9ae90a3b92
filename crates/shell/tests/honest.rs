//! Commands from runbooks, each with the effects that it has: nothing honest is `unknown`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;

use sallyport_shell::analyze;

const LIST: &str = include_str!("honest.txt");

#[test]
fn honest_commands_are_what_they_are() {
    let mut faults = Vec::new();
    let mut count = 0;
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        let (wanted, text) = line.split_once('\t').expect("effects and a command");
        let analysis = analyze(text.as_bytes());
        let found: BTreeSet<_> = analysis.actions.iter().map(|action| action.effect).collect();
        let found: Vec<&str> = found.into_iter().map(|effect| effect.as_str()).collect();
        if found.join(",") != wanted {
            faults.push(format!("{text}\n    {} instead of {wanted}: {:?}", found.join(","), analysis.reasons));
        }
        count += 1;
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
    assert!(count >= 200, "{count}");
}
