//! What `/metrics` says.

use std::io::{Read as _, Write as _};

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::postgres::{APP, Options as ServerOptions, Server};
use sallyport_tests::kit::wire::{Wire, dial};

const POLICY: &str = "
rules:
  - name: agents read
    who: { groups: [agents] }
    do: [connect, session, read]
    then: allow
";

/// How often the caches of verdicts and of analyses were looked into with this result.
fn counts(gateway: &Gateway, result: &str) -> [u64; 2] {
    let (host, port) = gateway.api().rsplit_once(':').unwrap();
    let mut dsn = gateway.dsn_with("", "", "");
    (dsn.host, dsn.port) = (host.trim_start_matches("http://").to_owned(), port.parse().unwrap());
    let mut stream = dial(&dsn).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    ["verdict", "analysis"].map(|cache| {
        let name = format!("sallyport_{cache}_cache_total{{result=\"{result}\"}} ");
        let count = answer.lines().find_map(|line| line.strip_prefix(&name));
        count.unwrap_or_else(|| panic!("no {name}: {answer}")).trim().parse().unwrap()
    })
}

#[test]
fn what_is_asked_again_is_found_in_the_caches() {
    let server = Server::start(&ServerOptions::default()).unwrap();
    server.sql("postgres", "CREATE TABLE customers(id int); GRANT SELECT ON customers TO app").unwrap();
    let gateway = Gateway::start(&Options::new(server.port(), "postgres", POLICY)).unwrap();
    let mut wire = Wire::login(&gateway.dsn(&Who::agent("agent-7"), APP, "postgres").unwrap()).unwrap();
    wire.rows("SELECT id FROM customers WHERE id = 0").unwrap();
    let (before, missed) = (counts(&gateway, "hit"), counts(&gateway, "miss"));
    assert!(missed.iter().all(|count| *count > 0), "{missed:?}");
    for id in 1..=20 {
        wire.rows(&format!("SELECT id FROM customers WHERE id = {id}")).unwrap();
    }
    // The server's own upkeep may change the catalogue once in between.
    for (before, after) in before.into_iter().zip(counts(&gateway, "hit")) {
        assert!((18..=20).contains(&(after - before)), "{before} to {after}");
    }
    wire.rows("SELECT id, id FROM customers").unwrap();
    assert!(counts(&gateway, "miss")[1] > missed[1]);
}
