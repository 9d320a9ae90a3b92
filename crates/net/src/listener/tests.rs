//! Real sockets: limits hold, proxies are believed, stopping stops.

use std::io::{Read as _, Write as _};
use std::sync::mpsc;

use tokio::io::AsyncReadExt as _;

use super::*;
use crate::drain::Drain;

struct Running {
    address: SocketAddr,
    drain: Option<Drain>,
    runtime: tokio::runtime::Runtime,
    /// Held here, too: dropping the last handle drops what runs on them.
    _workers: Arc<Workers>,
    peers: mpsc::Receiver<SocketAddr>,
}

fn serve(limits: Limits) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = Listener::bind("127.0.0.1:0", "listen.postgres").unwrap();
    let address = listener.address();
    let drain = Drain::default();
    let workers = Arc::new(Workers::start(1).unwrap());
    let (sender, peers) = mpsc::channel();
    let watch = drain.watch();
    runtime.spawn(listener.run(limits, Arc::clone(&workers), watch, move |mut accepted: Accepted| {
        let sender = sender.clone();
        async move {
            sender.send(accepted.peer).unwrap();
            // As a login that waits for its client.
            let _byte = accepted.stream.read_u8().await;
        }
    }));
    Running { address, drain: Some(drain), runtime, _workers: workers, peers }
}

impl Running {
    fn connect(&self) -> std::net::TcpStream {
        #[expect(clippy::disallowed_methods, reason = "the client of a test")]
        let stream = std::net::TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    fn served(&self) -> SocketAddr {
        self.peers.recv_timeout(Duration::from_secs(5)).unwrap()
    }
}

#[test]
fn an_address_in_use_is_named_with_its_setting() {
    let first = Listener::bind("127.0.0.1:0", "listen.postgres").unwrap();
    let error = Listener::bind(&first.address().to_string(), "listen.postgres").unwrap_err().to_string();
    assert!(
        error.contains(&first.address().to_string()) && error.contains("in use") && error.contains("`listen.postgres`"),
        "{error}"
    );
    for wrong in ["nonsense", "127.0.0.1:99999", "203.0.113.1:0"] {
        let error = Listener::bind(wrong, "listen.api").unwrap_err().to_string();
        assert!(error.contains(wrong) && error.contains("`listen.api`"), "{error}");
    }
}

#[test]
fn too_many_are_told_and_closed() {
    let limits = Limits { max_connections: 1, turned_away: b"full".to_vec(), ..Limits::default() };
    let running = serve(limits);
    let first = running.connect();
    running.served();
    let mut second = running.connect();
    let mut text = Vec::new();
    second.read_to_end(&mut text).unwrap();
    assert_eq!(text, b"full");
    drop(first);
    // The place is free once the worker has seen the end.
    for _ in 0..50 {
        let mut third = running.connect();
        third.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        if third.read(&mut [0; 4]).is_err() {
            return;
        }
    }
    panic!("the place was not freed");
}

#[test]
fn one_source_cannot_take_every_place() {
    let running = serve(Limits { max_unauthenticated_per_source: 2, ..Limits::default() });
    let held: Vec<_> = (0..2).map(|_| running.connect()).collect();
    let mut third = running.connect();
    assert_eq!(third.read(&mut [0; 4]).unwrap(), 0);
    drop(held);
}

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    let running = serve(Limits { proxies: loopback, handshake: Duration::from_millis(300), ..Limits::default() });
    let mut proxied = running.connect();
    proxied.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 5555 5432\r\n").unwrap();
    assert_eq!(running.served(), "192.0.2.7:5555".parse().unwrap());
    let mut silent = running.connect();
    assert_eq!(silent.read(&mut [0; 4]).unwrap(), 0, "no header in time");

    let running = serve(Limits::default());
    let mut liar = running.connect();
    let mine = liar.local_addr().unwrap();
    liar.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 5555 5432\r\n").unwrap();
    assert_eq!(running.served(), mine);
}

#[test]
fn draining_stops_accepting_and_cuts_who_is_there_at_its_end() {
    let mut running = serve(Limits::default());
    let mut client = running.connect();
    running.served();
    let drain = running.drain.take().unwrap();
    let began = std::time::Instant::now();
    let left = running.runtime.block_on(async { drain.finish(tokio::time::sleep(Duration::from_millis(300))).await });
    assert_eq!(left, 0, "a client that says nothing keeps nobody waiting");
    assert!((Duration::from_millis(300)..Duration::from_secs(4)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(client.read(&mut [0; 4]).unwrap(), 0);
    #[expect(clippy::disallowed_methods, reason = "the client of a test")]
    let refused = std::net::TcpStream::connect(running.address);
    assert!(refused.is_err());
}
