//! A gate that counts what recordings would hold of streams and files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use doubles::Watched;
use gate::{Gate, Parts};
use record::{Event, StreamKind};

/// The one target.
pub(super) const TARGET: &str = "web-1";

/// A gate for one target of this kind.
pub(super) fn gate(kind: &str, policy: &str) -> (Arc<Gate>, Arc<Recorded>) {
    let recorded = Arc::new(Recorded::default());
    let counted = Arc::clone(&recorded);
    let recordings = Watched::new(move |event: &Event<'_>| counted.count(event));
    let targets = vec![doubles::target(kind, TARGET, "ops", "127.0.0.1:1")];
    (Gate::new(Parts { recordings, ..doubles::parts(policy, targets) }), recorded)
}

/// Bytes that are recorded.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Of programs' output.
    pub(super) output: AtomicUsize,
    /// Of files, as operations on them say.
    pub(super) files: AtomicUsize,
}

impl Recorded {
    pub(super) fn clear(&self) {
        self.output.store(0, Ordering::Relaxed);
        self.files.store(0, Ordering::Relaxed);
    }

    fn count(&self, event: &Event<'_>) {
        match event {
            Event::Stream { stream: StreamKind::Output | StreamKind::Error, data, .. } => {
                self.output.fetch_add(data.len(), Ordering::Relaxed);
            }
            Event::File { size, .. } => {
                self.files.fetch_add(usize::try_from(*size).unwrap_or(usize::MAX), Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
