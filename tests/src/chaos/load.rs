//! Clients that send marked statements in every way that the protocol has, until the connection dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::kit::dsn::Dsn;
use crate::kit::message;
use crate::kit::wire::{Next, Wire};

/// A running load.
pub(super) struct Load {
    counters: Arc<Counters>,
    threads: Vec<JoinHandle<Result<()>>>,
}

struct Counters {
    next: AtomicU64,
    answered: AtomicU64,
    stop: AtomicBool,
    first: u64,
}

/// What a load did.
pub(super) struct Done {
    /// Statements sent.
    pub(super) sent: u64,
    /// Statements whose answer arrived whole.
    pub(super) answered: u64,
    /// The first mark that was not used.
    pub(super) next: u64,
}

impl Load {
    /// Connects every client and lets them go.
    pub(super) fn start(dsn: &Dsn, clients: usize, first: u64) -> Result<Self> {
        let counters =
            Counters { next: AtomicU64::new(first), answered: AtomicU64::new(0), stop: AtomicBool::new(false), first };
        let counters = Arc::new(counters);
        let mut threads = Vec::new();
        for _ in 0..clients {
            let wire = Wire::login(dsn)?;
            let counters = Arc::clone(&counters);
            threads.push(std::thread::spawn(move || client(wire, &counters)));
        }
        Ok(Self { counters, threads })
    }

    /// Ends what did not end with its connection.
    pub(super) fn stop(self) -> Result<Done> {
        self.counters.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            match thread.join() {
                Ok(result) => result?,
                Err(_) => bail!("a client of the load panicked"),
            }
        }
        let next = self.counters.next.load(Ordering::Relaxed);
        Ok(Done { sent: next - self.counters.first, answered: self.counters.answered.load(Ordering::Relaxed), next })
    }
}

fn client(mut wire: Wire, counters: &Counters) -> Result<()> {
    while !counters.stop.load(Ordering::Relaxed) {
        let mark = counters.next.fetch_add(4, Ordering::Relaxed);
        let (bytes, count) = batch(mark);
        wire.send(&bytes)?;
        if !answered(&mut wire, counters)? {
            return Ok(());
        }
        counters.answered.fetch_add(count, Ordering::Relaxed);
    }
    Ok(())
}

/// Up to four statements: alone, several in a message, with bound values, and pipelined.
fn batch(mark: u64) -> (Vec<u8>, u64) {
    let value = |n: u64| vec![Some(n.to_string().into_bytes())];
    let insert = |n: u64| format!("INSERT INTO k9(n) VALUES ($1::bigint) /* k9-{n} */");
    match mark / 4 % 4 {
        0 => (message::query(format!("INSERT INTO k9(n) VALUES ({mark}) /* k9-{mark} */").as_bytes()), 1),
        1 => (message::query(format!("SELECT /* k9-{mark} */ count(*) FROM k9 WHERE n = {mark}").as_bytes()), 1),
        2 => {
            let mut bytes = message::parse("", insert(mark).as_bytes(), &[]);
            bytes.extend(message::bind("", "", &value(mark), 0, 0));
            bytes.extend(message::execute("", 0));
            bytes.extend(message::sync());
            (bytes, 1)
        }
        _ => {
            let mut bytes = Vec::new();
            for n in mark..mark + 4 {
                bytes.extend(message::parse("", insert(n).as_bytes(), &[]));
                bytes.extend(message::bind("", "", &value(n), 0, 0));
                bytes.extend(message::execute("", 0));
            }
            bytes.extend(message::sync());
            (bytes, 4)
        }
    }
}

/// Reads to the end of an answer; `false` when the connection is gone. An error in an answer is a fault of the load.
fn answered(wire: &mut Wire, counters: &Counters) -> Result<bool> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match wire.next(until)? {
            Next::Message(message) if message.tag == b'Z' => return Ok(true),
            // The way in which a server says goodbye; not a refusal.
            Next::Message(message)
                if message.tag == b'E' && message.field(b'C').is_some_and(|state| state.starts_with("57P")) =>
            {
                return Ok(false);
            }
            Next::Message(message) if message.tag == b'E' => {
                bail!("a statement of the load failed: {}", message.describe())
            }
            Next::Message(_) => {}
            Next::Closed => return Ok(false),
            Next::Silent if counters.stop.load(Ordering::Relaxed) => return Ok(false),
            Next::Silent => bail!("no answer within 20 s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::postgres::{Options, Server};

    #[test]
    fn every_answered_statement_is_in_the_servers_log() {
        let server = Server::start(&Options { log_statements: true, ..Options::default() }).unwrap();
        server.sql("postgres", "CREATE TABLE k9(n bigint); GRANT ALL ON k9 TO app").unwrap();
        let load = Load::start(&server.app("postgres"), 3, 0).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let done = load.stop().unwrap();
        assert!(done.answered > 0 && done.next > 0 && done.sent >= done.answered);
        let lines = super::super::executed_lines(&server.log().unwrap());
        let marks = super::super::marks(&lines).unwrap();
        assert_eq!(u64::try_from(marks.len()).unwrap(), done.answered);
    }
}
