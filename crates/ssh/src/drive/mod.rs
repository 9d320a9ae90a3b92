//! The only IO loop of a session: bytes of both links into the state machine, what it gives out to both links, and what it waits for.
//!
//! - `ending`: why it ends, and what both sides are told then.

mod ending;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gate::{Ended, Gate, Grant, Parked, Silence};
use model::ApprovalId;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

use crate::link::socket::Socket;
use crate::session::Relay;
use ending::Ending;

/// What may wait in an outbox before the other side is read no more, in bytes.
const HIGH_WATER: usize = 256 * 1024;
/// What may wait for a side that sends and does not read: answers to its own messages.
const FLOOD: usize = 4 * HIGH_WATER;
/// Messages of one side in one turn, so that the other is not starved.
const TURN: usize = 64;
/// How often a session with something going on looks at what nobody wakes it for.
const TICK: Duration = Duration::from_millis(250);
/// How long a program may print nothing before what masks hold back is shown: less than a person notices, more than a burst pauses.
const SILENCE: Duration = Duration::from_millis(15);
/// How long a program without a terminal may print nothing before what may be a part of a value is hidden as one: it could wait for an answer.
const LONG: Duration = Duration::from_secs(5);
/// How long what a target said is awaited after it took nothing more; it is there already, or never.
const LAST_READ: Duration = Duration::from_secs(1);

/// A held command on its way through the store.
struct Job {
    index: usize,
    id: ApprovalId,
    step: Step,
}

enum Step {
    Storing(Pin<Box<dyn Future<Output = Result<Parked, gate::ports::StoreAway>> + Send>>),
    Waiting(Pin<Box<dyn Future<Output = Ended> + Send>>),
}

/// A session between its peers.
pub(crate) struct Drive {
    client: Socket,
    target: Socket,
    relay: Relay,
    grant: Arc<Grant>,
    expiry: Pin<Box<Sleep>>,
    jobs: Vec<Job>,
    tick: Interval,
    waiting: Option<Waiting>,
    /// The target takes nothing more: what it has said before is still read, until then.
    deaf: Option<Deaf>,
}

/// What is known of a target that takes nothing more.
struct Deaf {
    why: Ending,
    until: Pin<Box<Sleep>>,
}

/// Masks hold something back.
struct Waiting {
    /// What will have lasted then.
    silence: Silence,
    until: Pin<Box<Sleep>>,
}

impl Waiting {
    fn new() -> Self {
        Self { silence: Silence::Moment, until: Box::pin(tokio::time::sleep(SILENCE)) }
    }
}

impl Drive {
    pub(crate) fn new(
        client: Socket,
        target: Socket,
        relay: Relay,
        grant: Arc<Grant>,
        expiry: Pin<Box<Sleep>>,
    ) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { client, target, relay, grant, expiry, jobs: Vec::new(), tick, waiting: None, deaf: None }
    }

    /// Carries the session to its end.
    pub(crate) async fn run(mut self) {
        let ending = poll_fn(|cx| self.turn(cx)).await;
        self.finish(&ending).await;
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        match self.work(cx) {
            Ok(()) => Poll::Pending,
            Err(ending) => Poll::Ready(ending),
        }
    }

    /// Works until nothing moves any more.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        self.relay.session.watch(cx);
        loop {
            self.look_outside(cx)?;
            match self.relay.session.poll_recorder(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(refusal)) => return Err(Ending::Refused(Box::new(refusal))),
            }
            let mut moved = self.poll_jobs(cx)?;
            moved |= self.poll_client(cx)?;
            moved |= self.poll_target(cx)?;
            moved |= self.park()?;
            if let Some(refusal) = self.relay.failed.take() {
                return Err(Ending::Refused(Box::new(refusal)));
            }
            self.report();
            moved |= self.flush(cx)?;
            moved |= self.listen_for_silence(cx)?;
            if !moved {
                self.client.rest();
                self.target.rest();
                return Ok(());
            }
        }
    }

    /// Shows what masks hold back once nothing more came for a while.
    fn listen_for_silence(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if !self.relay.output_waits() {
            self.waiting = None;
            return Ok(false);
        }
        let waiting = self.waiting.get_or_insert_with(Waiting::new);
        if waiting.until.as_mut().poll(cx).is_pending() {
            return Ok(false);
        }
        let silence = waiting.silence;
        waiting.silence = Silence::Long;
        waiting.until.as_mut().reset(Instant::now() + LONG);
        self.relay.show_all_waiting(silence)?;
        Ok(true)
    }

    /// Ends that others want.
    fn look_outside(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        let _expired = self.expiry.as_mut().poll(cx);
        if let Some(refusal) = self.relay.session.over() {
            return Err(Ending::Refused(refusal));
        }
        if self.relay.session.draining() && self.relay.quiet() {
            return Err(Ending::Drained);
        }
        if !self.relay.quiet() {
            while self.tick.poll_tick(cx).is_ready() {
                self.relay.tick()?;
            }
        }
        Ok(())
    }

    fn poll_client(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if self.deaf.is_some() {
            return Ok(false);
        }
        let mut moved = false;
        for _ in 0..TURN {
            // Before each message: what was packed may be far more than what was read.
            if self.relay.to_target.len() > HIGH_WATER || self.relay.to_client.len() > FLOOD {
                return Ok(moved);
            }
            let next = self.client.advance().map_err(|error| Ending::by_client(&error))?;
            let Some(range) = next else { break };
            self.relay.client(self.client.message(range))?;
            moved = true;
        }
        if moved {
            return Ok(true);
        }
        match self.client.poll_read(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(read)) => {
                self.relay.session.received(read, 0);
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(Ending::by_client(&error)),
        }
    }

    fn poll_target(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if self.relay.to_client.len() > HIGH_WATER || self.relay.to_target.len() > FLOOD {
            return Ok(false);
        }
        let mut moved = false;
        for _ in 0..TURN {
            let next = self.target.advance().map_err(|error| Ending::by_target(&error))?;
            let Some(range) = next else { break };
            self.relay.target(self.target.message(range))?;
            moved = true;
        }
        if moved {
            return Ok(true);
        }
        match self.target.poll_read(cx) {
            Poll::Pending => match self.deaf.take_if(|deaf| deaf.until.as_mut().poll(cx).is_ready()) {
                Some(deaf) => Err(deaf.why),
                None => Ok(false),
            },
            Poll::Ready(Ok(read)) => {
                self.waiting = None;
                self.relay.session.received(0, read);
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(Ending::by_target(&error)),
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let before = (self.relay.to_client.len(), self.relay.to_target.len(), self.deaf.is_some());
        if let Poll::Ready(Err(error)) = self.client.poll_flush(cx, &mut self.relay.to_client) {
            return Err(Ending::by_client(&error));
        }
        if self.deaf.is_none()
            && let Poll::Ready(Err(error)) = self.target.poll_flush(cx, &mut self.relay.to_target)
        {
            let until = Box::pin(tokio::time::sleep(LAST_READ));
            self.deaf = Some(Deaf { why: Ending::by_target(&error), until });
        }
        if self.deaf.is_some() {
            self.relay.to_target.forget();
        }
        let deafened = before.2 != self.deaf.is_some();
        // Room was made where there was none: the side that was not read may be read again.
        let reopened =
            |before: usize, now: usize| [HIGH_WATER, FLOOD].into_iter().any(|mark| before > mark && now <= mark);
        Ok(deafened || reopened(before.0, self.relay.to_client.len()) || reopened(before.1, self.relay.to_target.len()))
    }

    fn gate(&self) -> Arc<Gate> {
        Arc::clone(self.relay.session.gate())
    }

    /// Stores requests for commands that are held, and ends those whose client has gone.
    fn park(&mut self) -> Result<bool, Ending> {
        for id in std::mem::take(&mut self.relay.withdrawn) {
            self.jobs.retain(|job| job.id != id);
            tokio::task::spawn_local(self.gate().withdraw(id));
        }
        let parking = std::mem::take(&mut self.relay.parking);
        let moved = !parking.is_empty();
        for crate::session::Parking { index, request } in parking {
            let id = request.id;
            if self.relay.waits(index, id) {
                self.jobs.push(Job { index, id, step: Step::Storing(self.gate().park(request)) });
            }
        }
        Ok(moved)
    }

    fn poll_jobs(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let mut moved = false;
        let mut at = 0;
        // Nothing more is asked of a target that takes nothing.
        if self.deaf.is_some() {
            return Ok(false);
        }
        while let Some(job) = self.jobs.get_mut(at) {
            let (index, id) = (job.index, job.id);
            let ended = match &mut job.step {
                Step::Storing(future) => match future.as_mut().poll(cx) {
                    Poll::Pending => None,
                    Poll::Ready(Ok(Parked::Granted { by })) => Some(Ended::Approved { by }),
                    Poll::Ready(Ok(Parked::Waiting)) => {
                        self.told_to_wait(at, index, id)?;
                        moved = true;
                        continue;
                    }
                    Poll::Ready(Err(away)) => {
                        tracing::error!(session = %self.grant.session(), error = %away, "approval not asked for");
                        Some(Ended::Away)
                    }
                },
                Step::Waiting(future) => match future.as_mut().poll(cx) {
                    Poll::Pending => None,
                    Poll::Ready(ended) => Some(ended),
                },
            };
            match ended {
                None => at += 1,
                Some(ended) => {
                    self.jobs.swap_remove(at);
                    moved = true;
                    if self.relay.waits(index, id) {
                        self.relay.resume(index, &ended)?;
                    }
                }
            }
        }
        Ok(moved)
    }

    /// The request is stored: the client is told, and the answer awaited.
    fn told_to_wait(&mut self, at: usize, index: usize, id: ApprovalId) -> Result<(), Ending> {
        let gate = self.gate();
        let link = match &gate.settings().approval_url {
            Some(url) => format!("{}/approvals/{id}", url.trim_end_matches('/')),
            None => format!("sallyport approvals approve {id} --reason …"),
        };
        self.relay.told_to_wait(index, id, &link)?;
        let expires = self.relay.expires(index);
        match (self.jobs.get_mut(at), expires) {
            (Some(job), Some(expires)) => job.step = Step::Waiting(gate.wait(id, expires)),
            _ => {
                self.jobs.swap_remove(at);
            }
        }
        Ok(())
    }

    /// Stores what came of approved commands.
    fn report(&mut self) {
        for (id, outcome) in self.relay.session.take_outcomes() {
            tokio::task::spawn_local(self.gate().report(id, outcome));
        }
    }
}

/// When the identity's proof ends, on the runtime's clock.
pub(crate) fn expiry(gate: &Gate, expires: gate::Micros) -> Pin<Box<Sleep>> {
    let left = u64::try_from(expires.0.saturating_sub(gate.now().0)).unwrap_or(0);
    let far = Duration::from_secs(365 * 24 * 3600);
    Box::pin(tokio::time::sleep_until(Instant::now() + Duration::from_micros(left).min(far)))
}
