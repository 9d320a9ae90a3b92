//! What programs do: how it is written, what is refused, that it is part of the version.

use model::{Effect, ToolFault, ToolPart};
use sallyport_policy::{Level, Policy, Source};

use crate::kit::{errors, policy};

const TOOLS: &str = "tools:
  - { command: deployctl status, does: read, options: '-v --env=', why: looks only }
  - command: \"deployctl restart|stop\"
    does: [admin, execute]
";

#[test]
fn tools_are_read_as_they_are_written() {
    let policy = policy(TOOLS);
    let [restart, status] = &**policy.tools() else { panic!("{:?}", policy.tools()) };
    assert_eq!((restart.command.as_str(), restart.options.as_deref()), ("deployctl restart|stop", None));
    assert_eq!(restart.does.iter().collect::<Vec<_>>(), [Effect::Admin, Effect::Execute]);
    assert_eq!((status.command.as_str(), status.options.as_deref()), ("deployctl status", Some("-v --env=")));
    assert_eq!((status.does.iter().collect::<Vec<_>>(), status.why.as_str()), (vec![Effect::Read], "looks only"));
    assert!(Policy::parse(&[]).unwrap().tools().is_empty());
}

#[test]
fn what_is_wrong_has_a_place() {
    let long = "x".repeat(500);
    for (text, says) in [
        ("tools: [{ comand: x }]", "p.yaml:1:11: unknown key `comand`: use one of command, does, options, why"),
        ("tools: [{ command: x }]", "`does` is missing: add it"),
        ("tools: [{ does: read }]", "`command` is missing: add it"),
        ("tools:\n  - command: x\n    does: reads\n", "expected `read` or `write` or"),
        ("tools: [{ command: x, does: connect }]", "expected `read` or"),
        ("tools: [{ command: x, does: [reads] }]", "unknown word `reads`"),
        ("tools:\n  - command: x\n    does: [read, session]\n", "p.yaml:3:11: no program does `session`"),
        ("tools: [{ command: x, does: [] }]", "`does` is an empty list"),
        ("tools: [{ command: x, does: }]", "a value is missing"),
        ("tools: [{ command: x, does: read, options: }]", "p.yaml:1:"),
        ("tools:\n  - { command: ' ', does: read }\n", "p.yaml:2:16: a command is one line of 1 to 400 characters"),
        ("tools: [{ command: x, does: read, options: '' }]", "a list of options is one line of 1 to 4000 characters"),
        ("tools: [{ command: x, does: read, why: \"a\\nb\" }]", "a reason is one line of 1 to 200 characters"),
        ("tools: [{ command: LONG, does: read }]", "a command is one line of 1 to 400 characters"),
        ("tools: { command: x, does: read }", "expected a list"),
        ("tools:", "a value is missing"),
        ("tool: []", "unknown key `tool`: use one of rules, masks, limits, records, tools"),
    ] {
        let found = errors(&text.replace("LONG", &long));
        assert!(found.first().is_some_and(|error| error.contains(says)), "{text}: {found:?}");
    }
    let many: String = (0..2001).map(|at| format!("  - {{ command: x{at}, does: read }}\n")).collect();
    assert!(errors(&format!("tools:\n{many}")).iter().any(|error| error.contains("more than 2000 tools")));
}

#[test]
fn tools_are_part_of_the_version_and_their_order_is_not() {
    let version = |text: &str| policy(text).version().to_owned();
    let one = "tools:\n  - { command: a, does: read }\n  - { command: b, does: admin }\n";
    let other = "tools:\n  - command: b\n    does: admin\n  - command: a\n    does: read\n";
    assert_eq!(version(one), version(other));
    assert_eq!(policy(one).tools(), policy(other).tools());
    for changed in [
        one.replace("read", "write"),
        one.replace("command: a", "command: c"),
        one.replace("does: read", "does: read, options: any"),
        one.replace("does: read", "does: read, why: x"),
        String::new(),
    ] {
        assert_ne!(version(one), version(&changed), "{changed}");
    }
}

#[test]
fn faults_that_others_find_have_a_place() {
    let first = Source { name: "a.yaml", text: "rules: []\n" };
    let policy = Policy::parse(&[first, Source { name: "b.yaml", text: TOOLS }]).unwrap();
    let fault = |tool, part| ToolFault { tool, part, message: "odd".to_owned() };
    let place = |tool, part| policy.tool_error(&fault(tool, part)).to_string();
    assert_eq!(place(1, ToolPart::Command), "b.yaml:2:16: odd");
    assert_eq!(place(1, ToolPart::Options), "b.yaml:2:55: odd");
    assert_eq!(place(0, ToolPart::Does), "b.yaml:4:11: odd");
    // Without options, they are missing where the command is.
    assert_eq!(place(0, ToolPart::Options), "b.yaml:3:14: odd");
    let finding = policy.tool_finding(&fault(1, ToolPart::Does));
    assert_eq!((finding.level, finding.line, finding.name.as_str()), (Level::Warning, 2, "deployctl status"));
}

#[test]
fn the_schema_knows_tools() {
    let schema = serde_json::to_string(&Policy::json_schema()).unwrap();
    for word in ["\"tools\"", "\"does\"", "\"options\"", "\"export\""] {
        assert!(schema.contains(word), "{word}");
    }
}
