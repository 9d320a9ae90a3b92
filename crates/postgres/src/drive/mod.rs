//! The only loop: sockets ⇄ session. One task owns a session; both directions have bounded buffers.
//!
//! A turn reads what is there, lets the session judge or release it, and writes what came of it. No turn starts unless the recorder has
//! room; a direction whose outbox is full is not read. While a command waits for a human or the catalogue, the client's messages
//! wait too, and the target's go on.
//!
//! - `jobs`: what a session waits for besides its peers
//! - `pace`: how long one thing may take
//! - `ending`: last answers, last words, the seal

mod ending;
mod jobs;
mod pace;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gate::{Gate, Grant, Refusal, RefusalKind};
use net::{Transport, pool};
use tokio::time::{Instant, Sleep};

use self::ending::Ending;
pub(crate) use self::jobs::Job;
pub(crate) use self::pace::Pacer;
use crate::cancel::CancelKey;
use crate::config::TargetOptions;
use crate::session::{Relay, Step};
use crate::wire::limits::{HEADER, LARGEST_MESSAGE};
use crate::wire::{Frame, Frames, Header, Next, encode};

/// An outbox with more than this stops the reading of the other side.
const HIGH_WATER: usize = 256 * 1024;
/// What a client may send ahead while its command waits for a human.
const HELD_AHEAD: usize = 64 * 1024;
/// A target's message that is larger is passed on in pieces where nothing is masked.
const IN_PIECES: usize = 256 * 1024;
/// A target's message that must be seen whole, because something in it is masked, may be this large.
const SEEN_WHOLE: usize = 64 * 1024 * 1024;
/// How long what a target said is awaited after it took nothing more; it is there already, or never.
const LAST_READ: Duration = Duration::from_secs(1);
/// Turns before other sessions of the worker get theirs.
const TURNS: usize = 32;

/// Everything that a session's task owns.
pub(crate) struct Drive {
    pub(crate) client: Transport,
    pub(crate) target: Transport,
    pub(crate) relay: Relay,
    pub(crate) grant: Arc<Grant>,
    /// What the catalogue is read under; mostly the same.
    pub(crate) reader: Arc<Grant>,
    pub(crate) options: Rc<TargetOptions>,
    pub(crate) database: Option<String>,
    pub(crate) cancel: CancelKey,
    /// Held once more while a cancel is on its way to the target.
    pub(crate) cancelling: Rc<()>,
    /// The target's own cancel key.
    pub(crate) backend: (i32, Vec<u8>),
    pub(crate) max_message: usize,
    pub(crate) client_in: Vec<u8>,
    pub(crate) target_in: Vec<u8>,
    pub(crate) job: Option<Job>,
    /// A cancel on its way to the target, for a command that passed a limit. The client's next command must not meet it.
    pub(crate) stop: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(crate) pace: Pacer,
    pub(crate) expiry: Pin<Box<Sleep>>,
    /// The client's next message waits until the target has answered.
    pub(crate) waiting: bool,
    /// Whole messages of the client may be left for when the target has taken what is in its outbox.
    pub(crate) unfed: bool,
    /// Bytes of a large CopyData of the client that are still to come.
    pub(crate) copy_left: usize,
    pub(crate) client_gone: bool,
    /// The target takes nothing more: what it has said before is still read, until then.
    pub(crate) deaf: Option<Pin<Box<Sleep>>>,
}

impl Drive {
    /// Runs the session to its end and seals its recording.
    pub(crate) async fn run(mut self) {
        // What the client sent together with its login.
        let ending = match self.feed_again() {
            Ok(_) => std::future::poll_fn(|cx| self.poll(cx)).await,
            Err(ending) => ending,
        };
        self.finish(ending).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        self.relay.session.watch(cx);
        for _ in 0..TURNS {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(ending) => return Poll::Ready(ending),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One turn; whether anything happened.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        self.look_outside(cx)?;
        match self.relay.session.poll_recorder(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(refusal)) => return Err(Ending::Refused(Box::new(refusal))),
            Poll::Pending => return Ok(false),
        }
        let mut happened = self.poll_job(cx)?;
        happened |= self.poll_target(cx)?;
        happened |= self.poll_client(cx)?;
        if std::mem::take(&mut self.relay.ageing) {
            self.compare_names();
        }
        self.report_outcomes();
        happened |= self.poll_stop(cx)?;
        self.keep_pace(cx)?;
        self.relay.settle_rows().map_err(|refusal| Ending::Refused(Box::new(refusal)))?;
        happened |= self.poll_flush(cx)?;
        if !happened {
            self.relay.rest();
            if self.client_in.is_empty() {
                self.client_in = Vec::new();
            }
            if self.target_in.is_empty() {
                self.target_in = Vec::new();
            }
        }
        Ok(happened)
    }

    /// Ends, cancels and drains that others want.
    fn look_outside(&mut self, cx: &mut Context<'_>) -> Result<(), Ending> {
        if self.expiry.as_mut().poll(cx).is_ready()
            && let Some(refusal) = self.relay.session.over()
        {
            return Err(Ending::Refused(refusal));
        }
        if let Some(refusal) = self.relay.session.over() {
            return Err(Ending::Refused(refusal));
        }
        if self.relay.session.draining() && self.relay.quiet() && self.job.is_none() {
            return Err(Ending::Drained);
        }
        if self.cancel.take(cx) {
            self.cancelled()?;
        }
        Ok(())
    }

    fn poll_client(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if self.client_gone || self.deaf.is_some() || self.relay.to_target.len() > HIGH_WATER {
            return Ok(false);
        }
        let held = self.job.as_ref().is_some_and(Job::holds);
        let blocked = self.waiting || self.job.is_some() || self.stop.is_some();
        if !blocked && std::mem::take(&mut self.unfed) {
            return self.feed_again();
        }
        if blocked && !(held && self.client_in.len() < HELD_AHEAD) {
            return Ok(false);
        }
        let mut buffer = pool::take();
        let read = match self.client.poll_read(cx, &mut buffer) {
            Poll::Pending => return Ok(false),
            Poll::Ready(read) => read,
        };
        let read = match read {
            Ok(0) | Err(_) => return self.client_left(),
            Ok(read) => read,
        };
        self.relay.session.received(read, 0);
        let bytes = buffer.get(..read).unwrap_or_default();
        if blocked || !self.client_in.is_empty() {
            self.client_in.extend_from_slice(bytes);
            return if blocked { Ok(true) } else { self.feed_again() };
        }
        let used = self.feed(bytes)?;
        if let Some(rest) = bytes.get(used..)
            && !rest.is_empty()
        {
            self.client_in.extend_from_slice(rest);
        }
        Ok(true)
    }

    fn client_left(&mut self) -> Result<bool, Ending> {
        self.client_gone = true;
        if let Some(Job::Storing(parked, _) | Job::Waiting(parked, _) | Job::Renewing(parked, ..)) = self.job.take() {
            let (_, id) = self.relay.session.abandon(parked.held, true);
            tokio::task::spawn_local(self.gate().withdraw(id));
        }
        Err(Ending::ClientClosed)
    }

    /// Goes on with what the client sent before.
    fn feed_again(&mut self) -> Result<bool, Ending> {
        if self.job.is_some() || self.stop.is_some() || self.deaf.is_some() {
            return Ok(true);
        }
        self.waiting = false;
        let pending = std::mem::take(&mut self.client_in);
        let used = self.feed(&pending)?;
        self.client_in = pending;
        self.client_in.drain(..used);
        Ok(true)
    }

    /// Gives the session the client's messages until one has to wait; how many bytes were used.
    fn feed(&mut self, bytes: &[u8]) -> Result<usize, Ending> {
        let mut start = self.feed_copy(bytes)?;
        let mut frames = Frames::new(bytes.get(start..).unwrap_or_default(), self.max_message);
        loop {
            let used = start + frames.consumed();
            if let Some(length) = large_copy(frames.rest()) {
                self.copy_left = length;
                start = used + HEADER;
                start += self.feed_copy(bytes.get(start..).unwrap_or_default())?;
                frames = Frames::new(bytes.get(start..).unwrap_or_default(), self.max_message);
                continue;
            }
            let frame = match frames.advance() {
                Ok(Next::Frame(frame)) => frame,
                Ok(Next::Partial { .. }) => return Ok(used),
                Err(error) => {
                    let refusal = Refusal::of(RefusalKind::Malformed).because(error.to_string());
                    return Err(Ending::Refused(Box::new(refusal)));
                }
            };
            let step = self.relay.client(frame);
            let again = matches!(step, Step::Refresh | Step::Analyze(_) | Step::Wait);
            let parked = matches!(step, Step::Park(_));
            self.after(step)?;
            if again {
                return Ok(used);
            }
            if parked {
                return Ok(start + frames.consumed());
            }
            if self.relay.to_target.len() > 4 * HIGH_WATER {
                self.unfed = true;
                return Ok(start + frames.consumed());
            }
        }
    }

    /// What is here of a large CopyData, as CopyData messages of a bounded size: their boundaries mean nothing to the target.
    fn feed_copy(&mut self, bytes: &[u8]) -> Result<usize, Ending> {
        let mut used = 0;
        while self.copy_left > 0 {
            let rest = bytes.get(used..).unwrap_or_default();
            let body = rest.get(..self.copy_left.min(IN_PIECES)).unwrap_or(rest);
            if body.is_empty() {
                break;
            }
            if self.relay.to_target.len() > 4 * HIGH_WATER {
                self.unfed = true;
                break;
            }
            let mut whole = Vec::with_capacity(HEADER + body.len());
            encode::copy_data(&mut whole, body);
            used += body.len();
            self.copy_left -= body.len();
            let step = self.relay.client(Frame { tag: b'd', body, whole: &whole });
            self.after(step)?;
        }
        Ok(used)
    }

    fn poll_target(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        if self.relay.to_client.len() > HIGH_WATER {
            return Ok(false);
        }
        let mut buffer = pool::take();
        let read = match self.target.poll_read(cx, &mut buffer) {
            Poll::Pending => {
                let over = self.deaf.as_mut().is_some_and(|until| until.as_mut().poll(cx).is_ready());
                return if over { Err(Ending::TargetClosed) } else { Ok(false) };
            }
            Poll::Ready(Ok(0) | Err(_)) => return Err(Ending::TargetClosed),
            Poll::Ready(Ok(read)) => read,
        };
        self.relay.session.received(0, read);
        let bytes = buffer.get(..read).unwrap_or_default();
        if self.target_in.is_empty() {
            let used = self.take_in(bytes)?;
            self.target_in.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut pending = std::mem::take(&mut self.target_in);
            pending.extend_from_slice(bytes);
            let used = self.take_in(&pending)?;
            pending.drain(..used);
            self.target_in = pending;
        }
        if self.waiting && self.job.is_none() {
            self.feed_again()?;
        }
        Ok(true)
    }

    /// Gives the session the target's messages; how many bytes were used.
    fn take_in(&mut self, bytes: &[u8]) -> Result<usize, Ending> {
        let stop = |step: Step| match step {
            Step::End(end) => Ending::of(end),
            _ => Ending::Broken("the target's message cannot wait"),
        };
        let mut start = self.relay.stream(bytes).map_err(stop)?;
        if self.relay.streaming() {
            return Ok(start);
        }
        let mut frames = Frames::new(bytes.get(start..).unwrap_or_default(), LARGEST_MESSAGE);
        loop {
            match frames.advance() {
                Ok(Next::Frame(frame)) => match self.relay.target(frame) {
                    Step::Go => {}
                    step => return Err(stop(step)),
                },
                Ok(Next::Partial { have, need }) => {
                    start += frames.consumed();
                    if need <= IN_PIECES || have < HEADER {
                        return Ok(start);
                    }
                    let part = frames.rest();
                    if self.relay.can_stream(part) {
                        self.relay.oversized(part, need - HEADER).map_err(stop)?;
                        return Ok(start + part.len());
                    }
                    if need > SEEN_WHOLE {
                        return Err(Ending::Broken("the target sent a message above the limit"));
                    }
                    return Ok(start);
                }
                Err(_) => {
                    return Err(Ending::Broken("the target sent a message that cannot be read"));
                }
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        let before = (self.relay.to_client.len(), self.relay.to_target.len());
        if (before.0 > 0 || self.client.has_unsent())
            && let Poll::Ready(Err(_)) = self.client.poll_flush(cx, &mut self.relay.to_client)
        {
            return Err(Ending::ClientClosed);
        }
        if self.deaf.is_none()
            && (before.1 > 0 || self.target.has_unsent())
            && let Poll::Ready(Err(_)) = self.target.poll_flush(cx, &mut self.relay.to_target)
        {
            self.deaf = Some(Box::pin(tokio::time::sleep(LAST_READ)));
            return Ok(true);
        }
        if self.deaf.is_some() {
            self.relay.to_target.forget();
        }
        // Room was made where there was none: the side that was not read may be read again.
        let reopened = (before.0 > HIGH_WATER && self.relay.to_client.len() <= HIGH_WATER)
            || (before.1 > HIGH_WATER && self.relay.to_target.len() <= HIGH_WATER);
        Ok(reopened)
    }
}

/// The length of the CopyData at the front, when it is too large to be taken whole.
fn large_copy(bytes: &[u8]) -> Option<usize> {
    let header = Header::read(bytes, LARGEST_MESSAGE).ok()??;
    (header.tag == b'd' && header.body > IN_PIECES).then_some(header.body)
}

/// When the identity's proof ends, on the runtime's clock.
pub(crate) fn expiry(gate: &Gate, expires: gate::Micros) -> Pin<Box<Sleep>> {
    let left = u64::try_from(expires.0.saturating_sub(gate.now().0)).unwrap_or(0);
    let far = Duration::from_secs(365 * 24 * 3600);
    Box::pin(tokio::time::sleep_until(Instant::now() + Duration::from_micros(left).min(far)))
}

/// Used by code that has a whole message to hand to a transport outside of a session: the login.
pub(crate) async fn say(client: &mut Transport, bytes: &[u8]) -> io::Result<()> {
    let mut outbox = gate::Outbox::<gate::ToClient>::default();
    outbox.login(bytes);
    client.flush(&mut outbox).await
}
