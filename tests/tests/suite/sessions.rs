//! Live sessions from outside: holds, revocation, policy changes, wrong ways in.

use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::{Gateway, Options, TARGET, Who};
use sallyport_tests::kit::message;
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::process::wait_for;
use sallyport_tests::kit::wire::{Next, PATIENCE, Wire, send_cancel};
use serde_json::Value;

const POLICY: &str = r"
rules:
  - name: agents read
    who: { groups: [agents] }
    do: [connect, session, read]
    then: allow
  - name: deletes need a human
    who: { groups: [agents] }
    do: [delete]
    then: approve
    approval: { by: { groups: [dba] }, expires: 60s, reason: required, preview: dry-run }
";

struct World {
    server: Server,
    gateway: Gateway,
}

fn world() -> World {
    let server = Server::start(&ServerOptions::default()).unwrap();
    server
        .sql("postgres", "CREATE TABLE t(n int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10); GRANT ALL ON t TO app; \
            CREATE TABLE parts(t int REFERENCES t ON DELETE CASCADE); INSERT INTO parts SELECT n % 5 + 1 FROM generate_series(1, 40) n; \
            GRANT ALL ON parts TO app; ANALYZE")
        .unwrap();
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", POLICY)).unwrap();
    World { server, gateway }
}

impl World {
    fn login(&self, subject: &str) -> Wire {
        Wire::login(&self.gateway.dsn(&Who::agent(subject), APP, "postgres").unwrap()).unwrap()
    }

    /// Why a way in is refused.
    fn refused(&self, change: impl FnOnce(&mut sallyport_tests::kit::dsn::Dsn)) -> String {
        let mut dsn = self.gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap();
        change(&mut dsn);
        format!("{:#}", Wire::login(&dsn).err().expect("a refusal"))
    }

    /// The one request that waits.
    fn waiting(&self) -> String {
        let mut id = None;
        wait_for("a request for approval", PATIENCE, || {
            let list: Value = serde_json::from_str(&self.gateway.cli(&["approvals", "ls", "--json"])?)?;
            id = list.get(0).and_then(|one| one.get("id")).and_then(Value::as_str).map(str::to_owned);
            Ok(id.is_some())
        })
        .unwrap();
        id.unwrap()
    }

    /// Answers as a human of the group `dba`.
    fn answer(&self, how: &str, id: &str) -> bool {
        let who = ["--as", "dana", "--kind", "human", "--groups", "dba", "--target", "sallyport", "--quiet"];
        let token = self.gateway.cli(&[&["token"], who.as_slice()].concat()).unwrap();
        let mut command = self.gateway.command(&["approvals", how, id, "--reason", "looked at it"]);
        command.env("SALLYPORT_TOKEN", token.trim()).output().unwrap().status.success()
    }

    fn rows(&self) -> String {
        self.server.sql("postgres", "SELECT count(*) FROM t").unwrap().remove(0).remove(0).unwrap()
    }
}

fn code(answers: &[message::Message]) -> Option<String> {
    answers.iter().find(|answer| answer.tag == b'E').and_then(|answer| answer.field(b'C'))
}

#[test]
fn a_held_statement_waits_for_its_human_and_runs_once() {
    let world = world();
    let mut wire = world.login("agent-7");
    wire.send(&message::query(b"DELETE FROM t WHERE n = 1")).unwrap();
    let Next::Message(notice) = wire.next(Instant::now() + PATIENCE).unwrap() else { panic!("no notice") };
    assert_eq!(notice.tag, b'N');
    let id = world.waiting();
    assert!(notice.describe().contains(&id), "{}", notice.describe());
    assert_eq!(world.rows(), "10", "nothing runs before the answer");
    assert!(world.answer("approve", &id));
    let answers = wire.until_ready(PATIENCE).unwrap();
    assert!(answers.iter().any(|answer| answer.tag == b'C' && answer.body.starts_with(b"DELETE 1")));
    assert_eq!(world.rows(), "9");
    assert!(!world.answer("approve", &id), "an approval is used once");
    // The same text asks anew; this time it is denied, and the session goes on.
    wire.send(&message::query(b"DELETE FROM t WHERE n = 2")).unwrap();
    let id = world.waiting();
    assert!(world.answer("deny", &id));
    assert_eq!(code(&wire.until_ready(PATIENCE).unwrap()).as_deref(), Some("42501"));
    assert_eq!((world.rows().as_str(), wire.value("SELECT 1").unwrap().as_str()), ("9", "1"));
}

#[test]
fn a_wait_ends_with_a_cancel_or_with_the_client() {
    let world = world();
    let dsn = world.gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap();
    let mut wire = Wire::login(&dsn).unwrap();
    wire.send(&message::query(b"DELETE FROM t WHERE n = 1")).unwrap();
    world.waiting();
    let (pid, key) = wire.key.clone().unwrap();
    send_cancel(&dsn, pid, &key).unwrap();
    assert!(code(&wire.until_ready(PATIENCE).unwrap()).is_some());
    assert_eq!(wire.value("SELECT 1").unwrap(), "1");
    wire.send(&message::query(b"DELETE FROM t WHERE n = 1")).unwrap();
    let id = world.waiting();
    drop(wire);
    wait_for("the request's end", PATIENCE, || Ok(world.gateway.cli(&["approvals", "ls", "--json"])?.trim() == "[]"))
        .unwrap();
    assert!(!world.answer("approve", &id), "nobody waits for it any more");
    assert_eq!(world.rows(), "10");
}

#[test]
fn a_policy_change_is_felt_by_live_sessions() {
    let world = world();
    let mut wire = world.login("agent-7");
    assert_eq!(wire.value("SELECT count(*) FROM t").unwrap(), "10");
    world.gateway.set_policy(&POLICY.replace("[connect, session, read]", "[connect, session]")).unwrap();
    wait_for("the new policy", PATIENCE, || {
        Ok(code(&wire.query("SELECT count(*) FROM t")?).as_deref() == Some("42501"))
    })
    .unwrap();
    // Whoever may not connect any more is told so and closed.
    world.gateway.set_policy("rules: []\n").unwrap();
    assert!(wire.closes_within(PATIENCE).unwrap());
}

#[test]
fn a_revoked_token_closes_its_sessions_even_in_the_middle() {
    let world = world();
    let mut idle = world.login("agent-7");
    let mut busy = world.login("agent-8");
    busy.send(&message::query(b"SELECT pg_sleep(60)")).unwrap();
    let list: Value = serde_json::from_str(&world.gateway.cli(&["tokens", "ls", "--json"]).unwrap()).unwrap();
    for token in list.as_array().unwrap() {
        world.gateway.cli(&["tokens", "revoke", token["id"].as_str().unwrap()]).unwrap();
    }
    let start = Instant::now();
    assert!(idle.closes_within(PATIENCE).unwrap() && busy.closes_within(PATIENCE).unwrap());
    assert!(start.elapsed() < Duration::from_secs(10));
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    wait_for("the target's statement to end", PATIENCE, || {
        Ok(world.server.sql("postgres", running)?.remove(0).remove(0).as_deref() == Some("0"))
    })
    .unwrap();
    assert!(world.gateway.cli(&["sessions", "verify"]).unwrap().contains("all whole"));
}

#[test]
fn every_wrong_way_in_has_its_own_words() {
    let mut world = world();
    let wrong = world.refused(|dsn| dsn.password = "spt_not-a-token".to_owned());
    assert!(wrong.contains("28P01"), "{wrong}");
    let unknown = world.refused(|dsn| dsn.database = "nowhere/postgres".to_owned());
    assert!(unknown.contains("3D000") || unknown.contains("28"), "{unknown}");
    assert_ne!(wrong, unknown);
    let stranger = Who { groups: Vec::new(), ..Who::agent("stranger") };
    let denied = Wire::login(&world.gateway.dsn(&stranger, APP, "postgres").unwrap()).err().unwrap();
    assert!(format!("{denied:#}").contains("policy does not let you connect"), "{denied:#}");
    let nothing = world.refused(|dsn| dsn.password = String::new());
    assert!(nothing.contains("the password is empty"), "{nothing}");
    let short = ["token", "--as", "agent-7", "--groups", "agents", "--target", TARGET, "--ttl", "1s", "--quiet"];
    let token = world.gateway.cli(&short).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let expired = world.refused(|dsn| dsn.password = token.trim().to_owned());
    assert!(expired.contains("expired"), "{expired}");
    // A target that is away: its own code, and nothing of its address.
    let port = world.server.port().to_string();
    world.server = Server::start(&ServerOptions::default()).unwrap();
    let away = world.refused(|_| {});
    assert!(away.contains("08") && !away.contains(&port), "{away}");
}

/// An approver sees what a command would change before it does, cascades included, and afterwards what came of it.
#[test]
fn an_approver_sees_what_would_change_and_what_did() {
    let world = world();
    let show = |id: &str| world.gateway.cli(&["approvals", "show", id]).unwrap();
    for extended in [false, true] {
        let mut wire = world.login("agent-7");
        let n = if extended { 2 } else { 1 };
        if extended {
            let bind = message::bind("", "", &[Some(n.to_string().into_bytes())], 0, 0);
            let parse = message::parse("", b"DELETE FROM t WHERE n = $1", &[]);
            wire.send(&[parse, bind, message::execute("", 0), message::sync()].concat()).unwrap();
        } else {
            wire.send(&message::query(format!("DELETE FROM t WHERE n = {n}").as_bytes())).unwrap();
        }
        let id = world.waiting();
        let shown = show(&id);
        assert!(shown.contains("about 1 rows, by the planner's estimate"), "{shown}");
        assert!(shown.contains("dry run, undone: DELETE 1"), "{shown}");
        assert!(shown.contains("public.parts: 8 deleted") && shown.contains("public.t: 1 deleted"), "{shown}");
        assert_eq!(world.rows(), (11 - n).to_string(), "nothing of the dry run stays");
        assert!(world.answer("approve", &id));
        assert_eq!(code(&wire.until_ready(PATIENCE).unwrap()), None);
        wait_for("what came of it", PATIENCE, || Ok(show(&id).contains("it ran: DELETE 1"))).unwrap();
    }
    // What cannot be asked is said, and keeps nobody waiting.
    let mut locker = world.server.admin("postgres").unwrap();
    locker.query("BEGIN; SELECT * FROM t WHERE n = 5 FOR UPDATE").unwrap();
    let mut wire = world.login("agent-7");
    wire.send(&message::query(b"DELETE FROM t WHERE n = 5")).unwrap();
    let id = world.waiting();
    let shown = show(&id);
    assert!(shown.contains("about 1 rows") && shown.contains("no dry run: the target answers 55P03"), "{shown}");
    assert!(world.answer("deny", &id));
    assert_eq!(code(&wire.until_ready(PATIENCE).unwrap()).as_deref(), Some("42501"));
}

/// The server closes while rows still flow to it: its last message was sent before, and comes through.
#[test]
fn a_server_that_ends_a_session_in_the_middle_of_a_copy_is_heard() {
    const COPIES: &str = "rules: [{ name: loads, who: any, do: [connect, session, read, write, import], then: allow }]";
    let server = Server::start(&ServerOptions::default()).unwrap();
    server.sql("postgres", "CREATE TABLE loads(line text); GRANT ALL ON loads TO app").unwrap();
    let mut options = Options::new(server.port(), "postgres", COPIES);
    // The client's TLS reads nothing more once it could not write.
    options.tls = false;
    let gateway = Gateway::start(&options).unwrap();
    let row = message::framed(b'd', b"a line\n").repeat(8192);
    for round in 0..20 {
        let mut client = Wire::login(&gateway.dsn(&Who::agent("loader"), APP, "postgres").unwrap()).unwrap();
        client.send(&message::query(b"COPY loads FROM STDIN")).unwrap();
        let until = Instant::now() + PATIENCE;
        while !matches!(client.next(until).unwrap(), Next::Message(answer) if answer.tag == b'G') {}
        for piece in 0..400 {
            client.send(&row).unwrap();
            if piece == 3 {
                server
                    .sql(
                        "postgres",
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY loads%'",
                    )
                    .unwrap();
            }
            if client.closed() {
                break;
            }
        }
        assert!(client.closes_within(PATIENCE).unwrap(), "round {round}: the session goes on");
        let mut said = Vec::new();
        while let Next::Message(answer) = client.next(Instant::now()).unwrap() {
            said.push(answer.describe());
        }
        assert!(said.iter().any(|answer| answer.contains("57P01")), "round {round}: {said:?}");
    }
}
