//! How a gateway stops: nothing new comes in, sessions are told, are given time, and are cut.

use std::time::Duration;

use tokio::sync::watch;

/// How far stopping has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Not at all.
    Running,
    /// Nothing new is accepted; idle sessions end, others finish what they are doing.
    Draining,
    /// The time is up: sessions end now.
    Cut,
}

/// How long sessions have to end after they are cut: enough to seal a recording and to say why.
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

    /// Stops, waits until every watch is dropped or `grace` is over, then cuts and waits a little more. Returns how many
    /// watches are left: 0 is a clean end. Not cancel safe: when it is dropped, sessions are cut.
    pub async fn finish(self, grace: Duration) -> usize {
        self.advance(Phase::Draining);
        if tokio::time::timeout(grace, self.phase.closed()).await.is_err() {
            self.advance(Phase::Cut);
            if tokio::time::timeout(AFTER_CUT, self.phase.closed()).await.is_err() {
                return self.phase.receiver_count();
            }
        }
        0
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
    /// How far stopping has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        // The sender is gone only when the process is ending.
        if self.phase.has_changed().is_err() { Phase::Cut } else { *self.phase.borrow() }
    }

    /// Waits until stopping has begun. Cancel safe.
    pub async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until sessions have to end now. Cancel safe.
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
        assert_eq!(polite.phase(), Phase::Running);
        let first = tokio::spawn(async move {
            polite.draining().await;
        });
        let second = tokio::spawn(async move {
            stubborn.cut().await;
        });
        assert_eq!(drain.finish(Duration::from_secs(30)).await, 0);
        first.await.unwrap();
        second.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stays_is_counted() {
        let drain = Drain::default();
        let watch = drain.watch();
        assert_eq!(drain.finish(Duration::from_secs(1)).await, 1);
        assert_eq!(watch.phase(), Phase::Cut);
    }
}
