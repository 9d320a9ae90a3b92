//! A database, the gateway before it under one policy, and the session of one agent.

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::Wire;

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) gateway: Gateway,
    pub(crate) wire: Wire,
    /// What no answer may ever hold.
    pub(crate) hidden: &'static [&'static str],
}

impl World {
    /// `schema` is run by the superuser, one line that ends with a semicolon after the other.
    pub(crate) fn new(schema: &str, policy: &str, hidden: &'static [&'static str]) -> Self {
        let server = Server::start(&ServerOptions::default()).unwrap();
        for statement in schema.split(";\n") {
            server.sql("postgres", statement).unwrap();
        }
        let gateway = Gateway::start(&Options::new(server.port(), "postgres", policy)).unwrap();
        let wire = Wire::login(&gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap();
        Self { server, gateway, wire, hidden }
    }

    /// Everything that the answer says.
    pub(crate) fn said(&mut self, sql: &str) -> String {
        let answers = self.wire.query(sql).unwrap();
        let said: String = answers
            .iter()
            .map(|answer| format!("{}{}\n", char::from(answer.tag), String::from_utf8_lossy(&answer.body)))
            .collect();
        assert!(!self.hidden.iter().any(|hidden| said.contains(hidden)), "{sql}: {said}");
        said
    }
}
