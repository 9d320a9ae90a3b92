//! What a session waits for besides its peers: the catalogue, an analysis, a human; and what is done beside its work.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use gate::{Ended, Gate, Parked as Stored};

use super::{Drive, Ending};
use crate::catalogue::LoadError;
use crate::classify::{self, Text};
use crate::session::{Parked, Step};
use crate::{answer, preview, upstream};

/// What a session waits for, besides its peers.
pub(crate) enum Job {
    Refresh(Pin<Box<dyn Future<Output = Result<(), LoadError>>>>),
    Analyze(Pin<Box<dyn Future<Output = (String, Rc<Text>)>>>),
    Storing(Box<Parked>, Pin<Box<dyn Future<Output = Result<Stored, gate::ports::StoreAway>>>>),
    Waiting(Box<Parked>, Pin<Box<dyn Future<Output = Ended> + Send>>),
    /// Names are looked up for a command whose wait is over.
    Renewing(Box<Parked>, Ended, Pin<Box<dyn Future<Output = Result<(), LoadError>>>>),
}

impl Job {
    /// Whether a command is held by it.
    pub(super) const fn holds(&self) -> bool {
        matches!(self, Self::Storing(..) | Self::Waiting(..) | Self::Renewing(..))
    }
}

impl Drive {
    /// The client wants to cancel: a held command ends its wait, anything else is cancelled on the target.
    pub(super) fn cancelled(&mut self) -> Result<(), Ending> {
        let held = self.job.as_ref().is_some_and(Job::holds);
        let outcome = if held { "ended the wait" } else { "passed to the target" };
        if let Err(refusal) = self.relay.session.control_note("cancel", outcome) {
            return Err(Ending::Refused(Box::new(refusal)));
        }
        match self.job.take() {
            Some(Job::Storing(parked, _) | Job::Waiting(parked, _) | Job::Renewing(parked, ..)) => {
                let (step, id) = self.relay.cancel_held(*parked);
                tokio::task::spawn_local(self.gate().withdraw(id));
                self.after(step)?;
            }
            job => {
                self.job = job;
                self.cancel_on_target();
            }
        }
        Ok(())
    }

    /// Compares the snapshot of names with the database beside the session's work.
    pub(super) fn compare_names(&self) {
        let (keeper, grant) = (Arc::clone(&self.relay.keeper), Arc::clone(&self.reader));
        let (options, database) = (Rc::clone(&self.options), self.database.clone());
        tokio::task::spawn_local(async move {
            if let Err(error) = keeper.refresh(&grant, &options, database.as_deref()).await {
                tracing::warn!(session = %grant.session(), %error, "catalogue not refreshed");
            }
        });
    }

    /// One at a time: a client that asks again while the first is on its way has asked once.
    pub(super) fn cancel_on_target(&self) {
        if Rc::strong_count(&self.cancelling) > 1 {
            return;
        }
        let under_way = Rc::clone(&self.cancelling);
        let (grant, options) = (Arc::clone(&self.grant), Rc::clone(&self.options));
        let (pid, key) = self.backend.clone();
        tokio::task::spawn_local(async move {
            if let Err(error) = upstream::cancel(&grant, &options, pid, &key).await {
                tracing::warn!(session = %grant.session(), %error, "cancel not delivered");
            }
            drop(under_way);
        });
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(self.relay.session.gate())
    }

    /// Stores what came of approved commands.
    pub(super) fn report_outcomes(&mut self) {
        for (id, outcome) in self.relay.session.take_outcomes() {
            tokio::task::spawn_local(self.gate().report(id, outcome));
        }
    }

    pub(super) fn poll_job(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        // Nothing more is asked of a target that takes nothing.
        let Some(job) = self.job.take_if(|_| self.deaf.is_none()) else {
            return Ok(false);
        };
        match job {
            Job::Refresh(mut future) => match future.as_mut().poll(cx) {
                Poll::Pending => self.job = Some(Job::Refresh(future)),
                Poll::Ready(result) => {
                    self.refreshed(&result);
                    return self.feed_again();
                }
            },
            Job::Analyze(mut future) => match future.as_mut().poll(cx) {
                Poll::Pending => self.job = Some(Job::Analyze(future)),
                Poll::Ready((sql, text)) => {
                    self.relay.analyzed(sql, text);
                    return self.feed_again();
                }
            },
            Job::Storing(parked, mut future) => match future.as_mut().poll(cx) {
                Poll::Pending => self.job = Some(Job::Storing(parked, future)),
                Poll::Ready(stored) => return self.stored(parked, stored).map(|()| true),
            },
            Job::Waiting(parked, mut future) => match future.as_mut().poll(cx) {
                Poll::Pending => self.job = Some(Job::Waiting(parked, future)),
                Poll::Ready(ended) => {
                    self.ended(parked, ended)?;
                    return self.feed_again();
                }
            },
            Job::Renewing(parked, ended, mut future) => match future.as_mut().poll(cx) {
                Poll::Pending => self.job = Some(Job::Renewing(parked, ended, future)),
                Poll::Ready(result) => {
                    self.refreshed(&result);
                    let step = self.relay.resume(*parked, &ended);
                    self.after(step)?;
                    return self.feed_again();
                }
            },
        }
        Ok(false)
    }

    fn refreshed(&mut self, result: &Result<(), LoadError>) {
        if let Err(error) = result {
            tracing::warn!(session = %self.grant.session(), %error, "catalogue not refreshed");
        }
        self.relay.refreshed(result.is_ok());
    }

    fn refresh(&self) -> Pin<Box<dyn Future<Output = Result<(), LoadError>>>> {
        let (keeper, grant) = (Arc::clone(&self.relay.keeper), Arc::clone(&self.reader));
        let (options, database) = (Rc::clone(&self.options), self.database.clone());
        Box::pin(async move { keeper.refresh(&grant, &options, database.as_deref()).await })
    }

    /// The wait for a held command is over.
    fn ended(&mut self, parked: Box<Parked>, ended: Ended) -> Result<(), Ending> {
        if matches!(ended, Ended::Approved { .. }) && self.relay.is_behind() {
            self.job = Some(Job::Renewing(parked, ended, self.refresh()));
            return Ok(());
        }
        let step = self.relay.resume(*parked, &ended);
        self.after(step)
    }

    /// The request is stored: the client is told at once.
    pub(super) fn stored(
        &mut self,
        parked: Box<Parked>,
        stored: Result<Stored, gate::ports::StoreAway>,
    ) -> Result<(), Ending> {
        match stored {
            Ok(Stored::Granted { by }) => {
                self.ended(parked, Ended::Approved { by })?;
                self.feed_again().map(|_| ())
            }
            Ok(Stored::Waiting) => {
                let (id, expires) = (parked.held.id(), parked.held.expires());
                if let Err(refusal) = self.relay.session.parked(&parked.held) {
                    return Err(Ending::Refused(Box::new(refusal)));
                }
                let gate = self.gate();
                let link = match &gate.settings().approval_url {
                    Some(url) => format!("{}/approvals/{id}", url.trim_end_matches('/')),
                    None => format!("sallyport approvals approve {id} --reason …"),
                };
                let seconds = (expires.0 - gate.now().0) / 1_000_000;
                let mut notice = Vec::new();
                answer::held(&mut notice, &id.to_string(), &link, seconds);
                let released = self.relay.session.release(notice);
                self.relay.to_client.push(released);
                self.job = Some(Job::Waiting(parked, gate.wait(id, expires)));
                Ok(())
            }
            Err(away) => {
                tracing::error!(session = %self.grant.session(), error = %away, "approval not asked for");
                let step = self.relay.resume(*parked, &Ended::Away);
                self.after(step)?;
                self.feed_again().map(|_| ())
            }
        }
    }

    /// What a message of the client led to.
    pub(super) fn after(&mut self, step: Step) -> Result<(), Ending> {
        match step {
            Step::Go => {}
            Step::Wait => self.wait_for_answers(),
            Step::Refresh => self.job = Some(Job::Refresh(self.refresh())),
            Step::Analyze(text) => {
                let names = self.relay.current_names();
                let future = async move {
                    let analysed = classify::analyze_apart(text.clone(), names).await;
                    (text, analysed)
                };
                self.job = Some(Job::Analyze(Box::pin(future)));
            }
            Step::Park(parked) => {
                let mut request = parked.held.request().clone();
                let wanted = self.relay.preview(&parked).map_err(|refusal| Ending::Refused(Box::new(refusal)))?;
                let (gate, grant, options) = (self.gate(), Arc::clone(&self.grant), Rc::clone(&self.options));
                let database = self.database.clone();
                let future = async move {
                    request.preview = match wanted {
                        Ok(wanted) => preview::look(&grant, &options, database.as_deref(), &wanted).await,
                        Err(why) => vec![format!("no preview: {why}")],
                    };
                    gate.park(request).await
                };
                self.job = Some(Job::Storing(parked, Box::pin(future)));
            }
            Step::End(end) => return Err(Ending::of(end)),
        }
        Ok(())
    }

    /// Too much is outstanding. A target that was not asked to may keep its answers to itself, so it is asked to.
    pub(super) fn wait_for_answers(&mut self) {
        if !std::mem::replace(&mut self.waiting, true) {
            self.relay.ask_to_flush();
        }
    }
}
