//! Worker threads, each with a runtime of its own; how many is for the caller to say. A connection stays on the thread that it was
//! given to, so its state needs no lock and nothing is woken across threads while it runs.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::{fmt, io};

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Stack of a worker thread in bytes: statements are parsed on it, and a parser's recursion is bounded by statement size, not by ours.
const STACK: usize = 16 * 1024 * 1024;

/// Connections that may wait for a worker which is busy. More than this means that it hangs.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;

/// Why a connection was not given to a worker. The connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// Every worker's queue is full.
    #[error("all workers are busy")]
    Busy,
    /// The workers have been stopped.
    #[error("the workers have stopped")]
    Stopped,
}

struct Worker {
    jobs: mpsc::Sender<Job>,
    tasks: Arc<AtomicUsize>,
}

/// The worker threads. Dropping this stops them; what still runs on them is dropped.
pub struct Workers {
    workers: Vec<Worker>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("tasks", &self.tasks()).finish_non_exhaustive()
    }
}

impl Workers {
    /// Starts `threads` workers, at least one.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(threads: usize) -> io::Result<Self> {
        let mut this = Self { workers: Vec::new(), threads: Vec::new() };
        for number in 0..threads.max(1) {
            let (jobs, queue) = mpsc::channel(QUEUE);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(STACK)
                .spawn(move || LocalSet::new().block_on(&runtime, work(queue)))?;
            this.workers.push(Worker { jobs, tasks: Arc::new(AtomicUsize::new(0)) });
            this.threads.push(thread);
        }
        Ok(this)
    }

    /// How many tasks run on each worker.
    #[must_use]
    pub fn tasks(&self) -> Vec<usize> {
        self.workers.iter().map(|worker| worker.tasks.load(Ordering::Relaxed)).collect()
    }

    /// Gives a connection to the worker that has the fewest tasks. `make` runs there; the future that it returns stays there and
    /// need not be `Send`. A panic in it ends this connection alone, and is logged.
    ///
    /// # Errors
    /// [`SpawnError`]; the connection is closed then.
    pub fn spawn<M, F>(&self, stream: std::net::TcpStream, make: M) -> Result<(), SpawnError>
    where
        M: FnOnce(tokio::net::TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        self.spawn_task(move || async move {
            let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(stream));
            match stream {
                Ok(stream) => make(stream).await,
                Err(error) => tracing::warn!(%error, "a connection could not be given to a worker"),
            }
        })
    }

    /// Gives any task to the worker that has the fewest.
    ///
    /// # Errors
    /// [`SpawnError`].
    fn spawn_task<M, F>(&self, make: M) -> Result<(), SpawnError>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let least = self.workers.iter().min_by_key(|worker| worker.tasks.load(Ordering::Relaxed));
        let worker = least.ok_or(SpawnError::Stopped)?;
        let count = Count::up(&worker.tasks);
        let job: Job = Box::new(move || {
            tokio::task::spawn_local(async move {
                let _count = count;
                // `make` runs inside, so that a panic in it is caught as well.
                let task = AssertUnwindSafe(async { make().await });
                if let Err(panic) = task.catch_unwind().await {
                    tracing::error!(message = panic_text(&*panic), "a connection's task panicked and was ended");
                }
            });
        });
        worker.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SpawnError::Busy,
            mpsc::error::TrySendError::Closed(_) => SpawnError::Stopped,
        })
    }

    /// Stops the workers and waits for their threads. What still runs is dropped: drain first.
    pub fn stop(mut self) {
        self.workers.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread had panicked");
            }
        }
    }
}

async fn work(mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.recv().await {
        job();
    }
}

/// Only texts that are written in the source: a formatted panic message may hold data.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(text withheld: it may hold data)")
}

struct Count(Arc<AtomicUsize>);

impl Count {
    fn up(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn pair() -> (std::net::TcpStream, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        #[expect(clippy::disallowed_methods, reason = "the client of a test")]
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn connections_spread_and_are_counted() {
        let workers = Workers::start(2).unwrap();
        let mut clients = Vec::new();
        for _ in 0..4 {
            let (client, server) = pair();
            workers
                .spawn(server, |mut stream| async move {
                    let not_send = Rc::new(b"hello");
                    stream.write_all(&**not_send).await.unwrap();
                    tokio::time::sleep(Duration::from_secs(600)).await;
                })
                .unwrap();
            clients.push(client);
        }
        assert_eq!(workers.tasks(), [2, 2]);
        for client in &mut clients {
            let mut text = [0; 5];
            client.read_exact(&mut text).unwrap();
            assert_eq!(&text, b"hello");
        }
        workers.stop();
        for client in &mut clients {
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        }
    }

    #[test]
    fn a_panic_ends_one_connection_only() {
        let workers = Workers::start(1).unwrap();
        let (mut first, server) = pair();
        workers.spawn(server, |_stream| async { panic!("on purpose") }).unwrap();
        assert_eq!(first.read(&mut [0; 1]).unwrap(), 0);
        let (mut second, server) = pair();
        workers.spawn(server, |mut stream| async move { stream.write_all(b"x").await.unwrap() }).unwrap();
        assert_eq!(second.read(&mut [0; 1]).unwrap(), 1);
        assert_eq!(second.read(&mut [0; 1]).unwrap(), 0);
        // The count goes down after the socket is closed.
        for _ in 0..100 {
            if workers.tasks() == [0] {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("still counted: {:?}", workers.tasks());
    }
}
