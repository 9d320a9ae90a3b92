//! How long one command may take, and how long a transaction may stay open without one.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::{Drive, Ending};
use crate::session::stop::Pace;
use crate::upstream;

/// How long a target that was told to stop may take to do so.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Since when a session has been at one thing.
#[derive(Default)]
pub(crate) struct Pacer {
    at: Option<(Pace, u64, Instant)>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Drive {
    /// Sends the cancel that a passed limit asks for, and waits until the target has taken it.
    pub(super) fn poll_stop(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if std::mem::take(&mut self.relay.stop_wanted) {
            let (grant, options) = (Arc::clone(&self.grant), Rc::clone(&self.options));
            let (pid, key) = self.backend.clone();
            self.stop = Some(Box::pin(async move {
                if let Err(error) = upstream::cancel(&grant, &options, pid, &key).await {
                    tracing::warn!(session = %grant.session(), %error, "cancel not delivered");
                }
            }));
        }
        let Some(stop) = &mut self.stop else {
            return Ok(false);
        };
        if stop.as_mut().poll(cx).is_pending() {
            return Ok(false);
        }
        self.stop = None;
        self.feed_again()
    }

    /// Ends what takes too long. Sessions without such a limit pay nothing for it.
    pub(super) fn keep_pace(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        let (working, idle) = self.relay.session.patience();
        if working.is_none() && idle.is_none() {
            return Ok(());
        }
        // A command that waits for a human or for the catalogue is not the client's idling.
        let pace = if self.job.is_some() { Pace::Resting } else { self.relay.pace() };
        let progress = self.relay.progress;
        let since = match self.pace.at {
            Some((before, at, since)) if before == pace && at == progress => since,
            Some(_) | None => {
                let now = Instant::now();
                self.pace.at = Some((pace, progress, now));
                now
            }
        };
        let patience = match pace {
            Pace::Working => working,
            Pace::Idle => idle,
            Pace::Resting => None,
        };
        let Some(patience) = patience else {
            self.pace.alarm = None;
            return Ok(());
        };
        let mut due = since + Duration::from_secs(patience);
        if self.relay.is_stopping() {
            due += STOPS_WITHIN;
        }
        if Instant::now() < due {
            return self.set_alarm(due, cx);
        }
        match pace {
            Pace::Working if self.relay.too_slow() => {
                self.poll_stop(cx)?;
                self.set_alarm(due + STOPS_WITHIN, cx)
            }
            Pace::Working => Err(Ending::Broken("the target did not stop")),
            Pace::Idle => Err(Ending::Refused(self.relay.session.too_idle())),
            Pace::Resting => Ok(()),
        }
    }

    fn set_alarm(&mut self, due: Instant, cx: &mut Context<'_>) -> Result<(), Ending> {
        let alarm = self.pace.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if alarm.deadline() != due {
            alarm.as_mut().reset(due);
        }
        if let Poll::Ready(()) = alarm.as_mut().poll(cx) {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }
}
