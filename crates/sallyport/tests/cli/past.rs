//! `policy backtest` and `policy suggest` over recordings that are written here.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use gate::ports::{RecordFailure, Recorder, Recordings};
use model::{Action, ColumnRef, Effect, Flags, Move, Object, ObjectKind, Outcome, SessionId};
use record::{Column, CommandEvent, Context, Event, Judged, Micros, Opened, Used};
use store::recordings::{FileRecordings, Settings};
use uuid::Uuid;

use crate::world::{POLICY, World};

/// 2026-01-15 12:00 UTC.
const NOON: i64 = 1_768_478_400_000_000;

/// Who opens a session where.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    subject: &'static str,
    groups: &'static [&'static str],
    target: &'static str,
}

pub(crate) const AGENT: Who = Who { subject: "agent-7", groups: &["agents"], target: "orders-db" };

/// One recording as it grows.
pub(crate) struct Tape {
    pub(crate) id: SessionId,
    recorder: Box<dyn Recorder>,
    pub(crate) number: u64,
    label: &'static str,
}

/// Writes recordings into a world's data directory.
pub(crate) struct Studio(FileRecordings);

impl Studio {
    pub(crate) fn new(world: &World) -> Self {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(world.path("data")).unwrap();
        Self(FileRecordings::start(&Settings::new(world.path("data"), 1)).unwrap())
    }

    pub(crate) fn open(&self, who: Who) -> Tape {
        let id = SessionId(Uuid::now_v7());
        let identity = serde_json::json!({
            "subject": who.subject, "issuer": "sallyport", "kind": "agent", "groups": who.groups,
            "on_behalf_of": [], "task": null, "claims": {},
        });
        let opened = Opened {
            session: id.to_string().into(),
            protocol: "postgres".into(),
            identity: identity.to_string().into(),
            target: who.target.into(),
            role: "app".into(),
            from: "10.1.2.3".into(),
            client: "test".into(),
            policy: "old".into(),
            rules: vec!["agents read".into()],
            gateway: "0".into(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let recorder = runtime.block_on(self.0.open(id, Micros(NOON), &opened)).unwrap();
        Tape { id, recorder, number: 0, label: "X" }
    }

    pub(crate) fn done(self, tapes: Vec<Tape>) {
        for mut tape in tapes {
            let commands = tape.number;
            tape.put(&Event::Closed { reason: "client closed".into(), commands, bytes: (0, 0) });
            tape.recorder.seal();
        }
        self.0.shut_down();
    }
}

impl Tape {
    pub(crate) fn put(&mut self, event: &Event<'_>) {
        let at = Micros(NOON + i64::try_from(self.number).unwrap() * 1_000_000);
        let start = Instant::now();
        while let Err(failure) = self.recorder.append(at, event) {
            assert!(matches!(failure, RecordFailure::Behind) && start.elapsed() < Duration::from_secs(20), "{failure}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn said(&mut self, text: &str, actions: &[Action], outcome: Outcome, context: Option<Context<'_>>) -> &mut Self {
        self.number += 1;
        let rule = if outcome == Outcome::Hold { "writes need a human" } else { "agents read" };
        let command = CommandEvent {
            number: self.number,
            label: self.label.into(),
            text: text.to_owned().into(),
            values: Vec::new(),
            actions: actions.to_vec().into(),
            flags: Flags { unbounded: text.contains("all"), multi: false },
            outcome,
            rules: if outcome == Outcome::Deny { Vec::new() } else { vec![rule.to_owned()] }.into(),
            reasons: Cow::Borrowed(&[]),
            shadow: Cow::Borrowed(&[]),
            policy: "old".into(),
        };
        self.put(&match context {
            Some(context) => Event::Judged(Judged { command, context }),
            None => Event::Command(command),
        });
        self
    }

    pub(crate) fn allowed(&mut self, text: &str, actions: &[Action]) -> &mut Self {
        self.said(text, actions, Outcome::Allow, Some(Context::default()))
    }

    fn result(&mut self, columns: &[(&'static str, &'static str)]) -> &mut Self {
        let columns = columns
            .iter()
            .map(|&(name, mask)| Column { name: name.into(), ty: "text".into(), binary: false, mask: mask.into() })
            .collect();
        self.put(&Event::Columns { number: self.number, columns });
        self
    }
}

fn read(name: &str) -> Action {
    on(Effect::Read, name)
}

fn on(effect: Effect, name: &str) -> Action {
    Action::on(effect, Object::new(ObjectKind::Relation, name))
}

/// A session that reads, is held, is denied, and runs something again.
fn usual(world: &World) -> SessionId {
    let studio = Studio::new(world);
    let mut tape = studio.open(AGENT);
    tape.allowed("SELECT *\n  FROM orders", &[read("public.orders")]);
    tape.put(&Event::Values { number: 1, values: vec![None] });
    tape.allowed("BEGIN", &[Action::bare(Effect::Session)]);
    tape.said(
        "DELETE FROM orders WHERE id = 1",
        &[on(Effect::Delete, "public.orders")],
        Outcome::Hold,
        Some(Context::default()),
    );
    tape.said("DROP TABLE orders", &[on(Effect::Destroy, "public.orders")], Outcome::Deny, Some(Context::default()));
    let id = tape.id;
    studio.done(vec![tape]);
    id
}

fn code(world: &World, args: &[&str], expected: i32) -> String {
    let ended = world.run(args);
    assert_eq!(ended.code, Some(expected), "{args:?}: {ended:?}");
    format!("{}{}", ended.out, ended.err)
}

#[test]
fn the_policy_that_judged_changes_nothing() {
    let world = World::new();
    usual(&world);
    let out = code(&world, &["policy", "backtest"], 0);
    assert!(out.contains("4 commands of 1 session (and 1 runs more)") && out.contains("nothing would change"), "{out}");
    assert!(out.contains("commands a second"), "{out}");
    let json: serde_json::Value = serde_json::from_str(&world.good(&["policy", "backtest", "--json"])).unwrap();
    assert_eq!((&json["same"], &json["executions"]), (&true.into(), &5.into()));
}

#[test]
fn what_another_policy_says_is_counted_and_shown() {
    let world = World::new();
    let id = usual(&world);
    let stricter = "rules:
  - { name: agents read, who: any, do: [connect, session, read, destroy], then: allow }
  - { name: deletes, who: any, do: [delete], then: allow }
  - { name: hands off, who: any, do: [read], objects: [public.orders], then: deny }
";
    world.write("new.yaml", stricter);
    let out = code(&world, &["policy", "backtest", "new.yaml"], 1);
    for line in [
        "allow → deny: 1 command",
        "by \"hands off\", before by \"agents read\": 1 command, run 2 times",
        &format!("{id} #1 2026-01-15T12:00:01Z agent-7 (agent) on orders-db as app"),
        "SELECT *",
        "because read on public.orders is denied by \"hands off\"",
        "hold → allow: 1 command",
        "by \"deletes\", before by \"writes need a human\"",
        "deny → allow: 1 command",
        "by \"agents read\", before by default",
        "3 would be judged otherwise",
    ] {
        assert!(out.contains(line), "{line}\n{out}");
    }
    assert!(!out.contains("FROM orders\n"), "only the first line: {out}");
    let json: serde_json::Value =
        serde_json::from_str(&world.run(&["policy", "backtest", "new.yaml", "--json"]).out).unwrap();
    assert_eq!(json["changed"], 3);
    assert_eq!(json["changes"][0]["change"]["new_rules"][0], "hands off");
    assert_eq!(json["changes"][0]["count"]["executions"], 2);
    assert_eq!(json["changes"][0]["count"]["examples"][0]["session"], id.to_string());
}

#[test]
fn sessions_are_chosen_and_a_connect_is_judged_too() {
    let world = World::new();
    let studio = Studio::new(&world);
    let (mut one, mut two) = (studio.open(AGENT), studio.open(Who { subject: "agent-8", groups: &[], ..AGENT }));
    one.allowed("SELECT 1", &[Action::bare(Effect::Read)]);
    two.allowed("SELECT 2", &[Action::bare(Effect::Read)]);
    let ids = (one.id.to_string(), two.id.to_string());
    studio.done(vec![one, two]);
    code(&world, &["policy", "backtest", "--session", &ids.0], 0);
    let out = code(&world, &["policy", "backtest", "--session", "last"], 1);
    assert!(
        out.contains("allow → deny: 2 commands") && out.contains(&format!("{} #0", ids.1)) && out.contains("connect"),
        "{out}"
    );
    assert!(!out.contains(&ids.0), "{out}");
    code(&world, &["policy", "backtest", "--since", "2026-01-16T00:00:00Z"], 0);
    let data = world.path("data");
    code(&world, &["policy", "backtest", "--recordings", data.to_str().unwrap(), "--since", "2026-01-01T00:00:00Z"], 1);
    code(&world, &["policy", "backtest", "--recordings", data.join("recordings").to_str().unwrap()], 1);
    for wrong in
        [["--recordings", "nowhere"], ["--since", "soon"], ["--session", "ses_00000000000000000000000000000001"]]
    {
        let out = code(&world, &["policy", "backtest", wrong[0], wrong[1]], 3);
        assert!(out.contains("error:"), "{out}");
    }
}

#[test]
fn a_target_that_nobody_described_is_said() {
    let world = World::new();
    let studio = Studio::new(&world);
    let mut tape = studio.open(Who { target: "gone-db", ..AGENT });
    tape.allowed("SELECT 1", &[Action::bare(Effect::Read)]);
    studio.done(vec![tape]);
    let out = code(&world, &["policy", "backtest"], 3);
    assert!(out.contains("not judged: 1 session on gone-db: no such target is configured"), "{out}");
    world.write("targets.yaml", "targets:\n  - { name: gone-db, labels: { env: prod } }\n");
    code(&world, &["policy", "backtest", "--targets", "targets.yaml"], 0);
    world.write("p.yaml", &POLICY.replace("    do: [connect", "    on: { labels: { env: test } }\n    do: [connect"));
    code(&world, &["policy", "backtest", "p.yaml", "--targets", "targets.yaml"], 1);
}

#[test]
fn conditions_and_copies_are_judged_where_they_were_recorded() {
    let world = World::new();
    let studio = Studio::new(&world);
    let column = |column: &str| ColumnRef { relation: "public.customers".to_owned(), column: column.to_owned() };
    let used = || vec![Used { relation: "public.customers".into(), column: "email".into(), kind: Used::ANYHOW }];
    let context = |bits| Context { bits, ..Context::default() };
    let moves = vec![Move { from: column("email"), to: None, made: false }];
    let mut tape = studio.open(AGENT);
    let reads = [read("public.customers")];
    tape.said(
        "SELECT id FROM customers WHERE email = 'a'",
        &reads,
        Outcome::Allow,
        Some(Context { used: used(), ..Context::default() }),
    );
    tape.said("SELECT f(x)", &reads, Outcome::Allow, Some(context(Context::READS_UNKNOWN)));
    tape.said(
        "INSERT INTO t SELECT email",
        &reads,
        Outcome::Allow,
        Some(Context { moves: moves.into(), ..Context::default() }),
    );
    tape.said("SELECT in transaction", &reads, Outcome::Allow, Some(context(Context::IN_TRANSACTION)));
    tape.said("SELECT plain", &reads, Outcome::Allow, Some(Context::default()));
    tape.said("SELECT old", &reads, Outcome::Allow, None);
    studio.done(vec![tape]);
    let rules = "rules:
  - { name: reads, who: any, do: [connect, read], then: allow }
  - { name: not inside, who: any, do: [read], if: { in_transaction: true }, then: deny }
masks:
  - { name: emails, who: any, columns: [public.customers.email], with: redact, predicates: deny }
";
    world.write("new.yaml", rules);
    let out = code(&world, &["policy", "backtest", "new.yaml", "--examples", "9"], 1);
    assert!(out.contains("allow → deny: 4 commands") && out.contains("by \"not inside\""), "{out}");
    for denied in ["WHERE email", "SELECT f(x)", "INSERT INTO t", "SELECT in transaction"] {
        assert!(out.contains(denied), "{denied}\n{out}");
    }
    assert!(!out.contains("SELECT plain") && !out.contains("SELECT old"), "{out}");
    assert!(out.contains("1 command recorded by an earlier version"), "{out}");
}

#[test]
fn masks_that_results_would_lose_or_get_are_named() {
    let world = World::new();
    let studio = Studio::new(&world);
    let mut tape = studio.open(AGENT);
    tape.allowed("SELECT", &[read("public.customers")]).result(&[("email", "redact"), ("phone", ""), ("id", "")]);
    tape.allowed("SELECT", &[read("public.orders")]).result(&[("phone", ""), ("note", "detect")]);
    studio.done(vec![tape]);
    let with = |masks: &str| world.write("new.yaml", &format!("{POLICY}{masks}"));
    with("");
    let out = code(&world, &["policy", "backtest", "new.yaml"], 1);
    assert!(out.contains("column email of public.customers: redact → no mask: 1 result"), "{out}");
    assert!(out.contains("column note of public.orders: detect → no mask"), "{out}");
    with("masks:\n  - { name: phones, who: any, columns: [public.customers.phone], detect: [email], with: partial }\n");
    let out = code(&world, &["policy", "backtest", "new.yaml"], 1);
    assert!(out.contains("column phone of public.customers: no mask → partial, by its name"), "{out}");
    assert!(out.contains("column email of public.customers: redact → not known"), "{out}");
    assert!(!out.contains("public.orders") && out.contains("1 column masked otherwise"), "{out}");
    with("masks:\n  - { name: emails, who: any, columns: [\"*.email\"], detect: [email], with: redact }\n");
    let out = code(&world, &["policy", "backtest", "new.yaml"], 0);
    assert!(out.contains("nothing would change"), "{out}");
}

#[test]
fn a_rate_that_was_kept_is_judged_by_the_recorded_times() {
    let world = World::new();
    let studio = Studio::new(&world);
    let mut tape = studio.open(AGENT);
    // One a second, so 59 or 60 in each minute.
    for _ in 0..180 {
        tape.allowed("SELECT 1", &[Action::bare(Effect::Read)]);
    }
    studio.done(vec![tape]);
    let limit = |most: u32| format!("{POLICY}limits:\n  - {{ name: slow, who: any, commands_per_minute: {most} }}\n");
    world.write("new.yaml", &limit(60));
    code(&world, &["policy", "backtest", "new.yaml"], 0);
    world.write("new.yaml", &limit(50));
    let out = code(&world, &["policy", "backtest", "new.yaml"], 1);
    assert!(out.contains("because at most 50 commands per minute"), "{out}");
}

#[test]
fn suggested_rules_allow_the_sessions_again_and_have_no_findings() {
    let world = World::new();
    let studio = Studio::new(&world);
    let (mut one, mut two) = (studio.open(AGENT), studio.open(Who { subject: "agent-8", ..AGENT }));
    for tape in [&mut one, &mut two] {
        tape.allowed("BEGIN", &[Action::bare(Effect::Session)]);
        tape.allowed("SET x = 1", &[Action::on(Effect::Session, Object::new(ObjectKind::Setting, "application_name"))]);
        let call = Action::on(Effect::Execute, Object::new(ObjectKind::Function, "public.f"));
        tape.allowed("SELECT f(id) FROM orders", &[read("public.orders"), call]);
    }
    two.allowed("UPDATE all", &[on(Effect::Write, "public.jobs")]);
    two.said("DROP TABLE jobs", &[on(Effect::Destroy, "public.jobs")], Outcome::Deny, Some(Context::default()));
    studio.done(vec![one, two]);
    let ended = world.run(&["policy", "suggest"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in
        ["\"setting:application_name\"  # 1 times", "\"function:public.f\"", "users: [\"agent-7\"]", "unbounded: false"]
    {
        assert!(ended.out.contains(part), "{part}\n{}", ended.out);
    }
    assert!(!ended.out.contains("destroy") && ended.err.contains("1 commands that were denied or held"), "{ended:?}");
    world.write("suggested.yaml", &ended.out);
    let checked = world.good(&["policy", "check", "suggested.yaml"]);
    assert!(checked.starts_with("the policy is good"), "no finding comes first: {checked}");
    code(&world, &["policy", "backtest", "suggested.yaml"], 0);
    let all = world.good(&["policy", "suggest", "--include-denied", "--session", "last", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    let yaml = all["yaml"].as_str().unwrap();
    assert!(yaml.contains("destroy") && yaml.contains("agent-8") && !yaml.contains("agent-7"), "{yaml}");
}

#[test]
fn a_hundred_thousand_commands_are_judged_in_one_pass() {
    let world = World::new();
    let studio = Studio::new(&world);
    let mut tape = studio.open(AGENT);
    let columns = [Used { relation: "public.accounts".into(), column: "id".into(), kind: Used::ANYHOW }];
    for number in 0..100_000_u32 {
        let text = format!("SELECT balance FROM accounts WHERE id = {number}");
        let context = Context { used: columns.to_vec(), ..Context::default() };
        tape.said(&text, &[read(&format!("public.accounts_{}", number % 100))], Outcome::Allow, Some(context));
        tape.result(&[("balance", "")]);
    }
    studio.done(vec![tape]);
    let masks = "masks:\n  - { name: m, who: any, columns: [\"*.email\"], with: redact, predicates: deny }\n";
    world.write("new.yaml", &format!("{POLICY}{masks}"));
    let started = Instant::now();
    let out = code(&world, &["policy", "backtest", "new.yaml"], 0);
    assert!(out.contains("100000 commands of 1 session") && started.elapsed() < Duration::from_secs(100), "{out}");
    println!("{out}");
    let suggested = world.good(&["policy", "suggest"]);
    assert_eq!(suggested.matches("\"public.accounts_").count(), 100);
}

#[test]
fn what_was_asked_for_in_clear_is_judged_and_its_columns_are_no_change() {
    let world = World::new();
    let studio = Studio::new(&world);
    let used = vec![Used { relation: "public.customers".into(), column: "email".into(), kind: Used::IN_CLEAR }];
    let mut tape = studio.open(AGENT);
    tape.said(
        "/* sallyport: unmask public.customers.email */ SELECT email FROM customers",
        &[read("public.customers")],
        Outcome::Hold,
        Some(Context { used, ..Context::default() }),
    );
    tape.result(&[("email", "lifted")]);
    studio.done(vec![tape]);
    let policy = |unmask: &str| {
        format!(
            "{POLICY}masks: [{{ name: pii, who: any, columns: ['*.email'], with: redact, predicates: deny{unmask} }}]\n"
        )
    };
    world.write("same.yaml", &policy(", unmask: { by: { groups: [dpo] } }"));
    let out = code(&world, &["policy", "backtest", "same.yaml"], 0);
    assert!(!out.contains("email"), "{out}");
    world.write("firm.yaml", &policy(""));
    let out = code(&world, &["policy", "backtest", "firm.yaml"], 1);
    assert!(out.contains("hold → deny: 1 command") && out.contains("by \"pii\""), "{out}");
    world.write("open.yaml", POLICY);
    let out = code(&world, &["policy", "backtest", "open.yaml"], 1);
    assert!(out.contains("hold → allow: 1 command"), "{out}");
}

#[test]
fn command_lines_are_read_by_a_policy_that_says_what_programs_do() {
    let world = World::new();
    world.write("targets.yaml", "targets:\n  - { name: web-1, kind: ssh }\n");
    let studio = Studio::new(&world);
    let mut tape = studio.open(Who { target: "web-1", ..AGENT });
    tape.label = "exec";
    let line = |effect, text: &str| Action::on(effect, Object::new(ObjectKind::Command, text));
    tape.said(
        "deployctl status",
        &[line(Effect::Execute, "deployctl status")],
        Outcome::Deny,
        Some(Context::default()),
    );
    tape.allowed("cat x", &[line(Effect::Read, "cat x")]);
    tape.allowed("deployctl list", &[line(Effect::Read, "deployctl list")]);
    studio.done(vec![tape]);
    let rules = "rules: [{ name: agents read, who: any, do: [connect, session, read], then: allow }]\n";
    world.write("rules.yaml", rules);
    // Rules alone are for what commands were known to do.
    let out = code(&world, &["policy", "backtest", "rules.yaml", "--targets", "targets.yaml"], 0);
    assert!(out.contains("nothing would change"), "{out}");
    world.write("tools.yaml", &format!("{rules}tools: [{{ command: deployctl status, does: read }}]\n"));
    let out = code(&world, &["policy", "backtest", "tools.yaml", "--targets", "targets.yaml"], 1);
    for line in ["deny → allow: 1 command", "deployctl status", "allow → deny: 1 command", "deployctl list"] {
        assert!(out.contains(line), "{line}\n{out}");
    }
}
