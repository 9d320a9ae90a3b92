//! The end of a session: last answers, last words, the seal of its recording.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gate::{Refusal, RefusalKind};

use super::Drive;
use crate::session::{End, Relay};
use crate::{answer, upstream};

/// How long the target may take to answer what a client asked for and then left: its commands end as they would without a gateway, and
/// what came of them is recorded. What takes longer is cancelled.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long a closing session tries to tell its client why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the loop ended.
pub(super) enum Ending {
    ClientClosed,
    TargetClosed,
    Refused(Box<Refusal>),
    Broken(&'static str),
    Drained,
}

impl Ending {
    pub(super) fn of(end: End) -> Self {
        match end {
            End::Client => Self::ClientClosed,
            End::Refused(refusal) => Self::Refused(refusal),
            End::Broken(why) => Self::Broken(why),
        }
    }
}

impl Drive {
    /// The target's answers to a client that is gone: recorded, and shown to nobody. Ready when nothing is outstanding.
    pub(super) fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.relay.is_owed() || self.relay.session.over().is_some() {
                return Poll::Ready(());
            }
            if self.relay.session.poll_recorder(cx).is_pending() {
                return Poll::Pending;
            }
            if let Poll::Ready(Err(_)) = self.target.poll_flush(cx, &mut self.relay.to_target) {
                return Poll::Ready(());
            }
            let read = self.poll_target(cx);
            if self.relay.settle_rows().is_err() {
                return Poll::Ready(());
            }
            self.relay.to_client.forget();
            match read {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Tells both sides, closes them, and seals the recording.
    pub(super) async fn finish(mut self, ending: Ending) {
        let busy = self.relay.is_owed();
        let left = matches!(ending, Ending::ClientClosed);
        let reason = match &ending {
            Ending::ClientClosed => "client closed".to_owned(),
            Ending::TargetClosed => "target closed".to_owned(),
            Ending::Refused(refusal) => refusal.detail(),
            Ending::Broken(why) => (*why).to_owned(),
            Ending::Drained => "gateway stopping".to_owned(),
        };
        let last = match ending {
            Ending::ClientClosed => None,
            Ending::TargetClosed => Some(None),
            Ending::Refused(refusal) => Some(Some(*refusal)),
            Ending::Broken(why) => {
                tracing::warn!(session = %self.grant.session(), why, "session broken");
                Some(Some(Refusal::of(RefusalKind::Malformed).because(why)))
            }
            Ending::Drained => Some(Some(Refusal::of(RefusalKind::Ended).because("the gateway is stopping"))),
        };
        if left && busy {
            self.relay.ask_to_flush();
            let _ended = tokio::time::timeout(LAST_ANSWERS, std::future::poll_fn(|cx| self.poll_last(cx))).await;
        }
        // What the target has answered of a result that never ended is recorded, or not shown.
        let _recorded = self.relay.give_up(&reason);
        if let Some(words) = last {
            if let Some(refusal) = words {
                let mut message = Vec::new();
                answer::refuse(&mut message, &refusal, true);
                let released = self.relay.session.release(message);
                self.relay.to_client.push(released);
            }
            // A client that does not read is left behind.
            let _told = tokio::time::timeout(LAST_WORDS, self.client.flush(&mut self.relay.to_client)).await;
        }
        if self.relay.is_owed() {
            // What still runs on the target for a session that is over is stopped.
            let cancelled = upstream::cancel(&self.grant, &self.options, self.backend.0, &self.backend.1);
            let _stopped = tokio::time::timeout(LAST_WORDS, cancelled).await;
        }
        self.relay.say_goodbye();
        let _sent = tokio::time::timeout(LAST_WORDS, self.target.flush(&mut self.relay.to_target)).await;
        let Self { client, target, relay, grant, reader, .. } = self;
        let keeper = Arc::clone(&relay.keeper);
        let _closed = tokio::time::timeout(LAST_WORDS, client.shutdown()).await;
        let _closed = tokio::time::timeout(LAST_WORDS, target.shutdown()).await;
        let Relay { session, .. } = relay;
        session.close(&reason);
        let _released = tokio::time::timeout(LAST_WORDS, grant.release()).await;
        keeper.rest();
        if !Arc::ptr_eq(&reader, &grant) {
            let _released = tokio::time::timeout(LAST_WORDS, reader.release()).await;
        }
    }
}
