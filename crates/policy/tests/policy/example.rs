//! The documented example: it reads, nothing is found fault with, and its cases hold.

use sallyport_policy::cases;
use sallyport_policy::{Policy, Source};

use crate::kit::{Asked, target};

const POLICY: Source<'_> = Source { name: "examples/policy.yaml", text: include_str!("../../examples/policy.yaml") };

const CASES: Source<'_> =
    Source { name: "examples/policy-cases.yaml", text: include_str!("../../examples/policy-cases.yaml") };

#[test]
fn the_example_says_what_it_is_meant_to() {
    let policy = Policy::parse(&[POLICY]).unwrap();
    let cases = cases::parse(&[CASES]).unwrap();
    assert_eq!(cases.len(), 13);
    let results = cases::run(&policy, &cases, &[target()], |_| Err("no SQL here"));
    let failed: Vec<String> = results.iter().filter(|result| !result.passed()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(policy.lint(&[target()]).is_empty(), "{:#?}", policy.lint(&[target()]));
}

#[test]
fn the_example_masks_and_limits() {
    let policy = Policy::parse(&[POLICY]).unwrap();
    let asked = Asked::default();
    let masks = policy.masks(&asked.subject(), asked.now);
    assert!(masks.cacheable);
    assert_eq!(masks.value.len(), 1);
    let limits = policy.limits(&asked.subject(), asked.now).value;
    assert_eq!(limits.rows_returned.map(|limit| limit.most), Some(10_000));
    assert_eq!(limits.commands_per_minute.map(|limit| limit.most), Some(120));
    assert_eq!(limits.rows_affected.map(|limit| limit.rule.to_string()).as_deref(), Some("blast radius"));
}
