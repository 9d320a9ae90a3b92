//! What the tests of this crate share: a store in a directory of its own, and a clock that they set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gate::Micros;
use gate::ports::Clock;
use store::Store;
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::oidc::testing::NOW;

/// A clock that stands still until it is moved.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    /// Moves it forward.
    pub(crate) fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Arc<TestClock>,
    _directory: TempDir,
}

pub(crate) async fn fixture() -> Fixture {
    let directory = TempDir::new().unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(NOW * 1_000_000)));
    let path = directory.path().join("sallyport.db");
    let store = Store::open_with_clock(path, Handle::current(), clock.clone()).await.unwrap();
    Fixture { store, clock, _directory: directory }
}
