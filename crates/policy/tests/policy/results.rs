//! Masks, limits and recording: what applies to results.

use model::{DetectorName, Limits, MaskStyle, Most, RecordLevel, Totals};

use crate::kit::{Asked, policy};

#[test]
fn masks_add_up_and_doubt_masks() {
    let policy = policy(
        r#"
masks:
  - { name: b, who: { kinds: [agent, ci] }, columns: ["public.customers.email", "*.ssn"], detect: [email, card, email], with: partial }
  - { name: a, who: any, detect: [secret], with: redact }
  - { name: others, who: { kinds: [human] }, columns: ["*"], with: "null" }
  - { name: elsewhere, who: any, on: { targets: [x] }, columns: ["*"], with: token }
  - { name: night, who: any, if: { hours: "22:00-06:00 UTC" }, columns: ["*.night"], with: hash }
  - { name: outside, who: any, if: { from: [192.0.2.0/24] }, columns: ["*.out"], with: fixed }
  - { name: doubtful, who: any, when: "identity.claims.absent == 1", columns: ["*.d"], with: redact }
  - { name: no, who: any, when: "identity.claims.team == 'hr'", columns: ["*.n"], with: redact }
"#,
    );
    let asked = Asked::default();
    let names = |asked: &Asked| -> Vec<String> {
        let applied = policy.masks(&asked.subject(), asked.now);
        assert!(!applied.cacheable);
        applied.value.into_iter().map(|mask| mask.name).collect()
    };
    assert_eq!(names(&asked), ["a", "b", "doubtful"]);
    let night = Asked { now: "2026-01-15T23:00:00Z".parse().unwrap(), ..Asked::default() };
    assert_eq!(names(&night), ["a", "b", "doubtful", "night"]);
    // An address that is not known may be one of those meant.
    let lost = Asked { from: None, ..Asked::default() };
    assert_eq!(names(&lost), ["a", "b", "doubtful", "outside"]);

    let masks = policy.masks(&asked.subject(), asked.now).value;
    assert_eq!(masks[1].style, MaskStyle::Partial);
    assert_eq!(masks[1].detect, [DetectorName::Card, DetectorName::Email]);
    assert_eq!(masks[1].columns, ["public.customers.email", "*.ssn"]);
}

#[test]
fn the_smallest_limit_wins() {
    let policy = policy(
        r#"
limits:
  - { name: a, who: any, rows_returned: 1000, rows_affected: 5, statement_time: 1m30s, total: { commands: 500 } }
  - { name: b, who: { kinds: [agent] }, rows_returned: 10, commands_per_minute: 60, bytes_returned: 4096, total: { commands: 100 } }
  - { name: c, who: { kinds: [human] }, rows_returned: 1 }
  - { name: d, who: any, when: "identity.claims.absent", rows_affected: 0 }
"#,
    );
    let asked = Asked::default();
    let applied = policy.limits(&asked.subject(), asked.now);
    assert!(applied.cacheable);
    assert_eq!(
        applied.value,
        Limits {
            rows_returned: most(10, "b"),
            bytes_returned: most(4096, "b"),
            rows_affected: most(0, "d"),
            commands_per_minute: most(60, "b"),
            statement_seconds: most(90, "a"),
            idle_in_transaction_seconds: None,
            total: Totals { commands: most(100, "b"), ..Totals::default() },
        }
    );
    let timed = crate::kit::policy(
        "limits: [{ name: n, who: any, when: \"timestamp(now).getHours() == 12\", rows_returned: 7 }]",
    );
    let applied = timed.limits(&asked.subject(), asked.now);
    assert_eq!((applied.value.rows_returned, applied.cacheable), (most(7, "n"), false));
}

#[test]
fn the_most_recorded_wins() {
    let level = |records: &str| {
        let asked = Asked::default();
        let policy = policy(&format!("records: [{records}]"));
        assert_eq!(asked.of(&policy).record, policy.record_level(&asked.subject(), asked.now));
        policy.record_level(&asked.subject(), asked.now)
    };
    assert_eq!(level(""), RecordLevel::Head);
    assert_eq!(level("{ name: a, who: any, results: none }"), RecordLevel::None);
    assert_eq!(level("{ name: a, who: { kinds: [human] }, results: full }"), RecordLevel::Head);
    assert_eq!(
        level(
            "{ name: a, who: any, results: digest }, { name: b, who: any, on: { labels: { env: prod } }, results: full }"
        ),
        RecordLevel::Full
    );
}

fn most(most: u64, rule: &str) -> Option<Most> {
    Some(Most { most, rule: rule.into() })
}
