//! The kit itself: a server that starts, lets the right ones in, and goes away with its owner.

use std::path::Path;

use sallyport_tests::kit::message;
use sallyport_tests::kit::postgres::{APP, Options, Server};
use sallyport_tests::kit::wire::{PATIENCE, Wire, send_cancel};

#[test]
fn a_server_starts_serves_and_leaves_nothing_behind() {
    let server = Server::start(&Options { log_statements: true, ..Options::default() }).unwrap();
    let home = server.home().to_owned();
    let pid = server.id();

    assert_eq!(server.sql("postgres", "SELECT 6 * 7").unwrap(), vec![vec![Some("42".to_owned())]]);
    assert_eq!(Wire::login(&server.app("postgres")).unwrap().value("SELECT current_user").unwrap(), APP);
    assert!(server.log().unwrap().contains("SELECT 6 * 7"));

    let mut wrong = server.app("postgres");
    wrong.password = "not-it".to_owned();
    assert!(Wire::login(&wrong).err().unwrap().to_string().contains("28P01"));

    let mut tls = server.app("postgres");
    tls.host = "localhost".to_owned();
    tls.ca = Some(server.ca());
    let mut tls = Wire::login(&tls).unwrap();
    assert_eq!(tls.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").unwrap(), "t");
    let long = tls.value("SELECT repeat('x', 3000000)").unwrap();
    assert_eq!(long.len(), 3_000_000);

    drop(server);
    assert!(!home.exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn the_wire_client_speaks_the_extended_protocol_and_cancels() {
    let server = Server::start(&Options::default()).unwrap();
    let mut wire = Wire::login(&server.app("postgres")).unwrap();
    let mut batch = message::parse("", b"SELECT $1::int + 1", &[]);
    batch.extend(message::bind("", "", &[Some(b"41".to_vec())], 0, 0));
    batch.extend(message::named(b'D', b'P', ""));
    batch.extend(message::execute("", 0));
    batch.extend(message::sync());
    wire.send(&batch).unwrap();
    let tags: Vec<char> = wire.until_ready(PATIENCE).unwrap().iter().map(|m| char::from(m.tag)).collect();
    assert_eq!(tags.iter().collect::<String>(), "12TDCZ");

    let (pid, key) = wire.key.clone().unwrap();
    wire.send(&message::query(b"SELECT pg_sleep(30)")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    send_cancel(&server.app("postgres"), pid, &key).unwrap();
    let answers = wire.until_ready(PATIENCE).unwrap();
    assert!(answers.iter().any(|m| m.field(b'C').as_deref() == Some("57014")));
}
