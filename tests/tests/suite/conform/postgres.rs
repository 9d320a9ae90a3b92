//! PostgreSQL: a real server behind a tap.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::{Gateway, Options};
use sallyport_tests::kit::message;
use sallyport_tests::kit::postgres::{APP, APP_PASSWORD, Options as ServerOptions, SUPERUSER_PASSWORD, Server};
use sallyport_tests::kit::wire::{Next, Wire, dial};

use super::target::Target;
use super::{Client, Closes, End, Heard, Protocol, Verb};

pub(super) struct Postgres;

pub(super) struct Session {
    wire: Wire,
    /// Answers that are still to come.
    due: usize,
}

impl Protocol for Postgres {
    const TARGET: &'static str = "orders-db";
    const NOT_THEIRS: &'static str = "superuser:orders-db";
    const POLICY: &'static str = r##"
rules:
  - { name: in, who: { groups: [agents] }, on: { roles: [app] }, do: [connect, session, read], then: allow }
  - { name: never, who: any, on: { targets: [orders-db] }, do: [write], then: deny, message: "Ask in #ops." }
  - { name: asks, who: { groups: [agents] }, do: [create], then: approve, approval: { by: { groups: [dba] }, expires: EXPIRES } }
masks:
  - { name: mail, who: any, detect: [email], with: redact }
"##;
    type Client = Session;

    fn target() -> Target {
        let server = Server::start(&ServerOptions::default()).unwrap();
        server.sql("postgres", "CREATE TABLE t(note text); INSERT INTO t VALUES ('x'); GRANT ALL ON t TO app").unwrap();
        let mut target = Target::tap(server.port());
        target.about = server.port().to_string();
        target.kept = Box::new(server);
        target
    }

    fn options(target: &Target, policy: &str) -> Options {
        Options::new(target.port, "postgres", policy)
    }

    fn secrets() -> Vec<String> {
        vec![APP_PASSWORD.to_owned(), SUPERUSER_PASSWORD.to_owned()]
    }

    fn connect(gateway: &Gateway, token: &str, target: &str) -> Result<Session, String> {
        let (role, target) = target.split_once(':').unwrap_or((APP, target));
        let mut dsn = gateway.dsn_with(token, role, "postgres");
        dsn.database = format!("{target}/postgres");
        Wire::login(&dsn).map(|wire| Session { wire, due: 0 }).map_err(|error| format!("{error:#}"))
    }

    fn garbage(gateway: &Gateway, token: &str, noise: &[u8]) -> Vec<(&'static str, Closes)> {
        let dsn = gateway.dsn_with(token, APP, "postgres");
        let startup =
            message::startup(&[("user".to_owned(), APP.to_owned()), ("database".to_owned(), dsn.database.clone())]);
        let mut all: Vec<(&'static str, Closes)> = Vec::new();
        for (stage, before) in [("the start", Vec::new()), ("TLS", message::ssl_request()), ("the login", startup)] {
            let mut peer = dial(&dsn).unwrap();
            let _turned_away = peer.write_all(&before).and_then(|()| peer.write_all(noise));
            all.push((stage, super::peers::closes(peer)));
        }
        let mut inside = Wire::login(&dsn).unwrap();
        let _turned_away = inside.send(noise);
        all.push(("a session", Box::new(move |limit| inside.closes_within(limit).unwrap_or(true))));
        // A message's frame is right, and its inside is noise.
        for (stage, tag) in [("a bind", b'B'), ("a parse", b'P'), ("an unknown message", b'?')] {
            let mut inside = Wire::login(&dsn).unwrap();
            let _turned_away = inside.send(&message::framed(tag, &noise[..4000]));
            let _turned_away = inside.send(&message::framed(b'X', &[]));
            all.push((stage, Box::new(move |limit| inside.closes_within(limit).unwrap_or(true))));
        }
        all
    }

    fn oversize(gateway: &Gateway, token: &str) -> Vec<(&'static str, Closes)> {
        let dsn = gateway.dsn_with(token, APP, "postgres");
        let mut first = dial(&dsn).unwrap();
        first.write_all(&[&1_073_741_823_i32.to_be_bytes()[..], &[0, 3, 0, 0]].concat()).unwrap();
        let mut inside = Wire::login(&dsn).unwrap();
        inside.send(&[&b"Q"[..], &1_073_741_823_i32.to_be_bytes(), &[b'x'; 500]].concat()).unwrap();
        vec![
            ("a startup", super::peers::closes(first)),
            ("a query", Box::new(move |limit| inside.closes_within(limit).unwrap_or(true))),
        ]
    }

    fn halves(gateway: &Gateway) -> Vec<TcpStream> {
        let dsn = gateway.dsn_with("", APP, "postgres");
        let startup = message::startup(&[("user".to_owned(), APP.to_owned())]);
        let parts = [&b""[..], &startup[..3], &startup[..startup.len() - 1], &startup];
        parts
            .iter()
            .map(|part| {
                let mut peer = dial(&dsn).unwrap();
                peer.write_all(part).unwrap();
                peer
            })
            .collect()
    }
}

impl Client for Session {
    fn say(&mut self, verb: Verb, marker: &str) {
        let text = match verb {
            Verb::Allowed => format!("SELECT '{marker}' AS said"),
            Verb::Denied => format!("UPDATE t SET note = '{marker}'"),
            // Of a change of rows the planner is asked for its estimate, on a connection of the gateway's own.
            Verb::Held => format!("CREATE TABLE \"{marker}\" ()"),
            Verb::Endless => {
                format!("SELECT '{marker}', count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b")
            }
        };
        self.due += 1;
        // Who was closed meanwhile says so when it is heard.
        let _gone = self.wire.send(&message::query(text.as_bytes()));
    }

    fn say_behind(&mut self, marker: &str) {
        self.say(Verb::Allowed, marker);
    }

    fn hear(&mut self, limit: Duration) -> Heard {
        let (until, mut heard) = (Instant::now() + limit, Heard::default());
        while self.due > 0 {
            match self.wire.next(until) {
                Ok(Next::Message(message)) => {
                    heard.text.push_str(&String::from_utf8_lossy(&message.body));
                    heard.text.push('\n');
                    self.due -= usize::from(message.tag == b'Z');
                }
                Ok(Next::Silent) => return heard,
                Ok(Next::Closed) | Err(_) => return Heard { end: End::Closed, ..heard },
            }
        }
        Heard { end: End::Done, ..heard }
    }
}
