//! What a target saw: every byte in clear, every connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    bytes: Mutex<Vec<u8>>,
    /// Connections so far.
    pub(super) dials: AtomicUsize,
    /// Connections now.
    pub(super) open: AtomicUsize,
}

impl Seen {
    pub(super) fn note(&self, bytes: &[u8]) {
        self.bytes.lock().unwrap().extend_from_slice(bytes);
    }
}

/// A target on a port of loopback. Its threads end with the test's process.
pub(super) struct Target {
    pub(super) port: u16,
    pub(super) seen: Arc<Seen>,
    /// What has to live as long as the target, and a line of the configuration that it makes.
    pub(super) kept: Box<dyn std::any::Any>,
    pub(super) about: String,
}

impl Target {
    /// Takes connections, each on a thread of its own that `serve` has until it ends.
    pub(super) fn listen(serve: impl Fn(TcpStream, &Seen) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, serve) = (Arc::new(Seen::default()), Arc::new(serve));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, serve) = (Arc::clone(&shared), Arc::clone(&serve));
                seen.dials.fetch_add(1, Ordering::SeqCst);
                seen.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serve(stream, &seen);
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, seen, kept: Box::new(()), about: String::new() }
    }

    /// A real server behind a tap: every byte for it is noted on its way.
    #[expect(clippy::disallowed_methods, reason = "a tap of the tests, which no grant is for")]
    pub(super) fn tap(server: u16) -> Self {
        Self::listen(move |mut client, seen| {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)) else { return };
            let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let answers = thread::spawn(move || {
                let _ended = std::io::copy(&mut back, &mut to);
                let _gone = to.shutdown(Shutdown::Write);
            });
            let mut buffer = [0; 65536];
            while let Ok(read @ 1..) = client.read(&mut buffer) {
                seen.note(&buffer[..read]);
                if server.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            let _gone = server.shutdown(Shutdown::Both);
            let _ended = answers.join();
        })
    }

    pub(super) fn has(&self, marker: &str) -> bool {
        let bytes = self.seen.bytes.lock().unwrap();
        bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
    }

    pub(super) fn dials(&self) -> usize {
        self.seen.dials.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }
}
