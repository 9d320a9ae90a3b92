//! How a gateway stops: nothing new comes in, sessions are told, are given time, and are cut.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

/// How far stopping has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    /// Not at all.
    Running,
    /// Nothing new is accepted; idle sessions end, others finish what they are doing.
    Draining,
    /// The time is up: what is still there is dropped, logins as well as sessions.
    Cut,
}

/// How long workers have to drop connections that are cut: one may be in the middle of a statement's analysis.
const AFTER_CUT: Duration = Duration::from_secs(5);

/// The side that stops. Dropping it cuts.
#[derive(Debug)]
pub struct Drain {
    phase: watch::Sender<Phase>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Running) }
    }
}

impl Drain {
    /// A watch for one listener or session. While it lives, [`finish`](Self::finish) waits for it.
    #[must_use]
    pub fn watch(&self) -> DrainWatch {
        DrainWatch { phase: self.phase.subscribe() }
    }

    /// Stops accepting and tells sessions.
    pub fn start(&self) {
        self.advance(Phase::Draining);
    }

    /// Stops and waits until every watch is dropped. What is left when `grace` is over is cut. Returns how many watches are left
    /// a moment later: 0 is a clean end. Not cancel safe: when it is dropped, connections are cut.
    pub async fn finish(self, grace: impl Future<Output = ()>) -> usize {
        self.advance(Phase::Draining);
        tokio::select! {
            () = self.phase.closed() => return 0,
            () = grace => {}
        }
        self.advance(Phase::Cut);
        match tokio::time::timeout(AFTER_CUT, self.phase.closed()).await {
            Ok(()) => 0,
            Err(_) => self.phase.receiver_count(),
        }
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = to > *phase;
            if later {
                *phase = to;
            }
            later
        });
    }
}

/// The side that is stopped.
#[derive(Clone, Debug)]
pub struct DrainWatch {
    phase: watch::Receiver<Phase>,
}

impl DrainWatch {
    /// Waits until stopping has begun. Cancel safe.
    pub async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until connections have to end now. Cancel safe.
    pub async fn cut(&mut self) {
        self.reached(Phase::Cut).await;
    }

    async fn reached(&mut self, wanted: Phase) {
        // An error means that the sender is gone, which is the end, too.
        let _gone = self.phase.wait_for(|phase| *phase >= wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sessions_are_told_then_cut() {
        let drain = Drain::default();
        let mut polite = drain.watch();
        let mut stubborn = drain.watch();
        let first = tokio::spawn(async move {
            polite.draining().await;
        });
        let second = tokio::spawn(async move {
            stubborn.cut().await;
        });
        assert_eq!(drain.finish(tokio::time::sleep(Duration::from_secs(30))).await, 0);
        first.await.unwrap();
        second.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stays_is_counted() {
        let drain = Drain::default();
        let mut watch = drain.watch();
        assert_eq!(drain.finish(tokio::time::sleep(Duration::from_secs(1))).await, 1);
        watch.cut().await;
    }
}
